package delivery

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the engine's figures. Register them with [Metrics.Collectors].
type Metrics struct {
	attempts  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	ended     *prometheus.CounterVec
	oldestDue prometheus.Gauge
	lost      prometheus.Counter
}

// NewMetrics makes the figures, unregistered.
func NewMetrics() *Metrics {
	return &Metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stagedoor_delivery_attempts_total", Help: "Attempts to deliver, by format and result.",
		}, []string{"format", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stagedoor_delivery_attempt_seconds", Help: "How long an attempt took, by format.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"format"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stagedoor_deliveries_total", Help: "Deliveries that have come to an end, by state.",
		}, []string{"state"}),
		oldestDue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stagedoor_delivery_oldest_due_seconds", Help: "For how long the oldest due delivery has been waiting.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stagedoor_delivery_unsettled_total", Help: "Outcomes that could not be written; the deliveries are made again when their leases end.",
		}),
	}
}

// Collectors returns the figures for a registry.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.attempts, m.duration, m.ended, m.oldestDue, m.lost}
}

func (m *Metrics) attempt(format string, ok bool, took time.Duration) {
	result := "failed"
	if ok {
		result = "delivered"
	}
	m.attempts.WithLabelValues(format, result).Inc()
	m.duration.WithLabelValues(format).Observe(took.Seconds())
}

func (m *Metrics) settled(state, n int) { m.ended.WithLabelValues(stateName(state)).Add(float64(n)) }
