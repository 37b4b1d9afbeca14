package schemas

import "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

// Structural is the schema of a kind as the API server keeps it.
func (c Catalogue) Structural(apiVersion, name string) (*schema.Structural, bool) {
	v, ok := c[kind{apiVersion, name}]
	if !ok {
		return nil, false
	}
	return v.structural, true
}
