package reconcile_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
)

// failures are what can happen to one observed resource.
var failures = map[string]func(o manifest.Object){
	"no status":  func(o manifest.Object) { delete(o, "status") },
	"null":       func(o manifest.Object) { o["status"] = nil },
	"wrong type": func(o manifest.Object) { o["status"] = "down" },
	"not ready": func(o manifest.Object) {
		o["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "False", "reason": "Unavailable", "message": "is down"}}}
	},
	"not synced": func(o manifest.Object) {
		o["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Synced", "status": "False", "reason": "ReconcileError", "message": "cannot"}}}
	},
	"no labels":   func(o manifest.Object) { delete(manifest.Map(o, "metadata"), "labels") },
	"no policies": func(o manifest.Object) { delete(manifest.Map(o, "spec"), "managementPolicies") },
	"empty copy": func(o manifest.Object) {
		if at := manifest.Map(o, "status", "atProvider"); at != nil {
			at["manifest"] = map[string]any{}
		}
	},
	"nothing seen": func(o manifest.Object) {
		if status := manifest.Map(o, "status"); status != nil {
			delete(status, "atProvider")
		}
	},
}

// methods are policies under which a database is protected in other ways.
var methods = map[string]string{
	"plugin":   defaultPolicy,
	"existing": `{apiVersion: hardened-postgres.fn.bizmatters.io/v1beta1, kind: Policy, bucket: {mode: existing, name: b-b, region: r, endpointURL: "https://s3.example.com"}, credentials: {secretStoreRef: {name: s}}}`,
	"in-tree":  `{apiVersion: hardened-postgres.fn.bizmatters.io/v1beta1, kind: Policy, bucket: {prefix: a, region: r}, credentials: {secretStoreRef: {name: s}}, backup: {method: inTree}}`,
}

// gate is what has to be observed in force before a database may come into being (ZDL-03).
var gate = map[string][]string{
	"plugin":   {"bucket", "bucket-object-lock", "bucket-versioning", "credentials", "object-store"},
	"existing": {"bucket", "bucket-object-lock", "bucket-versioning", "credentials", "object-store", "bucket-encryption", "bucket-public-access-block"},
	"in-tree":  {"bucket", "bucket-object-lock", "bucket-versioning", "credentials"},
}

// TestNothingObservedIsLetGo is ZDL-04: for any subset of what can be observed, any failure in it and any question that
// is still open, whatever is observed is in the answer, or the answer refuses and changes nothing. And it is ZDL-03: no
// Cluster comes into being in any of them unless everything the gate waits for is observed, and unfailing.
func TestNothingObservedIsLetGo(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
		for method, policy := range methods {
			healthy := fixture.Observed(t, document(t, defaultClaim), document(t, policy), scope)
			refusals, made := 0, 0
			for round := range rounds {
				w, broken, story := wounded(healthy, uint64(round))
				out := w.Ask()
				story = fmt.Sprintf("%s, %s, round %d (%s)", scope, method, round, story)
				if len(out.Refused) > 0 {
					refusals++
					if len(out.Composed) > 0 {
						t.Fatalf("%s: a refusal should emit nothing", story)
					}
					continue
				}
				for name := range w.Observed {
					if !emits(out.Composed, name) {
						t.Fatalf("%s: %s is observed and would be deleted", story, name)
					}
				}
				answer, answered := w.Required["cluster"]
				if w.Observed["cluster"] != nil || len(answer) > 0 || !emits(out.Composed, "cluster") {
					continue
				}
				made++
				if !answered {
					t.Fatalf("%s: nobody knows whether there is a Cluster, and one is made", story)
				}
				for _, name := range gate[method] {
					if w.Observed[name] == nil || broken[name] {
						t.Fatalf("%s: a Cluster comes into being without %s in force", story, name)
					}
				}
			}
			if refusals == rounds || made == 0 && !testing.Short() {
				t.Errorf("%s, %s: of %d rounds %d were refused and %d made a Cluster: nothing was shown", scope, method, rounds, refusals, made)
			}
		}
	}
}

