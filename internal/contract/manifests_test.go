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

// TestWhatOnlyLooksLikeAWayAroundIsLeftAlone: the neighbours of what is refused, on the sound side of each border.
func TestWhatOnlyLooksLikeAWayAroundIsLeftAlone(t *testing.T) {
	list := func(items ...any) []any { return items }
	cases := map[string]struct {
		kind, path string
		value      any
	}{
		"time enough to stop in order":   {"Cluster", "spec.switchoverDelay", int64(30)},
		"a minute until it is noticed":   {"Cluster", "spec.probes", map[string]any{"readiness": map[string]any{"periodSeconds": int64(20), "failureThreshold": int64(3)}}},
		"a minute until it is stopped":   {"Cluster", "spec.livenessProbeTimeout", int64(60)},
		"a check that is said aloud":     {"Cluster", "spec.probes", map[string]any{"liveness": map[string]any{"timeoutSeconds": int64(5), "isolationCheck": map[string]any{"enabled": true, "requestTimeout": int64(1000), "connectionTimeout": int64(1000)}}}},
		"the primary of several":         {"Cluster", "spec.replica", map[string]any{"primary": "orders", "source": "elsewhere"}},
		"a serverName of another bucket": {"Cluster", "spec.externalClusters", list(map[string]any{"name": "old", "barmanObjectStore": map[string]any{"destinationPath": "s3://acme-old/shop/orders/", "serverName": "orders-pg16", "s3Credentials": map[string]any{"inheritFromIAMRole": true}}})},
		"reloaded and restarted by hand": {"Cluster", "metadata.annotations", map[string]any{"cnpg.io/reloadedAt": "2026-11-27T08:00:00Z", "kubectl.kubernetes.io/restartedAt": "2026-11-27T08:00:00Z"}},
		"figures of a minute ago":        {"Cluster", "spec.monitoring", map[string]any{"metricsQueriesTTL": "1m"}},
		"a password for everybody":       {"Cluster", "spec.postgresql.pg_hba", list("host all all 0.0.0.0/0 scram-sha-256", "hostssl replication all 10.0.0.0 255.0.0.0 cert", "# host all all all trust", "")},
		"no password inside the Pod":     {"Cluster", "spec.postgresql.pg_hba", list("local all all trust", "host all postgres 127.0.0.1/32 trust", "host metrics metrics 10.0.0.0/8 trust", "host all all")},
		"a map of names":                 {"Cluster", "spec.postgresql.pg_ident", list("ldap /^(.*)@acme$ \\1")},
		"an extension's own variable":    {"Cluster", "spec.postgresql.extensions", list(map[string]any{"name": "postgis", "env": list(map[string]any{"name": "PROJ_DATA", "value": "${image_root}/proj"})})},
		"keys that a template places":    {"ExternalSecret", "spec.target.template", map[string]any{"templateFrom": list(map[string]any{"literal": "ACCESS_KEY_ID: \"{{ .ACCESS_KEY_ID }}\"\nSECRET_ACCESS_KEY: '{{ .SECRET_ACCESS_KEY }}'\n"})}},
		"a bucket others may read": {"BucketPolicy", "spec.forProvider.policy", `{"Statement": [
			{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme-orders/*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-acme"}}},
			{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::acme-orders", "arn:aws:s3:::acme-orders/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
			{"Effect": "Deny", "Principal": "*", "Action": ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutObjectRetention"], "Resource": "arn:aws:s3:::acme-orders/*"}]}`},
		"checksums by an option":            {"Cluster", "spec.bootstrap.initdb", map[string]any{"database": "orders", "owner": "orders", "options": list("-gk", "--locale=C")}},
		"foreign keys on":                   {"Cluster", "spec.postgresql.parameters.session_replication_role", "origin"},
		"tags on history files, four jobs":  {"ObjectStore", "spec.configuration.wal.archiveAdditionalCommandArgs", list("--history-tags", "a,b", "--read-timeout=60", "-J", "4", "--max-bandwidth", "1GB", "-z", "-v")},
		"a database of the same server":     {"ObjectStore", "spec.configuration.data.additionalCommandArgs", list("-d", "dbname=orders options='-c statement_timeout=0'", "--dbname=hosts", "-J", "port=2", "--tags")},
		"an archive that goes with its own": {"ObjectStore", "metadata.ownerReferences", list(map[string]any{"kind": "Cluster", "name": "orders"})},
		"keys that many namespaces have":    {"ExternalSecret", "metadata.ownerReferences", list(map[string]any{"kind": "ClusterExternalSecret", "name": "keys"})},
		"what nobody looks at is dropped":   {"PodMonitor", "spec.podMetricsEndpoints", list(map[string]any{"port": "metrics", "interval": "1m", "metricRelabelings": list(map[string]any{"action": "drop", "sourceLabels": list("__name__"), "regex": "cnpg_pg_stat_bgwriter_.*|go_.*"}, map[string]any{"action": "drop", "sourceLabels": list("datname"), "regex": "template.*"}, map[string]any{"sourceLabels": list("__name__"), "regex": ".*"})})},
		"Argo's order of things":            {"ScheduledBackup", "metadata.annotations", map[string]any{"argocd.argoproj.io/sync-wave": "2", "kustomize.toolkit.fluxcd.io/prune": "disabled", "kustomize.toolkit.fluxcd.io/ssa": "Merge"}},
		"what encrypts something else":      {"Cluster", "metadata.name", "orders"},
	}
	const others = `
apiVersion: kms.aws.upbound.io/v1beta1
kind: Key
metadata: {name: mail}
spec: {forProvider: {region: eu-central-1, isEnabled: false}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: orders, namespace: shop}
spec: {scaleTargetRef: {apiVersion: postgresql.cnpg.io/v1, kind: Cluster, name: orders}, minReplicaCount: 3}
---
apiVersion: postgresql.cnpg.io/v1
kind: Pooler
metadata: {name: orders, namespace: shop}
spec: {cluster: {name: orders}, pgbouncer: {parameters: {server_reset_query: DISCARD ALL}}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: scratch}
spec: {storageClassName: scratch, persistentVolumeReclaimPolicy: Delete}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: orders-1}
spec: {storageClassName: postgres-retain, persistentVolumeReclaimPolicy: Retain}
---
apiVersion: s3.aws.m.upbound.io/v1beta1
kind: BucketIntelligentTieringConfiguration
metadata: {name: website, namespace: shop}
spec: {forProvider: {region: eu-central-1, bucket: acme-website, name: all, tiering: [{accessTier: ARCHIVE_ACCESS, days: 90}]}}
---
apiVersion: s3.aws.upbound.io/v1beta1
kind: BucketIntelligentTieringConfiguration
metadata: {name: paused}
spec: {forProvider: {region: eu-central-1, bucket: acme-orders, name: all, status: Disabled, tiering: [{accessTier: ARCHIVE_ACCESS, days: 90}]}}
`
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			set, o := good(t, "plugin.yaml")
			set, changed := weaken(set, c.kind, c.path, c.value)
			if !changed {
				t.Fatalf("%s %s is not in the set", c.kind, c.path)
			}
			if found := contract.JudgeManifests(append(set, read(t, "others.yaml", others)...), o); len(found) > 0 {
				t.Errorf("a sound set is refused:\n%s", found)
			}
		})
	}
}
