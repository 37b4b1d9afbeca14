package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	containername "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// nonroot is the user of the image: distroless' own number. Crossplane runs functions as 2000 unless told otherwise,
	// so nothing in the image depends on it.
	nonroot    = "65532:65532"
	entrypoint = "/function"
	grpcPort   = "9443/tcp"

	// xpkgKey marks the layer that holds the package; its label in the image's configuration ends in the layer's digest.
	xpkgKey = "io.crossplane.xpkg"
	base    = "base"
	// stream is the file inside that layer.
	stream = "package.yaml"
)

// file is one file of a layer.
type file struct {
	path string
	mode int64
	body []byte
}

// runtimeImage is the image the function runs in: the binary, the licences and nothing else. There is no shell, nothing
// is written, and no file belongs to the user that runs.
func runtimeImage(o options, arch string, binary, licences []byte) (v1.Image, error) {
	ours, err := os.ReadFile(filepath.Join(o.root, "LICENSE"))
	if err != nil {
		return nil, fmt.Errorf("cannot read our own licence: %w", err)
	}
	contents, err := layer(
		file{entrypoint, 0o555, binary},
		file{"/licenses/LICENSE", 0o444, ours},
		file{"/licenses/" + licencesFile, 0o444, licences},
	)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), contents)
	if err != nil {
		return nil, fmt.Errorf("cannot assemble the image: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot read the image's configuration: %w", err)
	}
	config = config.DeepCopy()
	config.Architecture, config.OS = arch, "linux"
	config.Created = v1.Time{Time: buildTime()}
	config.Config = v1.Config{
		Entrypoint:   []string{entrypoint},
		User:         nonroot,
		WorkingDir:   "/",
		ExposedPorts: map[string]struct{}{grpcPort: {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":       name,
			"org.opencontainers.image.description": "PostgreSQL that does not lose acknowledged data, from a claim in Git.",
			"org.opencontainers.image.source":      "https://github.com/bizmatters/function-hardened-postgres",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     o.version,
		},
	}
	if o.revision != "" {
		config.Config.Labels["org.opencontainers.image.revision"] = o.revision
	}
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		return nil, fmt.Errorf("cannot configure the image: %w", err)
	}
	return image, nil
}

// packaged adds a Crossplane package to an image: the documents in one stream, in a layer that is marked twice. Crossplane
// looks for the annotation; the label is what a push from an archive, which has no annotations, restores it from.
func packaged(image v1.Image, documents ...[]byte) (v1.Image, error) {
	var text bytes.Buffer
	for _, document := range documents {
		fmt.Fprintf(&text, "---\n%s\n", bytes.TrimSpace(document))
	}
	contents, err := layer(file{stream, 0o644, text.Bytes()})
	if err != nil {
		return nil, err
	}
	digest, err := contents.Digest()
	if err != nil {
		return nil, fmt.Errorf("cannot hash the package: %w", err)
	}
	image, err = mutate.Append(image, mutate.Addendum{Layer: contents, Annotations: map[string]string{xpkgKey: base}})
	if err != nil {
		return nil, fmt.Errorf("cannot add the package: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot read the image's configuration: %w", err)
	}
	config = config.DeepCopy()
	if config.Config.Labels == nil {
		config.Config.Labels = map[string]string{}
	}
	config.Config.Labels[xpkgKey+":"+digest.String()] = base
	// History entries carry the time of the build otherwise.
	for i := range config.History {
		config.History[i].Created = v1.Time{Time: buildTime()}
	}
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		return nil, fmt.Errorf("cannot label the image: %w", err)
	}
	return image, nil
}

// layer packs files the same way every time: sorted, owned by root, at one time.
func layer(files ...file) (v1.Layer, error) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, f := range files {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.path, Mode: f.mode, Size: int64(len(f.body)), ModTime: buildTime(), Format: tar.FormatPAX,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("cannot pack %s: %w", f.path, err)
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, fmt.Errorf("cannot pack %s: %w", f.path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot pack a layer: %w", err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("cannot make a layer: %w", err)
	}
	return l, nil
}

// buildTime is the time everything in an image carries: SOURCE_DATE_EPOCH where it is set, the beginning of time
// otherwise.
func buildTime() time.Time {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		seconds = 0
	}
	return time.Unix(seconds, 0).UTC()
}

// writeArchive writes an image as Crossplane's tools read packages: an archive that `crossplane xpkg push -f` takes.
func writeArchive(path string, image v1.Image) error {
	reference, err := containername.NewTag("registry.local/package:" + strings.TrimSuffix(filepath.Base(path), ".xpkg"))
	if err != nil {
		return fmt.Errorf("cannot name the image in %s: %w", path, err)
	}
	if err := tarball.WriteToFile(path, reference, image); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}
