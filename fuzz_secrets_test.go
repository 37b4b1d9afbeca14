package main

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Secrets: wherever a request may carry one, the fuzz targets put it, and no answer and no log may repeat it (ZDL-12).
const (
	// marker is a password. What it is shows only from where it stands.
	marker = "hunter2-MARKER-s3cr3t"
	// keyID is known for a key wherever it stands: a provider may say it in any message.
	keyID = "AKIAIOSFODNN7EXAMPLE"
)

// checkSilence says that what leaves the process repeats no secret of the request.
func checkSilence(t *testing.T, said []byte) {
	t.Helper()
	for _, secret := range []string{marker, keyID} {
		if at := bytes.Index(said, []byte(secret)); at >= 0 {
			t.Errorf("a secret of the request is repeated (ZDL-12): …%q", said[max(0, at-200):at+len(secret)])
		}
	}
}

// plant puts secrets where a request carries them in the ordinary course of things, but for what earlier steps of the
// pipeline desire and say: that is handed on as it is.
func plant(req *fnv1.RunFunctionRequest) {
	secret := map[string][]byte{"password": []byte(marker), marker: []byte("x")}
	if c := req.GetObserved().GetComposite(); c != nil {
		c.ConnectionDetails = secret
	}
	for _, r := range req.GetObserved().GetResources() {
		if r != nil {
			r.ConnectionDetails = secret
			complain(r.GetResource(), "status")
			complain(r.GetResource(), "status", "atProvider", "manifest", "status")
		}
	}
	req.Credentials = map[string]*fnv1.Credentials{"aws": {Source: &fnv1.Credentials_CredentialData{CredentialData: &fnv1.CredentialData{Data: secret}}}}
	object := func() map[string]any {
		return map[string]any{
			"apiVersion": "v1", "kind": "Secret",
			"metadata": map[string]any{"name": "orders-app", "namespace": "shop"},
			"data":     map[string]any{"password": marker}, "stringData": map[string]any{"password": marker},
		}
	}
	if resources := req.GetObserved().GetResources(); len(resources) > 0 {
		resources["other-step"] = &fnv1.Resource{Resource: toStruct(object())}
		// Ours, and not of today's set: it stays as it is, without what the provider found in it.
		resources["left-over"] = &fnv1.Resource{Resource: toStruct(map[string]any{
			"apiVersion": manifest.ObjectGroupCluster + "/v1alpha2", "kind": "Object",
			"metadata": map[string]any{"name": "left-over", "labels": map[string]any{hardened.LabelProtected: "true"}},
			"spec":     map[string]any{"managementPolicies": []any{"Observe"}, "deletionPolicy": "Orphan"},
			"status":   map[string]any{"atProvider": map[string]any{"manifest": object()}},
		})}
	}
	for name, answer := range req.GetRequiredResources() {
		if answer == nil {
			continue
		}
		for _, item := range answer.GetItems() {
			item.ConnectionDetails = secret
			complain(item.GetResource(), "status")
		}
		if strings.HasPrefix(name, "source") {
			answer.Items = append(answer.Items, &fnv1.Resource{Resource: toStruct(object()), ConnectionDetails: secret})
		}
	}
	if req.RequiredResources == nil {
		req.RequiredResources = map[string]*fnv1.Resources{}
	}
	req.RequiredResources["connection"] = &fnv1.Resources{Items: []*fnv1.Resource{{Resource: toStruct(object()), ConnectionDetails: secret}}}
}

// complain adds a key to what the conditions of a status say.
func complain(s *structpb.Struct, status ...string) {
	for _, c := range (tree{s}).Items(append(slices.Clone(status), "conditions")...) {
		if condition, ok := c.(tree); ok && condition.GetFields() != nil {
			condition.Fields["message"] = structpb.NewStringValue(manifest.String(c, "message") + " with key " + keyID)
		}
	}
}

// settings are PostgreSQL settings that carry secrets, or stand for people who put one there.
var settings = map[string]any{
	"primary_conninfo": "host=db user=postgres password=" + marker, "Primary_Conninfo": "host=db " + marker, "pg_failover_slots.primary_dsn": "postgres://me:" + marker + "@db/app",
	"ssl_passphrase_command": "echo " + marker, "archive_command": "AWS_SECRET_ACCESS_KEY=" + marker + " aws s3 cp %p s3://b/", "restore_command": marker,
	"archive_library": "postgres://me:" + marker + "@db/app", "cluster_name": "password = " + marker, "include": "https://me:" + marker + "@example.com/",
	"fsync": "passphrase " + marker, "synchronous_commit": "password=" + marker, "wal_level": "http://me:" + marker + "@db", "archive_timeout": keyID,
	"shared_buffers": keyID, "work_mem": keyID, "max_wal_size": "password=" + marker,
}

