package render

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// The commits of example/blue-green, as each arrives and once it has settled: Crossplane deletes nothing but the two
// Objects that stand for the stable name, in the one commit that moves it, and changes nothing else of the blue side.
func TestBlueGreen(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("go", "test", "./example/blue-green", "-args", "-write", dir)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	if out, err := cmd.Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	composites, err := filepath.Glob(filepath.Join(dir, "*", "*", "*-composite.yaml"))
	if err != nil || len(composites) < 16 {
		t.Fatalf("%d states: %v", len(composites), err)
	}
	composition := read(t, filepath.Join(root, "example/composition-namespaced.yaml"))
	xrd := read(t, filepath.Join(root, "apis/xrd-namespaced.yaml"))
	moved := false
	for _, file := range composites {
		at, err := filepath.Rel(dir, strings.TrimSuffix(file, "-composite.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(at, func(t *testing.T) {
			r := request{
				composite: read(t, file), composition: composition, xrd: xrd, schemas: kinds(),
				observed: all(t, strings.Replace(file, "-composite", "-observed", 1)), required: all(t, strings.Replace(file, "-composite", "-existing", 1)),
			}
			got, err := under.reconcile(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if got.fatal != "" {
				t.Fatalf("refused: %s", got.fatal)
			}
			want, _ := offline(t, r)
			if diff := cmp.Diff(want, cleaned(got.composed)); diff != "" {
				t.Errorf("composed resources: -our render, +Crossplane:\n%s", diff)
			}
			deleted := manifest.SortedKeys(got.deleted)
			if at == filepath.Join("3-switch", "arrived", "agent-db-v15") {
				moved = slices.Equal(deleted, []string{"alias-secret", "alias-service"})
				deleted = nil
			}
			if len(deleted) > 0 {
				t.Errorf("Crossplane would delete %v", deleted)
			}
			if strings.HasPrefix(filepath.Base(at), "agent-db-v15") && !strings.HasPrefix(at, "0-before") {
				unchanged(t, r.observed, got.composed)
			}
		})
	}
	if !moved {
		t.Error("the commit that moves the stable name does not let go of it, and of nothing else, on the blue side")
	}
}

// unchanged says that what is asked for is what was asked for.
func unchanged(t *testing.T, observed []manifest.Object, composed map[string]manifest.Object) {
	t.Helper()
	for _, o := range observed {
		name := manifest.String(o, "metadata", "annotations", nameAnnotation)
		if strings.HasPrefix(name, "alias-") {
			continue
		}
		if diff := cmp.Diff(o["spec"], composed[name]["spec"]); diff != "" {
			t.Errorf("%s of the blue side changes: -before, +after:\n%s", name, diff)
		}
	}
}

// all reads every document of a file.
func all(t *testing.T, file string) []manifest.Object {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return documents(t, raw)
}
