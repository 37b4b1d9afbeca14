package schemas

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
	"golang.org/x/tools/txtar"
)

// policies are the ways a platform can shape the set. Each is the least policy with some fields changed.
var policies = map[string]map[string]any{
	"Least": {},
	"Existing": {
		"bucket": map[string]any{"mode": "existing", "name": "acme-archive", "region": "fsn1", "endpointURL": "https://fsn1.example.com",
			"endpointCA": map[string]any{"name": "store-ca", "key": "ca.crt"}},
	},
	"Managed": {
		"bucket": map[string]any{"prefix": "acme-prod", "salt": "blue", "region": "eu-central-1", "lockDays": int64(60), "undoDays": int64(14),
			"kmsKeyID":       "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
			"administrators": []any{"arn:aws:iam::111122223333:role/crossplane"}, "tags": map[string]any{"team": "platform"}},
	},
	"OperatorPodMonitor": {
		"monitoring": map[string]any{"podMonitor": "operator", "labels": map[string]any{"release": "prometheus"}},
	},
	"Monitoring": {
		"monitoring": map[string]any{"labels": map[string]any{"release": "prometheus"}, "alertLabels": map[string]any{"team": "platform"},
			"alertAnnotations": map[string]any{"channel": "databases"}, "runbookURL": "https://runbooks.example.com",
			"dashboardLabels": map[string]any{"grafana_dashboard": "1"}},
	},
	"Cluster": {
		"cluster": map[string]any{"parameters": map[string]any{"log_min_duration_statement": "500"}, "nodeSelector": map[string]any{"pool": "databases"},
			"priorityClassName": "databases", "imagePullSecrets": []any{"registry"}},
	},
	"Connection": {
		"connection": map[string]any{"keys": map[string]any{"DATABASE_URL": "uri", "JDBC": "jdbcURI", "CA": "caCertificate", "SSLMODE": "sslmode", "password": "password"}},
	},
	"Providers": {
		"providers": map[string]any{"kubernetes": map[string]any{"name": "workload", "kind": "ProviderConfig"}, "aws": map[string]any{"name": "backups"}},
	},
}

func policyOf(changes map[string]any, method string) manifest.Object {
	p := manifest.Object{
		"apiVersion":  "hardened-postgres.fn.bizmatters.io/v1beta1",
		"kind":        "Policy",
		"bucket":      map[string]any{"prefix": "acme", "region": "eu-central-1"},
		"credentials": map[string]any{"secretStoreRef": map[string]any{"name": "vault"}},
		"backup":      map[string]any{"method": method},
	}
	maps.Copy(p, changes)
	return p
}

var now = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// Every claim of example/, in both scopes, with both backup methods, under every policy: each resource of the complete
// set is what the API server would take, wrapped manifest and readiness query included.
func TestEveryResourceIsValid(t *testing.T) {
	c := upstreamCatalogue(t)
	claims := exampleClaims(t)
	if len(claims) < 4 {
		t.Fatalf("%d claims in example/", len(claims))
	}
	validated, kinds, found := 0, map[string]bool{}, leaks{}
	for file, o := range claims {
		if _, source := o.Lookup("spec", "bootstrap"); source {
			continue // What it becomes depends on its source: TestEveryBootstrapIsValid has them all.
		}
		for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
			if strings.HasPrefix(filepath.Base(file), "xr-") && scope == claim.ClusterScoped {
				continue
			}
			for _, method := range []string{"plugin", "inTree"} {
				for name, changes := range policies {
					t.Run(fmt.Sprintf("%s/%s/%s/%s", filepath.Base(file), scope, method, name), func(t *testing.T) {
						out := complete(o, policyOf(changes, method), scope, nil)
						if len(out.Refused) > 0 {
							t.Fatalf("refused: %s", out.Refused)
						}
						for _, r := range out.Composed {
							validated++
							inner := r.Object.Unwrap()
							kinds[fmt.Sprintf("%s %s", inner["apiVersion"], inner["kind"])] = true
							for _, problem := range append(c.Validate(r.Object), found.leaks(r.Object)...) {
								t.Errorf("%s: %s", r.Name, problem)
							}
						}
					})
				}
			}
		}
	}
	t.Logf("%d resources of %d kinds validated", validated, len(kinds))
	if validated < 2000 {
		t.Errorf("only %d resources validated: the matrix is not what it should be", validated)
	}
	for _, want := range []string{
		"postgresql.cnpg.io/v1 Cluster", "postgresql.cnpg.io/v1 ScheduledBackup", "barmancloud.cnpg.io/v1 ObjectStore",
		"external-secrets.io/v1 ExternalSecret", "external-secrets.io/v1 SecretStore", "monitoring.coreos.com/v1 PodMonitor",
		"monitoring.coreos.com/v1 PrometheusRule", "v1 ConfigMap", "v1 ServiceAccount", "rbac.authorization.k8s.io/v1 RoleBinding",
		"s3.aws.upbound.io/v1beta2 Bucket", "s3.aws.m.upbound.io/v1beta1 Bucket",
		"s3.aws.upbound.io/v1beta1 BucketLifecycleConfiguration", "s3.aws.m.upbound.io/v1beta1 BucketLifecycleConfiguration",
	} {
		if !kinds[want] {
			t.Errorf("no %s was validated", want)
		}
	}
}

