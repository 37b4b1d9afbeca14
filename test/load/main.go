// Command load asks composition functions on this machine the same question many times and says how they answer: how
// long a call takes, how much processor time and memory it costs, how long after its start a function first answers.
//
// It knows nothing of any function: a target is an address (or a command that serves there) and a request in a file.
// Several targets are measured in turns, so that a busy machine is busy for all of them. It only talks to loopback
// addresses, and everything it does is bounded.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// settings are how to measure.
type settings struct {
	Concurrency []int
	Duration    time.Duration
	Rounds      int
	Memory      []int
}

const (
	maxConcurrency = 1024
	maxDuration    = 5 * time.Minute
	maxCalls       = 1_000_000
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(progress)
	one := target{}
	flags.StringVar(&one.Address, "address", "127.0.0.1:9443", "where the function answers")
	flags.StringVar(&one.Request, "request", "", "file with the RunFunctionRequest: protobuf (.pb), .json or .yaml; a pattern plots over the number of observed resources")
	flags.StringVar(&one.Certs, "certs", "", "directory with the client's tls.crt, tls.key and ca.crt; without, no TLS")
	flags.StringVar(&one.Name, "name", "function", "what to call the function")
	flags.IntVar(&one.PID, "pid", 0, "process of the function, to read its memory and processor time")
	command := flags.String("start", "", "command that serves at the address: started, measured and stopped")
	targets := flags.String("targets", "", "JSON file with a list of targets: name, address, request, certs, start, env, pid")
	concurrency := flags.String("concurrency", "1,8,64", "how many calls at once")
	memory := flags.String("memory", "10,1000", "after how many calls to read the memory")
	duration := flags.Duration("duration", 5*time.Second, "how long at each concurrency, for each target")
	rounds := flags.Int("rounds", 3, "in how many turns")
	encoded := flags.String("json", "", "file for the results")
	plot := flags.String("svg", "", "file for the plot")
	certificates := flags.String("make-certs", "", "write a throw-away authority, a server's and a client's certificate below this directory, and stop")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *certificates != "" {
		return makeCertificates(*certificates)
	}

	s := settings{Duration: *duration, Rounds: *rounds}
	var err error
	if s.Concurrency, err = numbers(*concurrency, maxConcurrency); err != nil {
		return fmt.Errorf("cannot read -concurrency: %w", err)
	}
	if s.Memory, err = numbers(*memory, maxCalls); err != nil {
		return fmt.Errorf("cannot read -memory: %w", err)
	}
	if s.Duration <= 0 || s.Duration > maxDuration || s.Rounds < 1 || s.Rounds > 100 {
		return fmt.Errorf("-duration must be up to %s, -rounds from 1 to 100", maxDuration)
	}
	if *command != "" {
		one.Start = strings.Fields(*command)
	}
	list, err := targetList(*targets, one)
	if err != nil {
		return err
	}

	results, err := measure(list, s, progress)
	if err != nil {
		return err
	}
	if err := table(out, results); err != nil {
		return err
	}
	if *encoded != "" {
		raw, err := json.MarshalIndent(results, "", "  ")
		if err != nil {
			return fmt.Errorf("cannot encode the results: %w", err)
		}
		if err := os.WriteFile(*encoded, append(raw, '\n'), 0o600); err != nil {
			return fmt.Errorf("cannot write the results: %w", err)
		}
	}
	if *plot != "" {
		draw := bars
		if *targets == "" && len(list) > 1 {
			draw = curve
		}
		if err := os.WriteFile(*plot, []byte(draw(results)), 0o600); err != nil {
			return fmt.Errorf("cannot write the plot: %w", err)
		}
	}
	return nil
}

// targetList reads the targets, or makes one of each file that the flags' request matches.
func targetList(file string, one target) ([]target, error) {
	if file != "" {
		raw, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			return nil, fmt.Errorf("cannot read the targets: %w", err)
		}
		var list []target
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("cannot read the targets: %w", err)
		}
		return list, nil
	}
	if one.Request == "" {
		return nil, errors.New("give -request or -targets")
	}
	files, err := filepath.Glob(one.Request)
	if err != nil {
		return nil, fmt.Errorf("cannot read -request: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no file fits %s", one.Request)
	}
	list := make([]target, len(files))
	for i, f := range files {
		list[i] = one
		list[i].Request = f
		if len(files) > 1 {
			list[i].Name = strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))
		}
		if i > 0 {
			list[i].Start = nil // It runs already.
		}
	}
	return list, nil
}

func numbers(list string, most int) ([]int, error) {
	var out []int
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", word)
		}
		if n < 1 || n > most {
			return nil, fmt.Errorf("%d is not between 1 and %d", n, most)
		}
		out = append(out, n)
	}
	return out, nil
}
