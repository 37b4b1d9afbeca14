package contract

// monitoringRules are the family CNPG-5, observability: failures that look healthy become loud.
var monitoringRules = []Rule{
	{ID: "CNPG-5.1", Severity: Exposure, Title: "Metrics are scraped", Promise: "Exactly one PodMonitor scrapes the database.",
		Why:       "Without metrics a stopped archive goes unnoticed until the day it is needed; two scrapes double every figure.",
		Fix:       "A PodMonitor of your own, or monitoring.enablePodMonitor: true; never both.",
		Reference: cnpgDocs + "monitoring/"},
	{ID: "CNPG-5.2", Severity: Exposure, Title: "Silent failures alert", Promise: "Archiving that stalls for five minutes, failed or missing backups and lost protection raise an alert that names its runbook.",
		Why:       "Archiving and backups fail without any visible effect on the application.",
		Fix:       "A PrometheusRule whose alerts use metrics that exist for the backup method in use.",
		Reference: cnpgDocs + "monitoring/"},
}
