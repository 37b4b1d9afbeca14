package admission

import (
	"fmt"
	"slices"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
)

const (
	groupCNPG = "postgresql.cnpg.io"
	// Optional values are written out wherever they are used: as a variable, one is taken for missing.

	// archiversOf are the enabled plugins that archive WAL: the barman-cloud plugin is handed it whatever isWALArchiver
	// says (cloudnative-pg#11351).
	archiversOf = "%s.spec.?plugins.orValue([]).filter(p, p.?enabled.orValue(true) && (p.?isWALArchiver.orValue(false) || p.name == 'barman-cloud.cloudnative-pg.io'))"

	// strangers are the names outside the Cluster that may confirm commits.
	strangers = "(object.spec.?postgresql.?synchronous.?standbyNamesPre.orValue([]) + object.spec.?postgresql.?synchronous.?standbyNamesPost.orValue([]))"

	// majorOf is the major that an image's tag or a catalogue names; 0 where neither does.
	majorOf = "%[1]s.spec.?imageCatalogRef.hasValue() ? %[1]s.spec.?imageCatalogRef.?major.orValue(0) : " +
		"int('0' + %[1]s.spec.?imageName.orValue('').split('@')[0].find(':[0-9]{1,4}[^/:]*$').find('[0-9]{1,4}'))"

	// followerOf says whether a Cluster follows another one, as CloudNativePG decides it.
	followerOf = "(%[1]s.spec.?replica.?enabled.hasValue() ? %[1]s.spec.?replica.?enabled.orValue(false) : %[1]s.spec.?replica.hasValue()" +
		" && %[1]s.spec.?replica.?primary.orValue('') != %[1]s.spec.?replica.?self.orValue(%[1]s.metadata.name))"
)

