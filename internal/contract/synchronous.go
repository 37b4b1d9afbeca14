package contract

import (
	"fmt"
	"strconv"
)

// judgeSynchronous: a commit is on a standby before it is acknowledged, and only a standby known to have it is promoted
// (CNPG-1.2).
func judgeSynchronous(j *judge, c *cluster) {
	refuse := func(path, value, message, fix string) {
		j.refuse(c.document, "CNPG-1.2", path, value, message, fix)
	}
	const stanza = "write postgresql.synchronous {method: any, number: 1, dataDurability: required, failoverQuorum: true}"
	const at = "spec.postgresql.synchronous"

	for _, legacy := range []string{"minSyncReplicas", "maxSyncReplicas"} {
		if n, _ := integer(c.spec, legacy); n > 0 {
			refuse("spec."+legacy, strconv.FormatInt(n, 10), "is the old way, which turns asynchronous by itself when standbys are missing: commits are then acknowledged from one disk", "remove it; "+stanza)
			return
		}
	}
	s := sub(sub(c.spec, "postgresql"), "synchronous")
	if s == nil {
		refuse(at, "", "is missing: replication is asynchronous, and losing the primary loses the commits that were acknowledged last", stanza)
		return
	}
	if method := text(s, "method"); method != "any" && method != "first" {
		refuse(at+".method", method, "is not a way to choose synchronous standbys", "write method: any")
	}
	for _, key := range []string{"standbyNamesPre", "standbyNamesPost"} {
		for i, name := range items(s, key) {
			if name == "*" {
				refuse(index(at+"."+key, i), "*", "is whoever connects, as often as they do: no commit need be on any instance that can be promoted", "remove it")
				return
			}
		}
	}
	number, _ := integer(s, "number")
	outside := int64(len(items(s, "standbyNamesPre")) + len(items(s, "standbyNamesPost")))
	instances, _ := integer(c.spec, "instances")
	switch {
	case number < 1:
		refuse(at+".number", strconv.FormatInt(number, 10), "no standby has to have a commit before it is acknowledged", "write number: 1")
	case number <= outside:
		refuse(at+".number", strconv.FormatInt(number, 10), plural(outside, "name")+" outside the Cluster may confirm every commit: it need not be on any instance that can be promoted", "remove standbyNamesPre and standbyNamesPost")
	case instances >= MinInstances && number-outside >= instances:
		refuse(at+".number", strconv.FormatInt(number, 10), fmt.Sprintf("%d instances cannot have as many standbys: no commit would ever be acknowledged", instances), "write number: 1")
	}
	if n, said := integer(s, "maxStandbyNamesFromCluster"); said && n < max(number, 1) {
		refuse(at+".maxStandbyNamesFromCluster", strconv.FormatInt(n, 10), "too few of the Cluster's own standbys may confirm commits", "remove it")
	}
	if durability := text(s, "dataDurability"); durability != "" && durability != "required" {
		refuse(at+".dataDurability", durability, "replication turns asynchronous by itself when standbys are missing: commits are then acknowledged from one disk", "write dataDurability: required")
	}
	if quorum, _ := boolean(s, "failoverQuorum"); !quorum {
		refuse(at+".failoverQuorum", written(s["failoverQuorum"]), "without it a standby that lacks acknowledged commits may be promoted", "write failoverQuorum: true")
	}
}
