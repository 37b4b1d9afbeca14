package alerts

import (
	"strings"
	"time"
)

var metricsScenarios = map[string]scenario{
	"EverythingVanishes": {
		reason:  "One alert says it, not one per family.",
		happens: func(_ cluster, w world) { w.after(hour, nothing, `pod="orders-`) },
		want: []string{
			"PostgresMetricsAbsent 1h5m-end",
		},
		reads: []read{
			{90 * time.Minute, `cnpg_streaming_standbys`, "none"},
			{90 * time.Minute, `cnpg_wal_archiving_last_success_seconds`, "none"},
		},
	},
	"OneInstanceVanishes": {
		reason:  "A scrape can be lost while replication is fine.",
		happens: func(_ cluster, w world) { w.after(hour, nothing, `pod="orders-3"`) },
		want: []string{
			"PostgresInstanceMetricsMissing 1h15m-end",
		},
	},
	"OnlySomeValuesVanish": {
		reason: "A family that still has the values nobody asks for is as good as gone.",
		happens: func(_ cluster, w world) {
			w.after(hour, nothing, "cnpg_collector_pg_wal_archive_status", `value="ready"`)
			w.after(hour, nothing, "cnpg_collector_sync_replicas", `value="observed"`)
			w.after(hour, nothing, "cnpg_pg_settings_setting", `name="fsync"`)
		},
		reads: []read{{90 * time.Minute, `cnpg_wal_archiving_last_success_seconds`, "none"}},
		want: []string{
			"PostgresContractMetricsAbsent{family=sync_replicas} 1h10m-end",
			"PostgresContractMetricsAbsent{family=wal_archive_status} 1h10m-end",
			"PostgresSupportMetricsAbsent{family=settings} 1h30m-end",
		},
	},
	"ExporterErrors": {
		reason: "Either kind of error.",
		happens: func(_ cluster, w world) {
			w.after(hour, is(1).then(hour+20*time.Minute, is(0)), "cnpg_last_error", `pod="orders-2"`)
			w.after(2*hour, is(1), "last_collection_error", `pod="orders-1"`)
		},
		want: []string{
			"PostgresMetricsFailing{pod=orders-2} 1h15m-1h19m30s",
			"PostgresMetricsFailing{pod=orders-1} 2h15m-end",
		},
	},

	"PostgresUnreachable": {
		reason: "The exporter lives on without its PostgreSQL and repeats what it knew last.",
		happens: func(_ cluster, w world) {
			w.after(hour, is(0), "cnpg_collector_up", `pod="orders-2"`)
		},
		want: []string{
			"PostgresMetricsFailing{pod=orders-2} 1h15m-end",
		},
	},
	"MetricsStandStill": {
		reason: "Queries that are not run any more raise no error.",
		happens: func(_ cluster, w world) {
			w.after(hour, at(hour), "cnpg_last_update", `pod="orders-3"`)
		},
		want: []string{
			"PostgresMetricsFailing{pod=orders-3} 1h20m30s-end",
		},
	},
	"ScrapedTwice": {
		reason: "A second PodMonitor, or a pair of Prometheus servers, doubles every series and no number.",
		happens: func(_ cluster, w world) {
			for s, v := range w {
				w[strings.Replace(s, `job="shop/orders"`, `job="shop/other"`, 1)] = v
			}
			w.after(hour, is(2), "nodes_used")
			w.after(hour, at(hour), "last_archived_time")
			w.after(hour, is(1), `pod="orders-1",value="ready"`)
			w.after(hour, is(1), "overrides", `scope="role",weakness="commit_not_on_standby"`)
			w.after(hour, nothing, `application_name="orders-3"`)
		},
		want: []string{
			"PostgresDurabilityOverride{weakness=commit_not_on_standby} 1h5m-end",
			"PostgresStandbyMissing 1h5m-end",
			"PostgresArchivingStalled{pod=orders-1} 1h7m30s-end",
			"PostgresInstancesShareNode 1h10m-end",
		},
	},
}
