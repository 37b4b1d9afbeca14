package main

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadFindings(t *testing.T) {
	const modules = `{"SBOM": {"modules": [{"path": "stdlib"}, {"path": "example.org/a"}]}}`
	cases := map[string]struct {
		reason, messages string
		want             map[string]string
		wantErr          string
	}{
		"Nothing": {reason: "No finding.", messages: modules, want: map[string]string{}},
		"OnlyImported": {
			reason:   "A vulnerability in a package that is not called is no finding.",
			messages: modules + `{"finding": {"osv": "GO-1", "trace": [{"module": "example.org/a", "package": "example.org/a/b"}]}}`,
			want:     map[string]string{},
		},
		"Called": {
			reason:   "One that is called is.",
			messages: modules + `{"finding": {"osv": "GO-1", "fixed_version": "v1.2.3", "trace": [{"module": "example.org/a", "package": "example.org/a/b", "function": "Do"}]}}`,
			want:     map[string]string{"GO-1": "example.org/a/b.Do (module example.org/a, fixed in v1.2.3)"},
		},
		"Empty":  {reason: "A scan of nothing must not pass for a scan.", messages: `{}`, wantErr: "looked at nothing"},
		"Broken": {reason: "Nor an answer that cannot be read.", messages: `{"finding"`, wantErr: "cannot read"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, _, err := readFindings(strings.NewReader(tc.messages))
			if (err != nil) != (tc.wantErr != "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Fatalf("%s\ngot error %v, want %q", tc.reason, err, tc.wantErr)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	all := map[string]string{}
	for id := range accepted {
		all[id] = "somewhere"
	}
	more := maps.Clone(all)
	more["GO-1"] = "elsewhere"
	cases := map[string]struct {
		reason    string
		found     map[string]string
		goVersion string
		wantErr   string
	}{
		"Accepted":  {"With the Go the exceptions were made for nothing else is found.", all, "go1.26.8", ""},
		"New":       {"A vulnerability nobody has looked at fails.", more, "go1.26.8", "1 known vulnerabilities are called"},
		"Fixed":     {"A newer Go has the fixes, and needs no exceptions.", nil, "go1.26.10", ""},
		"StillOpen": {"With a Go that claims the fix the exception is over.", all, "go1.27.0", "8 known vulnerabilities are called"},
		"Stale":     {"An exception nothing needs is removed.", nil, "go1.26.8", "is accepted and not there any more"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := judge(tc.found, tc.goVersion)
			if (err != nil) != (tc.wantErr != "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("%s\ngot %v, want %q", tc.reason, err, tc.wantErr)
			}
		})
	}
}

// The scanner has to find something in a program that is known to be bad, or a clean answer means nothing.
func TestScannerBites(t *testing.T) {
	database, what, err := chooseDatabase(t.Context())
	if err != nil {
		t.Skipf("NOT RUN: no vulnerability database could be reached: %v", err)
	}
	t.Logf("database: %s", what)
	found, _, err := scanSources(t.Context(), database, "testdata/bad")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := found["GO-2022-1059"]; !ok {
		t.Errorf("golang.org/x/text v0.3.7 parses Accept-Language in quadratic time; found only %v", found)
	}
}
