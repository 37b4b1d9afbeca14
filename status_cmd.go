package main

import (
	"errors"
	"fmt"

	"github.com/bizmatters/function-hardened-postgres/internal/check"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/explain"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// statusCmd tells what live claims report about themselves.
type statusCmd struct {
	Paths []string `arg:"" optional:"" default:"-" help:"Claims or composite resources as kubectl get -o yaml prints them; - is standard input (default)."`
}

// Help says where the input comes from.
func (c *statusCmd) Help() string {
	return "For instance: kubectl get postgresinstance -n shop orders -o yaml | function-hardened-postgres explain-status\n\n" +
		"Exit code 0: no rule is violated. 1: one is. 2: there is no report."
}

// Run prints the report of every claim.
func (c *statusCmd) Run(std *streams) error {
	docs, err := source.Open(c.Paths, std.in)
	if err != nil {
		return coded{err, exitUnjudged}
	}
	told, violated := 0, 0
	for _, d := range docs {
		if !check.IsClaim(d.Object) {
			continue
		}
		if told++; told > 1 {
			tell(std.out, "")
		}
		verdict, err := explain.Status(std.out, d.Object)
		if err != nil {
			return coded{err, exitUnjudged}
		}
		if verdict == contract.Violated {
			violated++
		}
	}
	switch {
	case told == 0:
		return coded{errors.New("no PostgresInstance in the input"), exitUnjudged}
	case violated > 0:
		return coded{fmt.Errorf("%d of %d violate the contract", violated, told), exitViolations} //nolint:err113 // Told to a person.
	}
	return nil
}
