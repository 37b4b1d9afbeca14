package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// The test's own looks at the store do without aws, which takes a second to start. This is all of S3 they need.

// ask sends one request, signed as AWS wants it (Signature Version 4), and returns the status and the answer.
func (c cloud) ask(t *testing.T, k key, method, path string, query url.Values) (int, []byte) {
	t.Helper()
	at := (&url.URL{Path: "/" + path}).EscapedPath()
	parameters := strings.ReplaceAll(query.Encode(), "+", "%20")
	r, err := http.NewRequestWithContext(t.Context(), method, c.endpoint+at+"?"+parameters, nil)
	if err != nil {
		t.Fatal(err)
	}
	const unsigned, headers = "UNSIGNED-PAYLOAD", "host;x-amz-content-sha256;x-amz-date"
	now := time.Now().UTC().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", now)
	r.Header.Set("X-Amz-Content-Sha256", unsigned)
	canonical := strings.Join([]string{
		method, at, parameters, "host:" + r.URL.Host, "x-amz-content-sha256:" + unsigned, "x-amz-date:" + now, "", headers, unsigned,
	}, "\n")
	hash := sha256.Sum256([]byte(canonical))
	day, scope := now[:8], now[:8]+"/eu-central-1/s3/aws4_request"
	signing := []byte("AWS4" + k.secret)
	for _, part := range []string{day, "eu-central-1", "s3", "aws4_request", "AWS4-HMAC-SHA256\n" + now + "\n" + scope + "\n" + hex.EncodeToString(hash[:])} {
		mac := hmac.New(sha256.New, signing)
		mac.Write([]byte(part))
		signing = mac.Sum(nil)
	}
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x", k.id, scope, headers, signing))

	authority, err := os.ReadFile(c.authority)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, body
}

// get asks as the administrator for what has to be there.
func (c cloud) get(t *testing.T, path string, query url.Values, into any) {
	t.Helper()
	status, body := c.ask(t, administrator, http.MethodGet, path, query)
	if status != http.StatusOK {
		t.Fatalf("GET %s?%s: %d %s", path, query.Encode(), status, body)
	}
	if err := xml.Unmarshal(body, into); err != nil {
		t.Fatalf("GET %s?%s: %v\n%s", path, query.Encode(), err, body)
	}
}

// A version of an object, or a marker that hides what is below it.
type version struct {
	Key          string
	VersionID    string `xml:"VersionId"`
	ETag         string
	LastModified time.Time
	IsLatest     bool
}

// list is everything in a bucket: versions and markers.
func (c cloud) list(t *testing.T, bucket string) (versions, markers []version) {
	t.Helper()
	var out struct {
		IsTruncated bool
		Versions    []version `xml:"Version"`
		Markers     []version `xml:"DeleteMarker"`
	}
	c.get(t, bucket, url.Values{"versions": {""}}, &out)
	if out.IsTruncated {
		t.Fatal("more than a thousand versions")
	}
	return out.Versions, out.Markers
}

// keys are the objects one sees, as barman does.
func (c cloud) keys(t *testing.T, bucket string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	versions, _ := c.list(t, bucket)
	for _, v := range versions {
		if v.IsLatest {
			out[v.Key] = true
		}
	}
	return out
}

// byID are the versions there are, whatever lies on top.
func (c cloud) byID(t *testing.T, bucket string) map[string]string {
	t.Helper()
	out := map[string]string{}
	versions, _ := c.list(t, bucket)
	for _, v := range versions {
		out[v.Key+" "+v.VersionID] = v.ETag
	}
	return out
}

// destroy deletes one version, which is no way back.
func (c cloud) destroy(t *testing.T, k key, bucket string, v version) (status int, said string) {
	t.Helper()
	status, body := c.ask(t, k, http.MethodDelete, bucket+"/"+v.Key, url.Values{"versionId": {v.VersionID}})
	return status, string(body)
}

// kept is destroy where the store has to refuse it.
func (c cloud) kept(t *testing.T, k key, bucket string, v version) {
	t.Helper()
	if status, said := c.destroy(t, k, bucket, v); status != http.StatusForbidden || !strings.Contains(said, "AccessDenied") {
		t.Fatalf("deleting version %s of %s was not refused: %d %s", v.VersionID, v.Key, status, said)
	}
}