// misplaced are secrets where no secret belongs. Each is refused, whatever else the request says.
var misplaced = map[string]func(claim, policy *structpb.Struct){
	"a claim's settings": func(claim, _ *structpb.Struct) { put(claim, settings, "spec", "parameters") },
	"a claim's form": func(claim, _ *structpb.Struct) {
		put(claim, map[string]any{"password": marker, "backup": marker, "connection": marker, "parameters": []any{"password=" + marker}}, "spec")
	},
	"a policy's settings": func(_, policy *structpb.Struct) { put(policy, settings, "cluster", "parameters") },
	"a policy's endpoint": func(_, policy *structpb.Struct) {
		put(policy, endpoint("https://key:"+marker+"@s3.example.com"), "bucket")
	},
	"a policy's http endpoint": func(_, policy *structpb.Struct) {
		put(policy, endpoint("http://key:"+marker+"@s3.example.com"), "bucket")
	},
	"a policy's long endpoint": func(_, policy *structpb.Struct) {
		put(policy, endpoint("https://key:"+marker+"@"+strings.Repeat("x", 300)), "bucket")
	},
	"a policy's environment": func(_, policy *structpb.Struct) {
		put(policy, map[string]any{"AWS_SECRET_ACCESS_KEY": marker, "AWS_ENDPOINT_URL": "https://key:" + marker + "@s3.example.com", "PGPASSWORD": marker}, "backup", "sidecarEnv")
	},
	"a policy's proxy": func(_, policy *structpb.Struct) {
		put(policy, map[string]any{"HTTPS_PROXY": "http://me:" + marker + "@proxy.example.com"}, "backup", "sidecarEnv")
	},
	"a policy's credentials": func(_, policy *structpb.Struct) {
		put(policy, map[string]any{"password": marker, "accessKeyID": marker, "secretAccessKey": []any{marker}, "secretStoreRef": marker}, "credentials")
	},
	"a policy's keys": func(_, policy *structpb.Struct) {
		put(policy, map[string]any{"accessKeyID": map[string]any{"key": keyID}, "secretAccessKey": map[string]any{"key": "k", "value": marker, "property": marker + strings.Repeat("x", 300)}}, "credentials")
	},
}

func endpoint(url string) map[string]any { return map[string]any{"endpointURL": url} }

// put writes values below a path, where it leads anywhere.
func put(s *structpb.Struct, values map[string]any, path ...string) {
	for _, key := range path {
		if s.GetFields() == nil {
			return
		}
		if s.GetFields()[key].GetStructValue().GetFields() == nil {
			s.Fields[key] = toValue(map[string]any{})
		}
		s = s.GetFields()[key].GetStructValue()
	}
	for key, v := range values {
		s.GetFields()[key] = toValue(v)
	}
}

// checkMisplacedSecrets asks once more for each secret that stands where none belongs.
func checkMisplacedSecrets(t *testing.T, req *fnv1.RunFunctionRequest) {
	t.Helper()
	for where, add := range misplaced {
		composite, input := copied(req.GetObserved().GetComposite().GetResource()), copied(req.GetInput())
		add(composite, input)
		var log bytes.Buffer
		f := function()
		f.log = slog.New(slog.NewTextHandler(&log, nil))
		rsp, err := f.RunFunction(context.Background(), &fnv1.RunFunctionRequest{Input: input, Observed: &fnv1.State{Composite: &fnv1.Resource{Resource: composite}}})
		if err != nil {
			t.Fatalf("with a secret in %s: an error instead of an answer: %v", where, err)
		}
		_, fatal := fatalOf(rsp)
		switch waived := len((tree{input}).Items("waivers")) > 0; {
		case fatal:
		case waived: // Let through on the platform's word.
			rsp.GetDesired().Resources = nil
		default:
			t.Errorf("a secret in %s is accepted (ZDL-12)", where)
		}
		said, err := proto.Marshal(rsp)
		if err != nil {
			t.Fatal(err)
		}
		checkSilence(t, append(said, log.Bytes()...))
	}
}

func copied(s *structpb.Struct) *structpb.Struct {
	out, _ := proto.Clone(s).(*structpb.Struct)
	return out
}
