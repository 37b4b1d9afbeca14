package bootstrap

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// frozen is the bootstrap of a database that lives: word for word what it was made from. Nothing is judged any more and
// nothing is waited for; a recovery or an import left in Git is inert (ZDL-08).
func (m *maker) frozen(live *world.Cluster) {
	m.plan.Bootstrap = hardened.Bootstrap{Stanza: live.Bootstrap, ExternalClusters: live.ExternalClusters}
	method, source := origin(live)
	switch {
	case method == MethodRecovery:
		m.plan.Bootstrap.Resources = m.frozenSource(live, source)
	case method == MethodReplication:
		m.following(live, source)
	case method == methodEmpty && m.claim.Spec.Bootstrap == nil:
		return // Started empty, and the claim says so too.
	}
	if m.plan.Status == nil {
		m.plan.Status = &v1alpha1.BootstrapStatus{Method: method, Source: source, Inert: !live.Unmade, Message: m.used(method, live)}
	}
	if asked := m.asked(); method != methodEmpty && len(asked) > 0 && !slices.Contains(asked, method) {
		m.plan.Status.Message += fmt.Sprintf(". The claim asks for %s by now, which is ignored: a database is made once", strings.Join(asked, " or "))
	}
	if live.Unmade && strings.Contains(live.Phase, "unrecoverable") {
		m.plan.Status.Inert = true
		m.plan.Status.Message = fmt.Sprintf("CloudNativePG could not make the database from its source and has given up; it has never held any data. "+
			"See why: kubectl -n %s logs job/%s. Remove claim and Cluster by hand (docs/delete-for-good.md) and commit it again, corrected, under another name", m.claim.Namespace, job(m.claim.Name, method))
	}
}

// asked are the methods the claim's words may stand for.
func (m *maker) asked() []string {
	switch b, upgrade := m.claim.Spec.Bootstrap, m.claim.Spec.Upgrade; {
	case b == nil:
		return nil
	case b.ImportFrom != nil:
		return []string{MethodImport}
	case upgrade != nil:
		return []string{cmp.Or(upgrade.Method, MethodImport)}
	}
	return []string{MethodRecovery, MethodImport} // The source's major decides.
}

// used says what the stanza has done, or is doing.
func (m *maker) used(method string, live *world.Cluster) string {
	switch {
	case method == methodEmpty:
		return "the database lives and was started empty, before the claim said where its data comes from: the bootstrap does nothing. To have that data, commit a new claim, of another name, with this bootstrap"
	case live.Unmade:
		return fmt.Sprintf("the database is being made from its source, and what the bootstrap says cannot be changed any more. How far it is: kubectl -n %s logs -f job/%s", m.claim.Namespace, job(m.claim.Name, method))
	}
	return "the database lives: its bootstrap has been used and does nothing any more; commit a new claim to recover into"
}

// job is the Job in which CloudNativePG makes the first instance.
func job(cluster, method string) string {
	switch method {
	case MethodRecovery:
		return cluster + "-1-full-recovery"
	case methodEmpty:
		return cluster + "-1-initdb"
	}
	return cluster + "-1-import"
}

// origin says how a living Cluster was made, from its own stanza.
func origin(live *world.Cluster) (method, source string) {
	stanza := manifest.Object(live.Bootstrap)
	switch {
	case manifest.Map(stanza, "recovery") != nil:
		return MethodRecovery, manifest.String(stanza, "recovery", "source")
	case manifest.Map(stanza, "initdb", "import") != nil:
		source = manifest.String(stanza, "initdb", "import", "source", "externalCluster")
		for _, e := range live.ExternalClusters {
			entry, _ := e.(map[string]any)
			if entry["name"] == hardened.PublisherCluster(source) {
				return MethodReplication, source
			}
		}
		return MethodImport, source
	}
	return methodEmpty, ""
}

// frozenSource keeps the claim's own keys to, and its own description of, the archive it was restored from, as long as
// the Cluster names them: as they were asked for last, or as an earlier life of the claim left them.
func (m *maker) frozenSource(live *world.Cluster, source string) []hardened.Resource {
	if source == bareArchive {
		source = m.claim.Name // Its own keys open it.
	}
	external := manifest.Object{"clusters": live.ExternalClusters}
	for i := range live.ExternalClusters {
		at := strconv.Itoa(i)
		if manifest.String(external, "clusters", at, "barmanObjectStore", "s3Credentials", "accessKeyId", "name") == m.claim.Name+claim.SuffixSourceKeys {
			return hardened.FrozenSource(m.claim, m.policy, source, nil)
		}
		if manifest.String(external, "clusters", at, "plugin", "parameters", "barmanObjectName") != m.claim.Name+claim.SuffixSource {
			continue
		}
		if asked, ok := m.view.Asked(hardened.SourceObjectStore); ok {
			return hardened.FrozenSource(m.claim, m.policy, source, manifest.CopyMap(asked, "spec", "configuration"))
		}
		if t, _ := m.view.Answer(AskOwnSource); t != nil {
			return hardened.FrozenSource(m.claim, m.policy, source, manifest.CopyMap(t, "spec", "configuration"))
		}
	}
	return nil // It reads its own archive, or nobody knows any more: whatever is observed stays as it is.
}

