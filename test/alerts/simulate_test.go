package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	staleness "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/teststorage"
)

// firing is one alert from its first to its last firing evaluation.
type firing struct {
	Name        string
	Labels      map[string]string // all of them
	Annotations map[string]string // as first fired
	From, To    time.Duration
	Open        bool // still firing at the end
}

// own are the labels that tell two alerts of one database apart.
func (f firing) own() string {
	var parts []string
	for k, v := range f.Labels {
		if !slices.Contains([]string{"alertname", "severity", "namespace", "cnpg_cluster"}, k) {
			parts = append(parts, k+"="+v)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// String is how scenarios write it: "Name{pod=orders-1} 7m30s-end".
func (f firing) String() string {
	end := "end"
	if !f.Open {
		end = short(f.To)
	}
	name := f.Name
	if own := f.own(); own != "" {
		name += "{" + own + "}"
	}
	return name + " " + short(f.From) + "-" + end
}

// short is 1h30m0s without what is zero.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// simulate runs Prometheus' own rule engine over a world, one evaluation every
// step, and returns what fired, by time and name.
func simulate(t testing.TB, groups []any, w world, length, step time.Duration) []firing {
	t.Helper()
	db := teststorage.New(t)
	defer db.Close()
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: promslog.NewNopLogger(), MaxSamples: 50e6, Timeout: time.Minute,
		NoStepSubqueryIntervalFn: func(int64) int64 { return step.Milliseconds() },
	})
	defer engine.Close()
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:  rules.EngineQueryFunc(engine, db),
		Appendable: db, Queryable: db, Context: context.Background(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
		Logger:     promslog.NewNopLogger(),
	})
	loaded, errs := manager.LoadGroups(step, labels.EmptyLabels(), "", nil, false, ruleFile(t, groups))
	if errs != nil {
		t.Fatalf("cannot load rules: %v", errs)
	}
	order := slices.Collect(func(yield func(*rules.Group) bool) {
		for _, g := range groups {
			name := g.(map[string]any)["name"].(string)
			for _, l := range loaded {
				if l.Name() == name && !yield(l) {
					return
				}
			}
		}
	})
	for _, g := range order {
		for _, r := range g.Rules() {
			if a, ok := r.(*rules.AlertingRule); ok {
				a.SetRestored(true)
			}
		}
	}

	type series struct {
		labels labels.Labels
		value  func(time.Duration) float64
		stale  bool
	}
	var all []*series
	for _, name := range w.names() {
		l, err := parser.ParseMetric(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, &series{labels: l, value: w[name], stale: true})
	}

	open := map[string]*firing{}
	var done []firing
	for at := time.Duration(0); at <= length; at += step {
		app := db.Appender(context.Background())
		for _, s := range all {
			v := s.value(at)
			// A series that is not scraped any more ends with a staleness marker.
			if math.IsNaN(v) {
				if s.stale {
					continue
				}
				v = math.Float64frombits(staleness.StaleNaN)
			}
			s.stale = math.IsNaN(v)
			if _, err := app.Append(0, s.labels, at.Milliseconds(), v); err != nil {
				t.Fatalf("cannot append %s: %v", s.labels, err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
		now := time.UnixMilli(at.Milliseconds()).UTC()
		seen := map[string]bool{}
		for _, g := range order {
			g.Eval(context.Background(), now)
			for _, r := range g.Rules() {
				if err := r.LastError(); err != nil {
					t.Fatalf("%s at %s: %v", r.Name(), at, err)
				}
				a, ok := r.(*rules.AlertingRule)
				if !ok {
					continue
				}
				for _, active := range a.ActiveAlerts() {
					if active.State != rules.StateFiring {
						continue
					}
					key := active.Labels.String()
					seen[key] = true
					if open[key] == nil {
						open[key] = &firing{Name: a.Name(), Labels: active.Labels.Map(), Annotations: active.Annotations.Map(), From: at}
					}
					open[key].To = at
				}
			}
		}
		for key, f := range open {
			if !seen[key] {
				done = append(done, *f)
				delete(open, key)
			}
		}
	}
	for _, f := range open {
		f.Open = true
		done = append(done, *f)
	}
	slices.SortFunc(done, func(a, b firing) int {
		return strings.Compare(fmt.Sprintf("%020d %s", a.From, a), fmt.Sprintf("%020d %s", b.From, b))
	})
	return done
}

// ruleFile writes groups as a rule file (JSON is YAML).
func ruleFile(t testing.TB, groups []any) string {
	t.Helper()
	b, err := json.MarshalIndent(map[string]any{"groups": groups}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
