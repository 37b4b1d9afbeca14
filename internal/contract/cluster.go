package contract

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// judgeInstances: one primary and at least two standbys (CNPG-1.1).
func judgeInstances(j *judge, c *cluster) {
	const fix = "write instances: 3 or more"
	switch n, said := integer(c.spec, "instances"); {
	case !said:
		j.refuse(c.document, "CNPG-1.1", "spec.instances", "", "is missing: CloudNativePG then runs a single instance, and losing it loses what its disk alone holds", fix)
	case n < MinInstances:
		j.refuse(c.document, "CNPG-1.1", "spec.instances", strconv.FormatInt(n, 10), tooFewInstances, fix)
	}
}

const tooFewInstances = "is fewer than 3: after losing one instance either commits are no longer confirmed by a second one, or the database stops writing"

// judgeAutoscaler: nothing scales a Cluster below three behind its back (CNPG-1.1). Kubernetes' autoscaler goes down to one
// instance where nothing is said, KEDA to none.
func judgeAutoscaler(j *judge, d *document) {
	target := sub(d.spec, "scaleTargetRef")
	if group, _, _ := strings.Cut(text(target, "apiVersion"), "/"); text(target, "kind") != "Cluster" || group != "postgresql.cnpg.io" {
		return
	}
	field, least := "minReplicas", int64(1)
	if d.kindName == "ScaledObject" {
		field, least = "minReplicaCount", 0
	}
	if n, said := integer(d.spec, field); said {
		least = n
	}
	if least < MinInstances {
		j.refuse(d, "CNPG-1.1", "spec."+field, written(d.spec[field]),
			"scales Cluster "+text(target, "name")+" down to "+strconv.FormatInt(least, 10)+", which is fewer than 3, and deletes the volume claims of the others", "write "+field+": 3 or more, or remove the autoscaler")
	}
}

// nodeTopologies keep instances on different nodes; a zone or a region is made of nodes.
var nodeTopologies = map[string]bool{
	"": true, "kubernetes.io/hostname": true, "topology.kubernetes.io/zone": true, "topology.kubernetes.io/region": true,
}

// judgeNodes: no two instances on one node (CNPG-1.3). CloudNativePG by itself only prefers that.
func judgeNodes(j *judge, c *cluster) {
	affinity := sub(c.spec, "affinity")
	const shared = "two instances may share a node and are lost together with it"
	if on, said := boolean(affinity, "enablePodAntiAffinity"); said && !on {
		j.refuse(c.document, "CNPG-1.3", "spec.affinity.enablePodAntiAffinity", "false", shared, "write enablePodAntiAffinity: true")
		return
	}
	switch kind := text(affinity, "podAntiAffinityType"); kind {
	case "required":
	case "":
		j.refuse(c.document, "CNPG-1.3", "spec.affinity.podAntiAffinityType", "", "is missing, and CloudNativePG's default only prefers different nodes: "+shared, "write podAntiAffinityType: required")
	default:
		j.refuse(c.document, "CNPG-1.3", "spec.affinity.podAntiAffinityType", kind, "is only a wish: "+shared, "write podAntiAffinityType: required")
	}
	if key := text(affinity, "topologyKey"); !nodeTopologies[key] {
		j.refuse(c.document, "CNPG-1.3", "spec.affinity.topologyKey", key, "does not tell nodes apart: "+shared, "write topologyKey: kubernetes.io/hostname")
	}
}

// maxLease is how long a failover may wait for the old primary's lease.
const maxLease = 30

// minSwitchover is the least time a primary needs to stop in order: CloudNativePG's documentation warns of data loss below
// what sending and archiving the last WAL takes.
const minSwitchover = 30

// maxUnnoticed is for how many seconds a primary may be unready before Kubernetes says so.
const maxUnnoticed = 60

