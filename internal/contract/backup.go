package contract

import (
	"strconv"

	"github.com/bizmatters/function-hardened-postgres/internal/schedule"
)

// judgeScheduledBackup judges a schedule of base backups by itself: it must fire, make base backups with the method of
// its Cluster, and not bury the bucket (CNPG-3.1). Whether backups come often enough is judged for the Cluster, which
// may have more than one schedule.
func judgeScheduledBackup(j *judge, d *document) {
	refuse := func(path, value, message, fix string) {
		j.refuse(d, "CNPG-3.1", path, value, message, fix)
	}
	c := j.cluster(d.namespace, text(sub(d.spec, "cluster"), "name"))
	written := text(d.spec, "schedule")
	if s, err := schedule.ParseCNPG(written); err != nil {
		refuse("spec.schedule", written, "is not a schedule: "+err.Error(), fixSchedule)
	} else {
		j.add(d, judgeRate("spec.schedule", written, s, j.options.MaxRunsPerDay, j.lockDaysOf(c)))
		if c == nil {
			j.add(d, judgeGap("spec.schedule", written, s))
		}
	}
	if suspended, _ := boolean(d.spec, "suspend"); suspended {
		refuse("spec.suspend", "true", "no base backup is made while it is suspended", "remove it")
	}
	if immediate, _ := boolean(d.spec, "immediate"); !immediate && text(d.spec, "method") != methodSnapshot {
		refuse("spec.immediate", "", "is not true: a new database has no base backup, and cannot be recovered at all, until the schedule first fires", "write immediate: true")
	}
	if owner := text(d.spec, "backupOwnerReference"); owner != "" && owner != "none" && owner != "cluster" {
		refuse("spec.backupOwnerReference", owner, "the records of all backups vanish together with the schedule", "write backupOwnerReference: cluster")
	}
	j.judgeBackupMethod(d, c)
}

const methodSnapshot = "volumeSnapshot"

// judgeBackupMethod: the schedule uses the method its Cluster archives with. A schedule left on the in-tree method after
// a move to the plugin fails at every run (cloudnative-pg#8445).
func (j *judge) judgeBackupMethod(d *document, c *cluster) {
	const fix = "write method: plugin and pluginConfiguration: {name: " + pluginName + "}"
	refuse := func(path, value, message, fix string) {
		j.refuse(d, "CNPG-3.1", path, value, message, fix)
	}
	method := text(d.spec, "method")
	switch method {
	case "plugin":
		if name := text(sub(d.spec, "pluginConfiguration"), "name"); name != pluginName {
			refuse("spec.pluginConfiguration.name", name, "does not name the barman-cloud plugin: every backup is refused, and only the operator's log says so", "write pluginConfiguration: {name: "+pluginName+"}")
			return
		}
		if c != nil && c.method == methodInTree {
			refuse("spec.method", method, "the Cluster archives in-tree, without the plugin: every backup fails", "write method: barmanObjectStore")
		}
	case "", "barmanObjectStore":
		if c != nil && c.method == methodPlugin || c == nil && j.options.Method == methodPlugin {
			message := "is the in-tree method, but the Cluster archives with the plugin: every backup fails"
			if method == "" {
				message = "is missing, which means the in-tree method, but the Cluster archives with the plugin: every backup fails"
			}
			refuse("spec.method", method, message, fix)
		}
	case methodSnapshot:
		// Welcome beside base backups; judgeBase sees to it that there are some.
	default:
		refuse("spec.method", method, "is not a way to make a base backup", fix)
	}
}

