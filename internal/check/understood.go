package check

import (
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// placeholder is a name that gives no findings of its own.
const placeholder = "unnamed"

// understood is what remains of a claim without what cannot be understood of it, so that the rest can be judged in the
// same run. It is only ever judged, never used.
func understood(claim manifest.Object, found contract.Findings) manifest.Object {
	o := manifest.Object(manifest.CopyMap(claim))
	for _, f := range found {
		if name, ok := strings.CutPrefix(f.Path, "metadata."); ok {
			if metadata, ok := o["metadata"].(map[string]any); ok {
				metadata[name] = placeholder
			}
			continue
		}
		remove(o, f.Path)
	}
	return o
}

// remove takes the field at path away; where it is missing, what it is missing from; where it lies in a list, the list.
func remove(o manifest.Object, path string) {
	var at any = map[string]any(o)
	var holder map[string]any
	last := ""
	for _, step := range steps(path) {
		m, ok := at.(map[string]any)
		if !ok {
			break
		}
		value, there := m[step]
		if !there {
			break
		}
		holder, last, at = m, step, value
	}
	delete(holder, last)
}

// steps takes a path apart: spec.parameters[a.b] is spec, parameters, a.b.
func steps(path string) []string {
	var out []string
	for path != "" {
		var step string
		if path[0] == '[' {
			step, path, _ = strings.Cut(path[1:], "]")
		} else {
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			step, path = path[:end], path[end:]
		}
		out = append(out, step)
		path = strings.TrimPrefix(path, ".")
	}
	return out
}
