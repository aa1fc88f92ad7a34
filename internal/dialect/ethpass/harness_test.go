package ethpass_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"math/rand/v2"
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
	"github.com/stagedoorhq/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoorhq/stagedoor/internal/dialect/ethpass"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/picture"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
	"github.com/stagedoorhq/stagedoor/internal/web"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// public is how the outside reaches a booth.
const public = "https://tickets.example.test"

// The tokens of people, of apps, and of a scanner. Kari, Ola and nobody have no role in the organisation.
const (
	kari    = "kari"    // who holds the tickets
	ola     = "ola"     // who holds none
	nobody  = "nobody"  // whose address was never verified
	manager = "manager" // of the organisation, with a token of their own
	first   = "app-1"   // an app
	second  = "app-2"   // another
	scanner = "scanner" // bound to the event
	bound   = "bound"   // bound to another
)

// booth is /v0 on a database, with an organisation, a key of it, and an event "E" that begins in a long time. A ledger of its own keeps the facts.
type booth struct {
	t       testing.TB
	db      *db.DB
	book    *pass.Book
	hooks   *endpoint.Book
	dialect *ethpass.Dialect
	orders  *order.Book
	stock   *inventory.Stock
	roll    *ticket.Roll
	api     *ethpass.API
	url     string
	org     int64
	orgID   id.Org
	key     string // of all scopes
	log     *journal

	mu    sync.Mutex // guards what follows
	facts []*fact.Fact
	late  time.Duration
	chain chain
	fails error // of Google, which is asked for a link
	saved int   // how often it gave one
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

// chain is what is known of a chain: whether it can be asked, who holds what, and what contracts have signed.
type chain struct {
	networks string            // that can be asked, with spaces between
	holders  map[string]string // by contract and token
	contract string            // a wallet that says yes to its own signature
	says     string
	err      error
}

// Holds implements [pass.Chain].
func (b *booth) Holds(_ context.Context, network, owner string, n pass.NFT) (holds, known bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.chain.err != nil || !strings.Contains(" "+b.chain.networks+" ", " "+network+" ") {
		return false, false, b.chain.err
	}
	return b.chain.holders[n.Contract+"/"+n.TokenID] == owner, true, nil
}

func (b *booth) signed(_ context.Context, network string, owner evm.Address, message string, signature []byte) (ok, known bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.chain.err != nil || !strings.Contains(" "+b.chain.networks+" ", " "+network+" ") {
		return false, false, b.chain.err
	}
	return owner.String() == b.chain.contract && string(signature) == b.chain.says && message != "", true, nil
}

func (b *booth) set(c chain) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.chain = c
}

// now is the booth's clock.
func (b *booth) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.late)
}

// wait lets time go by.
func (b *booth) wait(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.late += d
}

// booths runs f at a booth on each database.
func booths(t *testing.T, f func(t *testing.T, b *booth)) {
	dbtest.Each(t, func(t *testing.T, on *db.DB) { f(t, newBooth(t, on, nil)) })
}

// lite is a booth on SQLite, for what has nothing to do with the database.
func lite(t testing.TB, with func(*ethpass.Config)) *booth {
	return newBooth(t, dbtest.Open(t, dbtest.SQLite(t)), with)
}

