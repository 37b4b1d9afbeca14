package contract_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// read decodes a YAML stream the way the command line does.
func read(t testing.TB, name, text string) []manifest.Object {
	t.Helper()
	docs, err := source.Read(name, strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	set := make([]manifest.Object, 0, len(docs))
	for _, d := range docs {
		set = append(set, d.Object)
	}
	return set
}

// good returns one of the sets that keep the whole contract, and the strictest options for it.
func good(t testing.TB, name string) ([]manifest.Object, contract.Options) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "good", name))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, name, string(raw)), contract.Options{Complete: true, Composed: strings.HasPrefix(name, "composed-")}
}

var goodSets = []string{"plugin.yaml", "intree.yaml", "recovery.yaml", "composed-namespaced.yaml", "composed-cluster.yaml"}

func TestGoodSetsTripNothing(t *testing.T) {
	for _, name := range goodSets {
		t.Run(name, func(t *testing.T) {
			set, o := good(t, name)
			if found := contract.JudgeManifests(set, o); len(found) > 0 {
				t.Errorf("a set that keeps the contract is refused:\n%s", found)
			}
		})
	}
}

// sources reads the Go files below some directories that are not tests, by name.
func sources(t testing.TB, dirs ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range dirs {
		for _, pattern := range []string{"*.go", "*/*.go"} {
			files, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if strings.HasSuffix(file, "_test.go") {
					continue
				}
				raw, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				out[file] = string(raw)
			}
		}
	}
	return out
}
