package bootstrap

import (
	"testing"
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// A claim that says where its source's archive lies is not held against a source that was made up.
func TestAssumedSourceContradictsNothing(t *testing.T) {
	p, found := policy.Decode(documents(t, defaultPolicy)[0])
	if len(found) > 0 {
		t.Fatal(found)
	}
	for _, name := range []string{"agent-db", "agent-db-pitr"} {
		c, found := claim.Decode(documents(t, `
apiVersion: database.bizmatters.io/v1alpha1
kind: PostgresInstance
metadata: {name: `+name+`, namespace: agents}
spec:
  bootstrap: {recovery: {source: agent-db, archive: {bucket: acme-old, serverName: old-pg16, version: "16", database: agents, owner: app}}}
`)[0])
		if len(found) > 0 {
			t.Fatal(found)
		}
		view := world.View{Required: Assumed(c, p, nil)}
		if plan := Make(c, p, hardened.PlaceOf(c, p), nil, view, time.Time{}); len(plan.Findings) > 0 || plan.Bootstrap.Stanza == nil {
			t.Errorf("%s: refused: %s", name, plan.Findings)
		}
	}
}
