package hardened

import (
	"slices"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Everything is orphaned (CNPG-4.1): no managed resource may delete what it manages. managementPolicies without Delete
// say so in both scopes; cluster-scoped resources say it a second time with deletionPolicy, for providers that run
// with management policies switched off. A list that contains Delete would win over deletionPolicy: Orphan.

// keep is every management policy but Delete, one of the combinations crossplane-runtime allows.
func keep() []any { return []any{"Observe", "Create", "Update", "LateInitialize"} }

// Orphaned is a composed resource as it was last asked for, without the leave to delete that somebody has given it.
func Orphaned(t manifest.Tree) manifest.Object {
	metadata := map[string]any{"name": manifest.String(t, "metadata", "name"), "labels": manifest.CopyMap(t, "metadata", "labels")}
	spec := manifest.CopyMap(t, "spec")
	if spec == nil {
		spec = map[string]any{}
	}
	if namespace := manifest.String(t, "metadata", "namespace"); namespace != "" {
		metadata["namespace"] = namespace
	} else {
		spec["deletionPolicy"] = "Orphan"
	}
	const externalName = "crossplane.io/external-name"
	if name := manifest.String(t, "metadata", "annotations", externalName); name != "" {
		metadata["annotations"] = map[string]any{externalName: name}
	}
	policies := slices.DeleteFunc(manifest.CopyList(t, "spec", "managementPolicies"), func(p any) bool { return p == "Delete" })
	if len(policies) == 0 || slices.Contains(policies, any("*")) {
		policies = keep()
	}
	spec["managementPolicies"] = policies
	return manifest.Object{
		"apiVersion": manifest.String(t, "apiVersion"), "kind": manifest.String(t, "kind"), "metadata": metadata, "spec": spec,
	}
}

// Held is a composed resource as it was last asked for, which neither makes nor changes what it stands for.
func Held(t manifest.Tree) manifest.Object {
	o := Orphaned(t)
	manifest.Map(o, "spec")["managementPolicies"] = observe()
	return o
}

// observe leaves the external resource entirely alone.
func observe() []any { return []any{"Observe"} }

// keepAlive neither makes nor deletes: for what must not come back empty once it has lived.
func keepAlive() []any { return []any{"Observe", "Update"} }

// readiness of a wrapping Object. Without one it is ready as soon as the manifest is applied.
type readiness map[string]any

// readyFromManifest takes the wrapped object's own Ready condition.
var readyFromManifest = readiness{"policy": "DeriveFromObject"}

// wrap puts a manifest into a provider-kubernetes Object, which leaves the manifest alone when it goes itself. A
// manifest composed directly would be owned by the composite resource and deleted with it.
func (b builder) wrap(role string, m manifest.Object, ready ...readiness) manifest.Object {
	return b.wrapAs(b.Claim.ObjectName(b.Claim.Name, role), m, ready...)
}

func (b builder) wrapAs(name string, m manifest.Object, ready ...readiness) manifest.Object {
	spec := map[string]any{
		"forProvider":        map[string]any{"manifest": map[string]any(m)},
		"managementPolicies": keep(),
		// Changes of the wrapped object's status reach us at once, not at the next poll.
		"watch": true,
	}
	if len(ready) > 0 {
		spec["readiness"] = map[string]any(ready[0])
	}
	provider := b.Policy.Providers.Kubernetes
	metadata := map[string]any{"name": name, "labels": b.labels()}
	if b.Claim.Scope == claim.Namespaced {
		metadata["namespace"] = b.Claim.Namespace
		spec["providerConfigRef"] = map[string]any{"kind": provider.Kind, "name": provider.Name}
		return manifest.Object{"apiVersion": manifest.ObjectGroupNamespaced + "/v1alpha1", "kind": "Object", "metadata": metadata, "spec": spec}
	}
	spec["deletionPolicy"] = "Orphan"
	spec["providerConfigRef"] = map[string]any{"name": provider.Name}
	return manifest.Object{"apiVersion": manifest.ObjectGroupCluster + "/v1alpha2", "kind": "Object", "metadata": metadata, "spec": spec}
}
