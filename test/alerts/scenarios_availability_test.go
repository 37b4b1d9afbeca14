package alerts

import (
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

var availabilityScenarios = map[string]scenario{
	"StandbyMissing": {
		reason:  "A base backup and a foreign reader stream too and are no standbys.",
		happens: func(_ cluster, w world) { w.after(hour, nothing, `application_name="orders-3"`) },
		says:    map[string]string{"PostgresStandbyMissing": "1 standbys stream from the primary of shop/orders (claim shop/orders-db), of 3 instances."},
		want: []string{
			"PostgresStandbyMissing 1h5m-end",
		},
		reads: []read{
			{90 * time.Minute, `cnpg_streaming_standbys`, "1"},
		},
	},
	"NoStandby": {
		reason: "Commits wait.",
		happens: func(c cluster, w world) {
			w.after(hour, nothing, `application_name="orders-2"`)
			w.after(hour, nothing, `application_name="orders-3"`)
			// A standby that serves another one is no primary.
			w[c.pod(2, "cnpg_pg_stat_replication_flush_diff_bytes", `application_name="orders-3"`, `usename="streaming_replica"`)] = is(0)
		},
		want: []string{
			"PostgresNoStandby 1h2m-end",
			"PostgresStandbyMissing 1h5m-end",
		},
		reads: []read{
			{90 * time.Minute, `cnpg_streaming_standbys`, "0"},
		},
	},
	"SyncNotEnforced": {
		reason: "synchronous_standby_names is empty. A former primary repeats what it last saw, which counts for nothing.",
		happens: func(c cluster, w world) {
			w.after(hour, is(0), `value="observed"`)
			w[c.pod(2, "cnpg_collector_sync_replicas", `value="observed"`)] = is(0)
		},
		want: []string{
			"PostgresSyncNotEnforced{pod=orders-1} 1h2m-end",
		},
	},
	"FsyncOff": {
		reason:  "Any instance, any of three settings.",
		happens: func(_ cluster, w world) { w.after(hour, is(0), `name="fsync"`, `pod="orders-2"`) },
		want: []string{
			"PostgresDurabilitySettingOff{name=fsync,pod=orders-2} 1h1m-end",
		},
	},
	"FullPageWritesOff": {
		reason:  "Any instance, any of three settings.",
		happens: func(_ cluster, w world) { w.after(hour, is(0), `name="full_page_writes"`, `pod="orders-1"`) },
		want: []string{
			"PostgresDurabilitySettingOff{name=full_page_writes,pod=orders-1} 1h1m-end",
		},
	},
	"ChecksumsOff": {
		reason:  "Any instance, any of three settings.",
		happens: func(_ cluster, w world) { w.after(hour, is(0), `name="data_checksums"`, `pod="orders-3"`) },
		want: []string{
			"PostgresDurabilitySettingOff{name=data_checksums,pod=orders-3} 1h1m-end",
		},
	},
	"SharedNode": {
		reason:  "Two nodes for three instances, or one.",
		happens: func(_ cluster, w world) { w.after(hour, is(2).then(2*hour, is(1)), "nodes_used") },
		says:    map[string]string{"PostgresInstancesShareNode": "3 instances of shop/orders (claim shop/orders-db) run on 2 nodes"},
		want: []string{
			"PostgresInstancesShareNode 1h10m-end",
		},
	},
	"NodesUnknown": {
		reason:  "-1 means that the operator may not look, 0 that it has not looked yet.",
		happens: func(_ cluster, w world) { w.after(hour, is(-1).then(2*hour, is(0)), "nodes_used") },
	},
	"Fenced": {
		reason:  "Fencing freezes the other metrics of the instance.",
		happens: func(_ cluster, w world) { w.after(hour, is(1), "fencing_on", `pod="orders-2"`) },
		want: []string{
			"PostgresInstanceFenced{pod=orders-2} 1h5m-end",
		},
	},
	"ReplicationLags": {
		reason:  "One second more every minute.",
		happens: func(_ cluster, w world) { w.set(ramp(0, 60, 2*hour), "replication_lag", `pod="orders-3"`) },
		want: []string{
			"PostgresReplicationLag{pod=orders-3} 1h35m30s-end",
		},
	},
	"DataVolumeFills": {
		reason:  "From 60 % free to nothing within two hours.",
		happens: func(_ cluster, w world) { w.set(ramp(60<<30, 0, 3*hour), "available_bytes", `claim="orders-2"`) },
		want: []string{
			"PostgresVolumeFilling{persistentvolumeclaim=orders-2} 2h45m30s-end",
			"PostgresVolumeFull{persistentvolumeclaim=orders-2} 2h51m30s-end",
		},
	},
	"WALVolumeFills": {
		reason: "A WAL volume speaks up earlier.",
		happens: func(_ cluster, w world) {
			w.set(ramp(60<<30, 0, 3*hour), "available_bytes", `claim="orders-1-wal"`)
		},
		says: map[string]string{"PostgresVolumeFilling": "% of orders-1-wal (claim shop/orders-db) is free."},
		want: []string{
			"PostgresVolumeFilling{persistentvolumeclaim=orders-1-wal} 2h15m30s-end",
			"PostgresVolumeFull{persistentvolumeclaim=orders-1-wal} 2h35m30s-end",
		},
	},
	"SharedVolumeFills": {
		reason:  "So does a data volume that WAL lives on.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", busy: true},
		happens: func(_ cluster, w world) { w.set(ramp(60<<30, 0, 3*hour), "available_bytes", `claim="orders-1"`) },
		want: []string{
			"PostgresVolumeFilling{persistentvolumeclaim=orders-1} 2h35m30s-end",
			"PostgresVolumeFull{persistentvolumeclaim=orders-1} 2h45m30s-end",
		},
	},
	"TablespaceFills": {
		reason: "A tablespace is a data volume; one of a name that looks alike is not.",
		target: func(t *alerts.Target) { t.Tablespaces = []string{"Hot_Data"} },
		happens: func(_ cluster, w world) {
			for claim, v := range map[string]value{"orders-1-tbs-hot-data": is(60).then(hour, is(10)), "orders-1-tbs-hot-data-1": is(1)} {
				w[`kubelet_volume_stats_available_bytes{job="kubelet",namespace="shop",persistentvolumeclaim="`+claim+`"}`] = v
				w[`kubelet_volume_stats_capacity_bytes{job="kubelet",namespace="shop",persistentvolumeclaim="`+claim+`"}`] = is(100)
			}
		},
		want: []string{
			"PostgresVolumeFilling{persistentvolumeclaim=orders-1-tbs-hot-data} 1h15m-end",
		},
	},
}
