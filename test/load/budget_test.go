package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// What the product promises to cost (docs/performance.md).
const (
	maxBinary      = 32 << 20
	maxFirstAnswer = 100 * time.Millisecond
	// Memory may grow by a twentieth between these counts of calls.
	settledAfter, stillAfter = 1000, 20000
	maxGrowth                = 0.05
)

// TestBudget builds the function as it is released, runs it and holds it to its budget: its size, the time from its
// start to its first answer, and its memory under a long run of calls.
func TestBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the product and asks it 20,000 times")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "function")
	product(t, "build", "-trimpath", "-ldflags=-s -w", "-o", binary, ".")
	product(t, "test", "-run", "^TestWriteRequests$", "-count=1", ".", "-requests", dir)
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxBinary {
		t.Errorf("the stripped binary has %d bytes, %d are allowed", info.Size(), maxBinary)
	}
	if err := makeCertificates(dir); err != nil {
		t.Fatal(err)
	}

	// The best of a few starts: what else the machine does is not the function's fault.
	best := result{FirstAnswer: 1e9}
	for range 5 {
		if r := serve(t, dir, binary, []int{1}); r.FirstAnswer < best.FirstAnswer {
			best = r
		}
	}
	if best.FirstAnswer > milliseconds(maxFirstAnswer) {
		t.Errorf("the first answer comes %.0f ms after the start, %s are allowed", best.FirstAnswer, maxFirstAnswer)
	}

	r := serve(t, dir, binary, []int{settledAfter, stillAfter})
	if len(r.Memory) < 2 {
		t.Skip("this system does not tell how much memory a process holds")
	}
	growth := float64(r.Memory[1].KiB)/float64(r.Memory[0].KiB) - 1
	if growth > maxGrowth {
		t.Errorf("memory grows by %.1f %% between %d and %d calls, from %d to %d KiB", 100*growth, settledAfter, stillAfter, r.Memory[0].KiB, r.Memory[1].KiB)
	}
	t.Logf("binary %d KiB, first answer %.0f ms, memory %d KiB after %d calls and %d KiB after %d",
		info.Size()>>10, best.FirstAnswer, r.Memory[0].KiB, settledAfter, r.Memory[1].KiB, stillAfter)
}

// serve starts the function, asks it and stops it.
func serve(t *testing.T, dir, binary string, counts []int) result {
	t.Helper()
	results, err := measure([]target{{
		Name: "function", Address: "127.0.0.1:19443", Certs: filepath.Join(dir, "client"), Request: filepath.Join(dir, "steady.pb"),
		Start: []string{binary, "--address=127.0.0.1:19443", "--metrics-address=", "--tls-certs-dir=" + filepath.Join(dir, "server")},
	}}, settings{Memory: counts}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

// product runs the go command on the product's module.
func product(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
}
