package bootstrap

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// source is what is known of the database the data comes from. What the live Cluster and its ObjectStore say is taken
// from them; the claim may state it where they are gone, and must agree with them where they are not. Nothing is read
// out of a name: agent-db-v15 may run any major.
type source struct {
	// name of the source claim; "" where only an archive is named.
	name string
	// cluster is nil where the source does not live.
	cluster *world.Cluster
	// archive is the source's ObjectStore; nil where there is none.
	archive *world.Archive
	// stated is what the claim says.
	stated *v1alpha1.Archive
}

// source looks the source up; known is false while an answer is still open.
func (m *maker) source(name string, stated *v1alpha1.Archive) (s source, known bool) {
	s = source{name: name, stated: stated}
	known = true
	asked := Asks(m.claim, m.policy)
	if t, answered := m.view.Answer(AskSourceCluster); t != nil {
		c := world.ClusterOf(t)
		s.cluster = &c
	} else if _, ask := asked[AskSourceCluster]; ask && !answered {
		known = false
	}
	if t, answered := m.view.Answer(AskSourceArchive); t != nil {
		a := world.ArchiveOf(t)
		s.archive = &a
	} else if _, ask := asked[AskSourceArchive]; ask && !answered {
		known = false
	}
	if !known {
		m.waitForf("the answer what is left of %s", name)
	}
	return s, known
}

// major is the source's PostgreSQL major, 0 where nothing says.
func (s source) major() int64 {
	if s.cluster != nil && s.cluster.Major != 0 {
		return s.cluster.Major
	}
	if s.stated != nil {
		n, err := strconv.ParseInt(s.stated.Version, 10, 64)
		if err == nil {
			return n
		}
	}
	return 0
}

// names are the source's database and owner, "" where nothing says.
func (s source) names() (database, owner string) {
	if s.stated != nil {
		database, owner = s.stated.Database, s.stated.Owner
	}
	if s.cluster != nil {
		if s.cluster.Database != "" {
			database = s.cluster.Database
		}
		if s.cluster.Owner != "" {
			owner = s.cluster.Owner
		}
	}
	return database, owner
}

// String is how the source is called in messages.
func (s source) String() string {
	if s.name != "" {
		return s.name
	}
	return "s3://" + s.stated.Bucket + "/" + s.stated.Path + "/" + s.stated.ServerName
}

const pathArchive = "spec.bootstrap.recovery.archive"

// location is one incarnation in an archive.
type location struct {
	destination, server string
	// window is what is known of what can be recovered there.
	window world.Window
	// known is true where somebody reports the window.
	known bool
}

// locate finds the source's archive. Every way it cannot is refused, with what to write.
func (m *maker) locate(s source) (location, bool) {
	found, ok := m.observedLocation(s)
	if !ok {
		return location{}, false
	}
	if s.stated == nil {
		return found, true
	}
	stated, ok := m.statedLocation(s)
	if !ok {
		return location{}, false
	}
	agree := true
	if s.cluster != nil && found.destination != "" && found.destination != stated.destination {
		agree = false
		m.refuse("CNPG-2.4", pathArchive, stated.destination,
			fmt.Sprintf("contradicts the living source: %s archives into %s", s.name, found.destination),
			"remove bootstrap.recovery.archive, or bootstrap.recovery.source if another archive is meant")
	}
	if s.cluster != nil && found.server != "" && found.server != stated.server {
		agree = false
		m.refuse("ZDL-05", pathArchive+".serverName", stated.server,
			fmt.Sprintf("contradicts the living source: %s archives as %q", s.name, found.server),
			fmt.Sprintf("write %q, or remove bootstrap.recovery.source if an earlier incarnation is meant", found.server))
	}
	if !agree {
		return location{}, false
	}
	stated.window, stated.known = found.window, found.known && found.server == stated.server
	if s.archive != nil && slash(s.archive.Destination) == stated.destination {
		stated.window, stated.known = s.archive.Windows[stated.server], s.archive.Windows[stated.server].RecoverableSince != ""
	}
	return stated, true
}

// statedLocation is what the claim says.
func (m *maker) statedLocation(s source) (location, bool) {
	path := s.stated.Path
	if path == "" {
		if s.name == "" {
			m.refuse("CNPG-2.4", pathArchive+".path", "", "is missing: without a source nothing says where in the bucket its archive lies",
				`write the path as the source's status.backup.path showed it: "<namespace>/<claim>"`)
			return location{}, false
		}
		path = m.claim.Namespace + "/" + s.name
	}
	return location{destination: slash("s3://" + s.stated.Bucket + "/" + strings.Trim(path, "/")), server: s.stated.ServerName}, true
}

