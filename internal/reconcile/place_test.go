package reconcile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
)

// inTree is defaultPolicy with the in-tree method.
func inTree(t *testing.T) manifest.Object {
	t.Helper()
	policy := document(t, defaultPolicy)
	policy["backup"] = map[string]any{"method": "inTree"}
	return policy
}

// lost is a world whose claim is committed with a policy while of an earlier database only what outlives a Cluster is left.
func lost(t *testing.T, earlier, policy, document manifest.Object) *fixture.World {
	t.Helper()
	before := fixture.Observed(t, document, earlier, claim.ClusterScoped)
	w := fixture.New(document, policy, claim.ClusterScoped)
	for _, role := range manifest.SortedKeys(before.Observed) {
		if live := before.Live(role); live != nil && role != hardened.Cluster {
			w.Existing = append(w.Existing, live)
		}
	}
	return w
}

// committedAgain is a world whose claim is committed with a policy while all of an earlier one's database lives on.
func committedAgain(t *testing.T, earlier, policy, document manifest.Object) *fixture.World {
	t.Helper()
	before := fixture.Observed(t, document, earlier, claim.ClusterScoped)
	w := fixture.New(document, policy, claim.ClusterScoped)
	for _, role := range manifest.SortedKeys(before.Observed) {
		if live := before.Live(role); live != nil {
			w.Existing = append(w.Existing, live)
		}
	}
	return w
}

// with is a policy in which one thing is said.
func with(policy manifest.Object, section, key string, value any) manifest.Object {
	changed := manifest.Object(manifest.CopyMap(policy))
	if changed[section] == nil {
		changed[section] = map[string]any{}
	}
	manifest.Map(changed, section)[key] = value
	return changed
}

// TestRegionWhileAway: the region of a living archive is what the archive's description says. The bucket's resources of a
// claim that is committed again say what the first call wrote, before anybody had looked.
func TestRegionWhileAway(t *testing.T) {
	plain := document(t, defaultPolicy)
	sidecar := with(plain, "backup", "sidecarEnv", map[string]any{"AWS_DEFAULT_REGION": "us-east-1"})
	cases := map[string]struct {
		reason          string
		earlier, policy manifest.Object
		refused         bool
	}{
		"Same":    {reason: "Nothing has changed.", earlier: plain, policy: plain},
		"Plugin":  {reason: "The ObjectStore says where it is.", earlier: plain, policy: with(plain, "bucket", "region", "eu-west-1"), refused: true},
		"InTree":  {reason: "The Cluster says it itself.", earlier: inTree(t), policy: with(inTree(t), "bucket", "region", "eu-west-1"), refused: true},
		"Moved":   {reason: "The method changes, the region does not.", earlier: inTree(t), policy: plain},
		"Sidecar": {reason: "The archiver's region is another one than the bucket's, on purpose.", earlier: sidecar, policy: sidecar},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := committedAgain(t, tc.earlier, tc.policy, document(t, defaultClaim))
			w.Step(t) // Nobody has looked yet.
			const told = `bucket.region: "eu-west-1": the living database archives into region eu-central-1`
			out := w.Step(t)
			if got := strings.Contains(out.Refused.String(), told); got != tc.refused || len(out.Refused) > 0 && !got {
				t.Fatalf("%s\nrefused: %s", tc.reason, out.Refused)
			}
			w.Policy = tc.earlier // Put right.
			if !w.Settle(t).Ready {
				t.Errorf("%s\nthe old region is not the way back: %s", tc.reason, w.Ask().Refused)
			}
		})
	}
}

