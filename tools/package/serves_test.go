package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testServes starts what is packaged the way a cluster does: the files of the image and nothing else, on a file system nobody
// can write to, as a user that owns none of them. No file may grow either, wherever it lies (ulimit). It answers a call, and
// leaves the files as they were.
func testServes(t *testing.T, dir string) {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("there is no package for this machine")
	}
	root := unpack(t, dir, name+"-"+runtime.GOARCH+".xpkg")
	before := tree(t, root)

	arguments := " --insecure --address=127.0.0.1:0 --metrics-address=127.0.0.1:0"
	shell := exec.CommandContext(t.Context(), "/bin/sh", "-c", "ulimit -f 0 && exec ."+entrypoint+arguments)
	shell.Dir, shell.Env = root, []string{"HOME=/", "TMPDIR=" + root}
	if os.Getuid() == 0 { // Whom no permission stops otherwise.
		shell.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	}
	output, err := shell.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(output)
	var said struct{ Msg, Address string }
	for said.Msg != "Serving" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("it ends before it serves: %v, %s", err, line)
		}
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
	}
	if err := call(said.Address); err != nil {
		t.Error(err)
	}
	if err := shell.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Wait(); err != nil {
		t.Errorf("it ends with %v: %s", err, rest)
	}
	if diff := cmp.Diff(before, tree(t, root)); diff != "" {
		t.Errorf("it has changed its files: -before, +after:\n%s", diff)
	}
}

// call makes an empty call over gRPC by hand: five bytes in front of a message of none, and the status behind the answer.
func call(address string) error {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &protocols}, Timeout: time.Minute}
	req, err := http.NewRequest(http.MethodPost, "http://"+address+"/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction", strings.NewReader("\x00\x00\x00\x00\x00"))
	if err != nil {
		return fmt.Errorf("cannot ask: %w", err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	rsp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("it does not answer: %w", err)
	}
	defer rsp.Body.Close()
	answer, err := io.ReadAll(rsp.Body)
	if err != nil {
		return fmt.Errorf("it breaks off: %w", err)
	}
	if status := rsp.Trailer.Get("Grpc-Status"); status != "0" || len(answer) <= 5 {
		return fmt.Errorf("it answers %q with status %q %s", answer, status, rsp.Trailer.Get("Grpc-Message"))
	}
	return nil
}

// unpack writes an image's files to a directory that everybody may read, and nobody may write to. A test's own directory
// is closed to other users.
func unpack(t *testing.T, dir, file string) string {
	t.Helper()
	root, err := os.MkdirTemp("", "image")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = filepath.WalkDir(root, func(path string, _ fs.DirEntry, _ error) error { return os.Chmod(path, 0o700) })
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	for _, layer := range layers(t, open(t, dir, file)) {
		for header, content := range layer {
			target := filepath.Join(root, header.Name)
			if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(target, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(target, header.FileInfo().Mode().Perm()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(tree(t, root))) {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			if err := errors.Join(err, os.Chmod(path, 0o555)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

// tree is every file below a directory, the directory too: its rights, its size and when it was changed.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files[path] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
