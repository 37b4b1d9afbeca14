package contract

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/schedule"
)

// JudgeClaim judges everything that claim and policy decide between them, without a look at the world. The claim's
// shape has been judged by its schema; what the schema also says is repeated only where it carries a promise.
func JudgeClaim(a Asked, p *v1beta1.Policy) Findings {
	j := &claimJudge{Asked: a, policy: p}
	for _, rule := range claimRules {
		rule(j)
	}
	object := v1alpha1.Kind + " " + a.Namespace + "/" + a.Name
	for i := range j.found {
		j.found[i].Object = object
	}
	return j.found.Sort()
}

// claimRules judge one aspect of a claim each.
var claimRules = []func(*claimJudge){
	(*claimJudge).instances, (*claimJudge).schedule, (*claimJudge).retention, (*claimJudge).lock,
	(*claimJudge).size, (*claimJudge).image, (*claimJudge).resources, (*claimJudge).parameters, (*claimJudge).volumes,
	(*claimJudge).login, (*claimJudge).bootstrap, (*claimJudge).upgrade,
}

type claimJudge struct {
	Asked
	policy *v1beta1.Policy
	found  Findings
}

func (j *claimJudge) refuse(rule, path, value, message, fix string) {
	j.found = append(j.found, Finding{Rule: rule, Path: path, Value: shorten(value), Message: message, Fix: fix})
}

// instances: CNPG-1.1.
func (j *claimJudge) instances() {
	if n := j.Spec.Instances; n != 0 && n < MinInstances {
		j.refuse("CNPG-1.1", "spec.instances", strconv.FormatInt(n, 10), tooFewInstances, "leave instances out or write 3 or more")
	}
}

// asked are the claim's own wishes for its backups; the zero value where it has none.
func (j *claimJudge) asked() v1alpha1.Backup {
	if j.Spec.Backup == nil {
		return v1alpha1.Backup{}
	}
	return *j.Spec.Backup
}

// schedule: CNPG-3.1, and ZDL-14 where the claim asks for fewer backups than the platform makes.
func (j *claimJudge) schedule() {
	const at = "spec.backup.schedule"
	written := j.asked().Schedule
	if written == "" {
		return // The policy's own, judged with the policy.
	}
	found := judgeSchedule(at, written, j.Schedule, j.policy.Backup.MaxRunsPerDay, j.LockDays)
	j.found = append(j.found, found...)
	if len(found) > 0 {
		return
	}
	if theirs, err := schedule.Parse(j.policy.Backup.Schedule); err == nil && j.Schedule.MaxGap() > theirs.MaxGap() {
		j.refuse("ZDL-14", at, written,
			fmt.Sprintf("leaves up to %s without a base backup, the platform's policy allows %s: a claim can ask for more safety, not for less", schedule.Duration(j.Schedule.MaxGap()), schedule.Duration(theirs.MaxGap())),
			fmt.Sprintf("remove it, or write a schedule at least as dense as %q", j.policy.Backup.Schedule))
	}
}

// retention: CNPG-3.2, and ZDL-14 below the platform's.
func (j *claimJudge) retention() {
	days := j.asked().RetentionDays
	const at = "spec.backup.retentionDays"
	switch {
	case days == 0:
	case days < MinRetentionDays:
		j.refuse("CNPG-3.2", at, strconv.FormatInt(days, 10), "is below the contract's 30 days: what retention removes cannot be recovered to", "write 30 or more")
	case days < j.policy.Backup.RetentionDays:
		j.lessThan(at, days, j.policy.Backup.RetentionDays)
	}
}

