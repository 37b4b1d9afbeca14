package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	hasty  = "apiVersion: database.bizmatters.io/v1alpha1\nkind: PostgresInstance\nmetadata: {name: orders, namespace: shop}\nspec: {size: small, version: \"16\", storageGB: 20, instances: 1}\n"
	broken = "kind: PostgresInstance\n bad: yes\n"
)

// TestCodeHostsFindTheFile: hosts name files from the root of the repository, so check does towards them, wherever it is
// called and whatever is written behind it. People read the names they wrote.
func TestCodeHostsFindTheFile(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.yaml")
	write(t, elsewhere, []byte(hasty))
	write(t, filepath.Join(root, ".git", "HEAD"), []byte("ref: refs/heads/main\n"))
	write(t, filepath.Join(root, "teams", "shop", "orders.yaml"), []byte(hasty))
	if err := os.Symlink(filepath.Join("shop", "orders.yaml"), filepath.Join(root, "teams", "link.yaml")); err != nil {
		t.Fatal(err)
	}
	const there = "teams/shop/orders.yaml"
	for _, tc := range []struct{ in, argument, text, host string }{
		{".", "teams/shop", there, there},
		{"teams", "shop/orders.yaml", "shop/orders.yaml", there},
		{"teams", "../teams/shop", "../teams/shop/orders.yaml", there},
		{"teams/shop", ".", "orders.yaml", there},
		{".", filepath.Join(root, "teams/shop"), filepath.ToSlash(root) + "/" + there, there},
		{".", "teams/link.yaml", "teams/link.yaml", there},
		{".", elsewhere, filepath.ToSlash(elsewhere), "file://" + filepath.ToSlash(elsewhere)},
	} {
		t.Run(tc.in+" "+tc.argument, func(t *testing.T) {
			t.Chdir(filepath.Join(root, tc.in))
			if text := checked(t, "text", tc.argument); !strings.HasPrefix(text, tc.text+":4:") {
				t.Errorf("text: %s, want %s", text, tc.text)
			}
			if annotation := checked(t, "github", tc.argument); !strings.Contains(annotation, "file="+strings.TrimPrefix(tc.host, "file://")+",line=4,") {
				t.Errorf("annotation: %s, want %s", annotation, tc.host)
			}
			if got := sarifOf(t, tc.argument).places(); !slices.Equal(got, []string{"CNPG-1.1 " + tc.host + ":4"}) {
				t.Errorf("SARIF: %v, want %s", got, tc.host)
			}
		})
	}
}

// TestCodeHostsShowWhatCannotBeRead: a broken file is a result beside the others. A run that says it failed would show none.
func TestCodeHostsShowWhatCannotBeRead(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "claims/broken.yaml", []byte(broken))
	write(t, "claims/orders.yaml", []byte(hasty))
	log := sarifOf(t, "claims", "nowhere.yaml")
	if diff := cmp.Diff([]string{"unreadable claims/broken.yaml:2", "unreadable nowhere.yaml:1", "CNPG-1.1 claims/orders.yaml:4"}, log.places()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for _, r := range log.Runs[0].Results {
		if rule := log.Runs[0].Tool.Driver.Rules[r.RuleIndex]; rule.ID != r.RuleID || r.Level != "error" {
			t.Errorf("%s is a %s of rule %s", r.RuleID, r.Level, rule.ID)
		}
	}
	if inv := log.Runs[0].Invocations; inv != nil {
		t.Errorf("invocations: %v", inv)
	}
}

// TestCodeHostsTakeTheRules: GitHub cuts descriptions off, and leaves out tags, beyond what its documentation says.
func TestCodeHostsTakeTheRules(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "orders.yaml", []byte(hasty))
	for _, rule := range sarifOf(t, "orders.yaml").Runs[0].Tool.Driver.Rules {
		if rule.Name == "" || len(rule.Name) > 255 || len(rule.ShortDescription.Text) > 1024 || len(rule.FullDescription.Text) > 1024 || len(rule.Properties.Tags) > 10 || rule.Help.Markdown == "" {
			t.Errorf("%s: %+v", rule.ID, rule)
		}
	}
}

func checked(t *testing.T, format string, paths ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if err := run(append([]string{"check", "--format", format}, paths...), &streams{in: strings.NewReader(""), out: &out, err: &errs}); err == nil {
		t.Fatal("check found nothing")
	}
	return out.String()
}

type sarifLog struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				Rules []struct {
					ID, Name                          string
					ShortDescription, FullDescription struct{ Text string }
					Help                              struct{ Markdown string }
					Properties                        struct{ Tags []string }
				}
			}
		}
		Invocations []any
		Results     []struct {
			RuleID, Level string
			RuleIndex     int
			Locations     []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI string }
					Region           struct{ StartLine int }
				}
			}
		}
	}
}

func sarifOf(t *testing.T, paths ...string) sarifLog {
	t.Helper()
	var log sarifLog
	if err := json.Unmarshal([]byte(checked(t, "sarif", paths...)), &log); err != nil {
		t.Fatal(err)
	}
	return log
}

func (l sarifLog) places() []string {
	var places []string
	for _, r := range l.Runs[0].Results {
		at := r.Locations[0].PhysicalLocation
		places = append(places, fmt.Sprintf("%s %s:%d", r.RuleID, at.ArtifactLocation.URI, at.Region.StartLine))
	}
	return places
}
