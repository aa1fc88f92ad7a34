package stubhub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Config is what the API stands on. All of it is needed but what has a default.
type Config struct {
	DB       *db.DB
	Door     *access.Door
	Keep     *idempotency.Keep
	Problems Problems

	Calendar  *event.Calendar
	Stock     *inventory.Stock
	Book      *order.Book
	Endpoints *endpoint.Book
	Keys      *seal.Keyring // that barcodes are sealed under

	// PublicURL is how the outside reaches the server, without a slash at its end. All links begin with it.
	PublicURL string
	// Secure tells whether a request came in by https; nil where that does not matter. StubHub calls what did not https_required.
	Secure func(*http.Request) bool
	// ClientAddr is the address of the client that made the request, for the audit log; nil to note none.
	ClientAddr func(ctx context.Context) netip.Addr

	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

// API is /v2 and /catalog.
type API struct {
	Config
	places places
	routes []Permission
}

// Permission is what a route asks for.
type Permission struct {
	Method string
	Path   string
	Scope  scope.Scope
}

// Permissions lists what each route asks for.
func (a *API) Permissions() []Permission { return a.routes }

// New puts the routes of /v2 and /catalog on the mux.
func New(mux *http.ServeMux, c Config) *API {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &API{Config: c, places: places(c.PublicURL)}
	a.rootRoutes(mux)
	a.webhookRoutes(mux)
	a.catalogRoutes(mux)
	a.saleRoutes(mux)
	a.listingRoutes(mux)
	a.otherMethods(mux)
	for _, tree := range []string{"/v2/", "/catalog/"} {
		mux.HandleFunc(tree, a.nothing)
	}
	return a
}

// nothing answers what no route is for.
func (a *API) nothing(w http.ResponseWriter, r *http.Request) {
	a.refuse(w, r, route{}, problem.New(problem.NotFound, codeNotFound, "There is nothing at this address for %s. GET /v2 has links to what there is.", r.Method))
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
			a.refuse(w, r, route{}, problem.New(problem.MethodUnknown, "method_not_allowed", "%.20s is not possible here; use one of: %s.", r.Method, allow))
		}
		// By method, because a pattern without one conflicts with that of another path that fits, such as recentupdates with {saleId}.
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if !slices.Contains(has, method) {
				mux.HandleFunc(method+" "+path, other)
			}
		}
	}
}

// route is what there is to say of an operation.
type route struct {
	method   string
	path     string
	scope    scope.Scope
	status   int               // of success; 200 when 0
	resource string            // what errors call the body: "webhook"
	names    map[string]string // fields as they are called here, by the pointers of the trade's problems, with all below; others are written in snake_case
}

// call is a request that was let in.
type call struct {
	*access.Principal
	request *http.Request
	body    []byte // as it came; nil for methods without one
}

// id reads an integer of the path; not_found for what is none.
func (c *call) id(name string) (int64, error) {
	n, err := strconv.ParseInt(c.request.PathValue(name), 10, 64)
	if err != nil || n < 1 {
		return 0, problem.New(problem.NotFound, codeNotFound, "There is no such resource here: an id is a whole number from 1 on.")
	}
	return n, nil
}

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

// int32 is an id that fits the int32 of StubHub's schemas.
func (c *call) int32(name string) (int64, error) {
	n, err := c.id(name)
	if err == nil && n > math.MaxInt32 {
		return 0, problem.New(problem.NotFound, codeNotFound, "There is no such resource here.")
	}
	return n, err
}

// none is the input of routes that need nothing but their path.
type none struct{}

func atOnce(context.Context, *call) (none, string, error) { return none{}, "", nil }

// answer is what a route's function returns.
type answer struct {
	body     any    // nil for none
	location string // of what was made
	then     func() // once it is on disk, and not when the answer is given again; may be nil
}

// get registers a route that changes nothing.
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
// and may take its time: it decodes, and what it returns is handed to do; key says among which others the transaction belongs, see [db.DB.Write].
func change[B any](a *API, mux *http.ServeMux, r route, before func(ctx context.Context, c *call) (b B, key string, err error), do func(tx *db.Tx, c *call, b B) (answer, error)) {
	through(a, mux, r, before, do, a.Keep.Do)
}

