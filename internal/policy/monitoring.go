package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// labelName is what Prometheus takes for the name of a label or an annotation.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// What a policy adds stands in every alert of every database: what fits a page and a routing rule is little, and an object
// of megabytes is one the API server does not take, with all the alerts in it.
const (
	maxAdded      = 16   // labels, and annotations
	maxAddedName  = 128  // characters
	maxAddedValue = 1024 // characters
	maxSeverity   = 63   // characters
)

// judgeMonitoring: what a policy adds to alerts is about alerts that exist, and leaves the rules loadable. Prometheus
// drops a whole group of rules over one label it cannot read, and then nothing fires (CNPG-5.2).
func judgeMonitoring(m v1beta1.Monitoring) contract.Findings {
	var found contract.Findings
	refuse := func(path, value, message, fix string) {
		found = append(found, contract.Finding{Rule: "CNPG-5.2", Path: path, Value: value, Message: message, Fix: fix})
	}

	known := alerts.Names()
	for _, name := range manifest.SortedKeys(m.Severities) {
		path, severity := "monitoring.severities."+name, m.Severities[name]
		switch {
		case !slices.Contains(known, name):
			refuse(path, severity, "is about an alert that does not exist: the one that was meant keeps its severity", "write one of "+strings.Join(known, ", "))
		case severity == "" || len(severity) > maxSeverity || strings.Contains(severity, "{{"):
			refuse(path, severity, "is not a severity", `write one word, for instance "info"`)
		}
	}

	for _, added := range []struct {
		path, kind string
		values     map[string]string
		own        []string
	}{
		{"monitoring.alertLabels", "label", m.AlertLabels, alerts.OwnLabels()},
		{"monitoring.alertAnnotations", "annotation", m.AlertAnnotations, alerts.OwnAnnotations()},
	} {
		if n := len(added.values); n > maxAdded {
			refuse(added.path, strconv.Itoa(n), fmt.Sprintf("are more than the %d that every alert of every database can carry", maxAdded), "leave out what no receiver reads")
		}
		for _, name := range manifest.SortedKeys(added.values) {
			if len(name) > maxAddedName || len(added.values[name]) > maxAddedValue {
				refuse(added.path, "", fmt.Sprintf("hold a name of more than %d or a text of more than %d characters, which every alert of every database would repeat", maxAddedName, maxAddedValue), "write a link to the long text")
				continue
			}
			path, value := fmt.Sprintf("%s[%s]", added.path, name), added.values[name]
			switch {
			case !labelName.MatchString(name):
				refuse(path, value, "is no name Prometheus takes for a "+added.kind+": it would drop the rules, and nothing would fire", "write letters, digits and underscores")
			case slices.Contains(added.own, name):
				refuse(path, value, "is what the alert itself says: the policy's value would be lost", "choose another name; a severity belongs to monitoring.severities")
			case strings.Contains(value, "{{"):
				refuse(path, value, "is read as a template by Prometheus, which drops the rules over a mistake in one", "write it without {{")
			}
		}
	}
	return found
}
