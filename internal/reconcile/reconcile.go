// Package reconcile is the pure core: one claim, the platform's policy and the world as observed become the desired
// resources and a report. The gRPC function, the offline render and the tests all call it; it reads no clock, no
// network and no cluster.
//
// Its order of precedence is the product's: never lose data; never let go of what exists because of a doubt; refuse
// loudly; then be convenient. Whatever it cannot decide it either waits for (nothing new comes into being) or refuses
// (nothing changes at all).
package reconcile

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/alias"
	"github.com/bizmatters/function-hardened-postgres/internal/bootstrap"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// Input is everything one call knows.
type Input struct {
	// Composite is the composite resource: apiVersion, kind, metadata and spec are read, and of its status what has to be
	// remembered (see gap).
	Composite manifest.Object
	// Policy is the pipeline step's input.
	Policy manifest.Object
	// Decoded is the policy where it has been decoded before, without findings. It is only read.
	Decoded *v1beta1.Policy
	World   world.View
	// Now is the time of the call. It only decides whether waivers have expired, whether a recovery target lies in the
	// future and whether base backups have stopped, or went before their time; it is never written itself (ZDL-13).
	Now time.Time
	// AsksSchemas is true where the control plane can answer what kinds it has.
	AsksSchemas bool
	// Complete opens every gate: the set as it stands once protection is in force. For people who want to read it;
	// never for a control plane.
	Complete bool
}

// Composed is one desired resource.
type Composed struct {
	Name string
	// Object is what is wanted. Nil means: as observed, because this call has no reason to change it and none to let go
	// of it (ZDL-04).
	Object manifest.Object
	Ready  bool
}

// Outcome is what one call answers.
type Outcome struct {
	// Composed is empty where Refused is not.
	Composed []Composed
	// Requirements are the objects the next call wants to see.
	Requirements map[string]world.Selector
	// Schemas are the kinds it wants to know about.
	Schemas    map[string]world.SchemaSelector
	Status     *v1alpha1.Status
	Conditions []Condition
	// Refused are the violations that refuse the claim: nothing is changed, all of them are told at once.
	Refused contract.Findings
	// Ready is the readiness of the whole: the database works, archives and can be recovered.
	Ready bool
}

// state is one call on its way from input to outcome.
type state struct {
	in     Input
	policy *v1beta1.Policy
	claim  *claim.Claim
	asked  contract.Asked
	terms  claim.BackupTerms
	waived contract.Waivers

	identity identity
	place    hardened.Place
	observed contract.Observed
	// askedArchiver is how this function last asked the Cluster to archive, askedArchive the ObjectStore it asked for; nil where
	// it has not.
	askedArchiver *world.Cluster
	askedArchive  *world.Archive
	// archive is this claim's ObjectStore; archiveKnown is false while nobody has looked for one.
	archive      world.Archive
	archiveKnown bool
	// archived is true where the in-tree method has made a backup under this name.
	archived bool

	found contract.Findings
	// missing are findings that refuse nothing: about the control plane itself, and about how a database that lives was
	// made.
	missing contract.Findings
	wait    waits
	// sourceless is true where the claim wants data from a source and nobody knows yet how.
	sourceless bool
	// released are composed resources that are let go of on purpose: of an alias, of a replication that has ended, of a
	// Secret under another name.
	released []string
	// mended are those among them that cannot be let go of yet, because they would delete what they manage.
	mended []string
	// bucketInForce is true where the bucket is observed to protect what is written into it.
	bucketInForce bool
}

// Run decides.
func Run(in Input) Outcome {
	s := &state{in: in}
	var found contract.Findings
	if s.policy = in.Decoded; s.policy == nil {
		s.policy, found = policy.Decode(in.Policy)
		s.refuse(found)
	}
	s.claim, found = claim.Decode(in.Composite)
	s.refuse(found)
	if s.policy == nil || s.claim == nil {
		return s.refused()
	}
	c := s.claim
	if in.Complete {
		s.assume()
	}
	s.waived = contract.WaiversFor(s.policy, c.Namespace, c.Name, day(in.Now))

	s.terms, found = c.BackupTerms(s.policy)
	s.refuse(found)
	s.refuse(c.JudgeNames())
	s.asked = contract.Asked{
		Namespace: c.Namespace, Name: c.Name, Spec: c.Spec,
		Schedule: s.terms.Schedule, RetentionDays: s.terms.RetentionDays, LockDays: s.terms.LockDays,
	}
	if len(found) == 0 {
		s.refuse(contract.JudgeClaim(s.asked, s.policy))
	}
	s.observe()
	if s.unreadable() {
		return s.refused()
	}
	s.judgeIdentity()
	plan := s.bootstrap()
	name := alias.Make(c, s.identity.cluster, plan.Behind, s.in.World)
	s.refuse(name.Findings)
	if len(s.found.Violations()) > 0 {
		return s.refused()
	}
	s.release(plan.Released, name.Released, s.renamedSecret())
	s.sourceless = c.Spec.Bootstrap != nil && plan.Bootstrap.Stanza == nil && s.identity.cluster == nil
	if s.sourceless && in.Complete {
		s.refuse(contract.Findings{{
			Rule: "CNPG-2.4", Path: "spec.bootstrap", Message: "cannot be rendered without its source, which decides how the first data comes in: it waits for " + strings.Join(plan.Waiting, "; "),
			Fix: "give --required FILE with the source's Cluster and ObjectStore (kubectl get -o yaml), or write bootstrap.recovery.archive",
		}})
		return s.refused()
	}

	s.judgeGate(slices.Concat(plan.Waiting, plan.Preparing))
	set := hardened.Set(hardened.Request{
		Claim: c, Policy: s.policy, Terms: s.terms, Place: s.place, Bootstrap: plan.Bootstrap,
		Alive: s.identity.cluster != nil || s.identity.deleted || s.madeBefore(), Held: s.held(),
		Alias: name.Emit || s.in.Complete && c.Spec.Connection.Alias != "", HostNames: name.HostNames,
	})
	s.refuse(s.lastGate(set))
	if len(s.found.Violations()) > 0 {
		return s.refused()
	}
	out := s.answer(set, plan.Status)
	out.Status.Alias = name.Status
	return out
}

