// Package alias decides who holds a stable connection name (connection.alias): a Service and a Secret that applications
// use and that lead to exactly one claim at a time. It is pure.
//
// The lock is the API server's. The provider-kubernetes Objects that wrap the two are named after the alias, not after
// the claim, and an object has one controller: while one claim's composite resource owns them, another's is refused by
// the API server, whatever either function believed. Letting go removes only those Objects; the Service stays and leads
// where it led until the next holder's Object, same name and therefore same field manager, turns it in one write.
package alias

import (
	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// Names of the requirements.
const (
	// AskHolder is the Object that stands for the alias: whoever's it is holds the alias.
	AskHolder = "alias-holder"
	// AskService is the Service itself, which must not be a stranger's.
	AskService = "alias-service"
)

// Plan is what becomes of the alias in this call.
type Plan struct {
	// Emit says whether the alias' resources belong into the set.
	Emit bool
	// HostNames are all names the server's certificate has to carry: of the alias asked for, and of every alias the
	// database has ever had, because a name may lead to it until its next holder is ready.
	HostNames []string
	// Released are composed resources that are observed and deliberately left out: the one exception to ZDL-04.
	// Leaving them out lets go of the lock and deletes nothing.
	Released []string
	// Findings refuse.
	Findings contract.Findings
	// Waiting says what the alias waits for. It never holds up the database.
	Waiting []string
	// Status is nil where no alias is asked for.
	Status *v1alpha1.AliasStatus
}

// Asks are the objects Make wants to see.
func Asks(c *claim.Claim) map[string]world.Selector {
	return map[string]world.Selector{}
}

// Make decides. live is nil while the database does not live.
func Make(c *claim.Claim, live *world.Cluster, v world.View) Plan {
	return Plan{}
}
