package reconcile_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
)

// TestArchiverTakenAway: a Cluster whose archiver somebody has removed looks perfectly healthy and archives nothing. The
// claim says so, and the archiver comes back to the folder it had.
func TestArchiverTakenAway(t *testing.T) {
	orders := manifest.Object{
		"apiVersion": "database.bizmatters.io/v1alpha1", "kind": "PostgresInstance", "metadata": map[string]any{"name": "orders", "namespace": "shop"},
	}
	policy := manifest.Object{
		"apiVersion": "hardened-postgres.fn.bizmatters.io/v1beta1", "kind": "Policy",
		"bucket":      map[string]any{"prefix": "acme-prod", "region": "eu-central-1"},
		"credentials": map[string]any{"secretStoreRef": map[string]any{"name": "aws"}},
	}
	w := fixture.Observed(t, orders, policy, claim.Namespaced)
	before := plugins(w.Ask())
	for _, o := range append(w.Required["cluster"], w.Live(hardened.Cluster)) {
		delete(manifest.Map(o, "spec"), "plugins")
	}

	out := w.Ask()
	if len(out.Refused) > 0 {
		t.Fatalf("refused instead of repaired: %s", out.Refused)
	}
	if diff := cmp.Diff(before, plugins(out)); diff != "" || len(before) == 0 {
		t.Errorf("the archiver does not come back as it was: -before, +after:\n%s", diff)
	}
	if out.Status.Contract.Verdict != "Violated" {
		t.Errorf("the claim does not say that nothing is archived: %s", out.Status.Contract.Verdict)
	}
}

func plugins(out reconcile.Outcome) []any {
	for _, c := range out.Composed {
		if c.Name == hardened.Cluster {
			return manifest.List(c.Object.Unwrap(), "spec", "plugins")
		}
	}
	return nil
}

// TestServerNameEdited: somebody turns a living database's WAL to another folder, as forums advise against "Expected empty
// archive". The claim says so, and the name last asked for comes back.
func TestServerNameEdited(t *testing.T) {
	for _, method := range []string{"plugin", "inTree"} {
		policy := document(t, defaultPolicy)
		policy["backup"] = map[string]any{"method": method}
		w := fixture.Observed(t, document(t, defaultClaim), policy, claim.Namespaced)
		asked := w.Observed[hardened.Cluster]
		w.Observed[hardened.Cluster] = manifest.CopyMap(asked)
		archivesAs(w, "orders-first")
		w.Observed[hardened.Cluster]["spec"] = asked["spec"] // Only what lives was edited.
		live := w.Live(hardened.Cluster)
		w.Required["cluster"] = []manifest.Object{live}
		if method == "plugin" { // An earlier life's folder, which is full of its own backups.
			manifest.Map(w.Live(hardened.ObjectStore), "status", "serverRecoveryWindow")["orders-first"] = map[string]any{
				"firstRecoverabilityPoint": "2026-10-25T00:00:00Z", "lastSuccessfulBackupTime": "2026-11-01T00:00:00Z",
			}
		}

		out := w.Ask()
		if len(out.Refused) > 0 || out.Status.Backup.ServerName != "orders-pg16" {
			t.Fatalf("%s: it is asked to archive as %+v; refused: %s", method, out.Status.Backup, out.Refused)
		}
		if told := message(out.Conditions, reconcile.Recoverable); isTrue(out, reconcile.Recoverable) || !strings.Contains(told, "shop/orders/orders-first") {
			t.Errorf("%s: Recoverable says %s", method, told)
		}
		if told := message(out.Conditions, reconcile.ContractSatisfied); !strings.Contains(told, "ZDL-05: ") || isTrue(out, reconcile.ContractSatisfied) {
			t.Errorf("%s: ContractSatisfied says %s", method, told)
		}

		// It is written back, and what went elsewhere meanwhile is missing until the next base backup.
		manifest.Map(w.Composite, "status", "backup")["gapAfter"] = out.Status.Backup.GapAfter
		archivesAs(w, "orders-pg16")
		w.Required["cluster"] = []manifest.Object{w.Live(hardened.Cluster)}
		out = w.Ask()
		if told := message(out.Conditions, reconcile.Recoverable); isTrue(out, reconcile.Recoverable) || out.Status.Backup.GapAfter == "" {
			t.Errorf("%s: the gap is forgotten: %s", method, told)
		}
	}
}

