// Package contract is the zero-data-loss contract: the catalogue of rules and the judges that hold a claim, a policy, a
// set of manifests or the observed world against it.
//
// It is an oracle: it never imports the code that emits manifests, so that a mistake there cannot also be a mistake
// here. The same finding, with the same words, reaches the developer through gRPC results, conditions, the command line
// and SARIF.
package contract

import (
	"fmt"
	"slices"
	"strings"
)

// Finding is one place where something breaks a rule, told so that the reader can repair it without asking anybody.
type Finding struct {
	// Rule is the id of the rule, for instance "CNPG-3.1". Ids are public API and never change their meaning.
	Rule string `json:"rule"`
	// Object names what was judged: "PostgresInstance shop/orders", "Policy", "ScheduledBackup shop/orders".
	Object string `json:"object,omitempty"`
	// Path is the field: "spec.backup.schedule". Empty where the object as a whole, or its absence, is the problem.
	Path string `json:"path,omitempty"`
	// Value is what stands there, as the reader wrote it; empty where nothing does. Never secret material (ZDL-12).
	Value string `json:"value,omitempty"`
	// Message says what is wrong and which data would be lost: a sentence without a full stop.
	Message string `json:"message"`
	// Fix says what to write instead: an instruction without a full stop.
	Fix string `json:"fix,omitempty"`
	// Waiver is the platform's recorded reason for living with this finding (ZDL-14); empty where there is none.
	Waiver string `json:"waiver,omitempty"`
}

// String is the one text of a finding, the same wherever it is shown:
//
//	spec.backup.schedule: "0 */6 * * *": fires every 6 minutes …; write "0 0 */6 * * *" [CNPG-3.1]
func (f Finding) String() string {
	var b strings.Builder
	if f.Path != "" {
		b.WriteString(f.Path)
		b.WriteString(": ")
	}
	if f.Value != "" {
		fmt.Fprintf(&b, "%q: ", f.Value)
	}
	b.WriteString(f.Message)
	if f.Fix != "" {
		b.WriteString("; ")
		b.WriteString(f.Fix)
	}
	fmt.Fprintf(&b, " [%s]", f.Rule)
	if f.Waiver != "" {
		fmt.Fprintf(&b, " (waived by policy: %s)", f.Waiver)
	}
	return b.String()
}

// Findings is a list of findings.
type Findings []Finding

// Sort orders findings by object, path, rule and text, so that equal input gives equal output (ZDL-13).
func (fs Findings) Sort() Findings {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return strings.Compare(a.Object+"\x00"+a.Path+"\x00"+a.Rule+"\x00"+a.Message, b.Object+"\x00"+b.Path+"\x00"+b.Rule+"\x00"+b.Message)
	})
	return fs
}

// Violations returns the findings that no waiver covers: those that refuse.
func (fs Findings) Violations() Findings {
	var out Findings
	for _, f := range fs {
		if f.Waiver == "" {
			out = append(out, f)
		}
	}
	return out
}

// String lists the findings, one a line.
func (fs Findings) String() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
		if f.Object != "" {
			lines[i] = f.Object + ": " + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}
