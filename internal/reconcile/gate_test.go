package reconcile_test

import (
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
)

// TestGateOnWhatWasSeenLast: the gate opens once and for good, so it does not open on what a provider saw before it lost
// its sight. A resource's status goes on saying that.
func TestGateOnWhatWasSeenLast(t *testing.T) {
	for _, name := range []string{"", hardened.Bucket, hardened.BucketObjectLock, hardened.BucketVersioning, hardened.Credentials} {
		for reason, says := range map[string]string{"ReconcileError": "observe failed: AccessDenied", "ReconcilePaused": ""} {
			w := fixture.New(document(t, defaultClaim), document(t, defaultPolicy), claim.ClusterScoped)
			w.Step(t)
			w.Step(t) // Everything is in force, the ObjectStore is there.
			for _, c := range manifest.List(w.Observed[name], "status", "conditions") {
				if c, ok := c.(map[string]any); ok && c["type"] == "Synced" {
					c["status"], c["reason"], c["message"] = "False", reason, says
				}
			}
			out := w.Ask()
			if opened := emits(out.Composed, hardened.Cluster); opened != (name == "") {
				t.Errorf("%q is not Synced (%s): the gate is open: %v", name, reason, opened)
			}
			if told := message(out.Conditions, reconcile.DatabaseReady); name != "" && !strings.Contains(told, "waiting for "+name+" to be Synced") {
				t.Errorf("%q is not Synced (%s), and that is not told: %s", name, reason, told)
			}
		}
	}
}
