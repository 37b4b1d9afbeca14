// Package v1beta1 is the platform's policy: the input of the Composition's pipeline step. The platform engineer sets it
// once; every claim is judged against it.
//
// Crossplane neither validates nor defaults a function's input, so this product does (package internal/policy). A
// policy below the contract's floor is refused. The least that is enough: a bucket prefix, a region and a secret store.
package v1beta1

// Group, version and kind of the policy.
const (
	Group      = "hardened-postgres.fn.bizmatters.io"
	APIVersion = Group + "/v1beta1"
	Kind       = "Policy"
)

// Policy is what the platform decides for every claim.
type Policy struct {
	// Bucket holds the backups and the write-ahead log.
	Bucket Bucket `json:"bucket"`
	// Credentials says where External Secrets finds the keys of the bucket.
	Credentials Credentials `json:"credentials"`
	// Backup method, schedule and retention.
	Backup Backup `json:"backup,omitempty"`
	// StorageClassName of every volume. The class must retain its volumes (CNPG-4.2). Default: postgres-retain.
	// +kubebuilder:validation:MaxLength=253
	StorageClassName string `json:"storageClassName,omitempty"`
	// Images is the catalogue of PostgreSQL images, by major version. Entries given here replace the built-in ones of
	// the same major.
	Images map[string]ImageSet `json:"images,omitempty"`
	// Sizes is the table behind the claim's size: micro, small, medium, large. Entries given here replace the built-in
	// ones of the same name.
	Sizes map[string]Size `json:"sizes,omitempty"`
	// Providers name the provider configurations to use.
	Providers Providers `json:"providers,omitempty"`
	// Monitoring says how metrics are scraped and whom alerts reach.
	Monitoring Monitoring `json:"monitoring,omitempty"`
	// Connection says what the connection Secret looks like.
	Connection Connection `json:"connection,omitempty"`
	// Cluster adds settings of the platform to every Cluster that do not touch the contract.
	Cluster ClusterOptions `json:"cluster,omitempty"`
	// Waivers record rules the platform knowingly relaxes, each with a reason (ZDL-14).
	// +kubebuilder:validation:MaxItems=64
	Waivers []Waiver `json:"waivers,omitempty"`
}

