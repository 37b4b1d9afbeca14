package plane

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

const pluginService = "barman-cloud"

// announcePlugin makes the Service by which the operator finds the barman-cloud plugin, and the certificates of both.
// The operator dials the Service's name, which no DNS knows here: a proxy of its own leads it to this machine.
func (p *Plane) announcePlugin(ctx context.Context) error {
	client, err := p.client("cnpg-manager")
	if err != nil {
		return err
	}
	secret := func(name string, cert, key []byte) kube.Object {
		return kube.Object{
			"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": map[string]any{"name": name, "namespace": cnpgNamespace},
			"data": map[string]any{"tls.crt": cert, "tls.key": key},
		}
	}
	service := externalName(cnpgNamespace, pluginService)
	service.Set(map[string]any{"cnpg.io/pluginName": "barman-cloud.cloudnative-pg.io"}, "metadata", "labels")
	service.Set(map[string]any{ //nolint:gosec // Names of Secrets.
		"cnpg.io/pluginClientSecret": "barman-cloud-client-tls", "cnpg.io/pluginServerSecret": "barman-cloud-server-tls",
		"cnpg.io/pluginPort": strconv.Itoa(p.port.plugin),
	}, "metadata", "annotations")
	return p.apply(ctx,
		secret("barman-cloud-client-tls", client.certPEM, client.keyPEM),
		secret("barman-cloud-server-tls", p.certPEM, p.keyPEM),
		service,
	)
}

// PluginListener is where the plugin has to answer.
func (p *Plane) PluginListener() (net.Listener, error) {
	serving, err := p.authority.server("plugin", pluginService)
	if err != nil {
		return nil, err
	}
	config, err := p.tls(serving)
	if err != nil {
		return nil, err
	}
	config.NextProtos = []string{"h2"}
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, config.RootCAs
	return listen(config, p.port.plugin)
}

// StatusListener is where whoever plays instances answers before the operator's reports about a Cluster are stored.
func (p *Plane) StatusListener(ctx context.Context) (net.Listener, error) {
	listener, err := p.listenAs("instances", p.port.status)
	if err != nil {
		return nil, err
	}
	return listener, p.apply(ctx, kube.Object{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": map[string]any{"name": "system-test-instances"},
		"webhooks": []any{map[string]any{
			"name": "instances.system.test", "admissionReviewVersions": []any{"v1"}, "sideEffects": "None", "failurePolicy": "Ignore", "timeoutSeconds": 10,
			"clientConfig": map[string]any{"url": fmt.Sprintf("https://127.0.0.1:%d/", p.port.status), "caBundle": p.certPEM},
			"rules": []any{map[string]any{
				"apiGroups": []any{"postgresql.cnpg.io"}, "apiVersions": []any{"v1"}, "operations": []any{"UPDATE"}, "resources": []any{"clusters/status"},
			}},
		}},
	})
}

// listenAs listens with a certificate of that name.
func (p *Plane) listenAs(name string, port int) (net.Listener, error) {
	serving, err := p.authority.server(name)
	if err != nil {
		return nil, err
	}
	config, err := p.tls(serving)
	if err != nil {
		return nil, err
	}
	return listen(config, port)
}

func listen(config *tls.Config, port int) (net.Listener, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return tls.NewListener(l, config), nil
}

// startProxy runs an HTTP proxy that leads every CONNECT to the same port of this machine.
func (p *Plane) startProxy() error {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p.port.proxy))
	if err != nil {
		return fmt.Errorf("cannot run the proxy: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(connect)}
	go func() { _ = server.Serve(l) }() // Ends with this process.
	return nil
}

func connect(w http.ResponseWriter, r *http.Request) {
	_, port, err := net.SplitHostPort(r.Host)
	hijacker, ok := w.(http.Hijacker)
	if r.Method != http.MethodConnect || err != nil || !ok {
		http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
		return
	}
	there, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), 5*time.Second) //nolint:gosec // On loopback.
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close() //nolint:errcheck // Both ends are gone by then.
	here, buffered, err := hijacker.Hijack()
	if err != nil {
		return
	}
	defer here.Close() //nolint:errcheck // Both ends are gone by then.
	if _, err := io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(there, buffered); _ = there.Close() })
	both.Go(func() { _, _ = io.Copy(here, there); _ = here.Close() })
	both.Wait()
}
