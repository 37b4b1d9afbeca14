package plane

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// Metrics are samples in Prometheus' text format: the value by series, labels included.
type Metrics map[string]float64

// Sum adds the series of a metric whose labels contain all of these texts.
func (m Metrics) Sum(metric string, labels ...string) float64 {
	total := 0.0
series:
	for series, value := range m {
		name, rest, _ := strings.Cut(series, "{")
		if name != metric {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(rest, l) {
				continue series
			}
		}
		total += value
	}
	return total
}

// CrossplaneMetrics are Crossplane's own.
func (p *Plane) CrossplaneMetrics(ctx context.Context) (Metrics, error) {
	return scrape(ctx, fmt.Sprintf("http://127.0.0.1:%d/metrics", p.port.crossplaneMetrics))
}

func scrape(ctx context.Context, url string) (Metrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot read metrics: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot read metrics: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // Read to its end below.
	out := Metrics{}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if value, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			out[line[:at]] = value
		}
	}
	return out, lines.Err()
}

// Usage is what a process has used so far: CPU seconds, and the most memory it ever held, in MB.
type Usage struct{ CPU, PeakMB float64 }

// Usage of the process, from the kernel.
func (p *Process) Usage() Usage {
	var u Usage
	if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID())); err == nil {
		// The name in parentheses may contain spaces; utime and stime are the 12th and 13th field after it.
		if _, rest, ok := strings.Cut(string(raw), ") "); ok {
			if fields := strings.Fields(rest); len(fields) > 12 {
				user, _ := strconv.ParseFloat(fields[11], 64)
				system, _ := strconv.ParseFloat(fields[12], 64)
				u.CPU = (user + system) / 100
			}
		}
	}
	if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID())); err == nil {
		for line := range strings.Lines(string(raw)) {
			if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kb, _ := strconv.ParseFloat(strings.Fields(value)[0], 64)
				u.PeakMB = kb / 1024
			}
		}
	}
	return u
}
