package hardened_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// TestWhateverIsAcceptedKeepsTheContract is the promise behind the promise: whatever claim and policy are accepted, and
// whatever source there is to recover from, the set that is emitted keeps every rule that manifests can keep. The
// generator mixes sound, borderline and hostile values, so that both sides of every refusal are met.
func TestWhateverIsAcceptedKeepsTheContract(t *testing.T) {
	runs := 600
	if testing.Short() {
		runs = 200
	}
	accepted := map[string]int{}
	for seed := range runs {
		g := generator{rand.New(rand.NewPCG(uint64(seed), 1))}
		in := reconcile.Input{Composite: g.claim(), Policy: g.policy(), World: g.world(), Complete: true}
		if seed%10 == 0 { // Few come here by chance: a claim that follows a source of another major.
			in.Composite = g.upgrade()
		}
		out := reconcile.Run(in)
		for _, f := range out.Refused {
			if strings.Contains(f.Message, "mistake of this function") {
				t.Fatalf("seed %d: the last gate had to step in: %s: %s\nclaim %v\npolicy %v", seed, f.Object, f, in.Composite, in.Policy)
			}
		}
		if len(out.Refused) > 0 {
			accepted["refused"]++
			continue
		}
		set := objects(out)
		p, _ := policy.Decode(in.Policy)
		if found := contract.JudgeManifests(set, contract.OptionsFor(p)).Violations(); len(found) > 0 {
			t.Fatalf("seed %d: accepted, and the set breaks the contract:\n%s\nclaim %v\npolicy %v", seed, found, in.Composite, in.Policy)
		}
		if again := reconcile.Run(in); !reflect.DeepEqual(out.Composed, again.Composed) {
			t.Fatalf("seed %d: the same input gives two answers (ZDL-13)", seed)
		}
		accepted[first(t, seed, in, set)]++
		if staysItself(t, seed, in, set) {
			accepted["replication"]++
		}
	}
	t.Logf("outcomes: %v", accepted)
	// A generator that is always refused proves nothing.
	for _, way := range []string{"initdb", "import", "recovery", "replication", "refused"} {
		if accepted[way] < max(1, runs/300) {
			t.Errorf("only %d of %d cases end in %q: %v", accepted[way], runs, way, accepted)
		}
	}
}

// staysItself lets the database come into being and asks again: the set of a living database keeps the contract too, and
// nothing of the Cluster changes by itself (ZDL-08, ZDL-13). It tells whether rows flow into it from a source.
func staysItself(t *testing.T, seed int, in reconcile.Input, set []manifest.Object) (replicates bool) {
	t.Helper()
	born := clusterIn(set)
	if born == nil {
		return false
	}
	live := maps.Clone(born)
	live["status"] = map[string]any{
		"readyInstances": int64(3), "phase": "Cluster in healthy state",
		"conditions": []any{map[string]any{"type": "Ready", "status": "True"}, map[string]any{"type": "ContinuousArchiving", "status": "True"}},
	}
	in.World.Required = maps.Clone(in.World.Required)
	in.World.Required["cluster"] = []manifest.Tree{live}
	for _, o := range set {
		if m := o.Unwrap(); m.Kind() == "ObjectStore" && strings.HasSuffix(m.Name(), claim.SuffixSource) {
			in.World.Required["bootstrap-own-source"] = []manifest.Tree{m}
		}
	}
	out := reconcile.Run(in)
	if len(out.Refused) > 0 {
		t.Fatalf("seed %d: the database is refused as soon as it lives:\n%s\nclaim %v\npolicy %v", seed, out.Refused, in.Composite, in.Policy)
	}
	p, _ := policy.Decode(in.Policy)
	grown := objects(out)
	if found := contract.JudgeManifests(grown, contract.OptionsFor(p)).Violations(); len(found) > 0 {
		t.Fatalf("seed %d: the set of the living database breaks the contract:\n%s\nclaim %v\npolicy %v", seed, found, in.Composite, in.Policy)
	}
	if diff := cmp.Diff(map[string]any(born), map[string]any(clusterIn(grown))); diff != "" {
		t.Fatalf("seed %d: the Cluster changes by itself:\n%s\nclaim %v", seed, diff, in.Composite)
	}
	return slices.ContainsFunc(grown, func(o manifest.Object) bool { return o.Unwrap().Kind() == "Subscription" })
}

