// Package schema holds a document against the same OpenAPI schema the API server would, and reports everything that is
// wrong at once, in words that say what to write. It knows the part of OpenAPI that our generated schemas use; a test
// fails when they use more.
package schema

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Schema is one node of an OpenAPI v3 schema.
type Schema struct {
	Type                 string             `json:"type"`
	Description          string             `json:"description"`
	Properties           map[string]*Schema `json:"properties"`
	AdditionalProperties *Schema            `json:"additionalProperties"`
	Items                *Schema            `json:"items"`
	Required             []string           `json:"required"`
	Enum                 []string           `json:"enum"`
	Pattern              string             `json:"pattern"`
	Format               string             `json:"format"`
	Minimum              *int64             `json:"minimum"`
	Maximum              *int64             `json:"maximum"`
	MinLength            *int               `json:"minLength"`
	MaxLength            *int               `json:"maxLength"`
	MaxItems             *int               `json:"maxItems"`
	MaxProperties        *int               `json:"maxProperties"`
	// Validations are CEL rules: the API server evaluates them, the claim rules of package contract repeat those that
	// can be judged offline.
	Validations []any `json:"x-kubernetes-validations"`

	pattern *regexp.Regexp
}

// Parse reads a generated schema.
func Parse(raw []byte) (*Schema, error) {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	s := &Schema{}
	if err := dec.Decode(s); err != nil {
		return nil, fmt.Errorf("cannot read the schema: %w", err)
	}
	if err := s.compile(); err != nil {
		return nil, err
	}
	return s, nil
}

// MustParse is Parse for schemas that are part of the program.
func MustParse(raw []byte) *Schema {
	s, err := Parse(raw)
	if err != nil {
		panic(err)
	}
	return s
}

func (s *Schema) compile() (err error) {
	if s.Pattern != "" {
		if s.pattern, err = regexp.Compile(s.Pattern); err != nil {
			return fmt.Errorf("cannot compile pattern: %w", err)
		}
	}
	children := []*Schema{s.AdditionalProperties, s.Items}
	for _, name := range manifest.SortedKeys(s.Properties) {
		children = append(children, s.Properties[name])
	}
	for _, child := range children {
		if child == nil {
			continue
		}
		if err := child.compile(); err != nil {
			return err
		}
	}
	return nil
}

// BelowMinimum starts the message about a number that is too small; WrongForm is the one about text its pattern does not
// fit.
const (
	BelowMinimum = "is below the minimum"
	WrongForm    = "does not have the form this field needs"
)

// Validate returns everything about value that the schema does not allow, as findings of the given rule with paths
// below path.
func (s *Schema) Validate(value any, path, rule string) contract.Findings {
	j := judge{rule: rule}
	j.value(s, value, path)
	return j.found
}

// maxFindings is more than anybody reads: what is wrong with megabytes of mistakes must not take hundreds of them.
const maxFindings = 1000

type judge struct {
	rule  string
	found contract.Findings
}

func (j *judge) add(path, value, message, fix string) {
	j.found = append(j.found, contract.Finding{Rule: j.rule, Path: path, Value: value, Message: message, Fix: fix})
}

func (j *judge) value(s *Schema, value any, path string) {
	switch s.Type {
	case "object":
		m, ok := value.(map[string]any)
		if !ok {
			j.wrongType(path, value, "a mapping")
			return
		}
		j.object(s, m, path)
	case "array":
		l, ok := value.([]any)
		if !ok {
			j.wrongType(path, value, "a list")
			return
		}
		if s.MaxItems != nil && len(l) > *s.MaxItems {
			j.add(path, "", fmt.Sprintf("has %d items, %d are allowed", len(l), *s.MaxItems), "shorten the list")
		}
		for i, item := range l {
			j.value(s.Items, item, path+"["+strconv.Itoa(i)+"]")
		}
	case "string":
		str, ok := value.(string)
		if !ok {
			j.wrongType(path, value, "a string")
			return
		}
		j.text(s, str, path)
	case "integer":
		n, ok := manifest.Int(manifest.Object{"n": value}, "n")
		if !ok {
			j.wrongType(path, value, "a whole number")
			return
		}
		if s.Minimum != nil && n < *s.Minimum {
			j.add(path, strconv.FormatInt(n, 10), fmt.Sprintf(BelowMinimum+" of %d", *s.Minimum), fmt.Sprintf("write %d or more", *s.Minimum))
		}
		if s.Maximum != nil && n > *s.Maximum {
			j.add(path, strconv.FormatInt(n, 10), fmt.Sprintf("is above the maximum of %d", *s.Maximum), fmt.Sprintf("write %d or less", *s.Maximum))
		}
	case "boolean":
		if _, ok := value.(bool); !ok {
			j.wrongType(path, value, "true or false")
		}
	}
}

