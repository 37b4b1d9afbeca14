package store

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/tools/recipe"
)

// A key is one identity of the store.
type key struct{ id, secret string }

// The database's key may do what docs/iam.md gives it, the administrator's whatever the store and its buckets let anybody do.
var (
	database      = key{"AKIADATABASE", "secret-of-the-database"}
	administrator = key{"AKIAADMINISTRATOR", "secret-of-the-administrator"}
)

// cloud is a real S3 server with Object Lock, over TLS as AWS: a bucket's policy refuses everything else.
type cloud struct {
	home, endpoint, authority string
}

// startCloud starts SeaweedFS with two identities. grants are the statements the database's key gets.
func startCloud(t *testing.T, home string, grants any) cloud {
	t.Helper()
	weed, err := recipe.Make(t.Context(), "seaweedfs", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	c := cloud{home: home, authority: filepath.Join(home, "ca.pem")}
	c.certify(t)
	policy, err := json.Marshal(grants)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, "s3.json"), map[string]any{
		"identities": []any{
			map[string]any{"name": "database", "credentials": credentials(database), "policyNames": []string{"database"}},
			map[string]any{"name": "administrator", "credentials": credentials(administrator), "actions": []string{"Admin"}},
		},
		"policies": []any{map[string]any{"name": "database", "content": string(policy)}},
	})

	ports := freePorts(t, 9)
	c.endpoint = "https://127.0.0.1:" + ports[0]
	args := []string{"-logtostderr", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=" + home, "-volume.max=100",
		"-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-filer=true", "-s3=true", "-s3.port.iceberg=0", "-s3.port.lance=0",
		"-s3.config=" + filepath.Join(home, "s3.json"), "-s3.key.file=" + filepath.Join(home, "key.pem"), "-s3.cert.file=" + c.authority,
		"-s3.localSocket=" + filepath.Join(home, "s3.sock"), "-filer.localSocket=" + filepath.Join(home, "filer.sock"),
	}
	for i, name := range []string{"s3.port.https", "s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"} {
		args = append(args, "-"+name+"="+ports[i])
	}
	log, err := os.Create(filepath.Join(home, "weed.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(weed, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = home, log, log
	// Without a key it cannot encrypt, which is what the bucket asks for.
	cmd.Env = append(os.Environ(), "HOME="+home, "WEED_S3_SSE_KEY=nothing-secret")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
	})

	// The store is up once it takes an object.
	c.wrapAWS(t)
	deadline := time.Now().Add(90 * time.Second)
	for {
		_, err = c.try(t, administrator, "s3api create-bucket --bucket ready")
		if err == nil || strings.Contains(err.Error(), "BucketAlreadyOwnedByYou") {
			if _, err = c.try(t, administrator, "s3api put-object --bucket ready --key ready --body "+c.authority); err == nil {
				return c
			}
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(log.Name())
			t.Fatalf("the store does not come up: %v\n%s", err, said)
		}
		time.Sleep(time.Second)
	}
}

func credentials(k key) []any {
	return []any{map[string]any{"accessKey": k.id, "secretKey": k.secret}}
}

// certify makes a certificate that is its own authority.
func (c cloud) certify(t *testing.T) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "store"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{
		c.authority: {Type: "CERTIFICATE", Bytes: certificate}, filepath.Join(c.home, "key.pem"): {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// wrapAWS puts an aws first on the PATH that talks to this store: older ones know no AWS_ENDPOINT_URL.
func (c cloud) wrapAWS(t *testing.T) {
	t.Helper()
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(c.home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nexec %s --endpoint-url %s \"$@\"\n", aws, c.endpoint)
	if err := os.WriteFile(filepath.Join(bin, "aws"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// environment is what programs need to reach the store with a key, and nothing of whoever runs the test.
func (c cloud) environment(k key) []string {
	return []string{
		"PATH=" + filepath.Join(c.home, "bin") + ":" + os.Getenv("PATH"), "HOME=" + c.home, "LC_ALL=C.UTF-8", "TMPDIR=" + c.home,
		"AWS_ACCESS_KEY_ID=" + k.id, "AWS_SECRET_ACCESS_KEY=" + k.secret, "AWS_CA_BUNDLE=" + c.authority,
		"AWS_DEFAULT_REGION=eu-central-1", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
	}
}

// patience bounds every program the test waits for.
const patience = 10 * time.Minute

// sh runs a script in bash and returns what it printed.
func (c cloud) sh(t *testing.T, k key, script string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir, cmd.Env = c.home, c.environment(k)
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s%s", err, errors.String(), out.String())
	}
	return out.String(), nil
}

// try runs one aws command, in which no argument has a space.
func (c cloud) try(t *testing.T, k key, args string) (string, error) {
	t.Helper()
	return c.sh(t, k, "aws "+args)
}

// aws runs one aws command that has to succeed.
func (c cloud) aws(t *testing.T, k key, args string) string {
	t.Helper()
	out, err := c.try(t, k, args)
	if err != nil {
		t.Fatalf("aws %s: %v", args, err)
	}
	return out
}

func write(t *testing.T, path string, content any) {
	t.Helper()
	raw, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePorts(t *testing.T, n int) []string {
	t.Helper()
	out, open := make([]string, n), make([]net.Listener, n)
	for i := range out {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		out[i], open[i] = strconv.Itoa(l.Addr().(*net.TCPAddr).Port), l
	}
	for _, l := range open { // Only now, or one port might come twice.
		_ = l.Close()
	}
	return out
}
