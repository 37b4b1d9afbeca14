package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
)

// patience is how long anything in these tests may take before it counts as never.
const patience = 2 * time.Minute

// server is a function that serves in this process.
type server struct {
	address string
	dir     string
	stop    context.CancelFunc
	done    chan error
}

// start serves on a port of its own; without a directory, without TLS.
func start(t *testing.T, dir string, f fnv1.FunctionRunnerServiceServer, changes ...func(*serveCmd)) *server {
	t.Helper()
	c := &serveCmd{TLSCertsDir: dir, Insecure: dir == "", MaxRecvMessageSize: 4, ConnectTimeout: 500 * time.Millisecond, CallTimeout: patience, DrainTimeout: patience}
	for _, change := range changes {
		change(c)
	}
	log := slog.New(slog.DiscardHandler)
	creds, err := c.credentials(log)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &server{address: listener.Addr().String(), dir: dir, stop: stop, done: make(chan error, 1)}
	go func() { s.done <- c.serve(ctx, log, listener, creds, f) }()
	t.Cleanup(func() {
		stop()
		s.wait(t)
	})
	return s
}

func (s *server) wait(t *testing.T) {
	t.Helper()
	select {
	case err := <-s.done:
		s.done <- nil
		if err != nil {
			t.Errorf("serving ends with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the server does not stop")
	}
}

// dial connects as a client with the given credentials.
func (s *server) dial(t *testing.T, creds credentials.TransportCredentials) fnv1.FunctionRunnerServiceClient {
	t.Helper()
	return fnv1.NewFunctionRunnerServiceClient(s.connect(t, creds))
}

func (s *server) connect(t *testing.T, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// ask sends a small request.
func ask(t *testing.T, client fnv1.FunctionRunnerServiceClient) error {
	t.Helper()
	_, err := client.RunFunction(within(t), &fnv1.RunFunctionRequest{Meta: &fnv1.RequestMeta{Tag: "t"}})
	return err
}

// held is a function that answers when it is told to.
type held struct {
	fnv1.UnimplementedFunctionRunnerServiceServer
	started sync.WaitGroup
	release chan struct{}
}

func (h *held) RunFunction(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	h.started.Done()
	<-h.release
	return &fnv1.RunFunctionResponse{Meta: &fnv1.ResponseMeta{Tag: req.GetMeta().GetTag()}}, nil
}

// TestServeDrains stops the server while 200 calls are in flight: each is answered.
func TestServeDrains(t *testing.T) {
	const calls, clients = 200, 8
	h := &held{release: make(chan struct{})}
	h.started.Add(calls)
	s := start(t, "", h)
	conns := make([]fnv1.FunctionRunnerServiceClient, clients)
	for i := range conns {
		conns[i] = s.dial(t, insecure.NewCredentials())
	}
	errs := make(chan error, calls)
	for i := range calls {
		go func() {
			tag := strconv.Itoa(i)
			rsp, err := conns[i%clients].RunFunction(within(t), &fnv1.RunFunctionRequest{Meta: &fnv1.RequestMeta{Tag: tag}})
			if err == nil && rsp.GetMeta().GetTag() != tag {
				err = fmt.Errorf("the answer to %s is that to %s", tag, rsp.GetMeta().GetTag())
			}
			errs <- err
		}()
	}
	h.started.Wait()
	s.stop() // As SIGTERM does.
	time.Sleep(50 * time.Millisecond)
	close(h.release)
	for range calls {
		if err := <-errs; err != nil {
			t.Errorf("a call in flight is lost: %v", err)
		}
	}
	s.wait(t)
}

// TestServeCutsOff stops the server while a call never ends: it waits no longer than it was told.
func TestServeCutsOff(t *testing.T) {
	h := &held{release: make(chan struct{})}
	h.started.Add(1)
	s := start(t, "", h, func(c *serveCmd) { c.DrainTimeout = 100 * time.Millisecond })
	client := s.dial(t, insecure.NewCredentials())
	answered := make(chan error, 1)
	go func() { answered <- ask(t, client) }()
	h.started.Wait()
	s.stop()
	if err := <-answered; status.Code(err) != codes.Unavailable {
		t.Errorf("the client of a call that is cut off is told %v", err)
	}
	close(h.release)
	s.wait(t)
}

// TestServeStopsOnSIGTERM runs the function as a process of its own, stops it the way Kubernetes does while it works on
// 200 calls, and counts the answers.
func TestServeStopsOnSIGTERM(t *testing.T) {
	if address := os.Getenv("SERVE_ADDRESS"); address != "" {
		// The process itself: this test, started a second time.
		c := &serveCmd{Network: "unix", Address: address, Insecure: true, MaxRecvMessageSize: 4, ConnectTimeout: patience, CallTimeout: patience, DrainTimeout: patience}
		if err := c.Run(&streams{err: io.Discard}); err != nil {
			t.Fatal(err)
		}
		return
	}
	const calls, clients = 200, 8
	socket := filepath.Join(t.TempDir(), "s")
	process := exec.CommandContext(within(t), os.Args[0], "-test.run=^TestServeStopsOnSIGTERM$")
	process.Env = append(os.Environ(), "SERVE_ADDRESS="+socket)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{address: "unix:" + socket}
	conns := make([]*grpc.ClientConn, clients)
	for i := range conns {
		conns[i] = s.connect(t, insecure.NewCredentials())
	}
	steady := steadyState(t, "example/claim.yaml", claim.ClusterScoped)
	raw, err := proto.Marshal(steady)
	if err != nil {
		t.Fatal(err)
	}
	// Nobody reads the answers yet, and each is larger than what may be sent unread: all calls are in flight.
	streams := make([]grpc.ClientStream, calls)
	for i := range streams {
		streams[i], err = conns[i%clients].NewStream(within(t), &grpc.StreamDesc{}, fnv1.FunctionRunnerService_RunFunction_FullMethodName,
			grpc.ForceCodec(verbatim{}), grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(streams[i].SendMsg(raw), streams[i].CloseSend()); err != nil {
			t.Fatal(err)
		}
	}
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for _, stream := range streams {
		var answer []byte
		var rsp fnv1.RunFunctionResponse
		if err := stream.RecvMsg(&answer); err != nil {
			t.Errorf("a call in flight is lost: %v", err)
		} else if err := proto.Unmarshal(answer, &rsp); err != nil || len(rsp.GetDesired().GetResources()) != len(steady.GetObserved().GetResources()) {
			t.Errorf("an answer with %d resources, %v", len(rsp.GetDesired().GetResources()), err)
		}
	}
	if err := process.Wait(); err != nil {
		t.Errorf("the process ends with %v", err)
	}
}

// watched tells what becomes of a call inside the server.
type watched struct {
	fnv1.UnimplementedFunctionRunnerServiceServer
	arrived chan struct{}
	left    chan left
}

type left struct {
	rsp *fnv1.RunFunctionResponse
	err error
}

// RunFunction holds a call in the middle of its work until nobody waits for it any more.
func (w *watched) RunFunction(ctx context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	f := &Function{log: slog.New(slog.DiscardHandler), now: func() time.Time {
		close(w.arrived)
		<-ctx.Done()
		return fixture.Now
	}}
	rsp, err := f.RunFunction(ctx, req)
	w.left <- left{rsp, err}
	return rsp, err
}

// TestServeStopsCancelledWork cancels a call the server works on: it decides nothing any more.
func TestServeStopsCancelledWork(t *testing.T) {
	w := &watched{arrived: make(chan struct{}), left: make(chan left, 1)}
	s := start(t, "", w)
	client := s.dial(t, insecure.NewCredentials())
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	answered := make(chan error, 1)
	go func() {
		_, err := client.RunFunction(ctx, firstCall(t, "example/claim.yaml", claim.ClusterScoped))
		answered <- err
	}()
	<-w.arrived
	cancel()
	if err := <-answered; status.Code(err) != codes.Canceled {
		t.Errorf("the client is told %v", err)
	}
	select {
	case got := <-w.left:
		if !errors.Is(got.err, context.Canceled) || got.rsp.GetRequirements() != nil || len(got.rsp.GetConditions()) > 0 {
			t.Errorf("the call is worked on although nobody waits: %v, %v", got.rsp, got.err)
		}
	case <-time.After(patience):
		t.Fatal("the server never learns that nobody waits")
	}
}

// TestServeHealth says that probes see the server, and see it go before its connections do.
func TestServeHealth(t *testing.T) {
	h := &held{release: make(chan struct{})}
	h.started.Add(1)
	s := start(t, "", h)
	conn := s.connect(t, insecure.NewCredentials())
	probe := healthv1.NewHealthClient(conn)
	watch, err := probe.Watch(within(t), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := watch.Recv(); err != nil || got.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("got %v, %v", got, err)
	}
	answered := make(chan error, 1)
	go func() { answered <- ask(t, fnv1.NewFunctionRunnerServiceClient(conn)) }()
	h.started.Wait()
	s.stop()
	if got, err := watch.Recv(); err != nil || got.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("while it stops: got %v, %v", got, err)
	}
	close(h.release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}
