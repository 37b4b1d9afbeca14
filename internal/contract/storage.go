package contract

import (
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// Layer 2 (CNPG-4.2): deleting the Cluster or its PVCs leaves the disks.

// judgeVolumes: every volume of a Cluster has the class that retains.
func judgeVolumes(j *judge, c *cluster) {
	j.judgeVolume(c, sub(c.spec, "storage"), "spec.storage")
	if wal := sub(c.spec, "walStorage"); wal != nil {
		j.judgeVolume(c, wal, "spec.walStorage")
	}
	for i, item := range items(c.spec, "tablespaces") {
		tablespace, _ := item.(node)
		j.judgeVolume(c, sub(tablespace, "storage"), index("spec.tablespaces", i)+".storage")
	}
}

func (j *judge) judgeVolume(c *cluster, storage node, at string) {
	want := j.options.StorageClassName
	refuse := func(path, value, message string) {
		j.refuse(c.document, "CNPG-4.2", at+path, value, message, "write storageClass: "+want)
	}
	class := text(storage, "storageClass")
	smuggled := text(sub(storage, "pvcTemplate"), "storageClassName")
	switch {
	case class == "" && smuggled != "" && smuggled != want:
		refuse(".pvcTemplate.storageClassName", smuggled, "is not the class that retains its volumes: deleting the Cluster deletes the disk")
	case class == "" && smuggled == "":
		refuse(".storageClass", "", "is missing: the default class of Kubernetes usually deletes the disk together with the Cluster")
	case class != "" && class != want:
		refuse(".storageClass", class, "is not the class that retains its volumes: deleting the Cluster deletes the disk")
	case smuggled != "" && smuggled != want:
		refuse(".pvcTemplate.storageClassName", smuggled, "contradicts storageClass with a class that need not retain its volumes")
	}
}

// judgeStorageClass: the class as it is written keeps what the class as it is observed has to (JudgeStorageClass).
func judgeStorageClass(j *judge, d *document) {
	if d.name == j.options.StorageClassName {
		class := world.StorageClassOf(manifest.Object(d.body))
		j.add(d, JudgeStorageClass(d.name, &class))
	}
}

// judgePersistentVolume: a disk made by hand does not take its class's reclaim policy over.
func judgePersistentVolume(j *judge, d *document) {
	policy := text(d.spec, "persistentVolumeReclaimPolicy")
	if text(d.spec, "storageClassName") == j.options.StorageClassName && policy != "" && policy != "Retain" {
		j.refuse(d, "CNPG-4.2", "spec.persistentVolumeReclaimPolicy", policy, "has the class that retains and does not retain: deleting the Cluster deletes the disk", "write persistentVolumeReclaimPolicy: Retain")
	}
}
