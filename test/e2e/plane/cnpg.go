package plane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/upstream"
)

const (
	cnpgNamespace = "cnpg-system"
	cnpgAccount   = "cnpg-manager"
)

// upCNPG starts the CloudNativePG operator as its own ServiceAccount with its own rights, and puts its real admission
// webhooks in front of the API server.
func (p *Plane) upCNPG(ctx context.Context) error {
	dir, err := upstream.Fetch(ctx, upstream.CloudNativePG, p.log)
	if err != nil {
		return err
	}
	definitions, err := load(dir + "/config/crd/bases/*.yaml")
	if err != nil {
		return err
	}
	// The operator exits where a kind of its own is not served yet.
	if err := p.define(ctx, definitions); err != nil {
		return err
	}
	if err := p.namespace(ctx, cnpgNamespace); err != nil {
		return err
	}
	rights, err := load(dir + "/config/rbac/role*.yaml")
	if err != nil {
		return err
	}
	for _, o := range rights {
		for _, subject := range o.Items("subjects") {
			subject["namespace"] = cnpgNamespace
		}
	}
	if err := p.apply(ctx, rights...); err != nil {
		return err
	}
	if err := p.startProxy(); err != nil {
		return err
	}
	if err := p.announcePlugin(ctx); err != nil {
		return err
	}
	if err := p.StartCNPG(ctx); err != nil {
		return err
	}

	webhooks, err := load(dir + "/config/webhook/manifests.yaml")
	if err != nil {
		return err
	}
	for _, o := range webhooks {
		o.Set("cnpg-"+o.Name(), "metadata", "name")
		p.aim(map[string]any(o), p.port.cnpgWebhook)
	}
	return p.apply(ctx, webhooks...)
}

// StartCNPG starts the operator, and again after a test stopped it.
func (p *Plane) StartCNPG(ctx context.Context) error {
	config, _, err := p.account(ctx, cnpgNamespace, cnpgAccount)
	if err != nil {
		return err
	}
	serving, err := p.authority.server("cnpg-webhook")
	if err != nil {
		return err
	}
	certs := p.path("pki", "cnpg")
	if err := p.save(certs, serving, "apiserver.crt", "apiserver.key"); err != nil {
		return err
	}
	// The operator looks for the instance manager it puts into Pods below its working directory.
	if err := os.MkdirAll(p.path("cnpg", "operator"), 0o750); err != nil {
		return fmt.Errorf("cannot make the operator's directory: %w", err)
	}
	link := p.path("cnpg", "operator", "manager_"+runtime.GOARCH)
	if err := os.Symlink(p.tools["cnpg-manager"], link); err != nil && !os.IsExist(err) {
		return fmt.Errorf("cannot link the instance manager: %w", err)
	}
	p.CNPG, err = p.supervisor.start(Command{
		Name: "cnpg", Path: p.tools["cnpg-manager"], Dir: filepath.Dir(filepath.Dir(link)),
		Env: []string{
			// A certificate directory means that others look after certificates and webhook configurations.
			"KUBECONFIG=" + config, "WEBHOOK_CERT_DIR=" + certs, "OPERATOR_NAMESPACE=" + cnpgNamespace,
			"OPERATOR_DEPLOYMENT_NAME=cnpg-controller-manager", "OPERATOR_IMAGE_NAME=ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0",
			"MONITORING_QUERIES_CONFIGMAP=", fmt.Sprintf("HTTPS_PROXY=http://127.0.0.1:%d", p.port.proxy),
		},
		Args: []string{
			"controller", fmt.Sprintf("--webhook-port=%d", p.port.cnpgWebhook), fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", p.port.cnpgMetrics),
			// Without a kubelet no instance comes up, and the operator looks after each Cluster again a second later, for ever: ten
			// workers at that keep the API server busy with nothing.
			"--log-level=info", "--max-concurrent-reconciles=2",
		},
	})
	if err != nil {
		return err
	}
	return p.ready(ctx, "the operator's webhook server", fmt.Sprintf("https://127.0.0.1:%d/readyz", p.port.cnpgWebhook))
}

// Operator is the client CloudNativePG acts with.
func (p *Plane) Operator(ctx context.Context) (*kube.Client, error) {
	return p.As(ctx, cnpgNamespace, cnpgAccount)
}
