package contract_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
)

// everyRule are the ids of the contract. They are public API: an id is retired, never renumbered and never given a new
// meaning, so this list only grows.
var everyRule = strings.Fields(`
	CNPG-1.1 CNPG-1.2 CNPG-1.3 CNPG-1.4 CNPG-2.1 CNPG-2.2 CNPG-2.3 CNPG-2.4 CNPG-3.1 CNPG-3.2 CNPG-3.3
	CNPG-4.1 CNPG-4.2 CNPG-4.3 CNPG-5.1 CNPG-5.2
	ZDL-01 ZDL-02 ZDL-03 ZDL-04 ZDL-05 ZDL-06 ZDL-07 ZDL-08 ZDL-09 ZDL-10 ZDL-11 ZDL-12 ZDL-13 ZDL-14 ZDL-15
	API-1 API-2`)

func TestCatalogueIsComplete(t *testing.T) {
	var ids, unwaivable []string
	for _, r := range contract.Rules() {
		ids = append(ids, r.ID)
		if r.Unwaivable {
			unwaivable = append(unwaivable, r.ID)
		}
	}
	if diff := cmp.Diff(everyRule, ids); diff != "" {
		t.Errorf("the rules of the contract, in the order they are told: -want +got:\n%s", diff)
	}
	// Without the gate, what is observed, secrecy and the waivers' own rule nothing else can be relied on; a document
	// that cannot be read cannot be waived either.
	if diff := cmp.Diff([]string{"ZDL-03", "ZDL-04", "ZDL-12", "ZDL-14", "API-1", "API-2"}, unwaivable); diff != "" {
		t.Errorf("rules no policy can waive: -want +got:\n%s", diff)
	}
}

func TestEveryRuleExplainsItself(t *testing.T) {
	for _, r := range contract.Rules() {
		t.Run(r.ID, func(t *testing.T) {
			for name, text := range map[string]string{"promise": r.Promise, "why": r.Why, "fix": r.Fix} {
				if len(text) < 15 || !strings.HasSuffix(text, ".") {
					t.Errorf("%s is no sentence: %q", name, text)
				}
			}
			if r.Title == "" || strings.HasSuffix(r.Title, ".") || len(r.Title) > 60 {
				t.Errorf("title is no title: %q", r.Title)
			}
			if !slices.Contains([]contract.Severity{contract.Loss, contract.Exposure, contract.Input}, r.Severity) {
				t.Errorf("severity %q is unknown", r.Severity)
			}
			if !strings.HasPrefix(r.Reference, "https://") {
				t.Errorf("reference %q leads nowhere", r.Reference)
			}
			if got, ok := contract.RuleByID(r.ID); !ok || got.ID != r.ID {
				t.Errorf("RuleByID(%q) = %v, %v", r.ID, got.ID, ok)
			}
		})
	}
	if _, ok := contract.RuleByID("CNPG-9.9"); ok {
		t.Error("RuleByID knows a rule that does not exist")
	}
}

// TestEveryFindingNamesAKnownRule reads the ids out of the source of every package that makes findings: a finding whose
// rule nobody can look up teaches nobody.
func TestEveryFindingNamesAKnownRule(t *testing.T) {
	id := regexp.MustCompile(`"((?:CNPG|ZDL|API)-[0-9.]+)"`)
	used := map[string]bool{}
	for name, text := range sources(t, "..", "../..") {
		for _, m := range id.FindAllStringSubmatch(text, -1) {
			used[m[1]] = true
			if !slices.Contains(everyRule, m[1]) {
				t.Errorf("%s speaks of %s, which is not in the catalogue", name, m[1])
			}
		}
	}
	if len(used) < 25 {
		t.Errorf("only %d rules were found in the sources: the search is broken", len(used))
	}
}