func clusterIn(set []manifest.Object) manifest.Object {
	for _, o := range set {
		if m := o.Unwrap(); m.Kind() == "Cluster" {
			return m
		}
	}
	return nil
}

// first names where the database's first data comes from, and fails where that is not what was asked for: a recovery
// must never become an empty database.
func first(t *testing.T, seed int, in reconcile.Input, set []manifest.Object) string {
	t.Helper()
	asked := manifest.Map(in.Composite, "spec", "bootstrap")
	for _, o := range set {
		m := o.Unwrap()
		if m.Kind() != "Cluster" {
			continue
		}
		made := manifest.Map(m, "spec", "bootstrap")
		_, recovery := made["recovery"]
		_, imported := manifest.Map(m, "spec", "bootstrap", "initdb")["import"]
		if len(asked) > 0 && !recovery && !imported {
			t.Fatalf("seed %d: a claim with a bootstrap became an empty database: %v", seed, in.Composite)
		}
		switch {
		case recovery:
			return "recovery"
		case imported:
			return "import"
		}
		return "initdb"
	}
	return "no cluster"
}

func objects(out reconcile.Outcome) []manifest.Object {
	set := make([]manifest.Object, 0, len(out.Composed))
	for _, c := range out.Composed {
		if c.Object != nil {
			set = append(set, c.Object)
		}
	}
	return set
}

type generator struct{ *rand.Rand }

// chance is true with the given probability in percent.
func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

// sound picks from the first list, and every now and then from the second.
func sound[T any](g generator, good, bad []T) T {
	if len(bad) > 0 && g.chance(3) {
		return bad[g.IntN(len(bad))]
	}
	return good[g.IntN(len(good))]
}

func (g generator) claim() manifest.Object {
	name := sound(g, []string{"orders", "a", "agent-db-v16", strings.Repeat("n", 50), "payments-2"}, []string{"Orders", "1st", "a.b", strings.Repeat("n", 51), ""})
	namespace := sound(g, []string{"shop", "agents", strings.Repeat("s", 63)}, []string{""})
	spec := map[string]any{}
	maybe := func(percent int, key string, value any) {
		if g.chance(percent) {
			spec[key] = value
		}
	}
	maybe(50, "size", sound(g, []string{"micro", "small", "medium", "large"}, []string{"huge"}))
	maybe(60, "version", sound(g, []string{"14", "15", "16", "16", "17", "18"}, []string{"13", "19"}))
	maybe(40, "storageGB", sound(g, []int64{10, 20, 1000}, []int64{0, 1001, -1}))
	maybe(30, "walStorageGB", sound(g, []int64{5, 10}, []int64{4}))
	maybe(30, "instances", sound(g, []int64{3, 5, 9}, []int64{1, 2, 10}))
	maybe(20, "database", sound(g, []string{"app", "my_db"}, []string{"postgres", "x;drop"}))
	maybe(20, "owner", sound(g, []string{"app", "service"}, []string{"postgres", "pg_read_all_data"}))
	maybe(15, "image", sound(g, []string{"postgis"}, []string{"ghcr.io/evil:16"}))
	maybe(40, "parameters", g.parameters())
	maybe(30, "backup", g.backup())
	maybe(20, "resources", map[string]any{"limits": map[string]any{"memory": sound(g, []string{"8Gi", "32Gi"}, []string{"1Mi", "1"})}})
	maybe(55, "bootstrap", g.bootstrap())
	_, starts := spec["bootstrap"]
	maybe(map[bool]int{true: 45, false: 1}[starts], "upgrade", map[string]any{"method": sound(g, []string{"import", "logicalReplication"}, []string{"magic"})})
	maybe(15, "connection", map[string]any{
		"secretName": sound(g, []string{"my-conn-secret", "db"}, []string{"other-app", "other-superuser"}),
		"alias":      sound(g, []string{"stable", "db"}, []string{"other-rw"}),
	})
	o := manifest.Object{
		"apiVersion": "database.bizmatters.io/v1alpha1", "kind": "PostgresInstance",
		"metadata": map[string]any{
			"name": name, "namespace": namespace,
			"annotations": map[string]any{claim.AnnotationReplicaIdentities: "agent-db-v15"},
		}, "spec": spec,
	}
	return claim.AsComposite(o, sound(g, []claim.Scope{claim.Namespaced, claim.ClusterScoped}, nil))
}

