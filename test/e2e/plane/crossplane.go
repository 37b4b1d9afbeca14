package plane

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/upstream"
)

// Namespace Crossplane lives in.
const Namespace = "crossplane-system"

// upCrossplane starts Crossplane and its RBAC manager as their own ServiceAccounts with the rights the Helm chart gives
// them, no more: a right that is missing in production is missing here.
func (p *Plane) upCrossplane(ctx context.Context) error {
	dir, err := upstream.Fetch(ctx, upstream.Crossplane, p.log)
	if err != nil {
		return err
	}
	if err := p.namespace(ctx, Namespace); err != nil {
		return err
	}
	rights, err := chart(dir+"/cluster/charts/crossplane/templates/*.yaml", Namespace)
	if err != nil {
		return err
	}
	if err := p.apply(ctx, rights...); err != nil {
		return err
	}
	if err := p.apply(ctx, composedKinds(), externalName(Namespace, "crossplane-webhooks"), kube.Object{
		"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
		"metadata": map[string]any{"name": "crossplane-root-ca", "namespace": Namespace},
		"data":     map[string]any{"tls.crt": p.certPEM, "tls.key": p.keyPEM},
	}); err != nil {
		return err
	}
	core, _, err := p.account(ctx, Namespace, "crossplane")
	if err != nil {
		return err
	}
	manager, _, err := p.account(ctx, Namespace, "rbac-manager")
	if err != nil {
		return err
	}

	env := []string{
		"KUBECONFIG=" + core, "POD_NAMESPACE=" + Namespace, "POD_SERVICE_ACCOUNT=crossplane", "TLS_CA_SECRET_NAME=crossplane-root-ca",
		"TLS_SERVER_SECRET_NAME=crossplane-tls-server", "TLS_CLIENT_SECRET_NAME=crossplane-tls-client",
		"WEBHOOK_SERVICE_NAME=crossplane-webhooks", "WEBHOOK_SERVICE_NAMESPACE=" + Namespace,
		fmt.Sprintf("WEBHOOK_SERVICE_PORT=%d", p.port.crossplaneWebhook),
		"CRDS_PATH=" + dir + "/cluster/crds", "WEBHOOK_CONFIGS_PATH=" + dir + "/cluster/webhookconfigurations",
	}
	// The first attempt races the discovery of its own CRDs, and the aggregation of its own rights; in a cluster the init
	// container is restarted until it wins.
	if err := p.Wait(ctx, patience, "crossplane core init", func() error {
		out, err := p.run(ctx, Command{Name: "crossplane core init", Path: p.tools["crossplane"], Args: []string{"core", "init", "--activation=*"}, Env: env})
		if err != nil {
			return fmt.Errorf("%w: %s", err, lastLine(out))
		}
		return nil
	}); err != nil {
		return err
	}
	for _, side := range []string{"server", "client"} {
		if err := p.exportSecret(ctx, "crossplane-tls-"+side, p.path("pki", "crossplane-"+side)); err != nil {
			return err
		}
	}

	p.crossplaneEnv = env
	if _, err := p.supervisor.start(Command{
		Name: "crossplane-rbac", Path: p.tools["crossplane"], Env: []string{"KUBECONFIG=" + manager, "POD_NAMESPACE=" + Namespace},
		Args: []string{"--debug", "rbac", "start", "--provider-clusterrole=crossplane:allowed-provider-permissions"},
	}); err != nil {
		return err
	}
	return p.StartCrossplane(ctx)
}

// StartCrossplane starts Crossplane core, and again after a test stopped it.
func (p *Plane) StartCrossplane(ctx context.Context) error {
	for _, cache := range []string{"xpkg", "xfn"} {
		if err := os.MkdirAll(p.path(cache), 0o750); err != nil {
			return fmt.Errorf("cannot make Crossplane's cache: %w", err)
		}
	}
	var err error
	p.Crossplane, err = p.supervisor.start(Command{
		Name: "crossplane", Path: p.tools["crossplane"], Env: p.crossplaneEnv, Args: []string{
			"--debug", "core", "start",
			// Nothing runs packages here: whoever starts a function publishes where it listens.
			"--package-runtime=External", "--xpkg-cache-dir=" + p.path("xpkg"), "--xfn-cache-dir=" + p.path("xfn"),
			fmt.Sprintf("--webhook-port=%d", p.port.crossplaneWebhook), fmt.Sprintf("--metrics-port=%d", p.port.crossplaneMetrics),
			fmt.Sprintf("--health-probe-port=%d", p.port.crossplane),
			"--tls-server-certs-dir=" + p.path("pki", "crossplane-server"), "--tls-client-certs-dir=" + p.path("pki", "crossplane-client"),
			// What docs/install.md asks for: a set this large wakes Crossplane more often while it comes up than the default
			// allows, and Crossplane would then listen only every 30 seconds, for five minutes.
			"--circuit-breaker-burst=1000", "--circuit-breaker-refill-rate=5", reconcileRate,
		},
	})
	if err != nil {
		return err
	}
	return p.ready(ctx, "Crossplane", fmt.Sprintf("http://127.0.0.1:%d/readyz", p.port.crossplane))
}

// reconcileRate is a quarter of Crossplane's and provider-kubernetes' default: eight programs share two cores here, and
// what a hundred workers begin at once ends in timeouts and begins again.
const reconcileRate = "--max-reconcile-rate=25"

// composedKinds are the rights the RBAC manager gives Crossplane for the kinds of installed providers. The providers
// are not installed as packages here, because the package manager would have to run them.
func composedKinds() kube.Object {
	return kube.Object{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
		"metadata": map[string]any{
			"name": "system-test:provider-kinds", "labels": map[string]any{"rbac.crossplane.io/aggregate-to-crossplane": "true"},
		},
		"rules": []any{map[string]any{
			"apiGroups": []any{"kubernetes.crossplane.io", "kubernetes.m.crossplane.io", "s3.aws.upbound.io", "s3.aws.m.upbound.io"},
			"resources": []any{"*"}, "verbs": []any{"*"},
		}},
	}
}

// exportSecret writes a Secret's keys into a directory, as mounting it would.
func (p *Plane) exportSecret(ctx context.Context, name, dir string) error {
	secret, err := p.Admin.Get(ctx, kube.Ref{APIVersion: "v1", Kind: "Secret", Namespace: Namespace, Name: name})
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, key := range []string{"ca.crt", "tls.crt", "tls.key"} {
		raw, err := base64.StdEncoding.DecodeString(secret.String("data", key))
		if err != nil {
			return fmt.Errorf("cannot read %s of Secret %s: %w", key, name, err)
		}
		files[key] = raw
	}
	return write(dir, files)
}
