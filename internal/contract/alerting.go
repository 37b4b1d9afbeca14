package contract

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Silent failures alert (CNPG-5.2). An alert whose metric does not exist never fires, and nobody notices: PromQL does
// not tell a healthy database from a misspelt name.

const (
	familyPlugin   = "barman_cloud_cloudnative_pg_io_"
	familyOperator = "cnpg_collector_"
)

// pluginMetrics are what the barman-cloud plugin exports, under its own prefix.
var pluginMetrics = map[string]bool{
	"first_recoverability_point": true, "last_available_backup_timestamp": true, "last_failed_backup_timestamp": true,
}

// unfedByPlugin are the operator's own figures of the in-tree method. With the plugin they stay 0 for ever. That of
// failed backups is not among them: the operator still writes it.
var unfedByPlugin = map[string]bool{"first_recoverability_point": true, "last_available_backup_timestamp": true}

// operatorMetrics are what CloudNativePG's instances export under cnpg_collector_, besides what Go adds.
var operatorMetrics = map[string]bool{
	"collection_duration_seconds": true, "collections_total": true, "fencing_on": true, "first_recoverability_point": true,
	"last_available_backup_timestamp": true, "last_collection_error": true, "last_failed_backup_timestamp": true,
	"lo_pages": true, "manual_switchover_required": true, "nodes_used": true, "pg_wal": true, "pg_wal_archive_status": true,
	"postgres_version": true, "replica_mode": true, "sync_replicas": true, "up": true, "update_enabled": true,
	"wal_buffers_full": true, "wal_bytes": true, "wal_fpi": true, "wal_records": true, "wal_sync": true, "wal_sync_time": true,
	"wal_write": true, "wal_write_time": true,
}

// specified are the names of the specification, which no release of CloudNativePG exports. They are true only where a
// recording rule makes them.
var specified = map[string]string{
	"cnpg_wal_archiving_last_success_seconds": "cnpg_pg_stat_archiver_last_archived_time and cnpg_collector_pg_wal_archive_status",
	"cnpg_backup_last_status":                 "the timestamps of the last good and the last failed backup",
}

// judgePrometheusRule: no alert and no recording rule refers to a metric that cannot exist.
func judgePrometheusRule(j *judge, d *document) {
	eachRule(d, func(rule node, at rulePlace) {
		expr := text(rule, "expr")
		method := j.methodOf(d, rule)
		var told []string // Once for each metric and expression.
		eachMetric(expr, func(name string) {
			if message, fix := j.judgeMetric(name, method); message != "" && !slices.Contains(told, name) {
				told = append(told, name)
				j.refuse(d, "CNPG-5.2", at.String()+".expr", name, message, fix)
			}
		})
	})
}

func (j *judge) judgeMetric(name, method string) (message, fix string) {
	if actual, invented := specified[name]; invented && !j.records(name) {
		return "is exported by no CloudNativePG, and no recording rule of this set makes it: the alert never fires", "add a recording rule that makes it from " + actual
	}
	if metric, ok := strings.CutPrefix(name, familyPlugin); ok {
		switch {
		case method == methodInTree:
			return "is the plugin's, but the Cluster archives in-tree: the metric does not exist and the alert never fires", "write " + familyOperator + metric
		case !pluginMetrics[metric]:
			return "is exported by no release of the plugin: the alert never fires", "use first_recoverability_point, last_available_backup_timestamp or last_failed_backup_timestamp"
		}
	}
	if metric, ok := strings.CutPrefix(name, familyOperator); ok {
		switch {
		case method == methodPlugin && unfedByPlugin[metric]:
			return "stays 0 for ever with the plugin, which exports its own: the alert never fires, or always", "write " + familyPlugin + metric
		case !operatorMetrics[metric] && !j.records(name):
			return "is exported by no CloudNativePG: the alert never fires", "use a metric that exists"
		}
	}
	return "", ""
}

// records says whether some recording rule of the set makes a metric.
func (j *judge) records(name string) bool {
	found := false
	for i := range j.documents {
		if d := &j.documents[i]; d.kind == prometheusRule && !found {
			eachRule(d, func(rule node, _ rulePlace) { found = found || text(rule, "record") == name })
		}
	}
	return found
}

