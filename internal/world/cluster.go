package world

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Cluster is the living CloudNativePG Cluster.
type Cluster struct {
	Exists bool
	// DeletingSince is when somebody deleted the Cluster, which is still there until all of it has stopped.
	DeletingSince string
	// ClaimNamespace and ClaimName are whose it is, from our labels; empty on a Cluster that is not ours.
	ClaimNamespace, ClaimName string

	Image            string
	Major            int64
	Instances, Ready int64
	Phase            string
	// PhaseReason is CloudNativePG's own explanation of the phase.
	PhaseReason string
	// Unmade is true until the Cluster has had its first running instance: no data of its own has ever been in it.
	Unmade bool
	// PrimarySince is when the primary last became another instance.
	PrimarySince    string
	Hibernated      bool
	Fenced          bool
	StorageClass    string
	StorageGB       int64
	WALStorageGB    int64
	WALStorageClass string
	Database, Owner string
	BootstrapMethod string
	Parameters      map[string]string
	Tablespaces     int

	// AppSecret holds the owner's login, ServerCA what signs the server's certificate.
	AppSecret, ServerCA string

	// DataDurability, SyncNumber and FailoverQuorum are what commits wait for (CNPG-1.2).
	DataDurability string
	SyncNumber     int64
	FailoverQuorum bool
	// AntiAffinity is "required" or "preferred" (CNPG-1.3).
	AntiAffinity string
	// Follows is true where the Cluster is a replica of another one (CNPG-1.4).
	Follows bool
	// Bypasses are annotations that switch protection off (ZDL-10).
	Bypasses []string

	// Method is "plugin" or "inTree", "" where nothing archives.
	Method string
	// ObjectStore is the plugin's; ServerName the incarnation it archives as; Destination the in-tree path, in the store of
	// Endpoint and in Region.
	ObjectStore, ServerName, Destination, Endpoint, Region string

	// ReadyCondition, Archiving and LastBackup are "True", "False" or "" (not reported, or a backup is running).
	ReadyCondition, Archiving, LastBackup string
	// ArchivingMessage is CloudNativePG's own.
	ArchivingMessage, LastBackupMessage string
	// ReadySince is when the Cluster last became ready, or ceased to be. BackingUpSince is when the base backup that is
	// running began; empty where none is.
	ReadySince, BackingUpSince string
	// RecoverableSince is the in-tree method's; the plugin reports it on the ObjectStore.
	RecoverableSince, LastBackupTime string
	// AltDNSNames are the further names the server's certificate is asked to carry; Certified are all it does carry.
	AltDNSNames, Certified []string

	// Bootstrap and ExternalClusters are what the database was made from, word for word.
	Bootstrap        map[string]any
	ExternalClusters []any
}

// ArchiverOf reads of a Cluster how it archives, and nothing else.
func ArchiverOf(t manifest.Tree) Cluster {
	c := Cluster{Exists: true}
	c.archive(t)
	return c
}

// ClusterOf reads a Cluster.
func ClusterOf(t manifest.Tree) Cluster {
	c := Cluster{
		Exists:          true,
		DeletingSince:   manifest.String(t, "metadata", "deletionTimestamp"),
		ClaimNamespace:  manifest.String(t, "metadata", "labels", "database.bizmatters.io/claim-namespace"),
		ClaimName:       manifest.String(t, "metadata", "labels", "database.bizmatters.io/claim"),
		Image:           manifest.String(t, "spec", "imageName"),
		Phase:           manifest.String(t, "status", "phase"),
		PhaseReason:     manifest.String(t, "status", "phaseReason"),
		PrimarySince:    manifest.String(t, "status", "currentPrimaryTimestamp"),
		Hibernated:      manifest.String(t, "metadata", "annotations", "cnpg.io/hibernation") == "on",
		Fenced:          manifest.String(t, "metadata", "annotations", "cnpg.io/fencedInstances") != "",
		StorageClass:    manifest.String(t, "spec", "storage", "storageClass"),
		StorageGB:       gibibytes(manifest.String(t, "spec", "storage", "size")),
		WALStorageGB:    gibibytes(manifest.String(t, "spec", "walStorage", "size")),
		WALStorageClass: manifest.String(t, "spec", "walStorage", "storageClass"),
	}
	c.Instances, _ = manifest.Int(t, "spec", "instances")
	c.Ready, _ = manifest.Int(t, "status", "readyInstances")
	if c.Major, _ = manifest.Int(t, "status", "pgDataImageInfo", "majorVersion"); c.Major == 0 {
		c.Major = majorOf(c.Image)
	}
	name := manifest.String(t, "metadata", "name")
	c.AppSecret = name + "-app"
	c.ServerCA = cmp.Or(manifest.String(t, "status", "certificates", "serverCASecret"), name+"-ca")
	if keys := t.Keys("spec", "bootstrap"); len(keys) > 0 {
		c.AppSecret = cmp.Or(manifest.String(t, "spec", "bootstrap", keys[0], "secret", "name"), c.AppSecret)
		c.BootstrapMethod = keys[0]
		c.Database = manifest.String(t, "spec", "bootstrap", keys[0], "database")
		c.Owner = manifest.String(t, "spec", "bootstrap", keys[0], "owner")
	}
	c.Parameters = map[string]string{}
	for _, name := range t.Keys("spec", "postgresql", "parameters") {
		c.Parameters[name] = manifest.String(t, "spec", "postgresql", "parameters", name)
	}
	c.Tablespaces = len(t.Items("spec", "tablespaces"))
	c.origin(t)
	c.durability(t)
	c.archive(t)
	for _, cond := range conditions(t, "status", "conditions") {
		switch cond.kind {
		case "Initialized":
			c.Unmade = cond.status == "False" // Never taken back once it is True.
		case "Ready":
			c.ReadyCondition, c.ReadySince = cond.status, cond.since
		case "ContinuousArchiving":
			c.Archiving, c.ArchivingMessage = cond.status, cond.message
		case "LastBackupSucceeded":
			if cond.reason == "BackupStarted" { // CloudNativePG says False as long as one is running.
				c.BackingUpSince = cond.since
			} else {
				c.LastBackup, c.LastBackupMessage = cond.status, cond.message
			}
		}
	}
	return c
}

