// Command function is the composition function behind the postgresql-basic Composition, and the same rules for a
// laptop and for CI.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// cli are the commands. Crossplane runs the image without arguments: serve is the default.
type cli struct {
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Answer Crossplane over gRPC (default)."`
	Render  renderCmd  `cmd:"" help:"Print the hardened set of claims, offline."`
	Check   checkCmd   `cmd:"" help:"Judge claims and manifests in Git by the zero-data-loss contract."`
	Explain explainCmd `cmd:"" help:"Explain the contract, or single rules of it."`
	Recover recoverCmd `cmd:"" help:"Write the claim of a database that is recovered or upgraded from another one."`
	Status  statusCmd  `cmd:"" name:"explain-status" help:"Tell what a live claim reports about itself: the contract, the conditions, the way back."`
}

// shortLivedGC lets the heap of a command grow to 16 MiB before the garbage collector first runs.
const shortLivedGC = 400

func main() {
	var commands cli
	ctx := kong.Parse(&commands,
		kong.Name("function-hardened-postgres"),
		kong.Description("PostgreSQL that does not lose acknowledged data, from a claim in Git."),
		kong.UsageOnError(),
		kong.Exit(func(code int) { os.Exit(min(code, exitUnjudged)) }), // A mistake in the command line judges nothing.
	)
	if ctx.Command() != "serve" {
		// A command ends before there is much to collect.
		debug.SetGCPercent(shortLivedGC)
	}
	if err := ctx.Run(&streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitCode(err))
	}
}
