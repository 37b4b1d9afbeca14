package contract

import "strings"

// What is encrypted lasts no longer than its key: a lock keeps the bytes of a backup, not their meaning.

// encrypts says whether something of this set that holds data is encrypted with a key.
func (j *judge) encrypts(key *document) bool {
	external := text(sub(sub(key.body, "metadata"), "annotations"), externalName)
	names := func(id string) bool { return external != "" && strings.HasSuffix(id, external) }
	for i := range j.documents {
		d := &j.documents[i]
		switch {
		case d.kind == storageClass && d.name == j.options.StorageClassName:
			if names(text(sub(d.body, "parameters"), "kmsKeyId")) {
				return true
			}
		case d.kind == bucketEncryption && j.concerns(d):
			found := false
			eachMap(sub(d.spec, "forProvider"), "rule", "", func(rule node, _ string) {
				by := first(rule, "applyServerSideEncryptionByDefault")
				ref, labels := sub(by, "kmsMasterKeyIdRef"), sub(sub(by, "kmsMasterKeyIdSelector"), "matchLabels")
				namespace := d.namespace
				if other := text(ref, "namespace"); other != "" {
					namespace = other
				}
				found = found || names(text(by, "kmsMasterKeyId")) || text(ref, "name") == key.name && namespace == key.namespace ||
					len(labels) > 0 && carries(key, labels)
			})
			if found {
				return true
			}
		}
	}
	return false
}

// judgeEncryptionKey: the key of the backups is in use (CNPG-4.3). That it stays is judged with everything else that must (CNPG-4.1).
func judgeEncryptionKey(j *judge, d *document) {
	for _, provider := range providers {
		if on, said := boolean(sub(d.spec, provider), "isEnabled"); said && !on && j.encrypts(d) {
			j.refuse(d, "CNPG-4.3", "spec."+provider+".isEnabled", "false", "switches the key off: backups can neither be written nor read", "remove it")
		}
	}
}
