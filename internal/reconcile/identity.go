package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/alias"
	"github.com/bizmatters/function-hardened-postgres/internal/bootstrap"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// Names of the requirements: as frozen as the names of composed resources, because a control plane keeps answering the
// ones it has seen.
const (
	askCluster      = "cluster"
	askStorageClass = "storage-class"
	askArchive      = "archive"
	askSchedule     = "schedule"
)

// identity is whose database this is (ZDL-07).
//
//	composed  Cluster  archive  what it is                      what happens
//	no        none     empty    fresh                           made once protection is in force
//	yes       ours     any      still ours                      emitted in every answer
//	no        ours     any      orphan of ours                  adopted as it is: same place, same incarnation
//	any       foreign  any      somebody else's                 refused
//	no        none     full     gone, and its archive is full   refused: the way back is a recovery
//	yes       none     any      deleted by hand                 never made again empty; the claim says how to recover
//
// A waiver of ZDL-07 adopts what is foreign as it is. It never makes an empty database over a full archive.
type identity struct {
	// composed is true where the Cluster's Object exists.
	composed bool
	// cluster is the living Cluster; nil where there is none.
	cluster *world.Cluster
	// known is true once somebody looked.
	known bool
	// deleted is true where the Cluster has lived under this claim and is gone.
	deleted bool
	// tree is the living Cluster of this name, whoever's it is.
	tree manifest.Tree
	// foreign is a living Cluster of this name that is not this claim's.
	foreign *world.Cluster
}

// there is the living Cluster of this name, whoever's it is.
func (i identity) there() *world.Cluster { return cmp.Or(i.cluster, i.foreign) }

// requirements are the objects this claim wants to see. They follow from claim and policy and from what exists, not from
// earlier answers about objects, so they come to rest.
func (s *state) requirements() map[string]world.Selector {
	if s.claim == nil || s.policy == nil {
		return nil
	}
	ns, name := s.claim.Namespace, s.claim.Name
	asks := map[string]world.Selector{
		askCluster:      {APIVersion: "postgresql.cnpg.io/v1", Kind: "Cluster", Namespace: ns, Name: name},
		askStorageClass: {APIVersion: "storage.k8s.io/v1", Kind: "StorageClass", Name: s.policy.StorageClassName},
	}
	if s.asksArchive() {
		asks[askArchive] = world.Selector{APIVersion: "barmancloud.cnpg.io/v1", Kind: "ObjectStore", Namespace: ns, Name: hardened.ObjectStoreName(name)}
	}
	if _, seen := s.in.World.Wrapped(hardened.ScheduledBackup); !seen {
		asks[askSchedule] = world.Selector{APIVersion: "postgresql.cnpg.io/v1", Kind: "ScheduledBackup", Namespace: ns, Name: name}
	}
	maps.Copy(asks, bootstrap.Asks(s.claim, s.policy))
	maps.Copy(asks, alias.Asks(s.claim))
	maps.DeleteFunc(asks, func(_ string, ask world.Selector) bool { return !s.askable(ask.APIVersion, ask.Kind) })
	maps.Copy(asks, s.definitions())
	return asks
}

// observe turns the view into facts.
func (s *state) observe() {
	v := s.in.World
	_, s.identity.composed = v.Observed[hardened.Cluster]
	answer, answered := v.Answer(askCluster)
	wrapped, seen := v.Wrapped(hardened.Cluster)
	s.identity.known = answered || seen
	switch {
	case answered && answer != nil:
		s.lookAt(answer)
	case answered:
		// The answer is newer than the copy in the Object's status, which stays when the Cluster is deleted. The copy may be
		// missing too, where the Object has come out of a backup of the control plane.
		s.identity.deleted = seen || s.madeBefore()
	case seen:
		s.lookAt(wrapped)
	}

	if asked, ok := v.Asked(hardened.Cluster); ok {
		c := world.ArchiverOf(asked)
		s.askedArchiver = &c
	}
	if asked, ok := v.Asked(hardened.ObjectStore); ok {
		a := world.ArchiveOf(asked)
		s.askedArchive = &a
	}

	s.place = hardened.PlaceOf(s.claim, s.policy)
	s.lookForArchive()
	o := contract.Observed{
		Asked: s.asked, Policy: s.policy,
		Cluster: s.identity.cluster, ClusterKnown: s.identity.known,
		Bucket: v.BucketFacts(s.place.Bucket), BucketName: s.place.Bucket, Keys: v.SecretFacts(hardened.Credentials),
		Settled: map[string]bool{}, Deletable: v.Deletable(s.protectedNames()), Now: s.in.Now,
	}
	if t, answered := v.Answer(askStorageClass); answered {
		o.StorageClassKnown = true
		if t != nil {
			class := world.StorageClassOf(t)
			o.StorageClass = &class
		}
	}
	for _, name := range []string{hardened.Credentials, hardened.ScheduledBackup, hardened.PodMonitor, hardened.PrometheusRule} {
		o.Settled[name] = v.Resource(name).Settled()
	}
	s.observed = o
	s.observed.Unsynced = s.unsynced()
	if s.identity.cluster != nil {
		s.adopt(s.identity.cluster)
	}
}

