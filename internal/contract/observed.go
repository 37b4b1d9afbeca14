package contract

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
	"github.com/bizmatters/function-hardened-postgres/internal/lock"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// Observed is the world as one call shows it, beside what was asked for.
type Observed struct {
	Asked
	Policy *v1beta1.Policy

	// Cluster is the living Cluster; nil where there is none. ClusterKnown is false while nobody has looked yet.
	Cluster      *world.Cluster
	ClusterKnown bool
	// Living are the Cluster and what archives it as they are written, Repaired as they will be once what this call asks for
	// is applied; nil where no Cluster lives.
	Living, Repaired []manifest.Object
	// StorageClass is the class behind every volume; nil where there is none.
	StorageClass      *world.StorageClass
	StorageClassKnown bool

	Bucket     world.Bucket
	BucketName string
	Keys       world.Secret
	// Window is the recovery window of this incarnation.
	Window world.Window
	// ReachedBackTo is how far back Window reached before base backups went before their time; empty where none has.
	ReachedBackTo string
	// Parted says that WAL goes to another folder than the base backups it belongs to; empty where it does not.
	Parted string
	// ArchiveUnknown is true while nobody has looked yet what the archive holds: Window says nothing then.
	ArchiveUnknown bool
	// Settled tells which composed resources are ready and can be changed, by composition-resource-name.
	Settled map[string]bool
	// Deletable are managed resources of ours that would delete what they manage.
	Deletable []string
	// Unsynced are managed resources of ours that cannot be changed at present, with the provider's reason.
	Unsynced []string
	// Gate is what the gate still waits for; empty once it has opened.
	Gate []string
	// Now is the time of the call; where it is zero, nothing is judged by its age.
	Now time.Time
}

// older and younger compare how long ago a moment was that Kubernetes reports. Where nobody can tell both say no.
func (o Observed) older(moment string, than time.Duration) bool {
	age, known := o.age(moment)
	return known && age > than
}

func (o Observed) younger(moment string, than time.Duration) bool {
	age, known := o.age(moment)
	return known && age <= than
}

func (o Observed) age(moment string) (age time.Duration, known bool) {
	at, err := time.Parse(time.RFC3339, moment)
	return o.Now.Sub(at), err == nil && !o.Now.IsZero()
}

// judgeObserved is one question to the world: findings where the promise is broken, a reason where nobody can tell yet.
type judgeObserved struct {
	rule  string
	judge func(Observed) (found Findings, pending string)
}

