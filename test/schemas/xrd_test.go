package schemas

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
)

// Kinds the two alternative XRDs define.
var xrdFiles = map[string][]string{
	"../../apis/xrd-claim.yaml":      {"PostgresInstance", "XPostgresInstance"},
	"../../apis/xrd-namespaced.yaml": {"PostgresInstance"},
}

// The API server compiles every CEL rule and estimates its cost when a CRD is created: what it would refuse, Crossplane
// could never establish.
func TestCRDsAreAcceptedByTheAPIServer(t *testing.T) {
	for file, kinds := range xrdFiles {
		crds, err := CRDs(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(kinds, slices.Sorted(maps.Keys(crds))); diff != "" {
			t.Errorf("%s: kinds: -want, +got:\n%s", file, diff)
		}
		for kind, crd := range crds {
			internal, err := internalCRD(crd)
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range validation.ValidateCustomResourceDefinition(context.Background(), internal) {
				t.Errorf("%s: %s: %v", file, kind, err)
			}
		}
	}
}

// A rule that does not compile, or costs too much, must be noticed: this is what the test above relies on.
func TestBrokenRulesAreNoticed(t *testing.T) {
	cases := map[string]struct {
		reason string
		rule   string
		want   string
	}{
		"TypographicQuotes": {
			reason: "gofmt turns two apostrophes in a comment into one typographic quote, which CEL does not know.",
			rule:   "(has(self.spec.database) ? self.spec.database : ”) != 'x'",
			want:   "compilation failed",
		},
		"UnknownField": {
			reason: "A rule may only name fields of the schema.",
			rule:   "self.spec.databse != 'x'",
			want:   "undefined field 'databse'",
		},
		"Cost": {
			reason: "Every pair of up to 256 parameters is too much work for one request.",
			rule:   "self.spec.parameters.all(a, self.spec.parameters.all(b, self.spec.parameters.all(c, self.spec.parameters[a].matches(self.spec.parameters[b]) && c != a)))",
			want:   "exceeds budget",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			crds, err := CRDs("../../apis/xrd-namespaced.yaml")
			if err != nil {
				t.Fatal(err)
			}
			crd := crds["PostgresInstance"]
			rules := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.XValidations
			rules[0].Rule = tc.rule
			internal, err := internalCRD(crd)
			if err != nil {
				t.Fatal(err)
			}
			got := validation.ValidateCustomResourceDefinition(context.Background(), internal).ToAggregate()
			if got == nil || !strings.Contains(got.Error(), tc.want) {
				t.Errorf("%s\nwant an error that contains %q, got: %v", tc.reason, tc.want, got)
			}
		})
	}
}
