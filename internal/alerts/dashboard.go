package alerts

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
)

// A dashboard is one claim's contract at a glance: what could be lost, how far
// back one can go, and who guards it. It is made from a table like the rules,
// with the same selectors, so that it cannot show a neighbour's numbers.

// panel is one panel of the dashboard.
type panel struct {
	Title, Help string
	Kind        string // "stat" or "timeseries"
	Unit        string // Grafana's name for it
	Width       int    // of 24
	Queries     []query
	// Steps colour a stat from their value on: "0:green", "0.5:orange". What
	// is below the first, like no value at all, is red.
	Steps []string
	// Says are words shown instead of values: {"0": "none"}.
	Says map[string]string
	// Field and Line are more of Grafana's field options and of its graph's
	// own, by Grafana's names.
	Field, Line map[string]any
}

// days is a unit: Grafana's own for durations turn 30 days into 4.29 weeks.
const days = "suffix:days"

// none is what a stat shows instead of 0.
var none = map[string]string{"0": "none"}

// query is one query and how it is drawn.
type query struct {
	Expr, Legend string
	Dashed       bool // the line
}

const (
	statWidth  = 4
	graphWidth = 12
	rowWidth   = 24

	statHeight  = 4
	graphHeight = 8
)

// panels are the dashboard, row by row.
var panels = []panel{
	{
		Title: "Recovery window", Kind: "stat", Unit: days, Width: statWidth,
		Help:    "How far back a point-in-time recovery can go (CNPG-3.2). It grows to the retention and stays there.",
		Queries: []query{{Expr: `cnpg_recovery_window_seconds{@recorded} / 86400`}},
		Steps:   []string{"0:blue", "{days}:green"}, Field: map[string]any{"decimals": 1},
	},
	{
		Title: "Last base backup", Kind: "stat", Unit: "s", Width: statWidth,
		Help:    "Age of the newest good base backup (CNPG-3.1). Red where PostgresBackupTooOld fires.",
		Queries: []query{{Expr: `cnpg_backup_last_success_seconds{@recorded}`}},
		Steps:   []string{"0:green", "@gap:orange", "@backupage:red"}, Field: map[string]any{"decimals": 1},
	},
	{
		Title: "Archive lag", Kind: "stat", Unit: "s", Width: statWidth,
		Help:    "How long WAL has been waiting for the object store (CNPG-2.1). 0 while nothing waits, also on an idle database.",
		Queries: []query{{Expr: `cnpg_wal_archiving_last_success_seconds{@recorded}`}},
		Steps:   []string{"0:green", "120:orange", "300:red"}, Says: none,
	},
	{
		Title: "Standbys", Kind: "stat", Unit: "none", Width: statWidth,
		Help:    "Standbys that stream from the primary (CNPG-1.2). With none, commits wait.",
		Queries: []query{{Expr: `cnpg_streaming_standbys{@recorded}`}},
		Steps:   []string{"1:orange", "@peers:green"},
	},
	{
		Title: "Backups locked until", Kind: "stat", Unit: "time:YYYY-MM-DD HH:mm", Width: statWidth,
		Help:    "When the Object Lock of the newest base backup ends (CNPG-4.3), by the lock that was asked for. The bucket is the proof.",
		Queries: []query{{Expr: `cnpg_backup_lock_end_timestamp_seconds{@recorded} * 1000`}},
		Steps:   []string{"0:blue"},
	},
	{
		Title: "Firing alerts", Kind: "stat", Unit: "none", Width: statWidth,
		Help: "Alerts about this database.",
		// 0 only where the rules are evaluated: alerts that nobody loaded do
		// not fire either.
		Queries: []query{{Expr: `sum(ALERTS{alertname=~"Postgres.+",alertstate="firing",@recorded}) or 0 * max(cnpg_recovery_window_promised_seconds{@recorded})`}},
		Steps:   []string{"0:green", "1:red"}, Says: none,
	},

	{
		Title: "Recovery window against the promise", Kind: "timeseries", Unit: days, Width: graphWidth,
		Help: "A window that falls before it has reached the promise has lost backups.",
		Queries: []query{
			{Expr: `cnpg_recovery_window_seconds{@recorded} / 86400`, Legend: "recoverable"},
			{Expr: `cnpg_recovery_window_promised_seconds{@recorded} / 86400`, Legend: "promised", Dashed: true},
		},
	},
	{
		Title: "Archiving", Kind: "timeseries", Unit: "none", Width: graphWidth,
		Help: "Segments that wait on the primary, and segments archived and failed each minute.",
		Queries: []query{
			{Expr: `max by (namespace, pod) (cnpg_collector_pg_wal_archive_status{@pods,value="ready"}) @onprimary`, Legend: "waiting on {{pod}}"},
			{Expr: `sum(rate(cnpg_pg_stat_archiver_archived_count{@pods}[5m])) * 60`, Legend: "archived a minute"},
			{Expr: `sum(rate(cnpg_pg_stat_archiver_failed_count{@pods}[5m])) * 60`, Legend: "failed a minute"},
		},
	},
	{
		Title: "Replication lag", Kind: "timeseries", Unit: "s", Width: graphWidth,
		Help:    "Seconds of replay a promotion would have to catch up with (CNPG-1.4).",
		Queries: []query{{Expr: `max by (namespace, pod) (cnpg_pg_replication_lag{@pods})`, Legend: "{{pod}}"}},
	},
	{
		Title: "Primary", Kind: "timeseries", Unit: "none", Width: graphWidth,
		Help:    "Which instance takes writes: where the colour changes, there was a failover.",
		Queries: []query{{Expr: `1 - max by (namespace, pod) (cnpg_pg_replication_in_recovery{@pods})`, Legend: "{{pod}}"}},
		Says:    map[string]string{"0": "standby", "1": "primary"}, Field: map[string]any{"max": 1, "decimals": 0},
		Line: map[string]any{"lineInterpolation": "stepAfter", "lineWidth": 0, "fillOpacity": 60},
	},
	{
		Title: "Free space of volumes", Kind: "timeseries", Unit: "percentunit", Width: graphWidth,
		Help: "PostgreSQL stops on a full volume.", Field: map[string]any{"max": 1},
		Queries: []query{
			{Expr: free("@datavolumes"), Legend: "{{persistentvolumeclaim}}"},
			{Expr: free("@walvolumes"), Legend: "{{persistentvolumeclaim}}"},
		},
	},
	{
		Title: "Inside the database", Kind: "timeseries", Unit: "none", Width: graphWidth,
		Help:  "What users of the database can do to the promise (ZDL-15). All of it should be 0.",
		Field: map[string]any{"decimals": 0}, Line: map[string]any{"axisSoftMax": 1},
		Queries: []query{
			{Expr: `sum by (weakness) (max by (namespace, weakness, scope) (cnpg_hardened_overrides_count{@pods} ))`, Legend: "overrides: {{weakness}}"},
			{Expr: `sum by (weakness) (max by (namespace, weakness, datname) (cnpg_hardened_functions_count{@pods}))`, Legend: "functions: {{weakness}}"},
			{Expr: `sum(max by (namespace, datname) (cnpg_hardened_unlogged_relations{@pods}))`, Legend: "unlogged tables"},
			{Expr: `max(cnpg_hardened_databases_hidden{@pods})`, Legend: "databases not inspected"},
			{Expr: `max(cnpg_hardened_slots_count{@pods,state="lost"})`, Legend: "lost slots"},
			{Expr: `sum(max by (namespace, pod) (cnpg_hardened_checksums_failures{@pods}))`, Legend: "damaged pages"},
		},
	},
}

