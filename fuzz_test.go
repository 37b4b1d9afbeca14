package main

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
)

// marker is a secret: wherever a request may carry one, the fuzz targets put it, and no response may repeat it.
const marker = "hunter2-MARKER-s3cr3t"

// fuzzSeeds are real requests: databases that are new, that live, and that are refused, in both scopes.
func fuzzSeeds(f *testing.F) []*fnv1.RunFunctionRequest {
	f.Helper()
	refused := firstCall(f, "example/claim.yaml", claim.ClusterScoped)
	refused.GetObserved().GetComposite().GetResource().GetFields()["spec"].GetStructValue().Fields["instances"] = structpb.NewNumberValue(1)
	return []*fnv1.RunFunctionRequest{
		{},
		refused,
		firstCall(f, "example/claim.yaml", claim.ClusterScoped),
		firstCall(f, "example/claim-full.yaml", claim.Namespaced),
		steadyState(f, "example/claim.yaml", claim.ClusterScoped),
		steadyState(f, "example/claim-full.yaml", claim.Namespaced),
	}
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
	if bytes.Contains(first, []byte(marker)) {
		t.Error("the answer repeats a secret of the request (ZDL-12)")
	}
	if text, fatal := fatalOf(rsp); fatal {
		if strings.Contains(text, "mistake of") {
			t.Errorf("a mistake of our own: %s", text)
		}
		return
	}
	observed, desired := req.GetObserved().GetResources(), rsp.GetDesired().GetResources()
	for name, r := range observed {
		protected := manifest.String(tree{r.GetResource()}, "metadata", "labels", hardened.LabelProtected) != ""
		if _, kept := desired[name]; !kept && !letGo[name] && (hardened.Known(name) || protected) {
			t.Errorf("%s exists and is let go of without a FATAL result (ZDL-04)", name)
		}
	}
	checkContract(t, req, rsp)
}

// letGo are the resources a claim's change lets go of on purpose, and then only of the Object, whose deletion deletes
// nothing: a stable name that is withdrawn or moved, a connection Secret that is renamed. Their own tests say when.
var letGo = map[string]bool{hardened.AliasService: true, hardened.AliasSecret: true, hardened.ConnectionSecret: true}

// checkContract holds what is emitted, but for what is only kept as it was observed, against the contract.
func checkContract(t *testing.T, req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse) {
	t.Helper()
	p, found := policy.Decode(fromStruct(req.GetInput()))
	if len(found.Violations()) > 0 || p == nil {
		t.Fatalf("accepted with a policy that is not: %s", found)
	}
	if len(p.Waivers) > 0 {
		return // Relaxed on the platform's word.
	}
	var set []manifest.Object
	for _, name := range slices.Sorted(maps.Keys(rsp.GetDesired().GetResources())) {
		r := rsp.GetDesired().GetResources()[name].GetResource()
		if before := req.GetDesired().GetResources()[name]; before != nil && proto.Equal(before.GetResource(), r) {
			continue // Another step's.
		}
		if was := req.GetObserved().GetResources()[name].GetResource(); was != nil && proto.Equal(asObserved(was), r) {
			continue
		}
		set = append(set, fromStruct(r))
	}
	options := contract.OptionsFor(p)
	options.Complete = false // The gate holds parts of it back.
	found = slices.DeleteFunc(contract.JudgeManifests(set, options).Violations(), func(f contract.Finding) bool {
		// How a living database was made is a fact, which the answer tells and must not change (ZDL-08).
		return lives(req) && (strings.HasPrefix(f.Path, "spec.bootstrap.") || strings.HasPrefix(f.Path, "spec.externalClusters"))
	})
	if len(found) > 0 {
		t.Errorf("what is emitted breaks the contract:\n%s", found)
	}
}

// lives says whether a request shows a Cluster that exists.
func lives(req *fnv1.RunFunctionRequest) bool {
	for _, answer := range req.GetRequiredResources() {
		for _, item := range answer.GetItems() {
			if manifest.String(tree{item.GetResource()}, "kind") == "Cluster" {
				return true
			}
		}
	}
	return req.GetObserved().GetResources()[hardened.Cluster] != nil
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
	if strings.Contains(log.String(), marker) {
		t.Error("the log repeats a secret of the request (ZDL-12)")
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(out)
	if err != nil {
		t.Fatalf("the answer cannot be sent: %v", err)
	}
	proto.Merge(rsp, out)
	return encoded
}

// plant puts the marker wherever a request carries secrets, but for what earlier steps of the pipeline desire and say:
// that is handed on as it is.
func plant(req *fnv1.RunFunctionRequest) {
	secret := map[string][]byte{"password": []byte(marker), marker: []byte("x")}
	if c := req.GetObserved().GetComposite(); c != nil {
		c.ConnectionDetails = secret
	}
	for _, r := range req.GetObserved().GetResources() {
		if r != nil {
			r.ConnectionDetails = secret
		}
	}
	req.Credentials = map[string]*fnv1.Credentials{"aws": {Source: &fnv1.Credentials_CredentialData{CredentialData: &fnv1.CredentialData{Data: secret}}}}
	kubernetes := toStruct(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "orders-app", "namespace": "shop"},
		"data": map[string]any{"password": marker}, "stringData": map[string]any{"password": marker},
	})
	for name, answer := range req.GetRequiredResources() {
		if answer == nil {
			continue
		}
		for _, item := range answer.GetItems() {
			item.ConnectionDetails = secret
		}
		if strings.HasPrefix(name, "source") {
			answer.Items = append(answer.Items, &fnv1.Resource{Resource: kubernetes, ConnectionDetails: secret})
		}
	}
	if req.RequiredResources == nil {
		req.RequiredResources = map[string]*fnv1.Resources{}
	}
	req.RequiredResources["connection"] = &fnv1.Resources{Items: []*fnv1.Resource{{Resource: kubernetes, ConnectionDetails: secret}}}
}