// skipArchiving switches PostgreSQL's archive_mode off.
const skipArchiving = "cnpg.io/skipWalArchiving"

// bypasses are the annotations CloudNativePG takes as leave to stop protecting.
var bypasses = []string{
	"cnpg.io/validation", skipArchiving, "cnpg.io/skipEmptyWalArchiveCheck", "cnpg.io/reconciliationLoop",
	"cnpg.io/podPatch", "alpha.cnpg.io/failoverQuorum", "alpha.cnpg.io/unrecoverable",
}

// Unarchived is why WAL goes nowhere at all, "" where it goes somewhere. CloudNativePG does not tell: it calls archiving
// a success where there is no archiver, and leaves what it said before where archiving is switched off.
func (c *Cluster) Unarchived() string {
	switch {
	case c.Method == "":
		return "it has no archiver"
	case slices.Contains(c.Bypasses, skipArchiving):
		return "the annotation " + skipArchiving + " switches archiving off"
	}
	return ""
}

func (c *Cluster) durability(t manifest.Tree) {
	c.DataDurability = manifest.String(t, "spec", "postgresql", "synchronous", "dataDurability")
	c.SyncNumber, _ = manifest.Int(t, "spec", "postgresql", "synchronous", "number")
	c.FailoverQuorum, _ = manifest.Bool(t, "spec", "postgresql", "synchronous", "failoverQuorum")
	c.AntiAffinity = manifest.String(t, "spec", "affinity", "podAntiAffinityType")
	primary := manifest.String(t, "spec", "replica", "primary")
	if follows, said := manifest.Bool(t, "spec", "replica", "enabled"); said {
		c.Follows = follows
	} else {
		c.Follows = primary != "" && primary != cmp.Or(manifest.String(t, "spec", "replica", "self"), manifest.String(t, "metadata", "name"))
	}
	for _, name := range bypasses {
		if manifest.String(t, "metadata", "annotations", name) != "" {
			c.Bypasses = append(c.Bypasses, name)
		}
	}
}

func (c *Cluster) archive(t manifest.Tree) {
	for _, p := range t.Items("spec", "plugins") {
		enabled, said := manifest.Bool(p, "enabled")
		archiver, _ := manifest.Bool(p, "isWALArchiver")
		if (enabled || !said) && archiver {
			c.Method = "plugin"
			c.ObjectStore = manifest.String(p, "parameters", "barmanObjectName")
			c.ServerName = manifest.String(p, "parameters", "serverName")
		}
	}
	if destination := manifest.String(t, "spec", "backup", "barmanObjectStore", "destinationPath"); destination != "" && c.Method == "" {
		c.Method, c.Destination = "inTree", destination
		c.Endpoint = manifest.String(t, "spec", "backup", "barmanObjectStore", "endpointURL")
		c.Region = region(t.Items("spec", "env"))
		c.ServerName = manifest.String(t, "spec", "backup", "barmanObjectStore", "serverName")
	}
	c.RecoverableSince = manifest.String(t, "status", "firstRecoverabilityPoint")
	c.LastBackupTime = manifest.String(t, "status", "lastSuccessfulBackup")
	if c.ServerName == "" && c.Method != "" {
		c.ServerName = manifest.String(t, "metadata", "name") // Both methods default to the Cluster's name.
	}
}

// RegionVariable tells an archiver its region.
const RegionVariable = "AWS_DEFAULT_REGION"

// Reads says whether the Cluster was made from the archive of this incarnation.
func (c *Cluster) Reads(server string) bool {
	external := manifest.Object{"clusters": c.ExternalClusters}
	for i := range c.ExternalClusters {
		at := []string{"clusters", strconv.Itoa(i)}
		if manifest.String(external, append(at, "plugin", "parameters", "serverName")...) == server || manifest.String(external, append(at, "barmanObjectStore", "serverName")...) == server {
			return true
		}
	}
	return false
}

