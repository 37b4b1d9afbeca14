package world_test

import (
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// TestClusterOf reads what people and operators write in more than one way.
func TestClusterOf(t *testing.T) {
	sizes := map[string]int64{
		"20Gi": 20, "1Ti": 1024, "20480Mi": 20, "20971520Ki": 20, "21474836480": 20, "20.5Gi": 21, "20G": 19, "1T": 932, "512Mi": 1,
		"": 0, "Gi": 0, "-1Gi": 0, "NaNGi": 0, "InfGi": 0, "1e300Gi": 0, "20 Gi": 0, "big": 0,
	}
	for size, want := range sizes {
		c := world.ClusterOf(manifest.Object{"spec": map[string]any{"storage": map[string]any{"size": size}}})
		if c.StorageGB != want {
			t.Errorf("a volume of %q has %d GiB, want %d: rounded down, a smaller one would pass for it", size, c.StorageGB, want)
		}
	}
	majors := map[string]int64{
		"ghcr.io/cloudnative-pg/postgresql:16.15-standard@sha256:aa": 16, "registry:5000/postgresql:17": 17, "postgresql:18-trixie": 18,
		"registry:5000/postgresql": 0, "registry:5000/postgresql@sha256:aa": 0, "postgresql": 0, "postgresql:latest": 0, "": 0,
	}
	for image, want := range majors {
		c := world.ClusterOf(manifest.Object{"spec": map[string]any{"imageName": image}})
		if c.Major != want {
			t.Errorf("%q is PostgreSQL %d, want %d", image, c.Major, want)
		}
	}
}

// TestBucketFacts: what a provider last saw of another bucket says nothing about this one.
func TestBucketFacts(t *testing.T) {
	v := func(id string) world.View {
		return world.View{Observed: map[string]manifest.Tree{"bucket-object-lock": manifest.Object{"status": map[string]any{"atProvider": map[string]any{
			"id": id, "rule": map[string]any{"defaultRetention": map[string]any{"mode": "COMPLIANCE", "days": int64(40)}},
		}}}}}
	}
	for id, want := range map[string]bool{"acme-orders": true, "acme-orders,111122223333": true, "": true, "acme-orders-2": false, "acme": false} {
		if got := v(id).BucketFacts("acme-orders").LockObserved; got != want {
			t.Errorf("with the lock of %q the lock of acme-orders is observed: %v, want %v", id, got, want)
		}
	}
}

// TestAbsent: what an adopted bucket is found to lack is told from what nobody has looked for yet, and from what was seen
// before.
func TestAbsent(t *testing.T) {
	state := func(synced, message string) world.Bucket {
		return world.View{Observed: map[string]manifest.Tree{"bucket-encryption": manifest.Object{"status": map[string]any{
			"conditions": []any{map[string]any{"type": "Synced", "status": synced, "message": message}},
			"atProvider": map[string]any{"rule": []any{map[string]any{"applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "AES256"}}}},
		}}}}.BucketFacts("acme-orders")
	}
	if b := state("False", "observe failed: external resource does not exist"); !b.Lacks("bucket-encryption") || b.Encryption != "" {
		t.Errorf("removed: %+v", b)
	}
	if b := state("False", "observe failed: AccessDenied"); b.Lacks("bucket-encryption") || b.Encryption != "AES256" {
		t.Errorf("not readable at present: %+v", b)
	}
	if b := state("True", ""); b.Lacks("bucket-encryption") || b.Encryption != "AES256" {
		t.Errorf("seen: %+v", b)
	}
	if b := (world.View{}).BucketFacts("acme-orders"); b.Lacks("bucket-encryption") {
		t.Errorf("nobody has looked: %+v", b)
	}
}
