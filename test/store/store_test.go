// Package store holds what is emitted, and what the documents tell people to type, against the real things: an S3 server
// with Object Lock, PostgreSQL, barman's programs with the options the barman-cloud plugin gives them, and aws.
package store

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudnative-pg/barman-cloud/pkg/archiver"
	"github.com/cloudnative-pg/barman-cloud/pkg/backup"
	"github.com/cloudnative-pg/barman-cloud/pkg/catalog"
	"github.com/cloudnative-pg/barman-cloud/pkg/command"
	pgtime "github.com/cloudnative-pg/machinery/pkg/postgres/time"
	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// notTaken are the settings SeaweedFS does not keep as they are emitted. What rests on them is not proven here.
var notTaken = []string{"BucketPolicy"}

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
	if _, err := binaries(); err != nil {
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
	database *postgres

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
	p.database = newPostgres(t, p.env)

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

func (p *play) settings(t *testing.T) {
	p.makeBucket(t, p.set)
	missing := map[string]string{}
	for _, s := range p.set.settings(t) {
		if why := p.apply(t, p.bucket, s); why != "" {
			missing[s.kind] = why
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(missing)) {
		t.Logf("NOT PROVEN: the server does not keep %s as emitted: %s", kind, missing[kind])
	}
	if diff := cmp.Diff(notTaken, slices.Sorted(maps.Keys(missing))); diff != "" {
		t.Fatalf("settings: -known to be missing in this server +missing\n%s", diff)
	}

	// It refuses the whole policy for one operator it does not know, and passes over conditions on s3:TlsVersion and
	// s3:object-lock-remaining-retention-days.
	settings := p.set.settings(t)
	policy := settings[slices.IndexFunc(settings, func(s setting) bool { return s.kind == "BucketPolicy" })]
	statements, _ := policy.want["Statement"].([]any)
	policy.want["Statement"] = slices.DeleteFunc(statements, func(s any) bool { return strings.Contains(fmt.Sprint(s), "ArnNotLike") })
	if len(statements) != len(policy.want["Statement"].([]any))+1 {
		t.Fatal("exactly one statement of the policy should ask for ArnNotLike")
	}
	if missing := p.apply(t, p.bucket, policy); missing != "" {
		t.Fatalf("the rest of the policy: %s", missing)
	}
	p.policy = any(policy.want)
}

// archives starts the database, takes a base backup and damages what was acknowledged.
func (p *play) archives(t *testing.T) {
	p.database.init(t)
	// The plugin looks whether the folder is empty before it archives the first file.
	if err := p.checkEmpty(t, p.database, p.archive); err != nil {
		t.Fatal(err)
	}
	p.database.up(t, p.archiveCommand(t, p.database, p.archive))
	p.database.sql(t, "CREATE TABLE orders (id int PRIMARY KEY, body text)")
	p.insert(t, 1, 100)
	p.backup(t)
	p.insert(t, 101, 200)
	p.moment = p.database.sql(t, `SELECT to_char(clock_timestamp() AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD"T"HH24:MI:SS.US+05:30')`)[0]
	time.Sleep(100 * time.Millisecond)
	kept := p.acknowledged
	p.insert(t, 201, 210)
	p.acknowledged = kept
	p.database.sql(t, "DROP TABLE orders")
	p.database.archived(t)

	p.healthy = p.keys(t, p.bucket)
	for key := range p.healthy {
		if !strings.HasPrefix(key, p.path(p.bucket)) {
			t.Errorf("%s lies outside %s", key, p.path(p.bucket))
		}
		if strings.Contains(key, "/wals/") && !strings.HasSuffix(key, ".gz") && !strings.HasSuffix(key, ".history") {
			t.Errorf("%s is not compressed", key)
		}
	}
	if got := len(p.backups(t, p.archive)); got != 1 {
		t.Fatalf("%d backups, want 1", got)
	}
}

// insert commits rows one by one and keeps those PostgreSQL acknowledged.
func (p *play) insert(t *testing.T, from, to int) {
	t.Helper()
	var script strings.Builder
	for i := from; i <= to; i++ {
		_, _ = fmt.Fprintf(&script, "INSERT INTO orders VALUES (%d, repeat('x', 200)) RETURNING id;\n", i)
	}
	p.acknowledged = append(p.acknowledged, p.database.script(t, script.String())...)
}

func (p *play) archiveCommand(t *testing.T, s *postgres, a archive) string {
	t.Helper()
	options, err := p.archiver(t, s, a).BarmanCloudWalArchiveOptions(t.Context(), a.configuration, a.server)
	if err != nil {
		t.Fatal(err)
	}
	return "barman-cloud-wal-archive " + quote(options) + " %p"
}

func (p *play) archiver(t *testing.T, s *postgres, a archive) *archiver.WALArchiver {
	t.Helper()
	w, err := archiver.New(t.Context(), a.env, filepath.Join(p.home, "spool"), s.data, filepath.Join(s.home, "check"))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// checkEmpty is how the plugin keeps a database from archiving into a folder that holds another's WAL.
func (p *play) checkEmpty(t *testing.T, s *postgres, a archive) error {
	t.Helper()
	options, err := p.archiver(t, s, a).BarmanCloudCheckWalArchiveOptions(t.Context(), a.configuration, a.server)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.run(t.Context(), "barman-cloud-check-wal-archive", options...)
	return err
}

// backup takes a base backup as the plugin does.
func (p *play) backup(t *testing.T) {
	t.Helper()
	options, err := backup.NewBackupCommand(p.configuration).GetBarmanCloudBackupOptions(t.Context(), "backup-"+time.Now().UTC().Format("20060102150405"), p.server)
	if err != nil {
		t.Fatal(err)
	}
	p.database.must(t, "barman-cloud-backup", options...)
}

// backups are the completed ones barman sees, the oldest first.
func (p *play) backups(t *testing.T, a archive) []string {
	t.Helper()
	list, err := command.GetBackupList(t.Context(), a.configuration, a.server, a.env)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(list.GetBackupIDs()))
}

// locked holds every object barman has written to the lock that is emitted.
func (p *play) locked(t *testing.T) {
	days, _ := manifest.Int(p.set.one(t, "BucketObjectLockConfiguration"), "spec", "forProvider", "rule", "defaultRetention", "days")
	if days < 30 {
		t.Fatalf("a lock of %d days was emitted", days)
	}
	versions, markers := p.list(t, p.bucket)
	if len(versions) < 4 || len(markers) != 0 {
		t.Fatalf("%d versions and %d markers: want a base backup, WAL and no marker", len(versions), len(markers))
	}
	for _, v := range versions {
		var lock struct {
			Mode            string
			RetainUntilDate time.Time
		}
		p.get(t, p.bucket+"/"+v.Key, url.Values{"retention": {""}, "versionId": {v.VersionID}}, &lock)
		if held := lock.RetainUntilDate.Sub(v.LastModified); lock.Mode != "COMPLIANCE" || (held-time.Duration(days)*24*time.Hour).Abs() > time.Minute {
			t.Errorf("%s is locked in mode %q for %s, want COMPLIANCE for %d days", v.Key, lock.Mode, held, days)
		}
	}
}

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

// retains applies the retention policy that is emitted, and one that has something to do.
func (p *play) retains(t *testing.T) {
	p.backup(t)
	p.database.archived(t)
	both, before := p.backups(t, p.archive), p.byID(t, p.bucket)
	if len(both) != 2 {
		t.Fatalf("barman sees %v", both)
	}
	if err := command.DeleteBackupsByPolicy(t.Context(), p.configuration, p.server, p.env, p.retention); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(both, p.backups(t, p.archive)); diff != "" {
		t.Errorf("retention %s removed backups of today\n%s", p.retention, diff)
	}

	p.database.must(t, "barman-cloud-backup-delete", "--cloud-provider", "aws-s3", "--endpoint-url", p.endpoint, "--retention-policy", "REDUNDANCY 1",
		p.configuration.DestinationPath, p.server)
	if diff := cmp.Diff(both[1:], p.backups(t, p.archive)); diff != "" {
		t.Errorf("keeping one backup: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(before, p.byID(t, p.bucket)); diff != "" {
		t.Errorf("retention did more than hide\n%s", diff)
	}
	if _, err := p.document(t, administrator, "docs/recover.md#Hidden backups/1", "BUCKET", p.bucket); err != nil {
		t.Fatal(err)
	}
	p.unhide(t)
	if diff := cmp.Diff(both, p.backups(t, p.archive)); diff != "" {
		t.Errorf("a backup that retention hid does not come back\n%s", diff)
	}
	if _, err := p.document(t, administrator, "docs/recover.md#Hidden backups/3", "BUCKET", p.bucket); err != nil {
		t.Fatal(err)
	}
}

// successor writes the claim of a database that is recovered from the bucket alone, as the recover command does.
func (p *play) successor(t *testing.T, moment string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "recovered.yaml")
	parameters := manifest.Map(manifest.Object(manifest.List(p.set.one(t, "Cluster"), "spec", "plugins")[0].(map[string]any)), "parameters")
	p.product.run(t, "recover", "--from", "example/claim.yaml", "--name", "recovered", "--to-time", moment,
		"--archive-bucket", p.bucket, "--archive-server", manifest.String(parameters, "serverName"), "-o", file)
	return file
}

// target is what the plugin chooses a backup by.
type target struct{ manifest.Object }

func (r target) GetBackupID() string   { return manifest.String(r.Object, "backupID") }
func (r target) GetTargetTime() string { return manifest.String(r.Object, "targetTime") }
func (r target) GetTargetLSN() string  { return manifest.String(r.Object, "targetLSN") }
func (r target) GetTargetTLI() string  { return manifest.String(r.Object, "targetTLI") }

// recovery brings the dropped table back in a new database, as far as the moment, and leaves the source alone.
func (p *play) recovery(t *testing.T) {
	out, err := p.document(t, database, "docs/recover.md#Only the bucket is left/1", "acme-agents-agent-db-v15-3f9a1c2b4d/agents/agent-db-v15/",
		strings.TrimPrefix(p.configuration.DestinationPath, "s3://"))
	if err != nil || !slices.Equal(strings.Fields(out), []string{"PRE", p.server + "/"}) {
		t.Fatalf("the bucket tells %q, want the folder %s: %v", out, p.server, err)
	}

	recovered := p.product.render(t, p.successor(t, p.moment))
	p.makeBucket(t, recovered) // Its settings are those of the first one.
	from, to := recovered.source(t, p.cloud), recovered.own(t, p.cloud)
	if diff := cmp.Diff(p.configuration.DestinationPath+p.server, from.configuration.DestinationPath+from.server); diff != "" {
		t.Fatalf("the folder: -the source writes to +is restored from\n%s", diff)
	}
	at := target{manifest.Map(recovered.one(t, "Cluster"), "spec", "bootstrap", "recovery", "recoveryTarget")}
	if got := at.GetTargetTime(); !strings.HasSuffix(got, "Z") {
		t.Fatalf("the target is handed on as %q, want UTC", got)
	}
	versions, markers := p.list(t, p.bucket)

	list, err := command.GetBackupList(t.Context(), from.configuration, from.server, from.env)
	if err != nil {
		t.Fatal(err)
	}
	chosen := choose(t, list, at)
	if want := p.backups(t, p.archive)[0]; chosen != want {
		t.Fatalf("the plugin chooses backup %s, want %s, the one before the moment", chosen, want)
	}
	s := newPostgres(t, to.env)
	options, err := command.AppendCloudProviderOptionsFromConfiguration(t.Context(), nil, from.configuration)
	if err != nil {
		t.Fatal(err)
	}
	// The plugin's own order.
	s.must(t, "barman-cloud-restore", append(options, "--endpoint-url", from.configuration.EndpointURL, from.configuration.DestinationPath, from.server, chosen, s.data)...)
	s.must(t, "touch", filepath.Join(s.data, "recovery.signal"))
	if err := p.checkEmpty(t, s, from); err == nil {
		t.Error("the plugin would let the new database archive into the source's folder")
	}
	if err := p.checkEmpty(t, s, to); err != nil {
		t.Error(err)
	}
	options, err = command.CloudWalRestoreOptions(t.Context(), from.configuration, from.server)
	if err != nil {
		t.Fatal(err)
	}
	s.up(t, p.archiveCommand(t, s, to),
		"restore_command = "+literal("barman-cloud-wal-restore "+quote(options)+" %f %p"),
		"recovery_target_time = "+literal(pgtime.ConvertToPostgresFormat(at.GetTargetTime())),
		"recovery_target_inclusive = 'true'", "recovery_target_action = 'promote'",
	)
	s.await(t, "SELECT NOT pg_is_in_recovery()")

	if diff := cmp.Diff(p.acknowledged, s.sql(t, "SELECT id FROM orders ORDER BY id")); diff != "" {
		t.Errorf("rows: -acknowledged before the moment +recovered\n%s", diff)
	}
	s.sql(t, "INSERT INTO orders VALUES (1000, 'new')")
	s.archived(t)
	written := p.keys(t, recovered.bucket(t))
	for key := range written {
		if !strings.HasPrefix(key, to.path(recovered.bucket(t))) {
			t.Errorf("the new database writes %s, outside of %s", key, to.path(recovered.bucket(t)))
		}
	}
	if len(written) == 0 {
		t.Error("the new database has archived nothing")
	}
	versionsAfter, markersAfter := p.list(t, p.bucket)
	if diff := cmp.Diff([][]version{versions, markers}, [][]version{versionsAfter, markersAfter}); diff != "" {
		t.Errorf("the source's bucket has changed\n%s", diff)
	}
}

func choose(t *testing.T, list *catalog.Catalog, at target) string {
	t.Helper()
	found, err := list.FindBackupInfo(at)
	if err != nil || found == nil {
		t.Fatalf("no backup for %v: %v", at, err)
	}
	return found.ID
}

const deletion = "docs/delete-for-good.md#5. The bucket/"

// deleteForGood is the last step of that document while the lock holds.
func (p *play) deleteForGood(t *testing.T) {
	p.database.stop(syscall.SIGINT)
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
