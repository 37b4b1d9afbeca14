package schema

import (
	"strconv"
	"testing"
)

// Megabytes of mistakes are refused by the first thousand of them.
func TestValidateIsBounded(t *testing.T) {
	s := &Schema{Type: "object", Properties: map[string]*Schema{"known": {Type: "string"}}}
	document := map[string]any{}
	for i := range 100_000 {
		document["x"+strconv.Itoa(i)] = true
	}
	if got := len(s.Validate(document, "", "API-1")); got != maxFindings {
		t.Errorf("%d findings, want %d", got, maxFindings)
	}
}