// observedRules are the rules whose truth lies in the world, not in what was asked for.
var observedRules = []judgeObserved{
	{"CNPG-1.1", func(o Observed) (Findings, string) {
		if o.Cluster == nil {
			return nil, notAlive
		}
		if o.Cluster.Instances < MinInstances {
			return one("CNPG-1.1", "Cluster", "spec.instances", strconv.FormatInt(o.Cluster.Instances, 10), "the living Cluster has fewer than 3 instances", "remove what scales it"), ""
		}
		if o.Cluster.Ready < o.Cluster.Instances {
			return nil, fmt.Sprintf("%d of %d instances are ready", o.Cluster.Ready, o.Cluster.Instances)
		}
		return nil, ""
	}},
	{"CNPG-1.2", func(o Observed) (Findings, string) {
		c := o.Cluster
		switch {
		case c == nil:
			return nil, notAlive
		case c.DataDurability != "required" || c.SyncNumber < 1:
			return one("CNPG-1.2", "Cluster", "spec.postgresql.synchronous", c.DataDurability, "the living Cluster acknowledges commits that no standby has", "let this function write it: see why the Cluster's Object is not synced"), ""
		case !c.FailoverQuorum:
			return one("CNPG-1.2", "Cluster", "spec.postgresql.synchronous.failoverQuorum", "false", "the living Cluster may promote a standby that lacks acknowledged commits", "let this function write it: see why the Cluster's Object is not synced"), ""
		}
		return nil, ""
	}},
	{"CNPG-1.3", func(o Observed) (Findings, string) {
		switch {
		case o.Cluster == nil:
			return nil, notAlive
		case o.Cluster.AntiAffinity != "required":
			return one("CNPG-1.3", "Cluster", "spec.affinity.podAntiAffinityType", o.Cluster.AntiAffinity, "instances of the living Cluster may share a node", "let this function write it: see why the Cluster's Object is not synced"), ""
		}
		return nil, ""
	}},
	{"CNPG-1.4", func(o Observed) (Findings, string) {
		switch {
		case o.Cluster == nil:
			return nil, notAlive
		case o.Cluster.Follows:
			return one("CNPG-1.4", "Cluster", "spec.replica", "", "the living Cluster follows another one: it takes no writes, and nothing promotes an instance of it", "remove spec.replica"), ""
		case o.Cluster.Ready < 2:
			return nil, "there is no standby to promote"
		}
		return nil, ""
	}},
	{"CNPG-2.1", func(o Observed) (Findings, string) {
		c := o.Cluster
		switch {
		case c == nil:
			return nil, notAlive
		case c.Method == "":
			return one("CNPG-2.1", "Cluster", "spec.plugins", "", "the living Cluster has no archiver: it looks healthy and archives nothing", "let this function write it: see why the Cluster's Object is not synced"), ""
		case c.Unarchived() != "":
			return one("CNPG-2.1", "Cluster", "metadata.annotations", "", "the living Cluster looks healthy and archives nothing: "+c.Unarchived(), "remove the annotation"), ""
		case c.Archiving == "False":
			return one("CNPG-2.1", "Cluster", "status.conditions", "", "WAL is not archived: "+Clip(c.ArchivingMessage, 200), "see the runbook of PostgresArchivingFailing"), ""
		case c.Archiving != "True":
			return nil, "no WAL has been archived yet"
		}
		return nil, ""
	}},
	{"CNPG-2.2", func(o Observed) (Findings, string) {
		for _, w := range o.Repaired {
			for _, at := range [][]string{{"spec", "configuration"}, {"spec", "backup", "barmanObjectStore"}} {
				if is := manifest.String(w, append(at, "endpointURL")...); is != "" && is != o.Policy.Bucket.EndpointURL {
					return one("CNPG-2.2", w.Kind(), strings.Join(at, ".")+".endpointURL", shownURL(is), "is not the policy's: WAL may go to another store than the base backups it belongs to", "remove it; find out who wrote it"), ""
				}
			}
		}
		return nil, ""
	}},
	{"CNPG-3.1", judgeBackups},
	{"CNPG-3.2", func(o Observed) (Findings, string) {
		switch {
		case o.Cluster == nil:
			return nil, notAlive
		case o.ArchiveUnknown:
			return nil, notLookedUp
		case o.Cluster.LastBackup == "True" && o.Window.RecoverableSince == "":
			return one("CNPG-3.2", "archive", "serverRecoveryWindow", "", "a base backup has succeeded and the archive's catalogue shows none: it has not been read yet, or backups were removed or hidden", "see the runbook of PostgresRecoveryWindowShrunk; under the lock nothing is lost, remove the delete markers"), ""
		case o.ReachedBackTo != "" && o.Window.RecoverableSince != "":
			return one("CNPG-3.2", "archive", "serverRecoveryWindow", o.Window.RecoverableSince, "base backups went before their time, removed or hidden: they reached back to "+o.ReachedBackTo, "see the runbook of PostgresRecoveryWindowShrunk; under the lock nothing is lost, remove the delete markers"), ""
		}
		return nil, ""
	}},
	{"CNPG-3.3", func(o Observed) (Findings, string) {
		if o.Keys.Synced {
			return nil, ""
		}
		if o.Cluster != nil && o.Settled["credentials"] {
			return one("CNPG-3.3", "ExternalSecret", "status.conditions", "", "the keys of the bucket are not synced: "+o.Keys.Reason, "repair the secret store; archiving stops when the keys are rotated"), ""
		}
		return nil, "the keys of the bucket are not synced: " + o.Keys.Reason
	}},
	{"CNPG-4.1", func(o Observed) (Findings, string) {
		if len(o.Deletable) > 0 {
			return one("CNPG-4.1", "managed resources", "spec.managementPolicies", strings.Join(o.Deletable, ", "), "would delete what they manage if the claim were deleted now", "remove what overwrites their managementPolicies"), ""
		}
		if len(o.Unsynced) > 0 {
			return nil, "what was last asked for may not be in force: " + strings.Join(o.Unsynced, " ")
		}
		if o.Cluster == nil {
			return nil, notAlive
		}
		return nil, ""
	}},
	{"CNPG-4.2", func(o Observed) (Findings, string) {
		if !o.StorageClassKnown {
			return nil, "the StorageClass has not been looked up yet"
		}
		return JudgeStorageClass(o.Policy.StorageClassName, o.StorageClass), ""
	}},
	{"CNPG-4.3", judgeObservedBucket},
	{"CNPG-5.1", func(o Observed) (Findings, string) {
		if o.Cluster == nil {
			return nil, notAlive
		}
		if o.Policy.Monitoring.PodMonitor != "operator" && !o.Settled["pod-monitor"] {
			return nil, "the PodMonitor is not in place yet"
		}
		return nil, ""
	}},
	{"CNPG-5.2", func(o Observed) (Findings, string) {
		if !o.Settled["prometheus-rule"] {
			return nil, "the PrometheusRule is not in place yet"
		}
		return nil, ""
	}},
	{"ZDL-01", func(o Observed) (Findings, string) {
		if !o.Bucket.LockObserved {
			return nil, "the bucket's lock has not been observed yet"
		}
		least, promised := lock.MinDays(o.RetentionDays, o.Schedule.MaxGap()), o.promisedLock()
		switch {
		case o.Bucket.LockDays < least:
			return one("ZDL-01", "bucket "+o.BucketName, "defaultRetention.days", strconv.FormatInt(o.Bucket.LockDays, 10),
				fmt.Sprintf("the bucket's lock is too short: to recover to the first second of %d days, backups up to %d days old must still be locked", o.RetentionDays, least),
				fmt.Sprintf("set the bucket's default retention to %d days or more; what was written meanwhile keeps the shorter lock", max(least, o.LockDays))), ""
		case o.Bucket.LockDays < promised:
			return one("ZDL-01", "bucket "+o.BucketName, "defaultRetention.days", strconv.FormatInt(o.Bucket.LockDays, 10),
				fmt.Sprintf("the bucket's lock is shorter than the %d days it was asked to hold", promised),
				fmt.Sprintf("set the bucket's default retention to %d days or more, and find out who lowered it; what was written meanwhile keeps the shorter lock", promised)), ""
		case o.older(o.Window.LastBackup, time.Duration(o.Bucket.LockDays)*24*time.Hour):
			return one("ZDL-01", "archive", "lastSuccessfulBackupTime", o.Window.LastBackup,
				fmt.Sprintf("the lock of the newest base backup has run out after %d days: whoever holds the bucket's keys can destroy all that can be recovered", o.Bucket.LockDays),
				"make one now; see the runbook of PostgresBackupTooOld"), ""
		}
		return nil, ""
	}},
	{"ZDL-02", func(o Observed) (Findings, string) {
		switch {
		case o.Bucket.ExpiresCurrent:
			return one("ZDL-02", "bucket "+o.BucketName, "lifecycle", "", "the bucket's lifecycle expires current versions: it can remove the only base backup", "remove every rule that expires by days or date"), ""
		case o.Bucket.Lacks("bucket-lifecycle"):
			return nil, "" // An adopted bucket without rules removes nothing at all.
		case !o.Bucket.LifecycleObserved:
			return nil, "the bucket's lifecycle has not been observed yet"
		}
		return nil, ""
	}},
	{"ZDL-03", func(o Observed) (Findings, string) {
		if len(o.Gate) > 0 {
			return nil, "waiting for " + strings.Join(o.Gate, "; ")
		}
		return nil, ""
	}},
	{"ZDL-05", func(o Observed) (Findings, string) {
		if o.Cluster == nil {
			return nil, notAlive
		}
		if o.Parted != "" {
			return one("ZDL-05", "Cluster", "serverName", "", o.Parted, "find out who wrote it; let this function write it back, and make a base backup at once (docs/runbooks/PostgresBackupTooOld.md)"), ""
		}
		return nil, ""
	}},
	{"ZDL-07", func(o Observed) (Findings, string) {
		if !o.ClusterKnown {
			return nil, "nobody has looked yet whether a Cluster of this name exists"
		}
		return nil, ""
	}},
	{"ZDL-10", func(o Observed) (Findings, string) {
		c := o.Cluster
		switch {
		case c == nil:
			return nil, ""
		case c.Hibernated:
			return one("ZDL-10", "Cluster", "metadata.annotations[cnpg.io/hibernation]", "on", "the database was hibernated by hand: nothing runs and nothing is backed up", "remove the annotation"), ""
		case c.Fenced:
			return one("ZDL-10", "Cluster", "metadata.annotations[cnpg.io/fencedInstances]", "", "instances were fenced by hand: PostgreSQL is stopped there and stays stopped", "remove the annotation"), ""
		case len(c.Bypasses) > 0:
			return one("ZDL-10", "Cluster", "metadata.annotations", strings.Join(c.Bypasses, ", "), "annotations switch protection off on the living Cluster", "remove them"), ""
		}
		return nil, ""
	}},
	{"ZDL-11", func(o Observed) (Findings, string) {
		if o.Cluster == nil {
			return nil, notAlive
		}
		return nil, ""
	}},
}

