package hardened_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
)

// frozen are the names a living database is known by. Changing one in the code would delete the resource behind it, or
// leave it behind and make a second one: never change a line here, only add.
var frozen = []string{
	"bucket | Bucket shop.orders.bucket | external acme-shop-orders-74f03f090c",
	"bucket-versioning | BucketVersioning shop.orders.bucket-versioning | external acme-shop-orders-74f03f090c",
	"bucket-object-lock | BucketObjectLockConfiguration shop.orders.bucket-object-lock | external acme-shop-orders-74f03f090c",
	"bucket-encryption | BucketServerSideEncryptionConfiguration shop.orders.bucket-encryption | external acme-shop-orders-74f03f090c",
	"bucket-public-access-block | BucketPublicAccessBlock shop.orders.bucket-public-access-block | external acme-shop-orders-74f03f090c",
	"bucket-ownership | BucketOwnershipControls shop.orders.bucket-ownership | external acme-shop-orders-74f03f090c",
	"bucket-policy | BucketPolicy shop.orders.bucket-policy | external acme-shop-orders-74f03f090c",
	"bucket-lifecycle | BucketLifecycleConfiguration shop.orders.bucket-lifecycle | external acme-shop-orders-74f03f090c",
	"credentials | Object shop.orders.credentials | ExternalSecret shop/orders-archive-keys",
	"object-store | Object shop.orders.object-store | ObjectStore shop/orders-archive",
	"custom-queries | Object shop.orders.custom-queries | ConfigMap shop/orders-queries",
	"cluster | Object shop.orders.cluster | Cluster shop/orders",
	"connection-account | Object shop.orders.connection-account | ServiceAccount shop/orders-conn",
	"connection-access | Object shop.orders.connection-access | RoleBinding shop/orders-conn",
	"connection-store | Object shop.orders.connection-store | SecretStore shop/orders-conn",
	"connection-secret | Object shop.orders-conn.connection-secret | ExternalSecret shop/orders-conn",
	"alias-service | Object shop.shop-db.alias-service | Service shop/shop-db",
	"alias-secret | Object shop.shop-db.connection-secret | ExternalSecret shop/shop-db",
	"pod-monitor | Object shop.orders.pod-monitor | PodMonitor shop/orders-metrics",
	"prometheus-rule | Object shop.orders.prometheus-rule | PrometheusRule shop/orders-alerts",
	"scheduled-backup | Object shop.orders.scheduled-backup | ScheduledBackup shop/orders",
	"claim-presence | PrometheusRule orders-presence | PrometheusRule shop/orders-presence",
}

// TestNamesAreFrozen pins every name that follows from a claim, in both scopes.
func TestNamesAreFrozen(t *testing.T) {
	p, found := policy.Decode(manifest.Object{
		"apiVersion": "hardened-postgres.fn.bizmatters.io/v1beta1", "kind": "Policy",
		"bucket": map[string]any{"prefix": "acme", "region": "eu-central-1"}, "credentials": map[string]any{"secretStoreRef": map[string]any{"name": "aws"}},
	})
	if len(found.Violations()) > 0 {
		t.Fatal(found)
	}
	o := manifest.Object{
		"apiVersion": "database.bizmatters.io/v1alpha1", "kind": "PostgresInstance", "metadata": map[string]any{"name": "orders", "namespace": "shop"},
		"spec": map[string]any{"connection": map[string]any{"alias": "shop-db"}},
	}
	for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
		c, found := claim.Decode(claim.AsComposite(o, scope))
		if len(found) > 0 {
			t.Fatal(found)
		}
		terms, _ := c.BackupTerms(p)
		var got []string
		for _, r := range hardened.Set(hardened.Request{Claim: c, Policy: p, Terms: terms, Place: hardened.PlaceOf(c, p), Alias: true}) {
			line := r.Name + " | " + r.Object.Kind() + " " + r.Object.Name() + " | "
			if external := manifest.String(r.Object, "metadata", "annotations", "crossplane.io/external-name"); external != "" {
				line += "external " + external
			} else {
				m := r.Object.Unwrap()
				line += m.Kind() + " " + m.Namespace() + "/" + m.Name()
			}
			got = append(got, line)
			if !hardened.Known(r.Name) {
				t.Errorf("%s is emitted and not known: it would not be kept (ZDL-04)", r.Name)
			}
		}
		want := slices.Clone(frozen)
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: names of living databases have changed: -want, +got:\n%s", scope, diff)
		}
		if server := c.ServerName(); server != "orders-pg16" {
			t.Errorf("the incarnation's name has changed: %s", server)
		}
	}
}

// TestNamesAreInjective: no two claims share a name anywhere, whatever their namespaces and names look like (ZDL-06).
func TestNamesAreInjective(t *testing.T) {
	claims := [][2]string{
		{"a-b", "c"}, {"a", "b-c"}, {"a", "b"}, {"a", "b-conn"}, {"a", "b-archive"}, {"a", "b-archive-keys"}, {"a", "b-alerts"},
		{"a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, {"a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
	}
	objects, buckets := map[string]string{}, map[string]string{}
	for _, id := range claims {
		c := &claim.Claim{Namespace: id[0], Name: id[1]}
		me := id[0] + "/" + id[1]
		for _, role := range []string{hardened.Cluster, hardened.Bucket, hardened.ConnectionSecret} {
			name := c.ObjectName(c.Name, role)
			if other, taken := objects[name]; taken {
				t.Errorf("%s and %s share the Object %s", me, other, name)
			}
			objects[name] = me
			if len("provider-kubernetes/"+name) > 128 {
				t.Errorf("%s: the field manager of %s is longer than 128 bytes", me, name)
			}
		}
		bucket := c.BucketName("acme", "")
		if other, taken := buckets[bucket]; taken {
			t.Errorf("%s and %s share the bucket %s", me, other, bucket)
		}
		buckets[bucket] = me
		if len(bucket) > 63 {
			t.Errorf("%s: the bucket's name %s is longer than 63 characters", me, bucket)
		}
	}
}
