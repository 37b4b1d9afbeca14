// Command generate makes everything that follows from the Go types of the API and the policy:
//
//	apis/xrd-claim.yaml, apis/xrd-namespaced.yaml   the two alternative XRDs, one schema
//	package/input/…_policies.yaml                   the CRD of the function's input, for editors and `kubectl explain`
//	internal/claim/schema.json, internal/policy/schema.json   the same schemas for the offline checks
//	docs/reference/claim.md, docs/reference/policy.md   the fields, for people
//
// It lives in a module of its own so that controller-gen's dependencies never reach the product. Run it with
// `go generate ./...` at the root.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

const header = "# Generated from the Go types in %s by `go generate ./...`; do not edit.\n"

func main() {
	if err := generate(".."); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(root string) error {
	tmp, err := os.MkdirTemp("", "generate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // A left-over in the temporary directory harms nobody.

	controllerGen := filepath.Join(tmp, "controller-gen")
	if err := run(".", "go", "build", "-o", controllerGen, "sigs.k8s.io/controller-tools/cmd/controller-gen"); err != nil {
		return fmt.Errorf("cannot build controller-gen: %w", err)
	}
	for _, kind := range []string{"./generate/postgresinstance", "./generate/policy"} {
		if err := run(".", controllerGen, "paths="+kind, "crd:crdVersions=v1", "output:crd:dir="+tmp); err != nil {
			return fmt.Errorf("cannot generate the CRD of %s: %w", kind, err)
		}
	}

	claim, err := readCRD(filepath.Join(tmp, "database.bizmatters.io_postgresinstances.yaml"))
	if err != nil {
		return err
	}
	policy, err := readCRD(filepath.Join(tmp, "hardened-postgres.fn.bizmatters.io_policies.yaml"))
	if err != nil {
		return err
	}
	for _, out := range []struct {
		path, from string
		object     map[string]any
	}{
		{"apis/xrd-claim.yaml", "apis/v1alpha1", claimXRD(claim)},
		{"apis/xrd-namespaced.yaml", "apis/v1alpha1", namespacedXRD(claim)},
		{"package/input/hardened-postgres.fn.bizmatters.io_policies.yaml", "input/v1beta1", policy},
	} {
		if err := writeYAML(filepath.Join(root, out.path), out.from, out.object); err != nil {
			return err
		}
	}

	spec := at(schema(claim), "properties", "spec")
	if err := writeReference(root, "docs/reference/claim.md", "apis/v1alpha1", "The claim: PostgresInstance", claimIntro, map[string]any{
		"properties": map[string]any{"spec": spec, "status": at(schema(claim), "properties", "status")},
	}); err != nil {
		return err
	}
	if err := writeReference(root, "docs/reference/policy.md", "input/v1beta1", "The platform's policy", policyIntro, policyFields(schema(policy))); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(root, "internal/claim/schema.json"), spec); err != nil {
		return err
	}
	return writeJSON(filepath.Join(root, "internal/policy/schema.json"), schema(policy))
}

const (
	claimIntro  = "What a developer writes. Every field is optional; a claim can ask for more safety than the platform's policy, never for less (ZDL-14). [Write a claim](../write-a-claim.md) shows how."
	policyIntro = "The input of the Composition's pipeline step, set once by the platform engineer. The least that is enough: `bucket.prefix`, `bucket.region` and `credentials.secretStoreRef.name`. " +
		"It is read strictly: an unknown field, or a value below the contract's floor, refuses every claim."
)

// policyFields are the policy's own fields, without what every Kubernetes object has.
func policyFields(schema map[string]any) map[string]any {
	properties := map[string]any{}
	for name, field := range at(schema, "properties") {
		if name != "apiVersion" && name != "kind" && name != "metadata" {
			properties[name] = field
		}
	}
	return map[string]any{"properties": properties, "required": schema["required"]}
}

// claimXRD is the XRD for claims: a cluster-scoped XPostgresInstance behind each namespaced PostgresInstance.
func claimXRD(crd map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": "apiextensions.crossplane.io/v1",
		"kind":       "CompositeResourceDefinition",
		"metadata":   map[string]any{"name": "xpostgresinstances.database.bizmatters.io"},
		"spec": map[string]any{
			"group":                 "database.bizmatters.io",
			"names":                 map[string]any{"kind": "XPostgresInstance", "plural": "xpostgresinstances"},
			"claimNames":            map[string]any{"kind": "PostgresInstance", "plural": "postgresinstances", "shortNames": []any{"pgi"}},
			"defaultCompositionRef": map[string]any{"name": "postgresql-basic"},
			// The composite resource is named after the claim, with six characters more.
			"versions": versions(crd, maxName+6),
		},
	}
}

