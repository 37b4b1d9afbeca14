package render

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/test/tools/recipe"
)

const root = "../.."

// under is what the tests run: the engine, and the function's binary for the offline render.
var under struct {
	engine
	function string
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "render")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)

	if under.binary, err = recipe.Make(context.Background(), "crossplane", os.Stderr); err != nil {
		return 0, err
	}
	under.function = filepath.Join(dir, "function")
	build := exec.Command("go", "build", "-o", under.function, ".")
	build.Dir, build.Stderr = root, os.Stderr
	if err := build.Run(); err != nil {
		return 0, fmt.Errorf("cannot build the function: %w", err)
	}
	if under.address, err = freeAddress(); err != nil {
		return 0, err
	}
	serve := exec.Command(under.function, "serve", "--insecure", "--address", under.address, "--metrics-address=")
	serve.Stderr = os.Stderr
	if err := serve.Start(); err != nil {
		return 0, fmt.Errorf("cannot start the function: %w", err)
	}
	defer serve.Process.Kill()
	return m.Run(), nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Worlds every claim of example/ is played in: Crossplane's two, and a bucket made elsewhere.
var worlds = map[string]struct {
	scope       claim.Scope
	xrd         string
	composition string
	// policy replaces the Composition's.
	policy string
}{
	"Claim":              {scope: claim.ClusterScoped, xrd: "apis/xrd-claim.yaml", composition: "example/composition.yaml"},
	"Namespaced":         {scope: claim.Namespaced, xrd: "apis/xrd-namespaced.yaml", composition: "example/composition-namespaced.yaml"},
	"ClaimLeast":         {scope: claim.ClusterScoped, xrd: "apis/xrd-claim.yaml", composition: "apis/composition-claim.yaml"},
	"NamespacedExisting": {scope: claim.Namespaced, xrd: "apis/xrd-namespaced.yaml", composition: "apis/composition-namespaced.yaml", policy: "example/policy-existing-bucket.yaml"},
}

// held are combinations in which the gate (ZDL-03) must stay shut, and why.
var held = map[string]string{
	"claim-full.yaml/NamespacedExisting": "backups kept for 60 days need a longer lock than the adopted bucket has",
}

// From a committed claim to a running database, Crossplane composes at every step what our own render prints for the same
// world; nothing is ever deleted; and in the end nothing changes any more (ZDL-13).
func TestEveryExample(t *testing.T) {
	everyExample(t, func(t *testing.T, w *fixture.World, composition, xrd manifest.Object, hold string) {
		t.Helper()
		t.Parallel()
		play(t, w, composition, xrd, hold)
	})
}

// everyExample plays every claim of example/ in every world it can live in. A reason to hold says that no database may come
// of it.
func everyExample(t *testing.T, play func(t *testing.T, w *fixture.World, composition, xrd manifest.Object, hold string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "example/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	played := 0
	for _, file := range files {
		o := read(t, file)
		if o.Kind() != "PostgresInstance" {
			continue
		}
		for name, w := range worlds {
			if _, modern := o.Lookup("spec", "crossplane"); modern && w.scope == claim.ClusterScoped {
				continue
			}
			played++
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				composition := read(t, filepath.Join(root, w.composition))
				if w.policy != "" {
					step := manifest.List(composition, "spec", "pipeline")[0].(map[string]any)
					step["input"] = map[string]any(read(t, filepath.Join(root, w.policy)))
				}
				play(t, fixture.New(o, policyIn(composition), w.scope), composition, read(t, filepath.Join(root, w.xrd)), held[filepath.Base(file)+"/"+name])
			})
		}
	}
	if played < 12 {
		t.Errorf("only %d combinations played", played)
	}
}