// configure is change for routes that change who subscribes to what: nobody else writes meanwhile.
func configure[B any](a *API, mux *http.ServeMux, r route, before func(ctx context.Context, c *call) (b B, key string, err error), do func(tx *db.Tx, c *call, b B) (answer, error)) {
	through(a, mux, r, before, do, func(ctx context.Context, request idempotency.Request, _ string, effect idempotency.Effect) (idempotency.Answer, bool, error) {
		return a.Keep.DoConfiguring(ctx, request, effect)
	})
}

func through[B any](
	a *API, mux *http.ServeMux, r route, before func(ctx context.Context, c *call) (b B, key string, err error), do func(tx *db.Tx, c *call, b B) (answer, error),
	door func(ctx context.Context, r idempotency.Request, writeKey string, effect idempotency.Effect) (idempotency.Answer, bool, error),
) {
	a.handle(mux, r, func(ctx context.Context, c *call) (idempotency.Answer, bool, error) {
		b, key, err := before(ctx, c)
		if err != nil {
			return idempotency.Answer{}, false, err
		}
		var then func()
		made, replayed, err := door(ctx, c.repeatable(), key, func(tx *db.Tx) (idempotency.Answer, error) {
			out, err := do(tx, c, b)
			then = out.then
			if err != nil {
				return idempotency.Answer{}, err
			}
			return r.encode(out)
		})
		if err == nil && then != nil && !replayed {
			then()
		}
		return made, replayed, err
	})
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

func (rt route) success() int {
	if rt.status == 0 {
		return http.StatusOK
	}
	return rt.status
}

func (rt route) encode(out answer) (idempotency.Answer, error) {
	made := idempotency.Answer{Status: rt.success(), Header: http.Header{}}
	if out.location != "" {
		made.Header.Set("Location", out.location)
	}
	if out.body == nil {
		return made, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(out.body)
	made.Body = b.Bytes()
	return made, err
}

// handle registers a route. One without a scope is a mistake of ours and ends the start.
func (a *API) handle(mux *http.ServeMux, rt route, do func(ctx context.Context, c *call) (idempotency.Answer, bool, error)) {
	if rt.scope == "" {
		panic("stubhub: the route " + rt.method + " " + rt.path + " declares no scope")
	}
	a.routes = append(a.routes, Permission{rt.method, rt.path, rt.scope})
	mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) {
		c, err := a.enter(w, r, rt)
		if err != nil {
			a.refuse(w, r, rt, err)
			return
		}
		made, replayed, err := do(r.Context(), c)
		if err != nil {
			a.refuse(w, r, rt, err)
			return
		}
		reply(w, r, made, replayed)
	})
}

// enter is what every route begins with: does the request have the form that StubHub asks for, who is it, may it, and what does it send.
func (a *API) enter(w http.ResponseWriter, r *http.Request, rt route) (*call, error) {
	if a.Secure != nil && !a.Secure(r) {
		return nil, problem.New(problem.Invalid, codeHTTPSRequired, "Send the request by https.")
	}
	if strings.TrimSpace(r.Header.Get("User-Agent")) == "" {
		return nil, problem.New(problem.Invalid, codeUserAgentRequired, "Say who asks in the header User-Agent, such as \"desk/1.0\".")
	}
	p, limit, err := a.Door.Enter(r, access.Need{Scope: rt.scope})
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
	if err := form.MediaType(r.Header, r.ContentLength); err != nil {
		return nil, err
	}
	c.body, err = form.Body(r)
	return c, err
}

// reply writes an answer. Its ETag is made of its bytes, so that whoever has them already need not be sent them again.
func reply(w http.ResponseWriter, r *http.Request, made idempotency.Answer, replayed bool) {
	h := w.Header()
	for name, values := range made.Header {
		h[name] = values
	}
	if replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	h.Set("Cache-Control", "no-cache, private")
	if len(made.Body) == 0 {
		w.WriteHeader(made.Status)
		return
	}
	h.Set("Content-Type", HAL)
	h.Set("Content-Language", "en-US")
	if made.Status == http.StatusOK {
		sum := sha256.Sum256(made.Body)
		tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
		h.Set("ETag", tag)
		if (r.Method == http.MethodGet || r.Method == http.MethodHead) && matches(r.Header.Values("If-None-Match"), tag) {
			h.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(made.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(made.Body) // the client may be gone
	}
}

// matches tells whether If-None-Match names the tag (RFC 9110 §13.1.2: the comparison is weak).
func matches(headers []string, tag string) bool {
	for _, h := range headers {
		for one := range strings.SplitSeq(h, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}
