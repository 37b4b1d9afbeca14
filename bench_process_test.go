//go:build unix

package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkProcess measures the released binary as people and Kubernetes start it, from the start of the process to the
// end of what they wait for:
//
//	go test -run '^$' -bench Process -benchtime 50x .
//
// A Go program that does nothing is started in turns with it. wall-ms and cpu-ms are medians; x-empty is the ratio of
// processor times, which other load on the machine changes least.
func BenchmarkProcess(b *testing.B) {
	dir := b.TempDir()
	binary, empty := filepath.Join(dir, "function"), filepath.Join(dir, "empty")
	source := filepath.Join(dir, "empty.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	compile(b, empty, source)
	compile(b, binary, ".")

	b.Run("Render", func(b *testing.B) {
		benchmarkProcess(b, empty, func() (time.Duration, *exec.Cmd) {
			return finished(b, exec.Command(binary, "render", "example/claim.yaml"))
		})
	})
	b.Run("Serve", func(b *testing.B) {
		certificates := b.TempDir()
		newAuthority(b).install(b, certificates)
		benchmarkProcess(b, empty, func() (time.Duration, *exec.Cmd) {
			return serving(b, exec.Command(binary, "--address=127.0.0.1:0", "--metrics-address=127.0.0.1:0", "--tls-certs-dir="+certificates))
		})
	})
}

func compile(b *testing.B, binary, source string) {
	b.Helper()
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("cannot build %s: %v\n%s", source, err, out)
	}
}

// benchmarkProcess starts something and waits for what counts as its end.
func benchmarkProcess(b *testing.B, empty string, run func() (time.Duration, *exec.Cmd)) {
	b.Helper()
	var walls, processors, floors []time.Duration
	for b.Loop() {
		_, floor := finished(b, exec.Command(empty))
		floors = append(floors, used(floor))
		wall, cmd := run()
		walls = append(walls, wall)
		processors = append(processors, used(cmd))
	}
	b.ReportMetric(float64(median(walls).Microseconds())/1000, "wall-ms")
	b.ReportMetric(float64(median(processors).Microseconds())/1000, "cpu-ms")
	b.ReportMetric(float64(median(floors).Microseconds())/1000, "empty-cpu-ms")
	b.ReportMetric(float64(median(processors))/float64(median(floors)), "x-empty")
	b.ReportMetric(0, "ns/op") // Of both together, which means nothing.
}

// finished waits until a command has ended.
func finished(b *testing.B, cmd *exec.Cmd) (time.Duration, *exec.Cmd) {
	b.Helper()
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start), cmd
}

// serving waits until a server says that it listens, and stops it.
func serving(b *testing.B, cmd *exec.Cmd) (time.Duration, *exec.Cmd) {
	b.Helper()
	log, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewReader(log)
	line, err := lines.ReadString('\n')
	wall := time.Since(start)
	if err != nil || !strings.Contains(line, `"Serving"`) {
		b.Fatalf("the server says %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		b.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	return wall, cmd
}

func used(cmd *exec.Cmd) time.Duration {
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
