package check

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// Policy is the platform's policy and where it stands.
type Policy struct {
	value    *v1beta1.Policy
	findings contract.Findings
	document source.Document
	// inside is the path of the policy in its document: empty for a file of its own.
	inside string
}

// Value is the policy with every default, or nil where it cannot be used at all.
func (p *Policy) Value() *v1beta1.Policy { return p.value }

// Findings are what is wrong with the policy.
func (p *Policy) Findings() contract.Findings { return p.findings }

func (p *Policy) position(path string) (string, int, int) {
	if p.inside != "" && path != "" {
		path = p.inside + "." + path
	} else if path == "" {
		path = p.inside
	}
	line, column := p.document.Position(path)
	return p.document.File, line, column
}

// PolicyFile finds the policy among the documents of a file.
func PolicyFile(docs []source.Document) (*Policy, error) {
	var found []*Policy
	for _, d := range docs {
		if d.Object.Group() == v1beta1.Group || d.Object.Kind() == v1beta1.Kind && len(docs) == 1 {
			found = append(found, &Policy{document: d})
		}
	}
	return one(found, func(p *Policy) manifest.Object { return p.document.Object },
		"holds no Policy of "+v1beta1.APIVersion)
}

// PolicyOfComposition finds the policy in a Composition: the input of the pipeline step that runs this function.
func PolicyOfComposition(docs []source.Document) (*Policy, error) {
	var found []*Policy
	for _, d := range docs {
		if d.Object.Kind() != "Composition" {
			continue
		}
		for i := range manifest.List(d.Object, "spec", "pipeline") {
			if manifest.Map(d.Object, stepInput(i)...).Group() == v1beta1.Group {
				found = append(found, &Policy{document: d, inside: fmt.Sprintf("spec.pipeline[%d].input", i)})
			}
		}
	}
	return one(found, func(p *Policy) manifest.Object {
		for i := range manifest.List(p.document.Object, "spec", "pipeline") {
			if p.inside == fmt.Sprintf("spec.pipeline[%d].input", i) {
				return manifest.Map(p.document.Object, stepInput(i)...)
			}
		}
		return nil
	}, "holds no Composition with a pipeline step whose input is a Policy of "+v1beta1.APIVersion)
}

func stepInput(i int) []string { return []string{"spec", "pipeline", strconv.Itoa(i), "input"} }

// one reads the only policy there is. Two Compositions, for claims and for namespaced composite resources, may say the
// same; where they differ nobody can know which one is meant.
func one(found []*Policy, content func(*Policy) manifest.Object, none string) (*Policy, error) {
	if len(found) == 0 {
		return nil, fmt.Errorf("%s", none) //nolint:err113 // The text is the caller's.
	}
	first := content(found[0])
	for _, other := range found[1:] {
		if !reflect.DeepEqual(first, content(other)) {
			return nil, fmt.Errorf("holds several policies that differ, on lines %d and %d: name a file with one", found[0].line(), other.line()) //nolint:err113 // Told to a person.
		}
	}
	found[0].value, found[0].findings = policy.Decode(first)
	return found[0], nil
}

func (p *Policy) line() int {
	line, _ := p.document.Position(p.inside)
	return line
}
