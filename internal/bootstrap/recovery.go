package bootstrap

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

const pathRecovery = "spec.bootstrap.recovery"

// bareArchive is how a source without a claim is called in externalClusters. No claim's name has an underscore.
const bareArchive = "bare_archive"

// recovering decides how the data of a recovery's source gets here: a physical restore cannot cross majors, and
// CloudNativePG finds that out only after it has downloaded everything.
func (m *maker) recovering(r *v1alpha1.Recovery) {
	m.plan.Status = &v1alpha1.BootstrapStatus{Method: MethodRecovery, Source: r.Source}
	s, known := m.source(r.Source, r.Archive)
	if !known {
		return
	}
	if s.name == m.claim.Name && s.cluster != nil {
		m.waitForf("the answer whether the database of this name lives")
		return
	}
	m.plan.Status.Source = s.String()
	if s.cluster != nil && r.Archive != nil && r.Archive.Version != "" && r.Archive.Version != strconv.FormatInt(s.cluster.Major, 10) {
		m.refuse("CNPG-2.4", pathArchive+".version", r.Archive.Version,
			fmt.Sprintf("contradicts the living source: %s runs PostgreSQL %d", s.name, s.cluster.Major), "remove it")
		return
	}
	own, _ := strconv.ParseInt(m.claim.Spec.Version, 10, 64)
	switch major := s.major(); {
	case major == 0 || major == own:
		if u := m.claim.Spec.Upgrade; u != nil {
			m.refuse("API-1", "spec.upgrade", u.Method, "has no effect: it says how data moves to another major, and the source runs the same one, so that its archive is restored", "remove spec.upgrade")
			return
		}
		m.restore(r, s)
	case major > own:
		m.refuse("ZDL-08", "spec.version", m.claim.Spec.Version,
			fmt.Sprintf("the source runs PostgreSQL %d, and a major never goes down: neither the files nor a dump of a newer server can be read by an older one", major),
			fmt.Sprintf("write %q or a later one", strconv.FormatInt(major, 10)))
	default:
		m.upgrading(r, s, major)
	}
}

// restore restores the source's archive, byte by byte.
func (m *maker) restore(r *v1alpha1.Recovery, s source) {
	at, found := m.locate(s)
	database, owner := m.restoredNames(r, s, at)
	m.judgeFit(s)
	m.judgeLimits(s)
	if s.cluster != nil && s.cluster.Tablespaces > 0 {
		m.refuse("CNPG-2.4", pathRecovery+".source", s.name,
			fmt.Sprintf("has %d tablespaces, and its archive can only be restored where there are the same ones, which a claim does not have", s.cluster.Tablespaces),
			"copy the live database instead: spec.bootstrap.import: {source: "+s.name+"}")
	}
	if !found || database == "" || owner == "" {
		return
	}
	own := slash("s3://" + m.place.Bucket + "/" + m.place.Path)
	if at.server == m.place.ServerName {
		m.refuse("ZDL-05", pathArchive+".serverName", at.server,
			"is where this database would archive itself: two timelines in one folder overwrite each other",
			"commit a claim of another name to recover into")
		return
	}
	m.judgeOwnArchive()
	m.judgeWindow(r, s, at)
	m.judgeEnd(r, s)

	a := hardened.SourceArchive{
		Name: s.name, Destination: at.destination, ServerName: at.server,
		EndpointURL: m.policy.Bucket.EndpointURL, Own: at.destination == own,
	}
	if a.Name == "" {
		a.Name = m.claim.Name
	}
	if ca := m.policy.Bucket.EndpointCA; ca != nil {
		a.EndpointCA = map[string]any{"name": ca.Name, "key": ca.Key}
	}
	if s.archive != nil && slash(s.archive.Destination) == at.destination {
		a.EndpointURL, _ = s.archive.Configuration["endpointURL"].(string)
		a.EndpointCA, _ = s.archive.Configuration["endpointCA"].(map[string]any)
	}
	name := s.name
	if name == "" {
		name = bareArchive
	}
	m.plan.Bootstrap = hardened.FromArchive(m.claim, m.policy, a, name, database, owner, target(r))
	m.waitForSource(a)
	m.plan.Status.Message = fmt.Sprintf("restores %s%s to %s; the source is only read", at.destination, at.server, describe(r))
	if s.major() == 0 {
		m.plan.Status.Message += fmt.Sprintf("; its PostgreSQL major is not known here and taken to be %s (spec.bootstrap.recovery.archive.version says otherwise)", m.claim.Spec.Version)
	}
}

