package oauth

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/proof"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// People is what the server has to know of people and organisations. The app wires package org to it.
type People interface {
	// Places are the organisations that a person can act in through an app of the organisation client: their own, by name, and the client's, where they are
	// an attendee if nothing else.
	Places(q db.Querier, user, client int64) ([]Place, error)
	// Named returns a person's and an organisation's public ids, for introspection.
	Named(q db.Querier, user, org int64) (id.User, id.Org, error)
}

// Place is an organisation that a person can act in.
type Place struct {
	Org  int64
	ID   id.Org
	Name string
	Role string    // "" for an attendee
	May  scope.Set // what the person may do there
}

// Person is somebody who is signed in.
type Person struct {
	No      int64
	ID      id.User
	Email   string
	Session int64 // its number
}

// Consent is what a person is asked.
type Consent struct {
	Person     *Person
	ClientName string
	Host       string // of the redirect URI: where the answer goes. For a private scheme, the scheme
	Target     string // the redirect URI's origin, for the page's form-action; "" where there is none
	Scopes     []scope.Scope
	Places     []Place
	Request    string // the hidden field "request": a secret that is good once, for this session
	UserCode   string // of a device; "" for a redirect
}

// Front is what people see of the server. Package account is it.
type Front interface {
	// Person returns who is signed in; nil when nobody is.
	Person(r *http.Request) (*Person, error)
	// Genuine tells whether a form's token, its field csrf, is the one of the browser that sends it.
	Genuine(r *http.Request, token string) bool
	// SignIn sends the browser to sign in and then back to path, a path of this server with its query.
	SignIn(w http.ResponseWriter, r *http.Request, path string)
	// Consent asks. Its form posts request, decision (allow or deny), org and scope (one for each that stays ticked) to /oauth/consent, or for a
	// device to /oauth/device/consent.
	Consent(w http.ResponseWriter, r *http.Request, c Consent)
	// Code asks for a device's code; complaint says why the last one was not taken, "" at first. Its form posts user_code to /oauth/device/code.
	Code(w http.ResponseWriter, r *http.Request, userCode, complaint string, status int)
	// Say shows a page with a heading and a sentence, from which nothing leads on.
	Say(w http.ResponseWriter, r *http.Request, status int, heading, sentence string)
}

// Config is what a server stands on. The durations have defaults.
type Config struct {
	DB       *db.DB
	Registry *Registry
	People   People
	Front    Front

	// Issuer is the server's own URL, without a slash at its end (RFC 8414 §2).
	Issuer string

	AccessLife      time.Duration // of an access token; 1 hour
	RefreshIdle     time.Duration // how long a refresh token waits to be used; 30 days
	RefreshAbsolute time.Duration // how long an authorization can be refreshed in all; 180 days
	Grace           time.Duration // how long a refresh token that was used gives the same answer again; 10 seconds, negative for not at all
	CodeLife        time.Duration // of an authorization code; 60 seconds
	PushLife        time.Duration // of a pushed request (RFC 9126 §2.2); 90 seconds
	DeviceLife      time.Duration // of a device's codes; 10 minutes
	// PerMinute bounds the requests to the token endpoint and those like it, for each client and for each network address; 0 for no bound.
	PerMinute int

	// ClientAddr is the network address of the client of a request, which a proxy may stand before; the peer's where nil.
	ClientAddr func(context.Context) netip.Addr

	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

func (c *Config) defaults() {
	for _, d := range []struct {
		of      *time.Duration
		without time.Duration
	}{
		{&c.AccessLife, time.Hour},
		{&c.RefreshIdle, 30 * 24 * time.Hour},
		{&c.RefreshAbsolute, 180 * 24 * time.Hour},
		{&c.Grace, 10 * time.Second},
		{&c.CodeLife, time.Minute},
		{&c.PushLife, 90 * time.Second},
		{&c.DeviceLife, 10 * time.Minute},
	} {
		if *d.of == 0 {
			*d.of = d.without
		}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// Server is the HTTP side. It is safe for use by many goroutines.
type Server struct {
	Config
	limits *limits
	codes  *limits // guesses of a device's code, by person and by address
	nonces *proof.Nonces
}

// New makes a server.
func New(c Config) *Server {
	c.defaults()
	return &Server{Config: c, limits: newLimits(c.PerMinute), codes: newLimits(guessesPerMinute), nonces: proof.NewNonces(c.Registry.Keys)}
}

// Routes puts the server's routes on the mux.
func (s *Server) Routes(mux *http.ServeMux) {
	for _, path := range []string{"/oauth/authorize", "/authorize"} { // the second is StubHub's name for it, and so below
		mux.HandleFunc("GET "+path, s.authorize)
		mux.HandleFunc("POST "+path, s.authorize)
	}
	mux.HandleFunc("POST /oauth/consent", s.consent)
	for _, path := range []string{"/oauth/token", "/oauth2/token"} {
		mux.HandleFunc("POST "+path, s.token)
	}
	mux.HandleFunc("POST /oauth/revoke", s.revoke)
	mux.HandleFunc("POST /oauth/introspect", s.introspect)
	mux.HandleFunc("POST /oauth/par", s.push)
	mux.HandleFunc("POST /oauth/device", s.device)
	mux.HandleFunc("GET /oauth/device", s.devicePage)
	mux.HandleFunc("POST /oauth/device/code", s.deviceCode)
	mux.HandleFunc("POST /oauth/device/consent", s.deviceConsent)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", s.metadata)
	if u, err := url.Parse(s.Issuer); err == nil && strings.Trim(u.Path, "/") != "" { // which is inserted, not appended (RFC 8414 §3)
		mux.HandleFunc("GET /.well-known/oauth-authorization-server"+u.EscapedPath(), s.metadata)
	}
	mux.HandleFunc("GET /.well-known/oauth-protected-resource", s.protected(""))
	for _, path := range resources {
		mux.HandleFunc("GET /.well-known/oauth-protected-resource"+path, s.protected(path))
	}
}
