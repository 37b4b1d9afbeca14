package alerts

import (
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

var backupsScenarios = map[string]scenario{
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
}