func (g generator) upgrade() manifest.Object {
	return manifest.Object{
		"apiVersion": "database.bizmatters.io/v1alpha1", "kind": "PostgresInstance",
		"metadata": map[string]any{"name": "agent-db-v18", "namespace": "shop", "annotations": map[string]any{claim.AnnotationReplicaIdentities: "agent-db-v15"}},
		"spec": map[string]any{
			"version":   "18",
			"bootstrap": map[string]any{"recovery": map[string]any{"source": "agent-db-v15"}},
			"upgrade":   map[string]any{"method": "logicalReplication"},
		},
	}
}

func (g generator) parameters() map[string]any {
	out := map[string]any{}
	for range g.IntN(4) {
		kv := sound(g, [][2]string{
			{"max_connections", "200"}, {"work_mem", "8MB"}, {"Shared_Buffers", "256MB"}, {"archive_timeout", "60s"}, {"archive_timeout", "5min"},
			{"synchronous_commit", "remote_apply"}, {"synchronous_commit", "remote_write"}, {"pg_stat_statements.max", "1000"}, {"max_wal_size", "1GB"}, {"wal_level", "logical"},
		}, [][2]string{
			{"fsync", "of"}, {"FSYNC", "0"}, {"archive_library", "x"}, {"archive_timeout", "1h"}, {"archive_timeout", "0.4"}, {"include_dir", "/tmp"},
			{"synchronous_commit", "local"}, {"Synchronous_Standby_Names", ""}, {"work_mem", "1MB\nfsync=off"}, {"wal_sender_timeout", "0"},
		})
		out[kv[0]] = kv[1]
	}
	return out
}

func (g generator) backup() map[string]any {
	out := map[string]any{}
	if g.chance(60) {
		out["schedule"] = g.schedule()
	}
	if g.chance(50) {
		out["retentionDays"] = sound(g, []int64{30, 35, 45, 60}, []int64{29, 3650})
	}
	if g.chance(50) {
		out["lockDays"] = sound(g, []int64{37, 40, 52, 67, 90}, []int64{31, 33, 36500})
	}
	return out
}

func (g generator) schedule() string {
	return sound(g, []string{"0 */6 * * *", "0 0 */6 * * *", "0 */4 * * *", "30 15 */3 * * *", "@every 4h", "0 * * * *", "0 1,7,13,19 * * *"},
		[]string{"0 0 * * *", "*/10 * * * *", "0 0 30 2 *", "* * * * * *", "@daily", "0 */6 31 * *", "TZ=UTC 0 * * * *", "nonsense"})
}

func (g generator) bootstrap() map[string]any {
	if g.chance(25) {
		return map[string]any{"import": map[string]any{"source": sound(g, []string{"agent-db-v15", "old"}, []string{"Bad"})}}
	}
	recovery := map[string]any{"source": sound(g, []string{"agent-db-v15", "agent-db-v15", "old"}, []string{"", "-"})}
	switch g.IntN(8) {
	case 0:
		recovery["targetTime"] = sound(g, []string{"2026-11-20T10:00:00Z", "2026-11-20T10:00:00+01:00"}, []string{"2026-11-20T10:00:00", "yesterday"})
	case 1:
		recovery["targetLSN"] = "0/3000028"
	case 2:
		recovery["targetXID"] = "1234"
	case 3:
		recovery["targetImmediate"], recovery["backupID"] = true, "20261123T222356"
	}
	if g.chance(25) {
		recovery["archive"] = map[string]any{"bucket": "acme-old-archive", "serverName": "old-pg16", "version": sound(g, []string{"16"}, []string{"15"})}
	}
	return map[string]any{"recovery": recovery}
}

