package hardened_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
)

func TestDefaultSet(t *testing.T) {
	p, found := policy.Decode(manifest.Object{
		"apiVersion": "hardened-postgres.fn.bizmatters.io/v1beta1", "kind": "Policy",
		"bucket": map[string]any{"prefix": "acme-prod", "region": "eu-central-1"}, "credentials": map[string]any{"secretStoreRef": map[string]any{"name": "aws"}},
	})
	if len(found) > 0 {
		t.Fatal(found)
	}
	o := manifest.Object{"apiVersion": "database.bizmatters.io/v1alpha1", "kind": "PostgresInstance", "metadata": map[string]any{"name": "orders", "namespace": "shop"}}
	for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
		c, found := claim.Decode(claim.AsComposite(o, scope))
		if len(found) > 0 {
			t.Fatal(found)
		}
		terms, found := c.BackupTerms(p)
		if len(found) > 0 {
			t.Fatal(found)
		}
		asked := contract.Asked{Namespace: c.Namespace, Name: c.Name, Spec: c.Spec, Schedule: terms.Schedule, RetentionDays: terms.RetentionDays, LockDays: terms.LockDays}
		if found := contract.JudgeClaim(asked, p); len(found) > 0 {
			t.Errorf("%s claim: %s", scope, found)
		}
		var set []manifest.Object
		for _, r := range hardened.Set(hardened.Request{Claim: c, Policy: p, Terms: terms, Place: hardened.PlaceOf(c, p)}) {
			set = append(set, r.Object)
		}
		for _, f := range contract.JudgeManifests(set, contract.OptionsFor(p)) {
			t.Errorf("%s set: %s: %s", scope, f.Object, f)
		}
	}
}

// TestSetIsReadInOrder: render prints what waits for something after what it waits for.
func TestSetIsReadInOrder(t *testing.T) {
	set := monitored(t, claim.ClusterScoped, none, map[string]any{"dashboardLabels": map[string]any{"grafana_dashboard": "1"}}, none)
	last := hardened.Protection
	for _, name := range slices.SortedFunc(maps.Keys(set), hardened.Compare) {
		if set[name].Stage < last {
			t.Errorf("%s stands behind resources that come into being after it", name)
		}
		last = set[name].Stage
	}
}
