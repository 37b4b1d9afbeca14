package contract

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// JudgeFrozen judges what was asked for against the living Cluster (ZDL-08): what CloudNativePG would ignore, so that
// Git lies, or act on, so that data is lost.
func JudgeFrozen(a Asked, storageClass string, live *world.Cluster) Findings {
	var found Findings
	refuse := func(path, value, message, fix string) {
		found = append(found, Finding{Rule: "ZDL-08", Path: path, Value: value, Message: message, Fix: fix})
	}
	if asked, err := strconv.ParseInt(a.Spec.Version, 10, 64); err == nil && live.Major != 0 && asked != live.Major {
		if asked < live.Major {
			refuse("spec.version", a.Spec.Version, fmt.Sprintf("the database runs PostgreSQL %d, and a major never goes down: an older server cannot read its files", live.Major),
				fmt.Sprintf("write %q", strconv.FormatInt(live.Major, 10)))
		} else {
			refuse("spec.version", a.Spec.Version, fmt.Sprintf("the database runs PostgreSQL %d; an upgrade in place stops it, cannot be undone and breaks point-in-time recovery", live.Major),
				fmt.Sprintf("write %q here and commit a new claim with version %q and bootstrap.recovery.source: %s", strconv.FormatInt(live.Major, 10), a.Spec.Version, a.Name))
		}
	}
	if live.StorageGB > 0 && a.Spec.StorageGB < live.StorageGB {
		refuse("spec.storageGB", strconv.FormatInt(a.Spec.StorageGB, 10), fmt.Sprintf("the volumes have %d GiB, and a volume cannot shrink without losing what lies beyond the cut", live.StorageGB),
			fmt.Sprintf("write %d or more", live.StorageGB))
	}
	if live.WALStorageGB > 0 && a.Spec.WALStorageGB < live.WALStorageGB {
		refuse("spec.walStorageGB", strconv.FormatInt(a.Spec.WALStorageGB, 10), fmt.Sprintf("the WAL volumes have %d GiB and can neither shrink nor go", live.WALStorageGB),
			fmt.Sprintf("write %d or more", live.WALStorageGB))
	}
	for _, volume := range []struct{ name, class string }{{"storage", live.StorageClass}, {"walStorage", live.WALStorageClass}} {
		if volume.class != "" && volume.class != storageClass {
			refuse("storageClassName", storageClass, fmt.Sprintf("the living Cluster's %s is of class %s: CloudNativePG accepts the change and ignores it for the volumes that exist, so Git would lie about layer 2", volume.name, volume.class),
				fmt.Sprintf("write %s in the platform's policy, or move the data into a new claim", volume.class))
		}
	}
	if live.Database != "" && a.Spec.Database != "" && a.Spec.Database != live.Database {
		refuse("spec.database", a.Spec.Database, fmt.Sprintf("the database was created as %q; changing it would point applications at one that does not exist", live.Database),
			fmt.Sprintf("write %q; create further databases with SQL", live.Database))
	}
	if live.Owner != "" && a.Spec.Owner != "" && a.Spec.Owner != live.Owner {
		refuse("spec.owner", a.Spec.Owner, fmt.Sprintf("the database was created with the owner %q", live.Owner),
			fmt.Sprintf("write %q; create further roles with SQL", live.Owner))
	}
	return found
}

// JudgeBuild judges the image a living database is about to run (ZDL-08): nothing but a restart shows that it has become
// older, or other. builtIn says that no policy has named it: what was named is meant.
func JudgeBuild(path, image string, builtIn bool, live *world.Cluster) Findings {
	asked, runs := buildOf(image), buildOf(live.Image)
	name := fmt.Sprintf("name it in the platform's policy, %s: %s", path, live.Image)
	switch {
	case asked.major != runs.major || live.Image == "": // Refused elsewhere, or nobody knows.
		return nil
	case asked.minor >= 0 && asked.minor < runs.minor:
		return Findings{{Rule: "ZDL-08", Path: path, Value: image,
			Message: fmt.Sprintf("the database runs PostgreSQL %s.%d, and a minor does not go down either: it would run into errors that have long been mended, some of which damage data", runs.major, runs.minor),
			Fix:     name + ", or a newer one"}}
	case builtIn && asked.repository != runs.repository,
		builtIn && asked.distribution != "" && runs.distribution != "" && asked.distribution != runs.distribution:
		return Findings{{Rule: "ZDL-08", Path: path, Value: image,
			Message: fmt.Sprintf("is the built-in image, because the policy names none for PostgreSQL %s, and the database runs another build, %s: extensions it uses may be missing, and under the collations of another distribution its indexes are wrong without a word", runs.major, live.Image),
			Fix:     name + "; to move it on purpose, waive ZDL-08 for as long as that takes"}}
	}
	return nil
}

// build is what an image's reference tells: "registry/name:16.15-202608170814-standard-trixie@sha256:…".
type build struct {
	repository, major string
	// minor is -1, and distribution "", where the tag does not say.
	minor        int64
	distribution string
}

// flavours stand at the end of some tags, where others have the distribution.
var flavours = []string{"minimal", "standard", "system"}

func buildOf(image string) build {
	b := build{minor: -1}
	b.major, _ = ImageMajor(image)
	image, _, _ = strings.Cut(image, "@")
	b.repository = image
	colon := strings.LastIndexByte(image, ':')
	if colon <= strings.LastIndexByte(image, '/') {
		return b
	}
	b.repository = image[:colon]
	parts := strings.Split(image[colon+1:], "-")
	if _, minor, dotted := strings.Cut(parts[0], "."); dotted {
		if n, err := strconv.ParseInt(minor, 10, 64); err == nil {
			b.minor = n
		}
	}
	if last := parts[len(parts)-1]; len(parts) > 1 && strings.Trim(last, "abcdefghijklmnopqrstuvwxyz") == "" && !slices.Contains(flavours, last) {
		b.distribution = last
	}
	return b
}
