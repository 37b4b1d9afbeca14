package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
)

// patience is how long anything in these tests may take before it counts as never.
const patience = 30 * time.Second

// server is a function that serves in this process.
type server struct {
	address string
	dir     string
	stop    context.CancelFunc
	done    chan error
}

// start serves on a port of its own; without a directory, without TLS.
func start(t *testing.T, dir string, f fnv1.FunctionRunnerServiceServer) *server {
	t.Helper()
	c := &serveCmd{TLSCertsDir: dir, Insecure: dir == "", MaxRecvMessageSize: 4, ConnectTimeout: 500 * time.Millisecond, DrainTimeout: patience}
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

// authority is a certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{}
	a.certificate, a.key, a.pem, _ = issue(t, nil, &x509.Certificate{IsCA: true, KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true})
	return a
}

// issue makes a certificate signed by an authority, or by itself.
func issue(t testing.TB, by *authority, template *x509.Certificate) (certificate *x509.Certificate, key *ecdsa.PrivateKey, certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: "test"}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if by != nil {
		parent, signer = by.certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// install writes what Crossplane mounts: a server's certificate and the authority of its clients.
func (a *authority) install(t testing.TB, dir string) {
	t.Helper()
	_, _, cert, key := issue(t, a, &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	for name, data := range map[string][]byte{"tls.crt": cert, "tls.key": key, "ca.crt": a.pem} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// client is a client of this authority that trusts the given one.
func (a *authority) client(t *testing.T, trusts *authority) credentials.TransportCredentials {
	t.Helper()
	_, _, cert, key := issue(t, a, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: pool(trusts)})
}

func pool(a *authority) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.certificate)
	return p
}

// ask sends a small request.
func ask(t *testing.T, client fnv1.FunctionRunnerServiceClient) error {
	t.Helper()
	_, err := client.RunFunction(within(t), &fnv1.RunFunctionRequest{Meta: &fnv1.RequestMeta{Tag: "t"}})
	return err
}

func TestServeTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	ours.install(t, dir)
	s := start(t, dir, function())

	cases := map[string]struct {
		reason  string
		creds   credentials.TransportCredentials
		refused bool
	}{
		"Ours":          {"Crossplane holds a certificate of the authority.", ours.client(t, ours), false},
		"Theirs":        {"A certificate of another authority opens nothing.", theirs.client(t, ours), true},
		"NoCertificate": {"Nor does none.", credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool(ours)}), true},
		"Plain":         {"Nor does plain text.", insecure.NewCredentials(), true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := ask(t, s.dial(t, tc.creds))
			if refused := status.Code(err) == codes.Unavailable; refused != tc.refused || err != nil && !refused {
				t.Errorf("\n%s\nrefused is %v, want %v: %v", tc.reason, refused, tc.refused, err)
			}
		})
	}
}

