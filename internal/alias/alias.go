// Package alias decides who holds a stable connection name (connection.alias): a Service and a Secret that applications
// use and that lead to exactly one claim at a time. It is pure.
//
// The lock is the API server's. The provider-kubernetes Objects that wrap the two are named after the alias, not after
// the claim, and an object has one controller: while one claim's composite resource owns them, another's is refused by
// the API server, whatever either function believed. Letting go removes only those Objects; Service and Secret stay and
// lead where they led until the next holder's Objects, same name and therefore same field manager, turn them in one
// write each. So a name never leads nowhere, never to two databases, and moves in one commit whichever of the two
// claims is reconciled first:
//
//	this claim     the lock is           its own database  the Service is    what happens
//	asks, holds    its own               any               any               it keeps it
//	asks           another's             any               any               the other keeps it, and this one says who
//	asks           half its own          any               any               the Service decides: without it, it lets go
//	asks           not known yet         any               any               it waits
//	asks           free                  not ready yet     any               it waits; the name leads where it led
//	asks           free                  not certified     any               it waits until clients can verify it
//	asks           free                  not caught up     any               it waits until its source's rows flow
//	asks           free                  ready             a stranger's      refused: nobody's Service is taken over
//	asks           free                  ready             ours or none      it takes it
//	asks another   its own, of a former  any               any               it lets go of that one first
//	does not ask   its own               any               any               it lets go: the Objects go, the name stays
//	does not ask   not its own           any               any               nothing
package alias

