package v1alpha1

// Status is what is, as observed: every field is rebuilt from the cluster on every call and carries no time of our own
// (rule ZDL-13). GapAfter and ReachedBackTo alone remember.
type Status struct {
	// Version is the PostgreSQL major that runs.
	Version string `json:"version,omitempty"`
	// Image that runs.
	Image string `json:"image,omitempty"`
	// Instances is "ready/wanted".
	Instances string `json:"instances,omitempty"`
	// Phase is CloudNativePG's own word for the state of the Cluster.
	Phase string `json:"phase,omitempty"`
	// Database as created.
	Database string `json:"database,omitempty"`
	// Owner of the database as created.
	Owner string `json:"owner,omitempty"`
	// Endpoints applications connect to.
	Endpoints *Endpoints `json:"endpoints,omitempty"`
	// SecretName of the connection Secret.
	SecretName string `json:"secretName,omitempty"`
	// Alias is held, or by whom it is held.
	Alias *AliasStatus `json:"alias,omitempty"`
	// Backup says where the backups are and from when the database can be recovered.
	Backup *BackupStatus `json:"backup,omitempty"`
	// Bootstrap says what became of the bootstrap stanza.
	Bootstrap *BootstrapStatus `json:"bootstrap,omitempty"`
	// Contract is the verdict on the zero-data-loss contract, rule by rule.
	Contract *ContractStatus `json:"contract,omitempty"`
}

// Endpoints are host names inside the cluster; the port is 5432.
type Endpoints struct {
	// ReadWrite leads to the primary.
	ReadWrite string `json:"readWrite,omitempty"`
	// ReadOnly leads to the standbys.
	ReadOnly string `json:"readOnly,omitempty"`
	// Port is 5432.
	Port int64 `json:"port,omitempty"`
}

// AliasStatus says who holds the stable connection name.
type AliasStatus struct {
	// Name of the alias.
	Name string `json:"name,omitempty"`
	// Held is true where this claim holds it.
	Held bool `json:"held"`
	// Holder is the claim, "namespace/name", that holds it or that it still leads to, where this one does not hold it.
	Holder string `json:"holder,omitempty"`
	// Message says what it waits for.
	Message string `json:"message,omitempty"`
}

// BackupStatus is the way back: keep it outside the cluster too, it is all that is needed to recover.
type BackupStatus struct {
	// Bucket that holds the archive.
	Bucket string `json:"bucket,omitempty"`
	// Path inside the bucket, above the server name.
	Path string `json:"path,omitempty"`
	// ServerName is the folder of this incarnation.
	ServerName string `json:"serverName,omitempty"`
	// LockDays, as observed on the bucket.
	LockDays int64 `json:"lockDays,omitempty"`
	// RetentionDays of the recovery window.
	RetentionDays int64 `json:"retentionDays,omitempty"`
	// Schedule of base backups, six fields.
	Schedule string `json:"schedule,omitempty"`
	// RecoverableSince is the earliest moment that can be recovered to; empty where nothing can be.
	RecoverableSince string `json:"recoverableSince,omitempty"`
	// LastBackup is the end of the newest successful base backup.
	LastBackup string `json:"lastBackup,omitempty"`
	// GapAfter is the newest base backup of when WAL was last seen to be archived nowhere. What was written after it can be
	// recovered once a newer one has succeeded; the field is empty then.
	GapAfter string `json:"gapAfter,omitempty"`
	// ReachedBackTo is how far back the base backups reached before some went before their time, removed or hidden; empty while
	// they reach back as far as the retention promises.
	ReachedBackTo string `json:"reachedBackTo,omitempty"`
}

// BootstrapStatus says what became of the bootstrap stanza.
type BootstrapStatus struct {
	// Method that was chosen: initdb, recovery, import or logicalReplication.
	Method string `json:"method,omitempty"`
	// Source claim or archive.
	Source string `json:"source,omitempty"`
	// Inert is true once the database lives: the stanza has been used and does nothing any more (ZDL-08).
	Inert bool `json:"inert,omitempty"`
	// Message says what remains to be done.
	Message string `json:"message,omitempty"`
}

// ContractStatus is the verdict, rule by rule.
type ContractStatus struct {
	// Verdict over all rules: Satisfied, Pending, Waived or Violated, the worst of them.
	Verdict string `json:"verdict,omitempty"`
	// Rules, in the catalogue's order.
	// +listType=map
	// +listMapKey=id
	Rules []RuleVerdict `json:"rules,omitempty"`
}

// RuleVerdict is the verdict on one rule.
type RuleVerdict struct {
	// ID of the rule, for instance CNPG-3.1: `function-hardened-postgres explain CNPG-3.1` says what it is for.
	ID string `json:"id"`
	// Verdict: Satisfied, Pending (not yet observable), Waived or Violated.
	Verdict string `json:"verdict"`
	// Message says why where the verdict is not Satisfied.
	Message string `json:"message,omitempty"`
}