// patience is how many seconds a probe may fail before anything follows from it.
func patience(probe node) int64 {
	period, _ := integer(probe, "periodSeconds")
	threshold, _ := integer(probe, "failureThreshold")
	if period <= 0 {
		period = 10
	}
	if threshold <= 0 {
		threshold = 3
	}
	timeout, _ := integer(probe, "timeoutSeconds") // The next attempt waits for the end of the one before.
	return min(max(period, timeout), 1<<30) * min(threshold, 1<<30)
}

// judgeFailover: a failed primary is replaced at once and without a person (CNPG-1.4).
func judgeFailover(j *judge, c *cluster) {
	refuse := func(path, value, message, fix string) {
		j.refuse(c.document, "CNPG-1.4", path, value, message, fix)
	}
	if strategy := text(c.spec, "primaryUpdateStrategy"); strategy != "" && strategy != "unsupervised" {
		refuse("spec.primaryUpdateStrategy", strategy, "every update waits for a person before it touches the primary", "write primaryUpdateStrategy: unsupervised")
	}
	if method := text(c.spec, "primaryUpdateMethod"); method != "" && method != "restart" {
		refuse("spec.primaryUpdateMethod", method, "a switchover chooses the next primary before the old one stops and can lose acknowledged commits (cloudnative-pg#11114)", "write primaryUpdateMethod: restart")
	}
	if n, _ := integer(c.spec, "failoverDelay"); n > 0 {
		refuse("spec.failoverDelay", strconv.FormatInt(n, 10), fmt.Sprintf("every failover waits %d seconds before it begins", n), "write failoverDelay: 0")
	}
	if n, _ := integer(c.spec, "switchoverDelay"); n > 0 && n < minSwitchover {
		refuse("spec.switchoverDelay", strconv.FormatInt(n, 10), fmt.Sprintf("a primary that has to give way is killed after %s, before its last commits are with the standby that takes over and in the archive", plural(n, "second")), fmt.Sprintf("remove it, or write %d or more", minSwitchover))
	}
	if seconds := patience(sub(sub(c.spec, "probes"), "readiness")); seconds > maxUnnoticed {
		refuse("spec.probes.readiness", "", fmt.Sprintf("failureThreshold times periodSeconds, or timeoutSeconds, are %d seconds: for so long nobody notices that the primary no longer answers; %d are the most", seconds, maxUnnoticed), "remove them")
	}
	if on, said := boolean(c.spec, "enablePDB"); said && !on {
		refuse("spec.enablePDB", "false", "a drain may evict the primary and its standbys at once", "write enablePDB: true")
	}
	judgeIsolation(c, refuse)
	if follows(c) {
		refuse("spec.replica", "", "the Cluster follows another one: it takes no writes, and nothing promotes an instance of it", "remove spec.replica")
	}
	if n, _ := integer(sub(c.spec, "primaryLease"), "leaseDurationSeconds"); n > maxLease {
		refuse("spec.primaryLease.leaseDurationSeconds", strconv.FormatInt(n, 10), fmt.Sprintf("a standby waits that long for the lease of a dead primary; %d seconds is the most", maxLease), "write leaseDurationSeconds: 10")
	}
	if on, _ := boolean(sub(c.spec, "nodeMaintenanceWindow"), "inProgress"); on {
		refuse("spec.nodeMaintenanceWindow.inProgress", "true", "the disruption budget is off and evicted instances are not replaced", "remove nodeMaintenanceWindow")
	}
}

// follows says whether a Cluster is a replica of another one: by enabled, and where that is missing by another's name.
func follows(c *cluster) bool {
	replica := sub(c.spec, "replica")
	if on, said := boolean(replica, "enabled"); said {
		return on
	}
	primary := text(replica, "primary")
	return primary != "" && primary != cmp.Or(text(replica, "self"), c.name)
}

