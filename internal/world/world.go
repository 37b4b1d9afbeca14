// Package world is what is there: typed facts read from the observed composed resources and from the required
// resources of one call. It judges nothing; it tells what is known, and keeps "not found" apart from "not asked yet".
package world

import (
	"slices"
	"strconv"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// View is the world as one call shows it.
type View struct {
	// Observed are the composed resources that exist, by composition-resource-name.
	Observed map[string]manifest.Tree
	// Required are the answers to our requirements. A missing key means the question has not been answered yet.
	Required map[string][]manifest.Tree
	// Schemas are the answers about kinds: nil where the control plane does not know the kind, no key where the question
	// has not been answered yet.
	Schemas map[string]manifest.Tree
}

// Resource is the state of one composed resource.
type Resource struct {
	Exists bool
	// Ready and Synced are the conditions of that name. A managed resource stays Ready while Synced is False: the last
	// good state is kept, and nothing new reaches the provider.
	Ready, Synced bool
	// Message is the reason a condition is not True, in the provider's words.
	Message string
}

// Settled says whether the resource is Ready and nothing is in the way of further changes.
func (r Resource) Settled() bool { return r.Exists && r.Ready && r.Synced }

// Resource returns the state of a composed resource.
func (v View) Resource(name string) Resource {
	t, ok := v.Observed[name]
	if !ok {
		return Resource{}
	}
	r := Resource{Exists: true}
	for _, c := range t.Items("status", "conditions") {
		kind, status := manifest.String(c, "type"), manifest.String(c, "status")
		switch kind {
		case "Ready":
			r.Ready = status == "True"
		case "Synced":
			r.Synced = status == "True"
		}
		if status != "False" || r.Message != "" && kind != "Synced" {
			continue
		}
		if message := manifest.String(c, "message"); message != "" {
			r.Message = message
		}
	}
	return r
}

// Wrapped returns the live object behind a wrapping Object, as the provider last saw it.
func (v View) Wrapped(name string) (manifest.Tree, bool) {
	t, ok := v.Observed[name]
	if !ok {
		return nil, false
	}
	inner := under{t, []string{"status", "atProvider", "manifest"}}
	if manifest.String(inner, "kind") == "" {
		return nil, false
	}
	return inner, true
}

// Answer returns the first item of a requirement's answer; answered is false while the question is open.
func (v View) Answer(name string) (item manifest.Tree, answered bool) {
	items, answered := v.Required[name]
	if len(items) == 0 {
		return nil, answered
	}
	return items[0], true
}

type condition struct{ kind, status, reason, message, since string }

func conditions(t manifest.Tree, path ...string) []condition {
	items := t.Items(path...)
	out := make([]condition, len(items))
	for i, c := range items {
		out[i] = condition{
			manifest.String(c, "type"), manifest.String(c, "status"), manifest.String(c, "reason"), manifest.String(c, "message"),
			manifest.String(c, "lastTransitionTime"),
		}
	}
	return out
}

// Established says whether a CustomResourceDefinition is served.
func Established(definition manifest.Tree) bool {
	return slices.ContainsFunc(conditions(definition, "status", "conditions"), func(c condition) bool {
		return c.kind == "Established" && c.status == "True"
	})
}

// under is a tree seen from one of its branches.
type under struct {
	tree manifest.Tree
	path []string
}

func (u under) at(path []string) []string {
	return append(slices.Clip(u.path), path...)
}

func (u under) Lookup(path ...string) (any, bool)    { return u.tree.Lookup(u.at(path)...) }
func (u under) Items(path ...string) []manifest.Tree { return u.tree.Items(u.at(path)...) }
func (u under) Keys(path ...string) []string         { return u.tree.Keys(u.at(path)...) }

// Deletable returns those of some managed resources that would delete what they manage when they go themselves: somebody
// has overwritten their policies.
func (v View) Deletable(names []string) []string {
	var out []string
	for _, name := range names {
		t := v.Observed[name]
		list, listed := t.Lookup("spec", "managementPolicies")
		if policy := manifest.String(t, "spec", "deletionPolicy"); !listed || list == nil {
			if policy != "Orphan" {
				out = append(out, name)
			}
			continue
		}
		for i := 0; ; i++ {
			action, there := t.Lookup("spec", "managementPolicies", strconv.Itoa(i))
			if !there {
				break
			}
			if action == "Delete" || action == "*" && manifest.String(t, "spec", "deletionPolicy") != "Orphan" {
				out = append(out, name)
				break
			}
		}
	}
	return out
}
