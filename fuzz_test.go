package main

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/internal/alias"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// fuzzSeeds are real requests: databases that are new, about to be made, that live, in trouble, relaxed by a waiver, and
// that are refused, in both scopes. The regression cases name them by their place: new ones come last.
func fuzzSeeds(f *testing.F) []*fnv1.RunFunctionRequest {
	f.Helper()
	refused := firstCall(f, "example/claim.yaml", claim.ClusterScoped)
	refused.GetObserved().GetComposite().GetResource().GetFields()["spec"].GetStructValue().Fields["instances"] = structpb.NewNumberValue(1)

	relaxed := examplePolicy(f)
	relaxed["waivers"] = []any{map[string]any{"rule": "ZDL-09", "reason": "bulk loads until the new year", "expires": "2026-12-31"}}
	loading := exampleClaim(f, "example/claim.yaml")
	manifest.Map(loading, "spec")["parameters"] = map[string]any{"archive_timeout": "10min"}
	waived := requestOf(fixture.Observed(f, loading, relaxed, claim.ClusterScoped))

	undefined := asksSchemas(f, gateOpen(f, "example/claim-full.yaml", claim.Namespaced), "Cluster")
	delete(undefined.GetRequiredResources(), "definition-cluster")

	return []*fnv1.RunFunctionRequest{
		{},
		refused,
		firstCall(f, "example/claim.yaml", claim.ClusterScoped),
		firstCall(f, "example/claim-full.yaml", claim.Namespaced),
		steadyState(f, "example/claim.yaml", claim.ClusterScoped),
		steadyState(f, "example/claim-full.yaml", claim.Namespaced),
		asksSchemas(f, gateOpen(f, "example/claim.yaml", claim.ClusterScoped), ""),
		asksSchemas(f, gateOpen(f, "example/claim.yaml", claim.ClusterScoped), "ObjectStore"),
		undefined,
		waived,
		inTrouble(steadyState(f, "example/claim.yaml", claim.ClusterScoped)),
		weakened(steadyState(f, "example/claim.yaml", claim.ClusterScoped)),
		madeFrom(f, map[string]any{"recovery": map[string]any{"source": "agent-db-v15"}}, nil),
		madeFrom(f, map[string]any{"recovery": map[string]any{"source": "agent-db-v15"}}, map[string]any{"method": "logicalReplication"}),
	}
}

// madeFrom is a database beside the one it was made from.
func madeFrom(f *testing.F, bootstrap, upgrade map[string]any) *fnv1.RunFunctionRequest {
	f.Helper()
	old := exampleClaim(f, "example/agent-db-v15.yaml")
	fresh := manifest.Object(manifest.CopyMap(old))
	manifest.Map(fresh, "metadata")["name"] = "agent-db-v16"
	manifest.Map(fresh, "metadata")["annotations"] = map[string]any{claim.AnnotationWritesStopped: old.Name(), claim.AnnotationReplicaIdentities: old.Name()}
	spec := manifest.Map(fresh, "spec")
	delete(spec, "connection")
	spec["bootstrap"] = bootstrap
	if upgrade != nil {
		spec["upgrade"], spec["version"] = upgrade, "16"
	}
	source := fixture.Observed(f, old, examplePolicy(f), claim.ClusterScoped)
	w := fixture.New(fresh, examplePolicy(f), claim.ClusterScoped)
	for name := range source.Observed {
		if o := source.Live(name); o != nil {
			w.Existing = append(w.Existing, o)
		}
	}
	w.Settle(f)
	if _, made := w.Observed[hardened.Cluster]; !made {
		f.Fatalf("nothing is made from %s: %+v", old.Name(), w.Ask().Conditions)
	}
	return requestOf(w)
}

