package hardened

import (
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

const queriesKey = "queries.yaml"

// prometheusAPI is the Prometheus operator's version of the kinds used here.
const prometheusAPI = "monitoring.coreos.com/v1"

// monitoring makes silent failures loud (CNPG-5): metrics are scraped, and rules judge them. The rules wait for the
// Cluster, or they would report a database as vanished that was never there.
func (b builder) monitoring() []Resource {
	target := b.watched()
	out := []Resource{
		{Name: CustomQueries, Stage: Database, Object: b.wrap(CustomQueries, b.customQueries(target))},
	}
	if b.Policy.Monitoring.PodMonitor != "operator" {
		out = append(out, Resource{Name: PodMonitor, Stage: Database, Object: b.wrap(PodMonitor, b.podMonitor())})
	}
	out = append(out,
		Resource{Name: PrometheusRule, Stage: Operation, Object: b.wrap(PrometheusRule, b.prometheusRule(claim.SuffixAlerts, alerts.Groups(target)))},
		Resource{Name: ClaimPresence, Stage: Operation, Object: b.claimPresence(target)},
	)
	if len(b.Policy.Monitoring.DashboardLabels) > 0 {
		out = append(out, Resource{Name: Dashboard, Stage: Operation, Object: b.wrap(Dashboard, b.dashboard(target))})
	}
	return out
}

// watched is the database as the alerts see it.
func (b builder) watched() alerts.Target {
	m := b.Policy.Monitoring
	method := alerts.MethodInTree
	if Plugin(b.Policy) {
		method = alerts.MethodPlugin
	}
	commit, _ := b.parameters()["synchronous_commit"].(string)
	return alerts.Target{
		Namespace: b.Claim.Namespace, Cluster: b.Claim.Name,
		ClaimNamespace: b.Claim.Namespace, ClaimName: b.Claim.Name,
		Instances:                 int(b.Claim.Spec.Instances),
		Method:                    method,
		ServerName:                b.Place.ServerName,
		MaxBackupGap:              b.Terms.Schedule.MaxGap(),
		RetentionDays:             int(b.Terms.RetentionDays),
		LockDays:                  int(b.Terms.LockDays),
		HasWALVolume:              b.Claim.Spec.WALStorageGB > 0,
		CredentialsExternalSecret: b.credentialsName(),
		AllowRemoteWrite:          strings.EqualFold(commit, "remote_write"),
		OperatorDeployment:        m.OperatorDeployment,
		PluginDeployment:          m.PluginDeployment,
		RunbookBase:               m.RunbookURL,
		Severities:                m.Severities,
		Labels:                    m.AlertLabels,
		Annotations:               m.AlertAnnotations,
	}
}

// customQueries are what only the database itself can tell (ZDL-15). CloudNativePG reads changes of a ConfigMap only
// where it carries the reload label.
func (b builder) customQueries(t alerts.Target) manifest.Object {
	o := b.object("v1", "ConfigMap", b.Claim.Name+claim.SuffixQueries)
	manifest.Map(o, "metadata", "labels")["cnpg.io/reload"] = ""
	o["data"] = map[string]any{queriesKey: alerts.CustomQueries(t)}
	return o
}

// podMonitor scrapes every instance (CNPG-5.1). Its name differs from the Cluster's, because the operator deletes a
// PodMonitor of that name while its own is switched off.
func (b builder) podMonitor() manifest.Object {
	o := b.selectable(b.object(prometheusAPI, "PodMonitor", b.Claim.Name+claim.SuffixMetrics))
	o["spec"] = map[string]any{
		"selector":            map[string]any{"matchLabels": map[string]any{"cnpg.io/cluster": b.Claim.Name, "cnpg.io/podRole": "instance"}},
		"podMetricsEndpoints": []any{map[string]any{"port": "metrics"}},
	}
	return o
}

// prometheusRule holds rule groups (CNPG-5.2).
func (b builder) prometheusRule(suffix string, groups []any) manifest.Object {
	o := b.selectable(b.object(prometheusAPI, "PrometheusRule", b.Claim.Name+suffix))
	o["spec"] = map[string]any{"groups": groups}
	return o
}

// claimPresence is the one object that has to go with the claim: it says that there is one, and PostgresOrphaned
// notices its silence. So it is composed directly, owned by the composite resource and garbage-collected with it, and
// it does not carry the label that forbids deletion.
func (b builder) claimPresence(t alerts.Target) manifest.Object {
	o := b.prometheusRule(claim.SuffixPresence, alerts.Presence(t))
	delete(manifest.Map(o, "metadata", "labels"), LabelProtected)
	return o
}

// dashboard is picked up by Grafana's sidecar, which writes every key of every ConfigMap into one directory: the key is
// the claim's own.
func (b builder) dashboard(t alerts.Target) manifest.Object {
	o := b.object("v1", "ConfigMap", b.Claim.Name+claim.SuffixDashboard)
	labels := manifest.Map(o, "metadata", "labels")
	for name, value := range b.Policy.Monitoring.DashboardLabels {
		labels[name] = value
	}
	o["data"] = map[string]any{b.Claim.Namespace + "." + b.Claim.Name + ".json": alerts.Dashboard(t)}
	return o
}

// selectable adds the labels by which Prometheus picks the objects it reads.
func (b builder) selectable(o manifest.Object) manifest.Object {
	labels := manifest.Map(o, "metadata", "labels")
	for name, value := range b.Policy.Monitoring.Labels {
		labels[name] = value
	}
	return o
}
