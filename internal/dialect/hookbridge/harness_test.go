package hookbridge_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
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
	"github.com/stagedoorhq/stagedoor/internal/dialect/hookbridge"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/web"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// public is how the outside reaches a site.
const public = "https://hooks.example.test"

// site is /v1 behind a real server, on a database, with an organisation and a key of it.
type site struct {
	t     testing.TB
	db    *db.DB
	depot *pull.Depot
	addr  string
	url   string
	org   int64
	key   string // of all scopes
	log   *journal
	stop  func() // has those who wait answered

	mu   sync.Mutex // guards late
	late time.Duration
}

// now is the site's clock.
func (s *site) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.late)
}

// pass lets time go by.
func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late += d
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

// settings change what a site is made of.
type settings struct {
	pull pull.Config
	web  web.Config
	// waits is how many requests of an organisation wait at once; 0 for as many as usual.
	waits int
}

// sites runs f at a site on each database.
func sites(t *testing.T, f func(t *testing.T, s *site)) {
	dbtest.Each(t, func(t *testing.T, on *db.DB) { f(t, newSite(t, on, settings{})) })
}

// lite is a site on SQLite, for what has nothing to do with the database.
func lite(t testing.TB, with settings) *site {
	return newSite(t, dbtest.Open(t, dbtest.SQLite(t)), with)
}

