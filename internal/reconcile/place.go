package reconcile

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// Where the archive of a database lies, what is known to be in it, and that it does not move while it holds something
// (ZDL-08).

// lookForArchive finds out what the archive of this name holds, whichever method has filled it: the policy's may be
// another one by now, and goes on in the same folder. The plugin's ObjectStore says what is there. The in-tree method has
// none, and its ScheduledBackup, which outlives the Cluster, says at least whether a backup has been started; so it does
// where an ObjectStore has not reported yet, or has been made anew.
func (s *state) lookForArchive() {
	store, storeKnown := s.look(hardened.ObjectStore, askArchive)
	if store != nil {
		s.archive = world.ArchiveOf(store)
	}
	storeKnown = storeKnown || !s.asksArchive() || s.lacks(askObjectStores)
	schedule, scheduleKnown := s.look(hardened.ScheduledBackup, askSchedule)
	if schedule != nil && manifest.String(schedule, "status", "lastScheduleTime") != "" {
		// The plugin's ObjectStore knows better, where it has reported and is left.
		s.archived = manifest.String(schedule, "spec", "method") != "plugin" || storeKnown && len(s.archive.Used()) == 0
	}
	switch live := s.identity.there(); {
	case live == nil:
		s.archiveKnown = storeKnown && scheduleKnown
	case live.Method == "plugin" || hardened.Plugin(s.policy):
		s.archiveKnown = storeKnown
	default:
		s.archiveKnown = true // Where a living Cluster archives in-tree, it says itself.
	}
}

// look returns what stands behind an Object, or else what answers the question for it; known is false while nobody knows.
func (s *state) look(role, ask string) (t manifest.Tree, known bool) {
	if t, known = s.in.World.Wrapped(role); !known {
		t, known = s.in.World.Answer(ask)
	}
	return t, known
}

// asksArchive says whether the ObjectStore has to be looked up. Where the policy does without the plugin, its kind need
// not exist, and asking for a kind that does not exist fails the whole pipeline: so something of the plugin has to be
// there already, or the control plane has to be able to say that the kind is.
func (s *state) asksArchive() bool {
	if _, seen := s.in.World.Wrapped(hardened.ObjectStore); seen {
		return false
	}
	_, composed := s.in.World.Observed[hardened.ObjectStore]
	live := s.identity.there()
	return hardened.Plugin(s.policy) || composed || live != nil && live.Method == "plugin" || s.in.AsksSchemas && !s.identity.composed
}

// lies is where an archive lies, as one description has it.
type lies struct{ destination, endpoint, region string }

// archiveLies are the descriptions of this database's archive: as it is, and as this function last asked for it. Which
// ones they are follows from the method the database archives, or has archived, with.
func (s *state) archiveLies() []lies {
	var clusters []world.Cluster
	if lived := s.lived(); lived != nil {
		clusters = append(clusters, *lived)
		if s.askedArchiver != nil {
			clusters = append(clusters, *s.askedArchiver)
		}
	}
	clusters = slices.DeleteFunc(clusters, func(c world.Cluster) bool { return c.Method == "" }) // Somebody has taken it away.
	var found []lies
	if len(clusters) > 0 && clusters[0].Method == "inTree" {
		for _, c := range clusters {
			if c.Method == "inTree" {
				found = append(found, lies{c.Destination, c.Endpoint, c.Region})
			}
		}
		return found
	}
	stores := []world.Archive{s.archive}
	if s.askedArchive != nil {
		stores = append(stores, *s.askedArchive)
	}
	for _, a := range stores {
		if a.Destination != "" {
			endpoint, _ := a.Configuration["endpointURL"].(string)
			found = append(found, lies{a.Destination, endpoint, a.Region})
		}
	}
	return found
}

// lived is the Cluster that lives, or the one that is gone; nil where there has been none under this claim.
func (s *state) lived() *world.Cluster {
	if s.identity.cluster == nil && s.identity.deleted {
		return s.last()
	}
	return s.identity.cluster
}

// destination is where the database archives: where it really does, as far as that is known.
func (s *state) destination() string {
	at := "s3://" + s.place.Bucket + "/" + s.place.Path
	if known := s.archiveLies(); len(known) > 0 {
		at = known[0].destination
	}
	return strings.TrimSuffix(at, "/") + "/"
}

