package report

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
)

// colours are the escape sequences of a terminal; the zero value writes none.
type colours struct{ bold, dim, red, yellow, cyan, reset string }

var ansi = colours{bold: "\x1b[1m", dim: "\x1b[2m", red: "\x1b[31m", yellow: "\x1b[33m", cyan: "\x1b[36m", reset: "\x1b[0m"}

func (c colours) of(level Level) string {
	switch level {
	case Error:
		return c.red
	case Warning:
		return c.yellow
	case Note:
	}
	return c.cyan
}

// text is one line a finding, in the form editors and problem matchers know:
//
//	claims/orders.yaml:10:5: error: spec.backup.schedule: "0 */6 * * *": …; write … [CNPG-3.1]
func (r *Report) text(to io.Writer, color bool) error {
	w := bufio.NewWriter(to)
	c := colours{}
	if color {
		c = ansi
	}
	line := func(place string, level Level, text string) {
		w.WriteString(c.bold + place + ":" + c.reset + " " + c.of(level) + string(level) + ":" + c.reset + " " + text + "\n") //nolint:errcheck,gosec // Flush returns it.
	}
	for _, p := range r.Problems {
		line(place(p.File, p.Line, p.Column), Error, printable(p.Message))
	}
	for _, f := range r.Findings {
		at := place(f.File, f.Line, f.Column)
		if at == "" {
			at = printable(f.Object)
		}
		line(at, f.Level(), dimRule(printable(f.String()), f.Finding, c))
	}
	return w.Flush() //nolint:wrapcheck // Write wraps it.
}

func place(file string, line, column int) string {
	if file == "" || line == 0 {
		return file
	}
	return printable(file) + ":" + strconv.Itoa(line) + ":" + strconv.Itoa(column)
}

// dimRule takes the rule's id back a little.
func dimRule(text string, f contract.Finding, c colours) string {
	id := "[" + f.Rule + "]"
	return strings.Replace(text, id, c.dim+id+c.reset, 1)
}

// printable keeps what was read from a file from steering the reader's terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// Summary is the last word: what was judged, and what came of it.
func (r *Report) Summary() string {
	var judged []string
	if r.Claims > 0 || r.Manifests == 0 {
		judged = append(judged, plural(r.Claims, "claim"))
	}
	if r.Manifests > 0 {
		judged = append(judged, plural(r.Manifests, "manifest"))
	}
	passed := ""
	if r.Unknown > 0 {
		passed = ", " + plural(r.Unknown, "document") + " of other kinds passed over"
	}
	var found []string
	for _, part := range []struct {
		n    int
		noun string
	}{{len(r.Problems), "unreadable document"}, {r.Count(Error), "error"}, {r.Count(Warning), "warning"}} {
		if part.n > 0 {
			found = append(found, plural(part.n, part.noun))
		}
	}
	if len(found) == 0 {
		found = append(found, "no violations")
	}
	if n := r.Count(Note); n > 0 {
		found = append(found, strconv.Itoa(n)+" waived")
	}
	return strings.Join(judged, " and ") + " judged" + passed + ": " + strings.Join(found, ", ")
}
