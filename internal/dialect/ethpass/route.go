package ethpass

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/dialect/house"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Config is what the API stands on. All of it is needed but what has a default.
type Config struct {
	DB        *db.DB
	Door      *access.Door
	Keep      *idempotency.Keep
	Problems  Problems
	Book      *pass.Book
	Endpoints *endpoint.Book

	// Apple makes the file of a pass, and Google the link by which it is saved.
	Apple  func(f pass.Face) ([]byte, error)
	Google func(ctx context.Context, f pass.Face) (string, error)
	// Ready fails where Apple could not make the file of any pass, so that none is made whose link leads nowhere. It may be nil.
	Ready func(ctx context.Context) error
	// Chain tells who holds what on a chain; nil where nobody is asked, and owners are trusted.
	Chain pass.Chain
	// Signed tells whether a contract wallet says that it has signed a message (ERC-1271); known is false where nobody can be asked. It may be nil.
	Signed func(ctx context.Context, network string, owner evm.Address, message string, signature []byte) (ok, known bool, err error)

	// Policy and Fetch are how pictures are fetched. The client has to read bodies of picture.MaxBytes.
	Policy *egress.Policy
	Fetch  *egress.Client

	// PublicURL is how the outside reaches the server, without a slash at its end. All links begin with it.
	PublicURL string
	// ClientAddr is the address of the client that made the request, for budgets and the audit log; nil when it is not known.
	ClientAddr func(ctx context.Context) netip.Addr

	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

// Bases are how the paths of this vocabulary begin: ethpass prints one, and its clients use the other. Bodies below them are bounded here, and by nobody else: see
// web.Server.OwnBodies.
func Bases() []string { return []string{"/v0/", "/api/v0/"} }

// API is /v0 and /api/v0.
type API struct {
	Config
	domain  string // of PublicURL
	routes  []Permission
	drawing chan struct{} // has one in it for each picture that is being drawn
}

// Permission is what a route asks for.
type Permission struct {
	Method    string
	Path      string
	Scope     scope.Scope
	Attendees bool // also for people without a role, for what is their own
}

// Permissions lists what each route asks for, but for those of links and pictures, which ask for nothing but that one knows them.
func (a *API) Permissions() []Permission { return a.routes }

// New puts the routes of /v0, of /api/v0, and of download links on the mux.
func New(mux *http.ServeMux, c Config) *API {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &API{Config: c, drawing: make(chan struct{}, drawers)}
	if u, err := url.Parse(c.PublicURL); err == nil {
		a.domain = u.Host
	}
	a.passRoutes(mux)
	a.scanRoutes(mux)
	a.projectRoutes(mux)
	a.imageRoutes(mux)
	a.linkRoutes(mux)
	a.otherMethods(mux)
	for _, base := range Bases() {
		mux.HandleFunc(base, a.nothing)
	}
	return a
}

// nothing answers what no route is for.
func (a *API) nothing(w http.ResponseWriter, r *http.Request) {
	a.refuse(w, r, nil, problem.New(problem.NotFound, "not_found", "There is nothing at this address."))
}

// otherMethods answers the methods that the paths of routes do not have.
func (a *API) otherMethods(mux *http.ServeMux) {
	methods := map[string][]string{}
	for _, p := range a.routes {
		methods[p.Path] = append(methods[p.Path], p.Method)
	}
	for path, has := range methods {
		slices.Sort(has)
		allow := strings.Join(has, ", ")
		other := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			a.refuse(w, r, nil, problem.New(problem.MethodUnknown, "method_not_allowed", "%.20s is not possible here; use one of: %s.", r.Method, allow))
		}
		// By method, because a pattern without one conflicts with that of another path that fits, such as barcode with {id}.
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if !slices.Contains(has, method) && !a.taken(method, path) {
				mux.HandleFunc(method+" "+path, other)
			}
		}
	}
}

