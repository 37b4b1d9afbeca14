package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The plots are SVG, drawn by hand: lines and rectangles, readable on any background.

const (
	width, height    = 860.0, 420.0
	left, right      = 70.0, 20.0
	top, bottom      = 50.0, 60.0
	plotW, plotH     = width - left - right, height - top - bottom
	ink, paper, grid = "#222", "#fff", "#ddd"
)

var colours = []string{"#1b6ca8", "#d1495b", "#66a182", "#edae49", "#7d5ba6", "#8d96a3"}

type canvas struct{ strings.Builder }

func newCanvas(title string) *canvas {
	c := &canvas{}
	c.addf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="13">`, width, height)
	c.addf(`<rect width="100%%" height="100%%" fill="%s"/>`, paper)
	c.text(left, 24, "start", title)
	return c
}

func (c *canvas) addf(format string, args ...any) { _, _ = fmt.Fprintf(c, format+"\n", args...) }

func (c *canvas) text(x, y float64, anchor, s string) {
	c.addf(`<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`, x, y, anchor, ink, html.EscapeString(s))
}

func (c *canvas) line(x1, y1, x2, y2 float64, colour string) {
	c.addf(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`, x1, y1, x2, y2, colour)
}

func (c *canvas) end() string {
	c.addf("</svg>")
	return c.String()
}

// bars draws p50 as bars and p99 as whiskers, on a logarithmic scale.
func bars(results []result) string {
	c := newCanvas("Latency of a call in ms: bar p50, whisker p99 (logarithmic)")
	low, high := math.Inf(1), 0.0
	groups := 0
	for _, r := range results {
		groups = max(groups, len(r.Levels))
		for _, l := range r.Levels {
			if l.P50 > 0 {
				low, high = min(low, l.P50), max(high, l.P99)
			}
		}
	}
	if groups == 0 || high == 0 {
		return c.end()
	}
	bottomDecade, topDecade := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	y := func(ms float64) float64 {
		return top + plotH*(1-(math.Log10(max(ms, low))-bottomDecade)/max(1, topDecade-bottomDecade))
	}
	for d := bottomDecade; d <= topDecade; d++ {
		at := y(math.Pow(10, d))
		if d == bottomDecade {
			at = top + plotH
		}
		c.line(left, at, width-right, at, grid)
		c.text(left-8, at+4, "end", fmt.Sprintf("%g", math.Pow(10, d)))
	}
	group := plotW / float64(groups)
	bar := group * 0.8 / float64(len(results))
	for i, r := range results {
		colour := colours[i%len(colours)]
		for k, l := range r.Levels {
			x := left + group*float64(k) + group*0.1 + bar*float64(i)
			if l.P50 > 0 {
				c.addf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, x, y(l.P50), bar*0.9, top+plotH-y(l.P50), colour)
				c.line(x+bar*0.45, y(l.P50), x+bar*0.45, y(l.P99), ink)
				c.line(x+bar*0.25, y(l.P99), x+bar*0.65, y(l.P99), ink)
			}
			if i == 0 {
				c.text(left+group*(float64(k)+0.5), top+plotH+20, "middle", fmt.Sprintf("%d at once", l.Concurrency))
			}
		}
		c.addf(`<rect x="%.1f" y="%.1f" width="12" height="12" fill="%s"/>`, left+float64(i)*plotW/float64(len(results)), height-22, colour)
		c.text(left+16+float64(i)*plotW/float64(len(results)), height-12, "start", r.Name)
	}
	return c.end()
}

// curve draws the processor time of a call over the number of observed resources, or its p50 where that is unknown.
func curve(results []result) string {
	c := newCanvas("Processor time of a call in ms over the number of observed resources")
	most, high := 0.0, 0.0
	value := func(r result) float64 {
		if len(r.Levels) == 0 {
			return 0
		}
		if r.Levels[0].Processor > 0 {
			return r.Levels[0].Processor
		}
		return r.Levels[0].P50
	}
	for _, r := range results {
		most, high = max(most, float64(r.Observed)), max(high, value(r))
	}
	if most == 0 || high == 0 {
		return c.end()
	}
	x := func(n float64) float64 { return left + plotW*n/most }
	y := func(ms float64) float64 { return top + plotH*(1-ms/(high*1.1)) }
	for i := range 5 {
		ms := high * 1.1 * float64(i) / 4
		c.line(left, y(ms), width-right, y(ms), grid)
		c.text(left-8, y(ms)+4, "end", figure(ms))
		n := most * float64(i) / 4
		c.text(x(n), top+plotH+20, "middle", fmt.Sprintf("%.0f", n))
	}
	for _, r := range results {
		c.addf(`<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`, x(float64(r.Observed)), y(value(r)), colours[0])
	}
	slope, offset := fit(results, value)
	c.line(x(0), y(offset), x(most), y(offset+slope*most), colours[1])
	c.text(left, height-12, "start", fmt.Sprintf("line: %.3f ms + %.4f ms for each resource", offset, slope))
	return c.end()
}

// fit is the straight line closest to the points.
func fit(results []result, value func(result) float64) (slope, offset float64) {
	n := float64(len(results))
	var sx, sy, sxx, sxy float64
	for _, r := range results {
		x, y := float64(r.Observed), value(r)
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if d := n*sxx - sx*sx; d != 0 {
		slope = (n*sxy - sx*sy) / d
	}
	return slope, (sy - slope*sx) / n
}
