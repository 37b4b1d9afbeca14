// Package schedule answers when base backups run, and how long one can be missing at most (CNPG-3.1).
//
// The parser is the one CloudNativePG uses, so a schedule means here what it means there. CloudNativePG reads six
// fields, seconds first; people write five. A five-field schedule is translated on input, what is emitted always has
// six.
package schedule

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron"
)

// Schedule is a schedule that fires, with the figures the contract judges.
type Schedule struct {
	// Cron is the schedule as CloudNativePG reads it: six fields, or a descriptor like "@every 6h".
	Cron string
	// maxGap and runs are measured over the window.
	maxGap time.Duration
	runs   int
}

// Parse reads what a person wrote: standard cron with five fields, CloudNativePG's six, or a descriptor (@daily,
// @every 6h). Times are UTC.
func Parse(text string) (Schedule, error) {
	fields := strings.Fields(text)
	switch {
	case len(fields) == 0:
		return Schedule{}, errors.New("it is empty")
	case strings.HasPrefix(fields[0], "@"):
	case len(fields) == 5:
		fields = append([]string{"0"}, fields...)
	case len(fields) != 6:
		return Schedule{}, fmt.Errorf("it has %d fields, cron has five (minute first) or six (second first)", len(fields))
	}
	return ParseCNPG(strings.Join(fields, " "))
}

// known remembers schedules: a control plane has a handful of them, and asks for them several times in every call.
var known = struct {
	sync.Mutex
	schedules map[string]Schedule
}{schedules: map[string]Schedule{}}

// maxKnown bounds the memory.
const maxKnown = 1024

// ParseCNPG reads a schedule exactly as CloudNativePG does: five fields are seconds to month there.
func ParseCNPG(text string) (Schedule, error) {
	known.Lock()
	defer known.Unlock()
	if s, ok := known.schedules[text]; ok {
		return s, nil
	}
	s, err := parse(text)
	if err != nil {
		return Schedule{}, err
	}
	if len(known.schedules) >= maxKnown {
		clear(known.schedules)
	}
	known.schedules[text] = s
	return s, nil
}

func parse(text string) (s Schedule, err error) {
	defer func() {
		// The parser panics on some malformed input ("TZ=UTC" alone).
		if r := recover(); r != nil {
			s, err = Schedule{}, errors.New("it cannot be read")
		}
	}()
	if strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ=") {
		return Schedule{}, errors.New("it names a time zone; schedules are in UTC")
	}
	parsed, err := cron.Parse(text)
	if err != nil {
		return Schedule{}, fmt.Errorf("it cannot be read: %s", strings.TrimSuffix(strings.ToLower(err.Error()[:1])+err.Error()[1:], "."))
	}
	s = Schedule{Cron: text}
	switch parsed := parsed.(type) {
	case cron.ConstantDelaySchedule:
		s.maxGap = parsed.Delay
		s.runs = int(windowEnd.Sub(windowStart) / parsed.Delay)
	case *cron.SpecSchedule:
		s.runs, s.maxGap = measure(parsed)
	}
	if s.runs == 0 {
		return Schedule{}, errors.New("it never fires")
	}
	return s, nil
}

// MaxGap is the longest time between two runs.
func (s Schedule) MaxGap() time.Duration { return s.maxGap }

// RunsPerDay is the mean number of runs a day.
func (s Schedule) RunsPerDay() float64 {
	return float64(s.runs) / (windowEnd.Sub(windowStart).Hours() / 24)
}

// Duration tells a duration the way people do: "6 hours", "2 days", "45 seconds".
func Duration(d time.Duration) string {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if d >= unit.size {
			n := d / unit.size
			if d%unit.size != 0 && unit.size > time.Minute && n < 3 {
				continue
			}
			return plural(int64(n), unit.name)
		}
	}
	return plural(int64(d/time.Second), "second")
}

func plural(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
