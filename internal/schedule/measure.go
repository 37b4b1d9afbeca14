package schedule

import (
	"math/bits"
	"time"

	"github.com/robfig/cron"
)

// The window a schedule is measured over: eight years from a leap day on, so that every combination of month, day of
// month and weekday that can occur does. Gaps across month ends and around 29 February are then real ones.
var (
	windowStart = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)
	windowEnd   = windowStart.AddDate(8, 0, 0)
)

// lookAhead is how far behind the window the next run is looked for: the parser itself gives up after five years.
const lookAhead = 5

// measure counts the runs in the window, and finds the longest time between two of them: the one across the window's end
// included. It goes through months, not through runs, of which there may be millions.
func measure(s *cron.SpecSchedule) (runs int, maxGap time.Duration) {
	day := every(s.Hour, time.Hour, every(s.Minute, time.Minute, every(s.Second, time.Second, pattern{runs: 1})))
	var last time.Time
	end := windowEnd.AddDate(lookAhead, 0, 0)
	for start := windowStart; start.Before(end); start = start.AddDate(0, 1, 0) {
		month := every(firesOn(s, start), 24*time.Hour, day)
		if month.runs == 0 {
			continue
		}
		if !last.IsZero() {
			maxGap = max(maxGap, start.Add(month.first).Sub(last))
		}
		if !start.Before(windowEnd) {
			return runs, maxGap
		}
		runs += month.runs
		maxGap = max(maxGap, month.gap)
		last = start.Add(month.last)
	}
	if runs == 0 {
		return 0, 0
	}
	return runs, max(maxGap, end.Sub(last)) // It stops firing.
}

// pattern is when something happens within a minute, an hour or a day.
type pattern struct {
	// first and last are counted from its start, gap is the longest time between two.
	first, last, gap time.Duration
	runs             int
}

// every repeats a pattern in each of the given units: that of a minute in the minutes of an hour, for instance.
func every(units uint64, unit time.Duration, inner pattern) pattern {
	units &^= starBit
	if units == 0 || inner.runs == 0 {
		return pattern{}
	}
	out := pattern{
		first: time.Duration(bits.TrailingZeros64(units))*unit + inner.first,
		last:  time.Duration(bits.Len64(units)-1)*unit + inner.last,
		gap:   inner.gap,
		runs:  bits.OnesCount64(units) * inner.runs,
	}
	idle := unit - (inner.last - inner.first) // From the last of one unit to the first of the next.
	for rest := units; rest&(rest-1) != 0; {
		at := bits.TrailingZeros64(rest)
		rest &= rest - 1
		out.gap = max(out.gap, time.Duration(bits.TrailingZeros64(rest)-at-1)*unit+idle)
	}
	return out
}

// starBit is the parser's mark of a field that was written with a star.
const starBit = 1 << 63

// firesOn returns the days of a month a schedule fires on: bit 0 is the first. Cron's old rule: a day of the month and a
// weekday that are both restricted are alternatives.
func firesOn(s *cron.SpecSchedule, start time.Time) uint64 {
	if s.Month&(1<<start.Month()) == 0 {
		return 0
	}
	dates := (s.Dom &^ starBit) >> 1
	weekdays := ((s.Dow &^ starBit) * everySeventh) >> start.Weekday()
	length := start.AddDate(0, 1, -1).Day()
	all := uint64(1)<<length - 1
	if (s.Dom|s.Dow)&starBit != 0 {
		return dates & weekdays & all
	}
	return (dates | weekdays) & all
}

// everySeventh repeats the seven bits of a week through the longest month, whatever weekday it begins on.
const everySeventh = 1 | 1<<7 | 1<<14 | 1<<21 | 1<<28 | 1<<35
