package admission

import (
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/admission"
	"github.com/bizmatters/function-hardened-postgres/test/schemas"
	v1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// checkedKinds are the kinds of custom resources the policies speak of, with the resource their rules name.
func checkedKinds() map[schema.GroupVersionKind]string {
	kinds := map[schema.GroupVersionKind]string{}
	add := func(group, kind, resource string, versions ...string) {
		for _, version := range versions {
			kinds[schema.GroupVersionKind{Group: group, Version: version, Kind: kind}] = resource
		}
	}
	add("postgresql.cnpg.io", "Cluster", "clusters", "v1")
	add("postgresql.cnpg.io", "ScheduledBackup", "scheduledbackups", "v1")
	add("barmancloud.cnpg.io", "ObjectStore", "objectstores", "v1")
	add("external-secrets.io", "ExternalSecret", "externalsecrets", "v1")
	add("external-secrets.io", "SecretStore", "secretstores", "v1")
	add("monitoring.coreos.com", "PodMonitor", "podmonitors", "v1")
	add("monitoring.coreos.com", "PrometheusRule", "prometheusrules", "v1")
	add("kubernetes.crossplane.io", "Object", "objects", "v1alpha2")
	add("kubernetes.m.crossplane.io", "Object", "objects", "v1alpha1")
	for _, kind := range []string{"Bucket", "BucketVersioning", "BucketObjectLockConfiguration", "BucketPublicAccessBlock", "BucketPolicy", "BucketLifecycleConfiguration"} {
		add("s3.aws.upbound.io", kind, plural(kind), "v1beta1")
		add("s3.aws.m.upbound.io", kind, plural(kind), "v1beta1")
	}
	for _, kind := range []string{"Bucket", "BucketVersioning", "BucketObjectLockConfiguration"} {
		add("s3.aws.upbound.io", kind, plural(kind), "v1beta2")
	}
	return kinds
}

// products resolves schemas from the CRDs of the products themselves.
type products struct {
	t         *testing.T
	catalogue schemas.Catalogue
	resolved  map[schema.GroupVersionKind]bool
}

// ResolveSchema implements resolver.SchemaResolver.
func (r products) ResolveSchema(gvk schema.GroupVersionKind) (*spec.Schema, error) {
	structural, ok := r.catalogue.Structural(gvk.GroupVersion().String(), gvk.Kind)
	if !ok {
		return nil, resolver.ErrSchemaNotFound
	}
	r.resolved[gvk] = true
	s := structural.ToKubeOpenAPI()
	text := *spec.StringProperty()
	// CRDs leave metadata to the API server.
	s.Properties["metadata"] = spec.Schema{SchemaProps: spec.SchemaProps{Type: []string{"object"}, Properties: map[string]spec.Schema{
		"name": text, "generateName": text, "namespace": text, "labels": *spec.MapProperty(&text), "annotations": *spec.MapProperty(&text),
	}}}
	for _, name := range []string{"apiVersion", "kind"} {
		s.Properties[name] = text
	}
	return s, nil
}

// TestTypes lets the API server's type checker read every expression with the schemas of the objects it is for: a field
// that does not exist, or has another type, is a mistake in the policy.
func TestTypes(t *testing.T) {
	catalogue, err := schemas.Upstream()
	if err != nil {
		t.Fatal(err)
	}
	kinds := checkedKinds()
	mapper := meta.NewDefaultRESTMapper(nil)
	for gvk, resource := range kinds {
		gvr := gvk.GroupVersion().WithResource(resource)
		mapper.AddSpecific(gvk, gvr, gvr, meta.RESTScopeNamespace)
	}
	resolve := products{t, catalogue, map[schema.GroupVersionKind]bool{}}
	checker := &validating.TypeChecker{SchemaResolver: resolve, RestMapper: mapper}
	for _, p := range admission.Policies(admission.Options{}) {
		policy := &v1.ValidatingAdmissionPolicy{}
		strict(t, p.Policy, policy)
		for _, warning := range checker.Check(policy) {
			t.Errorf("%s: %s: %s", policy.Name, warning.FieldRef, warning.Warning)
		}
	}
	for gvk := range kinds {
		if !resolve.resolved[gvk] {
			t.Logf("not type-checked: %s", gvk)
		}
	}
	if !resolve.resolved[schema.GroupVersionKind{Group: "postgresql.cnpg.io", Version: "v1", Kind: "Cluster"}] {
		t.Error("the Cluster was not type-checked")
	}
}
