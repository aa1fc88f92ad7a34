package passkit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/dialect/passkit"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/google"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
	"github.com/stagedoorhq/stagedoor/internal/web"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// What the site is called from the outside, and the type of its passes.
const (
	public = "https://stage.example.test"
	typeID = "pass.test.stage"
)

// site is the two services behind a real server, on a database with an organisation.
type site struct {
	t    *testing.T
	db   *db.DB
	book *pass.Book
	org  int64
	url  string
	log  *journal
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

// sites runs f at a site on each database.
func sites(t *testing.T, f func(t *testing.T, s *site)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, on *db.DB) { f(t, newSite(t, on)) })
}

// lite is a site on SQLite, for what has nothing to do with the database.
func lite(t *testing.T) *site {
	t.Helper()
	return newSite(t, dbtest.Open(t, dbtest.SQLite(t)))
}

func newSite(t *testing.T, on *db.DB) *site {
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
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.book = pass.New(pass.Config{DB: on, Ledger: l, Keys: keys, Tickets: ticket.New(l, on, keys)})
	err = on.WriteAlone(t.Context(), func(tx *db.Tx) error {
		o, err := org.Create(tx, org.Input{Name: "Pier Hall", Currency: "USD", Timezone: "Europe/Oslo"})
		s.org = o.No
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := web.New(web.Config{Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	door := access.New(access.Config{})
	passkit.New(server.Mux(), passkit.Config{
		DB: on, Book: s.book, Problems: server.Problems(), Apple: press, TypeID: func(context.Context) (string, error) { return typeID, nil }, Callbacks: trusting{},
		BaseURL: public, Spend: door.Spend, ClientAddr: web.Client, Log: logger,
	})
	a, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	s.url = "http://" + a.String()
	return s
}

// press makes something of a face that a test can read.
func press(f pass.Face) ([]byte, error) {
	return json.Marshal(pressed{f.Serial, f.Token, f.Barcode.Message, f.Void})
}

type pressed struct {
	Serial, Token, Message string
	Void                   bool
}

// trusting takes a callback for what it says, where it says that it is signed.
type trusting struct{}

type said struct {
	Signed bool
	Serial string
	Save   bool
	Nonce  string
}

func (trusting) Verify(_ context.Context, body []byte) (google.Callback, error) {
	var c said
	if err := json.Unmarshal(body, &c); err != nil {
		return google.Callback{}, problem.New(problem.Invalid, "invalid_request", "That is no callback.")
	}
	if !c.Signed {
		return google.Callback{}, problem.New(problem.Forbidden, "not_signed", "Google has not signed that.")
	}
	return google.Callback{Serial: c.Serial, Save: c.Save, Nonce: c.Nonce, Until: time.Now().Add(time.Hour)}, nil
}

// made is a pass, and the token that its devices show.
type made struct {
	*pass.Pass
	token string
}

// pass makes a pass with a barcode of its own.
func (s *site) pass(platform pass.Platform, message string) made {
	s.t.Helper()
	var p *pass.Pass
	s.write(func(tx *db.Tx) (err error) {
		p, err = s.book.Create(tx, s.org, pass.Input{Platform: platform, Barcode: &pass.Barcode{Message: message}})
		return err
	})
	f, err := s.book.Face(s.t.Context(), s.db.Read(s.t.Context()), p, public, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return made{p, f.Token}
}

func (s *site) write(f func(tx *db.Tx) error) {
	s.t.Helper()
	if err := s.db.Write(s.t.Context(), "", f); err != nil {
		s.t.Fatal(err)
	}
}

// change has a pass say something else.
func (s *site) change(m made, message string) {
	s.t.Helper()
	s.write(func(tx *db.Tx) error {
		_, err := s.book.Update(tx, s.org, m.ID, pass.Change{Barcode: &pass.Barcode{Message: message}})
		return err
	})
}

// now is the pass as it is stored.
func (s *site) now(m made) *pass.Pass {
	s.t.Helper()
	p, err := pass.ByID(s.db.Read(s.t.Context()), s.org, m.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// answer is an answer that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// call makes a request. Headers come in pairs; an empty value is none.
func (s *site) call(method, path, body string, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// must is call for a request that has to be answered with the status.
func (s *site) must(status int, method, path, body string, header ...string) answer {
	s.t.Helper()
	a := s.call(method, path, body, header...)
	if a.status != status {
		s.t.Fatalf("%s %s %.200s = %d %.500s, want %d", method, path, body, a.status, a.body, status)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		s.t.Errorf("%s %s: Cache-Control %q", method, path, got)
	}
	return a
}

// registration is the path of a device's registration.
func (m made) registration(device string) string {
	return "/passkit/v1/devices/" + device + "/registrations/" + typeID + "/" + m.Serial
}

// path is where the pass is fetched.
func (m made) path() string { return "/passkit/v1/passes/" + typeID + "/" + m.Serial }

func (m made) authorization() string { return "ApplePass " + m.token }

// list is where a device asks what has changed.
func list(device, since string) string {
	path := "/passkit/v1/devices/" + device + "/registrations/" + typeID
	if since != "" {
		path += "?passesUpdatedSince=" + since
	}
	return path
}