// TestProviderConfigs: the management of what lives is not led elsewhere while everything here looks as before.
func TestProviderConfigs(t *testing.T) {
	plain := document(t, defaultPolicy)
	other := func(provider string, config map[string]any) manifest.Object {
		return with(plain, "providers", provider, config)
	}
	waived := other("aws", map[string]any{"name": "renamed"})
	waived["waivers"] = []any{map[string]any{"rule": "ZDL-08", "reason": "the ProviderConfig is renamed", "expires": "2026-12-01"}}
	const kept = "name: default, kind: ClusterProviderConfig"
	cases := map[string]struct {
		reason string
		scope  claim.Scope
		policy manifest.Object
		spoil  func(w *fixture.World)
		want   string
	}{
		"Account":    {reason: "Another account.", scope: claim.ClusterScoped, policy: other("aws", map[string]any{"name": "a"}), want: `providers.aws: "a": the bucket is managed through {name: default}`},
		"Cluster":    {reason: "Another cluster.", scope: claim.ClusterScoped, policy: other("kubernetes", map[string]any{"name": "k"}), want: `providers.kubernetes: "k": the database is managed through {name: default}`},
		"Kind":       {reason: "A namespace's own configuration of the same name.", scope: claim.Namespaced, policy: other("aws", map[string]any{"kind": "ProviderConfig"}), want: `providers.aws: "default": the bucket is managed through {` + kept + "}"},
		"Namespaced": {reason: "Another cluster.", scope: claim.Namespaced, policy: other("kubernetes", map[string]any{"name": "k"}), want: `providers.kubernetes: "k": the database is managed through {` + kept + "}"},
		"NoKinds":    {reason: "Cluster-scoped resources know one kind.", scope: claim.ClusterScoped, policy: other("aws", map[string]any{"kind": "ProviderConfig"})},
		"Waived":     {reason: "Both lead to the same account.", scope: claim.ClusterScoped, policy: waived},
		"Gone": {reason: "What is left of a database is not led elsewhere either.", scope: claim.ClusterScoped, policy: other("aws", map[string]any{"name": "a"}),
			spoil: func(w *fixture.World) { w.Required["cluster"] = nil }, want: "the bucket is managed through"},
		"NeverReached": {reason: "A name that has never led anywhere is put right.", scope: claim.ClusterScoped, policy: other("aws", map[string]any{"name": "a"}),
			spoil: func(w *fixture.World) { delete(w.Observed[hardened.Bucket], "status") }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := fixture.Observed(t, document(t, defaultClaim), plain, tc.scope)
			if tc.spoil != nil {
				tc.spoil(w)
			}
			w.Policy = tc.policy
			if got := w.Ask().Refused.String(); !strings.Contains(got, tc.want) || (got == "") != (tc.want == "") {
				t.Errorf("%s\nrefused: %s", tc.reason, got)
			}
		})
	}
}

// TestArchiveOfTheOtherMethod: a policy without the plugin looks at the plugin's ObjectStore all the same, where the control
// plane says that there is such a kind, and asks nothing of one that has none.
func TestArchiveOfTheOtherMethod(t *testing.T) {
	known := manifest.Object{"properties": map[string]any{"spec": map[string]any{"properties": map[string]any{"primaryLease": map[string]any{}}}}}
	cases := map[string]struct {
		reason  string
		plugin  bool
		refused bool
	}{
		"Installed":    {reason: "What the plugin has filled is full.", plugin: true, refused: true},
		"NotInstalled": {reason: "Without the kind there can be no ObjectStore, and nothing waits for one."},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := lost(t, document(t, defaultPolicy), inTree(t), document(t, defaultClaim))
			if !tc.plugin {
				w.Existing = slices.DeleteFunc(w.Existing, func(o manifest.Object) bool {
					return o.Kind() == "ObjectStore" || o.Kind() == "ScheduledBackup"
				})
			}
			var out reconcile.Outcome
			for range 6 {
				in := w.Input()
				in.AsksSchemas, in.World.Schemas = true, map[string]manifest.Tree{}
				for ask := range out.Schemas {
					in.World.Schemas[ask] = known
				}
				if !tc.plugin {
					in.World.Schemas["schema-object-store"] = nil
				}
				out = w.StepWith(t, in)
			}
			if got := len(out.Refused) > 0; got != tc.refused {
				t.Fatalf("%s\nrefused: %v (%s); DatabaseReady: %s", tc.reason, got, out.Refused, message(out.Conditions, reconcile.DatabaseReady))
			}
			if tc.refused {
				const back = "spec.bootstrap.recovery.archive: {bucket: acme-shop-orders-74f03f090c, path: shop/orders, serverName: orders-pg16,"
				if fix := out.Refused[0].Fix; out.Refused[0].Rule != "ZDL-07" || !strings.Contains(fix, back) {
					t.Errorf("%s\nthe way back is not told: %s", tc.reason, out.Refused)
				}
			} else if _, asked := out.Requirements["archive"]; asked || !emits(out.Composed, hardened.Cluster) {
				t.Errorf("%s\nObjectStores are asked for: %v; DatabaseReady: %s", tc.reason, asked, message(out.Conditions, reconcile.DatabaseReady))
			}
		})
	}
}