// wounded is a part of a healthy world with failures in it, and which of its resources no longer say what they did.
func wounded(healthy *fixture.World, seed uint64) (w *fixture.World, broken map[string]bool, story string) {
	random := rand.New(rand.NewPCG(7, seed))
	kinds := manifest.SortedKeys(failures)
	copied := *healthy
	w, broken = &copied, map[string]bool{}
	w.Observed, w.Required = map[string]manifest.Object{}, map[string][]manifest.Object{}
	young := random.IntN(2) == 0 // A database that has yet to be made, and has never been.
	for _, name := range manifest.SortedKeys(healthy.Observed) {
		if random.IntN(4) == 0 || young && (name == "cluster" || name == "scheduled-backup") {
			continue
		}
		o := manifest.Object(manifest.CopyMap(healthy.Observed[name]))
		if young && name == "object-store" {
			delete(manifest.Map(o, "status", "atProvider", "manifest"), "status")
		}
		if random.IntN(6) == 0 {
			kind := kinds[random.IntN(len(kinds))]
			failures[kind](o)
			story += fmt.Sprintf("%s: %s; ", name, kind)
			harmless := kind == "no labels" || kind == "no policies" || kind == "empty copy" && o.Kind() != "Object"
			broken[name] = !harmless
		}
		w.Observed[name] = o
	}
	for _, ask := range manifest.SortedKeys(healthy.Required) {
		switch n := random.IntN(4); {
		case n == 0: // Not answered.
		case n == 1 || young && ask == "cluster":
			w.Required[ask] = nil
		default:
			w.Required[ask] = healthy.Required[ask]
		}
	}
	if young {
		w.Required["schedule"] = nil // Asked for while there is none.
	}
	return w, broken, story
}

// TestGateOpensOneWay: with the lock, the versioning or the keys not observed in force there is no new Cluster; with the
// Cluster observed there always is one.
func TestGateOpensOneWay(t *testing.T) {
	w := fixture.New(document(t, defaultClaim), document(t, defaultPolicy), claim.ClusterScoped)
	w.Step(t)
	w.Step(t) // Bucket, keys and ObjectStore exist and are healthy.
	for name, o := range w.Observed {
		if name == "bucket-encryption" || name == "bucket-ownership" || name == "bucket-policy" || name == "bucket-public-access-block" || name == "bucket-lifecycle" {
			continue // Wanted, but nothing is lost while a managed bucket has S3's own defaults.
		}
		saved := o["status"]
		delete(o, "status")
		if out := w.Ask(); emits(out.Composed, "cluster") {
			t.Errorf("without the status of %s the Cluster came into being", name)
		}
		o["status"] = saved
	}
	if out := w.Ask(); !emits(out.Composed, "cluster") {
		t.Error("with everything in force the Cluster did not come into being")
	}
}

// TestFixpoint: what is emitted, observed as it is, makes the same emitted again; and the same call gives the same.
func TestFixpoint(t *testing.T) {
	for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
		for name, policy := range methods {
			w := fixture.Observed(t, document(t, defaultClaim), document(t, policy), scope)
			first := w.Ask()
			for range 50 {
				if diff := cmp.Diff(first, w.Ask()); diff != "" {
					t.Fatalf("%s, %s: the same call gave another answer:\n%s", scope, name, diff)
				}
			}
			w.Step(t)
			if diff := cmp.Diff(first.Composed, w.Ask().Composed); diff != "" {
				t.Errorf("%s, %s: the answer changes although nothing happened (-first, +second):\n%s", scope, name, diff)
			}
		}
	}
}

