package check

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

func TestUnderstood(t *testing.T) {
	cases := map[string]struct{ reason, spec, want string }{
		"UnknownField":   {reason: "a misspelt field goes, its siblings stay", spec: "sise: small, version: '15'", want: "version: '15'"},
		"WrongType":      {reason: "a value of the wrong type goes", spec: "size: [small], version: '15'", want: "version: '15'"},
		"Nested":         {reason: "only the field that is wrong goes", spec: "backup: {schedule: 7, retentionDays: 40}", want: "backup: {retentionDays: 40}"},
		"FreeKey":        {reason: "of a free map only the entry", spec: "parameters: {a.b: 1, fsync: 'off'}", want: "parameters: {fsync: 'off'}"},
		"MissingField":   {reason: "what lacks a required field means nothing", spec: "version: '15', bootstrap: {importFrom: {database: x}}", want: "version: '15', bootstrap: {}"},
		"NothingIsWrong": {reason: "nothing goes", spec: "size: small", want: "size: small"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := read(t, tc.spec)
			_, found := claim.Decode(o)
			if diff := cmp.Diff(read(t, tc.want), understood(o, found)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(read(t, tc.spec), o); diff != "" {
				t.Errorf("the document itself was changed\n%s", diff)
			}
		})
	}
}

func read(t *testing.T, spec string) manifest.Object {
	t.Helper()
	docs, err := source.Read("f.yaml", strings.NewReader("apiVersion: database.bizmatters.io/v1alpha1\nkind: PostgresInstance\nmetadata: {name: orders, namespace: shop}\nspec: {"+spec+"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return docs[0].Object
}

func TestIsClaim(t *testing.T) {
	cases := map[string]struct {
		apiVersion, kind string
		want             bool
	}{
		"Claim":        {"database.bizmatters.io/v1alpha1", "PostgresInstance", true},
		"Composite":    {"database.bizmatters.io/v1alpha1", "XPostgresInstance", true},
		"OtherVersion": {"database.bizmatters.io/v2", "PostgresInstance", true},
		"Mistyped":     {"database.bizmatter.io/v1alpha1", "PostgresInstanc", true},
		"SameGroup":    {"database.bizmatters.io/v1alpha1", "DragonflyInstance", false},
		"SameKind":     {"sql.acme.io/v1", "PostgresInstance", false},
		"Core":         {"v1", "Secret", false},
		"Nothing":      {"", "", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := IsClaim(manifest.Object{"apiVersion": tc.apiVersion, "kind": tc.kind}); got != tc.want {
				t.Errorf("%s %s is a claim: %t", tc.apiVersion, tc.kind, got)
			}
		})
	}
}