import (
	"fmt"
	"slices"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// Names of the requirements. They never change.
const (
	// AskServiceHolder and AskSecretHolder are the Objects that stand for the alias: whoever's they are holds it.
	AskServiceHolder = "alias-service-holder"
	AskSecretHolder  = "alias-secret-holder" //nolint:gosec // The name of a question.
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
	// Released are composed resources that are observed and deliberately left out: an exception to ZDL-04. Leaving them
	// out lets go of the lock and deletes nothing.
	Released []string
	// Findings refuse.
	Findings contract.Findings
	// Status is nil where no alias is asked for.
	Status *v1alpha1.AliasStatus
}

// Asks are the objects Make wants to see.
func Asks(c *claim.Claim) map[string]world.Selector {
	alias := c.Spec.Connection.Alias
	if alias == "" {
		return nil
	}
	object := world.Selector{APIVersion: manifest.ObjectGroupCluster + "/v1alpha2", Kind: "Object"}
	if c.Scope == claim.Namespaced {
		object = world.Selector{APIVersion: manifest.ObjectGroupNamespaced + "/v1alpha1", Kind: "Object", Namespace: c.Namespace}
	}
	names := hardened.AliasObjectNames(c, alias)
	service, secret := object, object
	service.Name, secret.Name = names[hardened.AliasService], names[hardened.AliasSecret]
	return map[string]world.Selector{
		AskServiceHolder: service,
		AskSecretHolder:  secret,
		AskService:       {APIVersion: "v1", Kind: "Service", Namespace: c.Namespace, Name: alias},
	}
}

// parts are the composed resources of an alias, with the question that finds out who holds each.
var parts = []struct{ role, ask string }{
	{hardened.AliasService, AskServiceHolder},
	{hardened.AliasSecret, AskSecretHolder},
}

// Make decides, by the table above. live is nil while the database does not live; behind says what it still
// lacks of the rows of the database it follows.
func Make(c *claim.Claim, live *world.Cluster, behind string, v world.View) Plan {
	alias := c.Spec.Connection.Alias
	p := Plan{HostNames: hostNames(c, live)}
	held, former := holds(c, v)
	if alias == "" {
		p.Released = slices.Concat(held, former)
		return p
	}
	p.Status = &v1alpha1.AliasStatus{Name: alias}
	switch {
	case len(former) > 0:
		p.Released = slices.Concat(held, former)
		p.Status.Message = "an earlier alias is let go of first"
	case len(held) > 0 && !lost(c, held, v):
		p.Emit = true
		p.Status.Held = len(held) == len(parts)
	case len(held) > 0:
		p.Released = held
		p.Status.Message = "another claim was faster"
	default:
		p.take(c, live, behind, v)
	}
	p.Findings = claim.Named(p.Findings, c.Namespace, c.Name)
	return p
}

// take takes a free alias where nothing speaks against it.
func (p *Plan) take(c *claim.Claim, live *world.Cluster, behind string, v world.View) {
	for _, part := range parts {
		object, answered := v.Answer(part.ask)
		switch {
		case !answered:
			p.Status.Message = "waiting for the answer who holds it"
			return
		case object == nil || own(c, object):
			// Free; or left from this claim's own earlier life, which the API server tells apart from a holder's.
		default:
			p.Status.Holder = claimOf(object)
			p.Status.Message = fmt.Sprintf("held by %s, which keeps it as long as it asks for it: remove connection.alias there", p.Status.Holder)
			return
		}
	}
	service, answered := v.Answer(AskService)
	switch {
	case !answered:
		p.Status.Message = "waiting for the answer what the name leads to"
		return
	case service != nil && claimOf(service) == "":
		p.Findings = append(p.Findings, contract.Finding{
			Rule: "ZDL-07", Path: "spec.connection.alias", Value: c.Spec.Connection.Alias,
			Message: fmt.Sprintf("a Service %s/%s exists already and is not of this product: taking it over would redirect somebody's clients", c.Namespace, c.Spec.Connection.Alias),
			Fix:     "choose another alias, or delete that Service if nobody uses it",
		})
		return
	case service != nil && !own(c, service):
		p.Status.Holder = claimOf(service) // The lock is free, and the name still leads there.
	}
	switch {
	case live == nil || live.ReadyCondition != "True":
		p.Status.Message = "waiting for the database to be ready"
	case !certified(c, live):
		p.Status.Message = "waiting for the server's certificate to carry the name"
	case behind != "":
		p.Status.Message = "waiting until the rows of its source flow (" + contract.Clip(behind, 512) + ")"
	default:
		p.Emit = true
		p.Status.Message = "being taken"
		return
	}
	if p.Status.Holder != "" {
		p.Status.Message += "; until then the name leads to " + p.Status.Holder
	}
}

// holds tells which composed resources of an alias this claim has: of the alias it asks for, and of a former one. A
// composed resource keeps its name for ever, so one with another name guards another alias.
func holds(c *claim.Claim, v world.View) (held, former []string) {
	names := map[string]string{}
	if alias := c.Spec.Connection.Alias; alias != "" {
		names = hardened.AliasObjectNames(c, alias)
	}
	for _, part := range parts {
		object, there := v.Observed[part.role]
		switch {
		case !there:
		case manifest.String(object, "metadata", "name") == names[part.role]:
			held = append(held, part.role)
		default:
			former = append(former, part.role)
		}
	}
	return held, former
}

// lost says whether two claims took one part each, and this one the lesser: Objects are applied one by one.
func lost(c *claim.Claim, held []string, v world.View) bool {
	if slices.Contains(held, hardened.AliasService) {
		return false
	}
	holder, _ := v.Answer(AskServiceHolder)
	return holder != nil && !own(c, holder)
}

func own(c *claim.Claim, t manifest.Tree) bool { return claimOf(t) == c.Namespace+"/"+c.Name }

// claimOf is the claim an object belongs to, by our labels; "" where it is not of this product.
func claimOf(t manifest.Tree) string {
	namespace := manifest.String(t, "metadata", "labels", hardened.LabelClaimNamespace)
	name := manifest.String(t, "metadata", "labels", hardened.LabelClaim)
	if namespace == "" || name == "" {
		return ""
	}
	return namespace + "/" + name
}

// hostNames only ever grow: until the next holder is ready, a name leads to the former one, and clients verify it there.
func hostNames(c *claim.Claim, live *world.Cluster) []string {
	var out []string
	if live != nil {
		out = slices.Clone(live.AltDNSNames)
	}
	if alias := c.Spec.Connection.Alias; alias != "" {
		for _, name := range hardened.AliasHostNames(c, alias) {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

func certified(c *claim.Claim, live *world.Cluster) bool {
	for _, name := range hardened.AliasHostNames(c, c.Spec.Connection.Alias) {
		if !slices.Contains(live.Certified, name) {
			return false
		}
	}
	return true
}
