package bootstrap

import (
	"cmp"
	"strconv"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Assumed answers Make's questions where there is no cluster to ask, for people who want to read what would be emitted:
// the source is a healthy database of this product, or gone where the claim says where its archive lies: nothing that was
// made up may contradict the claim. What is known of its claim may be given; otherwise it is taken to be one of defaults,
// of the same major, or of the one before where the claim says that it upgrades.
func Assumed(c *claim.Claim, p *v1beta1.Policy, source *claim.Claim) map[string][]manifest.Tree {
	name := sourceName(c)
	if name == "" {
		return nil
	}
	if r := c.Spec.Bootstrap.Recovery; r != nil && r.Archive != nil {
		return map[string][]manifest.Tree{AskSourceCluster: nil, AskSourceArchive: nil}
	}
	lost := name == c.Name // A claim that brings its own database back: only the archive is left.
	if source == nil {
		source = assumedClaim(c, name)
	}
	if source.Spec.Database == "" || source.Spec.Owner == "" { // It was copied itself, and has the names its own source had.
		named := *source
		named.Spec.Database, named.Spec.Owner = cmp.Or(named.Spec.Database, name), cmp.Or(named.Spec.Owner, name)
		source = &named
	}
	terms, found := source.BackupTerms(p)
	if len(found) > 0 {
		return nil
	}
	place := hardened.PlaceOf(source, p)
	out := map[string][]manifest.Tree{AskSourceCluster: nil}
	if hardened.Plugin(p) && c.Spec.Bootstrap.Recovery != nil {
		out[AskSourceArchive] = nil
	}
	for _, r := range hardened.Set(hardened.Request{Claim: source, Policy: p, Terms: terms, Place: place}) {
		switch m := manifest.Object(manifest.CopyMap(r.Object.Unwrap())); {
		case r.Name == hardened.Cluster && !lost:
			m["status"] = map[string]any{
				"firstRecoverabilityPoint": assumedSince,
				"conditions":               []any{map[string]any{"type": "Ready", "status": "True"}},
			}
			out[AskSourceCluster] = []manifest.Tree{m}
		case r.Name == hardened.ObjectStore && c.Spec.Bootstrap.Recovery != nil:
			m["status"] = map[string]any{"serverRecoveryWindow": map[string]any{
				place.ServerName: map[string]any{"firstRecoverabilityPoint": assumedSince},
			}}
			out[AskSourceArchive] = []manifest.Tree{m}
		}
	}
	return out
}

// assumedSince lies before any recovery target that can be written.
const assumedSince = "0000-01-01T00:00:00Z"

func assumedClaim(c *claim.Claim, name string) *claim.Claim {
	source := &claim.Claim{Namespace: c.Namespace, Name: name, Scope: c.Scope, Spec: v1alpha1.Spec{
		Size: c.Spec.Size, Version: c.Spec.Version, StorageGB: c.Spec.StorageGB, Instances: c.Spec.Instances, Parameters: c.Spec.Parameters,
		Database: name, Owner: name, Backup: &v1alpha1.Backup{}, Connection: &v1alpha1.Connection{SecretName: name + claim.SuffixConnection},
	}}
	if n, err := strconv.Atoi(c.Spec.Version); err == nil && c.Spec.Upgrade != nil {
		source.Spec.Version = strconv.Itoa(n - 1)
	}
	if d := c.Spec.Database; d != "" && c.Spec.Bootstrap.Recovery != nil && c.Spec.Upgrade == nil {
		source.Spec.Database = d
	}
	if o := c.Spec.Owner; o != "" && c.Spec.Bootstrap.Recovery != nil && c.Spec.Upgrade == nil {
		source.Spec.Owner = o
	}
	return source
}
