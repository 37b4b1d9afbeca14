package successor

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	cases := map[string]struct{ written, want string }{
		"Claim":          {"2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"},
		"Psql":           {"2026-11-20 10:00:00.123456+00", "2026-11-20T10:00:00.123456Z"},
		"PsqlInIndia":    {"2026-11-20 15:30:00.5+05:30", "2026-11-20T10:00:00.5Z"},
		"WestOfUTC":      {"2026-11-20 05:00:00-05", "2026-11-20T10:00:00Z"},
		"Log":            {"2026-11-20 10:00:00.512 UTC", "2026-11-20T10:00:00.512Z"},
		"DateCommand":    {"2026-11-20 11:00:00 +0100", "2026-11-20T10:00:00Z"},
		"NoSeconds":      {"2026-11-20T10:00Z", "2026-11-20T10:00:00Z"},
		"Nanoseconds":    {"2026-11-20t10:00:00.123456789z", "2026-11-20T10:00:00.123456Z"},
		"NoZone":         {"2026-11-20 10:00:00", ""},
		"ZoneByNickname": {"2026-11-20 10:00:00 IST", ""},
		"ZoneByPlace":    {"2026-11-20 10:00:00 Europe/Berlin", ""},
		"NoSuchDay":      {"2026-02-30T10:00:00Z", ""},
		"Word":           {"yesterday", ""},
		"Empty":          {"", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if at, ok := Moment(tc.written); ok {
				got = utc(at)
			}
			if got != tc.want {
				t.Errorf("%q is %q, want %q", tc.written, got, tc.want)
			}
		})
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Minute: "", 20 * time.Second: "0 min ago", 7 * time.Minute: "7 min ago", 5*time.Hour + 37*time.Minute: "5 h 37 min ago", 120 * time.Hour: "5 days ago",
	} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