// waitForSource waits for what the restore reads with: a recovery that starts without it, or with what leads to a source
// the claim named before, fails for good.
func (m *maker) waitForSource(a hardened.SourceArchive) {
	if a.Own {
		return
	}
	keys := m.view.SecretFacts(hardened.SourceCredentials)
	switch {
	case !keys.Synced:
		m.prepare("the keys to the source's archive: " + keys.Reason)
	case m.outdated(hardened.SourceCredentials, remoteKeys) || m.unsynced(hardened.SourceCredentials):
		m.prepare("the keys to the source's archive: the Secret still holds another source's")
	}
	switch _, there := m.view.Wrapped(hardened.SourceObjectStore); {
	case !hardened.Plugin(m.policy):
	case !there:
		m.prepare("the description of the source's archive to exist")
	case m.outdated(hardened.SourceObjectStore, destination):
		m.prepare("the description of the source's archive, which still leads to another one")
	}
}

func (m *maker) prepare(what string) { m.plan.Preparing = append(m.plan.Preparing, what) }

// remoteKeys and destination are what leads to one source and to no other.
var (
	remoteKeys = [][]string{
		{"spec", "data", "0", "remoteRef", "key"}, {"spec", "data", "0", "remoteRef", "property"},
		{"spec", "data", "1", "remoteRef", "key"}, {"spec", "data", "1", "remoteRef", "property"},
	}
	destination = [][]string{
		{"spec", "configuration", "destinationPath"}, {"spec", "configuration", "endpointURL"},
		{"spec", "configuration", "endpointCA", "name"}, {"spec", "configuration", "endpointCA", "key"},
	}
)

// outdated says whether a resource of the source, as it was last seen, is not yet what this plan asks for.
func (m *maker) outdated(role string, fields [][]string) bool {
	seen, _ := m.view.Wrapped(role)
	for _, r := range m.plan.Bootstrap.Resources {
		if r.Name != role {
			continue
		}
		for _, field := range fields {
			if manifest.String(seen, field...) != manifest.String(r.Object.Unwrap(), field...) {
				return true
			}
		}
	}
	return false
}

// unsynced says whether External Secrets has not acted on an ExternalSecret as it is now: what it reports is of before.
func (m *maker) unsynced(role string) bool {
	t, _ := m.view.Wrapped(role)
	synced, _, _ := strings.Cut(manifest.String(t, "status", "syncedResourceVersion"), "-") // Its generation comes first.
	generation, known := manifest.Int(t, "metadata", "generation")
	return synced != "" && known && synced != strconv.FormatInt(generation, 10)
}

// restoredNames are the database and its owner, which a physical restore brings along. Wrong ones do not fail: an empty
// database of that name would be made beside the real one.
func (m *maker) restoredNames(r *v1alpha1.Recovery, s source, at location) (database, owner string) {
	database, owner = s.names()
	spec := m.claim.Spec
	for _, n := range []struct {
		path, asked string
		source      *string
	}{
		{"database", spec.Database, &database},
		{"owner", spec.Owner, &owner},
	} {
		switch {
		case *n.source == "" && n.asked != "":
			*n.source = n.asked
		case *n.source == "" && n.path == "owner" && database != "":
			*n.source = database // As this product names owners by itself.
		case *n.source == "":
			fix := "write spec." + n.path + " as the source's claim had it; its default is the claim's name, or, where that database was itself recovered or copied, what its own source has"
			if s.name == m.claim.Name && (at.server == "" || at.server == m.bornEmpty()) {
				fix = fmt.Sprintf("write it as this claim had it, and where it had nothing, its name: %s: %s", n.path, m.claim.Name)
			}
			m.refuse("CNPG-2.4", "spec."+n.path, "",
				fmt.Sprintf("the source is not alive, so nothing says what its %s is called; with a wrong name an empty one would be made beside it", n.path), fix)
		case n.asked != "" && n.asked != *n.source:
			m.refuse("CNPG-2.4", "spec."+n.path, n.asked,
				fmt.Sprintf("the source's is %q, and a restore brings it along: an empty %s of another name would be made beside it", *n.source, n.path),
				fmt.Sprintf("write %q or nothing", *n.source))
		}
	}
	m.judgeStatedNames(r, s)
	return database, owner
}

