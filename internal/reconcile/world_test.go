package reconcile_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

var update = flag.Bool("update", false, "rewrite what the cases in testdata/world expect with what is answered now")

// TestWorld plays the cases in testdata/world. The comment of a case says what happens; "claim" and "policy" are
// documents (defaults below); "story" is played on a control plane in memory, one step a line:
//
//	settle                            reconcile until nothing changes any more, everybody healthy
//	step                              reconcile once
//	set NAME PATH VALUE               a provider reports something else about a composed resource
//	unset NAME PATH
//	live NAME PATH VALUE              the object behind a wrapping Object is something else
//	unlive NAME PATH
//	claim PATH VALUE                  the developer edits the claim
//	unclaim PATH
//	policy PATH VALUE                 the platform engineer edits the policy
//	unpolicy PATH
//	answer REQUIREMENT PATH VALUE     what answers a requirement is something else
//	destroy REQUIREMENT               somebody deletes what answers a requirement; copies of it stay stale
//	unanswered REQUIREMENT            the control plane has not answered yet
//	uninstall KIND                    an object nobody composed is removed
//	recommit                          the claim is deleted and committed again, the database lives on
//
// "want" is what the developer and the platform engineer then read.
func TestWorld(t *testing.T) {
	files, err := filepath.Glob("testdata/world/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sections := map[string]string{"claim": defaultClaim, "policy": defaultPolicy, "scope": "cluster"}
			for _, f := range archive.Files {
				if !slices.Contains([]string{"claim", "policy", "scope", "story", "want"}, f.Name) {
					t.Fatalf("unknown section %q", f.Name)
				}
				sections[f.Name] = string(f.Data)
			}
			s := &story{t: t, scope: claim.Scope(strings.TrimSpace(sections["scope"])), claim: document(t, sections["claim"])}
			s.world = fixture.New(s.claim, document(t, sections["policy"]), s.scope)
			for line := range strings.Lines(sections["story"]) {
				s.play(strings.TrimSpace(line))
			}
			got := s.tell()
			if *update {
				archive.Files = append(slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" }), txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(sections["want"], got); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", strings.TrimSpace(string(archive.Comment)), diff)
			}
		})
	}
}

const (
	defaultClaim  = `{apiVersion: database.bizmatters.io/v1alpha1, kind: PostgresInstance, metadata: {name: orders, namespace: shop}}`
	defaultPolicy = `{apiVersion: hardened-postgres.fn.bizmatters.io/v1beta1, kind: Policy,
bucket: {prefix: acme, region: eu-central-1, administrators: ["arn:aws:iam::111122223333:role/provider-aws"]},
credentials: {secretStoreRef: {name: store}}}`
)

func document(t *testing.T, text string) manifest.Object {
	t.Helper()
	documents, err := source.Read("case.yaml", strings.NewReader(text))
	if err != nil || len(documents) != 1 {
		t.Fatalf("cannot read %q: %v", text, err)
	}
	return documents[0].Object
}

type story struct {
	t     *testing.T
	claim manifest.Object
	scope claim.Scope
	world *fixture.World
}

func (s *story) play(line string) {
	s.t.Helper()
	words := strings.SplitN(line, " ", 4)
	w := s.world
	arg := func(i int) string {
		if i >= len(words) {
			s.t.Fatalf("%q lacks an argument", line)
		}
		return words[i]
	}
	switch words[0] {
	case "", "#":
	case "settle":
		w.Settle(s.t)
	case "step":
		w.Step(s.t)
	case "set":
		s.change(w.Observed[arg(1)], arg(2), arg(3))
	case "unset":
		s.remove(w.Observed[arg(1)], arg(2))
	case "live":
		s.change(w.Live(arg(1)), arg(2), arg(3))
	case "unlive":
		s.remove(w.Live(arg(1)), arg(2))
	case "claim":
		s.change(w.Composite, "spec."+arg(1), strings.Join(words[2:], " "))
	case "unclaim":
		s.remove(w.Composite, "spec."+arg(1))
	case "policy":
		s.change(w.Policy, arg(1), strings.Join(words[2:], " "))
	case "unpolicy":
		s.remove(w.Policy, arg(1))
	case "answer":
		if len(w.Required[arg(1)]) == 0 {
			s.t.Fatalf("%q: nothing answers %s", line, arg(1))
		}
		s.change(w.Required[arg(1)][0], arg(2), arg(3))
	case "destroy":
		w.Required[arg(1)] = nil
	case "unanswered":
		delete(w.Required, arg(1))
	case "uninstall":
		w.Existing = slices.DeleteFunc(w.Existing, func(o manifest.Object) bool { return o.Kind() == arg(1) })
		for name, answer := range w.Required {
			if len(answer) > 0 && answer[0].Kind() == arg(1) {
				w.Required[name] = nil
			}
		}
	case "recommit":
		again := fixture.New(s.claim, w.Policy, s.scope)
		for _, name := range manifest.SortedKeys(w.Observed) {
			if o := w.Live(name); o != nil {
				again.Existing = append(again.Existing, o)
			}
		}
		again.Composite["metadata"].(map[string]any)["uid"] = "another"
		s.world = again
	default:
		s.t.Fatalf("unknown step %q", line)
	}
}

