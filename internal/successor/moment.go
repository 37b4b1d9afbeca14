package successor

import (
	"fmt"
	"strings"
	"time"
)

// layouts are the ways a moment with a time zone is written: as in a claim, as psql prints it, and as people shorten both.
var layouts = []string{"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04Z07:00", "2006-01-02 15:04Z0700", "2006-01-02 15:04Z07"}

// Moment reads a time as people come by it: from a claim, from psql ("2026-11-20 10:00:00.5+00"), or from PostgreSQL's log
// ("2026-11-20 10:00:00.512 UTC"). Without a time zone it is none; and the short names of all zones but UTC mean
// different hours in different places.
func Moment(text string) (time.Time, bool) {
	text = strings.ToUpper(strings.TrimSpace(text))
	if len(text) > len(time.DateOnly) && text[len(time.DateOnly)] == 'T' {
		text = strings.Replace(text, "T", " ", 1)
	}
	for _, utc := range []string{"UTC", "GMT"} {
		if at, ok := strings.CutSuffix(text, utc); ok {
			text = strings.TrimSpace(at) + "Z"
		}
	}
	for _, sign := range []string{" +", " -"} {
		text = strings.Replace(text, sign, sign[1:], 1)
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// utc is a moment as a claim says it, as exact as PostgreSQL's own clock.
func utc(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }

// ago says how long ago a moment was, roughly: a wrong hour or a wrong time zone shows in it. "" where it has not been.
func ago(t, now time.Time) string {
	const day = 24 * time.Hour
	d := now.Sub(t)
	switch {
	case now.IsZero() || d < 0:
		return ""
	case d >= 2*day:
		return fmt.Sprintf("%d days ago", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min ago", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d min ago", d/time.Minute)
}
