package alerts

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func target() Target {
	return Target{
		Namespace: "shop", Cluster: "orders",
		ClaimNamespace: "shop", ClaimName: "orders-db",
		Instances: 3, Method: MethodPlugin, ServerName: "orders-1",
		MaxBackupGap:  6 * time.Hour,
		RetentionDays: 30, LockDays: 37, HasWALVolume: true,
		CredentialsExternalSecret: "orders-s3",
		RunbookBase:               "https://example.org/docs/runbooks",
	}
}

type rule struct{ Group, Kind, Name, Expr, For string }

// rules flattens groups, and fails on anything that is not JSON-shaped.
func rules(t *testing.T, groups []any) (out []rule) {
	t.Helper()
	for _, g := range groups {
		group := g.(map[string]any)
		for _, r := range group["rules"].([]any) {
			m := r.(map[string]any)
			one := rule{Group: group["name"].(string), Expr: m["expr"].(string)}
			switch {
			case m["alert"] != nil:
				one.Kind, one.Name, one.For = "alert", m["alert"].(string), m["for"].(string)
			case m["record"] != nil:
				one.Kind, one.Name = "record", m["record"].(string)
			default:
				t.Errorf("group %s has a rule that is neither alert nor record: %v", one.Group, m)
			}
			for _, field := range []string{"labels", "annotations"} {
				values, _ := m[field].(map[string]any)
				for k, v := range values {
					if _, ok := v.(string); !ok {
						t.Errorf("%s: %s.%s is a %T, want a string", one.Name, field, k, v)
					}
				}
			}
			out = append(out, one)
		}
	}
	return out
}

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range table {
		if seen[a.Name] {
			t.Errorf("%s is in the table twice", a.Name)
		}
		seen[a.Name] = true
		if !slices.Contains(groupOrder, a.Group) {
			t.Errorf("%s: group %q is not emitted", a.Name, a.Group)
		}
		if !slices.Contains([]string{"critical", "warning"}, a.Severity) {
			t.Errorf("%s: severity %q, want critical or warning", a.Name, a.Severity)
		}
		if !regexp.MustCompile(`^(CNPG-[1-5]\.[1-4]|ZDL-\d\d)$`).MatchString(a.Rule) {
			t.Errorf("%s: %q is not a rule id", a.Name, a.Rule)
		}
		if _, err := time.ParseDuration(a.For); err != nil {
			t.Errorf("%s: for: %v", a.Name, err)
		}
		if !strings.Contains(a.Description, "{claim}") || !strings.Contains(a.Summary, "{cluster}") {
			t.Errorf("%s: the summary has to name the cluster and the description the claim", a.Name)
		}
	}
	for _, rec := range records {
		if !slices.Contains(groupOrder, rec.Group) {
			t.Errorf("%s: group %q is not emitted", rec.Name, rec.Group)
		}
	}
}

func TestNames(t *testing.T) {
	// Alert names are what people route, silence and link by: renaming one is
	// a breaking change.
	want := []string{
		"PostgresArchivingStalled", "PostgresArchivingFailing", "PostgresArchiveBacklog", "PostgresBackupFailed", "PostgresBackupMissing",
		"PostgresBackupTooOld", "PostgresRecoveryWindowShrunk", "PostgresCredentialsNotSynced",
		"PostgresMetricsAbsent", "PostgresInstanceMetricsMissing", "PostgresContractMetricsAbsent",
		"PostgresSupportMetricsAbsent", "PostgresMetricsFailing",
		"PostgresNoPrimary", "PostgresNoStandby", "PostgresStandbyMissing", "PostgresSyncNotEnforced",
		"PostgresDurabilitySettingOff", "PostgresInstancesShareNode", "PostgresInstanceFenced",
		"PostgresReplicationLag", "PostgresVolumeFilling", "PostgresVolumeFull",
		"PostgresDurabilityOverride", "PostgresUnloggedRelations", "PostgresDatabaseNotInspected", "PostgresSlotHoldsWAL",
		"PostgresSlotLost", "PostgresChecksumFailure",
		"PostgresOperatorDown", "PostgresBackupPluginDown", "PostgresControllersNotRedundant", "PostgresOrphaned",
	}
	if got := Names(); !slices.Equal(got, want) {
		t.Errorf("Names():\n got %q\nwant %q", got, want)
	}
}

