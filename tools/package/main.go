// Command package builds everything that is released, without a container engine:
//
//	dist/function-hardened-postgres-ARCH.xpkg   the function's Crossplane package, with its runtime image inside
//	dist/hardened-postgres-{claim,namespaced}.xpkg   the two alternative Configurations with the API
//	dist/function-hardened-postgres-ARCH.cdx.json    what is in the binary (CycloneDX), from the binary itself
//	dist/THIRD_PARTY_LICENSES.txt   the licences of all of it, also inside the image
//	dist/digests.txt   the digests, the same on every machine that builds the same commit with the same Go
//
// Run it with `go run -C tools ./package`; -push REGISTRY/OWNER pushes the function, all architectures under one
// reference, and the Configurations, each tagged with the version.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
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
	var digests []string
	note := func(artefact string, digest fmt.Stringer) {
		digests = append(digests, fmt.Sprintf("%s  %s", digest, artefact))
	}

	configurations := map[string]v1.Image{}
	functions := make([]release, 0, len(o.arches))
	for _, arch := range o.arches {
		r, err := buildFunction(o, arch)
		if err != nil {
			return fmt.Errorf("cannot build the function for %s: %w", arch, err)
		}
		functions = append(functions, r)
		if err := r.write(o); err != nil {
			return fmt.Errorf("cannot write the results for %s: %w", arch, err)
		}
		note(r.file(), r.digest)
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
		note(file, digest)
	}

	list := strings.Join(digests, "\n") + "\n"
	fmt.Print(list)
	if err := os.WriteFile(filepath.Join(o.out, "digests.txt"), []byte(list), 0o644); err != nil { //nolint:gosec // Results are for everybody.
		return fmt.Errorf("cannot write the digests: %w", err)
	}
	if o.push != "" {
		return pushAll(o.push, o.version, functions, configurations)
	}
	return nil
}