// judgeBackups: a base backup has succeeded, and the next one never fails to come (CNPG-3.1). When it should have come is
// judged like the alert PostgresBackupTooOld.
func judgeBackups(o Observed) (Findings, string) {
	c, most := o.Cluster, alerts.MaxBackupAge(o.Schedule.MaxGap())
	if c == nil {
		return nil, notAlive
	}
	// While a database sleeps CloudNativePG starts its backups, and fails them. Awake again it waits for the next one.
	woken := !c.Hibernated && strings.Contains(c.LastBackupMessage, "hibernated cluster") && o.younger(c.ReadySince, most)
	last := o.Window.LastBackup
	switch {
	case o.ArchiveUnknown:
		return nil, notLookedUp
	case woken:
		return nil, "the last base backup was due while the database was hibernated; the schedule makes the next one"
	case c.LastBackup == "False" && last == "":
		return one("CNPG-3.1", "Cluster", "status.conditions", "", "no base backup has succeeded: "+Clip(c.LastBackupMessage, 200), "see the runbook of PostgresBackupFailed"), ""
	case c.LastBackup == "False":
		return one("CNPG-3.1", "Cluster", "status.conditions", "", "the newest base backup has failed: "+Clip(c.LastBackupMessage, 200), "see the runbook of PostgresBackupFailed"), ""
	case last == "":
		return nil, "no base backup has been finished yet"
	case o.older(last, most) && o.younger(c.BackingUpSince, most):
		return nil, "the newest base backup is of " + last + "; the next one is running"
	case o.older(last, most):
		return one("CNPG-3.1", "archive", "lastSuccessfulBackupTime", last, "base backups have stopped: there should have been another one since", "see the runbook of PostgresBackupTooOld"), ""
	case !o.Settled["scheduled-backup"]:
		return nil, "the ScheduledBackup is not in place yet"
	}
	return nil, ""
}

