package reconcile_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// TestStatusIsBounded: whatever providers and operators say, and at whatever length, status and conditions stay far below
// what the API server stores and gRPC carries.
func TestStatusIsBounded(t *testing.T) {
	const mostStatus, mostCondition = 64 << 10, 16 << 10
	endless := strings.Repeat("the provider repeats itself ", 1<<13)
	shout := func(o manifest.Object) {
		for _, at := range [][]string{{"status", "conditions"}, {"status", "atProvider", "manifest", "status", "conditions"}} {
			for _, c := range o.Items(at...) {
				if c, ok := c.(manifest.Object); ok {
					c["status"], c["reason"], c["message"] = "False", endless, endless
				}
			}
		}
		if live := manifest.Map(o, "status", "atProvider", "manifest", "status"); live != nil {
			live["phase"], live["message"], live["applied"] = endless, endless, false
		}
	}
	source := fixture.Observed(t, agentDB("agent-db", nil, nil), plainPolicy(), claim.Namespaced)
	worlds := map[string]*fixture.World{
		"alone": fixture.Observed(t, document(t, defaultClaim), document(t, defaultPolicy), claim.ClusterScoped),
		"restored": beside(t, source, agentDB("agent-db-copy", map[string]any{
			"bootstrap": map[string]any{"recovery": map[string]any{"source": "agent-db"}}, "connection": map[string]any{"alias": "agents"},
		}, nil)),
	}
	worlds["restored"].Settle(t)
	for name, w := range worlds {
		for _, o := range w.Observed {
			shout(o)
		}
		// Three tablespaces that somebody added by hand, each on a class that deletes its disk: a finding for each.
		manifest.Map(w.Live(hardened.Cluster), "spec")["tablespaces"] = []any{
			map[string]any{"name": endless, "storage": map[string]any{"size": "1Gi", "storageClass": endless}},
			map[string]any{"name": "b", "storage": map[string]any{"size": endless, "storageClass": "gp3"}},
			map[string]any{"name": "c", "storage": map[string]any{"size": "1Gi"}},
		}
		w.Required["cluster"] = []manifest.Object{w.Live(hardened.Cluster)}
		for _, dead := range []bool{false, true} {
			if dead {
				w.Required["cluster"], w.Required["archive"] = nil, nil
				delete(w.Observed, hardened.Cluster)
				delete(w.Observed, hardened.ObjectStore)
				delete(w.Observed, hardened.ScheduledBackup)
				w.Required["schedule"] = nil
			}
			out := w.Ask()
			if out.Status == nil {
				t.Fatalf("%s: refused: %s", name, out.Refused)
			}
			raw, err := json.Marshal(out.Status)
			if err != nil {
				t.Fatal(err)
			}
			if len(raw) > mostStatus {
				t.Errorf("%s: a status of %d bytes, %d are allowed", name, len(raw), mostStatus)
			}
			for _, c := range out.Conditions {
				if len(c.Message) > mostCondition {
					t.Errorf("%s: %s has a message of %d bytes, %d are allowed", name, c.Type, len(c.Message), mostCondition)
				}
			}
		}
	}
}
