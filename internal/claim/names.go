package claim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
)

// Suffixes of what stands beside the Cluster in its namespace. Together with CloudNativePG's own (-app, -ca, -server,
// -replication, -superuser, -rw, -ro, -r) none is the end of another, so two claims never meet in one name (ZDL-06).
const (
	SuffixConnection  = "-conn"
	SuffixObjectStore = "-archive"
	SuffixCredentials = "-archive-keys"
	SuffixMetrics     = "-metrics"
	SuffixQueries     = "-queries"
	SuffixDashboard   = "-dashboard"
	SuffixAlerts      = "-alerts"
	SuffixPresence    = "-presence"
	// SuffixSource is that of a recovered or upgraded database's own description of the source, SuffixSourceKeys that of
	// its own keys to it.
	SuffixSource     = "-source"
	SuffixSourceKeys = "-source-keys"
	SuffixPublisher  = "-publisher"
)

// reservedSuffixes end the names that this product or CloudNativePG derives from a claim's; nothing a developer names
// by hand may end so, lest it take another claim's Secret or Service.
var reservedSuffixes = []string{
	SuffixConnection, SuffixObjectStore, SuffixCredentials, SuffixMetrics, SuffixQueries, SuffixDashboard, SuffixAlerts, SuffixPresence,
	SuffixSource, SuffixSourceKeys, SuffixPublisher,
	"-app", "-ca", "-server", "-replication", "-superuser", "-rw", "-ro", "-r",
}

const (
	// maxName is CloudNativePG's limit on the name of a Cluster.
	maxName = 50
	// maxObjectName keeps "provider-kubernetes/<name>" within the 128 bytes of a field manager's name.
	maxObjectName = 108
	// maxBucketName is S3's limit.
	maxBucketName = 63
)

var dns1035 = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

var dns1123 = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// isNamespace says what the API server has made sure of before a claim gets here: everything derived from the namespace
// relies on it.
func isNamespace(name string) bool { return dns1123.MatchString(name) }

func judgeName(name string) contract.Findings {
	var problem string
	switch {
	case name == "":
		problem = "is missing"
	case len(name) > maxName:
		problem = fmt.Sprintf("is %d characters long, CloudNativePG allows %d", len(name), maxName)
	case strings.Contains(name, "."):
		problem = "contains a dot, which the names of Services cannot"
	case name[0] >= '0' && name[0] <= '9':
		problem = "starts with a digit, which the names of Services cannot"
	case !dns1035.MatchString(name):
		problem = "is not a DNS label"
	default:
		return nil
	}
	if len(name) > maxObjectName {
		name = name[:maxObjectName] + "…"
	}
	return contract.Findings{{
		Rule: "ZDL-06", Path: "metadata.name", Value: name, Message: problem + ": the database, its Services and its archive are named after the claim",
		Fix: "choose up to 50 lower-case letters, digits and hyphens, starting with a letter",
	}}
}

// shared end what a database has beside it and CloudNativePG makes for every Cluster under its plain name.
var shared = []struct{ suffix, kinds string }{
	{SuffixConnection, "ServiceAccount and RoleBinding"},
	{SuffixMetrics, "PodMonitor"},
	{"-barman-cloud", "Role and RoleBinding"}, // The plugin's.
}

// JudgeNewName judges the name of a database that does not live yet: what CloudNativePG makes for it must not be what
// another one has (ZDL-06).
func (c *Claim) JudgeNewName() contract.Findings {
	for _, s := range shared {
		if other, meets := strings.CutSuffix(c.Name, s.suffix); meets {
			return Named(contract.Findings{{
				Rule: "ZDL-06", Path: "metadata.name", Value: c.Name,
				Message: fmt.Sprintf("ends in %q: CloudNativePG would make a %s of this name, which those of a database %s have as well, and the one would break the other", s.suffix, s.kinds, other),
				Fix:     "choose a name with another ending; a database that lives under it already goes on, and check passes it with a waiver of ZDL-06",
			}}, c.Namespace, c.Name)
		}
	}
	return nil
}

