package contract

// backupRules are the family CNPG-3, base backups: how often, for how long, and with whose keys.
var backupRules = []Rule{
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
}
