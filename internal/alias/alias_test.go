package alias

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

func claimWith(alias string) *claim.Claim {
	return &claim.Claim{
		Namespace: "agents", Name: "agent-db-v16", Scope: claim.Namespaced,
		Spec: v1alpha1.Spec{Connection: &v1alpha1.Connection{Alias: alias}},
	}
}

func TestMake(t *testing.T) {
	names := hardened.AliasObjectNames(claimWith("agent-db"), "agent-db")
	service, secret := names[hardened.AliasService], names[hardened.AliasSecret]
	hosts := hardened.AliasHostNames(claimWith("agent-db"), "agent-db")
	ready := &world.Cluster{ReadyCondition: "True", AltDNSNames: hosts, Certified: hosts}
	free := map[string][]manifest.Tree{AskServiceHolder: nil, AskSecretHolder: nil, AskService: nil}
	both := map[string]manifest.Tree{hardened.AliasService: labelled(green, service), hardened.AliasSecret: labelled(green, secret)}
	former := map[string]manifest.Tree{hardened.AliasService: labelled(green, "agents.other.alias-service")}

	cases := map[string]struct {
		reason   string
		alias    string
		live     *world.Cluster
		behind   string
		observed map[string]manifest.Tree
		required map[string][]manifest.Tree
		want     Plan
	}{
		"NotAsked": {
			"No alias, nothing to say.", "", nil, "", nil, nil, Plan{},
		},
		"NotAskedButNamed": {
			"The certificate keeps every name it has carried: one may still lead here.", "", ready, "", nil, nil,
			Plan{HostNames: hosts},
		},
		"LetGo": {
			"What is held and no longer asked for is let go of.", "", ready, "", both, nil,
			Plan{HostNames: hosts, Released: []string{hardened.AliasService, hardened.AliasSecret}},
		},
		"Renamed": {
			"A composed resource keeps its name for ever: the old alias is let go of before another is taken.", "agent-db", ready, "", former, free,
			Plan{HostNames: hosts, Released: []string{hardened.AliasService}, Status: &v1alpha1.AliasStatus{Name: "agent-db", Message: "an earlier alias is let go of first"}},
		},
		"Held": {
			"What is held is kept, even while the database fails over.", "agent-db", &world.Cluster{ReadyCondition: "False"}, "", both, nil,
			Plan{HostNames: hosts, Emit: true, Status: &v1alpha1.AliasStatus{Name: "agent-db", Held: true}},
		},
		"NotAnswered": {
			"Nothing is taken before it is known who holds it.", "agent-db", ready, "", nil, nil,
			Plan{HostNames: hosts, Status: &v1alpha1.AliasStatus{Name: "agent-db", Message: "waiting for the answer who holds it"}},
		},
		"HeldByAnother": {
			"The holder keeps it, and this claim says who that is.", "agent-db", ready, "", nil,
			map[string][]manifest.Tree{AskServiceHolder: {labelled(blue, service)}, AskSecretHolder: {labelled(blue, secret)}, AskService: {labelled(blue, "agent-db")}},
			Plan{HostNames: hosts, Status: &v1alpha1.AliasStatus{
				Name: "agent-db", Holder: "agents/agent-db-v15",
				Message: "held by agents/agent-db-v15, which keeps it as long as it asks for it: remove connection.alias there",
			}},
		},
		"SecretHeldByAnother": {
			"A claim that has the Secret under connection.secretName holds it too.", "agent-db", ready, "", nil,
			map[string][]manifest.Tree{AskServiceHolder: nil, AskSecretHolder: {labelled(blue, secret)}, AskService: nil},
			Plan{HostNames: hosts, Status: &v1alpha1.AliasStatus{
				Name: "agent-db", Holder: "agents/agent-db-v15",
				Message: "held by agents/agent-db-v15, which keeps it as long as it asks for it: remove connection.alias there",
			}},
		},
		"Stranger": {
			"Nobody's Service is taken over.", "agent-db", ready, "", nil,
			map[string][]manifest.Tree{AskServiceHolder: nil, AskSecretHolder: nil, AskService: {manifest.Object{"metadata": map[string]any{"name": "agent-db"}}}},
			Plan{HostNames: hosts, Status: &v1alpha1.AliasStatus{Name: "agent-db"}, Findings: contract.Findings{{
				Rule: "ZDL-07", Object: "PostgresInstance agents/agent-db-v16", Path: "spec.connection.alias", Value: "agent-db",
				Message: "a Service agents/agent-db exists already and is not of this product: taking it over would redirect somebody's clients",
				Fix:     "choose another alias, or delete that Service if nobody uses it",
			}}},
		},
		"NotAlive": {
			"A name never leads to a database that does not live.", "agent-db", nil, "", nil, free,
			Plan{HostNames: hosts, Status: &v1alpha1.AliasStatus{Name: "agent-db", Message: "waiting for the database to be ready"}},
		},
		"NotReadyYet": {
			"Until this database is ready the name leads where it led.", "agent-db", &world.Cluster{ReadyCondition: "False"}, "", nil,
			map[string][]manifest.Tree{AskServiceHolder: nil, AskSecretHolder: nil, AskService: {labelled(blue, "agent-db")}},
			Plan{HostNames: hosts, Status: &v1alpha1.AliasStatus{
				Name: "agent-db", Holder: "agents/agent-db-v15", Message: "waiting for the database to be ready; until then the name leads to agents/agent-db-v15",
			}},
		},
		"NotCertifiedYet": {
			"Clients that verify the server would be cut off.", "agent-db", &world.Cluster{ReadyCondition: "True"}, "", nil, free,
			Plan{HostNames: hosts, Status: &v1alpha1.AliasStatus{Name: "agent-db", Message: "waiting for the server's certificate to carry the name"}},
		},
		"RowsOnTheirWay": {
			"A database that follows another is ready long before it has that one's rows.", "agent-db", ready, "waiting for the subscription to exist", nil,
			map[string][]manifest.Tree{AskServiceHolder: nil, AskSecretHolder: nil, AskService: {labelled(blue, "agent-db")}},
			Plan{HostNames: hosts, Status: &v1alpha1.AliasStatus{
				Name: "agent-db", Holder: "agents/agent-db-v15",
				Message: "waiting until the rows of its source flow (waiting for the subscription to exist); until then the name leads to agents/agent-db-v15",
			}},
		},
		"HeldWhileRowsStop": {
			"Once the applications write here there is no way back by itself.", "agent-db", ready, "agent-db-v15 is gone", both, nil,
			Plan{HostNames: hosts, Emit: true, Status: &v1alpha1.AliasStatus{Name: "agent-db", Held: true}},
		},
		"Taken": {
			"Free, ready and certified: it takes it, from whomever it led to.", "agent-db", ready, "", nil,
			map[string][]manifest.Tree{AskServiceHolder: nil, AskSecretHolder: nil, AskService: {labelled(blue, "agent-db")}},
			Plan{HostNames: hosts, Emit: true, Status: &v1alpha1.AliasStatus{Name: "agent-db", Holder: "agents/agent-db-v15", Message: "being taken"}},
		},
		"CommittedAgain": {
			"Objects left from the claim's own earlier life are its own.", "agent-db", ready, "", nil,
			map[string][]manifest.Tree{AskServiceHolder: {labelled(green, service)}, AskSecretHolder: {labelled(green, secret)}, AskService: {labelled(green, "agent-db")}},
			Plan{HostNames: hosts, Emit: true, Status: &v1alpha1.AliasStatus{Name: "agent-db", Message: "being taken"}},
		},
		"Half": {
			"Of two claims that took one part each, the one without the Service lets go.", "agent-db", ready, "",
			map[string]manifest.Tree{hardened.AliasSecret: labelled(green, secret)},
			map[string][]manifest.Tree{AskServiceHolder: {labelled(blue, service)}, AskSecretHolder: {labelled(green, secret)}, AskService: nil},
			Plan{HostNames: hosts, Released: []string{hardened.AliasSecret}, Status: &v1alpha1.AliasStatus{Name: "agent-db", Message: "another claim was faster"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Make(claimWith(tc.alias), tc.live, tc.behind, world.View{Observed: tc.observed, Required: tc.required})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nMake(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAsks(t *testing.T) {
	if got := Asks(claimWith("")); got != nil {
		t.Errorf("a claim without an alias asks %v", got)
	}
	clusterScoped := claimWith("agent-db")
	clusterScoped.Scope = claim.ClusterScoped
	want := map[string]world.Selector{
		AskServiceHolder: {APIVersion: "kubernetes.crossplane.io/v1alpha2", Kind: "Object", Name: "agents.agent-db.alias-service"},
		AskSecretHolder:  {APIVersion: "kubernetes.crossplane.io/v1alpha2", Kind: "Object", Name: "agents.agent-db.connection-secret"},
		AskService:       {APIVersion: "v1", Kind: "Service", Namespace: "agents", Name: "agent-db"},
	}
	if diff := cmp.Diff(want, Asks(clusterScoped)); diff != "" {
		t.Errorf("Asks(...): -want, +got:\n%s", diff)
	}
	if got := Asks(claimWith("agent-db"))[AskServiceHolder]; got.Namespace != "agents" || got.APIVersion != "kubernetes.m.crossplane.io/v1alpha1" {
		t.Errorf("in the namespaced world the lock lies in the claim's namespace: %+v", got)
	}
}
