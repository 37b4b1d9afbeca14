package contract_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// gone is the value of a field that is taken away.
var gone = struct{}{}

// weakenings are ways to weaken a set that keeps the contract, one field at a time, and the rule each must trip. A path
// leads into the manifest, whether or not it is wrapped; "Kind!" means the document around it. Lists of one element, as
// older versions of provider-aws have them, are stepped through.
var weakenings = []struct {
	kind, path string
	value      any
	rule       string
}{
	{"Cluster", "spec.instances", int64(2), "CNPG-1.1"},
	{"Cluster", "spec.instances", gone, "CNPG-1.1"},
	{"Cluster", "spec.postgresql.synchronous", gone, "CNPG-1.2"},
	{"Cluster", "spec.postgresql.synchronous.number", int64(0), "CNPG-1.2"},
	{"Cluster", "spec.postgresql.synchronous.number", int64(3), "CNPG-1.2"},
	{"Cluster", "spec.postgresql.synchronous.method", "quorum", "CNPG-1.2"},
	{"Cluster", "spec.postgresql.synchronous.dataDurability", "preferred", "CNPG-1.2"},
	{"Cluster", "spec.postgresql.synchronous.failoverQuorum", false, "CNPG-1.2"},
	{"Cluster", "spec.postgresql.synchronous.maxStandbyNamesFromCluster", int64(0), "CNPG-1.2"},
	{"Cluster", "spec.postgresql.parameters.synchronous_commit", "local", "CNPG-1.2"},
	{"Cluster", "spec.minSyncReplicas", int64(1), "CNPG-1.2"},
	{"Cluster", "spec.affinity", gone, "CNPG-1.3"},
	{"Cluster", "spec.affinity.podAntiAffinityType", "preferred", "CNPG-1.3"},
	{"Cluster", "spec.affinity.enablePodAntiAffinity", false, "CNPG-1.3"},
	{"Cluster", "spec.affinity.topologyKey", "rack", "CNPG-1.3"},
	{"Cluster", "spec.primaryUpdateStrategy", "supervised", "CNPG-1.4"},
	{"Cluster", "spec.primaryUpdateMethod", "switchover", "CNPG-1.4"},
	{"Cluster", "spec.failoverDelay", int64(30), "CNPG-1.4"},
	{"Cluster", "spec.enablePDB", false, "CNPG-1.4"},
	{"Cluster", "spec.plugins.isWALArchiver", false, "CNPG-2.1"},
	{"Cluster", "spec.plugins.parameters.serverName", "", "CNPG-2.1"},
	{"Cluster", "spec.backup.barmanObjectStore.serverName", gone, "CNPG-2.1"},
	{"ObjectStore", "spec.configuration.destinationPath", "gs://acme/orders", "CNPG-2.2"},
	{"ObjectStore", "spec.configuration.endpointURL", "http://minio:9000", "CNPG-2.2"},
	{"Cluster", "spec.backup.barmanObjectStore.endpointURL", "http://minio:9000", "CNPG-2.2"},
	{"Cluster", "spec.backup.barmanObjectStore.wal", gone, "CNPG-2.3"},
	{"Cluster", "spec.externalClusters.plugin.parameters.serverName", gone, "CNPG-2.4"},
	{"ScheduledBackup", "spec.schedule", "0 */6 * * *", "CNPG-3.1"},
	{"ScheduledBackup", "spec.schedule", "@daily", "CNPG-3.1"},
	{"ScheduledBackup", "spec.schedule", "whenever", "CNPG-3.1"},
	{"ScheduledBackup", "spec.suspend", true, "CNPG-3.1"},
	{"ScheduledBackup", "spec.method", "volumeSnapshot", "CNPG-3.1"},
	{"ScheduledBackup", "spec.pluginConfiguration", gone, "CNPG-3.1"},
	{"ScheduledBackup", "spec.cluster.name", "another", "CNPG-3.1"},
	{"ScheduledBackup", "spec.backupOwnerReference", "self", "CNPG-3.1"},
	{"ScheduledBackup", "", gone, "CNPG-3.1"},
	{"Cluster", "spec.backup.retentionPolicy", "29d", "CNPG-3.2"},
	{"ExternalSecret", "spec.target.creationPolicy", "Owner", "CNPG-3.3"},
	{"ExternalSecret", "spec.target.creationPolicy", gone, "CNPG-3.3"},
	{"ExternalSecret", "spec.target.name", "elsewhere", "CNPG-3.3"},
	{"ExternalSecret", "spec.data.secretKey", "elsewhere", "CNPG-3.3"},
	{"ExternalSecret", "", gone, "CNPG-3.3"},
	{"Cluster!", "spec.deletionPolicy", "Delete", "CNPG-4.1"},
	{"Cluster!", "spec.managementPolicies", []any{}, "CNPG-4.1"},
	{"ExternalSecret!", "spec.managementPolicies", []any{"Observe", "Create", "Update", "Delete"}, "CNPG-4.1"},
	{"PrometheusRule!", "spec.managementPolicies", []any{"Observe", "Delete"}, "CNPG-4.1"},
	{"Bucket!", "spec.managementPolicies", []any{"Observe", "Create", "Update", "LateInitialize", "Delete"}, "CNPG-4.1"},
	{"Cluster", "spec.storage.storageClass", gone, "CNPG-4.2"},
	{"Cluster", "spec.storage.storageClass", "standard", "CNPG-4.2"},
	{"Cluster", "spec.walStorage", map[string]any{"size": "5Gi"}, "CNPG-4.2"},
	{"StorageClass", "reclaimPolicy", "Delete", "CNPG-4.2"},
	{"StorageClass", "allowVolumeExpansion", false, "CNPG-4.2"},
	{"Bucket", "spec.forProvider.forceDestroy", true, "CNPG-4.3"},
	{"BucketVersioning", "spec.forProvider.versioningConfiguration.status", "Suspended", "CNPG-4.3"},
	{"BucketVersioning", "", gone, "CNPG-4.3"},
	{"BucketObjectLockConfiguration", "spec.forProvider.rule.defaultRetention.mode", "GOVERNANCE", "CNPG-4.3"},
	{"BucketObjectLockConfiguration", "spec.forProvider.rule", gone, "CNPG-4.3"},
	{"BucketObjectLockConfiguration", "", gone, "CNPG-4.3"},
	{"BucketServerSideEncryptionConfiguration", "spec.forProvider.rule", gone, "CNPG-4.3"},
	{"BucketPublicAccessBlock", "spec.forProvider.blockPublicAcls", false, "CNPG-4.3"},
	{"BucketOwnershipControls", "spec.forProvider.rule.objectOwnership", "ObjectWriter", "CNPG-4.3"},
	{"BucketPolicy", "spec.forProvider.policy", `{"Statement": []}`, "CNPG-4.3"},
	{"ObjectStore", "spec.instanceSidecarConfiguration", map[string]any{"env": []any{map[string]any{"name": "AWS_REQUEST_CHECKSUM_CALCULATION", "value": "WHEN_required"}}}, "CNPG-4.3"},
	{"PodMonitor", "spec.selector.matchLabels.[cnpg.io/cluster]", "another", "CNPG-5.1"},
	{"PodMonitor", "", gone, "CNPG-5.1"},
	{"Cluster", "spec.monitoring", map[string]any{"enablePodMonitor": true}, "CNPG-5.1"},
	{"PrometheusRule", "", gone, "CNPG-5.2"},
	{"BucketObjectLockConfiguration", "spec.forProvider.rule.defaultRetention.days", int64(31), "ZDL-01"},
	{"BucketLifecycleConfiguration", "spec.forProvider.rule.expiration", []any{map[string]any{"days": int64(40)}}, "ZDL-02"},
	{"Cluster", "spec.postgresql.parameters.FullPageWrites", "x\ny", "ZDL-09"},
	{"Cluster", "spec.postgresql.parameters.Full_Page_Writes", "n", "ZDL-09"},
	{"Cluster", "spec.postgresql.enableAlterSystem", true, "ZDL-09"},
	{"Cluster", "metadata.annotations", map[string]any{"cnpg.io/skipWalArchiving": "enabled"}, "ZDL-10"},
	{"Cluster", "metadata.labels", map[string]any{"cnpg.io/reload": "true"}, "ZDL-10"},
	{"Cluster", "spec.imageName", "ghcr.io/cloudnative-pg/postgresql:latest", "ZDL-11"},
	{"Cluster", "spec.bootstrap.initdb.dataChecksums", gone, "ZDL-11"},
	{"ObjectStore", "spec.configuration.s3Credentials.accessKeyId", "not-a-reference", "ZDL-12"},
	{"Cluster!", "spec.references", []any{map[string]any{"patchesFrom": map[string]any{"name": "x"}}}, "ZDL-13"},
}

