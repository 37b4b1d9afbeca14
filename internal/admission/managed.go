package admission

import "fmt"

const s3Versions = "v1beta1 v1beta2"

var s3Resources = []string{
	"buckets", "bucketversionings", "bucketobjectlockconfigurations", "bucketserversideencryptionconfigurations",
	"bucketpublicaccessblocks", "bucketownershipcontrols", "bucketpolicies", "bucketlifecycleconfigurations",
}

// Managed resources of the two worlds Crossplane has.
var (
	clusterScoped = []resources{
		{group: "kubernetes.crossplane.io", version: "v1alpha2", names: []string{"objects"}},
		{group: "s3.aws.upbound.io", version: s3Versions, names: s3Resources},
	}
	namespaced = []resources{
		{group: "kubernetes.m.crossplane.io", version: "v1alpha1", names: []string{"objects"}},
		{group: "s3.aws.m.upbound.io", version: "v1beta1", names: s3Resources},
	}
)

// Deleting a claim deletes its managed resources, and that has to stay possible: they let go of what they manage. So
// these policies refuse to make one that would not, and to delete one that has become so by another way.

const noDelete = "!variables.policies.exists(p, p == 'Delete')"

func orphaned(name, purpose string, on []resources, cel string) policyTemplate {
	all := make([]resources, 0, len(on))
	for _, r := range on {
		r.operations = append(append([]string{}, written...), deleted...)
		all = append(all, r)
	}
	return policyTemplate{
		name: name, purpose: purpose, on: all,
		conditions: []expression{{"changes-something", "object == null || oldObject == null || object.spec != oldObject.spec"}},
		variables:  []expression{{"policies", "variables.it.spec.?managementPolicies.orValue(['*'])"}},
		checks: []check{{
			"CNPG-4.1", cel,
			"spec.managementPolicies: would delete what the resource manages when it goes: no Delete and no * among them, and deletionPolicy: Orphan where there is one",
		}},
	}
}

func orphanedClusterScoped() policyTemplate {
	return orphaned("orphan", "No protected managed resource may delete what it manages when it goes (claims).", clusterScoped,
		"variables.it.spec.?deletionPolicy.orValue('Delete') == 'Orphan' && "+noDelete)
}

func orphanedNamespaced() policyTemplate {
	return orphaned("orphan-namespaced", "No protected managed resource may delete what it manages when it goes (namespaced composite resources).", namespaced,
		noDelete+" && !variables.policies.exists(p, p == '*')")
}

// bucket: layer 3 is not asked to step down. What the bucket's own policy allows is another matter.
func bucket(o Options) policyTemplate {
	var on []resources
	for _, r := range []resources{
		{group: "s3.aws.upbound.io", version: s3Versions, operations: written},
		{group: "s3.aws.m.upbound.io", version: "v1beta1", operations: written},
	} {
		r.names = append(r.names, "buckets", "bucketversionings", "bucketobjectlockconfigurations")
		on = append(on, r)
	}
	isKind := func(kind, cel string) string {
		return "variables.kind != '" + kind + "' || variables.observed || (" + cel + ")"
	}
	lockDays := max(o.LockDays, o.RetentionDays+1)
	return policyTemplate{
		name:       "bucket",
		purpose:    "Nobody asks for a protected bucket without versioning, with a weaker lock, or to be emptied.",
		on:         on,
		conditions: []expression{{"changes-something", "oldObject == null || object.spec != oldObject.spec"}},
		variables: []expression{
			{"kind", "request.kind.kind"},
			{"observed", "object.spec.?managementPolicies.orValue(['*']) == ['Observe']"},
			{"wanted", "dyn(object.spec.forProvider)"},
			// v1beta1 of the cluster-scoped kinds keeps single structures in lists.
			{"versioning", several("variables.wanted[?'versioningConfiguration'].orValue({})")},
			{"rules", several("variables.wanted[?'rule'].orValue({})")},
			{"locks", "variables.rules.map(r, " + several("r[?'defaultRetention'].orValue({})") + ")"},
		},
		checks: []check{
			{"CNPG-4.3", isKind("Bucket", "!dyn(object.spec.forProvider)[?'forceDestroy'].orValue(false)"), "spec.forProvider.forceDestroy: empties the bucket before deleting it"},
			{"CNPG-4.3", isKind("Bucket", "oldObject == null || !dyn(oldObject.spec.forProvider)[?'objectLockEnabled'].orValue(false) || dyn(object.spec.forProvider)[?'objectLockEnabled'].orValue(false)"), "spec.forProvider.objectLockEnabled: stays true: without Object Lock backups can be destroyed"},
			{"CNPG-4.3", isKind("BucketVersioning", "variables.versioning.exists(v, v[?'status'].orValue('') == 'Enabled')"), "spec.forProvider.versioningConfiguration.status: stays Enabled: without versions an overwritten backup is gone"},
			{
				"CNPG-4.3", isKind("BucketObjectLockConfiguration", fmt.Sprintf("variables.locks.size() > 0 && variables.locks.all(l, l.size() > 0 && l.all(d, d[?'mode'].orValue('') == 'COMPLIANCE' && int(d[?'days'].orValue(0)) + 365 * int(d[?'years'].orValue(0)) >= %d))", lockDays)),
				fmt.Sprintf("spec.forProvider.rule.defaultRetention: needs mode: COMPLIANCE and at least %d days: a lock anybody can lift, or that ends too early, protects nothing when it is needed", lockDays),
			},
		},
	}
}

// several is a CEL list of what is one structure in one version of a kind and a list of them in another.
func several(cel string) string {
	return fmt.Sprintf("type(dyn(%[1]s)) == list ? dyn(%[1]s) : dyn([%[1]s])", cel)
}
