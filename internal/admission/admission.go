// Package admission writes the part of the contract that Kubernetes itself can hold: ValidatingAdmissionPolicies that
// refuse to let a live object drop below the contract by hand, or to be deleted. The function would repair most of it a
// minute later; a minute without synchronous replication, or a deleted PersistentVolumeClaim, is what they prevent.
//
// They act on objects that carry the label database.bizmatters.io/protected: "true", which the function puts on all it
// emits. Whoever has to do what they refuse writes down why, in the annotation database.bizmatters.io/break-glass.
package admission

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
)

// The label the policies look for and the annotation that opens them.
const (
	LabelProtected = v1alpha1.Group + "/protected"
	BreakGlass     = v1alpha1.Group + "/break-glass"
	// minReason is how long the annotation has to be: as long as the reason of a waiver.
	minReason = 10
)

// DefaultOperator is the service account CloudNativePG runs as where it was installed as its documentation says. It has to
// go on replacing instances and their volumes.
const DefaultOperator = "system:serviceaccount:cnpg-system:cnpg-manager"

// Options adapt the policies to a platform. The zero value is the contract's own floor.
type Options struct {
	// Operators are the users CloudNativePG runs as; DefaultOperator where there are none.
	Operators []string
	// StorageClassName is the class that retains its volumes.
	StorageClassName string
	// RetentionDays and LockDays are the least to accept.
	RetentionDays, LockDays int64
	// Waivers are the platform's: what it waives is not refused here either.
	Waivers []v1beta1.Waiver
	// Today is the day waivers are held against, "2026-11-24".
	Today string
	// Audit reports violations to the client and the audit log instead of refusing them.
	Audit bool
}

// OptionsFor takes from a platform's policy what concerns live objects.
func OptionsFor(p *v1beta1.Policy) Options {
	return Options{
		StorageClassName: p.StorageClassName, RetentionDays: p.Backup.RetentionDays, LockDays: p.Bucket.LockDays, Waivers: p.Waivers,
	}
}

func (o Options) withDefaults() Options {
	if len(o.Operators) == 0 {
		o.Operators = []string{DefaultOperator}
	}
	o.StorageClassName = cmp.Or(o.StorageClassName, policy.DefaultStorageClassName)
	o.RetentionDays = max(o.RetentionDays, contract.MinRetentionDays)
	return o
}

// Policy is one ValidatingAdmissionPolicy and the binding that puts it in force.
type Policy struct {
	// Purpose says in a sentence what it prevents.
	Purpose         string
	Policy, Binding manifest.Object
}

// Policies are all of them, in the order they are explained.
func Policies(o Options) []Policy {
	o = o.withDefaults()
	var out []Policy
	for _, p := range []policyTemplate{
		cluster(o), scale(), objectStore(o), scheduledBackup(), externalSecret(),
		orphanedClusterScoped(), orphanedNamespaced(), bucket(o), label(), deletion(), claims(o), volumes(o), storageClass(o), namespace(),
	} {
		out = append(out, p.build(o))
	}
	return out
}

// policyTemplate is one policy in the terms of the contract.
type policyTemplate struct {
	name, purpose string
	on            []resources
	// everything matches objects whatever their labels; without it only protected ones are looked at.
	everything bool
	selector   map[string]any
	conditions []expression
	variables  []expression
	checks     []check
}

// resources is one group's resources and the operations on them.
type resources struct {
	group, version string
	names          []string
	operations     []string
}

// expression is a named CEL expression.
type expression struct{ name, cel string }

// check is what has to hold, the rule it serves and what is said where it does not.
type check struct{ rule, cel, message string }

var (
	written = []string{"CREATE", "UPDATE"}
	changed = []string{"UPDATE"}
	deleted = []string{"DELETE"}
)

// unlessBroken is appended to what is refused: the way out is part of the message.
const unlessBroken = "; if it has to be, write why into the annotation " + BreakGlass

// shared are the variables every policy has. On DELETE there is no object, on CREATE no oldObject.
func shared() []expression {
	return []expression{
		{"it", "object == null ? oldObject : object"},
		{"reason", fmt.Sprintf("[object, oldObject].filter(o, o != null).map(o, o.metadata.?annotations[?'%s'].orValue('')).filter(r, r.size() >= %d)", BreakGlass, minReason)},
	}
}

func (p policyTemplate) build(o Options) Policy {
	name := "hardened-postgres-" + p.name
	spec := map[string]any{
		"failurePolicy":    "Fail",
		"matchConstraints": p.match(),
		"variables":        named(append(shared(), p.variables...)),
		"auditAnnotations": []any{map[string]any{
			"key": "break-glass", "valueExpression": "variables.reason[?0].orValue('')",
		}},
	}
	if len(p.conditions) > 0 {
		spec["matchConditions"] = named(p.conditions)
	}
	validations := []any{}
	for _, c := range p.checks {
		cel, ok := o.waived(c)
		if !ok {
			continue
		}
		validations = append(validations, map[string]any{
			"expression": "variables.reason.size() > 0 || (" + cel + ")",
			"message":    c.message + unlessBroken + " [" + c.rule + "]",
			"reason":     "Forbidden",
		})
	}
	spec["validations"] = validations
	actions := []any{"Deny", "Audit"}
	if o.Audit {
		actions = []any{"Warn", "Audit"}
	}
	return Policy{
		Purpose: p.purpose,
		Policy:  object("ValidatingAdmissionPolicy", name, spec),
		Binding: object("ValidatingAdmissionPolicyBinding", name, map[string]any{"policyName": name, "validationActions": actions}),
	}
}

func object(kind, name string, spec map[string]any) manifest.Object {
	return manifest.Object{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
		"metadata": map[string]any{"name": name, "labels": map[string]any{"app.kubernetes.io/part-of": "function-hardened-postgres"}},
		"spec":     spec,
	}
}

func (p policyTemplate) match() map[string]any {
	rules := make([]any, 0, len(p.on))
	for _, r := range p.on {
		rules = append(rules, map[string]any{
			"apiGroups": []any{r.group}, "apiVersions": texts(strings.Split(r.version, " ")), "resources": texts(r.names), "operations": texts(r.operations),
		})
	}
	m := map[string]any{"resourceRules": rules}
	switch {
	case p.selector != nil:
		m["objectSelector"] = p.selector
	case !p.everything:
		m["objectSelector"] = map[string]any{"matchLabels": map[string]any{LabelProtected: "true"}}
	}
	return m
}

func named(es []expression) []any {
	out := make([]any, 0, len(es))
	for _, e := range es {
		out = append(out, map[string]any{"name": e.name, "expression": e.cel})
	}
	return out
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// list is a CEL list of strings.
func list(items ...string) string { return "['" + strings.Join(items, "', '") + "']" }
