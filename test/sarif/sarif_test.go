// Package sarif holds the SARIF this product writes against the standard's own JSON schema, and against what code hosts say
// they need.
package sarif

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/check"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/report"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// published is a module that carries the schema of SARIF 2.1.0 (Errata 01) as OASIS publishes it. Nothing of it is kept
// here, and none of its code is used.
const (
	published = "github.com/owenrumney/go-sarif/v3@v3.2.3"
	sum       = "h1:n6mdX5ugKwCrZInvBsf6WumXmpAe3mbmQXgkXlIq34U="
	inside    = "pkg/report/v210/sarif/schema.go"
)

const broken = "kind: PostgresInstance\n bad: yes\n"

const claims = `apiVersion: database.bizmatters.io/v1alpha1
kind: PostgresInstance
metadata: {name: orders, namespace: shop}
spec:
  sise: small
  instances: 2
  backup: {schedule: "0 */6 * * *"}
  parameters: {fsync: "off", synchronous_commit: remote_write}
---
apiVersion: database.bizmatters.io/v1alpha1
kind: PostgresInstance
metadata: {name: 1orders, namespace: shop}
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: legacy, namespace: shop}
spec: {instances: 1}
`

// reports are of every shape there is.
func reports(t *testing.T) map[string]report.Report {
	t.Helper()
	return map[string]report.Report{
		"Findings":        judged(t, "claims/ä, %/orders.yaml", claims),
		"NothingAtAll":    {},
		"WholeFile":       {Problems: []report.Problem{{File: "nowhere.yaml", Message: "cannot be read"}}},
		"Unreadable":      judged(t, "broken:1.yaml", broken),
		"ColonFirst":      judged(t, "a:b.yaml", claims),
		"NowhereInFiles":  {Findings: []report.Located{{Finding: contract.Finding{Rule: "CNPG-5.2", Message: "nothing alerts"}}}},
		"Waived":          {Findings: []report.Located{{Finding: contract.Finding{Rule: "CNPG-2.3", Object: "Cluster a/b", Message: "is missing", Waiver: "the store compresses"}, File: "a.yaml", Line: 1, Column: 1}}},
		"SamePlaceTwice":  {Findings: []report.Located{{Finding: contract.Finding{Rule: "ZDL-09", Path: "a"}, File: "a"}, {Finding: contract.Finding{Rule: "ZDL-09", Path: "a"}, File: "a"}}},
		"EverythingUnder": everything(),
	}
}

// written is a report as a pipeline writes it.
func written(t *testing.T, r *report.Report) []byte {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.Write(&out, report.SARIF, report.Options{Version: "v1.2.3", Root: root}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSchema validates each.
func TestSchema(t *testing.T) {
	schema := compile(t)
	all := reports(t)
	all["UnknownRule"] = report.Report{Findings: []report.Located{{Finding: contract.Finding{Rule: "X-1", Message: "what is this"}, File: "a.yaml", Line: 1, Column: 1}}}
	all["OutsideTheRepository"] = judged(t, "/absolute/broken:1.yaml", broken)
	for name, r := range all {
		t.Run(name, func(t *testing.T) {
			document, err := jsonschema.UnmarshalJSON(bytes.NewReader(written(t, &r)))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(document); err != nil {
				t.Error(err)
			}
			fingerprintsDiffer(t, document)
		})
	}
}

// TestSchemaNotices says that the schema is the real one: it refuses what is not SARIF.
func TestSchemaNotices(t *testing.T) {
	schema := compile(t)
	for _, bad := range []string{
		`{"version": "2.1.0"}`, `{"version": "2.0.0", "runs": []}`, `{"version": "2.1.0", "runs": [{}]}`,
		`{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": [{"message": {"text": "x"}, "level": "fatal"}]}]}`,
		`{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": [{"message": {"text": "x"}, "line": 1}]}]}`,
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(document) == nil {
			t.Errorf("accepted: %s", bad)
		}
	}
}

// everything is a report with a violation of every rule.
func everything() report.Report {
	var r report.Report
	for i, rule := range contract.Rules() {
		r.Findings = append(r.Findings, report.Located{
			Finding: contract.Finding{Rule: rule.ID, Object: "Cluster shop/orders", Path: "spec.x", Value: "\x00\"", Message: rule.Why, Fix: rule.Fix},
			File:    "claims/orders.yaml", Line: i + 1, Column: 1,
		})
	}
	return r
}

func judged(t *testing.T, name, text string) report.Report {
	t.Helper()
	docs, err := source.Read(name, strings.NewReader(text))
	r := check.Judge(docs, check.Options{Manifests: true, Complete: true, Today: "2026-11-24"})
	for _, e := range source.Errors(err) {
		r.Problems = append(r.Problems, report.Problem{File: e.File, Line: e.Line, Column: e.Column, Message: e.Message})
	}
	if len(r.Findings)+len(r.Problems) == 0 {
		t.Fatalf("nothing was found in %s", name)
	}
	return r
}

// fingerprintsDiffer says that no two results are taken for one.
func fingerprintsDiffer(t *testing.T, document any) {
	t.Helper()
	raw, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	var log struct {
		Runs []struct {
			Results []struct {
				PartialFingerprints map[string]string
			}
		}
	}
	if err := json.Unmarshal(raw, &log); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, result := range log.Runs[0].Results {
		if id := fmt.Sprint(result.PartialFingerprints); seen[id] || len(result.PartialFingerprints) == 0 {
			t.Errorf("two results with the fingerprint %s", id)
		} else {
			seen[id] = true
		}
	}
}

// compile reads the schema out of the module's source: it is the one string constant there.
func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := exec.Command("go", "mod", "download", "-json", published).Output()
	if err != nil {
		t.Fatalf("cannot download %s: %v", published, err)
	}
	var module struct{ Dir, Sum string }
	if err := json.Unmarshal(raw, &module); err != nil {
		t.Fatal(err)
	}
	if module.Sum != sum {
		t.Fatalf("%s has the checksum %s, want %s", published, module.Sum, sum)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(module.Dir, filepath.FromSlash(inside)), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var literals []string
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			literals = append(literals, lit.Value)
		}
		return true
	})
	text, err := strconv.Unquote(slices.MaxFunc(literals, func(a, b string) int { return len(a) - len(b) }))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}
