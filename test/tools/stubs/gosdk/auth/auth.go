// Package auth holds the types of the stand-in's signatures.
package auth

// A BearerToken would authorise a request.
type BearerToken struct{ Token string }

// A PrivateKeyParser would read a service account's key.
type PrivateKeyParser struct{}

// NewPrivateKeyParser reads nothing.
func NewPrivateKeyParser([]byte, string, string) PrivateKeyParser { return PrivateKeyParser{} }
