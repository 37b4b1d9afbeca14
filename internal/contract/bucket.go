package contract

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/lock"
	"github.com/bizmatters/function-hardened-postgres/internal/schedule"
)

// Layer 3 (CNPG-4.3): the managed resources of provider-aws that make a bucket in which nobody can destroy a backup.
// What protects has to stand in forProvider: initProvider is applied once and never again. What does harm does it there too.

// concerns says whether the bucket behind a document holds, or may hold, an archive. In a set that names its archives
// other buckets are somebody else's, unless they are locked.
func (j *judge) concerns(d *document) bool {
	if j.options.Composed || j.archives == 0 {
		return true
	}
	b := j.bucketNamed(j.bucketOf(d))
	return b.name == "" || len(b.archived) > 0 || len(b.locks) > 0
}

// providers are the places of a managed resource that reach S3.
var providers = []string{"forProvider", "initProvider"}

func (j *judge) refuseBucket(d *document, path, value, message, fix string) {
	if j.concerns(d) {
		j.refuse(d, "CNPG-4.3", path, value, message, fix)
	}
}

func judgeBucket(j *judge, d *document) {
	for _, provider := range providers {
		at, asked := "spec."+provider, sub(d.spec, provider)
		if on, _ := boolean(asked, "forceDestroy"); on {
			j.refuseBucket(d, at+".forceDestroy", "true", "deleting the resource first deletes every object in the bucket", "write forceDestroy: false")
		}
		if on, said := boolean(asked, "objectLockEnabled"); said && !on {
			j.refuseBucket(d, at+".objectLockEnabled", "false", "a bucket made without Object Lock protects nothing", "write objectLockEnabled: true")
		}
	}
}

func judgeVersioning(j *judge, d *document) {
	forProvider := sub(d.spec, "forProvider")
	if status := text(first(forProvider, "versioningConfiguration"), "status"); status != "Enabled" {
		j.refuseBucket(d, firstAt(forProvider, "spec.forProvider", "versioningConfiguration")+".status", status, "without versions an overwritten or deleted backup is gone", "write status: Enabled")
	}
}

// judgeLockConfiguration judges the kind of lock; for how long it must hold follows from the archives and is judged for
// the bucket (ZDL-01).
func judgeLockConfiguration(j *judge, d *document) {
	forProvider := sub(d.spec, "forProvider")
	if on := text(forProvider, "objectLockEnabled"); on != "" && on != "Enabled" {
		j.refuseBucket(d, "spec.forProvider.objectLockEnabled", on, "switches Object Lock off: backups can be deleted", "write objectLockEnabled: Enabled")
	}
	at := firstAt(forProvider, "spec.forProvider", "rule", "defaultRetention")
	retention := first(first(forProvider, "rule"), "defaultRetention")
	if retention == nil {
		j.refuseBucket(d, at, "", "is missing: without a default retention no object is locked", "write defaultRetention: {mode: COMPLIANCE, days: 37}")
		return
	}
	switch mode := text(retention, "mode"); mode {
	case "COMPLIANCE":
	case "GOVERNANCE":
		j.refuseBucket(d, at+".mode", mode, "can be bypassed by whoever has the permission to, which is the first thing an attacker takes", "write mode: COMPLIANCE")
	default:
		j.refuseBucket(d, at+".mode", mode, "is not a mode S3 knows: no lock would be set", "write mode: COMPLIANCE")
	}
	if _, ok := lockDays(retention); !ok {
		j.refuseBucket(d, at+".days", written(retention["days"]), "no period is given: no object is locked", "write days: 37")
	}
}

// lockDays reads a default retention's period. S3 counts a year as 365 days.
func lockDays(retention node) (int64, bool) {
	if days, ok := integer(retention, "days"); ok && days > 0 {
		return days, true
	}
	if years, ok := integer(retention, "years"); ok && years > 0 {
		return years * 365, true
	}
	return 0, false
}

func judgeEncryption(j *judge, d *document) {
	found := false
	eachMap(sub(d.spec, "forProvider"), "rule", "spec.forProvider", func(rule node, at string) {
		found = true
		switch algorithm := text(first(rule, "applyServerSideEncryptionByDefault"), "sseAlgorithm"); algorithm {
		case "AES256", "aws:kms", "aws:kms:dsse":
		default:
			j.refuseBucket(d, firstAt(rule, at, "applyServerSideEncryptionByDefault")+".sseAlgorithm", algorithm, "is not an encryption S3 knows: backups would lie in the open on its disks", "write sseAlgorithm: AES256, or aws:kms with a key")
		}
	})
	if !found {
		j.refuseBucket(d, "spec.forProvider.rule", "", "is missing: nothing says how backups are encrypted", "write a rule with sseAlgorithm: AES256")
	}
}

func judgePublicAccess(j *judge, d *document) {
	for _, name := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
		if on, _ := boolean(sub(d.spec, "forProvider"), name); !on {
			j.refuseBucket(d, "spec.forProvider."+name, written(sub(d.spec, "forProvider")[name]), "backups could be made readable for everybody", "write "+name+": true")
		}
	}
}

func judgeOwnership(j *judge, d *document) {
	forProvider := sub(d.spec, "forProvider")
	if owner := text(first(forProvider, "rule"), "objectOwnership"); owner != "BucketOwnerEnforced" {
		j.refuseBucket(d, firstAt(forProvider, "spec.forProvider", "rule")+".objectOwnership", owner, "objects may belong to, and be opened by, another account", "write objectOwnership: BucketOwnerEnforced")
	}
}

