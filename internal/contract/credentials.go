package contract

import (
	"slices"
	"time"
)

// judgeStoreKeys judges how an archive is opened: by two keys in Secrets, or by the role of the machine (CNPG-3.3). The
// ObjectStore has no admission webhook, so that nobody else does.
func (j *judge) judgeStoreKeys(a archive) {
	keys := sub(a.configuration, "s3Credentials")
	at := a.at + ".s3Credentials"
	refuse := func(path, message, fix string) { j.refuse(a.document, "CNPG-3.3", at+path, "", message, fix) }
	role, _ := boolean(keys, "inheritFromIAMRole")
	literal := false
	for _, name := range []string{"accessKeyId", "secretAccessKey"} {
		if _, isText := keys[name].(string); isText {
			literal = true
			j.refuse(a.document, "ZDL-12", at+"."+name, "", "is the key itself in plain sight", "reference a Secret {name, key} that External Secrets writes, and rotate the key")
		}
	}
	id, key := sub(keys, "accessKeyId"), sub(keys, "secretAccessKey")
	switch {
	case literal:
	case role && (id != nil || key != nil):
		refuse("", "names keys and a role, and which one counts is an accident", "keep one of them")
	case role:
	case id == nil && key == nil:
		refuse("", "is missing: nothing can be archived without the bucket's keys", "reference accessKeyId and secretAccessKey in a Secret that External Secrets writes")
	case id == nil || text(id, "name") == "" || text(id, "key") == "":
		refuse(".accessKeyId", "is incomplete: the bucket cannot be opened, and nothing is archived", "write {name, key} of a Secret that External Secrets writes")
	case key == nil || text(key, "name") == "" || text(key, "key") == "":
		refuse(".secretAccessKey", "is incomplete: the bucket cannot be opened, and nothing is archived", "write {name, key} of a Secret that External Secrets writes")
	}
}

// judgeKeys: in a complete set an ExternalSecret writes the keys a Cluster archives with (CNPG-3.3).
func judgeKeys(j *judge, c *cluster) {
	keys := sub(c.archive.configuration, "s3Credentials")
	for _, name := range []string{"accessKeyId", "secretAccessKey"} {
		ref := sub(keys, name)
		target, key := text(ref, "name"), text(ref, "key")
		if target == "" || key == "" {
			continue
		}
		at := c.archive.at + ".s3Credentials." + name
		switch es := j.externalSecretFor(c.namespace, target); {
		case es == nil && j.find(secret, c.namespace, target) != nil: // A literal Secret is refused where it stands.
		case es == nil && j.options.Complete:
			j.refuse(c.archive.document, "CNPG-3.3", at+".name", target, "is written by no ExternalSecret of this set: the key is either missing or was put there by hand", "add an ExternalSecret with that target")
			return
		case es != nil && !binds(es, key):
			j.refuse(es, "CNPG-3.3", "spec.data", "", "does not write "+key+", which "+c.archive.String()+" reads: nothing can be archived", "add secretKey: "+key)
		}
	}
}

func (j *judge) externalSecretFor(namespace, target string) *document {
	for i := range j.documents {
		if d := &j.documents[i]; d.kind == externalSecret && (d.namespace == namespace || d.kindName == manyNamespaces) && targetOf(d) == target {
			return d
		}
	}
	return nil
}

// targetOf is the Secret an ExternalSecret writes.
func targetOf(d *document) string {
	if name := text(sub(d.spec, "target"), "name"); name != "" {
		return name
	}
	return d.name
}

// binds says whether an ExternalSecret writes a key. What it finds by dataFrom cannot be known here.
func binds(d *document, key string) bool {
	if len(items(d.spec, "dataFrom")) > 0 {
		return true
	}
	if template := sub(sub(d.spec, "target"), "template"); template != nil {
		if len(items(template, "templateFrom")) > 0 || has(sub(template, "data"), key) {
			return true
		}
		if len(sub(template, "data")) > 0 && text(template, "mergePolicy") != "Merge" {
			return false
		}
	}
	for _, item := range items(d.spec, "data") {
		entry, _ := item.(node)
		if text(entry, "secretKey") == key {
			return true
		}
	}
	return false
}

// bucketKeyNames are how the keys of a bucket are commonly called.
var bucketKeyNames = []string{"ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ACCESS_SECRET_KEY"}

