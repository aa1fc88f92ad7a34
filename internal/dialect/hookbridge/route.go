package hookbridge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Config is what the API stands on. All of it is needed but what has a default.
type Config struct {
	DB       *db.DB
	Door     *access.Door
	Keep     *idempotency.Keep
	Problems Problems
	Depot    *pull.Depot
	Streams  Streams

	// PublicURL is how the outside reaches the server, without a slash at its end. Ingest URLs begin with it.
	PublicURL string
	// MaxWaits is how many requests of this node wait for an event at once, 2,000 when 0; MaxWaitsOfOrg how many of one organisation, 200 when 0.
	MaxWaits, MaxWaitsOfOrg int
	// RequestID is the id of the request that ctx belongs to. It stands in every body.
	RequestID func(ctx context.Context) string
	// ClientAddr is the address of the client that made the request, for allow-lists and the audit log; nil when it is not known.
	ClientAddr func(ctx context.Context) netip.Addr
	// Head returns the header lines of a request as they came, nil when they are not known; nil where they never are.
	Head func(r *http.Request) []byte

	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

// API is /v1.
type API struct {
	Config
	routes  []Permission
	closing chan struct{} // closed when nobody may wait any more
	waits   waits
}

// Run has those who wait for an event answered when ctx ends. It runs once.
func (a *API) Run(ctx context.Context) {
	<-ctx.Done()
	close(a.closing)
}

// Permission is what a route asks for.
type Permission struct {
	Method string
	Path   string
	Scope  scope.Scope
}

// Permissions lists what each route asks for, but for the ingest URL, which asks for the secret in its path.
func (a *API) Permissions() []Permission { return a.routes }

// New puts the routes of /v1 on the mux.
func New(mux *http.ServeMux, c Config) *API {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RequestID == nil {
		c.RequestID = func(context.Context) string { return "" }
	}
	a := &API{Config: c, closing: make(chan struct{}), waits: waits{most: cmp.Or(c.MaxWaits, 2000), ofOrg: cmp.Or(c.MaxWaitsOfOrg, 200)}}
	a.endpointRoutes(mux)
	a.eventRoutes(mux)
	a.streamRoute(mux)
	a.payloadRoutes(mux)
	a.claimRoutes(mux)
	a.recordRoutes(mux)
	mux.HandleFunc(ingestPath, a.ingest)
	a.otherMethods(mux)
	mux.HandleFunc("/v1/", a.nothing)
	return a
}

// nothing answers what no route is for.
func (a *API) nothing(w http.ResponseWriter, r *http.Request) {
	a.refuse(w, r, problem.New(problem.NotFound, "not_found", "There is nothing at this address."))
}

// otherMethods answers the methods that the paths of routes do not have.
func (a *API) otherMethods(mux *http.ServeMux) {
	methods := map[string][]string{}
	for _, p := range a.routes {
		methods[p.Path] = append(methods[p.Path], p.Method)
		if p.Method == http.MethodGet {
			methods[p.Path] = append(methods[p.Path], http.MethodHead)
		}
	}
	for path, has := range methods {
		slices.Sort(has)
		allow := strings.Join(has, ", ")
		other := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			a.refuse(w, r, problem.New(problem.MethodUnknown, "method_not_allowed", "%.20s is not possible here; use one of: %s.", r.Method, allow))
		}
		// By method, because a pattern without one conflicts with that of another path that fits, such as ack with {event_id}.
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if !slices.Contains(has, method) && !a.taken(method, path) {
				mux.HandleFunc(method+" "+path, other)
			}
		}
	}
}

// taken tells whether a method of a path belongs to another route whose path has a parameter there: GET …/events/ack is the event "ack", which is none.
func (a *API) taken(method, path string) bool {
	at := strings.LastIndexByte(path, '/')
	return !strings.HasSuffix(path, "}") && slices.ContainsFunc(a.routes, func(p Permission) bool {
		return p.Method == method && strings.HasPrefix(p.Path, path[:at+1]+"{") && strings.Count(p.Path, "/") == strings.Count(path, "/")
	})
}

// route is what there is to say of an operation. All need the same scope.
type route struct {
	method string
	path   string
	status int // of success; 200 when 0
}

// call is a request that was let in.
type call struct {
	*access.Principal
	request *http.Request
	body    []byte // as it came; nil for methods without one
}

// whose says which endpoints the request is about: an app has its own and knows of no others.
func (c *call) whose() pull.Whose { return pull.Whose{Org: c.Org, Grant: c.GrantNo} }

// by says who does something, and from where.
func (c *call) by(a *API) audit.By {
	b := audit.By{Actor: c.Actor()}
	if a.ClientAddr != nil {
		if at := a.ClientAddr(c.request.Context()); at.IsValid() {
			b.Address = at.String()
		}
	}
	return b
}

// none is the input of routes that need nothing but their path.
type none struct{}

func atOnce(context.Context, *call) (none, error) { return none{}, nil }

// answer is what a route's function returns.
type answer struct {
	data  any
	later func() any // makes data that is large, outside of the transaction if that can be; nil for none
	page  *page      // of lists
	oops  *fault     // beside the data of a deletion that did not come to its end
}

// page is where a list goes on.
type page struct {
	more bool
	next string // "" at the end
}

// get registers a route that changes nothing, or changes it in a transaction of its own.
func get(a *API, mux *http.ServeMux, r route, do func(ctx context.Context, c *call) (answer, error)) {
	a.handle(mux, r, func(ctx context.Context, c *call) (idempotency.Answer, bool, error) {
		out, err := do(ctx, c)
		if err != nil {
			return idempotency.Answer{}, false, err
		}
		made, err := r.encode(out)
		return made, false, err
	})
}

