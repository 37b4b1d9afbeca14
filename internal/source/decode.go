package source

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

const (
	// maxDepth is deeper than any Kubernetes object and keeps recursion, and what is expanded from aliases, small.
	maxDepth = 100
	// maxAliased bounds what aliases may expand to: nine lines of YAML can ask for gigabytes.
	maxAliased = 100_000
)

// decoder turns nodes into the values manifest.Object is made of; nil stands for YAML's null.
type decoder struct {
	file     string
	problems []error
	// aliased counts the nodes decoded through an alias.
	aliased int
	inAlias bool
	// stopped is set by a problem that makes going on dangerous.
	stopped bool
}

func (d *decoder) failf(n *yaml.Node, format string, args ...any) {
	d.problems = append(d.problems, &Error{File: d.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
}

func (d *decoder) stopf(n *yaml.Node, format string, args ...any) {
	if !d.stopped {
		d.failf(n, format, args...)
	}
	d.stopped = true
}

func (d *decoder) value(n *yaml.Node, depth int) any {
	if d.enter(n, depth); d.stopped {
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		d.mapping(n, m, depth)
		return m
	case yaml.SequenceNode:
		l := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			l = append(l, d.value(item, depth+1))
		}
		return l
	case yaml.AliasNode:
		return d.throughAlias(func() any { return d.value(n.Alias, depth+1) })
	case yaml.ScalarNode:
		return d.scalar(n)
	}
	d.failf(n, "is not a value")
	return nil
}

func (d *decoder) enter(n *yaml.Node, depth int) {
	if depth > maxDepth {
		d.stopf(n, "is nested more than %d levels deep", maxDepth)
	}
	if d.inAlias {
		if d.aliased++; d.aliased > maxAliased {
			d.stopf(n, "aliases expand to more than %d values; write the values out", maxAliased)
		}
	}
}

func (d *decoder) throughAlias(decode func() any) any {
	before := d.inAlias
	d.inAlias = true
	defer func() { d.inAlias = before }()
	return decode()
}

func (d *decoder) mapping(n *yaml.Node, into map[string]any, depth int) {
	written := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content) && !d.stopped; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if isMerge(key) {
			d.merge(value, into, depth+1)
			continue
		}
		name, ok := keyName(key)
		if !ok {
			d.failf(key, "is not a key an object can have; write a plain name")
			continue
		}
		if first, twice := written[name]; twice {
			d.failf(key, "key %q is written twice, first on line %d; only one of the two values would count", key.Value, first.Line)
			continue
		}
		written[name] = key
		into[name] = d.value(value, depth+1)
	}
}

// merge adds the mapping or mappings behind `<<` in the order kubectl does: a later key of the mapping replaces what was
// merged before it, and of several merged mappings the first wins.
func (d *decoder) merge(n *yaml.Node, into map[string]any, depth int) {
	if d.enter(n, depth); d.stopped {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		d.mapping(n, into, depth)
	case yaml.AliasNode:
		d.throughAlias(func() any {
			if n.Alias.Kind != yaml.MappingNode {
				d.failf(n, "<< takes a mapping or a list of mappings")
				return nil
			}
			d.merge(n.Alias, into, depth+1)
			return nil
		})
	case yaml.SequenceNode:
		for _, v := range slices.Backward(n.Content) {
			if resolve(v).Kind != yaml.MappingNode {
				d.failf(v, "<< takes a mapping or a list of mappings")
				continue
			}
			d.merge(v, into, depth+1)
		}
	default:
		d.failf(n, "<< takes a mapping or a list of mappings")
	}
}

func (d *decoder) scalar(n *yaml.Node) any {
	v, err := scalar(n)
	if err != nil {
		d.failf(n, "%v", err)
	}
	if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return int64(f) // On the way to the API server 16.0 becomes 16.
	}
	return v
}

func isMerge(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.Tag == tagMerge }

// keyName is a key as JSON has it: a string. kubectl turns numbers and booleans into their canonical spelling.
func keyName(key *yaml.Node) (string, bool) {
	key = resolve(key)
	if key.Kind != yaml.ScalarNode {
		return "", false
	}
	v, err := scalar(key)
	if err != nil {
		return "", false
	}
	switch k := v.(type) {
	case string:
		return k, true
	case bool:
		return strconv.FormatBool(k), true
	case int64:
		return strconv.FormatInt(k, 10), true
	case float64:
		return floatName(k), true
	}
	return "", false
}

// floatName spells a number the way kubectl does: as single precision, and the endless ones as YAML.
func floatName(f float64) string {
	switch s := strconv.FormatFloat(f, 'g', -1, 32); s { //nolint:mnd // Single precision.
	case "+Inf":
		return ".inf"
	case "-Inf":
		return "-.inf"
	case "NaN":
		return ".nan"
	default:
		return s
	}
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for range maxDepth {
		if n.Kind != yaml.AliasNode {
			break
		}
		n = n.Alias
	}
	return n
}

func decodeBase64(s string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", fmt.Errorf("is not base64: %w", err)
	}
	return string(raw), nil
}
