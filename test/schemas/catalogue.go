package schemas

import (
	"fmt"
	"strings"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// sources lists the CRDs read from each release.
var sources = []struct {
	release release
	files   []string
}{
	{cnpg, inFolder("config/crd/bases/postgresql.cnpg.io_", "clusters", "scheduledbackups", "databases", "databaseroles", "publications", "subscriptions")},
	{barmanPlugin, inFolder("config/crd/bases/barmancloud.cnpg.io_", "objectstores")},
	{externalSecrets, append(
		inFolder("config/crds/bases/external-secrets.io_", "externalsecrets", "secretstores", "clustersecretstores"),
		inFolder("config/crds/bases/generators.external-secrets.io_", "passwords")...)},
	{prometheusOperator, inFolder("example/prometheus-operator-crd/monitoring.coreos.com_", "podmonitors", "prometheusrules")},
	{providerKubernetes, append(
		inFolder("package/crds/kubernetes.crossplane.io_", "objects", "providerconfigs"),
		inFolder("package/crds/kubernetes.m.crossplane.io_", "objects", "clusterproviderconfigs")...)},
	{providerAWS, append(append(append(
		inFolder("package/crds/s3.aws.upbound.io_", buckets...),
		inFolder("package/crds/s3.aws.m.upbound.io_", buckets...)...),
		inFolder("package/crds/aws.upbound.io_", "providerconfigs")...),
		inFolder("package/crds/aws.m.upbound.io_", "clusterproviderconfigs")...)},
	{crossplane, append(append(append(
		inFolder("cluster/crds/apiextensions.crossplane.io_", "compositeresourcedefinitions", "compositions"),
		inFolder("cluster/crds/pkg.crossplane.io_", "functions", "providers", "configurations", "deploymentruntimeconfigs")...),
		inFolder("cluster/crds/protection.crossplane.io_", "usages", "clusterusages")...),
		inFolder("cluster/meta/meta.pkg.crossplane.io_", "functions", "configurations")...)},
}

var buckets = []string{
	"buckets", "bucketversionings", "bucketobjectlockconfigurations", "bucketserversideencryptionconfigurations",
	"bucketpublicaccessblocks", "bucketownershipcontrols", "bucketpolicies", "bucketlifecycleconfigurations",
}

func inFolder(prefix string, plurals ...string) []string {
	out := make([]string, len(plurals))
	for i, plural := range plurals {
		out[i] = prefix + plural + ".yaml"
	}
	return out
}

// Upstream is the catalogue of everything that others define. It is read once.
var Upstream = sync.OnceValues(func() (Catalogue, error) {
	c := Catalogue{}
	for _, source := range sources {
		files, err := source.release.files(source.files...)
		if err != nil {
			return nil, err
		}
		for name, body := range files {
			crd := &apiextensionsv1.CustomResourceDefinition{}
			if err := yaml.Unmarshal(body, crd); err != nil {
				return nil, fmt.Errorf("cannot read %s of %s: %w", name, source.release.path, err)
			}
			if err := c.Add(crd); err != nil {
				return nil, fmt.Errorf("%s of %s: %w", name, source.release.path, err)
			}
		}
	}
	return c, nil
})

// Catalogue holds a validator for each apiVersion and kind.
type Catalogue map[kind]*Validator

type kind struct{ apiVersion, name string }

// Add takes in every served version of a CRD.
func (c Catalogue) Add(crd *apiextensionsv1.CustomResourceDefinition) error {
	for i := range crd.Spec.Versions {
		version := &crd.Spec.Versions[i]
		if !version.Served || version.Schema == nil {
			continue
		}
		v, err := newValidator(crd, version)
		if err != nil {
			return fmt.Errorf("cannot use the schema of %s %s: %w", crd.Spec.Names.Kind, version.Name, err)
		}
		c[kind{crd.Spec.Group + "/" + version.Name, crd.Spec.Names.Kind}] = v
	}
	return nil
}

// Validate holds one object against its schema, and the manifest inside a provider-kubernetes Object against its own.
// Paths inside a wrapped manifest start with the name of its kind.
func (c Catalogue) Validate(o map[string]any) []string {
	apiVersion, _ := o["apiVersion"].(string)
	name, _ := o["kind"].(string)
	v, ok := c[kind{apiVersion, name}]
	if !ok {
		return validateBuiltIn(o)
	}
	problems := v.Create(o)
	if name == "Object" && strings.HasPrefix(apiVersion, "kubernetes.") {
		problems = append(problems, c.validateWrapped(o)...)
	}
	return problems
}

func (c Catalogue) validateWrapped(o map[string]any) []string {
	inner := wrapped(o)
	if inner == nil {
		return []string{"spec.forProvider.manifest: there is none"}
	}
	problems := c.Validate(inner)
	for i := range problems {
		problems[i] = fmt.Sprintf("%v: %s", inner["kind"], problems[i])
	}
	return append(problems, validateReadiness(o)...)
}

func wrapped(o map[string]any) map[string]any {
	spec, _ := o["spec"].(map[string]any)
	forProvider, _ := spec["forProvider"].(map[string]any)
	inner, _ := forProvider["manifest"].(map[string]any)
	return inner
}