// play reconciles until the world has settled, and twice more. A reason to hold says that no database may come of it.
func play(t *testing.T, w *fixture.World, composition, xrd manifest.Object, hold string) {
	t.Helper()
	const most = 16
	settled := 0
	sizes := []int{}
	var last map[string]manifest.Object
	for range most {
		r := request{composite: w.Composite, composition: composition, xrd: xrd, observed: observed(w), required: existing(w), schemas: kinds()}
		got, err := under.reconcile(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if got.fatal != "" {
			t.Fatalf("refused: %s", got.fatal)
		}
		if len(got.deleted) > 0 {
			t.Errorf("Crossplane would delete %v", manifest.SortedKeys(got.deleted))
		}
		composed := cleaned(got.composed)
		want, status := offline(t, r)
		if diff := cmp.Diff(want, composed); diff != "" {
			t.Fatalf("%d resources observed: composed resources: -our render, +Crossplane:\n%s", len(r.observed), diff)
		}
		if diff := cmp.Diff(status, statusOf(got.composite)); diff != "" {
			t.Errorf("%d resources observed: status: -our render, +Crossplane:\n%s", len(r.observed), diff)
		}
		sizes = append(sizes, len(composed))
		if cmp.Equal(last, composed) {
			settled++
		} else {
			settled = 0
		}
		last = composed
		if settled == 2 && ready(got.composite) != (hold != "") {
			break
		}
		if settled == 1 {
			deterministic(t, r, got)
		}
		w.Step(t)
	}
	if settled < 2 {
		t.Fatalf("does not come to rest: resources at each step %v", sizes)
	}
	if _, database := last["cluster"]; database != (hold == "") {
		t.Errorf("is there a Cluster: %v, reason to hold it back: %q", database, hold)
	}
	if sizes[0] >= sizes[len(sizes)-1] && hold == "" {
		t.Errorf("the gate (ZDL-03) held nothing back: resources at each step %v", sizes)
	}
	t.Logf("resources at each step: %v", sizes)
}

// deterministic asks once more: apart from Crossplane's own clock, every byte is the same.
func deterministic(t *testing.T, r request, first answer) {
	t.Helper()
	again, err := under.reconcile(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []answer{first, again} {
		for _, c := range manifest.List(a.composite, "status", "conditions") {
			if m, ok := c.(map[string]any); ok {
				delete(m, "lastTransitionTime")
			}
		}
	}
	if diff := cmp.Diff(first, again, cmp.AllowUnexported(answer{})); diff != "" {
		t.Errorf("the same request gives another answer:\n%s", diff)
	}
}

// A claim that is refused: Crossplane changes nothing, and the developer reads every violation on the claim itself.
func TestRefusal(t *testing.T) {
	o := read(t, filepath.Join(root, "example/claim.yaml"))
	spec := manifest.Map(o, "spec")
	spec["parameters"] = map[string]any{"fsync": "off", "full_page_writes": "off"}
	spec["backup"] = map[string]any{"schedule": "0 0 * * *"}
	composition := read(t, filepath.Join(root, "example/composition.yaml"))
	w := fixture.New(o, policyIn(composition), claim.ClusterScoped)

	got, err := under.reconcile(t.Context(), request{
		composite: w.Composite, composition: composition, xrd: read(t, filepath.Join(root, "apis/xrd-claim.yaml")), required: existing(w), schemas: kinds(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.composed)+len(got.deleted) > 0 {
		t.Errorf("composed %v, deleted %v", manifest.SortedKeys(got.composed), manifest.SortedKeys(got.deleted))
	}
	conditions := map[string]string{}
	for _, c := range manifest.List(got.composite, "status", "conditions") {
		m, _ := c.(map[string]any)
		conditions[fmt.Sprint(m["type"])] = fmt.Sprintf("%v %v: %v", m["status"], m["reason"], m["message"])
	}
	told := strings.Join(got.events, "\n")
	for _, rule := range []string{"ZDL-09", "CNPG-3.1"} {
		if !strings.Contains(got.fatal, rule) {
			t.Errorf("the FATAL does not name %s: %s", rule, got.fatal)
		}
		if !strings.Contains(told, rule) {
			t.Errorf("no event names %s: %s", rule, told)
		}
	}
	for _, parameter := range []string{"fsync", "full_page_writes"} {
		if !strings.Contains(got.fatal, parameter) {
			t.Errorf("only the first violation is told: %s", got.fatal)
		}
	}
	verdict := conditions["ContractSatisfied"]
	if !strings.HasPrefix(verdict, "False ") {
		t.Errorf("conditions do not survive the FATAL: %v", conditions)
	}
	if targets := manifest.Strings(got.composite, "status", "claimConditionTypes"); len(targets) == 0 {
		t.Error("no condition reaches the claim")
	}
}

// offline is what our own render prints for the same world.
func offline(t *testing.T, r request) (composed map[string]manifest.Object, status manifest.Object) {
	t.Helper()
	dir := t.TempDir()
	args := []string{
		"render", write(t, dir, "xr.yaml", r.composite), "--composition", write(t, dir, "composition.yaml", r.composition),
		"--observed", write(t, dir, "observed.yaml", r.observed...), "--required", write(t, dir, "required.yaml", r.required...),
	}
	if r.composite.Kind() == "PostgresInstance" {
		args = append(args, "--scope", "namespaced")
	}
	cmd := exec.Command(under.function, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("render: %v\n%s", err, stderr.Bytes())
	}
	composed = map[string]manifest.Object{}
	for _, o := range documents(t, out) {
		name := manifest.String(o, "metadata", "annotations", nameAnnotation)
		if name == "" {
			status = statusOf(o)
			continue
		}
		composed[name] = o
	}
	return cleaned(composed), status
}

// cleaned takes away what Crossplane adds to every composed resource: whose it is.
func cleaned(composed map[string]manifest.Object) map[string]manifest.Object {
	out := make(map[string]manifest.Object, len(composed))
	for name, o := range composed {
		o = copied(o)
		out[name] = o
		metadata := manifest.Map(o, "metadata")
		delete(metadata, "ownerReferences")
		delete(metadata, "generateName")
		labels := manifest.Map(o, "metadata", "labels")
		for _, label := range []string{"crossplane.io/composite", "crossplane.io/claim-name", "crossplane.io/claim-namespace"} {
			delete(labels, label)
		}
	}
	return out
}

// statusOf is the function's part of the status.
func statusOf(o manifest.Object) manifest.Object {
	out := manifest.Object{}
	for key, value := range manifest.Map(o, "status") {
		if key != "conditions" && key != "claimConditionTypes" && key != "crossplane" {
			out[key] = value
		}
	}
	return out
}

func ready(composite manifest.Object) bool {
	for _, c := range manifest.List(composite, "status", "conditions") {
		if m, _ := c.(map[string]any); m["type"] == "Ready" {
			return m["status"] == "True"
		}
	}
	return false
}

// observed are the composed resources of a world, as Crossplane finds them.
func observed(w *fixture.World) []manifest.Object {
	out := make([]manifest.Object, 0, len(w.Observed))
	for _, name := range manifest.SortedKeys(w.Observed) {
		o := copied(w.Observed[name])
		annotations := manifest.Map(o, "metadata", "annotations")
		if annotations == nil {
			annotations = manifest.Object{}
		}
		annotations[nameAnnotation] = name
		manifest.Map(o, "metadata")["annotations"] = map[string]any(annotations)
		out = append(out, o)
	}
	return out
}

// existing is everything in the cluster that a function may ask to see.
func existing(w *fixture.World) []manifest.Object {
	out := []manifest.Object{}
	for _, o := range w.Existing {
		out = append(out, copied(o))
	}
	for _, name := range manifest.SortedKeys(w.Observed) {
		if live := w.Live(name); live != nil {
			out = append(out, copied(live))
		}
	}
	return out
}

// kinds describe the default stack to Crossplane, as its API server would.
func kinds() []manifest.Object {
	var out []manifest.Object
	for _, gvk := range [][3]string{
		{"postgresql.cnpg.io", "v1", "Cluster"}, {"barmancloud.cnpg.io", "v1", "ObjectStore"}, {"external-secrets.io", "v1", "ExternalSecret"},
	} {
		out = append(out, document(gvk))
	}
	return append(out, document([3]string{"monitoring.coreos.com", "v1", "PodMonitor"}, [3]string{"monitoring.coreos.com", "v1", "PrometheusRule"}))
}

func document(gvks ...[3]string) manifest.Object {
	schemas := map[string]any{}
	for _, gvk := range gvks {
		object := func(properties map[string]any) map[string]any {
			return map[string]any{"type": "object", "properties": properties}
		}
		schema := object(map[string]any{"spec": object(map[string]any{"primaryLease": object(map[string]any{})})})
		schema["x-kubernetes-group-version-kind"] = []any{map[string]any{"group": gvk[0], "version": gvk[1], "kind": gvk[2]}}
		schemas[strings.Join(gvk[:], ".")] = schema
	}
	return manifest.Object{
		"openapi": "3.0.0", "info": map[string]any{"title": "kinds", "version": "1"}, "paths": map[string]any{},
		"components": map[string]any{"schemas": schemas},
	}
}

func policyIn(composition manifest.Object) manifest.Object {
	step, _ := manifest.List(composition, "spec", "pipeline")[0].(map[string]any)
	return manifest.Map(step, "input")
}

func read(t *testing.T, file string) manifest.Object {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return documents(t, raw)[0]
}

func documents(t *testing.T, raw []byte) []manifest.Object {
	t.Helper()
	var out []manifest.Object
	for text := range strings.SplitSeq(string(raw), "\n---\n") {
		o := manifest.Object{}
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		if len(o) > 0 {
			out = append(out, o)
		}
	}
	return out
}

func write(t *testing.T, dir, name string, objects ...manifest.Object) string {
	t.Helper()
	var text bytes.Buffer
	for _, o := range objects {
		body, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "---\n%s", body)
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func copied(o manifest.Object) manifest.Object {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err) // Maps, lists and scalars only.
	}
	out := manifest.Object{}
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}
