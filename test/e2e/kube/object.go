// Package kube is the little of a Kubernetes client the system tests need: documents in, documents out, over HTTP.
//
// It speaks to the API server without typed clients on purpose: what the tests send and see is exactly what a user's
// kubectl sends and sees, warnings included, and the suite compiles in seconds.
package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// Object is one document.
type Object map[string]any

// Ref names one object.
type Ref struct{ APIVersion, Kind, Namespace, Name string }

// String is the form people read.
func (r Ref) String() string {
	name := r.Name
	if r.Namespace != "" {
		name = r.Namespace + "/" + r.Name
	}
	return r.Kind + " " + name
}

// Ref of an object.
func (o Object) Ref() Ref {
	return Ref{o.String("apiVersion"), o.String("kind"), o.String("metadata", "namespace"), o.Name()}
}

// Name of an object.
func (o Object) Name() string { return o.String("metadata", "name") }

// UID of an object.
func (o Object) UID() string { return o.String("metadata", "uid") }

// At returns what lies at a path of map keys, or nil.
func (o Object) At(path ...string) any {
	var at any = map[string]any(o)
	for _, key := range path {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[key]
	}
	return at
}

// String returns the text at a path, or "".
func (o Object) String(path ...string) string {
	s, _ := o.At(path...).(string)
	return s
}

// Int returns the number at a path, or 0.
func (o Object) Int(path ...string) int {
	f, _ := o.At(path...).(float64)
	return int(f)
}

// Map returns the object at a path; what it lacks reads as empty.
func (o Object) Map(path ...string) Object {
	m, _ := o.At(path...).(map[string]any)
	return m
}

// Items returns the objects of the list at a path.
func (o Object) Items(path ...string) []Object {
	list, _ := o.At(path...).([]any)
	out := make([]Object, 0, len(list))
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// Set puts a value at a path and makes the maps in between.
func (o Object) Set(value any, path ...string) Object {
	m := map[string]any(o)
	for _, key := range path[:len(path)-1] {
		next, ok := m[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[key] = next
		}
		m = next
	}
	m[path[len(path)-1]] = value
	return o
}

// Condition is one of an object's status conditions.
type Condition struct {
	Status, Reason, Message string
	// Since is its lastTransitionTime.
	Since string
}

// Condition returns the condition of that type; the zero value where there is none.
func (o Object) Condition(kind string) Condition {
	for _, c := range o.Items("status", "conditions") {
		if c.String("type") == kind {
			return Condition{c.String("status"), c.String("reason"), c.String("message"), c.String("lastTransitionTime")}
		}
	}
	return Condition{}
}

// Conditions lists an object's conditions in one line, for messages.
func (o Object) Conditions() string {
	var out []string
	for _, c := range o.Items("status", "conditions") {
		s := c.String("type") + "=" + c.String("status")
		if why := strings.TrimSpace(c.String("reason") + " " + c.String("message")); why != "" {
			s += " (" + why + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

// Copy returns a deep copy.
func (o Object) Copy() Object {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err) // Decoded JSON encodes.
	}
	var out Object
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}

// Parse reads the documents of a YAML stream.
func Parse(raw []byte) ([]Object, error) {
	var out []Object
	for i, doc := range bytes.Split(append([]byte("\n"), raw...), []byte("\n---")) {
		var o Object
		if err := yaml.Unmarshal(doc, &o); err != nil {
			return nil, fmt.Errorf("cannot read document %d: %w", i+1, err)
		}
		if len(o) > 0 {
			out = append(out, o)
		}
	}
	return out, nil
}

// MustParse reads one document the tests themselves contain.
func MustParse(doc string) Object {
	objects, err := Parse([]byte(doc))
	if err != nil || len(objects) != 1 {
		panic(fmt.Sprintf("not one document: %v\n%s", err, doc))
	}
	return objects[0]
}
