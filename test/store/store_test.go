// Package store holds what is emitted, and what the documents tell people to type, against the real things: an S3 server
// with Object Lock, PostgreSQL, barman's programs with the options the barman-cloud plugin gives them, and aws.
package store

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/bizmatters/function-hardened-postgres/test/tools/postgres"
)

// need skips where a program is missing, and says which package has it.
func need(t *testing.T) {
	t.Helper()
	var missing []string
	for _, p := range []struct{ program, pack string }{
		{"aws", "awscli"}, {"jq", "jq"}, {"barman-cloud-backup", "barman-cli-cloud"}, {"barman-cloud-check-wal-archive", "barman-cli-cloud"},
	} {
		if _, err := exec.LookPath(p.program); err != nil {
			missing = append(missing, p.program+" (package "+p.pack+")")
		}
	}
	if _, err := postgres.Binaries(); err != nil {
		missing = append(missing, err.Error()+" (package postgresql)")
	}
	if len(missing) > 0 {
		t.Skipf("NOT RUN: missing %s; .ci/run store installs them", strings.Join(missing, ", "))
	}
}

// play is one world: a database that archives, and whoever does what to it.
type play struct {
	cloud
	product product
	ran     map[string]bool // Blocks of documents.

	home   string
	set    set
	bucket string
	archive
	database *server

	acknowledged []string // Rows up to the moment, as PostgreSQL acknowledged them.
	moment       string
	attacked     time.Time
	healthy      map[string]bool // What is in the bucket for all to see before the attack.
	policy       any             // The bucket's, as far as the store knows its operators.
}

// TestStore plays one database's life, in order: each scene builds on the ones before it.
func TestStore(t *testing.T) {
	need(t)
	log.SetLogger(logr.Discard()) // Of the plugin's library.
	home, err := os.MkdirTemp("", "store")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	if err := os.Chmod(home, 0o755); err != nil { // PostgreSQL, another user, reads the authority and runs aws.
		t.Fatal(err)
	}
	p := &play{product: build(t), ran: map[string]bool{}, home: home}
	p.set = p.product.render(t, "example/claim.yaml")
	p.bucket = p.set.bucket(t)
	// Only for the name of its bucket, which the key has to open too.
	successor := p.product.render(t, p.successor(t, time.Now().Add(-time.Hour).Format(time.RFC3339)))
	p.cloud = startCloud(t, home, grants(t, p.bucket, successor.bucket(t)))
	p.archive = p.set.own(t, p.cloud)
	p.database = newServer(t, p.env)

	green := t.Run("Settings", p.settings) && t.Run("Archive", p.archives) && t.Run("Locked", p.locked) &&
		t.Run("Attack", p.attack) && t.Run("Diagnosis", p.diagnosis) && t.Run("Hidden", p.hidden) && t.Run("Overwritten", p.overwritten) &&
		t.Run("Retention", p.retains) && t.Run("Recovery", p.recovery) &&
		t.Run("DeleteForGood", p.deleteForGood) && t.Run("AfterTheLock", p.afterTheLock)
	if !green {
		t.FailNow() // Each builds on the ones before it.
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(played)), slices.Sorted(maps.Keys(p.ran))); diff != "" {
		t.Errorf("blocks of the documents: -to be run +run\n%s", diff)
	}
}

// document runs a block as it stands, with the example's names replaced.
func (p *play) document(t *testing.T, k key, place string, replace ...string) (string, error) {
	t.Helper()
	blocks, _ := documents(t)
	i := slices.IndexFunc(blocks, func(b block) bool { return b.place == place })
	if i < 0 {
		t.Fatalf("no document has %s", place)
	}
	p.ran[place] = true
	script := prompt.ReplaceAllString(blocks[i].text, "")
	if strings.Contains(script, "kubectl") {
		script = strings.Join(statements(blocks[i].text), "\n")
	}
	for pair := range slices.Chunk(replace, 2) {
		if !strings.Contains(script, pair[0]) {
			t.Fatalf("%s does not contain %q:\n%s", place, pair[0], script)
		}
		script = strings.ReplaceAll(script, pair[0], pair[1])
	}
	return p.sh(t, k, "set -e -o pipefail\n"+script)
}
