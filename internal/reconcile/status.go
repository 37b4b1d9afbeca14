package reconcile

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Condition is one condition of the composite resource and of the claim.
type Condition struct {
	Type, Reason, Message string
	// Status is "True", "False" or "Unknown".
	Status string
}

// The conditions, and their reasons. Both are public API: alerts and scripts read them.
const (
	// ContractSatisfied says whether the zero-data-loss contract holds, rule by rule.
	ContractSatisfied = "ContractSatisfied"
	// Protected says whether the three layers of CNPG-4 are in force.
	Protected = "Protected"
	// Recoverable says whether WAL arrives in the archive and a base backup lies before it: the one place where that is
	// decided.
	Recoverable = "Recoverable"
	// DatabaseReady says whether CloudNativePG calls the database ready.
	DatabaseReady = "DatabaseReady"

	ReasonRefused          = "Refused"
	ReasonSatisfied        = "Satisfied"
	ReasonWaived           = "SatisfiedWithWaivers"
	ReasonPending          = "Pending"
	ReasonViolated         = "Violated"
	ReasonWaiting          = "WaitingForProtection"
	ReasonNotRecoverable   = "NoBaseBackupYet"
	ReasonCatalogueEmpty   = "CatalogueEmpty"
	ReasonArchivingFailing = "ArchivingFailing"
	ReasonNoArchiver       = "NoArchiver"
	ReasonElsewhere        = "ArchivesElsewhere"
	ReasonGap              = "NoBaseBackupSinceGap"
	ReasonReady            = "ClusterReady"
	ReasonNotReady         = "ClusterNotReady"
	ReasonHibernated       = "Hibernated"
	ReasonDeleting         = "ClusterDeleting"
	ReasonDeleted          = "ClusterDeleted"
)

// maxConditionMessage bounds a condition's message; the API server allows 32 KiB, and people read the beginning.
const maxConditionMessage = 16384

// protectionRules are the rules behind the three layers, and behind the time they must hold.
var protectionRules = map[string]bool{"CNPG-4.1": true, "CNPG-4.2": true, "CNPG-4.3": true, "ZDL-01": true, "ZDL-02": true, "ZDL-03": true}

func (s *state) conditions(verdicts []contract.RuleVerdict) []Condition {
	return []Condition{s.contractSatisfied(verdicts), s.protected(verdicts), s.recoverability(), s.databaseCondition()}
}

func (s *state) contractSatisfied(verdicts []contract.RuleVerdict) Condition {
	c := Condition{Type: ContractSatisfied, Status: "True", Reason: ReasonSatisfied, Message: "every rule holds as observed"}
	switch contract.Overall(verdicts) {
	case contract.Violated:
		c.Status, c.Reason, c.Message = "False", ReasonViolated, told(verdicts, contract.Violated)
	case contract.Pending:
		c.Status, c.Reason, c.Message = "Unknown", ReasonPending, told(verdicts, contract.Pending)
	case contract.Waived:
		c.Reason, c.Message = ReasonWaived, told(verdicts, contract.Waived)
	case contract.Satisfied:
	}
	return c
}

func (s *state) protected(all []contract.RuleVerdict) Condition {
	var verdicts []contract.RuleVerdict
	for _, v := range all {
		if protectionRules[v.ID] {
			verdicts = append(verdicts, v)
		}
	}
	c := Condition{Type: Protected, Status: "True", Reason: ReasonSatisfied, Message: "deletion orphans, volumes are retained, backups are locked"}
	switch contract.Overall(verdicts) {
	case contract.Violated:
		c.Status, c.Reason, c.Message = "False", ReasonViolated, told(verdicts, contract.Violated)
	case contract.Pending:
		c.Status, c.Reason, c.Message = "False", ReasonWaiting, told(verdicts, contract.Pending)
	case contract.Waived:
		c.Reason, c.Message = ReasonWaived, told(verdicts, contract.Waived)
	case contract.Satisfied:
	}
	return c
}

