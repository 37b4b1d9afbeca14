package contract

// deletionRules are the family CNPG-4, the three layers of protection against deletion.
var deletionRules = []Rule{
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
}
