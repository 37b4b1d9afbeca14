package reconcile_test

import (
	"slices"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
)

// TestNeverMadeAgain: a Cluster that has lived is not made again, however little is left of what says that it has: it would
// come back empty, over a full archive.
func TestNeverMadeAgain(t *testing.T) {
	cases := map[string]struct {
		reason string
		lose   func(w *fixture.World)
		remade bool
	}{
		"CopyLeft":   {reason: "The Object still has its copy of the Cluster.", lose: func(*fixture.World) {}},
		"StatusLost": {reason: "The Object comes out of a backup of the control plane, which holds no status.", lose: func(w *fixture.World) { delete(w.Observed["cluster"], "status") }},
		"CopyLost":   {reason: "The provider has forgotten what it saw.", lose: func(w *fixture.World) { delete(manifest.Map(w.Observed["cluster"], "status"), "atProvider") }},
		"ArchiveMissed": {reason: "Nor is the archive known any more.", lose: func(w *fixture.World) {
			delete(w.Observed["cluster"], "status")
			delete(w.Observed["object-store"], "status")
		}},
		"PoliciesLost": {reason: "The Object itself would make one, and the archive is full.", lose: func(w *fixture.World) {
			delete(w.Observed["cluster"], "status")
			manifest.Map(w.Observed["cluster"], "spec")["managementPolicies"] = []any{"*"}
		}},
		"NeverLived": {reason: "Nothing says that it has ever lived.", remade: true, lose: func(w *fixture.World) {
			delete(w.Observed["cluster"], "status")
			manifest.Map(w.Observed["cluster"], "spec")["managementPolicies"] = []any{"Observe", "Create", "Update", "LateInitialize"}
			delete(w.Live("object-store"), "status")
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := fixture.Observed(t, document(t, defaultClaim), document(t, defaultPolicy), claim.ClusterScoped)
			w.Required["cluster"] = nil
			tc.lose(w)
			out := w.Ask()
			if len(out.Refused) > 0 || !emits(out.Composed, hardened.Cluster) {
				t.Fatalf("%s The Cluster's Object is let go of: %s", tc.reason, out.Refused)
			}
			if got := slices.Contains(policies(out, hardened.Cluster), "Create"); got != tc.remade {
				t.Errorf("%s Is it made again? %v, want %v", tc.reason, got, tc.remade)
			}
		})
	}
}

// TestNothingIsLetGoWithLeaveToDelete: what a call keeps as it is, or lets go of on purpose, never deletes what it manages,
// although somebody has given it leave to.
func TestNothingIsLetGoWithLeaveToDelete(t *testing.T) {
	for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
		policy := document(t, defaultPolicy)
		policy["monitoring"] = map[string]any{"dashboardLabels": map[string]any{"grafana_dashboard": "1"}}
		named := document(t, defaultClaim)
		named["spec"] = map[string]any{"connection": map[string]any{"alias": "shop-db", "secretName": "shop-login"}}
		w := fixture.Observed(t, named, policy, scope)
		w.Settle(t)

		delete(policy, "monitoring")                            // The dashboard is kept,
		delete(manifest.Map(w.Composite, "spec"), "connection") // the alias is let go of, and the Secret is renamed.
		threatened := []string{hardened.Dashboard, hardened.AliasService, hardened.AliasSecret, hardened.ConnectionSecret}
		for _, name := range threatened {
			if w.Observed[name] == nil {
				t.Fatalf("%s: there is no %s", scope, name)
			}
			manifest.Map(w.Observed[name], "spec")["managementPolicies"] = []any{"Observe", "Create", "Update", "Delete"}
			delete(manifest.Map(w.Observed[name], "metadata"), "labels") // Nothing of ours is to be relied on.
		}
		before := w.Observed[hardened.ConnectionSecret].Name()
		out := w.Ask()
		for _, name := range threatened {
			if !emits(out.Composed, name) {
				t.Errorf("%s: %s is let go of and deletes what it manages", scope, name)
			} else if got := policies(out, name); len(got) == 0 || slices.Contains(got, "Delete") {
				t.Errorf("%s: %s is emitted with %v", scope, name, got)
			}
		}
		for _, c := range out.Composed {
			if c.Name == hardened.ConnectionSecret && c.Object.Name() != before {
				t.Errorf("%s: a composed resource cannot be renamed from %s to %s", scope, before, c.Object.Name())
			}
		}
		if w.Settle(t); w.Observed[hardened.AliasService] != nil || w.Observed[hardened.Dashboard] == nil {
			t.Errorf("%s: once in order, the alias should go and the dashboard stay", scope)
		}
	}
}

// TestKeptIsReadyAsItReallyIs: what is only kept as it was observed is not called ready for that.
func TestKeptIsReadyAsItReallyIs(t *testing.T) {
	policy := document(t, defaultPolicy)
	policy["monitoring"] = map[string]any{"dashboardLabels": map[string]any{"grafana_dashboard": "1"}}
	w := fixture.Observed(t, document(t, defaultClaim), policy, claim.ClusterScoped)
	delete(policy, "monitoring")
	for _, ready := range []bool{true, false} {
		if !ready {
			delete(w.Observed[hardened.Dashboard], "status")
		}
		for _, c := range w.Ask().Composed {
			if c.Name == hardened.Dashboard && (c.Object != nil || c.Ready != ready) {
				t.Errorf("ready: %v, want %v; changed: %v", c.Ready, ready, c.Object != nil)
			}
		}
	}
}

func policies(out reconcile.Outcome, name string) []string {
	for _, c := range out.Composed {
		if c.Name == name {
			return manifest.Strings(c.Object, "spec", "managementPolicies")
		}
	}
	return nil
}
