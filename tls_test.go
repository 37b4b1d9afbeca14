package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

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

	// A client of the old authority that could take up an earlier session instead of showing its certificate again.
	_, _, cert, key := issue(t, before, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	both := pool(before)
	both.AddCert(after.certificate)
	resuming := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: both, ClientSessionCache: tls.NewLRUClientSessionCache(8)})
	if err := ask(t, s.dial(t, resuming)); err != nil {
		t.Fatal(err)
	}

	after.install(t, dir)
	if err := ask(t, s.dial(t, resuming)); status.Code(err) != codes.Unavailable {
		t.Errorf("a session of the old authority is taken up again: %v", err)
	}
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
