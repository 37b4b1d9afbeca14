package contract

import "strings"

// judgeMetadata: no annotation or label disables validation, archiving, failover or reconciliation (ZDL-10). What is in
// CloudNativePG's domain is refused as a whole: its switches grow with every release, and none of them is needed. What
// this product composes carries its own labels only.
func judgeMetadata(j *judge, c *cluster) {
	metadata := sub(c.body, "metadata")
	inherited := sub(c.spec, "inheritedMetadata")
	j.judgeNames(c, sub(metadata, "annotations"), "metadata.annotations", j.options.Composed)
	j.judgeNames(c, sub(metadata, "labels"), "metadata.labels", j.options.Composed)
	// These reach pods and volumes, where alpha.cnpg.io/unrecoverable deletes an instance with its disk.
	j.judgeNames(c, sub(inherited, "annotations"), "spec.inheritedMetadata.annotations", false)
	j.judgeNames(c, sub(inherited, "labels"), "spec.inheritedMetadata.labels", false)
}

// switches are what CloudNativePG's annotations do to the promise.
var switches = map[string]string{
	"cnpg.io/validation":                       "switches CloudNativePG's own validation off",
	"cnpg.io/skipWalArchiving":                 "switches archiving off",
	"cnpg.io/skipEmptyWalArchiveCheck":         "lets the Cluster archive over what another incarnation left",
	"cnpg.io/hibernation":                      "stops the database",
	"cnpg.io/reconciliationLoop":               "switches the operator off: nothing fails over",
	"cnpg.io/fencedInstances":                  "stops PostgreSQL on the instances it names",
	"cnpg.io/podPatch":                         "rewrites the pods behind the contract's back",
	"cnpg.io/snapshotAllowColdBackupOnPrimary": "lets a backup stop the primary",
	"alpha.cnpg.io/failoverQuorum":             "overrides failoverQuorum: a standby that lacks acknowledged commits may be promoted",
	"alpha.cnpg.io/unrecoverable":              "deletes an instance together with its disk",
	"alpha.cnpg.io/livenessPinger":             "switches the check for an isolated primary off",
}

// once are what kubectl's plugin for CloudNativePG leaves on a Cluster when a person asks for something, once: to reload.
// A restart leaves kubectl.kubernetes.io/restartedAt, which is nobody's switch.
var once = map[string]bool{"cnpg.io/reloadedAt": true}

// vouched are the prefixes of metadata that this product puts on a Cluster.
var vouched = []string{"database.bizmatters.io/", "app.kubernetes.io/"}

func (j *judge) judgeNames(c *cluster, names node, at string, strict bool) {
	for _, name := range sortedKeys(names) {
		effect, known := switches[name]
		domain, _, _ := strings.Cut(name, "/")
		path := at + "[" + name + "]"
		switch {
		case known:
			j.refuse(c.document, "ZDL-10", path, written(names[name]), effect, "remove it")
		case once[name] && !strict:
		case isOperatorDomain(domain):
			j.refuse(c.document, "ZDL-10", path, written(names[name]), "is a switch of CloudNativePG's that nobody vouches for", "remove it")
		case strict && !hasAnyPrefix(name, vouched):
			j.refuse(c.document, "ZDL-10", path, written(names[name]), "is not on the list of what a Cluster may carry", "remove it")
		}
	}
}

// isOperatorDomain says whether metadata belongs to CloudNativePG.
func isOperatorDomain(domain string) bool {
	return domain == "cnpg.io" || strings.HasSuffix(domain, ".cnpg.io")
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}
