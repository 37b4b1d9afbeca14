package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReference fails when what is generated for readers is not what the program says; -update writes it.
func TestReference(t *testing.T) {
	for file, args := range map[string][]string{
		"docs/reference/contract.md":    {"explain", "-o", "markdown"},
		"docs/reference/admission.yaml": {"explain", "-o", "vap"},
	} {
		var out bytes.Buffer
		if err := run(args, &streams{out: &out, err: &out}); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(out.String(), string(got)); diff != "" {
			t.Errorf("%s is stale; run: go test . -run TestReference -update\n-want +got\n%s", file, diff)
		}
	}
}
