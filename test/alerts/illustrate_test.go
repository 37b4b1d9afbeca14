package alerts

import (
	"flag"
	"fmt"
	"html"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/dashboard.svg")

const illustration = "../../docs/dashboard.svg"

// aDay is what the illustration shows: a failover in the morning, an archive that stalls in the afternoon.
func aDay() scenario {
	return scenario{
		length: 24 * hour, step: 2 * time.Minute,
		happens: func(c cluster, w world) {
			c.failover(w, 8*hour, 8*hour+5*time.Minute, 9*hour)
			w.after(14*hour, at(14*hour).then(16*hour, every(5*time.Minute)), "last_archived_time", `pod="orders-2"`)
			w.after(14*hour, func(t time.Duration) float64 { return (t - 14*hour).Minutes() / 5 }, `pod="orders-2",value="ready"`)
			w.after(16*hour, is(0), `pod="orders-2",value="ready"`)
		},
	}.defaults()
}

// TestIllustration draws the dashboard's own queries over a simulated day. It is an illustration of what the panels
// mean, not a picture of Grafana.
func TestIllustration(t *testing.T) {
	s := aDay()
	p, err := s.play(t, s.groups())
	if err != nil {
		t.Fatal(err)
	}
	const (
		unit  = 46 // pixels of one of Grafana's 24 columns
		row   = 26 // pixels of one of its rows
		frame = 6
	)
	var svg strings.Builder
	height := 0
	x, y, tall := 0, 0, 0
	for _, panel := range boardOf(t, s.cluster.target()).Panels {
		width, h := 12, 8
		if panel.Type == "stat" {
			width, h = 4, 4
		}
		if x+width > 24 {
			x, y = 0, y+tall
		}
		tall = h
		left, top := float64(x*unit+frame), float64(y*row+frame)
		w, tallness := float64(width*unit-2*frame), float64(h*row-2*frame)
		fmt.Fprintf(&svg, `<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="3" fill="#181b1f" stroke="#33363c"/>`+"\n", left, top, w, tallness)
		fmt.Fprintf(&svg, `<text x="%.0f" y="%.0f" fill="#d0d4db" font-size="12">%s</text>`+"\n", left+8, top+16, html.EscapeString(panel.Title))
		if panel.Type == "stat" {
			shown := "no data"
			if v := p.query(t, panel.Targets[0].Expr, s.length); len(v) > 0 {
				shown = human(v[0].F, panel.FieldConfig.Defaults.Unit)
			}
			fmt.Fprintf(&svg, `<text x="%.0f" y="%.0f" fill="#73bf69" font-size="24" text-anchor="middle">%s</text>`+"\n", left+w/2, top+60, html.EscapeString(shown))
		} else {
			var lines []line
			for _, q := range panel.Targets {
				lines = append(lines, linesOf(t, p, s, q.Expr, q.LegendFormat)...)
			}
			draw(&svg, lines, panel.FieldConfig.Defaults.Unit, left+52, top+26, w-62, tallness-72, left+8, top+tallness-24)
		}
		x += width
		height = max(height, (y+h)*row)
	}
	got := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif">`+"\n"+
		`<title>Illustration: the dashboard's queries over a simulated day, drawn from Prometheus' answers. Not a screenshot of Grafana.</title>`+"\n"+
		`<rect width="100%%" height="100%%" fill="#111217"/>`+"\n%s"+
		`<text x="8" y="%d" fill="#8e939b" font-size="11">Illustration: the dashboard's own queries, answered by Prometheus' engine over a simulated day (failover at 08:00, archive stalled 14:00 to 16:00). Not a screenshot.</text>`+"\n</svg>\n",
		24*unit, height+24, svg.String(), height+15)
	if *update {
		if err := os.WriteFile(illustration, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(illustration)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s does not show the dashboard as it is: go test -run TestIllustration -update", illustration)
	}
}

// line is one series of a panel.
type line struct {
	legend string
	points []float64 // NaN where there is nothing
}

func linesOf(t *testing.T, p played, s scenario, expr, legend string) (out []line) {
	t.Helper()
	all, err := p.queries(expr, s.length, s.step)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*line{}
	for i, vector := range all {
		for _, sample := range vector {
			name := legend
			for label, value := range sample.Metric.Map() {
				name = strings.ReplaceAll(name, "{{"+label+"}}", value)
			}
			if found[name] == nil {
				found[name] = &line{legend: name, points: slices.Repeat([]float64{math.NaN()}, len(all))}
			}
			found[name].points[i] = sample.F
		}
	}
	for _, l := range found {
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b line) int { return strings.Compare(a.legend, b.legend) })
	return out
}

var colours = []string{"#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#c0d8ff", "#fade2a", "#ff7383"}

func draw(svg *strings.Builder, lines []line, unit string, left, top, width, height, legendX, legendY float64) {
	most := 0.0
	for _, l := range lines {
		for _, v := range l.points {
			if !math.IsNaN(v) {
				most = max(most, v)
			}
		}
	}
	if most == 0 {
		most = 1
	}
	for _, share := range []float64{0, 0.5, 1} {
		y := top + height*(1-share)
		fmt.Fprintf(svg, `<line x1="%.0f" y1="%.1f" x2="%.0f" y2="%.1f" stroke="#2c3036"/><text x="%.0f" y="%.1f" fill="#8e939b" font-size="10" text-anchor="end">%s</text>`+"\n",
			left, y, left+width, y, left-4, y+3, human(most*share, unit))
	}
	for i, l := range lines {
		colour := colours[i%len(colours)]
		var points []string
		flush := func() {
			if len(points) > 0 {
				fmt.Fprintf(svg, `<polyline fill="none" stroke="%s" stroke-width="1.3" points="%s"/>`+"\n", colour, strings.Join(points, " "))
			}
			points = nil
		}
		for n, v := range l.points {
			// The inside of a straight line says nothing.
			inside := n > 0 && n+1 < len(l.points) && l.points[n-1] == v && l.points[n+1] == v
			switch {
			case math.IsNaN(v):
				flush()
			case !inside:
				points = append(points, fmt.Sprintf("%.1f,%.1f", left+width*float64(n)/float64(len(l.points)-1), top+height*(1-v/most)))
			}
		}
		flush()
		x, y := legendX+float64(i%3)*176, legendY+float64(i/3)*11
		fmt.Fprintf(svg, `<text x="%.0f" y="%.0f" fill="%s" font-size="9">%s</text>`+"\n", x, y-8, colour, html.EscapeString(l.legend))
	}
}

// human writes a value roughly as Grafana would.
func human(v float64, unit string) string {
	switch {
	case unit == "s" && v >= 172800:
		return strconv.FormatFloat(math.Round(v/8640)/10, 'f', -1, 64) + " days"
	case unit == "s" && v >= 7200:
		return strconv.FormatFloat(math.Round(v/360)/10, 'f', -1, 64) + " h"
	case unit == "s" && v >= 120:
		return strconv.FormatFloat(math.Round(v/6)/10, 'f', -1, 64) + " min"
	case unit == "s":
		return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) + " s"
	case unit == "percentunit":
		return strconv.FormatFloat(math.Round(v*1000)/10, 'f', -1, 64) + " %"
	case unit == "dateTimeAsLocal":
		return "day " + strconv.Itoa(int(v/86400000)) // The simulation starts on day 0.
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}
