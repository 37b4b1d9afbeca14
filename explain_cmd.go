package main

import (
	"github.com/bizmatters/function-hardened-postgres/internal/explain"
)

// explainCmd tells what the contract is.
type explainCmd struct {
	Rules  []string `arg:"" optional:"" help:"Ids of rules, for instance CNPG-3.1. Without: all of them."`
	Output string   `help:"Form of the output: ${enum}." enum:"text,json,markdown" default:"text" short:"o"`
}

// Run explains.
func (c *explainCmd) Run(std *streams) error {
	rules, err := explain.Select(c.Rules)
	switch {
	case err != nil:
		return err //nolint:wrapcheck // Told as it is.
	case c.Output == "json":
		return explain.JSON(std.out, rules) //nolint:wrapcheck // Wrapped already.
	case c.Output == "markdown":
		return explain.Markdown(std.out, rules) //nolint:wrapcheck // Wrapped already.
	case len(c.Rules) == 0:
		return explain.Table(std.out, rules) //nolint:wrapcheck // Wrapped already.
	}
	return explain.Text(std.out, rules) //nolint:wrapcheck // Wrapped already.
}
