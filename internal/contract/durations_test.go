package contract

import (
	"testing"
	"time"
)

func TestPostgresTime(t *testing.T) {
	cases := map[string]struct {
		reason, value string
		unit          time.Duration
		want          time.Duration
		ok            bool
	}{
		"Bare":         {"a bare number counts the setting's unit", "300", time.Second, 5 * time.Minute, true},
		"Nines":        {"nine is a digit as well", "99s", time.Second, 99 * time.Second, true},
		"BareMs":       {"whatever that is", "300", time.Millisecond, 300 * time.Millisecond, true},
		"Minutes":      {"min is a unit", "5min", time.Second, 5 * time.Minute, true},
		"Spaced":       {"spaces may stand between", " 1 h ", time.Second, time.Hour, true},
		"Quoted":       {"and quotes around", "'2d'", time.Second, 48 * time.Hour, true},
		"Fraction":     {"fractions are allowed", "1.5h", time.Second, 90 * time.Minute, true},
		"Microseconds": {"down to the microsecond", "1500us", time.Millisecond, 1500 * time.Microsecond, true},
		"Negative":     {"a sign too", "-1", time.Second, -time.Second, true},
		"OtherUnit":    {"units of Go are not PostgreSQL's", "5m", time.Second, 0, false},
		"Capitals":     {"units are case-sensitive", "5MIN", time.Second, 0, false},
		"Words":        {"words are no time", "never", time.Second, 0, false},
		"Empty":        {"nothing is no time", "", time.Second, 0, false},
		"Huge":         {"nobody waits that long", "1e300", time.Second, 0, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := postgresTime(tc.value, tc.unit)
			if got != tc.want || ok != tc.ok {
				t.Errorf("%s: postgresTime(%q) = %s, %v, want %s, %v", tc.reason, tc.value, got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestPostgresBool(t *testing.T) {
	for value, want := range map[string]string{
		"on": "on", "ON": "on", "true": "on", "t": "on", "tru": "on", "y": "on", "Yes": "on", "1": "on", " on ": "on", "'on'": "on", //nolint:gocritic // The blanks are the case.
		"off": "off", "of": "off", "OFF": "off", "f": "off", "false": "off", "n": "off", "no": "off", "0": "off",
		"o": "?", "": "?", "2": "?", "onn": "?", "offf": "?", "yess": "?", "truefalse": "?", "-": "?",
	} {
		got := "?"
		if on, ok := postgresBool(value); ok {
			got = map[bool]string{true: "on", false: "off"}[on]
		}
		if got != want {
			t.Errorf("postgresBool(%q) = %s, want %s", value, got, want)
		}
	}
}

func TestRetentionDays(t *testing.T) {
	for policy, want := range map[string]int64{
		"30d": 30, "5w": 35, "2m": 62, "1d": 1, "0d": 0, "-1d": 0, "30": 0, "d": 0, "": 0, "30D": 0, "3y": 0, "99999999999d": 0, "30 d": 0,
	} {
		if got, ok := retentionDays(policy); got != want || ok != (want > 0) {
			t.Errorf("retentionDays(%q) = %d, %v, want %d", policy, got, ok, want)
		}
	}
}

func TestQuantity(t *testing.T) {
	for written, want := range map[string]float64{
		"512Mi": 512 << 20, "2Gi": 2 << 30, "1Ti": 1 << 40, "500m": 0.5, "2": 2, "1.5": 1.5, "1G": 1e9, "64Ki": 1 << 16, "1k": 1000, "1M": 1e6, "1T": 1e12,
		"": -1, "Gi": -1, "-1": -1, "x": -1, "1e999": -1,
	} {
		got, ok := quantity(written)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("quantity(%q) = %v, want %v", written, got, want)
		}
	}
}

func TestPostgresBytes(t *testing.T) {
	for value, want := range map[string]float64{
		"8GB": 8 << 30, "'256MB'": 256 << 20, "1024kB": 1 << 20, "100": 100 * 8192, "1TB": 1 << 40, "512B": 512, "1gb": -1, "x": -1, "": -1, "1 GB": 1 << 30,
	} {
		got, ok := postgresBytes(value, 8192)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("postgresBytes(%q) = %v, want %v", value, got, want)
		}
	}
}

func TestImageMajor(t *testing.T) {
	for image, want := range map[string]string{
		"ghcr.io/cloudnative-pg/postgresql:16.15-202608170814-standard-trixie": "16",
		"postgresql:17": "17", "registry:5000/postgresql:15.1": "15", "postgresql:16@sha256:abc": "16", "postgresql:16beta1": "16",
		"registry:5000/postgresql": "", "postgresql": "", "postgresql:latest": "", "postgresql@sha256:abc": "", "postgresql:161": "", "": "", ":": "", "postgresql:v16": "",
	} {
		if got, ok := ImageMajor(image); got != want || ok != (want != "") {
			t.Errorf("ImageMajor(%q) = %q, %v, want %q", image, got, ok, want)
		}
	}
}

// TestHideKeys: what providers and operators say is shown to everybody, and may quote what they were given (ZDL-12).
func TestHideKeys(t *testing.T) {
	for text, want := range map[string]string{
		"InvalidAccessKeyId: AKIAIOSFODNN7EXAMPLE does not exist": "InvalidAccessKeyId: (not shown) does not exist",
		"AKIAIOSFODNN7EXAMPLE/ASIAIOSFODNN7EXAMPLE":               "(not shown)/(not shown)",
		"AKIAshort and AKIAIOSFODNN7EXAMPLE":                      "AKIAshort and (not shown)",
		"bad key -----BEGIN RSA PRIVATE KEY----- abc":             "bad key (not shown)",
		"nothing to hide": "nothing to hide",
	} {
		if got := Clip(text, 200); got != want || looksSecret(got) {
			t.Errorf("Clip(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestLooksSecret(t *testing.T) {
	for text, want := range map[string]bool{
		"AKIAIOSFODNN7EXAMPLE": true, "key=ASIAIOSFODNN7EXAMPLE;": true, "xAKIA AKIAIOSFODNN7EXAMPLE": true, "-----BEGIN EC PRIVATE KEY-----": true,
		"AKIA": false, "AKIAshort": false, "AKIAIOSFODNN7EXAMPLE123": false, "ASIA is a continent": false, "-----BEGIN CERTIFICATE-----": false, "": false,
	} {
		if got := looksSecret(text); got != want {
			t.Errorf("looksSecret(%q) = %v", text, got)
		}
	}
}
