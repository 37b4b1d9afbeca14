package alerts

import (
	"time"
)

var failoverScenarios = map[string]scenario{
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
}