// Window is the recovery window of one incarnation, as the plugin's ObjectStore reports it: RFC 3339 times, empty where
// unknown.
type Window struct {
	RecoverableSince, LastBackup, LastFailure string
}

// Archive is the plugin's ObjectStore with the windows of all incarnations in it.
type Archive struct {
	Exists bool
	// Destination is "s3://bucket/path", in Region; Configuration the whole description of the store.
	Destination   string
	Region        string
	Configuration map[string]any
	Windows       map[string]Window
}

// ArchiveOf reads an ObjectStore.
func ArchiveOf(t manifest.Tree) Archive {
	a := Archive{
		Exists:        true,
		Destination:   manifest.String(t, "spec", "configuration", "destinationPath"),
		Region:        region(t.Items("spec", "instanceSidecarConfiguration", "env")),
		Configuration: manifest.CopyMap(t, "spec", "configuration"),
		Windows:       map[string]Window{},
	}
	for _, server := range t.Keys("status", "serverRecoveryWindow") {
		at := []string{"status", "serverRecoveryWindow", server}
		a.Windows[server] = Window{
			RecoverableSince: manifest.String(t, append(at, "firstRecoverabilityPoint")...),
			LastBackup:       manifest.String(t, append(at, "lastSuccessfulBackupTime")...),
			LastFailure:      manifest.String(t, append(at, "lastFailedBackupTime")...),
		}
	}
	return a
}

// region is the one an archiver's environment names, "" where it names none.
func region(env []manifest.Tree) string {
	for _, variable := range env {
		if manifest.String(variable, "name") == RegionVariable {
			return manifest.String(variable, "value")
		}
	}
	return ""
}

// Used returns the incarnations that have lived: the plugin reports one before its first base backup, and one whose base
// backups are hidden.
func (a Archive) Used() []string { return manifest.SortedKeys(a.Windows) }

// Full returns the incarnations that hold something to recover.
func (a Archive) Full() []string {
	var out []string
	for _, server := range manifest.SortedKeys(a.Windows) {
		if a.Windows[server].RecoverableSince != "" {
			out = append(out, server)
		}
	}
	return out
}

// StorageClass is layer 2, as it really is (CNPG-4.2).
type StorageClass struct {
	Provisioner, ReclaimPolicy, BindingMode string
	Expandable                              bool
	MountOptions                            []string
	Parameters                              map[string]string
}

// StorageClassOf reads a StorageClass.
func StorageClassOf(t manifest.Tree) StorageClass {
	s := StorageClass{
		Provisioner:   manifest.String(t, "provisioner"),
		ReclaimPolicy: manifest.String(t, "reclaimPolicy"),
		BindingMode:   manifest.String(t, "volumeBindingMode"),
		Parameters:    map[string]string{},
	}
	s.Expandable, _ = manifest.Bool(t, "allowVolumeExpansion")
	for i := 0; ; i++ {
		option := manifest.String(t, "mountOptions", strconv.Itoa(i))
		if option == "" {
			break
		}
		s.MountOptions = append(s.MountOptions, option)
	}
	for _, name := range t.Keys("parameters") {
		s.Parameters[name] = manifest.String(t, "parameters", name)
	}
	return s
}

// gibibytes reads the sizes this product writes ("20Gi"), and those people write by hand, rounded up: nothing may be called
// large enough that is not. 0 where it cannot tell.
func gibibytes(quantity string) int64 {
	for _, unit := range []struct {
		suffix string
		factor float64
	}{
		{"Gi", 1}, {"Ti", 1024}, {"Mi", 1.0 / 1024}, {"Ki", 1.0 / (1 << 20)},
		{"G", 1e9 / (1 << 30)}, {"T", 1e12 / (1 << 30)}, {"M", 1e6 / (1 << 30)}, {"k", 1e3 / (1 << 30)}, {"", 1.0 / (1 << 30)},
	} {
		if digits, ok := strings.CutSuffix(quantity, unit.suffix); ok {
			n, err := strconv.ParseFloat(digits, 64)
			if size := math.Ceil(n * unit.factor); err == nil && size >= 0 && size <= 1e7 {
				return int64(size)
			}
			return 0
		}
	}
	return 0
}

// majorOf reads the major version from an image's tag: the number in front of the first dot or dash.
func majorOf(image string) int64 {
	image, _, _ = strings.Cut(image, "@")
	colon := strings.LastIndexByte(image, ':')
	if colon <= strings.LastIndexByte(image, '/') { // None, or that of a registry's port.
		return 0
	}
	tag := image[colon+1:]
	if i := strings.IndexFunc(tag, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		tag = tag[:i]
	}
	n, err := strconv.ParseInt(tag, 10, 32)
	if err != nil {
		return 0
	}
	return n
}