func (s *state) recoverability() Condition {
	c := Condition{Type: Recoverable, Status: "False", Reason: ReasonWaiting}
	live := s.identity.cluster
	switch {
	case s.identity.deleted:
		c.Reason, c.Message = ReasonDeleted, "the database is gone and archives nothing; DatabaseReady says how its archive is brought back"
		if gap := s.gap(); gap != "" {
			c.Message += ", up to where WAL was archived nowhere for a while, some time after the base backup of " + gap
		}
	case live == nil:
		c.Message = "the database does not exist yet"
	case live.DeletingSince != "":
		c.Reason, c.Message = ReasonDeleting, "the Cluster is being deleted, and its archiving ends with it; DatabaseReady says what becomes of it"
	case live.Unarchived() != "":
		c.Reason, c.Message = ReasonNoArchiver, "the living Cluster archives nothing, whatever CloudNativePG says: "+live.Unarchived()+"; what is written now cannot be recovered"
	case s.elsewhere() != "":
		c.Reason, c.Message = ReasonElsewhere, s.parted()+"; what is written now can be recovered once a base backup has succeeded in the folder its WAL goes into"
	case live.Archiving == "False":
		c.Reason, c.Message = ReasonArchivingFailing, "WAL is not archived: "+contract.Clip(live.ArchivingMessage, 512)
		if s.observed.Window.RecoverableSince == "" && strings.Contains(live.ArchivingMessage, "check-wal-archive") {
			c.Message += fmt.Sprintf("; if %s%s is not empty, an earlier database has archived there: commit a claim of another name, with spec.bootstrap.recovery to bring the earlier one back",
				s.destination(), s.place.ServerName)
		}
	case s.observed.ArchiveUnknown:
		c.Status, c.Message = "Unknown", "the archive has not been looked up yet"
	case s.observed.Window.RecoverableSince == "" && live.LastBackup == "True":
		c.Reason, c.Message = ReasonCatalogueEmpty, "a base backup has succeeded and the archive's catalogue shows none: it has not been read yet, or backups were removed or hidden; see the runbook of PostgresRecoveryWindowShrunk"
	case s.observed.Window.RecoverableSince == "":
		c.Reason, c.Message = ReasonNotRecoverable, "no base backup has been finished yet; "+s.firstBackup()
	case live.Archiving != "True":
		c.Reason, c.Message = ReasonNotRecoverable, "no WAL has been archived yet"
	case s.gap() != "":
		c.Reason, c.Message = ReasonGap, "WAL was archived nowhere for a while: what has been written since can be recovered once a base backup newer than "+s.gap()+" has succeeded"
	default:
		c.Status, c.Reason = "True", Recoverable
		c.Message = fmt.Sprintf("base backups and WAL are in %s%s; status.backup says since when", s.destination(), s.place.ServerName)
	}
	return c
}

// parted says what has become of an archive whose WAL goes elsewhere, "" where it does not.
func (s *state) parted() string {
	at := s.elsewhere()
	if at == "" {
		return ""
	}
	return fmt.Sprintf("somebody has edited serverName on the living Cluster: its WAL goes to %s%s, and its newest base backup lies in another folder", s.destination(), at)
}

// firstBackup says when the first base backup comes. CloudNativePG makes one at once for a schedule it has never looked at,
// and only then: not for that of an earlier life, which stays when its Cluster goes.
func (s *state) firstBackup() string {
	if s.identity.cluster.BackingUpSince != "" {
		return "the first one is running"
	}
	begun := func(t manifest.Tree) string { return manifest.String(t, "metadata", "creationTimestamp") }
	schedule, _ := s.look(hardened.ScheduledBackup, askSchedule)
	if schedule != nil && manifest.String(schedule, "status", "lastCheckTime") != "" {
		if old, made := begun(schedule), begun(s.identity.tree); old != made && newest(old, made) == made {
			return "its schedule is older than the database and makes the first one when it is next due: take one by hand now, as docs/recover.md says"
		}
	}
	return "the first one starts with the database"
}

// gap is the newest base backup of when WAL was last seen to be archived nowhere, "" once there is a newer one, from which
// on WAL is complete: neither the plugin's coming back nor archive_mode's lets a backup live that began before. The
// composite's status remembers it, and not a condition, which any call that fails overwrites. A new composite remembers
// nothing, and knows only what it sees.
func (s *state) gap() string {
	live, last := s.identity.cluster, s.observed.Window.LastBackup
	before := manifest.String(s.in.Composite, "status", "backup", "gapAfter")
	switch {
	case live != nil && (live.Unarchived() != "" || s.elsewhere() != ""):
		return newest(last, before)
	case newest(last, before) != before:
		return ""
	}
	return before
}

// reachedBack is how far back the base backups of this incarnation reached before some of them went before their time: they
// were removed, or hidden. "" while they reach as far as they have to: a database is as old as it is, and what is older than
// the retention is removed rightly. The composite's status remembers it, as it does the gap.
func (s *state) reachedBack() string {
	was := func(field string) string { return manifest.String(s.in.Composite, "status", "backup", field) }
	before, since := cmp.Or(was("reachedBackTo"), was("recoverableSince")), s.observed.Window.RecoverableSince
	kept := time.Duration(s.terms.RetentionDays) * 24 * time.Hour
	due := s.in.Now.Add(s.terms.Schedule.MaxGap() - kept).UTC().Format(time.RFC3339) // What ended before may go.
	switch {
	case s.identity.cluster == nil, was("serverName") != s.place.ServerName:
		return "" // There is none, or it has another life's archive.
	case since == "":
		return before // None is seen at all: what is seen next is held against it.
	case newest(since, before) == before, !s.in.Now.IsZero() && newest(since, due) == due:
		return ""
	}
	return before
}

