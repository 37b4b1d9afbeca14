package contract

// Severity says what breaking a rule does.
type Severity string

// The severities, worst first.
const (
	// Loss: acknowledged data can be lost.
	Loss Severity = "loss"
	// Exposure: nothing is lost yet, but a layer of protection is missing or a failure goes unnoticed.
	Exposure Severity = "exposure"
	// Input: the document cannot be understood or applied.
	Input Severity = "input"
)

// Rule is one rule of the zero-data-loss contract.
type Rule struct {
	// ID is public API: it appears in refusals, status, reports and docs, and never changes its meaning.
	ID string `json:"id"`
	// Title in a few words.
	Title string `json:"title"`
	// Promise is what the user may rely on.
	Promise string `json:"promise"`
	// Why is the loss the rule prevents.
	Why string `json:"why"`
	// Fix says how to get back to it.
	Fix      string   `json:"fix"`
	Severity Severity `json:"severity"`
	// Reference is where the underlying fact is documented upstream; empty where the rule is nobody's but ours.
	Reference string `json:"reference,omitempty"`
	// Unwaivable rules hold whatever the policy says (ZDL-14).
	Unwaivable bool `json:"unwaivable,omitempty"`
}

const (
	cnpgDocs = "https://cloudnative-pg.io/documentation/1.30/"
	s3Docs   = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/"
	xpDocs   = "https://docs.crossplane.io/latest/"
)

