// Package hardened is what is emitted: the complete hardened set for one claim, one file per resource. It is pure, and
// it does not know the contract that its work is judged by.
package hardened

import (
	"strconv"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Names of the composed resources. They are the identity of a resource towards Crossplane: renaming one deletes the old
// resource and makes a new one, so they never change.
const (
	Bucket                  = "bucket"
	BucketVersioning        = "bucket-versioning"
	BucketObjectLock        = "bucket-object-lock"
	BucketEncryption        = "bucket-encryption"
	BucketPublicAccessBlock = "bucket-public-access-block"
	BucketOwnership         = "bucket-ownership"
	BucketPolicy            = "bucket-policy"
	BucketLifecycle         = "bucket-lifecycle"
	Credentials             = "credentials"
	ObjectStore             = "object-store"
	Cluster                 = "cluster"
	ScheduledBackup         = "scheduled-backup"
	ConnectionAccount       = "connection-account"
	ConnectionAccess        = "connection-access"
	ConnectionStore         = "connection-store"
	ConnectionSecret        = "connection-secret"
	PodMonitor              = "pod-monitor"
	CustomQueries           = "custom-queries"
	PrometheusRule          = "prometheus-rule"
	ClaimPresence           = "claim-presence"
	Dashboard               = "dashboard"
)

// Known says whether a composed resource of this name is one of ours.
func Known(name string) bool { return place(name) < len(purposes) }

// Stage says what must be observed before a resource may come into being (ZDL-03). Once a resource exists it is emitted
// whatever its stage.
type Stage int

// The stages, in order.
const (
	// Protection is emitted at once: the locked bucket and the keys to it.
	Protection Stage = iota
	// Archive waits until lock, versioning and keys are observed in force.
	Archive
	// Database waits for the archive's description to exist.
	Database
	// Operation waits for the Cluster to exist.
	Operation
)

// Resource is one composed resource.
type Resource struct {
	// Name is the composition-resource-name.
	Name string
	// Object is the managed resource, or the provider-kubernetes Object that wraps the manifest.
	Object manifest.Object
	Stage  Stage
}

// Request is everything a set is built from.
type Request struct {
	Claim  *claim.Claim
	Policy *v1beta1.Policy
	Terms  claim.BackupTerms
	// Place is where the archive lies.
	Place Place
	// Bootstrap is the Cluster's bootstrap and what it refers to.
	Bootstrap Bootstrap
	// Alive says that the Cluster exists. It is then never created again: deleted by hand it would come back empty, over
	// a full archive, and archive nothing.
	Alive bool
	// Held says that the Cluster's Object exists and no Cluster may be made of it for now.
	Held bool
	// Alias says that the claim holds its alias, or may take it. HostNames are further names the server's certificate
	// carries, of this alias and of earlier ones.
	Alias     bool
	HostNames []string
}

// Place is where the database archives. A living Cluster keeps the place it has (ZDL-08).
type Place struct {
	Bucket, Path, ServerName string
}

// Bootstrap is where the first data comes from. The zero value is an empty database.
type Bootstrap struct {
	// Stanza is the Cluster's spec.bootstrap; nil means a fresh initdb.
	Stanza map[string]any
	// ExternalClusters is the Cluster's spec.externalClusters.
	ExternalClusters []any
	// Resources the bootstrap needs beside the set: the source's ObjectStore and its keys, replication.
	Resources []Resource
}

// PlaceOf is where a new claim's archive goes: its own locked bucket, or its own folder in the existing one.
func PlaceOf(c *claim.Claim, p *v1beta1.Policy) Place {
	bucket := p.Bucket.Name
	if Managed(p) {
		bucket = c.BucketName(p.Bucket.Prefix, p.Bucket.Salt)
	}
	return Place{Bucket: bucket, Path: c.ArchivePath(), ServerName: c.ServerName()}
}

// Set is the complete set. When each resource of it may come into being is its Stage.
func Set(r Request) []Resource {
	b := builder{r}
	set := make([]Resource, 0, 24)
	set = append(set, b.bucket()...)
	set = append(set, Resource{Name: Credentials, Stage: Protection, Object: b.wrap(Credentials, b.credentials(), readyFromManifest)})
	if Plugin(r.Policy) {
		set = append(set, Resource{Name: ObjectStore, Stage: Archive, Object: b.wrap(ObjectStore, b.objectStore())})
	}
	set = append(set, r.Bootstrap.Resources...)
	set = append(set, Resource{Name: Cluster, Stage: Database, Object: b.clusterObject()})
	set = append(set, b.connection()...)
	set = append(set, b.monitoring()...)
	if r.Alias {
		set = append(set, b.alias()...)
	}
	return append(set, Resource{Name: ScheduledBackup, Stage: Operation, Object: b.wrap(ScheduledBackup, b.scheduledBackup())})
}

type builder struct{ Request }

// Managed says whether the claim's bucket is made here rather than adopted.
func Managed(p *v1beta1.Policy) bool { return p.Bucket.Mode != "existing" }

// Plugin says whether the barman-cloud plugin archives rather than CloudNativePG itself.
func Plugin(p *v1beta1.Policy) bool { return p.Backup.Method != "inTree" }

// Labels every object of the set carries: whose it is, so that a claim committed again recognises its own (ZDL-07), and
// that it must not be deleted by hand (CNPG-4.1).
const (
	LabelClaim          = "database.bizmatters.io/claim"
	LabelClaimNamespace = "database.bizmatters.io/claim-namespace"
	LabelProtected      = "database.bizmatters.io/protected"
	labelManagedBy      = "app.kubernetes.io/managed-by"
	managedBy           = "function-hardened-postgres"
)

func (b builder) labels() map[string]any {
	return map[string]any{
		LabelClaim: b.Claim.Name, LabelClaimNamespace: b.Claim.Namespace, LabelProtected: "true", labelManagedBy: managedBy,
	}
}

// object starts a manifest in the claim's namespace.
func (b builder) object(apiVersion, kind, name string) manifest.Object {
	return manifest.Object{
		"apiVersion": apiVersion,
		"kind":       kind,
		"metadata":   map[string]any{"name": name, "namespace": b.Claim.Namespace, "labels": b.labels()},
	}
}

func gibibytes(n int64) string { return strconv.FormatInt(n, 10) + "Gi" }

func days(n int64) string { return strconv.FormatInt(n, 10) + "d" }

// stringMap turns a map of strings into the JSON-shaped form manifests are made of.
func stringMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