func TestEveryWeakeningTripsItsRule(t *testing.T) {
	for _, w := range weakenings {
		value := fmt.Sprint(w.value)
		if w.value == gone {
			value = "gone"
		}
		t.Run(w.kind+"/"+w.path+"="+strings.ReplaceAll(value, "/", "|"), func(t *testing.T) {
			applied := 0
			for _, name := range goodSets {
				set, o := good(t, name)
				weak, ok := weaken(set, w.kind, w.path, w.value)
				if !ok {
					continue
				}
				applied++
				found := contract.JudgeManifests(weak, o)
				if len(found) == 0 {
					t.Errorf("%s: nothing is found", name)
				}
				for _, f := range found {
					if f.Rule != w.rule {
						t.Errorf("%s: trips %s instead of %s: %s: %s", name, f.Rule, w.rule, f.Object, f)
					}
				}
			}
			if applied == 0 {
				t.Error("fits no good set: the path is wrong")
			}
		})
	}
}

// weaken changes one field of every document of a kind, in a copy. The last part of the path may be new, the others
// must exist.
func weaken(set []manifest.Object, kind, path string, value any) (weak []manifest.Object, ok bool) {
	kind, outside := strings.CutSuffix(kind, "!")
	for _, o := range set {
		inner := o.Unwrap()
		switch {
		case inner.Kind() != kind || outside && !o.IsWrapper() && manifest.Map(o, "spec", "forProvider") == nil:
			weak = append(weak, o)
		case path == "":
			ok = true // The document as a whole is left out.
		default:
			c := clone(map[string]any(o)).(map[string]any)
			m := manifest.Object(c)
			if !outside {
				m = m.Unwrap()
			}
			ok = put(map[string]any(m), strings.Split(path, "."), value) || ok
			weak = append(weak, manifest.Object(c))
		}
	}
	return weak, ok
}

