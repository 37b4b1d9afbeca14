package contract

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

// judgeStorageClass: the class retains, waits for the node, and can grow.
func judgeStorageClass(j *judge, d *document) {
	if d.name != j.options.StorageClassName {
		return
	}
	refuse := func(path, value, message, fix string) { j.refuse(d, "CNPG-4.2", path, value, message, fix) }
	if policy := text(d.body, "reclaimPolicy"); policy != "Retain" {
		refuse("reclaimPolicy", policy, "is not Retain: deleting the Cluster deletes its disks", "write reclaimPolicy: Retain")
	}
	if mode := text(d.body, "volumeBindingMode"); mode != "WaitForFirstConsumer" {
		refuse("volumeBindingMode", mode, "is not WaitForFirstConsumer: disks are made before it is known where the instances run, which can then share a zone or never start", "write volumeBindingMode: WaitForFirstConsumer")
	}
	if on, _ := boolean(d.body, "allowVolumeExpansion"); !on {
		refuse("allowVolumeExpansion", written(d.body["allowVolumeExpansion"]), "is not true: a full volume cannot be grown, and a full volume stops the database", "write allowVolumeExpansion: true")
	}
}