// lock: ZDL-01, with the platform's upper bound, and ZDL-14 below the platform's lock.
func (j *claimJudge) lock() {
	days := j.asked().LockDays
	const at = "spec.backup.lockDays"
	switch most := j.policy.Bucket.MaxLockDays; {
	case days == 0 && j.asked().RetentionDays != 0 && most > 0 && j.LockDays > most:
		j.refuse("ZDL-01", "spec.backup.retentionDays", strconv.FormatInt(j.asked().RetentionDays, 10),
			fmt.Sprintf("needs a lock of %d days, the platform allows %d: nobody can undo a COMPLIANCE lock, and the bill runs until it ends", j.LockDays, most),
			"ask for fewer days, or the platform for a higher bucket.maxLockDays")
	case days == 0:
	case days < j.policy.Bucket.LockDays:
		j.lessThan(at, days, j.policy.Bucket.LockDays)
	default:
		j.found = append(j.found, judgeLock(at, days, max(j.RetentionDays, MinRetentionDays), most, j.Schedule)...)
	}
}

func (j *claimJudge) lessThan(at string, asked, policy int64) {
	j.refuse("ZDL-14", at, strconv.FormatInt(asked, 10), fmt.Sprintf("is less than the platform's %d: a claim can ask for more safety, not for less", policy),
		fmt.Sprintf("remove it, or write %d or more", policy))
}

// size must be one of the platform's.
func (j *claimJudge) size() {
	if _, known := j.policy.Sizes[j.Spec.Size]; !known {
		j.refuse("API-1", "spec.size", j.Spec.Size, "is not a size of this platform", "write one of "+strings.Join(sortedKeys(j.policy.Sizes), ", "))
	}
}

// image: the platform pins which PostgreSQL runs (ZDL-11).
func (j *claimJudge) image() {
	set, known := j.policy.Images[j.Spec.Version]
	switch variant := j.Spec.Image; {
	case !known:
		j.refuse("ZDL-11", "spec.version", j.Spec.Version, "has no image in the platform's catalogue", "write one of "+strings.Join(sortedKeys(j.policy.Images), ", "))
	case variant != "" && set.Variants[variant] == "":
		fix := "remove it; the platform has only its default image for this version"
		if len(set.Variants) > 0 {
			fix = "write one of " + strings.Join(sortedKeys(set.Variants), ", ") + ", or leave it out"
		}
		j.refuse("ZDL-11", "spec.image", variant, "is not in the platform's catalogue for PostgreSQL "+j.Spec.Version, fix)
	}
}

// minMemory is what PostgreSQL, the operator's instance manager and the archiver start with.
const minMemory = 256 << 20

// resources must be such that Kubernetes takes the pods and PostgreSQL starts in them.
func (j *claimJudge) resources() {
	size := j.policy.Sizes[j.Spec.Size]
	requests, limits := size.Requests, size.Limits
	at := map[string]string{}
	if r := j.Spec.Resources; r != nil {
		override(&requests, r.Requests, at, "spec.resources.requests")
		override(&limits, r.Limits, at, "spec.resources.limits")
	}
	if len(at) == 0 {
		return
	}
	for _, what := range []struct{ name, request, limit string }{{"cpu", requests.CPU, limits.CPU}, {"memory", requests.Memory, limits.Memory}} {
		request, _ := quantity(what.request)
		limit, limited := quantity(what.limit)
		if what.limit == "" || !limited || request <= limit {
			continue
		}
		// Told where the claim wrote something: the other side may be the size's.
		path, value := at["spec.resources.limits."+what.name], what.limit
		message := fmt.Sprintf("is below the request of %s: Kubernetes refuses the pods", what.request)
		fix := fmt.Sprintf("write %q or more", what.request)
		if path == "" {
			path, value = at["spec.resources.requests."+what.name], what.request
			message = fmt.Sprintf("is above the limit of %s that comes with size %s: Kubernetes refuses the pods", what.limit, j.Spec.Size)
			fix = "write spec.resources.limits." + what.name + " too, or choose a larger size"
		}
		if path == "" {
			continue // The size's own contradiction, judged with the policy.
		}
		j.refuse("API-1", path, value, message, fix)
	}
	memory, told := limits.Memory, "spec.resources.limits.memory"
	if at[told] == "" {
		memory, told = requests.Memory, "spec.resources.requests.memory"
	}
	if n, ok := quantity(memory); ok && at[told] != "" && n < minMemory {
		j.refuse("API-1", told, memory, "is too little for PostgreSQL to start in", `write "256Mi" or more`)
	}
}