// observedLocation is what the source's Cluster and ObjectStore say, the zero value where neither is there and the
// claim states the archive.
func (m *maker) observedLocation(s source) (location, bool) {
	switch {
	case s.cluster != nil && s.cluster.Method == "inTree":
		return location{
			destination: slash(s.cluster.Destination), server: s.cluster.ServerName, known: true,
			window: world.Window{RecoverableSince: s.cluster.RecoverableSince, LastBackup: s.cluster.LastBackupTime},
		}, true

	case s.cluster != nil && s.cluster.Method == "plugin" && s.archive != nil && s.cluster.ObjectStore == s.name+claim.SuffixObjectStore:
		return location{
			destination: slash(s.archive.Destination), server: s.cluster.ServerName, known: true,
			window: s.archive.Windows[s.cluster.ServerName],
		}, true

	case s.cluster != nil && s.stated != nil:
		return location{server: s.cluster.ServerName}, true

	case s.cluster != nil && s.cluster.Method == "":
		m.refuse("CNPG-2.4", "spec.bootstrap.recovery.source", s.name, "has no archiver: there is no archive to recover from",
			"copy the live database instead: spec.bootstrap.import: {source: "+s.name+"}")
		return location{}, false

	case s.cluster != nil:
		m.refuse("CNPG-2.4", "spec.bootstrap.recovery.source", s.name,
			fmt.Sprintf("archives through ObjectStore %q, and where that leads is not known here", s.cluster.ObjectStore),
			"say where: spec.bootstrap.recovery.archive {bucket, path, serverName}")
		return location{}, false

	case s.stated != nil:
		return location{}, true

	case s.archive != nil:
		return m.orphanedLocation(s)
	}
	m.refuse("CNPG-2.4", "spec.bootstrap.recovery.source", s.name,
		fmt.Sprintf("nothing is left of it in namespace %s: neither a Cluster %s nor an ObjectStore %s", m.claim.Namespace, s.name, s.name+claim.SuffixObjectStore),
		"correct the name, or say where its archive lies: spec.bootstrap.recovery.archive {bucket, serverName, version}")
	return location{}, false
}

// orphanedLocation picks the incarnation from an archive whose database is gone. With several it does not guess: the
// newest is not always the one that is missed.
func (m *maker) orphanedLocation(s source) (location, bool) {
	full := s.archive.Full()
	if i := slices.Index(full, m.place.ServerName); i >= 0 && s.name == m.claim.Name {
		full = slices.Delete(slices.Clone(full), i, i+1) // The one to be written; refused elsewhere if it is full.
		if len(full) == 0 {
			m.judgeOwnArchive()
			return location{}, false
		}
	}
	switch len(full) {
	case 0:
		message := "its database is gone, and its ObjectStore reports no base backup of any incarnation"
		if used := s.archive.Used(); len(used) > 0 {
			message = fmt.Sprintf("its database is gone, and its ObjectStore reports no base backup to restore from, of %s: none was finished, or they were removed or hidden (docs/recover.md)", strings.Join(used, ", "))
		}
		m.refuse("CNPG-2.4", "spec.bootstrap.recovery.source", s.name, message,
			"look into the bucket; if a backup is there, name it: spec.bootstrap.recovery.archive {bucket, serverName, version}")
		return location{}, false
	case 1:
		return location{
			destination: slash(s.archive.Destination), server: full[0], known: true, window: s.archive.Windows[full[0]],
		}, true
	}
	bucket, _, _ := strings.Cut(strings.TrimPrefix(s.archive.Destination, "s3://"), "/")
	m.refuse("CNPG-2.4", pathArchive+".serverName", "",
		fmt.Sprintf("the archive of %s holds several incarnations (%s), and which one is meant only you know", s.name, strings.Join(described(s.archive, full), ", ")),
		fmt.Sprintf("name it: spec.bootstrap.recovery.archive {bucket: %s, serverName: …, version: …}", bucket))
	return location{}, false
}

func described(a *world.Archive, servers []string) []string {
	out := make([]string, len(servers))
	for i, server := range servers {
		w := a.Windows[server]
		out[i] = fmt.Sprintf("%s from %s, last backup %s", server, w.RecoverableSince, w.LastBackup)
	}
	return out
}

// slash ends a destination the way this product writes them.
func slash(destination string) string { return strings.TrimRight(destination, "/") + "/" }