// Every case of a recovery, an import or an upgrade that the function does not refuse gives a set the API server takes.
func TestEveryBootstrapIsValid(t *testing.T) {
	c := upstreamCatalogue(t)
	files, err := filepath.Glob(filepath.Join(root, "internal/bootstrap/testdata/*.txt"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d cases found: %v", len(files), err)
	}
	emitted, methods, found := 0, map[string]bool{}, leaks{}
	for _, file := range files {
		sections := map[string]string{}
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			sections[f.Name] = string(f.Data)
		}
		policy := policyOf(nil, "plugin")
		if text := sections["policy"]; text != "" {
			policy = parse(t, file, []byte(text))[0]
		}
		there := parse(t, file, []byte(sections["world"]+"\n---\n"+sections["live"]))
		for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
			t.Run(filepath.Base(file)+"/"+string(scope), func(t *testing.T) {
				out := complete(parse(t, file, []byte(sections["claim"]))[0], policy, scope, there)
				if len(out.Refused) > 0 {
					t.Skipf("refused: %s", out.Refused)
				}
				if b := out.Status.Bootstrap; b != nil {
					emitted++
					methods[b.Method] = true
				}
				for _, r := range out.Composed {
					if r.Object == nil {
						continue // As observed.
					}
					for _, problem := range append(c.Validate(r.Object), found.leaks(r.Object)...) {
						t.Errorf("%s: %s", r.Name, problem)
					}
				}
			})
		}
	}
	t.Logf("%d sets with a bootstrap validated", emitted)
	for path := range meant {
		if found[path] == 0 {
			t.Errorf("%s is meant to be zero (%s) and is never emitted: remove the exception", path, meant[path])
		}
	}
	for _, method := range []string{"recovery", "import", "logicalReplication"} {
		if !methods[method] {
			t.Errorf("no set was bootstrapped by %s", method)
		}
	}
}

// complete is the set as it stands once every question has been answered with what is there.
func complete(o, policy manifest.Object, scope claim.Scope, there []manifest.Object) reconcile.Outcome {
	in := reconcile.Input{Composite: claim.AsComposite(o, scope), Policy: policy, Now: now, Complete: true}
	// The answers of one round decide what the next one asks for.
	for range 4 {
		in.World.Required = answers(reconcile.Run(in).Requirements, there)
	}
	return reconcile.Run(in)
}

func answers(asked map[string]world.Selector, there []manifest.Object) map[string][]manifest.Tree {
	out := map[string][]manifest.Tree{}
	for name, ask := range asked {
		items := []manifest.Tree{}
		for _, o := range there {
			if o.APIVersion() == ask.APIVersion && o.Kind() == ask.Kind && o.Namespace() == ask.Namespace && ask.Name != "" && o.Name() == ask.Name {
				items = append(items, o)
			}
		}
		if ask.Kind == "StorageClass" {
			items = append(items, manifest.Object{
				"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": map[string]any{"name": ask.Name},
				"provisioner": "ebs.csi.aws.com", "parameters": map[string]any{"type": "gp3", "encrypted": "true"},
				"reclaimPolicy": "Retain", "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true,
			})
		}
		out[name] = items
	}
	return out
}