func override(q *v1beta1.Quantities, with *v1alpha1.Quantities, at map[string]string, path string) {
	if with == nil {
		return
	}
	if with.CPU != "" {
		q.CPU, at[path+".cpu"] = with.CPU, path+".cpu"
	}
	if with.Memory != "" {
		q.Memory, at[path+".memory"] = with.Memory, path+".memory"
	}
}

// parameters: ZDL-09 and CNPG-1.2.
func (j *claimJudge) parameters() {
	j.found = append(j.found, JudgeParameters("spec.parameters", j.Spec.Parameters)...)
	for _, name := range sortedKeys(j.Spec.Parameters) {
		if looksSecret(j.Spec.Parameters[name]) {
			j.refuse("ZDL-12", "spec.parameters."+name, "", "contains what looks like a key in plain sight", "remove it, and rotate what was exposed")
		}
	}
	if len(j.Spec.Parameters) == 0 {
		return
	}
	if value := j.parameter("shared_buffers"); value != "" {
		requests := j.policy.Sizes[j.Spec.Size].Requests
		if r := j.Spec.Resources; r != nil {
			override(&requests, r.Requests, map[string]string{}, "")
		}
		memory, ok := quantity(requests.Memory)
		if asked, readable := postgresBytes(value, 8<<10); ok && readable && memory > 0 && asked > memory {
			j.refuse("API-1", "spec.parameters.shared_buffers", value, "is more than the instance's memory of "+requests.Memory+": CloudNativePG refuses the Cluster", "write a quarter of the memory")
		}
	}
	volume, which := j.Spec.StorageGB, "storageGB"
	if j.Spec.WALStorageGB > 0 {
		volume, which = j.Spec.WALStorageGB, "walStorageGB"
	}
	if value := j.parameter("max_wal_size"); value != "" && volume > 0 {
		if asked, readable := postgresBytes(value, 1<<20); readable && asked > float64(volume)*(1<<30) {
			j.refuse("API-1", "spec.parameters.max_wal_size", value, fmt.Sprintf("is more than the volume it lies on (%s: %d): WAL fills it and the database stops", which, volume), "write a third of the volume or less")
		}
	}
}

func (j *claimJudge) parameter(name string) string {
	for written, value := range j.Spec.Parameters {
		if strings.EqualFold(strings.TrimSpace(written), name) {
			return value
		}
	}
	return ""
}

// volumes cannot be below what the schema allows; repeated for claims that come past it.
func (j *claimJudge) volumes() {
	if n := j.Spec.StorageGB; n != 0 && n < 1 {
		j.refuse("API-1", "spec.storageGB", strconv.FormatInt(n, 10), "is no size for a volume", "write 10 or more")
	}
	if n := j.Spec.WALStorageGB; n < 0 {
		j.refuse("API-1", "spec.walStorageGB", strconv.FormatInt(n, 10), "is no size for a volume", "write 5 or more")
	}
}

// PostgreSQL's and CloudNativePG's own databases and roles.
var (
	ownDatabases = []string{"postgres", "template0", "template1"}
	ownRoles     = []string{"postgres", "streaming_replica", "cnpg_pooler_pgbouncer", "cnpg_metrics_exporter"}
)

// login: applications do not log in as one of PostgreSQL's own.
func (j *claimJudge) login() {
	if slices.Contains(ownDatabases, j.Spec.Database) {
		j.refuse("API-1", "spec.database", j.Spec.Database, "is PostgreSQL's own database", "choose another name")
	}
	if owner := j.Spec.Owner; slices.Contains(ownRoles, owner) || strings.HasPrefix(owner, "pg_") {
		j.refuse("API-1", "spec.owner", owner, "is a role of PostgreSQL or CloudNativePG itself: applications would log in with its rights", "choose another name")
	}
}

