package main

import (
	"errors"
	"io"
)

// streams are the three streams of a command; tests hand in their own.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// coded is an error that says which exit code it deserves.
type coded struct {
	error
	code int
}

func (c coded) Unwrap() error { return c.error }

// ExitCode tells the command line's parser too.
func (c coded) ExitCode() int { return c.code }

// exitCode is 1 for a refusal and every other failure, unless the error says otherwise.
func exitCode(err error) int {
	if c, ok := errors.AsType[coded](err); ok {
		return c.code
	}
	return 1
}
