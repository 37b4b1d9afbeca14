package policy

import (
	"maps"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/lock"
	"github.com/bizmatters/function-hardened-postgres/internal/schedule"
)

// What holds where the policy says nothing. The figures that carry the contract are CNPG-3.1 and CNPG-3.2.
const (
	DefaultSchedule         = "0 0 */6 * * *"
	DefaultRetentionDays    = 30
	DefaultMaxRunsPerDay    = 24
	DefaultUndoDays         = 7
	DefaultStorageClassName = "postgres-retain"
	DefaultRunbookURL       = "https://github.com/bizmatters/function-hardened-postgres/blob/main/docs/runbooks"

	BucketManaged  = "managed"
	BucketExisting = "existing"
	MethodPlugin   = "plugin"
	MethodInTree   = "inTree"
	PodMonitorOwn  = "own"
)

// SetDefaults fills in what the policy leaves open.
func SetDefaults(p *v1beta1.Policy) {
	set(&p.Bucket.Mode, BucketManaged)
	set(&p.Bucket.UndoDays, DefaultUndoDays)
	set(&p.Backup.Method, MethodPlugin)
	set(&p.Backup.Schedule, DefaultSchedule)
	set(&p.Backup.RetentionDays, DefaultRetentionDays)
	set(&p.Backup.MaxRunsPerDay, DefaultMaxRunsPerDay)
	set(&p.Backup.Compression, "gzip")
	if s, err := schedule.Parse(p.Backup.Schedule); err == nil {
		set(&p.Bucket.LockDays, lock.DefaultDays(p.Backup.RetentionDays, s.MaxGap()))
	}
	set(&p.Bucket.MaxLockDays, max(3*p.Backup.RetentionDays, p.Bucket.LockDays))
	set(&p.Credentials.SecretStoreRef.Kind, "ClusterSecretStore")
	setRemoteKey(&p.Credentials.AccessKeyID, "ACCESS_KEY_ID")
	setRemoteKey(&p.Credentials.SecretAccessKey, "SECRET_ACCESS_KEY")
	set(&p.StorageClassName, DefaultStorageClassName)
	set(&p.Providers.Kubernetes.Name, "default")
	set(&p.Providers.Kubernetes.Kind, "ClusterProviderConfig")
	set(&p.Providers.AWS.Name, "default")
	set(&p.Providers.AWS.Kind, "ClusterProviderConfig")
	set(&p.Monitoring.PodMonitor, PodMonitorOwn)
	set(&p.Monitoring.RunbookURL, DefaultRunbookURL)
	if len(p.Connection.Keys) == 0 {
		p.Connection.Keys = maps.Clone(connectionKeys)
	}
	p.Images = merged(imagesFor(p.Backup.Method), p.Images)
	p.Sizes = merged(sizes, p.Sizes)
}

// connectionKeys is the connection Secret as existing applications read it, and what each key holds.
var connectionKeys = map[string]string{
	"endpoint": "endpoint", "port": "port", "database": "database", "username": "username", "password": "password",
	"POSTGRES_HOST": "endpoint", "POSTGRES_PORT": "port", "POSTGRES_DB": "database", "POSTGRES_USER": "username",
	"POSTGRES_PASSWORD": "password", "POSTGRES_SCHEMA": "schema",
}

// sizes is the table behind spec.size. Memory is limited to what is requested, so that a database is never the first to
// be killed on a full node; CPU is not limited, because the WAL restore that stands in the way of a failover runs
// inside the limit.
var sizes = map[string]v1beta1.Size{
	"micro":  {Requests: v1beta1.Quantities{CPU: "250m", Memory: "512Mi"}, Limits: v1beta1.Quantities{Memory: "512Mi"}},
	"small":  {Requests: v1beta1.Quantities{CPU: "500m", Memory: "1Gi"}, Limits: v1beta1.Quantities{Memory: "1Gi"}},
	"medium": {Requests: v1beta1.Quantities{CPU: "1", Memory: "4Gi"}, Limits: v1beta1.Quantities{Memory: "4Gi"}},
	"large":  {Requests: v1beta1.Quantities{CPU: "4", Memory: "16Gi"}, Limits: v1beta1.Quantities{Memory: "16Gi"}},
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func setRemoteKey(k *v1beta1.RemoteKey, property string) {
	if *k == (v1beta1.RemoteKey{}) {
		*k = v1beta1.RemoteKey{Key: "postgres/{namespace}/{name}", Property: property}
	}
}

func merged[V any](base, over map[string]V) map[string]V {
	out := maps.Clone(base)
	maps.Copy(out, over)
	return out
}
