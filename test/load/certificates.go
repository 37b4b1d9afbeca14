package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// validity is long enough for a measurement and too short for anything else.
const validity = 48 * time.Hour

// makeCertificates writes server/ and client/, each with tls.crt, tls.key and ca.crt, as Crossplane mounts them.
func makeCertificates(dir string) error {
	authority := &x509.Certificate{Subject: pkix.Name{CommonName: "load"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caKey, ca, err := sign(authority, authority, nil)
	if err != nil {
		return err
	}
	for name, usage := range map[string]x509.ExtKeyUsage{"server": x509.ExtKeyUsageServerAuth, "client": x509.ExtKeyUsageClientAuth} {
		key, cert, err := sign(&x509.Certificate{
			Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
			DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		}, authority, caKey)
		if err != nil {
			return err
		}
		encoded, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fmt.Errorf("cannot encode a key: %w", err)
		}
		if err := os.MkdirAll(filepath.Join(dir, name), 0o750); err != nil {
			return fmt.Errorf("cannot make a directory: %w", err)
		}
		for file, block := range map[string]*pem.Block{
			"tls.crt": {Type: "CERTIFICATE", Bytes: cert}, "tls.key": {Type: "PRIVATE KEY", Bytes: encoded}, "ca.crt": {Type: "CERTIFICATE", Bytes: ca},
		} {
			if err := os.WriteFile(filepath.Join(dir, name, file), pem.EncodeToMemory(block), 0o600); err != nil {
				return fmt.Errorf("cannot write a certificate: %w", err)
			}
		}
	}
	return nil
}

// sign makes a key and a certificate for it; without a signer it signs itself.
func sign(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a key: %w", err)
	}
	if signer == nil {
		signer = key
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(validity)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot sign a certificate: %w", err)
	}
	return key, der, nil
}