// Dashboard returns a Grafana dashboard about the target, as JSON.
func Dashboard(t Target) string {
	p := t.placeholders()
	list := make([]any, 0, len(panels))
	x, y, height := 0, 0, 0
	for i, one := range panels {
		if x+one.Width > rowWidth {
			x, y = 0, y+height
		}
		height = graphHeight
		if one.Kind == "stat" {
			height = statHeight
		}
		list = append(list, one.json(p, i+1, map[string]any{"x": x, "y": y, "w": one.Width, "h": height}))
		x += one.Width
	}
	board := map[string]any{
		"uid":           t.boardID(),
		"title":         "PostgreSQL " + t.ClaimNamespace + "/" + t.ClaimName,
		"description":   "The zero-data-loss contract of one database at a glance.",
		"tags":          []any{"postgresql", "hardened-postgres"},
		"schemaVersion": 39, // Grafana 10.4; newer ones migrate it.
		"editable":      false,
		"refresh":       "1m",
		"time":          map[string]any{"from": "now-24h", "to": "now"},
		"timezone":      "browser",
		"templating": map[string]any{"list": []any{map[string]any{
			"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus",
		}}},
		"links": []any{map[string]any{
			"title": "Runbooks", "type": "link", "url": strings.TrimSuffix(t.RunbookBase, "/") + "/README.md", "targetBlank": true,
		}},
		"panels": list,
	}
	raw, err := json.MarshalIndent(board, "", " ")
	if err != nil {
		panic(err) // Strings, numbers and maps of them: cannot happen.
	}
	return string(raw) + "\n"
}