// namespacedXRD is the XRD of Crossplane v2: the namespaced PostgresInstance is the composite resource itself.
func namespacedXRD(crd map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": "apiextensions.crossplane.io/v2",
		"kind":       "CompositeResourceDefinition",
		"metadata":   map[string]any{"name": "postgresinstances.database.bizmatters.io"},
		"spec": map[string]any{
			"scope":                 "Namespaced",
			"group":                 "database.bizmatters.io",
			"names":                 map[string]any{"kind": "PostgresInstance", "plural": "postgresinstances", "shortNames": []any{"pgi"}},
			"defaultCompositionRef": map[string]any{"name": "postgresql-basic"},
			"versions":              versions(crd, maxName),
		},
	}
}

// maxName is CloudNativePG's limit on the name of a Cluster.
const maxName = 50

func versions(crd map[string]any, maxName int) []any {
	full := schema(crd)
	// Crossplane takes the root's rules, spec and status, and of metadata only the length of the name.
	return []any{map[string]any{
		"name":                     "v1alpha1",
		"served":                   true,
		"referenceable":            true,
		"additionalPrinterColumns": at(crd, "spec", "versions", "0")["additionalPrinterColumns"],
		"schema": map[string]any{"openAPIV3Schema": map[string]any{
			"type":        "object",
			"description": full["description"],
			// Of the rules, the ones on the root see spec and status together.
			"x-kubernetes-validations": full["x-kubernetes-validations"],
			"properties": map[string]any{
				"metadata": map[string]any{"type": "object", "properties": map[string]any{
					"name": map[string]any{"type": "string", "maxLength": maxName},
				}},
				"spec":   at(full, "properties", "spec"),
				"status": at(full, "properties", "status"),
			},
		}},
	}}
}

func schema(crd map[string]any) map[string]any {
	return at(crd, "spec", "versions", "0", "schema", "openAPIV3Schema")
}

// at walks maps by key and lists by their first element.
func at(m map[string]any, path ...string) map[string]any {
	for _, key := range path {
		if list, ok := m[key].([]any); ok {
			m = map[string]any{"0": list[0]}
			continue
		}
		m = m[key].(map[string]any) //nolint:errcheck,forcetypeassert // controller-gen's output; a panic here stops the generation.
	}
	return m
}

func readCRD(path string) (map[string]any, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // Our own temporary file.
	if err != nil {
		return nil, err
	}
	var crd map[string]any
	if err := yaml.Unmarshal(raw, &crd); err != nil {
		return nil, err
	}
	return crd, nil
}

func writeYAML(path, from string, object map[string]any) error {
	body, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	return write(path, append(fmt.Appendf(nil, header, from), body...))
}

func writeJSON(path string, object map[string]any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return write(path, append(body, '\n'))
}

// write leaves an unchanged file alone, so that a build cache stays valid.
func write(path string, body []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, body) { //nolint:gosec // A path of this repository.
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // Source files are world-readable.
		return err
	}
	return os.WriteFile(path, body, 0o644) //nolint:gosec // Source files are world-readable.
}

func run(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...) //nolint:gosec // Our own commands.
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stdout, os.Stderr
	return cmd.Run()
}
