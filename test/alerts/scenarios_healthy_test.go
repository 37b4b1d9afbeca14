package alerts

import (
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

var healthyScenarios = map[string]scenario{
	"HealthyBusy": {
		reason: "Archiving every five minutes is normal, and so is a segment that waits for half a minute.",
		length: 13 * hour,
		reads: []read{
			{5 * time.Minute, `cnpg_backup_last_status{status="completed"}`, "0"},
			{5 * time.Minute, `cnpg_backup_last_status{status="failed"}`, "0"},
			{5 * time.Minute, `cnpg_backup_last_status{status="none"}`, "1"},
			{5 * time.Minute, `cnpg_backup_last_success_seconds`, "none"},
			{5 * time.Minute, `cnpg_recovery_window_seconds`, "none"},
			{5 * time.Minute, `cnpg_backup_lock_end_timestamp_seconds`, "none"},
			{hour, `cnpg_backup_last_status{status="completed"}`, "1"},
			{hour, `cnpg_backup_last_success_seconds`, "3000"},
			{hour, `cnpg_recovery_window_seconds`, "3000"},
			{hour, `cnpg_backup_lock_end_timestamp_seconds`, "3197400"},
			{7 * hour, `cnpg_backup_last_status{status="completed"}`, "1"},
			{7 * hour, `cnpg_backup_last_status{status="failed"}`, "0"},
			{7 * hour, `cnpg_backup_last_status{status="none"}`, "0"},
			{7 * hour, `cnpg_backup_last_success_seconds`, "3000"},
			{7 * hour, `cnpg_recovery_window_seconds`, "24600"},
			{7 * hour, `cnpg_recovery_window_promised_seconds`, "2592000"},
			{7 * hour, `cnpg_backup_lock_end_timestamp_seconds`, "3219000"},
			{7 * hour, `cnpg_streaming_standbys`, "2"},
			{7*hour + time.Minute, `cnpg_wal_archiving_last_success_seconds`, "0"},
		},
	},
	"HealthyIdleForDays": {
		reason:  "PostgreSQL archives nothing without activity: seconds since the last archival grows for ever.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", wal: true},
		length:  4 * 24 * hour, step: 2 * time.Minute,
		reads: []read{
			{72 * hour, `cnpg_wal_archiving_last_success_seconds`, "0"},
		},
	},
	"HealthyInTree": {
		reason:  "The deprecated method has other metrics and its primary is the only one to know them.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", wal: true, busy: true, method: alerts.MethodInTree},
		length:  13 * hour,
		happens: func(_ cluster, w world) { w.set(is(0), "available", `deployment="barman-cloud"`) },
		reads: []read{
			{5 * time.Minute, `cnpg_backup_last_status{status="completed"}`, "0"},
			{5 * time.Minute, `cnpg_backup_last_status{status="failed"}`, "0"},
			{5 * time.Minute, `cnpg_backup_last_status{status="none"}`, "1"},
			{hour, `cnpg_backup_last_status{status="completed"}`, "1"},
			{7 * hour, `cnpg_backup_last_status{status="completed"}`, "1"},
			{7 * hour, `cnpg_backup_last_status{status="failed"}`, "0"},
			{7 * hour, `cnpg_backup_last_status{status="none"}`, "0"},
			{7 * hour, `cnpg_recovery_window_seconds`, "24600"},
		},
	},
	"HealthyWithoutWALVolume": {
		reason:  "Free space of 60 % is enough when WAL lives on the data volume.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", busy: true},
	},
	"NeighboursInTrouble": {
		reason: "Names that look alike are other databases.",
		happens: func(_ cluster, w world) {
			for _, n := range []cluster{
				{namespace: "shop", name: "orders-v2"}, {namespace: "shop", name: "my-orders"}, {namespace: "shop", name: "orders-1"},
				{namespace: "shop-eu", name: "orders"}, {namespace: "shop", name: "ordersx"},
			} {
				w.add(n.inTrouble())
			}
		},
		length: 10 * hour, step: time.Minute,
	},
	"GoneAmongNeighbours": {
		reason: "A neighbour's metrics do not stand in for the missing ones.",
		happens: func(_ cluster, w world) {
			w.after(hour, nothing, `namespace="shop",pod=`)
			for _, n := range []cluster{{namespace: "shop", name: "orders-v2"}, {namespace: "shop", name: "orders-1"}} {
				w.add(n.world())
			}
		},
		want: []string{
			"PostgresMetricsAbsent 1h5m-end",
		},
	},
}
