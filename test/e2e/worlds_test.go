package e2e

import (
	"os"
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
	t.Helper()
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

	passed := map[string]bool{}
	for _, s := range scenarios() {
		p.play(s, passed)
	}
	if os.Getenv(envKeep) == "" {
		p.leave()
	}
}

// scenarios in their order. The names are what a run reports and what FHP_E2E_ONLY selects by.
func scenarios() []scenario {
	const (
		commit = "1 commit a claim"
		remove = "2 delete the claim"
		again  = "3 commit it again"
	)
	return []scenario{
		{name: commit, do: commitClaim, fast: true, base: true},
		{name: remove, do: deleteClaim, fast: true, needs: []string{commit}},
		{name: again, do: commitAgain, fast: true, needs: []string{commit, remove}},
		{name: "4 hostile claims", do: hostileClaims, fast: true, needs: []string{commit, again}},
		{name: "5 every manifest is admitted", do: manifestsAdmitted, fast: true},
		{name: "7 without the right to delete", do: withoutDelete, fast: true, needs: []string{commit, remove}},
		{name: "6 admission policies", do: admissionPolicies, needs: []string{commit, again}},
		{name: "5 every bootstrap is admitted", do: bootstraps, needs: []string{commit}},
		{name: "8 foreign Cluster of the same name", do: foreignCluster, needs: []string{commit}},
		{name: "8 StorageClass missing", do: storageClassMissing, needs: []string{commit}},
		{name: "8 function killed and restarted", do: functionKilled, needs: []string{commit}},
		{name: "8 function upgraded", do: functionUpgraded, needs: []string{commit}},
		{name: "8 CloudNativePG webhook down", do: webhookDown, needs: []string{commit}},
		{name: "8 rights of Crossplane missing", do: rightsMissing, needs: []string{commit}},
		{name: "8 barman-cloud plugin missing", do: pluginMissing, needs: []string{commit}},
		{name: "9 Blue/Green in five applies", do: blueGreen, needs: []string{commit}},
		{name: "11 the documents' commands", do: documentedCommands, needs: []string{commit}},
		{name: "10 two hundred claims at once", do: manyClaims, needs: []string{commit}},
	}
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