// boardID is what Grafana knows the dashboard by: 40 characters at most, and
// no other claim's.
func (t Target) boardID() string { return "pg-" + digest(t.ClaimNamespace, t.ClaimName) }

func (one panel) json(p placeholders, id int, place map[string]any) map[string]any {
	source := map[string]any{"type": "prometheus", "uid": "${datasource}"}
	targets, overrides := make([]any, 0, len(one.Queries)), []any{}
	for i, q := range one.Queries {
		targets = append(targets, map[string]any{
			"refId": string(rune('A' + i)), "datasource": source, "expr": p.expand(q.Expr), "legendFormat": q.Legend,
			"instant": one.Kind == "stat", "range": one.Kind != "stat",
		})
		if q.Dashed {
			overrides = append(overrides, map[string]any{
				"matcher":    map[string]any{"id": "byName", "options": q.Legend},
				"properties": []any{map[string]any{"id": "custom.lineStyle", "value": map[string]any{"fill": "dash", "dash": []any{10, 10}}}},
			})
		}
	}
	defaults := map[string]any{"unit": one.Unit}
	options := map[string]any{"legend": map[string]any{"displayMode": "list", "placement": "bottom"}}
	if one.Kind == "stat" {
		defaults["color"] = map[string]any{"mode": "thresholds"}
		defaults["thresholds"] = map[string]any{"mode": "absolute", "steps": one.steps(p)}
		defaults["noValue"] = "no data"
		options = map[string]any{
			"colorMode": "background", "graphMode": "none", "textMode": "value",
			"reduceOptions": map[string]any{"calcs": []any{"lastNotNull"}},
		}
	} else {
		// From 0, so that a wobble does not look like a fall.
		defaults["min"] = 0
		line := map[string]any{"showPoints": "never"}
		maps.Copy(line, one.Line)
		defaults["custom"] = line
	}
	if len(one.Says) > 0 {
		words := map[string]any{}
		for value, word := range one.Says {
			words[value] = map[string]any{"text": word}
		}
		defaults["mappings"] = []any{map[string]any{"type": "value", "options": words}}
	}
	maps.Copy(defaults, one.Field)
	return map[string]any{
		"id": id, "type": one.Kind, "title": one.Title, "description": one.Help, "gridPos": place, "datasource": source,
		"targets": targets, "fieldConfig": map[string]any{"defaults": defaults, "overrides": overrides}, "options": options,
	}
}

func (one panel) steps(p placeholders) []any {
	out := []any{map[string]any{"color": "red", "value": nil}}
	for _, step := range one.Steps {
		from, colour, _ := strings.Cut(p.expand(step), ":")
		value, err := strconv.ParseFloat(from, 64)
		if err != nil {
			panic(err) // A misspelt row of the table; every test of the dashboard meets it.
		}
		out = append(out, map[string]any{"color": colour, "value": value})
	}
	return out
}
