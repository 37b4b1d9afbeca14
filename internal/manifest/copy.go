package manifest

import "slices"

import "strconv"

// Copy returns what lies at a path of any tree as plain JSON-shaped values that share nothing with it, and nil where
// nothing does.
func Copy(t Tree, path ...string) any {
	v, ok := t.Lookup(path...)
	if !ok {
		return nil
	}
	switch v := v.(type) {
	case nil, string, bool, int64, float64:
		return v
	case int:
		return int64(v)
	}
	// Lists and maps come in whatever form the tree holds them: only Items and Keys are common to all.
	if items := t.Items(path...); len(items) > 0 {
		list := make([]any, len(items))
		for i := range items {
			list[i] = Copy(t, below(path, strconv.Itoa(i))...)
		}
		return list
	}
	if _, isList := v.([]any); isList {
		return []any{}
	}
	m := map[string]any{}
	for _, key := range t.Keys(path...) {
		m[key] = Copy(t, below(path, key)...)
	}
	return m
}

// CopyMap returns a copy of the map at path, or nil where there is none.
func CopyMap(t Tree, path ...string) map[string]any {
	m, _ := Copy(t, path...).(map[string]any)
	return m
}

// CopyList returns a copy of the list at path, or nil where there is none.
func CopyList(t Tree, path ...string) []any {
	l, _ := Copy(t, path...).([]any)
	return l
}

func below(path []string, key string) []string {
	return append(slices.Clip(path), key)
}

// Applied is an object once what somebody asks for has been applied to it server-side: maps are merged, everything else
// is as asked. The object is changed.
func Applied(o, asked Object) Object {
	for key, value := range asked {
		there, _ := o[key].(map[string]any)
		if wanted, asksMap := value.(map[string]any); there != nil && asksMap {
			o[key] = map[string]any(Applied(there, wanted))
		} else {
			o[key] = value
		}
	}
	return o
}
