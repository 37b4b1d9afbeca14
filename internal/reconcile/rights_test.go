package reconcile_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// resources are the kinds this function deals with, as Kubernetes' rights name them.
var resources = map[string]string{
	"StorageClass": "storageclasses", "Cluster": "clusters", "ScheduledBackup": "scheduledbackups", "ObjectStore": "objectstores", "PrometheusRule": "prometheusrules",
}

// granted are kinds Crossplane may read already: its own chart says so of definitions and Services, its RBAC manager of
// what a provider brings.
var granted = map[string]bool{"CustomResourceDefinition": true, "Service": true, "Object": true}

// TestRightsAreExact: apis/rbac/crossplane.yaml gives Crossplane what the function may ever ask for, and what is composed
// without a provider, and nothing else.
func TestRightsAreExact(t *testing.T) {
	want := map[string][]string{}
	read := func(apiVersion, kind string) {
		if granted[kind] {
			return
		}
		group, _, _ := strings.Cut(apiVersion, "/")
		if resources[kind] == "" {
			t.Fatalf("%s %s is asked for: which rights does that take?", apiVersion, kind)
		}
		want[group+"/"+resources[kind]] = []string{"get", "list", "watch"}
	}
	recovery := map[string]any{"recovery": map[string]any{"source": "agent-db-v15"}}
	for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
		for _, method := range []string{"plugin", "inTree"} {
			for _, spec := range []map[string]any{nil, {"bootstrap": recovery}, {"connection": map[string]any{"alias": "agents"}}} {
				policy := plainPolicy()
				policy["backup"] = map[string]any{"method": method}
				w := fixture.New(agentDB("agent-db", spec, nil), policy, scope)
				for range 6 {
					for _, ask := range w.Step(t).Requirements {
						read(ask.APIVersion, ask.Kind)
					}
				}
			}
			w := fixture.Observed(t, agentDB("agent-db", nil, nil), plainPolicy(), scope)
			for _, c := range w.Ask().Composed {
				if c.Name == hardened.ClaimPresence { // The one object composed without a wrapper.
					group, _, _ := strings.Cut(c.Object.APIVersion(), "/")
					want[group+"/"+resources[c.Object.Kind()]] = []string{"get", "list", "watch", "create", "update", "patch", "delete"}
				} else if c.Object.Kind() != "Object" && !strings.HasPrefix(c.Object.APIVersion(), "s3.aws.") {
					t.Errorf("%s is composed without a provider: which rights does that take?", c.Name)
				}
			}
		}
	}

	raw, err := os.Open("../../apis/rbac/crossplane.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	documents, err := source.Read("crossplane.yaml", raw)
	if err != nil || len(documents) != 1 {
		t.Fatalf("cannot read the role: %v", err)
	}
	got := map[string][]string{}
	for _, rule := range documents[0].Object.Items("rules") {
		for _, group := range manifest.Strings(rule.(manifest.Object), "apiGroups") {
			for _, resource := range manifest.Strings(rule.(manifest.Object), "resources") {
				got[group+"/"+resource] = manifest.Strings(rule.(manifest.Object), "verbs")
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights: -needed, +given:\n%s", diff)
	}
	if manifest.String(documents[0].Object, "metadata", "labels", "rbac.crossplane.io/aggregate-to-crossplane") != "true" {
		t.Error("the role is not aggregated to Crossplane")
	}
}