// meant are the zero values the set states on purpose, by the path inside the resource, each with its reason.
var meant = map[string]string{
	"spec.enableSuperuserAccess":                 "no superuser over the network, whatever the operator's default becomes",
	"spec.failoverDelay":                         "CNPG-1.4: promotion waits for nothing",
	"spec.monitoring.enablePodMonitor":           "CNPG-5.1: never both",
	"spec.postgresql.enableAlterSystem":          "ZDL-09",
	"spec.suspend":                               "CNPG-3.1: ours, so that it is set back",
	"spec.forProvider.forceDestroy":              "CNPG-4.3",
	"spec.forProvider.rule.filter.prefix":        "ZDL-02: the whole bucket",
	"spec.forProvider.rule.bucketKeyEnabled":     "without a KMS key there is no bucket key",
	"metadata.labels.cnpg.io/reload":             "a label that counts by being there",
	"spec.externalClusters.plugin.isWALArchiver": "a source is only read",
	"spec.noUpper":                               "the generator's CRD requires it",
	"spec.symbols":                               "what reads a password file need not unescape it",
}

// leaks finds what a Go zero value or an observed object has left behind: a null, an empty string, list or mapping, a
// zero, a false that nobody meant, a status. Through server-side apply each of them would override a default. It counts
// which of the meant ones it met.
type leaks map[string]int

func (l leaks) leaks(o manifest.Object) []string {
	var found []string
	if _, ok := o["status"]; ok {
		found = append(found, "status: must not be emitted")
	}
	if !o.IsWrapper() {
		return append(found, l.zeros(map[string]any(o), "")...)
	}
	inner := o.Unwrap()
	if _, ok := inner["status"]; ok {
		found = append(found, "manifest status: must not be emitted")
	}
	shell := maps.Clone(o)
	spec := maps.Clone(manifest.Map(o, "spec"))
	delete(spec, "forProvider")
	shell["spec"] = map[string]any(spec)
	return slices.Concat(found, l.zeros(map[string]any(shell), ""), l.zeros(map[string]any(inner), ""))
}

func (l leaks) zeros(v any, path string) []string {
	if meant[path] != "" {
		l[path]++
		return nil
	}
	var found []string
	zero := false
	switch v := v.(type) {
	case nil:
		zero = true
	case string:
		zero = v == ""
	case bool:
		zero = !v
	case int64:
		zero = v == 0
	case float64:
		zero = v == 0
	case []any:
		zero = len(v) == 0
		for _, item := range v {
			found = append(found, l.zeros(item, path)...)
		}
	case map[string]any:
		zero = len(v) == 0
		for _, key := range manifest.SortedKeys(v) {
			found = append(found, l.zeros(v[key], strings.TrimPrefix(path+"."+key, "."))...)
		}
	default:
		found = append(found, fmt.Sprintf("%s: a %T is not JSON-shaped", path, v))
	}
	if zero {
		found = append(found, fmt.Sprintf("%s: the zero value %#v leaks", path, v))
	}
	return found
}

func exampleClaims(t *testing.T) map[string]manifest.Object {
	t.Helper()
	out := map[string]manifest.Object{}
	for _, file := range yamlFiles(t, "example") {
		if o := documents(t, file)[0]; o.Kind() == "PostgresInstance" {
			out[file] = o
		}
	}
	return out
}

var documentMark = regexp.MustCompile(`(?m)^---\s*$`)

func newReader(raw []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(raw)) }

// parse reads the documents of a text that is part of a test case.
func parse(t *testing.T, name string, text []byte) []manifest.Object {
	t.Helper()
	file := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(file, documentMark.ReplaceAll(text, []byte("---")), 0o600); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(documents(t, file))
}