const (
	notAlive    = "the database does not exist yet"
	notLookedUp = "the archive has not been looked up yet"
)

// JudgeObserved judges the world. The second result says, by rule, what cannot be told yet.
func JudgeObserved(o Observed) (Findings, map[string]string) {
	var found Findings
	pending := map[string]string{}
	told := map[string]bool{}
	for _, r := range observedRules {
		fs, wait := r.judge(o)
		found = append(found, fs...)
		if wait != "" {
			pending[r.rule] = wait
		}
		told[r.rule] = len(fs) > 0
	}
	written := judgeWritten(o.Living, o.Policy)
	var stays Findings
	if len(written) > 0 {
		stays = judgeWritten(o.Repaired, o.Policy)
	}
	for _, f := range written {
		switch {
		case told[f.Rule]:
		case slices.Contains(stays, f):
			found = append(found, f)
		case pending[f.Rule] == "":
			pending[f.Rule] = fmt.Sprintf("%s: %s: %s; it is being put right", f.Object, f.Path, f.Message)
		}
	}
	return found, pending
}

// judgeWritten holds what lives against the rules for manifests: what this function does not write, others may have
// written beside it, with kubectl or with a second tool.
func judgeWritten(set []manifest.Object, p *v1beta1.Policy) Findings {
	if len(set) == 0 {
		return nil
	}
	options := OptionsFor(p)
	options.Complete, options.Composed = false, false
	return slices.DeleteFunc(JudgeManifests(set, options), func(f Finding) bool {
		// How it was made is a fact, and told beside the set; which annotations switch protection off is judged above, because
		// the operator and its kubectl plugin leave others.
		return f.Waiver != "" || f.Rule == "ZDL-10" || strings.HasPrefix(f.Path, "spec.bootstrap") || strings.HasPrefix(f.Path, "spec.externalClusters")
	})
}

// Wait is one thing a gate waits for: a sentence, and the composed resource that has to bring it about.
type Wait struct{ On, Text string }