// JudgeNames judges the names the developer chose inside the claim: they must not be able to take what belongs to
// another claim (ZDL-06).
func (c *Claim) JudgeNames() contract.Findings {
	var found contract.Findings
	judge := func(path, value string) {
		for _, suffix := range reservedSuffixes {
			if value != "" && value != c.Name+SuffixConnection && strings.HasSuffix(value, suffix) {
				found = append(found, contract.Finding{
					Rule: "ZDL-06", Path: path, Value: value,
					Message: fmt.Sprintf("ends in %q, which names derived from a claim end in: it could overwrite what belongs to another database", suffix),
					Fix:     "choose a name with another ending",
				})
				return
			}
		}
	}
	judge("spec.connection.secretName", c.Spec.Connection.SecretName)
	judge("spec.connection.alias", c.Spec.Connection.Alias)
	if alias := c.Spec.Connection.Alias; alias != "" && alias == c.Spec.Connection.SecretName {
		found = append(found, contract.Finding{
			Rule: "ZDL-06", Path: "spec.connection.secretName", Value: alias,
			Message: "is also the alias, whose Secret moves to another claim with it: this claim would lose its own",
			Fix:     "leave secretName out, or choose another name",
		})
	}
	return Named(found, c.Namespace, c.Name)
}

// ObjectName is the name of the managed resource that stands for one of the claim's resources: the same in both scopes
// and for ever, because it is also the field manager that owns the fields of what it wraps. A dot cannot occur in a
// namespace or a claim's name, so the parts cannot run into each other.
func (c *Claim) ObjectName(subject, role string) string {
	return Bounded(c.Namespace+"."+subject+"."+role, maxObjectName)
}

// BucketName is the name of the claim's managed bucket, unique world-wide through the prefix and a hash over salt,
// namespace and name.
func (c *Claim) BucketName(prefix, salt string) string {
	sum := hash(salt, c.Namespace, c.Name)[:10]
	readable := prefix + "-" + c.Namespace + "-" + c.Name
	if most := maxBucketName - len(sum) - 1; len(readable) > most {
		readable = strings.TrimRight(readable[:most], "-")
	}
	return readable + "-" + sum
}

// ArchivePath is where in the bucket the claim's archives lie, one folder per incarnation below it.
func (c *Claim) ArchivePath() string { return c.Namespace + "/" + c.Name }

// ServerName names one incarnation of the database in the archive (ZDL-05). It follows from what the database is made
// of: its major version and where its first data comes from. A database that is recovered therefore never archives
// over the archive it came from. A living Cluster keeps the one it has, whatever this says.
func (c *Claim) ServerName() string {
	name := c.Name + "-pg" + c.Spec.Version
	b := c.Spec.Bootstrap
	switch {
	case b == nil:
		return name
	case b.Recovery != nil:
		r := b.Recovery
		parts := []string{"recovery", r.Source, r.TargetTime, r.TargetLSN, r.TargetXID, r.TargetName, fmt.Sprint(r.TargetImmediate, r.Exclusive), r.BackupID}
		if a := r.Archive; a != nil {
			parts = append(parts, a.Bucket, a.Path, a.ServerName)
		}
		return name + "-" + hash(parts...)[:8]
	case b.ImportFrom != nil:
		return name + "-" + hash("import", b.ImportFrom.Source, b.ImportFrom.Database)[:8]
	}
	return name
}

// Bounded returns name where it is short enough, and otherwise its beginning and a hash of all of it: different names
// stay different.
func Bounded(name string, most int) string {
	if len(name) <= most {
		return name
	}
	sum := hash(name)[:16]
	return strings.TrimRight(name[:most-len(sum)-1], "-.") + "-" + sum
}

// hash is a hexadecimal digest of parts that cannot run into each other.
func hash(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
