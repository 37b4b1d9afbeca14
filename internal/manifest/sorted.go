package manifest

import (
	"maps"
	"slices"
)

// SortedKeys returns the keys of m in order: every loop whose result leaves the process goes through it (ZDL-13).
func SortedKeys[M ~map[string]V, V any](m M) []string { return slices.Sorted(maps.Keys(m)) }
