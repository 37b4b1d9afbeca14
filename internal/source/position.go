package source

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Position returns line and column of the field at a path in the form findings use: spec.backup.schedule,
// spec.plugins[0].parameters, spec.parameters.fsync, metadata.labels[app.kubernetes.io/name]. Where the field does not
// exist, as with one that is missing, it is the nearest one around it that does; for a path of "" the document itself.
func (d Document) Position(path string) (line, column int) {
	if d.root == nil {
		return d.Start, 1
	}
	at, _ := find(d.root, d.root, path)
	return at.Line, at.Column
}

// Unwrap returns the manifest inside a provider-kubernetes Object as a document of its own, for findings speak of it
// and not of the Object around it. Other documents stay what they are.
func (d Document) Unwrap() Document {
	inner := d.Object.Unwrap()
	if !d.Object.IsWrapper() || inner == nil {
		return d
	}
	root := d.root
	for _, name := range []string{"spec", "forProvider", "manifest"} {
		root = resolve(child(root, name))
	}
	return Document{File: d.File, Object: inner, Start: root.Line, root: root}
}

// find walks path from node n, whose own place is at, and returns the place of the deepest field that exists together
// with what was left of the path there. Keys may contain dots, so every key that fits is tried.
func find(n, at *yaml.Node, path string) (*yaml.Node, string) {
	if path == "" {
		return at, ""
	}
	best, left := at, path
	try := func(n, at *yaml.Node, rest string) {
		if place, restLeft := find(n, at, rest); len(restLeft) <= len(left) { // Of equals the last one counts.
			best, left = place, restLeft
		}
	}
	n = resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		pairs(n, 0, func(key, value *yaml.Node) {
			name, _ := keyName(key)
			if rest, ok := after(path, name); ok {
				try(value, key, rest)
			}
		})
	case yaml.SequenceNode:
		index, rest, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
		i, err := strconv.Atoi(index)
		if ok && err == nil && path[0] == '[' && i >= 0 && i < len(n.Content) {
			try(n.Content[i], n.Content[i], strings.TrimPrefix(rest, "."))
		}
	}
	return best, left
}

// after returns what follows name in path, where path starts with it: written plainly, in brackets, or in brackets and
// quotes.
func after(path, name string) (string, bool) {
	for _, form := range []string{name, "[" + name + "]", "[" + strconv.Quote(name) + "]"} {
		rest, ok := strings.CutPrefix(path, form)
		switch {
		case !ok || form == "":
		case rest == "":
			return "", true
		case rest[0] == '.':
			return rest[1:], true
		case rest[0] == '[':
			return rest, true
		}
	}
	return "", false
}

// pairs visits the keys of a mapping, those that `<<` merges included, the one that counts last.
func pairs(n *yaml.Node, depth int, visit func(key, value *yaml.Node)) {
	n = resolve(n)
	if depth > maxDepth {
		return
	}
	if n.Kind == yaml.SequenceNode { // What `<<` merges: the first one wins.
		for _, v := range slices.Backward(n.Content) {
			pairs(v, depth+1, visit)
		}
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key, value := n.Content[i], n.Content[i+1]; isMerge(key) {
			pairs(value, depth+1, visit)
		} else {
			visit(key, value)
		}
	}
}

// child returns the value of a key that is known to be there.
func child(n *yaml.Node, name string) *yaml.Node {
	found := &yaml.Node{}
	pairs(n, 0, func(key, value *yaml.Node) {
		if is, _ := keyName(key); is == name {
			found = value
		}
	})
	return found
}