func (s *story) change(o manifest.Object, path, value string) {
	s.t.Helper()
	keys := strings.Split(strings.ReplaceAll(path, "~", "\x00"), ".")
	at := map[string]any(o)
	if at == nil {
		s.t.Fatalf("there is nothing to change at %s", path)
	}
	for i, key := range keys {
		key = strings.ReplaceAll(key, "\x00", ".") // "~" stands for a dot inside a key.
		if i == len(keys)-1 {
			at[key] = document(s.t, "{value: "+value+"}")["value"]
			return
		}
		next, ok := at[key].(map[string]any)
		if list, isList := at[key].([]any); isList {
			next = s.condition(list, keys[i+1])
			keys[i+1] = "" // The type of the condition has been read.
			maps.Copy(next, document(s.t, value))
			return
		}
		if !ok {
			next = map[string]any{}
			at[key] = next
		}
		at = next
	}
}

// condition finds a condition by its type.
func (s *story) condition(list []any, kind string) map[string]any {
	for _, item := range list {
		if c, ok := item.(map[string]any); ok && c["type"] == kind {
			return c
		}
	}
	s.t.Fatalf("there is no condition %s", kind)
	return nil
}

func (s *story) remove(o manifest.Object, path string) {
	s.t.Helper()
	keys := strings.Split(path, ".")
	at := map[string]any(o)
	for _, key := range keys[:len(keys)-1] {
		next, ok := at[key].(map[string]any)
		if !ok {
			s.t.Fatalf("there is no %s", path)
		}
		at = next
	}
	delete(at, keys[len(keys)-1])
}

// tell asks once more and says what the developer and the platform engineer read.
func (s *story) tell() string {
	out := s.world.Ask()
	var b strings.Builder
	if len(out.Refused) > 0 {
		fmt.Fprintf(&b, "refused, nothing changes:\n%s\n", indent(out.Refused.String()))
	}
	for _, c := range out.Conditions {
		if len(out.Refused) > 0 && c.Type == reconcile.ContractSatisfied {
			continue // The refusal, once more.
		}
		fmt.Fprintf(&b, "%s %s (%s): %s\n", c.Type, c.Status, c.Reason, c.Message)
	}
	if len(out.Refused) > 0 {
		return b.String()
	}
	for _, r := range out.Status.Contract.Rules {
		if r.Verdict != "Satisfied" {
			fmt.Fprintf(&b, "  %s %s: %s\n", r.ID, r.Verdict, r.Message)
		}
	}
	emitted := map[string]bool{}
	var names, kept, unready []string
	for _, c := range out.Composed {
		emitted[c.Name] = true
		names = append(names, c.Name)
		if c.Object == nil {
			kept = append(kept, c.Name)
		}
		if !c.Ready {
			unready = append(unready, c.Name)
		}
	}
	for name := range s.world.Observed {
		if !emitted[name] {
			s.t.Errorf("%s is observed and would be deleted (ZDL-04)", name)
		}
	}
	slices.Sort(names)
	slices.Sort(unready)
	fmt.Fprintf(&b, "emits %d: %s\n", len(names), strings.Join(names, " "))
	if len(kept) > 0 {
		fmt.Fprintf(&b, "as observed: %s\n", strings.Join(kept, " "))
	}
	fmt.Fprintf(&b, "archive: s3://%s/%s/%s\n", out.Status.Backup.Bucket, out.Status.Backup.Path, out.Status.Backup.ServerName)
	fmt.Fprintf(&b, "ready: %v\n", out.Ready)
	if len(unready) > 0 {
		fmt.Fprintf(&b, "not ready: %s\n", strings.Join(unready, " "))
	}
	return b.String()
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
