// Package manifest holds one Kubernetes object the way every layer of this product hands it around: a JSON-shaped map.
//
// Only string, bool, int64, float64, []any and map[string]any occur as values, so an Object converts to JSON and to a
// protobuf Struct without reflection. The package knows no kind but provider-kubernetes' Object, which wraps another
// manifest so that it outlives the composite resource (rule CNPG-4.1).
package manifest

import (
	"strconv"
	"strings"
)

// Object is one Kubernetes object.
type Object map[string]any

// APIVersion returns apiVersion, or "" where there is none.
func (o Object) APIVersion() string { return String(o, "apiVersion") }

// Kind returns kind, or "" where there is none.
func (o Object) Kind() string { return String(o, "kind") }

// Name returns metadata.name, or "" where there is none.
func (o Object) Name() string { return String(o, "metadata", "name") }

// Namespace returns metadata.namespace, or "" where there is none.
func (o Object) Namespace() string { return String(o, "metadata", "namespace") }

// Group returns the API group: "postgresql.cnpg.io" of "postgresql.cnpg.io/v1", "" for the core group.
func (o Object) Group() string {
	group, _, found := strings.Cut(o.APIVersion(), "/")
	if !found {
		return ""
	}
	return group
}

// Lookup returns the value at a path of map keys. A numeric element indexes a list.
func (o Object) Lookup(path ...string) (any, bool) {
	var at any = map[string]any(o)
	for _, key := range path {
		switch v := at.(type) {
		case map[string]any:
			next, ok := v[key]
			if !ok {
				return nil, false
			}
			at = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			at = v[i]
		default:
			return nil, false
		}
	}
	return at, true
}

// The groups of provider-kubernetes' Object: cluster-scoped (legacy) and namespaced.
const (
	ObjectGroupCluster    = "kubernetes.crossplane.io"
	ObjectGroupNamespaced = "kubernetes.m.crossplane.io"
)

// IsWrapper says whether o is a provider-kubernetes Object, in either scope.
func (o Object) IsWrapper() bool {
	return o.Kind() == "Object" && (o.Group() == ObjectGroupCluster || o.Group() == ObjectGroupNamespaced)
}

// Unwrap returns the manifest inside a provider-kubernetes Object, and o itself for every other kind. A wrapper without
// a manifest gives nil.
func (o Object) Unwrap() Object {
	if !o.IsWrapper() {
		return o
	}
	return Map(o, "spec", "forProvider", "manifest")
}
