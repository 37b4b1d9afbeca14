package alerts

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const runbooks = "../../docs/runbooks"

// sections are what whoever is woken looks for, in this order.
var sections = []string{"## Meaning", "## Impact on the contract", "## Diagnosis", "## Fix", "## When to escalate"}

func TestRunbooks(t *testing.T) {
	index := readRunbook(t, "README.md")
	for _, a := range table {
		page := readRunbook(t, a.Name+".md")
		head := fmt.Sprintf("# %s\n\nSeverity: %s. Rule: %s. Waits: %s.\n", a.Name, a.Severity, a.Rule, a.For)
		if !strings.HasPrefix(page, head) {
			t.Errorf("%s.md does not begin like the table has it:\n%s", a.Name, head)
		}
		var found []string
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "## ") {
				found = append(found, strings.TrimSpace(line))
			}
		}
		if !slices.Equal(found, sections) {
			t.Errorf("%s.md has the sections %q, want %q", a.Name, found, sections)
		}
		if diagnosis := between(page, sections[2], sections[3]); !strings.Contains(diagnosis, "```sh\n") || !strings.Contains(diagnosis, "kubectl ") {
			t.Errorf("%s.md: the diagnosis has no commands", a.Name)
		}
		if !strings.Contains(between(page, sections[1], sections[2]), a.Rule) {
			t.Errorf("%s.md: the impact does not name %s", a.Name, a.Rule)
		}
		for i, s := range sections {
			end := ""
			if i+1 < len(sections) {
				end = sections[i+1]
			}
			if len(strings.TrimSpace(between(page, s, end))) < 3 {
				t.Errorf("%s.md: %s is empty", a.Name, s)
			}
		}
		if row := fmt.Sprintf("| [%s](%s.md) | %s | %s |\n", a.Name, a.Name, a.Severity, a.Rule); !strings.Contains(index, row) {
			t.Errorf("README.md does not list\n%s", row)
		}
	}
}

func TestEveryPageHasAnAlert(t *testing.T) {
	files, err := filepath.Glob(runbooks + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".md")
		if name != "README" && !slices.Contains(Names(), name) {
			t.Errorf("%s is no alert's page", f)
		}
	}
	if n := strings.Count(readRunbook(t, "README.md"), "| [Postgres"); n != len(table) {
		t.Errorf("README.md lists %d alerts, there are %d", n, len(table))
	}
}

// TestRunbookLinks follows every relative link, and every alert's name that is mentioned.
func TestRunbookLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^):]+)\)`)
	mention := regexp.MustCompile(`\bPostgres[A-Z][A-Za-z]+\b`)
	files, err := filepath.Glob(runbooks + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, "../../docs/alerts.md") {
		page, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(page), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if _, err := os.Stat(filepath.Join(filepath.Dir(f), target)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", f, m[1])
			}
		}
		for _, name := range mention.FindAllString(string(page), -1) {
			if !slices.Contains(Names(), name) && name != "PostgresInstance" {
				t.Errorf("%s mentions %s, which is no alert", f, name)
			}
		}
	}
}

// TestRunbookKinds: kubectl takes a short name for the kind of whichever API has it. A Cluster is Cluster API's as well, and
// a Backup Velero's, so what is neither Kubernetes' own nor the claim is written in full.
func TestRunbookKinds(t *testing.T) {
	command := regexp.MustCompile(`kubectl(?: -n \S+)? (?:get|describe|delete|annotate|label|patch|edit|wait|scale) ([a-z][^\s/]*)`)
	unambiguous := []string{
		"configmap", "deployment", "deployments", "events", "lease", "nodes", "pod", "pods", "pvc", "secret", "secrets", "postgresinstance",
	}
	files, err := filepath.Glob(runbooks + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, f := range files {
		page, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(page), -1) {
			for kind := range strings.SplitSeq(m[1], ",") {
				looked++
				if !strings.Contains(kind, ".") && !slices.Contains(unambiguous, kind) {
					t.Errorf("%s: %q may be another API's kind: write its full name, like clusters.postgresql.cnpg.io", f, kind)
				}
			}
		}
	}
	if looked < 50 {
		t.Errorf("only %d kinds were found in the commands", looked)
	}
}

// TestRunbookFamilies: the pages on vanished metrics name every family the label can say.
func TestRunbookFamilies(t *testing.T) {
	for _, f := range families {
		page := "PostgresSupportMetricsAbsent.md"
		if f.Critical {
			page = "PostgresContractMetricsAbsent.md"
		}
		if !regexp.MustCompile(`\b` + f.Name + `\b`).MatchString(readRunbook(t, page)) {
			t.Errorf("%s does not say what to do when family %s vanishes", page, f.Name)
		}
	}
}

func readRunbook(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(runbooks, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// between is the text after from and before to; to the end where to is "" or absent.
func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	if to != "" {
		text, _, _ = strings.Cut(text, to)
	}
	return text
}