func TestGroupsDeterministic(t *testing.T) {
	tgt := target()
	tgt.Labels = map[string]string{"team": "dba", "release": "kps", "a": "b"}
	tgt.Tablespaces = []string{"b", "a"}
	first := Groups(tgt)
	for range 20 {
		if diff := cmp.Diff(first, Groups(tgt)); diff != "" {
			t.Fatalf("two calls differ:\n%s", diff)
		}
	}
}

func TestGroupsLeaveNothingOpen(t *testing.T) {
	cases := map[string]struct {
		reason string
		target Target
	}{
		"Plugin":  {reason: "The default method.", target: target()},
		"InTree":  {reason: "The deprecated method.", target: func() Target { t := target(); t.Method = MethodInTree; return t }()},
		"Nothing": {reason: "A zero target must not panic, whatever sense its rules make.", target: Target{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, r := range rules(t, append(Groups(tc.target), Presence(tc.target)...)) {
				if left := regexp.MustCompile(`@[a-z]+|\{(claim|cluster|server|days|instances|gap)\}`).FindString(r.Expr); left != "" {
					t.Errorf("%s: %s: placeholder %s was not filled in: %s", tc.reason, r.Name, left, r.Expr)
				}
			}
		})
	}
}

func TestAnnotationsAndLabels(t *testing.T) {
	tgt := target()
	tgt.Severities = map[string]string{"PostgresBackupFailed": "info"}
	tgt.Labels = map[string]string{"team": "dba", "severity": "none", "namespace": "elsewhere"}
	tgt.Annotations = map[string]string{"dashboard": "https://example.org/d/x", "contract_rule": "none"}

	var got map[string]any
	for _, g := range Groups(tgt) {
		for _, r := range g.(map[string]any)["rules"].([]any) {
			if m := r.(map[string]any); m["alert"] == "PostgresBackupFailed" {
				got = m
			}
		}
	}
	want := map[string]any{
		"alert": "PostgresBackupFailed",
		"expr":  `cnpg_backup_last_status{namespace="shop",cnpg_cluster="orders",status="failed"} == 1`,
		"for":   "1m",
		"labels": map[string]any{
			"severity": "info", "namespace": "shop", "cnpg_cluster": "orders", "team": "dba",
		},
		"annotations": map[string]any{
			"summary":           "shop/orders: the last base backup failed",
			"description":       "The newest base backup of shop/orders (claim shop/orders-db) failed; the one before it is still good. The schedule tries again within 6h.",
			"runbook_url":       "https://example.org/docs/runbooks/PostgresBackupFailed.md",
			"contract_rule":     "CNPG-3.1",
			"claim_namespace":   "shop",
			"claim_name":        "orders-db",
			"cluster_namespace": "shop",
			"cluster_name":      "orders",
			"dashboard":         "https://example.org/d/x",
		},
	}
	if a, b := fmt.Sprint(got), fmt.Sprint(want); a != b {
		t.Errorf("policy may add, and set the severity, and nothing else:\n got %s\nwant %s", a, b)
	}
}

func TestFamilyByMethod(t *testing.T) {
	const plugin = "barman_cloud_cloudnative_pg_io_"
	inTree := []string{"cnpg_collector_last_available_backup_timestamp", "cnpg_collector_first_recoverability_point"}

	for _, r := range rules(t, Groups(target())) {
		for _, metric := range inTree {
			if strings.Contains(r.Expr, metric) {
				t.Errorf("plugin: %s reads %s, which stays 0 with the plugin", r.Name, metric)
			}
		}
	}
	tgt := target()
	tgt.Method = MethodInTree
	for _, r := range rules(t, Groups(tgt)) {
		if strings.Contains(r.Expr, plugin) {
			t.Errorf("in-tree: %s reads a metric of the plugin", r.Name)
		}
		if r.Name == "PostgresBackupPluginDown" {
			t.Error("in-tree: watches a plugin that is not used")
		}
	}
}

