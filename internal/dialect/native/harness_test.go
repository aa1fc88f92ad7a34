package native_test

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
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/cloudevents"
	"github.com/stagedoorhq/stagedoor/internal/dialect/native"
	"github.com/stagedoorhq/stagedoor/internal/dialect/portal"
	"github.com/stagedoorhq/stagedoor/internal/dialect/pullup"
	"github.com/stagedoorhq/stagedoor/internal/dialect/standard"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/live"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
	"github.com/stagedoorhq/stagedoor/internal/web"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// house is the API on a database, with all that it stands on, and an organisation with a key. Every answer is checked against the document.
type house struct {
	finder *app.Finder
	t      testing.TB
	db     *db.DB
	api    *native.API
	engine *delivery.Engine
	url    string
	server http.Handler
	key    string // of all scopes
	org    int64
	people *org.People
	apps   *oauth.Registry
	front  *front
	log    *journal
	doc    *contract
}

// each runs f in a house on each database.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, newHouse(t, d)) })
}

// lite runs f in a house on SQLite, for what has nothing to do with the database.
func lite(t *testing.T) *house { return newHouse(t, dbtest.Open(t, dbtest.SQLite(t))) }

func newHouse(t testing.TB, d *db.DB) *house {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	policy := egress.NewPolicy(egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	client := egress.NewClient(policy, egress.Options{UserAgent: "test"})
	t.Cleanup(client.Close)
	people := func(ctx context.Context, org int64, o id.Order) (order.People, error) {
		return order.PeopleOf(d.Read(ctx), org, o)
	}
	dialects := []delivery.Dialect{portal.New(people), pullup.New(), standard.New(people), cloudevents.New(people, "http://localhost")}
	var vocabularies []endpoint.Vocabulary
	for _, d := range dialects {
		vocabularies = append(vocabularies, d)
	}
	book := endpoint.NewBook(keys, policy, vocabularies...)
	subscriptions := endpoint.NewSubscriptions(d, book)
	log := &journal{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	engine := delivery.New(delivery.Config{
		DB: d, Endpoints: book, Subscriptions: subscriptions, Keys: keys, Dialects: dialects, Client: client, NodeName: t.Name(), Log: logger, Poll: 50 * time.Millisecond,
	})
	l, err := ledger.Open(t.Context(), d, engine)
	if err != nil {
		t.Fatal(err)
	}
	book.Follow(l)
	stock, roll := inventory.New(l, keys), ticket.New(l, d, keys)
	engine.LogTo(l)
	box := inbound.New(inbound.Config{DB: d, Keys: keys, Ledger: l, Known: func(name string) bool { return name == "ticket.purchased" }, Log: logger})
	streams := live.New(live.Config{DB: d, Ledger: l, Engine: engine, Subscriptions: subscriptions, Box: box, Log: logger})
	server, err := web.New(web.Config{Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{finder: &app.Finder{}, t: t, db: d, engine: engine, log: log, front: &front{}}
	h.apps = &oauth.Registry{Keys: keys, Endpoints: book, Ledger: l}
	h.people = org.NewPeople(org.PeopleConfig{DB: d, Keys: keys, Apps: h.apps, Log: logger, Weak: true})
	oauth.New(oauth.Config{DB: d, Registry: h.apps, People: places{}, Front: h.front, Issuer: "http://127.0.0.1", Log: logger}).Routes(server.Mux())
	h.api = native.New(server.Mux(), native.Config{
		DB: d, Door: access.New(access.Config{Find: h.find}), Keep: idempotency.New(d, keys), Problems: server.Problems(),
		Calendar: event.New(l, order.Exists), Stock: stock, Book: order.New(l, stock, roll), Tickets: roll, Gates: gate.New(l, codes{}), Stamps: stamp.New(l),
		Endpoints: book, Subscriptions: subscriptions, Engine: engine, Ledger: l, People: h.people, Apps: h.apps,
		Erase: func(context.Context, int64, person.Address, audit.By) error { return nil }, PublicURL: "https://tickets.example", ClientAddr: web.Client, Version: "test", Log: logger,
		Box: box, Streams: streams,
	})
	h.server = server.Handler()
	s := httptest.NewServer(h.server)
	t.Cleanup(s.Close)
	h.url = s.URL
	h.doc = newContract(t, h.url)
	h.org, h.key = h.newOrg("Harbor Jazz")
	return h
}

// journal is a log that a test can read.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (h *house) find(ctx context.Context, key string) (*access.Principal, error) {
	return h.finder.Find(h.db.Read(ctx), key, time.Now())
}

func (h *house) newOrg(name string) (number int64, key string) {
	h.t.Helper()
	err := h.db.WriteAlone(h.t.Context(), func(tx *db.Tx) error {
		o, err := org.Create(tx, org.Input{Name: name, Currency: "USD", Timezone: "Europe/Oslo"})
		if err != nil {
			return err
		}
		number = o.No
		_, key, err = org.CreateKey(tx, o.No, org.KeyInput{}, audit.By{})
		return err
	})
	if err != nil {
		h.t.Fatalf("make organisation %s: %v", name, err)
	}
	return number, key
}

func (h *house) newKey(in org.KeyInput) (key string) {
	h.t.Helper()
	err := h.db.WriteAlone(h.t.Context(), func(tx *db.Tx) (err error) {
		_, key, err = org.CreateKey(tx, h.org, in, audit.By{})
		return err
	})
	if err != nil {
		h.t.Fatalf("make key: %v", err)
	}
	return key
}

// run has the engine send and the API work in the background, until the test ends.
func (h *house) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := h.engine.Run(ctx); err != nil {
			h.t.Errorf("engine: %v", err)
		}
	})
	parts.Go(func() { h.api.Run(ctx) })
	h.t.Cleanup(func() { cancel(); parts.Wait() })
}

