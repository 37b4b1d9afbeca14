package alerts

import (
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

// vanishing is every family of metrics the rules live on, and what says so when it vanishes after an hour: nobody may
// go blind in silence. A family is what an exporter delivers or fails to deliver together.
var vanishing = map[string][]string{
	"cnpg_pg_stat_archiver_":                        {"PostgresContractMetricsAbsent{family=archiver} 1h10m-end"},
	"cnpg_collector_pg_wal_archive_status":          {"PostgresContractMetricsAbsent{family=wal_archive_status} 1h10m-end"},
	"barman_cloud_cloudnative_pg_io_last_available": {"PostgresContractMetricsAbsent{family=backup} 1h10m-end"},
	"barman_cloud_cloudnative_pg_io_first":          {"PostgresContractMetricsAbsent{family=recovery_window} 1h10m-end"},
	"barman_cloud_cloudnative_pg_io_last_failed":    {"PostgresSupportMetricsAbsent{family=backup_failures} 1h30m-end"},
	"cnpg_pg_replication_in_recovery":               {"PostgresContractMetricsAbsent{family=replication} 1h10m-end"},
	"cnpg_pg_replication_lag":                       {"PostgresSupportMetricsAbsent{family=lag} 1h30m-end"},
	"cnpg_collector_sync_replicas":                  {"PostgresContractMetricsAbsent{family=sync_replicas} 1h10m-end"},
	"cnpg_pg_stat_replication_":                     {"PostgresNoStandby 1h2m-end", "PostgresStandbyMissing 1h5m-end"},
	"cnpg_pg_settings_setting":                      {"PostgresSupportMetricsAbsent{family=settings} 1h30m-end"},
	"cnpg_pg_postmaster_start_time":                 {"PostgresSupportMetricsAbsent{family=postmaster} 1h30m-end"},
	"cnpg_collector_last_failed_backup_timestamp":   {"PostgresSupportMetricsAbsent{family=unstarted_backups} 1h30m-end"},
	"cnpg_collector_last_collection_error":          {"PostgresSupportMetricsAbsent{family=collector} 1h30m-end"},
	"cnpg_collector_nodes_used":                     {"PostgresSupportMetricsAbsent{family=nodes} 1h30m-end"},
	"cnpg_collector_fencing_on":                     {"PostgresSupportMetricsAbsent{family=fencing} 1h30m-end"},
	"cnpg_collector_up":                             {"PostgresMetricsAbsent 1h5m-end"},
	"cnpg_last_":                                    {"PostgresSupportMetricsAbsent{family=exporter} 1h30m-end"},
	"cnpg_hardened_overrides":                       {"PostgresSupportMetricsAbsent{family=durability_overrides} 1h30m-end"},
	"cnpg_hardened_functions":                       {"PostgresSupportMetricsAbsent{family=durability_functions} 1h30m-end"},
	"cnpg_hardened_unlogged":                        {"PostgresSupportMetricsAbsent{family=unlogged_relations} 1h30m-end"},
	"cnpg_hardened_databases":                       {"PostgresSupportMetricsAbsent{family=hidden_databases} 1h30m-end"},
	"cnpg_hardened_slots":                           {"PostgresSupportMetricsAbsent{family=slots} 1h30m-end"},
	"cnpg_hardened_checksums":                       {"PostgresSupportMetricsAbsent{family=checksums} 1h30m-end"},
	"kubelet_volume_stats_":                         {"PostgresSupportMetricsAbsent{family=volumes} 1h30m-end"},
	"kube_deployment_":                              {"PostgresBackupPluginDown 1h5m-end", "PostgresOperatorDown 1h5m-end"},
	"externalsecret_status_condition":               {"PostgresCredentialsNotSynced 1h30m-end"},
	"hardened_postgres_claim_info":                  {"PostgresOrphaned 2h-end"},
}

// allScenarios are the told ones and one for every family that vanishes.
var allScenarios = func() map[string]scenario {
	all := maps.Clone(scenarios)
	for family, want := range vanishing {
		all["Vanished/"+family] = scenario{
			reason:  "Who watches has to say that it cannot see.",
			length:  150 * time.Minute,
			step:    time.Minute,
			happens: func(_ cluster, w world) { w.after(hour, nothing, "^"+family) },
			want:    want,
		}
	}
	return all
}()

// TestEveryMetricIsInAFamily: a rule cannot use a metric whose disappearance nobody has thought of.
func TestEveryMetricIsInAFamily(t *testing.T) {
	metric := regexp.MustCompile(`\b(?:cnpg|barman|kube|kubelet|externalsecret|hardened)_[a-z0-9_]+`)
	records := map[string]bool{"cnpg_cluster": true}
	rules := rulesOf(alerts.Groups(orders.target()))
	for _, r := range rules {
		if r["record"] != nil {
			records[r.name()] = true
		}
	}
	for _, r := range rules {
	metrics:
		for _, m := range metric.FindAllString(r["expr"].(string), -1) {
			for family := range vanishing {
				if strings.HasPrefix(m, family) {
					continue metrics
				}
			}
			if !records[m] {
				t.Errorf("%s reads %s, which is in no family", r.name(), m)
			}
		}
	}
}
