// Package plane runs a real control plane on this machine without containers: etcd, kube-apiserver,
// kube-controller-manager, Crossplane with its RBAC manager, provider-kubernetes, the CloudNativePG operator with its
// admission webhooks, and the function under test, each a process of its own on a loopback port, each under the rights
// it has in production. There is no kubelet and no cloud: Pods are made and never run, and package cloud plays
// buckets, and a machine where a test needs one.
package plane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
	"github.com/bizmatters/function-hardened-postgres/test/tools/recipe"
)

// Options of a control plane.
type Options struct {
	// Repository is the root of the product's source.
	Repository string
	// Log is where progress is told.
	Log io.Writer
}

// Plane is a running control plane.
type Plane struct {
	Options

	// Dir holds everything the run writes: keys, kubeconfigs, logs, data.
	Dir string
	// Admin is the client of a cluster administrator.
	Admin *kube.Client

	start time.Time
	*supervisor
	*authority
	port     portMap
	server   string
	tools    map[string]string
	registry *registry
	// crossplaneEnv is what Crossplane's Pod would have in its environment.
	crossplaneEnv []string

	// The programs that tests stop and start.
	CNPG, Crossplane, ProviderKubernetes, Function *Process

	mu  sync.Mutex
	log io.Writer
}

// portMap is one loopback port for every listener of the run.
type portMap struct {
	etcd, etcdPeer, apiserver, kcm                    int
	crossplaneWebhook, crossplaneMetrics, crossplane  int
	providerWebhook, providerMetrics, providerHealth  int
	cnpgWebhook, cnpgMetrics, plugin, proxy, status   int
	kubelet                                           int
	registry, function, functionMetrics, functionNext int
}

// patience is how long one step of coming up may take. On an idle machine none takes more than ten seconds; on a busy one
// the API server alone needs a minute to serve a large definition.
const patience = 5 * time.Minute

// Tools are the programs a control plane is made of.
func Tools() []string { return []string{"kube", "crossplane", "provider-kubernetes", "cnpg-manager"} }

// Up builds what is missing and starts everything. On failure everything is taken down again and the logs are kept.
func Up(ctx context.Context, o Options) (p *Plane, err error) {
	p = &Plane{Options: o, start: time.Now(), log: o.Log, tools: map[string]string{}}
	plan, err := recipe.Plan(Tools()...)
	if err != nil {
		return nil, err
	}
	if plan != "" {
		p.Sayf("%s", plan)
	}
	for _, name := range Tools() {
		if p.tools[name], err = recipe.Make(ctx, name, o.Log); err != nil {
			return nil, err
		}
	}
	if p.Dir, err = os.MkdirTemp("", "function-hardened-postgres-e2e-"); err != nil {
		return nil, fmt.Errorf("cannot make the run's directory: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(p.Dir, "log"), 0o750); err != nil {
		return nil, fmt.Errorf("cannot make the run's directory: %w", err)
	}
	p.supervisor = newSupervisor(filepath.Join(p.Dir, "log"))
	started := p // A return of nil must not keep it from being taken down.
	defer func() {
		if err != nil {
			started.Down(true)
		}
	}()

	if err := p.allocate(); err != nil {
		return nil, err
	}
	if p.authority, err = newAuthority(); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"etcd and the API server", p.upKubernetes},
		{"the definitions of External Secrets, Prometheus, barman and provider-aws", p.upDefinitions},
		{"Crossplane and its RBAC manager", p.upCrossplane},
		{"provider-kubernetes", p.upProviderKubernetes},
		{"the CloudNativePG operator and its webhooks", p.upCNPG},
		{"the function, from its package", p.upFunction},
	} {
		begin := time.Now()
		if err := step.do(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("cannot bring up %s: %w", step.name, err), p.health())
		}
		p.Sayf("up: %s (%s)", step.name, time.Since(begin).Round(100*time.Millisecond))
	}
	p.Sayf("control plane up; KUBECONFIG=%s", filepath.Join(p.Dir, "admin.kubeconfig"))
	return p, nil
}

// Down stops everything. The run's directory is removed, or kept with its logs where something failed.
func (p *Plane) Down(keep bool) {
	if p.supervisor != nil {
		p.stopAll()
	}
	if p.registry != nil {
		p.registry.close()
	}
	if keep {
		p.Sayf("logs of every process: %s", filepath.Join(p.Dir, "log"))
		return
	}
	_ = os.RemoveAll(p.Dir) // A temporary directory; what is left of it harms nobody.
}

