package native

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// route is what there is to say of an operation beside its input and output.
type route struct {
	method  string
	path    string
	scope   scope.Scope
	admin   bool   // instead of a scope: only for who may administrate the organisation
	own     bool   // instead of a scope: about what is the person's own, with a personal token only
	open    bool   // also for people without a role, who see what is published and what is theirs
	id      string // operationId
	tag     string
	status  int    // of success; 200 when 0
	summary string // one line
	detail  string // more, in Markdown
	errors  []int  // statuses beside those that follow from the form of the route
	content string // the media type of success where that is bytes and no JSON
}

// answer is what a route's function returns. O is the body's wire shape; none where there is none.
type answer[O any] struct {
	body     O
	version  int64  // of the resource, for ETag; 0 for none
	location string // of what was made
	then     func() // once it is on disk, and not when the answer is given again; may be nil
}

// none is the body of answers that have none.
type none struct{}

// keyed is an input whose transaction belongs among others: see db.Write's key.
type keyed interface{ writeKey() string }

// read registers a route that changes nothing.
func read[I, O any](a *API, r route, do func(ctx context.Context, c *call, in *I) (answer[O], error)) {
	register[I, O](a, r, func(ctx context.Context, in *I) (*reply, error) {
		out, err := do(ctx, callOf(ctx), in)
		if err != nil {
			return nil, err
		}
		made, err := encodeAnswer(r.success(), out)
		return newReply(made, false), err
	})
}

// write registers a route that runs in one transaction: what it changes, its encoded answer and its Idempotency-Key.
func write[I, O any](a *API, r route, do func(tx *db.Tx, c *call, in *I) (answer[O], error)) {
	change(a, r, atOnce[I], func(tx *db.Tx, c *call, in *I, _ none) (answer[O], error) { return do(tx, c, in) }, a.Keep.Do)
}

// configure is write for routes that change who subscribes to what: nobody else writes meanwhile. before runs outside of the transaction and
// may take its time; what it returns is handed to do.
func configure[I, O, B any](
	a *API, r route, before func(ctx context.Context, c *call, in *I) (B, error), do func(tx *db.Tx, c *call, in *I, b B) (answer[O], error),
) {
	change(a, r, before, do, func(ctx context.Context, request idempotency.Request, _ string, effect idempotency.Effect) (idempotency.Answer, bool, error) {
		return a.Keep.DoConfiguring(ctx, request, effect)
	})
}

// door is a way to the database that runs an effect once, however often its request is repeated.
type door = func(ctx context.Context, r idempotency.Request, writeKey string, effect idempotency.Effect) (made idempotency.Answer, replayed bool, err error)

// change registers a route that goes through a door.
func change[I, O, B any](
	a *API, r route, before func(ctx context.Context, c *call, in *I) (B, error), do func(tx *db.Tx, c *call, in *I, b B) (answer[O], error), through door,
) {
	register[I, O](a, r, func(ctx context.Context, in *I) (*reply, error) {
		c, key := callOf(ctx), ""
		b, err := before(ctx, c, in)
		if err != nil {
			return nil, err
		}
		if k, ok := any(in).(keyed); ok {
			key = k.writeKey()
		}
		var then func()
		made, replayed, err := through(ctx, c.repeatable(), key, func(tx *db.Tx) (idempotency.Answer, error) {
			out, err := do(tx, c, in, b)
			then = out.then
			if err != nil {
				return idempotency.Answer{}, err
			}
			return encodeAnswer(r.success(), out)
		})
		if err != nil {
			return nil, err
		}
		if then != nil && !replayed {
			then()
		}
		return newReply(made, replayed), nil
	})
}

// atOnce is what runs before a transaction where there is nothing to wait for.
func atOnce[I any](context.Context, *call, *I) (none, error) { return none{}, nil }

// reply is an answer as huma writes it: bytes, which may be those of a former answer.
type reply struct {
	Status      int
	ContentType string `header:"Content-Type" hidden:"true"`
	ETag        string `header:"ETag" hidden:"true"`
	Location    string `header:"Location" hidden:"true"`
	Replayed    string `header:"Idempotency-Replayed" hidden:"true"`
	Disposition string `header:"Content-Disposition" hidden:"true"`
	Cache       string `header:"Cache-Control" hidden:"true"`
	Body        []byte
}

func encodeAnswer[O any](status int, out answer[O]) (idempotency.Answer, error) {
	a := idempotency.Answer{Status: status, Header: http.Header{}}
	if out.version != 0 {
		a.Header.Set("ETag", etag(out.version))
	}
	if out.location != "" {
		a.Header.Set("Location", out.location)
	}
	if status == http.StatusNoContent {
		return a, nil
	}
	var err error
	a.Body, err = encode(out.body)
	return a, err
}

func newReply(a idempotency.Answer, replayed bool) *reply {
	r := &reply{Status: a.Status, ETag: a.Header.Get("ETag"), Location: a.Header.Get("Location"), Body: a.Body}
	if len(a.Body) > 0 {
		r.ContentType = "application/json"
	}
	if replayed {
		r.Replayed = "true"
	}
	return r
}

