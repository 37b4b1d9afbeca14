package hardened_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
)

// monitored builds the set of one claim and returns it by the names of its resources.
func monitored(t *testing.T, scope claim.Scope, backup, monitoring, spec map[string]any) map[string]hardened.Resource {
	t.Helper()
	p, found := policy.Decode(manifest.Object{
		"apiVersion": "hardened-postgres.fn.bizmatters.io/v1beta1", "kind": "Policy",
		"bucket": map[string]any{"prefix": "acme-prod", "region": "eu-central-1"}, "credentials": map[string]any{"secretStoreRef": map[string]any{"name": "aws"}},
		"backup": backup, "monitoring": monitoring,
	})
	if len(found) > 0 {
		t.Fatal(found)
	}
	o := manifest.Object{
		"apiVersion": "database.bizmatters.io/v1alpha1", "kind": "PostgresInstance",
		"metadata": map[string]any{"name": "orders", "namespace": "shop"}, "spec": spec,
	}
	c, found := claim.Decode(claim.AsComposite(o, scope))
	if len(found) > 0 {
		t.Fatal(found)
	}
	terms, found := c.BackupTerms(p)
	if len(found) > 0 {
		t.Fatal(found)
	}
	out := map[string]hardened.Resource{}
	for _, r := range hardened.Set(hardened.Request{Claim: c, Policy: p, Terms: terms, Place: hardened.PlaceOf(c, p)}) {
		out[r.Name] = r
	}
	return out
}

