package check_test

import (
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/check"
	"github.com/bizmatters/function-hardened-postgres/internal/report"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// TestAClaimIsOneWhereverItStands says that a claim is judged, at its own line, inside a provider's Object, in a List of
// whatever kind, and in a List in a List.
func TestAClaimIsOneWhereverItStands(t *testing.T) {
	const claim = `{apiVersion: database.bizmatters.io/v1alpha1, kind: PostgresInstance, metadata: {name: orders, namespace: shop}, spec: {size: medium, instances: 1}}`
	for name, text := range map[string]string{
		"Bare":       "# one\n# two\n" + claim,
		"InAnObject": "apiVersion: kubernetes.m.crossplane.io/v1alpha1\nkind: Object\nspec: {forProvider: {manifest: \n  " + claim + "}}\n",
		"TypedList":  "apiVersion: database.bizmatters.io/v1alpha1\nkind: PostgresInstanceList\nitems:\n- " + claim,
		"ListInList": "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List, items: [\n  " + claim + "]}]",
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := source.Read("f.yaml", strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			above, _, _ := strings.Cut(text, claim)
			line := strings.Count(above, "\n") + 1
			r := check.Judge(docs, check.Options{Today: "2026-11-24"})
			if r.Claims != 1 || len(r.Findings) != 1 || r.Findings[0].Rule != "CNPG-1.1" || r.Findings[0].Line != line {
				t.Errorf("%d claims, line %d is asked for:\n%+v", r.Claims, line, r.Findings)
			}
		})
	}
}

// TestAPausedClaimIsNoticed: the function is never called for one, so that nobody else would say it.
func TestAPausedClaimIsNoticed(t *testing.T) {
	const claim = "apiVersion: database.bizmatters.io/v1alpha1\nkind: PostgresInstance\nmetadata:\n  name: orders\n  namespace: shop\n  annotations:\n    crossplane.io/paused: \"PAUSED\"\nspec: {size: medium}\n"
	for paused, want := range map[string]int{"true": 1, "false": 0} {
		docs, err := source.Read("f.yaml", strings.NewReader(strings.ReplaceAll(claim, "PAUSED", paused)))
		if err != nil {
			t.Fatal(err)
		}
		r := check.Judge(docs, check.Options{Today: "2026-11-24"})
		if len(r.Findings) != want || want > 0 && (r.Findings[0].Rule != "ZDL-10" || r.Findings[0].Line != 7) {
			t.Errorf("paused %s: %+v", paused, r.Findings)
		}
	}
}

// TestAClaimThatChoosesARevision: the function cannot see that a newer one has a stricter policy, so check says it, and as a
// warning: the claim is not refused for it.
func TestAClaimThatChoosesARevision(t *testing.T) {
	const head = "apiVersion: database.bizmatters.io/v1alpha1\nkind: PostgresInstance\nmetadata: {name: orders, namespace: shop}\nspec:\n"
	cases := map[string]struct {
		reason, spec string
		line         int
	}{
		"Claim":      {reason: "A claim keeps what it names.", spec: "  compositionUpdatePolicy: Manual\n  compositionRevisionRef: {name: old}\n", line: 6},
		"Namespaced": {reason: "Crossplane v2 has the field elsewhere.", spec: "  crossplane:\n    compositionUpdatePolicy: Manual\n    compositionRevisionRef: {name: old}\n", line: 7},
		"Default":    {reason: "Which policy is the default the platform's definition says.", spec: "  compositionRevisionRef: {name: old}\n", line: 5},
		"Automatic":  {reason: "Crossplane moves it on.", spec: "  compositionUpdatePolicy: Automatic\n  compositionRevisionRef: {name: old}\n"},
		"ByHand":     {reason: "As the platform rolls a policy out in steps.", spec: "  compositionUpdatePolicy: Manual\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			docs, err := source.Read("f.yaml", strings.NewReader(head+tc.spec))
			if err != nil {
				t.Fatal(err)
			}
			found := check.Judge(docs, check.Options{Today: "2026-11-24"}).Findings
			switch {
			case tc.line == 0 && len(found) == 0:
			case tc.line > 0 && len(found) == 1 && found[0].Rule == "ZDL-14" && found[0].Line == tc.line && found[0].Level() == report.Warning:
			default:
				t.Errorf("%s\nline %d is asked for: %+v", tc.reason, tc.line, found)
			}
		})
	}
}
