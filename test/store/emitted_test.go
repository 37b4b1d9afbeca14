package store

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cloudnative-pg/barman-cloud/pkg/api"
	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// product is the function's binary: what is proven here is what it prints.
type product struct{ binary string }

func build(t *testing.T) product {
	t.Helper()
	p := product{filepath.Join(t.TempDir(), "function")}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", p.binary, ".")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return p
}

func (p product) run(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.binary, args...)
	cmd.Dir = root
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, complaints.Bytes())
	}
	return out.Bytes()
}

// A set is everything that is emitted for one claim.
type set []manifest.Object

func (p product) render(t *testing.T, claim string) set {
	t.Helper()
	documents, err := source.Read("render", bytes.NewReader(p.run(t, "render", "--unwrap", claim)))
	if err != nil {
		t.Fatal(err)
	}
	var out set
	for _, d := range documents {
		out = append(out, d.Object)
	}
	return out
}

// one is the only object of a kind, or the one of that name.
func (s set) one(t *testing.T, kind string, name ...string) manifest.Object {
	t.Helper()
	var found []manifest.Object
	for _, o := range s {
		if o.Kind() == kind && (len(name) == 0 || o.Name() == name[0]) {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of kind %s %v", len(found), kind, name)
	}
	return found[0]
}

func (s set) bucket(t *testing.T) string {
	t.Helper()
	return manifest.String(s.one(t, "Bucket"), "metadata", "annotations", "crossplane.io/external-name")
}

// An archive is where a database writes, or where one reads: what the plugin is told.
type archive struct {
	configuration *api.BarmanObjectStoreConfiguration
	server        string
	retention     string
	env           []string
}

// archive is what a plugin's parameters lead to. The endpoint is this test's; everything else is emitted.
func (s set) archive(t *testing.T, parameters manifest.Object, c cloud) archive {
	t.Helper()
	o := s.one(t, "ObjectStore", manifest.String(parameters, "barmanObjectName"))
	raw, err := json.Marshal(manifest.Map(o, "spec", "configuration"))
	if err != nil {
		t.Fatal(err)
	}
	a := archive{
		configuration: &api.BarmanObjectStoreConfiguration{},
		server:        manifest.String(parameters, "serverName"), retention: manifest.String(o, "spec", "retentionPolicy"),
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(a.configuration); err != nil {
		t.Fatal(err)
	}
	a.configuration.EndpointURL = c.endpoint
	a.env = c.environment(database)
	for _, e := range manifest.List(o, "spec", "instanceSidecarConfiguration", "env") {
		entry := manifest.Object(e.(map[string]any))
		a.env = append(a.env, manifest.String(entry, "name")+"="+manifest.String(entry, "value"))
	}
	return a
}

// own is the archive a set's database writes to.
func (s set) own(t *testing.T, c cloud) archive {
	t.Helper()
	for _, p := range manifest.List(s.one(t, "Cluster"), "spec", "plugins") {
		if plugin := manifest.Object(p.(map[string]any)); plugin["isWALArchiver"] == true {
			return s.archive(t, manifest.Map(plugin, "parameters"), c)
		}
	}
	t.Fatal("no plugin archives WAL")
	return archive{}
}

// source is the archive a set's database is restored from.
func (s set) source(t *testing.T, c cloud) archive {
	t.Helper()
	from := manifest.String(s.one(t, "Cluster"), "spec", "bootstrap", "recovery", "source")
	for _, e := range manifest.List(s.one(t, "Cluster"), "spec", "externalClusters") {
		if external := manifest.Object(e.(map[string]any)); external["name"] == from {
			return s.archive(t, manifest.Map(external, "plugin", "parameters"), c)
		}
	}
	t.Fatalf("no external cluster %s", from)
	return archive{}
}

// path is the archive's folder in its bucket: "namespace/claim/server/".
func (a archive) path(bucket string) string {
	return strings.TrimPrefix(a.configuration.DestinationPath, "s3://"+bucket+"/") + a.server + "/"
}

// A setting is what one managed resource of provider-aws makes of a bucket: a call, and what can be read back after it.
type setting struct {
	kind, put, get string
	want           map[string]any
}

// settings are a set's, in the order in which provider-aws can apply them.
func (s set) settings(t *testing.T) []setting {
	t.Helper()
	emitted := func(kind string) map[string]any {
		return manifest.Map(s.one(t, kind), "spec", "forProvider")
	}
	rules := func(kind string) map[string]any {
		return map[string]any{"Rules": capital(emitted(kind)["rule"])}
	}
	var policy map[string]any
	if err := json.Unmarshal([]byte(emitted("BucketPolicy")["policy"].(string)), &policy); err != nil {
		t.Fatal(err)
	}
	lock := emitted("BucketObjectLockConfiguration")
	access := map[string]any{}
	for name, value := range emitted("BucketPublicAccessBlock") {
		if on, ok := value.(bool); ok {
			access[strings.ToUpper(name[:1])+name[1:]] = on
		}
	}
	tag := emitted("Bucket")["tags"].(map[string]any)
	return []setting{
		{"tags", "put-bucket-tagging --tagging", "get-bucket-tagging", map[string]any{"TagSet": []any{map[string]any{"Key": "claim", "Value": tag["claim"]}}}},
		{"BucketVersioning", "put-bucket-versioning --versioning-configuration", "get-bucket-versioning", capital(emitted("BucketVersioning")["versioningConfiguration"]).(map[string]any)},
		{"BucketObjectLockConfiguration", "put-object-lock-configuration --object-lock-configuration", "get-object-lock-configuration", map[string]any{
			"ObjectLockEnabled": lock["objectLockEnabled"], "Rule": capital(lock["rule"]),
		}},
		{"BucketServerSideEncryptionConfiguration", "put-bucket-encryption --server-side-encryption-configuration", "get-bucket-encryption", rules("BucketServerSideEncryptionConfiguration")},
		{"BucketPublicAccessBlock", "put-public-access-block --public-access-block-configuration", "get-public-access-block", access},
		{"BucketOwnershipControls", "put-bucket-ownership-controls --ownership-controls", "get-bucket-ownership-controls", map[string]any{"Rules": []any{capital(emitted("BucketOwnershipControls")["rule"])}}},
		{"BucketLifecycleConfiguration", "put-bucket-lifecycle-configuration --lifecycle-configuration", "get-bucket-lifecycle-configuration", rules("BucketLifecycleConfiguration")},
		{"BucketPolicy", "put-bucket-policy --policy", "get-bucket-policy", policy},
	}
}

// plural are the lists of provider-aws that are lists in S3 too. Every other list of it has one element, and is none there.
var plural = []string{"rule"}

// renamed are the fields whose names differ by more than their first letter.
var renamed = map[string]string{"id": "ID", "sseAlgorithm": "SSEAlgorithm", "kmsMasterKeyId": "KMSMasterKeyID"}

// capital writes what provider-aws takes the way S3 takes it.
func capital(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			if list, ok := inner.([]any); ok && len(list) == 1 && !slices.Contains(plural, name) {
				inner = list[0]
			}
			to := renamed[name]
			if to == "" {
				to = strings.ToUpper(name[:1]) + name[1:]
			}
			out[to] = capital(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = capital(v[i])
		}
		return out
	case int64:
		return float64(v) // As JSON gives it back.
	}
	return value
}

// makeBucket makes a set's bucket, without settings but for the lock, which cannot be had later.
func (c cloud) makeBucket(t *testing.T, s set) {
	t.Helper()
	emitted := manifest.Map(s.one(t, "Bucket"), "spec", "forProvider")
	args := "s3api create-bucket --bucket " + s.bucket(t) + " --create-bucket-configuration LocationConstraint=" + manifest.String(emitted, "region")
	if emitted["objectLockEnabled"] == true {
		args += " --object-lock-enabled-for-bucket"
	}
	c.aws(t, administrator, args)
}

// apply makes one setting and returns what the store said where it has not kept it.
func (c cloud) apply(t *testing.T, bucket string, s setting) string {
	t.Helper()
	file := filepath.Join(c.home, s.kind+".json")
	write(t, file, s.want)
	if _, err := c.try(t, administrator, "s3api "+s.put+" file://"+file+" --bucket "+bucket); err != nil {
		return "refused: " + strings.TrimSpace(err.Error())
	}
	raw, err := c.try(t, administrator, "s3api "+s.get+" --output json --bucket "+bucket)
	if err != nil {
		return "accepted, and cannot be read back: " + strings.TrimSpace(err.Error())
	}
	if diff := cmp.Diff(any(s.want), readBack(t, raw)); diff != "" {
		return "accepted, and reads back otherwise:\n" + diff
	}
	return ""
}

// readBack is the content of an answer of S3, out of its one wrapping field where it has one.
func readBack(t *testing.T, raw string) any {
	t.Helper()
	var out map[string]any
	if strings.TrimSpace(raw) == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		t.Fatal(err)
	}
	delete(out, "TransitionDefaultMinimumObjectSize") // Of lifecycles, S3 adds it.
	for _, wrapper := range []string{"ObjectLockConfiguration", "ServerSideEncryptionConfiguration", "PublicAccessBlockConfiguration", "OwnershipControls", "Policy"} {
		inner, ok := out[wrapper]
		if !ok {
			continue
		}
		text, quoted := inner.(string)
		if !quoted {
			return inner
		}
		if err := json.Unmarshal([]byte(text), &inner); err != nil {
			t.Fatal(err)
		}
		return inner
	}
	return out
}

// grants are the rights docs/iam.md gives the database's key, for the buckets of this test.
func grants(t *testing.T, buckets ...string) any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "docs/iam.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(raw), "## The database's key")
	_, after, _ = strings.Cut(after, "```json\n")
	text, _, closed := strings.Cut(after, "```")
	if !ok || !closed {
		t.Fatal("docs/iam.md no longer has a policy for the database's key")
	}
	const placeholder = "acme-prod-shop-orders-0123456789"
	var statements []any
	for _, bucket := range buckets {
		if !strings.Contains(text, placeholder) {
			t.Fatalf("the policy in docs/iam.md does not name %s", placeholder)
		}
		var policy struct{ Statement []map[string]any }
		if err := json.Unmarshal([]byte(strings.ReplaceAll(text, placeholder, bucket)), &policy); err != nil {
			t.Fatal(err)
		}
		for _, s := range policy.Statement {
			delete(s, "Sid") // Unique in a policy.
			statements = append(statements, s)
		}
	}
	return map[string]any{"Version": "2012-10-17", "Statement": statements}
}
