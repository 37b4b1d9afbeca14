package plane

import (
	"context"
	"net"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// NodeName is the one machine of the cluster, where a test needs one.
const NodeName = "node"

// KubeletListener is where whoever plays that machine answers the API server.
func (p *Plane) KubeletListener(ctx context.Context) (net.Listener, error) {
	listener, err := p.listenAs("kubelet", p.port.kubelet)
	if err != nil {
		return nil, err
	}
	node := kube.Object{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": NodeName}}
	if err := p.apply(ctx, node); err != nil {
		return nil, err
	}
	_, err = p.Admin.Patch(ctx, node.Ref(), "status", kube.Object{"status": map[string]any{
		"addresses":       []any{map[string]any{"type": "InternalIP", "address": "127.0.0.1"}},
		"daemonEndpoints": map[string]any{"kubeletEndpoint": map[string]any{"Port": p.port.kubelet}},
	}})
	return listener, err
}