// JudgeBucketInForce says what keeps the bucket from protecting anything yet: the part of CNPG-4.3 and ZDL-01 that the
// gate (ZDL-03) waits for. Each sentence says what is missing and where to look.
func JudgeBucketInForce(o Observed, waivers Waivers) []Wait {
	b := o.Bucket
	var wait []Wait
	at := "bucket " + o.BucketName
	waitFor := func(on, format string, args ...any) { wait = append(wait, Wait{on, fmt.Sprintf(format, args...)}) }
	adopted := o.Policy.Bucket.Mode == "existing"
	switch {
	case b.Lacks("bucket"):
		waitFor("bucket", "%s to exist", at)
		return wait
	case !b.Observed:
		waitFor("bucket", "%s to be observed", at)
		return wait
	case b.Lacks("bucket-object-lock"):
		waitFor("bucket-object-lock", "%s to lock in COMPLIANCE mode (observed: no Object Lock)", at)
	case !b.LockObserved:
		waitFor("bucket-object-lock", "the Object Lock of %s to be observed", at)
	case b.Mode != "COMPLIANCE":
		waitFor("bucket-object-lock", "%s to lock in COMPLIANCE mode (observed: %s)", at, or(b.Mode, "no default retention"))
	case b.LockDays < o.promisedLock():
		waitFor("bucket-object-lock", "%s to lock for %d days (observed: %d)", at, o.promisedLock(), b.LockDays)
	}
	if b.Versioning != "Enabled" {
		waitFor("bucket-versioning", "versioning of %s to be Enabled (observed: %s)", at, or(b.Versioning, "nothing yet"))
	}
	if _, waived := waivers["CNPG-4.3"]; !adopted || waived {
		return wait
	}
	switch {
	case b.Lacks("bucket-encryption"):
		waitFor("bucket-encryption", "%s to have a default encryption (observed: none)", at)
	case b.Encryption == "":
		waitFor("bucket-encryption", "the default encryption of %s to be observed", at)
	}
	switch {
	case b.Lacks("bucket-public-access-block"):
		waitFor("bucket-public-access-block", "%s to have a public access block (observed: none)", at)
	case len(b.Opened) > 0:
		waitFor("bucket-public-access-block", "the public access block of %s to be closed (observed off: %s)", at, strings.Join(b.Opened, ", "))
	case !b.PublicAccessBlocked:
		waitFor("bucket-public-access-block", "the public access block of %s to be observed with all four switches on", at)
	}
	return wait
}

// promisedLock is for how many days the bucket has to lock: what the contract needs, or the claim asks for, and in a bucket
// of our own what we asked for ourselves.
func (o Observed) promisedLock() int64 {
	promised := lock.MinDays(o.RetentionDays, o.Schedule.MaxGap())
	if o.Policy.Bucket.Mode != "existing" {
		promised = max(promised, o.LockDays)
	}
	if o.Spec.Backup != nil {
		promised = max(promised, o.Spec.Backup.LockDays)
	}
	return promised
}

