package reconcile_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
)

// decisions are the table "Whose database is it?" of docs/how-it-decides.md, row by row; "any" is all there is.
var decisions = map[string]struct {
	objects, clusters, archives []string
	// judge says what is wrong with the answer, "" where nothing is.
	judge func(reconcile.Outcome) string
}{
	"fresh":                            {[]string{"none"}, []string{"none"}, []string{"empty"}, isMade},
	"still ours":                       {[]string{"exists"}, []string{"ours"}, []string{"empty", "full"}, isAdopted},
	"an orphan of ours":                {[]string{"none"}, []string{"ours"}, []string{"empty", "full"}, isAdopted},
	"somebody else's":                  {[]string{"none", "exists"}, []string{"without labels", "another claim's"}, []string{"empty", "full"}, isRefused("kubectl -n shop label clusters.postgresql.cnpg.io orders")},
	"a database whose Cluster is gone": {[]string{"none"}, []string{"none"}, []string{"full", "hidden", "started"}, isRefused("spec.bootstrap.recovery")},
	"deleted by hand":                  {[]string{"exists"}, []string{"none"}, []string{"empty", "full", "hidden", "started"}, isNotMadeAgain},
}

func isMade(out reconcile.Outcome) string {
	switch {
	case len(out.Refused) > 0:
		return "refused: " + out.Refused.String()
	case !slices.Contains(policies(out, hardened.Cluster), "Create"):
		return "no Cluster is made"
	}
	return ""
}

func isAdopted(out reconcile.Outcome) string {
	switch {
	case len(out.Refused) > 0:
		return "refused: " + out.Refused.String()
	case !emits(out.Composed, hardened.Cluster):
		return "it is let go of"
	case slices.Contains(policies(out, hardened.Cluster), "Create"):
		return "it may be made a second time"
	case out.Status.Backup.ServerName != "orders-first":
		return "it archives as " + out.Status.Backup.ServerName
	}
	return ""
}

func isRefused(fix string) func(reconcile.Outcome) string {
	return func(out reconcile.Outcome) string {
		if len(out.Refused) != 1 || out.Refused[0].Rule != "ZDL-07" || !strings.Contains(out.Refused[0].Fix, fix) {
			return "not refused with the way out: " + out.Refused.String()
		}
		return ""
	}
}

func isNotMadeAgain(out reconcile.Outcome) string {
	switch told := message(out.Conditions, reconcile.DatabaseReady); {
	case len(out.Refused) > 0:
		return "refused: " + out.Refused.String()
	case !emits(out.Composed, hardened.Cluster):
		return "its Object is let go of"
	case slices.Contains(policies(out, hardened.Cluster), "Create"):
		return "it is made again"
	case !strings.Contains(told, "spec.bootstrap.recovery"):
		return "the way back is not told: " + told
	}
	return ""
}

// TestDecisionTable plays every row, with both methods and in both scopes, and that the documented rows are these.
func TestDecisionTable(t *testing.T) {
	for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
		for _, method := range []string{"plugin", "inTree"} {
			policy := document(t, defaultPolicy)
			policy["backup"] = map[string]any{"method": method}
			healthy := fixture.Observed(t, document(t, defaultClaim), policy, scope)
			for row, d := range decisions {
				for _, object := range d.objects {
					for _, cluster := range d.clusters {
						for _, archive := range d.archives {
							w := decided(healthy, method, object, cluster, archive)
							if wrong := d.judge(w.Ask()); wrong != "" {
								t.Errorf("%s (%s, %s; Object %s, Cluster %s, archive %s): %s", row, scope, method, object, cluster, archive, wrong)
							}
						}
					}
				}
			}
		}
	}

	page, err := os.ReadFile("../../docs/how-it-decides.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	_, table, _ := strings.Cut(string(page), "| The Cluster's Object |")
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| ") && len(cells) == 5 { //nolint:mnd // Columns.
			row, _, _ := strings.Cut(cells[3], ":")
			documented = append(documented, row)
		}
	}
	slices.Sort(documented)
	if diff := cmp.Diff(manifest.SortedKeys(decisions), documented); diff != "" {
		t.Errorf("rows: -played, +documented:\n%s", diff)
	}
}

// archivesAs has the Cluster archive, and asked to archive, under another name than it would be given today.
func archivesAs(w *fixture.World, server string) {
	for _, o := range []manifest.Object{w.Live(hardened.Cluster), w.Observed[hardened.Cluster].Unwrap()} {
		if p := manifest.List(o, "spec", "plugins"); len(p) > 0 {
			manifest.Map(p[0].(map[string]any), "parameters")["serverName"] = server
		} else {
			manifest.Map(o, "spec", "backup", "barmanObjectStore")["serverName"] = server
		}
	}
}

// decided is the world of one row: a database that lives and is backed up, of which things are taken away. It archives
// under a name that nobody would choose today.
func decided(healthy *fixture.World, method, object, cluster, archive string) *fixture.World {
	w := *healthy
	w.Observed, w.Required = map[string]manifest.Object{}, maps.Clone(healthy.Required)
	for name, o := range healthy.Observed {
		w.Observed[name] = manifest.CopyMap(o)
	}
	live := w.Live(hardened.Cluster)
	archivesAs(&w, "orders-first")
	switch cluster {
	case "none":
		w.Required["cluster"] = nil
	case "ours":
		w.Required["cluster"] = []manifest.Object{live}
	case "without labels":
		manifest.Map(live, "metadata")["labels"] = map[string]any{}
		w.Required["cluster"] = []manifest.Object{live}
	case "another claim's":
		manifest.Map(live, "metadata", "labels")[hardened.LabelClaim] = "invoices"
		w.Required["cluster"] = []manifest.Object{live}
	}
	switch {
	case archive == "empty":
		delete(w.Live(hardened.ScheduledBackup), "status")
		fallthrough
	case archive == "started" && method == "plugin": // Its ObjectStore has reported nothing yet, or was made anew.
		if method == "plugin" {
			delete(w.Live(hardened.ObjectStore), "status")
		}
	case archive == "hidden" && method == "plugin": // WAL lies there, and no base backup is seen.
		delete(w.Live(hardened.ScheduledBackup), "status")
		manifest.Map(w.Live(hardened.ObjectStore), "status")["serverRecoveryWindow"] = map[string]any{"orders-first": map[string]any{}}
	}
	if object == "none" {
		delete(w.Observed, hardened.Cluster)
	}
	return &w
}
