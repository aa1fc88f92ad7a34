package native

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Streams writes what happens as it happens, until the reader goes or still says that they may not read on. Their errors come before the answer has begun.
type Streams interface {
	Organisation(w http.ResponseWriter, r *http.Request, who *access.Principal, still func(context.Context) (*access.Principal, error)) error
	Inbound(w http.ResponseWriter, r *http.Request, who *access.Principal, of *inbound.Endpoint, still func(context.Context) (*access.Principal, error)) error
}

const (
	streamPath    = "/api/v1/stream"
	devEventsPath = "/api/events"
	eventStream   = "text/event-stream"
)

// streams puts on the mux what goes past huma, because its answers do not end or its requests may be anybody's, and describes it.
func (a *API) streams(mux humago.Mux) {
	const tag = "Development"
	r := route{
		method: "GET", path: streamPath, scope: scope.WebhooksManage, id: "streamOrganisation", tag: tag, summary: "Listen to what happens in the organisation",
		detail: "Server-Sent Events: `fact` with {id, kind, subject, version, at, data}; `attempt` with {deliveryId, webhookId, event, n, state, status, outcome, durationMs, at}; with " +
			"`format`, `envelope` with {id, event, contentType, body} instead of facts. Go on after an interruption with the last id, in Last-Event-ID or `after`: nothing is missing and nothing comes " +
			"twice. Where something is not kept any more, `gap` says so; `bye` is the last event of a stream that the server ends. An app is told of what it was allowed.",
	}
	mux.HandleFunc(r.method+" "+r.path, a.streaming(r.need(), a.streamOrganisation))
	op := a.operation(r, reflect.TypeFor[struct{}](), reflect.TypeFor[none]())
	op.Parameters = []*huma.Param{
		query("kinds", "Kinds of facts, with commas between: order.confirmed, order.*, names of own messages. All when left out."),
		query("format", "Envelopes of this format of webhooks, unsigned, instead of facts."),
		query("events", "With format: names of its events, with commas between. All when left out."),
		query("attempts", "true or false: whether delivery attempts are told. true when left out, and false with format."),
		query("after", "An id to go on after, or start for all there is. From now on when left out."),
	}
	op.Responses["200"].Content = map[string]*huma.MediaType{eventStream: {Schema: &huma.Schema{Type: huma.TypeString}}}
	a.huma.OpenAPI().AddOperation(&op)

	r = route{
		method: "GET", path: devEventsPath, scope: scope.WebhooksManage, id: "listDevEvents", tag: tag, summary: "List or follow what a developer endpoint has taken", errors: []int{404},
		detail: "Newest first; with `Accept: text/event-stream` as it comes, oldest first, with the events' ids. Only for the account that the endpoint belongs to.",
	}
	mux.HandleFunc(r.method+" "+r.path, a.streaming(r.need(), a.devEvents))
	list := a.operation(r, reflect.TypeFor[struct{}](), reflect.TypeFor[devEventsJSON]())
	list.Parameters = []*huma.Param{
		{Name: "user_id", In: "query", Required: true, Description: "The endpoint's id, DEV-….", Schema: &huma.Schema{Type: huma.TypeString}},
		query("limit", "How many at most, 1 to 100; 50 when left out."),
		query("before", "The id of the last event of the page before."),
		query("after", "Of a stream: an id to go on after, or start for all that are kept."),
	}
	list.Responses["200"].Content[eventStream] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	a.huma.OpenAPI().AddOperation(&list)
	a.receiving(mux)
}

func query(name, doc string) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
}

type receivedJSON struct {
	Status string `json:"status" enum:"received"`
	ID     string `json:"id" example:"evt_50f60000000000002a"`
}

