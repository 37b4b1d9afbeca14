package bootstrap

import (
	"fmt"
	"strconv"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
)

// upgrading moves a source's data to a later major: logically, from the live database.
func (m *maker) upgrading(r *v1alpha1.Recovery, s source, major int64) {
	twoSteps := fmt.Sprintf("take two steps: a claim with version %q and this recovery first, and once it is ready a claim with version %q and bootstrap.recovery.source naming that one",
		strconv.FormatInt(major, 10), m.claim.Spec.Version)
	if len(target(r)) > 0 {
		m.refuse("CNPG-2.4", pathRecovery, describe(r),
			fmt.Sprintf("cannot be reached with PostgreSQL %s: the archive was written by PostgreSQL %d and only that major replays it, while a copy across majors is of the database as it is now",
				m.claim.Spec.Version, major), twoSteps)
		return
	}
	if s.cluster == nil {
		m.refuse("CNPG-2.4", pathRecovery+".source", s.String(),
			fmt.Sprintf("is not alive and was PostgreSQL %d: its archive can only be restored by that major, and a copy needs a live database", major), twoSteps)
		return
	}
	schemaOnly := m.claim.Spec.Upgrade != nil && m.claim.Spec.Upgrade.Method == MethodReplication
	if schemaOnly {
		m.plan.Status.Method = MethodReplication
	} else {
		m.plan.Status.Method = MethodImport
	}
	m.copying(s, s.cluster.Database, schemaOnly, schemaOnly)
}

// importing copies a live database because the claim says so.
func (m *maker) importing(i *v1alpha1.Import) {
	m.plan.Status = &v1alpha1.BootstrapStatus{Method: MethodImport, Source: i.Source}
	s, known := m.source(i.Source, nil)
	if !known {
		return
	}
	if s.cluster == nil {
		m.refuse("CNPG-2.4", "spec.bootstrap.import.source", i.Source,
			"is not alive in this namespace, and only a live database can be copied", "correct the name, or restore its archive: spec.bootstrap.recovery: {source: "+i.Source+"}")
		return
	}
	if own, _ := strconv.ParseInt(m.claim.Spec.Version, 10, 64); s.major() > own {
		m.refuse("ZDL-08", "spec.version", m.claim.Spec.Version,
			fmt.Sprintf("the source runs PostgreSQL %d, and a dump of a newer server cannot be read by an older one", s.major()),
			fmt.Sprintf("write %q or a later one", strconv.FormatInt(s.major(), 10)))
		return
	}
	database := i.Database
	if database == "" {
		database = s.cluster.Database
	}
	m.copying(s, database, i.SchemaOnly, false)
}

// copying is what all logical ways have in common.
func (m *maker) copying(s source, from string, schemaOnly, follow bool) {
	if s.cluster.Owner == "" || from == "" {
		m.refuse("CNPG-2.4", "spec.bootstrap", s.name,
			"does not say what its database and owner are called, so nobody can log in to copy it", "write database and owner into the bootstrap stanza of Cluster "+s.name)
		return
	}
	if !schemaOnly || follow { // Where rows come, they need room.
		m.judgeFit(s)
	}
	m.judgeOwnArchive()

	database, owner := m.claim.Spec.Database, m.claim.Spec.Owner
	if database == "" {
		database = from
	}
	if owner == "" {
		owner = s.cluster.Owner
	}
	live := hardened.LiveSource{
		Name: s.name, Database: from, Owner: s.cluster.Owner, Login: s.cluster.AppSecret, Authority: s.cluster.ServerCA,
		SchemaOnly: schemaOnly, Tablespaces: s.cluster.Tablespaces > 0,
	}
	switch {
	case follow:
		m.plan.Bootstrap = hardened.FromPublisher(m.claim, live, database, owner)
		m.plan.Status.Message = fmt.Sprintf("copies the schema of database %s from %s-rw and then follows its rows; sequences, large objects and changes of the schema are not followed", from, s.name)
		m.confirmed(claim.AnnotationReplicaIdentities, s.name,
			"that every table of %s which is updated or deleted from has a replica identity: with the publication PostgreSQL refuses those statements on tables without one, which would stop the application")
	case schemaOnly:
		m.plan.Bootstrap = hardened.FromLive(m.claim, live, database, owner)
		m.plan.Status.Message = fmt.Sprintf("copies the schema of database %s from %s-rw and no rows", from, s.name)
	default:
		m.plan.Bootstrap = hardened.FromLive(m.claim, live, database, owner)
		m.plan.Status.Message = fmt.Sprintf("copies database %s from %s-rw once, as it is when the copy starts; the source is only read", from, s.name)
		if own := m.claim.Spec.StorageGB; own < 2*s.cluster.StorageGB { // The dump lies beside the data it becomes.
			m.plan.Status.Message += fmt.Sprintf("; storageGB: %d has to hold the dump beside the data it becomes: write twice the source's %d if that is more than half full", own, s.cluster.StorageGB)
		}
		m.confirmed(claim.AnnotationWritesStopped, s.name,
			"that nothing writes to %s any more: the copy is of one moment, and what is committed there afterwards would be missing here without anybody noticing")
	}
	switch {
	case s.cluster.Hibernated:
		m.waitForf("%s to be woken up: it is hibernated, and only a running database can be copied (remove the annotation cnpg.io/hibernation from its Cluster)", s.name)
	case s.cluster.ReadyCondition != "True":
		m.waitForf("%s to be ready: a copy of a database that is failing over breaks off", s.name)
	}
}

// confirmed waits for what no machine can see until a person has confirmed it, for this source by name.
func (m *maker) confirmed(annotation, source, what string) {
	if m.claim.Annotations[annotation] == source {
		return
	}
	m.waitForf("you to confirm "+what+". Confirm with the annotation %s: %s on this claim (docs/upgrade.md)", source, annotation, source)
}
