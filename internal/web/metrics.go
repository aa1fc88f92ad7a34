package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what the server counts, by route pattern: paths themselves would make as many series as there are things.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newMetrics(registry *prometheus.Registry) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stagedoor_http_requests_total",
			Help: "Requests answered, by route and status.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "stagedoor_http_request_seconds",
			Help:    "Time from a request's head to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"method", "route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stagedoor_http_requests_in_flight",
			Help: "Requests being handled now.",
		}),
	}
	m.requests = register(registry, m.requests)
	m.seconds = register(registry, m.seconds)
	m.inFlight = register(registry, m.inFlight)
	return m
}

// register registers c, or returns what was registered under its name before.
func register[C prometheus.Collector](registry *prometheus.Registry, c C) C {
	if err := registry.Register(c); err != nil {
		var before prometheus.AlreadyRegisteredError
		if errors.As(err, &before) {
			return before.ExistingCollector.(C)
		}
		panic(err) // a name that is taken by something else: our own mistake
	}
	return c
}

func (m *metrics) count(r *http.Request, status int, took time.Duration) {
	route, method := r.Pattern, r.Method
	if route == "" {
		route = "none"
	}
	if !known[method] {
		method = "other" // a stranger chooses it
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(took.Seconds())
}

var known = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodPost: true, http.MethodPut: true, http.MethodPatch: true,
	http.MethodDelete: true, http.MethodOptions: true,
}

func (s *Server) metricsPage() http.Handler {
	return promhttp.HandlerFor(s.config.Metrics, promhttp.HandlerOpts{Registry: s.config.Metrics})
}
