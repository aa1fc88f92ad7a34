package hookbridge

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

const (
	allEvents = oneEndpoint + "/events"
	oneEvent  = allEvents + "/{event_id}"
)

func (a *API) eventRoutes(mux *http.ServeMux) {
	get(a, mux, route{"GET", allEvents, 200}, a.events)
	get(a, mux, route{"GET", oneEvent, 200}, a.event)
	change(a, mux, route{"POST", allEvents + "/ack", 200}, a.ackInput, a.ack)
	change(a, mux, route{"DELETE", oneEvent, 200}, a.eventID, a.deleteEvent)
	change(a, mux, route{"POST", allEvents + "/delete-batch", 200}, a.batchInput, a.deleteBatch)
	get(a, mux, route{"POST", allEvents + "/delete-all", 200}, a.deleteAll)
}

// eventJSON is an event without its payload.
type eventJSON struct {
	ID          string     `json:"id"`
	EventType   *string    `json:"event_type"`
	Status      string     `json:"status"`
	SizeBytes   int64      `json:"size_bytes"`
	ReceivedAt  string     `json:"received_at"`
	FetchedAt   *string    `json:"fetched_at"`
	DeliveredAt *string    `json:"delivered_at"`
	Timing      timingJSON `json:"timing"`
}

type timingJSON struct {
	IngestProcessing *int64 `json:"ingest_processing_ms"`
	TimeToFetch      *int64 `json:"time_to_fetch_ms"`
	TimeToAck        *int64 `json:"time_to_ack_ms"`
	TotalLifecycle   *int64 `json:"total_lifecycle_ms"`
}

// fullJSON is an event with its payload.
type fullJSON struct {
	eventJSON
	ContentType     string            `json:"content_type"`
	Payload         json.RawMessage   `json:"payload"` // null when it was erased or deleted
	PayloadEncoding string            `json:"payload_encoding,omitempty"`
	Headers         map[string]string `json:"headers"`
	HeaderLines     [][2]string       `json:"header_lines,omitempty"` // in their order, with names as they came
}

// goneJSON is a preview of a deleted event.
type goneJSON struct {
	fullJSON
	DeletedAt string  `json:"deleted_at"`
	ByUser    *string `json:"deleted_by_user_id"`
	ByKey     *string `json:"deleted_by_api_key_id"`
}