// bootstrap: the first data comes from exactly one place, named without doubt (CNPG-2.4). A recovery from this claim itself is
// how a lost database comes back: it archives as a new incarnation (ZDL-05).
func (j *claimJudge) bootstrap() {
	b := j.Spec.Bootstrap
	if b == nil {
		return
	}
	if (b.Recovery == nil) == (b.ImportFrom == nil) {
		j.refuse("API-1", "spec.bootstrap", "", "needs exactly one of recovery and import: a database starts from one place", "keep one of them")
	}
	if i := b.ImportFrom; i != nil && i.Source == j.Name {
		j.refuse("CNPG-2.4", "spec.bootstrap.import.source", i.Source, "is this claim itself: there is nothing to copy", "name another claim")
	}
	if b.Recovery != nil {
		j.recovery(b.Recovery)
	}
}

func (j *claimJudge) recovery(r *v1alpha1.Recovery) {
	const at = "spec.bootstrap.recovery"
	// A source of the claim's own name is fine: a lost database is brought back from its archive, into another folder.
	if r.Source == "" && r.Archive == nil {
		j.refuse("CNPG-2.4", at, "", "names neither a source nor its archive: nobody knows what to restore", "write source: <claim>")
	}
	targets := map[string]bool{
		"targetTime": r.TargetTime != "", "targetLSN": r.TargetLSN != "", "targetXID": r.TargetXID != "", "targetName": r.TargetName != "", "targetImmediate": r.TargetImmediate,
	}
	maps.DeleteFunc(targets, func(_ string, asked bool) bool { return !asked })
	names := sortedKeys(targets)
	if len(names) > 1 {
		j.refuse("API-1", at, "", "has more than one target ("+strings.Join(names, ", ")+"): PostgreSQL stops at one place", "keep one of them")
		return
	}
	for _, name := range names {
		if (name == "targetXID" || name == "targetName" || name == "targetImmediate") && r.BackupID == "" {
			j.refuse("CNPG-2.4", at+"."+name, "", "does not tell which base backup it follows: CloudNativePG refuses the recovery", "write backupID, of the newest base backup before it: docs/recover.md has the command that lists them")
		}
	}
	if r.Exclusive && (len(names) == 0 || r.TargetImmediate) {
		j.refuse("API-1", at+".exclusive", "true", "has no meaning without a point to stop before", "write a target, or remove it")
	}
	if r.TargetTime != "" {
		if _, ok := targetTime(r.TargetTime); !ok {
			j.refuse("CNPG-2.4", at+".targetTime", r.TargetTime, "does not exist: no calendar has that day or hour, or no place that time zone", `write it like "2026-11-20T10:00:00Z"`)
		}
	}
	if a := r.Archive; a != nil {
		j.archive(at+".archive", a)
	}
}

// archive: a place that is no place fails the restore, after everything else has been made.
func (j *claimJudge) archive(at string, a *v1alpha1.Archive) {
	if strings.Contains(a.Bucket, ":") {
		j.refuse("CNPG-2.4", at+".bucket", a.Bucket, "is not the name of a bucket: the restore would look where nothing is", "write the name alone, without s3://, and the folders below it in path and serverName")
	}
	if strings.HasPrefix(a.Path, "/") || slices.Contains(strings.Split(a.Path, "/"), "..") {
		j.refuse("CNPG-2.4", at+".path", a.Path, "is not a path inside a bucket", `write it like "shop/orders"`)
	}
}

// targetTime reads what the API's pattern lets through.
func targetTime(written string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999Z0700"} {
		if t, err := time.Parse(layout, strings.ToUpper(written)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// upgrade says how a recovery crosses majors; without one it says nothing.
func (j *claimJudge) upgrade() {
	if j.Spec.Upgrade != nil && (j.Spec.Bootstrap == nil || j.Spec.Bootstrap.Recovery == nil) {
		j.refuse("API-1", "spec.upgrade", "", "has no meaning without bootstrap.recovery: there is no source to take over", "remove it, or write bootstrap.recovery.source")
	}
}