// text is all of an object, for what only has to occur somewhere in it.
func text(t *testing.T, o manifest.Object) string {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

var none = map[string]any{}

// TestPresence: the one object that goes with the claim, so that what stays can tell that it is orphaned.
func TestPresence(t *testing.T) {
	for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
		set := monitored(t, scope, none, map[string]any{"labels": map[string]any{"release": "kps"}}, none)
		got := set[hardened.ClaimPresence]
		want := hardened.Resource{Name: "claim-presence", Stage: hardened.Operation, Object: manifest.Object{
			"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
			"metadata": map[string]any{"name": "orders-presence", "namespace": "shop", "labels": map[string]any{
				"database.bizmatters.io/claim": "orders", "database.bizmatters.io/claim-namespace": "shop",
				"app.kubernetes.io/managed-by": "function-hardened-postgres", "release": "kps",
			}},
			"spec": map[string]any{"groups": []any{map[string]any{"name": "shop/orders.claim", "rules": []any{map[string]any{
				"record": "hardened_postgres_claim_info", "expr": "vector(1)",
				"labels": map[string]any{"namespace": "shop", "cnpg_cluster": "orders", "claim_namespace": "shop", "claim_name": "orders"},
			}}}}},
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the presence is composed directly, not protected, and Prometheus selects it: -want +got\n%s", scope, diff)
		}
		rules := set[hardened.PrometheusRule]
		if !rules.Object.IsWrapper() || rules.Object.Unwrap().Name() != "orders-alerts" {
			t.Errorf("%s: the alerts outlive the claim: %v is not a wrapped orders-alerts", scope, rules.Object["metadata"])
		}
	}
}

func TestMonitoringFollowsThePolicy(t *testing.T) {
	cases := map[string]struct {
		reason             string
		backup, monitoring map[string]any
		spec               map[string]any
		names              []string            // of the resources of monitoring
		contains, lacks    map[string][]string // of the object of that name
	}{
		"Default": {
			reason: "A PodMonitor of our own, and every number from the claim and the policy's defaults.",
			names:  []string{"claim-presence", "custom-queries", "pod-monitor", "prometheus-rule"},
			contains: map[string][]string{
				"custom-queries": {"hardened_overrides:", `"cnpg.io/reload":""`},
				"pod-monitor":    {`"cnpg.io/cluster":"orders"`, `"cnpg.io/podRole":"instance"`, `"port":"metrics"`},
				"prometheus-rule": {
					`cnpg_backup_last_success_seconds{namespace=\"shop\",cnpg_cluster=\"orders\"} \u003e 28800`, "vector(2592000)", "+ 3196800",
					"barman_cloud_cloudnative_pg_io_", `name=\"orders-archive-keys\"`, "cnpg-controller-manager",
					"https://github.com/bizmatters/function-hardened-postgres/blob/main/docs/runbooks/PostgresNoPrimary.md",
				},
			},
			lacks: map[string][]string{"cluster": {`"enablePodMonitor":true`}},
		},
		"OperatorsPodMonitor": {
			reason:     "Either PodMonitor, never both.",
			monitoring: map[string]any{"podMonitor": "operator", "labels": map[string]any{"release": "kps"}},
			names:      []string{"claim-presence", "custom-queries", "prometheus-rule"},
			contains:   map[string][]string{"cluster": {`"enablePodMonitor":true`, `"inheritedMetadata":{"labels":{"release":"kps"}}`}},
		},
		"Selectable": {
			reason:     "Prometheus picks objects by label, Grafana's sidecar by another.",
			monitoring: map[string]any{"labels": map[string]any{"release": "kps"}, "dashboardLabels": map[string]any{"grafana_dashboard": "1"}},
			names:      []string{"claim-presence", "custom-queries", "dashboard", "pod-monitor", "prometheus-rule"},
			contains: map[string][]string{
				"pod-monitor": {`"release":"kps"`}, "prometheus-rule": {`"release":"kps"`}, "claim-presence": {`"release":"kps"`},
				"dashboard": {`"grafana_dashboard":"1"`, `"shop.orders.json":`, `"name":"orders-dashboard"`},
			},
			lacks: map[string][]string{"dashboard": {`"release":"kps"`}, "custom-queries": {`"release":"kps"`}},
		},
		"Routing": {
			reason: "What the platform adds to alerts, and takes from them.",
			monitoring: map[string]any{
				"alertLabels": map[string]any{"team": "dba"}, "alertAnnotations": map[string]any{"wiki": "https://wiki.example.org"},
				"severities": map[string]any{"PostgresReplicationLag": "info"}, "runbookURL": "https://docs.example.org/pg/",
				"operatorDeployment": "cnpg", "pluginDeployment": "barman",
			},
			names: []string{"claim-presence", "custom-queries", "pod-monitor", "prometheus-rule"},
			contains: map[string][]string{"prometheus-rule": {
				`"team":"dba"`, `"wiki":"https://wiki.example.org"`, `"severity":"info"`, `"https://docs.example.org/pg/PostgresNoPrimary.md"`,
				`deployment=\"cnpg\"`, `deployment=\"barman\"`,
			}},
			lacks: map[string][]string{"prometheus-rule": {"cnpg-controller-manager"}},
		},
		"InTree": {
			reason: "The deprecated method has other metrics and no plugin.",
			backup: map[string]any{"method": "inTree"},
			names:  []string{"claim-presence", "custom-queries", "pod-monitor", "prometheus-rule"},
			lacks:  map[string][]string{"prometheus-rule": {"barman_cloud", "PostgresBackupPluginDown"}},
		},
		"Claim": {
			reason: "What the claim asks for is what is watched.",
			spec: map[string]any{
				"instances": int64(5), "walStorageGB": int64(10), "parameters": map[string]any{"synchronous_commit": "remote_write"},
				"backup": map[string]any{"schedule": "0 */2 * * *", "retentionDays": int64(60)},
			},
			names: []string{"claim-presence", "custom-queries", "pod-monitor", "prometheus-rule"},
			contains: map[string][]string{"prometheus-rule": {
				`\u003c 5`, `\u003c 4`, `\u003e 14400`, "vector(5184000)", `weakness!=\"commit_not_flushed\"`, `\u003c 0.15`,
			}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fill := func(m map[string]any) map[string]any {
				if m == nil {
					return none
				}
				return m
			}
			set := monitored(t, claim.Namespaced, fill(tc.backup), fill(tc.monitoring), fill(tc.spec))
			var names []string
			for _, n := range []string{hardened.ClaimPresence, hardened.CustomQueries, hardened.Dashboard, hardened.PodMonitor, hardened.PrometheusRule} {
				if _, ok := set[n]; ok {
					names = append(names, n)
				}
			}
			if !slices.Equal(names, tc.names) {
				t.Errorf("%s\nemitted %q, want %q", tc.reason, names, tc.names)
			}
			for n, parts := range tc.contains {
				for _, part := range parts {
					if all := text(t, set[n].Object); !strings.Contains(all, part) {
						t.Errorf("%s\n%s lacks %s:\n%s", tc.reason, n, part, all)
					}
				}
			}
			for n, parts := range tc.lacks {
				for _, part := range parts {
					if strings.Contains(text(t, set[n].Object), part) {
						t.Errorf("%s\n%s has %s", tc.reason, n, part)
					}
				}
			}
		})
	}
}
