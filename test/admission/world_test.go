// Package admission runs the generated ValidatingAdmissionPolicies in the API server's own CEL environment, on the
// objects this product emits.
package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/admission"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
	v1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	k8sadmission "k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"
)

// compiled is one policy, ready to judge requests as the API server does.
type compiled struct {
	*v1.ValidatingAdmissionPolicy

	validator validating.Validator
}

// policies compiles the generated policies. Whatever the API server would not compile fails the test.
func policies(t *testing.T, o admission.Options) []compiled {
	t.Helper()
	var out []compiled
	for _, p := range admission.Policies(o) {
		policy := &v1.ValidatingAdmissionPolicy{}
		strict(t, p.Policy, policy)
		binding := &v1.ValidatingAdmissionPolicyBinding{}
		strict(t, p.Binding, binding)
		if binding.Spec.PolicyName != policy.Name {
			t.Errorf("%s is bound to %q", policy.Name, binding.Spec.PolicyName)
		}
		out = append(out, compile(t, policy))
	}
	return out
}

// strict decodes an object without unknown fields, as the API server does.
func strict(t *testing.T, o manifest.Object, into any) {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s %s: %v", o.Kind(), o.Name(), err)
	}
}

// compile does what the API server's own, unexported function does, and looks at every expression's result.
func compile(t *testing.T, p *v1.ValidatingAdmissionPolicy) compiled {
	t.Helper()
	full := cel.OptionalVariableDeclarations{HasAuthorizer: true}
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		t.Fatal(err)
	}
	report := func(what string, err error) {
		if err != nil {
			t.Errorf("%s: %s: %v", p.Name, what, err)
		}
	}
	for i := range p.Spec.Variables {
		variable := &validating.Variable{Name: p.Spec.Variables[i].Name, Expression: p.Spec.Variables[i].Expression}
		result := compiler.CompileAndStoreVariable(variable, full, environment.NewExpressions)
		if result.Error != nil {
			report("variable "+variable.Name, result.Error)
		}
	}
	var conditions, validations, annotations []cel.ExpressionAccessor
	for i := range p.Spec.MatchConditions {
		conditions = append(conditions, (*matchconditions.MatchCondition)(&p.Spec.MatchConditions[i]))
	}
	for _, v := range p.Spec.Validations {
		validations = append(validations, &validating.ValidationCondition{Expression: v.Expression, Message: v.Message, Reason: v.Reason})
	}
	for _, a := range p.Spec.AuditAnnotations {
		annotations = append(annotations, &validating.AuditAnnotationCondition{Key: a.Key, ValueExpression: a.ValueExpression})
	}
	for _, accessor := range slices.Concat(conditions, validations, annotations) {
		if result := compiler.CompileCELExpression(accessor, full, environment.NewExpressions); result.Error != nil {
			report(accessor.GetExpression(), result.Error)
		}
	}
	var matcher matchconditions.Matcher
	if len(conditions) > 0 {
		matcher = matchconditions.NewMatcher(compiler.CompileCondition(conditions, full, environment.NewExpressions), p.Spec.FailurePolicy, "policy", "validate", p.Name)
	}
	return compiled{p, validating.NewValidator(
		compiler.CompileCondition(validations, full, environment.NewExpressions), matcher,
		compiler.CompileCondition(annotations, full, environment.NewExpressions),
		compiler.CompileCondition(nil, cel.OptionalVariableDeclarations{}, environment.NewExpressions),
		p.Spec.FailurePolicy, nil,
	)}
}

// request is one change of one object.
type request struct {
	operation         k8sadmission.Operation
	subresource, user string
	old, new          manifest.Object
}

// verdict is what the policies say: the rules they refuse by, the messages, and what goes into the audit log.
type verdict struct {
	rules, messages []string
	audit           []string
}

var ruleOf = regexp.MustCompile(`\[([A-Z]+-[0-9.]+)\]$`)

