package plane

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// World is one of the two ways the API comes: as a claim with a cluster-scoped composite resource behind it, or as a
// namespaced composite resource. They are alternatives: both define postgresinstances.database.bizmatters.io.
type World struct {
	// Name is for people.
	Name string
	// Suffix of the product's files for this world.
	Suffix string
	// XRD is the name of its definition.
	XRD string
	// Composite is the kind of the composite resource, and Namespaced whether that is what developers write.
	Composite  string
	Namespaced bool
	// ObjectVersion and S3Group are where the managed resources live.
	ObjectVersion, S3Group string
}

// The two worlds.
var (
	Claims = World{
		Name: "claim", Suffix: "claim", XRD: "xpostgresinstances.database.bizmatters.io", Composite: "XPostgresInstance",
		ObjectVersion: "kubernetes.crossplane.io/v1alpha2", S3Group: "s3.aws.upbound.io",
	}
	NamespacedXRs = World{
		Name: "namespaced", Suffix: "namespaced", XRD: "postgresinstances.database.bizmatters.io", Composite: "PostgresInstance", Namespaced: true,
		ObjectVersion: "kubernetes.m.crossplane.io/v1alpha1", S3Group: "s3.aws.m.upbound.io",
	}
)

// Install installs the product's API of a world, with its Composition as written for production; change may adapt it.
func (p *Plane) Install(ctx context.Context, w World, change func(composition kube.Object)) error {
	definition, err := load(filepath.Join(p.Repository, "apis", "xrd-"+w.Suffix+".yaml"))
	if err != nil {
		return err
	}
	if err := p.apply(ctx, definition...); err != nil {
		return err
	}
	if err := p.Wait(ctx, patience, "the API of world "+w.Name, func() error {
		o, err := p.Admin.Get(ctx, definition[0].Ref())
		if err != nil {
			return err
		}
		if o.Condition("Established").Status != "True" || (!w.Namespaced && o.Condition("Offered").Status != "True") {
			return fmt.Errorf("not served: %s", o.Conditions())
		}
		return nil
	}); err != nil {
		return err
	}
	compositions, err := load(filepath.Join(p.Repository, "apis", "composition-"+w.Suffix+".yaml"))
	if err != nil {
		return err
	}
	for _, c := range compositions {
		if change != nil {
			change(c)
		}
		if err := p.apply(ctx, c); err != nil {
			return err
		}
	}
	classes, err := load(filepath.Join(p.Repository, "apis", "storageclasses", "aws.yaml"))
	if err != nil {
		return err
	}
	return p.apply(ctx, classes...)
}

// Uninstall removes the API of a world, once no claim is left.
func (p *Plane) Uninstall(ctx context.Context, w World) error {
	r := kube.Ref{APIVersion: "apiextensions.crossplane.io/v1", Kind: "CompositeResourceDefinition", Name: w.XRD}
	if err := p.Admin.Delete(ctx, kube.Ref{APIVersion: "apiextensions.crossplane.io/v1", Kind: "Composition", Name: "postgresql-basic"}); err != nil && !kube.NotFound(err) {
		return err
	}
	if err := p.Admin.Delete(ctx, r); err != nil && !kube.NotFound(err) {
		return err
	}
	return p.Wait(ctx, patience, "the API of world "+w.Name+" to go", func() error {
		for _, gone := range []kube.Ref{r, {APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition", Name: "postgresinstances.database.bizmatters.io"}} {
			if _, err := p.Admin.Get(ctx, gone); !kube.NotFound(err) {
				return fmt.Errorf("%s is still there", gone)
			}
		}
		return nil
	})
}
