package reconcile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
)

// TestArchiverTakenAway: a Cluster whose archiver somebody has removed looks perfectly healthy and archives nothing. The
// claim says so, and the archiver comes back to the folder it had.
func TestArchiverTakenAway(t *testing.T) {
	orders := manifest.Object{
		"apiVersion": "database.bizmatters.io/v1alpha1", "kind": "PostgresInstance", "metadata": map[string]any{"name": "orders", "namespace": "shop"},
	}
	policy := manifest.Object{
		"apiVersion": "hardened-postgres.fn.bizmatters.io/v1beta1", "kind": "Policy",
		"bucket":      map[string]any{"prefix": "acme-prod", "region": "eu-central-1"},
		"credentials": map[string]any{"secretStoreRef": map[string]any{"name": "aws"}},
	}
	w := fixture.Observed(t, orders, policy, claim.Namespaced)
	before := plugins(w.Ask())
	for _, o := range append(w.Required["cluster"], w.Live(hardened.Cluster)) {
		delete(manifest.Map(o, "spec"), "plugins")
	}

	out := w.Ask()
	if len(out.Refused) > 0 {
		t.Fatalf("refused instead of repaired: %s", out.Refused)
	}
	if diff := cmp.Diff(before, plugins(out)); diff != "" || len(before) == 0 {
		t.Errorf("the archiver does not come back as it was: -before, +after:\n%s", diff)
	}
	if out.Status.Contract.Verdict != "Violated" {
		t.Errorf("the claim does not say that nothing is archived: %s", out.Status.Contract.Verdict)
	}
}

func plugins(out reconcile.Outcome) []any {
	for _, c := range out.Composed {
		if c.Name == hardened.Cluster {
			return manifest.List(c.Object.Unwrap(), "spec", "plugins")
		}
	}
	return nil
}
