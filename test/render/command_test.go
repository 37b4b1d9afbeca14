package render

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/test/tools/recipe"
)

// The README's command, typed as it stands there, prints what our own render does. Crossplane's command line takes nine
// minutes of CPU time to build, so a machine that has not built it yet only does so when FHP_RENDER_CLI is set.
func TestCommandLine(t *testing.T) {
	tool, err := recipe.Find("crossplane-cli")
	if err != nil {
		t.Fatal(err)
	}
	if cached, err := tool.Cached(); err != nil {
		t.Fatal(err)
	} else if !cached && os.Getenv("FHP_RENDER_CLI") == "" {
		t.Skip("NOT RUN: Crossplane's command line is not built; FHP_RENDER_CLI=1 builds it (9 minutes of CPU time)")
	}
	cli, err := recipe.Make(t.Context(), "crossplane-cli", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	functions, err := os.ReadFile(filepath.Join(root, "example/functions.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	here := strings.Replace(string(functions), "localhost:9443", under.address, 1)
	if here == string(functions) {
		t.Fatal("example/functions.yaml does not name the address the README's serve listens on")
	}
	local := filepath.Join(dir, "functions.yaml")
	if err := os.WriteFile(local, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	var args []string
	for _, arg := range documented(t) {
		switch arg {
		case "example/functions.yaml":
			arg = local
		case "CORE":
			arg = under.binary
		}
		args = append(args, arg)
	}

	cmd := exec.CommandContext(t.Context(), cli, args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CROSSPLANE_CONFIG="+filepath.Join(dir, "config.yaml"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("crossplane %s: %v\n%s", strings.Join(args, " "), err, stderrOf(err))
	}
	composed := map[string]manifest.Object{}
	for _, o := range documents(t, out) {
		if name := fmt.Sprint(manifest.Map(o, "metadata", "annotations")[nameAnnotation]); name != "<nil>" {
			composed[name] = o
		}
	}

	// The same world for our own render: nothing but a StorageClass.
	want, _ := offline(t, request{
		composite: read(t, filepath.Join(root, "example/xr-namespaced.yaml")), composition: read(t, filepath.Join(root, "example/composition-namespaced.yaml")),
		required: []manifest.Object{read(t, filepath.Join(root, "apis/storageclasses/aws.yaml"))},
	})
	if len(want) == 0 {
		t.Fatal("our own render prints nothing")
	}
	if diff := cmp.Diff(cleaned(want), cleaned(composed)); diff != "" {
		t.Errorf("-our render, +crossplane composition render:\n%s", diff)
	}
}

// documented are the arguments of the command in README.md, with CORE for the core binary.
func documented(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, command, found := strings.Cut(string(raw), "$ crossplane ")
	command, _, ended := strings.Cut(command, "```")
	if !found || !ended {
		t.Fatal("README.md has no command")
	}
	command = strings.NewReplacer("\\\n", " ", `"$(go run -C test/tools ./build crossplane)"`, "CORE").Replace(command)
	return strings.Fields(command)
}

func stderrOf(err error) string {
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // What Output returns.
		return string(exit.Stderr)
	}
	return ""
}
