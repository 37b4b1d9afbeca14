package alerts

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

// orders is the database of every scenario: busy, with a volume for WAL.
var orders = cluster{namespace: "shop", name: "orders", claim: "orders-db", wal: true, busy: true}

func (c cluster) target() alerts.Target {
	return alerts.Target{
		Namespace: c.namespace, Cluster: c.name,
		ClaimNamespace: c.namespace, ClaimName: c.claim,
		Instances: instances, Method: c.method, ServerName: c.name + "-1",
		MaxBackupGap:  6 * time.Hour,
		RetentionDays: 30, LockDays: 37, HasWALVolume: c.wal,
		CredentialsExternalSecret: c.name + "-s3",
		RunbookBase:               "https://example.org/runbooks",
	}
}

// scenario is one story and the exact times at which alerts fire in it.
type scenario struct {
	reason  string
	cluster cluster              // orders when empty
	target  func(*alerts.Target) // what differs from its target
	happens func(cluster, world) // what differs from a healthy world
	length  time.Duration        // 3 h when zero
	step    time.Duration        // scrape and evaluation interval, 30 s when zero
	want    []string             // exact, in order of time and name
	reads   []read               // what recording rules say in it
	says    map[string]string    // alert to a part of its description when it begins to fire
}

// read is the value of a series at some time: "none" where it is absent.
type read struct {
	at     time.Duration
	series string
	want   string
}

// defaults fills in what a scenario leaves open.
func (s scenario) defaults() scenario {
	if s.cluster == (cluster{}) {
		s.cluster = orders
	}
	if s.length == 0 {
		s.length = 3 * time.Hour
	}
	if s.step == 0 {
		s.step = 30 * time.Second
	}
	return s
}

// groups are the rules of the scenario's database.
func (s scenario) groups() []any {
	target := s.cluster.target()
	if s.target != nil {
		s.target(&target)
	}
	return alerts.Groups(target)
}

// world is everything that is scraped in the scenario. Healthy neighbours with names that look alike are always there:
// a rule that took one of them for the database would be appeased by it.
func (s scenario) world() world {
	w := s.cluster.world().add(platform())
	if s.happens != nil {
		s.happens(s.cluster, w)
	}
	all := world{}
	for _, n := range []cluster{{namespace: "shop", name: "my-orders"}, {namespace: "shop-eu", name: "orders"}} {
		n.method, n.wal, n.busy = s.cluster.method, s.cluster.wal, true
		all.add(n.world())
	}
	return all.add(w)
}

// play lets rules watch the scenario. What the world brings along already is not recorded again.
func (s scenario) play(t testing.TB, groups []any) (played, error) {
	t.Helper()
	w := s.world()
	return simulate(t, keep(groups, func(rule map[string]any) bool {
		name, _ := rule["record"].(string)
		return name == "" || !w.has(name)
	}), w, s.length, s.step)
}

// keep returns groups with some of their rules only.
func keep(groups []any, want func(rule map[string]any) bool) (out []any) {
	for _, g := range groups {
		group := maps.Clone(g.(map[string]any))
		var rules []any
		for _, r := range group["rules"].([]any) {
			if want(r.(map[string]any)) {
				rules = append(rules, r)
			}
		}
		group["rules"] = rules
		out = append(out, group)
	}
	return out
}

// all is every alert and record.
func all(string) bool { return true }

