package contract

import (
	"math"
	"strconv"
	"strings"
)

// suffixes of Kubernetes quantities, as far as the API lets them through, and what they multiply by.
var suffixes = []struct {
	suffix string
	factor float64
}{
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40},
	{"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"m", 1e-3}, {"", 1},
}

// quantity reads a Kubernetes quantity of CPU or memory.
func quantity(written string) (float64, bool) {
	for _, s := range suffixes {
		if digits, ok := strings.CutSuffix(written, s.suffix); ok {
			n, err := strconv.ParseFloat(digits, 64)
			if err != nil || n < 0 || math.IsInf(n, 0) || math.IsNaN(n) {
				return 0, false
			}
			return n * s.factor, true
		}
	}
	return 0, false
}

// postgresBytes reads a PostgreSQL memory setting whose unit, where none is given, is so many bytes.
func postgresBytes(value string, unit float64) (float64, bool) {
	value = strings.TrimSpace(strings.Trim(strings.TrimSpace(value), "'"))
	cut := strings.IndexFunc(value, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if cut >= 0 {
		var known bool
		if unit, known = postgresMemory[strings.TrimSpace(value[cut:])]; !known {
			return 0, false
		}
		value = value[:cut]
	}
	n, err := strconv.ParseFloat(value, 64)
	return n * unit, err == nil
}

var postgresMemory = map[string]float64{"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
