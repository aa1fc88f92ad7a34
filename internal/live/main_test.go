package live_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/pullup"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/live"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/web"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// house is streams on a database, behind a server.
type house struct {
	t       testing.TB
	db      *db.DB
	ledger  *ledger.Ledger
	book    *endpoint.Book
	engine  *delivery.Engine
	box     *inbound.Box
	depot   *pull.Depot
	streams *live.Streams
	server  *httptest.Server
	stop    func() // ends the streams

	mu    sync.Mutex // guards below
	who   access.Principal
	still error
}

func each(t *testing.T, c live.Config, f func(t *testing.T, h *house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, newHouse(t, d, c)) })
}

func newHouse(t *testing.T, d *db.DB, c live.Config) *house {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	policy := egress.NewPolicy(egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	client := egress.NewClient(policy, egress.Options{UserAgent: "test"})
	log := slog.New(slog.DiscardHandler)
	h := &house{t: t, db: d, book: endpoint.NewBook(keys, policy, pullup.New()), who: access.Principal{Org: 1, Credential: "key_a"}}
	subscriptions := endpoint.NewSubscriptions(d, h.book)
	h.engine = delivery.New(delivery.Config{
		DB: d, Endpoints: h.book, Subscriptions: subscriptions, Keys: keys, Dialects: []delivery.Dialect{pullup.New()}, Client: client, NodeName: t.Name(), Log: log,
		Poll: 50 * time.Millisecond,
	})
	if h.ledger, err = ledger.Open(t.Context(), d, h.engine); err != nil {
		t.Fatal(err)
	}
	h.book.Follow(h.ledger)
	h.engine.LogTo(h.ledger)
	h.box = inbound.New(inbound.Config{DB: d, Keys: keys, Ledger: h.ledger, Log: log})
	h.depot = pull.New(pull.Config{DB: d, Keys: keys, Ledger: h.ledger, Log: log})
	c.DB, c.Ledger, c.Engine, c.Subscriptions, c.Box, c.Log = d, h.ledger, h.engine, subscriptions, h.box, log
	c.Depot, c.Event = h.depot, pulledJSON
	h.streams = live.New(c)
	problems := web.Problems{Log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		if err := h.streams.Organisation(w, r, h.principal(), h.look); err != nil {
			problems.Write(w, r, err)
		}
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		e, err := h.box.Get(d.Read(r.Context()), h.whose(), inboundID(r))
		if err == nil {
			err = h.streams.Inbound(w, r, h.principal(), e, h.look)
		}
		if err != nil {
			problems.Write(w, r, err)
		}
	})
	mux.HandleFunc("GET /pull", func(w http.ResponseWriter, r *http.Request) {
		if err := h.pull(w, r); err != nil {
			problems.Write(w, r, err)
		}
	})
	mux.HandleFunc("POST "+inbound.DoorPath, h.box.Door(problems.Write))
	h.server = httptest.NewServer(mux)
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { h.streams.Run(ctx) })
	h.stop = sync.OnceFunc(func() { cancel(); parts.Wait() })
	t.Cleanup(func() {
		h.stop()
		h.server.CloseClientConnections()
		h.server.Close()
		client.Close()
	})
	return h
}

func (h *house) principal() *access.Principal {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.who
	return &p
}

func (h *house) look(context.Context) (*access.Principal, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.who
	return &p, h.still
}

// deliver has the engine send, until the test ends.
func (h *house) deliver() {
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := h.engine.Run(ctx); err != nil {
			h.t.Errorf("engine: %v", err)
		}
	})
	h.t.Cleanup(func() { cancel(); parts.Wait() })
}

// hook makes a webhook of an organisation that is sent everything, on a grant or none.
func (h *house) hook(org, grant int64, url string) *endpoint.Endpoint {
	h.t.Helper()
	u, err := h.book.CheckURL(h.t.Context(), url)
	if err != nil {
		h.t.Fatal(err)
	}
	var e *endpoint.Endpoint
	err = h.db.Configure(h.t.Context(), func(tx *db.Tx) (err error) {
		none := []time.Duration{}
		e, err = h.book.Create(tx, org, endpoint.Spec{
			URL: u, Format: "pullup", Events: []string{"*"}, Grant: grant, Sees: h.who.Scopes, Options: endpoint.Options{Retry: &none},
		}, audit.By{})
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

// tell appends facts of an organisation and returns their ids.
func (h *house) tell(org int64, kind fact.Kind, data ...string) []string {
	h.t.Helper()
	facts := make([]*fact.Fact, len(data))
	for i, d := range data {
		facts[i] = &fact.Fact{Org: org, Kind: kind, Data: []byte(d), Private: !fact.Reserved(string(kind))}
	}
	if err := h.db.Write(context.Background(), "", func(tx *db.Tx) error { return h.ledger.Append(tx, facts...) }); err != nil {
		h.t.Error(err)
	}
	ids := make([]string, len(facts))
	for i, f := range facts {
		ids[i] = f.ID.String()
	}
	return ids
}

func (h *house) open(path string, header ...string) *harness.Stream {
	h.t.Helper()
	s, err := harness.OpenStream(context.Background(), h.server.Client(), h.server.URL+path, header...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(s.Close)
	return s
}

// refused returns what a stream that is not opened is answered.
func (h *house) refused(path string, header ...string) string {
	h.t.Helper()
	s, err := harness.OpenStream(context.Background(), h.server.Client(), h.server.URL+path, header...)
	if err == nil {
		s.Close()
		h.t.Fatalf("GET %s was not refused", path)
	}
	return err.Error()
}

// facts reads events until there are n facts, and returns their ids.
func facts(t testing.TB, s *harness.Stream, n int) []string {
	t.Helper()
	var ids []string
	for len(ids) < n {
		e := s.Must(t)
		var f struct{ ID string }
		e.Decode(t, &f)
		if e.Type != "fact" {
			t.Fatalf("an event %s %s, want only facts", e.Type, e.Data)
		}
		ids = append(ids, f.ID)
	}
	return ids
}

func numbered(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"n":%d}`, i)
	}
	return all
}