func put(at any, path []string, value any) bool {
	if list, isList := at.([]any); isList {
		done := false
		for _, item := range list[:min(1, len(list))] {
			done = put(item, path, value)
		}
		return done
	}
	m, isMap := at.(map[string]any)
	if !isMap {
		return false
	}
	// A key with dots of its own is written in brackets.
	key := path[0]
	for strings.HasPrefix(key, "[") && !strings.HasSuffix(key, "]") {
		path = path[1:]
		key += "." + path[0]
	}
	key = strings.Trim(key, "[]")
	if len(path) > 1 {
		return put(m[key], path[1:], value)
	}
	if value == gone {
		_, had := m[key]
		delete(m, key)
		return had
	}
	m[key] = value
	return true
}

func clone(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = clone(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = clone(item)
		}
		return out
	}
	return value
}

var updateFree = flag.Bool("update-free", false, "write which fields no rule looks at into testdata/free.txt")

// TestEveryFieldIsJudgedOrKnownToBeFree takes each field of the good sets away, and replaces it by nonsense. A field for
// which neither is noticed carries no promise: testdata/free.txt lists them, so that nobody believes otherwise and a
// rule that stops working shows up as a new line.
func TestEveryFieldIsJudgedOrKnownToBeFree(t *testing.T) {
	free := map[string]bool{}
	judged := map[string]bool{}
	for _, name := range goodSets {
		set, o := good(t, name)
		for i := range set {
			for _, path := range leaves(map[string]any(set[i]), nil) {
				line := label(set[i], path)
				if noticed(set, i, path, o) {
					judged[line] = true
				} else {
					free[line] = true
				}
			}
		}
	}
	maps.DeleteFunc(free, func(line string, _ bool) bool { return judged[line] })
	got := strings.Join(slices.Sorted(maps.Keys(free)), "\n") + "\n"
	const file = "testdata/free.txt"
	if *updateFree {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("fields that no rule looks at: -want +got:\n%s", diff)
	}
	if len(judged) < 60 {
		t.Errorf("only %d fields are judged: the search is broken", len(judged))
	}
}

func noticed(set []manifest.Object, i int, path []string, o contract.Options) bool {
	for _, value := range []any{gone, "nonsense", int64(-1), true, false} {
		weak := slices.Clone(set)
		c := clone(map[string]any(set[i])).(map[string]any)
		replace(c, path, value)
		weak[i] = manifest.Object(c)
		if len(contract.JudgeManifests(weak, o)) > 0 {
			return true
		}
	}
	return false
}

// leaves are the paths of all scalars.
func leaves(value any, at []string) [][]string {
	var out [][]string
	switch v := value.(type) {
	case map[string]any:
		for _, key := range manifest.SortedKeys(v) {
			out = append(out, leaves(v[key], append(slices.Clone(at), key))...)
		}
	case []any:
		for i, item := range v {
			out = append(out, leaves(item, append(slices.Clone(at), strconv.Itoa(i)))...)
		}
	default:
		out = append(out, at)
	}
	return out
}

func replace(at any, path []string, value any) {
	switch v := at.(type) {
	case map[string]any:
		switch {
		case len(path) > 1:
			replace(v[path[0]], path[1:], value)
		case value == gone:
			delete(v, path[0])
		default:
			v[path[0]] = value
		}
	case []any:
		i, _ := strconv.Atoi(path[0])
		if len(path) > 1 {
			replace(v[i], path[1:], value)
			return
		}
		if value == gone {
			value = nil
		}
		v[i] = value
	}
}

// label names a field without the positions in lists, and inside a wrapper by what is wrapped.
func label(o manifest.Object, path []string) string {
	kind := o.Kind()
	if o.IsWrapper() && len(path) > 3 && path[2] == "manifest" {
		kind, path = o.Unwrap().Kind(), path[3:]
	}
	var parts []string
	for _, p := range path {
		if _, err := strconv.Atoi(p); err != nil {
			parts = append(parts, p)
		}
	}
	return kind + " " + strings.Join(parts, ".")
}
