package alerts

// records give the specification's two metric names, which no CNPG version
// exports, a true meaning, and name the numbers the dashboard shows.
var records = []record{
	// Seconds since WAL last reached the object store while WAL is waiting for
	// it; 0 while nothing waits. CNPG's own seconds_since_last_archival grows
	// without bound on an idle database and is -1 on one that never archived,
	// so "> 300" on it is wrong both ways. Where nothing was ever archived the
	// clock starts with the server.
	{Name: "cnpg_wal_archiving_last_success_seconds", Group: "recovery", Expr: `
max by (namespace) (
  clamp_min(time() - (
    max by (namespace, pod) (cnpg_pg_stat_archiver_last_archived_time{@pods}) > 0
    or max by (namespace, pod) (cnpg_pg_postmaster_start_time{@pods})
  ), 0)
  and on (namespace, pod) (max by (namespace, pod) (cnpg_collector_pg_wal_archive_status{@pods,value="ready"}) > 0)
  @onprimary
)
or 0 * max by (namespace) (cnpg_collector_pg_wal_archive_status{@pods,value="ready"})`},

	// One of three series is 1: how the newest finished backup ended.
	{Name: "cnpg_backup_last_status", Group: "recovery", Labels: map[string]string{"status": "completed"}, Expr: `
(max by (namespace) (@lastgood{@pods}) > bool 0)
* (max by (namespace) (@lastgood{@pods}) >= bool max by (namespace) ({@lastfailed,@pods}))`},
	{Name: "cnpg_backup_last_status", Group: "recovery", Labels: map[string]string{"status": "failed"}, Expr: `
max by (namespace) ({@lastfailed,@pods}) > bool max by (namespace) (@lastgood{@pods})`},
	{Name: "cnpg_backup_last_status", Group: "recovery", Labels: map[string]string{"status": "none"}, Expr: `
(max by (namespace) (@lastgood{@pods}) == bool 0)
* (max by (namespace) ({@lastfailed,@pods}) == bool 0)`},

	// Age of the newest good base backup; absent while there is none.
	{Name: "cnpg_backup_last_success_seconds", Group: "recovery", Expr: `
time() - (max by (namespace) (@lastgood{@pods}) > 0)`},

	// How far back a point-in-time recovery can go; absent while it cannot.
	{Name: "cnpg_recovery_window_seconds", Group: "recovery", Expr: `
time() - (max by (namespace) (@firstpoint{@pods}) > 0)`},

	// How far back it has to go, so that a shrunk window is told from one that
	// retention has just been raised for.
	{Name: "cnpg_recovery_window_promised_seconds", Group: "recovery", Expr: `vector(@retention)`},

	// Until when the newest base backup cannot be deleted by anybody
	// (CNPG-4.3), computed from the lock that was asked for. The bucket, not
	// this number, is the proof.
	{Name: "cnpg_backup_lock_end_timestamp_seconds", Group: "recovery", Expr: `
(max by (namespace) (@lastgood{@pods}) > 0) + @lock`},

	// Standbys that stream from the primary. 0, not absent, when none does: a
	// primary's own in_recovery is 0.
	{Name: "cnpg_streaming_standbys", Group: "availability", Expr: `
count by (namespace) (
  max by (namespace, pod, application_name) (cnpg_pg_stat_replication_flush_diff_bytes{@standbys})
  @onprimary
)
or max by (namespace) (@primary)`},
}

// family is a group of metrics that stands or falls together, and the alert
// that is blind without it.
type family struct {
	Name, Selector string
	Critical       bool // whether losing it hides the loss of data
}

var families = []family{
	{Name: "archiver", Critical: true, Selector: `cnpg_pg_stat_archiver_archived_count{@pods}`},
	{Name: "wal_archive_status", Critical: true, Selector: `cnpg_collector_pg_wal_archive_status{@pods,value="ready"}`},
	{Name: "backup", Critical: true, Selector: `@lastgood{@pods}`},
	{Name: "recovery_window", Critical: true, Selector: `@firstpoint{@pods}`},
	{Name: "replication", Critical: true, Selector: `cnpg_pg_replication_in_recovery{@pods}`},
	{Name: "sync_replicas", Critical: true, Selector: `cnpg_collector_sync_replicas{@pods,value="observed"}`},

	{Name: "lag", Selector: `cnpg_pg_replication_lag{@pods}`},
	{Name: "exporter", Selector: `cnpg_last_update_timestamp{@pods}`},
	{Name: "settings", Selector: `cnpg_pg_settings_setting{@pods,name="fsync"}`},
	{Name: "postmaster", Selector: `cnpg_pg_postmaster_start_time{@pods}`},
	{Name: "backup_failures", Selector: `@ownfailed{@pods}`},
	{Name: "unstarted_backups", Selector: `cnpg_collector_last_failed_backup_timestamp{@pods}`},
	{Name: "collector", Selector: `cnpg_collector_last_collection_error{@pods}`},
	{Name: "nodes", Selector: `cnpg_collector_nodes_used{@pods}`},
	{Name: "fencing", Selector: `cnpg_collector_fencing_on{@pods}`},
	{Name: "durability_overrides", Selector: `cnpg_hardened_overrides_count{@pods}`},
	{Name: "durability_functions", Selector: `cnpg_hardened_functions_count{@pods}`},
	{Name: "hidden_databases", Selector: `cnpg_hardened_databases_hidden{@pods}`},
	{Name: "unlogged_relations", Selector: `cnpg_hardened_unlogged_relations{@pods}`},
	{Name: "slots", Selector: `cnpg_hardened_slots_count{@pods}`},
	{Name: "checksums", Selector: `cnpg_hardened_checksums_failures{@pods}`},
	{Name: "volumes", Selector: `kubelet_volume_stats_available_bytes{@datavolumes}`},
}

// absent is one series per vanished family. It says nothing while every metric
// is gone: PostgresMetricsAbsent does, once instead of many times.
func absent(critical bool) string {
	expr := ""
	for _, f := range families {
		if f.Critical != critical {
			continue
		}
		if expr != "" {
			expr += "\n  or "
		}
		// max() drops the labels absent() makes up from the selector, which
		// would otherwise collide with the alert's own.
		expr += `label_replace(max(absent(` + f.Selector + `)), "family", "` + f.Name + `", "", "")`
	}
	return "(\n  " + expr + "\n)\nand on () count(cnpg_collector_up{@pods})"
}
