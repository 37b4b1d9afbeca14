package alerts

import (
	"encoding/json"
	"strings"
	"testing"
)

// boardPanel is what the tests look at of a panel.
type boardPanel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ RefID, Expr string }

	FieldConfig struct {
		Defaults struct {
			Unit       string
			Min        *float64
			Thresholds struct {
				Steps []struct {
					Color string
					Value *float64
				}
			}
		}
	}
}

// TestDashboard holds the dashboard to what Grafana needs and to its own grid.
func TestDashboard(t *testing.T) {
	var board struct {
		UID, Title    string
		SchemaVersion int
		Panels        []boardPanel
	}
	if err := json.Unmarshal([]byte(Dashboard(target())), &board); err != nil {
		t.Fatal(err)
	}
	if len(board.UID) > 40 || board.UID == "" {
		t.Errorf("uid %q: Grafana takes 1 to 40 characters", board.UID)
	}
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("%s: id %d is taken or 0", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= rowWidth {
					t.Fatalf("%s covers %q or leaves the grid at %d,%d", p.Title, other, x, y)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if refs[q.RefID] || q.Expr == "" {
				t.Errorf("%s: query %q is there twice or empty", p.Title, q.RefID)
			}
			refs[q.RefID] = true
		}
		checkScale(t, p)
	}
	// What the contract asks a dashboard to show.
	for _, title := range []string{"Recovery window", "Last base backup", "Archive lag", "Standbys", "Backups locked until"} {
		found := false
		for _, p := range board.Panels {
			found = found || p.Title == title
		}
		if !found {
			t.Errorf("no panel %q", title)
		}
	}

	other := target()
	other.ClaimNamespace, other.ClaimName = "shop-eu", "orders-db"
	if Target.boardID(other) == Target.boardID(target()) {
		t.Error("two claims share one dashboard")
	}
	if first := Dashboard(target()); first != Dashboard(target()) {
		t.Error("two calls differ")
	}
}

// checkScale holds a panel's colours, axis and unit to what they say at a glance.
func checkScale(t *testing.T, p boardPanel) {
	t.Helper()
	// A stat without a value takes the colour of its first step, and no
	// answer is never good news.
	field := p.FieldConfig.Defaults
	steps := field.Thresholds.Steps
	switch p.Type {
	case "stat":
		for i, s := range steps {
			if first := i == 0; first != (s.Value == nil) || first && s.Color != "red" || i > 1 && *s.Value <= *steps[i-1].Value {
				t.Errorf("%s: step %d of %+v: the first has no value and is red, the others ascend", p.Title, i, steps)
			}
		}
		if len(steps) < 2 {
			t.Errorf("%s has no colours", p.Title)
		}
	default:
		if field.Min == nil || *field.Min != 0 {
			t.Errorf("%s does not start at 0", p.Title)
		}
	}
	if strings.Contains(p.Title, "ecovery window") && field.Unit != "suffix:days" {
		t.Errorf("%s: %q would say weeks", p.Title, field.Unit)
	}
	if last := steps[max(0, len(steps)-1):]; p.Title == "Recovery window" && *last[0].Value != float64(target().RetentionDays) {
		t.Errorf("%s is %s from %v on, not from the retention", p.Title, last[0].Color, *last[0].Value)
	}
}
