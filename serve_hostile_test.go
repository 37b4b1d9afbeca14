package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
)

// TestServeStalledClients says that connections that are never completed stop nobody else, and are ended.
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
	if err := ask(t, s.dial(t, ours.client(t, ours))); err != nil {
		t.Errorf("stalled clients keep others out: %v", err)
	}
	for _, conn := range conns {
		ended(t, conn)
	}
}

// ended waits for the server to close a connection, for much less than the two minutes after which gRPC does by itself.
func ended(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(patience / 4)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); os.IsTimeout(err) {
		t.Fatal("a connection on which nothing comes is kept open")
	}
}

// TestServeVanishedClient says that the connection of a client that went without a word, as behind a lost node, is ended.
func TestServeVanishedClient(t *testing.T) {
	s := start(t, "", function(), func(c *serveCmd) {
		c.keepalive = keepalive.ServerParameters{Time: time.Second, Timeout: time.Second}
	})
	conn, err := (&net.Dialer{}).DialContext(within(t), "tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// HTTP/2's preface and empty settings: the connection is complete, and no ping is ever answered.
	if _, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		t.Fatal(err)
	}
	ended(t, conn)
}

// TestServeStreams says that one client can hold open only so many calls.
func TestServeStreams(t *testing.T) {
	s := start(t, "", function())
	conn := s.connect(t, insecure.NewCredentials())
	for range maxStreams {
		if _, err := stall(within(t), conn); err != nil {
			t.Fatal(err)
		}
	}
	soon, cancel := context.WithTimeout(within(t), 200*time.Millisecond)
	defer cancel()
	if _, err := stall(soon, conn); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a client holds open more than %d calls: %v", maxStreams, err)
	}
}

// stall begins a call whose request never comes.
func stall(ctx context.Context, conn *grpc.ClientConn) (grpc.ClientStream, error) {
	return conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, fnv1.FunctionRunnerService_RunFunction_FullMethodName)
}