// mutator reads bytes as changes to a request.
type mutator struct{ program []byte }

// next is the next choice out of n; 0 when the program has ended.
func (m *mutator) next(n int) int {
	if len(m.program) == 0 || n == 0 {
		return 0
	}
	b := int(m.program[0])
	m.program = m.program[1:]
	return b % n
}

func (m *mutator) change(req *fnv1.RunFunctionRequest) {
	observed := req.GetObserved().GetResources()
	names := slices.Sorted(maps.Keys(observed))
	switch m.next(8) {
	case 0, 1:
		m.field(req.GetInput())
	case 2, 3:
		m.field(req.GetObserved().GetComposite().GetResource())
	case 4, 5:
		if len(names) > 0 {
			m.field(observed[names[m.next(len(names))]].GetResource())
		}
	case 6:
		if len(names) > 0 {
			delete(observed, names[m.next(len(names))])
		}
	case 7:
		asks := slices.Sorted(maps.Keys(req.GetRequiredResources()))
		if len(asks) == 0 {
			return
		}
		name := asks[m.next(len(asks))]
		switch items := req.GetRequiredResources()[name].GetItems(); {
		case m.next(3) == 0:
			delete(req.GetRequiredResources(), name)
		case len(items) == 0:
			req.RequiredResources[name] = &fnv1.Resources{Items: []*fnv1.Resource{{Resource: m.value(3).GetStructValue()}}}
		default:
			m.field(items[m.next(len(items))].GetResource())
		}
	}
}

// field walks down a struct and changes what it finds there.
func (m *mutator) field(s *structpb.Struct) {
	for depth := 0; s != nil && depth < 12; depth++ {
		keys := slices.Sorted(maps.Keys(s.GetFields()))
		if len(keys) == 0 {
			return
		}
		key := keys[m.next(len(keys))]
		v := s.GetFields()[key]
		if l := v.GetListValue().GetValues(); len(l) > 0 && m.next(4) > 0 {
			i := m.next(len(l))
			if l[i].GetStructValue() == nil {
				l[i] = m.value(len(hostile))
				return
			}
			s = l[i].GetStructValue()
			continue
		}
		if v.GetStructValue() != nil && m.next(4) > 0 {
			s = v.GetStructValue()
			continue
		}
		switch m.next(4) {
		case 0:
			delete(s.GetFields(), key)
		case 1:
			s.GetFields()[words[m.next(len(words))]] = m.value(len(hostile))
		default:
			s.GetFields()[key] = m.value(len(hostile))
		}
		return
	}
}

func (m *mutator) value(most int) *structpb.Value { return toValue(hostile[m.next(most)]) }

// hostile are values that are out of place wherever they stand.
var hostile = []any{
	map[string]any{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": map[string]any{"name": "orders"}},
	map[string]any{"source": "agent-db-v15"}, map[string]any{"recovery": map[string]any{"source": "agent-executor-db", "targetTime": "2026-11-20T10:00:00Z"}},
	nil, "", "a", true, false, int64(0), int64(-1), int64(1), int64(9007199254740993), 0.5, math.NaN(), math.Inf(1), 1e308, []any{}, []any{nil, []any{"a"}},
	map[string]any{}, strings.Repeat("x", 70000), "../../etc", "a'b\nfsync = off", "Delete", "*", "inTree", "existing", "0 * * * *", "17", "18", "postgres",
	"kubernetes.crossplane.io/v1alpha2", "True", "False", "COMPLIANCE", "GOVERNANCE", "Enabled", "{{ .password }}", "@primary{@pods}", "\u0000", "\u202e", []any{"*"}, "s3://other/x/",
}

// words are fields that mean something somewhere.
var words = []string{
	"fsync", "synchronous_commit", "managedFields", "bootstrap", "claimRef", "crossplane", "deletionPolicy", "managementPolicies", "status", "spec", "waivers",
	"parameters", "cnpg.io/hibernation", "cnpg.io/skipWalArchiving", "deletionTimestamp", "replica", "backup", "resources", "alias", "kind", "namespace", "x",
}
