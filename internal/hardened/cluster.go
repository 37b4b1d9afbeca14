package hardened

import (
	"maps"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// PluginName is the name CloudNativePG knows the barman-cloud plugin by.
const PluginName = "barman-cloud.cloudnative-pg.io"

// cluster is the CloudNativePG Cluster. Every field here that is not the developer's own wish carries a rule.
func (b builder) cluster() manifest.Object {
	c := b.Claim.Spec
	spec := map[string]any{
		"instances": c.Instances, // CNPG-1.1
		"imageName": Image(b.Claim.Spec, b.Policy),
		"affinity":  b.affinity(),
		// Zones are a wish, nodes are a must: with a hard zone constraint a cluster of one zone could not start.
		"topologySpreadConstraints": []any{map[string]any{
			"maxSkew": int64(1), "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway",
			"labelSelector": map[string]any{"matchLabels": map[string]any{"cnpg.io/cluster": b.Claim.Name}},
		}},
		"postgresql": map[string]any{
			"parameters": b.parameters(),
			// CNPG-1.2: an acknowledged commit is on a standby, and only a standby known to have it is promoted.
			"synchronous": map[string]any{
				"method": "any", "number": int64(1), "dataDurability": "required", "failoverQuorum": true,
			},
			"enableAlterSystem": false, // ZDL-09: nothing is set behind the contract's back.
		},
		"storage": b.volume(c.StorageGB),

		// CNPG-1.4: the operator promotes by itself, at once, and restarts rather than switches over: a switchover can
		// lose acknowledged commits (cloudnative-pg#11114).
		"primaryUpdateStrategy": "unsupervised",
		"primaryUpdateMethod":   "restart",
		"failoverDelay":         int64(0),
		"smartShutdownTimeout":  int64(10),
		"primaryLease": map[string]any{
			"leaseDurationSeconds": int64(10), "renewDeadlineSeconds": int64(7), "retryPeriodSeconds": int64(2),
		},
		"enablePDB": true,

		"enableSuperuserAccess": false,
		"bootstrap":             b.bootstrap(),
		"resources":             b.resources(),
		"monitoring": map[string]any{
			"enablePodMonitor": b.Policy.Monitoring.PodMonitor == "operator",
			"customQueriesConfigMap": []any{
				map[string]any{"name": b.Claim.Name + claim.SuffixQueries, "key": queriesKey},
			},
		},
	}
	if c.WALStorageGB > 0 {
		spec["walStorage"] = b.volume(c.WALStorageGB)
	}
	if len(b.Bootstrap.ExternalClusters) > 0 {
		spec["externalClusters"] = b.Bootstrap.ExternalClusters
	}
	b.certificates(spec)
	b.archive(spec)
	b.options(spec)

	o := b.object("postgresql.cnpg.io/v1", "Cluster", b.Claim.Name)
	o["spec"] = spec
	return o
}

// clusterObject wraps the Cluster. One that lives is only ever updated.
func (b builder) clusterObject() manifest.Object {
	o := b.wrap(Cluster, b.cluster(), readyFromManifest)
	switch spec := manifest.Map(o, "spec"); {
	case b.Alive:
		spec["managementPolicies"] = keepAlive()
	case b.Held:
		spec["managementPolicies"] = observe()
	}
	return o
}

// archive connects the Cluster to its archive: exactly one archiver, by explicit names (CNPG-2.1, ZDL-05).
func (b builder) archive(spec map[string]any) {
	if Plugin(b.Policy) {
		spec["plugins"] = []any{map[string]any{
			"name": PluginName, "enabled": true, "isWALArchiver": true,
			"parameters": map[string]any{"barmanObjectName": b.objectStoreName(), "serverName": b.Place.ServerName},
		}}
		return
	}
	store := b.configuration()
	store["serverName"] = b.Place.ServerName
	spec["backup"] = map[string]any{"barmanObjectStore": store, "retentionPolicy": days(b.Terms.RetentionDays)}
	spec["env"] = b.storeEnvironment()
}

// options are the platform's settings that do not touch the contract.
func (b builder) options(spec map[string]any) {
	o := b.Policy.Cluster
	if o.PriorityClassName != "" {
		spec["priorityClassName"] = o.PriorityClassName
	}
	if len(o.ImagePullSecrets) > 0 {
		secrets := make([]any, len(o.ImagePullSecrets))
		for i, name := range o.ImagePullSecrets {
			secrets[i] = map[string]any{"name": name}
		}
		spec["imagePullSecrets"] = secrets
	}
	if b.Policy.Monitoring.PodMonitor == "operator" && len(b.Policy.Monitoring.Labels) > 0 {
		// The operator's PodMonitor inherits these; without them a default Prometheus does not select it.
		spec["inheritedMetadata"] = map[string]any{"labels": stringMap(b.Policy.Monitoring.Labels)}
	}
}

// affinity puts every instance on a node of its own (CNPG-1.3); CloudNativePG by itself only prefers that.
func (b builder) affinity() map[string]any {
	a := map[string]any{
		"enablePodAntiAffinity": true, "podAntiAffinityType": "required", "topologyKey": "kubernetes.io/hostname",
	}
	if len(b.Policy.Cluster.NodeSelector) > 0 {
		a["nodeSelector"] = stringMap(b.Policy.Cluster.NodeSelector)
	}
	return a
}

// parameters are the platform's settings, overridden by the claim's, in lower case as PostgreSQL compares them.
func (b builder) parameters() map[string]any {
	out := map[string]any{"synchronous_commit": "on"}
	for _, settings := range []map[string]string{b.Policy.Cluster.Parameters, b.Claim.Spec.Parameters} {
		for _, name := range manifest.SortedKeys(settings) {
			out[strings.ToLower(name)] = settings[name]
		}
	}
	return out
}

func (b builder) volume(sizeGB int64) map[string]any {
	return map[string]any{"size": gibibytes(sizeGB), "storageClass": b.Policy.StorageClassName}
}

func (b builder) bootstrap() map[string]any {
	if s := b.Bootstrap.Stanza; s != nil {
		return s
	}
	return map[string]any{"initdb": map[string]any{
		"database": b.Claim.Spec.Database, "owner": b.Claim.Spec.Owner, "encoding": "UTF8",
		"dataChecksums": true, // ZDL-11: off by default before PostgreSQL 18.
	}}
}

// resources are the size's, overridden field by field by the claim's.
func (b builder) resources() map[string]any {
	size := b.Policy.Sizes[b.Claim.Spec.Size]
	requests, limits := quantities(size.Requests), quantities(size.Limits)
	if r := b.Claim.Spec.Resources; r != nil {
		override(requests, r.Requests)
		override(limits, r.Limits)
	}
	out := map[string]any{}
	if len(requests) > 0 {
		out["requests"] = requests
	}
	if len(limits) > 0 {
		out["limits"] = limits
	}
	return out
}

func quantities(q v1beta1.Quantities) map[string]any {
	out := map[string]any{}
	if q.CPU != "" {
		out["cpu"] = q.CPU
	}
	if q.Memory != "" {
		out["memory"] = q.Memory
	}
	return out
}

func override(out map[string]any, q *v1alpha1.Quantities) {
	if q == nil {
		return
	}
	maps.Copy(out, quantities(v1beta1.Quantities(*q)))
}

// Image is the catalogue's image for a claim, or "" where the catalogue has none (ZDL-11: never the operator's own
// default, which changes its major with the operator).
func Image(spec v1alpha1.Spec, p *v1beta1.Policy) string {
	set := p.Images[spec.Version]
	if spec.Image != "" {
		return set.Variants[spec.Image]
	}
	return set.Default
}

// hostNames are the names a Service answers to inside the cluster.
func hostNames(service, namespace string) []any {
	return []any{service, service + "." + namespace, service + "." + namespace + ".svc", service + "." + namespace + ".svc.cluster.local"}
}
