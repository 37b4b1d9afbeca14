package hardened

import (
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

const queriesKey = "queries.yaml"

// monitoring makes silent failures loud (CNPG-5): metrics are scraped, and rules judge them.
func (b builder) monitoring() []Resource {
	queries := b.object("v1", "ConfigMap", b.Claim.Name+claim.SuffixQueries)
	queries["data"] = map[string]any{queriesKey: "{}\n"}
	out := []Resource{
		{Name: CustomQueries, Stage: Database, Object: b.wrap(CustomQueries, queries)},
	}
	if b.Policy.Monitoring.PodMonitor != "operator" {
		out = append(out, Resource{Name: PodMonitor, Stage: Database, Object: b.wrap(PodMonitor, b.podMonitor())})
	}
	return out
}

// podMonitor scrapes every instance (CNPG-5.1). Its name differs from the Cluster's, because the operator deletes a
// PodMonitor of that name while its own is switched off.
func (b builder) podMonitor() manifest.Object {
	o := b.selectable(b.object("monitoring.coreos.com/v1", "PodMonitor", b.Claim.Name+claim.SuffixMetrics))
	o["spec"] = map[string]any{
		"selector":            map[string]any{"matchLabels": map[string]any{"cnpg.io/cluster": b.Claim.Name, "cnpg.io/podRole": "instance"}},
		"podMetricsEndpoints": []any{map[string]any{"port": "metrics"}},
	}
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
