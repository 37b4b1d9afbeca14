package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// function is the function as it serves, on the fixture's day.
func function() *Function {
	return &Function{log: slog.New(slog.DiscardHandler), now: func() time.Time { return fixture.Now }}
}

// exampleClaim reads a claim of the examples.
func exampleClaim(t testing.TB, file string) manifest.Object {
	t.Helper()
	documents, err := source.Open([]string{file}, nil)
	if err != nil || len(documents) != 1 {
		t.Fatalf("cannot read %s: %d documents, %v", file, len(documents), err)
	}
	return documents[0].Object
}

// examplePolicy is the policy of example/composition.yaml.
func examplePolicy(t testing.TB) manifest.Object {
	t.Helper()
	policy, err := readPolicy("", "example/composition.yaml", &streams{err: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// requestOf is the request Crossplane sends in this world.
func requestOf(w *fixture.World) *fnv1.RunFunctionRequest {
	req := &fnv1.RunFunctionRequest{
		Meta:  &fnv1.RequestMeta{Tag: "5f0c1d6a8f1d4f8f9b1f2f6a5e7c3b2d"},
		Input: toStruct(w.Policy),
		Observed: &fnv1.State{
			Composite: &fnv1.Resource{Resource: toStruct(w.Composite)},
			Resources: make(map[string]*fnv1.Resource, len(w.Observed)),
		},
		RequiredResources: make(map[string]*fnv1.Resources, len(w.Required)),
	}
	for name, o := range w.Observed {
		req.Observed.Resources[name] = &fnv1.Resource{Resource: toStruct(o)}
	}
	for name, answer := range w.Required {
		r := &fnv1.Resources{}
		for _, o := range answer {
			r.Items = append(r.Items, &fnv1.Resource{Resource: toStruct(o)})
		}
		req.RequiredResources[name] = r
	}
	return req
}

// steadyState is the request of every minute of a database's life: everything observed, everything healthy.
func steadyState(t testing.TB, file string, scope claim.Scope) *fnv1.RunFunctionRequest {
	t.Helper()
	return requestOf(fixture.Observed(t, exampleClaim(t, file), examplePolicy(t), scope))
}

// firstCall is the request for a claim that has just been committed.
func firstCall(t testing.TB, file string, scope claim.Scope) *fnv1.RunFunctionRequest {
	t.Helper()
	return requestOf(fixture.New(exampleClaim(t, file), examplePolicy(t), scope))
}

// gateOpen is the request of the call in which the Cluster comes into being: all it waits for is in force.
func gateOpen(t testing.TB, file string, scope claim.Scope) *fnv1.RunFunctionRequest {
	t.Helper()
	w := fixture.New(exampleClaim(t, file), examplePolicy(t), scope)
	w.Step(t)
	w.Step(t)
	return requestOf(w)
}

// asksSchemas turns a request into one of a Crossplane that can say which kinds it has. It knows them all but the one it
// lacks, if any, and that one's definition is there: it has just been installed.
func asksSchemas(t testing.TB, req *fnv1.RunFunctionRequest, lacks string) *fnv1.RunFunctionRequest {
	t.Helper()
	asks := func() *fnv1.Requirements {
		rsp, err := function().RunFunction(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		return rsp.GetRequirements()
	}
	schema := func() map[string]any {
		return map[string]any{"properties": map[string]any{"spec": map[string]any{"properties": map[string]any{"primaryLease": map[string]any{}}}}}
	}
	req.Meta.Capabilities = []fnv1.Capability{fnv1.Capability_CAPABILITY_REQUIRED_SCHEMAS}
	req.RequiredSchemas = map[string]*fnv1.Schema{}
	for name, ask := range asks().GetSchemas() {
		req.RequiredSchemas[name] = &fnv1.Schema{}
		if ask.GetKind() != lacks {
			req.RequiredSchemas[name].OpenapiV3 = toStruct(schema())
		}
	}
	for name, ask := range asks().GetResources() {
		if ask.GetKind() == "CustomResourceDefinition" {
			req.RequiredResources[name] = &fnv1.Resources{Items: []*fnv1.Resource{{Resource: toStruct(map[string]any{
				"apiVersion": ask.GetApiVersion(), "kind": ask.GetKind(), "metadata": map[string]any{"name": ask.GetMatchName()},
				"spec":   map[string]any{"versions": []any{map[string]any{"name": "v1", "served": true, "schema": map[string]any{"openAPIV3Schema": schema()}}}},
				"status": map[string]any{"conditions": []any{map[string]any{"type": "Established", "status": "True"}}},
			})}}}
		}
	}
	return req
}

// inTrouble lets everything that reports anything report a failure.
func inTrouble(req *fnv1.RunFunctionRequest) *fnv1.RunFunctionRequest {
	fail := func(r *fnv1.Resource, path ...string) {
		for _, c := range (tree{r.GetResource()}).Items(path...) {
			if condition, ok := c.(tree); ok {
				condition.Fields["status"] = toValue("False")
				condition.Fields["message"] = toValue("connection refused")
			}
		}
	}
	for _, r := range req.GetObserved().GetResources() {
		fail(r, "status", "conditions")
		fail(r, "status", "atProvider", "manifest", "status", "conditions")
	}
	for _, answer := range req.GetRequiredResources() {
		for _, r := range answer.GetItems() {
			fail(r, "status", "conditions")
		}
	}
	return req
}

// grown is a steady state whose claim owns n more resources than the set has: what a policy once switched on, or
// the leftovers of a source. They are kept for ever, so that cost may not grow faster than their number.
func grown(t testing.TB, steady *fnv1.RunFunctionRequest, n int) *fnv1.RunFunctionRequest {
	t.Helper()
	req, ok := proto.Clone(steady).(*fnv1.RunFunctionRequest)
	if !ok {
		t.Fatal("cannot clone a request")
	}
	like := req.GetObserved().GetResources()["scheduled-backup"]
	for i := range n {
		more, ok := proto.Clone(like).(*fnv1.Resource)
		if !ok {
			t.Fatal("cannot clone a resource")
		}
		name := fmt.Sprintf("tablespace-%03d", i)
		more.GetResource().GetFields()["metadata"].GetStructValue().GetFields()["name"] = structpb.NewStringValue(name)
		req.Observed.Resources[name] = more
	}
	return req
}

var requests = flag.String("requests", "", "directory to write requests to, for a load generator")

// TestWriteRequests writes the requests that are measured, where -requests says.
func TestWriteRequests(t *testing.T) {
	if *requests == "" {
		t.Skip("no -requests")
	}
	steady := steadyState(t, "example/claim.yaml", claim.ClusterScoped)
	all := map[string]*fnv1.RunFunctionRequest{
		"steady": steady,
		"first":  firstCall(t, "example/claim.yaml", claim.ClusterScoped),
	}
	for _, n := range []int{0, 25, 50, 75, 100, 125, 150, 175, 200} {
		all[fmt.Sprintf("scale-%03d", n)] = grown(t, steady, n)
	}
	maps.Copy(all, peerRequests(t, steady))
	if err := os.MkdirAll(*requests, 0o750); err != nil {
		t.Fatal(err)
	}
	for name, req := range all {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*requests, name+".pb"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