// weakened takes from a living database what protects it, as somebody may do by hand: all of it comes back.
func weakened(req *fnv1.RunFunctionRequest) *fnv1.RunFunctionRequest {
	for at, weaker := range map[string]map[string]any{
		"cluster/spec/forProvider/manifest/spec/postgresql/synchronous": {"dataDurability": "preferred", "failoverQuorum": false},
		"cluster/spec/forProvider/manifest/spec/postgresql/parameters":  {"fsync": "off"},
		"object-store/spec/forProvider/manifest/spec":                   {"retentionPolicy": "7d"},
		"scheduled-backup/spec/forProvider/manifest/spec":               {"schedule": "@weekly"},
		"bucket-object-lock/spec/forProvider/rule/defaultRetention":     {"mode": "GOVERNANCE"},
		"credentials/spec/forProvider/manifest/spec/target":             {"creationPolicy": "Owner"},
		"connection-secret/spec/forProvider/manifest/spec/target":       {"deletionPolicy": "Delete"},
		"bucket/spec": {"managementPolicies": []any{"*"}, "deletionPolicy": "Delete"},
	} {
		path := strings.Split(at, "/")
		put(req.GetObserved().GetResources()[path[0]].GetResource(), weaker, path[1:]...)
	}
	return req
}

// FuzzRunFunction says that whatever bytes arrive as a request, the answer keeps every promise of the edge.
func FuzzRunFunction(f *testing.F) {
	// What an earlier step desires, and what this function would not emit any more.
	later := firstCall(f, "example/claim.yaml", claim.ClusterScoped)
	later.Desired = &fnv1.State{Composite: &fnv1.Resource{Resource: &structpb.Struct{}}, Resources: map[string]*fnv1.Resource{"other-step": {}}}
	later.Context = &structpb.Struct{}
	retired := steadyState(f, "example/claim.yaml", claim.ClusterScoped)
	retired.GetObserved().Resources["retired"] = retired.GetObserved().GetResources()[hardened.Bucket]
	for _, req := range append(fuzzSeeds(f), later, retired) {
		raw, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		req := &fnv1.RunFunctionRequest{}
		if proto.Unmarshal(raw, req) != nil {
			return // gRPC refuses it before the function sees it.
		}
		checkAnswer(t, req)
	})
}

