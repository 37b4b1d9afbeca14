package alerts

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
)

// repeated are the scenarios that promtool plays as well: one of each kind.
var repeated = []string{
	"HealthyBusy", "HealthyIdleForDays", "HealthyInTree", "NeighboursInTrouble",
	"ArchiverStuck", "ArchiverFailing", "NeverArchived", "PodFailover", "NodeFailover",
	"BackupFails", "BackupFailsInTree", "ScheduleStops", "NoBackupEver", "WindowShrinks", "CatalogueEmptied",
	"EverythingVanishes", "SettingsOfEveryKind", "WALVolumeFills", "ControllersNotRedundant", "Orphaned",
	"Vanished/cnpg_pg_stat_archiver_", "Vanished/barman_cloud_cloudnative_pg_io_last_available",
}

// TestPromtool hands rules and scenarios to promtool: to whatever version a platform runs, rather than the library this
// module is built with. Without promtool there is nothing to do here that TestScenarios has not done; REQUIRE_PROMTOOL
// makes its absence an error.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("REQUIRE_PROMTOOL") != "" {
			t.Fatalf("no promtool (apt-get install prometheus): %v", err)
		}
		t.Skipf("no promtool (apt-get install prometheus): %v. TestScenarios plays the same with Prometheus' own engine.", err)
	}
	t.Run("check", func(t *testing.T) {
		inTree, shared := orders, orders
		inTree.method, shared.wal = alerts.MethodInTree, false
		for _, c := range []cluster{orders, inTree, shared} {
			for _, groups := range [][]any{alerts.Groups(c.target()), alerts.Presence(c.target())} {
				promtoolRuns(t, promtool, "check", "rules", "--lint=all", "--lint-fatal", ruleFile(t, groups))
			}
		}
	})
	for _, name := range repeated {
		s, ok := allScenarios[name]
		if !ok {
			t.Fatalf("there is no scenario %s", name)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.defaults()
			dir := t.TempDir()
			write := func(file string, content any) {
				raw, err := json.Marshal(content)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, file), raw, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("rules.yaml", map[string]any{"groups": s.groups()})
			write("test.yaml", map[string]any{
				"rule_files": []any{"rules.yaml"}, "evaluation_interval": s.step.String(),
				"tests": []any{map[string]any{"interval": s.step.String(), "input_series": s.input(), "alert_rule_test": s.expectations(t)}},
			})
			promtoolRuns(t, promtool, "test", "rules", filepath.Join(dir, "test.yaml"))
		})
	}
}

func promtoolRuns(t *testing.T, promtool string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", args[0], err, out)
	}
}

// input are the scenario's series as promtool writes them.
func (s scenario) input() (out []any) {
	w := s.world()
	for _, name := range w.names() {
		out = append(out, map[string]any{"series": name, "values": values(w[name], s.length, s.step)})
	}
	return out
}

// values are samples in promtool's notation: "1+0x3 stale _x2".
func values(v value, length, step time.Duration) string {
	var parts []string
	last, times := "", 0
	flush := func() {
		switch {
		case times == 0:
		case last == "stale":
			parts = append(parts, last)
		case last == "_":
			parts = append(parts, "_x"+strconv.Itoa(times))
		default:
			parts = append(parts, last+"+0x"+strconv.Itoa(times-1))
		}
	}
	there := false
	for at := time.Duration(0); at <= length; at += step {
		word := strconv.FormatFloat(v(at), 'f', -1, 64)
		if math.IsNaN(v(at)) {
			word = "_"
			if there {
				word = "stale"
			}
		}
		there = word != "_" && word != "stale"
		if word != last || word == "stale" {
			flush()
			last, times = word, 0
		}
		times++
	}
	flush()
	return strings.Join(parts, " ")
}

// expectations are every alert when it begins to fire, with all its labels and annotations, and the evaluation before;
// and at the end, every alert that does not fire.
func (s scenario) expectations(t *testing.T) (out []any) {
	t.Helper()
	p, err := s.play(t, s.groups())
	if err != nil {
		t.Fatal(err)
	}
	expect := func(name string, at time.Duration, firings ...firing) {
		var want []any
		for _, f := range firings {
			labels := map[string]any{}
			for k, v := range f.Labels {
				if k != "alertname" {
					labels[k] = v
				}
			}
			want = append(want, map[string]any{"exp_labels": labels, "exp_annotations": f.Annotations})
		}
		out = append(out, map[string]any{"eval_time": promDuration(at), "alertname": name, "exp_alerts": want})
	}
	silent := alerts.Names()
	for _, f := range p.firings {
		silent = slices.DeleteFunc(silent, func(name string) bool { return name == f.Name })
		// What another firing of the same name says by then depends on its value: such moments are left out.
		others := func(at time.Duration) bool {
			return slices.ContainsFunc(p.firings, func(o firing) bool {
				return o.Name == f.Name && o.String() != f.String() && o.From <= at && at <= o.To
			})
		}
		if !others(f.From) {
			expect(f.Name, f.From, f)
		}
		if before := f.From - s.step; !others(before) {
			expect(f.Name, before)
		}
		if after := f.To + s.step; !f.Open && !others(after) {
			expect(f.Name, after)
		}
	}
	for _, name := range silent {
		expect(name, s.length/2)
		expect(name, s.length)
	}
	return out
}

// promDuration is a duration as Prometheus reads it.
func promDuration(d time.Duration) string { return fmt.Sprintf("%ds", int(d.Seconds())) }