// TestServerNameOfOrphanEdited: while there was no claim nothing was asked for. Newer base backups in another folder tell.
func TestServerNameOfOrphanEdited(t *testing.T) {
	w := fixture.Observed(t, document(t, defaultClaim), document(t, defaultPolicy), claim.Namespaced)
	manifest.Map(w.Live(hardened.ObjectStore), "status")["serverRecoveryWindow"] = map[string]any{
		"orders-first": map[string]any{"firstRecoverabilityPoint": "2026-10-25T00:00:00Z", "lastSuccessfulBackupTime": "2026-11-10T05:00:00Z"},
		"orders-pg16":  map[string]any{"firstRecoverabilityPoint": "2026-11-11T00:00:00Z", "lastSuccessfulBackupTime": "2026-11-24T06:00:07Z"},
	}
	orphaned := func(server string) reconcile.Outcome {
		archivesAs(w, server)
		live := manifest.Object(manifest.CopyMap(w.Live(hardened.Cluster)))
		if server == "" {
			delete(manifest.Map(live, "spec"), "plugins")
		}
		v := *w
		v.Observed = maps.Clone(w.Observed)
		delete(v.Observed, hardened.Cluster)
		v.Required["cluster"] = []manifest.Object{live}
		return v.Ask()
	}
	if out := orphaned("orders-first"); isTrue(out, reconcile.Recoverable) || out.Status.Backup.GapAfter != "2026-11-10T05:00:00Z" {
		t.Errorf("its WAL goes into the folder of an earlier life: %s; %+v", message(out.Conditions, reconcile.Recoverable), out.Status.Backup)
	}
	if out := orphaned("orders-pg16"); !isTrue(out, reconcile.Recoverable) {
		t.Errorf("its WAL goes where its base backups are: %s", message(out.Conditions, reconcile.Recoverable))
	}
	// Without an archiver nothing says which life it is in but the base backups.
	manifest.Map(w.Live(hardened.ObjectStore), "status", "serverRecoveryWindow", "orders-first")["lastSuccessfulBackupTime"] = "2026-11-24T11:00:00Z"
	if out := orphaned(""); len(out.Refused) > 0 || out.Status.Backup.ServerName != "orders-first" {
		t.Errorf("the archiver comes back as %+v; refused: %s", out.Status.Backup, out.Refused)
	}
}

// TestBackupsGoBeforeTheirTime: a month of base backups is hidden, and the next one succeeds. The claim remembers how far
// back they reached, until the retention would have removed them.
func TestBackupsGoBeforeTheirTime(t *testing.T) {
	cases := map[string]struct {
		reason        string
		before, since string
		now           string
		serverName    string
		remembers     string
		violated      bool
	}{
		"Shrunk":      {"They reached back for weeks, and there has been no reason to remove one.", "2026-10-25T00:00:00Z", "2026-11-24T06:00:07Z", "2026-11-24T08:00:00Z", "orders-pg16", "2026-10-25T00:00:00Z", true},
		"Retention":   {"What is older than the retention is removed rightly.", "2026-10-20T00:00:00Z", "2026-10-25T06:00:00Z", "2026-11-24T08:00:00Z", "orders-pg16", "", false},
		"Unchanged":   {"They reach back as far as they did.", "2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-24T08:00:00Z", "orders-pg16", "", false},
		"BroughtBack": {"What was hidden is there again.", "2026-11-20T00:00:00Z", "2026-11-01T00:00:00Z", "2026-11-24T08:00:00Z", "orders-pg16", "", false},
		"AnotherLife": {"A database that was brought back archives under another name.", "2026-10-25T00:00:00Z", "2026-11-24T06:00:07Z", "2026-11-24T08:00:00Z", "orders-first", "", false},
		"NoneSeen":    {"None is seen: what is seen next is held against what was there.", "2026-10-25T00:00:00Z", "", "2026-11-24T08:00:00Z", "orders-pg16", "2026-10-25T00:00:00Z", true},
		"Over":        {"The retention has caught up.", "2026-10-25T00:00:00Z", "2026-11-24T06:00:07Z", "2026-12-25T00:00:00Z", "orders-pg16", "", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, field := range []string{"recoverableSince", "reachedBackTo"} {
				w := fixture.Observed(t, document(t, defaultClaim), document(t, defaultPolicy), claim.Namespaced)
				backup := manifest.Map(w.Composite, "status", "backup")
				delete(backup, "recoverableSince")
				backup[field], backup["serverName"] = tc.before, tc.serverName
				manifest.Map(w.Live(hardened.ObjectStore), "status", "serverRecoveryWindow")["orders-pg16"] = map[string]any{
					"firstRecoverabilityPoint": tc.since, "lastSuccessfulBackupTime": "2026-11-24T06:00:07Z",
				}
				in := w.Input()
				now, err := time.Parse(time.RFC3339, tc.now)
				if err != nil {
					t.Fatal(err)
				}
				in.Now = now
				out := reconcile.Run(in)
				if got := out.Status.Backup.ReachedBackTo; got != tc.remembers {
					t.Errorf("%s From status.backup.%s it remembers %q, want %q", tc.reason, field, got, tc.remembers)
				}
				if told := message(out.Conditions, reconcile.ContractSatisfied); strings.Contains(told, "CNPG-3.2: ") != tc.violated {
					t.Errorf("%s ContractSatisfied says %s", tc.reason, told)
				}
			}
		})
	}
}