// judge compares what came of a scenario with what it wants, as far as the named alerts and records go.
func (s scenario) judge(t testing.TB, p played, about func(name string) bool) (problem string) {
	t.Helper()
	var want, got []string
	for _, w := range s.want {
		if about(nameIn(w)) {
			want = append(want, w)
		}
	}
	for _, f := range p.firings {
		if about(f.Name) {
			got = append(got, f.String())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return "-want +got\n" + diff
	}
	for _, r := range s.reads {
		if about(nameIn(r.series)) {
			problem += r.check(t, p)
		}
	}
	for _, f := range p.firings {
		if part := s.says[f.Name]; about(f.Name) && !strings.Contains(f.Annotations["description"], part) {
			problem += fmt.Sprintf("%s says %q, want %q in it", f, f.Annotations["description"], part)
		}
	}
	return problem
}

// nameIn is the name an expectation begins with.
func nameIn(s string) string { return s[:strings.IndexAny(s+" ", "{ ")] }

// check compares what was recorded with what a scenario expects.
func (r read) check(t testing.TB, p played) (problem string) {
	t.Helper()
	got := "none"
	if v := p.query(t, r.series, r.at); len(v) > 0 {
		got = strconv.FormatFloat(v[0].F, 'f', -1, 64)
		if len(v) > 1 {
			got = fmt.Sprintf("%d series", len(v))
		}
	}
	if got != r.want {
		return fmt.Sprintf("%s at %s is %s, want %s", r.series, short(r.at), got, r.want)
	}
	return ""
}

const hour = time.Hour

// ramp goes from one value to another between two points in time.
func ramp(from, to float64, start, end time.Duration) value {
	return func(t time.Duration) float64 {
		share := min(1, max(0, (t-start).Seconds()/(end-start).Seconds()))
		return from + (to-from)*share
	}
}

var scenarios = map[string]scenario{
	"HealthyBusy": {
		reason: "Archiving every five minutes is normal, and so is a segment that waits for half a minute.",
		length: 13 * hour,
		reads: []read{
			{5 * time.Minute, `cnpg_backup_last_status{status="completed"}`, "0"},
			{5 * time.Minute, `cnpg_backup_last_status{status="failed"}`, "0"},
			{5 * time.Minute, `cnpg_backup_last_status{status="none"}`, "1"},
			{5 * time.Minute, `cnpg_backup_last_success_seconds`, "none"},
			{5 * time.Minute, `cnpg_recovery_window_seconds`, "none"},
			{5 * time.Minute, `cnpg_backup_lock_end_timestamp_seconds`, "none"},
			{hour, `cnpg_backup_last_status{status="completed"}`, "1"},
			{hour, `cnpg_backup_last_success_seconds`, "3000"},
			{hour, `cnpg_recovery_window_seconds`, "3000"},
			{hour, `cnpg_backup_lock_end_timestamp_seconds`, "3197400"},
			{7 * hour, `cnpg_backup_last_status{status="completed"}`, "1"},
			{7 * hour, `cnpg_backup_last_status{status="failed"}`, "0"},
			{7 * hour, `cnpg_backup_last_status{status="none"}`, "0"},
			{7 * hour, `cnpg_backup_last_success_seconds`, "3000"},
			{7 * hour, `cnpg_recovery_window_seconds`, "24600"},
			{7 * hour, `cnpg_recovery_window_promised_seconds`, "2592000"},
			{7 * hour, `cnpg_backup_lock_end_timestamp_seconds`, "3219000"},
			{7 * hour, `cnpg_streaming_standbys`, "2"},
			{7*hour + time.Minute, `cnpg_wal_archiving_last_success_seconds`, "0"},
		},
	},
	"HealthyIdleForDays": {
		reason:  "PostgreSQL archives nothing without activity: seconds since the last archival grows for ever.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", wal: true},
		length:  4 * 24 * hour, step: 2 * time.Minute,
		reads: []read{
			{72 * hour, `cnpg_wal_archiving_last_success_seconds`, "0"},
		},
	},
	"HealthyInTree": {
		reason:  "The deprecated method has other metrics and its primary is the only one to know them.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", wal: true, busy: true, method: alerts.MethodInTree},
		length:  13 * hour,
		happens: func(_ cluster, w world) { w.set(is(0), "available", `deployment="barman-cloud"`) },
		reads: []read{
			{5 * time.Minute, `cnpg_backup_last_status{status="completed"}`, "0"},
			{5 * time.Minute, `cnpg_backup_last_status{status="failed"}`, "0"},
			{5 * time.Minute, `cnpg_backup_last_status{status="none"}`, "1"},
			{hour, `cnpg_backup_last_status{status="completed"}`, "1"},
			{7 * hour, `cnpg_backup_last_status{status="completed"}`, "1"},
			{7 * hour, `cnpg_backup_last_status{status="failed"}`, "0"},
			{7 * hour, `cnpg_backup_last_status{status="none"}`, "0"},
			{7 * hour, `cnpg_recovery_window_seconds`, "24600"},
		},
	},
	"HealthyWithoutWALVolume": {
		reason:  "Free space of 60 % is enough when WAL lives on the data volume.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", busy: true},
	},
	"NeighboursInTrouble": {
		reason: "Names that look alike are other databases.",
		happens: func(_ cluster, w world) {
			for _, n := range []cluster{
				{namespace: "shop", name: "orders-v2"}, {namespace: "shop", name: "my-orders"}, {namespace: "shop", name: "orders-1"},
				{namespace: "shop-eu", name: "orders"}, {namespace: "shop", name: "ordersx"},
			} {
				w.add(n.inTrouble())
			}
		},
		length: 10 * hour, step: time.Minute,
	},
	"GoneAmongNeighbours": {
		reason: "A neighbour's metrics do not stand in for the missing ones.",
		happens: func(c cluster, w world) {
			w.after(hour, nothing, `namespace="shop",pod=`)
			for _, n := range []cluster{{namespace: "shop", name: "orders-v2"}, {namespace: "shop", name: "orders-1"}} {
				w.add(n.world())
			}
		},
		want: []string{
			"PostgresMetricsAbsent 1h5m-end",
		},
	},

	// ---- archiving ----
	"ArchiverStuck": {
		reason: "No failure is counted when archive_command hangs, or when archive_library disables it: WAL piles up in silence.",
		happens: func(_ cluster, w world) {
			w.after(hour, at(hour), "last_archived_time")
			w.after(hour, func(t time.Duration) float64 { return float64((t - hour) / (5 * time.Minute)) }, `pod="orders-1",value="ready"`)
		},
		says: map[string]string{"PostgresArchivingStalled": "orders-1 (claim shop/orders-db) has WAL waiting and has not archived a segment for 7m 30s."},
		want: []string{
			"PostgresArchivingStalled{pod=orders-1} 1h7m30s-end",
		},
		reads: []read{
			{hour + 4*time.Minute, `cnpg_wal_archiving_last_success_seconds`, "0"},
			{hour + 5*time.Minute, `cnpg_wal_archiving_last_success_seconds`, "300"},
			{2 * hour, `cnpg_wal_archiving_last_success_seconds`, "3600"},
		},
	},
	"ArchiverStuckAfterIdleHours": {
		reason:  "The first segment after three idle hours is not late until it has waited.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", wal: true},
		happens: func(_ cluster, w world) {
			w.after(2*hour, is(1).then(2*hour+90*time.Second, is(0)), `pod="orders-1",value="ready"`)
			w.after(3*hour, is(1), `pod="orders-1",value="ready"`)
		},
		length: 4 * hour,
		want: []string{
			"PostgresArchivingStalled{pod=orders-1} 3h2m-end",
		},
	},
	"ArchiverFailing": {
		reason: "A wrong key: every attempt fails, the backlog grows, and it drains after the repair.",
		happens: func(_ cluster, w world) {
			w.after(hour, at(hour).then(2*hour, every(5*time.Minute)), "last_archived_time")
			w.after(hour, every(time.Minute).then(2*hour, at(2*hour-time.Minute)), "last_failed_time")
			w.after(hour, is(7).then(2*hour, is(0)), `pod="orders-1",value="ready"`)
		},
		want: []string{
			"PostgresArchivingFailing{pod=orders-1} 1h4m-1h59m30s",
			"PostgresArchivingStalled{pod=orders-1} 1h7m30s-1h59m30s",
		},
	},
	"ArchiverFailsOnceAndRecovers": {
		reason: "PostgreSQL retries within a minute; one failed upload wakes nobody.",
		happens: func(_ cluster, w world) {
			w.after(hour, at(hour), "last_failed_time")
		},
	},
	"NeverArchived": {
		reason: "CNPG says -1 for never, which no threshold on an age can see.",
		happens: func(_ cluster, w world) {
			w.set(is(-1), "last_archived_time")
			w.set(is(-1), "seconds_since_last_archival")
			w.set(func(t time.Duration) float64 { return float64(t / (5 * time.Minute)) }, `pod="orders-1",value="ready"`)
			w.set(every(time.Minute), "last_failed_time")
		},
		want: []string{
			"PostgresArchivingFailing{pod=orders-1} 3m-end",
			"PostgresArchivingStalled{pod=orders-1} 7m30s-end",
		},
		reads: []read{
			{hour, `cnpg_wal_archiving_last_success_seconds`, "3599"},
		},
	},
	"ArchiverSlowButAlive": {
		reason: "A backlog that makes progress every four minutes is not stalled.",
		happens: func(_ cluster, w world) {
			w.set(is(40), `pod="orders-1",value="ready"`)
			w.set(every(4*time.Minute), "last_archived_time")
		},
	},
	"ArchiverTooSlow": {
		reason: "One segment archived and three written every four minutes: nothing fails, nothing stands still.",
		happens: func(_ cluster, w world) {
			w.set(func(t time.Duration) float64 { return 2 * float64(t/(4*time.Minute)) }, `pod="orders-1",value="ready"`)
			w.set(every(4*time.Minute), "last_archived_time")
		},
		want: []string{
			"PostgresArchiveBacklog{pod=orders-1} 2h42m-end",
		},
	},
	"FormerPrimaryKeepsReadyFiles": {
		reason: "Only the primary archives; what another one failed at once is history.",
		happens: func(c cluster, w world) {
			w.set(is(100), `pod="orders-2",value="ready"`)
			w[c.pod(2, "cnpg_pg_stat_archiver_last_archived_time")] = is(1)
			w[c.pod(2, "cnpg_pg_stat_archiver_last_failed_time")] = is(60)
		},
		reads: []read{{hour + time.Minute, `cnpg_wal_archiving_last_success_seconds`, "0"}},
	},

	// ---- failover ----
	"PodFailover": {
		reason: "A promotion within 45 seconds and a standby back after four minutes is what the contract promises.",
		happens: func(c cluster, w world) {
			c.failover(w, hour, hour+45*time.Second, hour+4*time.Minute)
		},
	},
	"NodeFailover": {
		reason: "A lost node costs 93 seconds; the instance on it stays away.",
		happens: func(c cluster, w world) {
			c.failover(w, hour, hour+93*time.Second, 99*hour)
		},
		want: []string{
			"PostgresStandbyMissing 1h7m-end",
			"PostgresInstanceMetricsMissing 1h15m-end",
		},
	},
	"FailoverDoesNotHappen": {
		reason: "With the operator on the lost node nothing promotes for minutes.",
		happens: func(c cluster, w world) {
			c.failover(w, hour, hour+400*time.Second, hour+500*time.Second)
			w.after(hour, is(0).then(hour+400*time.Second, is(1)), "available", `deployment="cnpg-controller-manager"`)
		},
		want: []string{
			"PostgresNoPrimary 1h2m-1h6m30s",
			"PostgresOperatorDown 1h5m-1h6m30s",
		},
	},

	// ---- backups ----
	"BackupFails": {
		reason: "The second backup fails, the third succeeds.",
		happens: func(_ cluster, w world) {
			w.after(6*hour, at(10*time.Minute).then(12*hour+10*time.Minute, at(12*hour+10*time.Minute)), "barman", "last_available_backup")
			w.after(6*hour, at(6*hour), "barman", "last_failed_backup")
		},
		length: 14 * hour, step: time.Minute,
		want: []string{
			"PostgresBackupFailed{status=failed} 6h1m-12h9m",
			"PostgresBackupTooOld 8h16m-12h9m",
		},
		reads: []read{
			{7 * hour, `cnpg_backup_last_status{status="completed"}`, "0"},
			{7 * hour, `cnpg_backup_last_status{status="failed"}`, "1"},
			{7 * hour, `cnpg_backup_last_status{status="none"}`, "0"},
			{13 * hour, `cnpg_backup_last_status{status="completed"}`, "1"},
			{13 * hour, `cnpg_backup_last_status{status="failed"}`, "0"},
			{13 * hour, `cnpg_backup_last_status{status="none"}`, "0"},
		},
	},
	"BackupNeverStarts": {
		reason: "The operator flags a backup that never reached barman in its own gauge only.",
		happens: func(_ cluster, w world) {
			w.after(6*hour, at(10*time.Minute), "barman", "last_available_backup")
			w.after(6*hour, at(6*hour), "cnpg_collector_last_failed_backup", `pod="orders-1"`)
		},
		length: 7 * hour, step: time.Minute,
		want: []string{
			"PostgresBackupFailed{status=failed} 6h1m-end",
		},
		reads: []read{
			{390 * time.Minute, `cnpg_backup_last_status{status="completed"}`, "0"},
			{390 * time.Minute, `cnpg_backup_last_status{status="failed"}`, "1"},
			{390 * time.Minute, `cnpg_backup_last_status{status="none"}`, "0"},
		},
	},
	"BackupFailsInTree": {
		reason:  "The same by the operator's gauges.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", wal: true, busy: true, method: alerts.MethodInTree},
		happens: func(_ cluster, w world) {
			w.after(6*hour, at(10*time.Minute), "last_available_backup", `pod="orders-1"`)
			w.after(6*hour, at(6*hour), "last_failed_backup", `pod="orders-1"`)
		},
		length: 9 * hour, step: time.Minute,
		want: []string{
			"PostgresBackupFailed{status=failed} 6h1m-end",
			"PostgresBackupTooOld 8h16m-end",
		},
		reads: []read{
			{390 * time.Minute, `cnpg_backup_last_status{status="completed"}`, "0"},
			{390 * time.Minute, `cnpg_backup_last_status{status="failed"}`, "1"},
			{390 * time.Minute, `cnpg_backup_last_status{status="none"}`, "0"},
		},
	},
	"FailedAndGoodAtOnce": {
		reason: "Of a failed and a good backup in the same second the good one counts.",
		happens: func(_ cluster, w world) {
			w.set(at(10*time.Minute), "barman", "last_failed_backup")
		},
		reads:  []read{{hour, `cnpg_backup_last_status{status="completed"}`, "1"}, {hour, `cnpg_backup_last_status{status="failed"}`, "0"}},
		length: 90 * time.Minute,
		want: []string{
			"PostgresBackupFailed{status=failed} 1m-9m30s",
		},
	},
	"FirstBackupNeverStarts": {
		reason: "Only the operator knows of it, in its own gauge.",
		happens: func(_ cluster, w world) {
			w.set(is(0), "barman", "last_available_backup")
			w.set(is(0), "barman", "first_recoverability")
			w.after(hour, at(hour), "cnpg_collector_last_failed_backup", `pod="orders-1"`)
		},
		reads: []read{{90 * time.Minute, `cnpg_backup_last_status{status="failed"}`, "1"}, {90 * time.Minute, `cnpg_backup_last_status{status="none"}`, "0"}},
		want: []string{
			"PostgresBackupFailed{status=failed} 1h1m-end",
			"PostgresBackupMissing 2h-end",
		},
	},
	"FailedAndGoodAtOnceInTree": {
		reason:  "The same by the operator's gauges.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", wal: true, busy: true, method: alerts.MethodInTree},
		happens: func(_ cluster, w world) {
			w.set(at(10*time.Minute), "last_failed_backup", `pod="orders-1"`)
		},
		reads:  []read{{hour, `cnpg_backup_last_status{status="completed"}`, "1"}, {hour, `cnpg_backup_last_status{status="failed"}`, "0"}},
		length: 90 * time.Minute,
		want: []string{
			"PostgresBackupFailed{status=failed} 1m-9m30s",
		},
	},
	"NoBackupEver": {
		reason: "A plugin that is not configured leaves 0 behind.",
		happens: func(_ cluster, w world) {
			w.set(is(0), "barman", "last_available_backup")
			w.set(is(0), "barman", "first_recoverability")
		},
		want: []string{
			"PostgresBackupMissing 2h-end",
		},
		reads: []read{
			{90 * time.Minute, `cnpg_backup_last_status{status="completed"}`, "0"},
			{90 * time.Minute, `cnpg_backup_last_status{status="failed"}`, "0"},
			{90 * time.Minute, `cnpg_backup_last_status{status="none"}`, "1"},
		},
	},
	"FirstBackupFails": {
		reason: "Failed and missing are both true.",
		happens: func(_ cluster, w world) {
			w.set(is(0), "barman", "last_available_backup")
			w.set(is(0), "barman", "first_recoverability")
			w.after(hour, at(hour), "barman", "last_failed_backup")
		},
		want: []string{
			"PostgresBackupFailed{status=failed} 1h1m-end",
			"PostgresBackupMissing 2h-end",
		},
		reads: []read{
			{90 * time.Minute, `cnpg_backup_last_status{status="completed"}`, "0"},
			{90 * time.Minute, `cnpg_backup_last_status{status="failed"}`, "1"},
			{90 * time.Minute, `cnpg_backup_last_status{status="none"}`, "0"},
		},
	},
	"ScheduleStops": {
		reason: "A suspended or blocked schedule reports nothing anywhere: only the age shows it.",
		happens: func(_ cluster, w world) {
			w.after(6*hour, at(10*time.Minute), "barman", "last_available_backup")
		},
		length: 9 * hour, step: time.Minute,
		says: map[string]string{"PostgresBackupTooOld": "is 8h 6m 0s old; the schedule's largest gap is 6h."},
		want: []string{
			"PostgresBackupTooOld 8h16m-end",
		},
	},
	"DailySchedule": {
		reason: "The threshold follows the schedule that is really set.",
		target: func(t *alerts.Target) { t.MaxBackupGap = 24 * hour },
		happens: func(_ cluster, w world) {
			w.after(6*hour, at(10*time.Minute), "barman", "last_available_backup")
		},
		length: 27 * hour, step: 2 * time.Minute,
		want: []string{
			"PostgresBackupTooOld 26h18m-end",
		},
	},
	"WindowShrinks": {
		reason: "Backups vanish from the catalogue long before retention could remove them.",
		happens: func(_ cluster, w world) {
			w.after(20*hour, at(18*hour+10*time.Minute), "barman", "first_recoverability")
		},
		length: 22 * hour, step: time.Minute,
		says: map[string]string{"PostgresRecoveryWindowShrunk": "reaches back 2h 20m 0s, less than it did and less than the 30 days promised"},
		want: []string{
			"PostgresRecoveryWindowShrunk 20h30m-end",
		},
	},
	"WindowShrinkIsRememberedForDays": {
		reason: "The alert outlives a weekend.",
		happens: func(_ cluster, w world) {
			w.after(5*24*hour, at(5*24*hour-2*hour), "barman", "first_recoverability")
		},
		length: 8 * 24 * hour, step: 5 * time.Minute,
		want: []string{
			"PostgresRecoveryWindowShrunk 120h30m-end",
		},
	},
	"CatalogueEmptied": {
		reason: "Delete markers on everything hide every backup; a day later it is still said.",
		happens: func(_ cluster, w world) {
			w.after(20*hour, is(0), "barman", "first_recoverability")
			w.after(20*hour, is(0), "barman", "last_available_backup")
		},
		length: 44 * hour, step: 2 * time.Minute,
		want: []string{
			"PostgresRecoveryWindowShrunk 20h30m-end",
			"PostgresBackupMissing 22h-end",
		},
	},
	"RetentionMovesOn": {
		reason: "Retention removes what is older than the window; after missed backups it moves a day at once.",
		target: func(t *alerts.Target) { t.RetentionDays = 1 },
		happens: func(_ cluster, w world) {
			w.after(31*hour, at(6*hour), "barman", "first_recoverability")
			w.after(60*hour, at(35*hour), "barman", "first_recoverability")
		},
		length: 62 * hour, step: 2 * time.Minute,
	},
	"RetentionRaised": {
		reason: "What the old retention pruned the hour before, late and a day and a half at once, is not a loss; what vanishes later is.",
		target: func(t *alerts.Target) { t.RetentionDays = 4 },
		happens: func(_ cluster, w world) {
			// The promise is a rule of its own; here it rises at hour 61.
			w[`cnpg_recovery_window_promised_seconds{cnpg_cluster="orders",namespace="shop"}`] = is(86400).then(61*hour, is(4*86400))
			w.after(60*hour, at(36*hour), "barman", "first_recoverability")
			w.after(90*hour, at(80*hour), "barman", "first_recoverability")
		},
		length: 92 * hour, step: 2 * time.Minute,
		want: []string{
			"PostgresRecoveryWindowShrunk 90h30m-end",
		},
	},
	"ClockJitterOfTheWindow": {
		reason: "An hour is no loss, and what has grown back within the half hour after is not either: 85 minutes.",
		happens: func(_ cluster, w world) {
			w.after(20*hour, at(95*time.Minute), "barman", "first_recoverability")
		},
		length: 22 * hour, step: time.Minute,
	},
	"WindowShrinksAndGrowsBack": {
		reason: "95 minutes are, for as long as the window has not grown back.",
		happens: func(_ cluster, w world) {
			w.after(20*hour, at(105*time.Minute), "barman", "first_recoverability")
		},
		length: 22 * hour, step: time.Minute,
		want: []string{
			"PostgresRecoveryWindowShrunk 20h30m-20h33m",
		},
	},
	"CredentialsNotSynced": {
		reason: "The store refuses, as External Secrets reports it.",
		happens: func(_ cluster, w world) {
			w.after(hour, is(0), `externalsecret`, `status="True"`)
			w.after(hour, is(1), `externalsecret`, `status="False"`)
			w[`externalsecret_status_condition{condition="Deleted",exported_namespace="shop",job="eso",name="orders-s3",namespace="external-secrets",status="True"}`] = is(1)
			w[`externalsecret_status_condition{condition="Ready",exported_namespace="shop",job="eso",name="carts-s3",namespace="external-secrets",status="True"}`] = is(1)
		},
		want: []string{
			"PostgresCredentialsNotSynced 1h30m-end",
		},
	},
	"CredentialsWithHonorLabels": {
		reason: "A scrape with honorLabels leaves the object's namespace in place.",
		happens: func(_ cluster, w world) {
			w.after(0, nothing, "externalsecret")
			w[`externalsecret_status_condition{condition="Ready",job="eso",name="orders-s3",namespace="shop",status="True"}`] = is(1).then(hour, is(0))
			w[`externalsecret_status_condition{condition="Ready",job="eso",name="orders-s3",namespace="shop",status="False"}`] = is(0).then(hour, is(1))
			w[`externalsecret_status_condition{condition="Deleted",job="eso",name="orders-s3",namespace="shop",status="True"}`] = is(1)
			w[`externalsecret_status_condition{condition="Ready",job="eso",name="carts-s3",namespace="shop",status="True"}`] = is(1)
			w[`externalsecret_status_condition{condition="Ready",job="eso",name="orders-s3",namespace="shop-eu",status="True"}`] = is(1)
			w[`externalsecret_status_condition{condition="Ready",exported_namespace="shop-eu",job="eso",name="orders-s3",namespace="shop",status="True"}`] = is(1)
		},
		want: []string{
			"PostgresCredentialsNotSynced 1h30m-end",
		},
	},
	"ExternalSecretsGone": {
		reason:  "Silence is not success.",
		happens: func(_ cluster, w world) { w.after(hour, nothing, "externalsecret") },
		want: []string{
			"PostgresCredentialsNotSynced 1h30m-end",
		},
	},

	// ---- metrics ----
	"EverythingVanishes": {
		reason:  "One alert says it, not one per family.",
		happens: func(_ cluster, w world) { w.after(hour, nothing, `pod="orders-`) },
		want: []string{
			"PostgresMetricsAbsent 1h5m-end",
		},
		reads: []read{
			{90 * time.Minute, `cnpg_streaming_standbys`, "none"},
			{90 * time.Minute, `cnpg_wal_archiving_last_success_seconds`, "none"},
		},
	},
	"OneInstanceVanishes": {
		reason:  "A scrape can be lost while replication is fine.",
		happens: func(_ cluster, w world) { w.after(hour, nothing, `pod="orders-3"`) },
		want: []string{
			"PostgresInstanceMetricsMissing 1h15m-end",
		},
	},
	"OnlySomeValuesVanish": {
		reason: "A family that still has the values nobody asks for is as good as gone.",
		happens: func(_ cluster, w world) {
			w.after(hour, nothing, "cnpg_collector_pg_wal_archive_status", `value="ready"`)
			w.after(hour, nothing, "cnpg_collector_sync_replicas", `value="observed"`)
			w.after(hour, nothing, "cnpg_pg_settings_setting", `name="fsync"`)
		},
		reads: []read{{90 * time.Minute, `cnpg_wal_archiving_last_success_seconds`, "none"}},
		want: []string{
			"PostgresContractMetricsAbsent{family=sync_replicas} 1h10m-end",
			"PostgresContractMetricsAbsent{family=wal_archive_status} 1h10m-end",
			"PostgresSupportMetricsAbsent{family=settings} 1h30m-end",
		},
	},
	"ExporterErrors": {
		reason: "Either kind of error.",
		happens: func(_ cluster, w world) {
			w.after(hour, is(1).then(hour+20*time.Minute, is(0)), "cnpg_last_error", `pod="orders-2"`)
			w.after(2*hour, is(1), "last_collection_error", `pod="orders-1"`)
		},
		want: []string{
			"PostgresMetricsFailing{pod=orders-2} 1h15m-1h19m30s",
			"PostgresMetricsFailing{pod=orders-1} 2h15m-end",
		},
	},

	"PostgresUnreachable": {
		reason: "The exporter lives on without its PostgreSQL and repeats what it knew last.",
		happens: func(_ cluster, w world) {
			w.after(hour, is(0), "cnpg_collector_up", `pod="orders-2"`)
		},
		want: []string{
			"PostgresMetricsFailing{pod=orders-2} 1h15m-end",
		},
	},
	"MetricsStandStill": {
		reason: "Queries that are not run any more raise no error.",
		happens: func(_ cluster, w world) {
			w.after(hour, at(hour), "cnpg_last_update", `pod="orders-3"`)
		},
		want: []string{
			"PostgresMetricsFailing{pod=orders-3} 1h20m30s-end",
		},
	},
	"ScrapedTwice": {
		reason: "A second PodMonitor, or a pair of Prometheus servers, doubles every series and no number.",
		happens: func(c cluster, w world) {
			for s, v := range w {
				w[strings.Replace(s, `job="shop/orders"`, `job="shop/other"`, 1)] = v
			}
			w.after(hour, is(2), "nodes_used")
			w.after(hour, at(hour), "last_archived_time")
			w.after(hour, is(1), `pod="orders-1",value="ready"`)
			w.after(hour, is(1), "overrides", `scope="role",weakness="commit_not_on_standby"`)
			w.after(hour, nothing, `application_name="orders-3"`)
		},
		want: []string{
			"PostgresDurabilityOverride{weakness=commit_not_on_standby} 1h5m-end",
			"PostgresStandbyMissing 1h5m-end",
			"PostgresArchivingStalled{pod=orders-1} 1h7m30s-end",
			"PostgresInstancesShareNode 1h10m-end",
		},
	},

	// ---- availability ----
	"StandbyMissing": {
		reason:  "A base backup and a foreign reader stream too and are no standbys.",
		happens: func(_ cluster, w world) { w.after(hour, nothing, `application_name="orders-3"`) },
		says:    map[string]string{"PostgresStandbyMissing": "1 standbys stream from the primary of shop/orders (claim shop/orders-db), of 3 instances."},
		want: []string{
			"PostgresStandbyMissing 1h5m-end",
		},
		reads: []read{
			{90 * time.Minute, `cnpg_streaming_standbys`, "1"},
		},
	},
	"NoStandby": {
		reason: "Commits wait.",
		happens: func(c cluster, w world) {
			w.after(hour, nothing, `application_name="orders-2"`)
			w.after(hour, nothing, `application_name="orders-3"`)
			// A standby that serves another one is no primary.
			w[c.pod(2, "cnpg_pg_stat_replication_flush_diff_bytes", `application_name="orders-3"`, `usename="streaming_replica"`)] = is(0)
		},
		want: []string{
			"PostgresNoStandby 1h2m-end",
			"PostgresStandbyMissing 1h5m-end",
		},
		reads: []read{
			{90 * time.Minute, `cnpg_streaming_standbys`, "0"},
		},
	},
	"SyncNotEnforced": {
		reason: "synchronous_standby_names is empty. A former primary repeats what it last saw, which counts for nothing.",
		happens: func(c cluster, w world) {
			w.after(hour, is(0), `value="observed"`)
			w[c.pod(2, "cnpg_collector_sync_replicas", `value="observed"`)] = is(0)
		},
		want: []string{
			"PostgresSyncNotEnforced{pod=orders-1} 1h2m-end",
		},
	},
	"FsyncOff": {
		reason:  "Any instance, any of three settings.",
		happens: func(_ cluster, w world) { w.after(hour, is(0), `name="fsync"`, `pod="orders-2"`) },
		want: []string{
			"PostgresDurabilitySettingOff{name=fsync,pod=orders-2} 1h1m-end",
		},
	},
	"FullPageWritesOff": {
		reason:  "Any instance, any of three settings.",
		happens: func(_ cluster, w world) { w.after(hour, is(0), `name="full_page_writes"`, `pod="orders-1"`) },
		want: []string{
			"PostgresDurabilitySettingOff{name=full_page_writes,pod=orders-1} 1h1m-end",
		},
	},
	"ChecksumsOff": {
		reason:  "Any instance, any of three settings.",
		happens: func(_ cluster, w world) { w.after(hour, is(0), `name="data_checksums"`, `pod="orders-3"`) },
		want: []string{
			"PostgresDurabilitySettingOff{name=data_checksums,pod=orders-3} 1h1m-end",
		},
	},
	"SharedNode": {
		reason:  "Two nodes for three instances, or one.",
		happens: func(_ cluster, w world) { w.after(hour, is(2).then(2*hour, is(1)), "nodes_used") },
		says:    map[string]string{"PostgresInstancesShareNode": "3 instances of shop/orders (claim shop/orders-db) run on 2 nodes"},
		want: []string{
			"PostgresInstancesShareNode 1h10m-end",
		},
	},
	"NodesUnknown": {
		reason:  "-1 means that the operator may not look, 0 that it has not looked yet.",
		happens: func(_ cluster, w world) { w.after(hour, is(-1).then(2*hour, is(0)), "nodes_used") },
	},
	"Fenced": {
		reason:  "Fencing freezes the other metrics of the instance.",
		happens: func(_ cluster, w world) { w.after(hour, is(1), "fencing_on", `pod="orders-2"`) },
		want: []string{
			"PostgresInstanceFenced{pod=orders-2} 1h5m-end",
		},
	},
	"ReplicationLags": {
		reason:  "One second more every minute.",
		happens: func(_ cluster, w world) { w.set(ramp(0, 60, hour, 2*hour), "replication_lag", `pod="orders-3"`) },
		want: []string{
			"PostgresReplicationLag{pod=orders-3} 1h35m30s-end",
		},
	},
	"DataVolumeFills": {
		reason:  "From 60 % free to nothing within two hours.",
		happens: func(_ cluster, w world) { w.set(ramp(60<<30, 0, hour, 3*hour), "available_bytes", `claim="orders-2"`) },
		want: []string{
			"PostgresVolumeFilling{persistentvolumeclaim=orders-2} 2h45m30s-end",
			"PostgresVolumeFull{persistentvolumeclaim=orders-2} 2h51m30s-end",
		},
	},
	"WALVolumeFills": {
		reason: "A WAL volume speaks up earlier.",
		happens: func(_ cluster, w world) {
			w.set(ramp(60<<30, 0, hour, 3*hour), "available_bytes", `claim="orders-1-wal"`)
		},
		says: map[string]string{"PostgresVolumeFilling": "% of orders-1-wal (claim shop/orders-db) is free."},
		want: []string{
			"PostgresVolumeFilling{persistentvolumeclaim=orders-1-wal} 2h15m30s-end",
			"PostgresVolumeFull{persistentvolumeclaim=orders-1-wal} 2h35m30s-end",
		},
	},
	"SharedVolumeFills": {
		reason:  "So does a data volume that WAL lives on.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", busy: true},
		happens: func(_ cluster, w world) { w.set(ramp(60<<30, 0, hour, 3*hour), "available_bytes", `claim="orders-1"`) },
		want: []string{
			"PostgresVolumeFilling{persistentvolumeclaim=orders-1} 2h35m30s-end",
			"PostgresVolumeFull{persistentvolumeclaim=orders-1} 2h45m30s-end",
		},
	},
	"TablespaceFills": {
		reason: "A tablespace is a data volume; one of a name that looks alike is not.",
		target: func(t *alerts.Target) { t.Tablespaces = []string{"Hot_Data"} },
		happens: func(_ cluster, w world) {
			for claim, v := range map[string]value{"orders-1-tbs-hot-data": is(60).then(hour, is(10)), "orders-1-tbs-hot-data-1": is(1)} {
				w[`kubelet_volume_stats_available_bytes{job="kubelet",namespace="shop",persistentvolumeclaim="`+claim+`"}`] = v
				w[`kubelet_volume_stats_capacity_bytes{job="kubelet",namespace="shop",persistentvolumeclaim="`+claim+`"}`] = is(100)
			}
		},
		want: []string{
			"PostgresVolumeFilling{persistentvolumeclaim=orders-1-tbs-hot-data} 1h15m-end",
		},
	},

	// ---- inside the database ----
	"RoleWithoutSync": {
		reason: "ALTER ROLE ... SET synchronous_commit = off.",
		happens: func(_ cluster, w world) {
			w.after(hour, is(1), "overrides", `scope="role",weakness="commit_not_on_standby"`)
		},
		want: []string{
			"PostgresDurabilityOverride{weakness=commit_not_on_standby} 1h5m-end",
		},
	},
	"SettingsOfEveryKind": {
		reason: "Of roles and databases, one after the other.",
		happens: func(_ cluster, w world) {
			w.after(hour, is(1).then(hour+10*time.Minute, is(0)), "overrides", `scope="database",weakness="commit_not_flushed"`)
			w.after(hour+30*time.Minute, is(2).then(hour+40*time.Minute, is(0)), "overrides", `scope="role",weakness="damaged_pages"`)
			w.after(2*hour, is(1), "overrides", `scope="database",weakness="commit_not_on_standby"`)
		},
		want: []string{
			"PostgresDurabilityOverride{weakness=commit_not_flushed} 1h5m-1h9m30s",
			"PostgresDurabilityOverride{weakness=damaged_pages} 1h35m-1h39m30s",
			"PostgresDurabilityOverride{weakness=commit_not_on_standby} 2h5m-end",
		},
	},
	"FunctionsOfEveryKind": {
		reason: "The same on functions.",
		happens: func(_ cluster, w world) {
			w.after(hour, is(1).then(hour+10*time.Minute, is(0)), "functions", `weakness="commit_not_flushed"`)
			w.after(hour+30*time.Minute, is(2).then(hour+40*time.Minute, is(0)), "functions", `weakness="damaged_pages"`)
			w.after(2*hour, is(1), "functions", `weakness="commit_not_on_standby"`)
		},
		want: []string{
			"PostgresDurabilityOverride{weakness=commit_not_flushed} 1h5m-1h9m30s",
			"PostgresDurabilityOverride{weakness=damaged_pages} 1h35m-1h39m30s",
			"PostgresDurabilityOverride{weakness=commit_not_on_standby} 2h5m-end",
		},
	},
	"RemoteWriteAllowed": {
		reason: "Policy may accept remote_write (CNPG-1.2), and nothing less.",
		target: func(t *alerts.Target) { t.AllowRemoteWrite = true },
		happens: func(_ cluster, w world) {
			w.after(hour, is(1), "overrides", `weakness="commit_not_flushed"`)
			w.after(hour, is(1), "functions", `weakness="commit_not_flushed"`)
			w.after(2*hour, is(1), "overrides", `scope="role",weakness="damaged_pages"`)
			w.after(2*hour, is(1), "functions", `weakness="commit_not_on_standby"`)
		},
		want: []string{
			"PostgresDurabilityOverride{weakness=commit_not_on_standby} 2h5m-end",
			"PostgresDurabilityOverride{weakness=damaged_pages} 2h5m-end",
		},
	},
	"UnloggedTables": {
		reason:  "A failover would empty them.",
		happens: func(_ cluster, w world) { w.after(hour, is(1), "unlogged") },
		want: []string{
			"PostgresUnloggedRelations{datname=app} 1h15m-end",
		},
	},
	"DatabaseHidden": {
		reason:  "A database the exporter may not enter is not inspected.",
		happens: func(_ cluster, w world) { w.after(hour, is(1), "databases_hidden") },
		want: []string{
			"PostgresDatabaseNotInspected 1h15m-end",
		},
	},
	"SlotHoldsWAL": {
		reason: "An active slot may hold as much; an inactive one may not.",
		happens: func(_ cluster, w world) {
			w.after(hour, is(3<<30), "retained_bytes", `state="active"`)
			w.set(ramp(0, 2<<30, hour, 2*hour), "retained_bytes", `state="inactive"`)
		},
		want: []string{
			"PostgresSlotHoldsWAL{pod=orders-1} 2h0m30s-end",
		},
	},
	"SlotLost": {
		reason: "Invalidated; the others are counted and fine.",
		happens: func(_ cluster, w world) {
			w.after(hour, is(1), "slots_count", `state="lost"`)
			w.after(0, is(4), "slots_count", `state="inactive"`)
		},
		want: []string{
			"PostgresSlotLost{pod=orders-1} 1h5m-end",
		},
	},
	"Corruption": {
		reason:  "On a standby as on the primary.",
		happens: func(_ cluster, w world) { w.after(hour, is(1), "checksums", `pod="orders-2"`) },
		want: []string{
			"PostgresChecksumFailure{pod=orders-2} 1h1m-end",
		},
	},

	// ---- platform ----
	"OperatorDown": {
		reason:  "No failover without it.",
		happens: func(_ cluster, w world) { w.after(hour, is(0), "available", "cnpg-controller-manager") },
		want: []string{
			"PostgresOperatorDown 1h5m-end",
		},
	},
	"ControllersByHelm": {
		reason: "The charts name Deployments after their release; another one of a similar name is not it.",
		happens: func(_ cluster, w world) {
			w.set(nothing, `namespace="cnpg-system"`)
			for deployment, down := range map[string]time.Duration{"prod-cloudnative-pg": hour, "prod-plugin-barman-cloud": 2 * hour, "cloudnative-pg-dashboard": 99 * hour} {
				w[`kube_deployment_status_replicas_available{deployment="`+deployment+`",namespace="db"}`] = is(2).then(down, is(0))
				w[`kube_deployment_spec_replicas{deployment="`+deployment+`",namespace="db"}`] = is(2).then(down-hour, is(1))
			}
		},
		want: []string{
			"PostgresControllersNotRedundant{controller=operator} 1h-end",
			"PostgresOperatorDown 1h5m-end",
			"PostgresControllersNotRedundant{controller=backup plugin} 2h-end",
			"PostgresBackupPluginDown 2h5m-end",
		},
	},
	"PluginDeleted": {
		reason:  "A Deployment that is gone is not available, and a neighbour of a similar name does not stand in.",
		happens: func(_ cluster, w world) { w.after(hour, nothing, `deployment="barman-cloud"`) },
		want: []string{
			"PostgresBackupPluginDown 1h5m-end",
		},
	},
	"ControllersElsewhere": {
		reason: "Policy can name the Deployments, and means exactly these.",
		target: func(t *alerts.Target) { t.PluginDeployment, t.OperatorDeployment = "coredns", "my-barman-cloud-ui" },
		happens: func(_ cluster, w world) {
			w.set(nothing, "cnpg-system")
			w.after(hour, is(0), `available`, `deployment="coredns"`)
			w.after(2*hour, is(0), `available`, `deployment="my-barman-cloud-ui"`)
		},
		want: []string{
			"PostgresBackupPluginDown 1h5m-end",
			"PostgresOperatorDown 2h5m-end",
		},
	},
	"ControllersNotRedundant": {
		reason: "The release manifests ask for one replica each, which may sit on the primary's node.",
		happens: func(_ cluster, w world) {
			w.after(hour, is(1), `spec_replicas`, `deployment="cnpg-controller-manager"`)
			w.after(hour+30*time.Minute, is(1), `spec_replicas`, `deployment="barman-cloud"`)
		},
		want: []string{
			"PostgresControllersNotRedundant{controller=operator} 2h-end",
			"PostgresControllersNotRedundant{controller=backup plugin} 2h30m-end",
		},
	},
	"ControllersNotRedundantInTree": {
		reason:  "Without the plugin its replicas are nobody's concern.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", wal: true, busy: true, method: alerts.MethodInTree},
		happens: func(_ cluster, w world) {
			w.after(hour, is(1), `spec_replicas`)
		},
		want: []string{
			"PostgresControllersNotRedundant{controller=operator} 2h-end",
		},
	},
	"ControllersByHelmInTree": {
		reason:  "The operator's chart names its Deployment after the release, whatever makes the backups.",
		cluster: cluster{namespace: "shop", name: "orders", claim: "orders-db", wal: true, busy: true, method: alerts.MethodInTree},
		happens: func(_ cluster, w world) {
			w.set(nothing, `namespace="cnpg-system"`)
			w[`kube_deployment_status_replicas_available{deployment="prod-cloudnative-pg",namespace="db"}`] = is(2)
			w[`kube_deployment_spec_replicas{deployment="prod-cloudnative-pg",namespace="db"}`] = is(2).then(hour, is(1))
		},
		want: []string{
			"PostgresControllersNotRedundant{controller=operator} 2h-end",
		},
	},
	"Orphaned": {
		reason:  "The claim was deleted and the database runs on, as promised.",
		happens: func(_ cluster, w world) { w.after(hour, nothing, "claim_info") },
		want: []string{
			"PostgresOrphaned 2h-end",
		},
	},
	"OrphanedAndGone": {
		reason: "A database that was retired by hand is missing, not orphaned.",
		happens: func(_ cluster, w world) {
			w.after(hour, nothing, "claim_info")
			w.after(hour, nothing, `pod="orders-`)
		},
		want: []string{
			"PostgresMetricsAbsent 1h5m-end",
		},
	},
}