// writesBucketKeys says whether an ExternalSecret writes the keys of an archive. In a set that somebody wrote by hand
// others are none of the contract's business.
func (j *judge) writesBucketKeys(d *document) bool {
	if slices.ContainsFunc(bucketKeyNames, func(name string) bool { return len(items(d.spec, "data")) > 0 && binds(d, name) }) {
		return true
	}
	target := targetOf(d)
	for i := range j.documents {
		store := &j.documents[i]
		configuration := sub(store.spec, "configuration")
		if store.kind == clusterKind {
			configuration = sub(sub(store.spec, "backup"), "barmanObjectStore")
		} else if store.kind != objectStore {
			continue
		}
		keys := sub(configuration, "s3Credentials")
		if (store.namespace == d.namespace || d.kindName == manyNamespaces) && (text(sub(keys, "accessKeyId"), "name") == target || text(sub(keys, "secretAccessKey"), "name") == target) {
			return true
		}
	}
	return false
}

const maxRefresh = time.Hour

// judgeExternalSecret: the Secret it writes outlives it and follows the store (CNPG-3.3).
func judgeExternalSecret(j *judge, d *document) {
	bucketKeys := j.writesBucketKeys(d)
	if !bucketKeys && !j.options.Composed {
		return
	}
	refuse := func(path, value, message, fix string) { j.refuse(d, "CNPG-3.3", path, value, message, fix) }
	if d.apiVersion != "external-secrets.io/v1" {
		refuse("apiVersion", d.apiVersion, "is not served any more: the key never arrives", "write apiVersion: external-secrets.io/v1")
	}
	target := sub(d.spec, "target")
	const gone = "the Secret goes together with the ExternalSecret: archiving stops and the WAL volume fills until the database stops"
	switch policy := text(target, "creationPolicy"); policy {
	case "Orphan":
	case "":
		refuse("spec.target.creationPolicy", "", "is missing, which means Owner: "+gone, "write creationPolicy: Orphan")
	case "Owner":
		refuse("spec.target.creationPolicy", policy, gone, "write creationPolicy: Orphan")
	default:
		refuse("spec.target.creationPolicy", policy, "does not make the Secret where it is missing: nothing can be archived", "write creationPolicy: Orphan")
	}
	if policy := text(target, "deletionPolicy"); policy != "" && policy != "Retain" {
		refuse("spec.target.deletionPolicy", policy, "removes the key as soon as the secret store has lost it: archiving stops", "write deletionPolicy: Retain")
	}
	for i := range j.documents {
		other := &j.documents[i]
		if other == d {
			break // The second of two is the one to report.
		}
		if other.kind == externalSecret && other.namespace == d.namespace && targetOf(other) == targetOf(d) {
			refuse("spec.target.name", targetOf(d), "is also written by "+other.String()+": the two overwrite each other's keys", "write a target of its own")
			break
		}
	}
	if bucketKeys {
		judgeRefresh(d, target, refuse)
	}
}

// judgeRefresh: keys of a bucket are rotated by whoever owns it, and archiving goes on only where the new ones arrive.
func judgeRefresh(d *document, target node, refuse func(path, value, message, fix string)) {
	if frozen, _ := boolean(target, "immutable"); frozen {
		refuse("spec.target.immutable", "true", "a rotated key never arrives: archiving stops when the old one ends", "remove it")
	}
	if policy := text(d.spec, "refreshPolicy"); policy == "CreatedOnce" || policy == "OnChange" {
		refuse("spec.refreshPolicy", policy, "a rotated key never arrives: archiving stops when the old one ends", "write refreshPolicy: Periodic")
	}
	if interval := text(d.spec, "refreshInterval"); interval != "" {
		switch every, err := time.ParseDuration(interval); {
		case err != nil:
			refuse("spec.refreshInterval", interval, "is not an interval", `write refreshInterval: "15m"`)
		case every <= 0:
			refuse("spec.refreshInterval", interval, "a rotated key never arrives: archiving stops when the old one ends", `write refreshInterval: "15m"`)
		case every > maxRefresh:
			refuse("spec.refreshInterval", interval, "a rotated key, or a Secret deleted by hand, comes back that late only", `write refreshInterval: "15m"`)
		}
	}
}
