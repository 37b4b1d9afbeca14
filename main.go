// Command function-hardened-postgres is the composition function behind the postgresql-basic Composition, and the same
// rules for a laptop and for CI.
package main

import (
	"cmp"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/bizmatters/function-hardened-postgres/internal/schema"
)

// cli are the commands. Crossplane runs the image without arguments: serve is the default.
type cli struct {
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Answer Crossplane over gRPC (default)."`
	Render  renderCmd  `cmd:"" help:"Print the hardened set of claims, offline."`
	Check   checkCmd   `cmd:"" help:"Judge claims and manifests in Git by the zero-data-loss contract."`
	Explain explainCmd `cmd:"" help:"Explain the contract, or single rules of it."`
	Recover recoverCmd `cmd:"" help:"Write the claim of a database that is recovered or upgraded from another one."`
	Status  statusCmd  `cmd:"" name:"explain-status" help:"Tell what a live claim reports about itself: the contract, the conditions, the way back."`

	Version kong.VersionFlag `help:"Print the version and end."`
}

// shortLivedGC lets the heap of a command grow to 16 MiB before the garbage collector first runs.
const shortLivedGC = 400

func main() {
	var commands cli
	parser := newParser(&commands)
	ctx, err := parse(parser, os.Args[1:])
	parser.FatalIfErrorf(err)
	if ctx.Command() != "serve" {
		// A command ends before there is much to collect.
		debug.SetGCPercent(shortLivedGC)
	}
	if err := ctx.Run(&streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitCode(err))
	}
}

func newParser(commands *cli, options ...kong.Option) *kong.Kong {
	return kong.Must(commands, append(options,
		kong.Name("function-hardened-postgres"),
		kong.Description("PostgreSQL that does not lose acknowledged data, from a claim in Git."),
		kong.ShortUsageOnError(),
		kong.Vars{"version": cmp.Or(version(), "development build")},
	)...)
}

// parse reads the command line. A mistake in it judges nothing.
func parse(parser *kong.Kong, args []string) (*kong.Context, error) {
	ctx, err := parser.Parse(args)
	if err == nil {
		if err := empty(ctx); err != nil {
			return nil, coded{err, exitUnjudged}
		}
		return ctx, nil
	}
	// The parser takes an unknown word for an argument of serve, the default: name the command that was meant.
	var names []string
	for _, command := range parser.Model.Children {
		names = append(names, command.Name)
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") && !slices.Contains(names, args[0]) {
		hint := "the commands are " + strings.Join(names, ", ")
		if near := schema.Nearest(args[0], names); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		err = fmt.Errorf("there is no command %q; %s", args[0], hint) //nolint:err113 // Told to a person.
	}
	return nil, coded{err, exitUnjudged}
}

// empty refuses a flag without a value: an unset variable of a script must not turn a recovery to a moment into one to
// the end. Only serve has a flag whose empty value means something.
func empty(ctx *kong.Context) error {
	for _, p := range ctx.Path {
		if p.Flag != nil && ctx.Command() != "serve" && p.Flag.Target.Kind() == reflect.String && p.Flag.Target.Len() == 0 {
			return fmt.Errorf("--%s is empty: write a value, or leave the flag out", p.Flag.Name) //nolint:err113 // Told to a person.
		}
	}
	return nil
}
