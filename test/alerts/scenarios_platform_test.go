package alerts

import (
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

var platformScenarios = map[string]scenario{
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
