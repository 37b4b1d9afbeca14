package alerts

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

// TestMutants proves that the scenarios would notice: every rule is removed once, and every number, comparison,
// condition and selector in it is changed once. A change that no scenario notices is a rule, or a part of one, that
// nothing stands for.
func TestMutants(t *testing.T) {
	variants := []cluster{orders, orders, orders}
	variants[1].method = alerts.MethodInTree
	variants[2].wal = false

	// Of rules that read other metrics in the same way one is enough.
	family := strings.NewReplacer("barman_cloud_cloudnative_pg_io_", "cnpg_collector_")
	var mutants []mutant
	known := map[string]bool{}
	for _, v := range variants {
		for _, r := range rulesOf(alerts.Groups(v.target())) {
			if key := r.name() + family.Replace(r["expr"].(string)); !known[key] {
				known[key] = true
				mutants = append(mutants, r.mutants(t)...)
			}
		}
	}
	unused := maps.Clone(harmless)
	for _, m := range mutants {
		delete(unused, m.String())
	}
	for name := range unused {
		t.Errorf("harmless lists %q, which is no mutant (any more)", name)
	}
	t.Logf("%d mutants", len(mutants))
	for _, m := range mutants {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			by := m.killer(t)
			reason, expected := harmless[m.String()]
			switch {
			case by == "" && !expected:
				t.Errorf("no scenario notices:\n%s", m.change)
			case by != "" && expected:
				t.Errorf("said to be harmless (%s), but %s notices", reason, by)
			}
		})
	}
}

// harmless mutants change nothing that can be observed.
var harmless = map[string]string{
	"PostgresRecoveryWindowShrunk/<= for <":            "the window grows with time and equals the promise at one moment only, not for half an hour",
	"cnpg_wal_archiving_last_success_seconds/>= for >": "a segment is never archived at second 0: never is -1",
}

// rule is one alert or recording rule.
type rule map[string]any

func (r rule) name() string {
	if name, ok := r["alert"].(string); ok {
		return name
	}
	return r["record"].(string)
}

// is tells whether two rules are the same one, of three that record the same metric for instance.
func (r rule) is(other rule) bool {
	return r.name() == other.name() && r["expr"] == other["expr"]
}

func rulesOf(groups []any) (out []rule) {
	for _, g := range groups {
		for _, r := range g.(map[string]any)["rules"].([]any) {
			out = append(out, r.(map[string]any))
		}
	}
	return out
}

// mutant is one rule and what becomes of it.
type mutant struct {
	rule         rule
	kind, change string
	after        rule // nil: removed
}

func (m mutant) String() string { return m.rule.name() + "/" + m.kind }

// in applies the mutant to a scenario's rules; ok is false where its rule is not among them as it is.
func (m mutant) in(groups []any) (out []any, ok bool) {
	for _, g := range groups {
		group := maps.Clone(g.(map[string]any))
		var rules []any
		for _, r := range group["rules"].([]any) {
			if m.rule.is(r.(map[string]any)) {
				ok = true
				if m.after == nil {
					continue
				}
				r = map[string]any(m.after)
			}
			rules = append(rules, r)
		}
		group["rules"] = rules
		out = append(out, group)
	}
	return out, ok
}

// killer is the first scenario that notices, or "".
func (m mutant) killer(t *testing.T) string {
	t.Helper()
	// What the mutant can change: its own rule, and the alerts that read it.
	changed := map[string]bool{m.rule.name(): true}
	groups := alerts.Groups(orders.target())
	for _, r := range rulesOf(groups) {
		if m.rule["record"] != nil && strings.Contains(r["expr"].(string), m.rule.name()) {
			changed[r.name()] = true
		}
	}
	about := func(name string) bool { return changed[name] }
	needed := func(r map[string]any) bool {
		if changed[rule(r).name()] {
			return true
		}
		for _, other := range rulesOf(groups) {
			if changed[other.name()] && r["record"] != nil && strings.Contains(other["expr"].(string), rule(r).name()) {
				return true
			}
		}
		return false
	}

	for _, name := range byPromise(about) {
		s := allScenarios[name].defaults()
		mutated, ok := m.in(s.groups())
		if !ok {
			continue
		}
		p, err := s.play(t, keep(mutated, needed))
		if err != nil || s.judge(t, p, about) != "" {
			return name
		}
	}
	return ""
}

// byPromise orders scenarios: first those that expect something of the rules in question, the short ones before the
// long ones.
func byPromise(about func(string) bool) []string {
	weight := func(name string) time.Duration {
		s := allScenarios[name].defaults()
		w := s.length / s.step
		for _, want := range s.want {
			if about(nameIn(want)) {
				return w
			}
		}
		for _, r := range s.reads {
			if about(nameIn(r.series)) {
				return w
			}
		}
		return w + 1<<20
	}
	names := slices.Sorted(maps.Keys(allScenarios))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(weight(a), weight(b)) })
	return names
}

