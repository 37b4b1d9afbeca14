package alerts

// table is every alert, in the order people read them. A threshold without a
// comment is the contract's own number.
var table = []Alert{
	// ---- recovery: can everything acknowledged be brought back? ----
	{
		Name: "PostgresArchivingStalled", Group: "recovery", Rule: "CNPG-2.1", Severity: "critical",
		// The spec's five minutes, plus two so that the first segment after
		// an idle hour has time to be uploaded.
		// The primary's name joins in for whoever looks at the pod first.
		For: "2m",
		Expr: `
@primary + on (namespace) group_left () (cnpg_wal_archiving_last_success_seconds{@recorded} > 300)`,
		Summary:     "{cluster}: WAL is not reaching the object store",
		Description: `{{ $labels.pod }} (claim {claim}) has WAL waiting and has not archived a segment for {{ $value | humanizeDuration }}. Point-in-time recovery ends there, and the volume fills until writes stop.`,
	},
	{
		Name: "PostgresArchivingFailing", Group: "recovery", Rule: "CNPG-2.1", Severity: "warning", For: "3m",
		Expr: `
max by (namespace, pod) (cnpg_pg_stat_archiver_last_failed_time{@pods})
  - max by (namespace, pod) (cnpg_pg_stat_archiver_last_archived_time{@pods}) > 0
@onprimary`,
		Summary:     "{cluster}: archiving WAL fails",
		Description: `The last attempt of {{ $labels.pod }} to archive WAL failed and none has succeeded since (claim {claim}). PostgresArchivingStalled follows if it stays so.`,
	},
	{
		Name: "PostgresArchiveBacklog", Group: "recovery", Rule: "CNPG-2.1", Severity: "warning",
		// 1 GiB. An archiver that is merely too slow makes progress and fails
		// nothing, so that neither alert above sees it.
		For: "30m",
		Expr: `
max by (namespace, pod) (cnpg_collector_pg_wal_archive_status{@pods,value="ready"}) > 64
@onprimary`,
		Summary:     "{cluster}: archiving does not keep up",
		Description: `{{ $value }} WAL segments wait on {{ $labels.pod }} (claim {claim}). What waits cannot be recovered from the object store, and fills the volume.`,
	},
	{
		Name: "PostgresBackupFailed", Group: "recovery", Rule: "CNPG-3.1", Severity: "warning", For: "1m",
		Expr:        `cnpg_backup_last_status{@recorded,status="failed"} == 1`,
		Summary:     "{cluster}: the last base backup failed",
		Description: `The newest base backup of {cluster} (claim {claim}) failed; the one before it is still good. The schedule tries again within {gap}.`,
	},
	{
		Name: "PostgresBackupMissing", Group: "recovery", Rule: "CNPG-3.1", Severity: "critical",
		// The first backup starts with the cluster and has two hours to end.
		For:         "2h",
		Expr:        `max by (namespace) (@lastgood{@pods}) == 0`,
		Summary:     "{cluster}: there is no base backup",
		Description: `{cluster} (claim {claim}) has no base backup at all: nothing can be recovered from the object store, whatever WAL is in it.`,
	},
	{
		Name: "PostgresBackupTooOld", Group: "recovery", Rule: "CNPG-3.1", Severity: "critical", For: "5m",
		Expr:        `cnpg_backup_last_success_seconds{@recorded} > @backupage`,
		Summary:     "{cluster}: base backups have stopped",
		Description: `The newest base backup of {cluster} (claim {claim}) is {{ $value | humanizeDuration }} old; the schedule's largest gap is {gap}. A backup that never starts is reported nowhere else.`,
	},
	{
		Name: "PostgresRecoveryWindowShrunk", Group: "recovery", Rule: "CNPG-3.2", Severity: "critical", For: "30m",
		// Retention always keeps the newest backup that is older than the
		// window, so a window below it may grow and never shrinks. An hour of
		// tolerance for clocks; a week of memory, of the promise as well: a
		// retention that was raised yesterday has pruned by the old one.
		Expr: `
(
  cnpg_recovery_window_seconds{@recorded} < min_over_time(cnpg_recovery_window_promised_seconds{@recorded}[7d])
  and cnpg_recovery_window_seconds{@recorded} < max_over_time(cnpg_recovery_window_seconds{@recorded}[7d]) - 3600
)
or
(
  max by (namespace) (@firstpoint{@pods}) == 0
  and on (namespace) max_over_time(cnpg_recovery_window_seconds{@recorded}[7d])
)`,
		Summary:     "{cluster}: backups have disappeared from the recovery window",
		Description: `Recovery of {cluster} (claim {claim}, server name {server}) reaches back {{ $value | humanizeDuration }}, less than it did and less than the {days} days promised. Something other than retention removed or hid backups.`,
	},
	{
		Name: "PostgresCredentialsNotSynced", Group: "recovery", Rule: "CNPG-3.3", Severity: "warning", For: "30m",
		// Without honorLabels the object's namespace arrives as exported_namespace.
		// Nothing reported counts as not synced: silence is what this is about.
		Expr: `
(
  max(
    externalsecret_status_condition{@externalsecret,namespace=@namespace,exported_namespace="",condition="Ready",status="True"}
    or externalsecret_status_condition{@externalsecret,exported_namespace=@namespace,condition="Ready",status="True"}
  ) or vector(0)
) < 1`,
		Summary:     "{cluster}: object store credentials are not refreshed",
		Description: `The ExternalSecret with the object store keys of {cluster} (claim {claim}) is not synced, or External Secrets reports no metrics. Archiving goes on with the last keys and stops when they are rotated.`,
		Only:        func(t Target) bool { return t.CredentialsExternalSecret != "" },
	},

	// ---- metrics: are the alerts above able to see? ----
	{
		Name: "PostgresMetricsAbsent", Group: "availability", Rule: "CNPG-5.1", Severity: "critical", For: "5m",
		Expr:        `absent(cnpg_collector_up{@pods})`,
		Summary:     "{cluster}: no metrics at all",
		Description: `No instance of {cluster} (claim {claim}) is scraped. Either the database is gone or nobody would notice if it were.`,
	},
	{
		Name: "PostgresInstanceMetricsMissing", Group: "availability", Rule: "CNPG-5.1", Severity: "warning", For: "15m",
		Expr:        `count(count by (pod) (cnpg_collector_up{@pods})) < @instances`,
		Summary:     "{cluster}: some instances are not scraped",
		Description: `Only {{ $value }} of {instances} instances of {cluster} (claim {claim}) deliver metrics.`,
	},
	{
		Name: "PostgresContractMetricsAbsent", Group: "availability", Rule: "CNPG-5.1", Severity: "critical",
		For:         "10m",
		Expr:        absent(true),
		Summary:     "{cluster}: metrics of family {{ $labels.family }} have vanished",
		Description: `{cluster} (claim {claim}) is scraped but no longer delivers {{ $labels.family }}: the alerts on archiving, backups or replication that need it cannot fire.`,
	},
	{
		Name: "PostgresSupportMetricsAbsent", Group: "availability", Rule: "CNPG-5.1", Severity: "warning", For: "30m",
		Expr:        absent(false),
		Summary:     "{cluster}: metrics of family {{ $labels.family }} have vanished",
		Description: `{cluster} (claim {claim}) is scraped but {{ $labels.family }} is not reported: the alerts that need it cannot fire.`,
	},
	{
		Name: "PostgresMetricsFailing", Group: "availability", Rule: "CNPG-5.1", Severity: "warning", For: "15m",
		// The exporter answers when PostgreSQL does not, with what it knew
		// last: an error, no connection, or queries that have stopped.
		Expr: `
max by (namespace, pod) ({__name__=~"cnpg_last_error|cnpg_collector_last_collection_error",@pods}) == 1
or max by (namespace, pod) (cnpg_collector_up{@pods}) == 0
or time() - max by (namespace, pod) (cnpg_last_update_timestamp{@pods}) > 300`,
		Summary:     "{cluster}: metrics of {{ $labels.pod }} cannot be trusted",
		Description: `The exporter of {{ $labels.pod }} (claim {claim}) reports errors, cannot reach PostgreSQL or repeats old values: other alerts on this instance may be blind.`,
	},

	// ---- availability: is the next failure survived? ----
	{
		Name: "PostgresNoPrimary", Group: "availability", Rule: "CNPG-1.4", Severity: "critical",
		// A lost node costs up to 93 s until a standby is promoted.
		For: "2m",
		Expr: `
(count(max by (namespace, pod) (cnpg_pg_replication_in_recovery{@pods}) == 0) or vector(0)) < 1
and on () count(cnpg_pg_replication_in_recovery{@pods})`,
		Summary:     "{cluster}: no primary",
		Description: `No instance of {cluster} (claim {claim}) accepts writes and automatic promotion has not happened.`,
	},
	{
		Name: "PostgresNoStandby", Group: "availability", Rule: "CNPG-1.2", Severity: "critical", For: "2m",
		Expr:        `cnpg_streaming_standbys{@recorded} < 1`,
		Summary:     "{cluster}: no standby, writes are blocked",
		Description: `No standby streams from the primary of {cluster} (claim {claim}). Commits wait until one returns: nothing is lost, nothing is written.`,
	},
	{
		Name: "PostgresStandbyMissing", Group: "availability", Rule: "CNPG-1.1", Severity: "warning", For: "5m",
		Expr:        `cnpg_streaming_standbys{@recorded} < @peers`,
		Summary:     "{cluster}: a standby is missing",
		Description: `{{ $value }} standbys stream from the primary of {cluster} (claim {claim}), of {instances} instances. One more failure blocks writes.`,
	},
	{
		Name: "PostgresSyncNotEnforced", Group: "availability", Rule: "CNPG-1.2", Severity: "critical", For: "2m",
		Expr: `
max by (namespace, pod) (cnpg_collector_sync_replicas{@pods,value="observed"}) < 1
@onprimary`,
		Summary:     "{cluster}: commits are acknowledged without a standby",
		Description: `{{ $labels.pod }} (claim {claim}) runs without synchronous_standby_names: losing it now loses acknowledged commits.`,
	},
	{
		Name: "PostgresDurabilitySettingOff", Group: "availability", Rule: "ZDL-09", Severity: "critical", For: "1m",
		Expr:        `min by (namespace, pod, name) (cnpg_pg_settings_setting{@pods,name=~"fsync|full_page_writes|data_checksums"}) == 0`,
		Summary:     "{cluster}: {{ $labels.name }} is off",
		Description: `{{ $labels.pod }} (claim {claim}) runs with {{ $labels.name }} off: a crash can corrupt data, or corruption goes unseen.`,
	},
	{
		Name: "PostgresInstancesShareNode", Group: "availability", Rule: "CNPG-1.3", Severity: "warning", For: "10m",
		Expr:        `(max by (namespace) (cnpg_collector_nodes_used{@pods}) > 0) < @instances`,
		Summary:     "{cluster}: instances share a node",
		Description: `{instances} instances of {cluster} (claim {claim}) run on {{ $value }} nodes: one node takes several down.`,
	},
	{
		Name: "PostgresInstanceFenced", Group: "availability", Rule: "ZDL-10", Severity: "critical", For: "5m",
		Expr:        `max by (namespace, pod) (cnpg_collector_fencing_on{@pods}) == 1`,
		Summary:     "{cluster}: {{ $labels.pod }} is fenced",
		Description: `PostgreSQL on {{ $labels.pod }} (claim {claim}) was stopped by fencing and stays stopped until somebody lifts it. Its other metrics are frozen.`,
	},
	{
		Name: "PostgresReplicationLag", Group: "availability", Rule: "CNPG-1.4", Severity: "warning", For: "5m",
		Expr:        `max by (namespace, pod) (cnpg_pg_replication_lag{@pods}) > 30`,
		Summary:     "{cluster}: {{ $labels.pod }} lags behind",
		Description: `{{ $labels.pod }} (claim {claim}) replays {{ $value | humanizeDuration }} behind the primary; a promotion would take that much longer.`,
	},
	{
		Name: "PostgresVolumeFilling", Group: "availability", Rule: "CNPG-2.1", Severity: "warning", For: "15m",
		Expr:        free("@datavolumes") + " < @datawarning\n@walwarning",
		Summary:     "{cluster}: volume {{ $labels.persistentvolumeclaim }} is filling up",
		Description: `{{ $value | humanizePercentage }} of {{ $labels.persistentvolumeclaim }} (claim {claim}) is free.`,
	},
	{
		Name: "PostgresVolumeFull", Group: "availability", Rule: "CNPG-2.1", Severity: "critical", For: "5m",
		Expr:        free("@datavolumes") + " < @datacritical\n@walcritical",
		Summary:     "{cluster}: volume {{ $labels.persistentvolumeclaim }} is nearly full",
		Description: `{{ $value | humanizePercentage }} of {{ $labels.persistentvolumeclaim }} (claim {claim}) is free. PostgreSQL stops when it is full.`,
	},

	// ---- inside: what users of the database can do to the promise ----
	// Only the primary answers these queries, but for the one on checksums.
	{
		Name: "PostgresDurabilityOverride", Group: "inside", Rule: "ZDL-15", Severity: "critical", For: "5m",
		Expr: `
sum by (namespace, weakness) (
  max by (namespace, weakness, scope) (cnpg_hardened_overrides_count{@pods@weak})
  or max by (namespace, weakness, datname) (cnpg_hardened_functions_count{@pods@weak})
) > 0`,
		Summary:     "{cluster}: {{ $value }} roles, databases or functions weaken durability",
		Description: `Settings attached to roles, databases or functions of {cluster} (claim {claim}) void the contract for their sessions: {{ $labels.weakness }}.`,
	},
	{
		Name: "PostgresUnloggedRelations", Group: "inside", Rule: "ZDL-15", Severity: "warning", For: "15m",
		Expr:        `max by (namespace, datname) (cnpg_hardened_unlogged_relations{@pods}) > 0`,
		Summary:     "{cluster}: unlogged tables in {{ $labels.datname }}",
		Description: `{{ $value }} unlogged tables or sequences in database {{ $labels.datname }} of {cluster} (claim {claim}) are not in WAL: a failover or a restore empties them.`,
	},
	{
		Name: "PostgresDatabaseNotInspected", Group: "inside", Rule: "ZDL-15", Severity: "warning", For: "15m",
		Expr:        `max by (namespace) (cnpg_hardened_databases_hidden{@pods}) > 0`,
		Summary:     "{cluster}: databases are hidden from the checks",
		Description: `{{ $value }} databases of {cluster} (claim {claim}) cannot be entered by the metrics exporter: unlogged tables and weakened functions in them go unseen.`,
	},
	{
		Name: "PostgresSlotHoldsWAL", Group: "inside", Rule: "CNPG-2.1", Severity: "warning", For: "30m",
		// 64 segments: more than a restarting consumer leaves behind.
		Expr:        `max by (namespace, pod) (cnpg_hardened_slots_retained_bytes{@pods,state="inactive"}) > 1073741824`,
		Summary:     "{cluster}: an unused replication slot holds WAL",
		Description: `A replication slot nobody reads keeps {{ $value | humanize1024 }}B of WAL on {{ $labels.pod }} (claim {claim}); the volume fills until writes stop.`,
	},
	{
		Name: "PostgresSlotLost", Group: "inside", Rule: "CNPG-2.1", Severity: "warning", For: "5m",
		Expr:        `max by (namespace, pod) (cnpg_hardened_slots_count{@pods,state="lost"}) > 0`,
		Summary:     "{cluster}: a replication slot is lost",
		Description: `{{ $value }} replication slots on {{ $labels.pod }} (claim {claim}) were invalidated: their consumers have missed changes and must be rebuilt.`,
	},
	{
		Name: "PostgresChecksumFailure", Group: "inside", Rule: "ZDL-11", Severity: "critical", For: "1m",
		Expr:        `max by (namespace, pod) (cnpg_hardened_checksums_failures{@pods}) > 0`,
		Summary:     "{cluster}: corrupted pages on {{ $labels.pod }}",
		Description: `PostgreSQL on {{ $labels.pod }} (claim {claim}) read {{ $value }} pages whose checksum is wrong. Backups taken from it carry the damage on.`,
	},

	// ---- platform: who keeps all this running? ----
	{
		Name: "PostgresOperatorDown", Group: "platform", Rule: "CNPG-1.4", Severity: "critical", For: "5m",
		Expr:        `(sum(kube_deployment_status_replicas_available{@operator}) or vector(0)) < 1`,
		Summary:     "CloudNativePG operator is down: {cluster} cannot fail over",
		Description: `No replica of the CloudNativePG operator is available, or kube-state-metrics does not report it. A failing primary of {cluster} (claim {claim}) would not be replaced, and the Cluster's status is frozen.`,
	},
	{
		Name: "PostgresBackupPluginDown", Group: "platform", Rule: "CNPG-2.1", Severity: "critical", For: "5m",
		Expr:        `(sum(kube_deployment_status_replicas_available{@plugin}) or vector(0)) < 1`,
		Summary:     "barman-cloud plugin is down: {cluster} is not reconciled",
		Description: `No replica of the barman-cloud plugin is available, or kube-state-metrics does not report it. The operator stops before it elects a primary for {cluster} (claim {claim}), and no base backup starts.`,
		Only:        func(t Target) bool { return t.Method != MethodInTree },
	},
	{
		Name: "PostgresControllersNotRedundant", Group: "platform", Rule: "CNPG-1.4", Severity: "warning",
		// What was asked for, not what runs: of the plugin's replicas only the
		// leader ever becomes available.
		For: "1h",
		Expr: `
label_replace(sum(kube_deployment_spec_replicas{@operator}) < 2, "controller", "operator", "", "")
@pluginredundant`,
		Summary:     "{cluster}: the {{ $labels.controller }} has a single replica",
		Description: `A node that takes the primary of {cluster} (claim {claim}) and the only replica of the {{ $labels.controller }} with it stops writes for six minutes and more instead of one and a half.`,
	},
	{
		Name: "PostgresOrphaned", Group: "platform", Rule: "CNPG-4.1", Severity: "warning", For: "1h",
		Expr: `
absent(hardened_postgres_claim_info{@recorded})
and on () count(cnpg_collector_up{@pods})`,
		Summary:     "{cluster} runs without its claim",
		Description: `The claim {claim} was deleted and {cluster} is still running, as promised. Commit the claim again to manage it, or retire it by hand.`,
	},
}

// free is the share of free space of each volume.
func free(volumes string) string {
	return `
min by (namespace, persistentvolumeclaim) (
  kubelet_volume_stats_available_bytes{` + volumes + `} / kubelet_volume_stats_capacity_bytes{` + volumes + `}
)`
}