// failover moves the primary from instance 1 to 2.
func (c cluster) failover(w world, lost, promoted, back time.Duration) {
	one := world{}
	for _, s := range w.names() {
		if metricOf(s, c, 1) {
			one[s] = w[s]
		}
	}
	// What instance 1 shows as a standby, and instance 2 as the primary.
	standby, primary := world{}, world{}
	for s, v := range w {
		if metricOf(s, c, 3) {
			standby[swap(s, 3, 1)] = v
		}
	}
	c.promote(primary, 2)
	for s, v := range one {
		after := value(nothing)
		if next, ok := standby[s]; ok {
			after = next
		}
		w[s] = v.then(lost, nothing).then(back, after)
	}
	for s, v := range primary {
		was, ok := w[s]
		if !ok {
			was = nothing
		}
		w[s] = was.then(promoted, v)
	}
	// The standby on the lost instance streams again when it is back.
	w.edit(func(v value) value { return v.then(promoted, nothing).then(back, is(0)) }, `application_name="orders-1"`, `pod="orders-2"`)
	// One segment of the new timeline waits a moment; the last archival of
	// this server was never.
	w.after(promoted, is(2).then(promoted+time.Minute, is(0)), `pod="orders-2",value="ready"`)
	w.after(promoted, is(-1).then(promoted+time.Minute, every(5*time.Minute)), "last_archived_time", `pod="orders-2"`)
}

func TestScenarios(t *testing.T) {
	for name, s := range allScenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.defaults()
			p, err := s.play(t, s.groups())
			if err != nil {
				t.Fatal(err)
			}
			if problem := s.judge(t, p, all); problem != "" {
				t.Errorf("%s\n%s", s.reason, problem)
			}
		})
	}
}
