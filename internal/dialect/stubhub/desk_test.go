package stubhub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/dialect/standard"
	"github.com/stagedoorhq/stagedoor/internal/dialect/stubhub"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/web"
)

// public is how the outside reaches a desk.
const public = "https://tickets.example"

// desk is /v2 on a database, with what its webhooks stand on, and an organisation with a key. A ledger of its own keeps the facts.
type desk struct {
	t      testing.TB
	db     *db.DB
	book   *endpoint.Book
	url    string
	org    int64
	key    string // of all scopes
	secure bool   // what requests came by, where config asks

	mu    sync.Mutex // guards facts
	facts []*fact.Fact
}

// visitor is the token of a person without a role in the organisation.
const visitor = "visitor"

// desks runs f at a desk on each database.
func desks(t *testing.T, f func(t *testing.T, d *desk)) {
	dbtest.Each(t, func(t *testing.T, on *db.DB) { f(t, newDesk(t, on, nil)) })
}

// lite is a desk on SQLite, for what has nothing to do with the database.
func lite(t *testing.T, with func(*desk, *stubhub.Config)) *desk {
	return newDesk(t, dbtest.Open(t, dbtest.SQLite(t)), with)
}

func newDesk(t testing.TB, on *db.DB, with func(*desk, *stubhub.Config)) *desk {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, db: on}
	policy := egress.NewPolicy(egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	people := func(context.Context, int64, id.Order) (order.People, error) { return order.People{}, nil }
	d.book = endpoint.NewBook(keys, policy, stubhub.NewDialect("", lookups()), standard.New(people))
	d.book.Follow(d)
	logger := slog.New(slog.DiscardHandler)
	server, err := web.New(web.Config{Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	err = on.WriteAlone(t.Context(), func(tx *db.Tx) error {
		o, err := org.Create(tx, org.Input{Name: "Pier Hall", Currency: "USD", Timezone: "Europe/Oslo"})
		if err != nil {
			return err
		}
		d.org = o.No
		_, d.key, err = org.CreateKey(tx, o.No, org.KeyInput{}, audit.By{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	finder := &app.Finder{}
	find := func(ctx context.Context, credential string) (*access.Principal, error) {
		if credential == visitor {
			return &access.Principal{Org: d.org, Kind: access.Grant, Credential: visitor, Scopes: scope.All(), Allowed: org.Role("").Allows(), Attendee: true}, nil
		}
		return finder.Find(on.Read(ctx), credential, time.Now())
	}
	c := stubhub.Config{
		DB: on, Door: access.New(access.Config{Find: find}), Keep: idempotency.New(on, keys), Problems: server.Problems(), Endpoints: d.book,
		PublicURL: public, ClientAddr: web.Client, Log: logger,
	}
	if with != nil {
		with(d, &c)
	}
	stubhub.New(server.Mux(), c)
	s := httptest.NewServer(server.Handler())
	t.Cleanup(s.Close)
	d.url = s.URL
	return d
}

// Append keeps the facts.
func (d *desk) Append(tx *db.Tx, facts ...*fact.Fact) error {
	tx.OnCommit(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.facts = append(d.facts, facts...)
	})
	return nil
}

func (d *desk) told() []*fact.Fact {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.facts
}

// answer is an answer that was read.
type answer struct {
	status int
	header http.Header
	raw    []byte
}

// call makes a request with the desk's key. body is a string (sent as it is) or a value (sent as JSON), nil for none. Headers come in pairs; an empty value
// removes one.
func (d *desk) call(method, path string, body any, header ...string) answer {
	d.t.Helper()
	var b []byte
	switch v := body.(type) {
	case nil:
	case string:
		b = []byte(v)
	default:
		var err error
		if b, err = json.Marshal(v); err != nil {
			d.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+strings.TrimPrefix(path, public), bytes.NewReader(b))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.key)
	req.Header.Set("User-Agent", "desk/1.0")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i+1] == "" && header[i] != "User-Agent" { // of which an empty one means none at all
			req.Header.Del(header[i])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.raw, err = io.ReadAll(resp.Body); err != nil {
		d.t.Fatalf("%s %s: body: %v", method, path, err)
	}
	return a
}

// must is call for a request that has to be answered with the status.
func (d *desk) must(status int, method, path string, body any, header ...string) answer {
	d.t.Helper()
	a := d.call(method, path, body, header...)
	if a.status != status {
		d.t.Fatalf("%s %s %v = %d %s, want %d", method, path, body, a.status, a.raw, status)
	}
	return a
}

// read decodes an answer.
func read[T any](d *desk, a answer) (v T) {
	d.t.Helper()
	if err := json.Unmarshal(a.raw, &v); err != nil {
		d.t.Fatalf("answer %d %s: %v", a.status, a.raw, err)
	}
	return v
}

// fault is StubHub's body of errors.
type fault struct {
	Code    string
	Message *string
	Errors  map[string][]string
	Error   string
}

// newKey makes a key with scopes.
func (d *desk) newKey(scopes ...scope.Scope) (key string) {
	d.t.Helper()
	if err := d.db.WriteAlone(d.t.Context(), func(tx *db.Tx) (err error) {
		_, key, err = org.CreateKey(tx, d.org, org.KeyInput{Scopes: scope.Of(scopes...)}, audit.By{})
		return err
	}); err != nil {
		d.t.Fatal(err)
	}
	return key
}

// endpoint makes a webhook past /v2, as /api/v1 does.
func (d *desk) endpoint(s endpoint.Spec) (e *endpoint.Endpoint) {
	d.t.Helper()
	u, err := d.book.CheckURL(d.t.Context(), "http://127.0.0.1:9/in")
	if err != nil {
		d.t.Fatal(err)
	}
	s.URL = u
	if err := d.configure(func(tx *db.Tx) error { e, err = d.book.Create(tx, d.org, s, audit.By{}); return err }); err != nil {
		d.t.Fatal(err)
	}
	return e
}

func (d *desk) configure(f func(tx *db.Tx) error) error { return d.db.Configure(d.t.Context(), f) }

// gone tells whether there is no webhook with a number.
func (d *desk) gone(number int64) bool {
	_, err := d.book.ByNumber(d.db.Read(d.t.Context()), endpoint.Whose{Org: d.org}, stubhub.Format, number)
	return problem.Is(err, "webhook_not_found")
}