// lookAt tells this claim's own living Cluster from somebody else's.
func (s *state) lookAt(t manifest.Tree) {
	c := world.ClusterOf(t)
	s.identity.tree = t
	if c.ClaimNamespace == s.claim.Namespace && c.ClaimName == s.claim.Name {
		s.identity.cluster = &c
	} else {
		s.identity.foreign = &c // Nothing is said about somebody else's database.
	}
}

// adopt takes over what a living Cluster has decided: the incarnation it archives as, and what can be recovered of it.
func (s *state) adopt(live *world.Cluster) {
	s.identity.cluster, s.observed.Cluster = live, live
	s.place.ServerName = s.incarnation(live)
	s.observed.Window, s.observed.ArchiveUnknown = s.window(live), !s.archiveKnown
}

// madeBefore says whether the Cluster's Object may no longer make one: it has had one then.
func (s *state) madeBefore() bool {
	object, composed := s.in.World.Observed[hardened.Cluster]
	if !composed {
		return false
	}
	policies := manifest.CopyList(object, "spec", "managementPolicies")
	return slices.Contains(policies, any("Update")) && !slices.Contains(policies, any("Create")) && !slices.Contains(policies, any("*"))
}

// protectedNames are the composed resources of ours that must outlive the claim.
func (s *state) protectedNames() []string {
	return slices.DeleteFunc(manifest.SortedKeys(s.in.World.Observed), func(name string) bool {
		return name == hardened.ClaimPresence || !s.ours(name)
	})
}

// unsynced are the resources of ours that cannot be changed at present, with the provider's reason. Nothing was asked of
// what may only be observed and is not there: that is judged by what it is.
func (s *state) unsynced() []string {
	var out []string
	for _, name := range s.protectedNames() {
		if r := s.in.World.Resource(name); !r.Synced && r.Message != "" && !s.observed.Bucket.Lacks(name) {
			out = append(out, strings.TrimSpace(s.reason(name)))
		}
	}
	return out
}

