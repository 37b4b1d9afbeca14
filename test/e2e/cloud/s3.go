package cloud

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// finalizer of every managed resource's controller.
const finalizer = "finalizer.managedresource.crossplane.io"

// Bucket is one bucket as the cloud has it.
type Bucket struct {
	Versioning   string
	LockMode     string
	LockDays     float64
	Encryption   string
	PublicAccess map[string]any
	Policy       string
	Ownership    string
	Lifecycle    []any
	// Created counts how often the bucket was made: more than once means it was lost in between.
	Created int
}

// Lie is how a provider misreports one resource.
type Lie struct {
	// Empty reports Ready and Synced while nothing was configured (provider-upjet-aws#1986).
	Empty bool
	// Unsynced reports this error in Synced while Ready stays True (an update that would need a replacement).
	Unsynced string
	// Slow leaves the resource without any status.
	Slow bool
}

type lieKey struct{ bucket, kind string }

// Lie makes a provider misreport one kind of resource of a bucket; the zero Lie ends it.
func (c *Cloud) Lie(bucket, kind string, lie Lie) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lies[lieKey{bucket, kind}] = lie
}

// Seed puts a bucket into the cloud that somebody else made.
func (c *Cloud) Seed(name string, b Bucket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.Created = 1
	c.buckets[name] = &b
}

// Bucket returns a bucket as it is; ok is false where there is none.
func (c *Cloud) Bucket(name string) (b Bucket, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, found := c.buckets[name]; found {
		return *p, true
	}
	return Bucket{}, false
}

// Destroyed lists what was deleted in the cloud.
func (c *Cloud) Destroyed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.destroyed...)
}

// s3Kinds says for every kind how what is asked for gets into a bucket, and how the bucket shows in the status.
var s3Kinds = map[string]struct {
	write func(*Bucket, kube.Object)
	read  func(Bucket) map[string]any
}{
	"Bucket": {
		write: func(b *Bucket, asked kube.Object) {
			// A bucket made with Object Lock has versioning from the start.
			if on, _ := asked.At("objectLockEnabled").(bool); on && b.Versioning == "" {
				b.Versioning = "Enabled"
			}
		},
		read: func(b Bucket) map[string]any {
			out := map[string]any{"objectLockEnabled": b.Versioning == "Enabled"}
			if b.Policy != "" {
				out["policy"] = b.Policy
			}
			return out
		},
	},
	"BucketVersioning": {
		write: func(b *Bucket, asked kube.Object) { b.Versioning = asked.String("versioningConfiguration", "status") },
		read: func(b Bucket) map[string]any {
			return map[string]any{"versioningConfiguration": map[string]any{"status": b.Versioning}}
		},
	},
	"BucketObjectLockConfiguration": {
		write: func(b *Bucket, asked kube.Object) {
			b.LockMode = asked.String("rule", "defaultRetention", "mode")
			b.LockDays = float64(asked.Int("rule", "defaultRetention", "days"))
		},
		read: func(b Bucket) map[string]any {
			if b.LockMode == "" {
				return map[string]any{}
			}
			return map[string]any{"rule": map[string]any{"defaultRetention": map[string]any{"mode": b.LockMode, "days": b.LockDays}}}
		},
	},
	"BucketServerSideEncryptionConfiguration": {
		write: func(b *Bucket, asked kube.Object) {
			for _, rule := range asked.Items("rule") {
				b.Encryption = rule.String("applyServerSideEncryptionByDefault", "sseAlgorithm")
			}
		},
		read: func(b Bucket) map[string]any {
			return map[string]any{"rule": []any{map[string]any{"applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": b.Encryption}}}}
		},
	},
	"BucketPublicAccessBlock": {
		write: func(b *Bucket, asked kube.Object) {
			b.PublicAccess = map[string]any{}
			for _, name := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
				b.PublicAccess[name] = asked.At(name)
			}
		},
		read: func(b Bucket) map[string]any {
			out := map[string]any{}
			maps.Copy(out, b.PublicAccess)
			return out
		},
	},
	"BucketOwnershipControls": {
		write: func(b *Bucket, asked kube.Object) { b.Ownership = asked.String("rule", "objectOwnership") },
		read: func(b Bucket) map[string]any {
			return map[string]any{"rule": map[string]any{"objectOwnership": b.Ownership}}
		},
	},
	"BucketPolicy": {
		write: func(b *Bucket, asked kube.Object) { b.Policy = asked.String("policy") },
		read:  func(b Bucket) map[string]any { return map[string]any{"policy": b.Policy} },
	},
	"BucketLifecycleConfiguration": {
		write: func(b *Bucket, asked kube.Object) { b.Lifecycle, _ = asked.At("rule").([]any) },
		read: func(b Bucket) map[string]any {
			if len(b.Lifecycle) == 0 {
				return map[string]any{}
			}
			return map[string]any{"rule": b.Lifecycle}
		},
	},
}

