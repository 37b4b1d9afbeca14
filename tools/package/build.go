package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// release is the function for one architecture.
type release struct {
	arch     string
	image    v1.Image
	digest   v1.Hash
	sbom     []byte
	licences []byte
}

func (r release) file() string { return name + "-" + r.arch + ".xpkg" }

// write returns the names of the files it has written.
func (r release) write(o options) ([]string, error) {
	if err := writeArchive(filepath.Join(o.out, r.file()), r.image); err != nil {
		return nil, err
	}
	written := []string{r.file()}
	for file, body := range map[string][]byte{name + "-" + r.arch + ".cdx.json": r.sbom, licencesFile: r.licences} {
		if err := os.WriteFile(filepath.Join(o.out, file), body, 0o644); err != nil { //nolint:gosec // Results are for everybody.
			return nil, fmt.Errorf("cannot write %s: %w", file, err)
		}
		written = append(written, file)
	}
	return written, nil
}

func buildFunction(o options, arch string) (release, error) {
	dir, err := os.MkdirTemp("", "package")
	if err != nil {
		return release{}, fmt.Errorf("cannot make a temporary directory: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // A left-over in the temporary directory harms nobody.

	binary := filepath.Join(dir, "function")
	if err := compile(o.root, arch, binary); err != nil {
		return release{}, err
	}
	inside, err := contentsOf(o.root, binary)
	if err != nil {
		return release{}, err
	}
	r := release{arch: arch, licences: inside.licences()}
	if r.sbom, err = inside.sbom(o.version); err != nil {
		return release{}, err
	}

	body, err := os.ReadFile(binary) //nolint:gosec // The file just built.
	if err != nil {
		return release{}, fmt.Errorf("cannot read the binary: %w", err)
	}
	image, err := runtimeImage(o, arch, body, r.licences)
	if err != nil {
		return release{}, err
	}
	documents, err := readAll(o.root, "package/crossplane.yaml", "package/input/hardened-postgres.fn.bizmatters.io_policies.yaml")
	if err != nil {
		return release{}, err
	}
	if r.image, err = packaged(image, documents...); err != nil {
		return release{}, err
	}
	if r.digest, err = r.image.Digest(); err != nil {
		return release{}, fmt.Errorf("cannot hash the package: %w", err)
	}
	return r, nil
}

// buildConfiguration packs one of the alternative APIs. There is nothing to run in it.
func buildConfiguration(o options, alternative string) (v1.Image, error) {
	documents, err := readAll(o.root, "apis/crossplane-"+alternative+".yaml", "apis/xrd-"+alternative+".yaml")
	if err != nil {
		return nil, err
	}
	return packaged(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), documents...)
}

// compile builds the function so that the same sources give the same bytes wherever they lie.
func compile(root, arch, out string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", out, ".") //nolint:gosec // Our own arguments.
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, os.Stderr, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-mod=readonly")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

func readAll(root string, files ...string) ([][]byte, error) {
	out := make([][]byte, len(files))
	for i, file := range files {
		body, err := os.ReadFile(filepath.Join(root, file)) //nolint:gosec // Files of this repository.
		if err != nil {
			return nil, fmt.Errorf("cannot read a part of the package: %w", err)
		}
		out[i] = body
	}
	return out, nil
}
