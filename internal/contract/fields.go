package contract

import (
	"math"
	"strconv"
)

// The judges read decoded manifests one level at a time. These helpers never allocate: the manifest rules run on every
// reconcile of every claim.

// node is one mapping of a decoded manifest.
type node = map[string]any

// sub returns the mapping under a key, nil where there is none.
func sub(m node, key string) node {
	n, _ := m[key].(node)
	return n
}

// text returns the string under a key, "" where there is none.
func text(m node, key string) string {
	s, _ := m[key].(string)
	return s
}

// items returns the list under a key, nil where there is none.
func items(m node, key string) []any {
	l, _ := m[key].([]any)
	return l
}

// boolean returns the boolean under a key and whether there is one.
func boolean(m node, key string) (value, said bool) {
	value, said = m[key].(bool)
	return value, said
}

// integer returns the whole number under a key and whether there is one.
func integer(m node, key string) (int64, bool) {
	switch n := m[key].(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), true
		}
	}
	return 0, false
}

// has says whether there is anything under a key.
func has(m node, key string) bool {
	v, ok := m[key]
	return ok && v != nil
}

// eachMap calls visit for the mapping under a key, or for each mapping of the list under it, with the path that leads
// there. provider-aws writes one and the same structure either way, depending on the version of the API.
func eachMap(m node, key, at string, visit func(n node, at string)) {
	switch v := m[key].(type) {
	case node:
		visit(v, join(at, key))
	case []any:
		for i, item := range v {
			n, _ := item.(node)
			visit(n, index(join(at, key), i))
		}
	}
}

// first returns the mapping under a key, or the first of the list under it.
func first(m node, key string) node {
	switch v := m[key].(type) {
	case node:
		return v
	case []any:
		if len(v) > 0 {
			n, _ := v[0].(node)
			return n
		}
	}
	return nil
}

// firstAt is the path of what first returns along some keys.
func firstAt(m node, at string, keys ...string) string {
	for _, key := range keys {
		at = join(at, key)
		if list, ok := m[key].([]any); ok && len(list) > 0 {
			at = index(at, 0)
		}
		m = first(m, key)
	}
	return at
}

// written renders a scalar the way it stands in the file; "" for anything that is not one.
func written(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// settings reads a mapping of scalars, whatever their type: an unquoted `fsync: off` is a boolean by the time it gets
// here, and still the same setting.
func settings(m node, key string) map[string]string {
	from := sub(m, key)
	if len(from) == 0 {
		return nil
	}
	out := make(map[string]string, len(from))
	for name, value := range from {
		out[name] = written(value)
	}
	return out
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
