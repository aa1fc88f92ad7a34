package hookbridge

import (
	"context"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

const (
	logsPath       = "/v1/pull-logs"
	metricsPath    = "/v1/pull-metrics"
	seriesPath     = metricsPath + "/timeseries"
	rejectionsPath = "/v1/inbound-rejections"
)

func (a *API) recordRoutes(mux *http.ServeMux) {
	get(a, mux, route{"GET", logsPath, 200}, a.logs)
	get(a, mux, route{"GET", metricsPath, 200}, a.metrics)
	get(a, mux, route{"GET", seriesPath, 200}, a.series)
	get(a, mux, route{"GET", rejectionsPath, 200}, a.rejections)
}

type logJSON struct {
	EventID      string     `json:"event_id"`
	EndpointID   string     `json:"pull_endpoint_id"`
	EndpointName string     `json:"endpoint_name"`
	EventType    *string    `json:"event_type"`
	Status       string     `json:"status"`
	SizeBytes    int64      `json:"size_bytes"`
	ReceivedAt   string     `json:"received_at"`
	FetchedAt    *string    `json:"fetched_at"`
	DeliveredAt  *string    `json:"delivered_at"`
	DeletedAt    *string    `json:"deleted_at,omitempty"`
	Timing       timingJSON `json:"timing"`
}

// endpoint reads a filter that names an endpoint; "" for all.
func (q *query) endpoint(name string) id.PullEndpoint {
	s := q.text(name)
	if s == "" {
		return ""
	}
	i, err := endpointID(s, "query", name)
	if p := problem.As(err); p != nil && p.Kind == problem.Invalid {
		q.faults = append(q.faults, p.Fields...)
	} else if err != nil {
		return id.PullEndpoint(s) // which nobody has
	}
	return i
}

// newest reads in which order a list is wanted.
func (q *query) newest() bool { return q.one("order", "asc", "asc", "desc") == "desc" }

// named makes what is not found of an endpoint that a parameter names what the specification calls it.
func named(err error) error {
	if problem.Is(err, "pull_endpoint_not_found") {
		return problem.New(problem.Invalid, endpointNotFound, "There is no such pull endpoint here.")
	}
	return err
}

func (a *API) logs(ctx context.Context, c *call) (answer, error) {
	q := c.query()
	f := pull.LogFilter{Endpoint: q.endpoint("pull_endpoint_id"), Filter: q.filter(""), Newest: q.newest()}
	f.Since, f.Before = q.instant("start_time"), q.instant("end_time")
	limit := q.number("limit", 50, 1, 500)
	after := q.cursor(logsPath)
	if err := q.faults.Err(); err != nil {
		return answer{}, err
	}
	all, more, err := a.Depot.Logs(a.DB.Read(ctx), c.whose(), f, pull.Cursor{At: after.at, No: after.no}, limit)
	if err != nil {
		return answer{}, named(err)
	}
	list := make([]logJSON, len(all))
	for i, l := range all {
		e := showEvent(l.Event)
		list[i] = logJSON{
			e.ID, string(l.EndpointID), l.EndpointName, e.EventType, e.Status, e.SizeBytes, e.ReceivedAt, e.FetchedAt, e.DeliveredAt, instantOrNil(l.DeletedAt), e.Timing,
		}
		after = place{l.Cursor().At, l.Cursor().No}
	}
	return answer{data: list, page: q.after(logsPath, after, more)}, nil
}

type metricsJSON struct {
	Window       string  `json:"window"`
	Total        int64   `json:"total_messages"`
	Succeeded    int64   `json:"succeeded"`
	Failed       int64   `json:"failed"`  // 0: nothing is sent that could fail
	Retries      int64   `json:"retries"` // likewise
	SuccessRate  float64 `json:"success_rate"`
	AvgLatency   int64   `json:"avg_latency_ms"`
	AvgDelivery  int64   `json:"avg_total_delivery_ms"`
	AvgQueueWait int64   `json:"avg_queue_wait_ms"`
	Stored       int64   `json:"stored"`
	Fetched      int64   `json:"fetched"`
}

// measured reads which window of which endpoint is wanted; nil for all of them.
func (a *API) measured(q db.Querier, c *call, usual string) (pull.Window, *pull.Endpoint, error) {
	params := c.query()
	window := params.one("window", usual, string(pull.Hour), string(pull.Day), string(pull.Week), string(pull.Month))
	i := params.endpoint("pull_endpoint_id")
	if err := params.faults.Err(); err != nil || i == "" {
		return pull.Window(window), nil, err
	}
	e, err := a.Depot.Get(q, c.whose(), i)
	return pull.Window(window), e, named(err)
}

func (a *API) metrics(ctx context.Context, c *call) (answer, error) {
	q := a.DB.Read(ctx)
	window, only, err := a.measured(q, c, string(pull.Day))
	if err != nil {
		return answer{}, err
	}
	m, err := a.Depot.Metrics(q, c.whose(), window, only)
	if err != nil {
		return answer{}, err
	}
	j := metricsJSON{
		Window: string(window), Total: m.Total(), Succeeded: m.Delivered, AvgLatency: m.Latency.Milliseconds(), AvgDelivery: m.Latency.Milliseconds(),
		AvgQueueWait: m.Wait.Milliseconds(), Stored: m.Stored, Fetched: m.Fetched,
	}
	if j.Total > 0 {
		j.SuccessRate = float64(j.Succeeded) / float64(j.Total)
	}
	return answer{data: j}, nil
}

type seriesJSON struct {
	Window  string       `json:"window"`
	Buckets []bucketJSON `json:"buckets"`
}

type bucketJSON struct {
	Timestamp string `json:"timestamp"`
	Succeeded int64  `json:"succeeded"`
	Stored    int64  `json:"stored"`
	Fetched   int64  `json:"fetched"`
	Total     int64  `json:"total"`
}

func (a *API) series(ctx context.Context, c *call) (answer, error) {
	q := a.DB.Read(ctx)
	window, only, err := a.measured(q, c, string(pull.Day))
	if err != nil {
		return answer{}, err
	}
	all, err := a.Depot.Series(q, c.whose(), window, only)
	if err != nil {
		return answer{}, err
	}
	j := seriesJSON{string(window), make([]bucketJSON, len(all))}
	for i, b := range all {
		j.Buckets[i] = bucketJSON{instant(b.Start), b.Delivered, b.Stored, b.Fetched, b.Total()}
	}
	return answer{data: j}, nil
}

type rejectionJSON struct {
	ID                string `json:"id"`
	ReasonCode        string `json:"reason_code"`
	ReasonDetail      string `json:"reason_detail"`
	ReceivedAt        string `json:"received_at"`
	InboundEndpointID string `json:"inbound_endpoint_id"` // clients look for it here
	PullEndpointID    string `json:"pull_endpoint_id"`
	SourceIP          string `json:"source_ip"`
	HeadersRedacted   string `json:"headers_redacted"`
}

func (a *API) rejections(ctx context.Context, c *call) (answer, error) {
	q := c.query()
	name := "pull_endpoint_id"
	if c.request.URL.Query().Get(name) == "" {
		name = "inbound_endpoint_id"
	}
	f := pull.RejectionFilter{Endpoint: q.endpoint(name), Since: q.instant("start_time"), Before: q.instant("end_time"), Newest: q.newest()}
	limit := q.number("limit", 50, 1, 500)
	after := q.cursor(rejectionsPath)
	if err := q.faults.Err(); err != nil {
		return answer{}, err
	}
	all, more, err := a.Depot.Rejections(a.DB.Read(ctx), c.whose(), f, pull.Cursor{At: after.at, No: after.no}, limit)
	if err != nil {
		return answer{}, named(err)
	}
	list := make([]rejectionJSON, len(all))
	for i, r := range all {
		list[i] = rejectionJSON{r.ID.String(), r.Reason, r.Detail, instant(r.At), string(r.Endpoint), string(r.Endpoint), r.Peer, r.Headers}
		after = place{r.Cursor().At, r.Cursor().No}
	}
	return answer{data: list, page: q.after(rejectionsPath, after, more)}, nil
}
