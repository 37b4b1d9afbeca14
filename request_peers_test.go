package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Other functions are measured with the same claim, the same observed resources and an input of their own that makes
// the same desired resources. The inputs lie in test/load/testdata, as one would write them into a Composition:
//
//	go-templating.yaml        a template in which everything that depends on the claim is an expression
//	patch-and-transform.yaml  a base for each resource, patched where it is named, placed and labelled
//	kcl.yaml                  a program in which everything that depends on the claim is an expression
//
// They are made from what this function answers, and only make it: neither of them gates, judges or reports.
const peerInputs = "test/load/testdata"

// TestPeerInputs keeps the inputs of other functions in step with the set; -update writes them anew.
func TestPeerInputs(t *testing.T) {
	answered := answerOf(t, steadyState(t, "example/claim.yaml", claim.ClusterScoped))
	for name, input := range map[string]map[string]any{
		"go-templating.yaml":       goTemplate(t, answered),
		"patch-and-transform.yaml": patchAndTransform(answered),
		"kcl.yaml":                 kclProgram(answered),
	} {
		file := filepath.Join(peerInputs, name)
		got := encode(t, input)
		if *update {
			if err := os.WriteFile(file, got, 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s makes another set than this function, run: go test -run TestPeerInputs . -update\n%s", file, diff)
		}
	}
}

// peerRequests are what other functions are asked, by name.
func peerRequests(t *testing.T, steady *fnv1.RunFunctionRequest) map[string]*fnv1.RunFunctionRequest {
	t.Helper()
	out := map[string]*fnv1.RunFunctionRequest{}
	for _, name := range []string{"go-templating", "patch-and-transform", "kcl"} {
		req := clone(t, steady)
		raw, err := os.ReadFile(filepath.Join(peerInputs, name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var input map[string]any
		if err := yaml.Unmarshal(raw, &input); err != nil {
			t.Fatal(err)
		}
		if req.Input, err = structpb.NewStruct(input); err != nil {
			t.Fatal(err)
		}
		out[name] = req
	}
	// function-auto-ready comes after another function: it looks at what that one desires.
	after := clone(t, steady)
	after.Input, after.Desired = nil, answerOf(t, steady).GetDesired()
	for _, r := range after.GetDesired().GetResources() {
		r.Ready = fnv1.Ready_READY_UNSPECIFIED
	}
	out["auto-ready"] = after
	return out
}

func clone(t *testing.T, req *fnv1.RunFunctionRequest) *fnv1.RunFunctionRequest {
	t.Helper()
	out, ok := proto.Clone(req).(*fnv1.RunFunctionRequest)
	if !ok {
		t.Fatal("cannot clone a request")
	}
	return out
}

func answerOf(t *testing.T, req *fnv1.RunFunctionRequest) *fnv1.RunFunctionResponse {
	t.Helper()
	rsp, err := function().RunFunction(t.Context(), clone(t, req))
	if err != nil {
		t.Fatal(err)
	}
	if text, fatal := fatalOf(rsp); fatal {
		t.Fatal(text)
	}
	return rsp
}

// The name and the namespace of example/claim.yaml.
const (
	peerName      = "agent-executor-db"
	peerNamespace = "intelligence-deepagents"
)

// goTemplate is one document for each resource.
func goTemplate(t *testing.T, rsp *fnv1.RunFunctionResponse) map[string]any {
	t.Helper()
	var template strings.Builder
	template.WriteString("{{- $claim := .observed.composite.resource.spec.claimRef }}\n")
	resources := rsp.GetDesired().GetResources()
	expressions := strings.NewReplacer(
		peerName, "{{ $claim.name }}", peerNamespace, "{{ $claim.namespace }}",
		"{{", `{{ "{{" }}`, "}}", `{{ "}}" }}`, // Prometheus' own.
	)
	for _, name := range manifest.SortedKeys(resources) {
		o := annotated(resources[name], "gotemplating.fn.crossplane.io/composition-resource-name", name)
		template.WriteString("---\n" + expressions.Replace(string(encode(t, o))))
	}
	return map[string]any{
		"apiVersion": "gotemplating.fn.crossplane.io/v1beta1", "kind": "GoTemplate",
		"source": "Inline", "inline": map[string]any{"template": template.String()},
	}
}

// kclProgram is one dictionary for each resource.
func kclProgram(rsp *fnv1.RunFunctionResponse) map[string]any {
	var program strings.Builder
	program.WriteString("_claim = option(\"params\").oxr.spec.claimRef\nitems = [\n")
	resources := rsp.GetDesired().GetResources()
	expressions := strings.NewReplacer(peerName, "${_claim.name}", peerNamespace, "${_claim.namespace}")
	for _, name := range manifest.SortedKeys(resources) {
		program.WriteString("    ")
		kclValue(&program, expressions, "    ", annotated(resources[name], "krm.kcl.dev/composition-resource-name", name))
		program.WriteString("\n")
	}
	program.WriteString("]\n")
	return map[string]any{
		"apiVersion": "krm.kcl.dev/v1alpha1", "kind": "KCLInput", "metadata": map[string]any{"name": "database"},
		"spec": map[string]any{"source": program.String()},
	}
}

// kclValue writes a value as KCL does: JSON, but for the booleans and for line ends instead of commas.
func kclValue(b *strings.Builder, expressions *strings.Replacer, indent string, value any) {
	switch v := value.(type) {
	case map[string]any:
		b.WriteString("{\n")
		for _, key := range manifest.SortedKeys(v) {
			fmt.Fprintf(b, "%s    %q: ", indent, key)
			kclValue(b, expressions, indent+"    ", v[key])
			b.WriteString("\n")
		}
		b.WriteString(indent + "}")
	case []any:
		b.WriteString("[\n")
		for _, item := range v {
			b.WriteString(indent + "    ")
			kclValue(b, expressions, indent+"    ", item)
			b.WriteString("\n")
		}
		b.WriteString(indent + "]")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case string:
		b.WriteString(expressions.Replace(strconv.Quote(v)))
	default:
		fmt.Fprint(b, v)
	}
}

// annotated is a resource with the annotation by which a function knows its name.
func annotated(r *fnv1.Resource, annotation, name string) map[string]any {
	o := fromStruct(r.GetResource())
	metadata := manifest.Map(o, "metadata")
	annotations := map[string]any{annotation: name}
	maps.Copy(annotations, manifest.Map(metadata, "annotations"))
	metadata["annotations"] = annotations
	return o
}

// patchAndTransform is one base for each resource. Every string of a field with the claim's name or namespace in it is
// patched where a path leads to the field: texts of alert rules stay as they are.
func patchAndTransform(rsp *fnv1.RunFunctionResponse) map[string]any {
	var list []any
	resources := rsp.GetDesired().GetResources()
	for _, name := range manifest.SortedKeys(resources) {
		base := fromStruct(resources[name].GetResource())
		list = append(list, map[string]any{"name": name, "base": base, "patches": patches(base, "")})
	}
	return map[string]any{"apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources", "resources": list}
}

// patches are those of the fields below value that hold the claim's name, its namespace, or the one inside a longer name.
func patches(value map[string]any, at string) []any {
	out := []any{}
	for _, key := range manifest.SortedKeys(value) {
		path := key
		switch {
		case strings.ContainsAny(key, "./"):
			path = at + "[" + key + "]"
		case at != "":
			path = at + "." + key
		}
		switch v := value[key].(type) {
		case map[string]any:
			out = append(out, patches(v, path)...)
		case string:
			for _, from := range [][2]string{{"spec.claimRef.name", peerName}, {"spec.claimRef.namespace", peerNamespace}} {
				word := from[1]
				if strings.Count(v, word) != 1 || len(v) > len(word)+32 || strings.Contains(v, "%") {
					continue
				}
				out = append(out, map[string]any{
					"type": "FromCompositeFieldPath", "fromFieldPath": from[0], "toFieldPath": path,
					"transforms": []any{map[string]any{"type": "string", "string": map[string]any{"type": "Format", "fmt": strings.Replace(v, word, "%s", 1)}}},
				})
				break
			}
		}
	}
	return out
}

func encode(t *testing.T, o map[string]any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(o); err != nil {
		t.Fatal(fmt.Errorf("cannot write YAML: %w", err))
	}
	return b.Bytes()
}
