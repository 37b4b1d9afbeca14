package contract

import "strings"

// recreations are annotations by which a deployment tool deletes what it applies, to make it anew or to clean up. A
// Cluster made anew is an empty one (CNPG-4.1).
var recreations = []struct {
	name string
	does func(value string) bool
}{
	{"helm.sh/hook", func(value string) bool { return value != "" }},
	{"argocd.argoproj.io/hook", func(value string) bool { return value != "" && value != "Skip" }},
	{"argocd.argoproj.io/sync-options", func(value string) bool { return strings.Contains(value, "Force=true") }},
	{"kustomize.toolkit.fluxcd.io/force", func(value string) bool { return value != "" && value != "disabled" }},
	{"kapp.k14s.io/update-strategy", func(value string) bool { return strings.HasSuffix(value, "-replace") }},
}

// lifetimes are labels and annotations by which kube-janitor and Kyverno delete an object when its time is over, in the
// cluster: whoever has applied it, and whatever wraps it.
var lifetimes = []struct{ field, name string }{
	{"annotations", "janitor/ttl"},
	{"annotations", "janitor/expires"},
	{"labels", "cleanup.kyverno.io/ttl"},
}

// omissions are annotations by which a deployment tool passes over a document: it lies in Git, and is never applied, or no
// longer kept up (ZDL-10).
var omissions = []struct{ name, value string }{
	{"argocd.argoproj.io/hook", "Skip"},
	{"kustomize.toolkit.fluxcd.io/reconcile", "disabled"},
	{"kustomize.toolkit.fluxcd.io/ssa", "Ignore"},
}

// owned: nothing that a running database needs goes together with something else (CNPG-4.1). What belongs to the Cluster
// itself may go with it.
func (j *judge) owned(d *document) {
	switch d.kind {
	case clusterKind, objectStore, scheduledBackup, externalSecret:
	default:
		return
	}
	for i, item := range items(sub(d.body, "metadata"), "ownerReferences") {
		owner, _ := item.(node)
		kind := text(owner, "kind")
		if d.kind != clusterKind && (kind == "Cluster" || kind == manyNamespaces) {
			continue
		}
		j.refuse(d, "CNPG-4.1", index("metadata.ownerReferences", i), kind+" "+text(owner, "name"), "owns it: Kubernetes deletes it together with its owner, the database with its volume claims or what it archives with", "remove the reference")
	}
	if d.kind != clusterKind || !j.options.Composed { // There nobody vouches for it, which is told by itself (ZDL-10).
		j.mortal(d, sub(d.body, "metadata"), "metadata", "has it deleted when its time is over: the database with its volume claims, or what it archives with")
	}
	if d.kind == clusterKind {
		j.mortal(d, sub(d.spec, "inheritedMetadata"), "spec.inheritedMetadata", "has the volume claims, Pods and Secrets of the database deleted when their time is over")
	}
}

// mortal: what a running database needs has no end of its own.
func (j *judge) mortal(d *document, metadata node, at, effect string) {
	for _, l := range lifetimes {
		if value := text(sub(metadata, l.field), l.name); value != "" {
			j.refuse(d, "CNPG-4.1", at+"."+l.field+"["+l.name+"]", value, effect, "remove it")
		}
	}
}

// deployed judges how what a running database needs is applied. Inside a wrapper no deployment tool sees it.
func (j *judge) deployed(d *document) {
	annotations := sub(sub(d.body, "metadata"), "annotations")
	if d.wrapped || len(annotations) == 0 {
		return
	}
	j.omitted(d, annotations)
	switch d.kind {
	case clusterKind, objectStore, scheduledBackup, externalSecret:
	default:
		return
	}
	for _, r := range recreations {
		if value := text(annotations, r.name); r.does(value) {
			j.refuse(d, "CNPG-4.1", "metadata.annotations["+r.name+"]", value, "lets the deployment tool delete it and make it anew: a new Cluster is an empty one, and without its archive and keys a living one archives nothing", "remove it")
		}
	}
}

// omitted judges what protects the data and is left out when everything else is applied.
func (j *judge) omitted(d *document, annotations node) {
	switch {
	case j.incidental(d), d.kind >= bucket && !j.concerns(d), d.kind == secret, d.kind == configMap:
		return
	}
	for _, o := range omissions {
		if text(annotations, o.name) == o.value {
			j.refuse(d, "ZDL-10", "metadata.annotations["+o.name+"]", o.value, "has the deployment tool pass over it: it looks committed, and is never applied or no longer kept up", "remove it")
		}
	}
}

// judgeDatabase: a database in a Cluster outlives the object that declares it.
func judgeDatabase(j *judge, d *document) {
	if policy := text(d.spec, "databaseReclaimPolicy"); policy == "delete" {
		j.refuse(d, "CNPG-4.1", "spec.databaseReclaimPolicy", policy, "removing the object from Git drops the database with all that is in it", "write databaseReclaimPolicy: retain")
	}
	if text(d.spec, "ensure") == "absent" {
		j.refuse(d, "CNPG-4.1", "spec.ensure", "absent", "drops the database with all that is in it", "remove the object; drop a database by hand, after a backup")
	}
}
