package bootstrap

import (
	"fmt"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// settling is how long after a moment its WAL is sure to be archived: twice the archive timeout. A recovery whose
// target lies behind the end of the archive fails for good.
const settling = 10 * time.Minute

// target is CloudNativePG's recoveryTarget.
func target(r *v1alpha1.Recovery) map[string]any {
	out := map[string]any{}
	for name, value := range map[string]string{
		"targetLSN": r.TargetLSN, "targetXID": r.TargetXID, "targetName": r.TargetName, "backupID": r.BackupID,
	} {
		if value != "" {
			out[name] = value
		}
	}
	if at, ok := moment(r.TargetTime); ok {
		// In UTC, so that neither the server's time zone nor a reader's matters.
		out["targetTime"] = at.UTC().Format("2006-01-02T15:04:05.999999Z07:00")
	}
	if r.TargetImmediate {
		out["targetImmediate"] = true
	}
	if r.Exclusive {
		out["exclusive"] = true
	}
	return out
}

// describe is the target in words.
func describe(r *v1alpha1.Recovery) string {
	side := "just after"
	if r.Exclusive {
		side = "just before"
	}
	switch {
	case r.TargetTime != "":
		return side + " " + fmt.Sprint(target(r)["targetTime"])
	case r.TargetLSN != "":
		return side + " WAL location " + r.TargetLSN
	case r.TargetXID != "":
		return side + " transaction " + r.TargetXID
	case r.TargetName != "":
		return "the restore point " + r.TargetName
	case r.TargetImmediate:
		return "the end of base backup " + r.BackupID
	}
	return "the end of its archive"
}

// timeLayouts are the ways a time with a zone is written.
var timeLayouts = []string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999Z0700",
}

func moment(text string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, strings.ToUpper(text)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// judgeWindow judges the target against what can be recovered.
func (m *maker) judgeWindow(r *v1alpha1.Recovery, s source, at location) {
	if at.known && at.window.RecoverableSince == "" && s.cluster != nil && s.stated == nil {
		m.waitForf("the first base backup of %s: there is nothing to recover from yet", s.name)
	}
	wanted, ok := moment(r.TargetTime)
	if !ok {
		return
	}
	if since, err := time.Parse(time.RFC3339, at.window.RecoverableSince); err == nil && wanted.Before(since) {
		m.refuse("CNPG-2.4", pathRecovery+".targetTime", r.TargetTime,
			fmt.Sprintf("lies before the recovery window of %s, which begins at %s: no base backup from before it is left", at.server, at.window.RecoverableSince),
			"write a later moment; older versions of deleted backups may still be in the bucket, see docs/recover.md")
	}
	switch {
	case m.now.IsZero():
	case wanted.After(m.now):
		m.refuse("CNPG-2.4", pathRecovery+".targetTime", r.TargetTime,
			"lies in the future: recovery would reach the end of the archive, not find it, and fail for good",
			"write a moment that has passed, or leave the target out to recover everything")
	case s.cluster != nil && wanted.Add(settling).After(m.now) && !covered(wanted, at.window):
		m.waitForf("%s, when all WAL of the target is sure to be archived", wanted.Add(settling).UTC().Format(time.RFC3339))
	}
}

// judgeEnd waits while a living source's WAL does not arrive: the end of its archive lies before what it has committed
// since, and a recovery to there succeeds without a word. Of a source that is gone no more will come.
func (m *maker) judgeEnd(r *v1alpha1.Recovery, s source) {
	stop := target(r)
	delete(stop, "backupID") // It says where a recovery begins.
	if s.cluster == nil || len(stop) > 0 {
		return
	}
	trouble := s.cluster.Unarchived()
	if trouble == "" && s.cluster.Archiving == "False" {
		trouble = "WAL is not archived: " + contract.Clip(s.cluster.ArchivingMessage, 512)
	}
	if trouble != "" {
		m.waitForf("%s to archive again (%s): what it has written since is not in its archive, and without a target all of it is wanted. "+
			"Repair its archiving, or name a target from before the outage (%s.targetTime), or copy the live database instead (spec.bootstrap.import: {source: %s})",
			s.name, trouble, pathRecovery, s.name)
	}
}

// covered says whether a base backup was finished after a moment: all WAL up to it is archived then.
func covered(wanted time.Time, w world.Window) bool {
	last, err := time.Parse(time.RFC3339, w.LastBackup)
	return err == nil && !wanted.After(last)
}

// ownArchive is this claim's own archive, as its Object or the answer shows it.
func (m *maker) ownArchive() (a world.Archive, known bool) {
	if t, ok := m.view.Wrapped("object-store"); ok {
		return world.ArchiveOf(t), true
	}
	t, answered := m.view.Answer(AskOwnArchive)
	if t != nil {
		return world.ArchiveOf(t), true
	}
	return world.Archive{}, answered
}
