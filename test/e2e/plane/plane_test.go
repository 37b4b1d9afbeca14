package plane

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

func TestNothingIsLeftBehind(t *testing.T) {
	s := newSupervisor(t.TempDir())
	// The shell's child has to go with the shell.
	p, err := s.start(Command{Name: "parent", Path: "/bin/sh", Args: []string{"-c", "sleep 600 & echo started; wait"}})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); !strings.Contains(p.Tail(1), "started"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the shell does not start")
		}
	}
	if err := s.health(); err != nil {
		t.Errorf("health() of a running process: %v", err)
	}
	s.stopAll()
	for end := time.Now().Add(5 * time.Second); syscall.Kill(-p.PID(), 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the process group outlives stopAll")
		}
	}
	if err := s.health(); err != nil {
		t.Errorf("health() of a process that was stopped: %v", err)
	}
}

func TestDeathIsNoticed(t *testing.T) {
	s := newSupervisor(t.TempDir())
	p, err := s.start(Command{Name: "mortal", Path: "/bin/sh", Args: []string{"-c", "echo last words; exit 3"}})
	if err != nil {
		t.Fatal(err)
	}
	<-p.done
	if err := s.health(); err == nil || !strings.Contains(err.Error(), "mortal ended by itself (exit status 3)") || !strings.Contains(err.Error(), "last words") {
		t.Errorf("health(): %v", err)
	}
}

func TestRegistryServesAPackage(t *testing.T) {
	free, err := ports(1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := serveRegistry(free[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	file := packageFile(t, map[string]string{"package.yaml": "kind: Function\n", "function": "#!/bin/sh\n"})
	if err := r.pushFile("acme/function", "v1", file); err != nil {
		t.Fatal(err)
	}
	if program, err := entrypoint(file); err != nil || string(program) != "#!/bin/sh\n" {
		t.Errorf("entrypoint(): %q, %v", program, err)
	}
	get := func(path string, want int) string {
		res, err := http.Get("http://" + r.address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != want {
			t.Errorf("GET %s: %s, %v, want %d", path, res.Status, err, want)
		}
		return string(raw)
	}
	get("/v2/", http.StatusOK)
	if m := get("/v2/acme/function/manifests/v1", http.StatusOK); !strings.Contains(m, `"io.crossplane.xpkg":"base"`) {
		t.Errorf("the manifest does not mark its layer: %s", m)
	}
	get("/v2/acme/function/manifests/v2", http.StatusNotFound)
	get("/v2/acme/function/blobs/sha256:0", http.StatusNotFound)
}

// packageFile is an archive with one image of one layer that holds these files.
func packageFile(t *testing.T, contents map[string]string) string {
	t.Helper()
	pack := func(files map[string]string) []byte {
		var out bytes.Buffer
		archive := tar.NewWriter(&out)
		for name, body := range files {
			if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}); err != nil {
				t.Fatal(err)
			}
			if _, err := archive.Write([]byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		if err := archive.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	var layer bytes.Buffer
	zip := gzip.NewWriter(&layer)
	if _, err := zip.Write(pack(contents)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	label := fmt.Sprintf("%s:sha256:%x", xpkgAnnotation, sha256.Sum256(layer.Bytes()))
	file := filepath.Join(t.TempDir(), "function.xpkg")
	if err := os.WriteFile(file, pack(map[string]string{
		"manifest.json": `[{"Config":"config.json","Layers":["layer.tar.gz"]}]`, "layer.tar.gz": layer.String(),
		"config.json": `{"config":{"Entrypoint":["/function"],"Labels":{"` + label + `":"base"}}}`,
	}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWebhooksAreAimed(t *testing.T) {
	a, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	p := &Plane{authority: a}
	o := kube.MustParse(`
kind: ValidatingWebhookConfiguration
webhooks:
- clientConfig: {service: {name: webhook-service, namespace: system, path: /validate}}
`)
	p.aim(map[string]any(o), 4711)
	client := o.Items("webhooks")[0].Map("clientConfig")
	if client.String("url") != "https://127.0.0.1:4711/validate" || client["service"] != nil || client["caBundle"] == nil {
		t.Errorf("aimed at %v", client)
	}
}

func TestChartIsReadWithoutHelm(t *testing.T) {
	file := t.TempDir() + "/role.yaml"
	text := `{{- if .Values.rbacManager.deploy }}
kind: ClusterRole
metadata:
  name: {{ template "crossplane.name" . }}-edit
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "crossplane.labels" . | indent 4 }}
{{- end }}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	objects, err := chart(file, "there")
	if err != nil || len(objects) != 1 || objects[0].Name() != "crossplane-edit" || objects[0].String("metadata", "namespace") != "there" {
		t.Errorf("chart(): %v, %v", objects, err)
	}
}
