package alerts

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

// orders is the database of every scenario: busy, with a volume for WAL.
var orders = cluster{namespace: "shop", name: "orders", claim: "orders-db", wal: true, busy: true}

func (c cluster) target() alerts.Target {
	return alerts.Target{
		Namespace: c.namespace, Cluster: c.name,
		ClaimNamespace: c.namespace, ClaimName: c.claim,
		Instances: instances, Method: c.method, ServerName: c.name + "-1",
		MaxBackupGap:  6 * time.Hour,
		RetentionDays: 30, LockDays: 37, HasWALVolume: c.wal,
		CredentialsExternalSecret: c.name + "-s3",
		RunbookBase:               "https://example.org/runbooks",
	}
}

// scenario is one story and the exact times at which alerts fire in it.
type scenario struct {
	reason  string
	cluster cluster              // orders when empty
	target  func(*alerts.Target) // what differs from its target
	happens func(cluster, world) // what differs from a healthy world
	length  time.Duration        // 3 h when zero
	step    time.Duration        // scrape and evaluation interval, 30 s when zero
	want    []string             // exact, in order of time and name
	reads   []read               // what recording rules say in it
	says    map[string]string    // alert to a part of its description when it begins to fire
}

// read is the value of a series at some time: "none" where it is absent.
type read struct {
	at     time.Duration
	series string
	want   string
}

// defaults fills in what a scenario leaves open.
func (s scenario) defaults() scenario {
	if s.cluster == (cluster{}) {
		s.cluster = orders
	}
	if s.length == 0 {
		s.length = 3 * time.Hour
	}
	if s.step == 0 {
		s.step = 30 * time.Second
	}
	return s
}

// groups are the rules of the scenario's database.
func (s scenario) groups() []any {
	target := s.cluster.target()
	if s.target != nil {
		s.target(&target)
	}
	return alerts.Groups(target)
}

// world is everything that is scraped in the scenario. Healthy neighbours with names that look alike are always there:
// a rule that took one of them for the database would be appeased by it.
func (s scenario) world() world {
	w := s.cluster.world().add(platform())
	if s.happens != nil {
		s.happens(s.cluster, w)
	}
	all := world{}
	for _, n := range []cluster{{namespace: "shop", name: "my-orders"}, {namespace: "shop-eu", name: "orders"}} {
		n.method, n.wal, n.busy = s.cluster.method, s.cluster.wal, true
		all.add(n.world())
	}
	return all.add(w)
}

// play lets rules watch the scenario. What the world brings along already is not recorded again.
func (s scenario) play(t testing.TB, groups []any) (played, error) {
	t.Helper()
	w := s.world()
	return simulate(t, keep(groups, func(rule map[string]any) bool {
		name, _ := rule["record"].(string)
		return name == "" || !w.has(name)
	}), w, s.length, s.step)
}

// keep returns groups with some of their rules only.
func keep(groups []any, want func(rule map[string]any) bool) (out []any) {
	for _, g := range groups {
		group := maps.Clone(g.(map[string]any))
		var rules []any
		for _, r := range group["rules"].([]any) {
			if want(r.(map[string]any)) {
				rules = append(rules, r)
			}
		}
		group["rules"] = rules
		out = append(out, group)
	}
	return out
}

// all is every alert and record.
func all(string) bool { return true }

// judge compares what came of a scenario with what it wants, as far as the named alerts and records go.
func (s scenario) judge(t testing.TB, p played, about func(name string) bool) (problem string) {
	t.Helper()
	var want, got []string
	for _, w := range s.want {
		if about(nameIn(w)) {
			want = append(want, w)
		}
	}
	for _, f := range p.firings {
		if about(f.Name) {
			got = append(got, f.String())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return "-want +got\n" + diff
	}
	for _, r := range s.reads {
		if about(nameIn(r.series)) {
			problem += r.check(t, p)
		}
	}
	for _, f := range p.firings {
		if part := s.says[f.Name]; about(f.Name) && !strings.Contains(f.Annotations["description"], part) {
			problem += fmt.Sprintf("%s says %q, want %q in it", f, f.Annotations["description"], part)
		}
	}
	return problem
}

// nameIn is the name an expectation begins with.
func nameIn(s string) string { return s[:strings.IndexAny(s+" ", "{ ")] }

// check compares what was recorded with what a scenario expects.
func (r read) check(t testing.TB, p played) (problem string) {
	t.Helper()
	got := "none"
	if v := p.query(t, r.series, r.at); len(v) > 0 {
		got = strconv.FormatFloat(v[0].F, 'f', -1, 64)
		if len(v) > 1 {
			got = fmt.Sprintf("%d series", len(v))
		}
	}
	if got != r.want {
		return fmt.Sprintf("%s at %s is %s, want %s", r.series, short(r.at), got, r.want)
	}
	return ""
}

const hour = time.Hour

// ramp goes from one value to another between the end of the first hour and another point in time.
func ramp(from, to float64, end time.Duration) value {
	return func(t time.Duration) float64 {
		share := min(1, max(0, (t-hour).Seconds()/(end-hour).Seconds()))
		return from + (to-from)*share
	}
}

// scenarios are all of them, by name; each file scenarios_*_test.go holds those of one subject.
var scenarios = func() map[string]scenario {
	all := map[string]scenario{}
	for _, subject := range []map[string]scenario{
		healthyScenarios, archivingScenarios, failoverScenarios, backupsScenarios,
		metricsScenarios, availabilityScenarios, databaseScenarios, platformScenarios,
	} {
		for name, s := range subject {
			if _, twice := all[name]; twice {
				panic("two scenarios are called " + name)
			}
			all[name] = s
		}
	}
	return all
}()

// failover moves the primary from instance 1 to 2.
func (c cluster) failover(w world, lost, promoted, back time.Duration) {
	one := world{}
	for _, s := range w.names() {
		if metricOf(s, c, 1) {
			one[s] = w[s]
		}
	}
	// What instance 1 shows as a standby, and instance 2 as the primary.
	standby, primary := world{}, world{}
	for s, v := range w {
		if metricOf(s, c, 3) {
			standby[swap(s, 3, 1)] = v
		}
	}
	c.promote(primary, 2)
	for s, v := range one {
		after := value(nothing)
		if next, ok := standby[s]; ok {
			after = next
		}
		w[s] = v.then(lost, nothing).then(back, after)
	}
	for s, v := range primary {
		was, ok := w[s]
		if !ok {
			was = nothing
		}
		w[s] = was.then(promoted, v)
	}
	// The standby on the lost instance streams again when it is back.
	w.edit(func(v value) value { return v.then(promoted, nothing).then(back, is(0)) }, `application_name="orders-1"`, `pod="orders-2"`)
	// One segment of the new timeline waits a moment; the last archival of
	// this server was never.
	w.after(promoted, is(2).then(promoted+time.Minute, is(0)), `pod="orders-2",value="ready"`)
	w.after(promoted, is(-1).then(promoted+time.Minute, every(5*time.Minute)), "last_archived_time", `pod="orders-2"`)
}

func TestScenarios(t *testing.T) {
	for name, s := range allScenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.defaults()
			p, err := s.play(t, s.groups())
			if err != nil {
				t.Fatal(err)
			}
			if problem := s.judge(t, p, all); problem != "" {
				t.Errorf("%s\n%s", s.reason, problem)
			}
		})
	}
}
