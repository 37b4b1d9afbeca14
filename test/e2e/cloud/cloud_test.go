package cloud

import (
	"testing"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// The players must be able to destroy, or "nothing was destroyed" proves nothing.
func TestDeletesLikeCrossplaneRuntime(t *testing.T) {
	cases := map[string]struct {
		reason string
		spec   string
		want   bool
	}{
		"Default":        {"Everything is managed by default, deletion included.", `{}`, true},
		"Orphan":         {"The cluster-scoped way to keep.", `{deletionPolicy: Orphan}`, false},
		"OrphanAndStar":  {"All actions with Orphan still orphan.", `{deletionPolicy: Orphan, managementPolicies: ["*"]}`, false},
		"OrphanAndNamed": {"A list that names Delete wins over Orphan: the trap.", `{deletionPolicy: Orphan, managementPolicies: [Observe, Create, Update, Delete]}`, true},
		"NoDelete":       {"The namespaced way to keep.", `{managementPolicies: [Observe, Create, Update, LateInitialize]}`, false},
		"Namespaced":     {"A namespaced resource without a word deletes.", `{managementPolicies: ["*"]}`, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := kube.MustParse("kind: Bucket\nspec: " + c.spec)
			if got := (&Cloud{}).deletes(o); got != c.want {
				t.Errorf("%s deletes(%s): %v, want %v", c.reason, c.spec, got, c.want)
			}
		})
	}
}

func TestConfigureKeepsABucketThatIsOnlyObserved(t *testing.T) {
	c := New(nil, nil)
	c.Seed("archive", Bucket{Versioning: "Suspended"})
	o := kube.MustParse(`
kind: BucketVersioning
spec:
  managementPolicies: [Observe]
  forProvider: {bucket: archive, versioningConfiguration: {status: Enabled}}
`)
	if now, _, there := c.configure(o, "archive"); !there || now.Versioning != "Suspended" {
		t.Errorf("observing changed the bucket: %+v", now)
	}
	delete(o.Map("spec"), "managementPolicies")
	if now, _, _ := c.configure(o, "archive"); now.Versioning != "Enabled" {
		t.Errorf("managing did not change the bucket: %+v", now)
	}
	c.Lie("archive", "BucketVersioning", Lie{Empty: true})
	c.Seed("archive", Bucket{})
	if now, lie, _ := c.configure(o, "archive"); now.Versioning != "" || !lie.Empty {
		t.Errorf("a lying provider configured the bucket: %+v", now)
	}
}
