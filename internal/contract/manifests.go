package contract

import (
	"strings"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Options is what a set of manifests cannot tell about itself. The zero value is the contract's own floor, against
// which anybody's manifests can be held.
type Options struct {
	// StorageClassName every volume must have; empty means postgres-retain (CNPG-4.2).
	StorageClassName string
	// Method is the only backup method allowed, "plugin" or "inTree"; empty allows both (CNPG-2.1).
	Method string
	// Compression is a codec allowed beside gzip (CNPG-2.3).
	Compression string
	// MaxRunsPerDay bounds how often a schedule may fire; 0 means 24 (CNPG-3.1).
	MaxRunsPerDay int64
	// RetentionDays and LockDays are the least the platform asks for; below the contract's own they have no effect.
	RetentionDays, LockDays int64
	// MaxLockDays bounds the lock; 0 means no bound (ZDL-01).
	MaxLockDays int64
	// Administrators are the only principals who may lower a bucket's protection; without any nobody is told apart
	// (CNPG-4.3).
	Administrators []string
	// Complete says that the set holds everything there is: what a Cluster needs and the set lacks is then missing, not
	// merely elsewhere. True for what this product emits; for somebody's files only where that person says so, because
	// an ExternalSecret or a PodMonitor is as likely to lie in another directory. A set that is emitted stage by stage
	// is complete at its last stage only: judge the whole of it, before anything is held back.
	Complete bool
	// Composed says that the set is what a composite resource owns: a plain object in it is garbage-collected with the
	// composite resource (CNPG-4.1), and metadata that nobody vouches for is refused (ZDL-10).
	Composed bool
}

// OptionsFor is how this product's own set is judged under a policy: as complete, as composed, and by the policy's
// figures where they are stronger than the contract's.
func OptionsFor(p *v1beta1.Policy) Options {
	return Options{
		StorageClassName: p.StorageClassName,
		Method:           p.Backup.Method,
		Compression:      p.Backup.Compression,
		MaxRunsPerDay:    p.Backup.MaxRunsPerDay,
		RetentionDays:    p.Backup.RetentionDays,
		LockDays:         p.Bucket.LockDays,
		MaxLockDays:      p.Bucket.MaxLockDays,
		Administrators:   p.Bucket.Administrators,
		Complete:         true,
		Composed:         true,
	}
}

func (o Options) withFloor() Options {
	if o.StorageClassName == "" {
		o.StorageClassName = "postgres-retain"
	}
	if o.MaxRunsPerDay == 0 {
		o.MaxRunsPerDay = 24
	}
	o.RetentionDays = max(o.RetentionDays, MinRetentionDays)
	return o
}

// JudgeManifests holds a set of manifests against the contract: what this product emits and what somebody wrote by
// hand alike, bare or wrapped in provider-kubernetes Objects of either scope. Documents the contract knows nothing
// about are passed over.
//
// A finding's Object is "Kind namespace/name" and its Path a field inside that object; what is wrong with a wrapper is
// reported on the wrapper. The set is only read.
func JudgeManifests(set []manifest.Object, o Options) Findings { return judged(set, o).found.Sort() }

func judged(set []manifest.Object, o Options) *judge {
	j := &judge{options: o.withFloor()}
	j.gather(set)
	j.relate()
	for i := range j.documents {
		d := &j.documents[i]
		j.managed(i)
		j.owned(d)
		j.deployed(d)
		j.exposed(d)
		if d.observed {
			continue // It asks what there is; the world answers, not this set.
		}
		for _, rule := range documentRules[d.kind] {
			rule(j, d)
		}
	}
	for i := range j.clusters {
		c := &j.clusters[i]
		if c.observed {
			continue
		}
		for _, rule := range clusterRules {
			rule(j, c)
		}
	}
	for i := range j.buckets {
		for _, rule := range bucketRules {
			rule(j, &j.buckets[i])
		}
	}
	return j
}

// documentRules judge one document by itself, or with what it refers to.
var documentRules = map[kind][]func(*judge, *document){
	objectStore:        {judgeObjectStore},
	externalSecret:     {judgeExternalSecret},
	secretStore:        {judgeSecretStore},
	secret:             {judgeSecret},
	storageClass:       {judgeStorageClass},
	prometheusRule:     {judgePrometheusRule},
	scheduledBackup:    {judgeScheduledBackup},
	imageCatalog:       {judgeImageCatalog},
	database:           {judgeDatabase},
	pooler:             {judgePooler},
	bucket:             {judgeBucket},
	bucketVersioning:   {judgeVersioning},
	bucketLock:         {judgeLockConfiguration},
	bucketEncryption:   {judgeEncryption},
	bucketPublicAccess: {judgePublicAccess},
	bucketOwnership:    {judgeOwnership},
	bucketACL:          {judgeACL},
	bucketPolicy:       {judgeBucketPolicy},
	bucketLifecycle:    {judgeLifecycle},
	bucketTiering:      {judgeTiering},
	encryptionKey:      {judgeEncryptionKey},
	persistentVolume:   {judgePersistentVolume},
	autoscaler:         {judgeAutoscaler},
}

// clusterRules judge one Cluster together with everything in the set that belongs to it.
var clusterRules = []func(*judge, *cluster){
	judgeInstances, judgeSynchronous, judgeNodes, judgeFailover,
	judgeArchiver, judgeSources, judgeRecovery, judgeBase, judgeKeys,
	judgeVolumes, judgeSettings, judgeLogins, judgeFirstSQL, judgeInitdbOptions, judgeMetadata, judgeClusterImage, judgeChecksums, judgeClusterEnvironment,
	judgeScraping, judgeAlerted,
}

// bucketRules judge everything the set says about one bucket, and the archives in it.
var bucketRules = []func(*judge, *bucketState){judgeBucketComplete, judgeLockTerms}

// judge is one judgement of one set.
type judge struct {
	options   Options
	documents []document
	clusters  []cluster
	buckets   []bucketState
	// archives counts the stores that some Cluster of the set archives to.
	archives int
	found    Findings
	// origins are the places in the set of what was found, one for one; taking is the one that is being read.
	origins []int
	taking  int
}

// refuse records a finding on a document.
func (j *judge) refuse(d *document, rule, path, value, message, fix string) {
	if d.kindName == manyNamespaces {
		path = strings.Replace(path, "spec.", "spec.externalSecretSpec.", 1)
	}
	j.note(d, Finding{Rule: rule, Object: d.String(), Path: path, Value: shorten(value), Message: message, Fix: fix})
}

// note keeps a finding together with the document of the set that it was made on.
func (j *judge) note(d *document, f Finding) {
	j.found, j.origins = append(j.found, f), append(j.origins, d.origin)
}

// add records findings that were made without knowing the document.
func (j *judge) add(d *document, found Findings) {
	for _, f := range found {
		f.Object = d.String()
		j.note(d, f)
	}
}