// judgeIsolation: a primary that is cut off from everything is stopped by its own node before long. CloudNativePG gives it 30
// seconds (livenessProbeTimeout) where probes.liveness says nothing.
func judgeIsolation(c *cluster, refuse func(path, value, message, fix string)) {
	const runs = "a primary that is cut off from everything goes on running beside the one that replaces it"
	liveness := sub(sub(c.spec, "probes"), "liveness")
	check := sub(liveness, "isolationCheck")
	if on, said := boolean(check, "enabled"); said && !on {
		refuse("spec.probes.liveness.isolationCheck.enabled", "false", runs, "remove it")
	}
	for _, key := range []string{"requestTimeout", "connectionTimeout"} {
		if n, _ := integer(check, key); n > maxUnnoticed*1000 {
			refuse("spec.probes.liveness.isolationCheck."+key, strconv.FormatInt(n, 10), fmt.Sprintf("for %d seconds %s; %d are the most", n/1000, runs, maxUnnoticed), "remove it")
		}
	}
	if seconds := patience(liveness); seconds > maxUnnoticed {
		refuse("spec.probes.liveness", "", fmt.Sprintf("failureThreshold times periodSeconds, or timeoutSeconds, are %d seconds: so long %s; %d are the most", seconds, runs, maxUnnoticed), "remove them")
	}
	if n, _ := integer(c.spec, "livenessProbeTimeout"); n > maxUnnoticed {
		refuse("spec.livenessProbeTimeout", strconv.FormatInt(n, 10), fmt.Sprintf("for %d seconds %s; %d are the most", n, runs, maxUnnoticed), "remove it")
	}
}

// judgeClusterEnvironment judges what the instances' own environment says to whatever talks to the bucket (CNPG-4.3).
// The in-tree method runs inside the instance and reads it, from ConfigMaps and Secrets too.
func judgeClusterEnvironment(j *judge, c *cluster) {
	j.judgeEnvironmentList(c.document, c.spec, "env", "spec.env")
	for i, item := range items(sub(c.spec, "postgresql"), "extensions") {
		extension, _ := item.(node) // PostgreSQL, and with it the in-tree archiver, inherits these.
		j.judgeEnvironmentList(c.document, extension, "env", index("spec.postgresql.extensions", i)+".env")
	}
	for _, item := range items(c.spec, "envFrom") {
		from, _ := item.(node)
		for _, field := range []string{"configMapRef", "secretRef"} {
			d, data, at := j.referenced(c, field == "secretRef", text(sub(from, field), "name"))
			for _, key := range sortedKeys(data) {
				found := judgeVariable(text(from, "prefix")+key, written(data[key]))
				for i := range found {
					found[i].Path = at + "." + key
				}
				j.add(d, found)
			}
			if field == "secretRef" {
				eachLiteral(d, func(literal, at string) {
					eachSetting(literal, func(key, value string) {
						for _, f := range judgeVariable(text(from, "prefix")+key, value) {
							if f.Rule != "ZDL-12" { // Refused where it stands.
								j.refuse(d, f.Rule, at, f.Value, key+" "+f.Message, f.Fix)
							}
						}
					})
				})
			}
		}
	}
}

// judgeEnvironmentList judges a list of {name, value}.
func (j *judge) judgeEnvironmentList(d *document, m node, key, at string) {
	for i, item := range items(m, key) {
		variable, _ := item.(node)
		name := text(variable, "name")
		if has(variable, "valueFrom") && isChecksumVariable(strings.ToUpper(name)) {
			j.refuse(d, "CNPG-4.3", index(at, i)+".valueFrom", "", name+" comes from where nobody here can look: with when_required uploads go without checksums, and AWS refuses them on a locked bucket", "remove it; update the object store if it cannot take checksums")
		}
		for _, f := range judgeVariable(name, written(variable["value"])) {
			f.Object, f.Path = d.String(), index(at, i)
			if f.Value != "" {
				f.Value = name + "=" + f.Value
			} else {
				f.Message = name + " " + f.Message
			}
			j.note(d, f)
		}
	}
}
