package contract

// archiveRules are the family CNPG-2, continuous archiving: every WAL file leaves the cluster, and can be read back.
var archiveRules = []Rule{
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
}
