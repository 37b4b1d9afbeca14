package contract

import (
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Layer 1 (CNPG-4.1): deleting the claim leaves the database and all it needs running.

// presenceRecord is the one recording rule whose very purpose is to vanish with the claim: its absence is how a
// database without a claim is noticed.
const presenceRecord = "hardened_postgres_claim_info"

const pausedAnnotation = "crossplane.io/paused"

// JudgePaused judges what the function never sees: a claim that Crossplane, or what applies it, is told to pass over (ZDL-10).
func JudgePaused(claim manifest.Object) Findings {
	var found Findings
	annotations := sub(sub(node(claim), "metadata"), "annotations")
	refuse := func(name, message string) {
		found = append(found, Finding{Rule: "ZDL-10", Path: "metadata.annotations[" + name + "]", Value: text(annotations, name), Message: message, Fix: "remove it"})
	}
	if text(annotations, pausedAnnotation) == "true" {
		refuse(pausedAnnotation, "pauses the claim: what protects the data is not kept up, and nothing that is merged takes effect")
	}
	for _, o := range omissions {
		if text(annotations, o.name) == o.value {
			refuse(o.name, "has the deployment tool pass over the claim: it looks committed, and nothing that is merged takes effect")
		}
	}
	return found
}

// managed judges what happens to the i-th document when whatever owns it goes.
func (j *judge) managed(i int) {
	d := &j.documents[i]
	if d.kind == wrapper {
		inner := j.inside(i)
		if inner == nil {
			j.refuse(d, "CNPG-4.1", "spec.forProvider.manifest", "", "is missing: the wrapper keeps nothing alive", "write the manifest")
			return
		}
		if j.incidental(inner) || isPresence(inner) {
			return
		}
		j.judgeReferences(d)
	}
	if text(sub(sub(d.body, "metadata"), "annotations"), pausedAnnotation) == "true" && d.isManaged() && !j.incidental(d) {
		j.refuse(d, "ZDL-10", "metadata.annotations["+pausedAnnotation+"]", "true", "pauses the resource: what protects the data is not kept up", "remove it")
	}
	switch {
	case !d.isManaged():
		if j.options.Composed && !d.wrapped && !isPresence(d) {
			j.refuse(d, "CNPG-4.1", "", "", "is composed without a wrapper: it is garbage-collected together with the claim", "put it into a provider-kubernetes Object without Delete among its managementPolicies")
		}
	case j.incidental(d):
	case d.kind >= bucket && !j.concerns(d):
	case isNamespaced(d.group):
		j.judgeUpkeep(i)
		if has(d.spec, "deletionPolicy") {
			j.refuse(d, "CNPG-4.1", "spec.deletionPolicy", text(d.spec, "deletionPolicy"), "is no field of a namespaced resource: it protects nothing, and the API server refuses the resource", "remove it; managementPolicies without Delete orphan")
		}
		j.judgePolicies(d, "is missing, which means all of them: the resource deletes what it manages when it goes (namespaced resources know no deletionPolicy)")
	default:
		j.judgeUpkeep(i)
		j.judgeDeletion(d)
	}
}

// judgeUpkeep: what is made here is also kept up, and what is kept up is made. Only a Cluster is not to be made a second
// time: one that comes back empty has lost its data.
func (j *judge) judgeUpkeep(i int) {
	d := &j.documents[i]
	policies := items(d.spec, "managementPolicies")
	makes, repairs := contains(policies, "Create"), contains(policies, "Update")
	refuse := func(message string) { j.refuse(d, "CNPG-4.1", "spec.managementPolicies", "", message, fixPolicies) }
	switch inner := j.inside(i); {
	case makes && !repairs:
		refuse("lack Update: what somebody changes or removes from it by hand is never put back")
	case repairs && !makes && (inner == nil || inner.kind != clusterKind):
		refuse("lack Create: where it is missing nothing makes it, and it protects nothing")
	}
}

// incidental says whether what becomes of a document is none of the contract's business.
func (j *judge) incidental(d *document) bool {
	switch {
	case j.options.Composed:
		return false
	case d.kind == encryptionKey:
		return !j.encrypts(d)
	}
	return d.kind == unknown || d.kind == bucketTiering || d.kind == persistentVolume || d.kind == autoscaler
}

// judgeDeletion judges a cluster-scoped managed resource, which has a deletionPolicy beside its managementPolicies.
func (j *judge) judgeDeletion(d *document) {
	policy, lost := text(d.spec, "deletionPolicy"), "removing the claim from Git destroys what this resource manages"
	if d.kind == encryptionKey {
		lost = "removing the resource from Git has AWS destroy the key, and with it every backup and disk that it encrypts, locked or not"
	}
	switch {
	case policy == "":
		j.refuse(d, "CNPG-4.1", "spec.deletionPolicy", "", "is missing, which means Delete: "+lost, "write deletionPolicy: Orphan")
	case policy != "Orphan":
		j.refuse(d, "CNPG-4.1", "spec.deletionPolicy", policy, lost, "write deletionPolicy: Orphan")
	case !allOf(d.spec):
		j.judgePolicies(d, "")
	}
}

// allOf says whether managementPolicies is absent or ["*"], which leaves the decision to deletionPolicy.
func allOf(spec node) bool {
	policies := items(spec, "managementPolicies")
	return policies == nil || len(policies) == 1 && policies[0] == "*" //nolint:gocritic // An empty list allows nothing; an absent one allows everything.
}

const fixPolicies = "write managementPolicies: [Observe, Create, Update, LateInitialize]"

// judgePolicies: no Delete among the managementPolicies, by name or as "*". A list that names it wins over
// deletionPolicy: Orphan.
func (j *judge) judgePolicies(d *document, missing string) {
	policies := items(d.spec, "managementPolicies")
	if policies == nil {
		j.refuse(d, "CNPG-4.1", "spec.managementPolicies", "", missing, fixPolicies)
		return
	}
	if len(policies) == 0 {
		j.refuse(d, "CNPG-4.1", "spec.managementPolicies", "", "is empty, which pauses the resource: nothing is deleted, and nothing is kept up either", fixPolicies)
		return
	}
	observes := false
	for i, policy := range policies {
		at := index("spec.managementPolicies", i)
		switch policy {
		case "Delete":
			message := "the resource deletes what it manages when it goes"
			if text(d.spec, "deletionPolicy") == "Orphan" {
				message += ", whatever deletionPolicy says: a list that names Delete wins"
			}
			j.refuse(d, "CNPG-4.1", at, "Delete", message, fixPolicies)
			return
		case "*":
			j.refuse(d, "CNPG-4.1", at, "*", "contains Delete: the resource deletes what it manages when it goes", fixPolicies)
			return
		case "Observe":
			observes = true
		}
	}
	if !observes {
		j.refuse(d, "CNPG-4.1", "spec.managementPolicies", "", "lacks Observe, which no provider accepts: the resource is never kept up", fixPolicies)
	}
}

// isNamespaced says whether a managed resource is of Crossplane v2's namespaced kind, by the .m. in its group.
func isNamespaced(group string) bool { return strings.Contains(group, ".m.") }

// inside is the document the i-th one wraps: take put it right behind its wrapper.
func (j *judge) inside(i int) *document {
	if i+1 < len(j.documents) && j.documents[i+1].depth > j.documents[i].depth {
		return &j.documents[i+1]
	}
	return nil
}

// judgeReferences: nothing is patched into a manifest behind the judge's back.
func (j *judge) judgeReferences(d *document) {
	for i, item := range items(d.spec, "references") {
		reference, _ := item.(node)
		if has(reference, "patchesFrom") {
			j.refuse(d, "ZDL-13", index("spec.references", i)+".patchesFrom", "", "patches the manifest when it is applied: what runs is not what was judged", "write the value into the manifest")
		}
	}
	if has(d.spec, "connectionDetails") {
		j.refuse(d, "ZDL-12", "spec.connectionDetails", "", "copies secrets into a managed resource's connection Secret, which goes together with the claim", "let External Secrets copy what applications need")
	}
}

// isPresence recognises the rule that says "this database has a claim", alone.
func isPresence(d *document) bool {
	if d.kind != prometheusRule {
		return false
	}
	rules := 0
	for _, item := range items(d.spec, "groups") {
		group, _ := item.(node)
		for _, item := range items(group, "rules") {
			rule, _ := item.(node)
			if text(rule, "record") != presenceRecord {
				return false
			}
			rules++
		}
	}
	return rules > 0
}
