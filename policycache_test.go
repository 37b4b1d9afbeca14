package main

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
)

func TestPolicyCache(t *testing.T) {
	c := &policyCache{}
	first, equal := yamlStruct(t, minimalPolicy), yamlStruct(t, minimalPolicy)
	p := c.get(first)
	if p == nil || c.get(equal) != p {
		t.Error("an equal policy is decoded again")
	}
	equal.Fields["storageClassName"] = structpb.NewStringValue("other")
	if other := c.get(equal); other == nil || other == p || other.StorageClassName != "other" {
		t.Error("another policy is taken for the one before")
	}
	equal = proto.CloneOf(equal)
	equal.Fields["storageClasName"] = structpb.NewStringValue("other")
	if c.get(equal) != nil {
		t.Error("a policy with findings is kept: nobody would be told of them")
	}
	if c.get(nil) != nil {
		t.Error("no policy is a policy")
	}
}

// TestPolicyIsNotChanged shares one policy among many calls at once: none changes it.
func TestPolicyIsNotChanged(t *testing.T) {
	f := function()
	req := steadyState(t, "example/claim-full.yaml", claim.Namespaced)
	before, err := json.Marshal(f.policies.get(req.GetInput()))
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			if _, err := f.RunFunction(context.Background(), proto.CloneOf(req)); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	after, err := json.Marshal(f.policies.get(req.GetInput()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
}

func TestSame(t *testing.T) {
	kinds := []any{nil, "", "a", true, false, int64(0), int64(1), []any{}, []any{"a"}, []any{"b"}, map[string]any{}, map[string]any{"a": nil}, map[string]any{"a": "b"}, map[string]any{"b": "b"}}
	for i, a := range kinds {
		for j, b := range kinds {
			left, right := toStruct(map[string]any{"x": a}), toStruct(map[string]any{"x": b})
			if got := same(left, right); got != (i == j) {
				t.Errorf("%#v and %#v: same is %v", a, b, got)
			}
		}
	}
	if same(toStruct(map[string]any{"x": nil}), toStruct(map[string]any{"y": nil})) {
		t.Error("other keys are the same")
	}
}
