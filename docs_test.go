package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
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

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	command = regexp.MustCompile(`(?:function-hardened-postgres|go run \.) ([a-z-]+)((?: [^\n|>` + "`" + `]*)?)`)
	option  = regexp.MustCompile(`--([a-z][a-z-]*)`)
)

// TestDocs follows every relative link, and looks up every command and option of this program that the documents mention.
func TestDocs(t *testing.T) {
	parser, err := kong.New(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]map[string]bool{}
	for _, c := range parser.Model.Children {
		known[c.Name] = map[string]bool{"help": true}
		for _, group := range c.AllFlags(false) {
			for _, f := range group {
				known[c.Name][f.Name] = true
			}
		}
	}
	links, options := 0, 0
	err = filepath.WalkDir(".", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".md" || strings.HasPrefix(file, ".") {
			return err
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(raw), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
		for _, m := range command.FindAllStringSubmatch(string(raw), -1) {
			flags, ok := known[m[1]]
			if !ok {
				continue // A sentence that goes on after the name.
			}
			for _, o := range option.FindAllStringSubmatch(m[2], -1) {
				options++
				if !flags[o[1]] {
					t.Errorf("%s: %s has no option --%s", file, m[1], o[1])
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if links < 100 || options < 10 {
		t.Errorf("only %d links and %d options were looked at", links, options)
	}
}
