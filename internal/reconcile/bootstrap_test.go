package reconcile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
)

func agentDB(name string, spec, annotations map[string]any) manifest.Object {
	metadata := map[string]any{"name": name, "namespace": "agents"}
	if annotations != nil {
		metadata["annotations"] = annotations
	}
	return manifest.Object{"apiVersion": "database.bizmatters.io/v1alpha1", "kind": "PostgresInstance", "metadata": metadata, "spec": spec}
}

func plainPolicy() manifest.Object {
	return manifest.Object{
		"apiVersion": "hardened-postgres.fn.bizmatters.io/v1beta1", "kind": "Policy",
		"bucket":      map[string]any{"prefix": "acme", "region": "eu-central-1", "administrators": []any{"arn:aws:iam::111122223333:role/platform"}},
		"credentials": map[string]any{"secretStoreRef": map[string]any{"name": "vault"}},
	}
}

// beside is a world with a claim beside a living database.
func beside(t *testing.T, source *fixture.World, document manifest.Object) *fixture.World {
	t.Helper()
	w := fixture.New(document, plainPolicy(), claim.Namespaced)
	for _, role := range manifest.SortedKeys(source.Observed) {
		if live := source.Live(role); live != nil {
			w.Existing = append(w.Existing, live)
		}
	}
	return w
}

// A database that was made without checksums, by hand or by an older version, is told to break the contract; letting go
// of its management would only make things worse.
func TestHowItWasMadeNeverRefuses(t *testing.T) {
	w := fixture.Observed(t, agentDB("agent-db", nil, nil), plainPolicy(), claim.Namespaced)
	stanza := map[string]any{"initdb": map[string]any{"database": "agent-db", "owner": "agent-db"}}
	manifest.Map(w.Live(hardened.Cluster), "spec")["bootstrap"] = stanza

	out := w.Ask()
	if len(out.Refused) > 0 {
		t.Fatalf("refused: %s", out.Refused)
	}
	if got := verdictOf(out, "ZDL-11"); got != "Violated" {
		t.Errorf("ZDL-11 is %q", got)
	}
	for _, c := range out.Composed {
		if c.Name == hardened.Cluster {
			if diff := cmp.Diff(stanza, map[string]any(manifest.Map(c.Object.Unwrap(), "spec", "bootstrap"))); diff != "" {
				t.Errorf("the stanza of a living database is not kept: -as it lives, +as emitted:\n%s", diff)
			}
		}
	}
}

func verdictOf(out reconcile.Outcome, id string) string {
	for _, rule := range out.Status.Contract.Rules {
		if rule.ID == id {
			return rule.Verdict
		}
	}
	return ""
}

// A recovery from first to last: its own keys and description of the source before the database, the source's names, and
// a stanza that does nothing any more, even when the source is gone.
func TestRecovery(t *testing.T) {
	source := fixture.Observed(t, agentDB("agent-db", map[string]any{"database": "agents", "owner": "app"}, nil), plainPolicy(), claim.Namespaced)
	w := beside(t, source, agentDB("agent-db-pitr", map[string]any{"bootstrap": map[string]any{"recovery": map[string]any{
		"source": "agent-db", "targetTime": "2026-11-24T05:00:00Z",
	}}}, nil))
	var order []string
	for range 16 {
		for _, c := range w.Step(t).Composed {
			if !slices.Contains(order, c.Name) {
				order = append(order, c.Name)
			}
		}
	}
	for _, pair := range [][2]string{
		{hardened.SourceCredentials, hardened.SourceObjectStore}, {hardened.SourceObjectStore, hardened.Cluster}, {hardened.Cluster, hardened.ScheduledBackup},
	} {
		if a, b := slices.Index(order, pair[0]), slices.Index(order, pair[1]); a < 0 || b < 0 || a > b {
			t.Errorf("%s does not come before %s: %v", pair[0], pair[1], order)
		}
	}
	out := w.Ask()
	if !out.Ready || !out.Status.Bootstrap.Inert {
		t.Errorf("ready %v, bootstrap %+v", out.Ready, out.Status.Bootstrap)
	}
	if out.Status.Database != "agents" || out.Status.Owner != "app" {
		t.Errorf("status names %s of %s, the source's are agents of app", out.Status.Database, out.Status.Owner)
	}

	before := manifest.CopyMap(w.Live(hardened.Cluster), "spec")
	w.Existing = w.Existing[:1] // The StorageClass; the source is deleted for good.
	w.Settle(t)
	if diff := cmp.Diff(before, manifest.CopyMap(w.Live(hardened.Cluster), "spec")); diff != "" {
		t.Errorf("deleting the source changes the recovered database: -before, +after:\n%s", diff)
	}
	if w.Live(hardened.SourceObjectStore) == nil {
		t.Error("the description of the source went with the source: CloudNativePG's plugin would stop reconciling")
	}
}

