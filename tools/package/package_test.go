package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	containername "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestPackage builds everything and pushes it to a registry in this process.
func TestPackage(t *testing.T) {
	store := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(store.Close)
	owner := strings.TrimPrefix(store.URL, "http://") + "/acme"
	dir := t.TempDir()
	build := options{root: "../..", out: dir, version: "v1.2.3", revision: "0123abc", push: owner, arches: []string{"amd64", "arm64"}}
	if err := run(build); err != nil {
		t.Fatal(err)
	}
	want := "SHA256SUMS THIRD_PARTY_LICENSES.txt digests.txt function-hardened-postgres-amd64.cdx.json function-hardened-postgres-amd64.xpkg " +
		"function-hardened-postgres-arm64.cdx.json function-hardened-postgres-arm64.xpkg hardened-postgres-claim.xpkg hardened-postgres-namespaced.xpkg"
	if got := strings.Join(filesIn(t, dir), " "); got != want {
		t.Errorf("built %s\nwant  %s", got, want)
	}
	t.Run("Image", func(t *testing.T) { testImage(t, dir) })
	t.Run("Configurations", func(t *testing.T) { testConfigurations(t, dir) })
	t.Run("BillOfMaterials", func(t *testing.T) { testBillOfMaterials(t, dir) })
	t.Run("Digests", func(t *testing.T) { testDigests(t, dir, owner) })
	t.Run("Sums", func(t *testing.T) { testSums(t, dir) })
	t.Run("Serves", func(t *testing.T) { testServes(t, dir) })
	t.Run("Reproducible", func(t *testing.T) { testReproducible(t, build) })
}

// testReproducible builds from a copy of the sources in another place, with nothing compiled before: with -trimpath the
// place is no reason for the compiler to run again, and a build out of one cache would only say that linking is reproducible.
// One architecture is compiled; what the other one adds is the same compiler.
func testReproducible(t *testing.T, first options) {
	t.Helper()
	again := first
	again.root, again.out, again.push, again.arches = filepath.Join(t.TempDir(), "a", "copy"), t.TempDir(), "", first.arches[:1]
	copySources(t, again.root)
	t.Setenv("GOCACHE", t.TempDir())
	if err := run(again); err != nil {
		t.Fatal(err)
	}
	for _, file := range filesIn(t, again.out) {
		if file == "digests.txt" || file == "SHA256SUMS" {
			continue // They follow from the others, and list them all.
		}
		if !bytes.Equal(body(t, first.out, file), body(t, again.out, file)) {
			t.Errorf("%s differs between two builds", file)
		}
	}
}

