package contract

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
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
		j.judgeEndpoints(c, d)
		if !hasEndpoint(d, "metrics") {
			j.refuse(d, "CNPG-5.1", "spec.podMetricsEndpoints", "", "has no endpoint with port metrics: nothing is scraped", "write podMetricsEndpoints: [{port: metrics}]")
		}
		if d.name == c.name && !operators {
			j.refuse(d, "CNPG-5.1", "metadata.name", d.name, "is the name of the operator's own PodMonitor: the operator deletes it while enablePodMonitor is off", "choose another name")
		}
	}
	if operators {
		j.judgeRelabelings(c, c.document, monitoring, "podMonitorMetricRelabelings", "spec.monitoring")
	}
	switch {
	case operators && own != nil:
		j.refuse(c.document, "CNPG-5.1", "spec.monitoring.enablePodMonitor", "true", own.String()+" scrapes the database as well: every figure is doubled", "remove it; it is deprecated")
	case !operators && own == nil && j.options.Complete:
		j.refuse(c.document, "CNPG-5.1", "spec.monitoring", "", "nothing scrapes the database: a stopped archive goes unnoticed until the day it is needed", "add a PodMonitor with selector.matchLabels {cnpg.io/cluster: "+c.name+"}")
	}
	if ttl := text(monitoring, "metricsQueriesTTL"); ttl != "" {
		if d, err := time.ParseDuration(ttl); err == nil && d > time.Hour {
			j.refuse(c.document, "CNPG-5.2", "spec.monitoring.metricsQueriesTTL", ttl, "repeats figures that are as old as that: archiving stops, and for so long the metrics say that it goes on", "remove it")
		}
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

// maxStale is how old a figure may be: Prometheus, too, forgets one after five minutes.
const maxStale = 5 * time.Minute

// judgeEndpoints: what a PodMonitor scrapes reaches the alerts.
func (j *judge) judgeEndpoints(c *cluster, d *document) {
	for i, item := range items(d.spec, "podMetricsEndpoints") {
		endpoint, _ := item.(node)
		at := index("spec.podMetricsEndpoints", i)
		if every, ok := prometheusTime(text(endpoint, "interval")); ok && every > maxStale {
			j.refuse(d, "CNPG-5.1", at+".interval", text(endpoint, "interval"), "Prometheus forgets a figure after five minutes: most of the time there is nothing an alert could look at", "write 30s, or remove it")
		}
		j.judgeRelabelings(c, d, endpoint, "relabelings", at)
		j.judgeRelabelings(c, d, endpoint, "metricRelabelings", at)
	}
}

// judgeRelabelings: not everything is dropped on the way, and no metric that an alert of this set on the same Cluster
// looks at.
func (j *judge) judgeRelabelings(c *cluster, d *document, m node, key, at string) {
	for i, item := range items(m, key) {
		relabeling, _ := item.(node)
		drops := strings.EqualFold(text(relabeling, "action"), "drop")
		if !drops && !strings.EqualFold(text(relabeling, "action"), "keep") {
			continue
		}
		written := text(relabeling, "regex")
		pattern, err := regexp.Compile("^(?s:" + cmp.Or(written, "(.*)") + ")$")
		if err != nil {
			continue
		}
		at := index(join(at, key), i) + ".regex"
		if dropsAll(pattern, drops, items(relabeling, "sourceLabels")) {
			j.refuse(d, "CNPG-5.1", at, written, "drops everything there is to scrape: a stopped archive goes unnoticed until the day it is needed", "remove it")
			continue
		}
		if names := items(relabeling, "sourceLabels"); len(names) != 1 || names[0] != "__name__" {
			continue
		}
		if metric := j.alertedOn(c, func(name string) bool { return pattern.MatchString(name) == drops }); metric != "" {
			j.refuse(d, "CNPG-5.2", at, written, "drops "+metric+", which an alert on "+c.String()+" looks at: it never fires", "let that metric through")
		}
	}
}

// dropsAll says whether nothing gets past a relabeling, whatever the labels it looks at say. Without labels it looks at an
// empty text.
func dropsAll(pattern *regexp.Regexp, drops bool, labels []any) bool {
	if len(labels) == 0 {
		return pattern.MatchString("") == drops
	}
	return drops && pattern.MatchString("") && pattern.MatchString("no label says this")
}

// alertedOn is the first metric an exporter makes that a rule of the set about a Cluster looks at, and that matches.
func (j *judge) alertedOn(c *cluster, matches func(name string) bool) string {
	found := ""
	for i := range j.documents {
		d := &j.documents[i]
		if d.kind != prometheusRule || d.namespace != c.namespace {
			continue
		}
		eachRule(d, func(rule node, _ rulePlace) {
			if named := text(sub(rule, "labels"), "cnpg_cluster"); named != "" && named != c.name {
				return
			}
			eachMetric(text(rule, "expr"), func(name string) {
				if found == "" && !j.records(name) && slices.ContainsFunc(exported, func(family string) bool { return strings.HasPrefix(name, family) }) && matches(name) {
					found = name
				}
			})
		})
	}
	return found
}

// exported are the families of metrics that a failure without any other sign shows in.
var exported = []string{"cnpg_pg_stat_archiver_", "cnpg_pg_replication_", familyOperator, familyPlugin}