func (g generator) policy() manifest.Object {
	bucket := map[string]any{"prefix": "acme-prod", "region": "eu-central-1"}
	if g.chance(30) {
		bucket = map[string]any{"mode": "existing", "name": "acme-backups", "region": "fsn1", "endpointURL": sound(g, []string{"https://fsn1.your-objectstorage.com"}, []string{"http://minio:9000"})}
	}
	maybe := func(m map[string]any, percent int, key string, value any) {
		if g.chance(percent) {
			m[key] = value
		}
	}
	maybe(bucket, 20, "lockDays", sound(g, []int64{37, 40, 52, 90}, []int64{31}))
	maybe(bucket, 10, "administrators", []any{sound(g, []string{"arn:aws:iam::111122223333:role/provider-aws"}, []string{"*", "arn:*"})})
	maybe(bucket, 10, "kmsKeyID", "arn:aws:kms:eu-central-1:111122223333:key/1")
	maybe(bucket, 20, "undoDays", sound(g, []int64{1, 14}, []int64{0}))
	backup := map[string]any{}
	maybe(backup, 30, "method", sound(g, []string{"plugin", "inTree"}, []string{"magic"}))
	maybe(backup, 20, "schedule", g.schedule())
	maybe(backup, 20, "retentionDays", sound(g, []int64{30, 45}, []int64{14}))
	maybe(backup, 20, "compression", sound(g, []string{"gzip", "zstd", "snappy", "bzip2", "xz", "lz4"}, []string{"none"}))
	maybe(backup, 10, "sidecarEnv", map[string]any{sound(g, []string{"HTTPS_PROXY"}, []string{"AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_ENDPOINT_URL"}): sound(g, []string{"when_supported"}, []string{"when_required"})})
	o := manifest.Object{
		"apiVersion": "hardened-postgres.fn.bizmatters.io/v1beta1", "kind": "Policy",
		"bucket": bucket, "credentials": map[string]any{"secretStoreRef": map[string]any{"name": "aws"}},
	}
	maybe(o, 60, "backup", backup)
	maybe(o, 20, "storageClassName", "fast-retain")
	maybe(o, 20, "monitoring", map[string]any{
		"podMonitor": sound(g, []string{"own", "operator"}, nil),
		"labels":     map[string]any{sound(g, []string{"release"}, []string{"cnpg.io/reload", "database.bizmatters.io/claim"}): "prometheus"},
	})
	maybe(o, 20, "cluster", map[string]any{"parameters": g.parameters()})
	maybe(o, 20, "images", map[string]any{"16": map[string]any{
		"default":  sound(g, []string{"registry.acme.example:5000/postgresql:16.15-standard"}, []string{"postgresql:latest", "postgresql:17"}),
		"variants": map[string]any{"postgis": "registry.acme.example/postgis:16-3.5"},
	}})
	return o
}

// world answers what a fresh claim asks: it has no Cluster yet, and there is a live source of some major.
func (g generator) world() world.View {
	major := sound(g, []int64{14, 15, 16, 16, 16, 17, 18}, nil)
	image := fmt.Sprintf("ghcr.io/cloudnative-pg/postgresql:%d.1-standard-trixie", major)
	source := manifest.Object{
		"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
		"metadata": map[string]any{"name": "agent-db-v15", "namespace": "shop", "labels": map[string]any{hardened.LabelClaim: "agent-db-v15", hardened.LabelClaimNamespace: "shop"}},
		"spec": map[string]any{
			"instances": int64(3), "imageName": image,
			"bootstrap": map[string]any{"initdb": map[string]any{"database": "agent", "owner": "agent"}},
			"plugins": []any{map[string]any{"name": hardened.PluginName, "enabled": true, "isWALArchiver": true, "parameters": map[string]any{
				"barmanObjectName": "agent-db-v15-archive", "serverName": fmt.Sprintf("agent-db-v15-pg%d", major),
			}}},
		},
		"status": map[string]any{
			"readyInstances": int64(3), "pgDataImageInfo": map[string]any{"majorVersion": major},
			"conditions": []any{map[string]any{"type": "Ready", "status": "True"}, map[string]any{"type": "ContinuousArchiving", "status": "True"}},
		},
	}
	archive := manifest.Object{
		"apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore", "metadata": map[string]any{"name": "agent-db-v15-archive", "namespace": "shop"},
		"spec": map[string]any{"configuration": map[string]any{"destinationPath": "s3://acme-agent-db-v15/shop/agent-db-v15/"}},
		"status": map[string]any{"serverRecoveryWindow": map[string]any{fmt.Sprintf("agent-db-v15-pg%d", major): map[string]any{
			"firstRecoverabilityPoint": "2026-10-25T00:00:10Z", "lastSuccessfulBackupTime": time.Date(2026, 11, 24, 0, 0, 10, 0, time.UTC).Format(time.RFC3339),
		}}},
	}
	class := manifest.Object{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "pd.csi.storage.gke.io",
		"reclaimPolicy": "Retain", "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true,
	}
	return world.View{Required: map[string][]manifest.Tree{
		"cluster": nil, "archive": nil, "schedule": nil, "bootstrap-own-source": nil,
		"storage-class":            {class},
		"bootstrap-source-cluster": {source},
		"bootstrap-source-archive": {archive},
	}}
}