// testDigests holds what is noted against what a registry has: the signed reference is one of the notes.
func testDigests(t *testing.T, dir, owner string) {
	t.Helper()
	var held []string
	for _, repository := range []string{name, "hardened-postgres-claim", "hardened-postgres-namespaced"} {
		ref, err := containername.ParseReference(owner + "/" + repository + ":v1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		descriptor, err := remote.Get(ref)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, fmt.Sprintf("%s  %s", descriptor.Digest, repository))
		if !descriptor.MediaType.IsIndex() {
			continue
		}
		index, err := descriptor.ImageIndex()
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range manifest.Manifests {
			held = append(held, fmt.Sprintf("%s  %s %s", m.Digest, repository, m.Platform))
		}
	}
	if len(held) != 5 {
		t.Errorf("the registry holds %d manifests, expected an index, two images and two Configurations", len(held))
	}
	if diff := cmp.Diff(strings.Join(held, "\n")+"\n", string(body(t, dir, "digests.txt"))); diff != "" {
		t.Errorf("-pushed, +noted:\n%s", diff)
	}
}

// testSums: the list of sums names every other file and its sum.
func testSums(t *testing.T, dir string) {
	t.Helper()
	var want strings.Builder
	for _, file := range filesIn(t, dir) {
		if file != "SHA256SUMS" {
			fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256(body(t, dir, file)), file)
		}
	}
	if diff := cmp.Diff(want.String(), string(body(t, dir, "SHA256SUMS"))); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func testImage(t *testing.T, dir string) {
	t.Helper()
	for _, arch := range []string{"amd64", "arm64"} {
		image := open(t, dir, name+"-"+arch+".xpkg")
		if err := validate.Image(image); err != nil {
			t.Errorf("%s: %v", arch, err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		c := config.Config
		if config.Architecture != arch || config.OS != "linux" || c.User != "65532:65532" || strings.Join(c.Entrypoint, " ") != "/function" || len(c.Cmd) > 0 {
			t.Errorf("%s: platform %s/%s, user %q, entrypoint %q, command %q", arch, config.OS, config.Architecture, c.User, c.Entrypoint, c.Cmd)
		}
		if _, ok := c.ExposedPorts["9443/tcp"]; !ok {
			t.Errorf("%s: ports %v", arch, c.ExposedPorts)
		}
		if c.Labels["org.opencontainers.image.version"] != "v1.2.3" || c.Labels["org.opencontainers.image.revision"] != "0123abc" {
			t.Errorf("%s: labels %v", arch, c.Labels)
		}

		files := map[string]*tar.Header{}
		for _, layer := range layers(t, image) {
			for header := range layer {
				files[header.Name] = header
			}
		}
		if len(files) != 4 {
			t.Errorf("%s: the image holds %d files, expected the binary, two licences and the package", arch, len(files))
		}
		if f := files["/function"]; f == nil || f.Mode != 0o555 || f.Uid != 0 {
			t.Errorf("%s: the binary is %+v", arch, f)
		}
		text := string(packageLayer(t, image))
		for _, part := range []string{"kind: Function\n", "- composition\n", "name: policies.hardened-postgres.fn.bizmatters.io\n"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the package has no %q", arch, part)
			}
		}
	}
}

func testConfigurations(t *testing.T, dir string) {
	t.Helper()
	for alternative, xrd := range map[string]string{"claim": "xpostgresinstances.database.bizmatters.io", "namespaced": "postgresinstances.database.bizmatters.io"} {
		text := string(packageLayer(t, open(t, dir, "hardened-postgres-"+alternative+".xpkg")))
		for _, part := range []string{"kind: Configuration\n", "name: hardened-postgres-" + alternative + "\n", "name: " + xrd + "\n"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the package has no %q", alternative, part)
			}
		}
		if strings.Contains(text, "kind: Composition\n") {
			t.Errorf("%s: the package carries a Composition, and with it somebody's policy", alternative)
		}
	}
}

func testBillOfMaterials(t *testing.T, dir string) {
	t.Helper()
	var b bom
	if err := json.Unmarshal(body(t, dir, name+"-amd64.cdx.json"), &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || len(b.Dependencies) != 1 {
		t.Errorf("%s %s", b.Format, b.SpecVersion)
	}
	binary := contentIn(t, open(t, dir, name+"-amd64.xpkg"), entrypoint)
	if sum := fmt.Sprintf("%x", sha256.Sum256(binary)); len(b.Metadata.Component.Hashes) != 1 || b.Metadata.Component.Hashes[0].Content != sum {
		t.Errorf("it is about %+v, the image holds %s", b.Metadata.Component.Hashes, sum)
	}
	list := string(body(t, dir, licencesFile))
	seen := map[string]bool{}
	var named []string
	for _, c := range b.Components {
		seen[c.Name] = true
		named = append(named, c.PURL)
		if !strings.Contains(list, c.Name+" "+c.Version) {
			t.Errorf("%s %s has no licence in the list", c.Name, c.Version)
		}
	}
	for _, module := range []string{"stdlib", "google.golang.org/grpc", "google.golang.org/protobuf", "github.com/crossplane/function-sdk-go"} {
		if !seen[module] {
			t.Errorf("%s is not in the bill of materials", module)
		}
	}
	if diff := cmp.Diff(modulesIn(t, binary), named); diff != "" {
		t.Errorf("the components: -in the binary, +in the bill:\n%s", diff)
	}
	if diff := cmp.Diff(named, b.Dependencies[0].DependsOn); diff != "" {
		t.Errorf("the dependencies: -components, +dependencies:\n%s", diff)
	}
	// What the product must never contain (see the reasons in its design notes: size, and what it could do).
	for _, module := range []string{"sigs.k8s.io/controller-runtime", "k8s.io/client-go", "helm.sh/helm/v3"} {
		if seen[module] {
			t.Errorf("%s is in the binary", module)
		}
	}
}

// modulesIn reads what a binary was built from: each module as a package URL, sorted by its path.
func modulesIn(t *testing.T, binary []byte) []string {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"pkg:golang/stdlib@" + strings.TrimPrefix(info.GoVersion, "go")}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		all = append(all, "pkg:golang/"+dep.Path+"@"+dep.Version)
	}
	slices.Sort(all)
	return all
}

