package reconcile_test

import (
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
)

// TestResourcesOfOthers: what an older version of this function made under a name this one does not know is emitted again
// as it is (ZDL-04); what another step of the pipeline made is that step's to emit, or to let go.
func TestResourcesOfOthers(t *testing.T) {
	w := fixture.Observed(t, document(t, defaultClaim), document(t, defaultPolicy), claim.ClusterScoped)
	resource := func(labels map[string]any) manifest.Object {
		return manifest.Object{
			"apiVersion": "s3.aws.upbound.io/v1beta1", "kind": "BucketReplicationConfiguration",
			"metadata": map[string]any{"name": "of-others", "labels": labels},
			"spec":     map[string]any{"deletionPolicy": "Orphan", "forProvider": map[string]any{}},
		}
	}
	w.Observed["older-version"] = resource(map[string]any{hardened.LabelProtected: "true"})
	w.Observed["another-step"] = resource(map[string]any{"app": "replication"})

	emitted := map[string]reconcile.Composed{}
	for _, c := range w.Ask().Composed {
		emitted[c.Name] = c
	}
	if c, ok := emitted["older-version"]; !ok || c.Object != nil {
		t.Errorf("what an older version made is not emitted as observed: %v, %v", ok, c.Object)
	}
	if _, ok := emitted["another-step"]; ok {
		t.Error("what another step made is emitted by this one")
	}
}
