package reconcile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
			delete(w.Live("scheduled-backup"), "status")
		}},
		"ReportMissed": {reason: "A base backup has been started, and the ObjectStore has been made anew since.", lose: func(w *fixture.World) {
			delete(w.Observed["cluster"], "status")
			manifest.Map(w.Observed["cluster"], "spec")["managementPolicies"] = []any{"Observe", "Create", "Update", "LateInitialize"}
			delete(w.Live("object-store"), "status")
		}},
		"Hidden": {reason: "Its base backups are hidden, and its archive is full of WAL.", lose: func(w *fixture.World) {
			delete(w.Observed["cluster"], "status")
			manifest.Map(w.Observed["cluster"], "spec")["managementPolicies"] = []any{"Observe", "Create", "Update", "LateInitialize"}
			delete(w.Live("scheduled-backup"), "status")
			manifest.Map(w.Live("object-store"), "status")["serverRecoveryWindow"] = map[string]any{"orders-pg16": map[string]any{}}
		}},
		"AnotherLife": {reason: "The archive holds an earlier life, which the claim does not bring back.", lose: func(w *fixture.World) {
			delete(w.Observed["cluster"], "status")
			manifest.Map(w.Observed["cluster"], "spec")["managementPolicies"] = []any{"Observe", "Create", "Update", "LateInitialize"}
			delete(w.Live("scheduled-backup"), "status")
			manifest.Map(w.Live("object-store"), "status")["serverRecoveryWindow"] = map[string]any{"orders-first": map[string]any{"firstRecoverabilityPoint": "2026-10-25T00:00:00Z"}}
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

// TestHeld: the Cluster's Object has been made and its Cluster has not, because a webhook was down; then the gate shuts
// again. The claim says that it waits, and so does the Object.
func TestHeld(t *testing.T) {
	notMade := func(w *fixture.World) {
		w.Observed[hardened.Cluster]["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Synced", "status": "False", "reason": "ReconcileError", "message": "failed calling webhook"}}}
		delete(w.Live(hardened.ObjectStore), "status") // Nothing has ever archived.
		w.Required["cluster"] = nil
	}
	untilMade := func(w *fixture.World) *fixture.World {
		for range 12 {
			if w.Step(t); w.Observed[hardened.Cluster] != nil {
				break
			}
		}
		notMade(w)
		return w
	}
	source := fixture.Observed(t, agentDB("agent-db-v15", map[string]any{"version": "15"}, nil), plainPolicy(), claim.Namespaced)
	copied := func() *fixture.World {
		return untilMade(beside(t, source, agentDB("agent-db-v16", map[string]any{
			"version": "16", "bootstrap": map[string]any{"recovery": map[string]any{"source": "agent-db-v15"}},
		}, map[string]any{claim.AnnotationWritesStopped: "agent-db-v15"})))
	}
	empty := func() *fixture.World {
		return untilMade(fixture.New(document(t, defaultClaim), document(t, defaultPolicy), claim.Namespaced))
	}
	cases := map[string]struct {
		reason string
		w      *fixture.World
		shut   func(w *fixture.World)
		waits  string
		want   []string
	}{
		"Open": {"It is only late.", empty(), func(*fixture.World) {}, "is being made", []string{"Observe", "Create", "Update", "LateInitialize"}},
		"Lock": {"What it writes would not be locked.", empty(), func(w *fixture.World) {
			delete(manifest.Map(w.Observed[hardened.BucketObjectLock], "status", "atProvider"), "rule")
		}, "to lock", []string{"Observe"}},
		"Copy":      {"It is only late.", copied(), func(*fixture.World) {}, "is being made", []string{"Observe", "Create", "Update", "LateInitialize"}},
		"Confirmed": {"Applications write to the source again.", copied(), func(w *fixture.World) { delete(manifest.Map(w.Composite, "metadata"), "annotations") }, "to confirm", []string{"Observe"}},
		"Source": {"Its source is no longer seen.", copied(), func(w *fixture.World) {
			for name := range w.Required {
				if strings.HasPrefix(name, "bootstrap") {
					delete(w.Required, name)
				}
			}
		}, "what is left of agent-db-v15", []string{"Observe"}},
		"Hidden": {"It has archived: it was made after all, and is gone.", copied(), func(w *fixture.World) {
			server := w.Ask().Status.Backup.ServerName
			w.Live(hardened.ObjectStore)["status"] = map[string]any{"serverRecoveryWindow": map[string]any{server: map[string]any{}}}
		}, "was deleted", []string{"Observe", "Update"}},
		"Unknown": {"Nobody says whether it lives, and its Object may not make one.", empty(), func(w *fixture.World) {
			delete(w.Required, "cluster")
			manifest.Map(w.Observed[hardened.Cluster], "spec")["managementPolicies"] = []any{"Observe", "Update"}
		}, "whether a Cluster", []string{"Observe", "Update"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.shut(tc.w)
			out := tc.w.Ask()
			if told := message(out.Conditions, reconcile.DatabaseReady); !strings.Contains(told, tc.waits) {
				t.Errorf("%s DatabaseReady says: %s", tc.reason, told)
			}
			if diff := cmp.Diff(tc.want, policies(out, hardened.Cluster)); diff != "" {
				t.Errorf("%s Its Object: -want, +got:\n%s", tc.reason, diff)
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
