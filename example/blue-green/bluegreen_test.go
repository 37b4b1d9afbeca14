// Package bluegreen plays the example's commits against a control plane in memory.
package bluegreen

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
	"go.yaml.in/yaml/v3"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

var write = flag.String("write", "", "directory to write into what Crossplane observes at each step: the input of the tests that run the real engine")

const (
	blue  = "agent-db-v15"
	green = "agent-db-v16"
)

// control is one Kubernetes cluster with Crossplane in it, and what lies in Git.
type control struct {
	t      *testing.T
	scope  claim.Scope
	order  []string
	policy manifest.Object
	worlds map[string]*fixture.World
	// orphans are objects whose Object is gone: alive, and nobody's.
	orphans map[string]manifest.Object
	last    map[string]reconcile.Outcome
}

// commit puts the files of one directory into the cluster, as a GitOps controller does, and lets everything come to rest.
func (c *control) commit(dir string) {
	c.t.Helper()
	claims := map[string]manifest.Object{}
	for _, d := range read(c.t, filepath.Join(dir, "*.yaml")) {
		claims[d.Name()] = d
	}
	for name, w := range c.worlds {
		if _, kept := claims[name]; kept {
			continue
		}
		for role := range w.Observed {
			c.orphan(w, role)
		}
		delete(c.worlds, name)
	}
	for name, document := range claims {
		w := c.worlds[name]
		if w == nil {
			c.worlds[name] = fixture.New(document, c.policy, c.scope)
			continue
		}
		fresh := fixture.New(document, c.policy, c.scope).Composite
		spec := manifest.Map(fresh, "spec")
		for _, key := range []string{"crossplane", "resourceRefs", "compositionRef", "compositionRevisionRef", "compositionUpdatePolicy"} {
			if kept, ok := w.Composite.Lookup("spec", key); ok {
				spec[key] = kept // Crossplane's own.
			}
		}
		w.Composite["spec"] = map[string]any(spec)
		w.Composite["metadata"] = fresh["metadata"]
	}
	c.keep(dir, "arrived")
	c.rest()
	c.keep(dir, "settled")
}

// rest reconciles until nothing changes any more.
func (c *control) rest() {
	c.t.Helper()
	for range 40 {
		before := c.everything()
		for range 2 { // An answer is one reconcile old.
			for _, name := range c.order {
				if w := c.worlds[name]; w != nil {
					c.reconcile(name, w)
				}
			}
		}
		if cmp.Equal(before, c.everything()) {
			return
		}
	}
	c.t.Fatal("does not come to rest")
}

func (c *control) reconcile(name string, w *fixture.World) {
	c.t.Helper()
	before := maps.Clone(w.Observed)
	w.Existing = c.others(name)
	out := w.Step(c.t)
	if len(out.Refused) > 0 {
		c.t.Fatalf("%s is refused: %s", name, out.Refused)
	}
	c.last[name] = out
	for role, o := range before {
		if _, kept := w.Observed[role]; !kept {
			c.orphan(&fixture.World{Observed: map[string]manifest.Object{role: o}}, role)
		}
	}
	for role := range w.Observed {
		if live := w.Live(role); live != nil {
			delete(c.orphans, key(live))
		}
	}
	c.onlyOneHolds()
}

// onlyOneHolds is the promise of the alias: the API server would refuse a second controller; nobody even tries.
func (c *control) onlyOneHolds() {
	c.t.Helper()
	for _, role := range []string{"alias-service", "alias-secret"} {
		var holders []string
		for name, w := range c.worlds {
			if _, holds := w.Observed[role]; holds {
				holders = append(holders, name)
			}
		}
		if len(holders) > 1 {
			c.t.Fatalf("%v hold %s at once", holders, role)
		}
	}
}

// others is everything in the cluster but what the claim has made itself.
func (c *control) others(name string) []manifest.Object {
	all := []manifest.Object{fixture.StorageClass("postgres-retain")}
	for _, k := range manifest.SortedKeys(c.orphans) {
		all = append(all, c.orphans[k])
	}
	for _, other := range c.order {
		w := c.worlds[other]
		if w == nil {
			continue
		}
		for _, role := range manifest.SortedKeys(w.Observed) {
			all = append(all, w.Observed[role])
			if live := w.Live(role); live != nil && other != name {
				all = append(all, live)
			}
		}
	}
	return all
}

func (c *control) orphan(w *fixture.World, role string) {
	if live := w.Live(role); live != nil {
		c.orphans[key(live)] = live
	}
}

// everything is every live object, managed or orphaned.
func (c *control) everything() map[string]manifest.Object {
	all := maps.Clone(c.orphans)
	for _, w := range c.worlds {
		for role := range w.Observed {
			if live := w.Live(role); live != nil {
				all[key(live)] = manifest.CopyMap(live)
			}
		}
	}
	return all
}

func (c *control) leadsTo() string {
	return manifest.String(c.everything()["Service agents/agent-db"], "spec", "selector", "cnpg.io/cluster")
}

// of are the live objects of one claim, without the stable name, which is nobody's own.
func (c *control) of(name string) map[string]manifest.Object {
	mine := map[string]manifest.Object{}
	for k, o := range c.everything() {
		if manifest.String(o, "metadata", "labels", "database.bizmatters.io/claim") == name && o.Name() != "agent-db" {
			mine[k] = o
		}
	}
	return mine
}