// Sayf tells progress, with the time since the start.
func (p *Plane) Sayf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.log, "[%6.1fs] %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}

// Health reports processes that ended by themselves.
func (p *Plane) Health() error { return p.health() }

// Wait asks until the answer is no error or the time is over; what then comes back is the last answer. It says what it
// waits for where that takes longer than a person would sit still for, and gives up at once when a process has died.
func (p *Plane) Wait(ctx context.Context, limit time.Duration, what string, ask func() error) error {
	begin, told := time.Now(), time.Now()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if dead := p.health(); dead != nil {
			return fmt.Errorf("while waiting for %s: %w", what, dead)
		}
		if time.Since(begin) > limit {
			return fmt.Errorf("waited %s for %s: %w", limit, what, err)
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			p.Sayf("  waiting for %s, %s: %v", what, time.Since(begin).Round(time.Second), oneLine(err))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopped while waiting for %s: %w", what, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func oneLine(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}

func (p *Plane) allocate() error {
	free, err := ports(20)
	if err != nil {
		return err
	}
	p.port = portMap{
		etcd: free[0], etcdPeer: free[1], apiserver: free[2], kcm: free[3],
		crossplaneWebhook: free[4], crossplaneMetrics: free[5], crossplane: free[6],
		providerWebhook: free[7], providerMetrics: free[8], providerHealth: free[9],
		cnpgWebhook: free[10], cnpgMetrics: free[11],
		registry: free[12], function: free[13], functionMetrics: free[14], functionNext: free[15],
		plugin: free[16], proxy: free[17], status: free[18], kubelet: free[19],
	}
	return nil
}

func (p *Plane) path(parts ...string) string {
	return filepath.Join(append([]string{p.Dir}, parts...)...)
}

// kubeconfig writes a kubeconfig of this name and returns its path and its content. The user is either an identity or
// a token.
func (p *Plane) kubeconfig(name string, user identity, token string) (string, []byte, error) {
	u := map[string]any{"token": token}
	if token == "" {
		u = map[string]any{"client-certificate-data": user.certPEM, "client-key-data": user.keyPEM}
	}
	config := kube.Object{
		"apiVersion": "v1", "kind": "Config", "current-context": "run",
		"clusters": []any{map[string]any{"name": "run", "cluster": map[string]any{"server": p.server, "certificate-authority-data": p.certPEM}}},
		"users":    []any{map[string]any{"name": name, "user": u}},
		"contexts": []any{map[string]any{"name": "run", "context": map[string]any{"cluster": "run", "user": name}}},
	}
	raw, err := encodeJSON(config)
	if err != nil {
		return "", nil, err
	}
	file := name + ".kubeconfig"
	return p.path(file), raw, write(p.Dir, map[string][]byte{file: raw})
}

// account makes a ServiceAccount and returns the kubeconfig of its token.
func (p *Plane) account(ctx context.Context, namespace, name string) (path string, content []byte, err error) {
	if err := p.apply(ctx, kube.Object{
		"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": name, "namespace": namespace},
	}); err != nil {
		return "", nil, err
	}
	token, err := p.Admin.Token(ctx, namespace, name)
	if err != nil {
		return "", nil, err
	}
	return p.kubeconfig(name, identity{}, token)
}

// As returns a client that acts as a ServiceAccount.
func (p *Plane) As(ctx context.Context, namespace, name string) (*kube.Client, error) {
	if err := p.apply(ctx, kube.Object{
		"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": name, "namespace": namespace},
	}); err != nil {
		return nil, err
	}
	token, err := p.Admin.Token(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	config, err := p.tls(identity{})
	if err != nil {
		return nil, err
	}
	return kube.New(p.server, config, token), nil
}

// Person returns a client that acts as a user with these groups, by certificate.
func (p *Plane) Person(user string, groups ...string) (*kube.Client, error) {
	id, err := p.client(user, groups...)
	if err != nil {
		return nil, err
	}
	config, err := p.tls(id)
	if err != nil {
		return nil, err
	}
	return kube.New(p.server, config, ""), nil
}

// fieldManager of everything the harness itself installs.
const fieldManager = "system-test"

func (p *Plane) apply(ctx context.Context, objects ...kube.Object) error {
	for _, o := range objects {
		if _, err := p.Admin.Apply(ctx, o, fieldManager); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plane) namespace(ctx context.Context, name string) error {
	return p.apply(ctx, kube.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}})
}
