package hardened

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// bucket is layer 3 (CNPG-4.3): a bucket whose objects nobody can destroy before their lock ends. In mode "existing"
// the same resources only observe, so that the lock is verified and never changed.
func (b builder) bucket() []Resource {
	p := b.Policy.Bucket
	if !Managed(b.Policy) {
		return []Resource{
			b.s3("Bucket", Bucket, nil),
			b.s3("BucketVersioning", BucketVersioning, nil),
			b.s3("BucketObjectLockConfiguration", BucketObjectLock, nil),
			b.s3("BucketServerSideEncryptionConfiguration", BucketEncryption, nil),
			b.s3("BucketPublicAccessBlock", BucketPublicAccessBlock, nil),
			b.s3("BucketLifecycleConfiguration", BucketLifecycle, nil),
		}
	}
	encryption := map[string]any{"sseAlgorithm": "AES256"}
	if p.KMSKeyID != "" {
		encryption = map[string]any{"sseAlgorithm": "aws:kms", "kmsMasterKeyId": p.KMSKeyID}
	}
	tags := stringMap(p.Tags)
	tags["claim"] = b.Claim.Namespace + "/" + b.Claim.Name

	return []Resource{
		b.s3("Bucket", Bucket, map[string]any{"objectLockEnabled": true, "forceDestroy": false, "tags": tags}),
		b.s3("BucketVersioning", BucketVersioning, map[string]any{"versioningConfiguration": map[string]any{"status": "Enabled"}}),
		b.s3("BucketObjectLockConfiguration", BucketObjectLock, map[string]any{
			"objectLockEnabled": "Enabled",
			"rule":              map[string]any{"defaultRetention": map[string]any{"mode": "COMPLIANCE", "days": b.Terms.LockDays}},
		}),
		b.s3("BucketServerSideEncryptionConfiguration", BucketEncryption, map[string]any{
			"rule": []any{map[string]any{"applyServerSideEncryptionByDefault": encryption, "bucketKeyEnabled": p.KMSKeyID != ""}},
		}),
		b.s3("BucketPublicAccessBlock", BucketPublicAccessBlock, map[string]any{
			"blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true, "restrictPublicBuckets": true,
		}),
		b.s3("BucketOwnershipControls", BucketOwnership, map[string]any{"rule": map[string]any{"objectOwnership": "BucketOwnerEnforced"}}),
		b.s3("BucketPolicy", BucketPolicy, map[string]any{"policy": bucketPolicy(p.Region, b.Place.Bucket, b.Terms.LockDays, p.Administrators)}),
		b.s3("BucketLifecycleConfiguration", BucketLifecycle, map[string]any{"rule": lifecycle(p.UndoDays)}),
	}
}

// s3 is one managed resource of provider-aws. The shapes of v1beta2 (cluster scope) and v1beta1 (namespaced) are the
// same but for the lifecycle, whose v1beta1 is the only version that never changed.
func (b builder) s3(kind, role string, forProvider map[string]any) Resource {
	policies := keep()
	if forProvider == nil {
		forProvider, policies = map[string]any{}, observe()
	}
	forProvider["region"] = b.Policy.Bucket.Region
	if kind != "Bucket" {
		forProvider["bucket"] = b.Place.Bucket
	}
	metadata := map[string]any{
		"name":        b.Claim.ObjectName(b.Claim.Name, role),
		"labels":      b.labels(),
		"annotations": map[string]any{"crossplane.io/external-name": b.Place.Bucket},
	}
	provider := b.Policy.Providers.AWS
	spec := map[string]any{"forProvider": forProvider, "managementPolicies": policies}
	o := manifest.Object{"kind": kind, "metadata": metadata, "spec": spec}
	if b.Claim.Scope == claim.Namespaced {
		o["apiVersion"] = "s3.aws.m.upbound.io/v1beta1"
		metadata["namespace"] = b.Claim.Namespace
		spec["providerConfigRef"] = map[string]any{"kind": provider.Kind, "name": provider.Name}
		return Resource{Name: role, Stage: Protection, Object: o}
	}
	o["apiVersion"] = "s3.aws.upbound.io/" + clusterVersions[kind]
	spec["deletionPolicy"] = "Orphan"
	spec["providerConfigRef"] = map[string]any{"name": provider.Name}
	return Resource{Name: role, Stage: Protection, Object: o}
}

