package claim_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// FuzzClaimDecode says that any document is either a claim whose names are sound and whose fields survive being written
// down and read again, or is refused in words that name a field and say what to do.
func FuzzClaimDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`,
		`{"apiVersion":"database.bizmatters.io/v1alpha1","kind":"PostgresInstance","metadata":{"name":"orders","namespace":"shop"}}`,
		`{"apiVersion":"database.bizmatters.io/v1alpha1","kind":"PostgresInstance","metadata":{"name":"orders","namespace":"shop","annotations":{"database.bizmatters.io/writes-stopped":"x"}},"spec":{"size":"large","version":"17","instances":5,"storageGB":200,"walStorageGB":50,"resources":{"requests":{"cpu":"2","memory":"8Gi"}},"parameters":{"max_connections":"300"},"backup":{"schedule":"0 */4 * * *","retentionDays":60},"connection":{"secretName":"login","alias":"orders-a"},"crossplane":{"compositionRef":{"name":"x"}}}}`,
		`{"apiVersion":"database.bizmatters.io/v1alpha1","kind":"XPostgresInstance","metadata":{"name":"orders-x7k2p"},"spec":{"claimRef":{"namespace":"shop","name":"orders"},"bootstrap":{"recovery":{"source":"old","targetTime":"2026-11-20T10:00:00Z"}},"resourceRefs":[]}}`,
		`{"apiVersion":"database.bizmatters.io/v1alpha1","kind":"PostgresInstance","metadata":{"name":"Orders.1","namespace":"shop"},"spec":{"storageGB":-1,"instances":0,"sise":"small","backup":{"retentionDays":1}}}`,
		`{"apiVersion":"database.bizmatters.io/v1alpha1","kind":"PostgresInstance","metadata":{"name":"orders","namespace":"shop"},"spec":[]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var o manifest.Object
		if json.Unmarshal(raw, &o) != nil {
			return
		}
		for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
			composite := claim.AsComposite(o, scope)
			c, found := claim.Decode(composite)
			again, foundAgain := claim.Decode(composite)
			if !reflect.DeepEqual(c, again) || !reflect.DeepEqual(found, foundAgain) {
				t.Fatal("the same document is read in two ways")
			}
			for _, finding := range found {
				if finding.Message == "" || finding.Fix == "" || finding.Rule == "" || !utf8.ValidString(finding.String()) {
					t.Errorf("a refusal that teaches nothing: %#v", finding)
				}
			}
			if len(found) > 0 {
				continue
			}
			checkClaim(t, c)
		}
	})
}

func checkClaim(t *testing.T, c *claim.Claim) {
	t.Helper()
	if c.Name == "" || len(c.Name) > 50 || c.Namespace == "" || strings.ContainsAny(c.Name, "./ ") {
		t.Errorf("accepted with the identity %q/%q", c.Namespace, c.Name)
	}
	if name := c.BucketName("acme-prod", ""); len(name) > 63 || strings.Contains(name, "--") && !strings.Contains(c.Namespace+c.Name, "--") && !strings.HasSuffix(c.Namespace, "-") {
		t.Errorf("the bucket would be called %q", name)
	}
	if name := c.ObjectName(c.Name, "bucket-public-access-block"); len(name) > 108 {
		t.Errorf("a managed resource would be called %q", name)
	}
	if c.Spec.Instances < 1 && c.Spec.Instances != 0 || c.Spec.StorageGB < 0 || c.Spec.Connection == nil || c.Spec.Backup == nil || c.Spec.Version == "" || c.Spec.Size == "" {
		t.Errorf("accepted without its defaults: %+v", c.Spec)
	}
	raw, err := json.Marshal(c.Spec)
	if err != nil {
		t.Fatal(err)
	}
	var spec map[string]any
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	// With its defaults written out it is the same claim, and has the same incarnation.
	again, found := claim.Decode(manifest.Object{
		"apiVersion": "database.bizmatters.io/v1alpha1", "kind": "PostgresInstance",
		"metadata": map[string]any{"name": c.Name, "namespace": c.Namespace}, "spec": spec,
	})
	if len(found) > 0 {
		t.Fatalf("with its defaults written out it is refused: %s", found)
	}
	if !reflect.DeepEqual(again.Spec, c.Spec) || again.ServerName() != c.ServerName() {
		t.Errorf("with its defaults written out it is another claim:\n%+v\n%+v", c.Spec, again.Spec)
	}
}