// cluster: a Cluster may not drop below the contract by hand.
func cluster(o Options) policyTemplate {
	storage := func(field string) string {
		return fmt.Sprintf("%[1]s.?storageClass.orValue('%[2]s') == '%[2]s' && %[1]s.?pvcTemplate.?storageClassName.orValue('%[2]s') == '%[2]s' && (%[1]s.?storageClass.hasValue() || %[1]s.?pvcTemplate.?storageClassName.hasValue())",
			field, o.StorageClassName)
	}
	return policyTemplate{
		name:    "cluster",
		purpose: "A Cluster may not drop below the contract by hand: replicas, synchronous replication, placement, failover, archiving, volumes, settings, switch-off annotations.",
		on:      []resources{{groupCNPG, "v1", []string{"clusters"}, written}},
		conditions: []expression{
			// What leaves spec and annotations alone (finalizers, labels, managed fields) takes nothing away.
			{"changes-something", "oldObject == null || object.spec != oldObject.spec || object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})"},
		},
		variables: append([]expression{
			{"archivers", fmt.Sprintf(archiversOf, "object")},
			{"serverName", "variables.archivers.size() > 0 ? variables.archivers[0].?parameters[?'serverName'].orValue('') : object.spec.?backup.?barmanObjectStore.?serverName.orValue('')"},
			{"archiversBefore", "oldObject == null ? [] : " + fmt.Sprintf(archiversOf, "oldObject")},
			{"major", fmt.Sprintf(majorOf, "object")},
			{"majorBefore", "oldObject == null ? 0 : " + fmt.Sprintf(majorOf, "oldObject")},
			{"serverNameBefore", "oldObject == null ? '' : variables.archiversBefore.size() > 0 ? variables.archiversBefore[0].?parameters[?'serverName'].orValue('') : oldObject.spec.?backup.?barmanObjectStore.?serverName.orValue('')"},
		}, parameterVariables()...),
		checks: append([]check{
			{"CNPG-1.1", "object.spec.?instances.orValue(1) >= 3", "spec.instances: fewer than 3: after losing one instance either commits are no longer confirmed by a second one, or the database stops writing"},
			{
				"CNPG-1.2", "object.spec.?postgresql.?synchronous.?number.orValue(0) >= 1 && object.spec.?postgresql.?synchronous.?dataDurability.orValue('required') == 'required' && object.spec.?postgresql.?synchronous.?failoverQuorum.orValue(false)" +
					" && " + strangers + ".size() < object.spec.?postgresql.?synchronous.?number.orValue(0) && " + strangers + ".all(n, n != '*')" +
					" && object.spec.?postgresql.?synchronous.?maxStandbyNamesFromCluster.orValue(1000) >= object.spec.?postgresql.?synchronous.?number.orValue(0)",
				"spec.postgresql.synchronous: needs number 1 or more, dataDurability: required, failoverQuorum: true, no names outside the Cluster and no fewer of its own, or acknowledged commits can be lost with the primary",
			},
			{
				"CNPG-1.3", "object.spec.?affinity.?enablePodAntiAffinity.orValue(true) && object.spec.?affinity.?podAntiAffinityType.orValue('preferred') == 'required' && object.spec.?affinity.?topologyKey.orValue('kubernetes.io/hostname') in ['', 'kubernetes.io/hostname']",
				"spec.affinity: needs podAntiAffinityType: required with topologyKey kubernetes.io/hostname, or primary and standby can be lost with one node",
			},
			{
				"CNPG-1.4", "object.spec.?primaryUpdateStrategy.orValue('unsupervised') == 'unsupervised' && object.spec.?primaryUpdateMethod.orValue('restart') == 'restart' && object.spec.?failoverDelay.orValue(0) == 0 && object.spec.?enablePDB.orValue(true)" +
					" && (object.spec.?switchoverDelay.orValue(3600) <= 0 || object.spec.?switchoverDelay.orValue(3600) >= 30)" +
					" && object.spec.?probes.?liveness.?isolationCheck.?enabled.orValue(true)",
				"spec: needs primaryUpdateStrategy: unsupervised, primaryUpdateMethod: restart, failoverDelay: 0, enablePDB: true, a switchoverDelay of 30 or more and the isolationCheck, or a failed primary waits for a person, is killed before its last commits are archived, or goes on beside the one that replaces it",
			},
			{
				// With reusePVC it is CloudNativePG's own way through a node's maintenance, and takes no copy away.
				"CNPG-1.4", "!object.spec.?nodeMaintenanceWindow.?inProgress.orValue(false) || object.spec.?nodeMaintenanceWindow.?reusePVC.orValue(true)",
				"spec.nodeMaintenanceWindow: needs reusePVC: true: without it the instances of a node that is drained are deleted with their volume claims",
			},
			{
				"CNPG-2.1", "variables.archivers.size() == 1 && variables.archivers[0].?isWALArchiver.orValue(false) && !object.spec.?backup.?barmanObjectStore.hasValue() && variables.archivers[0].?parameters[?'barmanObjectName'].orValue('') != '' && variables.serverName != '' || variables.archivers.size() == 0 && variables.serverName != ''",
				"spec.plugins: needs exactly one archiver (isWALArchiver: true) with barmanObjectName and serverName: without one the Cluster looks healthy and cannot be recovered",
			},
			{
				"ZDL-08", "variables.serverNameBefore == '' || variables.serverName == variables.serverNameBefore",
				"spec.plugins: serverName may not change under a living database: the archive would split in two, and neither half can be recovered on its own",
			},
			{
				"ZDL-08", "variables.major == 0 || variables.major >= variables.majorBefore",
				"spec: the major of PostgreSQL never goes down: an older server cannot read the files of a newer one",
			},
			{
				"ZDL-08", "oldObject == null || !" + fmt.Sprintf(followerOf, "object") + " || " + fmt.Sprintf(followerOf, "oldObject"),
				"spec.replica: a living database does not become the replica of another: its own commits would go, and nothing could be written to it",
			},
			{"CNPG-4.2", storage("object.spec.?storage"), "spec.storage: storageClass has to be " + o.StorageClassName + ", which retains its volumes: with another one deleting the Cluster deletes the disk"},
			{"CNPG-4.2", "!object.spec.?walStorage.hasValue() || " + storage("object.spec.?walStorage"), "spec.walStorage: storageClass has to be " + o.StorageClassName + ", which retains its volumes: with another one deleting the Cluster deletes the disk"},
			{"CNPG-4.2", "object.spec.?tablespaces.orValue([]).all(t, " + storage("t.?storage") + ")", "spec.tablespaces: storageClass has to be " + o.StorageClassName + ", which retains its volumes: with another one deleting the Cluster deletes the disk"},
			{"ZDL-09", "!object.spec.?postgresql.?enableAlterSystem.orValue(false)", "spec.postgresql.enableAlterSystem: ALTER SYSTEM switches durability off behind everybody's back"},
			{"ZDL-09", "object.spec.?postgresql.?pg_hba.orValue([]).all(l, !l.matches('(^|\\\\n)[[:space:]]*(host[a-z]*[[:space:]].*[[:space:]]\"?trust\"?([[:space:]]|$)|include)'))", "spec.postgresql.pg_hba: with trust whoever reaches the port is whoever they say, postgres included; with include nobody here sees who is let in"},
			{"ZDL-10", inherits("annotations") + " && " + inherits("labels"), "spec.inheritedMetadata: what is in the domain cnpg.io reaches Pods and volume claims, where it deletes an instance together with its disk, or hides it from the operator"},
			{"ZDL-10", switchesOff(o), "metadata.annotations: in the domain cnpg.io they switch validation, archiving, failover or the database itself off; only kubectl's own and database.bizmatters.io's are safe to add, and what kubectl cnpg reload writes"},
		}, parameterChecks()...),
	}
}