// TestWayBackUnderTheOtherMethod: a policy without the plugin does not read what the plugin's database has left, so the way
// back that is told says where the archive lies; and it is one.
func TestWayBackUnderTheOtherMethod(t *testing.T) {
	w := fixture.Observed(t, document(t, defaultClaim), document(t, defaultPolicy), claim.ClusterScoped)
	w.Required["cluster"] = nil
	w.Policy = inTree(t)
	const archive = `{bucket: acme-shop-orders-74f03f090c, path: shop/orders, serverName: orders-pg16, version: "16", database: orders, owner: orders}`
	if told := message(w.Ask().Conditions, reconcile.DatabaseReady); !strings.Contains(told, "commit it again with spec.bootstrap.recovery.archive: "+archive) {
		t.Errorf("told: %s", told)
	}

	back := lost(t, document(t, defaultPolicy), inTree(t), document(t, defaultClaim))
	manifest.Map(back.Composite, "spec")["bootstrap"] = map[string]any{"recovery": map[string]any{"archive": map[string]any(document(t, archive))}}
	if out := back.Settle(t); !emits(out.Composed, hardened.Cluster) {
		t.Errorf("it does not come back: %s; %s", out.Refused, message(out.Conditions, reconcile.DatabaseReady))
	}
}

// TestStatedRecoveryIsMade: an in-tree database that is brought back by its own name is still to be made when its Object
// exists and its Cluster does not, although the earlier life's ScheduledBackup has made backups.
func TestStatedRecoveryIsMade(t *testing.T) {
	w := lost(t, inTree(t), inTree(t), document(t, defaultClaim))
	manifest.Map(w.Composite, "spec")["bootstrap"] = map[string]any{"recovery": map[string]any{"archive": map[string]any{
		"bucket": "acme-shop-orders-74f03f090c", "path": "shop/orders", "serverName": "orders-pg16", "version": "16", "database": "orders", "owner": "orders",
	}}}
	for range 16 {
		if w.Step(t); w.Observed[hardened.Cluster] != nil {
			break
		}
	}
	if w.Observed[hardened.Cluster] == nil {
		t.Fatalf("it does not come into being: %s", w.Ask().Refused)
	}
	delete(w.Observed[hardened.Cluster], "status") // The provider has yet to make it.
	w.Required["cluster"] = nil
	if out := w.Ask(); !slices.Contains(policies(out, hardened.Cluster), "Create") {
		t.Errorf("it may no longer be made: %v; refused: %s", policies(out, hardened.Cluster), out.Refused)
	}
}

// TestLostDatabaseIsRemembered: status.backup of a database that is gone is what people copy to bring it back. It names
// the life that archived last, whatever the claim would be called today.
func TestLostDatabaseIsRemembered(t *testing.T) {
	for _, method := range []string{"plugin", "inTree"} {
		policy := document(t, defaultPolicy)
		policy["backup"] = map[string]any{"method": method}
		w := fixture.Observed(t, document(t, defaultClaim), policy, claim.ClusterScoped)
		live := w.Live(hardened.Cluster)
		archivesAs(w, "orders-second")
		if method == "plugin" {
			windows := manifest.Map(w.Live(hardened.ObjectStore), "status", "serverRecoveryWindow")
			windows["orders-second"] = map[string]any{"firstRecoverabilityPoint": "2026-11-24T01:00:00Z", "lastSuccessfulBackupTime": "2026-11-24T07:00:00Z"}
		} else {
			status := manifest.Map(live, "status")
			status["firstRecoverabilityPoint"], status["lastSuccessfulBackup"] = "2026-11-24T01:00:00Z", "2026-11-24T07:00:00Z"
		}
		w.Required["cluster"] = nil

		out := w.Ask()
		got := out.Status.Backup
		if got.ServerName != "orders-second" || got.RecoverableSince != "2026-11-24T01:00:00Z" || got.LastBackup != "2026-11-24T07:00:00Z" {
			t.Errorf("%s: status.backup says %+v", method, got)
		}
		for _, c := range out.Composed {
			if c.Name != hardened.Cluster {
				continue
			}
			raw := manifest.String(c.Object.Unwrap(), "spec", "plugins", "0", "parameters", "serverName") + manifest.String(c.Object.Unwrap(), "spec", "backup", "barmanObjectStore", "serverName")
			if raw != "orders-second" {
				t.Errorf("%s: the Object, which is what remembers, is turned to %q", method, raw)
			}
		}
	}
}
