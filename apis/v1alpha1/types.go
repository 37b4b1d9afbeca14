// Package v1alpha1 is the claim a developer writes: PostgresInstance, group database.bizmatters.io.
//
// These types are the single source of the two XRDs in apis/ (go generate), of the offline schema check and of the
// decoded claim. Every field of spec is optional; a claim can ask for more safety than the platform's policy,
// never for less (rule ZDL-14). The kind around them, with the rules that look at spec and status together, is
// tools/generate/postgresinstance.
package v1alpha1

// Group, version and the two kinds of the API.
const (
	Group      = "database.bizmatters.io"
	Version    = "v1alpha1"
	APIVersion = Group + "/" + Version
	// Kind is the kind a developer writes: the claim (XRD v1) or the namespaced composite resource (XRD v2).
	Kind = "PostgresInstance"
	// KindComposite is the cluster-scoped composite resource behind a claim (XRD v1 only).
	KindComposite = "XPostgresInstance"
)

// Spec is what the developer asks for.
//
// +kubebuilder:validation:XValidation:rule="(has(self.storageGB) ? self.storageGB : 20) >= (has(oldSelf.storageGB) ? oldSelf.storageGB : 20)",message="storageGB only grows: a volume cannot shrink without losing what lies beyond the cut. Write the old size or more [ZDL-08]"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.walStorageGB) || (has(self.walStorageGB) && self.walStorageGB >= oldSelf.walStorageGB)",message="walStorageGB only grows and cannot be removed: the WAL volume of a live database cannot shrink or go. Write the old size or more [ZDL-08]"
type Spec struct {
	// Size picks CPU and memory from the platform's size table: micro, small, medium or large. It never changes the
	// number of instances or the safety of the data. Default: small.
	// +kubebuilder:validation:Enum=micro;small;medium;large
	Size string `json:"size,omitempty"`

	// Version is the PostgreSQL major version: "14" to "18", as a string. Default: "16". Frozen after creation; upgrade
	// with a new claim and bootstrap.recovery.source (Blue/Green).
	// +kubebuilder:validation:Enum="14";"15";"16";"17";"18"
	Version string `json:"version,omitempty"`

	// StorageGB is the size of each instance's data volume in GiB, 10 to 1000. Default: 20. It can only grow.
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=1000
	StorageGB int64 `json:"storageGB,omitempty"`

	// WALStorageGB puts the write-ahead log on a volume of its own, in GiB, 5 to 1000, so that a stalled archive fills
	// this volume and not the data volume. Default: none. Once set it can only grow.
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=1000
	WALStorageGB int64 `json:"walStorageGB,omitempty"`

	// Instances is the number of PostgreSQL instances, one primary and the rest standbys, each on a node of its own: 3
	// to 9. Default: 3. Fewer than 3 cannot lose a node and still keep every commit on a second one (CNPG-1.1).
	// +kubebuilder:validation:Minimum=3
	// +kubebuilder:validation:Maximum=9
	Instances int64 `json:"instances,omitempty"`

	// Resources overrides CPU and memory of the size, for each instance.
	Resources *Resources `json:"resources,omitempty"`

	// Database is the name of the database made at creation. Default: the claim's name. Frozen.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z_][a-z0-9_$-]*$`
	Database string `json:"database,omitempty"`

	// Owner is the role that owns the database and that applications log in as. Default: the database's name. Frozen.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z_][a-z0-9_$-]*$`
	Owner string `json:"owner,omitempty"`

	// Parameters are PostgreSQL settings (postgresql.conf), each value a string: {"max_connections": "200"}. Settings
	// that would lose data or stop archiving are refused (ZDL-09).
	// +kubebuilder:validation:MaxProperties=256
	Parameters map[string]string `json:"parameters,omitempty"`

	// Image picks another image of the same major from the platform's catalogue, for instance one with extensions
	// ("postgis"). Default: the catalogue's default image. Never an image reference: the platform pins those (ZDL-11).
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	Image string `json:"image,omitempty"`

	// Backup asks for more than the platform's backup policy. Values below it are refused (ZDL-14).
	Backup *Backup `json:"backup,omitempty"`

	// Bootstrap says where the first data comes from. Default: an empty database. Read once, at creation; frozen.
	Bootstrap *Bootstrap `json:"bootstrap,omitempty"`

	// Upgrade says how a new claim of another major takes over the data of bootstrap.recovery.source.
	Upgrade *Upgrade `json:"upgrade,omitempty"`

	// Connection names what applications connect with.
	Connection *Connection `json:"connection,omitempty"`
}

// Resources are CPU and memory of one instance, as Kubernetes quantities ("500m", "2Gi").
type Resources struct {
	// Requests are reserved for the instance.
	Requests *Quantities `json:"requests,omitempty"`
	// Limits cap the instance. A CPU limit stretches failover (the WAL restore runs inside it); prefer memory only.
	Limits *Quantities `json:"limits,omitempty"`
}

// Quantities is one CPU and one memory quantity.
type Quantities struct {
	// CPU in cores: "500m" is half a core.
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[0-9]+(\.[0-9]+)?m?$`
	CPU string `json:"cpu,omitempty"`
	// Memory in bytes with a suffix: "512Mi", "4Gi".
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$`
	Memory string `json:"memory,omitempty"`
}

