package schemas

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"

	"github.com/google/cel-go/cel"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// Validator holds objects against one version of a CRD, as the API server does.
type Validator struct {
	structural *schema.Structural
	openAPI    validation.SchemaValidator
	cel        *schemacel.Validator
	// scoped is false for package metadata, which lies in files and never in a namespace.
	scoped, namespaced bool
}

func newValidator(crd *apiextensionsv1.CustomResourceDefinition, version *apiextensionsv1.CustomResourceDefinitionVersion) (*Validator, error) {
	props := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, props, nil); err != nil {
		return nil, fmt.Errorf("cannot convert the schema: %w", err)
	}
	structural, err := schema.NewStructural(props)
	if err != nil {
		return nil, fmt.Errorf("not structural: %w", err)
	}
	openAPI, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		return nil, fmt.Errorf("no OpenAPI schema: %w", err)
	}
	return &Validator{
		structural: structural,
		openAPI:    openAPI,
		cel:        schemacel.NewValidator(structural, true, celconfig.PerCallLimit),
		scoped:     crd.Spec.Group != "meta.pkg.crossplane.io",
		namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped,
	}, nil
}

// Create returns what the API server would say to an object that is created with server-side apply: unknown fields are
// errors there.
func (v *Validator) Create(o map[string]any) []string {
	object := jsonCopy(o)
	problems := v.scope(object)

	defaulting.Default(object, v.structural)
	unknown := pruning.PruneWithOptions(object, v.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		problems = append(problems, path+": unknown field")
	}

	var errs field.ErrorList
	errs = append(errs, validation.ValidateCustomResource(nil, object, v.openAPI)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, v.structural, object)...)
	errs = append(errs, objectmeta.Validate(nil, object, v.structural, true)...)
	if v.cel != nil {
		found, _ := v.cel.Validate(context.Background(), nil, v.structural, object, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, found...)
	}
	return append(problems, texts(errs)...)
}

// Update returns what the transition rules say to the change from one object to another.
func (v *Validator) Update(from, to map[string]any) []string {
	from, to = jsonCopy(from), jsonCopy(to)
	errs := validation.ValidateCustomResourceUpdate(nil, to, from, v.openAPI)
	if v.cel != nil {
		found, _ := v.cel.Validate(context.Background(), nil, v.structural, to, from, celconfig.RuntimeCELCostBudget)
		errs = append(errs, found...)
	}
	return texts(errs)
}

func (v *Validator) scope(o map[string]any) []string {
	metadata, _ := o["metadata"].(map[string]any)
	_, has := metadata["namespace"]
	if has == v.namespaced || !v.scoped {
		return nil
	}
	if has {
		return []string{"metadata.namespace: the kind is cluster-scoped"}
	}
	return []string{"metadata.namespace: the kind is namespaced"}
}

// validateReadiness compiles an Object's CEL query the way provider-kubernetes does, which would otherwise say so only at
// run time.
func validateReadiness(o map[string]any) []string {
	spec, _ := o["spec"].(map[string]any)
	readiness, _ := spec["readiness"].(map[string]any)
	query, _ := readiness["celQuery"].(string)
	if (readiness["policy"] == "DeriveFromCelQuery") != (query != "") {
		return []string{"spec.readiness: a celQuery goes with policy DeriveFromCelQuery and nothing else"}
	}
	if query == "" {
		return nil
	}
	env, err := cel.NewEnv(cel.Variable("object", cel.AnyType))
	if err != nil {
		return []string{"spec.readiness.celQuery: " + err.Error()}
	}
	ast, issues := env.Compile(query)
	switch {
	case issues.Err() != nil:
		return []string{"spec.readiness.celQuery: " + issues.Err().Error()}
	case ast.OutputType() != cel.BoolType:
		return []string{"spec.readiness.celQuery: does not yield a boolean"}
	}
	return nil
}

func texts(errs field.ErrorList) []string {
	out := make([]string, len(errs))
	for i, err := range errs {
		out[i] = err.Error()
	}
	sort.Strings(out)
	return out
}

// jsonCopy is the object as it arrives at the API server.
func jsonCopy(o map[string]any) map[string]any {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err) // Maps, lists and scalars only.
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return runtime.DeepCopyJSON(numbers(out).(map[string]any)) //nolint:errcheck,forcetypeassert // A map stays a map.
}

// numbers turns whole numbers into int64, as the API server's decoder does.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = numbers(value)
		}
	case []any:
		for i, value := range v {
			v[i] = numbers(value)
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}