func newBooth(t testing.TB, on *db.DB, with func(*ethpass.Config)) *booth {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	b := &booth{t: t, db: on, log: &journal{}}
	b.dialect = ethpass.NewDialect(ethpass.Lookups{Holding: func(ctx context.Context, org int64, p id.Pass) (pass.Holding, error) {
		return pass.HoldingOf(on.Read(ctx), org, p)
	}})
	policy := egress.NewPolicy(egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	b.hooks = endpoint.NewBook(keys, policy, b.dialect)
	b.hooks.Follow(b)
	b.stock, b.roll = inventory.New(b, nil), ticket.New(b, on, keys)
	b.orders = order.New(b, b.stock, b.roll)
	b.book = pass.New(pass.Config{DB: on, Ledger: b, Keys: keys, Tickets: b.roll})
	b.orgID, b.org, b.key = b.organisation("Pier Hall")
	b.write(func(tx *db.Tx) error {
		_, err := event.New(b, order.Exists).Create(tx, b.org, event.Input{
			ID: "E", Name: "Harbor Jazz Night", StartLocal: "2099-08-14T20:30:00", Timezone: "Europe/Oslo", Venue: "Pier Hall", City: "Oslo", Country: "NO", Currency: "EUR",
		})
		return err
	})
	logger := slog.New(slog.NewJSONHandler(b.log, nil))
	server, err := web.New(web.Config{Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	fetch := egress.NewClient(policy, egress.Options{MaxBody: picture.MaxBytes})
	t.Cleanup(fetch.Close)
	stopped := time.Now() // budgets do not grow while a test makes requests
	c := ethpass.Config{
		DB: on, Door: access.New(access.Config{Find: b.find, Now: func() time.Time { return stopped }}), Keep: idempotency.New(on, keys), Problems: server.Problems(), Book: b.book, Endpoints: b.hooks,
		Apple: func(f pass.Face) ([]byte, error) { return []byte("PK of " + f.Serial), nil }, Google: b.save, Chain: b, Signed: b.signed,
		Policy: policy, Fetch: fetch, PublicURL: public, ClientAddr: web.Client, Log: logger, Now: b.now,
	}
	if with != nil {
		with(&c)
	}
	b.api = ethpass.New(server.Mux(), c)
	server.OwnBodies(ethpass.Bases()...)
	s := httptest.NewServer(server.Handler())
	t.Cleanup(s.Close)
	b.url = s.URL
	return b
}

// find knows the keys of organisations, and those beside them.
func (b *booth) find(ctx context.Context, credential string) (*access.Principal, error) {
	p := &access.Principal{Org: b.org, OrgID: b.orgID, Credential: credential, Scopes: scope.All(), Allowed: scope.All()}
	switch credential {
	case kari, ola, nobody:
		p.Kind, p.Allowed, p.Attendee, p.Email = access.Personal, org.Role("").Allows(), true, credential+"@example.test"
		if credential == nobody {
			p.Email = ""
		}
	case manager:
		p.Kind = access.Personal
	case first, second:
		p.Kind, p.GrantNo = access.Grant, int64(credential[len(credential)-1]-'0')
	case scanner:
		p.Kind, p.Events = access.Device, []id.Event{"E"}
	case bound:
		p.Kind, p.Events = access.Device, []id.Event{"F"}
	default:
		return (&app.Finder{}).Find(b.db.Read(ctx), credential, time.Now())
	}
	return p, nil
}

func (b *booth) save(_ context.Context, f pass.Face) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails != nil {
		return "", b.fails
	}
	b.saved++
	return "https://pay.google.test/save/" + f.Serial, nil
}

// Append keeps the facts.
func (b *booth) Append(tx *db.Tx, facts ...*fact.Fact) error {
	tx.OnCommit(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.facts = append(b.facts, facts...)
	})
	return nil
}

// told are the facts of which ethpass's webhooks are told, as events, and the last one's envelope.
func (b *booth) told() (events []string, last []byte) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.facts {
		name, ok := b.dialect.Name(f.Kind)
		if !ok {
			continue
		}
		var err error
		if last, err = b.dialect.Render(b.t.Context(), f, dialecttest.Endpoint(ethpass.Format, false)); err != nil {
			b.t.Fatalf("Render(%s): %v", f.Kind, err)
		}
		events = append(events, name)
	}
	return events, last
}

func (b *booth) write(f func(tx *db.Tx) error) {
	b.t.Helper()
	if err := b.db.Configure(b.t.Context(), f); err != nil {
		b.t.Fatal(err)
	}
}

// organisation makes one with a key of all scopes.
func (b *booth) organisation(name string) (i id.Org, no int64, key string) {
	b.t.Helper()
	b.write(func(tx *db.Tx) error {
		o, err := org.Create(tx, org.Input{Name: name, Currency: "USD", Timezone: "Europe/Oslo"})
		if err != nil {
			return err
		}
		i, no = o.ID, o.No
		_, key, err = org.CreateKey(tx, o.No, org.KeyInput{}, audit.By{})
		return err
	})
	return i, no, key
}

// newKey makes a key with scopes.
func (b *booth) newKey(scopes ...scope.Scope) (key string) {
	b.t.Helper()
	b.write(func(tx *db.Tx) (err error) {
		_, key, err = org.CreateKey(tx, b.org, org.KeyInput{Scopes: scope.Of(scopes...)}, audit.By{})
		return err
	})
	return key
}

// tickets sells Kari n tickets.
func (b *booth) tickets(n int) []ticket.Ticket {
	b.t.Helper()
	var o order.Order
	b.write(func(tx *db.Tx) error {
		l, err := b.stock.Create(tx, b.org, inventory.Input{Event: "E", Section: "B", Row: "4", Quantity: n, Price: "1"})
		if err != nil {
			return err
		}
		o, _, err = b.orders.Place(tx, b.org, order.Input{
			Event: "E", Listing: l.ID, Quantity: n, Customer: order.Customer{Email: "Kari@example.test", Phone: order.Phone{Number: "4712345678", CountryCode: "+47"}},
		})
		return err
	})
	page, _, err := ticket.List(b.db.Read(b.t.Context()), b.org, ticket.Filter{Order: o.ID})
	if err != nil || len(page) != n {
		b.t.Fatalf("tickets of order %s: %d, %v", o.ID, len(page), err)
	}
	return page
}

