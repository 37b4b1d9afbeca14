package alerts

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

type board struct {
	Panels []struct {
		Title, Type string
		FieldConfig struct{ Defaults struct{ Unit string } }
		Targets     []struct{ Expr, LegendFormat string }
	}
}

func boardOf(t testing.TB, target alerts.Target) (b board) {
	t.Helper()
	if err := json.Unmarshal([]byte(alerts.Dashboard(target)), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDashboard: every query of the dashboard parses, reads metrics that exist, and has an answer in a healthy world and
// in one whose instances share one volume; and nothing but the database's own.
func TestDashboard(t *testing.T) {
	for _, name := range []string{"HealthyBusy", "HealthyInTree", "HealthyWithoutWALVolume"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scenarios[name].defaults()
			s.length = 7 * hour
			p, err := s.play(t, s.groups())
			if err != nil {
				t.Fatal(err)
			}
			exists := map[string]bool{"ALERTS": true}
			for metric := range p.memory.byName {
				exists[metric] = true
			}
			for _, panel := range boardOf(t, s.cluster.target()).Panels {
				for _, q := range panel.Targets {
					expr, err := parser.ParseExpr(q.Expr)
					if err != nil {
						t.Errorf("%s: %s: %v", panel.Title, q.Expr, err)
						continue
					}
					parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
						if v, ok := node.(*parser.VectorSelector); ok && !exists[v.Name] {
							t.Errorf("%s reads %s, which does not exist", panel.Title, v.Name)
						}
						return nil
					})
					found := p.query(t, q.Expr, s.length)
					if len(found) == 0 && (!strings.Contains(q.Expr, "-wal") || s.cluster.wal) {
						t.Errorf("%s has nothing to show: %s", panel.Title, q.Expr)
					}
					for _, sample := range found {
						if strings.Contains(sample.Metric.String(), "my-orders") || sample.Metric.Get("namespace") == "shop-eu" {
							t.Errorf("%s shows a neighbour: %s", panel.Title, sample.Metric)
						}
						if math.IsNaN(sample.F) {
							t.Errorf("%s is not a number: %s", panel.Title, q.Expr)
						}
					}
				}
			}
		})
	}
}

// TestDashboardShows what is wrong when something is, and nothing at all where the rules were never loaded.
func TestDashboardShows(t *testing.T) {
	s := scenarios["ArchiverStuck"].defaults()
	p, err := s.play(t, s.groups())
	if err != nil {
		t.Fatal(err)
	}
	without, err := s.play(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"Recovery window": 110. / (24 * 60), "Last base backup": 6600, "Archive lag": 3600,
		"Standbys": 2, "Backups locked until": (37*86400 + 600) * 1000, "Firing alerts": 1,
	}
	for _, panel := range boardOf(t, s.cluster.target()).Panels {
		if panel.Type != "stat" {
			continue
		}
		expr := panel.Targets[0].Expr
		if got := p.query(t, expr, 2*time.Hour); len(got) != 1 || got[0].F != want[panel.Title] {
			t.Errorf("%s shows %v, want %v", panel.Title, got, want[panel.Title])
		}
		if got := without.query(t, expr, 2*time.Hour); len(got) != 0 {
			t.Errorf("without rules %s shows %v", panel.Title, got)
		}
		delete(want, panel.Title)
	}
	if len(want) > 0 {
		t.Errorf("there are no panels for %v", want)
	}
}
