package outbound

import (
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// list is deliveries, or attempts, newest first, as a page shows them.
type list struct {
	Lines        []line
	State, Event string // as they were chosen
	States       []page.Option
	Attempts     bool   // each line is an attempt, not a delivery
	One          bool   // all are of one webhook
	Live         string // the stream that tells when there is something new; "" where the list does not change by itself
	Rows         string // where the lines are fetched anew
	Pager        frame.Pager
}

// line is a delivery, or an attempt.
type line struct {
	ID      id.Delivery
	Webhook id.Webhook // empty when it was deleted
	URL     string
	Event   string
	State   string
	Number  int // of the attempt, or of attempts that were made
	Status  int
	Code    string
	Why     string // what kept it from being delivered
	At      time.Time
	Took    time.Duration
	Next    time.Time
}

// Answer is what came back, in a word.
func (l line) Answer() string {
	if l.Code != "" {
		return l.Code
	}
	if l.Status != 0 {
		return strconv.Itoa(l.Status)
	}
	return ""
}

type deliveriesData struct {
	List    list
	Webhook string // as it was typed
	Of      *endpoint.Endpoint
	Several []*endpoint.Endpoint // that fit what was typed
	None    bool                 // no webhook fits
}

func (r *Room) deliveries(v *frame.Visit) (err error) {
	d := deliveriesData{Webhook: v.Query("webhook")}
	if d.Webhook != "" {
		if d.Of, d.Several, err = r.meant(v, d.Webhook); err != nil {
			return err
		}
		d.None = d.Of == nil && len(d.Several) == 0
	}
	if v.Query("part") == "rows" {
		return r.rows(v, "deliveries", d.Of)
	}
	if v.WantsCSV() {
		return v.CSV("deliveries", []string{"id", "webhook", "event", "state", "attempt", "answer", "why", "at", "milliseconds"}, r.allLines(v, d.Of))
	}
	if d.List, err = r.list(v, d.Of); err != nil {
		return err
	}
	return v.Show(pages, "deliveries", http.StatusOK, frame.View{Title: "Deliveries", At: "/deliveries", Wide: true, Data: d})
}

// meant is the webhook of an id or of a part of a URL; or those that fit.
func (r *Room) meant(v *frame.Visit, typed string) (*endpoint.Endpoint, []*endpoint.Endpoint, error) {
	e, err := r.Endpoints.Get(v.Read(), whose(v), id.Webhook(typed))
	if p := problem.As(err); err == nil || p == nil || p.Kind != problem.NotFound {
		return e, nil, err
	}
	some, _, err := r.Endpoints.Find(v.Read(), whose(v), endpoint.Search{Text: typed, Limit: 10})
	if err == nil && len(some) == 1 {
		return some[0], nil, nil
	}
	return nil, some, err
}

// rows answers with the lines of a page's list alone.
func (r *Room) rows(v *frame.Visit, name string, of *endpoint.Endpoint) error {
	l, err := r.list(v, of)
	if err != nil {
		return err
	}
	return v.Fragment(pages, name, "rows", frame.View{Data: struct{ List list }{l}})
}

// list reads the page of a list that the address asks for, of one webhook or of all.
func (r *Room) list(v *frame.Visit, of *endpoint.Endpoint) (list, error) {
	l := list{State: chosen(v, "state"), Event: v.Query("event"), One: of != nil}
	states := []string{"all", "delivered", "retrying", "failed", "skipped"}
	if l.One {
		states = append(states, "pending")
	}
	for _, s := range states {
		l.States = append(l.States, page.Option{Value: s, Text: s})
	}
	l.Attempts = !l.One && (l.State == "" || l.State == "delivered")
	after := v.Query("after")
	if after == "" {
		l.Live = v.Path("/stream")
		q := url.Values{}
		for name, values := range v.R.URL.Query() {
			if name != "test" {
				q[name] = values
			}
		}
		q.Set("part", "rows")
		l.Rows = v.R.URL.Path + "?" + q.Encode()
	}
	var next string
	var err error
	if l.Lines, next, err = r.lines(v, of, l, after, frame.PageSize); err != nil {
		return l, err
	}
	l.Pager = v.Pager(next, v.R.URL.Path == v.Path("/deliveries") && len(l.Lines) > 0)
	return l, nil
}

// lines reads a part of a list, and where the next goes on; "" after the last.
func (r *Room) lines(v *frame.Visit, of *endpoint.Endpoint, l list, after string, limit int) ([]line, string, error) {
	number := int64(0)
	if of != nil {
		number = of.Number
	}
	if l.Attempts {
		made, next, err := r.Engine.Activity(v.R.Context(), v.Org.No, delivery.ActivityFilter{State: l.State, Event: l.Event, Before: after, Limit: limit})
		all := make([]line, len(made))
		for i, m := range made {
			all[i] = r.ofMade(m)
		}
		return all, next, err
	}
	w := delivery.Which{Endpoint: number, State: l.State, Limit: limit}
	w.Before, _ = id.ParseDelivery(after) // what is none is the first page
	var all []line
	for read := 0; read < 20; read++ { // most may be of another event
		some, more, err := r.Engine.Summaries(v.R.Context(), v.Org.No, w)
		if err != nil {
			return nil, "", err
		}
		for _, s := range some {
			w.Before = s.ID
			if l.Event != "" && s.Event != l.Event {
				continue
			}
			if all = append(all, r.ofSummary(s)); len(all) == limit {
				return all, s.ID.String(), nil
			}
		}
		if !more {
			return all, "", nil
		}
	}
	return all, w.Before.String(), nil
}

func (r *Room) ofMade(m delivery.Made) line {
	l := line{ID: m.Delivery, Webhook: m.Webhook, Event: m.Event, State: m.State, Number: m.Number, Status: m.Status, Code: m.Code, At: m.At, Took: m.Took}
	if l.State == "pending" {
		l.State = "retrying"
	}
	to := r.Engine.Subscriptions.Now().Endpoint(m.Delivery.Endpoint)
	if to == nil {
		l.Webhook = ""
		return l
	}
	l.URL = to.URL
	if m.State != "delivered" {
		l.Why = delivery.Attempt{Status: m.Status, Code: m.Code}.Reason(r.policy(to)).Title
	}
	return l
}

func (r *Room) ofSummary(s delivery.Summary) line {
	l := line{ID: s.ID, Event: s.Event, State: s.State, Number: s.Attempts, Status: s.Last.Status, Code: s.Last.Code, At: s.CreatedAt, Took: s.Last.Took, Next: s.Next}
	if l.State == "pending" && s.Attempts > 0 {
		l.State = "retrying"
	}
	to := r.Engine.Subscriptions.Now().Endpoint(s.ID.Endpoint)
	if to == nil {
		return l
	}
	l.Webhook, l.URL = to.ID, to.URL
	rec := delivery.Record{ID: s.ID, State: s.State, Next: s.Next}
	if s.Attempts > 0 {
		rec.Attempts = []delivery.Attempt{{Status: s.Last.Status, Code: s.Last.Code}}
	}
	if s.State != "delivered" {
		l.Why = rec.Reason(to, r.policy(to), false).Title
	}
	return l
}

// policy is what holds for a webhook where its owner has not chosen otherwise.
func (r *Room) policy(to *endpoint.Endpoint) delivery.Policy {
	if d := r.Engine.Dialect(to.Format); d != nil {
		return d.Policy()
	}
	return delivery.Policy{}
}

// allLines goes through the list that the address asks for, some lines at a time.
func (r *Room) allLines(v *frame.Visit, of *endpoint.Endpoint) iter.Seq2[[]string, error] {
	l := list{State: chosen(v, "state"), Event: v.Query("event"), One: of != nil}
	l.Attempts = !l.One && (l.State == "" || l.State == "delivered")
	return func(yield func([]string, error) bool) {
		for after, first := "", true; first || after != ""; first = false {
			var some []line
			var err error
			if some, after, err = r.lines(v, of, l, after, 500); err != nil {
				yield(nil, err)
				return
			}
			for _, x := range some {
				if !yield([]string{
					x.ID.String(), string(x.Webhook), x.Event, x.State, strconv.Itoa(x.Number), x.Answer(), x.Why, x.At.Format(time.RFC3339Nano), strconv.FormatInt(x.Took.Milliseconds(), 10),
				}, nil) {
					return
				}
			}
		}
	}
}