// receiving lets anybody send to a developer endpoint.
func (a *API) receiving(mux humago.Mux) {
	handle := a.Box.Door(a.refuse)
	mux.HandleFunc("POST "+inbound.DoorPath, handle)
	op := huma.Operation{
		Method: http.MethodPost, Path: inbound.DoorPath, OperationID: "sendToDevEndpoint", Summary: "Send to a developer endpoint", Tags: []string{"Development"},
		Description: "Any JSON object, 256 KiB at most. It needs no credential: whoever knows the id may send. A signature of any scheme of webhooks is checked with the " +
			"endpoint's secret, and the verdict kept. The endpoint's owner may have chosen another answer.",
		Parameters: []*huma.Param{{Name: "devId", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Example: "DEV-A3K9"}},
		RequestBody: &huma.RequestBody{
			Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}},
		},
		Security: []map[string][]string{},
	}
	op.Responses = a.responses(route{method: http.MethodPost, errors: []int{404}}, reflect.TypeFor[struct{}](), reflect.TypeFor[receivedJSON]())
	for _, status := range []string{"401", "403", "409", "422"} {
		delete(op.Responses, status)
	}
	delete(op.Responses["200"].Headers, "Idempotency-Replayed")
	op.Responses["default"] = &huma.Response{Description: "What the endpoint's owner has chosen."}
	a.huma.OpenAPI().AddOperation(&op)
}

// streaming is the way in to what goes past huma and may go on for long.
func (a *API) streaming(need access.Need, serve func(w http.ResponseWriter, r *http.Request, c *call, still func(context.Context) (*access.Principal, error)) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{api: a, request: r}
		still := func(ctx context.Context) (*access.Principal, error) { return a.Door.Still(r.WithContext(ctx), need) }
		err := c.open(w, need)
		if err == nil {
			err = serve(w, r, c, still)
		}
		if err != nil {
			a.refuse(w, r, err)
		}
	}
}

func (a *API) streamOrganisation(w http.ResponseWriter, r *http.Request, c *call, still func(context.Context) (*access.Principal, error)) error {
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", eventStream)
		return nil
	}
	return a.Streams.Organisation(w, r, c.Principal, still)
}

type devEventsJSON struct {
	Data    []inbound.Shown `json:"data" nullable:"false"`
	HasMore bool            `json:"has_more"`
}

// devEvents lists what an endpoint has taken, or streams it.
func (a *API) devEvents(w http.ResponseWriter, r *http.Request, c *call, still func(context.Context) (*access.Principal, error)) error {
	q := r.URL.Query()
	if q.Get("user_id") == "" {
		return badQuery("user_id", "required", "Say which endpoint: user_id=DEV-….")
	}
	whose, of := accountOf(c.Principal), id.DevEndpoint(q.Get("user_id"))
	e, err := a.Box.Get(a.DB.Read(r.Context()), whose, of)
	if err != nil {
		return err
	}
	if strings.Contains(r.Header.Get("Accept"), eventStream) && r.Method != http.MethodHead {
		return a.Streams.Inbound(w, r, c.Principal, e, func(ctx context.Context) (*access.Principal, error) {
			p, err := still(ctx)
			if err == nil {
				_, err = a.Box.Get(a.DB.Read(ctx), whose, of) // it may have been deleted
			}
			return p, err
		})
	}
	limit, before, err := devEventsPage(q)
	if err != nil {
		return err
	}
	page, more, err := a.Box.Events(a.DB.Read(r.Context()), e, before, limit)
	if err != nil {
		return err
	}
	out := devEventsJSON{Data: make([]inbound.Shown, len(page)), HasMore: more}
	for i, one := range page {
		out.Data[i] = one.Show()
	}
	b, err := encode(out)
	if err != nil {
		return err
	}
	w.Header()["Content-Type"] = applicationJSON
	_, _ = w.Write(b) // the client may be gone
	return nil
}

func devEventsPage(q url.Values) (limit int, before int64, err error) {
	limit = 50
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 100 {
			return 0, 0, badQuery("limit", "out_of_range", "A page has 1 to 100 events.")
		}
	}
	if text := q.Get("before"); text != "" {
		f, ok := id.ParseFact(text)
		if !ok {
			return 0, 0, badQuery("before", "invalid", "Take the id of the last event of the page before.")
		}
		before = max(f.Seq, 1)
	}
	return limit, before, nil
}

func badQuery(name, code, detail string) error {
	return problem.Fields{{Pointer: name, In: "query", Code: code, Detail: detail}}.Err()
}
