package store

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cloudnative-pg/barman-cloud/pkg/catalog"
	"github.com/cloudnative-pg/barman-cloud/pkg/command"
	pgtime "github.com/cloudnative-pg/machinery/pkg/postgres/time"
	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

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
	s := newServer(t, to.env)
	options, err := command.AppendCloudProviderOptionsFromConfiguration(t.Context(), nil, from.configuration)
	if err != nil {
		t.Fatal(err)
	}
	// The plugin's own order.
	s.must(t, "barman-cloud-restore", append(options, "--endpoint-url", from.configuration.EndpointURL, from.configuration.DestinationPath, from.server, chosen, s.Data)...)
	s.must(t, "touch", filepath.Join(s.Data, "recovery.signal"))
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
		"restore_command=barman-cloud-wal-restore "+quote(options)+" %f %p",
		"recovery_target_time="+pgtime.ConvertToPostgresFormat(at.GetTargetTime()),
		"recovery_target_inclusive=true", "recovery_target_action=promote",
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