// judgePlace refuses to move an archive that holds something (ZDL-08). Of a living database, WAL would go on in the new
// place while the base backups it belongs to lie in the old one. Of one that is gone, the description of its archive would
// be written over, which is all that leads to it.
func (s *state) judgePlace(wanted hardened.Place) {
	live := s.identity.cluster
	used := len(s.archive.Used()) > 0 || s.identity.deleted && s.archived
	if live == nil && !used {
		return
	}
	whose, why := "the living database archives into", "moving the archive would part its WAL from the base backups it belongs to"
	if live == nil {
		whose, why = "the archive of the database that is gone lies in", "its description would be turned to another place, and nothing here would lead to its backups any more"
	}
	refuse := func(path, value, message, fix string) {
		s.refuse(contract.Findings{{Rule: "ZDL-08", Path: path, Value: value, Message: message, Fix: fix}})
	}

	// A claim that says where its data comes from has looked into the archive; unless it is the one that is gone itself.
	stated := live == nil && !s.identity.deleted && statesArchive(s.claim)
	if is, want := s.destination(), "s3://"+wanted.Bucket+"/"+wanted.Path+"/"; is != want && !stated {
		fix := "put the bucket's mode, name, prefix and salt in the platform's policy back to what they were"
		if live == nil && !s.identity.deleted {
			fix += "; or say where the data lies: " + stating(is, "…", "version: …")
		}
		refuse("bucket", want, fmt.Sprintf("%s %s: %s", whose, is, why), fix)
	}

	want, endpoints := store(s.policy.Bucket.EndpointURL), []string{}
	for _, known := range s.archiveLies() {
		endpoints = append(endpoints, store(known.endpoint))
	}
	if len(endpoints) > 0 && !slices.Contains(endpoints, want) {
		fix := fmt.Sprintf("write %q in the platform's policy again", endpoints[0])
		if endpoints[0] == "" {
			fix = "remove it from the platform's policy again"
		}
		refuse("bucket.endpointURL", want, fmt.Sprintf("%s the store %s: %s", whose, storeName(endpoints[0]), why),
			fix+"; if both are addresses of one store, with the same bucket, waive ZDL-08 for as long as the change takes")
	}
	if regions, want := s.regions(), s.policy.Bucket.Region; len(regions) > 0 && !slices.Contains(regions, want) {
		refuse("bucket.region", want, fmt.Sprintf("%s region %s: in another one neither its protection nor its archive would be found", whose, regions[0]),
			fmt.Sprintf("write %q in the platform's policy again", regions[0]))
	}
	s.judgeProviders()
}

// judgeProviders refuses to lead the management of a database to where the database is not. What has never reached anything
// leads nowhere yet: its name may be put right.
func (s *state) judgeProviders() {
	judge := func(role, path string, is manifest.Tree, want v1beta1.ProviderConfig, leads, lost string) {
		name, kind := manifest.String(is, "spec", "providerConfigRef", "name"), manifest.String(is, "spec", "providerConfigRef", "kind")
		if name == "" || name == want.Name && (kind == "" || kind == want.Kind) {
			return
		}
		old := "name: " + name
		if kind != "" {
			old += ", kind: " + kind
		}
		s.refuse(contract.Findings{{
			Rule: "ZDL-08", Path: path, Value: want.Name,
			Message: fmt.Sprintf("the %s is managed through {%s}: another configuration may lead to another %s, where %s", role, old, leads, lost),
			Fix:     fmt.Sprintf("write {%s} in the platform's policy again; if both lead to the same %s, waive ZDL-08 for as long as the change takes", old, leads),
		}})
	}
	if _, reached := s.in.World.Wrapped(hardened.Cluster); reached {
		judge("database", "providers.kubernetes", s.in.World.Observed[hardened.Cluster], s.policy.Providers.Kubernetes, "cluster", "nothing of it would be managed")
	}
	if s.identity.composed && s.observed.Bucket.Observed {
		judge("bucket", "providers.aws", s.in.World.Observed[hardened.Bucket], s.policy.Providers.AWS, "account", "nothing would be seen of it or of its protection")
	}
}

// stating is what a claim writes to be restored from a folder that no ObjectStore leads it to.
func stating(destination, server, rest string) string {
	bucket, path, _ := strings.Cut(strings.TrimPrefix(destination, "s3://"), "/")
	return fmt.Sprintf("spec.bootstrap.recovery.archive: {bucket: %s, path: %s, serverName: %s, %s}", bucket, strings.TrimSuffix(path, "/"), server, rest)
}

// regions are those the archive is described to be in, unless the policy gives the archiver another one than the bucket's,
// and those the bucket's resources have been asked to be in: before the Cluster is managed a call may have written these
// that had not seen the archive yet.
func (s *state) regions() []string {
	var found []string
	if s.policy.Backup.SidecarEnv[world.RegionVariable] == "" {
		for _, known := range s.archiveLies() {
			if known.region != "" {
				found = append(found, known.region)
			}
		}
	}
	if !s.identity.composed || slices.Contains(found, s.policy.Bucket.Region) {
		return found
	}
	for _, name := range manifest.SortedKeys(s.in.World.Observed) {
		t := s.in.World.Observed[name]
		if region := manifest.String(t, "spec", "forProvider", "region"); region != "" && hardened.Known(name) {
			found = append(found, region)
		}
	}
	return found
}

// store is the one form of an endpoint that tells stores apart: "" is AWS, whichever of its own addresses is written. It
// carries no credentials.
func store(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[scheme])
	if name := strings.ToLower(u.Hostname()); strings.HasSuffix(name, ".amazonaws.com") || strings.HasSuffix(name, ".amazonaws.com.cn") {
		return ""
	}
	return scheme + "://" + host + strings.TrimRight(u.Path, "/")
}

func storeName(store string) string {
	if store == "" {
		return "AWS S3"
	}
	return store
}