// methodOf is the backup method of the Cluster a rule is about: the one it names, or the only one of its namespace;
// "" where the set does not tell.
func (j *judge) methodOf(d *document, rule node) string {
	named := text(sub(rule, "labels"), "cnpg_cluster")
	method := ""
	for i := range j.clusters {
		c := &j.clusters[i]
		switch {
		case c.namespace != d.namespace:
			continue
		case named != "" && c.name == named:
			return c.method
		case method != "" && c.method != method:
			return ""
		}
		method = c.method
	}
	if method == "" {
		return j.options.Method
	}
	return method
}

// watched are the two failures that have no effect on the application: a Cluster in a complete set has alerts on both.
var watched = []struct {
	what    string
	metrics []string
}{
	{"archiving that stalls", []string{"cnpg_pg_stat_archiver_", "cnpg_collector_pg_wal_archive_status", "cnpg_wal_archiving_"}},
	{"backups that fail or stop", []string{"last_available_backup_timestamp", "cnpg_backup_last_", "first_recoverability_point"}},
}

// judgeAlerted: archiving that stalls and backups that stop raise an alert.
func judgeAlerted(j *judge, c *cluster) {
	if !j.options.Complete {
		return
	}
	for _, w := range watched {
		if !j.alertsOn(c, w.metrics) {
			j.refuse(c.document, "CNPG-5.2", "", "", "no alert of this set notices "+w.what+": nothing else shows it", "add a PrometheusRule with such an alert")
		}
	}
}

func (j *judge) alertsOn(c *cluster, metrics []string) bool {
	found := false
	for i := range j.documents {
		d := &j.documents[i]
		if d.kind != prometheusRule || found {
			continue
		}
		eachRule(d, func(rule node, at rulePlace) {
			group, _ := items(d.spec, "groups")[at.group].(node)
			if text(rule, "alert") == "" || found || tooLate(text(rule, "for")) || tooLate(text(group, "interval")) || tooLate(text(group, "query_offset")) {
				return
			}
			if named := text(sub(rule, "labels"), "cnpg_cluster"); named != "" && named != c.name {
				return
			}
			for _, metric := range metrics {
				found = found || strings.Contains(text(rule, "expr"), metric)
			}
		})
	}
	return found
}

// tooLate says whether an alert waits for more than an hour, or for nobody knows how long: it may as well not exist.
func tooLate(wait string) bool {
	d, ok := prometheusTime(wait)
	return !ok || d > time.Hour
}

// prometheusTime reads a duration as Prometheus does: "90s", "1h30m", "2d"; none is none.
func prometheusTime(written string) (time.Duration, bool) {
	if written == "0" {
		return 0, true
	}
	total := time.Duration(0)
	for written != "" {
		end := strings.IndexFunc(written, func(r rune) bool { return r < '0' || r > '9' })
		if end <= 0 {
			return 0, false
		}
		n, err := strconv.ParseInt(written[:end], 10, 16)
		written = written[end:]
		unit := written
		if next := strings.IndexAny(written, "0123456789"); next >= 0 {
			unit = written[:next]
		}
		size, known := prometheusUnits[unit]
		if err != nil || !known {
			return 0, false
		}
		total += time.Duration(n) * size
		written = written[len(unit):]
	}
	return total, true
}

var prometheusUnits = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
}

// rulePlace is where in a PrometheusRule a rule stands.
type rulePlace struct{ group, rule int }

func (p rulePlace) String() string { return index(index("spec.groups", p.group)+".rules", p.rule) }

// eachRule visits the rules of a PrometheusRule.
func eachRule(d *document, visit func(rule node, at rulePlace)) {
	for i, item := range items(d.spec, "groups") {
		group, _ := item.(node)
		for k, item := range items(group, "rules") {
			rule, _ := item.(node)
			visit(rule, rulePlace{i, k})
		}
	}
}

// eachMetric visits every word of a PromQL expression that may be the name of a metric, inside strings too: a selector
// may give the name as __name__=~"a|b".
func eachMetric(expr string, visit func(name string)) {
	start := -1
	for i := 0; i <= len(expr); i++ {
		if i < len(expr) && isNameByte(expr[i]) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 && (strings.HasPrefix(expr[start:i], "cnpg_") || strings.HasPrefix(expr[start:i], familyPlugin)) {
			visit(expr[start:i])
		}
		start = -1
	}
}

func isNameByte(b byte) bool {
	return b == '_' || b == ':' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