// judgeIdentity decides the row of the table above, and where the database archives.
func (s *state) judgeIdentity() {
	c, wanted := s.claim, s.place
	if foreign := s.identity.foreign; foreign != nil {
		s.refuse(contract.Findings{{
			Rule: "ZDL-07", Path: "metadata.name", Value: c.Name,
			Message: fmt.Sprintf("a Cluster %s/%s exists already and is not this claim's%s: adopting it would reconfigure somebody's database", c.Namespace, c.Name, owner(foreign)),
			Fix: fmt.Sprintf("choose another name; if it really is this claim's, say so on it: kubectl -n %s label clusters.postgresql.cnpg.io %s %s=%s %s=%s",
				c.Namespace, c.Name, hardened.LabelClaim, c.Name, hardened.LabelClaimNamespace, c.Namespace),
		}})
		if _, waived := s.waived["ZDL-07"]; !waived {
			return
		}
		s.adopt(foreign)
	}
	if live := s.identity.cluster; live != nil {
		s.refuse(contract.JudgeFrozen(s.asked, s.policy.StorageClassName, live))
		s.judgeBuild(live)
		s.judgeObjectStore(live)
		s.judgePlace(wanted)
		return
	}
	if !s.identity.known {
		return
	}
	if s.identity.composed {
		// What has archived has lived, whatever became of its Object. With the archive it says to come from, a claim has named
		// an earlier life's backups, and its own database may still have to be made.
		_, used := s.archive.Windows[wanted.ServerName]
		s.identity.deleted = s.identity.deleted || s.archived && !statesArchive(c) || used || c.Spec.Bootstrap == nil && len(s.archive.Used()) > 0
		s.judgePlace(wanted)
		s.remember()
		return
	}
	s.judgePlace(wanted)
	if s.archived && !statesArchive(c) {
		s.refuse(contract.Findings{{
			Rule: "ZDL-07", Path: "metadata.name", Value: c.Name,
			Message: fmt.Sprintf("the database is gone and its ScheduledBackup has started backups: s3://%s/%s holds what it archived, though nothing reports it. A new database of its name, empty or made once more from its source, could not archive there: CloudNativePG would call it ready while nothing is backed up",
				wanted.Bucket, wanted.Path),
			Fix: fmt.Sprintf("choose another name, with %s to bring the database back; if the folder really is empty, delete ScheduledBackup %s",
				stating(s.destination(), "…", "version: …"), c.Name),
		}})
		s.wait.database = append(s.wait.database, "a name whose archive is empty") // Waived or not.
		return
	}
	used, full := s.archive.Used(), s.archive.Full()
	if c.Spec.Bootstrap != nil || len(used) == 0 {
		return // A bootstrap judges for itself what its archive holds already.
	}
	if len(full) == 0 {
		s.refuse(contract.Findings{{
			Rule: "ZDL-07", Path: "metadata.name", Value: c.Name,
			Message: fmt.Sprintf("the database is gone and has archived into %s%s, whose catalogue shows no base backup: none was finished, or they were removed or hidden. A new database of its name would write its WAL over what is left of the old one's",
				s.destination(), used[0]),
			Fix: fmt.Sprintf("where they are hidden, bring them back (docs/recover.md) and write spec.bootstrap.recovery: {source: %s}; or choose another name for an empty database", c.Name),
		}})
		s.wait.database = append(s.wait.database, "a name whose archive is empty") // Waived or not.
		return
	}
	server := full[0]
	if slices.Contains(full, wanted.ServerName) {
		server = wanted.ServerName
	}
	back := fmt.Sprintf("spec.bootstrap.recovery: {source: %s}, with spec.database and spec.owner as they were,", c.Name)
	if !hardened.Plugin(s.policy) {
		back = stating(s.destination(), server, "version: …") // Without the plugin nobody reads its ObjectStore.
	}
	s.refuse(contract.Findings{{
		Rule: "ZDL-07", Path: "metadata.name", Value: c.Name,
		Message: fmt.Sprintf("the database is gone and its archive is full: %s%s can be recovered. A new, empty database of its name would pass for it; in the same folder it could not even archive: CloudNativePG would call it ready while nothing is backed up",
			s.destination(), server),
		Fix: fmt.Sprintf("write %s to bring it back, or choose another name for an empty database", back),
	}})
	s.wait.database = append(s.wait.database, "spec.bootstrap.recovery to bring back what its full archive holds") // Waived or not.
}

// remember takes over what is known of a database that is gone: what its claim would archive as today may be another name,
// and whoever brings it back reads this one.
func (s *state) remember() {
	if last := s.last(); s.identity.deleted && last != nil {
		s.place.ServerName = s.incarnation(last)
		s.observed.Window = s.window(last)
	}
}

// statesArchive says whether a claim names the folder its data comes from, and so has looked into the archive.
func statesArchive(c *claim.Claim) bool {
	b := c.Spec.Bootstrap
	return b != nil && b.Recovery != nil && b.Recovery.Archive != nil
}

// incarnation is the name the living database archives under: the one last asked for, whatever somebody has made of it
// since. An archiver that was taken away, or turned to another folder, comes back to the one its base backups lie in.
func (s *state) incarnation(live *world.Cluster) string {
	if s.askedArchiver != nil && s.askedArchiver.ServerName != "" {
		return s.askedArchiver.ServerName
	}
	if live.ServerName != "" {
		return live.ServerName
	}
	// Nobody has asked for anything yet, and the archiver is gone: it was the one that has backed up last.
	name, last := s.place.ServerName, ""
	for _, server := range s.archive.Used() {
		if at := s.archive.Windows[server].LastBackup; !live.Reads(server) && newest(at, last) != last {
			name, last = server, at
		}
	}
	return name
}

// elsewhere is the folder the living database archives into where it is not the one its base backups lie in: somebody has
// edited its serverName. Asked for was another one, or another one's base backups are newer.
func (s *state) elsewhere() string {
	live := s.identity.cluster
	if live == nil || live.Method == "" {
		return ""
	}
	if live.ServerName != s.place.ServerName {
		return live.ServerName
	}
	own := s.archive.Windows[live.ServerName]
	for _, server := range s.archive.Used() {
		other := s.archive.Windows[server]
		if own.RecoverableSince != "" && server != live.ServerName && !live.Reads(server) && newest(other.LastBackup, own.LastBackup) != own.LastBackup {
			return live.ServerName
		}
	}
	return ""
}