var clusterVersions = map[string]string{
	"Bucket": "v1beta2", "BucketVersioning": "v1beta2", "BucketObjectLockConfiguration": "v1beta2",
	"BucketServerSideEncryptionConfiguration": "v1beta2", "BucketOwnershipControls": "v1beta2",
	"BucketPublicAccessBlock": "v1beta1", "BucketPolicy": "v1beta1", "BucketLifecycleConfiguration": "v1beta1",
}

// lifecycle clears away what is no longer needed and never touches a current version (ZDL-02): a lifecycle that expires
// current versions can remove the only base backup.
func lifecycle(undoDays int64) []any {
	whole := func() []any { return []any{map[string]any{"prefix": ""}} }
	return []any{
		map[string]any{
			"id": "expire-noncurrent-versions", "status": "Enabled", "filter": whole(),
			"noncurrentVersionExpiration": []any{map[string]any{"noncurrentDays": undoDays}},
		},
		map[string]any{
			"id": "remove-expired-delete-markers", "status": "Enabled", "filter": whole(),
			"expiration": []any{map[string]any{"expiredObjectDeleteMarker": true}},
		},
		map[string]any{
			"id": "abort-incomplete-uploads", "status": "Enabled", "filter": whole(),
			"abortIncompleteMultipartUpload": []any{map[string]any{"daysAfterInitiation": int64(3)}},
		},
	}
}

// partition is the part of AWS a region belongs to; names of resources begin with it.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

type statement struct {
	Sid       string
	Effect    string
	Principal string
	Action    any
	Resource  any
	Condition map[string]map[string]any `json:",omitempty"`
}

// bucketPolicy closes what Object Lock alone leaves open: a bucket's owner may otherwise lower or remove the default
// retention for new objects, and whoever writes may ask for a shorter or an absurdly long lock.
//
// A condition that compares numbers does not match a request that lacks the key: an upload that names no retention, as
// all of barman's, is not denied and gets the bucket's default. Figures are strings, as S3 gives them back, so that the
// provider sees no difference where there is none.
func bucketPolicy(region, bucket string, lockDays int64, administrators []string) string {
	whole := "arn:" + partition(region) + ":s3:::" + bucket
	objects := whole + "/*"
	both := []string{whole, objects}
	deny := func(sid string, action, resource any, condition map[string]map[string]any) statement {
		return statement{Sid: sid, Effect: "Deny", Principal: "*", Action: action, Resource: resource, Condition: condition}
	}
	statements := []statement{
		deny("DenyInsecureTransport", "s3:*", both, map[string]map[string]any{"Bool": {"aws:SecureTransport": "false"}}),
		deny("DenyOldTLS", "s3:*", both, map[string]map[string]any{"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
		deny("DenyDestroyingVersions", []string{"s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutObjectLegalHold"}, objects, nil),
		deny("DenyRetentionByHand", "s3:PutObjectRetention", objects, nil),
		// An upload may name its own retention: nobody locks rubbish for a century.
		deny("DenyAbsurdRetention", "s3:PutObject", objects, map[string]map[string]any{
			"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": strconv.FormatInt(3*lockDays, 10)},
		}),
		deny("DenyShorterRetention", "s3:PutObject", objects, map[string]map[string]any{
			"NumericLessThan": {"s3:object-lock-remaining-retention-days": strconv.FormatInt(lockDays-1, 10)},
		}),
	}
	if len(administrators) > 0 {
		statements = append(statements, deny("DenyLoweringProtection", []string{
			"s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning", "s3:PutLifecycleConfiguration",
			"s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketOwnershipControls",
			"s3:PutEncryptionConfiguration", "s3:DeleteBucket",
		}, whole, map[string]map[string]any{"ArnNotLike": {"aws:PrincipalArn": administrators}}))
	}
	raw, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // Strings, numbers and maps of them: cannot happen.
	}
	return string(raw)
}