// change registers a route that runs in one transaction: what it changes, its encoded answer and its Idempotency-Key. before runs outside of the transaction
// and may take its time: it decodes, and what it returns is handed to do.
func change[B any](a *API, mux *http.ServeMux, r route, before func(ctx context.Context, c *call) (B, error), do func(tx *db.Tx, c *call, b B) (answer, error)) {
	a.handle(mux, r, func(ctx context.Context, c *call) (idempotency.Answer, bool, error) {
		b, err := before(ctx, c)
		if err != nil {
			return idempotency.Answer{}, false, err
		}
		return a.once(ctx, c, r, func(tx *db.Tx) (answer, error) { return do(tx, c, b) })
	})
}

// once runs a change, unless it came before under its Idempotency-Key.
func (a *API) once(ctx context.Context, c *call, r route, do func(tx *db.Tx) (answer, error)) (made idempotency.Answer, replayed bool, err error) {
	request := c.repeatable()
	if request.Key == "" {
		return a.plainly(ctx, r, do)
	}
	return a.Keep.Do(ctx, request, "", func(tx *db.Tx) (idempotency.Answer, error) {
		out, err := do(tx)
		if err != nil {
			return idempotency.Answer{}, err
		}
		return r.encode(out) // because it is kept in the same transaction
	})
}

// plainly runs a change that nobody will ask for again, and encodes its answer when others may write already.
func (a *API) plainly(ctx context.Context, r route, do func(tx *db.Tx) (answer, error)) (made idempotency.Answer, replayed bool, err error) {
	var out answer
	if err = a.DB.Write(ctx, "", func(tx *db.Tx) (err error) { out, err = do(tx); return err }); err != nil {
		return made, false, err
	}
	made, err = r.encode(out)
	return made, false, err
}

// repeatable is what tells this request from others, for its Idempotency-Key. Only POST has one: the other methods can be repeated anyway.
func (c *call) repeatable() idempotency.Request {
	r := idempotency.Request{Org: c.Org, Principal: c.Credential, Route: c.request.Pattern}
	if c.request.Method == http.MethodPost {
		r.Key = c.request.Header.Get("Idempotency-Key")
	}
	if r.Key != "" {
		r.Hash = idempotency.Hash([]byte(c.request.URL.Path), []byte(c.request.URL.RawQuery), c.body)
	}
	return r
}

// encode makes the body but for the end of meta, which has the request's id in it: an answer that is given again is given under another.
func (rt route) encode(out answer) (idempotency.Answer, error) {
	made := idempotency.Answer{Status: rt.status, Header: http.Header{}}
	if rt.status == 0 {
		made.Status = http.StatusOK
	}
	var b bytes.Buffer
	if out.later != nil {
		out.data = out.later()
	}
	b.WriteString(`{"data":`)
	if err := write(&b, out.data); err != nil {
		return made, err
	}
	if out.oops != nil {
		b.WriteString(`,"error":`)
		if err := write(&b, out.oops); err != nil {
			return made, err
		}
	}
	b.WriteString(`,"meta":{`)
	if out.page != nil {
		b.WriteString(`"has_more":`)
		_ = write(&b, out.page.more) // a bool
		b.WriteString(`,"next_cursor":`)
		_ = write(&b, out.page.next) // a text
		b.WriteByte(',')
	}
	made.Body = b.Bytes()
	return made, nil
}

// write appends a value as JSON, without the line end of json.Encoder.
func write(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1)
	return nil
}

// handle registers a route.
func (a *API) handle(mux *http.ServeMux, rt route, do func(ctx context.Context, c *call) (idempotency.Answer, bool, error)) {
	need := access.Need{Scope: scope.WebhooksManage}
	a.routes = append(a.routes, Permission{rt.method, rt.path, need.Scope})
	mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) {
		c, err := a.enter(w, r, rt, need)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		made, replayed, err := do(r.Context(), c)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		a.reply(w, r, made, replayed)
	})
}

// maxBody bounds what is said about endpoints and events, in bytes. It is bounded here so that who says too much is told so in the envelope.
const maxBody = 1 << 20

// enter is what every route begins with: who is it, may it, and what does it send.
func (a *API) enter(w http.ResponseWriter, r *http.Request, rt route, need access.Need) (*call, error) {
	p, limit, err := a.Door.Enter(r, need)
	limit.Header(w.Header())
	if err != nil {
		return nil, err
	}
	c := &call{Principal: p, request: r}
	if err := form.URL(r.URL); err != nil {
		return nil, err
	}
	if rt.method != http.MethodPost && rt.method != http.MethodPatch {
		return c, nil
	}
	if r.ContentLength > maxBody {
		return nil, &http.MaxBytesError{Limit: maxBody} // before a byte of it is read
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := form.MediaType(r.Header, r.ContentLength); err != nil {
		return nil, err
	}
	c.body, err = form.Body(r)
	return c, err
}

// reply writes an answer.
func (a *API) reply(w http.ResponseWriter, r *http.Request, made idempotency.Answer, replayed bool) {
	h := w.Header()
	if replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	h.Set("Content-Type", mediaType)
	w.WriteHeader(made.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(made.Body, a.endOfMeta(r)...)) //nolint:gosec // JSON, and nosniff; the client may be gone
	}
}

// endOfMeta is the request's id, and the end of the body. Ids are made of characters that JSON writes as they are.
func (a *API) endOfMeta(r *http.Request) string {
	return `"request_id":"` + a.RequestID(r.Context()) + "\"}}\n"
}

const mediaType = "application/json"
