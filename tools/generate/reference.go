package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// writeReference writes the fields of a schema as a page of Markdown tables, one for each object. A field nobody has
// written a comment on fails: readers would find an empty cell.
func writeReference(root, path, from, title, intro string, object map[string]any) error {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- Generated from the Go types in %s by `go generate ./...`; do not edit. -->\n\n# %s\n\n%s\n", from, title, intro)
	if blank := section(&b, "", object); len(blank) > 0 {
		return fmt.Errorf("%s: no comment says what these mean: %s", from, strings.Join(blank, ", "))
	}
	return write(filepath.Join(root, path), []byte(b.String()))
}

// section is the table of one object, followed by those of the objects in it. It returns the fields without a meaning.
func section(b *strings.Builder, path string, object map[string]any) (blank []string) {
	properties, ok := object["properties"].(map[string]any)
	if !ok {
		return nil
	}
	if path != "" {
		fmt.Fprintf(b, "\n## %s\n\n%s\n", path, prose(object))
	}
	b.WriteString("\n| Field | Type | Meaning |\n|---|---|---|\n")
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		field := properties[name].(map[string]any) //nolint:errcheck,forcetypeassert // controller-gen's output; a panic here stops the generation.
		required := ""
		if list, ok := object["required"].([]any); ok && slices.Contains(list, any(name)) {
			required = ", required"
		}
		meaning := cell(prose(field))
		if meaning == "" {
			blank = append(blank, join(path, name))
		}
		fmt.Fprintf(b, "| `%s` | %s%s | %s |\n", name, typeOf(field), required, meaning)
	}
	for _, name := range names {
		field := properties[name].(map[string]any) //nolint:errcheck,forcetypeassert // As above.
		blank = append(blank, section(b, join(path, name), field)...)
		if values, ok := field["additionalProperties"].(map[string]any); ok {
			blank = append(blank, section(b, join(path, name)+".*", values)...)
		}
		if items, ok := field["items"].(map[string]any); ok {
			blank = append(blank, section(b, join(path, name)+"[]", items)...)
		}
	}
	return blank
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func typeOf(field map[string]any) string {
	kind, _ := field["type"].(string)
	switch {
	case field["enum"] != nil:
		values := []string{}
		for _, v := range field["enum"].([]any) { //nolint:errcheck,forcetypeassert // As above.
			values = append(values, fmt.Sprintf("`%v`", v))
		}
		return strings.Join(values, ", ")
	case kind == "array":
		items, _ := field["items"].(map[string]any)
		return "list of " + typeOf(items)
	case field["additionalProperties"] != nil:
		values, _ := field["additionalProperties"].(map[string]any)
		return "map of " + typeOf(values)
	case field["minimum"] != nil && field["maximum"] != nil:
		return fmt.Sprintf("%s, %v to %v", kind, field["minimum"], field["maximum"])
	}
	return kind
}

func prose(field map[string]any) string {
	text, _ := field["description"].(string)
	return strings.Join(strings.Fields(text), " ")
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
