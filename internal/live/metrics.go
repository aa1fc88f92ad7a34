package live

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what the streams count.
type Metrics struct {
	readers *prometheus.GaugeVec
	lag     *prometheus.HistogramVec
	ended   *prometheus.CounterVec
}

// NewMetrics makes them. They are registered by whoever owns the registry: see [Metrics.Collectors].
func NewMetrics() *Metrics {
	return &Metrics{
		readers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stagedoor_stream_readers", Help: "Streams that are open, by what they are of.",
		}, []string{"of"}),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "stagedoor_stream_lag_seconds",
			Help:    "From the instant of an entry's transaction until it is there for the readers of streams, by log.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"log"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stagedoor_streams_ended_total", Help: "Streams that the server has ended, by why.",
		}, []string{"why"}),
	}
}

// Collectors are what is to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.readers, m.lag, m.ended}
}

// reading counts a reader until it has gone.
func (m *Metrics) reading(of string) (gone func()) {
	g := m.readers.WithLabelValues(of)
	g.Inc()
	return g.Dec
}