// catalogue is the contract, in the order it is told.
var catalogue = []Rule{
	{ID: "CNPG-1.1", Severity: Loss, Title: "Three instances", Promise: "One primary and at least two standbys run at all times.",
		Why:       "With two instances, losing one leaves either a database that cannot confirm a commit anywhere else or one that must stop writing.",
		Fix:       "Leave instances out or write 3 or more; never scale below 3.",
		Reference: cnpgDocs + "architecture/"},
	{ID: "CNPG-1.2", Severity: Loss, Title: "Synchronous replication", Promise: "A commit is on a standby's disk before the application is told that it succeeded.",
		Why:       "An asynchronous or self-relaxing commit exists on one disk only; when that disk goes, so does a commit the application was told is safe. Without failoverQuorum a standby that lacks it may be promoted.",
		Fix:       "postgresql.synchronous {method: any, number: 1, dataDurability: required, failoverQuorum: true} and synchronous_commit on or remote_apply.",
		Reference: cnpgDocs + "replication/#synchronous-replication"},
	{ID: "CNPG-1.3", Severity: Loss, Title: "Instances on different nodes", Promise: "No two instances of a database share a node.",
		Why:       "CloudNativePG's default only prefers different nodes; primary and synchronous standby on one node are lost together.",
		Fix:       "affinity {enablePodAntiAffinity: true, podAntiAffinityType: required, topologyKey: kubernetes.io/hostname}.",
		Reference: cnpgDocs + "scheduling/"},
	{ID: "CNPG-1.4", Severity: Exposure, Title: "Automatic failover", Promise: "A failed primary is replaced without a person, within 30 seconds of a pod failure.",
		Why:       "A supervised or delayed failover waits for somebody to wake up; a switchover for an update has an open race that loses acknowledged commits (cloudnative-pg#11114).",
		Fix:       "primaryUpdateStrategy: unsupervised, primaryUpdateMethod: restart, failoverDelay: 0, enablePDB: true.",
		Reference: cnpgDocs + "failover/"},
	{ID: "CNPG-2.1", Severity: Loss, Title: "Continuous WAL archiving", Promise: "Every WAL file reaches an object store, through exactly one archiver with explicit names.",
		Why:       "A Cluster without an archiver looks perfectly healthy and cannot be recovered to any moment after its last backup; two archivers or defaulted names overwrite each other.",
		Fix:       "One plugins[] entry barman-cloud.cloudnative-pg.io with isWALArchiver: true, barmanObjectName and serverName.",
		Reference: "https://cloudnative-pg.io/plugin-barman-cloud/docs/usage/"},
	{ID: "CNPG-2.2", Severity: Loss, Title: "S3-compatible archive", Promise: "The archive lies in an S3-compatible bucket reached over TLS.",
		Why:       "Object Lock, which makes backups indestructible, exists in S3 only; without TLS keys and data can be read on the way.",
		Fix:       "destinationPath: s3://<bucket>/<path>; endpointURL with https:// and only for stores other than AWS.",
		Reference: "https://cloudnative-pg.io/plugin-barman-cloud/docs/object_stores/"},
	{ID: "CNPG-2.3", Severity: Exposure, Title: "Compressed WAL", Promise: "WAL and base backups are compressed.",
		Why:       "Uncompressed WAL uploads take longer than they need to: what has not been uploaded is what a lost cluster loses, and every byte is locked for weeks.",
		Fix:       "wal.compression: gzip and data.compression: gzip.",
		Reference: "https://cloudnative-pg.io/plugin-barman-cloud/docs/compression/"},
	{ID: "CNPG-2.4", Severity: Loss, Title: "Recovery into a new cluster", Promise: "Any second of the recovery window can be restored as a new cluster that never touches its source.",
		Why:       "A recovery whose source is named implicitly restores the wrong archive, or archives over the one it came from.",
		Fix:       "bootstrap.recovery with an externalClusters entry that names barmanObjectName and serverName, and an archiver with another serverName.",
		Reference: cnpgDocs + "recovery/"},
	{ID: "CNPG-3.1", Severity: Loss, Title: "Base backup every six hours", Promise: "At most six hours lie between two base backups.",
		Why:       "Recovery replays WAL from the newest base backup; a long gap makes recovery slow and one damaged WAL file costs everything after it. CloudNativePG reads six cron fields, seconds first: five fields fire far too often, and every run is a full backup nobody can delete.",
		Fix:       `Write schedule: "0 0 */6 * * *".`,
		Reference: cnpgDocs + "backup/#scheduled-backups"},
	{ID: "CNPG-3.2", Severity: Loss, Title: "Thirty days of retention", Promise: "Base backups and WAL of at least 30 days are kept.",
		Why:       "Logical damage is often found weeks later; what the retention policy has removed cannot be recovered to.",
		Fix:       "retentionPolicy: 30d or more, on the ObjectStore when the plugin is used (on the Cluster it does nothing then).",
		Reference: "https://cloudnative-pg.io/plugin-barman-cloud/docs/retention/"},
	{ID: "CNPG-3.3", Severity: Exposure, Title: "Keys through External Secrets", Promise: "The bucket's keys come from a secret store and stay when the ExternalSecret goes.",
		Why:       "A key in Git is a key in every clone. A Secret owned by its ExternalSecret disappears with it: archiving stops and the WAL volume fills until the database stops.",
		Fix:       "An ExternalSecret with creationPolicy: Orphan and deletionPolicy: Retain, binding ACCESS_KEY_ID and SECRET_ACCESS_KEY.",
		Reference: "https://external-secrets.io/latest/guides/ownership-deletion-policy/"},
	{ID: "CNPG-4.1", Severity: Loss, Title: "Layer 1: deletion orphans", Promise: "Deleting the claim leaves the database and all it needs running.",
		Why:       "A managed resource that may delete takes the database with it when a file is removed from Git; anything composed without a wrapper is garbage-collected with the composite resource. A list with Delete wins over deletionPolicy: Orphan.",
		Fix:       "managementPolicies without Delete, deletionPolicy: Orphan on cluster-scoped resources, plain objects inside a provider-kubernetes Object.",
		Reference: xpDocs + "managed-resources/managed-resources/#managementpolicies"},
	{ID: "CNPG-4.2", Severity: Loss, Title: "Layer 2: volumes survive", Promise: "Deleting the Cluster or its PVCs leaves the disks.",
		Why:       "Deleting a Cluster deletes its PVCs; with reclaimPolicy Delete the cloud deletes the disks at once.",
		Fix:       "storageClass: postgres-retain on storage, walStorage and every tablespace, and a StorageClass with reclaimPolicy Retain, volumeBindingMode WaitForFirstConsumer, allowVolumeExpansion true.",
		Reference: "https://kubernetes.io/docs/concepts/storage/storage-classes/#reclaim-policy"},
	{ID: "CNPG-4.3", Severity: Loss, Title: "Layer 3: backups cannot be destroyed", Promise: "Nobody, the account's root included, can delete or overwrite a backup before its lock ends.",
		Why:       "Ransomware and stolen keys go for the backups first. GOVERNANCE can be bypassed, versioning alone can be emptied, and a bucket's owner can remove the default retention for new objects unless the bucket policy says no.",
		Fix:       "Versioning, Object Lock in COMPLIANCE mode with a default retention, encryption, public access blocked, ownership enforced, a bucket policy that denies what would lower them; upload checksums on.",
		Reference: s3Docs + "object-lock.html"},
	{ID: "CNPG-5.1", Severity: Exposure, Title: "Metrics are scraped", Promise: "Exactly one PodMonitor scrapes the database.",
		Why:       "Without metrics a stopped archive goes unnoticed until the day it is needed; two scrapes double every figure.",
		Fix:       "A PodMonitor of your own, or monitoring.enablePodMonitor: true; never both.",
		Reference: cnpgDocs + "monitoring/"},
	{ID: "CNPG-5.2", Severity: Exposure, Title: "Silent failures alert", Promise: "Archiving that stalls for five minutes, failed or missing backups and lost protection raise an alert that names its runbook.",
		Why:       "Archiving and backups fail without any visible effect on the application.",
		Fix:       "A PrometheusRule whose alerts use metrics that exist for the backup method in use.",
		Reference: cnpgDocs + "monitoring/"},

	{ID: "ZDL-01", Severity: Loss, Title: "The lock outlives the recovery window", Promise: "Every object a recovery inside the window needs is still locked then.",
		Why:       "Recovering to the window's first second needs a base backup from before it, which may be several failed runs old. A lock as long as the retention has run out on exactly that backup.",
		Fix:       "lock days ≥ retention + ⌈(5 × backup interval + 6 h) / 24 h⌉: 32 for 30 days at six hours.",
		Reference: s3Docs + "object-lock.html"},
	{ID: "ZDL-02", Severity: Loss, Title: "Lifecycle never expires what is current", Promise: "Lifecycle removes noncurrent versions, expired delete markers and aborted uploads only, after a window to undo.",
		Why:       "A lifecycle that expires current versions removes the only base backup of a database whose schedule has stopped.",
		Fix:       "Only noncurrentVersionExpiration, expiredObjectDeleteMarker and abortIncompleteMultipartUpload.",
		Reference: s3Docs + "intro-lifecycle-rules.html"},
	{ID: "ZDL-03", Severity: Loss, Unwaivable: true, Title: "The gate opens one way", Promise: "No database starts before its protection is observed in force, and none is let go of afterwards.",
		Why:       "Objects written before the default retention exists are never locked; a database that started without keys archives nothing.",
		Fix:       "Wait; the claim says what for.",
		Reference: s3Docs + "object-lock-configure.html"},
	{ID: "ZDL-04", Severity: Loss, Unwaivable: true, Title: "A doubt removes nothing", Promise: "Whatever was observed is emitted again, or the call fails and nothing changes.",
		Why:       "Crossplane deletes composed resources that a function leaves out.",
		Fix:       "Repair what the message names; nothing has been changed.",
		Reference: xpDocs + "composition/compositions/"},
	{ID: "ZDL-05", Severity: Loss, Title: "One archive folder per incarnation", Promise: "No two incarnations of a database ever write into the same folder of the archive.",
		Why:       "Two timelines in one folder overwrite each other's WAL, and neither can be recovered.",
		Fix:       "A serverName of its own for every recovered or upgraded cluster.",
		Reference: cnpgDocs + "recovery/"},
	{ID: "ZDL-06", Severity: Loss, Title: "Names follow from the claim", Promise: "Everything is named after the claim's namespace and name, without collisions, within every limit.",
		Why:       "A name that depends on a generated name or UID loses its database when the claim is committed again; two claims with one name share an archive.",
		Fix:       "A claim name of up to 50 lower-case letters, digits and hyphens that starts with a letter.",
		Reference: "https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"},
	{ID: "ZDL-07", Severity: Loss, Title: "Only what is ours is adopted", Promise: "A claim committed again finds its own database; somebody else's object of that name is left alone.",
		Why:       "Server-side apply would silently take over and reconfigure a foreign database.",
		Fix:       "Choose another name, or put our labels on the object if it really is this claim's.",
		Reference: "https://kubernetes.io/docs/reference/using-api/server-side-apply/"},
	{ID: "ZDL-08", Severity: Loss, Title: "Frozen on a live database", Promise: "Bootstrap, archive location, storage class and major never change under a running database; volumes only grow.",
		Why:       "CloudNativePG accepts and ignores some of these edits and acts on others: either the file lies, or the archive splits in two.",
		Fix:       "Put the old value back; commit a new claim to recover or upgrade into.",
		Reference: cnpgDocs + "cluster_conf/"},
	{ID: "ZDL-09", Severity: Loss, Title: "Durability settings stay on", Promise: "No PostgreSQL setting lowers durability or stops archiving.",
		Why:       "fsync, full_page_writes, synchronous_commit or archive_library quietly undo everything else; CloudNativePG compares names case-sensitively and lets FSYNC pass.",
		Fix:       "Remove the setting.",
		Reference: "https://www.postgresql.org/docs/current/runtime-config-wal.html"},
	{ID: "ZDL-10", Severity: Loss, Title: "No switch-off annotations", Promise: "No annotation or label disables validation, archiving, failover or reconciliation.",
		Why:       "cnpg.io/skipWalArchiving and its relatives turn protection off without touching the spec.",
		Fix:       "Remove the annotation.",
		Reference: cnpgDocs + "labels_annotations/"},
	{ID: "ZDL-11", Severity: Loss, Title: "Checksums and a pinned image", Promise: "Damaged pages are detected, and the PostgreSQL that runs is the one that was chosen.",
		Why:       "Without checksums a broken page is replicated and backed up for weeks; an unpinned image changes its major with the operator.",
		Fix:       "initdb.dataChecksums: true; an imageName with a tag of a known major, best with a digest.",
		Reference: cnpgDocs + "image_catalog/"},
	{ID: "ZDL-12", Severity: Exposure, Unwaivable: true, Title: "No secret material", Promise: "No key or password appears in Git, manifests, status, results or logs.",
		Why:       "Whoever holds the bucket's or the owner's credentials needs no exploit.",
		Fix:       "Reference the secret store; rotate what was exposed.",
		Reference: "https://external-secrets.io/latest/"},
	{ID: "ZDL-13", Severity: Exposure, Title: "Deterministic", Promise: "The same request gives the same bytes.",
		Why:       "Output that changes by itself makes Crossplane reconcile without end, until its circuit breaker stops looking after the database.",
		Fix:       "Report it: two renders of the same request differ.",
		Reference: xpDocs + "composition/compositions/"},
	{ID: "ZDL-14", Severity: Loss, Unwaivable: true, Title: "Relaxations are the platform's, and reported", Promise: "A claim can ask for more safety, never for less; every waiver has a reason and is shown.",
		Why: "A protection that any pull request can switch off protects nothing.",
		Fix: "Write the policy's value or a stronger one; relaxations go into the policy with a reason."},
	{ID: "ZDL-15", Severity: Exposure, Title: "What zero data loss means", Promise: "Acknowledged commits survive the loss of any single instance, node or zone, operator error, a stolen S3 key and ransomware.",
		Why:       "No system survives everything: losing the primary's volume and all synchronous standbys at once before the upload, and roles that set synchronous_commit themselves, are not covered.",
		Fix:       "Read docs/limits.md; spread nodes over three zones.",
		Reference: cnpgDocs + "replication/"},

	{ID: "API-1", Severity: Input, Unwaivable: true, Title: "The claim can be read", Promise: "A claim is understood completely or refused.",
		Why:       "A misspelt field that is silently ignored is a protection that was never on.",
		Fix:       "Correct the field the message names.",
		Reference: "https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation"},
	{ID: "API-2", Severity: Input, Unwaivable: true, Title: "The policy can be read", Promise: "A policy is understood completely or refused.",
		Why:       "Crossplane neither validates nor defaults a function's input.",
		Fix:       "Correct the field the message names.",
		Reference: xpDocs + "composition/compositions/"},
}

// Rules returns the catalogue.
func Rules() []Rule { return catalogue }

// RuleByID returns one rule.
func RuleByID(id string) (Rule, bool) {
	r, ok := byID[id]
	return r, ok
}

var byID = func() map[string]Rule {
	m := make(map[string]Rule, len(catalogue))
	for _, r := range catalogue {
		m[r.ID] = r
	}
	return m
}()