func TestServeRotatesCertificates(t *testing.T) {
	before, after := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	before.install(t, dir)
	s := start(t, dir, function())
	old := s.dial(t, before.client(t, before))
	if err := ask(t, old); err != nil {
		t.Fatal(err)
	}

	after.install(t, dir)
	if err := ask(t, s.dial(t, after.client(t, after))); err != nil {
		t.Errorf("a client of the new authority is refused: %v", err)
	}
	if err := ask(t, s.dial(t, before.client(t, after))); status.Code(err) != codes.Unavailable {
		t.Errorf("a new client of the old authority is let in: %v", err)
	}
	if err := ask(t, old); err != nil {
		t.Errorf("a connection that lives is cut off: %v", err)
	}

	// Half of a renewal: the key does not fit the certificate. Whoever was let in before still is.
	if err := os.WriteFile(filepath.Join(dir, "tls.key"), []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(t, s.dial(t, after.client(t, after))); err != nil {
		t.Errorf("half of a renewal refuses everybody: %v", err)
	}
}

func TestServeWithoutCertificates(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if _, err := (&serveCmd{}).credentials(log); err == nil || !strings.Contains(err.Error(), "--tls-certs-dir") {
		t.Errorf("without a directory: %v", err)
	}
	if _, err := (&serveCmd{TLSCertsDir: t.TempDir()}).credentials(log); err == nil {
		t.Error("an empty directory is served from")
	}
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

// TestServeStopsOnSIGTERM runs the function as a process of its own, stops it the way Kubernetes does while it works on
// 200 calls, and counts the answers.
func TestServeStopsOnSIGTERM(t *testing.T) {
	if address := os.Getenv("SERVE_ADDRESS"); address != "" {
		// The process itself: this test, started a second time.
		c := &serveCmd{Network: "unix", Address: address, Insecure: true, MaxRecvMessageSize: 4, ConnectTimeout: patience, DrainTimeout: patience}
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

// TestServeStalledClients says that connections that are never completed, and calls that never end, stop nobody else and
// are ended.
func TestServeStalledClients(t *testing.T) {
	ours := newAuthority(t)
	dir := t.TempDir()
	ours.install(t, dir)
	s := start(t, dir, function())

	const stalled = 200
	var conns []net.Conn
	for i := range stalled {
		conn, err := (&net.Dialer{}).DialContext(within(t), "tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if i%2 == 0 {
			// The beginning of a TLS handshake, and no more.
			if _, err := conn.Write([]byte{22, 3, 1, 2, 0, 1}); err != nil {
				t.Fatal(err)
			}
		}
		conns = append(conns, conn)
	}
	// A call whose request never comes.
	hanging := s.connect(t, ours.client(t, ours))
	stream, err := hanging.NewStream(within(t), &grpc.StreamDesc{ClientStreams: true}, "/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction")
	if err != nil {
		t.Fatal(err)
	}
	if err := ask(t, s.dial(t, ours.client(t, ours))); err != nil {
		t.Errorf("stalled clients keep others out: %v", err)
	}
	if err := ask(t, fnv1.NewFunctionRunnerServiceClient(hanging)); err != nil {
		t.Errorf("a stalled call keeps others on its connection out: %v", err)
	}
	for _, conn := range conns {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); os.IsTimeout(err) {
			t.Fatal("a connection that is never completed is kept open")
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
}

// TestServeHostileRequests says what becomes of requests no Crossplane sends, and that the connection survives them.
func TestServeHostileRequests(t *testing.T) {
	s := start(t, "", function())
	conn := s.connect(t, insecure.NewCredentials())
	sound := firstCall(t, "example/claim.yaml", claim.ClusterScoped)
	encode := func(change func(*fnv1.RunFunctionRequest)) []byte {
		req, ok := proto.Clone(sound).(*fnv1.RunFunctionRequest)
		if !ok {
			t.Fatal("cannot clone a request")
		}
		change(req)
		raw, err := proto.MarshalOptions{AllowPartial: true}.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	spec := func(req *fnv1.RunFunctionRequest) map[string]*structpb.Value {
		return req.GetObserved().GetComposite().GetResource().GetFields()["spec"].GetStructValue().GetFields()
	}
	nested := func(depth int) *structpb.Value {
		v := structpb.NewStringValue("x")
		for range depth {
			v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
		}
		return v
	}

	cases := map[string]struct {
		reason string
		raw    []byte
		code   codes.Code
		says   string
	}{
		"Large": {
			"A request above the limit is refused by its size, before it is decoded.",
			encode(func(req *fnv1.RunFunctionRequest) {
				spec(req)["x"] = structpb.NewStringValue(strings.Repeat("x", 4<<20))
			}),
			codes.ResourceExhausted, "received message larger than max",
		},
		"TenTimesTooLarge": {
			"So is one ten times as large.",
			encode(func(req *fnv1.RunFunctionRequest) {
				spec(req)["x"] = structpb.NewStringValue(strings.Repeat("x", 40<<20))
			}),
			codes.ResourceExhausted, "received message larger than max",
		},
		"Deep": {
			"Nesting beyond any manifest's is judged like any other mistake.",
			encode(func(req *fnv1.RunFunctionRequest) { spec(req)["parameters"] = nested(1000) }),
			codes.OK, "spec.parameters",
		},
		"Abysmal": {
			"Nesting beyond protobuf's limit is refused by gRPC.",
			encode(func(req *fnv1.RunFunctionRequest) { spec(req)["parameters"] = nested(10100) }),
			codes.Internal, "unmarshal",
		},
		"NotUTF8": {
			"Text that is not UTF-8 is refused by gRPC.",
			bytes.Replace(encode(func(*fnv1.RunFunctionRequest) {}), []byte("medium"), []byte("med\xff\xfem"), 1),
			codes.Internal, "invalid UTF-8",
		},
		"Rubbish": {"So are bytes that are no request.", []byte{0xff, 0xff, 0xff}, codes.Internal, "unmarshal"},
		"Parameters64KiB": {
			"A claim with 64 KiB of parameters is judged.",
			encode(func(req *fnv1.RunFunctionRequest) {
				parameters := map[string]any{}
				for i := range 1000 {
					parameters[fmt.Sprintf("app.setting_%04d", i)] = strings.Repeat("v", 48)
				}
				spec(req)["parameters"] = toValue(parameters)
			}),
			codes.OK, "spec.parameters: has 1000 entries",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var rsp fnv1.RunFunctionResponse
			var raw []byte
			err := conn.Invoke(within(t), fnv1.FunctionRunnerService_RunFunction_FullMethodName, tc.raw, &raw, grpc.ForceCodec(verbatim{}))
			said := status.Convert(err).Message()
			if err == nil {
				if err := proto.Unmarshal(raw, &rsp); err != nil {
					t.Fatal(err)
				}
				said, _ = fatalOf(&rsp)
			}
			if status.Code(err) != tc.code || !strings.Contains(said, tc.says) {
				t.Errorf("\n%s\ngot %s, want %s with %q: %s", tc.reason, status.Code(err), tc.code, tc.says, said)
			}
			if rsp, err := fnv1.NewFunctionRunnerServiceClient(conn).RunFunction(within(t), sound); err != nil || len(rsp.GetDesired().GetResources()) == 0 {
				t.Errorf("\n%s\nthe next call fails: %v", tc.reason, err)
			}
		})
	}
}

// verbatim is a codec that sends bytes as they are.
type verbatim struct{}

var _ encoding.Codec = verbatim{}

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
	*out = bytes.Clone(data)
	return nil
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
