package plane

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// registry is the part of an OCI registry that serves: Crossplane fetches the function's package from it as it would
// from anywhere. On a loopback address plain HTTP is allowed.
type registry struct {
	address string
	server  *http.Server

	mu    sync.Mutex
	blobs map[string]blob   // by digest
	tags  map[string]string // digest of the manifest, by name:tag
}

type blob struct {
	mediaType string
	content   []byte
}

// Media types of an OCI image.
const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

func serveRegistry(port int) (*registry, error) {
	r := &registry{address: fmt.Sprintf("127.0.0.1:%d", port), blobs: map[string]blob{}, tags: map[string]string{}}
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve packages: %w", err)
	}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(listener) }() // Ends when closed.
	return r, nil
}

func (r *registry) close() { _ = r.server.Close() }

// ServeHTTP answers GET and HEAD of /v2/, /v2/<name>/manifests/<tag or digest> and /v2/<name>/blobs/<digest>.
func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	path, ok := strings.CutPrefix(req.URL.Path, "/v2/")
	if !ok {
		http.NotFound(w, req)
		return
	}
	if path == "" {
		return
	}
	parts := strings.Split(path, "/")
	if len(parts) < 3 {
		http.NotFound(w, req)
		return
	}
	name, what, ref := strings.Join(parts[:len(parts)-2], "/"), parts[len(parts)-2], parts[len(parts)-1]

	r.mu.Lock()
	if digest, ok := r.tags[name+":"+ref]; ok && what == "manifests" {
		ref = digest
	}
	b, ok := r.blobs[ref]
	r.mu.Unlock()
	if !ok {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"errors":[{"code":"%s_UNKNOWN","message":"not here"}]}`, strings.ToUpper(strings.TrimSuffix(what, "s"))) //nolint:gosec // To our own control plane.
		return
	}
	w.Header().Set("Content-Type", b.mediaType)
	w.Header().Set("Docker-Content-Digest", ref)
	w.Header().Set("Content-Length", strconv.Itoa(len(b.content)))
	if req.Method != http.MethodHead {
		_, _ = w.Write(b.content) // A client that went away asks again.
	}
}

func (r *registry) add(mediaType string, content []byte) (digest string) {
	sum := sha256.Sum256(content)
	digest = "sha256:" + hex.EncodeToString(sum[:])
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blobs[digest] = blob{mediaType, content}
	return digest
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// push publishes an image of these layers.
func (r *registry) push(name, tag string, config []byte, layers [][]byte, annotations []map[string]string) error {
	image := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}{SchemaVersion: 2, MediaType: manifestType, Config: descriptor{MediaType: configType, Digest: r.add(configType, config), Size: len(config)}}
	for i, layer := range layers {
		image.Layers = append(image.Layers, descriptor{layerType, r.add(layerType, layer), len(layer), annotations[i]})
	}
	raw, err := encodeJSON(image)
	if err != nil {
		return err
	}
	digest := r.add(manifestType, raw)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tags[name+":"+tag] = digest
	return nil
}

// xpkgAnnotation marks the layer that holds package.yaml. In a package file it is a label of the configuration, named
// after the layer's digest; whoever pushes turns it into an annotation of the layer.
const xpkgAnnotation = "io.crossplane.xpkg"

// pushFile publishes a package file (.xpkg): an image as `docker save` writes it.
func (r *registry) pushFile(name, tag, file string) error {
	files, err := untar(file)
	if err != nil {
		return fmt.Errorf("cannot read package %s: %w", file, err)
	}
	image, err := imageIn(files)
	if err != nil {
		return fmt.Errorf("cannot read package %s: %w", file, err)
	}
	var layers [][]byte
	var annotations []map[string]string
	for _, path := range image.Layers {
		layer, ok := files[path]
		if !ok {
			return fmt.Errorf("package %s lacks its layer %s", file, path)
		}
		sum := sha256.Sum256(layer)
		var annotation map[string]string
		if kind, ok := image.config.Config.Labels[xpkgAnnotation+":sha256:"+hex.EncodeToString(sum[:])]; ok {
			annotation = map[string]string{xpkgAnnotation: kind}
		}
		layers, annotations = append(layers, layer), append(annotations, annotation)
	}
	return r.push(name, tag, files[image.Config], layers, annotations)
}

// image is the one image of an archive as `docker save` writes it.
type image struct {
	Config string
	Layers []string

	config struct {
		Config struct {
			Labels     map[string]string
			Entrypoint []string
		}
	}
}

func imageIn(files map[string][]byte) (image, error) {
	var images []image
	if err := json.Unmarshal(files["manifest.json"], &images); err != nil {
		return image{}, fmt.Errorf("manifest.json: %w", err)
	}
	if len(images) != 1 {
		return image{}, fmt.Errorf("it holds %d images instead of one", len(images))
	}
	if err := json.Unmarshal(files[images[0].Config], &images[0].config); err != nil {
		return image{}, fmt.Errorf("the image's configuration: %w", err)
	}
	return images[0], nil
}

func untar(file string) (map[string][]byte, error) {
	f, err := os.Open(file) //nolint:gosec // The package this run built.
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // Only read.
	return readTar(f)
}

// readTar returns the files of an archive by name, without a leading slash.
func readTar(r io.Reader) (map[string][]byte, error) {
	out := map[string][]byte{}
	archive := tar.NewReader(r)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if out[strings.TrimPrefix(header.Name, "/")], err = io.ReadAll(archive); err != nil {
			return nil, err
		}
	}
}

// entrypoint is the program a package runs.
func entrypoint(file string) ([]byte, error) {
	files, err := untar(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read package %s: %w", file, err)
	}
	image, err := imageIn(files)
	if err != nil {
		return nil, fmt.Errorf("cannot read package %s: %w", file, err)
	}
	for _, path := range image.Layers {
		unpacked, err := gzip.NewReader(bytes.NewReader(files[path]))
		if err != nil {
			return nil, fmt.Errorf("cannot read layer %s of package %s: %w", path, file, err)
		}
		inside, err := readTar(unpacked)
		if err != nil {
			return nil, fmt.Errorf("cannot read layer %s of package %s: %w", path, file, err)
		}
		for _, name := range image.config.Config.Entrypoint {
			if program, ok := inside[strings.TrimPrefix(name, "/")]; ok {
				return program, nil
			}
		}
	}
	return nil, fmt.Errorf("package %s lacks its entrypoint %v", file, image.config.Config.Entrypoint)
}
