package schemas

import (
	"fmt"
	"os"

	"github.com/crossplane/crossplane-runtime/v2/pkg/xcrd"
	xpv1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// CRDs returns the CRDs Crossplane makes of one of our XRDs, by kind: the composite resource's, and the claim's where the
// XRD offers claims.
func CRDs(xrdFile string) (map[string]*apiextensionsv1.CustomResourceDefinition, error) {
	raw, err := os.ReadFile(xrdFile) //nolint:gosec // A file of this repository.
	if err != nil {
		return nil, err
	}
	// Crossplane converts version 2 of an XRD to version 1, whose fields are a superset; only the scope's default differs.
	xrd := &xpv1.CompositeResourceDefinition{}
	if err := yaml.UnmarshalStrict(raw, xrd); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", xrdFile, err)
	}
	xrd.SetUID("00000000-0000-0000-0000-000000000000") // The CRDs name their owner.
	composite, err := xcrd.ForCompositeResource(xrd)
	if err != nil {
		return nil, fmt.Errorf("no composite resource: %w", err)
	}
	out := map[string]*apiextensionsv1.CustomResourceDefinition{composite.Spec.Names.Kind: composite}
	if xrd.OffersClaim() {
		claim, err := xcrd.ForCompositeResourceClaim(xrd)
		if err != nil {
			return nil, fmt.Errorf("no claim: %w", err)
		}
		out[claim.Spec.Names.Kind] = claim
	}
	return out, nil
}

// internalCRD is a CRD as the API server's own validation takes it, after defaulting.
func internalCRD(crd *apiextensionsv1.CustomResourceDefinition) (*apiextensions.CustomResourceDefinition, error) {
	crd = crd.DeepCopy()
	apiextensionsv1.SetDefaults_CustomResourceDefinition(crd)
	apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&crd.Spec)
	for _, version := range crd.Spec.Versions {
		if version.Storage {
			crd.Status.StoredVersions = append(crd.Status.StoredVersions, version.Name)
		}
	}
	out := &apiextensions.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd, out, nil); err != nil {
		return nil, fmt.Errorf("cannot convert the CRD: %w", err)
	}
	return out, nil
}
