package hardened

import (
	"maps"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Keys of the Secret that holds the bucket's keys (CNPG-3.3).
const (
	accessKeyID     = "ACCESS_KEY_ID"
	secretAccessKey = "SECRET_ACCESS_KEY"
)

// objectStore describes the archive to the barman-cloud plugin: the specification's barmanObjectStore, under its
// present name (CNPG-2.1).
func (b builder) objectStore() manifest.Object {
	o := b.object("barmancloud.cnpg.io/v1", "ObjectStore", b.objectStoreName())
	o["spec"] = map[string]any{
		"configuration":   b.configuration(),
		"retentionPolicy": days(b.Terms.RetentionDays), // CNPG-3.2; with the plugin it lives here.
		"instanceSidecarConfiguration": map[string]any{
			"env": b.storeEnvironment(),
		},
	}
	return o
}

// objectStoreName differs from every Secret's name: an ObjectStore and a Secret of one name have broken archiving
// (plugin-barman-cloud#502).
func (b builder) objectStoreName() string { return ObjectStoreName(b.Claim.Name) }

// ObjectStoreName is the name of a claim's ObjectStore.
func ObjectStoreName(claimName string) string { return claimName + claim.SuffixObjectStore }

func (b builder) credentialsName() string { return CredentialsName(b.Claim.Name) }

// CredentialsName is the name of the Secret that holds the keys of a claim's bucket.
func CredentialsName(claimName string) string { return claimName + claim.SuffixCredentials }

// configuration is the barmanObjectStore structure both methods share.
func (b builder) configuration() map[string]any {
	p := b.Policy
	out := map[string]any{
		"destinationPath": "s3://" + b.Place.Bucket + "/" + b.Place.Path + "/", // CNPG-2.2
		"s3Credentials": map[string]any{
			"accessKeyId":     map[string]any{"name": b.credentialsName(), "key": accessKeyID},
			"secretAccessKey": map[string]any{"name": b.credentialsName(), "key": secretAccessKey},
		},
		"wal":  map[string]any{"compression": p.Backup.Compression, "maxParallel": int64(4)}, // CNPG-2.3
		"data": map[string]any{"compression": dataCompression(p.Backup.Compression)},
	}
	if p.Bucket.EndpointURL != "" {
		out["endpointURL"] = p.Bucket.EndpointURL
	}
	if ca := p.Bucket.EndpointCA; ca != nil {
		out["endpointCA"] = map[string]any{"name": ca.Name, "key": ca.Key}
	}
	return out
}

// dataCompression is the codec for base backups: barman knows fewer there than for WAL.
func dataCompression(codec string) string {
	switch codec {
	case "gzip", "bzip2", "lz4", "snappy":
		return codec
	}
	return "gzip"
}

// storeEnvironment tells the S3 client its region; CloudNativePG's own field for it wants a Secret.
func (b builder) storeEnvironment() []any {
	env := map[string]string{"AWS_DEFAULT_REGION": b.Policy.Bucket.Region}
	maps.Copy(env, b.Policy.Backup.SidecarEnv)
	out := make([]any, 0, len(env))
	for _, name := range manifest.SortedKeys(env) {
		out = append(out, map[string]any{"name": name, "value": env[name]})
	}
	return out
}

// credentials lets External Secrets write the bucket's keys into a Secret of the claim's own. The Secret stays when the
// ExternalSecret goes (creationPolicy Orphan): without it archiving stops and the WAL volume fills (CNPG-3.3, CNPG-4.1).
func (b builder) credentials() manifest.Object {
	ref := b.Policy.Credentials
	o := b.object("external-secrets.io/v1", "ExternalSecret", b.credentialsName())
	o["spec"] = map[string]any{
		"refreshPolicy":   "Periodic",
		"refreshInterval": "15m", // An orphaned Secret deleted by hand comes back at the next refresh only.
		"secretStoreRef":  map[string]any{"kind": ref.SecretStoreRef.Kind, "name": ref.SecretStoreRef.Name},
		"target":          map[string]any{"name": b.credentialsName(), "creationPolicy": "Orphan", "deletionPolicy": "Retain"},
		"data": []any{
			map[string]any{"secretKey": accessKeyID, "remoteRef": b.remote(ref.AccessKeyID, b.Claim.Name)},
			map[string]any{"secretKey": secretAccessKey, "remoteRef": b.remote(ref.SecretAccessKey, b.Claim.Name)},
		},
	}
	return o
}

// remote locates a value in the secret store, where it lies for a claim of the given name.
func (b builder) remote(k v1beta1.RemoteKey, name string) map[string]any {
	key := strings.NewReplacer("{namespace}", b.Claim.Namespace, "{name}", name).Replace(k.Key)
	out := map[string]any{"key": key}
	if k.Property != "" {
		out["property"] = k.Property
	}
	return out
}

// scheduledBackup is the six-hourly base backup (CNPG-3.1). CloudNativePG reads six cron fields, seconds first: the
// specification's five would fire every six minutes.
func (b builder) scheduledBackup() manifest.Object {
	spec := map[string]any{
		"cluster":   map[string]any{"name": b.Claim.Name},
		"schedule":  b.Terms.Schedule.Cron,
		"immediate": true,
		// Said, so that it is ours: what nobody says, server-side apply neither sees nor sets back.
		"suspend": false,
		// "self" would delete the records of all backups with the schedule.
		"backupOwnerReference": "cluster",
		"method":               "barmanObjectStore",
	}
	if Plugin(b.Policy) {
		spec["method"] = "plugin"
		spec["pluginConfiguration"] = map[string]any{"name": PluginName}
	}
	o := b.object("postgresql.cnpg.io/v1", "ScheduledBackup", b.Claim.Name)
	o["spec"] = spec
	return o
}