func showEvent(e pull.Event) eventJSON {
	t := e.Timing()
	return eventJSON{
		ID: e.ID.String(), EventType: textOrNil(e.Type), Status: string(e.Status), SizeBytes: e.Size, ReceivedAt: instant(e.ReceivedAt),
		FetchedAt: instantOrNil(e.FetchedAt), DeliveredAt: instantOrNil(e.DeliveredAt),
		Timing: timingJSON{millis(&t.Ingest), millis(t.ToFetch), millis(t.ToAck), millis(t.Total)},
	}
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func instantOrNil(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := instant(t)
	return &s
}

func millis(d *time.Duration) *int64 {
	if d == nil {
		return nil
	}
	n := d.Milliseconds()
	return &n
}

// showFull shows a payload as the JSON that it is, else, or when raw asks for it, in base64.
func showFull(e pull.Event, p pull.Payload, raw bool) fullJSON {
	j := fullJSON{eventJSON: showEvent(e), ContentType: e.ContentType}
	if p.Erased {
		return j
	}
	j.PayloadEncoding = "base64"
	if !raw && utf8.Valid(p.Body) && json.Valid(p.Body) {
		j.PayloadEncoding, j.Payload = "json", bytes.TrimSpace(p.Body)
	} else {
		b := append(make([]byte, 0, base64.StdEncoding.EncodedLen(len(p.Body))+2), '"')
		j.Payload = append(base64.StdEncoding.AppendEncode(b, p.Body), '"')
	}
	j.Headers = map[string]string{}
	for _, f := range p.Fields() {
		name, value := strings.ToLower(f.Name), strings.ToValidUTF8(f.Value, "\uFFFD")
		if before, twice := j.Headers[name]; twice {
			j.Headers[name] = before + ", " + value
		} else {
			j.Headers[name] = value
		}
		j.HeaderLines = append(j.HeaderLines, [2]string{f.Name, value})
	}
	return j
}

// filter reads how a list of events is filtered; all is the status where nothing is said.
func (q *query) filter(status string) pull.Filter {
	s, ok := pull.ParseStatus(q.one("status", status, string(pull.Stored), string(pull.Fetched), string(pull.Delivered)))
	f := pull.Filter{Type: q.text("event_type")}
	if ok {
		f.Status = []pull.Status{s}
	}
	return f
}

func (a *API) events(ctx context.Context, c *call) (answer, error) {
	i, err := c.id()
	if err != nil {
		return answer{}, err
	}
	q := c.query()
	f := q.filter(string(pull.Stored))
	f.Since, f.Before = q.instant("since"), q.instant("before")
	limit, wait := q.number("limit", 100, 1, 1000), q.number("wait", 0, 0, int(MaxWait/time.Second))
	path := allEvents + string(i)
	after := q.cursor(path)
	if err := q.faults.Err(); err != nil {
		return answer{}, err
	}
	e, err := a.Depot.Get(a.DB.Read(ctx), c.whose(), i)
	if err != nil {
		return answer{}, err
	}
	events, more, err := a.Depot.Events(a.DB.Read(ctx), e, f, pull.Cursor{At: after.at, No: after.no}, limit)
	if err == nil && len(events) == 0 && wait > 0 && c.request.Method != http.MethodHead {
		err = a.await(ctx, c, awaited{of: e, most: time.Duration(wait) * time.Second, look: func() (bool, error) {
			e, err := a.find(a.DB.Read(ctx), c) // it may have been deleted
			if err == nil {
				events, more, err = a.Depot.Events(a.DB.Read(ctx), e, f, pull.Cursor{At: after.at, No: after.no}, limit)
			}
			return len(events) > 0, err
		}})
	}
	if err != nil {
		return answer{}, err
	}
	list := make([]eventJSON, len(events))
	for i, v := range events {
		list[i] = showEvent(v)
		after = place{v.Cursor().At, v.Cursor().No}
	}
	return answer{data: list, page: q.after(path, after, more)}, nil
}

// eventID reads the event's id of the path.
func (a *API) eventID(_ context.Context, c *call) (id.Received, error) {
	s := c.request.PathValue("event_id")
	if i, ok := id.ParseReceived(s); ok {
		return i, nil
	}
	return id.Received{}, noUUID(s, "path", "event_id", problem.New(problem.NotFound, "event_not_found", "There is no such event at this pull endpoint."))
}

// event hands an event out, or, with preview, only shows it. HEAD changes nothing either.
func (a *API) event(ctx context.Context, c *call) (answer, error) {
	i, err := a.eventID(ctx, c)
	if err != nil {
		return answer{}, err
	}
	q := c.query()
	preview, raw := q.flag("preview"), q.one("encoding", "", "json", "base64") == "base64"
	if err := q.faults.Err(); err != nil {
		return answer{}, err
	}
	if preview || c.request.Method == http.MethodHead {
		return a.preview(ctx, c, i, raw)
	}
	var at *pull.Endpoint
	var e pull.Event
	var p pull.Payload
	err = a.DB.Write(ctx, i.String(), func(tx *db.Tx) (err error) { // in the order of ids, on several nodes
		if at, err = a.find(tx, c); err == nil {
			e, p, err = a.Depot.Fetch(tx, at, i)
		}
		return err
	})
	if err != nil {
		return answer{}, err
	}
	return answer{data: showFull(e, p, raw)}, nil
}

func (a *API) preview(ctx context.Context, c *call, i id.Received, raw bool) (answer, error) {
	q := a.DB.Read(ctx)
	at, err := a.find(q, c)
	if err != nil {
		return answer{}, err
	}
	e, err := a.Depot.Find(q, at, i)
	if err != nil {
		return answer{}, err
	}
	if e.Deleted() {
		return answer{data: gone(e)}, nil
	}
	p, err := a.Depot.Payload(q, at, e)
	if err != nil {
		return answer{}, err
	}
	return answer{data: showFull(e, p, raw)}, nil
}

func gone(e pull.Event) goneJSON {
	j := goneJSON{fullJSON: fullJSON{eventJSON: showEvent(e), ContentType: e.ContentType}, DeletedAt: instant(e.DeletedAt)}
	if strings.HasPrefix(e.DeletedBy, "usr_") {
		j.ByUser = &e.DeletedBy
	} else {
		j.ByKey = textOrNil(e.DeletedBy)
	}
	return j
}

// acked is a list of events, and the fault with those of them that cannot be there: it is told only when the endpoint is.
type acked struct {
	ids     []id.Received
	unknown error
}

func (a *API) ackInput(_ context.Context, c *call) (acked, error) {
	const name = "event_ids"
	o, err := c.object()
	if err != nil {
		return acked{}, err
	}
	var list acked
	var unknown problem.Fields
	for n, s := range o.ids(name, pull.MaxAck) {
		i, ok := id.ParseReceived(s)
		switch {
		case ok && strings.EqualFold(i.String(), s):
			list.ids = append(list.ids, i)
		case len(s) == 36 && uuid.Validate(s) == nil: // of somebody else's making
			unknown.Add(form.Pointer(name, strconv.Itoa(n)), "unknown", "There is no event %.36s at this pull endpoint.", s)
		default:
			o.faults.Add(form.Pointer(name, strconv.Itoa(n)), "invalid", "%.64q is no event's id.", s)
		}
	}
	list.unknown = unknown.Err()
	return list, o.faults.Err()
}

type ackJSON struct {
	Acknowledged int `json:"acknowledged"`
}

func (a *API) ack(tx *db.Tx, c *call, list acked) (answer, error) {
	e, err := a.find(tx, c)
	if err != nil {
		return answer{}, err
	}
	if list.unknown != nil {
		return answer{}, list.unknown
	}
	n, err := a.Depot.Ack(tx, e, list.ids)
	return answer{data: ackJSON{n}}, err
}

type deletionJSON struct {
	EventID        string `json:"event_id"`
	DeletedAt      string `json:"deleted_at"`
	AlreadyDeleted bool   `json:"already_deleted"`
}

func (a *API) deleteEvent(tx *db.Tx, c *call, i id.Received) (answer, error) {
	e, err := a.find(tx, c)
	if err != nil {
		return answer{}, err
	}
	d, err := a.Depot.DeleteEvent(tx, e, i, c.by(a))
	return answer{data: deletionJSON{i.String(), instant(d.At), d.Outcome == pull.AlreadyDeleted}}, err
}

type batchJSON struct {
	Results []outcomeJSON `json:"results"`
	Deleted int           `json:"deleted_count"`
	Already int           `json:"already_deleted_count"`
	Missing int           `json:"not_found_count"`
}

type outcomeJSON struct {
	EventID   string  `json:"event_id"`
	Outcome   string  `json:"outcome"`
	DeletedAt *string `json:"deleted_at,omitempty"`
}

func (a *API) batchInput(_ context.Context, c *call) ([]string, error) {
	o, err := c.object()
	if err != nil {
		return nil, err
	}
	name := "message_ids" // as the specification has it
	if o.members[name] == nil && o.members["event_ids"] != nil {
		name = "event_ids"
	}
	ids := o.ids(name, pull.MaxDeleteBatch)
	return ids, o.faults.Err()
}

func (a *API) deleteBatch(tx *db.Tx, c *call, ids []string) (answer, error) {
	e, err := a.find(tx, c)
	if err != nil {
		return answer{}, err
	}
	var known []id.Received
	for _, s := range ids {
		if i, ok := id.ParseReceived(s); ok {
			known = append(known, i)
		}
	}
	var done []pull.Deletion
	if len(known) > 0 {
		if done, err = a.Depot.DeleteBatch(tx, e, known, c.by(a)); err != nil {
			return answer{}, err
		}
	}
	j := batchJSON{Results: make([]outcomeJSON, len(ids))}
	for n, s := range ids {
		d := pull.Deletion{Outcome: pull.NotFound}
		if _, ok := id.ParseReceived(s); ok {
			d, done = done[0], done[1:]
		}
		j.Results[n] = outcomeJSON{s, string(d.Outcome), instantOrNil(d.At)}
		switch d.Outcome {
		case pull.Deleted:
			j.Deleted++
		case pull.AlreadyDeleted:
			j.Already++
		default:
			j.Missing++
		}
	}
	return answer{data: j}, nil
}

type allDeletedJSON struct {
	Deleted int      `json:"deleted"`
	IDs     []string `json:"deleted_event_ids"`
}

// deleteAll goes in steps. When one fails, what those before it deleted is told, and what failed beside it.
func (a *API) deleteAll(ctx context.Context, c *call) (answer, error) {
	q := c.query()
	f := pull.Filter{Type: q.text("event_type"), Since: q.instant("received_after"), Before: q.instant("received_before")}
	if s := q.text("status"); s != "" {
		for one := range strings.SplitSeq(s, ",") {
			status, ok := pull.ParseStatus(strings.TrimSpace(one))
			if !ok {
				q.fault("status", "Use stored, fetched or delivered, or several of them with commas between.")
			}
			f.Status = append(f.Status, status)
		}
	}
	limit := q.number("limit", pull.MaxDeleteAll, 1, pull.MaxDeleteAll)
	if err := q.faults.Err(); err != nil {
		return answer{}, err
	}
	e, err := a.find(a.DB.Read(ctx), c)
	if err != nil {
		return answer{}, err
	}
	deleted, err := a.Depot.DeleteAll(ctx, e, f, limit, c.by(a))
	j := allDeletedJSON{len(deleted), make([]string, len(deleted))}
	for n, i := range deleted {
		j.IDs[n] = i.String()
	}
	out := answer{data: j}
	if err != nil {
		out.oops = &fault{codeDelete, "Nothing could be deleted; try again."}
		if len(deleted) > 0 {
			out.oops = &fault{codePartial, "Not all could be deleted; ask again for the rest."}
		}
		_ = a.Problems.Shown(c.request, err) // logs what it is
	}
	return out, nil
}
