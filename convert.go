package main

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// The protobuf Structs of a request and the JSON-shaped maps of the core. Observed objects are large and only a few of
// their fields are read, so they are looked at in place; what is small or new is converted.

// tree reads an observed object where it lies.
type tree struct{ *structpb.Struct }

var _ manifest.Tree = tree{}

// Lookup implements manifest.Tree. Maps and lists come as their protobuf form: Items and Keys read them.
func (t tree) Lookup(path ...string) (any, bool) {
	v, ok := t.at(path)
	if !ok {
		return nil, false
	}
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		return kind.StringValue, true
	case *structpb.Value_NumberValue:
		return kind.NumberValue, true
	case *structpb.Value_BoolValue:
		return kind.BoolValue, true
	case *structpb.Value_StructValue:
		return kind.StructValue, true
	case *structpb.Value_ListValue:
		if len(kind.ListValue.GetValues()) == 0 {
			return []any{}, true
		}
		return kind.ListValue, true
	}
	return nil, true
}

func (t tree) at(path []string) (*structpb.Value, bool) {
	fields := t.GetFields()
	for i, key := range path {
		v, ok := fields[key]
		for ok && i+1 < len(path) && v.GetListValue() != nil {
			// A list inside the path: the next key indexes it.
			n, err := strconv.Atoi(path[i+1])
			values := v.GetListValue().GetValues()
			if err != nil || n < 0 || n >= len(values) {
				return nil, false
			}
			return descend(values[n], path[i+2:])
		}
		if !ok {
			return nil, false
		}
		if i == len(path)-1 {
			return v, true
		}
		fields = v.GetStructValue().GetFields()
	}
	return structpb.NewStructValue(t.Struct), true
}

// descend goes on inside the element of a list.
func descend(v *structpb.Value, path []string) (*structpb.Value, bool) {
	if len(path) == 0 {
		return v, true
	}
	if inner := v.GetStructValue(); inner != nil {
		return tree{inner}.at(path)
	}
	return nil, false
}

// Items implements manifest.Tree.
func (t tree) Items(path ...string) []manifest.Tree {
	v, ok := t.at(path)
	if !ok {
		return nil
	}
	values := v.GetListValue().GetValues()
	out := make([]manifest.Tree, len(values))
	for i, item := range values {
		out[i] = tree{item.GetStructValue()}
	}
	return out
}

// Keys implements manifest.Tree.
func (t tree) Keys(path ...string) []string {
	v, ok := t.at(path)
	if !ok || len(v.GetStructValue().GetFields()) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(v.GetStructValue().GetFields()))
}

// fromStruct converts a small object; deeper nesting than any Kubernetes object has is cut off, so that hostile input
// cannot exhaust the stack.
func fromStruct(s *structpb.Struct) map[string]any { return fromFields(s.GetFields(), 0) }

const maxDepth = 64

func fromFields(fields map[string]*structpb.Value, depth int) map[string]any {
	out := make(map[string]any, len(fields))
	for key, v := range fields {
		out[key] = fromValue(v, depth+1)
	}
	return out
}

func fromValue(v *structpb.Value, depth int) any {
	if depth > maxDepth {
		return nil
	}
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		return kind.StringValue
	case *structpb.Value_NumberValue:
		return kind.NumberValue
	case *structpb.Value_BoolValue:
		return kind.BoolValue
	case *structpb.Value_StructValue:
		return fromFields(kind.StructValue.GetFields(), depth)
	case *structpb.Value_ListValue:
		out := make([]any, len(kind.ListValue.GetValues()))
		for i, item := range kind.ListValue.GetValues() {
			out[i] = fromValue(item, depth+1)
		}
		return out
	}
	return nil
}

// toStruct converts what the core made.
func toStruct(m map[string]any) *structpb.Struct { return toStructLike(m, nil) }

// toStructLike is toStruct for what was observed before: whatever part of it still says the same is taken from there
// instead of being made again. In the steady state that is nearly everything.
func toStructLike(m map[string]any, was *structpb.Struct) *structpb.Struct {
	fields, same := new(texts).fields(m, was.GetFields())
	if same { // Its owner may add to what it gets.
		fields = maps.Clone(fields)
	}
	return &structpb.Struct{Fields: fields}
}