// inherits allows nothing of CloudNativePG's among what Pods and volume claims inherit, but what is there already.
func inherits(field string) string {
	return fmt.Sprintf("object.spec.?inheritedMetadata.?%[1]s.orValue({}).all(a, !a.split('/')[0].endsWith('cnpg.io')"+
		" || oldObject != null && oldObject.spec.?inheritedMetadata.?%[1]s[?a].orValue('') == object.spec.inheritedMetadata.%[1]s[a])", field)
}

// switchesOff allows CloudNativePG's annotations to stay as they are and to go, to be set by its operator, to say that
// nothing is switched off, and to ask for PostgreSQL's settings to be read again, which kubectl cnpg reload does.
func switchesOff(o Options) string {
	return "request.userInfo.username in " + list(o.Operators...) + " || " +
		"object.metadata.?annotations.orValue({}).all(a, !a.split('/')[0].endsWith('cnpg.io')" +
		" || oldObject != null && oldObject.metadata.?annotations[?a].orValue('') == object.metadata.annotations[a]" +
		" || a == 'cnpg.io/reloadedAt'" +
		" || a in ['cnpg.io/hibernation'] && object.metadata.annotations[a] == 'off'" +
		" || a in ['cnpg.io/validation', 'cnpg.io/reconciliationLoop'] && object.metadata.annotations[a] == 'enabled')"
}

// scale: kubectl scale and autoscalers do not go through the Cluster, and a Scale carries none of its labels.
func scale() policyTemplate {
	return policyTemplate{
		name:       "scale",
		purpose:    "No Cluster of three instances or more is scaled below three through its scale subresource, which shows no labels: one that is not protected is scaled down by editing its spec.instances.",
		on:         []resources{{groupCNPG, "v1", []string{"clusters/scale"}, changed}},
		everything: true,
		checks: []check{{
			"CNPG-1.1", "object.spec.?replicas.orValue(0) >= 3 || oldObject.spec.?replicas.orValue(0) < 3",
			"spec.replicas: fewer than 3: after losing one instance either commits are no longer confirmed by a second one, or the database stops writing; edit spec.instances of the Cluster if it is not protected",
		}},
	}
}

// moving are the kinds that pass from one claim to another: a stable name and its login follow the claim that holds it.
var moving = []string{"services", "externalsecrets", "secrets"}

// label: what is protected stays recognisable as such, and as its claim's own.
func label() policyTemplate {
	kept := func(name string) string {
		return fmt.Sprintf("oldObject.metadata.?labels[?'%[1]s'].orValue('') in ['', object.metadata.?labels[?'%[1]s'].orValue('')]", name)
	}
	on := make([]resources, 0, len(protectedKinds)+len(clusterScoped)+len(namespaced))
	for _, r := range slices.Concat(protectedKinds, clusterScoped, namespaced) {
		r.operations = changed
		on = append(on, r)
	}
	return policyTemplate{
		name:    "label",
		purpose: "The labels by which the other policies recognise what is protected, and by which a claim recognises its own, stay.",
		on:      on,
		checks: []check{
			{"CNPG-4.1", kept(LabelProtected), "metadata.labels: database.bizmatters.io/protected stays: the protection against deletion recognises the object by it"},
			{
				"ZDL-07", "request.resource.resource in " + list(moving...) + " || " + kept(v1alpha1.Group+"/claim") + " && " + kept(v1alpha1.Group+"/claim-namespace"),
				"metadata.labels: database.bizmatters.io/claim and claim-namespace stay as they are: a claim recognises its own by them, also after it was deleted and committed again",
			},
		},
	}
}
