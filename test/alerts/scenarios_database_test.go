package alerts

import (
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

var databaseScenarios = map[string]scenario{
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
			w.set(ramp(0, 2<<30, 2*hour), "retained_bytes", `state="inactive"`)
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
}