// Backup asks for more backup than the platform's policy gives by itself.
type Backup struct {
	// Schedule of base backups: cron with five fields (minute first) or six (second first), UTC. The longest gap
	// between two backups must not exceed 6 hours (CNPG-3.1). Default: the policy's, "0 0 */6 * * *" unless set.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	Schedule string `json:"schedule,omitempty"`
	// RetentionDays is the recovery window in days: any second of it can be restored. At least 30 (CNPG-3.2) and at
	// least the policy's.
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=3650
	RetentionDays int64 `json:"retentionDays,omitempty"`
	// LockDays is for how many days nobody, the account's root included, can destroy a backup (Object Lock COMPLIANCE).
	// At least the retention plus the time the oldest needed base backup outlives it (ZDL-01). It cannot be undone.
	// +kubebuilder:validation:Minimum=31
	// +kubebuilder:validation:Maximum=36500
	LockDays int64 `json:"lockDays,omitempty"`
}

// Bootstrap says where the first data comes from: exactly one of its fields.
//
// +kubebuilder:validation:XValidation:rule="has(self.recovery) != has(self.import)",message="write exactly one of recovery and import: a database starts from one place"
type Bootstrap struct {
	// Recovery restores another database's archive into this new one, to its end or to a point in time.
	Recovery *Recovery `json:"recovery,omitempty"`
	// Import copies a live database logically (pg_dump and pg_restore): the way across major versions.
	ImportFrom *Import `json:"import,omitempty"`
}

// Recovery restores a source's archive. With a source of another major version it becomes a logical import.
//
// +kubebuilder:validation:XValidation:rule="has(self.source) || has(self.archive)",message="name the source claim, or its archive where no trace of the claim is left"
// +kubebuilder:validation:XValidation:rule="[has(self.targetTime), has(self.targetLSN), has(self.targetXID), has(self.targetName), has(self.targetImmediate) && self.targetImmediate].filter(t, t).size() <= 1",message="write at most one recovery target: PostgreSQL stops at one place"
type Recovery struct {
	// Source is the name of the claim to recover from, in the same namespace. It need not exist any more: its orphaned
	// database or archive is enough.
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:Pattern=`^[a-z]([a-z0-9-]*[a-z0-9])?$`
	Source string `json:"source,omitempty"`
	// TargetTime is the moment to recover to, RFC 3339 with a time zone: "2026-11-20T10:00:00Z".
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})$`
	TargetTime string `json:"targetTime,omitempty"`
	// TargetLSN is the WAL location to recover to: "0/3000028".
	// +kubebuilder:validation:MaxLength=17
	// +kubebuilder:validation:Pattern=`^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$`
	TargetLSN string `json:"targetLSN,omitempty"`
	// TargetXID is the transaction to recover to; needs backupID.
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	TargetXID string `json:"targetXID,omitempty"`
	// TargetName is the restore point (pg_create_restore_point) to recover to; needs backupID.
	// +kubebuilder:validation:MaxLength=63
	TargetName string `json:"targetName,omitempty"`
	// TargetImmediate stops as soon as the restored backup is consistent; needs backupID.
	TargetImmediate bool `json:"targetImmediate,omitempty"`
	// BackupID is the base backup to start from: "20261123T222356". Default: the newest before the target.
	// +kubebuilder:validation:MaxLength=40
	BackupID string `json:"backupID,omitempty"`
	// Exclusive stops just before the target instead of just after it.
	Exclusive bool `json:"exclusive,omitempty"`
	// Archive states where the source's archive lies. Needed where nothing of the source is left in the cluster; where
	// the source lives, it must agree with it.
	Archive *Archive `json:"archive,omitempty"`
}

// Archive is the location of a source's backups and WAL.
type Archive struct {
	// Bucket that holds the archive.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=63
	Bucket string `json:"bucket"`
	// Path inside the bucket, above the server name. Default: "<namespace>/<source>".
	// +kubebuilder:validation:MaxLength=512
	Path string `json:"path,omitempty"`
	// ServerName is the folder of the source's incarnation, as its claim's status.backup.serverName showed it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	ServerName string `json:"serverName"`
	// Version is the source's PostgreSQL major, needed when the source is not alive. Default: this claim's version.
	// +kubebuilder:validation:Enum="14";"15";"16";"17";"18"
	Version string `json:"version,omitempty"`
	// Database of the source. Default: this claim's own.
	// +kubebuilder:validation:MaxLength=63
	Database string `json:"database,omitempty"`
	// Owner of the source's database. Default: this claim's own.
	// +kubebuilder:validation:MaxLength=63
	Owner string `json:"owner,omitempty"`
}

// Import copies a live database logically.
type Import struct {
	// Source is the name of the live claim to copy, in the same namespace. Stop its writes first: what is written after
	// the copy starts is not in it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:Pattern=`^[a-z]([a-z0-9-]*[a-z0-9])?$`
	Source string `json:"source"`
	// Database to copy. Default: the source's own.
	// +kubebuilder:validation:MaxLength=63
	Database string `json:"database,omitempty"`
	// SchemaOnly copies no rows: the start of a logical replication set up by hand.
	SchemaOnly bool `json:"schemaOnly,omitempty"`
}

// Upgrade says how a major upgrade moves the data.
type Upgrade struct {
	// Method: "import" copies once while writes are stopped (default, easiest to verify); "logicalReplication" copies
	// the schema and follows the source until you switch.
	// +kubebuilder:validation:Enum=import;logicalReplication
	Method string `json:"method,omitempty"`
}

// Connection names what applications connect with.
type Connection struct {
	// SecretName of the connection Secret. Default: "<claim>-conn".
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	SecretName string `json:"secretName,omitempty"`
	// Alias is a stable name ("agent-db"): a Service and a Secret of that name always lead to the claim that holds it.
	// Move it from the old claim to the new one in one commit to switch applications over.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:Pattern=`^[a-z]([a-z0-9-]*[a-z0-9])?$`
	Alias string `json:"alias,omitempty"`
}