// judgeObjectStore refuses to manage the archive of a living database through another ObjectStore than it uses.
func (s *state) judgeObjectStore(live *world.Cluster) {
	if live.Method != "plugin" || live.ObjectStore == hardened.ObjectStoreName(s.claim.Name) {
		return
	}
	s.refuse(contract.Findings{{
		Rule: "ZDL-08", Path: "metadata.name", Value: s.claim.Name,
		Message: fmt.Sprintf("the living Cluster archives through ObjectStore %q, which is not the one this function manages", live.ObjectStore),
		Fix:     "move the database into a new claim with bootstrap.recovery, or let the Cluster archive through ObjectStore " + hardened.ObjectStoreName(s.claim.Name),
	}})
}

// judgeBuild refuses to run a living database on an older image, or on another one that nobody has chosen.
func (s *state) judgeBuild(live *world.Cluster) {
	spec := s.claim.Spec
	path, image := "images."+spec.Version+".default", hardened.Image(spec, s.policy)
	if spec.Image != "" {
		path = "images." + spec.Version + ".variants." + spec.Image
	}
	s.refuse(contract.JudgeBuild(path, image, policy.BuiltIn(s.policy.Backup.Method, spec.Version, image), live))
}

// window is the recovery window of the living incarnation. Where somebody has taken the archiver away, the policy says
// which one it was. Where the method has just become in-tree, what the plugin has backed up lies in the same folder.
func (s *state) window(live *world.Cluster) world.Window {
	inTree := live.Method == "inTree" || live.Method == "" && !hardened.Plugin(s.policy)
	if plugins := live.RecoverableSince == "" && live.Destination != "" && live.Destination == s.archive.Destination; inTree && !plugins {
		return world.Window{RecoverableSince: live.RecoverableSince, LastBackup: live.LastBackupTime}
	}
	return s.archive.Windows[s.place.ServerName]
}

// bootstrap decides where the first data comes from.
func (s *state) bootstrap() bootstrap.Plan {
	// Where it is gone it is never made again: what it was made from stays as it was.
	plan := bootstrap.Make(s.claim, s.policy, s.place, s.lived(), s.in.World, s.in.Now)
	if s.identity.deleted && plan.Status != nil {
		plan.Status.Message = "the Cluster is gone; DatabaseReady says what to do"
	}
	s.refuse(plan.Findings)
	return plan
}

// last is the Cluster that is gone, as it was last seen, or else as it was last asked for.
func (s *state) last() *world.Cluster {
	if wrapped, seen := s.in.World.Wrapped(hardened.Cluster); seen {
		c := world.ClusterOf(wrapped)
		return &c
	}
	if asked, ok := s.in.World.Asked(hardened.Cluster); ok {
		c := world.ClusterOf(asked)
		return &c
	}
	return nil
}

func owner(live *world.Cluster) string {
	if live.ClaimName == "" {
		return " (it carries none of our labels)"
	}
	return fmt.Sprintf(" (it belongs to the claim %s/%s)", live.ClaimNamespace, live.ClaimName)
}

// keep are the composed resources that exist and that this call would not have emitted: a policy that switched a part
// off, a source that is no longer named. Leaving one out would delete it (ZDL-04).
func (s *state) keep(emitted map[string]bool) []Composed {
	var kept []Composed
	for _, name := range manifest.SortedKeys(s.in.World.Observed) {
		if !emitted[name] && s.ours(name) && !slices.Contains(s.released, name) {
			kept = append(kept, Composed{Name: name, Object: s.kept(name), Ready: s.ready(name)})
		}
	}
	return kept
}

// kept is a composed resource as observed: nil, or its copy without the leave to delete that somebody has given it
// (CNPG-4.1).
func (s *state) kept(name string) manifest.Object {
	if !slices.Contains(s.observed.Deletable, name) {
		return nil
	}
	return hardened.Orphaned(s.in.World.Observed[name])
}

// release lets go of composed resources on purpose, but never of one that would delete what it manages: it is put in
// order first.
func (s *state) release(names ...[]string) {
	for _, name := range slices.Concat(names...) {
		if slices.Contains(s.observed.Deletable, name) {
			s.mended = append(s.mended, name)
		} else {
			s.released = append(s.released, name)
		}
	}
}

// ours says whether a composed resource was made by this function rather than by another step of the pipeline.
func (s *state) ours(name string) bool {
	if hardened.Known(name) {
		return true
	}
	return manifest.String(s.in.World.Observed[name], "metadata", "labels", hardened.LabelProtected) != ""
}
