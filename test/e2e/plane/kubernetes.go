package plane

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/upstream"
)

// controllers of kube-controller-manager that matter without nodes. Garbage collection is what a database must survive;
// aggregation gives Crossplane its rights.
const controllers = "garbage-collector-controller,namespace-controller,serviceaccount-controller,serviceaccount-token-controller," +
	"root-ca-certificate-publisher-controller,clusterrole-aggregation-controller,validatingadmissionpolicy-status-controller," +
	"persistentvolume-protection-controller,persistentvolumeclaim-protection-controller"

func (p *Plane) upKubernetes(ctx context.Context) error {
	etcd := fmt.Sprintf("http://127.0.0.1:%d", p.port.etcd)
	peer := fmt.Sprintf("http://127.0.0.1:%d", p.port.etcdPeer)
	if _, err := p.supervisor.start(Command{
		Name: "etcd", Path: p.tools["kube"], Args: []string{
			"etcd", "--data-dir", p.path("etcd"), "--unsafe-no-fsync",
			"--listen-client-urls", etcd, "--advertise-client-urls", etcd,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
		},
	}); err != nil {
		return err
	}

	serving, err := p.authority.server("kube-apiserver", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	if err := p.save(p.path("pki"), serving, "apiserver.crt", "apiserver.key"); err != nil {
		return err
	}
	private, public, err := signingKey()
	if err != nil {
		return err
	}
	if err := write(p.path("pki"), map[string][]byte{"sa.key": private, "sa.pub": public}); err != nil {
		return err
	}
	if _, err := p.supervisor.start(Command{
		Name: "kube-apiserver", Path: p.tools["kube"], Args: []string{
			"kube-apiserver", "--etcd-servers=" + etcd, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", p.port.apiserver),
			// Loopback is no legal endpoint of the kubernetes Service.
			"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
			"--tls-cert-file=" + p.path("pki", "apiserver.crt"), "--tls-private-key-file=" + p.path("pki", "apiserver.key"),
			"--client-ca-file=" + p.path("pki", "ca.crt"),
			"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + p.path("pki", "sa.pub"),
			"--service-account-signing-key-file=" + p.path("pki", "sa.key"),
			"--service-cluster-ip-range=10.0.0.0/16", "--authorization-mode=RBAC", "--allow-privileged=true", "--profiling=false",
			// Two hundred claims at once are one of the tests; nobody else uses this server.
			"--max-requests-inflight=2000", "--max-mutating-requests-inflight=1000",
		},
	}); err != nil {
		return err
	}
	p.server = fmt.Sprintf("https://127.0.0.1:%d", p.port.apiserver)
	if err := p.administrator(); err != nil {
		return err
	}
	if err := p.Wait(ctx, patience, "the API server", func() error {
		_, err := p.Admin.Raw(ctx, http.MethodGet, "/readyz", nil, "", nil)
		return err
	}); err != nil {
		return err
	}

	manager, err := p.client("system:kube-controller-manager")
	if err != nil {
		return err
	}
	config, _, err := p.kubeconfig("kube-controller-manager", manager, "")
	if err != nil {
		return err
	}
	if _, err := p.supervisor.start(Command{
		Name: "kube-controller-manager", Path: p.tools["kube"], Args: []string{
			"kube-controller-manager", "--kubeconfig=" + config, "--authentication-skip-lookup=true", "--bind-address=127.0.0.1",
			fmt.Sprintf("--secure-port=%d", p.port.kcm), "--cert-dir=" + p.path("kcm"), "--leader-elect=false",
			"--use-service-account-credentials=true", "--service-account-private-key-file=" + p.path("pki", "sa.key"),
			"--root-ca-file=" + p.path("pki", "ca.crt"), "--profiling=false", "--controllers=" + controllers,
		},
	}); err != nil {
		return err
	}
	return p.Wait(ctx, patience, "the default ServiceAccount", func() error {
		_, err := p.Admin.Get(ctx, kube.Ref{APIVersion: "v1", Kind: "ServiceAccount", Namespace: "default", Name: "default"})
		return err
	})
}

func (p *Plane) administrator() error {
	id, err := p.client("admin", "system:masters")
	if err != nil {
		return err
	}
	if _, _, err := p.kubeconfig("admin", id, ""); err != nil {
		return err
	}
	config, err := p.tls(id)
	if err != nil {
		return err
	}
	p.Admin = kube.New(p.server, config, "")
	return nil
}

// definitions of programs that do not run here; their controllers are played by package cloud.
func definitions() []upstream.Source {
	return []upstream.Source{upstream.ExternalSecrets, upstream.PrometheusOperator, upstream.BarmanPlugin, upstream.ProviderAWS}
}

func (p *Plane) upDefinitions(ctx context.Context) error {
	for _, source := range definitions() {
		objects, err := p.upstreamFiles(ctx, source)
		if err != nil {
			return err
		}
		for _, o := range objects {
			storeNewest(o)
		}
		if err := p.define(ctx, objects); err != nil {
			return err
		}
	}
	return nil
}

// storeNewest makes provider-aws' kinds be stored in the version the set is written in, as they are from 2.6.0 on. The
// older storage version has lists where the newer one has objects; the package converts between them by a webhook of
// the provider, and without it the API server prunes what does not fit.
func storeNewest(o kube.Object) {
	if o.String("spec", "group") != "s3.aws.upbound.io" || o.String("spec", "names", "kind") == "BucketLifecycleConfiguration" {
		return
	}
	versions := o.Items("spec", "versions")
	if len(versions) < 2 {
		return
	}
	for _, v := range versions {
		v["storage"] = v.String("name") == "v1beta2"
	}
}

// DefinePlugin installs the barman-cloud plugin's CRD, and again after a test removed it.
func (p *Plane) DefinePlugin(ctx context.Context) error {
	objects, err := p.upstreamFiles(ctx, upstream.BarmanPlugin)
	if err != nil {
		return err
	}
	return p.define(ctx, objects)
}

// DefineRights installs the product's rights, and again after a test removed them.
func (p *Plane) DefineRights(ctx context.Context) error {
	rights, err := load(filepath.Join(p.Repository, "apis", "rbac", "*.yaml"))
	if err != nil {
		return err
	}
	return p.apply(ctx, rights...)
}

// upstreamFiles reads the CRDs of a source.
func (p *Plane) upstreamFiles(ctx context.Context, source upstream.Source, which ...string) ([]kube.Object, error) {
	dir, err := upstream.Fetch(ctx, source, p.log)
	if err != nil {
		return nil, err
	}
	if len(which) == 0 {
		which = source.Files
	}
	patterns := make([]string, len(which))
	for i, pattern := range which {
		patterns[i] = dir + "/" + pattern
	}
	return load(patterns...)
}

// externalName makes a Service that leads to this machine, for webhooks that only know Services.
func externalName(namespace, name string) kube.Object {
	return kube.Object{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": name, "namespace": namespace},
		"spec": map[string]any{"type": "ExternalName", "externalName": "localhost"},
	}
}

func trimmed(raw string) string { return strings.TrimSpace(raw) }