// A replication that has ended is let go of, and nothing else is.
func TestReplicationEnds(t *testing.T) {
	source := fixture.Observed(t, agentDB("agent-db-v15", map[string]any{"version": "15"}, nil), plainPolicy(), claim.Namespaced)
	w := beside(t, source, agentDB("agent-db-v16", map[string]any{
		"version": "16", "upgrade": map[string]any{"method": "logicalReplication"},
		"bootstrap": map[string]any{"recovery": map[string]any{"source": "agent-db-v15"}},
	}, map[string]any{claim.AnnotationReplicaIdentities: "agent-db-v15"}))
	w.Settle(t)
	flowing := manifest.SortedKeys(w.Observed)
	for _, name := range hardened.ReplicationNames() {
		if !slices.Contains(flowing, name) {
			t.Errorf("%s is missing", name)
		}
	}

	delete(manifest.Map(w.Composite, "metadata"), "annotations")
	out := w.Settle(t)
	var gone []string
	for _, name := range flowing {
		if _, kept := w.Observed[name]; !kept {
			gone = append(gone, name)
		}
	}
	want := hardened.ReplicationNames()
	slices.Sort(want)
	if diff := cmp.Diff(want, gone); diff != "" {
		t.Errorf("let go of: -want, +got:\n%s", diff)
	}
	if !strings.Contains(out.Status.Bootstrap.Message, "replication has ended") {
		t.Errorf("status: %+v", out.Status.Bootstrap)
	}
}

// The commit that begins an upgrade may ask for the stable name already: it moves once the rows flow, and stays whatever
// becomes of them.
func TestAliasWaitsForRows(t *testing.T) {
	source := fixture.Observed(t, agentDB("agent-db-v15", map[string]any{"version": "15"}, nil), plainPolicy(), claim.Namespaced)
	manifest.Map(source.Live(hardened.Cluster), "status")["currentPrimaryTimestamp"] = "2026-11-20T00:00:00Z"
	w := beside(t, source, agentDB("agent-db-v16", map[string]any{
		"version": "16", "upgrade": map[string]any{"method": "logicalReplication"}, "connection": map[string]any{"alias": "agent"},
		"bootstrap": map[string]any{"recovery": map[string]any{"source": "agent-db-v15"}},
	}, map[string]any{claim.AnnotationReplicaIdentities: "agent-db-v15"}))
	w.Settle(t)
	if _, taken := w.Observed[hardened.AliasService]; taken {
		t.Fatalf("the name leads to a database without rows: %s", w.Ask().Status.Bootstrap.Message)
	}
	if got := w.Ask().Status.Alias.Message; !strings.Contains(got, "waiting for the replication's role in agent-db-v15") {
		t.Errorf("status does not say what the alias waits for: %s", got)
	}

	applied := func(yes bool) {
		for _, name := range []string{hardened.PublisherRole, hardened.Publication, hardened.Subscription} {
			w.Live(name)["status"] = map[string]any{"applied": yes}
		}
	}
	for range 4 { // The fixture reports nothing of a DatabaseRole.
		applied(true)
		w.Step(t)
	}
	applied(false)
	if out := w.Ask(); !out.Status.Alias.Held {
		t.Errorf("not held once the rows flow: %+v", out.Status.Alias)
	}
}

// A Cluster that was deleted by hand is not made again, and what is wrong with its source by now is no reason to refuse.
func TestDeletedByHandAfterARecovery(t *testing.T) {
	source := fixture.Observed(t, agentDB("agent-db", nil, nil), plainPolicy(), claim.Namespaced)
	w := beside(t, source, agentDB("agent-db-copy", map[string]any{"bootstrap": map[string]any{"recovery": map[string]any{"source": "agent-db"}}}, nil))
	w.Settle(t)
	w.Existing = w.Existing[:1]
	w.Required["cluster"], w.Required["bootstrap-source-cluster"], w.Required["bootstrap-source-archive"] = nil, nil, nil

	out := w.Ask()
	if len(out.Refused) > 0 {
		t.Fatalf("refused: %s", out.Refused)
	}
	for _, c := range out.Composed {
		if c.Name == hardened.Cluster && c.Object != nil && slices.Contains(manifest.Strings(c.Object, "spec", "managementPolicies"), "Create") {
			t.Error("a Cluster that has lived is made again")
		}
	}
	// It is called like its source, and nothing else will know once the claim is deleted.
	for _, c := range out.Conditions {
		if c.Type == reconcile.DatabaseReady && !strings.Contains(c.Message, "{source: agent-db-copy}, spec.database: agent-db and spec.owner: agent-db;") {
			t.Errorf("the way back does not name the database: %s", c.Message)
		}
	}
}

// A connection Secret that is renamed is locked under its new name: the Object comes back with it, and the old Secret
// stays for whoever still reads it.
func TestRenamedSecret(t *testing.T) {
	w := fixture.Observed(t, agentDB("agent-db", nil, nil), plainPolicy(), claim.Namespaced)
	manifest.Map(w.Composite, "spec")["connection"] = map[string]any{"secretName": "agent-login"}
	w.Step(t)
	if _, kept := w.Observed[hardened.ConnectionSecret]; kept {
		t.Error("the Object keeps the lock on the old name")
	}
	w.Settle(t)
	if got := w.Observed[hardened.ConnectionSecret].Name(); got != "agents.agent-login.connection-secret" {
		t.Errorf("the Secret is locked as %q", got)
	}
	if got := w.Live(hardened.ConnectionSecret).Name(); got != "agent-login" {
		t.Errorf("the Secret is called %q", got)
	}
}
