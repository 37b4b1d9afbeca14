package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// ErrNoStatus says that a claim carries no report: it lies in a file, or nobody has looked at it yet.
var ErrNoStatus = errors.New("has no status: read it from the cluster (kubectl get postgresinstance -o yaml), and give the function a minute")

// condition is one of Crossplane's conditions and ours.
type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type status struct {
	v1alpha1.Status `json:",inline"`

	Conditions []condition `json:"conditions"`
}

// Status tells what a live claim reports about itself: the contract rule by rule, the conditions and the way back. It
// returns the verdict over all rules.
func Status(w io.Writer, o manifest.Object) (contract.Verdict, error) {
	name := o.Kind() + " " + strings.TrimPrefix(o.Namespace()+"/"+o.Name(), "/")
	s, err := statusOf(o)
	if err != nil {
		return "", fmt.Errorf("%s %w", name, err)
	}
	var b strings.Builder
	b.WriteString(name + "\n")
	facts(&b, []fact{
		{"PostgreSQL", s.Version}, {"Image", s.Image}, {"Instances", s.Instances}, {"Phase", s.Phase},
		{"Database", owned(s.Database, s.Owner)}, {"Connection", s.SecretName}, {"Alias", alias(s.Alias)},
	})
	verdict := rules(&b, s.Contract)
	conditions(&b, s.Conditions)
	backup(&b, s.Backup)
	if bs := s.Bootstrap; bs != nil {
		b.WriteString("\nBootstrap\n")
		facts(&b, []fact{{"Method", bs.Method}, {"Source", bs.Source}, {"Inert", inert(bs.Inert)}, {"Next", bs.Message}})
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return verdict, fmt.Errorf("cannot write the status: %w", err)
	}
	return verdict, nil
}

func statusOf(o manifest.Object) (*status, error) {
	raw, err := json.Marshal(manifest.Map(o, "status"))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	s := &status{}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("has a status of another version: %w", err)
	}
	if s.Contract == nil && len(s.Conditions) == 0 {
		return nil, ErrNoStatus
	}
	return s, nil
}

type fact struct{ label, value string }

// facts writes what is known, and nothing about the rest.
func facts(b *strings.Builder, fs []fact) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0) //nolint:mnd // Two spaces between the columns.
	for _, f := range fs {
		if f.value != "" {
			fmt.Fprintf(t, "  %s\t%s\n", f.label, f.value) //nolint:errcheck // A strings.Builder takes everything.
		}
	}
	t.Flush() //nolint:errcheck,gosec // A strings.Builder takes everything.
}

// rules tells every rule that is not satisfied, the worst first, and counts the others.
func rules(b *strings.Builder, c *v1alpha1.ContractStatus) contract.Verdict {
	if c == nil {
		return ""
	}
	b.WriteString("\nContract: " + c.Verdict + "\n")
	satisfied := 0
	for _, verdict := range []contract.Verdict{contract.Violated, contract.Pending, contract.Waived} {
		for _, r := range c.Rules {
			if r.Verdict != string(verdict) {
				continue
			}
			rule, _ := contract.RuleByID(r.ID)
			fmt.Fprintf(b, "  %-9s %-8s  %s\n", verdict, r.ID, rule.Title)
			for line := range strings.Lines(r.Message) {
				b.WriteString("            " + wrap(line, 12) + "\n") //nolint:mnd // Below the id.
			}
		}
	}
	for _, r := range c.Rules {
		if r.Verdict == string(contract.Satisfied) {
			satisfied++
		}
	}
	fmt.Fprintf(b, "  %d of %d rules are satisfied.\n", satisfied, len(c.Rules))
	return contract.Verdict(c.Verdict)
}

func conditions(b *strings.Builder, cs []condition) {
	if len(cs) == 0 {
		return
	}
	b.WriteString("\nConditions\n")
	fs := make([]fact, 0, len(cs))
	for _, c := range cs {
		fs = append(fs, fact{c.Type, strings.TrimSpace(fmt.Sprintf("%-7s %s", c.Status, strings.TrimSuffix(c.Reason+": "+oneLine(c.Message), ": ")))})
	}
	facts(b, fs)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// backup tells the way back: keep it outside the cluster too.
func backup(b *strings.Builder, s *v1alpha1.BackupStatus) {
	if s == nil {
		return
	}
	b.WriteString("\nBackup\n")
	archive := ""
	if s.Bucket != "" {
		archive = "s3://" + s.Bucket + "/" + strings.Trim(s.Path, "/") + "/" + s.ServerName
	}
	since := s.RecoverableSince
	if since == "" {
		since = "nothing can be recovered yet"
	}
	facts(b, []fact{
		{"Archive", archive}, {"Schedule", s.Schedule}, {"Retention", inDays(s.RetentionDays)}, {"Lock", inDays(s.LockDays)},
		{"Last backup", s.LastBackup}, {"Recoverable since", since},
	})
}

func inDays(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d days", n)
}

func owned(database, owner string) string {
	if database == "" || owner == "" {
		return database
	}
	return database + ", owned by " + owner
}

func alias(a *v1alpha1.AliasStatus) string {
	switch {
	case a == nil || a.Name == "":
		return ""
	case a.Held:
		return a.Name + " leads here"
	case a.Holder != "":
		return strings.TrimSuffix(a.Name+" leads to "+a.Holder+": "+oneLine(a.Message), ": ")
	}
	return a.Name + " leads nowhere yet"
}

func inert(yes bool) string {
	if yes {
		return "yes: it has been used, and does nothing any more"
	}
	return ""
}