// mutants are all of one rule.
func (r rule) mutants(t *testing.T) []mutant {
	t.Helper()
	out := []mutant{{rule: r, kind: "removed", change: "removed"}}
	with := func(field, kind, value string) {
		after := maps.Clone(r)
		after[field] = value
		out = append(out, mutant{rule: r, kind: kind, after: after, change: fmt.Sprintf("%s: %s\ninstead of\n%s", field, value, r[field])})
	}
	if wait, ok := r["for"].(string); ok {
		d, err := time.ParseDuration(wait)
		if err != nil {
			t.Fatal(err)
		}
		with("for", "half the wait", (d / 2).String())
		with("for", "twice the wait", (2 * d).String())
	}
	for _, e := range edits(t, r["expr"].(string)) {
		with("expr", e.kind, e.expr)
	}
	seen := map[string]int{}
	for i := range out {
		seen[out[i].kind]++
		if n := seen[out[i].kind]; n > 1 {
			out[i].kind += " #" + strconv.Itoa(n)
		}
	}
	return out
}

type edit struct{ kind, expr string }

// edits are the expressions that differ from one in a single place.
func edits(t *testing.T, text string) (out []edit) {
	t.Helper()
	expr, err := parser.ParseExpr(text)
	if err != nil {
		t.Fatal(err)
	}
	emit := func(format string, args ...any) { out = append(out, edit{fmt.Sprintf(format, args...), expr.String()}) }

	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		switch n := node.(type) {
		case *parser.NumberLiteral:
			was := n.Val
			for _, v := range near(was, path) {
				n.Val = v
				emit("%s for %s", number(v), number(was))
			}
			n.Val = was
		case *parser.MatrixSelector:
			was := n.Range
			n.Range /= 8
			emit("an eighth of [%s]", short(was))
			n.Range = was
		case *parser.BinaryExpr:
			left, right, op := n.LHS, n.RHS, n.Op
			for _, other := range otherOps[op] {
				n.Op = other
				emit("%s for %s", other, op)
			}
			n.Op = op
			if op == parser.LAND || op == parser.LOR {
				n.RHS = n.LHS
				emit("without what follows %s", op)
				n.RHS = right
			}
			if op == parser.LOR {
				n.LHS = n.RHS
				emit("without what precedes %s", op)
				n.LHS = left
			}
		case *parser.VectorSelector:
			matchers := n.LabelMatchers
			metric := n.Name
			for i, m := range matchers {
				if identity[m.Name] {
					continue
				}
				if m.Name != labels.MetricName {
					n.LabelMatchers = slices.Delete(slices.Clone(matchers), i, i+1)
					emit("%s of any %s", metric, m.Name)
				}
				if m.Type == labels.MatchRegexp {
					n.LabelMatchers = slices.Clone(matchers)
					for _, value := range others(m.Value) {
						n.LabelMatchers[i] = labels.MustNewMatcher(labels.MatchRegexp, m.Name, value)
						emit("%s of %s %s", metric, m.Name, value)
					}
				}
			}
			n.LabelMatchers = matchers
		}
		return nil
	})
	return out
}

// identity are the labels by which a selector means one database and no other. That every selector has them, and has
// them right, is tested where the rules are made; changing each of them here would treble the time.
var identity = map[string]bool{"namespace": true, "pod": true, "cnpg_cluster": true, "persistentvolumeclaim": true}

// moment is a metric whose values are points in time.
var moment = regexp.MustCompile(`_(timestamp|point|time)\b`)

// near are the numbers next to one, far enough away to make a difference.
func near(v float64, path []parser.Node) []float64 {
	switch {
	case v == 0 && len(path) > 0 && moment.MatchString(path[len(path)-1].String()):
		return []float64{3600} // "Never" is 0, and nothing ever happened in the second after it.
	case v == 0:
		return []float64{1}
	case v == float64(int(v)) && v <= 3:
		return []float64{v - 1, v + 1}
	}
	return []float64{v * 0.8, v * 1.2}
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

var otherOps = map[parser.ItemType][]parser.ItemType{
	parser.GTR: {parser.GTE, parser.LTE}, parser.GTE: {parser.GTR, parser.LTE},
	parser.LSS: {parser.LTE, parser.GTR}, parser.LTE: {parser.LSS, parser.GTR},
	parser.EQLC: {parser.NEQ}, parser.LAND: {parser.LUNLESS},
	parser.ADD: {parser.SUB}, parser.SUB: {parser.ADD}, parser.MUL: {parser.ADD}, parser.DIV: {parser.MUL},
}

// others are the regular expressions that match one alternative less.
func others(value string) (out []string) {
	parts := strings.Split(value, "|")
	if len(parts) == 1 {
		return nil
	}
	for i := range parts {
		out = append(out, strings.Join(slices.Delete(slices.Clone(parts), i, i+1), "|"))
	}
	return out
}
