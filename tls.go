package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// credentials are mutual TLS: only who holds a certificate of Crossplane's CA may ask.
func (c *serveCmd) credentials(log *slog.Logger) (credentials.TransportCredentials, error) {
	if c.Insecure {
		return insecure.NewCredentials(), nil
	}
	if c.TLSCertsDir == "" {
		return nil, errors.New("cannot serve without certificates: give --tls-certs-dir (Crossplane sets TLS_SERVER_CERTS_DIR), or --insecure for development")
	}
	r := &reloader{dir: c.TLSCertsDir, log: log}
	if err := r.load(); err != nil {
		return nil, err
	}
	return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: r.config}), nil
}

// reloader reads the certificates anew for every connection: they are renewed under a running server, and connections
// live long.
type reloader struct {
	dir  string
	log  *slog.Logger
	last atomic.Pointer[tls.Config]
}

func (r *reloader) load() error {
	config, err := readTLS(r.dir)
	if err == nil {
		r.last.Store(config)
	}
	return err
}

// config is what a new connection is held against. While the files are being replaced certificate and key may not fit
// each other: the last ones that did still serve.
func (r *reloader) config(*tls.ClientHelloInfo) (*tls.Config, error) {
	if err := r.load(); err != nil {
		r.log.Warn("Going on with the certificates read before", "error", err)
	}
	return r.last.Load(), nil
}

func readTLS(dir string) (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		return nil, fmt.Errorf("cannot load the server's certificate: %w", err)
	}
	ca, err := os.ReadFile(filepath.Clean(filepath.Join(dir, "ca.crt")))
	if err != nil {
		return nil, fmt.Errorf("cannot read the clients' certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("cannot use %s: it holds no certificate", filepath.Join(dir, "ca.crt"))
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{certificate},
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		NextProtos:   []string{"h2"},
	}, nil
}
