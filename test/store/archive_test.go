package store

import (
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudnative-pg/barman-cloud/pkg/archiver"
	"github.com/cloudnative-pg/barman-cloud/pkg/backup"
	"github.com/cloudnative-pg/barman-cloud/pkg/command"
	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// notTaken are the settings SeaweedFS does not keep as they are emitted. What rests on them is not proven here.
var notTaken = []string{"BucketPolicy"}

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
	p.database.create(t)
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

func (p *play) archiveCommand(t *testing.T, s *server, a archive) string {
	t.Helper()
	options, err := p.archiver(t, s, a).BarmanCloudWalArchiveOptions(t.Context(), a.configuration, a.server)
	if err != nil {
		t.Fatal(err)
	}
	return "barman-cloud-wal-archive " + quote(options) + " %p"
}

func (p *play) archiver(t *testing.T, s *server, a archive) *archiver.WALArchiver {
	t.Helper()
	w, err := archiver.New(t.Context(), a.env, filepath.Join(p.home, "spool"), s.Data, filepath.Join(s.Home, "check"))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// checkEmpty is how the plugin keeps a database from archiving into a folder that holds another's WAL.
func (p *play) checkEmpty(t *testing.T, s *server, a archive) error {
	t.Helper()
	options, err := p.archiver(t, s, a).BarmanCloudCheckWalArchiveOptions(t.Context(), a.configuration, a.server)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Run(t.Context(), "barman-cloud-check-wal-archive", options...)
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
