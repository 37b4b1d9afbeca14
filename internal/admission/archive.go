package admission

import "fmt"

// days is what barman makes of a retention: weeks have 7 days, months 31.
const days = "%[1]s.matches('^[1-9][0-9]{0,5}[dwm]$') && int(%[1]s.replace('d', '').replace('w', '').replace('m', '')) * (%[1]s.endsWith('d') ? 1 : %[1]s.endsWith('w') ? 7 : 31) >= %[2]d"

// diverting are the arguments of barman-cloud that the contract refuses, and their beginnings.
const diverting = "^(--(end|cl|c$|aws-p|aw$|a$|pr|p$|te|t$|sn|s$|he|ho|h$|ver|ve$|v$)|-[vqzj]*[tPVh])"

// elsewhere are -d and --dbname where they name a server beside the database, in the same argument or the next.
const elsewhere = `(^|\\n)(--d[a-z]*|-[vqzj]*d)[=\\n]?[[:space:]]*(?i:postgres(ql)?://|([^\\n]*[[:space:]])?(host|hostaddr|port|service)[[:space:]]*=)`

// objectStore: the archive stays where it is and keeps what it has to keep.
func objectStore(o Options) policyTemplate {
	return policyTemplate{
		name:       "object-store",
		purpose:    "The archive of a protected database stays where it is, compressed, and keeps what it has to keep.",
		on:         []resources{{"barmancloud.cnpg.io", "v1", []string{"objectstores"}, written}},
		conditions: []expression{{"changes-something", "oldObject == null || object.spec != oldObject.spec"}},
		variables:  []expression{{"retention", "object.spec.?retentionPolicy.orValue('')"}},
		checks: []check{
			{"CNPG-3.2", fmt.Sprintf(days, "variables.retention", o.RetentionDays), fmt.Sprintf("spec.retentionPolicy: at least %dd: what retention removes cannot be recovered to", o.RetentionDays)},
			{"CNPG-2.2", "object.spec.configuration.?destinationPath.orValue('').startsWith('s3://') && !object.spec.configuration.?endpointURL.orValue('https://').startsWith('http://')", "spec.configuration: s3:// over https only: elsewhere backups can be destroyed, or read on the way"},
			{"CNPG-2.3", "object.spec.configuration.?wal.?compression.orValue('') != ''", "spec.configuration.wal.compression: is needed: what has not been uploaded yet is what a lost cluster loses"},
			{
				"CNPG-2.1", "(object.spec.configuration.?wal.?archiveAdditionalCommandArgs.orValue([]) + object.spec.configuration.?data.?additionalCommandArgs.orValue([])).all(a, !a.matches('" + diverting + "'))" +
					" && !object.spec.configuration.?data.?additionalCommandArgs.orValue([]).join('\\n').matches('" + elsewhere + "')",
				"spec.configuration: these arguments send the archive elsewhere, back up another server, or have barman-cloud report success without archiving",
			},
			{"ZDL-08", "oldObject == null || object.spec.configuration.?destinationPath.orValue('') == oldObject.spec.configuration.?destinationPath.orValue('') && object.spec.configuration.?endpointURL.orValue('') == oldObject.spec.configuration.?endpointURL.orValue('')", "spec.configuration: destinationPath and endpointURL may not change under a living database: the archive would split in two"},
			{"CNPG-4.3", "object.spec.?instanceSidecarConfiguration.?env.orValue([]).all(e, !(e.name in ['AWS_REQUEST_CHECKSUM_CALCULATION', 'AWS_RESPONSE_CHECKSUM_VALIDATION']) || e.?value.orValue('').lowerAscii() != 'when_required')", "spec.instanceSidecarConfiguration.env: uploads need checksums: without them a locked bucket refuses them and archiving stops"},
		},
	}
}

// scheduledBackup: base backups go on. How often a schedule fires cannot be computed in CEL; the function does.
func scheduledBackup() policyTemplate {
	return policyTemplate{
		name:       "scheduled-backup",
		purpose:    "The base backups of a protected database go on.",
		on:         []resources{{groupCNPG, "v1", []string{"scheduledbackups"}, written}},
		conditions: []expression{{"changes-something", "oldObject == null || object.spec != oldObject.spec"}},
		checks: []check{
			{"CNPG-3.1", "!object.spec.?suspend.orValue(false)", "spec.suspend: no base backup is taken any more: recovery replays all WAL since the last one, and one damaged file costs the rest"},
			{"CNPG-3.1", "object.spec.schedule.trim().split(' ').filter(f, f != '').size() == 6 || object.spec.schedule.startsWith('@')", "spec.schedule: needs six fields, seconds first: CloudNativePG reads five fields one place off"},
			{"CNPG-3.1", "object.spec.?backupOwnerReference.orValue('none') != 'self'", "spec.backupOwnerReference: with self the records of all backups go with the schedule"},
			{"ZDL-08", "oldObject == null || object.spec.cluster.name == oldObject.spec.cluster.name", "spec.cluster: may not change: the database would be left without base backups"},
		},
	}
}

// externalSecret: the keys stay when the ExternalSecret goes.
func externalSecret() policyTemplate {
	return policyTemplate{
		name:       "external-secret",
		purpose:    "The keys of a protected database stay when their ExternalSecret goes.",
		on:         []resources{{"external-secrets.io", "v1", []string{"externalsecrets"}, written}},
		conditions: []expression{{"changes-something", "oldObject == null || object.spec != oldObject.spec"}},
		checks: []check{{
			"CNPG-3.3", "object.spec.?target.?creationPolicy.orValue('Owner') in ['Orphan', 'Merge'] && object.spec.?target.?deletionPolicy.orValue('Retain') == 'Retain'",
			"spec.target: needs creationPolicy: Orphan and deletionPolicy: Retain, or the keys go with the ExternalSecret and archiving stops",
		}},
	}
}