// bornEmpty is the incarnation this claim's database archives as when it is made from nothing. Every other one was made
// from another database and has the names that one had.
func (m *maker) bornEmpty() string {
	empty := *m.claim
	empty.Spec.Bootstrap = nil
	return empty.ServerName()
}

// judgeStatedNames refuses names that contradict the living source.
func (m *maker) judgeStatedNames(r *v1alpha1.Recovery, s source) {
	if r.Archive == nil || s.cluster == nil {
		return
	}
	for _, n := range []struct{ path, stated, live string }{
		{"database", r.Archive.Database, s.cluster.Database},
		{"owner", r.Archive.Owner, s.cluster.Owner},
	} {
		if n.stated != "" && n.live != "" && n.stated != n.live {
			m.refuse("CNPG-2.4", pathArchive+"."+n.path, n.stated, fmt.Sprintf("contradicts the living source, whose %s is %q", n.path, n.live), "remove it")
		}
	}
}

// judgeOwnArchive refuses to start where an earlier incarnation has archived (ZDL-05): a restore stops with "Expected
// empty archive", an import would be called ready and never archive.
func (m *maker) judgeOwnArchive() {
	archive, known := m.ownArchive()
	if !known {
		return // The gate waits for this answer; the in-tree method gives none (docs/limits.md).
	}
	if _, used := archive.Windows[m.place.ServerName]; used { // With a base backup that is seen, or without.
		back := fmt.Sprintf("spec.bootstrap.recovery: {source: %s}", m.claim.Name)
		if sourceName(m.claim) == m.claim.Name {
			back = fmt.Sprintf("spec.bootstrap.recovery.archive: {bucket: %s, serverName: %s}", m.place.Bucket, m.place.ServerName)
		}
		m.refuse("ZDL-05", "metadata.name", m.claim.Name,
			fmt.Sprintf("a database made exactly like this one has archived to %s%s already: a second one would mix two timelines in one folder",
				slash(archive.Destination), m.place.ServerName),
			"to bring that database back, write "+back+"; for another copy of the source commit the claim under another name")
	}
}

// judgeFit judges the room and the settings a copy of the source needs.
func (m *maker) judgeFit(s source) {
	c := s.cluster
	if c == nil {
		return
	}
	if c.StorageGB > m.claim.Spec.StorageGB {
		m.refuse("CNPG-2.4", "spec.storageGB", strconv.FormatInt(m.claim.Spec.StorageGB, 10),
			fmt.Sprintf("the source has volumes of %d GiB: its data may not fit, and the copy would fail at the end instead of here", c.StorageGB),
			fmt.Sprintf("write %d or more", c.StorageGB))
	}
}

// serverLimits are the settings recorded in the source's WAL: a server with a smaller one stops in the middle of the
// recovery. Beside each stands what holds where nothing is set, in CloudNativePG or in PostgreSQL.
var serverLimits = []struct {
	name     string
	fallback int64
}{
	{"max_connections", 100},
	{"max_locks_per_transaction", 64},
	{"max_prepared_transactions", 0},
	{"max_wal_senders", 10},
	{"max_worker_processes", 32},
}

// judgeLimits judges those settings.
func (m *maker) judgeLimits(s source) {
	if s.cluster == nil {
		return
	}
	own := hardened.Parameters(m.claim, m.policy)
	for _, limit := range serverLimits {
		have, want := number(own[limit.name], limit.fallback), number(s.cluster.Parameters[limit.name], limit.fallback)
		if have < want {
			m.refuse("CNPG-2.4", "spec.parameters."+limit.name, strconv.FormatInt(have, 10),
				fmt.Sprintf("the source has %d, and recovery stops where a server has less than the one that wrote the WAL", want),
				fmt.Sprintf("write %q or more; it can be lowered once the database lives", strconv.FormatInt(want, 10)))
		}
	}
}

func number(value string, fallback int64) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil {
		return fallback
	}
	return n
}