// Bucket holds the backups and the write-ahead log.
type Bucket struct {
	// Mode: "managed" creates one locked bucket per claim on AWS; "existing" adopts a bucket made elsewhere, on any
	// S3-compatible store, and verifies its lock without ever changing it. Default: managed.
	// +kubebuilder:validation:Enum=managed;existing
	Mode string `json:"mode,omitempty"`
	// Prefix of the names of managed buckets, which are unique world-wide: your organisation and environment.
	// +kubebuilder:validation:MaxLength=30
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	Prefix string `json:"prefix,omitempty"`
	// Salt makes the names of managed buckets differ between two control planes with equal prefix and claims. Never
	// change it once a claim exists.
	// +kubebuilder:validation:MaxLength=63
	Salt string `json:"salt,omitempty"`
	// Name of the existing bucket (mode existing).
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9][a-z0-9.-]*[a-z0-9]$`
	Name string `json:"name,omitempty"`
	// Region of the bucket: "eu-central-1".
	// +kubebuilder:validation:MaxLength=40
	Region string `json:"region"`
	// EndpointURL of an S3-compatible store that is not AWS: "https://fsn1.your-objectstorage.com". TLS is required.
	// Default: AWS S3.
	// +kubebuilder:validation:MaxLength=255
	EndpointURL string `json:"endpointURL,omitempty"`
	// EndpointCA is the Secret (in the claim's namespace) that holds the certificate authority of EndpointURL.
	EndpointCA *SecretKey `json:"endpointCA,omitempty"`
	// LockDays is for how many days Object Lock (COMPLIANCE) holds a backup. Default: retention + 7. At least what
	// ZDL-01 computes.
	// +kubebuilder:validation:Minimum=31
	// +kubebuilder:validation:Maximum=36500
	LockDays int64 `json:"lockDays,omitempty"`
	// MaxLockDays bounds what a claim may ask for, because nobody can undo a COMPLIANCE lock. Default: 3 times the
	// retention, at least LockDays.
	// +kubebuilder:validation:Minimum=31
	// +kubebuilder:validation:Maximum=36500
	MaxLockDays int64 `json:"maxLockDays,omitempty"`
	// UndoDays keeps overwritten or hidden versions recoverable before lifecycle may remove them. Default: 7.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	UndoDays int64 `json:"undoDays,omitempty"`
	// KMSKeyID encrypts with this AWS KMS key. Default: SSE-S3 (AES256).
	// +kubebuilder:validation:MaxLength=2048
	KMSKeyID string `json:"kmsKeyID,omitempty"`
	// Administrators are the AWS principal ARNs (wildcards allowed) that alone may change the bucket's lock, lifecycle
	// or policy: at least the identity provider-aws runs as. Default: no such restriction can be made, and CNPG-4.3 says
	// so in the claim's status.
	// +kubebuilder:validation:MaxItems=20
	Administrators []string `json:"administrators,omitempty"`
	// Tags of managed buckets.
	Tags map[string]string `json:"tags,omitempty"`
}

// SecretKey names one key of a Secret.
type SecretKey struct {
	// Name of the Secret.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Key in it.
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// Backup method, schedule and retention.
type Backup struct {
	// Method: "plugin" is CloudNativePG's barman-cloud plugin; "inTree" the deprecated spec.backup.barmanObjectStore,
	// which needs images that contain barman and goes away in CloudNativePG 1.31. Default: plugin.
	// +kubebuilder:validation:Enum=plugin;inTree
	Method string `json:"method,omitempty"`
	// Schedule of base backups, cron with five fields or six (second first), UTC. Default: "0 0 */6 * * *".
	// +kubebuilder:validation:MaxLength=100
	Schedule string `json:"schedule,omitempty"`
	// RetentionDays is the recovery window. Default and least: 30 (CNPG-3.2).
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=3650
	RetentionDays int64 `json:"retentionDays,omitempty"`
	// MaxRunsPerDay bounds how often a claim's schedule may fire: every run is a full backup that nobody can delete for
	// the lock's days. Default: 24.
	// +kubebuilder:validation:Minimum=4
	// +kubebuilder:validation:Maximum=96
	MaxRunsPerDay int64 `json:"maxRunsPerDay,omitempty"`
	// Compression of WAL and base backups: gzip (default), or another codec the platform has tested (CNPG-2.3).
	// +kubebuilder:validation:Enum=gzip;bzip2;lz4;snappy;xz;zstd
	Compression string `json:"compression,omitempty"`
	// SidecarEnv are environment variables of the plugin's sidecar. Settings that switch off upload checksums are
	// refused (CNPG-4.3).
	SidecarEnv map[string]string `json:"sidecarEnv,omitempty"`
}

// Credentials says where External Secrets finds the keys of the bucket.
type Credentials struct {
	// SecretStoreRef names the store.
	SecretStoreRef StoreRef `json:"secretStoreRef"`
	// AccessKeyID says where the key's id is in the store. Default: key "postgres/{namespace}/{name}", property
	// ACCESS_KEY_ID.
	AccessKeyID RemoteKey `json:"accessKeyID,omitempty"`
	// SecretAccessKey says where the key's secret is in the store; it is never the secret itself (ZDL-12). Default: key
	// "postgres/{namespace}/{name}", property SECRET_ACCESS_KEY.
	SecretAccessKey RemoteKey `json:"secretAccessKey,omitempty"`
}

// StoreRef names an External Secrets store.
type StoreRef struct {
	// Kind: ClusterSecretStore (default) or SecretStore (in the claim's namespace).
	// +kubebuilder:validation:Enum=ClusterSecretStore;SecretStore
	Kind string `json:"kind,omitempty"`
	// Name of the store.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// RemoteKey locates one value in a secret store; it is never the value itself (ZDL-12).
type RemoteKey struct {
	// Key in the store, where {namespace} and {name} stand for the claim's.
	// +kubebuilder:validation:MaxLength=512
	Key string `json:"key,omitempty"`
	// Property of the value under that key, where it has several.
	// +kubebuilder:validation:MaxLength=255
	Property string `json:"property,omitempty"`
}

// ImageSet is the images of one major version. Each reference carries a tag of that major, best also a digest.
type ImageSet struct {
	// Default image of the major.
	// +kubebuilder:validation:MaxLength=512
	Default string `json:"default"`
	// Variants a claim may pick by name (spec.image): images of the same major with more extensions.
	Variants map[string]string `json:"variants,omitempty"`
}

// Size is CPU and memory of one instance.
type Size struct {
	// Requests are reserved for the instance.
	Requests Quantities `json:"requests"`
	// Limits cap the instance. A CPU limit stretches failover; prefer memory only.
	Limits Quantities `json:"limits,omitempty"`
}

// Quantities is one CPU and one memory quantity.
type Quantities struct {
	// CPU in cores: "500m" is half a core.
	// +kubebuilder:validation:Pattern=`^[0-9]+(\.[0-9]+)?m?$`
	CPU string `json:"cpu,omitempty"`
	// Memory in bytes with a suffix: "512Mi", "4Gi".
	// +kubebuilder:validation:Pattern=`^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$`
	Memory string `json:"memory,omitempty"`
}

// Providers name the provider configurations.
type Providers struct {
	// Kubernetes is provider-kubernetes' configuration. Default: "default".
	Kubernetes ProviderConfig `json:"kubernetes,omitempty"`
	// AWS is provider-aws' configuration. Default: "default".
	AWS ProviderConfig `json:"aws,omitempty"`
}

// ProviderConfig names one provider configuration.
type ProviderConfig struct {
	// Name of the configuration.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// Kind, for namespaced composite resources only: ClusterProviderConfig (default) or ProviderConfig. Cluster-scoped
	// resources know only ProviderConfig.
	// +kubebuilder:validation:Enum=ClusterProviderConfig;ProviderConfig
	Kind string `json:"kind,omitempty"`
}

// Monitoring says how metrics are scraped and whom alerts reach.
type Monitoring struct {
	// PodMonitor: "own" emits a PodMonitor of ours; "operator" lets CloudNativePG make one (deprecated there). Default:
	// own.
	// +kubebuilder:validation:Enum=own;operator
	PodMonitor string `json:"podMonitor,omitempty"`
	// Labels put on PodMonitor and PrometheusRule so that Prometheus selects them: {"release": "kube-prometheus-stack"}.
	Labels map[string]string `json:"labels,omitempty"`
	// AlertLabels are added to every alert, for routing.
	AlertLabels map[string]string `json:"alertLabels,omitempty"`
	// AlertAnnotations are added to every alert, for whoever reads it.
	AlertAnnotations map[string]string `json:"alertAnnotations,omitempty"`
	// Severities overrides the severity of single alerts by name: {"PostgresReplicationLag": "info"}.
	Severities map[string]string `json:"severities,omitempty"`
	// RunbookURL is the base of the runbook links. Default: this project's docs/runbooks.
	// +kubebuilder:validation:MaxLength=512
	RunbookURL string `json:"runbookURL,omitempty"`
	// DashboardLabels ship a Grafana dashboard as a ConfigMap with these labels, by which Grafana's sidecar finds it:
	// {"grafana_dashboard": "1"}. No dashboard without labels.
	DashboardLabels map[string]string `json:"dashboardLabels,omitempty"`
	// OperatorDeployment is the name of CloudNativePG's Deployment, whose health is watched. Default: that of the release
	// manifest or of the Helm chart.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	OperatorDeployment string `json:"operatorDeployment,omitempty"`
	// PluginDeployment is the name of the barman-cloud plugin's Deployment, whose health is watched. Default: that of the
	// release manifest or of the Helm chart.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	PluginDeployment string `json:"pluginDeployment,omitempty"`
}

// Connection says what the connection Secret looks like.
type Connection struct {
	// Keys of the connection Secret and what each holds: endpoint, port, database, username, password, uri, jdbcURI,
	// schema, sslmode or caCertificate. Default: endpoint, port, database, username, password and POSTGRES_HOST,
	// POSTGRES_PORT, POSTGRES_DB, POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_SCHEMA.
	Keys map[string]string `json:"keys,omitempty"`
}

// ClusterOptions adds settings of the platform to every Cluster that do not touch the contract.
type ClusterOptions struct {
	// Parameters are PostgreSQL settings every database starts from; a claim's own win. Judged like a claim's (ZDL-09).
	Parameters map[string]string `json:"parameters,omitempty"`
	// NodeSelector of the database pods.
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// PriorityClassName of the database pods.
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// ImagePullSecrets of the database pods, in the claim's namespace.
	ImagePullSecrets []string `json:"imagePullSecrets,omitempty"`
}

// Waiver records one rule the platform knowingly relaxes.
type Waiver struct {
	// Rule id, for instance CNPG-2.3. ZDL-03, ZDL-04, ZDL-12 and ZDL-14 cannot be waived.
	// +kubebuilder:validation:Pattern=`^(CNPG|ZDL)-[0-9.]+$`
	Rule string `json:"rule"`
	// Reason, shown wherever the waived rule is reported.
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason"`
	// Expires is the last day the waiver holds, "2027-03-31". Default: never.
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	Expires string `json:"expires,omitempty"`
	// Claims limits the waiver to claims whose "namespace/name" matches this pattern (path.Match: * within a part).
	// Default: all.
	// +kubebuilder:validation:MaxLength=320
	Claims string `json:"claims,omitempty"`
}