// TestServeSlowCalls says that calls which are never asked to the end are ended, and keep nobody out until then.
func TestServeSlowCalls(t *testing.T) {
	s := start(t, "", function(), func(c *serveCmd) { c.CallTimeout = time.Second })
	conn := s.connect(t, insecure.NewCredentials())
	patient, cancel := context.WithTimeout(within(t), patience/4)
	defer cancel()
	slow, err := stall(patient, conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := ask(t, fnv1.NewFunctionRunnerServiceClient(conn)); err != nil {
		t.Errorf("a slow call keeps others on its connection out: %v", err)
	}
	if err := slow.RecvMsg(&fnv1.RunFunctionResponse{}); status.Code(err) != codes.DeadlineExceeded || patient.Err() != nil {
		t.Errorf("a call whose request never comes ends with %v", err)
	}
}

// TestServePanics says that a defect that passes all other nets costs one call, and not the server.
func TestServePanics(t *testing.T) {
	s := start(t, "", panicking{})
	client := s.dial(t, insecure.NewCredentials())
	for range 2 {
		if err := ask(t, client); status.Code(err) != codes.Internal {
			t.Errorf("the client of a call that panics is told %v", err)
		}
	}
}

// panicking is a function that panics.
type panicking struct {
	fnv1.UnimplementedFunctionRunnerServiceServer
}

func (panicking) RunFunction(context.Context, *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	panic("broken")
}

// TestServeOldConnections says that a connection grows old, and that nobody loses a call by that.
func TestServeOldConnections(t *testing.T) {
	h := &held{release: make(chan struct{})}
	h.started.Add(1)
	s := start(t, "", h, func(c *serveCmd) {
		c.keepalive = keepalive.ServerParameters{MaxConnectionAge: time.Second, MaxConnectionAgeGrace: patience}
	})
	conn := s.connect(t, insecure.NewCredentials())
	client := fnv1.NewFunctionRunnerServiceClient(conn)
	answered := make(chan error, 1)
	go func() { answered <- ask(t, client) }()
	h.started.Wait()
	h.started.Add(1)
	if !conn.WaitForStateChange(within(t), connectivity.Ready) {
		t.Fatal("a connection never grows old")
	}
	close(h.release)
	if err := <-answered; err != nil {
		t.Errorf("a call in flight is lost because its connection has grown old: %v", err)
	}
	if err := ask(t, client); err != nil {
		t.Errorf("a call is lost because the connection before it has grown old: %v", err)
	}
}

// TestServeMetrics says that Prometheus sees the calls, and that nobody keeps its port busy.
func TestServeMetrics(t *testing.T) {
	address := unused(t)
	s := start(t, "", function(), func(c *serveCmd) { c.MetricsAddress = address })
	if err := ask(t, s.dial(t, insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	text := scrape(t, address)
	for _, line := range []string{
		`grpc_server_handled_total{grpc_code="OK",grpc_method="RunFunction",grpc_service="apiextensions.fn.proto.v1.FunctionRunnerService",grpc_type="unary"} 1`,
		`grpc_server_handled_total{grpc_code="Internal",grpc_method="RunFunction",grpc_service="apiextensions.fn.proto.v1.FunctionRunnerService",grpc_type="unary"} 0`,
		`grpc_server_handling_seconds_count{grpc_method="RunFunction",grpc_service="apiextensions.fn.proto.v1.FunctionRunnerService",grpc_type="unary"} 1`,
		"go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("the metrics have no %s", line)
		}
	}
	reader, err := (&net.Dialer{}).DialContext(within(t), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	if err := reader.SetWriteDeadline(time.Now().Add(patience / 4)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = io.WriteString(reader, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 1000)) // And reads nothing.
	}
	if os.IsTimeout(err) {
		t.Error("a connection from which nothing is read is kept open")
	}
	for _, beginning := range []string{"", "GET /metrics HTTP/1.1\r\n", "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"} {
		conn, err := (&net.Dialer{}).DialContext(within(t), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, beginning); err != nil {
			t.Fatal(err)
		}
		ended(t, conn)
	}
}

// TestServeMetricsWhileBusy: who asks whether the process lives is answered while as many calls are worked on as it takes.
func TestServeMetricsWhileBusy(t *testing.T) {
	h := &held{release: make(chan struct{})}
	h.started.Add(maxStreams)
	address := unused(t)
	s := start(t, "", h, func(c *serveCmd) { c.MetricsAddress = address })
	client := s.dial(t, insecure.NewCredentials())
	answered := make(chan error, maxStreams)
	for range maxStreams {
		go func() { answered <- ask(t, client) }()
	}
	h.started.Wait()
	scrape(t, address)
	close(h.release)
	for range maxStreams {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
}

// unused is an address at which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// scrape reads the metrics as Prometheus and the kubelet's liveness probe do.
func scrape(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer rsp.Body.Close()
	text, err := io.ReadAll(rsp.Body)
	if err != nil || rsp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", rsp.Status, err)
	}
	return string(text)
}

// parameters gives a claim as many settings, of values of that size.
func parameters(count, size int) func(*fnv1.RunFunctionRequest) {
	settings := map[string]any{}
	for i := range count {
		settings[fmt.Sprintf("app.setting_%04d", i)] = strings.Repeat("v", size)
	}
	return func(req *fnv1.RunFunctionRequest) {
		req.GetObserved().GetComposite().GetResource().GetFields()["spec"].GetStructValue().GetFields()["parameters"] = toValue(settings)
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
			encode(parameters(1000, 48)),
			codes.OK, "spec.parameters: has 1000 entries",
		},
		"AcceptedParameters64KiB": {
			"Judged, and passed on where nothing is wrong with them.",
			encode(parameters(200, 330)),
			codes.OK, "",
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
			if status.Code(err) != tc.code || !strings.Contains(said, tc.says) || tc.says == "" && said != "" {
				t.Errorf("\n%s\ngot %s, want %s with %q: %s", tc.reason, status.Code(err), tc.code, tc.says, said)
			}
			if rsp, err := fnv1.NewFunctionRunnerServiceClient(conn).RunFunction(within(t), sound); err != nil || len(rsp.GetDesired().GetResources()) == 0 {
				t.Errorf("\n%s\nthe next call fails: %v", tc.reason, err)
			}
		})
	}
}

// TestServeMaxRecvMessageSize says that the limit on a request is the one that was asked for.
func TestServeMaxRecvMessageSize(t *testing.T) {
	s := start(t, "", function(), func(c *serveCmd) { c.MaxRecvMessageSize = 8 })
	client := s.dial(t, insecure.NewCredentials())
	for size, want := range map[int]codes.Code{7 << 20: codes.OK, 9 << 20: codes.ResourceExhausted} {
		req := &fnv1.RunFunctionRequest{Meta: &fnv1.RequestMeta{Tag: strings.Repeat("x", size)}}
		_, err := client.RunFunction(within(t), req, grpc.MaxCallRecvMsgSize(16<<20)) // The answer has the tag as well.
		if status.Code(err) != want {
			t.Errorf("a request of %d MiB: %v", size>>20, err)
		}
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
