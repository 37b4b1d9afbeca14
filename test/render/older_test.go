package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/test/tools/recipe"
)

// olderEngines are the engines of Crossplane before 2.3, which its command line ran itself. Building one costs as much as
// building Crossplane, so only those that have been built are played; the others are named. schemas says whether a
// function may ask what kinds there are, which came with 2.2.
var olderEngines = map[string]struct{ schemas bool }{
	"crank-2.0": {},
	"crank-2.2": {schemas: true},
}

// Every claim of example/ comes to the same database in the engines of older Crossplanes, step by step.
func TestOlderEngines(t *testing.T) {
	for name, e := range olderEngines {
		t.Run(name, func(t *testing.T) {
			tool, err := recipe.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			if cached, err := tool.Cached(); err != nil || !cached {
				t.Skipf("NOT RUN: Crossplane %s is not built (%v); go run -C test/tools ./build %s", tool.Version, err, name)
			}
			binary, err := tool.Path()
			if err != nil {
				t.Fatal(err)
			}
			everyExample(t, func(t *testing.T, w *fixture.World, composition, _ manifest.Object, hold string) {
				t.Helper()
				older{binary: binary, schemas: e.schemas}.play(t, w, composition, hold)
			})
		})
	}
}

// older is the command line of an older Crossplane.
type older struct {
	binary  string
	schemas bool
}

// play renders until the world has settled.
func (e older) play(t *testing.T, w *fixture.World, composition manifest.Object, hold string) {
	t.Helper()
	const most = 12
	var last map[string]manifest.Object
	for range most {
		r := request{composite: w.Composite, composition: composition, observed: observed(w), required: existing(w)}
		got := cleaned(e.render(t, r))
		want, _ := offline(t, r)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%d resources observed: composed resources: -our render, +Crossplane:\n%s", len(r.observed), diff)
		}
		if cmp.Equal(last, got) {
			break
		}
		last = got
		w.Step(t)
	}
	if _, database := last["cluster"]; database != (hold == "") {
		t.Errorf("is there a Cluster: %v, reason to hold it back: %q", database, hold)
	}
}

// render has the older Crossplane run the pipeline once.
func (e older) render(t *testing.T, r request) map[string]manifest.Object {
	t.Helper()
	dir := t.TempDir()
	functions := manifest.Object{
		"apiVersion": "pkg.crossplane.io/v1", "kind": "Function",
		"metadata": map[string]any{"name": "function-hardened-postgres", "annotations": map[string]any{
			"render.crossplane.io/runtime": "Development", "render.crossplane.io/runtime-development-target": under.address,
		}},
		"spec": map[string]any{"package": "example.org/acme/function-hardened-postgres:v0.1.0"},
	}
	args := []string{
		"render", write(t, dir, "xr.yaml", r.composite), write(t, dir, "composition.yaml", r.composition), write(t, dir, "functions.yaml", functions),
	}
	if len(r.observed) > 0 {
		args = append(args, "--observed-resources", write(t, dir, "observed.yaml", r.observed...))
	}
	if len(r.required) > 0 {
		args = append(args, "--required-resources", write(t, dir, "required.yaml", r.required...))
	}
	if e.schemas {
		at := filepath.Join(dir, "schemas")
		if err := os.Mkdir(at, 0o700); err != nil {
			t.Fatal(err)
		}
		for i, s := range kinds() {
			raw, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(at, fmt.Sprintf("%d.json", i)), raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args = append(args, "--required-schemas", at)
	}
	cmd := exec.CommandContext(context.Background(), e.binary, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("crossplane render: %v\n%s", err, stderr.Bytes())
	}
	composed := map[string]manifest.Object{}
	for text := range strings.SplitSeq(string(out), "---\n") {
		o := manifest.Object{}
		if err := yaml.Unmarshal([]byte(text), &o); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if name := manifest.String(o, "metadata", "annotations", nameAnnotation); name != "" {
			composed[name] = o
		}
	}
	return composed
}