// newest is the later of two moments that Kubernetes reports, or the only one there is.
func newest(a, b string) string {
	at, err := time.Parse(time.RFC3339, a)
	if other, unknown := time.Parse(time.RFC3339, b); err != nil || unknown == nil && !at.After(other) {
		return b
	}
	return a
}

func (s *state) databaseCondition() Condition {
	c := Condition{Type: DatabaseReady, Status: "False"}
	live := s.identity.cluster
	switch {
	case s.identity.deleted && s.neverMade():
		c.Reason = ReasonDeleted
		c.Message = "the Cluster was deleted outside Git before any data had been in it. Delete this claim, and ScheduledBackup " + s.claim.Name +
			", which would tell of a life; then commit it again"
	case s.identity.deleted:
		c.Reason = ReasonDeleted
		c.Message = fmt.Sprintf("the Cluster was deleted outside Git. It is not made again, because it would come back empty over a full archive. "+
			"Delete this claim and commit it again with %s; the volumes of the old one are retained", s.wayBack())
	case live == nil && len(s.wait.before()) > 0:
		c.Reason, c.Message = ReasonWaiting, "waiting for "+strings.Join(s.wait.before(), "; ")
	case live == nil:
		c.Reason, c.Message = ReasonNotReady, "the Cluster is being made"+s.reason(hardened.Cluster)
	case live.DeletingSince != "":
		c.Reason = ReasonDeleting
		c.Message = fmt.Sprintf("somebody deleted the Cluster outside Git at %s, and nothing takes that back: it stops, and is not made again. Its volumes and its archive stay. "+
			"Once it is gone, delete this claim and commit it again", live.DeletingSince)
		if !s.neverMade() {
			c.Message += " with " + s.wayBack()
		}
	case live.Hibernated:
		c.Reason, c.Message = ReasonHibernated, "the database was hibernated by hand: remove the annotation cnpg.io/hibernation from the Cluster"
	case live.ReadyCondition == "True":
		c.Status, c.Reason, c.Message = "True", ReasonReady, fmt.Sprintf("%d of %d instances are ready", live.Ready, live.Instances)
	default:
		c.Reason, c.Message = ReasonNotReady, fmt.Sprintf("%d of %d instances are ready; CloudNativePG says: %s", live.Ready, live.Instances, live.Phase)
		if live.PhaseReason != "" {
			c.Message += fmt.Sprintf(" (%s)", contract.Clip(live.PhaseReason, maxStatusText))
		}
		c.Message += s.reason(hardened.Cluster)
	}
	c.Message = contract.Clip(c.Message, maxConditionMessage)
	return c
}

// wayBack is what brings back a database that is gone. Nothing outlives the in-tree method's Cluster that knows its
// archive, and a policy with that method does not read what the plugin's has left. Once the claim is deleted nothing is left
// that says where the archive lies: all of it is said here.
func (s *state) wayBack() string {
	last := s.last()
	if last == nil || last.Method != "inTree" && hardened.Plugin(s.policy) {
		return fmt.Sprintf("spec.bootstrap.recovery: {source: %s}%s", s.claim.Name, s.lostNames())
	}
	return stating(s.destination(), s.place.ServerName, fmt.Sprintf("version: %q, database: %s, owner: %s",
		strconv.FormatInt(last.Major, 10), cmp.Or(last.Database, s.claim.Spec.Database), cmp.Or(last.Owner, s.claim.Spec.Owner)))
}

// lostNames are the names of the database that is gone: nothing will know them once the claim is deleted.
func (s *state) lostNames() string {
	database, owner := s.claim.Spec.Database, s.claim.Spec.Owner
	if last := s.last(); last != nil {
		database, owner = cmp.Or(last.Database, database), cmp.Or(last.Owner, owner)
	}
	if database == "" || owner == "" {
		return ""
	}
	return fmt.Sprintf(", spec.database: %s and spec.owner: %s", database, owner)
}

// neverMade says whether a Cluster that is gone went before its first instance ran: nothing has ever been in it.
func (s *state) neverMade() bool {
	last := s.last()
	return last != nil && last.Unmade && s.archive.Windows[s.place.ServerName].RecoverableSince == ""
}