// FuzzWorld says the same of requests that are sound but for a few fields: bytes are read as a list of changes to a real
// request, so that every try gets deep into the function.
func FuzzWorld(f *testing.F) {
	seeds := fuzzSeeds(f)
	for i := range seeds {
		f.Add(byte(i), []byte{})
		f.Add(byte(i), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
		f.Add(byte(i), bytes.Repeat([]byte{byte(i), 3, 1, 7, 2, 9, 4}, 4))
	}
	f.Fuzz(func(t *testing.T, seed byte, changes []byte) {
		req, ok := proto.Clone(seeds[int(seed)%len(seeds)]).(*fnv1.RunFunctionRequest)
		if !ok {
			t.Fatal("cannot clone a request")
		}
		m := mutator{changes}
		for range 8 {
			if len(m.program) == 0 {
				break
			}
			m.change(req)
		}
		checkAnswer(t, req)
	})
}

// checkAnswer holds the answer to a request against what the edge promises whatever is asked.
func checkAnswer(t *testing.T, req *fnv1.RunFunctionRequest) {
	t.Helper()
	plant(req)
	raw, err := proto.Marshal(req)
	if err != nil {
		return // Text that is not UTF-8 cannot be sent.
	}
	rsp := &fnv1.RunFunctionResponse{}
	f := function() // The second call finds what the first one has left, as in a process.
	first, second := answerTo(t, f, raw, rsp), answerTo(t, f, raw, &fnv1.RunFunctionResponse{})
	if !bytes.Equal(first, second) {
		t.Error("the same request gives two answers (ZDL-13)")
	}
	if most := 4*len(raw) + 256<<10; len(first) > most {
		t.Errorf("%d bytes are answered with %d", len(raw), len(first))
	}
	checkSilence(t, first)
	checkMisplacedSecrets(t, req)
	if text, fatal := fatalOf(rsp); fatal {
		if strings.Contains(text, "mistake of") {
			t.Errorf("a mistake of our own: %s", text)
		}
		return
	}
	wanted := wantedAlone(t, req)
	checkKept(t, req, rsp, wanted)
	checkKinds(t, req, rsp)
	checkContract(t, req, rsp, wanted)
}

// wantedAlone are the resources claim and policy call for by themselves: the answer with nothing observed and every gate
// open. The bootstrap is left out: what a living database was made from is a fact and no wish.
func wantedAlone(t *testing.T, req *fnv1.RunFunctionRequest) map[string]*fnv1.Resource {
	t.Helper()
	composite := copied(req.GetObserved().GetComposite().GetResource())
	if spec := composite.GetFields()["spec"].GetStructValue().GetFields(); spec["bootstrap"] != nil {
		delete(spec, "bootstrap")
		delete(spec, "upgrade")
		if spec["database"] == nil {
			spec["database"] = structpb.NewStringValue("app") // It was the source's.
		}
	}
	f := function()
	f.complete = true
	rsp, err := f.RunFunction(context.Background(), &fnv1.RunFunctionRequest{
		Input: req.GetInput(), Observed: &fnv1.State{Composite: &fnv1.Resource{Resource: composite}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if text, fatal := fatalOf(rsp); fatal {
		t.Errorf("accepted with what is observed, and refused by itself: %s", text)
	}
	return rsp.GetDesired().GetResources()
}

// checkKept says that every resource of ours that is observed is desired, as the object it is (ZDL-04).
func checkKept(t *testing.T, req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, wanted map[string]*fnv1.Resource) {
	t.Helper()
	for name, r := range req.GetObserved().GetResources() {
		was, protected := r.GetResource(), manifest.String(tree{r.GetResource()}, "metadata", "labels", hardened.LabelProtected) != ""
		if !hardened.Known(name) && !protected {
			continue
		}
		now, kept := rsp.GetDesired().GetResources()[name]
		id, asked := identity(now.GetResource()), identity(wanted[name].GetResource())
		if object, followed := fromSource[name]; followed {
			asked = identity(wanted[hardened.Cluster].GetResource())
			asked[3] = strings.TrimSuffix(asked[3], hardened.Cluster) + name
			asked[4], asked[5], asked[7], asked[8] = object.apiVersion, object.kind, asked[7]+object.suffix, asked[3]
		}
		switch {
		case !kept:
			if !letGo(req, name, wanted) {
				t.Errorf("%s exists and is let go of without a FATAL result (ZDL-04)", name)
			}
		case req.GetDesired().GetResources()[name] != nil: // Another step's too.
		case !fits(id, identity(was)) && id != asked:
			t.Errorf("%s is %q, and becomes %q, which the claim does not ask for (ZDL-04)", name, identity(was), id)
		}
	}
}

// fromSource is what each object is that follows from a database's source: wantedAlone knows of none.
var fromSource = map[string]struct{ apiVersion, kind, suffix string }{
	hardened.SourceCredentials:  {"external-secrets.io/v1", "ExternalSecret", "-source-keys"},
	hardened.SourceObjectStore:  {"barmancloud.cnpg.io/v1", "ObjectStore", "-source"},
	hardened.PublisherGenerator: {"generators.external-secrets.io/v1alpha1", "Password", "-publisher"},
	hardened.PublisherPassword:  {"external-secrets.io/v1", "ExternalSecret", "-publisher"},
	hardened.PublisherRole:      {"postgresql.cnpg.io/v1", "DatabaseRole", "-publisher"},
	hardened.Publication:        {"postgresql.cnpg.io/v1", "Publication", "-publisher"},
	hardened.Subscription:       {"postgresql.cnpg.io/v1", "Subscription", ""},
}

// identity is which object a composed resource is, and which one it stands for.
func identity(r *structpb.Struct) (id [9]string) {
	for i, field := range [][]string{{"apiVersion"}, {"kind"}, {"metadata", "namespace"}, {"metadata", "name"}} {
		id[i] = manifest.String(tree{r}, field...)
		id[i+4] = manifest.String(tree{r}, append([]string{"spec", "forProvider", "manifest"}, field...)...)
	}
	id[8] = cmp.Or(manifest.String(tree{r}, "metadata", "annotations", "crossplane.io/external-name"), id[3]) // A provider's default.
	return id
}

// fits says whether an identity is an observed one, as far as that was told.
func fits(id, was [9]string) bool {
	for i := range id {
		if was[i] != "" && id[i] != was[i] {
			return false
		}
	}
	return true
}

// letGo says whether a claim's change lets go of a resource on purpose, and then only of the Object, whose deletion
// deletes nothing: a replication that has ended, a stable name that is withdrawn or moved, a connection Secret that is renamed. An object keeps its
// name for ever: the one the claim asks for now has another name, or it asks for no stable name any more.
func letGo(req *fnv1.RunFunctionRequest, name string, wanted map[string]*fnv1.Resource) bool {
	observed := req.GetObserved().GetResources()
	renamed := func(name string) bool {
		was, there := observed[name]
		now, asked := wanted[name]
		return there && asked && manifest.String(tree{was.GetResource()}, "metadata", "name") != manifest.String(tree{now.GetResource()}, "metadata", "name")
	}
	composite := tree{req.GetObserved().GetComposite().GetResource()}
	switch name {
	case hardened.PublisherGenerator, hardened.PublisherPassword, hardened.PublisherRole, hardened.Publication, hardened.Subscription:
		// The confirmation that lets the rows flow no longer stands.
		return manifest.String(composite, "metadata", "annotations", claim.AnnotationReplicaIdentities) != manifest.String(composite, "spec", "bootstrap", "recovery", "source")
	case hardened.ConnectionSecret:
		return renamed(name)
	case hardened.AliasService, hardened.AliasSecret: // They go together.
		_, service := observed[hardened.AliasService]
		lost := !service && len(req.GetRequiredResources()[alias.AskServiceHolder].GetItems()) > 0 // Two claims took one part each.
		withdrawn := manifest.String(composite, "spec", "connection", "alias") == ""
		return withdrawn || lost || renamed(hardened.AliasService) || renamed(hardened.AliasSecret)
	}
	return false
}

// checkKinds says that no database comes into being where the control plane lacks a kind it cannot do without.
func checkKinds(t *testing.T, req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse) {
	t.Helper()
	desired := rsp.GetDesired().GetResources()
	capable := slices.Contains(req.GetMeta().GetCapabilities(), fnv1.Capability_CAPABILITY_REQUIRED_SCHEMAS)
	_, made := req.GetObserved().GetResources()[hardened.Cluster]
	if !capable || made || lives(req) || desired[hardened.Cluster] == nil || req.GetDesired().GetResources()[hardened.Cluster] != nil {
		return
	}
	for kind, object := range map[string]string{"cluster": hardened.Cluster, "object-store": hardened.ObjectStore, "external-secret": hardened.Credentials} {
		schema, answered := req.GetRequiredSchemas()["schema-"+kind]
		defined := slices.ContainsFunc(req.GetRequiredResources()["definition-"+kind].GetItems(), func(r *fnv1.Resource) bool {
			return world.Established(tree{r.GetResource()})
		})
		if answered && schema.GetOpenapiV3() == nil && !defined && desired[object] != nil {
			t.Errorf("a database is made where nobody knows the kind of its %s", object)
		}
	}
}

// checkContract holds what is emitted, but for what is only kept as it was observed, against the contract.
func checkContract(t *testing.T, req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, wanted map[string]*fnv1.Resource) {
	t.Helper()
	p, found := policy.Decode(fromStruct(req.GetInput()))
	if len(found.Violations()) > 0 || p == nil {
		t.Fatalf("accepted with a policy that is not: %s", found)
	}
	c, found := claim.Decode(compositeOf(req.GetObserved().GetComposite().GetResource()))
	if len(found) > 0 || c == nil {
		t.Fatalf("accepted with a claim that is not: %s", found)
	}
	var set []manifest.Object
	for _, name := range slices.Sorted(maps.Keys(rsp.GetDesired().GetResources())) {
		r := rsp.GetDesired().GetResources()[name].GetResource()
		if before := req.GetDesired().GetResources()[name]; before != nil && proto.Equal(before.GetResource(), r) {
			continue // Another step's.
		}
		if !keptAsObserved(req, name, r, wanted) {
			set = append(set, fromStruct(r))
		}
	}
	options := contract.OptionsFor(p)
	options.Complete = false // The gate holds parts of it back.
	waived := contract.WaiversFor(p, c.Namespace, c.Name, fixture.Now.Format(time.DateOnly))
	found = slices.DeleteFunc(waived.Apply(contract.JudgeManifests(set, options)).Violations(), func(f contract.Finding) bool {
		// How a living database was made is a fact, which the answer tells and must not change (ZDL-08).
		return lives(req) && (strings.HasPrefix(f.Path, "spec.bootstrap.") || strings.HasPrefix(f.Path, "spec.externalClusters"))
	})
	if len(found) > 0 {
		t.Errorf("what is emitted breaks the contract:\n%s", found)
	}
}

// keptAsObserved says whether a resource rightly stays what it was, for want of anything that says what else it should be.
func keptAsObserved(req *fnv1.RunFunctionRequest, name string, now *structpb.Struct, wanted map[string]*fnv1.Resource) bool {
	was := req.GetObserved().GetResources()[name].GetResource()
	if was == nil {
		return false
	}
	same := proto.Equal(now, asObserved(was))
	mended := !same && proto.Equal(now, toStruct(hardened.Orphaned(tree{was})))
	_, bootstrap := (tree{req.GetObserved().GetComposite().GetResource()}).Lookup("spec", "bootstrap")
	switch name {
	case hardened.ConnectionSecret, hardened.AliasService, hardened.AliasSecret:
		// It is let go of, and before that loses the leave to delete that somebody has given it.
		return mended || same && wanted[name] == nil
	case hardened.Cluster:
		held := proto.Equal(now, toStruct(hardened.Held(tree{was})))
		return (same || mended || held) && bootstrap && !lives(req) // Its source is not seen yet: it must not be made empty.
	}
	return (same || mended) && wanted[name] == nil // The policy has switched it off, or it is a source's.
}

// lives says whether a request shows the claim's Cluster.
func lives(req *fnv1.RunFunctionRequest) bool {
	wrapped := manifest.String(tree{req.GetObserved().GetResources()[hardened.Cluster].GetResource()}, "status", "atProvider", "manifest", "kind")
	return wrapped != "" || len(req.GetRequiredResources()["cluster"].GetItems()) > 0
}

// answerTo is one call as it arrives and leaves.
func answerTo(t *testing.T, f *Function, raw []byte, rsp *fnv1.RunFunctionResponse) []byte {
	t.Helper()
	req := &fnv1.RunFunctionRequest{}
	if err := proto.Unmarshal(raw, req); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	f.log = slog.New(slog.NewTextHandler(&log, nil))
	out, err := f.RunFunction(context.Background(), req)
	if err != nil {
		t.Fatalf("an error instead of an answer: %v", err)
	}
	if strings.Contains(log.String(), "panic") {
		t.Fatalf("a panic: %s", log.String())
	}
	checkSilence(t, log.Bytes())
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(out)
	if err != nil {
		t.Fatalf("the answer cannot be sent: %v", err)
	}
	proto.Merge(rsp, out)
	return encoded
}
