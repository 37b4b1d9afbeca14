// Package bootstrap decides where a database's first data comes from: nowhere, another database's archive, or a live
// database (CNPG-2.4). It is pure: what it needs to know of the source it asks for, and judges once it is answered.
//
// A bootstrap is read once. As soon as the database lives, what it was made from is frozen (ZDL-08): the stanza is then
// copied from the live Cluster, whatever the claim says, and a recovery left in Git never rolls anything back.
package bootstrap

import (
	"time"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// Names of the requirements. Like the names of composed resources they never change.
const (
	// AskSourceCluster is the source's live Cluster.
	AskSourceCluster = "bootstrap-source-cluster"
	// AskSourceArchive is the source's ObjectStore, which outlives its Cluster.
	AskSourceArchive = "bootstrap-source-archive"
	// AskOwnArchive is this claim's own ObjectStore: what it already holds must not be written over.
	AskOwnArchive = "bootstrap-own-archive"
	// AskOwnSource is this claim's description of the source's archive, left from an earlier life of the claim.
	AskOwnSource = "bootstrap-own-source"
)

// Plan is what a claim's database is made from.
type Plan struct {
	// Bootstrap goes into the set.
	Bootstrap hardened.Bootstrap
	// Findings refuse.
	Findings contract.Findings
	// Waiting says, in sentences for the developer, what a database that does not live yet still waits for.
	Waiting []string
	// Status is nil for a database that simply starts empty.
	Status *v1alpha1.BootstrapStatus
}

// Asks are the objects Make wants to see.
func Asks(c *claim.Claim, p *v1beta1.Policy) map[string]world.Selector {
	return map[string]world.Selector{}
}

// Make decides. live is nil while the database does not live. now only ever refuses or delays a recovery target that
// has not happened yet; it never reaches the output, and a zero now judges nothing.
func Make(c *claim.Claim, p *v1beta1.Policy, place hardened.Place, terms claim.BackupTerms, live *world.Cluster, v world.View, now time.Time) Plan {
	return Plan{}
}
