package native

import (
	"context"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type deliveryJSON struct {
	ID            string        `json:"id" format:"uuid" doc:"As in the delivery's header; kept by every retry and redelivery."`
	Event         string        `json:"event" doc:"As the webhook's format calls it."`
	FactID        string        `json:"factId" doc:"What happened; the same for all webhooks that are told."`
	State         string        `json:"state" enum:"pending,delivered,failed,skipped"`
	Attempts      []attemptJSON `json:"attempts" nullable:"false"`
	NextAttemptAt *string       `json:"nextAttemptAt" format:"date-time"`
	CreatedAt     string        `json:"createdAt" format:"date-time"`
}

type attemptJSON struct {
	Number   int           `json:"number"`
	At       string        `json:"at" format:"date-time"`
	Status   *int          `json:"status" doc:"Of the answer; null when there was none."`
	Error    *string       `json:"error" doc:"A code that says why there was no answer that counts; null on success."`
	Detail   string        `json:"detail,omitempty" doc:"The error in a sentence."`
	Request  requestJSON   `json:"request"`
	Response *responseJSON `json:"response,omitempty" doc:"Left out when there was none."`
	Timings  timingsJSON   `json:"timings"`
}

type requestJSON struct {
	Headers map[string]string `json:"headers" doc:"As sent."`
	Body    *string           `json:"body" doc:"As sent; null when it is not known any more."`
	Exact   bool              `json:"exact" doc:"Whether body is known to be what was sent, byte for byte."`
}

type responseJSON struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body" doc:"The first 16 KiB, as text."`
}

type timingsJSON struct {
	DNS       float64 `json:"dnsMs"`
	Connect   float64 `json:"connectMs"`
	TLS       float64 `json:"tlsMs"`
	FirstByte float64 `json:"firstByteMs"`
	Total     float64 `json:"totalMs"`
}

func newDelivery(r delivery.Record) deliveryJSON {
	j := deliveryJSON{
		ID: r.ID.String(), Event: r.Event, FactID: r.Fact.ID.String(), State: r.State, Attempts: make([]attemptJSON, len(r.Attempts)),
		NextAttemptAt: orNull(maybe(r.Next)), CreatedAt: instant(r.CreatedAt),
	}
	for i, a := range r.Attempts {
		j.Attempts[i] = newAttempt(a)
	}
	return j
}

func newAttempt(a delivery.Attempt) attemptJSON {
	j := attemptJSON{
		Number: a.Number, At: instant(a.At), Status: orNull(a.Status), Error: orNull(a.Code), Detail: a.Detail,
		Request: requestJSON{Headers: headers(a.RequestHead), Exact: a.Exact},
		Timings: timingsJSON{DNS: millis(a.DNS), Connect: millis(a.Connect), TLS: millis(a.TLS), FirstByte: millis(a.FirstByte), Total: millis(a.Total)},
	}
	if a.RequestBody != nil {
		body := string(a.RequestBody)
		j.Request.Body = &body
	}
	if a.Status != 0 {
		j.Response = &responseJSON{Headers: headers(a.ResponseHead), Body: strings.ToValidUTF8(string(a.ResponseBody), "\ufffd")}
	}
	return j
}

// headers are the lines "Name: value" by name; the values of one that came several times stand behind each other.
func headers(head string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(head) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		value = strings.ToValidUTF8(strings.TrimSpace(value), "\ufffd")
		if before, twice := all[name]; twice {
			value = before + ", " + value
		}
		all[name] = value
	}
	return all
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

type deliveryListInput struct {
	WebhookPath
	Limit  int       `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most."`
	Cursor string    `query:"cursor" maxLength:"400" doc:"Goes on where a former page ended: its meta.pagination.nextCursor, with the same filters."`
	State  string    `query:"state" enum:"pending,delivered,failed,skipped"`
	Event  string    `query:"event" doc:"As the webhook's format calls it."`
	Since  time.Time `query:"since" doc:"Not older than this."`
	Until  time.Time `query:"until" doc:"Older than this."`
}

type deliveryListJSON struct {
	Data []deliveryJSON       `json:"data" nullable:"false" doc:"Newest first."`
	Meta deliveryListMetaJSON `json:"meta"`
}

type deliveryListMetaJSON struct {
	Pagination deliveryPaginationJSON `json:"pagination"`
	Filters    deliveryFiltersJSON    `json:"filters"`
}

type deliveryPaginationJSON struct {
	Limit      int     `json:"limit"`
	HasMore    bool    `json:"hasMore"`
	NextCursor *string `json:"nextCursor" doc:"null on the last page."`
}

type deliveryFiltersJSON struct {
	State *string `json:"state"`
	Event *string `json:"event"`
	Since *string `json:"since" format:"date-time"`
	Until *string `json:"until" format:"date-time"`
}

