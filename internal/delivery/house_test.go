package delivery_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/webhook"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "6") // most of the tests wait for time to pass
	dbtest.Main(m)
}

const org = 7

var ours = endpoint.Whose{Org: org}

// each runs a test on both engines, beside others: most of them wait.
func each(t *testing.T, f func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		f(t, d)
	})
}

// plain is a dialect for tests: the envelope is the fact's data.
type plain struct {
	delays  []time.Duration
	timeout time.Duration                      // 5 s when 0
	render  func(f *fact.Fact) ([]byte, error) // nil for the data
}

func (plain) Format() string                    { return "plain" }
func (plain) Name(k fact.Kind) (string, bool)   { return string(k), true }
func (plain) OwnMessages() bool                 { return true }
func (plain) Signatures() []string              { return nil }
func (plain) Variant(*endpoint.Endpoint) string { return "plain" }
func (plain) ContentType() string               { return "application/json" }
func (plain) Events() (all []string) {
	for _, k := range fact.Native() {
		all = append(all, string(k))
	}
	return all
}

func (p plain) Render(_ context.Context, f *fact.Fact, _ *endpoint.Endpoint) ([]byte, error) {
	if p.render != nil {
		return p.render(f)
	}
	return f.Data, nil
}

func (plain) Signer(e *endpoint.Endpoint) (delivery.Signer, error) {
	return webhook.NewSigner(webhook.Portal, webhook.Key{Text: e.Secret})
}

func (plain) MessageID(_ *fact.Fact, d id.Delivery) string { return d.String() }

func (p plain) Policy() delivery.Policy {
	return delivery.Policy{Delays: p.delays, Timeout: cmp.Or(p.timeout, 5*time.Second)}
}

// house is everything that a delivery needs.
type house struct {
	t      testing.TB
	db     *db.DB
	ledger *ledger.Ledger
	book   *endpoint.Book
	subs   *endpoint.Subscriptions
	engine *delivery.Engine
	keys   *seal.Keyring
	stop   func() error // ends the engine and waits for it
	dead   bool         // its database is gone, so it ends with an error
}

var quiet = slog.New(slog.DiscardHandler)

func open(t testing.TB, d *db.DB, change func(*delivery.Config)) *house {
	t.Helper()
	h := assemble(t, d, change)
	h.start()
	return h
}

// start has the engine send, until the test ends or stop is called.
func (h *house) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.engine.Run(ctx) }()
	h.stop = sync.OnceValue(func() error { cancel(); return <-done })
	h.t.Cleanup(func() {
		if err := h.stop(); err != nil && !h.dead {
			h.t.Errorf("Run: %v", err)
		}
	})
}

func assemble(t testing.TB, d *db.DB, change func(*delivery.Config)) *house {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	policy := egress.NewPolicy(egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	client := egress.NewClient(policy, egress.Options{})
	t.Cleanup(client.Close)
	dialect := plain{delays: []time.Duration{100 * time.Millisecond, 100 * time.Millisecond}}
	book := endpoint.NewBook(keys, policy, dialect)
	subs := endpoint.NewSubscriptions(d, book)
	c := delivery.Config{
		DB: d, Endpoints: book, Subscriptions: subs, Keys: keys, Dialects: []delivery.Dialect{dialect}, Client: client, NodeName: "test", Log: quiet,
		Poll: 50 * time.Millisecond, Grace: time.Second,
	}
	if change != nil {
		change(&c)
	}
	h := &house{t: t, db: d, book: book, subs: subs, engine: delivery.New(c), keys: keys}
	if h.ledger, err = ledger.Open(t.Context(), d, h.engine); err != nil {
		t.Fatal(err)
	}
	book.Follow(h.ledger)
	return h
}

// subscribe makes an endpoint for the receiver.
func (h *house) subscribe(url string, o endpoint.Options, events ...string) *endpoint.Endpoint {
	h.t.Helper()
	checked, err := h.book.CheckURL(context.Background(), url)
	if err != nil {
		h.t.Fatalf("CheckURL(%q): %v", url, err)
	}
	if len(events) == 0 {
		events = []string{"*"}
	}
	var e *endpoint.Endpoint
	err = h.db.Configure(context.Background(), func(tx *db.Tx) (err error) {
		e, err = h.book.Create(tx, org, endpoint.Spec{URL: checked, Format: "plain", Events: events, Options: o}, audit.By{})
		return err
	})
	if err != nil {
		h.t.Fatalf("Create endpoint: %v", err)
	}
	return e
}

// publish appends facts whose data says which they are.
func (h *house) publish(key string, numbers ...int) {
	h.t.Helper()
	if err := h.tryPublish(key, numbers...); err != nil {
		h.t.Fatalf("publish: %v", err)
	}
}

func (h *house) tryPublish(key string, numbers ...int) error {
	return h.db.Write(context.Background(), "", func(tx *db.Tx) error {
		var facts []*fact.Fact
		for _, n := range numbers {
			facts = append(facts, &fact.Fact{Org: org, Kind: "acme.happened", Key: key, Private: true, Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))})
		}
		return h.ledger.Append(tx, facts...)
	})
}

