package plane

import (
	"context"
	"fmt"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/upstream"
)

// upProviderKubernetes starts provider-kubernetes as the ServiceAccount the product's manifests give it, with the
// product's rights (no delete on anything it wraps) and those the RBAC manager gives every provider for its own kinds.
func (p *Plane) upProviderKubernetes(ctx context.Context) error {
	definitions, err := p.upstreamFiles(ctx, upstream.ProviderKubernetes)
	if err != nil {
		return err
	}
	for _, o := range definitions {
		p.aim(map[string]any(o), p.port.providerWebhook)
	}
	if err := p.define(ctx, definitions); err != nil {
		return err
	}
	if err := p.DefineRights(ctx); err != nil {
		return err
	}
	if err := p.apply(ctx, providerSystemRole()...); err != nil {
		return err
	}
	path, content, err := p.account(ctx, Namespace, "provider-kubernetes")
	if err != nil {
		return err
	}

	serving, err := p.authority.server("provider-kubernetes")
	if err != nil {
		return err
	}
	certs := p.path("pki", "provider-kubernetes")
	if err := p.save(certs, serving, "tls.crt", "tls.key"); err != nil {
		return err
	}
	p.ProviderKubernetes, err = p.supervisor.start(Command{
		Name: "provider-kubernetes", Path: p.tools["provider-kubernetes"],
		Env: []string{"KUBECONFIG=" + path, "TLS_SERVER_CERTS_DIR=" + certs},
		Args: []string{
			"--debug", "--enable-watches", reconcileRate, fmt.Sprintf("--webhook-port=%d", p.port.providerWebhook),
			fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", p.port.providerMetrics),
			fmt.Sprintf("--health-probe-bind-addr=127.0.0.1:%d", p.port.providerHealth),
		},
	})
	if err != nil {
		return err
	}

	// The injected identity only works inside a Pod; the same account by kubeconfig is the same identity.
	ref := map[string]any{"namespace": Namespace, "name": "cluster-config", "key": "kubeconfig"}
	spec := map[string]any{"credentials": map[string]any{"source": "Secret", "secretRef": ref}}
	return p.apply(ctx,
		kube.Object{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "cluster-config", "namespace": Namespace},
			"data": map[string]any{"kubeconfig": content},
		},
		kube.Object{"apiVersion": "kubernetes.crossplane.io/v1alpha1", "kind": "ProviderConfig", "metadata": map[string]any{"name": "default"}, "spec": spec},
		kube.Object{"apiVersion": "kubernetes.m.crossplane.io/v1alpha1", "kind": "ClusterProviderConfig", "metadata": map[string]any{"name": "default"}, "spec": spec},
	)
}

// providerSystemRole is what Crossplane's RBAC manager grants a provider for its own kinds and its own bookkeeping.
func providerSystemRole() []kube.Object {
	role := kube.Object{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": map[string]any{"name": "system-test:provider-kubernetes"},
		"rules": []any{
			map[string]any{"apiGroups": []any{"kubernetes.crossplane.io", "kubernetes.m.crossplane.io"}, "resources": []any{"*"}, "verbs": []any{"*"}},
			map[string]any{"apiGroups": []any{"", "coordination.k8s.io"}, "resources": []any{"secrets", "events", "leases"}, "verbs": []any{"*"}},
			map[string]any{"apiGroups": []any{"apiextensions.k8s.io"}, "resources": []any{"customresourcedefinitions"}, "verbs": []any{"get", "list", "watch"}},
		},
	}
	binding := kube.Object{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": map[string]any{"name": "system-test:provider-kubernetes"},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system-test:provider-kubernetes"},
		"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": "provider-kubernetes", "namespace": Namespace}},
	}
	return []kube.Object{role, binding}
}

// ready waits for a health endpoint on a port.
func (p *Plane) ready(ctx context.Context, what, url string) error {
	return p.Wait(ctx, patience, what, func() error { return p.reachable(ctx, url) })
}
