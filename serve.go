package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	grpcprometheus "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// serveCmd answers Crossplane.
type serveCmd struct {
	Network            string        `default:"tcp"   help:"Network to listen on."`
	Address            string        `default:":9443" help:"Address to listen on for gRPC."`
	TLSCertsDir        string        `env:"TLS_SERVER_CERTS_DIR" help:"Directory with tls.crt, tls.key and ca.crt. Clients must present a certificate of that CA. Renewed files are picked up without a restart."`
	Insecure           bool          `help:"Serve without TLS. For development only: whoever reaches the port may ask."`
	MaxRecvMessageSize int           `default:"4"     help:"Largest request, in MiB."`
	MetricsAddress     string        `default:":8080" help:"Address of Prometheus metrics; empty for none."`
	ConnectTimeout     time.Duration `default:"10s"   help:"How long a client may take to complete a connection, or a request for metrics."`
	CallTimeout        time.Duration `default:"20s"   help:"How long a call may take, from the first byte of its request."`
	DrainTimeout       time.Duration `default:"25s"   help:"How long calls in flight may take after SIGTERM."`
	Debug              bool          `help:"Log every call."`

	keepalive keepalive.ServerParameters // Tests cannot wait for the real ones.
}

// Limits on what one client may hold open, decoded and at once. Crossplane keeps one connection, and what it asks beyond
// them waits there: all cores are busy long before.
const (
	maxStreams   = 32
	pingInterval = 30 * time.Second
	pingTimeout  = 10 * time.Second
	// After maxAge a connection takes no new calls, and the client opens another one: perhaps to a replica that was not
	// there before.
	maxAge      = 30 * time.Minute
	maxAgeGrace = time.Minute
)

// Run serves until SIGTERM or SIGINT, then answers the calls in flight and returns.
func (c *serveCmd) Run(std *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	level := slog.LevelInfo
	if c.Debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(std.err, &slog.HandlerOptions{Level: level}))

	creds, err := c.credentials(log)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, c.Network, c.Address)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	return c.serve(ctx, log, listener, creds, &Function{log: log, now: time.Now})
}

func (c *serveCmd) serve(ctx context.Context, log *slog.Logger, listener net.Listener, creds credentials.TransportCredentials, function fnv1.FunctionRunnerServiceServer) error {
	registry := prometheus.NewRegistry()
	metrics := grpcprometheus.NewServerMetrics(grpcprometheus.WithServerHandlingTimeHistogram())
	registry.MustRegister(metrics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	server := grpc.NewServer(
		grpc.Creds(creds),
		grpc.MaxRecvMsgSize(c.MaxRecvMessageSize<<20),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(c.ConnectTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: cmp.Or(c.keepalive.Time, pingInterval), Timeout: cmp.Or(c.keepalive.Timeout, pingTimeout),
			MaxConnectionAge: cmp.Or(c.keepalive.MaxConnectionAge, maxAge), MaxConnectionAgeGrace: cmp.Or(c.keepalive.MaxConnectionAgeGrace, maxAgeGrace),
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingTimeout, PermitWithoutStream: true}),
		grpc.InTapHandle(c.limitCall),
		grpc.ChainUnaryInterceptor(metrics.UnaryServerInterceptor(), recovered(log)),
	)
	fnv1.RegisterFunctionRunnerServiceServer(server, function)
	alive := health.NewServer()
	healthv1.RegisterHealthServer(server, alive)
	metrics.InitializeMetrics(server)

	stopMetrics, err := c.serveMetrics(ctx, log, registry)
	if err != nil {
		return err
	}
	defer stopMetrics()

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.InfoContext(ctx, "Serving", "address", listener.Addr().String())
	select {
	case err := <-failed:
		return fmt.Errorf("cannot serve: %w", err)
	case <-ctx.Done():
	}

	log.Info("Stopping: answering the calls in flight")
	alive.Shutdown()
	drained := make(chan struct{})
	go func() { server.GracefulStop(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(c.DrainTimeout):
		log.Warn("Calls in flight took too long and are cut off")
		server.Stop()
	}
	return nil
}

// limitCall ends a call that is never asked to the end: until then it holds what has come of it.
func (c *serveCmd) limitCall(ctx context.Context, call *tap.Info) (context.Context, error) {
	if call.FullMethodName != fnv1.FunctionRunnerService_RunFunction_FullMethodName {
		return ctx, nil // Watching the server's health has no end.
	}
	limited, cancel := context.WithTimeout(ctx, c.CallTimeout)
	context.AfterFunc(ctx, cancel)
	return limited, nil
}

func (c *serveCmd) serveMetrics(ctx context.Context, log *slog.Logger, registry *prometheus.Registry) (stop func(), err error) {
	if c.MetricsAddress == "" {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.MetricsAddress)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for metrics (--metrics-address=\"\" switches them off): %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadTimeout: c.ConnectTimeout, WriteTimeout: c.ConnectTimeout}
	go func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("Metrics have stopped", "error", err)
		}
	}()
	return func() { _ = server.Close() }, nil
}

// recovered is the last net under whatever the function's own recovery does not catch.
func recovered(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (rsp any, err error) {
		defer func() {
			if r := recover(); r != nil {
				log.ErrorContext(ctx, "Recovered from a panic", "method", info.FullMethod, "panic", fmt.Sprint(r))
				err = status.Error(codes.Internal, "the function failed on this request")
			}
		}()
		return handler(ctx, req)
	}
}
