package contract

import (
	"strings"
)

// judgeScraping: exactly one PodMonitor scrapes the database (CNPG-5.1).
func judgeScraping(j *judge, c *cluster) {
	monitoring := sub(c.spec, "monitoring")
	operators, _ := boolean(monitoring, "enablePodMonitor")
	var own *document
	for i := range j.documents {
		d := &j.documents[i]
		if d.kind != podMonitor || !scrapes(d, c) {
			continue
		}
		if own != nil {
			j.refuse(d, "CNPG-5.1", "spec.selector", "", "scrapes "+c.String()+", as "+own.String()+" does: every figure is doubled", "keep one of them")
		}
		own = d
		if !hasEndpoint(d, "metrics") {
			j.refuse(d, "CNPG-5.1", "spec.podMetricsEndpoints", "", "has no endpoint with port metrics: nothing is scraped", "write podMetricsEndpoints: [{port: metrics}]")
		}
		if d.name == c.name && !operators {
			j.refuse(d, "CNPG-5.1", "metadata.name", d.name, "is the name of the operator's own PodMonitor: the operator deletes it while enablePodMonitor is off", "choose another name")
		}
	}
	switch {
	case operators && own != nil:
		j.refuse(c.document, "CNPG-5.1", "spec.monitoring.enablePodMonitor", "true", own.String()+" scrapes the database as well: every figure is doubled", "remove it; it is deprecated")
	case !operators && own == nil && j.options.Complete:
		j.refuse(c.document, "CNPG-5.1", "spec.monitoring", "", "nothing scrapes the database: a stopped archive goes unnoticed until the day it is needed", "add a PodMonitor with selector.matchLabels {cnpg.io/cluster: "+c.name+"}")
	}
	if off, _ := boolean(monitoring, "disableDefaultQueries"); off {
		j.refuse(c.document, "CNPG-5.2", "spec.monitoring.disableDefaultQueries", "true", "the metrics that tell whether WAL is archived and replicated are gone", "remove it")
	}
}

// scrapes says whether a PodMonitor selects the instances of a Cluster.
func scrapes(d *document, c *cluster) bool {
	if d.namespace != c.namespace {
		selected := sub(d.spec, "namespaceSelector")
		all, _ := boolean(selected, "any")
		for _, name := range items(selected, "matchNames") {
			all = all || name == c.namespace
		}
		if !all {
			return false
		}
	}
	selector := sub(d.spec, "selector")
	for key, value := range sub(selector, "matchLabels") {
		switch key {
		case "cnpg.io/cluster", "postgresql":
			if value != c.name {
				return false
			}
		case "cnpg.io/podRole":
			if value != "instance" {
				return false
			}
		default:
			return false
		}
	}
	for _, item := range items(selector, "matchExpressions") {
		expression, _ := item.(node)
		if !strings.HasPrefix(text(expression, "key"), "cnpg.io/") {
			return false
		}
		values := items(expression, "values")
		if text(expression, "key") == "cnpg.io/cluster" && text(expression, "operator") == "In" && !contains(values, c.name) {
			return false
		}
	}
	return true
}

func contains(values []any, want string) bool {
	for _, v := range values {
		if v == want {
			return true
		}
	}
	return false
}

func hasEndpoint(d *document, port string) bool {
	for _, item := range items(d.spec, "podMetricsEndpoints") {
		endpoint, _ := item.(node)
		if text(endpoint, "port") == port {
			return true
		}
	}
	return false
}