// answer is an answer that was read.
type answer struct {
	status int
	header http.Header
	raw    []byte
}

// call makes a request with the organisation's key. content is a string (sent as it is) or a value (sent as JSON), nil for none. Headers come in pairs; an empty value
// removes one. Redirections are not followed.
func (b *booth) call(method, path string, content any, header ...string) answer {
	b.t.Helper()
	var body []byte
	switch v := content.(type) {
	case nil:
	case string:
		body = []byte(v)
	case []byte:
		body = v
	default:
		var err error
		if body, err = json.Marshal(v); err != nil {
			b.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+strings.TrimPrefix(path, public), bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", b.key)
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if req.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.raw, err = io.ReadAll(resp.Body); err != nil {
		b.t.Fatalf("%s %s: body: %v", method, path, err)
	}
	return a
}

// must is call for a request that has to be answered with the status. What went wrong has a message and nothing else.
func (b *booth) must(status int, method, path string, content any, header ...string) answer {
	b.t.Helper()
	a := b.call(method, path, content, header...)
	if a.status != status {
		b.t.Fatalf("%s %s %.300v = %d %s, want %d", method, path, content, a.status, a.raw, status)
	}
	if status != 200 && a.header.Get("Content-Type") == "application/json" {
		if m := read[map[string]any](b, a); len(m) != 1 || m["message"] == "" || m["message"] == nil {
			b.t.Errorf("%s %s = %d %s, want a message and nothing else", method, path, a.status, a.raw)
		}
	}
	return a
}

// says is must for what is refused, and returns the message.
func (b *booth) says(status int, method, path string, content any, header ...string) string {
	b.t.Helper()
	return read[struct{ Message string }](b, b.must(status, method, path, content, header...)).Message
}

// read decodes an answer.
func read[T any](b *booth, a answer) (v T) {
	b.t.Helper()
	if err := json.Unmarshal(a.raw, &v); err != nil {
		b.t.Fatalf("answer %d %.300s: %v", a.status, a.raw, err)
	}
	return v
}

// passBody is a pass as clients read it.
type passBody struct {
	ID               string
	BarcodeSignature string
	Platform         string
	OwnerAddress     *string
	CreatedAt        string
	ExpiredAt        *string
	ExpireAction     *string
	LastScannedAt    *string
	Chain            *struct{ Name, Network string }
	Registrations    []struct {
		ID        string
		DeletedAt *string
	}
	NFTs []struct {
		ContractAddress, ContractInterface, TokenID string
		Valid                                       *bool
	}
	FileURL      string
	Distribution struct {
		Apple *struct {
			URL    string
			Buffer *struct {
				Type string
				Data []number
			}
		}
		Google *struct{ URL string }
	}
	SignatureVerified *bool
	Message           string
	ScanResult        *struct {
		Valid  bool
		Reason string
	}
	ScanHistory []struct {
		Timestamp, Message string
		CheckinID          *string
	}
}

// number is a byte that JSON writes as a number.
type number int

// wallet is somebody's wallet on a chain.
func wallet(t testing.TB, n byte) *evm.Key {
	t.Helper()
	k, err := evm.NewKey(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// made makes a pass.
func (b *booth) made(content any, header ...string) passBody {
	b.t.Helper()
	return read[passBody](b, b.must(200, "POST", "/v0/passes", content, header...))
}

// of makes a pass of a ticket.
func (b *booth) of(t ticket.Ticket, platform string, header ...string) passBody {
	b.t.Helper()
	return b.made(map[string]any{"ticketId": t.ID, "platform": platform}, header...)
}

// plain makes a pass of a wallet with a barcode.
func (b *booth) plain(message string) passBody {
	b.t.Helper()
	return b.made(map[string]any{
		"wallet":  map[string]any{"chain": map[string]any{"name": "evm", "network": 1}, "address": wallet(b.t, 1).Address().String()},
		"barcode": map[string]any{"message": message}, "platform": "apple",
	})
}

// drawn is a PNG of a colour.
func drawn(t testing.TB, c color.Color) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for x := range 40 {
		for y := range 30 {
			m.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise is a PNG of almost as many bytes as a picture may have.
func noise(t testing.TB) []byte {
	t.Helper()
	m, source := image.NewRGBA(image.Rect(0, 0, 800, 600)), rand.NewChaCha8([32]byte{})
	_, _ = source.Read(m.Pix) // never fails
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil || b.Len() > picture.MaxBytes || b.Len() < 1<<20 {
		t.Fatalf("%d bytes of noise, %v", b.Len(), err)
	}
	return b.Bytes()
}

var errDown = errors.New("the node is down")
