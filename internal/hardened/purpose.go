package hardened

import "slices"

// purposes tells people what each composed resource is for. What comes into being earlier stands earlier: its Stage.
var purposes = []struct{ name, purpose string }{
	{Bucket, "holds base backups and WAL [CNPG-2.2, CNPG-4.3]"},
	{BucketVersioning, "an overwritten object leaves its old version [CNPG-4.3]"},
	{BucketObjectLock, "nobody destroys a version before its lock ends [CNPG-4.3, ZDL-01]"},
	{BucketEncryption, "encrypts at rest [CNPG-4.3]"},
	{BucketPublicAccessBlock, "nothing becomes public by accident [CNPG-4.3]"},
	{BucketOwnership, "ACLs of writers have no effect [CNPG-4.3]"},
	{BucketPolicy, "TLS only; nobody deletes versions, shortens retention or lowers the lock [CNPG-4.3]"},
	{BucketLifecycle, "clears away noncurrent versions, never current ones [ZDL-02]"},
	{Credentials, "fetches the bucket's keys from the secret store [CNPG-3.3]"},
	{SourceCredentials, "fetches the keys to the archive it was restored from [CNPG-2.4, CNPG-3.3]"},
	{ObjectStore, "tells the barman-cloud plugin where to archive [CNPG-2.1, CNPG-2.3, CNPG-3.2]"},
	{SourceObjectStore, "describes the archive it was restored from, to be read only [CNPG-2.4]"},
	{CustomQueries, "lets the database report what weakens it from inside [CNPG-5.2, ZDL-15]"},
	{Cluster, "synchronous instances, each on a node of its own [CNPG-1.1 to CNPG-1.4, CNPG-4.2, ZDL-11]"},
	{ConnectionAccount, "the account that copies the application's login [ZDL-12]"},
	{ConnectionAccess, "lets that account read Secrets of its namespace [ZDL-12]"},
	{ConnectionStore, "makes the namespace's Secrets readable for External Secrets [ZDL-12]"},
	{ConnectionSecret, "the Secret applications connect with [ZDL-12]"},
	{AliasService, "the stable name applications connect to [CNPG-2.4]"},
	{AliasSecret, "the Secret applications connect with, under the stable name [CNPG-2.4, ZDL-12]"},
	{PublisherGenerator, "makes the replication's password inside the cluster [ZDL-12]"},
	{PublisherPassword, "keeps the replication's password [ZDL-12]"},
	{PublisherRole, "lets this database read the one it follows [CNPG-2.4]"},
	{Publication, "has the source publish its rows [CNPG-2.4]"},
	{Subscription, "has the rows of the source flow in [CNPG-2.4]"},
	{PodMonitor, "has every instance scraped [CNPG-5.1]"},
	{PrometheusRule, "makes silent failures loud [CNPG-5.2]"},
	{Dashboard, "shows the contract at a glance [CNPG-5.2]"},
	{ScheduledBackup, "base backups by the schedule, the first at once [CNPG-3.1]"},
	{ClaimPresence, "goes with the claim, so that a database without one is noticed [CNPG-5.2]"},
}

// Purpose says what a composed resource is for and which rules it serves.
func Purpose(name string) string {
	if i := place(name); i < len(purposes) {
		return purposes[i].purpose
	}
	return "is not known to this version"
}

// Compare orders composed resources for people; those it does not know come last, by name.
func Compare(a, b string) int {
	if pa, pb := place(a), place(b); pa != pb {
		return pa - pb
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func place(name string) int {
	i := slices.IndexFunc(purposes, func(p struct{ name, purpose string }) bool { return p.name == name })
	if i < 0 {
		return len(purposes)
	}
	return i
}
