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
	object   manifest.Object
	// inside is the path of the policy in its document: empty for a file of its own.
	inside string
}

// Value is the policy with every default, or nil where it cannot be used at all.
func (p *Policy) Value() *v1beta1.Policy { return p.value }

// Object is the policy as it is written.
func (p *Policy) Object() manifest.Object { return p.object }

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
			found = append(found, &Policy{document: d, object: d.Object})
		}
	}
	return one(found, "holds no Policy of "+v1beta1.APIVersion+" of its own; the one inside a Composition is read with --composition")
}

// PolicyOfComposition finds the policy in a Composition: the input of the pipeline step that runs this function.
func PolicyOfComposition(docs []source.Document) (*Policy, error) {
	var found []*Policy
	for _, d := range docs {
		if d.Object.Kind() != "Composition" {
			continue
		}
		for i := range manifest.List(d.Object, "spec", "pipeline") {
			if input := manifest.Map(d.Object, "spec", "pipeline", strconv.Itoa(i), "input"); input.Group() == v1beta1.Group {
				found = append(found, &Policy{document: d, object: input, inside: fmt.Sprintf("spec.pipeline[%d].input", i)})
			}
		}
	}
	return one(found, "holds no Composition with a pipeline step whose input is a Policy of "+v1beta1.APIVersion)
}

// one reads the only policy there is. Two Compositions, for claims and for namespaced composite resources, may say the
// same; where they differ nobody can know which one is meant.
func one(found []*Policy, none string) (*Policy, error) {
	if len(found) == 0 {
		return nil, fmt.Errorf("%s", none) //nolint:err113 // The text is the caller's.
	}
	first := found[0]
	for _, other := range found[1:] {
		if !reflect.DeepEqual(first.object, other.object) {
			return nil, fmt.Errorf("holds several policies that differ, on lines %d and %d: name a file with one", first.line(), other.line()) //nolint:err113 // Told to a person.
		}
	}
	first.value, first.findings = policy.Decode(first.object)
	return first, nil
}

func (p *Policy) line() int {
	line, _ := p.document.Position(p.inside)
	return line
}
