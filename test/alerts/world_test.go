package alerts

import (
	"fmt"
	"maps"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

// value is a series as a function of the time since the scenario began, which
// is also the Unix epoch: promtool's unit tests start there. CNPG says "never"
// with 0 or -1, so timestamps in a scenario start at 1.
type value func(time.Duration) float64

// gone is what a series returns that is not scraped.
var gone = math.NaN()

func is(v float64) value { return func(time.Duration) float64 { return v } }
func every(d time.Duration) value {
	return func(t time.Duration) float64 { return max(1, t.Truncate(d).Seconds()) }
}
func count(d time.Duration) value   { return func(t time.Duration) float64 { return float64(t / d) } }
func nothing(time.Duration) float64 { return gone }
func at(d time.Duration) value      { return is(d.Seconds()) }
func (v value) then(from time.Duration, next value) value {
	return func(t time.Duration) float64 {
		if t < from {
			return v(t)
		}
		return next(t)
	}
}

// world is what Prometheus scrapes: series, labels included, to values.
type world map[string]value

func (w world) names() []string {
	names := make([]string, 0, len(w))
	for n := range maps.Keys(w) {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// set replaces the series that contain every part ("^part": begin with it); it panics when there is
// none, so that a scenario cannot be about nothing.
func (w world) set(v value, parts ...string) {
	w.edit(func(value) value { return v }, parts...)
}

// after is set from a point in time on.
func (w world) after(from time.Duration, v value, parts ...string) {
	w.edit(func(was value) value { return was.then(from, v) }, parts...)
}

// has tells whether a metric is in the world.
func (w world) has(metric string) bool {
	for s := range w {
		if strings.HasPrefix(s, metric+"{") {
			return true
		}
	}
	return false
}

func (w world) edit(change func(value) value, parts ...string) {
	found := false
series:
	for s := range w {
		for _, p := range parts {
			if prefix, ok := strings.CutPrefix(p, "^"); ok && !strings.HasPrefix(s, prefix) || !ok && !strings.Contains(s, p) {
				continue series
			}
		}
		w[s], found = change(w[s]), true
	}
	if !found {
		panic(fmt.Sprintf("no series has all of %q", parts))
	}
}

// add merges another world into this one.
func (w world) add(other world) world {
	maps.Copy(w, other)
	return w
}

// cluster describes a healthy database and the labels its scrape leaves on
// series: those of a PodMonitor of the Prometheus operator.
type cluster struct {
	namespace, name, claim string
	method                 string
	wal                    bool
	// busy databases archive a segment every archive_timeout (5 min); idle
	// ones stop altogether.
	busy bool
}

func (c cluster) pod(i int, metric string, labels ...string) string {
	all := append([]string{
		`container="postgres"`, `endpoint="metrics"`,
		fmt.Sprintf(`instance="10.42.0.%d:9187"`, i), fmt.Sprintf(`job="%s/%s"`, c.namespace, c.name),
		fmt.Sprintf(`namespace=%q`, c.namespace), fmt.Sprintf(`pod="%s-%d"`, c.name, i),
	}, labels...)
	return metric + "{" + strings.Join(all, ",") + "}"
}

const instances = 3

// world returns every series a healthy cluster, its exporters and its
// platform deliver. Instance 1 is the primary.
func (c cluster) world() world {
	w := world{}
	// A base backup every six hours that takes ten minutes.
	backup := value(func(t time.Duration) float64 {
		if t < 10*time.Minute {
			return 0
		}
		return (10*time.Minute + (t - 10*time.Minute).Truncate(6*time.Hour)).Seconds()
	})
	first := backup.then(10*time.Minute, is(600))

	for i := 1; i <= instances; i++ {
		w[c.pod(i, "cnpg_collector_up", fmt.Sprintf("cluster=%q", c.name))] = is(1)
		w[c.pod(i, "cnpg_collector_fencing_on")] = is(0)
		w[c.pod(i, "cnpg_collector_nodes_used")] = is(instances)
		w[c.pod(i, "cnpg_collector_last_collection_error")] = is(0)
		w[c.pod(i, "cnpg_last_error")] = is(0)
		w[c.pod(i, "cnpg_last_update_timestamp")] = func(t time.Duration) float64 { return t.Seconds() }
		w[c.pod(i, "cnpg_collector_sync_replicas", `value="expected"`)] = is(1)
		w[c.pod(i, "cnpg_collector_pg_wal_archive_status", `value="ready"`)] = is(0)
		w[c.pod(i, "cnpg_collector_pg_wal_archive_status", `value="done"`)] = is(180)
		w[c.pod(i, "cnpg_pg_replication_in_recovery")] = is(1)
		w[c.pod(i, "cnpg_pg_replication_lag")] = is(0)
		w[c.pod(i, "cnpg_pg_postmaster_start_time")] = is(1)
		for _, s := range []string{"fsync", "full_page_writes", "data_checksums"} {
			w[c.pod(i, "cnpg_pg_settings_setting", fmt.Sprintf("name=%q", s))] = is(1)
		}
		w[c.pod(i, "cnpg_pg_settings_setting", `name="archive_timeout"`)] = is(300)
		w[c.pod(i, "cnpg_pg_settings_setting", `name="jit"`)] = is(0)
		w[c.pod(i, "cnpg_hardened_checksums_failures")] = is(0)

		// The operator's own backup gauges exist with the plugin too, and stay 0 there.
		for _, m := range []string{"first_recoverability_point", "last_available_backup_timestamp", "last_failed_backup_timestamp"} {
			w[c.pod(i, "cnpg_collector_"+m)] = is(0)
			if c.method != alerts.MethodInTree {
				w[c.pod(i, "barman_cloud_cloudnative_pg_io_"+m)] = is(0)
			}
		}
		volumes := []string{fmt.Sprintf("%s-%d", c.name, i)}
		if c.wal {
			volumes = append(volumes, volumes[0]+"-wal")
		}
		for _, v := range volumes {
			kubelet := fmt.Sprintf(`{endpoint="https-metrics",instance="10.0.0.%d:10250",job="kubelet",metrics_path="/metrics",namespace=%q,node="node-%d",persistentvolumeclaim=%q}`, i, c.namespace, i, v)
			w["kubelet_volume_stats_available_bytes"+kubelet] = is(60 << 30)
			w["kubelet_volume_stats_capacity_bytes"+kubelet] = is(100 << 30)
		}
	}
	c.promote(w, 1)

	prefix, pods := "barman_cloud_cloudnative_pg_io_", []int{1, 2, 3}
	if c.method == alerts.MethodInTree {
		prefix, pods = "cnpg_collector_", []int{1} // a standby never learns them
	}
	for _, i := range pods {
		w[c.pod(i, prefix+"last_available_backup_timestamp")] = backup
		w[c.pod(i, prefix+"first_recoverability_point")] = first
	}

	w[`hardened_postgres_claim_info{`+fmt.Sprintf(`claim_name=%q,claim_namespace=%q,cnpg_cluster=%q,namespace=%q}`, c.claim, c.namespace, c.name, c.namespace)] = is(1)
	es := fmt.Sprintf(`externalsecret_status_condition{condition="Ready",container="external-secrets",endpoint="metrics",exported_namespace=%q,job="external-secrets-metrics",name="%s-s3",namespace="external-secrets"`, c.namespace, c.name)
	w[es+`,status="True"}`] = is(1)
	w[es+`,status="False"}`] = is(0)
	return w
}

// promote gives instance i the series that only a primary has.
func (c cluster) promote(w world, i int) {
	w[c.pod(i, "cnpg_pg_replication_in_recovery")] = is(0)
	w[c.pod(i, "cnpg_collector_sync_replicas", `value="observed"`)] = is(1)

	last, archived := every(5*time.Minute), count(5*time.Minute)
	if !c.busy {
		last, archived = at(5*time.Minute), is(2)
	}
	w[c.pod(i, "cnpg_pg_stat_archiver_archived_count")] = archived
	w[c.pod(i, "cnpg_pg_stat_archiver_failed_count")] = is(0)
	w[c.pod(i, "cnpg_pg_stat_archiver_last_archived_time")] = last
	w[c.pod(i, "cnpg_pg_stat_archiver_last_failed_time")] = is(-1)
	w[c.pod(i, "cnpg_pg_stat_archiver_seconds_since_last_archival")] = func(t time.Duration) float64 { return t.Seconds() - last(t) }
	if c.busy {
		// Every segment waits half a minute for its upload.
		w[c.pod(i, "cnpg_collector_pg_wal_archive_status", `value="ready"`)] = func(t time.Duration) float64 {
			if t%(5*time.Minute) == 0 {
				return 1
			}
			return 0
		}
	}
	stream := func(app, user string) string {
		return c.pod(i, "cnpg_pg_stat_replication_flush_diff_bytes",
			fmt.Sprintf(`application_name=%q`, app), `client_addr="10.42.1.9/32"`, `client_port="45426"`, fmt.Sprintf("usename=%q", user))
	}
	for n := 1; n <= instances; n++ {
		if n != i {
			w[stream(fmt.Sprintf("%s-%d", c.name, n), "streaming_replica")] = is(0)
		}
	}
	// Not standbys: a base backup in progress, and somebody's WAL reader.
	w[stream("pg_basebackup", "streaming_replica")] = is(0)
	w[stream("orders-9", "debezium")] = is(0)

	for _, weakness := range []string{"commit_not_on_standby", "commit_not_flushed", "damaged_pages"} {
		w[c.pod(i, "cnpg_hardened_functions_count", `datname="app"`, fmt.Sprintf("weakness=%q", weakness))] = is(0)
		for _, scope := range []string{"role", "database"} {
			w[c.pod(i, "cnpg_hardened_overrides_count", fmt.Sprintf("scope=%q", scope), fmt.Sprintf("weakness=%q", weakness))] = is(0)
		}
	}
	w[c.pod(i, "cnpg_hardened_unlogged_relations", `datname="app"`)] = is(0)
	w[c.pod(i, "cnpg_hardened_databases_hidden")] = is(0)
	for _, state := range []string{"active", "inactive", "lost"} {
		w[c.pod(i, "cnpg_hardened_slots_count", fmt.Sprintf("state=%q", state))] = is(0)
		w[c.pod(i, "cnpg_hardened_slots_retained_bytes", fmt.Sprintf("state=%q", state))] = is(0)
	}
}

// platform is what kube-state-metrics says about those who run the databases.
func platform() world {
	w := world{}
	for deployment, namespace := range map[string]string{
		"cnpg-controller-manager": "cnpg-system", "barman-cloud": "cnpg-system", "coredns": "kube-system", "my-barman-cloud-ui": "tools",
	} {
		labels := fmt.Sprintf(`{container="kube-state-metrics",deployment=%q,job="kube-state-metrics",namespace=%q}`, deployment, namespace)
		w["kube_deployment_status_replicas_available"+labels] = is(1)
		w["kube_deployment_spec_replicas"+labels] = is(2)
	}
	return w
}

// metricOf tells whether a series is scraped from an instance of c.
func metricOf(series string, c cluster, instance int) bool {
	return strings.Contains(series, fmt.Sprintf(`namespace=%q,pod="%s-%d"`, c.namespace, c.name, instance))
}

// swap renames a series of one instance to that of another.
func swap(series string, from, to int) string {
	return strings.NewReplacer(
		fmt.Sprintf(`-%d"`, from), fmt.Sprintf(`-%d"`, to),
		fmt.Sprintf(`10.42.0.%d:`, from), fmt.Sprintf(`10.42.0.%d:`, to),
	).Replace(series)
}

// inTrouble is a cluster about which every alert would have something to say.
func (c cluster) inTrouble() world {
	w := c.world()
	for s := range w {
		switch {
		case strings.Contains(s, "recovery"), strings.Contains(s, "last_available"), strings.Contains(s, "last_archived"):
			w[s] = is(0)
		case strings.Contains(s, `value="ready"`), strings.Contains(s, "last_failed"), strings.Contains(s, "lag"), strings.Contains(s, "hardened"),
			strings.Contains(s, "error"), strings.Contains(s, "fencing"):
			w[s] = is(1 << 40)
		case strings.Contains(s, "collector_up"), strings.Contains(s, "last_update"), strings.Contains(s, "settings"), strings.Contains(s, "available"), strings.Contains(s, "sync"), strings.Contains(s, "nodes"):
			w[s] = is(0)
		case strings.Contains(s, "application_name"):
			w[s] = nothing
		}
	}
	return w
}
