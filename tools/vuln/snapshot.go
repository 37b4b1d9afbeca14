package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// snapshotVersion is the state of Go's vulnerability database, published as a Go module.
const snapshotVersion = "v0.0.0-20261105234957-e22db6528018"

// leastEntries is fewer than any real snapshot has: an empty database finds nothing.
const leastEntries = 3000

// entry is what the index needs of one report.
type entry struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Aliases  []string  `json:"aliases,omitempty"`
	Affected []struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
		Ranges []struct {
			Events []struct {
				Fixed string `json:"fixed"`
			} `json:"events"`
		} `json:"ranges"`
	} `json:"affected"`
}

type indexed struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Fixed    string    `json:"fixed,omitempty"`
}

// snapshot lays the reports out the way the scanner reads a database, in a directory that it keeps.
func snapshot(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "golang.org/x/vulndb@"+snapshotVersion)
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
	answer, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cannot get the snapshot of the database: %w", err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(answer, &module); err != nil || module.Dir == "" {
		return "", errors.Join(errors.New("cannot get the snapshot of the database"), err)
	}
	files, err := filepath.Glob(filepath.Join(module.Dir, "data/osv/*.json"))
	if err != nil || len(files) < leastEntries {
		return "", fmt.Errorf("the snapshot holds %d reports, at least %d are expected: %w", len(files), leastEntries, errors.ErrUnsupported)
	}
	dir := filepath.Join(os.TempDir(), "vulndb-"+snapshotVersion)
	for _, sub := range []string{"ID", "index"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
			return "", fmt.Errorf("cannot make a directory for the database: %w", err)
		}
	}
	return dir, layOut(dir, files)
}

func layOut(dir string, files []string) error {
	var last time.Time
	modules := map[string][]indexed{}
	all := make([]entry, 0, len(files))
	for _, file := range files {
		raw, err := os.ReadFile(file) //nolint:gosec // A file of the module cache.
		if err != nil {
			return fmt.Errorf("cannot read a report: %w", err)
		}
		var e entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("cannot read report %s: %w", filepath.Base(file), err)
		}
		if err := os.WriteFile(filepath.Join(dir, "ID", filepath.Base(e.ID)+".json"), raw, 0o600); err != nil { //nolint:gosec // Names of the Go vulnerability database, without folders.
			return fmt.Errorf("cannot write a report: %w", err)
		}
		if e.Modified.After(last) {
			last = e.Modified
		}
		for path, fixed := range e.fixes() {
			modules[path] = append(modules[path], indexed{e.ID, e.Modified, fixed})
		}
		e.Affected = nil
		all = append(all, e)
	}

	type byModule struct {
		Path  string    `json:"path"`
		Vulns []indexed `json:"vulns"`
	}
	list := make([]byModule, 0, len(modules))
	for path, vulns := range modules {
		list = append(list, byModule{path, vulns})
	}
	slices.SortFunc(list, func(a, b byModule) int { return strings.Compare(a.Path, b.Path) })
	for file, content := range map[string]any{
		"db": map[string]any{"modified": last}, "modules": list, "vulns": all,
	} {
		raw, err := json.Marshal(content)
		if err != nil {
			return fmt.Errorf("cannot encode the index: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "index", file+".json"), raw, 0o600); err != nil {
			return fmt.Errorf("cannot write the index: %w", err)
		}
	}
	return nil
}

// fixes are the modules a report is about, each with the last version that fixes something; "" where none does.
func (e entry) fixes() map[string]string {
	out := map[string]string{}
	for _, affected := range e.Affected {
		fixed := ""
		for _, r := range affected.Ranges {
			for _, event := range r.Events {
				if event.Fixed != "" {
					fixed = event.Fixed
				}
			}
		}
		out[affected.Package.Name] = fixed
	}
	return out
}
