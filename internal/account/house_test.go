package account_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/account"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// house is a server with the pages, and the authorization server behind them.
type house struct {
	t        *testing.T
	db       *db.DB
	people   *org.People
	registry *oauth.Registry
	pages    *account.Pages
	server   *httptest.Server
	mail     *postbox // nil for none
	org      org.Org
	tickets  *ticket.Roll
	sold     int64 // tickets that were made

	log  *logged
	now  atomic.Pointer[time.Time]  // what the pages take the time to be; nil for what it is
	from atomic.Pointer[netip.Addr] // where requests seem to come from; nil for where they do
}

// options say how a house differs from the usual one, which has mail, and lets strangers make accounts.
type options struct{ noMail, noSignUp, secure bool }

// each runs a test on both databases.
func each(t *testing.T, f func(t *testing.T, h *house)) { eachWith(t, options{}, f) }

func eachWith(t *testing.T, o options, f func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, newHouse(t, d, o)) })
}

// some runs a test on one database: for what has nothing to do with it.
func some(t *testing.T, o options, f func(h *house)) {
	t.Helper()
	f(newHouse(t, dbtest.Open(t, dbtest.SQLite(t)), o))
}

func newHouse(t *testing.T, d *db.DB, o options) *house {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: d, registry: &oauth.Registry{Keys: keys}, log: &logged{}, tickets: ticket.New(silence{}, d, keys)}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	h.people = org.NewPeople(org.PeopleConfig{DB: d, Keys: keys, Apps: h.registry, Log: log, Weak: true})
	mux := http.NewServeMux()
	h.server = httptest.NewServer(mux)
	c := account.Config{
		DB: d, Keys: keys, People: h.people, Registry: h.registry, Tickets: h.tickets, PublicURL: h.server.URL, SignUp: !o.noSignUp, Log: log, Now: h.time,
		ClientAddr: h.address,
	}
	if o.secure {
		c.PublicURL = "https://tickets.example.org"
	}
	if !o.noMail {
		h.mail = newPostbox(t)
		c.Mail = h.mail.sender(t)
	}
	h.pages = account.New(c)
	h.pages.Routes(mux)
	oauth.New(oauth.Config{DB: d, Registry: h.registry, People: places{}, Front: h.pages, Issuer: c.PublicURL, Log: log}).Routes(mux)
	t.Cleanup(func() {
		h.server.Close()
		h.pages.Close()
		if text := h.log.String(); strings.Contains(text, "level=ERROR") {
			t.Errorf("the log has errors:\n%s", text)
		}
	})
	h.org = h.newOrg("The Hall")
	return h
}

// time is the time that the pages take it to be.
func (h *house) time() time.Time {
	if t := h.now.Load(); t != nil {
		return *t
	}
	return time.Now()
}

// stop stops the clock of the pages, and moves it on.
func (h *house) stop(later time.Duration) {
	now := h.time().Add(later)
	h.now.Store(&now)
}

func (h *house) address(context.Context) netip.Addr {
	if a := h.from.Load(); a != nil {
		return *a
	}
	return netip.MustParseAddr("192.0.2.1")
}

func (h *house) comeFrom(address string) {
	a := netip.MustParseAddr(address)
	h.from.Store(&a)
}

// logged keeps what is logged.
type logged struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// places is what the app makes of package org for package oauth.
type places struct{}

func (places) Places(q db.Querier, user, client int64) ([]oauth.Place, error) {
	belongs, err := org.Memberships(q, user)
	var all []oauth.Place
	for _, m := range belongs {
		all = append(all, oauth.Place{Org: m.Org.No, ID: m.Org.ID, Name: m.Org.Name, Role: string(m.Role), May: m.Role.Allows()})
		if m.Org.No == client {
			client = 0
		}
	}
	if err != nil || client == 0 {
		return all, err
	}
	o, err := org.ByNumber(q, client)
	return append(all, oauth.Place{Org: o.No, ID: o.ID, Name: o.Name, May: org.Role("").Allows()}), err
}

func (places) Named(db.Querier, int64, int64) (id.User, id.Org, error) { return "", "", nil }

// write runs a transaction that changes the configuration too, and returns what it returned.
func write[T any](h *house, fn func(tx *db.Tx) (T, error)) T {
	h.t.Helper()
	var out T
	err := h.db.Configure(context.Background(), func(tx *db.Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// read asks the database.
func read[T any](h *house, fn func(q db.Querier) (T, error)) T {
	h.t.Helper()
	out, err := fn(h.db.Read(context.Background()))
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func (h *house) newOrg(name string) org.Org {
	return write(h, func(tx *db.Tx) (org.Org, error) { return org.Create(tx, org.Input{Name: name}) })
}

const password = "a lantern of wicker"

// person is somebody with an account and the password, who may be something in the organisation, and their browser, which is signed in.
type person struct {
	*browser
	org.User
}

func (h *house) person(email string, role org.Role) *person {
	h.t.Helper()
	p := &person{h.browser(), h.account(email)}
	if role != "" {
		p.join(h.org, role)
	}
	p.signIn(email, password).must(303)
	return p
}

// account makes an account with the password.
func (h *house) account(email string) org.User {
	h.t.Helper()
	pw, err := h.people.Hash(context.Background(), email, password)
	if err != nil {
		h.t.Fatal(err)
	}
	return write(h, func(tx *db.Tx) (org.User, error) {
		return h.people.Create(tx, org.UserInput{Email: email, Name: "Kari Nordmann", Password: pw}, audit.By{Actor: audit.Operator})
	})
}

// user is the person as they are now.
func (p *person) user() org.User {
	return read(p.h, func(q db.Querier) (org.User, error) { return org.UserByNumber(q, p.No) })
}

func (p *person) join(o org.Org, role org.Role) {
	write(p.h, func(tx *db.Tx) (any, error) { return nil, p.h.people.SetRole(tx, o.No, p.No, role, audit.By{}) })
}

// link makes a link, and returns its path.
func (p *person) link(kind org.LinkKind) string {
	return kind.URL("", write(p.h, func(tx *db.Tx) (string, error) {
		_, secret, err := p.h.people.NewLink(tx, kind, p.User)
		return secret, err
	}))
}

// invite makes an invitation, and returns its path.
func (h *house) invite(email string, role org.Role) string {
	return org.Invitation.URL("", write(h, func(tx *db.Tx) (string, error) {
		_, secret, err := h.people.Invite(tx, h.org.No, email, role, audit.By{Actor: audit.Operator})
		return secret, err
	}))
}

// app makes an app, and returns the path that its users are sent to.
func (h *house) app(name, redirect string, scopes ...scope.Scope) string {
	h.t.Helper()
	c := write(h, func(tx *db.Tx) (oauth.Client, error) {
		c, _, err := h.registry.CreateClient(tx, h.org.No, oauth.ClientInput{
			Name: name, AuthMethod: oauth.Public, Redirects: []string{redirect}, Scopes: scope.Of(scopes...),
			GrantTypes: []oauth.GrantType{oauth.AuthorizationCode, oauth.RefreshToken, oauth.DeviceCode},
		}, audit.By{})
		return c, err
	})
	return fmt.Sprintf("/oauth/authorize?response_type=code&client_id=%s&code_challenge=%s&code_challenge_method=S256", c.ID, strings.Repeat("a", 43))
}

// bodyOf reads an answer's body.
func bodyOf(r *http.Response) ([]byte, error) {
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}
