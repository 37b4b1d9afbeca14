package main

import (
	"slices"
	"sync/atomic"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
)

// policyCache keeps the last sound policy: every claim of a Composition brings the same one with every call, and to
// decode and judge it is a sixth of the function's work. It holds exactly one, and nobody changes it.
type policyCache struct{ last atomic.Pointer[decodedPolicy] }

type decodedPolicy struct {
	input  *structpb.Struct
	policy *v1beta1.Policy
}

// get returns the decoded policy, nil where there is anything to say about it: findings belong to one call.
func (c *policyCache) get(input *structpb.Struct) *v1beta1.Policy {
	if last := c.last.Load(); last != nil && same(last.input, input) {
		return last.policy
	}
	p, found := policy.Decode(fromStruct(input))
	if p == nil || len(found) > 0 {
		return nil
	}
	c.last.Store(&decodedPolicy{input, p})
	return p
}

// same says whether two documents say the same. Unlike proto.Equal it costs no allocation.
func same(a, b *structpb.Struct) bool {
	if len(a.GetFields()) != len(b.GetFields()) {
		return false
	}
	for key, v := range a.GetFields() {
		if w, ok := b.GetFields()[key]; !ok || !sameValue(v, w) {
			return false
		}
	}
	return true
}

func sameValue(a, b *structpb.Value) bool {
	switch kind := a.GetKind().(type) {
	case *structpb.Value_StringValue:
		other, ok := b.GetKind().(*structpb.Value_StringValue)
		return ok && kind.StringValue == other.StringValue
	case *structpb.Value_NumberValue:
		other, ok := b.GetKind().(*structpb.Value_NumberValue)
		return ok && kind.NumberValue == other.NumberValue
	case *structpb.Value_BoolValue:
		other, ok := b.GetKind().(*structpb.Value_BoolValue)
		return ok && kind.BoolValue == other.BoolValue
	case *structpb.Value_StructValue:
		other, ok := b.GetKind().(*structpb.Value_StructValue)
		return ok && same(kind.StructValue, other.StructValue)
	case *structpb.Value_ListValue:
		other, ok := b.GetKind().(*structpb.Value_ListValue)
		return ok && slices.EqualFunc(kind.ListValue.GetValues(), other.ListValue.GetValues(), sameValue)
	case *structpb.Value_NullValue:
		_, ok := b.GetKind().(*structpb.Value_NullValue)
		return ok
	}
	return false // Not set: no JSON has such a value.
}
