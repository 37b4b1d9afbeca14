package recipe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryToolHasItsModule(t *testing.T) {
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		tool, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, tool.Module, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		if tool.Name != name {
			t.Errorf("%s: its entry is called %s", name, tool.Name)
		}
		// A version, or the commit at the end of a pseudo-version.
		if !strings.Contains(string(raw), " v"+tool.Version) && !strings.Contains(string(raw), "-"+tool.Version) {
			t.Errorf("%s: go.mod pins no %s, which its cache entry is named after", name, tool.Version)
		}
	}
	if _, err := Find("docker"); err == nil {
		t.Error("Find(docker): there is no such tool")
	}
}

func TestCacheIsKeyedByContent(t *testing.T) {
	t.Setenv(CacheVariable, t.TempDir())
	tool, err := Find("kube")
	if err != nil {
		t.Fatal(err)
	}
	path, err := tool.Path()
	if err != nil {
		t.Fatal(err)
	}
	other := tool
	other.Flags += " -X a.b=c"
	if moved, err := other.Path(); err != nil || moved == path {
		t.Errorf("other linker flags lead to the same binary (%v)", err)
	}
	if cached, err := tool.Cached(); err != nil || cached {
		t.Errorf("Cached() of an empty cache: %v, %v", cached, err)
	}
	plan, err := Plan("kube", "crossplane")
	if err != nil || !strings.Contains(plan, "kube "+tool.Version) || !strings.Contains(plan, "minutes of CPU time") {
		t.Errorf("Plan does not say what it costs: %q, %v", plan, err)
	}

	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("binary"), 0o700); err != nil {
		t.Fatal(err)
	}
	if cached, err := tool.Cached(); err != nil || !cached {
		t.Errorf("Cached() of a built tool: %v, %v", cached, err)
	}
	if made, err := Make(t.Context(), "kube", os.Stderr); err != nil || made != path {
		t.Errorf("Make() of a built tool: %q, %v", made, err)
	}
}
