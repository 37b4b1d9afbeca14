package contract

import (
	"maps"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// kind is a kind of document the contract has rules for.
type kind int

const (
	unknown kind = iota
	wrapper
	clusterKind
	scheduledBackup
	objectStore
	imageCatalog
	database
	pooler
	externalSecret
	secretStore
	secret
	configMap
	storageClass
	prometheusRule
	podMonitor
	persistentVolume
	autoscaler
	// From here on they are managed resources of provider-aws.
	encryptionKey
	bucketTiering
	bucket
	bucketVersioning
	bucketLock
	bucketEncryption
	bucketPublicAccess
	bucketOwnership
	bucketACL
	bucketPolicy
	bucketLifecycle
)

// manyNamespaces is the kind that makes an ExternalSecret in each of some namespaces.
const manyNamespaces = "ClusterExternalSecret"

type groupKind struct{ group, kind string }

// kinds are the documents the contract has rules for. provider-aws serves each kind in two groups, cluster-scoped and
// namespaced (.m.), and in up to two versions; the rules read all of them.
var kinds = func() map[groupKind]kind {
	m := map[groupKind]kind{
		{manifest.ObjectGroupCluster, "Object"}:       wrapper,
		{manifest.ObjectGroupNamespaced, "Object"}:    wrapper,
		{"postgresql.cnpg.io", "Cluster"}:             clusterKind,
		{"postgresql.cnpg.io", "ScheduledBackup"}:     scheduledBackup,
		{"postgresql.cnpg.io", "Database"}:            database,
		{"postgresql.cnpg.io", "Pooler"}:              pooler,
		{"postgresql.cnpg.io", "ImageCatalog"}:        imageCatalog,
		{"postgresql.cnpg.io", "ClusterImageCatalog"}: imageCatalog,
		{"barmancloud.cnpg.io", "ObjectStore"}:        objectStore,
		{"external-secrets.io", "ExternalSecret"}:     externalSecret,
		{"external-secrets.io", manyNamespaces}:       externalSecret,
		{"external-secrets.io", "SecretStore"}:        secretStore,
		{"external-secrets.io", "ClusterSecretStore"}: secretStore,
		{"", "Secret"}:                              secret,
		{"", "ConfigMap"}:                           configMap,
		{"storage.k8s.io", "StorageClass"}:          storageClass,
		{"monitoring.coreos.com", "PrometheusRule"}: prometheusRule,
		{"monitoring.coreos.com", "PodMonitor"}:     podMonitor,
		{"", "PersistentVolume"}:                    persistentVolume,
		{"autoscaling", "HorizontalPodAutoscaler"}:  autoscaler,
		{"keda.sh", "ScaledObject"}:                 autoscaler,
		{"kms.aws.upbound.io", "Key"}:               encryptionKey,
		{"kms.aws.m.upbound.io", "Key"}:             encryptionKey,
	}
	for _, group := range []string{"s3.aws.upbound.io", "s3.aws.m.upbound.io"} {
		for name, k := range map[string]kind{
			"Bucket": bucket, "BucketVersioning": bucketVersioning, "BucketObjectLockConfiguration": bucketLock,
			"BucketServerSideEncryptionConfiguration": bucketEncryption, "BucketPublicAccessBlock": bucketPublicAccess,
			"BucketOwnershipControls": bucketOwnership, "BucketACL": bucketACL, "BucketPolicy": bucketPolicy,
			"BucketLifecycleConfiguration": bucketLifecycle, "BucketIntelligentTieringConfiguration": bucketTiering,
		} {
			m[groupKind{group, name}] = k
		}
	}
	return m
}()

// document is one manifest of the set, out of its wrapper.
type document struct {
	kind            kind
	apiVersion      string
	group           string
	kindName        string
	namespace, name string
	body, spec      node
	// wrapped is true for what stands inside a provider-kubernetes Object, depth counts how deep.
	wrapped bool
	depth   int
	// origin is the place in the set it came with.
	origin int
	// observed is true where the provider only looks: such a document states nothing, it asks.
	observed bool
}

// String names the document in findings.
func (d *document) String() string {
	if d.namespace == "" {
		return d.kindName + " " + d.name
	}
	return d.kindName + " " + d.namespace + "/" + d.name
}

// maxNesting bounds Objects in Objects and Lists in Lists; nobody writes more than one.
const maxNesting = 4

func (j *judge) gather(set []manifest.Object) {
	j.documents = make([]document, 0, 2*len(set))
	for i, o := range set {
		j.taking = i
		j.take(node(o), false, false, 0)
	}
}

func (j *judge) take(body node, wrapped, observed bool, depth int) {
	if len(body) == 0 {
		return
	}
	metadata := sub(body, "metadata")
	d := document{
		apiVersion: text(body, "apiVersion"), kindName: text(body, "kind"),
		name: text(metadata, "name"), namespace: text(metadata, "namespace"),
		body: body, spec: sub(body, "spec"), wrapped: wrapped, observed: observed, depth: depth, origin: j.taking,
	}
	if group, _, found := strings.Cut(d.apiVersion, "/"); found {
		d.group = group
	}
	d.kind = kinds[groupKind{d.group, d.kindName}]
	if depth > maxNesting {
		j.refuse(&d, "CNPG-4.1", "", "", "is wrapped more often than anybody can judge", "write it into one Object, or bare")
		d.kind, d.spec = unknown, nil
		j.documents = append(j.documents, d)
		return
	}
	if d.kind == unknown && strings.HasSuffix(d.kindName, "List") {
		for _, item := range items(body, "items") {
			n, _ := item.(node)
			if kind := strings.TrimSuffix(d.kindName, "List"); kind != "" && len(n) > 0 && !has(n, "kind") && !has(n, "apiVersion") {
				n = maps.Clone(n) // Of its list's kind, as kubectl takes it. The set is only read.
				n["kind"], n["apiVersion"] = kind, d.apiVersion
			}
			j.take(n, wrapped, observed, depth+1)
		}
		return
	}
	if d.kind == externalSecret && d.kindName == manyNamespaces {
		d.spec = sub(d.spec, "externalSecretSpec")
	}
	d.observed = d.observed || d.isManaged() && onlyObserves(d.spec)
	j.documents = append(j.documents, d)
	if d.kind == wrapper {
		j.take(sub(sub(d.spec, "forProvider"), "manifest"), true, d.observed, depth+1)
	}
}

// isManaged says whether a document is a provider's managed resource. Others have no managementPolicies: a field of that
// name in a Cluster is unknown to CloudNativePG, and changes nothing.
func (d *document) isManaged() bool {
	return d.kind == wrapper || d.kind >= encryptionKey || d.kind == unknown && has(d.spec, "forProvider")
}

// onlyObserves says whether a provider only reads what a resource is about.
func onlyObserves(spec node) bool {
	policies := items(spec, "managementPolicies")
	for _, policy := range policies {
		if policy != "Observe" && policy != "LateInitialize" {
			return false
		}
	}
	return len(policies) > 0
}

// cluster is a Cluster with what belongs to it.
type cluster struct {
	*document
	// archivers are the places that archive its WAL, by path; method is that of the first.
	archivers []string
	method    string
	// archive is where it archives to, where the set tells.
	archive archive
	// storeName is the ObjectStore it names; serverName the folder it archives into.
	storeName, serverName string
	// folder is the whole of it: bucket, path and serverName put together as barman does, so that one folder is one,
	// however it is divided between the fields; "" where the set does not tell.
	folder    string
	schedules []*document
}

// archive is one barmanObjectStore structure and the document it stands in.
type archive struct {
	*document
	// at is the path of configuration.
	at            string
	configuration node
	// retention is the retentionPolicy that governs it.
	retention string
	bucket    string
}

// bucketState is everything the set says about one bucket.
type bucketState struct {
	name   string
	bucket *document
	locks  []*document
	// has are the kinds that the set writes, and not only looks at.
	has     map[kind]bool
	sources []*document
	// archived are the Clusters that archive into it.
	archived []*cluster
	// observed is true where any of it is only looked at: the world, not the set, then tells what is in force.
	observed bool
}

// PluginName is the name CloudNativePG knows the barman-cloud plugin by.
const pluginName = "barman-cloud.cloudnative-pg.io"

// The backup methods.
const (
	methodPlugin = "plugin"
	methodInTree = "inTree"
)

// relate finds out what belongs to what.
func (j *judge) relate() {
	for i := range j.documents {
		if d := &j.documents[i]; d.kind == clusterKind {
			j.clusters = append(j.clusters, cluster{document: d})
		}
	}
	for i := range j.clusters {
		j.relateCluster(&j.clusters[i])
	}
	for i := range j.documents {
		switch d := &j.documents[i]; d.kind {
		case scheduledBackup:
			if c := j.cluster(d.namespace, text(sub(d.spec, "cluster"), "name")); c != nil {
				c.schedules = append(c.schedules, d)
			}
		case bucket, bucketVersioning, bucketLock, bucketEncryption, bucketPublicAccess, bucketOwnership, bucketACL, bucketPolicy, bucketLifecycle:
			b := j.bucketNamed(j.bucketOf(d))
			b.observed = b.observed || d.observed
			b.has[d.kind] = b.has[d.kind] || !d.observed
			b.sources = append(b.sources, d)
			switch d.kind {
			case bucket:
				if b.bucket == nil || !d.observed {
					b.bucket = d
				}
			case bucketLock:
				b.locks = append(b.locks, d)
			}
		}
	}
	for i := range j.clusters {
		if c := &j.clusters[i]; c.archive.bucket != "" && !c.observed {
			j.archives++
			b := j.bucketNamed(c.archive.bucket)
			b.archived = append(b.archived, c)
		}
	}
}

func (j *judge) relateCluster(c *cluster) {
	for i, item := range items(c.spec, "plugins") {
		plugin, _ := item.(node)
		if on, said := boolean(plugin, "enabled"); said && !on {
			continue
		}
		archiver, _ := boolean(plugin, "isWALArchiver")
		// Every enabled entry of the barman plugin is handed each WAL file, whatever isWALArchiver says
		// (cloudnative-pg#11351).
		if !archiver && text(plugin, "name") != pluginName {
			continue
		}
		c.archivers = append(c.archivers, index("spec.plugins", i))
		if c.method == "" {
			c.method = methodPlugin
			parameters := sub(plugin, "parameters")
			c.storeName, c.serverName = text(parameters, "barmanObjectName"), text(parameters, "serverName")
		}
	}
	backup := sub(c.spec, "backup")
	if inTree := sub(backup, "barmanObjectStore"); inTree != nil {
		c.archivers = append(c.archivers, "spec.backup.barmanObjectStore")
		if c.method == "" {
			c.method, c.serverName = methodInTree, text(inTree, "serverName")
			c.archive = archive{
				document: c.document, at: "spec.backup.barmanObjectStore", configuration: inTree,
				retention: text(backup, "retentionPolicy"),
			}
		}
	}
	if c.method == methodPlugin {
		if store := j.find(objectStore, c.namespace, c.storeName); store != nil {
			c.archive = archive{
				document: store, at: "spec.configuration", configuration: sub(store.spec, "configuration"),
				retention: text(store.spec, "retentionPolicy"),
			}
		}
	}
	destination := text(c.archive.configuration, "destinationPath")
	c.archive.bucket = bucketOf(destination)
	c.folder = folderOf(destination, c.serverName)
}

// folderOf puts a folder together as barman does; "" where the destination is no S3 URL.
func folderOf(destination, serverName string) string {
	rest, ok := strings.CutPrefix(destination, "s3://")
	if !ok {
		return ""
	}
	bucket, path, _ := strings.Cut(rest, "/")
	return bucket + "/" + strings.Trim(strings.Trim(path, "/")+"/"+serverName, "/")
}

// find returns the document of a kind, namespace and name.
func (j *judge) find(k kind, namespace, name string) *document {
	if name == "" {
		return nil
	}
	for i := range j.documents {
		if d := &j.documents[i]; d.kind == k && d.name == name && d.namespace == namespace {
			return d
		}
	}
	return nil
}

func (j *judge) cluster(namespace, name string) *cluster {
	for i := range j.clusters {
		if c := &j.clusters[i]; c.name == name && c.namespace == namespace {
			return c
		}
	}
	return nil
}

const externalName = "crossplane.io/external-name"

// bucketOf is the name in S3 of the bucket that a managed resource is about; "" where the set does not tell.
func (j *judge) bucketOf(d *document) string {
	external := text(sub(sub(d.body, "metadata"), "annotations"), externalName)
	if d.kind == bucket {
		if external != "" {
			return external
		}
		return d.name
	}
	forProvider := sub(d.spec, "forProvider")
	if name := text(forProvider, "bucket"); name != "" {
		return name
	}
	if ref := text(sub(forProvider, "bucketRef"), "name"); ref != "" {
		namespace := d.namespace
		if other := text(sub(forProvider, "bucketRef"), "namespace"); other != "" {
			namespace = other
		}
		if b := j.find(bucket, namespace, ref); b != nil {
			return j.bucketOf(b)
		}
		return ref
	}
	if external != "" {
		return external
	}
	// A selector: the one bucket of the set that has its labels.
	only := ""
	labels := sub(sub(forProvider, "bucketSelector"), "matchLabels")
	for i := range j.documents {
		if b := &j.documents[i]; b.kind == bucket && carries(b, labels) {
			if only != "" {
				return ""
			}
			only = j.bucketOf(b)
		}
	}
	return only
}

// carries says whether a document has all of some labels.
func carries(d *document, labels node) bool {
	own := sub(sub(d.body, "metadata"), "labels")
	for name, value := range labels {
		if own[name] != value {
			return false
		}
	}
	return true
}

func (j *judge) bucketNamed(name string) *bucketState {
	for i := range j.buckets {
		if j.buckets[i].name == name {
			return &j.buckets[i]
		}
	}
	j.buckets = append(j.buckets, bucketState{name: name, has: map[kind]bool{}})
	return &j.buckets[len(j.buckets)-1]
}

// bucketOf is the bucket of a destination such as "s3://bucket/path/", or "" where it is no S3 URL.
func bucketOf(destination string) string {
	rest, ok := strings.CutPrefix(destination, "s3://")
	if !ok {
		return ""
	}
	bucket, _, _ := strings.Cut(rest, "/")
	return bucket
}