// response is an answer that was read.
type response struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

// isJSON tells whether there is a body, and no picture.
func (r response) isJSON() bool {
	kind := r.header.Get("Content-Type")
	return len(r.raw) > 0 && kind != "text/event-stream" && !strings.HasPrefix(kind, "image/")
}

// call makes a request with the house's key. body is a string (sent as it is) or a value (sent as JSON), nil for none. Headers come in pairs.
func (h *house) call(method, path string, body any, header ...string) response {
	h.t.Helper()
	var b []byte
	switch v := body.(type) {
	case nil:
	case string:
		b = []byte(v)
	default:
		var err error
		if b, err = json.Marshal(v); err != nil {
			h.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, bytes.NewReader(b))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", h.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	r := response{status: resp.StatusCode, header: resp.Header}
	if r.raw, err = io.ReadAll(resp.Body); err != nil {
		h.t.Fatalf("%s %s: body: %v", method, path, err)
	}
	if r.isJSON() {
		if err := json.Unmarshal(r.raw, &r.body); err != nil {
			h.t.Fatalf("%s %s: answer %q is not a JSON object: %v", method, path, r.raw, err)
		}
	}
	h.doc.check(h.t, method, path, r)
	return r
}

// must is call for a request that has to be answered with the status.
func (h *house) must(status int, method, path string, body any, header ...string) response {
	h.t.Helper()
	r := h.call(method, path, body, header...)
	if r.status != status {
		h.t.Fatalf("%s %s %s = %d %s, want %d", method, path, brief(body), r.status, r.raw, status)
	}
	return r
}

func brief(body any) string {
	b, _ := json.Marshal(body)
	if len(b) > 300 {
		b = b[:300]
	}
	return string(b)
}

// at returns a value of the answer by its dotted path, such as "meta.pagination.total"; nil when it is not there.
func (r response) at(path string) any {
	var v any = r.body
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i := int(name[0] - '0')
			if i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (r response) text(path string) string {
	s, _ := r.at(path).(string)
	return s
}

// faults returns the problem's errors as "pointer code", in their order.
func (r response) faults() []string {
	var all []string
	list, _ := r.at("errors").([]any)
	for _, e := range list {
		m := e.(map[string]any)
		s := m["pointer"].(string)
		if in, ok := m["in"].(string); ok {
			s = in + ":" + s
		}
		all = append(all, s+" "+m["code"].(string))
	}
	return all
}

// want compares values of the answer: pairs of a dotted path and what is there.
func (r response) want(t *testing.T, pairs ...any) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		path, want := pairs[i].(string), pairs[i+1]
		got := r.at(path)
		if n, ok := want.(int); ok {
			want = float64(n)
		}
		if got != want {
			t.Errorf("%s = %#v, want %#v; the answer is %s", path, got, want, r.raw)
		}
	}
}

// event makes an event and returns its id.
func (h *house) event(name string) string {
	h.t.Helper()
	r := h.must(201, "POST", "/api/v1/events", map[string]any{
		"name": name, "startLocal": "2037-08-14T20:30:00", "timezone": "Europe/Oslo", "venue": "Pier Hall", "city": "Oslo", "country": "NO",
	})
	return r.text("eventId")
}

// listing makes a listing of n and returns its id.
func (h *house) listing(event string, n int, price string) string {
	h.t.Helper()
	r := h.must(201, "POST", "/api/v1/inventory", map[string]any{"eventId": event, "section": "101", "row": "A", "quantity": n, "price": price})
	return r.text("listingId")
}

func orderOf(event, listing string, n int) map[string]any {
	return map[string]any{
		"eventId": event, "listingId": listing, "quantity": n,
		"customer": map[string]any{"email": "buyer@example.com", "phone": map[string]any{"number": "5551234567", "countryCode": "+1"}},
	}
}
