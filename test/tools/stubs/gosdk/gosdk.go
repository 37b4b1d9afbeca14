// Package gosdk satisfies provider-kubernetes' import of the Nebius SDK, which public module proxies do not serve.
//
// The provider touches it only for ProviderConfigs whose identity is of type Nebius. No test uses one, so every
// entry point that could be reached says so instead of pretending.
package gosdk

import (
	"context"
	"errors"

	"github.com/nebius/gosdk/auth"
)

var errStub = errors.New("this build of provider-kubernetes has no Nebius identity: it was linked against a stand-in")

// An SDK cannot be had: New always fails.
type SDK struct{}

// BearerToken always fails.
func (*SDK) BearerToken(context.Context) (auth.BearerToken, error) {
	return auth.BearerToken{}, errStub
}

// Option would configure an SDK.
type Option struct{}

// Credentials would authenticate an SDK.
type Credentials struct{}

// New always fails.
func New(context.Context, ...Option) (*SDK, error) { return nil, errStub }

// WithCredentials has no effect.
func WithCredentials(Credentials) Option { return Option{} }

// ServiceAccountReader has no effect.
func ServiceAccountReader(auth.PrivateKeyParser) Credentials { return Credentials{} }
