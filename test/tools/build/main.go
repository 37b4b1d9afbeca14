// Command build makes the programs the system tests need, or finds them in the cache, and prints their paths, one per
// line, in the order they were asked for.
//
//	go run -C test/tools ./build crossplane
//	go run -C test/tools ./build -missing kube crossplane   # names what is not cached and builds nothing
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/bizmatters/function-hardened-postgres/test/tools/recipe"
)

func main() {
	missing := flag.Bool("missing", false, "print the names of the tools that are not cached, and build nothing")
	flag.Usage = func() {
		_, _ = fmt.Fprintf(flag.CommandLine.Output(), "usage: build [-missing] TOOL...\ntools: %v\n", recipe.Names())
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *missing, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, missing bool, names []string) error {
	if missing {
		return list(names)
	}
	plan, err := recipe.Plan(names...)
	if err != nil {
		return err
	}
	if plan != "" {
		fmt.Fprintln(os.Stderr, plan)
	}
	for _, name := range names {
		path, err := recipe.Make(ctx, name, os.Stderr)
		if err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}

func list(names []string) error {
	for _, name := range names {
		tool, err := recipe.Find(name)
		if err != nil {
			return err
		}
		cached, err := tool.Cached()
		if err != nil {
			return err
		}
		if !cached {
			fmt.Println(name)
		}
	}
	return nil
}
