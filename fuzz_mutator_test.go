package main

import (
	"maps"
	"math"
	"slices"
	"strings"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/protobuf/types/known/structpb"
)

// How FuzzWorld changes a real request: bytes choose a field and what stands there instead.

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
		schemas := slices.Sorted(maps.Keys(req.GetRequiredSchemas()))
		asks := append(slices.Sorted(maps.Keys(req.GetRequiredResources())), schemas...)
		if len(asks) == 0 {
			return
		}
		name := asks[m.next(len(asks))]
		if slices.Contains(schemas, name) {
			m.schema(req, name)
			return
		}
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

// schema changes what is said about a kind.
func (m *mutator) schema(req *fnv1.RunFunctionRequest, name string) {
	switch m.next(3) {
	case 0:
		delete(req.GetRequiredSchemas(), name)
	case 1:
		req.RequiredSchemas[name] = &fnv1.Schema{} // The control plane does not know it.
	default:
		m.field(req.GetRequiredSchemas()[name].GetOpenapiV3())
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
