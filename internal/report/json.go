package report

import (
	"encoding/json"
	"io"
)

// The JSON form is for programs: fields are only ever added.
type jsonReport struct {
	Findings []jsonFinding `json:"findings"`
	Problems []jsonProblem `json:"problems"`
	Summary  jsonSummary   `json:"summary"`
}

type jsonFinding struct {
	Rule    string `json:"rule"`
	Level   Level  `json:"level"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Object  string `json:"object,omitempty"`
	Path    string `json:"path,omitempty"`
	Value   string `json:"value,omitempty"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
	Waiver  string `json:"waiver,omitempty"`
	// Text is all of it in one sentence.
	Text string `json:"text"`
	Help string `json:"help"`
}

type jsonProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

type jsonSummary struct {
	Claims    int `json:"claims"`
	Manifests int `json:"manifests"`
	Skipped   int `json:"skipped"`
	Errors    int `json:"errors"`
	Warnings  int `json:"warnings"`
	Waived    int `json:"waived"`
	Problems  int `json:"problems"`
}

func (r *Report) json(w io.Writer) error {
	out := jsonReport{
		Findings: make([]jsonFinding, 0, len(r.Findings)),
		Problems: make([]jsonProblem, 0, len(r.Problems)),
		Summary: jsonSummary{
			Claims: r.Claims, Manifests: r.Manifests, Skipped: r.Skipped,
			Errors: r.Count(Error), Warnings: r.Count(Warning), Waived: r.Count(Note), Problems: len(r.Problems),
		},
	}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, jsonFinding{
			Rule: f.Rule, Level: f.Level(), File: f.File, Line: f.Line, Column: f.Column, Object: f.Object, Path: f.Path,
			Value: f.Value, Message: f.Message, Fix: f.Fix, Waiver: f.Waiver, Text: f.String(), Help: HelpURI(f.Rule),
		})
	}
	for _, p := range r.Problems {
		out.Problems = append(out.Problems, jsonProblem(p))
	}
	return encode(w, out)
}

func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v) //nolint:wrapcheck // Write wraps it.
}
