package check_test

import (
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/check"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// TestNobodyTakesAnothersWaiverByALabel says that the labels which name a claim lead an object of another namespace, and a
// Cluster of another name, to no waiver: anybody can write a label.
func TestNobodyTakesAnothersWaiverByALabel(t *testing.T) {
	read := func(text string) []source.Document {
		docs, err := source.Read("f.yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return docs
	}
	policy, err := check.PolicyFile(read(`
apiVersion: hardened-postgres.fn.bizmatters.io/v1beta1
kind: Policy
bucket: {prefix: acme-prod, region: eu-central-1}
credentials: {secretStoreRef: {name: aws}}
waivers: [{rule: ZDL-10, reason: a sandbox loses nothing, claims: sandbox/orders}]
`))
	if err != nil {
		t.Fatal(err)
	}
	cluster := `
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata:
  name: NAME
  namespace: NAMESPACE
  labels: {database.bizmatters.io/claim: orders, database.bizmatters.io/claim-namespace: sandbox}
  annotations: {cnpg.io/skipWalArchiving: enabled}
`
	for where, want := range map[string]bool{"sandbox/orders": true, "shop/orders": false, "sandbox/billing": false} {
		found := false
		namespace, name, _ := strings.Cut(where, "/")
		r := check.Judge(read(strings.NewReplacer("NAMESPACE", namespace, "NAME", name).Replace(cluster)), check.Options{Policy: policy, Manifests: true, Today: "2026-11-24"})
		for _, f := range r.Findings {
			if f.Rule != "ZDL-10" {
				continue
			}
			found = true
			if waived := f.Waiver != ""; waived != want {
				t.Errorf("%s: waived is %t", where, waived)
			}
		}
		if !found {
			t.Errorf("%s: nothing is found", where)
		}
	}
}