// refusedConditions are the conditions of a call that refuses. All of them are set: a condition that is missing from a
// failed call turns Unknown.
func (s *state) refusedConditions(refused contract.Findings) []Condition {
	verdict := Condition{Type: ContractSatisfied, Status: "False", Reason: ReasonRefused, Message: Refusal(refused)}
	unchanged := "the claim is refused, see ContractSatisfied; whatever exists is left as it is"
	if s.claim == nil || s.policy == nil {
		return []Condition{
			verdict,
			{Type: Protected, Status: "Unknown", Reason: ReasonRefused, Message: unchanged},
			{Type: Recoverable, Status: "Unknown", Reason: ReasonRefused, Message: unchanged},
			{Type: DatabaseReady, Status: "Unknown", Reason: ReasonRefused, Message: unchanged},
		}
	}
	protected := Condition{Type: Protected, Status: "Unknown", Reason: ReasonRefused, Message: unchanged}
	switch {
	case s.identity.cluster != nil || s.identity.deleted:
		return []Condition{verdict, protected, s.recoverability(), s.databaseCondition()}
	case s.identity.composed: // It may live, and nobody knows whether it is this claim's.
		return []Condition{
			verdict, protected,
			{Type: Recoverable, Status: "Unknown", Reason: ReasonRefused, Message: unchanged},
			{Type: DatabaseReady, Status: "Unknown", Reason: ReasonRefused, Message: unchanged},
		}
	default:
		return []Condition{
			verdict, protected,
			{Type: Recoverable, Status: "False", Reason: ReasonRefused, Message: "the claim is refused and no database has been made of it"},
			{Type: DatabaseReady, Status: "False", Reason: ReasonRefused, Message: "the claim is refused and no database has been made of it"},
		}
	}
}

// Refusal is the one text of a refusal: every violation, one a line, bounded.
func Refusal(refused contract.Findings) string {
	return contract.Clip(refused.String(), maxConditionMessage)
}

// told lists the rules with a verdict and why; rules with the same reason share it.
func told(verdicts []contract.RuleVerdict, which contract.Verdict) string {
	var reasons []string
	rules := map[string][]string{}
	for _, v := range verdicts {
		if v.Verdict != which {
			continue
		}
		if rules[v.Message] == nil {
			reasons = append(reasons, v.Message)
		}
		rules[v.Message] = append(rules[v.Message], v.ID)
	}
	for i, reason := range reasons {
		reasons[i] = strings.Join(rules[reason], ", ") + ": " + reason
	}
	return contract.Clip(strings.Join(reasons, "; "), maxConditionMessage)
}

// maxStatusText bounds what status quotes of others' words.
const maxStatusText = 1024

// status is what is, rebuilt on every call.
func (s *state) status(verdicts []contract.RuleVerdict, bootstrap *v1alpha1.BootstrapStatus) *v1alpha1.Status {
	c := s.claim
	if bootstrap != nil {
		bootstrap.Message = contract.Clip(bootstrap.Message, maxStatusText)
	}
	out := &v1alpha1.Status{
		Database:   c.Spec.Database,
		Owner:      c.Spec.Owner,
		SecretName: c.Spec.Connection.SecretName,
		Bootstrap:  bootstrap,
		Backup: &v1alpha1.BackupStatus{
			Bucket: s.place.Bucket, Path: s.place.Path, ServerName: s.place.ServerName,
			LockDays: s.observed.Bucket.LockDays, RetentionDays: s.terms.RetentionDays, Schedule: s.terms.Schedule.Cron,
			RecoverableSince: s.observed.Window.RecoverableSince, LastBackup: s.observed.Window.LastBackup,
			GapAfter: s.gap(), ReachedBackTo: s.reachedBack(),
		},
		Contract: &v1alpha1.ContractStatus{Verdict: string(contract.Overall(verdicts))},
	}
	for _, v := range verdicts {
		out.Contract.Rules = append(out.Contract.Rules, v1alpha1.RuleVerdict{ID: v.ID, Verdict: string(v.Verdict), Message: v.Message})
	}
	if live := s.identity.cluster; live != nil {
		host := func(service string) string { return service + "." + c.Namespace + ".svc" }
		out.Database, out.Owner = live.Database, live.Owner
		out.Version = strconv.FormatInt(live.Major, 10)
		out.Image = live.Image
		out.Instances = fmt.Sprintf("%d/%d", live.Ready, live.Instances)
		out.Phase = contract.Clip(live.Phase, maxStatusText)
		out.Endpoints = &v1alpha1.Endpoints{ReadWrite: host(c.Name + "-rw"), ReadOnly: host(c.Name + "-ro"), Port: 5432}
	}
	return out
}
