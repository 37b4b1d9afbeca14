package store

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const deletion = "docs/delete-for-good.md#5. The bucket/"

// deleteForGood is the last step of that document while the lock holds.
func (p *play) deleteForGood(t *testing.T) {
	p.database.stop(t)
	versions, _ := p.list(t, p.bucket)
	youngest := slices.MaxFunc(versions, func(a, b version) int { return a.LastModified.Compare(b.LastModified) }).LastModified
	// Also where the list comes in pages, as it does from a thousand versions on.
	for _, bucket := range []string{p.bucket, p.bucket + " --page-size 3"} {
		out, err := p.document(t, administrator, deletion+"1", "acme-agents-agent-db-v15-3f9a1c2b4d", bucket)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := time.Parse(time.RFC3339, strings.Trim(strings.TrimSpace(out), `"`)); err != nil || !got.Equal(youngest) {
			t.Errorf("the youngest object is of %q, want %s: %v", out, youngest, err)
		}
	}
	before := p.byID(t, p.bucket)
	for range 2 {
		if out, err := p.document(t, administrator, deletion+"2", "acme-agents-agent-db-v15-3f9a1c2b4d", p.bucket); err == nil || !strings.Contains(err.Error(), "BucketNotEmpty") {
			t.Fatalf("the bucket was not refused to be deleted: %v\n%s", err, out)
		}
	}
	if diff := cmp.Diff(before, p.byID(t, p.bucket)); diff != "" {
		t.Errorf("versions are gone\n%s", diff)
	}
	if left := p.keys(t, p.bucket); len(left) != 0 {
		t.Errorf("rb --force has left %v for all to see", left)
	}
}

// afterTheLock is the same step when the lock is over, which nobody can wait for: in a bucket without one.
func (p *play) afterTheLock(t *testing.T) {
	const bucket = "over"
	p.aws(t, administrator, "s3api create-bucket --bucket "+bucket)
	p.aws(t, administrator, "s3api put-bucket-versioning --versioning-configuration Status=Enabled --bucket "+bucket)
	for range 2 {
		p.aws(t, administrator, "s3api put-object --bucket "+bucket+" --key a/b --body "+p.authority)
	}
	if _, err := p.document(t, administrator, deletion+"2", "acme-agents-agent-db-v15-3f9a1c2b4d", bucket); err == nil || !strings.Contains(err.Error(), "BucketNotEmpty") {
		t.Fatalf("a bucket with versions was not refused to be deleted: %v", err)
	}
	// What the lifecycle does in the course of days.
	versions, markers := p.list(t, bucket)
	if len(versions) != 2 || len(markers) != 1 {
		t.Fatalf("%d versions and %d markers, want 2 and 1", len(versions), len(markers))
	}
	for _, v := range append(versions, markers...) {
		if status, said := p.destroy(t, administrator, bucket, v); status != http.StatusNoContent {
			t.Fatalf("what has no lock cannot be deleted: %d %s", status, said)
		}
	}
	if _, err := p.document(t, administrator, deletion+"2", "acme-agents-agent-db-v15-3f9a1c2b4d", bucket); err != nil {
		t.Fatal(err)
	}
	if status, _ := p.ask(t, administrator, http.MethodHead, bucket, nil); status != http.StatusNotFound {
		t.Errorf("the bucket is still there: %d", status)
	}
}
