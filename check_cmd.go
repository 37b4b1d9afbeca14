package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/check"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	reports "github.com/bizmatters/function-hardened-postgres/internal/report"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// checkCmd judges files in Git by the contract, with the texts the function would refuse them with.
type checkCmd struct {
	Paths       []string       `arg:"" help:"Files, directories, patterns (** for any depth), or - for standard input."`
	Policy      string         `help:"File with the platform's policy." xor:"policy" placeholder:"FILE"`
	Composition string         `help:"File with the Composition whose pipeline step holds the policy." xor:"policy" placeholder:"FILE"`
	Manifests   bool           `help:"Judge every other Kubernetes object too: Cluster, ScheduledBackup, ObjectStore, buckets, ..."`
	Complete    bool           `help:"With --manifests: the files hold everything there is, so that what is missing counts."`
	Namespace   string         `help:"Namespace of claims that name none." default:"default"`
	Exclude     []string       `help:"Leave out files and directories that fit this pattern." placeholder:"PATTERN"`
	Format      reports.Format `help:"Form of the output: ${enum}." enum:"text,json,sarif,github" default:"text" short:"o"`
	FailOn      string         `help:"Least that counts as a violation: ${enum}. Whatever it says, what cannot be read is exit code 2." enum:"waived,warning,error,never" default:"warning"`
	Color       string         `help:"Colour text: ${enum}." enum:"auto,always,never" default:"auto"`
	ShowSkipped bool           `help:"List on standard error which documents were not judged."`

	now func() time.Time
}

// Exit codes beside 0: the contract is broken, or nobody can say whether it is.
const (
	exitViolations = 1
	exitUnjudged   = 2
)

// Help explains the exit codes where people look for them.
func (c *checkCmd) Help() string {
	return "Exit code 0: nothing breaks the contract. 1: something does. 2: something could not be read, so nobody can say."
}

// Run judges, reports and says by its error how it ended.
func (c *checkCmd) Run(std *streams) error {
	if c.Complete && !c.Manifests {
		return coded{errors.New("--complete says that the manifests are all there are: write it together with --manifests"), exitUnjudged}
	}
	policy, problems, err := c.policy(std)
	if err != nil {
		return coded{err, exitUnjudged}
	}
	if policy == nil && len(problems) == 0 {
		tell(std.err, "no policy was given: the contract's own floor is the measure; --policy or --composition judges as your platform will")
	}
	docs, err := source.Open(c.Paths, std.in, c.Exclude...)
	problems = append(problems, source.Errors(err)...)

	now := time.Now
	if c.now != nil {
		now = c.now
	}
	r := check.Judge(docs, check.Options{
		Policy: policy, Manifests: c.Manifests, Complete: c.Complete, Namespace: c.Namespace, Today: now().UTC().Format(time.DateOnly),
	})
	for _, p := range problems {
		r.Problems = append(r.Problems, reports.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message})
	}
	r.Sort()
	if c.ShowSkipped {
		c.skipped(std.err, docs)
	}
	if err := r.Write(std.out, c.Format, reports.Options{Color: colored(c.Color, std.out), Version: version(), Root: repositoryRoot()}); err != nil {
		return coded{err, exitUnjudged}
	}
	return c.verdict(&r, std.err)
}

// policy reads the policy to judge by. A file that cannot be read is a problem like any other broken file; one without a
// policy in it is a mistake in the command.
func (c *checkCmd) policy(std *streams) (*check.Policy, []*source.Error, error) {
	policy, err := givenPolicy(c.Policy, c.Composition, std)
	if problems := source.Errors(err); len(problems) > 0 {
		return nil, problems, nil
	}
	return policy, nil, err
}

// givenPolicy finds the policy in the file a command was given, on its own or as the input of a Composition's step; nil
// where it was given none.
func givenPolicy(policyFile, compositionFile string, std *streams) (*check.Policy, error) {
	name, find := policyFile, check.PolicyFile
	if compositionFile != "" {
		name, find = compositionFile, check.PolicyOfComposition
	}
	if name == "" {
		return nil, nil //nolint:nilnil // None is an answer: each command has its own.
	}
	docs, err := source.Open([]string{name}, std.in)
	if err != nil {
		return nil, err //nolint:wrapcheck // It names the file and the line.
	}
	policy, err := find(docs)
	if err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	return policy, nil
}

// verdict is how the run ends: nil, or an error with the exit code.
func (c *checkCmd) verdict(r *reports.Report, stderr io.Writer) error {
	violations := 0
	switch c.FailOn {
	case "waived":
		violations = len(r.Findings)
	case "warning":
		violations = r.Count(reports.Error) + r.Count(reports.Warning)
	case "error":
		violations = r.Count(reports.Error)
	}
	switch {
	case len(r.Problems) > 0:
		return coded{errors.New(r.Summary()), exitUnjudged}
	case violations > 0:
		return coded{errors.New(r.Summary()), exitViolations}
	}
	tell(stderr, r.Summary())
	return nil
}

func (c *checkCmd) skipped(w io.Writer, docs []source.Document) {
	for _, d := range docs {
		switch {
		case check.IsClaim(d.Object) || check.IsClaim(d.Unwrap().Object) || c.Manifests && check.IsManifest(d.Object) && contract.Knows(d.Object):
		case d.Object.Kind() == "":
			tell(w, fmt.Sprintf("%s:%d: not judged: not a Kubernetes object", d.File, d.Start))
		default:
			tell(w, fmt.Sprintf("%s:%d: not judged: %s %s", d.File, d.Start, d.Object.Kind(), d.Object.Name()))
		}
	}
}

// tell writes one line for people.
func tell(w io.Writer, line string) {
	fmt.Fprintln(w, line) //nolint:errcheck // Nothing to do about a broken stderr.
}

// repositoryRoot is the directory from which code hosts name files: the nearest one upwards with .git in it, or else this.
func repositoryRoot() string {
	here, err := os.Getwd()
	if err != nil {
		return ""
	}
	if resolved, err := filepath.EvalSymlinks(here); err == nil {
		here = resolved
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return here
		}
	}
}

// colored says whether text is for a terminal's eyes (https://no-color.org).
func colored(when string, w io.Writer) bool {
	switch {
	case when != "auto":
		return when == "always"
	case os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb":
		return false
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// version of the program as Go's build recorded it; empty for a build from a work tree.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return ""
	}
	return info.Main.Version
}
