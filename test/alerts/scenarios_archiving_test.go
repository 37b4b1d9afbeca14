package alerts

import (
	"time"
)

var archivingScenarios = map[string]scenario{
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
}
