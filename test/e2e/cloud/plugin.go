package cloud

import (
	"context"
	"net"

	"github.com/cloudnative-pg/cnpg-i/pkg/identity"
	"google.golang.org/grpc"
)

// pluginName is the name CloudNativePG knows the barman-cloud plugin by.
const pluginName = "barman-cloud.cloudnative-pg.io"

// Plugin plays the barman-cloud plugin towards the operator, which reconciles no Cluster whose plugins it does not know.
// It is there and can do nothing: what the real one does happens in Pods.
type Plugin struct {
	identity.UnimplementedIdentityServer

	server *grpc.Server
}

// ServePlugin answers the operator.
func ServePlugin(listener net.Listener) *Plugin {
	p := &Plugin{server: grpc.NewServer()}
	identity.RegisterIdentityServer(p.server, p)
	go func() { _ = p.server.Serve(listener) }() // Ends when closed.
	return p
}

// Close ends it.
func (p *Plugin) Close() { p.server.Stop() }

// GetPluginMetadata tells the name.
func (p *Plugin) GetPluginMetadata(context.Context, *identity.GetPluginMetadataRequest) (*identity.GetPluginMetadataResponse, error) {
	return &identity.GetPluginMetadataResponse{Name: pluginName, Version: "0.15.0", DisplayName: "barman-cloud, played"}, nil
}

// GetPluginCapabilities tells that there are none.
func (p *Plugin) GetPluginCapabilities(context.Context, *identity.GetPluginCapabilitiesRequest) (*identity.GetPluginCapabilitiesResponse, error) {
	return &identity.GetPluginCapabilitiesResponse{}, nil
}

// Probe is always well.
func (p *Plugin) Probe(context.Context, *identity.ProbeRequest) (*identity.ProbeResponse, error) {
	return &identity.ProbeResponse{Ready: true}, nil
}
