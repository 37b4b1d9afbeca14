package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// table prints the results as Markdown people can paste.
func table(w io.Writer, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	line := func(cells ...string) { fmt.Fprintln(t, "| "+strings.Join(cells, "\t| ")+"\t|") } //nolint:errcheck // Flush tells.
	line("function", "at once", "calls", "errors", "p50 ms", "p99 ms", "calls/s", "ms of processor a call", "calls/s a core", "peak memory MiB")
	line("---", "---", "---", "---", "---", "---", "---", "---", "---", "---")
	for _, r := range results {
		for _, l := range r.Levels {
			line(r.Name, strconv.Itoa(l.Concurrency), strconv.Itoa(l.Calls), strconv.Itoa(l.Errors), figure(l.P50), figure(l.P99), figure(l.PerSecond), figure(l.Processor), figure(l.PerCore), figure(float64(l.PeakKiB)/1024))
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	fmt.Fprintln(t) //nolint:errcheck // Flush tells.
	line("function", "observed", "desired", "request KiB", "answer KiB", "first answer ms", "memory MiB after calls")
	line("---", "---", "---", "---", "---", "---", "---")
	for _, r := range results {
		var held []string
		for _, m := range r.Memory {
			held = append(held, fmt.Sprintf("%s after %d", figure(float64(m.KiB)/1024), m.Calls))
		}
		line(r.Name, strconv.Itoa(r.Observed), strconv.Itoa(r.Desired), figure(float64(r.RequestBytes)/1024), figure(float64(r.ResponseBytes)/1024), figure(r.FirstAnswer), strings.Join(held, ", "))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

// figure is a number with about three digits; "-" where nothing was measured.
func figure(f float64) string {
	switch {
	case f == 0:
		return "-"
	case f < 10:
		return fmt.Sprintf("%.2f", f)
	case f < 100:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.0f", f)
}