// taken tells whether a method of a path belongs to another route whose path has a parameter there: PATCH …/passes/barcode is of a pass that is called so.
func (a *API) taken(method, path string) bool {
	at := strings.LastIndexByte(path, '/')
	return !strings.HasSuffix(path, "}") && slices.ContainsFunc(a.routes, func(p Permission) bool {
		return p.Method == method && strings.HasPrefix(p.Path, path[:at+1]+"{") && strings.Count(p.Path, "/") == strings.Count(path, "/")
	})
}

// route is what there is to say of an operation. Every success is answered with 200.
type route struct {
	method    string
	path      string // behind /v0
	scope     scope.Scope
	attendees bool              // also for people without a role, for what is their own
	acts      bool              // a GET that changes something, so that HEAD is none
	most      int64             // bytes of a body; usualBody when 0
	any       bool              // the body need not be JSON
	free      bool              // the query may say what no other may, such as line ends
	names     map[string]string // fields as clients call them, by the pointers of the trade's problems
}

// call is a request.
type call struct {
	*access.Principal // once it was let in
	request           *http.Request
	route             route
	body              []byte            // as it came; nil for methods without one
	names             map[string]string // the route's, or what this request calls fields
}

// by says who does something, and from where.
func (c *call) by(a *API) audit.By {
	b := audit.By{Actor: c.Actor()}
	if at := a.client(c.request); at.IsValid() {
		b.Address = at.String()
	}
	return b
}

// client is the address of whoever asks; the zero one when it is not known.
func (a *API) client(r *http.Request) netip.Addr {
	if a.ClientAddr == nil {
		return netip.Addr{}
	}
	return a.ClientAddr(r.Context())
}

func (c *call) query() *query { return &query{values: c.request.URL.Query()} }

// none is the input of routes that need nothing but their path.
type none struct{}

func atOnce(context.Context, *call) (none, error) { return none{}, nil }

// get registers a route that changes nothing, or nothing that it matters to do again: its answer is made outside of a transaction and is not kept, whatever its
// Idempotency-Key.
func get(a *API, mux *http.ServeMux, r route, do func(ctx context.Context, c *call) (any, error)) {
	a.handle(mux, r, func(ctx context.Context, c *call) (idempotency.Answer, bool, error) {
		out, err := do(ctx, c)
		if err != nil {
			return idempotency.Answer{}, false, err
		}
		made, err := encode(out)
		return made, false, err
	})
}

// change registers a route that runs in one transaction: what it changes, its encoded answer and its Idempotency-Key. before runs outside of the transaction and may
// take its time: it decodes, asks and fetches, and what it returns is handed to do.
func change[B any](a *API, mux *http.ServeMux, r route, before func(ctx context.Context, c *call) (B, error), do func(tx *db.Tx, c *call, b B) (any, error)) {
	through(a, mux, r, before, do, func(ctx context.Context, r idempotency.Request, effect idempotency.Effect) (idempotency.Answer, bool, error) {
		return a.Keep.Do(ctx, r, "", effect)
	})
}

// configure is change for routes that change who subscribes to what: nobody else writes meanwhile.
func configure[B any](a *API, mux *http.ServeMux, r route, before func(ctx context.Context, c *call) (B, error), do func(tx *db.Tx, c *call, b B) (any, error)) {
	through(a, mux, r, before, do, a.Keep.DoConfiguring)
}

func through[B any](
	a *API, mux *http.ServeMux, r route, before func(ctx context.Context, c *call) (B, error), do func(tx *db.Tx, c *call, b B) (any, error),
	door func(ctx context.Context, r idempotency.Request, effect idempotency.Effect) (idempotency.Answer, bool, error),
) {
	a.handle(mux, r, func(ctx context.Context, c *call) (idempotency.Answer, bool, error) {
		request := c.repeatable()
		if was, replayed, err := a.Keep.Kept(ctx, request, a.Now()); err != nil || replayed { // whatever has become of its picture, its challenge or its assets since
			return was, replayed, err
		}
		b, err := before(ctx, c)
		if err != nil {
			return idempotency.Answer{}, false, err
		}
		return door(ctx, request, func(tx *db.Tx) (idempotency.Answer, error) {
			out, err := do(tx, c, b)
			if err != nil {
				return idempotency.Answer{}, err
			}
			return encode(out)
		})
	})
}

