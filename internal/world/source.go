package world

import "github.com/bizmatters/function-hardened-postgres/internal/manifest"

// origin reads what the database was made from, and the names it answers to. Both outlive the claim's own words: the
// first is frozen with the database, the second may still be in use by clients.
func (c *Cluster) origin(t manifest.Tree) {
	c.Bootstrap = manifest.CopyMap(t, "spec", "bootstrap")
	c.ExternalClusters = manifest.CopyList(t, "spec", "externalClusters")
	c.AltDNSNames = texts(manifest.CopyList(t, "spec", "certificates", "serverAltDNSNames"))
	c.Certified = texts(manifest.CopyList(t, "status", "certificates", "serverAltDNSNames"))
}

// Asked returns the manifest inside a wrapping Object as it was last asked for, without anything the cluster added.
func (v View) Asked(name string) (manifest.Tree, bool) {
	t, ok := v.Observed[name]
	if !ok {
		return nil, false
	}
	inner := under{t, []string{"spec", "forProvider", "manifest"}}
	return inner, len(inner.Keys()) > 0
}

func texts(list []any) []string {
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