// TestMissingKinds: a control plane that lacks a kind is told what to install, and is not asked for objects of it.
func TestMissingKinds(t *testing.T) {
	w := fixture.New(document(t, defaultClaim), document(t, defaultPolicy), claim.ClusterScoped)
	known := manifest.Object{"properties": map[string]any{"spec": map[string]any{"properties": map[string]any{"primaryLease": map[string]any{}}}}}
	cases := map[string]struct {
		reason  string
		without string
		want    string
		asks    []string
	}{
		"NothingAnswered":   {reason: "Objects are asked for once the kinds are known.", asks: []string{"storage-class"}},
		"WithoutCNPG":       {reason: "The operator is missing.", without: "schema-cluster", want: "CloudNativePG 1.30 or newer to be installed (no Cluster with spec.primaryLease in postgresql.cnpg.io/v1)", asks: []string{"archive", "definition-cluster", "storage-class"}},
		"WithoutPlugin":     {reason: "The plugin is missing.", without: "schema-object-store", want: "the barman-cloud plugin to be installed (no ObjectStore in barmancloud.cnpg.io/v1)", asks: []string{"cluster", "definition-object-store", "schedule", "storage-class"}},
		"WithoutESO":        {reason: "External Secrets is missing.", without: "schema-external-secret", want: "External Secrets Operator to be installed (no ExternalSecret in external-secrets.io/v1)", asks: []string{"archive", "cluster", "definition-external-secret", "schedule", "storage-class"}},
		"WithoutPrometheus": {reason: "A database can live without Prometheus; the contract is violated and says so.", without: "schema-prometheus-rule", want: "", asks: []string{"archive", "cluster", "definition-prometheus-rule", "schedule", "storage-class"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := w.Input()
			in.AsksSchemas = true
			in.World.Schemas = map[string]manifest.Tree{}
			if name != "NothingAnswered" {
				for _, ask := range []string{"schema-cluster", "schema-object-store", "schema-external-secret", "schema-pod-monitor", "schema-prometheus-rule"} {
					in.World.Schemas[ask] = known
				}
				in.World.Schemas[tc.without] = nil
			}
			out := reconcile.Run(in)
			if diff := cmp.Diff(tc.asks, manifest.SortedKeys(out.Requirements)); diff != "" {
				t.Errorf("%s\nRequirements: -want, +got:\n%s", tc.reason, diff)
			}
			if got := message(out.Conditions, "DatabaseReady"); tc.want != "" && !strings.Contains(got, tc.want) {
				t.Errorf("%s\nDatabaseReady: want %q in %q", tc.reason, tc.want, got)
			}
			if violated := strings.Contains(message(out.Conditions, "ContractSatisfied"), "the Prometheus operator is not installed"); violated != (name == "WithoutPrometheus") {
				t.Errorf("%s\nContractSatisfied: %s", tc.reason, message(out.Conditions, "ContractSatisfied"))
			}
		})
	}
}

// TestLateKinds: Crossplane may go on saying that a kind is missing after it has been installed; its definition, which is
// asked for then, decides.
func TestLateKinds(t *testing.T) {
	const wanted = "the barman-cloud plugin to be installed"
	definition := func(established, version string, served bool) manifest.Object {
		return manifest.Object{
			"spec":   map[string]any{"versions": []any{map[string]any{"name": version, "served": served}}},
			"status": map[string]any{"conditions": []any{map[string]any{"type": "Established", "status": established}}},
		}
	}
	cases := map[string]struct {
		reason string
		answer []manifest.Tree
		waits  bool
	}{
		"NotAnswered":    {reason: "Nobody knows yet.", waits: true},
		"Missing":        {reason: "There is none.", answer: []manifest.Tree{}, waits: true},
		"NotEstablished": {reason: "It has just been applied.", answer: []manifest.Tree{definition("False", "v1", true)}, waits: true},
		"OtherVersion":   {reason: "Another version serves us nothing.", answer: []manifest.Tree{definition("True", "v2", true)}, waits: true},
		"NotServed":      {reason: "Nor does one that is not served.", answer: []manifest.Tree{definition("True", "v1", false)}, waits: true},
		"Installed":      {reason: "It is there, whatever is remembered.", answer: []manifest.Tree{definition("True", "v1", true)}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := fixture.New(document(t, defaultClaim), document(t, defaultPolicy), claim.ClusterScoped).Input()
			in.AsksSchemas = true
			in.World.Schemas = map[string]manifest.Tree{"schema-object-store": nil}
			if tc.answer != nil {
				in.World.Required["definition-object-store"] = tc.answer
			}
			out := reconcile.Run(in)
			ask, asked := out.Requirements["definition-object-store"]
			if want := "objectstores.barmancloud.cnpg.io"; !asked || ask.Name != want || ask.Kind != "CustomResourceDefinition" {
				t.Errorf("%s\nRequirements: %+v, want CustomResourceDefinition %s", tc.reason, ask, want)
			}
			if _, asked := out.Requirements["archive"]; asked == tc.waits {
				t.Errorf("%s\nObjectStores are asked for: %v", tc.reason, asked)
			}
			if got := message(out.Conditions, "DatabaseReady"); strings.Contains(got, wanted) != tc.waits {
				t.Errorf("%s\nDatabaseReady: %s", tc.reason, got)
			}
		})
	}
}
