package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/grpc"
)

// echo desires what it observes.
type echo struct {
	fnv1.UnimplementedFunctionRunnerServiceServer
}

func (echo) RunFunction(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	return &fnv1.RunFunctionResponse{Desired: req.GetObserved()}, nil
}

func TestRun(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	fnv1.RegisterFunctionRunnerServiceServer(server, echo{})
	go server.Serve(listener)
	t.Cleanup(server.Stop)

	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "observed:\n  resources:\n    x: {resource: {kind: A}}\n",
		"b.json": `{"observed": {"resources": {"x": {"resource": {"kind": "A"}}, "y": {"resource": {"kind": "B"}}}}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	encoded, plot := filepath.Join(dir, "out", "r.json"), filepath.Join(dir, "out", "r.svg")
	if err := os.Mkdir(filepath.Dir(encoded), 0o750); err != nil {
		t.Fatal(err)
	}
	err = run([]string{
		"-address", listener.Addr().String(), "-request", filepath.Join(dir, "*.*"), "-concurrency", "1,4", "-duration", "60ms",
		"-pid", "0", "-json", encoded, "-svg", plot,
	}, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(encoded)
	if err != nil {
		t.Fatal(err)
	}
	var results []result
	if err := json.Unmarshal(raw, &results); err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 || results[0].Name != "a" || results[0].Observed != 1 || results[1].Desired != 2 {
		t.Fatalf("got %+v", results)
	}
	for _, r := range results {
		for _, l := range r.Levels {
			if l.Calls == 0 || l.Errors > 0 || l.P50 <= 0 || l.P99 < l.P50 {
				t.Errorf("%s: %+v", r.Name, l)
			}
		}
	}
	if !strings.Contains(out.String(), "| b ") {
		t.Errorf("no line about b:\n%s", out.String())
	}
	for name, svg := range map[string]func() string{
		"curve": func() string { raw, _ := os.ReadFile(plot); return string(raw) },
		"bars":  func() string { return bars(results) },
	} {
		decoder, elements := xml.NewDecoder(strings.NewReader(svg())), 0
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s is no SVG: %v", name, err)
			}
			elements++
		}
		if elements < 10 {
			t.Errorf("%s is empty", name)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   []string
		says   string
	}{
		"Elsewhere":   {"Load is only made on this machine.", []string{"-address", "192.0.2.1:9443", "-request", "load_test.go"}, "cannot read"},
		"Endless":     {"Everything is bounded.", []string{"-duration", "1h", "-request", "x"}, "-duration must be up to"},
		"TooMany":     {"Everything is bounded.", []string{"-concurrency", "100000", "-request", "x"}, "100000 is not between 1 and 1024"},
		"NoRequest":   {"There is nothing to ask.", nil, "give -request or -targets"},
		"NoSuchFile":  {"Nor here.", []string{"-request", "nowhere/*.pb"}, "no file fits nowhere/*.pb"},
		"NotANumber":  {"Mistakes are named.", []string{"-memory", "ten", "-request", "x"}, `"ten" is not a number`},
		"NotARequest": {"So are broken files.", []string{"-request", "go.mod"}, "cannot read go.mod"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := run(tc.args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("\n%s\ngot %v, want %q", tc.reason, err, tc.says)
			}
		})
	}
	if err := loopback("192.0.2.1:9443"); err == nil {
		t.Error("load would be made on another machine")
	}
	for _, address := range []string{"127.0.0.1:1", "localhost:1", "[::1]:1"} {
		if err := loopback(address); err != nil {
			t.Error(err)
		}
	}
}
