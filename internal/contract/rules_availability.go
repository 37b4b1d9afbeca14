package contract

// availabilityRules are the family CNPG-1, high availability: what survives the loss of an instance, a node or a zone.
var availabilityRules = []Rule{
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
	{ID: "CNPG-1.4", Severity: Exposure, Title: "Automatic failover", Promise: "A failed primary is replaced without a person: aimed at 30 seconds after a pod failure.",
		Why:       "A supervised or delayed failover waits for somebody to wake up; a switchover for an update has an open race that loses acknowledged commits (cloudnative-pg#11114).",
		Fix:       "primaryUpdateStrategy: unsupervised, primaryUpdateMethod: restart, failoverDelay: 0, enablePDB: true.",
		Reference: cnpgDocs + "failover/"},
}