// receiver takes deliveries and answers as it is told.
type receiver struct {
	URL    string
	mu     sync.Mutex
	got    []received
	come   chan struct{}
	answer func(r received) int // 200 when nil
	header http.Header
}

type received struct {
	n      int // what the body says
	id     string
	body   string
	header http.Header
	at     time.Time
	try    int // of this id, from 1
}

func receive(t testing.TB, answer func(received) int) *receiver {
	t.Helper()
	r := &receiver{come: make(chan struct{}, 1<<16), answer: answer, header: http.Header{}}
	tries := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		var b struct{ N int }
		_ = json.Unmarshal(body, &b)
		g := received{n: b.N, id: req.Header.Get("X-Webhook-Delivery"), body: string(body), header: req.Header.Clone(), at: time.Now()}
		r.mu.Lock()
		tries[g.id]++
		g.try = tries[g.id]
		r.got = append(r.got, g)
		for name, v := range r.header {
			w.Header()[name] = v
		}
		r.mu.Unlock()
		r.come <- struct{}{}
		status := 200
		if r.answer != nil {
			status = r.answer(g)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	r.URL = s.URL + "/hook"
	return r
}

// await waits for n requests in all and returns them. It gives up when nothing has come for 20 seconds.
func (r *receiver) await(t testing.TB, n int) []received {
	t.Helper()
	for {
		r.mu.Lock()
		got := append([]received(nil), r.got...)
		r.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-r.come:
		case <-time.After(90 * time.Second):
			t.Fatalf("got %d requests, want %d", len(got), n)
		}
	}
}

// settled waits until a delivery of the endpoint has the state.
func (h *house) settled(e *endpoint.Endpoint, state string, n int) []delivery.Record {
	h.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		page, _, err := h.engine.List(context.Background(), e, delivery.Filter{State: state, Limit: 1000})
		if err != nil {
			h.t.Fatalf("List: %v", err)
		}
		if len(page) == n {
			return page
		}
		if time.Now().After(deadline) {
			all, _, _ := h.engine.List(context.Background(), e, delivery.Filter{Limit: 1000})
			h.t.Fatalf("%d deliveries are %s, want %d; all: %+v", len(page), state, n, all)
		}
	}
}

// subscribeMany makes endpoints for a URL in one transaction.
func (h *house) subscribeMany(url string, n int) {
	h.t.Helper()
	checked, err := h.book.CheckURL(context.Background(), url)
	if err != nil {
		h.t.Fatalf("CheckURL(%q): %v", url, err)
	}
	if err := h.db.Configure(context.Background(), func(tx *db.Tx) error {
		for range n {
			if _, err := h.book.Create(tx, org, endpoint.Spec{URL: checked, Format: "plain", Events: []string{"*"}}, audit.By{}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		h.t.Fatalf("Create endpoints: %v", err)
	}
	if err := h.subs.Refresh(context.Background()); err != nil {
		h.t.Fatalf("Refresh: %v", err)
	}
}

// heap is how much memory is in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
