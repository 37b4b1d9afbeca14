package alerts

import (
	"context"
	"math"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	staleness "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// memory is the storage under Prometheus' engine: what is scraped is computed from the world when it is asked for, what
// rules record is kept. A database on disk would take most of the tests' time.
type memory struct {
	step   time.Duration
	byName map[string][]*series

	mu       sync.Mutex
	recorded map[uint64]*series
}

// series is one series: scraped, or recorded.
type series struct {
	labels labels.Labels
	value  value
	at     []int64
	v      []float64
}

func newMemory(w world, step time.Duration) (*memory, error) {
	m := &memory{step: step, byName: map[string][]*series{}, recorded: map[uint64]*series{}}
	for _, name := range w.names() {
		l, err := parser.ParseMetric(name)
		if err != nil {
			return nil, err
		}
		m.add(&series{labels: l, value: w[name]})
	}
	return m, nil
}

func (m *memory) add(s *series) {
	name := s.labels.Get(labels.MetricName)
	m.byName[name] = append(m.byName[name], s)
}

// Querier implements storage.Queryable.
func (m *memory) Querier(mint, maxt int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		m.mu.Lock()
		defer m.mu.Unlock()
		set := &seriesSet{next: -1, step: m.step.Milliseconds(), mint: mint, maxt: maxt}
		for _, s := range m.candidates(matchers) {
			if !slices.ContainsFunc(matchers, func(l *labels.Matcher) bool { return !l.Matches(s.labels.Get(l.Name)) }) {
				set.series = append(set.series, s)
			}
		}
		return set
	}}, nil
}

func (m *memory) candidates(matchers []*labels.Matcher) []*series {
	for _, l := range matchers {
		if l.Name == labels.MetricName && l.Type == labels.MatchEqual {
			return m.byName[l.Value]
		}
	}
	var all []*series
	for _, s := range m.byName {
		all = append(all, s...)
	}
	return all
}

// Appender implements storage.Appendable.
func (m *memory) Appender(context.Context) storage.Appender { return appender{memory: m} }

// appender keeps what rules record. What it embeds stays nil: rules append floats and nothing else.
type appender struct {
	storage.Appender
	memory *memory
}

func (a appender) Append(_ storage.SeriesRef, l labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	m := a.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.recorded[l.Hash()]
	if s == nil {
		s = &series{labels: l}
		m.recorded[l.Hash()] = s
		m.add(s)
	}
	s.at, s.v = append(s.at, t), append(s.v, v)
	return 0, nil
}

func (appender) Commit() error                     { return nil }
func (appender) Rollback() error                   { return nil }
func (appender) SetOptions(*storage.AppendOptions) {}

type seriesSet struct {
	series           []*series
	next             int
	step, mint, maxt int64
}

func (s *seriesSet) Next() bool {
	s.next++
	return s.next < len(s.series)
}

func (s *seriesSet) At() storage.Series {
	one := s.series[s.next]
	return storage.NewListSeries(one.labels, one.samples(s.mint, s.maxt, s.step))
}
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// samples are those from mint to maxt. A scraped series that is gone ends with one staleness marker, as in Prometheus.
func (s *series) samples(mint, maxt, step int64) (out []chunks.Sample) {
	if s.value == nil {
		for i := sort.Search(len(s.at), func(i int) bool { return s.at[i] >= mint }); i < len(s.at) && s.at[i] <= maxt; i++ {
			out = append(out, sample{s.at[i], s.v[i]})
		}
		return out
	}
	read := func(t int64) float64 { return s.value(time.Duration(t) * time.Millisecond) }
	first := (max(mint, 0) + step - 1) / step * step
	there := first > 0 && !math.IsNaN(read(first-step))
	for t := first; t <= maxt; t += step {
		v := read(t)
		if is := !math.IsNaN(v); is || there {
			if !is {
				v = math.Float64frombits(staleness.StaleNaN)
			}
			out = append(out, sample{t, v})
			there = is
		}
	}
	return out
}

// sample is one float at one time.
type sample struct {
	t int64
	f float64
}

func (s sample) T() int64                    { return s.t }
func (s sample) F() float64                  { return s.f }
func (sample) H() *histogram.Histogram       { return nil }
func (sample) FH() *histogram.FloatHistogram { return nil }
func (sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample         { return s }