func newSite(t testing.TB, on *db.DB, with settings) *site {
	t.Helper()
	s := &site{t: t, db: on, log: &journal{}}
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), on, nil)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewJSONHandler(s.log, nil))
	with.pull.DB, with.pull.Keys, with.pull.Ledger, with.pull.Log, with.pull.Now = on, keys, l, logger, s.now
	s.depot = pull.New(with.pull)
	err = on.WriteAlone(t.Context(), func(tx *db.Tx) error {
		o, err := org.Create(tx, org.Input{Name: "Pier Hall", Currency: "USD", Timezone: "Europe/Oslo"})
		if err != nil {
			return err
		}
		s.org = o.No
		_, s.key, err = org.CreateKey(tx, o.No, org.KeyInput{}, audit.By{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	with.web.Log = logger
	server, err := web.New(with.web)
	if err != nil {
		t.Fatal(err)
	}
	finder := &app.Finder{}
	find := func(ctx context.Context, credential string) (*access.Principal, error) {
		if grant, ok := strings.CutPrefix(credential, "app-"); ok { // "app-1" acts on the first grant
			return &access.Principal{Org: s.org, Kind: access.Grant, Credential: credential, Scopes: scope.All(), Allowed: scope.All(), GrantNo: int64(grant[0] - '0')}, nil
		}
		return finder.Find(on.Read(ctx), credential, time.Now())
	}
	api := hookbridge.New(server.Mux(), hookbridge.Config{
		DB: on, Door: access.New(access.Config{Find: find}), Keep: idempotency.New(on, keys), Problems: server.Problems(), Depot: s.depot, PublicURL: public,
		RequestID: web.RequestID, ClientAddr: web.Client, Head: web.Head, Now: s.now, MaxWaitsOfOrg: with.waits,
	})
	server.OwnBodies(hookbridge.Base)
	a, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	waiting, end := context.WithCancel(ctx)
	s.stop = end
	var parts sync.WaitGroup
	parts.Go(func() { api.Run(waiting) })
	parts.Go(func() {
		if err := server.Serve(ctx); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); parts.Wait() })
	s.addr, s.url = a.String(), "http://"+a.String()
	return s
}

// answer is an answer that was read.
type answer struct {
	status int
	header http.Header
	raw    []byte
}

// body is every body that /v1 answers with.
type body[T any] struct {
	Data  T
	Error *fault
	Meta  struct {
		RequestID  string  `json:"request_id"`
		HasMore    *bool   `json:"has_more"`
		NextCursor *string `json:"next_cursor"`
	}
}

type fault struct{ Code, Message string }

// call makes a request with the site's key. content is a string (sent as it is) or a value (sent as JSON), nil for none. Headers come in pairs; an empty value
// removes one.
func (s *site) call(method, path string, content any, header ...string) answer {
	s.t.Helper()
	var b []byte
	switch v := content.(type) {
	case nil:
	case string:
		b = []byte(v)
	default:
		var err error
		if b, err = json.Marshal(v); err != nil {
			s.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(b))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return s.do(req, header...)
}

func (s *site) do(req *http.Request, header ...string) answer {
	s.t.Helper()
	for i := 0; i < len(header); i += 2 {
		if req.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.raw, err = io.ReadAll(resp.Body); err != nil {
		s.t.Fatalf("%s %s: body: %v", req.Method, req.URL, err)
	}
	return a
}

// must is call for a request that has to be answered with the status. Each body has the request's id, JSON's type, and nothing is cached or sniffed.
func (s *site) must(status int, method, path string, content any, header ...string) answer {
	s.t.Helper()
	a := s.call(method, path, content, header...)
	if a.status != status {
		s.t.Fatalf("%s %s %v = %d %s, want %d", method, path, content, a.status, a.raw, status)
	}
	if b := read[json.RawMessage](s, a); b.Meta.RequestID == "" || b.Meta.RequestID != a.header.Get("X-Request-Id") || (b.Error == nil) != (status < 300) {
		s.t.Errorf("%s %s = %d %s under %q", method, path, a.status, a.raw, a.header.Get("X-Request-Id"))
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := a.header.Get(name); got != want {
			s.t.Errorf("%s %s: %s %q, want %q", method, path, name, got, want)
		}
	}
	return a
}

// refused is must for a request that has to be refused with the code; it returns the message.
func (s *site) refused(status int, code, method, path string, content any, header ...string) string {
	s.t.Helper()
	f := read[any](s, s.must(status, method, path, content, header...)).Error
	if f == nil || f.Code != code || f.Message == "" {
		s.t.Fatalf("%s %s %v: %+v, want the code %s", method, path, content, f, code)
	}
	return f.Message
}

func read[T any](s *site, a answer) (v body[T]) {
	s.t.Helper()
	if err := json.Unmarshal(a.raw, &v); err != nil {
		s.t.Fatalf("answer %d %s: %v", a.status, a.raw, err)
	}
	return v
}

// get reads the data of what a path has.
func get[T any](s *site, path string) T {
	s.t.Helper()
	return read[T](s, s.must(200, "GET", path, nil)).Data
}

// post makes a request with a body and reads the data of its answer.
func post[T any](s *site, status int, path string, content any) T {
	s.t.Helper()
	return read[T](s, s.must(status, "POST", path, content)).Data
}

// endpoint is a pull endpoint as it is shown.
type endpoint struct {
	ID, Name, Mode         string
	IngestURL              string `json:"ingest_url"`
	SecretToken            string `json:"secret_token"`
	Active, Paused         bool
	RetentionDays          *int   `json:"retention_days"`
	EventTypeSource        string `json:"event_type_source"`
	EventTypePath          string `json:"event_type_path"`
	Provider               string
	Counts                 *counts
	VerifyHMAC             bool     `json:"verify_hmac"`
	VerifyStaticToken      bool     `json:"verify_static_token"`
	IngestResponseCode     int      `json:"ingest_response_code"`
	IdempotencyHeaderNames []string `json:"idempotency_header_names"`
	AllowedCIDRs           []string `json:"allowed_cidrs"`
	CreatedAt              string   `json:"created_at"`
	UpdatedAt              string   `json:"updated_at"`
}

type counts struct{ Stored, Fetched, Delivered, Total int }

func (e endpoint) path() string { return "/v1/pull-endpoints/" + e.ID }

// ingest is the path of the endpoint's ingest URL.
func (e endpoint) ingest() string { return strings.TrimPrefix(e.IngestURL, public) }

// make makes an endpoint.
func (s *site) make(members map[string]any) endpoint {
	s.t.Helper()
	if members == nil {
		members = map[string]any{}
	}
	return post[endpoint](s, 201, "/v1/pull-endpoints", members)
}

// taken is the answer to a request that was taken.
type taken struct {
	EventID string `json:"event_id"`
	Status  string
}

// send sends something to an ingest URL, as somebody who has no key.
func (s *site) send(e endpoint, content string, header ...string) answer {
	s.t.Helper()
	return s.sendTo(e.ingest(), content, header...)
}

func (s *site) sendTo(path, content string, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url+path, strings.NewReader(content))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(req, header...)
}

// store sends something that has to be taken and returns its id.
func (s *site) store(e endpoint, content string, header ...string) string {
	s.t.Helper()
	a := s.send(e, content, header...)
	got := read[taken](s, a)
	if a.status != e.IngestResponseCode || got.Data.EventID == "" || got.Data.Status != "stored" {
		s.t.Fatalf("POST %q with %v = %d %s", content, header, a.status, a.raw)
	}
	return got.Data.EventID
}

// raw opens a connection, writes what it is given and reads one answer.
func (s *site) raw(pieces ...string) (*http.Response, string) {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	for _, p := range pieces {
		if _, err := io.WriteString(c, p); err != nil {
			s.t.Fatal(err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(b)
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// other makes a key of another organisation.
func (s *site) other() (key string) {
	s.t.Helper()
	err := s.db.WriteAlone(s.t.Context(), func(tx *db.Tx) error {
		o, err := org.Create(tx, org.Input{Name: "Elsewhere", Currency: "USD", Timezone: "Europe/Oslo"})
		if err == nil {
			_, key, err = org.CreateKey(tx, o.No, org.KeyInput{}, audit.By{})
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

// newKey makes a key with scopes.
func (s *site) newKey(scopes ...scope.Scope) (key string) {
	s.t.Helper()
	err := s.db.WriteAlone(s.t.Context(), func(tx *db.Tx) (err error) {
		_, key, err = org.CreateKey(tx, s.org, org.KeyInput{Scopes: scope.Of(scopes...)}, audit.By{})
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}