func (r route) success() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// register puts a route on the mux and into the document. A route without a scope is a mistake of ours and ends the start.
func register[I, O any](a *API, r route, handle func(context.Context, *I) (*reply, error)) {
	if r.scope == "" && !r.admin && !r.own {
		panic("native: the route " + r.method + " " + r.path + " declares no scope")
	}
	op := a.operation(r, reflect.TypeFor[I](), reflect.TypeFor[O]())
	if _, ok := any(new(I)).(judged); ok {
		op.Middlewares = append(op.Middlewares, withJudge[I])
	}
	huma.Register(a.huma, op, handle)
	if r.success() == http.StatusNoContent {
		op.Responses["204"].Content = nil // huma thinks that bytes follow
	}
}

// operation notes what a route asks for, and describes it. What follows from its form is said for it: which errors it can have, which headers it takes and gives.
func (a *API) operation(r route, in, out reflect.Type) huma.Operation {
	a.permissions = append(a.permissions, Permission{Method: r.method, Path: r.path, Scope: r.scope, Admin: r.admin, Own: r.own, Attendees: r.open})
	op := huma.Operation{
		Method: r.method, Path: r.path, OperationID: r.id, Summary: r.summary, Description: r.description(), Tags: []string{r.tag},
		DefaultStatus:   r.success(),
		Responses:       a.responses(r, in, out),
		Security:        r.security(),
		Middlewares:     huma.Middlewares{a.enter(r.need())},
		MaxBodyBytes:    -1, // the server bounds bodies, and
		BodyReadTimeout: -1, // the time that they take
	}
	if r.method == http.MethodPost {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: "string"},
			Description: "Makes the request repeatable: for 24 hours, the same request with the same key gets the same answer and has no second effect.",
		})
	}
	return op
}

func (r route) need() access.Need {
	return access.Need{Scope: r.scope, Admin: r.admin, Own: r.own, Attendees: r.open}
}

// security says in the document what credentials the route takes. Only where an app may come, OAuth is among them.
func (r route) security() []map[string][]string {
	switch {
	case r.admin:
		return []map[string][]string{{"apiKey": {}}, {"bearer": {}}}
	case r.own:
		return []map[string][]string{{"bearer": {}}}
	}
	scopes := []string{string(r.scope)}
	return []map[string][]string{{"apiKey": scopes}, {"bearer": scopes}, {"oauth2": scopes}}
}

// description is the detail, with who may use the route where the scope does not say it.
func (r route) description() string {
	parts := []string{r.detail}
	switch {
	case r.admin:
		parts = append(parts, "Only for owners and admins of the organisation, with a key or personal token of their own that may do everything. No app may.")
	case r.own:
		parts = append(parts, "Only for a person, with a personal token. No key and no app may.")
	case r.open:
		parts = append(parts, "Also for people without a role in the organisation, who see what is public and what is their own.")
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// responses says how the route answers.
func (a *API) responses(r route, in, out reflect.Type) map[string]*huma.Response {
	success := &huma.Response{Description: http.StatusText(r.success()), Headers: map[string]*huma.Param{}}
	switch {
	case r.content != "":
		success.Content = map[string]*huma.MediaType{r.content: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
	case out != reflect.TypeFor[none]():
		success.Content = map[string]*huma.MediaType{"application/json": {Schema: a.schemas().Schema(out, true, r.id)}}
	}
	errors := append([]int{400, 401, 403, 429, 500, 503}, r.errors...)
	if hasField(in, "path") {
		errors = append(errors, 404)
	}
	if r.method == http.MethodPost || r.method == http.MethodPatch || r.method == http.MethodPut {
		errors = append(errors, 413, 415)
	}
	if _, has := in.FieldByName("IfMatch"); has {
		errors = append(errors, 412)
	}
	text := func(s string) *huma.Param { return &huma.Param{Description: s, Schema: &huma.Schema{Type: "string"}} }
	if r.method == http.MethodPost {
		errors = append(errors, 409, 422)
		success.Headers["Idempotency-Replayed"] = text("true when the answer was given before, to the same Idempotency-Key.")
	}
	if r.status == http.StatusCreated || r.status == http.StatusAccepted {
		success.Headers["Location"] = text("Where the resource is.")
	}
	_, single := out.FieldByName("Version")
	if _, done := out.FieldByName("Order"); single || done {
		success.Headers["ETag"] = text("The resource's version, for If-Match.")
	}
	all := map[string]*huma.Response{strconv.Itoa(r.success()): success}
	for _, status := range errors {
		all[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: problemSchema(a.schemas())}},
		}
	}
	return all
}

func (a *API) schemas() huma.Registry { return a.huma.OpenAPI().Components.Schemas }

// hasField tells whether a field of the input has the tag.
func hasField(in reflect.Type, tag string) bool {
	for _, f := range reflect.VisibleFields(in) {
		if f.Tag.Get(tag) != "" {
			return true
		}
	}
	return false
}
