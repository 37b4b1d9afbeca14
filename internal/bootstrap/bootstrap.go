// Package bootstrap decides where a database's first data comes from: nowhere, another database's archive, or a live
// database (CNPG-2.4). It is pure: what it needs to know of the source it asks for, and judges once it is answered.
//
// A bootstrap is read once. As soon as the database lives, what it was made from is frozen (ZDL-08): the stanza is then
// copied from the live Cluster, whatever the claim says, and a recovery left in Git never rolls anything back.
//
//	the claim says      and the source is              then the data comes
//	nothing             –                              from nowhere: an empty database
//	recovery            of the same major              from its archive, byte by byte, to its end or to a point in time
//	recovery            of an older major, alive       through a logical copy of the live database, its writes stopped
//	recovery + upgrade  of an older major, alive       through logical replication, its writes going on until the switch
//	recovery            of another major, not alive    from nowhere: refused, naming the two steps that work
//	import              alive                          through a logical copy, also within one major
package bootstrap

import (
	"fmt"
	"strings"
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
	AskOwnArchive = "archive"
	// AskOwnSource is this claim's own description of the source's archive, left from an earlier life of the claim.
	AskOwnSource = "bootstrap-own-source"
)

// The methods, as status names them.
const (
	MethodRecovery    = "recovery"
	MethodImport      = "import"
	MethodReplication = "logicalReplication"
	methodEmpty       = "initdb"
)

// Plan is what a claim's database is made from.
type Plan struct {
	// Bootstrap goes into the set.
	Bootstrap hardened.Bootstrap
	// Released are composed resources that are deliberately left out although they may be observed: a replication that
	// has ended. Leaving them out deletes nothing but the wrapping Objects.
	Released []string
	// Findings refuse.
	Findings contract.Findings
	// Waiting says, in the words that follow "waiting for", what a database that does not live yet still waits for.
	Waiting []string
	// Preparing is waited for in the same way, and made by this function itself: it comes without anybody's doing.
	Preparing []string
	// Behind says why a database that lives must not take its source's place yet: rows are still on their way. Empty where
	// nothing speaks against it.
	Behind string
	// Status is nil for a database that simply starts empty.
	Status *v1alpha1.BootstrapStatus
}

// Asks are the objects Make wants to see. They follow from claim and policy alone.
func Asks(c *claim.Claim, p *v1beta1.Policy) map[string]world.Selector {
	asks := map[string]world.Selector{}
	store := func(name string) world.Selector {
		return world.Selector{APIVersion: "barmancloud.cnpg.io/v1", Kind: "ObjectStore", Namespace: c.Namespace, Name: name}
	}
	source := sourceName(c)
	if source != "" {
		asks[AskSourceCluster] = world.Selector{APIVersion: "postgresql.cnpg.io/v1", Kind: "Cluster", Namespace: c.Namespace, Name: source}
	}
	// Without the plugin its kind need not exist, and asking for a kind that does not exist fails the whole pipeline.
	if !hardened.Plugin(p) || c.Spec.Bootstrap == nil {
		return asks
	}
	asks[AskOwnArchive] = store(c.Name + claim.SuffixObjectStore)
	if c.Spec.Bootstrap.Recovery != nil {
		asks[AskOwnSource] = store(c.Name + claim.SuffixSource)
		if source != "" {
			asks[AskSourceArchive] = store(source + claim.SuffixObjectStore)
		}
	}
	return asks
}

// Make decides; what claim and policy decide between them is the contract's to judge. live is nil while the database does not live. now only ever refuses or delays a recovery target that
// has not happened yet; it never reaches the output, and a zero now judges nothing.
func Make(c *claim.Claim, p *v1beta1.Policy, place hardened.Place, live *world.Cluster, v world.View, now time.Time) Plan {
	m := &maker{claim: c, policy: p, place: place, view: v, now: now}
	switch b := c.Spec.Bootstrap; {
	case live != nil:
		m.frozen(live)
	case b == nil:
	case b.ImportFrom != nil:
		m.importing(b.ImportFrom)
	case b.Recovery != nil:
		m.recovering(b.Recovery)
	}
	if live == nil && c.Spec.Bootstrap != nil && m.plan.Bootstrap.Stanza == nil && len(m.plan.Waiting) == 0 {
		// Refused already; but a waiver must never turn a recovery that cannot be done into an empty database.
		m.waitForf("a source it can be made from")
	}
	if live == nil && m.plan.Bootstrap.Stanza != nil && sourceName(c) != c.Name {
		m.mentionEarlierLives()
	}
	m.plan.Findings = claim.Named(m.plan.Findings, c.Namespace, c.Name)
	return m.plan
}

// maker is one decision on its way.
type maker struct {
	claim  *claim.Claim
	policy *v1beta1.Policy
	place  hardened.Place
	view   world.View
	now    time.Time

	plan Plan
}

func (m *maker) refuse(rule, path, value, message, fix string) {
	m.plan.Findings = append(m.plan.Findings, contract.Finding{Rule: rule, Path: path, Value: value, Message: message, Fix: fix})
}

func (m *maker) waitForf(format string, args ...any) {
	m.plan.Waiting = append(m.plan.Waiting, fmt.Sprintf(format, args...))
}

// mentionEarlierLives tells who makes a database of this name anew, from elsewhere, that its own archive holds earlier ones:
// after a loss that is seldom what is meant.
func (m *maker) mentionEarlierLives() {
	archive, _ := m.ownArchive()
	stated := m.claim.Spec.Bootstrap.Recovery != nil && m.claim.Spec.Bootstrap.Recovery.Archive != nil // Perhaps one of them.
	if full := archive.Full(); len(full) > 0 && !stated {
		m.plan.Status.Message += fmt.Sprintf("; the archive of this name also holds %s, which bootstrap.recovery: {source: %s} would bring back instead",
			strings.Join(described(&archive, full), ", "), m.claim.Name)
	}
}

// sourceName is the claim the data comes from, or "".
func sourceName(c *claim.Claim) string {
	switch b := c.Spec.Bootstrap; {
	case b == nil:
		return ""
	case b.Recovery != nil:
		return b.Recovery.Source
	case b.ImportFrom != nil:
		return b.ImportFrom.Source
	}
	return ""
}