func (j *judge) object(s *Schema, m map[string]any, path string) {
	for _, name := range s.Required {
		if _, ok := m[name]; !ok {
			j.add(join(path, name), "", "is required", hint(s.Properties[name]))
		}
	}
	if s.MaxProperties != nil && len(m) > *s.MaxProperties {
		j.add(path, "", fmt.Sprintf("has %d entries, %d are allowed", len(m), *s.MaxProperties), "remove entries")
	}
	for _, name := range manifest.SortedKeys(m) {
		if len(j.found) >= maxFindings {
			return
		}
		switch child, known := s.Properties[name]; {
		case known:
			j.value(child, m[name], join(path, name))
		case s.AdditionalProperties != nil:
			j.value(s.AdditionalProperties, m[name], path+"["+name+"]")
		default:
			j.unknown(s, name, path)
		}
	}
}

func (j *judge) unknown(s *Schema, name, path string) {
	known := manifest.SortedKeys(s.Properties)
	fix := "the fields here are " + strings.Join(known, ", ")
	if near := Nearest(name, known); near != "" {
		fix = fmt.Sprintf("did you mean %q?", near)
	}
	j.add(join(path, name), "", "unknown field: it would be silently ignored, and what you meant by it would not happen", fix)
}

func (j *judge) text(s *Schema, str, path string) {
	shown := clip(str)
	switch n := utf8.RuneCountInString(str); {
	case !utf8.ValidString(str):
		j.add(path, shown, "is not valid UTF-8", "write plain text")
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, str):
		j.add(path, shown, "is not one of the values allowed here", "write one of "+strings.Join(s.Enum, ", "))
	case s.MinLength != nil && n == 0 && *s.MinLength > 0:
		j.add(path, shown, "must not be empty", "write a value or leave the field out")
	case s.MinLength != nil && n < *s.MinLength:
		j.add(path, shown, fmt.Sprintf("is %d characters long, at least %d are needed", n, *s.MinLength), "write more")
	case s.MaxLength != nil && n > *s.MaxLength:
		// Not shown: what is too long for its place is often a secret that somebody pasted there (ZDL-12).
		j.add(path, "", fmt.Sprintf("is %d characters long, %d are allowed", n, *s.MaxLength), "shorten it")
	case s.pattern != nil && !s.pattern.MatchString(str):
		j.add(path, shown, WrongForm, hint(s))
	}
}

func (j *judge) wrongType(path string, value any, want string) {
	var is, shown string
	switch v := value.(type) {
	case nil:
		is = "nothing"
	case string:
		is = "a string"
		if want != "a mapping" { // What stands in the place of a reference may be the secret itself (ZDL-12).
			shown = clip(v)
		}
	case bool:
		is, shown = "a boolean", strconv.FormatBool(v)
	case map[string]any:
		is = "a mapping"
	case []any:
		is = "a list"
	default:
		is, shown = "a number", clip(fmt.Sprint(v))
	}
	fix := "write " + want
	if want == "a string" && shown != "" {
		fix = fmt.Sprintf("put it in quotes: %q", shown)
	}
	j.add(path, shown, fmt.Sprintf("is %s where %s belongs", is, want), fix)
}

// hint is the first sentence of a field's description: the schema explains itself.
func hint(s *Schema) string {
	if s == nil || s.Description == "" {
		return "see the field's description: kubectl explain postgresinstance.spec"
	}
	text := strings.Join(strings.Fields(s.Description), " ")
	if first, _, more := strings.Cut(text, ". "); more {
		text = first
	}
	text = strings.TrimSuffix(text, ".")
	// Descriptions start with the field's name in Go, which the author of a claim has never seen.
	if name, what, ok := strings.Cut(text, " is "); ok && !strings.Contains(name, " ") {
		return "write " + what
	}
	return text
}

// clip bounds what a message quotes.
func clip(s string) string {
	const most = 80
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