func TestLicencesOf(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"Apache":  {"Apache License\n   Version 2.0, January 2004", "Apache-2.0"},
		"MIT":     {"Permission is hereby granted, free\nof charge, to any person", "MIT"},
		"BSD3":    {"Redistribution and use in source and binary\nforms ... Neither the name of", "BSD-3-Clause"},
		"BSD2":    {"Redistribution and use in source and binary forms, with or without", "BSD-2-Clause"},
		"Two":     {"Permission is hereby granted, free of charge ... Apache License, Version 2.0", "Apache-2.0 MIT"},
		"Unknown": {"GNU GENERAL PUBLIC LICENSE Version 3", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(licencesOf(tc.text), " "); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if _, _, err := licenceIn(t.TempDir()); !errors.Is(err, errNoLicence) {
		t.Errorf("a module without a licence: %v", err)
	}
}

// copySources copies what the product is built from, as a clone would have it.
func copySources(t *testing.T, to string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	for file := range strings.Lines(string(out)) {
		file = strings.TrimSpace(file)
		raw, err := os.ReadFile(filepath.Join("../..", file))
		if errors.Is(err, os.ErrNotExist) {
			continue // Deleted and not committed yet.
		}
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(to, file)
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, dir, file string) v1.Image {
	t.Helper()
	image, err := tarball.ImageFromPath(filepath.Join(dir, file), nil)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// filesIn are the names of a directory's files, sorted.
func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names
}

// contentIn is one file of an image.
func contentIn(t *testing.T, image v1.Image, file string) []byte {
	t.Helper()
	for _, layer := range layers(t, image) {
		for header, content := range layer {
			if header.Name == file {
				return content
			}
		}
	}
	t.Fatalf("the image has no %s", file)
	return nil
}

// packageLayer returns the package of an image: the one file of the layer that the label marks.
func packageLayer(t *testing.T, image v1.Image) []byte {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	for label, value := range config.Config.Labels {
		digest, ok := strings.CutPrefix(label, xpkgKey+":")
		if !ok || value != base {
			continue
		}
		hash, err := v1.NewHash(digest)
		if err != nil {
			t.Fatal(err)
		}
		marked, err := image.LayerByDigest(hash)
		if err != nil {
			t.Fatalf("the label marks a layer that is not there: %v", err)
		}
		for header, content := range contentOf(t, marked) {
			if header.Name != stream {
				t.Errorf("the package's layer holds %s", header.Name)
			}
			return content
		}
	}
	t.Fatal("no layer is marked as the package")
	return nil
}

func layers(t *testing.T, image v1.Image) []map[*tar.Header][]byte {
	t.Helper()
	all, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]map[*tar.Header][]byte, len(all))
	for i, l := range all {
		out[i] = contentOf(t, l)
	}
	return out
}

func contentOf(t *testing.T, l v1.Layer) map[*tar.Header][]byte {
	t.Helper()
	raw, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	out := map[*tar.Header][]byte{}
	for r := tar.NewReader(raw); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[header] = content
	}
}

func body(t *testing.T, dir, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The annotation that Crossplane looks for is on the manifest's layer, before it goes through an archive.
func TestPackageIsAnnotated(t *testing.T) {
	image, err := buildConfiguration(options{root: "../.."}, "claim")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Layers) != 1 || manifest.Layers[0].Annotations["io.crossplane.xpkg"] != "base" {
		t.Errorf("layers %+v", manifest.Layers)
	}
}
