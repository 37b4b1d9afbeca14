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

// TestWhoseADocumentIs: a waiver for some claims reaches what a Cluster of theirs is made of, by what it does: neither a
// label on the provider's Object nor one on a bucket leads there, and a label can only take away.
func TestWhoseADocumentIs(t *testing.T) {
	const (
		policy = `
apiVersion: hardened-postgres.fn.bizmatters.io/v1beta1
kind: Policy
bucket: {prefix: acme-prod, region: eu-central-1}
credentials: {secretStoreRef: {name: aws}}
waivers:
- {rule: CNPG-4.1, reason: a sandbox loses nothing, claims: "dev/*"}
- {rule: CNPG-4.3, reason: a sandbox loses nothing, claims: dev/orders}
- {rule: CNPG-3.1, reason: nothing is missed, claims: "*/*"}
`
		dev     = "labels: {database.bizmatters.io/claim-namespace: dev, database.bizmatters.io/claim: orders}"
		cluster = `{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: orders, namespace: NAMESPACE}, spec: {backup: {barmanObjectStore: {destinationPath: "s3://acme/x", serverName: a}}}}`
		object  = "\n---\napiVersion: kubernetes.crossplane.io/v1alpha2\nkind: Object\nmetadata: {name: o, LABELS}\nspec: {deletionPolicy: Delete, forProvider: {manifest: " + cluster + "}}"
		bucket  = "\n---\napiVersion: s3.aws.upbound.io/v1beta1\nkind: Bucket\nmetadata: {name: acme, LABELS}\nspec: {deletionPolicy: Orphan, forProvider: {forceDestroy: true}}"
	)
	cases := map[string]struct {
		reason, text, namespace, labels, rule string
		waived                                bool
	}{
		"Wrapper":           {reason: "The Object around a Cluster belongs to it.", text: object, namespace: "dev", rule: "CNPG-4.1", waived: true},
		"WrapperLabelled":   {reason: "As the function writes it.", text: object, namespace: "dev", labels: dev, rule: "CNPG-4.1", waived: true},
		"WrapperBorrows":    {reason: "The Cluster inside is another's.", text: object, namespace: "prod", labels: dev, rule: "CNPG-4.1"},
		"WrapperGivesAway":  {reason: "It says itself that it is another's.", text: object, namespace: "dev", labels: "labels: {database.bizmatters.io/claim-namespace: prod}", rule: "CNPG-4.1"},
		"Bucket":            {reason: "The Cluster that archives into it says whose it is.", text: bucket + object, namespace: "dev", rule: "CNPG-4.3", waived: true},
		"BucketBorrows":     {reason: "A Cluster of another namespace archives into it.", text: bucket + object, namespace: "prod", labels: dev, rule: "CNPG-4.3"},
		"BucketOfNobody":    {reason: "Nothing but a label says whose it is.", text: bucket, labels: dev, rule: "CNPG-4.3"},
		"BucketOfTwo":       {reason: "What two share is waived where it is for both.", text: bucket + object + "\n---\n" + strings.ReplaceAll(cluster, "NAMESPACE", "dev"), namespace: "prod", rule: "CNPG-4.3"},
		"WaivedForAll":      {reason: "What is waived for all needs no owner.", text: "\n---\napiVersion: postgresql.cnpg.io/v1\nkind: ScheduledBackup\nmetadata: {name: x}\nspec: {schedule: never}", rule: "CNPG-3.1", waived: true},
		"NamespaceIsEnough": {reason: "An object of the namespace is in the namespace.", text: "\n---\napiVersion: postgresql.cnpg.io/v1\nkind: Database\nmetadata: {name: x, namespace: dev}\nspec: {ensure: absent}", rule: "CNPG-4.1", waived: true},
	}
	read := func(text string) []source.Document {
		docs, err := source.Read("f.yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return docs
	}
	p, err := check.PolicyFile(read(policy))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			text := strings.NewReplacer("NAMESPACE", tc.namespace, ", LABELS", strings.TrimSuffix(", "+tc.labels, ", ")).Replace(tc.text)
			found := false
			for _, f := range check.Judge(read(text), check.Options{Policy: p, Manifests: true, Today: "2026-11-24"}).Findings {
				if f.Rule != tc.rule {
					continue
				}
				found = true
				if waived := f.Waiver != ""; waived != tc.waived {
					t.Errorf("%s\n%s: waived is %t", tc.reason, f, waived)
				}
			}
			if !found {
				t.Errorf("%s\nnothing is found", tc.reason)
			}
		})
	}
}
