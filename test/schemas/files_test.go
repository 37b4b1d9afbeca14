package schemas

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const root = "../.."

// applied are the folders whose files a user applies or renders, with the least number of files that must be found there:
// a test over no files proves nothing.
var applied = map[string]int{"apis": 14, "example": 8, "package": 1}

// Every file a user applies is held against the schema of its kind.
func TestFilesAreValid(t *testing.T) {
	upstream := upstreamCatalogue(t)
	claims, namespaced := ownCatalogue(t, "claim"), ownCatalogue(t, "namespaced")
	for folder, least := range applied {
		files := yamlFiles(t, folder)
		if len(files) < least {
			t.Errorf("%s: %d files found, there should be at least %d", folder, len(files), least)
		}
		for _, file := range files {
			for _, o := range documents(t, file) {
				var problems []string
				switch {
				case o["kind"] == "CustomResourceDefinition":
					continue // Validated where it is used.
				case o["kind"] == "Policy":
					problems = validatePolicy(t, o)
				case o["kind"] != "PostgresInstance":
					problems = upstream.Validate(o)
				default:
					problems = namespaced.Validate(o)
					if !strings.HasPrefix(filepath.Base(file), "xr-") {
						problems = append(problems, claims.Validate(o)...)
					}
				}
				for _, step := range steps(o) {
					problems = append(problems, validatePolicy(t, step)...)
				}
				for _, problem := range problems {
					t.Errorf("%s: %v: %s", file, o["kind"], problem)
				}
			}
		}
	}
}

// No right to delete may be given to what wraps the database (CNPG-4.1), and none over Secrets (ZDL-12).
func TestProviderCannotDelete(t *testing.T) {
	roles := 0
	for _, o := range documents(t, filepath.Join(root, "apis/rbac/provider-kubernetes.yaml")) {
		if o["kind"] != "ClusterRole" {
			continue
		}
		roles++
		for _, rule := range manifest.List(o, "rules") {
			r, _ := rule.(map[string]any)
			for _, verb := range []string{"delete", "deletecollection", "*", "escalate", "impersonate"} {
				if slices.Contains(manifest.Strings(r, "verbs"), verb) {
					t.Errorf("verb %s of %v", verb, r["resources"])
				}
			}
			for _, resource := range []string{"secrets", "*"} {
				if slices.Contains(manifest.Strings(r, "resources"), resource) {
					t.Errorf("resource %s", resource)
				}
			}
		}
	}
	if roles != 1 {
		t.Errorf("%d roles found, expected 1", roles)
	}
}

// The three StorageClasses differ in what makes the volume and in nothing that keeps it (CNPG-4.2).
func TestStorageClassesRetain(t *testing.T) {
	files := yamlFiles(t, "apis/storageclasses")
	if len(files) != 3 {
		t.Fatalf("%d StorageClasses, expected 3", len(files))
	}
	for _, file := range files {
		o := documents(t, file)[0]
		for field, want := range map[string]any{"reclaimPolicy": "Retain", "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true} {
			if o[field] != want {
				t.Errorf("%s: %s is %v, want %v", file, field, o[field], want)
			}
		}
		if name := o.Name(); name != policy.DefaultStorageClassName {
			t.Errorf("%s: named %s, want %s", file, name, policy.DefaultStorageClassName)
		}
	}
}

func upstreamCatalogue(t *testing.T) Catalogue {
	t.Helper()
	c, err := Upstream()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ownCatalogue holds the kinds of one of the alternative XRDs.
func ownCatalogue(t *testing.T, alternative string) Catalogue {
	t.Helper()
	crds, err := CRDs(filepath.Join(root, "apis/xrd-"+alternative+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c := Catalogue{}
	for crd := range maps.Values(crds) {
		if err := c.Add(crd); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// validatePolicy holds a policy against its generated CRD and reads it as the function does.
func validatePolicy(t *testing.T, o manifest.Object) []string {
	t.Helper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	raw, err := os.ReadFile(filepath.Join(root, "package/input/hardened-postgres.fn.bizmatters.io_policies.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(raw, crd); err != nil {
		t.Fatal(err)
	}
	crd.Spec.Scope = apiextensionsv1.ClusterScoped // A policy is never applied and lies in no namespace.
	c := Catalogue{}
	if err := c.Add(crd); err != nil {
		t.Fatal(err)
	}
	problems := c.Validate(o)
	_, found := policy.Decode(o)
	return append(problems, violations(found)...)
}

func violations(found contract.Findings) []string {
	out := make([]string, 0, len(found))
	for _, f := range found {
		out = append(out, f.String())
	}
	return out
}

// steps are the policies in a Composition's pipeline.
func steps(o manifest.Object) []manifest.Object {
	var out []manifest.Object
	if o.Kind() == "Composition" {
		for _, step := range manifest.List(o, "spec", "pipeline") {
			m, _ := step.(map[string]any)
			out = append(out, manifest.Map(m, "input"))
		}
	}
	return out
}

func yamlFiles(t *testing.T, folder string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && filepath.Ext(path) == ".yaml" {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// documents reads every document of a file; a key written twice is an error.
func documents(t *testing.T, file string) []manifest.Object {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []manifest.Object
	reader := utilyaml.NewYAMLReader(newReader(raw))
	for {
		body, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		o := manifest.Object{}
		if err := yaml.UnmarshalStrict(body, &o); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(bytes.TrimSpace(body)) > 0 && len(o) > 0 {
			out = append(out, o)
		}
	}
}