// s3Version is the version of a kind the players watch; all are served without conversion.
func s3Version(group, kind string) string {
	if group == "s3.aws.m.upbound.io" || slices.Contains([]string{"BucketPublicAccessBlock", "BucketPolicy", "BucketLifecycleConfiguration"}, kind) {
		return "v1beta1"
	}
	return "v1beta2"
}

// s3 is provider-aws for one managed resource.
func (c *Cloud) s3(ctx context.Context, o kube.Object) error {
	kind, asked := o.String("kind"), o.Map("spec", "forProvider")
	name := o.String("metadata", "annotations", "crossplane.io/external-name")
	if kind != "Bucket" && asked.String("bucket") != "" {
		name = asked.String("bucket")
	}
	if o.String("metadata", "deletionTimestamp") != "" {
		return c.s3Deleted(ctx, o, name)
	}
	if !slices.Contains(finalizers(o), any(finalizer)) {
		_, err := c.client.Patch(ctx, o.Ref(), "", kube.Object{"metadata": map[string]any{
			"resourceVersion": o.String("metadata", "resourceVersion"), "finalizers": append(finalizers(o), finalizer),
		}})
		return err // The change comes back as an event.
	}

	now, lie, there := c.configure(o, name)
	if lie.Slow {
		return nil
	}
	if !there {
		return c.report(ctx, o, map[string]any{"conditions": []any{
			condition("Ready", "False", "Creating", ""),
			condition("Synced", "False", "ReconcileError", fmt.Sprintf("create failed: async create failed: bucket %s: NoSuchBucket", name)),
		}})
	}
	at := map[string]any{"id": name, "region": asked.String("region")}
	if kind == "Bucket" {
		at["arn"] = "arn:aws:s3:::" + name
	} else {
		at["bucket"] = name
	}
	maps.Copy(at, s3Kinds[kind].read(now))
	if lie.Empty {
		at = map[string]any{}
	}
	synced := condition("Synced", "True", "ReconcileSuccess", "")
	if lie.Unsynced != "" {
		synced = condition("Synced", "False", "ReconcileError", lie.Unsynced)
	}
	return c.report(ctx, o, map[string]any{
		"atProvider": at,
		"conditions": []any{condition("Ready", "True", "Available", ""), synced, condition("LastAsyncOperation", "True", "Success", "")},
	})
}

// configure brings what a managed resource asks for into its bucket, where its policies allow that and its provider
// does not lie, and returns the bucket as it then is.
func (c *Cloud) configure(o kube.Object, name string) (now Bucket, lie Lie, there bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kind := o.String("kind")
	lie = c.lies[lieKey{name, kind}]
	b, there := c.buckets[name]
	if lie == (Lie{}) {
		if !there && kind == "Bucket" && may(o, "Create") {
			b, there = &Bucket{Created: 1}, true
			c.buckets[name] = b
		}
		if there && may(o, "Update") {
			s3Kinds[kind].write(b, o.Map("spec", "forProvider"))
		}
	}
	if there {
		now = *b
	}
	return now, lie, there
}

// s3Deleted is the end of a managed resource: what it managed goes with it where its policies say so.
func (c *Cloud) s3Deleted(ctx context.Context, o kube.Object, bucket string) error {
	if c.deletes(o) && slices.Contains(finalizers(o), any(finalizer)) {
		c.mu.Lock()
		c.destroyed = append(c.destroyed, o.String("kind")+" "+bucket)
		if o.String("kind") == "Bucket" {
			delete(c.buckets, bucket)
		}
		c.mu.Unlock()
	}
	rest := slices.DeleteFunc(finalizers(o), func(f any) bool { return f == finalizer })
	_, err := c.client.Patch(ctx, o.Ref(), "", kube.Object{"metadata": map[string]any{"finalizers": rest}})
	return err
}

// deletes says whether crossplane-runtime would delete the external resource (policies.go, ShouldDelete): a list that
// names Delete wins over deletionPolicy Orphan.
func (c *Cloud) deletes(o kube.Object) bool {
	policies, _ := o.At("spec", "managementPolicies").([]any)
	if slices.Contains(policies, any("Delete")) {
		return true
	}
	all := len(policies) == 0 || slices.Contains(policies, any("*"))
	return all && o.String("spec", "deletionPolicy") != "Orphan"
}

func finalizers(o kube.Object) []any {
	list, _ := o.At("metadata", "finalizers").([]any)
	return slices.Clone(list)
}

// may says whether a managed resource's policies allow an action.
func may(o kube.Object, action string) bool {
	policies, _ := o.At("spec", "managementPolicies").([]any)
	return len(policies) == 0 || slices.Contains(policies, any("*")) || slices.Contains(policies, any(action))
}