func (c *control) condition(name, kind string) string {
	for _, condition := range c.last[name].Conditions {
		if condition.Type == kind {
			return condition.Status + ": " + condition.Message
		}
	}
	return ""
}

func TestCommits(t *testing.T) {
	for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
		for _, order := range [][]string{{blue, green}, {green, blue}} {
			t.Run(fmt.Sprintf("%s/%s-first", scope, order[0]), func(t *testing.T) {
				c := &control{
					t: t, scope: scope, order: order, policy: policy(t),
					worlds: map[string]*fixture.World{}, orphans: map[string]manifest.Object{}, last: map[string]reconcile.Outcome{},
				}
				play(c)
			})
		}
	}
}

func play(c *control) {
	t := c.t
	c.commit("0-before")
	if got := c.leadsTo(); got != blue {
		t.Fatalf("before: agent-db leads to %q", got)
	}
	untouched := c.of(blue)
	if len(untouched) < 10 {
		t.Fatalf("the blue side is not complete: %v", manifest.SortedKeys(untouched))
	}
	blueIs := func(step string) {
		t.Helper()
		if diff := cmp.Diff(untouched, c.of(blue)); diff != "" {
			t.Errorf("%s changes the blue side: -before, +after:\n%s", step, diff)
		}
	}

	c.commit("1-commit-new-claim")
	if _, made := c.everything()["Cluster agents/"+green]; made {
		t.Error("the green database is made before anybody confirmed that the writes are stopped")
	}
	if got := c.condition(green, reconcile.DatabaseReady); !strings.Contains(got, "you to confirm that nothing writes to agent-db-v15 any more") {
		t.Errorf("green does not say what it waits for: %s", got)
	}
	blueIs("1-commit-new-claim")

	c.commit("2-sync")
	copied := c.everything()["Cluster agents/"+green]
	if got := manifest.String(copied, "spec", "bootstrap", "initdb", "import", "source", "externalCluster"); got != blue {
		t.Errorf("green is made from %q", got)
	}
	if got := c.leadsTo(); got != blue {
		t.Errorf("agent-db leads to %q before the switch", got)
	}
	if s := c.last[green].Status.Bootstrap; s == nil || !s.Inert {
		t.Errorf("the bootstrap of a database that lives is not said to be inert: %+v", s)
	}
	blueIs("2-sync")

	c.commit("3-switch")
	if got := c.leadsTo(); got != green {
		t.Errorf("agent-db leads to %q after the switch: %+v", got, c.last[green].Status.Alias)
	}
	if got := manifest.String(c.everything()["ExternalSecret agents/agent-db"], "spec", "data", "0", "remoteRef", "key"); got != green+"-app" {
		t.Errorf("the Secret of the stable name holds the login of %q", got)
	}
	if s := c.last[green].Status.Alias; s == nil || !s.Held {
		t.Errorf("green does not say that it holds the name: %+v", s)
	}
	if s := c.last[blue].Status.Alias; s != nil {
		t.Errorf("blue still speaks of the name: %+v", s)
	}
	blueIs("3-switch")

	c.commit("4-orphan")
	if c.worlds[blue] != nil {
		t.Fatal("the blue claim is still there")
	}
	blueIs("4-orphan")

	before := c.everything()
	c.commit("5-cleanup")
	if diff := cmp.Diff(before, c.everything()); diff != "" {
		t.Errorf("5-cleanup changes something: -before, +after:\n%s", diff)
	}
	blueIs("5-cleanup")
}

// keep writes the state of a step, for the tests that run the real engine: of each claim the composite resource, the
// composed resources as observed, and what exists and may be asked for; as the commit arrives, and once all has settled.
func (c *control) keep(step, moment string) {
	c.t.Helper()
	if *write == "" || c.scope != claim.Namespaced || c.order[0] != blue {
		return
	}
	for name, w := range c.worlds {
		var observed []manifest.Object
		existing := c.others(name)
		for _, role := range manifest.SortedKeys(w.Observed) {
			observed = append(observed, w.Observed[role])
			if live := w.Live(role); live != nil {
				existing = append(existing, live)
			}
		}
		dir := filepath.Join(*write, step, moment)
		c.file(filepath.Join(dir, name+"-composite.yaml"), []manifest.Object{w.Composite})
		c.file(filepath.Join(dir, name+"-observed.yaml"), observed)
		c.file(filepath.Join(dir, name+"-existing.yaml"), existing)
	}
}

func (c *control) file(path string, objects []manifest.Object) {
	c.t.Helper()
	var b strings.Builder
	for _, o := range objects {
		raw, err := yaml.Marshal(map[string]any(o))
		if err != nil {
			c.t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(raw)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func key(o manifest.Object) string { return o.Kind() + " " + o.Namespace() + "/" + o.Name() }

func policy(t *testing.T) manifest.Object {
	t.Helper()
	for _, o := range read(t, "../composition-namespaced.yaml") {
		for _, step := range o.Items("spec", "pipeline") {
			if input := manifest.CopyMap(step, "input"); input != nil {
				return input
			}
		}
	}
	t.Fatal("the example's Composition has no policy")
	return nil
}

func read(t *testing.T, pattern string) []manifest.Object {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files (%v)", pattern, err)
	}
	slices.Sort(files)
	documents, err := source.Open(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]manifest.Object, len(documents))
	for i, d := range documents {
		out[i] = d.Object
	}
	return out
}