// judge asks every policy that matches, as the API server does before it writes.
func judge(t *testing.T, all []compiled, r request) verdict {
	t.Helper()
	it := r.new
	if it == nil {
		it = r.old
	}
	gv, err := schema.ParseGroupVersion(it.APIVersion())
	if err != nil {
		t.Fatal(err)
	}
	gvr := gv.WithResource(plural(it.Kind()))
	if r.subresource == "scale" {
		gvr = schema.GroupVersionResource{Group: "postgresql.cnpg.io", Version: "v1", Resource: "clusters"}
	}
	if r.user == "" {
		r.user = "kubernetes-admin"
	}
	attributes := k8sadmission.NewAttributesRecord(object(r.new), object(r.old), gv.WithKind(it.Kind()), it.Namespace(), it.Name(), gvr, r.subresource,
		r.operation, options(r.operation), false, &user.DefaultInfo{Name: r.user})
	versioned := &k8sadmission.VersionedAttributes{
		Attributes: attributes, VersionedKind: gv.WithKind(it.Kind()), VersionedObject: object(r.new), VersionedOldObject: object(r.old),
	}
	var out verdict
	for _, p := range all {
		if !matches(t, p.Spec.MatchConstraints, attributes, r) {
			continue
		}
		result := p.validator.Validate(context.Background(), gvr, versioned, nil, nil, celconfig.RuntimeCELCostBudget, nil)
		for _, d := range result.Decisions {
			if d.Evaluation == validating.EvalError {
				t.Errorf("%s: cannot be evaluated on %s %s: %s", p.Name, r.operation, it.Kind(), d.Message)
			}
			if d.Action != validating.ActionDeny {
				continue
			}
			rule := ruleOf.FindStringSubmatch(d.Message)
			if rule == nil {
				t.Errorf("%s: a message without a rule: %s", p.Name, d.Message)
				continue
			}
			out.rules = append(out.rules, rule[1])
			out.messages = append(out.messages, d.Message)
		}
		for _, a := range result.AuditAnnotations {
			switch a.Action {
			case validating.AuditAnnotationActionPublish:
				out.audit = append(out.audit, a.Value)
			case validating.AuditAnnotationActionError:
				t.Errorf("%s: audit annotation: %s", p.Name, a.Error)
			}
		}
	}
	slices.Sort(out.rules)
	out.rules = slices.Compact(out.rules)
	return out
}

// object is what the API server hands to admission: nothing, or an unstructured copy.
func object(o manifest.Object) runtime.Object {
	if o == nil {
		return nil
	}
	return &unstructured.Unstructured{Object: manifest.CopyMap(o)}
}

func options(operation k8sadmission.Operation) runtime.Object {
	switch operation {
	case k8sadmission.Create:
		return &metav1.CreateOptions{}
	case k8sadmission.Delete:
		return &metav1.DeleteOptions{}
	}
	return &metav1.UpdateOptions{}
}

// matches repeats the API server's matching of resources and labels; what it does beyond that these policies do not use.
func matches(t *testing.T, m *v1.MatchResources, a k8sadmission.Attributes, r request) bool {
	t.Helper()
	resource := a.GetResource().Resource
	if a.GetSubresource() != "" {
		resource += "/" + a.GetSubresource()
	}
	if !slices.ContainsFunc(m.ResourceRules, func(rule v1.NamedRuleWithOperations) bool {
		return slices.Contains(rule.APIGroups, a.GetResource().Group) && slices.Contains(rule.APIVersions, a.GetResource().Version) &&
			slices.Contains(rule.Resources, resource) && slices.Contains(rule.Operations, v1.OperationType(a.GetOperation()))
	}) {
		return false
	}
	if m.ObjectSelector == nil {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(m.ObjectSelector)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []manifest.Object{r.old, r.new} {
		set := labels.Set{}
		for name, value := range manifest.Map(o, "metadata", "labels") {
			set[name] = fmt.Sprint(value)
		}
		if o != nil && selector.Matches(set) {
			return true
		}
	}
	return false
}

func plural(kind string) string {
	kind = strings.ToLower(kind)
	switch {
	case strings.HasSuffix(kind, "class"):
		return kind + "es"
	case strings.HasSuffix(kind, "y"):
		return strings.TrimSuffix(kind, "y") + "ies"
	case strings.HasSuffix(kind, "s"): // BucketOwnershipControls
		return kind
	}
	return kind + "s"
}

// emitted is everything the function emits for one claim: the managed resources, and the manifests inside.
func emitted(t *testing.T, scope claim.Scope) map[string]manifest.Object {
	t.Helper()
	asked := manifest.Object{
		"apiVersion": "database.bizmatters.io/v1alpha1", "kind": "PostgresInstance",
		"metadata": map[string]any{"name": "orders", "namespace": "shop"},
		"spec":     map[string]any{"walStorageGB": int64(10), "parameters": map[string]any{"max_connections": "200"}},
	}
	out := reconcile.Run(reconcile.Input{
		Composite: claim.AsComposite(asked, scope), Policy: platform(), Complete: true, Now: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC),
	})
	if len(out.Refused) > 0 {
		t.Fatalf("refused: %s", out.Refused)
	}
	set := map[string]manifest.Object{}
	for _, c := range out.Composed {
		if c.Object == nil {
			continue
		}
		set[c.Name] = manifest.CopyMap(c.Object)
		if c.Object.IsWrapper() {
			set[c.Name+"/manifest"] = manifest.CopyMap(c.Object.Unwrap())
		}
	}
	return set
}

func platform() manifest.Object {
	return manifest.Object{
		"apiVersion": "hardened-postgres.fn.bizmatters.io/v1beta1", "kind": "Policy",
		"bucket":      map[string]any{"prefix": "acme-prod", "region": "eu-central-1"},
		"credentials": map[string]any{"secretStoreRef": map[string]any{"name": "parameter-store"}},
	}
}

func decoded(t *testing.T, o manifest.Object) *v1beta1.Policy {
	t.Helper()
	p, _ := policy.Decode(o)
	if p == nil {
		t.Fatal("the policy cannot be read")
	}
	return p
}
