package contract_test

import (
	"slices"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
)

// TestWhatIsNobodysBusinessIsPassedOver: a directory holds more than databases, and a judge that speaks of everything is
// soon asked nothing.
func TestWhatIsNobodysBusinessIsPassedOver(t *testing.T) {
	const others = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {spec: {containers: [{name: web, env: [{name: AWS_REQUEST_CHECKSUM_CALCULATION, value: when_required}]}]}}}
---
apiVersion: s3.aws.upbound.io/v1beta2
kind: Bucket
metadata: {name: acme-website}
spec: {forProvider: {region: eu-central-1, forceDestroy: true}}
---
apiVersion: s3.aws.upbound.io/v1beta1
kind: BucketLifecycleConfiguration
metadata: {name: acme-website}
spec: {deletionPolicy: Delete, forProvider: {region: eu-central-1, bucket: acme-website, rule: [{status: Enabled, expiration: [{days: 3}]}]}}
---
apiVersion: rds.aws.upbound.io/v1beta1
kind: Instance
metadata: {name: elsewhere}
spec: {forProvider: {region: eu-central-1}}
---
apiVersion: kubernetes.crossplane.io/v1alpha2
kind: Object
metadata: {name: a-deployment}
spec: {forProvider: {manifest: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}}}
---
apiVersion: external-secrets.io/v1beta1
kind: ExternalSecret
metadata: {name: web, namespace: shop}
spec: {target: {creationPolicy: Owner}, data: [{secretKey: token, remoteRef: {key: web}}]}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: scratch}
reclaimPolicy: Delete
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: web, namespace: shop}
spec: {selector: {matchLabels: {app: web}}, podMetricsEndpoints: [{port: http}]}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: orders-metrics, namespace: elsewhere}
spec: {selector: {matchLabels: {cnpg.io/cluster: orders}}, podMetricsEndpoints: [{port: metrics}]}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: billing, namespace: shop}
spec: {selector: {matchExpressions: [{key: cnpg.io/cluster, operator: In, values: [billing]}]}, podMetricsEndpoints: [{port: metrics}]}
---
apiVersion: v1
kind: Secret
metadata: {name: authority, namespace: shop}
data: {ca.crt: cHVibGlj}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: shop}
data: {LOG_LEVEL: debug}
`
	for _, name := range []string{"plugin.yaml", "intree.yaml", "recovery.yaml"} {
		set, o := good(t, name)
		if found := contract.JudgeManifests(append(set, read(t, "others.yaml", others)...), o); len(found) > 0 {
			t.Errorf("%s: the contract minds what is none of its business:\n%s", name, found)
		}
	}
}

// TestKeysAreRecognisedByWhoReadsThem: an ExternalSecret counts as the keeper of a bucket's keys because an archive
// reads its Secret, whatever its keys are called.
func TestKeysAreRecognisedByWhoReadsThem(t *testing.T) {
	set := read(t, "set.yaml", `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: keys, namespace: shop}
spec: {target: {creationPolicy: Owner}, dataFrom: [{extract: {key: postgres}}]}
---
apiVersion: barmancloud.cnpg.io/v1
kind: ObjectStore
metadata: {name: store, namespace: shop}
spec:
  retentionPolicy: 30d
  configuration:
    destinationPath: s3://acme-orders/
    s3Credentials: {accessKeyId: {name: keys, key: id}, secretAccessKey: {name: keys, key: secret}}
    wal: {compression: gzip}
    data: {compression: gzip}
`)
	found := contract.JudgeManifests(set, contract.Options{})
	if len(found) != 1 || found[0].Rule != "CNPG-3.3" || found[0].Path != "spec.target.creationPolicy" {
		t.Errorf("want the owned Secret refused, got: %s", found)
	}
	if found := contract.JudgeManifests(set[:1], contract.Options{}); len(found) > 0 {
		t.Errorf("nobody reads it, got: %s", found)
	}
}

// TestAClusterAsKubectlShowsItIsNotBlamedForTheOperatorsDefaults: the admission webhook writes settings of the operator's
// own into every Cluster.
func TestAClusterAsKubectlShowsItIsNotBlamedForTheOperatorsDefaults(t *testing.T) {
	set, o := good(t, "plugin.yaml")
	for name, value := range map[string]string{
		"archive_mode": "on", "archive_timeout": "5min", "dynamic_shared_memory_type": "posix", "full_page_writes": "on", "log_destination": "csvlog",
		"log_directory": "/controller/log", "log_filename": "postgres", "log_rotation_age": "0", "log_rotation_size": "0", "log_truncate_on_rotation": "false",
		"logging_collector": "on", "max_parallel_workers": "32", "max_replication_slots": "32", "max_worker_processes": "32", "shared_memory_type": "mmap",
		"shared_preload_libraries": "", "ssl_max_protocol_version": "TLSv1.3", "ssl_min_protocol_version": "TLSv1.3", "wal_keep_size": "512MB",
		"wal_level": "logical", "wal_log_hints": "on", "wal_receiver_timeout": "5s", "wal_sender_timeout": "5s",
	} {
		set, _ = weaken(set, "Cluster", "spec.postgresql.parameters."+name, value)
	}
	if found := contract.JudgeManifests(set, o); len(found) > 0 {
		t.Errorf("what the operator writes itself is refused:\n%s", found)
	}
	weak, _ := weaken(set, "Cluster", "spec.postgresql.parameters.archive_mode", "off")
	if found := contract.JudgeManifests(weak, o); len(found) != 1 || found[0].Rule != "ZDL-09" {
		t.Errorf("another value is somebody's wish, got: %s", found)
	}
}

// TestAListHidesNothing: kubectl prints lists, and Objects may wrap them.
func TestAListHidesNothing(t *testing.T) {
	bad := map[string]any{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": map[string]any{"name": "postgres-retain"}, "reclaimPolicy": "Delete"}
	list := manifest.Object{"apiVersion": "v1", "kind": "List", "items": []any{map[string]any{"apiVersion": "v1", "kind": "List", "items": []any{bad, nil, "text"}}}}
	found := contract.JudgeManifests([]manifest.Object{list, nil}, contract.Options{})
	if !slices.ContainsFunc(found, func(f contract.Finding) bool { return f.Rule == "CNPG-4.2" && f.Path == "reclaimPolicy" }) {
		t.Errorf("a class inside two lists is not judged: %s", found)
	}
}

// TestOptionsForIsNeverWeakerThanTheContract: a policy's figures only add.
func TestOptionsForIsNeverWeakerThanTheContract(t *testing.T) {
	p, found := policy.Decode(read(t, "policy.yaml", minimalPolicy)[0])
	if len(found) > 0 {
		t.Fatal(found)
	}
	o := contract.OptionsFor(p)
	if !o.Complete || !o.Composed || o.StorageClassName != "postgres-retain" || o.RetentionDays != 30 || o.LockDays != 37 || o.MaxRunsPerDay != 24 || o.Method != "plugin" {
		t.Errorf("the default policy's options: %+v", o)
	}
	set, _ := good(t, "composed-namespaced.yaml")
	if found := contract.JudgeManifests(set, o); len(found) > 0 {
		t.Errorf("a set that keeps the contract is refused under the default policy:\n%s", found)
	}
}
