package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// result is what was measured of one target.
type result struct {
	Name string `json:"name"`
	// Observed and Desired count composed resources in the request and in the answer.
	Observed      int `json:"observed"`
	Desired       int `json:"desired"`
	RequestBytes  int `json:"requestBytes"`
	ResponseBytes int `json:"responseBytes"`
	// FirstAnswer is the time in milliseconds from the start of the process to its first answer.
	FirstAnswer float64  `json:"firstAnswerMs,omitempty"`
	Memory      []memory `json:"memory,omitempty"`
	Levels      []level  `json:"levels"`
}

// memory is the resident memory after a number of calls.
type memory struct {
	Calls int `json:"calls"`
	KiB   int `json:"kib"`
}

// level is one concurrency. Times are milliseconds.
type level struct {
	Concurrency int     `json:"concurrency"`
	Calls       int     `json:"calls"`
	Errors      int     `json:"errors"`
	P50         float64 `json:"p50"`
	P99         float64 `json:"p99"`
	PerSecond   float64 `json:"perSecond"`
	// Processor is the function's own processor time for a call, and PerCore how many calls one core answers in a second
	// by that: figures that other load on the machine does not change much.
	Processor float64 `json:"processorMs,omitempty"`
	PerCore   float64 `json:"perCore,omitempty"`
	// PeakKiB is the most memory the process has held since its start.
	PeakKiB int `json:"peakKib,omitempty"`

	latencies []time.Duration
	elapsed   time.Duration
	processor time.Duration
}

// measure measures all targets in turns.
func measure(targets []target, s settings, progress io.Writer) ([]result, error) {
	results := make([]result, len(targets))
	open := make([]*running, len(targets))
	defer func() {
		for _, r := range open {
			if r != nil {
				r.close()
			}
		}
	}()
	for i, t := range targets {
		results[i] = result{Name: t.Name}
		if i > 0 && t.PID == 0 && len(t.Start) == 0 && t.Address == targets[0].Address {
			t.PID = open[0].pid // The same function, asked something else.
		}
		var err error
		if open[i], err = t.open(&results[i]); err != nil {
			return nil, err
		}
		if err := results[i].remember(open[i], s.Memory); err != nil {
			return nil, err
		}
		fmt.Fprintf(progress, "%s answers\n", t.Name) //nolint:errcheck // Only for whoever waits.
	}
	for _, n := range s.Concurrency {
		levels := make([]level, len(targets))
		for round := range s.Rounds {
			for i, r := range open {
				levels[i].Concurrency = n
				levels[i].add(r, n, s.Duration/time.Duration(s.Rounds))
				if r.hasEnded() {
					return nil, fmt.Errorf("%s has ended with %d calls at once", r.name, n)
				}
				fmt.Fprintf(progress, "%s: %d at once, turn %d of %d\n", r.name, n, round+1, s.Rounds) //nolint:errcheck // Only for whoever waits.
			}
		}
		for i := range levels {
			levels[i].sum()
			results[i].Levels = append(results[i].Levels, levels[i])
		}
	}
	return results, nil
}

// remember makes calls and reads the memory at the given counts.
func (r *result) remember(run *running, counts []int) error {
	if run.pid == 0 {
		return nil
	}
	made := 1 // The first answer.
	for _, count := range slices.Sorted(slices.Values(counts)) {
		for ; made < count; made++ {
			if _, err := run.call(context.Background()); err != nil {
				return fmt.Errorf("%s fails in call %d: %w", r.Name, made, err)
			}
		}
		if kib, ok := memoryKiB(run.pid, resident); ok {
			r.Memory = append(r.Memory, memory{Calls: count, KiB: kib})
		}
	}
	return nil
}

// add makes calls, n at once, for some time.
func (l *level) add(r *running, n int, duration time.Duration) {
	var mu sync.Mutex
	var callers sync.WaitGroup
	before, _ := processorTime(r.pid)
	started := time.Now()
	for range n {
		callers.Go(func() {
			var latencies []time.Duration
			errors := 0
			for time.Since(started) < duration {
				at := time.Now()
				if _, err := r.call(context.Background()); err != nil {
					errors++
					continue
				}
				latencies = append(latencies, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			l.latencies = append(l.latencies, latencies...)
			l.Errors += errors
		})
	}
	callers.Wait()
	l.elapsed += time.Since(started)
	if after, ok := processorTime(r.pid); ok {
		l.processor += after - before
	}
	l.PeakKiB, _ = memoryKiB(r.pid, peak)
}

// sum turns what was collected into figures.
func (l *level) sum() {
	l.Calls = len(l.latencies)
	if l.Calls == 0 {
		return
	}
	slices.Sort(l.latencies)
	l.P50 = milliseconds(l.latencies[l.Calls/2])
	l.P99 = milliseconds(l.latencies[min(l.Calls-1, l.Calls*99/100)])
	l.PerSecond = float64(l.Calls) / l.elapsed.Seconds()
	if l.processor > 0 {
		l.Processor = milliseconds(l.processor) / float64(l.Calls)
		l.PerCore = 1000 / l.Processor
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
