package schema

import (
	"strings"
	"unicode/utf8"
)

// Nearest returns the name that a mistyped one most likely meant, or "".
func Nearest(name string, known []string) string {
	best, bestDistance := "", 3
	if utf8.RuneCountInString(name) > 64 {
		return ""
	}
	for _, candidate := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two short strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := previous
			if a[i] != b[j] {
				cost++
			}
			previous = row[j+1]
			row[j+1] = min(cost, previous+1, row[j]+1)
		}
	}
	return row[len(b)]
}
