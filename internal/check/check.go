// Package check judges documents as they lie in Git: the same claim, policy and manifest rules that the function applies
// in the cluster, with every finding traced back to the line that causes it.
package check

import (
	"cmp"
	"maps"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/report"
	"github.com/bizmatters/function-hardened-postgres/internal/schema"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// Options say what to judge by.
type Options struct {
	// Policy of the platform; nil stands for the least one that keeps the contract, on a default stack.
	Policy *Policy
	// Manifests judges every other document by the rules for manifests.
	Manifests bool
	// Complete says that the documents hold everything there is, so that what a Cluster needs and they lack is missing.
	Complete bool
	// Namespace of claims that name none.
	Namespace string
	// Today is the day waivers are held against, "2026-11-24".
	Today string
}

// Judge judges documents, and the policy they are judged by.
func Judge(docs []source.Document, o Options) report.Report {
	j := &judge{Options: o, policy: assumed()}
	if o.Policy != nil {
		j.located(o.Policy.findings, o.Policy.position)
		if o.Policy.value != nil {
			j.policy = o.Policy.value
		}
	}
	var manifests []source.Document
	for _, d := range docs {
		switch {
		case IsClaim(d.Object):
			j.report.Claims++
			j.claim(d)
		case IsClaim(d.Unwrap().Object): // Somebody has a provider apply it.
			j.report.Claims++
			j.claim(d.Unwrap())
			if o.Manifests {
				manifests = append(manifests, d)
			}
		case o.Manifests && IsManifest(d.Object):
			if contract.Knows(d.Object) {
				j.report.Manifests++
			} else {
				j.report.Unknown++
				j.report.Skipped++
			}
			manifests = append(manifests, d)
		default:
			j.report.Skipped++
		}
	}
	j.manifests(manifests)
	j.report.Sort()
	return j.report
}

// IsClaim says whether a document is meant to be a database claim. A mistyped group or kind still counts: a claim that is
// silently passed over is a database that never comes, or one that was never judged.
func IsClaim(o manifest.Object) bool {
	return near(o.Kind(), v1alpha1.Kind, v1alpha1.KindComposite) && near(o.Group(), v1alpha1.Group)
}

// IsManifest says whether a document is another Kubernetes object.
func IsManifest(o manifest.Object) bool {
	return o.Kind() != "" && o.APIVersion() != "" && o.Group() != v1beta1.Group
}

func near(name string, known ...string) bool { return name != "" && schema.Nearest(name, known) != "" }

type judge struct {
	Options

	policy *v1beta1.Policy
	report report.Report
}

// located adds findings at the places their paths lead to.
func (j *judge) located(fs contract.Findings, position func(path string) (file string, line, column int)) {
	for _, f := range fs {
		at := report.Located{Finding: f}
		at.File, at.Line, at.Column = position(f.Path)
		j.report.Findings = append(j.report.Findings, at)
	}
}

func in(d source.Document) func(path string) (string, int, int) {
	return func(path string) (string, int, int) {
		line, column := d.Position(path)
		return d.File, line, column
	}
}

// claim judges one claim the way the function would, and further: where the document's shape is wrong, what can be
// understood of it is judged all the same, so that everything is told at once.
func (j *judge) claim(d source.Document) {
	o := claim.InNamespace(d.Object, j.Namespace)
	c, found := claim.Decode(o)
	if c == nil {
		c, _ = claim.Decode(understood(o, found))
	}
	if c != nil {
		found = append(found, j.asked(c)...)
	}
	found = append(found, contract.JudgePaused(d.Object)...)
	name := v1alpha1.Kind + " " + o.Namespace() + "/" + o.Name()
	if o.Kind() == v1alpha1.KindComposite {
		name = v1alpha1.KindComposite + " " + o.Name()
	}
	for i := range found {
		found[i].Object = name
	}
	if c != nil {
		found = contract.WaiversFor(j.policy, c.Namespace, o.Name(), j.Today).Apply(found)
	}
	j.located(found.Sort(), in(d))
	if f, pins := pinned(d.Object); pins {
		f.Object = name
		line, column := d.Position(f.Path)
		j.report.Findings = append(j.report.Findings, report.Located{Finding: f, Told: true, File: d.File, Line: line, Column: column})
	}
}

// pinned finds a claim that chooses a revision of the Composition, and with it the policy of that day. The function sees
// only the policy it is called with. One that follows by hand (compositionUpdatePolicy: Manual) and names none is moved on by
// the platform.
func pinned(claim manifest.Object) (contract.Finding, bool) {
	for _, at := range [][]string{{"spec"}, {"spec", "crossplane"}} {
		spec := manifest.Map(claim, at...)
		if name := manifest.String(spec, "compositionRevisionRef", "name"); name != "" && manifest.String(spec, "compositionUpdatePolicy") != "Automatic" {
			return contract.Finding{
				Rule: "ZDL-14", Path: strings.Join(at, ".") + ".compositionRevisionRef", Value: name,
				Message: "chooses a revision of the platform's Composition: the policy of that day holds for the claim, whatever the platform has tightened since, and it is not the one this check judges by",
				Fix:     "remove it; with compositionUpdatePolicy: Manual alone the claim stays where it is until the platform moves it on",
			}, true
		}
	}
	return contract.Finding{}, false
}

// asked judges what a claim that could be read asks for.
func (j *judge) asked(c *claim.Claim) contract.Findings {
	found := append(c.JudgeNames(), c.JudgeNewName()...) // Whether it lives already is not in a file.
	terms, wrong := c.BackupTerms(j.policy)
	if found = append(found, wrong...); len(wrong) > 0 {
		return found
	}
	return append(found, contract.JudgeClaim(contract.Asked{
		Namespace: c.Namespace, Name: c.Name, Spec: c.Spec,
		Schedule: terms.Schedule, RetentionDays: terms.RetentionDays, LockDays: terms.LockDays,
	}, j.policy)...)
}

// manifests judges the other documents as one set.
func (j *judge) manifests(docs []source.Document) {
	if len(docs) == 0 {
		return
	}
	set := make([]manifest.Object, len(docs))
	for i, d := range docs {
		set[i] = d.Object
	}
	o := contract.Options{}
	if j.Policy != nil {
		o = contract.OptionsFor(j.policy)
	}
	o.Complete, o.Composed = j.Complete, false
	for i, judged := range contract.JudgeEach(set, o) {
		if len(judged.Findings) == 0 {
			continue
		}
		for _, f := range j.waive(judged.Findings, owners(docs[i], judged.Clusters)) {
			j.located(contract.Findings{f}, in(inside(docs[i], f.Object)))
		}
	}
}

// inside is the document that a finding speaks of: the one that was read, or what it wraps.
func inside(d source.Document, object string) source.Document {
	for named(d.Object) != object && d.Object.IsWrapper() && d.Object.Unwrap() != nil {
		d = d.Unwrap()
	}
	return d
}

// waive marks what the policy waives for every one of the owners.
func (j *judge) waive(found contract.Findings, owners [][2]string) contract.Findings {
	waived := contract.WaiversFor(j.policy, owners[0][0], owners[0][1], j.Today)
	for _, other := range owners[1:] {
		theirs := contract.WaiversFor(j.policy, other[0], other[1], j.Today)
		maps.DeleteFunc(waived, func(rule, _ string) bool {
			_, also := theirs[rule]
			return !also
		})
	}
	return waived.Apply(found)
}

// owners are the claims, as namespace and name, that a document may belong to: those of its Clusters, and those its labels
// name, of which anybody can write any. Where nothing but a label says whose it is, it is nobody's: only what is waived for
// all is waived for it.
func owners(d source.Document, clusters []string) [][2]string {
	var all [][2]string
	for _, cluster := range clusters {
		namespace, name, _ := strings.Cut(cluster, "/")
		all = append(all, [2]string{namespace, name}) // A Cluster has its claim's name.
	}
	inner := d
	for inner.Object.IsWrapper() && inner.Object.Unwrap() != nil {
		inner = inner.Unwrap()
	}
	if len(all) == 0 {
		all = append(all, owner(inner.Object))
	}
	for _, o := range []manifest.Object{d.Object, inner.Object} {
		labels := manifest.Map(o, "metadata", "labels")
		if namespace, name := manifest.String(labels, labelNamespace), manifest.String(labels, labelClaim); namespace != "" {
			all = append(all, [2]string{namespace, cmp.Or(name, all[0][1])})
		}
	}
	return all
}

// The labels that name a claim.
const (
	labelClaim     = v1alpha1.Group + "/claim"
	labelNamespace = v1alpha1.Group + "/claim-namespace"
)

// owner is the claim that an object belongs to which no Cluster of the set needs: its namespace tells, and its label where
// the object is named after what it says.
func owner(o manifest.Object) [2]string {
	if o.Namespace() == "" {
		return [2]string{}
	}
	claim := manifest.String(o, "metadata", "labels", labelClaim)
	if claim != "" && strings.HasPrefix(o.Name(), claim+"-") {
		return [2]string{o.Namespace(), claim}
	}
	return [2]string{o.Namespace(), o.Name()}
}

// named is how findings call an object.
func named(o manifest.Object) string {
	return o.Kind() + " " + strings.TrimPrefix(o.Namespace()+"/"+o.Name(), "/")
}

// assumed is the policy that is judged by where none is given: as little as keeps the contract, on a default stack.
func assumed() *v1beta1.Policy {
	p := &v1beta1.Policy{}
	p.Bucket.Prefix, p.Bucket.Region = "assumed", "assumed"
	p.Credentials.SecretStoreRef.Name = "assumed"
	policy.SetDefaults(p)
	return p
}
