package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/robfig/cron"
)

func TestParse(t *testing.T) {
	type want struct {
		Cron string
		Gap  time.Duration
		Runs int // a day, rounded
		Err  string
	}
	cases := map[string]struct {
		reason string
		text   string
		want   want
	}{
		"Contract":      {reason: "the specification's interval in CloudNativePG's form", text: "0 0 */6 * * *", want: want{Cron: "0 0 */6 * * *", Gap: 6 * time.Hour, Runs: 4}},
		"FiveFields":    {reason: "standard cron means six hours, not six minutes", text: "0 */6 * * *", want: want{Cron: "0 0 */6 * * *", Gap: 6 * time.Hour, Runs: 4}},
		"UnevenHours":   {reason: "*/5 leaves a shorter gap at midnight, not a longer one", text: "0 */5 * * *", want: want{Cron: "0 0 */5 * * *", Gap: 5 * time.Hour, Runs: 5}},
		"Descriptor":    {reason: "descriptors pass through", text: "@every 6h", want: want{Cron: "@every 6h", Gap: 6 * time.Hour, Runs: 4}},
		"Daily":         {reason: "daily is a gap of a day", text: "@daily", want: want{Cron: "@daily", Gap: 24 * time.Hour, Runs: 1}},
		"Weekdays":      {reason: "the weekend is the gap", text: "0 */6 * * 1-5", want: want{Cron: "0 0 */6 * * 1-5", Gap: 54 * time.Hour, Runs: 3}},
		"LeapDay":       {reason: "29 February comes every four years", text: "0 0 29 2 *", want: want{Cron: "0 0 0 29 2 *", Gap: 1461 * 24 * time.Hour}},
		"MonthEnd":      {reason: "the 31st skips short months", text: "0 */6 31 * *", want: want{Cron: "0 0 */6 31 * *", Gap: 60*24*time.Hour + 6*time.Hour}},
		"Ends":          {reason: "a leap day that is a Sunday or a Thursday comes in 2024 and not before 2032", text: "0 0 29 2 */4", want: want{Cron: "0 0 0 29 2 */4", Gap: 2922 * 24 * time.Hour}},
		"Never":         {reason: "30 February never comes", text: "0 0 30 2 *", want: want{Err: "it never fires"}},
		"EverySecond":   {reason: "the fastest there is", text: "* * * * * *", want: want{Cron: "* * * * * *", Gap: time.Second, Runs: 86400}},
		"Empty":         {reason: "nothing is no schedule", text: "  ", want: want{Err: "it is empty"}},
		"FourFields":    {reason: "too short", text: "0 0 * *", want: want{Err: "it has 4 fields, cron has five (minute first) or six (second first)"}},
		"OutOfRange":    {reason: "the parser's own words, in our tone", text: "0 25 * * *", want: want{Err: "it cannot be read: end of range (25) above maximum (23): 25"}},
		"TimeZone":      {reason: "CloudNativePG's clock is UTC", text: "TZ=Europe/Berlin 0 0 * * * *", want: want{Err: "it has 7 fields, cron has five (minute first) or six (second first)"}},
		"TimeZoneSix":   {reason: "a time zone may not pass as a field", text: "TZ=UTC 0 0 * * *", want: want{Err: "it names a time zone; schedules are in UTC"}},
		"BadDescriptor": {reason: "unknown words are told", text: "@sometimes", want: want{Err: "it cannot be read: unrecognized descriptor: @sometimes"}},
		"EveryNothing":  {reason: "a missing duration", text: "@every", want: want{Err: "it cannot be read: unrecognized descriptor: @every"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(tc.text)
			got := want{Cron: s.Cron, Gap: s.MaxGap(), Runs: int(s.RunsPerDay() + 0.5)}
			if err != nil {
				got.Err = err.Error()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestParseCNPGReadsFiveFieldsSecondsFirst(t *testing.T) {
	s, err := ParseCNPG("0 */6 * * *")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.RunsPerDay(); got < 239 || got > 241 {
		t.Errorf("the specification's schedule fires %v times a day in CloudNativePG, want 240", got)
	}
}

func TestDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"6 hours": 6 * time.Hour, "1 day": 24 * time.Hour, "54 hours": 0, "6 minutes": 6 * time.Minute, "1 second": time.Second, "30 hours": 30 * time.Hour,
	} {
		if d == 0 {
			want, d = "54 hours", 54*time.Hour
		}
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
}

// TestMeasure holds the figures against the parser's own clock, stepped through run by run.
func TestMeasure(t *testing.T) {
	for _, text := range []string{
		"0 0 */6 * * *", "0 0 */5 * * *", "0 7,9,50 3 * * *", "30 15 2,14 * * *", "0 0 0 1 * *", "0 0 4 31 * *", "0 0 0 29 2 *", "0 0 12 29 2 */2",
		"0 0 0 13 * 5", "0 0 1 * * 1-5", "0 0 1 */10 * *", "0 0 1 * 2,11 6", "0 0 1 */2 * 1", "*/20 */59 23 * 1 *", "59 59 23 31 12 *", "0 0 0 1 1 *",
	} {
		parsed, err := cron.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var wantGap time.Duration
		wantRuns := 0
		for last := parsed.Next(windowStart.Add(-time.Second)); last.Before(windowEnd); wantRuns++ {
			next := parsed.Next(last)
			if next.IsZero() {
				t.Fatalf("%s stops firing", text)
			}
			wantGap, last = max(wantGap, next.Sub(last)), next
		}
		s, err := ParseCNPG(text)
		if err != nil {
			t.Fatal(err)
		}
		if s.runs != wantRuns || s.maxGap != wantGap {
			t.Errorf("%s: %d runs, at most %s apart; the parser's clock says %d and %s", text, s.runs, s.maxGap, wantRuns, wantGap)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := parse("0 0 */6 * * *"); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzParse says that a schedule that is accepted fires, and never later than it says: the parser's own clock, stepped
// through run by run, is the judge.
func FuzzParse(f *testing.F) {
	for i, text := range []string{
		"0 0 */6 * * *", "0 */6 * * *", "@every 6h", "TZ=UTC", "@every -1h", "1-0 * * * *", "*/0 * * * * *", "? ? ? ? ? ?",
		"* * 1-22 * * *", "0 0 4 31 * *", "0 0 0 29 2 *", "0 7,50 3 * 2,11 6", "*/20 */59 23 * 1 1-5", "0 0 0 13 */5 5", "0 0 0,20 * * *",
	} {
		f.Add(text, uint32(i)*20_000_000)
	}
	f.Fuzz(func(t *testing.T, text string, seconds uint32) {
		if len(text) > 100 {
			return // The API's own bound.
		}
		s, err := Parse(text)
		if err != nil {
			return
		}
		if s.MaxGap() <= 0 || s.RunsPerDay() <= 0 {
			t.Errorf("Parse(%q): a schedule without a gap or without runs: %+v", text, s)
		}
		clock, err := cron.Parse(s.Cron)
		if err != nil {
			t.Fatal(err)
		}
		// From any moment, and from where a day and a month end: there the longest gaps are.
		start := windowStart.Add(time.Duration(seconds) * time.Second % windowEnd.Sub(windowStart))
		month := time.Date(start.Year(), start.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		for _, from := range []time.Time{start, start.Truncate(24 * time.Hour).Add(24*time.Hour - 2*time.Minute), month.Add(-2 * time.Minute)} {
			last := clock.Next(from)
			for range 200 {
				next := clock.Next(last)
				if last.IsZero() || next.IsZero() || !last.Before(windowEnd) {
					break // The parser looks five years ahead.
				}
				if gap := next.Sub(last); gap > s.MaxGap() {
					t.Fatalf("Parse(%q): at most %s, and nothing happens between %s and %s", text, s.MaxGap(), last, next)
				}
				last = next
			}
		}
	})
}
