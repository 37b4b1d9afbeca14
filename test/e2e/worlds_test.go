package e2e

import (
	"testing"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/plane"
)

// TestClaims plays every scenario with claims: cluster-scoped composite and managed resources.
func TestClaims(t *testing.T) { inWorld(t, plane.Claims) }

// TestNamespaced plays every scenario with namespaced composite and managed resources.
func TestNamespaced(t *testing.T) { inWorld(t, plane.NamespacedXRs) }

// inWorld installs one world's API, plays, and removes it again: the two are alternatives. What the first world leaves
// behind stays, as it would in a migration.
func inWorld(t *testing.T, w plane.World) {
	ctx, up := suite.ctx, suite.plane
	if err := up.Install(ctx, w, nil); err != nil {
		t.Fatal(err)
	}
	p := &play{T: t, world: w, namespace: "team-" + w.Name}
	if _, err := up.Admin.Apply(ctx, kube.Object{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": p.namespace},
	}, "gitops"); err != nil {
		t.Fatal(err)
	}

	committed := p.scenario("1 commit a claim", nil, commitClaim)
	deleted := p.scenario("2 delete the claim", []bool{committed}, deleteClaim)
	again := p.scenario("3 commit it again", []bool{committed, deleted}, commitAgain)
	p.scenario("4 hostile claims", []bool{committed, again}, hostileClaims)
	p.scenario("5 every manifest is admitted", nil, manifestsAdmitted)
	p.scenario("7 without the right to delete", []bool{committed, deleted}, withoutDelete)
	if suite.fast {
		results.note("NOT RUN  %-10s 6 admission policies: only the fast part was asked for", w.Name)
	} else {
		p.scenario("6 admission policies", []bool{committed, again}, admissionPolicies)
	}
	slow := []struct {
		name string
		do   func(*play)
	}{
		{"5 every bootstrap is admitted", bootstraps},
		{"8 foreign Cluster of the same name", foreignCluster},
		{"8 StorageClass missing", storageClassMissing},
		{"8 function killed and restarted", functionKilled},
		{"8 function upgraded", functionUpgraded},
		{"8 CloudNativePG webhook down", webhookDown},
		{"8 rights of Crossplane missing", rightsMissing},
		{"8 barman-cloud plugin missing", pluginMissing},
		{"9 Blue/Green in five applies", blueGreen},
		{"10 two hundred claims at once", manyClaims},
	}
	for _, s := range slow {
		if suite.fast {
			results.note("NOT RUN  %-10s %s: only the fast part was asked for", w.Name, s.name)
			continue
		}
		p.scenario(s.name, []bool{committed}, s.do)
	}
	p.leave()
}

// leave deletes every claim of the world and its API.
func (p *play) leave() {
	p.Helper()
	claims, err := suite.plane.Admin.List(suite.ctx, claimVersion, "PostgresInstance", "", "")
	if err != nil {
		p.Fatal(err)
	}
	for _, c := range claims {
		p.remove(c)
	}
	if err := suite.plane.Uninstall(suite.ctx, p.world); err != nil {
		p.Error(err)
	}
}