func judgeObservedBucket(o Observed) (Findings, string) {
	b := o.Bucket
	object := "bucket " + o.BucketName
	switch {
	case b.Lacks("bucket"):
		return one("CNPG-4.3", object, "name", o.BucketName, "the bucket to adopt does not exist", "make it, with Object Lock from the start, or correct bucket.name, bucket.region or bucket.endpointURL in the platform's policy"), ""
	case !b.Observed:
		return nil, object + " has not been observed yet"
	case b.Lacks("bucket-object-lock"):
		return one("CNPG-4.3", object, "objectLock", "", "the bucket has no Object Lock: whoever holds its keys can destroy backups", "give it a default retention in COMPLIANCE mode; a store that cannot do so to a bucket that exists needs another bucket"), ""
	case b.LockObserved && b.Mode != "COMPLIANCE":
		return one("CNPG-4.3", object, "defaultRetention.mode", b.Mode, "the bucket does not lock in COMPLIANCE mode: whoever holds the account can destroy backups", "set the default retention to COMPLIANCE; find out who changed it"), ""
	case b.Lacks("bucket-versioning") || b.Versioning != "" && b.Versioning != "Enabled":
		return one("CNPG-4.3", object, "versioning", b.Versioning, "versioning is not enabled: an overwritten backup is gone", "enable versioning; find out who changed it"), ""
	case len(b.Opened) > 0:
		return one("CNPG-4.3", object, "publicAccessBlock", strings.Join(b.Opened, ", "), "the bucket's public access block is not closed: backups can be made readable for everybody", "switch on what is named; find out who changed it"), ""
	case b.Lacks("bucket-public-access-block"):
		return one("CNPG-4.3", object, "publicAccessBlock", "", "the bucket has no public access block: backups can be made readable for everybody", "give it one with all four switches on"), ""
	case b.Lacks("bucket-encryption"):
		return one("CNPG-4.3", object, "encryption", "", "the bucket has no default encryption: backups lie readable on the store's disks", "give it one, AES256 is enough"), ""
	case !b.LockObserved || b.Versioning == "":
		return nil, "lock and versioning of " + object + " have not been observed yet"
	case b.Encryption == "" || !b.PublicAccessBlocked:
		return nil, "encryption and public access block of " + object + " have not been observed yet"
	case o.Policy.Bucket.Mode != "existing" && !b.Policy:
		return nil, "the bucket policy of " + object + " has not been observed yet"
	case o.Policy.Bucket.Mode != "existing" && len(o.Policy.Bucket.Administrators) == 0:
		return Findings{{Rule: "CNPG-4.3", Object: object, Path: "policy", Message: "anybody with s3:PutBucketObjectLockConfiguration on the account can lower the lock for new backups",
			Fix: "name provider-aws' identity in the policy's bucket.administrators", Waiver: "the platform's policy names no administrators"}}, ""
	}
	return nil, ""
}

// unencrypted are provisioners whose disks are only encrypted where the class says so: EBS, in EKS Auto Mode, and by its
// old name. The disks of Google and Azure always are; other stores encrypt below the class or have their own words for it.
var unencrypted = []string{"ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com", "kubernetes.io/aws-ebs"}

// JudgeStorageClass judges layer 2 as it really is (CNPG-4.2). A nil class does not exist.
func JudgeStorageClass(name string, s *world.StorageClass) Findings {
	object := "StorageClass " + name
	if s == nil {
		return Findings{{Rule: "CNPG-4.2", Object: object, Message: "does not exist: no volume can be made, and nothing says that a volume outlives its database",
			Fix: fmt.Sprintf(`apply {apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: %s}, provisioner: ebs.csi.aws.com, parameters: {type: gp3, encrypted: "true"}, reclaimPolicy: Retain, volumeBindingMode: WaitForFirstConsumer, allowVolumeExpansion: true} with your cloud's provisioner (apis/storageclasses has AWS, GCP and Azure)`, name)}}
	}
	var found Findings
	refuse := func(path, value, message, fix string) {
		found = append(found, Finding{Rule: "CNPG-4.2", Object: object, Path: path, Value: value, Message: message, Fix: fix})
	}
	if s.ReclaimPolicy != "Retain" {
		refuse("reclaimPolicy", or(s.ReclaimPolicy, "Delete"), "the cloud deletes the disk as soon as its claim goes", "a class cannot be changed: delete it and apply one with reclaimPolicy: Retain; existing volumes keep the policy they were made with, patch their PersistentVolumes")
	}
	if s.BindingMode != "WaitForFirstConsumer" {
		refuse("volumeBindingMode", or(s.BindingMode, "Immediate"), "disks are made in any zone before the pods are placed: instances may then not fit on different nodes", "delete the class and apply one with volumeBindingMode: WaitForFirstConsumer")
	}
	if !s.Expandable {
		refuse("allowVolumeExpansion", "false", "a full volume stops the database and cannot grow", "set allowVolumeExpansion: true")
	}
	for i, option := range s.MountOptions {
		for one := range strings.SplitSeq(option, ",") {
			if one == "nobarrier" || one == "barrier=0" || one == "barrier=off" {
				refuse(index("mountOptions", i), option, "the file system no longer makes the disk write through: what PostgreSQL has forced to disk is lost with the power", "delete the class and apply one without it")
			}
		}
	}
	if slices.Contains(unencrypted, s.Provisioner) && !slices.Contains([]string{"true", "True", "1"}, s.Parameters["encrypted"]) {
		refuse("parameters.encrypted", s.Parameters["encrypted"], "disks that outlive their database are not encrypted", `delete the class and apply one with encrypted: "true"`)
	}
	return found
}

func one(rule, object, path, value, message, fix string) Findings {
	return Findings{{Rule: rule, Object: object, Path: path, Value: value, Message: message, Fix: fix}}
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
