package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Bucket is what the provider last saw of the bucket itself, from status.atProvider: Ready says only that some call
// succeeded once (provider-upjet-aws#1986, #2054).
type Bucket struct {
	// Observed is true once the provider reported anything about the bucket.
	Observed bool
	// LockObserved is true once the lock configuration was reported; Mode and LockDays are its default retention.
	LockObserved bool
	Mode         string
	LockDays     int64
	// Versioning is "Enabled", "Suspended" or "" while unknown.
	Versioning string
	// Encryption is the default algorithm, "" while unknown.
	Encryption string
	// PublicAccessBlocked is true where all four switches are reported on.
	PublicAccessBlocked bool
	// Opened are the switches that are reported off.
	Opened []string
	// Policy is true where a bucket policy is reported.
	Policy bool
	// LifecycleObserved is true where lifecycle rules are reported; ExpiresCurrent where one of them expires current
	// versions.
	LifecycleObserved, ExpiresCurrent bool
	// Absent are the resources, by composition-resource-name, whose configuration the provider looked for in the bucket and
	// did not find.
	Absent []string
}

// Lacks says whether the provider looked for a configuration and did not find it.
func (b *Bucket) Lacks(name string) bool { return slices.Contains(b.Absent, name) }

// BucketFacts reads the managed resources of a bucket.
func (v View) BucketFacts(bucket string) Bucket {
	b := Bucket{Absent: v.absent()}
	if t, ok := v.ofBucket(bucket, "bucket"); ok {
		b.Observed = manifest.String(t, "status", "atProvider", "arn") != "" || manifest.String(t, "status", "atProvider", "id") != ""
		b.Policy = manifest.String(t, "status", "atProvider", "policy") != ""
	}
	if t, ok := v.ofBucket(bucket, "bucket-versioning"); ok {
		b.Versioning = manifest.String(t, "status", "atProvider", "versioningConfiguration", "status")
	}
	if t, ok := v.ofBucket(bucket, "bucket-object-lock"); ok {
		at := []string{"status", "atProvider", "rule", "defaultRetention"}
		b.Mode = manifest.String(t, append(at, "mode")...)
		b.LockDays, _ = manifest.Int(t, append(at, "days")...)
		if years, ok := manifest.Int(t, append(at, "years")...); ok && b.LockDays == 0 {
			b.LockDays = years * 365
		}
		// A rule the provider no longer sees has been removed; an empty status has not been filled in yet.
		b.LockObserved = b.Mode != "" || manifest.String(t, "status", "atProvider", "id") != ""
	}
	if t, ok := v.ofBucket(bucket, "bucket-encryption"); ok {
		for _, rule := range t.Items("status", "atProvider", "rule") {
			b.Encryption = manifest.String(rule, "applyServerSideEncryptionByDefault", "sseAlgorithm")
		}
		if b.Encryption == "" && manifest.String(t, "status", "atProvider", "id") != "" {
			b.Absent = append(b.Absent, "bucket-encryption")
		}
	}
	if t, ok := v.ofBucket(bucket, "bucket-public-access-block"); ok {
		b.PublicAccessBlocked = true
		for _, name := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
			on, said := manifest.Bool(t, "status", "atProvider", name)
			if said && !on {
				b.Opened = append(b.Opened, name)
			}
			b.PublicAccessBlocked = b.PublicAccessBlocked && on
		}
	}
	if t, ok := v.ofBucket(bucket, "bucket-policy"); ok {
		b.Policy = b.Policy || manifest.String(t, "status", "atProvider", "policy") != ""
	}
	if t, ok := v.ofBucket(bucket, "bucket-lifecycle"); ok {
		b.readLifecycle(t)
	}
	return b
}

func (b *Bucket) readLifecycle(t manifest.Tree) {
	for _, rule := range t.Items("status", "atProvider", "rule") {
		b.LifecycleObserved = true
		if manifest.String(rule, "status") == "Disabled" {
			continue
		}
		for _, e := range rule.Items("expiration") {
			days, _ := manifest.Int(e, "days")
			b.ExpiresCurrent = b.ExpiresCurrent || days > 0 || manifest.String(e, "date") != ""
		}
	}
}

// notThere is what crossplane-runtime says of a resource that may only be observed and is not there. What was seen of it
// before stays in its status.
const notThere = "external resource does not exist"

// absent are the configurations of an adopted bucket that are not there.
func (v View) absent() []string {
	var out []string
	for _, name := range []string{"bucket", "bucket-versioning", "bucket-object-lock", "bucket-encryption", "bucket-public-access-block", "bucket-lifecycle"} {
		if r := v.Resource(name); !r.Synced && strings.Contains(r.Message, notThere) {
			out = append(out, name)
		}
	}
	return out
}

// ofBucket returns a managed resource, unless what the provider last saw is another bucket, or is gone: a resource whose
// external name has changed goes on reporting the old one until the provider looks again.
func (v View) ofBucket(bucket, name string) (manifest.Tree, bool) {
	t, ok := v.Observed[name]
	if r := v.Resource(name); !ok || !r.Synced && strings.Contains(r.Message, notThere) {
		return nil, false
	}
	id, _, _ := strings.Cut(manifest.String(t, "status", "atProvider", "id"), ",") // The owner's account may follow.
	return t, id == "" || id == bucket
}

// Secret is what External Secrets says of a Secret it writes.
type Secret struct {
	// Synced is true only where the Secret was really written: Ready alone is also True for a Secret that is missing or
	// that was kept because the store has lost it.
	Synced bool
	Reason string
}

// SecretFacts reads an ExternalSecret behind a wrapping Object.
func (v View) SecretFacts(name string) Secret {
	es, ok := v.Wrapped(name)
	if !ok {
		return Secret{Reason: "the ExternalSecret does not exist yet"}
	}
	target := manifest.String(es, "spec", "target", "name")
	s := Secret{Reason: "External Secrets has not reported yet"}
	for _, c := range conditions(es, "status", "conditions") {
		if c.kind != "Ready" {
			continue
		}
		bound := manifest.String(es, "status", "binding", "name") == target
		retained := strings.Contains(c.message, "secret retained")
		s.Synced = c.status == "True" && c.reason == "SecretSynced" && bound && !retained
		switch {
		case s.Synced:
			s.Reason = ""
		case c.status == "True" && retained:
			s.Reason = "the secret store no longer has the value; the old Secret is kept"
		default:
			s.Reason = fmt.Sprintf("%s: %s", c.reason, c.message)
		}
	}
	return s
}