// unreadable says whether claim or policy could only be read in part: what was read has been judged, and the world is
// not held against the rest.
func (s *state) unreadable() bool {
	return slices.ContainsFunc(s.found, func(f contract.Finding) bool {
		return f.Rule == "API-1" || f.Rule == "API-2" || f.Path == "metadata.name"
	})
}

// renamedSecret is the connection Secret's Object where it still carries a former name. A composed resource keeps its name
// for ever, and the name is the lock on the Secret: under the old one, a second claim could take the new Secret too. So
// it is let go of first and comes back under its right name; the old Secret stays.
func (s *state) renamedSecret() []string {
	object, there := s.in.World.Observed[hardened.ConnectionSecret]
	if !there {
		return nil
	}
	wanted := s.claim.ObjectName(s.claim.Spec.Connection.SecretName, hardened.ConnectionSecret)
	if name := manifest.String(object, "metadata", "name"); name == "" || name == wanted {
		return nil
	}
	return []string{hardened.ConnectionSecret}
}

// assume answers what nobody was asked: the set is read by people who have no cluster at hand.
func (s *state) assume() {
	required := maps.Clone(s.in.World.Required)
	if required == nil {
		required = map[string][]manifest.Tree{}
	}
	for name, answer := range bootstrap.Assumed(s.claim, s.policy, nil) {
		if _, answered := required[name]; !answered {
			required[name] = answer
		}
	}
	s.in.World.Required = required
}

// refuse collects findings about this claim, with the waivers that hold for it applied.
func (s *state) refuse(fs contract.Findings) {
	if s.claim != nil {
		fs = claim.Named(fs, s.claim.Namespace, s.claim.Name)
	}
	s.found = append(s.found, s.waived.Apply(fs)...)
}

// lastGate judges what is about to be emitted, independently of the code that made it: a finding here is a mistake of
// ours, and nothing is emitted.
func (s *state) lastGate(set []hardened.Resource) contract.Findings {
	objects := make([]manifest.Object, len(set))
	for i, r := range set {
		objects[i] = r.Object
	}
	// What a waiver covers has been told with the claim or the policy that asks for it.
	found := s.waived.Apply(contract.JudgeManifests(objects, contract.OptionsFor(s.policy))).Violations()
	var mistakes contract.Findings
	for _, f := range found {
		if s.identity.cluster != nil && (strings.HasPrefix(f.Path, "spec.bootstrap.") || strings.HasPrefix(f.Path, "spec.externalClusters")) {
			// How the living database was made is a fact and not of our making (ZDL-08). It is told; to let go of the
			// database because of it would only make things worse.
			s.missing = append(s.missing, f)
			continue
		}
		f.Message = "refusing to emit an unsafe set, which is a mistake of this function: " + f.Message
		mistakes = append(mistakes, f)
	}
	return mistakes
}

// refused is the answer that changes nothing.
func (s *state) refused() Outcome {
	out := Outcome{Refused: s.found.Violations().Sort(), Requirements: s.requirements(), Schemas: s.schemas()}
	out.Conditions = s.refusedConditions(out.Refused)
	return out
}

func (s *state) answer(set []hardened.Resource, bootstrap *v1alpha1.BootstrapStatus) Outcome {
	out := Outcome{Requirements: s.requirements(), Schemas: s.schemas()}
	emitted := make(map[string]bool, len(set))
	for _, r := range set {
		_, exists := s.in.World.Observed[r.Name]
		if slices.Contains(s.released, r.Name) {
			continue
		}
		if !exists && !s.in.Complete && !s.open(r.Stage) {
			continue
		}
		emitted[r.Name] = true
		sourceless := r.Name == hardened.Cluster && exists && s.sourceless && !s.identity.deleted
		if sourceless || slices.Contains(s.mended, r.Name) {
			// Its Object was made with a source that is no longer seen, and the Cluster may still have to be made: it must
			// not be made empty. Or it is about to be let go of, under the name it has.
			r.Object = s.kept(r.Name)
		}
		if sourceless && s.held() {
			r.Object = hardened.Held(s.in.World.Observed[r.Name])
		}
		out.Composed = append(out.Composed, Composed{Name: r.Name, Object: r.Object, Ready: s.ready(r.Name)})
	}
	out.Composed = append(out.Composed, s.keep(emitted)...)

	s.observed.Living, s.observed.Repaired = s.living(set)
	s.observed.ReachedBackTo, s.observed.Parted = s.reachedBack(), s.parted()
	found, pending := contract.JudgeObserved(s.observed)
	found = s.waived.Apply(slices.Concat(found, s.found, s.missing))
	verdicts := contract.Verdicts(found, pending, s.waived)
	out.Status = s.status(verdicts, bootstrap)
	out.Conditions = s.conditions(verdicts)
	out.Ready = s.recoverability().Status == "True" && s.databaseReady() && s.bucketInForce
	return out
}

func day(now time.Time) string {
	if now.IsZero() {
		return ""
	}
	return now.UTC().Format(time.DateOnly)
}