// repeatable is what tells this request from others, for its Idempotency-Key, under whichever of its two paths it comes. Only POST has one: the other methods can be
// repeated anyway.
func (c *call) repeatable() idempotency.Request {
	r := idempotency.Request{Org: c.Org, Principal: c.Credential, Route: c.route.method + " /v0" + c.route.path}
	if c.request.Method == http.MethodPost {
		r.Key = c.request.Header.Get("Idempotency-Key")
	}
	if r.Key != "" {
		r.Hash = idempotency.Hash([]byte(strings.TrimPrefix(c.request.URL.Path, "/api")), []byte(c.request.URL.RawQuery), c.body)
	}
	return r
}

func encode(out any) (idempotency.Answer, error) {
	body, err := house.Encode(out)
	return idempotency.Answer{Status: http.StatusOK, Header: http.Header{}, Body: body}, err
}

const (
	mediaType = "application/json"
	usualBody = 1 << 20
)

// handle registers a route under both bases. One without a scope is a mistake of ours and ends the start.
func (a *API) handle(mux *http.ServeMux, rt route, do func(ctx context.Context, c *call) (idempotency.Answer, bool, error)) {
	if rt.scope == "" {
		panic("ethpass: the route " + rt.method + " " + rt.path + " declares no scope")
	}
	if rt.most == 0 {
		rt.most = usualBody
	}
	serve := func(w http.ResponseWriter, r *http.Request) {
		c := &call{request: r, route: rt, names: rt.names}
		made, replayed, err := a.serve(w, c, do)
		if err != nil {
			a.refuse(w, r, c.names, err)
			return
		}
		h := w.Header()
		if replayed {
			h.Set("Idempotency-Replayed", "true")
		}
		h.Set("Content-Type", mediaType)
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(made.Status)
		_, _ = w.Write(made.Body) // JSON, and nosniff; the client may be gone
	}
	for _, base := range Bases() {
		path := strings.TrimSuffix(base, "/") + rt.path
		a.routes = append(a.routes, Permission{rt.method, path, rt.scope, rt.attendees})
		mux.HandleFunc(rt.method+" "+path, serve)
	}
}

// serve does what a route is for, for who may.
func (a *API) serve(w http.ResponseWriter, c *call, do func(context.Context, *call) (idempotency.Answer, bool, error)) (made idempotency.Answer, replayed bool, err error) {
	defer caught(&err)
	if err := a.enter(w, c); err != nil {
		return made, false, err
	}
	return do(c.request.Context(), c)
}

// enter is what every route begins with: who is it, may it, and what does it send.
func (a *API) enter(w http.ResponseWriter, c *call) error {
	r, rt := c.request, c.route
	if rt.acts && r.Method == http.MethodHead {
		w.Header().Set("Allow", rt.method)
		return problem.New(problem.MethodUnknown, "method_not_allowed", "HEAD is not possible here; use one of: %s.", rt.method)
	}
	p, limit, err := a.Door.Enter(r, access.Need{Scope: rt.scope, Attendees: rt.attendees})
	limit.Header(w.Header())
	if err != nil {
		return err
	}
	c.Principal = p
	if err := form.URL(r.URL); err != nil && !rt.free {
		return err
	}
	if rt.method != http.MethodPost && rt.method != http.MethodPatch && rt.method != http.MethodPut {
		return nil
	}
	if r.ContentLength > rt.most {
		return &http.MaxBytesError{Limit: rt.most} // before a byte of it is read
	}
	r.Body = http.MaxBytesReader(w, r.Body, rt.most)
	if !rt.any {
		if err := form.MediaType(r.Header, r.ContentLength); err != nil {
			return err
		}
	}
	c.body, err = form.Body(r)
	return err
}
