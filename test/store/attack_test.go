package store

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// attack is what somebody can do who has the database's key. Nothing is gone.
func (p *play) attack(t *testing.T) {
	before := p.byID(t, p.bucket)
	versions, _ := p.list(t, p.bucket)
	time.Sleep(1100 * time.Millisecond) // S3 tells versions apart by the second.
	p.attacked = time.Now().UTC().Truncate(time.Second)

	object := p.bucket + "/" + versions[0].Key
	for _, call := range []struct{ method, path, parameter string }{
		{http.MethodDelete, object, "versionId=" + versions[0].VersionID},
		{http.MethodPut, object, "retention"},
		{http.MethodPut, p.bucket, "versioning"},
		{http.MethodPut, p.bucket, "object-lock"},
		{http.MethodPut, p.bucket, "policy"},
		{http.MethodDelete, p.bucket, "policy"},
		{http.MethodPut, p.bucket, "lifecycle"},
		{http.MethodDelete, p.bucket, ""},
	} {
		query, err := url.ParseQuery(call.parameter)
		if err != nil {
			t.Fatal(err)
		}
		if status, said := p.ask(t, database, call.method, call.path, query); status != http.StatusForbidden || !strings.Contains(string(said), "AccessDenied") {
			t.Errorf("%s %s?%s with the database's key: %d %s", call.method, call.path, call.parameter, status, said)
		}
	}
	for key := range p.healthy {
		if strings.Contains(key, "/base/") {
			p.aws(t, database, fmt.Sprintf("s3api put-object --bucket %s --key %s --body %s", p.bucket, key, p.authority))
		}
	}
	p.aws(t, database, "s3 rm --recursive --only-show-errors s3://"+p.bucket+"/")

	if left := p.keys(t, p.bucket); len(left) != 0 {
		t.Errorf("the attack should have hidden everything: %v", left)
	}
	if got := p.backups(t, p.archive); len(got) != 0 {
		t.Errorf("barman sees %v", got)
	}
	after := p.byID(t, p.bucket)
	for id, etag := range before {
		if after[id] != etag {
			t.Errorf("%s is gone, or is something else", id)
		}
	}
}

// diagnosis is what the runbook shows after such an attack.
func (p *play) diagnosis(t *testing.T) {
	out, err := p.document(t, administrator, "docs/runbooks/PostgresRecoveryWindowShrunk.md#Diagnosis/1", "<bucket>", p.bucket, "<path>/<serverName>/", p.path(p.bucket))
	if err != nil {
		t.Fatal(err)
	}
	for key := range p.healthy {
		if strings.Contains(key, "/base/") && !strings.Contains(out, key) {
			t.Errorf("no word about the marker on %s", key)
		}
	}
	for _, want := range []string{"COMPLIANCE", "37", "NoncurrentDays"} {
		if !strings.Contains(out, want) {
			t.Errorf("no word about %s", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// hidden takes the markers away as docs/recover.md says.
func (p *play) hidden(t *testing.T) {
	_, markers := p.list(t, p.bucket)
	if len(markers) < len(p.healthy) {
		t.Fatalf("%d markers over %d objects", len(markers), len(p.healthy))
	}
	// Why the document lifts a statement of the bucket's policy first.
	p.kept(t, administrator, p.bucket, markers[0])
	if _, err := p.document(t, administrator, "docs/recover.md#Hidden backups/1", "BUCKET", p.bucket); err != nil {
		t.Fatal(err)
	}
	// The key gets no further for that, nor does an administrator with what is locked.
	p.kept(t, database, p.bucket, markers[0])
	versions, _ := p.list(t, p.bucket)
	for _, v := range versions {
		p.kept(t, administrator, p.bucket, v)
	}
	before := p.byID(t, p.bucket)

	p.unhide(t)
	if _, err := p.document(t, administrator, "docs/recover.md#Hidden backups/3", "BUCKET", p.bucket); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.healthy, p.keys(t, p.bucket)); diff != "" {
		t.Errorf("what one sees: -before the attack +after the markers were removed\n%s", diff)
	}
	if diff := cmp.Diff(before, p.byID(t, p.bucket)); diff != "" {
		t.Errorf("removing markers changed versions\n%s", diff)
	}
	if diff := cmp.Diff(p.policy, readBack(t, p.aws(t, administrator, "s3api get-bucket-policy --output json --bucket "+p.bucket))); diff != "" {
		t.Errorf("the policy: -emitted +put back\n%s", diff)
	}
}

func (p *play) unhide(t *testing.T) {
	t.Helper()
	folder := strings.TrimSuffix(p.path(p.bucket), p.server+"/")
	if _, err := p.document(t, administrator, "docs/recover.md#Hidden backups/2", "BUCKET", p.bucket, "agents/agent-db/", folder); err != nil {
		t.Fatal(err)
	}
}

// overwritten puts back what the attack has written over.
func (p *play) overwritten(t *testing.T) {
	before := p.byID(t, p.bucket)
	folder := strings.TrimSuffix(p.path(p.bucket), p.server+"/")
	_, err := p.document(t, administrator, "docs/recover.md#Overwritten backups/1", "BUCKET", p.bucket, "agents/agent-db/", folder,
		"2026-11-20T10:00:00", p.attacked.Format("2006-01-02T15:04:05"))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.backups(t, p.archive); len(got) != 1 {
		t.Fatalf("barman sees %v after the overwritten objects were put back", got)
	}
	added := 0
	for id := range p.byID(t, p.bucket) {
		if _, old := before[id]; !old {
			added++
			if !strings.Contains(id, "/base/") {
				t.Errorf("%s was written, which nobody had overwritten", id)
			}
		}
	}
	if added == 0 {
		t.Error("nothing was put back")
	}
}
