package contract

import "strconv"

// judgeLifecycle: lifecycle removes noncurrent versions, expired delete markers and aborted uploads only, after a
// window to undo (ZDL-02).
func judgeLifecycle(j *judge, d *document) {
	if !j.concerns(d) {
		return
	}
	refuse := func(path, value, message, fix string) { j.refuse(d, "ZDL-02", path, value, message, fix) }
	for _, provider := range providers {
		eachMap(sub(d.spec, provider), "rule", "spec."+provider, func(rule node, at string) { judgeLifecycleRule(rule, at, refuse) })
	}
}

// judgeLifecycleRule judges one rule; one that is switched off does nothing.
func judgeLifecycleRule(rule node, at string, refuse func(path, value, message, fix string)) {
	if text(rule, "status") == "Disabled" {
		return
	}
	eachMap(rule, "expiration", at, func(expiration node, at string) {
		for _, limit := range []string{"days", "date"} {
			if n, isNumber := integer(expiration, limit); has(expiration, limit) && (!isNumber || n != 0) && expiration[limit] != "" {
				refuse(at+"."+limit, written(expiration[limit]), "expires current versions: when the schedule of backups stops, the only base backup goes, and with it the history of timelines",
					"remove it; retention is the backup tool's, lifecycle clears noncurrent versions")
			}
		}
	})
	eachMap(rule, "noncurrentVersionExpiration", at, func(expiration node, at string) {
		if n, _ := integer(expiration, "noncurrentDays"); n < MinUndoDays {
			refuse(at+".noncurrentDays", strconv.FormatInt(n, 10), "leaves no time to undo a deletion", "write noncurrentDays: 7")
		}
	})
	for _, key := range []string{"transition", "noncurrentVersionTransition"} {
		eachMap(rule, key, at, func(transition node, at string) {
			switch class := text(transition, "storageClass"); class {
			case "GLACIER", "DEEP_ARCHIVE":
				refuse(at+".storageClass", class, "moves backups where they cannot be read for hours: a recovery fails", "remove it")
			}
		})
	}
}

// judgeTiering: S3's own tiering moves nothing where it cannot be read at once. Its other tiers can.
func judgeTiering(j *judge, d *document) {
	if !j.concerns(d) {
		return
	}
	for _, provider := range providers {
		asked := sub(d.spec, provider)
		if text(asked, "status") == "Disabled" {
			continue
		}
		eachMap(asked, "tiering", "spec."+provider, func(tier node, at string) {
			switch to := text(tier, "accessTier"); to {
			case "ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS":
				j.refuse(d, "ZDL-02", at+".accessTier", to, "moves backups that nobody has read for a while where they cannot be read for hours: a recovery fails", "remove it")
			}
		})
	}
}
