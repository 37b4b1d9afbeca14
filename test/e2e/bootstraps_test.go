package e2e

import (
	"fmt"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// bootstraps: every way a database can come by its first data, from a living source, is admitted by CloudNativePG and
// becomes what the source's major asks for.
func bootstraps(p *play) {
	source := p.claim("source-db", map[string]any{"version": "16"})
	p.healthy(source)

	// A moment the fake archive can be recovered to.
	window := p.get(p.ref("barmancloud.cnpg.io/v1", "ObjectStore", "source-db-archive"))
	moment := ""
	for server := range window.Map("status", "serverRecoveryWindow") {
		moment = window.String("status", "serverRecoveryWindow", server, "lastSuccessfulBackupTime")
	}
	for _, c := range []struct {
		name string
		spec map[string]any
		// method is the key below the Cluster's spec.bootstrap; extra has to be part of the Cluster.
		method, extra string
	}{
		{"same-major", map[string]any{"version": "16", "bootstrap": map[string]any{"recovery": map[string]any{"source": "source-db"}}}, "recovery", "source-db-pg16"},
		{"point-in-time", map[string]any{"version": "16", "bootstrap": map[string]any{"recovery": map[string]any{"source": "source-db", "targetTime": moment}}}, "recovery", "targetTime"},
		{"next-major", map[string]any{"version": "17", "bootstrap": map[string]any{"recovery": map[string]any{"source": "source-db"}}}, "initdb", "microservice"},
		{"imported", map[string]any{"version": "18", "bootstrap": map[string]any{"import": map[string]any{"source": "source-db"}}}, "initdb", "microservice"},
		{"replicated", map[string]any{
			"version": "17", "bootstrap": map[string]any{"recovery": map[string]any{"source": "source-db"}}, "upgrade": map[string]any{"method": "logicalReplication"},
		}, "initdb", "schemaOnly"},
	} {
		// What only a person can know, and confirms for this source.
		claim := p.claim(c.name, c.spec).Set(map[string]any{
			"database.bizmatters.io/writes-stopped": "source-db", "database.bizmatters.io/replica-identities-checked": "source-db",
		}, "metadata", "annotations")
		p.commit(claim)
		var cluster kube.Object
		if err := suite.plane.Wait(suite.ctx, patience, "the Cluster of "+c.name, func() error {
			var err error
			if cluster, err = suite.plane.Admin.Get(suite.ctx, p.cluster(c.name)); err != nil {
				return fmt.Errorf("%w: %s", err, p.get(claim.Ref()).Conditions())
			}
			return nil
		}); err != nil {
			p.Errorf("%s: %v", c.name, err)
			continue
		}
		if cluster.Map("spec", "bootstrap")[c.method] == nil || !strings.Contains(fmt.Sprint(cluster["spec"]), c.extra) {
			p.Errorf("%s: bootstrap %v, want %s with %s", c.name, cluster.At("spec", "bootstrap"), c.method, c.extra)
		}
		for _, o := range p.managed(c.name) {
			inner := o.Map("spec", "forProvider", "manifest")
			if inner == nil {
				continue
			}
			answer, err := suite.plane.Admin.DryApply(suite.ctx, inner, "provider-kubernetes/"+o.Name())
			if err != nil {
				p.Errorf("%s: %v", c.name, err)
			}
			for _, w := range answer.Warnings {
				if !expectedWarning(inner, w) {
					p.Errorf("%s: %s is admitted with a warning: %s", c.name, inner.Ref(), w)
				}
			}
		}
		p.remove(claim)
	}
	p.remove(source)
}