func judgeACL(j *judge, d *document) {
	for _, provider := range providers {
		switch acl := text(sub(d.spec, provider), "acl"); acl {
		case "public-read", "public-read-write", "authenticated-read":
			j.refuseBucket(d, "spec."+provider+".acl", acl, "makes backups readable for everybody", "remove the BucketACL")
		}
		eachMap(sub(d.spec, provider), "accessControlPolicy", "spec."+provider, func(policy node, at string) {
			eachMap(policy, "grant", at, func(grant node, at string) {
				switch _, group, _ := strings.Cut(text(first(grant, "grantee"), "uri"), "/groups/global/"); group {
				case "AllUsers", "AuthenticatedUsers":
					j.refuseBucket(d, firstAt(grant, at, "grantee")+".uri", group, "grants everybody "+text(grant, "permission")+" on the backups", "remove the BucketACL")
				}
			})
		})
	}
}

// needed are the managed resources that together protect a bucket, in the order they are missed.
var needed = []struct {
	kind    kind
	name    string
	without string
}{
	{bucketVersioning, "BucketVersioning", "an overwritten or deleted backup is gone"},
	{bucketLock, "BucketObjectLockConfiguration", "every backup can be deleted"},
	{bucketEncryption, "BucketServerSideEncryptionConfiguration", "nothing keeps the encryption from being changed"},
	{bucketPublicAccess, "BucketPublicAccessBlock", "backups could be made readable for everybody"},
	{bucketOwnership, "BucketOwnershipControls", "objects may belong to another account"},
	{bucketPolicy, "BucketPolicy", "keys and backups may travel without TLS, and versions can be deleted as soon as their lock ends"},
}

// judgeBucketComplete: in a complete set every archive lies in a bucket that the set protects, or observes.
func judgeBucketComplete(j *judge, b *bucketState) {
	elsewhere := b.observed && (b.bucket == nil || b.bucket.observed)
	if !j.options.Complete || elsewhere || len(b.archived) == 0 && b.bucket == nil {
		return
	}
	if len(b.sources) == 0 {
		c := b.archived[0]
		j.refuse(c.archive.document, "CNPG-4.3", c.archive.at+".destinationPath", text(c.archive.configuration, "destinationPath"), "nothing in this set locks the bucket: whoever holds its keys can delete every backup",
			"add the managed resources of the bucket, or observe them")
		return
	}
	for _, n := range needed {
		if b.has[n.kind] {
			continue
		}
		d := b.sources[0]
		if b.bucket != nil {
			d = b.bucket
		}
		if i := slices.IndexFunc(b.sources, func(d *document) bool { return d.kind == n.kind }); i >= 0 {
			j.refuseBucket(b.sources[i], "spec.managementPolicies", "Observe", "only looks, at a bucket that is made here: "+n.without, fixPolicies)
			continue
		}
		j.refuseBucket(d, "", "", "the bucket has no "+n.name+": "+n.without, "add the "+n.name)
	}
}

// judgeLockTerms: every object a recovery inside the window needs is still locked then (ZDL-01).
func judgeLockTerms(j *judge, b *bucketState) {
	for _, d := range b.locks {
		if !d.observed && j.concerns(d) {
			j.judgeLockTerm(b, d)
		}
	}
}

// judgeLockTerm judges one of the locks of a bucket: of two, either may be in force.
func (j *judge) judgeLockTerm(b *bucketState, d *document) {
	forProvider := sub(d.spec, "forProvider")
	days, ok := lockDays(first(first(forProvider, "rule"), "defaultRetention"))
	if !ok {
		return // Already refused.
	}
	retention, gap := j.options.RetentionDays, time.Duration(0)
	for _, c := range b.archived {
		if asked, ok := retentionDays(c.archive.retention); ok {
			retention = max(retention, asked)
		}
		gap = max(gap, j.gapOf(c))
	}
	if gap == 0 {
		gap = MaxBackupGap
	}
	least := lock.MinDays(retention, gap)
	refuse := func(message string, fix string) {
		at := firstAt(forProvider, "spec.forProvider", "rule", "defaultRetention") + ".days"
		j.refuse(d, "ZDL-01", at, strconv.FormatInt(days, 10), message, fix)
	}
	switch most := j.options.MaxLockDays; {
	case days < least:
		refuse(lockTooShort(retention, least), orMore(least))
	case days < j.options.LockDays:
		refuse("is less than the policy's "+strconv.FormatInt(j.options.LockDays, 10), orMore(j.options.LockDays))
	case most > 0 && days > most:
		refuse(lockTooLong(most), orLess(most))
	}
}

// gapOf is the largest gap of a Cluster's base backups, 0 where the set does not tell. A gap that is refused by itself
// (CNPG-3.1) counts as the contract's, so that one mistake is told once.
func (j *judge) gapOf(c *cluster) time.Duration {
	least := time.Duration(0)
	for _, d := range c.schedules {
		if text(d.spec, "method") == methodSnapshot {
			continue
		}
		if s, err := schedule.ParseCNPG(text(d.spec, "schedule")); err == nil && (least == 0 || s.MaxGap() < least) {
			least = s.MaxGap()
		}
	}
	return min(least, MaxBackupGap)
}

// lockDaysOf is for how long the bucket of a Cluster locks what is written to it, 0 where the set does not tell.
func (j *judge) lockDaysOf(c *cluster) int64 {
	if c == nil || c.archive.bucket == "" {
		return j.options.LockDays
	}
	for _, d := range j.bucketNamed(c.archive.bucket).locks {
		if days, ok := lockDays(first(first(sub(d.spec, "forProvider"), "rule"), "defaultRetention")); ok {
			return days
		}
	}
	return j.options.LockDays
}
