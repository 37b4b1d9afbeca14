package hardened

import (
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Names of the composed resources of an alias. They never change.
const (
	AliasService = "alias-service"
	AliasSecret  = "alias-secret"
)

// AliasObjectNames are the names of the Objects behind an alias, by composition-resource-name. They carry the alias and
// not the claim: that makes them the lock. An object has one controller, so the API server refuses a second claim's.
// The Secret's is named like every connection Secret's Object, so that no claim can take it under secretName either.
func AliasObjectNames(c *claim.Claim, alias string) map[string]string {
	return map[string]string{
		AliasService: c.ObjectName(alias, AliasService),
		AliasSecret:  c.ObjectName(alias, ConnectionSecret),
	}
}

// AliasHostNames are the names clients verify the server by when they come through an alias.
func AliasHostNames(c *claim.Claim, alias string) []string {
	var out []string
	for _, name := range hostNames(alias, c.Namespace) {
		if s, ok := name.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// alias is the stable name applications use: a Service in front of the primary, and the login in the platform's layout
// with that Service as the host.
func (b builder) alias() []Resource {
	alias := b.Claim.Spec.Connection.Alias
	names := AliasObjectNames(b.Claim, alias)

	service := b.object("v1", "Service", alias)
	service["spec"] = map[string]any{
		"type":     "ClusterIP",
		"selector": map[string]any{"cnpg.io/cluster": b.Claim.Name, "cnpg.io/instanceRole": "primary"},
		"ports":    []any{map[string]any{"name": "postgres", "port": int64(5432), "protocol": "TCP", "targetPort": int64(5432)}},
	}
	secret := b.connectionSecret(alias, b.Claim.Name+claim.SuffixConnection, alias)
	return []Resource{
		{Name: AliasService, Stage: Operation, Object: b.wrapAs(names[AliasService], service)},
		{Name: AliasSecret, Stage: Operation, Object: b.wrapAs(names[AliasSecret], secret)},
	}
}

// certificates has the server answer to further names, so that clients verify it under an alias too.
func (b builder) certificates(spec manifest.Object) {
	if len(b.HostNames) == 0 {
		return
	}
	names := make([]any, len(b.HostNames))
	for i, name := range b.HostNames {
		names[i] = name
	}
	spec["certificates"] = map[string]any{"serverAltDNSNames": names}
}
