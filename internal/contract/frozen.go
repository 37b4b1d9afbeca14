package contract

import (
	"fmt"
	"strconv"

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
