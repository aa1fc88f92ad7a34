package frame

import (
	"context"
	"embed"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Visitors knows who is signed in at a browser.
type Visitors interface {
	// Visitor returns who is signed in, the session, and the token of its forms; a zero user for nobody.
	Visitor(r *http.Request) (u org.User, s org.Session, token string, err error)
	// SignIn sends the browser to sign in and then back to path.
	SignIn(w http.ResponseWriter, r *http.Request, path string)
}

// Streams writes what happens as it happens, as Server-Sent Events, until the reader goes or still says that they may not read on.
type Streams interface {
	Organisation(w http.ResponseWriter, r *http.Request, who *access.Principal, still func(context.Context) (*access.Principal, error)) error
	Inbound(w http.ResponseWriter, r *http.Request, who *access.Principal, of *inbound.Endpoint, still func(context.Context) (*access.Principal, error)) error
	Pull(w http.ResponseWriter, r *http.Request, who *access.Principal, of *pull.Endpoint, form string,
		still func(context.Context) (*access.Principal, *pull.Endpoint, error)) error
}

// Config is what the pages stand on.
type Config struct {
	DB        *db.DB
	Visitors  Visitors
	Streams   Streams
	PublicURL string // of the server, without a slash at its end; cookies are Secure when it is https
	// ClientAddr is the network address of the client of a request, which a proxy may stand before.
	ClientAddr func(context.Context) netip.Addr
	RequestID  func(context.Context) string
	// Spend takes one from a budget of so many a minute, or fails with rate_limited; nil where nothing is bounded.
	Spend func(name string, perMinute int) error
	Log   *slog.Logger     // slog.Default when nil
	Now   func() time.Time // time.Now when nil
}

// Frame shows pages. It is safe for use by many goroutines.
type Frame struct {
	Config
	mux    *http.ServeMux
	routes []Route
	assets *page.Assets
	origin *http.CrossOriginProtection
	own    *templates // of this package: problem, sure
}

//go:embed all:assets
var assetFiles embed.FS

// Base is the path below which the pages of an organisation are.
const Base = "/o/{org}"

// New makes a frame whose pages go on the mux.
func New(mux *http.ServeMux, c Config) *Frame {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	f := &Frame{Config: c, mux: mux, assets: page.NewAssets("/assets/", assetFiles), origin: http.NewCrossOriginProtection(), own: Pages(pageFiles)}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		_ = f.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host) // our own, whatever Host a proxy before us sends; it was made to fit
	}
	f.assets.Routes(mux)
	f.Get("/stream", Scope(scope.WebhooksManage), func(v *Visit) error { return f.Streams.Organisation(v.W, v.R, v.Who, v.Still) })
	return f
}

// Need is what somebody must be allowed to, to see a page or to do something.
type Need struct {
	Scope scope.Scope
	Admin bool
}

// Member lets in everybody who has a role in the organisation.
var Member = Need{}

// Admin lets in who administrates the organisation.
var Admin = Need{Admin: true}

// Scope lets in whose role allows something.
func Scope(s scope.Scope) Need { return Need{Scope: s} }

// Met tells whether a principal may.
func (n Need) Met(p *access.Principal) bool {
	return (!n.Admin || p.Admin) && (n.Scope == "" || p.May(n.Scope))
}

// Page answers one request.
type Page func(*Visit) error

// Get puts a page on the mux, at a path below [Base].
func (f *Frame) Get(path string, need Need, do Page) {
	f.route(Route{http.MethodGet, path, need}, page.MaxForm, do)
}

// Post puts what a form does on the mux.
func (f *Frame) Post(path string, need Need, do Page) {
	f.route(Route{http.MethodPost, path, need}, page.MaxForm, do)
}

// Upload is Post for a form that has a file, or a large text: it may have so many bytes.
func (f *Frame) Upload(path string, need Need, most int64, do Page) {
	f.route(Route{http.MethodPost, path, need}, most, do)
}

// Route is one way into the pages of an organisation, and what it needs.
type Route struct {
	Method, Path string
	Need         Need
}

func (f *Frame) route(r Route, most int64, do Page) {
	f.routes = append(f.routes, r)
	f.mux.HandleFunc(r.Method+" "+Base+r.Path, f.serve(r.Need, most, do))
}

// Routes are all ways into the pages of an organisation.
func (f *Frame) Routes() []Route { return f.routes }

// Anywhere puts a page on the mux that is in no organisation; only who is signed in sees it.
func (f *Frame) Anywhere(pattern string, do Page) {
	f.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { f.enter(w, r, do) })
}
