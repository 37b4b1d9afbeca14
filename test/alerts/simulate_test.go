package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
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

// played is what came of a scenario.
type played struct {
	firings []firing
	engine  *promql.Engine
	memory  *memory
}

// simulate runs Prometheus' own rule engine over a world, one evaluation every step, and returns what fired, by time
// and name.
//
// It goes through time once for every rule, not through all rules once for every point in time, and asks the query
// engine once for all points: recorded series are complete before the rules that read them, and a rule sees nothing
// later than itself. That is a hundred times faster than Prometheus' own order, with the same result.
func simulate(t testing.TB, groups []any, w world, length, step time.Duration) (played, error) {
	t.Helper()
	db, err := newMemory(w, step)
	if err != nil {
		return played{}, err
	}
	p := played{memory: db, engine: promql.NewEngine(promql.EngineOpts{
		Logger: promslog.NewNopLogger(), MaxSamples: 50e6, Timeout: 10 * time.Minute,
		NoStepSubqueryIntervalFn: func(int64) int64 { return step.Milliseconds() },
	})}
	asked := map[string][]promql.Vector{}
	ask := func(expr string) ([]promql.Vector, error) {
		if asked[expr] == nil {
			all, err := p.queries(expr, length, step)
			if err != nil {
				return nil, err
			}
			asked[expr] = all
		}
		return asked[expr], nil
	}
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc: func(_ context.Context, expr string, at time.Time) (promql.Vector, error) {
			all, err := ask(expr)
			if err != nil {
				return nil, err
			}
			return all[at.UnixMilli()/step.Milliseconds()], nil
		},
		Appendable: db, Queryable: db, Context: context.Background(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
		Logger:     promslog.NewNopLogger(),
	})
	for i, group := range alone(groups) {
		loaded, errs := manager.LoadGroups(step, labels.EmptyLabels(), "", nil, false, ruleFile(t, []any{group}))
		if errs != nil {
			return played{}, fmt.Errorf("cannot load rule %d: %w", i, errors.Join(errs...))
		}
		for _, g := range loaded {
			all, err := ask(g.Rules()[0].Query().String())
			if err != nil {
				return played{}, fmt.Errorf("%s: %w", g.Rules()[0].Name(), err)
			}
			fired, err := evaluate(g, all, step)
			if err != nil {
				return played{}, err
			}
			p.firings = append(p.firings, fired...)
		}
	}
	slices.SortFunc(p.firings, func(a, b firing) int {
		return strings.Compare(fmt.Sprintf("%020d %s", a.From, a), fmt.Sprintf("%020d %s", b.From, b))
	})
	return p, nil
}

// alone puts every rule into a group of its own, in order.
func alone(groups []any) (out []any) {
	for _, g := range groups {
		for _, r := range g.(map[string]any)["rules"].([]any) {
			out = append(out, map[string]any{"name": strconv.Itoa(len(out)), "rules": []any{r}})
		}
	}
	return out
}

// evaluate goes through time with the one rule of a group, and over all the time an alert has nothing to say.
func evaluate(g *rules.Group, results []promql.Vector, step time.Duration) (done []firing, err error) {
	rule := g.Rules()[0]
	alert, alerting := rule.(*rules.AlertingRule)
	if alerting {
		alert.SetRestored(true)
	}
	open := map[string]*firing{}
	for i := range results {
		if alerting && len(results[i]) == 0 && (i == 0 || len(results[i-1]) == 0) {
			continue
		}
		at := time.Duration(i) * step
		g.Eval(context.Background(), time.UnixMilli(at.Milliseconds()).UTC())
		if err := rule.LastError(); err != nil {
			return nil, fmt.Errorf("%s at %s: %w", rule.Name(), at, err)
		}
		if !alerting {
			continue
		}
		seen := map[string]bool{}
		for _, active := range alert.ActiveAlerts() {
			if active.State != rules.StateFiring {
				continue
			}
			key := active.Labels.String()
			seen[key] = true
			if open[key] == nil {
				open[key] = &firing{Name: alert.Name(), Labels: active.Labels.Map(), Annotations: active.Annotations.Map(), From: at}
			}
			open[key].To = at
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
	return done, nil
}

// queries evaluates an expression at every step.
func (p played) queries(expr string, length, step time.Duration) ([]promql.Vector, error) {
	ctx := context.Background()
	q, err := p.engine.NewRangeQuery(ctx, p.memory, nil, expr, time.UnixMilli(0), time.UnixMilli(length.Milliseconds()), step)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	matrix, err := q.Exec(ctx).Matrix()
	if err != nil {
		return nil, err
	}
	out := make([]promql.Vector, length/step+1)
	for _, s := range matrix {
		for _, f := range s.Floats {
			i := f.T / step.Milliseconds()
			out[i] = append(out[i], promql.Sample{Metric: s.Metric, T: f.T, F: f.F})
		}
	}
	return out, nil
}

// query evaluates an expression at one point of a played scenario.
func (p played) query(t testing.TB, expr string, at time.Duration) promql.Vector {
	t.Helper()
	q, err := p.engine.NewInstantQuery(context.Background(), p.memory, nil, expr, time.UnixMilli(at.Milliseconds()))
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	defer q.Close()
	v, err := q.Exec(context.Background()).Vector()
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return v
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
