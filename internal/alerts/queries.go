package alerts

import _ "embed"

//go:embed queries.yaml
var queries string

// CustomQueries returns the CNPG custom monitoring queries (the value of one
// key of the ConfigMap that spec.monitoring.customQueriesConfigMap names)
// whose metrics the alerts of group "inside" need. They are the same for every
// target.
func CustomQueries(Target) string { return queries }
