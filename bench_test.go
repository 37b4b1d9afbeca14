//go:build unix

package main

import (
	"context"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/protobuf/proto"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
)

// BenchmarkCall measures one call the way it arrives and leaves, as bytes, against the floor no function can go below:
// decoding the same request and encoding the same response. What is measured is the processor time of the process,
// garbage collection included; floor and call alternate in one run, so that a busy machine is busy for both. Only the
// ratios are worth quoting:
//
//	go test -run '^$' -bench Call -cpu 1 .
//
// x-floor is the ratio of times (median over blocks), x-allocs that of allocations. docs/performance.md has figures.
func BenchmarkCall(b *testing.B) {
	for _, bm := range []struct {
		name string
		req  *fnv1.RunFunctionRequest
	}{
		{"Steady/Claim", steadyState(b, "example/claim.yaml", claim.ClusterScoped)},
		{"Steady/Namespaced", steadyState(b, "example/claim.yaml", claim.Namespaced)},
		{"Steady/Full", steadyState(b, "example/claim-full.yaml", claim.ClusterScoped)},
		{"First/Claim", firstCall(b, "example/claim.yaml", claim.ClusterScoped)},
		{"First/Namespaced", firstCall(b, "example/claim.yaml", claim.Namespaced)},
	} {
		b.Run(bm.name, func(b *testing.B) { benchmarkCall(b, bm.req) })
	}
}

// floorAndCall are what is compared: one call from bytes to bytes, and its floor.
func floorAndCall(tb testing.TB, req *fnv1.RunFunctionRequest) (floor, call func(), in []byte, rsp *fnv1.RunFunctionResponse) {
	tb.Helper()
	in, err := proto.Marshal(req)
	if err != nil {
		tb.Fatal(err)
	}
	f := function()
	var out *fnv1.RunFunctionResponse
	call = func() {
		req := &fnv1.RunFunctionRequest{}
		if err := proto.Unmarshal(in, req); err != nil {
			tb.Fatal(err)
		}
		if out, err = f.RunFunction(context.Background(), req); err != nil {
			tb.Fatal(err)
		}
		if _, err := proto.Marshal(out); err != nil {
			tb.Fatal(err)
		}
	}
	call()
	if text, fatal := fatalOf(out); fatal {
		tb.Fatalf("refused: %s", text)
	}
	rsp = out
	floor = func() {
		req := &fnv1.RunFunctionRequest{}
		if err := proto.Unmarshal(in, req); err != nil {
			tb.Fatal(err)
		}
		if _, err := proto.Marshal(rsp); err != nil {
			tb.Fatal(err)
		}
	}
	return floor, call, in, rsp
}

func benchmarkCall(b *testing.B, req *fnv1.RunFunctionRequest) {
	b.Helper()
	floor, call, in, rsp := floorAndCall(b, req)
	const runs = 20
	floorAllocs, callAllocs := testing.AllocsPerRun(runs, floor), testing.AllocsPerRun(runs, call)
	var floors, calls []time.Duration
	for b.Loop() {
		floors = append(floors, cost(b, floor))
		calls = append(calls, cost(b, call))
	}
	b.ReportMetric(float64(median(calls))/float64(median(floors)), "x-floor")
	b.ReportMetric(callAllocs/floorAllocs, "x-allocs")
	b.ReportMetric(float64(median(floors).Microseconds()), "floor-µs")
	b.ReportMetric(float64(median(calls).Microseconds()), "call-µs")
	b.ReportMetric(floorAllocs, "floor-allocs")
	b.ReportMetric(callAllocs, "call-allocs")
	b.ReportMetric(float64(len(in))/1024, "request-KiB")
	b.ReportMetric(float64(proto.Size(rsp))/1024, "response-KiB")
	b.ReportMetric(float64(len(rsp.GetDesired().GetResources())), "resources")
	b.ReportMetric(0, "ns/op") // Of both together, which means nothing.
}

// block is long enough for the garbage collector to have its share in each.
const block = 16

// cost is the processor time of one run of f, averaged over a block.
func cost(b *testing.B, f func()) time.Duration {
	b.Helper()
	start := processorTime(b)
	for range block {
		f()
	}
	return (processorTime(b) - start) / block
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkScale shows what one more observed resource costs: the figure per resource must not grow with their number.
func BenchmarkScale(b *testing.B) {
	steady := steadyState(b, "example/claim.yaml", claim.ClusterScoped)
	for _, n := range []int{0, 50, 100, 200} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchmarkCall(b, grown(b, steady, n)) })
	}
}

// TestSteadyCallAllocates holds a call in the steady state to one and a half times the allocations of its floor, which no
// other load on the machine changes.
func TestSteadyCallAllocates(t *testing.T) {
	for _, file := range []string{"example/claim.yaml", "example/claim-full.yaml"} {
		for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
			floor, call, _, _ := floorAndCall(t, steadyState(t, file, scope))
			if least, n := testing.AllocsPerRun(5, floor), testing.AllocsPerRun(5, call); n > 1.5*least {
				t.Errorf("%s, %v: %.0f allocations, %.2f times the floor's, at most 1.5 times are promised", file, scope, n, n/least)
			}
		}
	}
}

// TestCostGrowsLinearly holds what BenchmarkScale shows, by allocations too, and the same of a claim's settings.
func TestCostGrowsLinearly(t *testing.T) {
	steady := steadyState(t, "example/claim.yaml", claim.ClusterScoped)
	for what, request := range map[string]func(n int) *fnv1.RunFunctionRequest{
		"resource": func(n int) *fnv1.RunFunctionRequest { return grown(t, steady, n) },
		"setting": func(n int) *fnv1.RunFunctionRequest {
			req := grown(t, steady, 0)
			parameters(n, 8)(req)
			return req
		},
	} {
		allocs := func(n int) float64 {
			raw, err := proto.Marshal(request(n))
			if err != nil {
				t.Fatal(err)
			}
			f := function()
			return testing.AllocsPerRun(1, func() {
				req := &fnv1.RunFunctionRequest{}
				if err := proto.Unmarshal(raw, req); err != nil {
					t.Fatal(err)
				}
				if rsp, err := f.RunFunction(context.Background(), req); err != nil || len(rsp.GetDesired().GetResources()) == 0 {
					t.Fatalf("no answer: %v, %v", rsp.GetResults(), err)
				}
			})
		}
		none, some, many := allocs(0), allocs(50), allocs(200)
		first, next := (some-none)/50, (many-some)/150
		if next > 1.1*first {
			t.Errorf("one more %s costs %.0f allocations up to 50 of them, and %.0f up to 200", what, first, next)
		}
	}
}
