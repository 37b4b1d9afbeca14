package main

import (
	"strings"
	"testing"
)

// TestEveryFieldHasAMeaning: a field without a comment is named, wherever it is.
func TestEveryFieldHasAMeaning(t *testing.T) {
	described := map[string]any{"type": "string", "description": "Said."}
	object := func(fields map[string]any) map[string]any {
		return map[string]any{"type": "object", "description": "An object.", "properties": fields}
	}
	list := map[string]any{"type": "array", "description": "A list.", "items": object(map[string]any{"third": map[string]any{"type": "string"}})}
	table := map[string]any{"type": "object", "description": "A map.", "additionalProperties": object(map[string]any{"fourth": map[string]any{"type": "string"}})}

	err := writeReference(t.TempDir(), "page.md", "here", "Title", "Intro.", object(map[string]any{
		"said": described, "first": map[string]any{"type": "string"},
		"inner": object(map[string]any{"said": described, "second": map[string]any{"type": "string"}}),
		"list":  list, "table": table,
	}))
	if err == nil || !strings.HasSuffix(err.Error(), ": first, inner.second, list[].third, table.*.fourth") {
		t.Errorf("writeReference: %v", err)
	}
	if err := writeReference(t.TempDir(), "page.md", "here", "Title", "Intro.", object(map[string]any{"said": described})); err != nil {
		t.Error(err)
	}
}
