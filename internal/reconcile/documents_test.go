package reconcile

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedReasons: conditions and reasons are public API, so whoever adds one says what it means.
func TestDocumentedReasons(t *testing.T) {
	code, err := os.ReadFile("status.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/how-it-decides.md")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`(?m)^\tReason\w+\s+= "(\w+)"$`).FindAllStringSubmatch(string(code), -1)
	if len(reasons) < 13 {
		t.Fatalf("only %d reasons were found", len(reasons))
	}
	for _, word := range append(reasons, []string{"", ContractSatisfied}, []string{"", Protected}, []string{"", Recoverable}, []string{"", DatabaseReady}) {
		if !strings.Contains(string(page), "\n| `"+word[1]+"`") && !strings.Contains(string(page), "`, `"+word[1]+"` | ") {
			t.Errorf("docs/how-it-decides.md does not say what %s means", word[1])
		}
	}
}