func (a *API) listDeliveries(ctx context.Context, c *call, in *deliveryListInput) (answer[deliveryListJSON], error) {
	var out answer[deliveryListJSON]
	filters := deliveryFiltersJSON{orNull(in.State), orNull(in.Event), orNull(maybe(in.Since)), orNull(maybe(in.Until))}
	at, err := Paging{Cursor: in.Cursor}.place(c, "deliveries", []any{in.ID, in.State, in.Event, in.Since.UnixNano(), in.Until.UnixNano()})
	if err != nil {
		return out, err
	}
	f := delivery.Filter{State: in.State, Event: in.Event, Since: in.Since, Until: in.Until, Limit: in.Limit}
	if at.after != "" {
		last, ok := id.ParseDelivery(at.after)
		if !ok {
			return out, badCursor()
		}
		f.Before = last.Seq
	}
	e, err := a.Endpoints.Get(a.DB.Read(ctx), c.whose(), id.Webhook(in.ID))
	if err != nil {
		return out, err
	}
	page, more, err := a.Engine.List(ctx, e, f)
	if err != nil {
		return out, err
	}
	out.body = deliveryListJSON{Data: make([]deliveryJSON, len(page)), Meta: deliveryListMetaJSON{Filters: filters}}
	for i, d := range page {
		out.body.Data[i] = newDelivery(d)
	}
	p := &out.body.Meta.Pagination
	p.Limit, p.HasMore = in.Limit, more && len(page) > 0
	if p.HasMore {
		cursor := at.cursor(0, page[len(page)-1].ID.String())
		p.NextCursor = &cursor
	}
	return out, nil
}

type deliveryPath struct {
	WebhookPath
	DeliveryID string `path:"deliveryId"`
}

func (in *deliveryPath) parse() (id.Delivery, error) {
	d, ok := id.ParseDelivery(in.DeliveryID)
	if !ok {
		return d, problem.New(problem.NotFound, "delivery_not_found", "This webhook has no such delivery.")
	}
	return d, nil
}

func (a *API) delivery(ctx context.Context, c *call, in *deliveryPath) (answer[deliveryJSON], error) {
	which, err := in.parse()
	if err != nil {
		return answer[deliveryJSON]{}, err
	}
	e, err := a.Endpoints.Get(a.DB.Read(ctx), c.whose(), id.Webhook(in.ID))
	if err != nil {
		return answer[deliveryJSON]{}, err
	}
	r, err := a.Engine.Lookup(ctx, e, which)
	if err != nil {
		return answer[deliveryJSON]{}, err
	}
	return answer[deliveryJSON]{body: newDelivery(r)}, nil
}

func (a *API) redeliver(tx *db.Tx, c *call, in *deliveryPath) (answer[deliveryJSON], error) {
	which, err := in.parse()
	if err != nil {
		return answer[deliveryJSON]{}, err
	}
	e, err := a.Endpoints.Get(tx, c.whose(), id.Webhook(in.ID))
	if err != nil {
		return answer[deliveryJSON]{}, err
	}
	if err := a.Engine.Redeliver(tx, e, which); err != nil {
		return answer[deliveryJSON]{}, err
	}
	if err := audit.Append(tx, c.by().Entry(c.Org, "delivery.redelivered", which.String(), map[string]any{"webhook": e.ID})); err != nil {
		return answer[deliveryJSON]{}, err
	}
	r, err := a.Engine.LookupIn(tx, e, which)
	if err != nil {
		return answer[deliveryJSON]{}, err
	}
	return underWay(e, r), nil
}

func (a *API) testWebhook(tx *db.Tx, c *call, in *WebhookPath) (answer[deliveryJSON], error) {
	f, err := a.Endpoints.Ping(tx, c.whose(), id.Webhook(in.ID))
	if err != nil {
		return answer[deliveryJSON]{}, err
	}
	e, err := a.Endpoints.Get(tx, c.whose(), id.Webhook(in.ID))
	if err != nil {
		return answer[deliveryJSON]{}, err
	}
	set, err := a.Subscriptions.At(tx)
	if err != nil {
		return answer[deliveryJSON]{}, err
	}
	r := delivery.Record{
		ID: id.Delivery{Day: f.ID.Day, Seq: f.ID.Seq, Endpoint: e.Number}, Fact: f, State: "pending", Next: tx.Now(), CreatedAt: f.At,
	}
	r.Event, _ = set.EventName(e.Format, f)
	return underWay(e, r), nil
}

// underWay answers with a delivery that has yet to happen, and where to look for it.
func underWay(to *endpoint.Endpoint, r delivery.Record) answer[deliveryJSON] {
	return answer[deliveryJSON]{body: newDelivery(r), location: webhooksPath + "/" + string(to.ID) + "/deliveries/" + r.ID.String()}
}

type recoverJSON struct {
	Since time.Time `json:"since" doc:"Deliveries of what happened since then."`
}

type recoverInput struct {
	WebhookPath
	Body recoverJSON
}

type recoveredJSON struct {
	Recovered int `json:"recovered" doc:"How many deliveries are due again."`
}

func (a *API) recover(tx *db.Tx, c *call, in *recoverInput) (answer[recoveredJSON], error) {
	e, err := a.Endpoints.Get(tx, c.whose(), id.Webhook(in.ID))
	if err != nil {
		return answer[recoveredJSON]{}, err
	}
	n, err := a.Engine.Recover(tx, e, in.Body.Since)
	if err != nil {
		return answer[recoveredJSON]{}, err
	}
	done := c.by().Entry(c.Org, "webhook.recovered", string(e.ID), map[string]any{"since": instant(in.Body.Since), "recovered": n})
	return answer[recoveredJSON]{body: recoveredJSON{Recovered: n}}, audit.Append(tx, done)
}