// judgeBase: at most six hours lie between two base backups (CNPG-3.1).
func judgeBase(j *judge, c *cluster) {
	if len(c.archivers) == 0 {
		return // Already refused; nothing could be backed up to.
	}
	var best *document
	var tightest schedule.Schedule
	unreadable := false
	for _, d := range c.schedules {
		s, err := schedule.ParseCNPG(text(d.spec, "schedule"))
		switch {
		case err != nil:
			unreadable = true
		case text(d.spec, "method") == methodSnapshot:
		case best == nil || s.MaxGap() < tightest.MaxGap():
			best, tightest = d, s
		}
	}
	j.judgeTogether(c)
	switch {
	case best != nil:
		j.add(best, judgeGap("spec.schedule", text(best.spec, "schedule"), tightest))
	case unreadable: // Already refused.
	case len(c.schedules) > 0:
		j.refuse(c.schedules[0], "CNPG-3.1", "spec.method", methodSnapshot, "volume snapshots are no base backups in the locked bucket, and nothing else makes any: the archive cannot be recovered from",
			"add a ScheduledBackup with method: plugin")
	case j.options.Complete:
		j.refuse(c.document, "CNPG-3.1", "", "", "has no ScheduledBackup: without a base backup no archived WAL can be recovered", `add a ScheduledBackup with schedule: "0 0 */6 * * *"`)
	}
}

// judgeTogether: schedules that are moderate one by one do not bury the bucket together.
func (j *judge) judgeTogether(c *cluster) {
	sum, most := 0.0, float64(j.options.MaxRunsPerDay)+0.5
	for _, d := range c.schedules {
		s, err := schedule.ParseCNPG(text(d.spec, "schedule"))
		if err != nil || text(d.spec, "method") == methodSnapshot {
			continue
		}
		if s.RunsPerDay() > most {
			return // Already refused.
		}
		if sum += s.RunsPerDay(); sum > most {
			j.refuse(d, "CNPG-3.1", "spec.schedule", text(d.spec, "schedule"),
				"makes, together with the other schedules of "+c.String()+", "+strconv.FormatFloat(sum, 'f', 0, 64)+" full backups a day, the policy allows "+
					strconv.FormatInt(j.options.MaxRunsPerDay, 10)+undeletable(sum, j.lockDaysOf(c)), "keep one of them")
			return
		}
	}
}

// judgeGap: backups come often enough (CNPG-3.1).
func judgeGap(at, written string, s schedule.Schedule) Findings {
	gap := s.MaxGap()
	if gap <= MaxBackupGap {
		return nil
	}
	longest := schedule.Duration(gap)
	if longest == schedule.Duration(MaxBackupGap) {
		longest = gap.String() // A little more than six hours is not six hours.
	}
	return Findings{{Rule: "CNPG-3.1", Path: at, Value: written,
		Message: "leaves up to " + longest + " without a base backup, the contract allows 6 hours: recovery would replay all WAL of that time, and one damaged file costs the rest",
		Fix:     fixSchedule}}
}

// judgeRate: backups do not come so often that the locked bucket drowns in them (CNPG-3.1).
func judgeRate(at, written string, s schedule.Schedule, maxPerDay, lockDays int64) Findings {
	perDay := s.RunsPerDay()
	if maxPerDay <= 0 || perDay <= float64(maxPerDay)+0.5 {
		return nil
	}
	fix := "write " + strconv.Quote("0 0 */6 * * *") + " (every six hours), or up to " + strconv.FormatInt(maxPerDay, 10) + " runs a day"
	if meant, err := schedule.Parse(s.Cron); err == nil && meant.Cron != s.Cron && meant.MaxGap() <= MaxBackupGap && meant.RunsPerDay() <= float64(maxPerDay)+0.5 {
		fix = "CloudNativePG reads seconds first: write " + strconv.Quote(meant.Cron) + " for what five fields usually mean"
	}
	return Findings{{Rule: "CNPG-3.1", Path: at, Value: written,
		Message: "makes " + strconv.FormatFloat(perDay, 'f', 0, 64) + " full backups a day, the policy allows " + strconv.FormatInt(maxPerDay, 10) + undeletable(perDay, lockDays),
		Fix:     fix}}
}
