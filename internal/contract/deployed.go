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
}

// deployed judges how what a running database needs is applied. Inside a wrapper no deployment tool sees it.
func (j *judge) deployed(d *document) {
	switch d.kind {
	case clusterKind, objectStore, scheduledBackup, externalSecret:
	default:
		return
	}
	if d.wrapped {
		return
	}
	annotations := sub(sub(d.body, "metadata"), "annotations")
	for _, r := range recreations {
		if value := text(annotations, r.name); r.does(value) {
			j.refuse(d, "CNPG-4.1", "metadata.annotations["+r.name+"]", value, "lets the deployment tool delete it and make it anew: a new Cluster is an empty one, and without its archive and keys a living one archives nothing", "remove it")
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
