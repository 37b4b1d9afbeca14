package lock

import (
	"testing"
	"time"
)

func TestDays(t *testing.T) {
	cases := map[string]struct {
		reason           string
		retention        int64
		gap              time.Duration
		wantMin, wantDef int64
	}{
		"Specification": {"30 days at six hours need 32: the figure ZDL-01 states", 30, 6 * time.Hour, 32, 37},
		"Hourly":        {"five hours and six make half a day: one day of margin", 30, time.Hour, 31, 37},
		"Daily":         {"five days and six hours: six days", 30, 24 * time.Hour, 36, 37},
		"TwoDaily":      {"the default never falls below the least", 30, 48 * time.Hour, 41, 41},
		"ExactDays":     {"a margin of exactly two days is two days", 30, 42 * time.Hour / 5, 32, 37},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := MinDays(tc.retention, tc.gap); got != tc.wantMin {
				t.Errorf("%s: MinDays(%d, %s) = %d, want %d", tc.reason, tc.retention, tc.gap, got, tc.wantMin)
			}
			if got := DefaultDays(tc.retention, tc.gap); got != tc.wantDef {
				t.Errorf("%s: DefaultDays(%d, %s) = %d, want %d", tc.reason, tc.retention, tc.gap, got, tc.wantDef)
			}
		})
	}
}

// TestBruteForce simulates a year of backups with missed runs and asks the bucket itself: is the base backup that the
// first second of the window needs still locked?
func TestBruteForce(t *testing.T) {
	const day = 24 * time.Hour
	for _, gap := range []time.Duration{time.Hour, 4 * time.Hour, 6 * time.Hour} {
		for _, took := range []time.Duration{time.Minute, 3 * time.Hour, longestRun} {
			lockFor := time.Duration(MinDays(30, gap)) * day
			var begun []time.Duration
			for at, n := time.Duration(0), 0; at < 120*day; at, n = at+gap, n+1 {
				if n%(missedRuns+1) == 0 { // Four of five runs fail.
					begun = append(begun, at)
				}
			}
			for now := 60 * day; now < 100*day; now += 20 * time.Minute {
				var needed time.Duration
				for _, b := range begun {
					if b+took <= now-30*day {
						needed = b
					}
				}
				if now-needed > lockFor {
					t.Fatalf("gap %s, run %s: at %s the needed backup is %s old, the lock holds %s", gap, took, now, now-needed, lockFor)
				}
			}
		}
	}
}