// selector matches one PromQL selector of an expression.
var selector = regexp.MustCompile(`([a-z_]*)\{([^{}]*)\}`)

// boardRules are the queries of the dashboard.
func boardRules(t *testing.T, target Target) (out []rule) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(Dashboard(target)), &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			out = append(out, rule{Group: "dashboard", Kind: "query", Name: p.Title, Expr: q.Expr})
		}
	}
	if len(out) == 0 {
		t.Error("the dashboard has no queries")
	}
	return out
}

func TestSelectorsAreExact(t *testing.T) {
	// A selector without the namespace, or with an open end, would take a
	// neighbour's database for this one.
	perName := []string{
		`,pod=~"orders-[0-9]+"`,
		`,cnpg_cluster="orders"`,
		`,persistentvolumeclaim=~"orders-[0-9]+"`,
		`,persistentvolumeclaim=~"orders-[0-9]+-wal"`,
		`name="orders-s3"`,
	}
	for _, r := range append(rules(t, Groups(target())), boardRules(t, target())...) {
		found := selector.FindAllStringSubmatch(r.Expr, -1)
		if len(found) == 0 && r.Expr != "vector(2592000)" {
			t.Errorf("%s selects nothing: %s", r.Name, r.Expr)
		}
		for _, m := range found {
			if strings.HasPrefix(m[1], "kube_deployment_") {
				continue // the platform's, whatever its namespace
			}
			if !strings.Contains(m[2], `namespace="shop"`) {
				t.Errorf("%s: selector without the namespace: %s", r.Name, m[0])
			}
			if !slices.ContainsFunc(perName, func(s string) bool { return strings.Contains(m[2], s) }) {
				t.Errorf("%s: selector without the cluster's name: %s", r.Name, m[0])
			}
		}
	}
}

func TestTablespaceVolumes(t *testing.T) {
	tgt := target()
	tgt.Tablespaces = []string{"Hot_Data", "_cold$1"}
	re := regexp.MustCompile("^(?:" + tgt.dataVolumes() + ")$")
	for volume, want := range map[string]bool{
		"orders-1":                 true,
		"orders-12-tbs-hot-data":   true,
		"orders-2-tbs-1cold-1":     true,
		"orders-1-wal":             false,
		"orders-1-tbs-other":       false,
		"orders-1-tbs-hot-data-1":  false, // an instance of a cluster called orders-1-tbs-hot-data
		"orders-v2-1":              false,
		"my-orders-1":              false,
		"orders-1-tbs-hot-data-2x": false,
	} {
		if got := re.MatchString(volume); got != want {
			t.Errorf("%s: matched %t, want %t by %s", volume, got, want, re)
		}
	}
}

var metricName = regexp.MustCompile(`\b(?:cnpg|barman|kube|kubelet|externalsecret|hardened)_[a-z0-9_]+`)

// knownMetrics reads testdata/metrics.txt: metric to source.
func knownMetrics(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] != "#" {
			known[f[0]] = f[1]
		}
	}
	return known
}

func TestMetricsExist(t *testing.T) {
	known, used := knownMetrics(t), map[string]bool{}
	inTree := target()
	inTree.Method = MethodInTree
	all := slices.Concat(rules(t, Groups(target())), rules(t, Groups(inTree)), rules(t, Presence(target())), boardRules(t, target()))
	for _, r := range all {
		if r.Kind == "record" {
			used[r.Name] = true
			if known[r.Name] != "record" {
				t.Errorf("testdata/metrics.txt does not list the record %s", r.Name)
			}
		}
		for _, m := range metricName.FindAllString(r.Expr, -1) {
			used[m] = true
			if known[m] == "" && m != "cnpg_cluster" {
				t.Errorf("%s uses %s, which no exporter is known to export", r.Name, m)
			}
		}
	}
	for m := range known {
		if !used[m] {
			t.Errorf("testdata/metrics.txt lists %s, which nothing uses", m)
		}
	}
}
