package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
)

// Workflow commands carry their text on one line: these are the only escapes there are, and properties need more of
// them than messages.
var (
	escapeMessage  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	escapeProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// commands are GitHub's names for the levels.
var commands = map[Level]string{Error: "error", Warning: "warning", Note: "notice"}

// github writes workflow commands, which GitHub Actions shows beside the line in the pull request.
func (r *Report) github(to io.Writer, o Options) error {
	w := bufio.NewWriter(to)
	command := func(level Level, file string, line, column int, title, message string) {
		var properties []string
		add := func(name, value string) { properties = append(properties, name+"="+escapeProperty.Replace(value)) }
		if file != "" {
			add("file", o.named(file))
		}
		if line > 0 {
			add("line", strconv.Itoa(line))
			add("col", strconv.Itoa(column))
		}
		add("title", title)
		fmt.Fprintf(w, "::%s %s::%s\n", commands[level], strings.Join(properties, ","), escapeMessage.Replace(message)) //nolint:errcheck // Flush returns it.
	}
	for _, p := range r.Problems {
		command(Error, p.File, p.Line, p.Column, "Cannot be judged", p.Message)
	}
	for _, f := range r.Findings {
		rule, _ := contract.RuleByID(f.Rule)
		message := f.String()
		if f.Object != "" {
			message = f.Object + ": " + message
		}
		command(f.Level(), f.File, f.Line, f.Column, f.Rule+" "+rule.Title, message)
	}
	return w.Flush() //nolint:wrapcheck // Write wraps it.
}