// following keeps the rows flowing as long as the confirmation stands that started them. A replication that has ended is
// never taken up again by itself: the second copy would meet the rows of the first.
func (m *maker) following(live *world.Cluster, source string) {
	m.plan.Status = &v1alpha1.BootstrapStatus{Method: MethodReplication, Source: source, Inert: true}
	if m.claim.Annotations[claim.AnnotationReplicaIdentities] != source {
		m.plan.Released = hardened.ReplicationNames()
		m.plan.Status.Message = fmt.Sprintf("replication has ended: rows of %s that had not arrived by then are not here, and none will come; to have them, make the copy again with a claim of another name. "+
			"Remove Subscription, Publication and DatabaseRole by hand (docs/upgrade.md)", source)
		return
	}
	from := manifest.Strings(manifest.Object(live.Bootstrap), "initdb", "import", "databases")
	if len(from) == 0 {
		return
	}
	m.plan.Bootstrap.Resources = hardened.Replication(m.claim, m.policy, source, from[0], live.Database)
	m.plan.Status.Inert = false
	message, ready := m.progress(source)
	if live.Unmade {
		message, ready = m.used(MethodReplication, live), false
	}
	if m.plan.Status.Message = message; !ready {
		m.plan.Behind = message
	}
}

// progress says how far the replication has come, and what remains to be done by a person. ready is true once nothing but that
// remains.
func (m *maker) progress(source string) (message string, ready bool) {
	for _, step := range []struct{ role, what string }{
		{hardened.PublisherPassword, "the replication's password"},
		{hardened.PublisherRole, "the replication's role in " + source},
		{hardened.Publication, "the publication in " + source},
		{hardened.Subscription, "the subscription"},
	} {
		t, there := m.view.Wrapped(step.role)
		if !there {
			return "waiting for " + step.what + " to exist", false
		}
		if step.role == hardened.PublisherPassword {
			if keys := m.view.SecretFacts(step.role); !keys.Synced {
				return "waiting for " + step.what + ": " + keys.Reason, false
			}
			continue
		}
		if applied, _ := manifest.Bool(t, "status", "applied"); !applied {
			said := cmp.Or(manifest.String(t, "status", "message"), "CloudNativePG has not reported yet")
			return fmt.Sprintf("waiting for %s: %s", step.what, said), false
		}
	}
	if trouble := m.publisherTrouble(source); trouble != "" {
		return trouble, false
	}
	return fmt.Sprintf("follows %s; ready to switch once every table is copied and the lag is zero with the writes to %s stopped, and sequences are synchronised: docs/upgrade.md has the queries", source, source), true
}

// publisherTrouble is what the source's Cluster shows of a replication that does not, or not fully, arrive. The claim's words
// decide whose Cluster is looked at, and they may name another source by now: its state says nothing about this one's.
func (m *maker) publisherTrouble(source string) string {
	t, answered := m.view.Answer(AskSourceCluster)
	switch {
	case sourceName(m.claim) != source, t != nil && manifest.String(t, "metadata", "name") != source:
		return fmt.Sprintf("follows %s, and cannot tell whether that is still there and ready: do not switch before this claim names it again (spec.bootstrap.recovery: {source: %s})", source, source)
	case !answered:
		return "waiting for the answer what has become of " + source
	case t == nil:
		return source + " is gone and nothing arrives from it any more. What it had not sent is not here: if it did not go after the switch, recover it first (docs/recover.md). Then end the replication (docs/upgrade.md)"
	}
	publisher := world.ClusterOf(t)
	subscription, _ := m.view.Wrapped(hardened.Subscription)
	began, err := time.Parse(time.RFC3339, manifest.String(subscription, "metadata", "creationTimestamp"))
	since, unknown := time.Parse(time.RFC3339, publisher.PrimarySince)
	switch {
	case err == nil && unknown == nil && since.After(began):
		return fmt.Sprintf("do not switch: %s has had another primary since %s, after the replication began, and PostgreSQL leaves the replication slot behind. "+
			"Unless pg_replication_slots there still lists %s as active, rows are missing here: make the copy again, with a claim of another name (docs/upgrade.md)",
			source, since.UTC().Format(time.RFC3339), hardened.ReplicationSlot(m.claim))
	case publisher.ReadyCondition != "True":
		return fmt.Sprintf("follows %s, which is not ready (%s): do not switch before it is, or what it has not sent is lost here", source, publisher.Phase)
	}
	return ""
}
