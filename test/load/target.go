package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"
)

// target is one function to measure.
type target struct {
	Name    string            `json:"name"`
	Address string            `json:"address"`
	Request string            `json:"request"`
	Certs   string            `json:"certs"`
	Start   []string          `json:"start"`
	Env     map[string]string `json:"env"`
	PID     int               `json:"pid"`
}

// maxMessage is more than any function answers.
const maxMessage = 64 << 20

// running is a target that answers.
type running struct {
	name    string
	pid     int
	request []byte
	conn    *grpc.ClientConn
	command *exec.Cmd
	ended   chan struct{} // Closed when a process that was started has ended.
}

// open starts the target where it has to be started, and waits for its first answer.
func (t target) open(r *result) (_ *running, err error) {
	request, observed, err := readRequest(t.Request)
	if err != nil {
		return nil, err
	}
	if err := loopback(t.Address); err != nil {
		return nil, err
	}
	creds, err := clientCredentials(t.Certs)
	if err != nil {
		return nil, err
	}
	run := &running{name: t.Name, pid: t.PID, request: request}
	defer func() {
		if err != nil {
			run.close()
		}
	}()
	started := time.Now()
	if len(t.Start) > 0 {
		if err := vacant(t.Address); err != nil {
			return nil, err
		}
		started = time.Now()
		run.command = exec.Command(t.Start[0], t.Start[1:]...) //nolint:gosec // What the caller wants measured.
		for name, value := range t.Env {
			run.command.Env = append(run.command.Env, name+"="+value)
		}
		run.command.Env = append(os.Environ(), run.command.Env...)
		if err := run.command.Start(); err != nil {
			return nil, fmt.Errorf("cannot start %s: %w", t.Name, err)
		}
		run.pid = run.command.Process.Pid
		run.ended = make(chan struct{})
		go func() {
			run.command.Wait() //nolint:errcheck,gosec // However it ends.
			close(run.ended)
		}()
	}
	if run.conn, err = connect(t.Address, creds); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ctx, give := context.WithCancelCause(ctx)
	defer give(nil)
	go func() {
		select {
		case <-run.ended: // Never, where nothing was started.
			give(errors.New("it has ended"))
		case <-ctx.Done():
		}
	}()
	answer, err := run.call(ctx, grpc.WaitForReady(true))
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", t.Name, errors.Join(err, context.Cause(ctx)))
	}
	if len(t.Start) > 0 {
		r.FirstAnswer = milliseconds(time.Since(started))
	}
	return run, r.describe(request, observed, answer)
}

// describe notes what is asked and answered. A refusal is not worth measuring.
func (r *result) describe(request []byte, observed int, answer []byte) error {
	rsp := &fnv1.RunFunctionResponse{}
	if err := proto.Unmarshal(answer, rsp); err != nil {
		return fmt.Errorf("cannot read the answer of %s: %w", r.Name, err)
	}
	for _, said := range rsp.GetResults() {
		if said.GetSeverity() == fnv1.Severity_SEVERITY_FATAL {
			return fmt.Errorf("%s refuses: %s", r.Name, said.GetMessage())
		}
	}
	r.RequestBytes, r.ResponseBytes = len(request), len(answer)
	r.Observed, r.Desired = observed, len(rsp.GetDesired().GetResources())
	return nil
}

func connect(address string, creds credentials.TransportCredentials) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(verbatim{}), grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		// A function that is starting is asked again at once: its start is what is measured.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 2 * time.Millisecond, Multiplier: 1, MaxDelay: 2 * time.Millisecond}, MinConnectTimeout: time.Second}))
	if err != nil {
		return nil, fmt.Errorf("cannot connect: %w", err)
	}
	return conn, nil
}

func (r *running) call(ctx context.Context, options ...grpc.CallOption) ([]byte, error) {
	var answer []byte
	err := r.conn.Invoke(ctx, fnv1.FunctionRunnerService_RunFunction_FullMethodName, r.request, &answer, options...)
	return answer, err //nolint:wrapcheck // Counted, or wrapped where it is told.
}

// hasEnded says whether a process that was started is gone: whoever answers at its address is somebody else.
func (r *running) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

func (r *running) close() {
	if r.conn != nil {
		r.conn.Close() //nolint:errcheck,gosec // Nothing depends on it.
	}
	if r.command != nil && r.command.Process != nil {
		r.command.Process.Signal(syscall.SIGTERM) //nolint:errcheck,gosec // It may have ended by itself.
		<-r.ended
	}
}

// vacant refuses an address where somebody answers already: they would be measured instead of what is to be started.
func vacant(address string) error {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return nil //nolint:nilerr // Nobody is there.
	}
	conn.Close() //nolint:errcheck,gosec // Nothing was said.
	return fmt.Errorf("somebody else answers at %s", address)
}

// verbatim sends the request as the bytes it is and hands out the answer as bytes: what is measured is the function.
type verbatim struct{}

func (verbatim) Name() string { return "proto" }

func (verbatim) Marshal(v any) ([]byte, error) {
	raw, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("cannot send a %T", v)
	}
	return raw, nil
}

func (verbatim) Unmarshal(data []byte, v any) error {
	out, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("cannot receive into a %T", v)
	}
	*out = append((*out)[:0], data...)
	return nil
}

// readRequest reads a request in whatever form it was written, and counts its observed resources.
func readRequest(file string) (raw []byte, observed int, err error) {
	if raw, err = os.ReadFile(filepath.Clean(file)); err != nil {
		return nil, 0, fmt.Errorf("cannot read the request: %w", err)
	}
	req := &fnv1.RunFunctionRequest{}
	switch filepath.Ext(file) {
	case ".yaml", ".yml":
		if raw, err = yaml.YAMLToJSON(raw); err == nil {
			err = protojson.Unmarshal(raw, req)
		}
	case ".json":
		err = protojson.Unmarshal(raw, req)
	default:
		err = proto.Unmarshal(raw, req)
	}
	if err == nil {
		raw, err = proto.Marshal(req)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read %s: %w", file, err)
	}
	return raw, len(req.GetObserved().GetResources()), nil
}

// loopback refuses every address but this machine's own.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("cannot read the address: %w", err)
	}
	if ip := net.ParseIP(host); strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s is not on this machine: load is only made on loopback addresses", address)
}

func clientCredentials(dir string) (credentials.TransportCredentials, error) {
	if dir == "" {
		return insecure.NewCredentials(), nil
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		return nil, fmt.Errorf("cannot load the client's certificate: %w", err)
	}
	ca, err := os.ReadFile(filepath.Join(filepath.Clean(dir), "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the server's authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("ca.crt holds no certificate")
	}
	return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: pool}), nil
}
