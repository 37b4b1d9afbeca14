package admission

import (
	"fmt"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
)

// protectedKinds are the objects a running database needs, wherever they come from. Managed resources are not among
// them: deleting a claim deletes those, and they let go of these.
var protectedKinds = []resources{
	{group: groupCNPG, version: "v1", names: []string{"clusters", "scheduledbackups"}},
	{group: "barmancloud.cnpg.io", version: "v1", names: []string{"objectstores"}},
	{group: "external-secrets.io", version: "v1", names: []string{"externalsecrets", "secretstores"}},
	{group: "monitoring.coreos.com", version: "v1", names: []string{"podmonitors", "prometheusrules"}},
	{group: "", version: "v1", names: []string{"configmaps", "secrets", "serviceaccounts", "services"}},
	{group: "rbac.authorization.k8s.io", version: "v1", names: []string{"rolebindings"}},
}

// deletion: nothing a running database needs is deleted, by whomever: also not by the namespace's end or by the garbage
// collector.
func deletion() policyTemplate {
	on := make([]resources, 0, len(protectedKinds))
	for _, r := range protectedKinds {
		r.operations = deleted
		on = append(on, r)
	}
	return policyTemplate{
		name:    "deletion",
		purpose: "Nothing a running database needs is deleted: not the Cluster, which would take its volumes along, and not what keeps its archive going.",
		on:      on,
		checks: []check{{
			"CNPG-4.1", "false",
			"a protected object is not deleted: the database, or what keeps its data safe, would go with it; deleting the claim leaves it running",
		}},
	}
}

// claims: the claims on volumes of a database stay. CloudNativePG labels them with their Cluster only, so the class of
// their volumes tells whose they are.
func claims(o Options) policyTemplate {
	return policyTemplate{
		name:     "volume-claim",
		purpose:  "The claims on the volumes of a database are deleted by the CloudNativePG operator only, which replaces instances; not by hand, not by the namespace's end, not by the garbage collector after their Cluster.",
		on:       []resources{{"", "v1", []string{"persistentvolumeclaims"}, deleted}},
		selector: map[string]any{"matchExpressions": []any{map[string]any{"key": "cnpg.io/cluster", "operator": "Exists"}}},
		conditions: []expression{
			{"retained", fmt.Sprintf("oldObject.spec.?storageClassName.orValue('') == '%s' || oldObject.metadata.?labels[?'%s'].orValue('') == 'true'", o.StorageClassName, LabelProtected)},
			{"not-the-operator", "!(request.userInfo.username in " + list(o.Operators...) + ")"},
		},
		checks: []check{{
			"CNPG-4.2", "false",
			"a database's volume claim is not deleted by hand: the disk is retained, but CloudNativePG does not find it any more",
		}},
	}
}

// volumes: a retained disk stays retained.
func volumes(o Options) policyTemplate {
	return policyTemplate{
		name:       "volume",
		purpose:    "A volume that is retained stays so: the class says it once, when the disk is made; afterwards the volume does.",
		on:         []resources{{"", "v1", []string{"persistentvolumes"}, changed}},
		everything: true,
		conditions: []expression{{"retained", fmt.Sprintf("oldObject.spec.?storageClassName.orValue('') == '%s' && oldObject.spec.?persistentVolumeReclaimPolicy.orValue('') == 'Retain'", o.StorageClassName)}},
		checks: []check{{
			"CNPG-4.2", "object.spec.?persistentVolumeReclaimPolicy.orValue('') == 'Retain'",
			"spec.persistentVolumeReclaimPolicy: stays Retain: with Delete the disk goes with the claim on it",
		}},
	}
}

// storageClass: the class that retains stays, and nothing else takes its name.
func storageClass(o Options) policyTemplate {
	rule, _ := contract.RuleByID("CNPG-4.2")
	return policyTemplate{
		name:       "storage-class",
		purpose:    "The class that retains its volumes stays, and no class that does not takes its name.",
		on:         []resources{{"storage.k8s.io", "v1", []string{"storageclasses"}, append(append([]string{}, written...), deleted...)}},
		everything: true,
		conditions: []expression{{"named", fmt.Sprintf("(object == null ? oldObject : object).metadata.name == '%s'", o.StorageClassName)}},
		checks: []check{
			{rule.ID, "object != null", "StorageClass " + o.StorageClassName + " is needed to replace an instance of every database"},
			{
				rule.ID, "object == null || object.?reclaimPolicy.orValue('Delete') == 'Retain' && object.?volumeBindingMode.orValue('Immediate') == 'WaitForFirstConsumer' && object.?allowVolumeExpansion.orValue(false)",
				"StorageClass " + o.StorageClassName + " needs reclaimPolicy: Retain, volumeBindingMode: WaitForFirstConsumer and allowVolumeExpansion: true",
			},
		},
	}
}

// namespace: deleting a namespace deletes what is in it, and a namespace that is going lets nothing new come into being,
// so that a database in it can no longer be repaired. The platform labels the namespaces that hold databases.
func namespace() policyTemplate {
	return policyTemplate{
		name:    "namespace",
		purpose: "A namespace with the label " + LabelProtected + ` "true" is not deleted. Put the label on namespaces that hold databases.`,
		on:      []resources{{"", "v1", []string{"namespaces"}, deleted}},
		checks: []check{{
			"CNPG-4.1", "false",
			"a protected namespace is not deleted: it holds databases, and once it is going nothing in it can be repaired",
		}},
	}
}
