// Package explain tells what the contract is: a table of all rules, one rule at length, and the reference that is
// generated from them.
package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/report"
	"github.com/bizmatters/function-hardened-postgres/internal/schema"
)

// UnknownRuleError says that there is no rule of that id, and which one may have been meant.
type UnknownRuleError struct{ ID string }

// Error implements error.
func (e *UnknownRuleError) Error() string {
	text := fmt.Sprintf("there is no rule %q", e.ID)
	if near := schema.Nearest(e.ID, ids()); near != "" {
		return text + fmt.Sprintf("; did you mean %s?", near)
	}
	return text + "; without an id, explain lists all of them"
}

func ids() []string {
	rules := contract.Rules()
	out := make([]string, len(rules))
	for i := range rules {
		out[i] = rules[i].ID
	}
	return out
}

// Select returns the rules with the given ids, in any case, or all of them for none. The name of a family stands for its
// rules: CNPG-3, ZDL.
func Select(wanted []string) ([]contract.Rule, error) {
	if len(wanted) == 0 {
		return contract.Rules(), nil
	}
	out := make([]contract.Rule, 0, len(wanted))
	for _, id := range wanted {
		rules := named(strings.ToUpper(id))
		if len(rules) == 0 {
			return nil, &UnknownRuleError{ID: id}
		}
		out = append(out, rules...)
	}
	return out, nil
}

// named are the rule of that id, or those of that family.
func named(id string) []contract.Rule {
	var out []contract.Rule
	for _, r := range contract.Rules() {
		if r.ID == id || strings.HasPrefix(r.ID, id+".") || strings.HasPrefix(r.ID, id+"-") {
			out = append(out, r)
		}
	}
	return out
}

// Table lists rules, one a line.
func Table(w io.Writer, rules []contract.Rule) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RULE\tSEVERITY\tTITLE\tPROMISE") //nolint:errcheck // Flush returns it.
	for i := range rules {
		r := &rules[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.ID, r.Severity, r.Title, r.Promise) //nolint:errcheck // Flush returns it.
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot write the table: %w", err)
	}
	return nil
}

// width is what text is wrapped at.
const width = 100

// Text explains rules at length.
func Text(w io.Writer, rules []contract.Rule) error {
	var b strings.Builder
	for i := range rules {
		r := &rules[i]
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s  %s\n\n", r.ID, r.Title)
		for _, part := range []struct{ label, text string }{
			{"Promise", r.Promise}, {"Why", r.Why}, {"Fix", r.Fix}, {"Severity", severities[r.Severity]}, {"Waiver", waiver(r)},
			{"Upstream", r.Reference}, {"Online", report.HelpURI(r.ID)},
		} {
			if part.text != "" {
				fmt.Fprintf(&b, "  %-10s%s\n", part.label, wrap(part.text, 12)) //nolint:mnd // The label's column.
			}
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("cannot write the explanation: %w", err)
	}
	return nil
}

var severities = map[contract.Severity]string{
	contract.Loss:     "loss: breaking it can lose acknowledged data",
	contract.Exposure: "exposure: breaking it takes a layer of protection away, or lets a failure go unnoticed",
	contract.Input:    "input: the document cannot be understood or applied",
}

func waiver(r *contract.Rule) string {
	if r.Unwaivable {
		return "none: this rule holds whatever the policy says"
	}
	return "in the platform's policy only, with a reason (ZDL-14)"
}

// wrap breaks text into lines, each but the first indented.
func wrap(text string, indent int) string {
	var b strings.Builder
	at := indent
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

// JSON is the rules for programs.
func JSON(w io.Writer, rules []contract.Rule) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(rules); err != nil {
		return fmt.Errorf("cannot write JSON: %w", err)
	}
	return nil
}