// A value in a protobuf Struct is two or three objects that point at each other. Made in one piece they cost one
// allocation: a response holds thousands of them. Most are texts, which are made several at a time.
type (
	textValue struct {
		value structpb.Value
		kind  structpb.Value_StringValue
	}
	numberValue struct {
		value structpb.Value
		kind  structpb.Value_NumberValue
	}
	boolValue struct {
		value structpb.Value
		kind  structpb.Value_BoolValue
	}
	structValue struct {
		value structpb.Value
		kind  structpb.Value_StructValue
		of    structpb.Struct
	}
	listValue struct {
		value structpb.Value
		kind  structpb.Value_ListValue
		of    structpb.ListValue
	}
)

// texts are values nobody uses yet. One response owns them all, so none outlives its neighbours.
type texts []textValue

func (t *texts) next(s string) *structpb.Value {
	if len(*t) == 0 {
		*t = make(texts, 16)
	}
	out := &(*t)[0]
	*t = (*t)[1:]
	out.kind.StringValue = s
	out.value.Kind = &out.kind
	return &out.value
}

// fields converts a mapping. Where it is the same as it was, that comes back.
func (t *texts) fields(m map[string]any, was map[string]*structpb.Value) (out map[string]*structpb.Value, same bool) {
	same = was != nil && len(m) == len(was)
	if !same {
		out = make(map[string]*structpb.Value, len(m))
	}
	for key, v := range m {
		before := was[key]
		value := t.convert(v, before)
		if same && value == before {
			continue
		}
		if same { // Up to here it was; what follows is overwritten.
			same = false
			out = make(map[string]*structpb.Value, len(m))
			for key := range m {
				out[key] = was[key]
			}
		}
		out[key] = value
	}
	if same {
		return was, true
	}
	return out, false
}

// items is fields for a list.
func (t *texts) items(list []any, was []*structpb.Value) (out []*structpb.Value, same bool) {
	same = len(list) == len(was)
	if !same {
		out = make([]*structpb.Value, len(list))
	}
	for i, v := range list {
		var before *structpb.Value
		if i < len(was) {
			before = was[i]
		}
		value := t.convert(v, before)
		if same && value == before {
			continue
		}
		if same {
			same = false
			out = slices.Clone(was)
		}
		out[i] = value
	}
	if same {
		return was, true
	}
	return out, false
}

// convert makes a value, or returns the one that was where it says exactly the same.
func (t *texts) convert(v any, was *structpb.Value) *structpb.Value {
	switch v := v.(type) {
	case string:
		if before, ok := was.GetKind().(*structpb.Value_StringValue); ok && before.StringValue == v {
			return was
		}
		return t.next(v)
	case bool:
		if before, ok := was.GetKind().(*structpb.Value_BoolValue); ok && before.BoolValue == v {
			return was
		}
		out := &boolValue{kind: structpb.Value_BoolValue{BoolValue: v}}
		out.value.Kind = &out.kind
		return &out.value
	case int64:
		return toNumber(float64(v), was)
	case int:
		return toNumber(float64(v), was)
	case float64:
		return toNumber(v, was)
	case map[string]any:
		_, mapping := was.GetKind().(*structpb.Value_StructValue)
		fields, same := t.fields(v, was.GetStructValue().GetFields())
		if mapping && same {
			return was
		}
		out := &structValue{}
		out.of.Fields = fields
		out.kind.StructValue = &out.of
		out.value.Kind = &out.kind
		return &out.value
	case manifest.Object:
		return t.convert(map[string]any(v), was)
	case []any:
		_, list := was.GetKind().(*structpb.Value_ListValue)
		values, same := t.items(v, was.GetListValue().GetValues())
		if list && same {
			return was
		}
		out := &listValue{}
		out.of.Values = values
		out.kind.ListValue = &out.of
		out.value.Kind = &out.kind
		return &out.value
	}
	return structpb.NewNullValue()
}

func toNumber(n float64, was *structpb.Value) *structpb.Value {
	// By their bits: zero has two of them, and both are equal to each other.
	if before, ok := was.GetKind().(*structpb.Value_NumberValue); ok && math.Float64bits(before.NumberValue) == math.Float64bits(n) {
		return was
	}
	out := &numberValue{kind: structpb.Value_NumberValue{NumberValue: n}}
	out.value.Kind = &out.kind
	return &out.value
}
