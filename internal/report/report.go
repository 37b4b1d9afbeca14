// Package report shows what was found, in the form each reader needs: text for people, JSON for programs, SARIF for code
// hosts and annotations for pull requests. A finding has one text (contract.Finding.String) wherever it is shown.
package report

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
)

// Located is a finding and the place in a file that causes it.
type Located struct {
	contract.Finding

	// Told is true for what only check says and the function goes along with: a warning, whatever its rule's severity.
	Told bool
	// File is empty where no file is to blame, as for an object that is missing from a whole set.
	File         string
	Line, Column int
}

// Problem is a place that could not be read, so that nothing is known about what stands there.
type Problem struct {
	File string
	// Line and Column are 0 where the file as a whole is the problem.
	Line, Column int
	Message      string
}

// Report is everything one run has to say.
type Report struct {
	// Claims, Manifests and Skipped count the documents that were judged by the rules for claims, by the rules for
	// manifests, and by none.
	Claims, Manifests, Skipped int
	// Unknown counts the skipped ones that were to be judged as manifests and are of kinds without rules.
	Unknown  int
	Findings []Located
	Problems []Problem
}

// Sort orders what is reported by place, so that equal input gives equal output.
func (r *Report) Sort() {
	slices.SortStableFunc(r.Findings, func(a, b Located) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Object, b.Object), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
	})
	slices.SortStableFunc(r.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
}

// Level is how loud a finding is.
type Level string

// The levels, by the names SARIF has for them.
const (
	// Error: acknowledged data can be lost, or the document cannot be understood.
	Error Level = "error"
	// Warning: a layer of protection is missing or a failure goes unnoticed.
	Warning Level = "warning"
	// Note: the platform has recorded its reason for living with it.
	Note Level = "note"
)

// LevelOf is the level of a rule's violations.
func LevelOf(severity contract.Severity) Level {
	if severity == contract.Exposure {
		return Warning
	}
	return Error
}

// Level is the finding's.
func (l Located) Level() Level {
	if l.Waiver != "" {
		return Note
	}
	if l.Told {
		return Warning
	}
	rule, _ := contract.RuleByID(l.Rule)
	return LevelOf(rule.Severity)
}

// Count returns how many findings have a level.
func (r *Report) Count(level Level) int {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].Level() == level {
			n++
		}
	}
	return n
}

// Format is a form a report can be written in.
type Format string

// The formats.
const (
	Text   Format = "text"
	JSON   Format = "json"
	SARIF  Format = "sarif"
	GitHub Format = "github"
)

// Options are what the writers need to know beside the report.
type Options struct {
	// Color marks text up for a terminal.
	Color bool
	// Version of the program, for SARIF.
	Version string
	// Root is the directory from which code hosts name files. Where it is empty, files keep the names they have.
	Root string
}

// named is a file as a code host calls it: from the root of the repository, whatever directory somebody stands in, and by
// its own name where a link led to it. A file outside the repository keeps its full name.
func (o Options) named(file string) string {
	if o.Root == "" || file == "" {
		return file
	}
	full, err := filepath.Abs(filepath.FromSlash(file))
	if err != nil {
		return file
	}
	if resolved, err := filepath.EvalSymlinks(full); err == nil {
		full = resolved
	}
	if below, err := filepath.Rel(o.Root, full); err == nil && filepath.IsLocal(below) {
		full = below
	}
	return filepath.ToSlash(full)
}

// Write writes the report in a format.
func (r *Report) Write(w io.Writer, format Format, o Options) error {
	var err error
	switch format {
	case Text:
		err = r.text(w, o.Color)
	case JSON:
		err = r.json(w)
	case SARIF:
		err = r.sarif(w, o)
	case GitHub:
		err = r.github(w, o)
	default:
		return fmt.Errorf("cannot write a report as %q", format)
	}
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

// plural is "1 claim", "2 claims".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
