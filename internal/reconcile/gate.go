package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// waits is what the one-way gate (ZDL-03) still waits for before each stage may come into being: lock, versioning and
// keys observed in force → ObjectStore → Cluster → ScheduledBackup. Sentences for the developer.
type waits struct {
	protection, database, operation []string
}

// open says whether a resource of this stage may come into being. What a living database needs is never held back: the
// gate has been passed, and only where it archives must be known before anything about it is written.
func (s *state) open(stage hardened.Stage) bool {
	if s.identity.cluster != nil {
		return stage == hardened.Protection || s.archiveKnown
	}
	return s.wait.open(stage)
}

func (w waits) open(stage hardened.Stage) bool {
	switch stage {
	case hardened.Protection:
		return true
	case hardened.Archive:
		return len(w.protection) == 0
	case hardened.Database:
		return len(w.protection)+len(w.database) == 0
	case hardened.Operation:
		return len(w.operation) == 0
	}
	return false
}

// before is all that a database which does not live yet waits for.
func (w waits) before() []string { return slices.Concat(w.protection, w.database) }

// held says whether the Cluster's Object exists, no Cluster does, and the gate is shut again: what was confirmed or in force
// when the Object was made no longer is, and the Object may still make the Cluster at any moment (ZDL-03).
func (s *state) held() bool {
	i := s.identity
	return i.composed && i.known && i.cluster == nil && !i.deleted && !s.in.Complete && len(s.wait.before()) > 0
}

// judgeGate fills in what is waited for.
func (s *state) judgeGate(bootstrapWaits []string) {
	v := s.in.World
	for _, wait := range contract.JudgeBucketInForce(s.observed, s.waived) {
		if !s.observed.Bucket.Lacks(wait.On) { // Said already.
			wait.Text += s.reason(wait.On)
		}
		s.wait.protection = append(s.wait.protection, wait.Text)
	}
	s.bucketInForce = len(s.wait.protection) == 0
	if s.bucketInForce {
		s.waitForSynced(hardened.Bucket, hardened.BucketObjectLock, hardened.BucketVersioning)
	}
	if s.observed.Keys.Synced {
		s.waitForSynced(hardened.Credentials)
	} else {
		s.wait.protection = append(s.wait.protection, fmt.Sprintf("the bucket's keys in Secret %s (%s)%s",
			hardened.CredentialsName(s.claim.Name), s.observed.Keys.Reason, s.reason(hardened.Credentials)))
	}

	if !s.identity.known {
		s.wait.database = append(s.wait.database, "the answer whether a Cluster of this name exists already")
	}
	if hardened.Plugin(s.policy) {
		if _, there := v.Wrapped(hardened.ObjectStore); !there {
			s.wait.database = append(s.wait.database, "the ObjectStore to exist"+s.reason(hardened.ObjectStore))
		}
	}
	if !s.archiveKnown {
		s.wait.database = append(s.wait.database, "the answer whether an archive of this name exists already")
	}
	if !s.observed.StorageClassKnown {
		s.wait.database = append(s.wait.database, "the answer about StorageClass "+s.policy.StorageClassName)
	}
	s.judgeKinds()
	s.wait.database = append(s.wait.database, bootstrapWaits...)
	if s.identity.cluster == nil {
		s.wait.operation = append(s.wait.operation, "the Cluster to exist")
	}

	if s.identity.cluster == nil && !s.identity.composed && (s.identity.known || s.in.Complete) {
		s.refuse(s.claim.JudgeNewName())
	}
	// Without a class that retains there is no second layer: a database that does not live yet is refused. One that
	// lives goes on, and the claim says what is wrong.
	if s.observed.StorageClassKnown && s.identity.cluster == nil && !s.identity.composed {
		s.refuse(contract.JudgeStorageClass(s.policy.StorageClassName, s.observed.StorageClass))
	}
	if s.identity.cluster == nil {
		s.observed.Gate = s.wait.before()
	}
}

// waitForSynced waits for what looks in force and cannot be relied on: where the provider can look no more, its resource
// goes on saying what was seen last. A database that lives is not held back by it, but told (CNPG-4.1).
func (s *state) waitForSynced(names ...string) {
	for _, name := range names {
		if s.identity.cluster == nil && !s.in.World.Resource(name).Synced {
			s.wait.protection = append(s.wait.protection, name+" to be Synced: what was last seen of it may no longer be so"+s.reason(name))
		}
	}
}

// reason is what the provider says of a resource that has a problem.
func (s *state) reason(name string) string {
	r := s.in.World.Resource(name)
	if !r.Exists || r.Message == "" || r.Settled() {
		return ""
	}
	return fmt.Sprintf(" [%s: %s]", name, contract.Clip(strings.Join(strings.Fields(r.Message), " "), 200))
}

// ready is the readiness of one composed resource, from the real state and never from "was created".
func (s *state) ready(name string) bool {
	r := s.in.World.Resource(name)
	switch name {
	case hardened.Cluster:
		return r.Synced && s.databaseReady()
	case hardened.BucketLifecycle:
		if !hardened.Managed(s.policy) {
			return true // An adopted bucket may have none; there is nothing to observe then.
		}
		return r.Settled() && s.observed.Bucket.LifecycleObserved
	case hardened.BucketObjectLock:
		return r.Settled() && s.observed.Bucket.LockObserved
	case hardened.Credentials:
		return r.Synced && s.observed.Keys.Synced
	case hardened.ClaimPresence:
		return r.Exists // Plain Kubernetes: there as soon as it is there.
	}
	return r.Settled()
}

func (s *state) databaseReady() bool {
	c := s.identity.cluster
	return c != nil && c.ReadyCondition == "True" && !c.Hibernated && c.DeletingSince == ""
}

// living are the Cluster and what archives it, as they are written and as they will be once the set is applied. The Cluster
// is what it is in both: what it promises has to hold now, while a schedule that is set back at once has missed nothing.
func (s *state) living(set []hardened.Resource) (written, repaired []manifest.Object) {
	if s.identity.cluster == nil {
		return nil, nil
	}
	cluster := asWritten(s.identity.tree)
	written, repaired = []manifest.Object{cluster}, []manifest.Object{cluster}
	for _, r := range set {
		if r.Name != hardened.ObjectStore && r.Name != hardened.ScheduledBackup {
			continue
		}
		if t, seen := s.in.World.Wrapped(r.Name); seen {
			written = append(written, asWritten(t))
			repaired = append(repaired, manifest.Applied(asWritten(t), r.Object.Unwrap()))
		}
	}
	return written, repaired
}

func asWritten(t manifest.Tree) manifest.Object {
	return manifest.Object{
		"apiVersion": manifest.String(t, "apiVersion"), "kind": manifest.String(t, "kind"),
		"metadata": map[string]any{"name": manifest.String(t, "metadata", "name"), "namespace": manifest.String(t, "metadata", "namespace")},
		"spec":     manifest.CopyMap(t, "spec"),
	}
}
