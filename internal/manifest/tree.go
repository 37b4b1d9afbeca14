package manifest

import (
	"math"
)

// Tree is a read-only view of one object. A decoded map implements it, and so does the request's own protobuf struct:
// reading three fields of a large observed object then costs three look-ups instead of a copy of it.
type Tree interface {
	// Lookup returns the value at a path of map keys (a numeric element indexes a list). Scalars come as string, bool,
	// int64 or float64, an empty list as []any; maps and other lists in whatever form the implementation holds them: use
	// Items and Keys.
	Lookup(path ...string) (any, bool)
	// Items returns the elements of the list at path as trees; nil where there is none.
	Items(path ...string) []Tree
	// Keys returns the sorted keys of the map at path; nil where there is none.
	Keys(path ...string) []string
}

// String returns the string at path, or "".
func String(t Tree, path ...string) string {
	v, _ := t.Lookup(path...)
	s, _ := v.(string)
	return s
}

// Bool returns the boolean at path and whether there is one.
func Bool(t Tree, path ...string) (value, ok bool) {
	v, _ := t.Lookup(path...)
	value, ok = v.(bool)
	return value, ok
}

// Int returns the whole number at path and whether there is one. JSON numbers arrive as float64 or int64: both count.
func Int(t Tree, path ...string) (int64, bool) {
	v, _ := t.Lookup(path...)
	switch n := v.(type) {
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

// Map returns the map at path as an Object, or nil.
func Map(o Object, path ...string) Object {
	v, _ := o.Lookup(path...)
	m, _ := v.(map[string]any)
	return m
}

// List returns the list at path, or nil.
func List(o Object, path ...string) []any {
	v, _ := o.Lookup(path...)
	l, _ := v.([]any)
	return l
}

// Strings returns the strings of the list at path, leaving out whatever is not one.
func Strings(o Object, path ...string) []string {
	var out []string
	for _, v := range List(o, path...) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// Items implements Tree.
func (o Object) Items(path ...string) []Tree {
	list := List(o, path...)
	out := make([]Tree, 0, len(list))
	for _, v := range list {
		m, _ := v.(map[string]any)
		out = append(out, Object(m))
	}
	return out
}

// Keys implements Tree.
func (o Object) Keys(path ...string) []string { return SortedKeys(Map(o, path...)) }
