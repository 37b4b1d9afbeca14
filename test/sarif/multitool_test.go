package sarif

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Microsoft's SARIF Multitool knows what GitHub code scanning and GitHub Advanced Security for Azure DevOps take, and is
// what GitHub's documentation sends producers to. .ci/run installs it where there is npm.

// unfollowed are the rules of the Multitool that the reports do not follow, each with the reason. It is exact: one that
// nothing breaks any more fails the test too.
var unfollowed = map[string]string{
	"SARIF2002":  "a message of an id and arguments is smaller, and GitHub shows nothing but message.text (GH1007)",
	"SARIF2003":  "hosts know which commit they checked out, and check does not ask Git",
	"SARIF2009":  "the ids of the rules are the contract's, and public API",
	"SARIF2010":  "a snippet is the blamed line, which may hold the very key the result is about (ZDL-12)",
	"SARIF2011":  "so is the context around it",
	"GHAzDO1014": "automationDetails name the pipeline's run, which is not check's to know",
}

// TestMultitool holds every report against all its rules.
func TestMultitool(t *testing.T) {
	m := newMultitool(t)
	files := map[string][]byte{}
	for name, r := range reports(t) {
		files[name+".sarif"] = written(t, &r)
	}
	broken := map[string]bool{}
	for _, f := range m.validate(files) {
		broken[f.rule] = true
		if unfollowed[f.rule] == "" {
			t.Errorf("%s", f)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(unfollowed)), slices.Sorted(maps.Keys(broken))); diff != "" {
		t.Errorf("rules not followed: -listed +found\n%s", diff)
	}
}

// TestMultitoolNotices says that the hosts' rules are switched on: what made GitHub refuse reports is found.
func TestMultitoolNotices(t *testing.T) {
	m := newMultitool(t)
	r := reports(t)["Findings"]
	spoilt := func(spoil func(result map[string]any)) []byte {
		var log map[string]any
		if err := json.Unmarshal(written(t, &r), &log); err != nil {
			t.Fatal(err)
		}
		spoil(log["runs"].([]any)[0].(map[string]any)["results"].([]any)[0].(map[string]any))
		raw, err := json.Marshal(log)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	place := func(result map[string]any) map[string]any {
		return result["locations"].([]any)[0].(map[string]any)["physicalLocation"].(map[string]any)
	}
	found := map[string][]string{}
	for _, f := range m.validate(map[string][]byte{
		"nowhere.sarif": spoilt(func(result map[string]any) { delete(result, "locations") }),
		"noline.sarif":  spoilt(func(result map[string]any) { delete(place(result), "region") }),
		"elsewhere.sarif": spoilt(func(result map[string]any) {
			place(result)["artifactLocation"] = map[string]any{"uri": "https://example.com/a.yaml"}
		}),
		"absolute.sarif": spoilt(func(result map[string]any) {
			place(result)["artifactLocation"] = map[string]any{"uri": "file:///a.yaml"}
		}),
		"silent.sarif": spoilt(func(result map[string]any) { result["message"] = map[string]any{"id": "x"} }),
	}) {
		found[f.file] = append(found[f.file], f.rule)
	}
	for file, want := range map[string]string{
		"nowhere.sarif": "GH1001", "noline.sarif": "GH1003", "elsewhere.sarif": "GH1005", "absolute.sarif": "GH1006", "silent.sarif": "GH1007",
	} {
		if !slices.Contains(found[file], want) {
			t.Errorf("%s breaks %v, want %s among them", file, found[file], want)
		}
	}
}

type multitool struct {
	*testing.T

	program, dir string
}

func newMultitool(t *testing.T) multitool {
	t.Helper()
	name := "Sarif.Multitool"
	if set := os.Getenv("FHP_SARIF_MULTITOOL"); set != "" {
		name = set
	}
	program, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("NOT RUN: no SARIF Multitool (%v); .ci/run sarif installs it", err)
	}
	return multitool{T: t, program: program, dir: t.TempDir()}
}

// run fails on anything but success: what the tool finds is no failure of its.
func (m multitool) run(args ...string) {
	m.Helper()
	c := exec.CommandContext(m.Context(), m.program, args...)
	c.Env = append(os.Environ(), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1") // Or it asks for a library that images leave out.
	if out, err := c.CombinedOutput(); err != nil {
		m.Fatalf("%s: %v\n%s", args[0], err, out)
	}
}

type breach struct{ file, rule, text string }

func (b breach) String() string { return b.file + ": " + b.rule + ": " + b.text }

// validate judges files by all of SARIF's rules and both hosts'.
func (m multitool) validate(files map[string][]byte) []breach {
	m.Helper()
	config, output := m.configuration(), filepath.Join(m.dir, "found.json")
	args := []string{"validate", "-c", config, "--rule-kind", "Sarif;Ghas;GHAzDO", "--level", "Error;Warning;Note", "--log", "ForceOverwrite", "-o", output}
	for name, raw := range files {
		name = filepath.Join(m.dir, name)
		m.write(name, raw)
		args = append(args, name)
	}
	m.run(args...)

	var log struct {
		Runs []struct {
			Results []struct {
				RuleID  string
				Message struct {
					ID        string
					Arguments []string
				}
				Locations []struct {
					PhysicalLocation struct{ ArtifactLocation struct{ URI string } }
				}
			}
			Invocations []struct {
				ExecutionSuccessful        bool
				ToolExecutionNotifications []any
			}
		}
	}
	m.read(output, &log)
	if len(log.Runs) != 1 || len(log.Runs[0].Invocations) != 1 || !log.Runs[0].Invocations[0].ExecutionSuccessful || len(log.Runs[0].Invocations[0].ToolExecutionNotifications) > 0 {
		m.Fatalf("the tool did not look at everything: %+v", log)
	}
	var found []breach
	for _, r := range log.Runs[0].Results {
		found = append(found, breach{
			file: path.Base(r.Locations[0].PhysicalLocation.ArtifactLocation.URI), rule: r.RuleID,
			text: r.Message.ID + " " + strings.Join(r.Message.Arguments, ", "),
		})
	}
	return found
}

// configuration switches every rule of a host on, which they are not by themselves, and the one off that asks the internet
// for every link.
func (m multitool) configuration() string {
	m.Helper()
	exported, name := filepath.Join(m.dir, "exported.json"), filepath.Join(m.dir, "rules.xml")
	m.run("export-validation-config", exported)
	var rules map[string]any
	m.read(exported, &rules)
	var xml bytes.Buffer
	xml.WriteString("<Properties>\n")
	hosts := 0
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		var state string
		switch {
		case strings.HasPrefix(rule, "GH"):
			state = "Error"
			hosts++
		case strings.HasPrefix(rule, "SARIF2006."):
			state = "Disabled"
		default:
			continue
		}
		xml.WriteString(`<Properties Key="` + rule + `"><Property Key="RuleEnabled" Value="` + state + `" Type="Driver.RuleEnabledState"/></Properties>` + "\n")
	}
	xml.WriteString("</Properties>\n")
	if hosts < 20 {
		m.Fatalf("the tool has only %d rules of hosts", hosts)
	}
	m.write(name, xml.Bytes())
	return name
}

func (m multitool) read(name string, into any) {
	m.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		m.Fatal(err)
	}
	if err := json.Unmarshal(bytes.TrimPrefix(raw, []byte("\uFEFF")), into); err != nil {
		m.Fatalf("%s: %v", name, err)
	}
}

func (m multitool) write(name string, raw []byte) {
	m.Helper()
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		m.Fatal(err)
	}
}
