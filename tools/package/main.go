// Command package builds everything that is released, without a container engine:
//
//	dist/function-hardened-postgres-ARCH.xpkg   the function's Crossplane package, with its runtime image inside
//	dist/hardened-postgres-{claim,namespaced}.xpkg   the two alternative Configurations with the API
//	dist/function-hardened-postgres-ARCH.cdx.json    what is in the binary (CycloneDX), from the binary itself
//	dist/THIRD_PARTY_LICENSES.txt   the licences of all of it, also inside the image
//	dist/digests.txt   the digests of what a registry holds once all of it is pushed
//	dist/SHA256SUMS   the sums of all these files
//
// All of it is the same on every machine that builds the same commit with the same Go.
//
// Run it with `go run -C tools ./package`; -push REGISTRY/OWNER pushes the function, all architectures under one
// reference, and the Configurations, each tagged with the version.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	o := options{}
	arches := ""
	flag.StringVar(&o.root, "root", "..", "directory of the repository")
	flag.StringVar(&o.out, "out", "../dist", "directory the results go to")
	flag.StringVar(&o.version, "version", "v0.0.0-dev", "version of the release, a semantic version with a leading v")
	flag.StringVar(&o.revision, "revision", "", "commit the release is built from")
	flag.StringVar(&arches, "arch", "amd64,arm64", "architectures")
	flag.StringVar(&o.push, "push", "", "where to push to: a registry and an owner, for instance ghcr.io/acme")
	flag.Parse()
	o.arches = strings.Split(arches, ",")
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

// options of one run.
type options struct {
	root, out, version, revision, push string
	arches                             []string
}

const name = "function-hardened-postgres"

func run(o options) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil { //nolint:gosec // Results are for everybody.
		return fmt.Errorf("cannot make the directory for the results: %w", err)
	}
	var digests, files []string
	note := func(reference string, digest fmt.Stringer) {
		digests = append(digests, fmt.Sprintf("%s  %s", digest, reference))
	}

	configurations := map[string]v1.Image{}
	functions := make([]release, 0, len(o.arches))
	for _, arch := range o.arches {
		r, err := buildFunction(o, arch)
		if err != nil {
			return fmt.Errorf("cannot build the function for %s: %w", arch, err)
		}
		functions = append(functions, r)
		written, err := r.write(o)
		if err != nil {
			return fmt.Errorf("cannot write the results for %s: %w", arch, err)
		}
		files = append(files, written...)
	}
	index := indexOf(functions)
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("cannot hash the function's index: %w", err)
	}
	note(name, digest)
	for _, r := range functions {
		note(name+" linux/"+r.arch, r.digest)
	}
	for _, alternative := range []string{"claim", "namespaced"} {
		image, err := buildConfiguration(o, alternative)
		if err != nil {
			return fmt.Errorf("cannot build the Configuration for %s: %w", alternative, err)
		}
		configuration := "hardened-postgres-" + alternative
		configurations[configuration] = image
		file := configuration + ".xpkg"
		if err := writeArchive(filepath.Join(o.out, file), image); err != nil {
			return err
		}
		digest, err := image.Digest()
		if err != nil {
			return fmt.Errorf("cannot hash %s: %w", file, err)
		}
		files = append(files, file)
		note(configuration, digest)
	}

	list := strings.Join(digests, "\n") + "\n"
	fmt.Print(list)
	if err := os.WriteFile(filepath.Join(o.out, "digests.txt"), []byte(list), 0o644); err != nil { //nolint:gosec // Results are for everybody.
		return fmt.Errorf("cannot write the digests: %w", err)
	}
	if err := sums(o.out, append(files, "digests.txt")); err != nil {
		return err
	}
	if o.push != "" {
		return pushAll(o.push, o.version, index, configurations)
	}
	return nil
}

// sums writes the list that `sha256sum --check` reads: who has verified its signature has verified every file.
func sums(dir string, files []string) error {
	slices.Sort(files)
	var list strings.Builder
	for _, file := range slices.Compact(files) {
		body, err := os.ReadFile(filepath.Join(dir, file)) //nolint:gosec // A file just written.
		if err != nil {
			return fmt.Errorf("cannot hash a result: %w", err)
		}
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(body), file)
	}
	if err := os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(list.String()), 0o644); err != nil { //nolint:gosec // Results are for everybody.
		return fmt.Errorf("cannot write the sums: %w", err)
	}
	return nil
}
