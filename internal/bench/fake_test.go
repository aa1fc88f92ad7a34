package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/bench"
)

// The test binary is also the program under test: with one of Stagedoor's commands as its first argument it behaves as
// Stagedoor does, as far as the bench can tell.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		if err := stagedoor(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func stagedoor(args []string) error {
	if err := leavePID(); err != nil {
		return err
	}
	switch args[0] {
	case "bench-floor":
		return bench.Floor(context.Background(), args[1:], os.Stdout)
	case "serve":
		return serveFake(args[1:])
	case "audit":
		return nil
	case "org", "key", "endpoint", "client":
		return furnishFake(args[0], args[2:])
	}
	return fmt.Errorf("the fake has no command %q", args[0])
}

// leavePID tells the test which processes it has to find dead.
func leavePID() error {
	dir := os.Getenv("BENCH_TEST_PIDS")
	if dir == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(dir, strconv.Itoa(os.Getpid())), nil, 0o600)
}

// flags of the fake, the union of all its commands.
type flags struct {
	listen, data, database, allow string
	org, url, format, event       string
	scope, grant, perMinute       string
	perSecond                     string
	json                          bool
}

func parse(args []string) (f flags, err error) {
	fs := flag.NewFlagSet("fake", flag.ContinueOnError)
	fs.StringVar(&f.listen, "listen", "", "")
	fs.StringVar(&f.data, "data", "", "")
	fs.StringVar(&f.database, "database", "", "")
	fs.StringVar(&f.allow, "allow-target", "", "")
	fs.StringVar(&f.org, "org", "", "")
	fs.StringVar(&f.url, "url", "", "")
	fs.StringVar(&f.format, "format", "", "")
	fs.StringVar(&f.event, "event", "", "")
	fs.StringVar(&f.scope, "scope", "", "")
	fs.StringVar(&f.grant, "grant-type", "", "")
	fs.StringVar(&f.perMinute, "oauth-per-minute", "", "")
	fs.StringVar(&f.perSecond, "pull-per-second", "", "")
	fs.BoolVar(&f.json, "json", false, "")
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	return f, fs.Parse(args)
}

func furnishFake(noun string, args []string) error {
	f, err := parse(args)
	if err != nil {
		return err
	}
	if served, err := os.ReadFile(filepath.Join(f.data, "database")); err != nil || string(served) != f.database {
		return fmt.Errorf("%s create has the database %q, the server has %q: %w", noun, f.database, served, err)
	}
	if !f.json {
		return fmt.Errorf("%s create was called without --json", noun)
	}
	switch noun {
	case "org":
		fmt.Println(`{"id":"org_1","name":"Bench","slug":"bench"}`)
		return nil
	case "key":
		fmt.Println(`{"id":"key_1","key":"sd_secret","scopes":[]}`)
		return nil
	case "client":
		if f.org != "bench" || f.scope != "events:read" || f.grant != "client_credentials" {
			return fmt.Errorf("client create has --org %q --scope %q --grant-type %q", f.org, f.scope, f.grant)
		}
		fmt.Println(`{"clientId":"oa_1","clientSecret":"s3cret"}`)
		return nil
	}
	if f.org != "bench" || f.event == "" {
		return fmt.Errorf("endpoint create has --org %q --event %q", f.org, f.event)
	}
	file, err := os.OpenFile(filepath.Join(f.data, "endpoints"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	fmt.Fprintln(file, f.url)
	fmt.Println(`{"id":"wh_1","secret":"whsec_x"}`)
	return file.Close()
}

// fake is a Stagedoor that keeps its messages in a file and remembers in another which of them were delivered.
type fake struct {
	data      string
	client    *http.Client
	mu        sync.Mutex // guards the fields below
	next      int
	stock     int
	reads     int
	tokens    int
	log, done *os.File
	lanes     map[string]chan parcel
	readers   []chan []byte // of the stream
}

type parcel struct {
	n    int
	body []byte
}

func serveFake(args []string) error {
	f, err := parse(args)
	if err != nil {
		return err
	}
	if f.allow != "127.0.0.0/8" || f.perMinute != "0" || f.perSecond != "0" {
		return fmt.Errorf("serve has --allow-target %q --oauth-per-minute %q --pull-per-second %q", f.allow, f.perMinute, f.perSecond)
	}
	if err := os.MkdirAll(f.data, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(f.data, "database"), []byte(f.database), 0o600); err != nil {
		return err
	}
	s := &fake{data: f.data, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}, lanes: map[string]chan parcel{}}
	if err := s.recover(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "level=INFO msg=listening url=http://%s\n", l.Addr())
	return (&http.Server{Handler: s, ReadHeaderTimeout: time.Minute}).Serve(l)
}

// recover opens the files and delivers what is left over from a process that was killed.
func (s *fake) recover() error {
	name := func(n string) string { return filepath.Join(s.data, n) }
	log, _ := os.ReadFile(name("log"))
	done, _ := os.ReadFile(name("done"))
	var err error
	if s.log, err = os.OpenFile(name("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	if s.done, err = os.OpenFile(name("done"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	delivered := map[string]bool{}
	for line := range strings.Lines(string(done)) {
		delivered[strings.TrimSpace(line)] = true
	}
	for line := range bytes.Lines(log) {
		for _, url := range s.endpoints() {
			if !delivered[fmt.Sprintf("%d %s", s.next, url)] {
				s.lane(url) <- parcel{s.next, bytes.TrimSpace(line)}
			}
		}
		s.next++
	}
	return nil
}

func (s *fake) endpoints() []string {
	b, _ := os.ReadFile(filepath.Join(s.data, "endpoints"))
	return strings.Fields(string(b))
}

func (s *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.URL.Path == "/api/v1/stream" && r.Header.Get("X-Api-Key") == "sd_secret" && r.URL.RawQuery == "attempts=false&kinds=bench.sent":
		s.stream(w, r)
	case r.Method == http.MethodPost && r.URL.Path == "/v1/webhooks/receive/1/sdi_secret" && r.Header.Get("X-Api-Key") == "none" && len(body) >= 1<<10:
		w.WriteHeader(http.StatusAccepted)
	case r.URL.Path == "/metrics" || r.URL.Path == "/oauth/token" || r.Method == http.MethodGet:
		s.serveReaders(w, r, string(body))
	case r.Header.Get("X-Api-Key") != "sd_secret":
		http.Error(w, "no key", http.StatusUnauthorized)
	case r.Method != http.MethodPost || !json.Valid(body):
		http.Error(w, "no JSON", http.StatusBadRequest)
	case r.URL.Path == "/api/v1/events":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"eventId":"evn_1"}`)
	case r.URL.Path == "/api/v1/inventory":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"listingId":"674e1234567890abcdef1234"}`)
	case r.URL.Path == "/v1/pull-endpoints":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"data":{"id":"1","ingest_url":"http://hooks.example.test/v1/webhooks/receive/1/sdi_secret"}}`)
	case strings.HasSuffix(r.URL.Path, "/ticket-types"):
		_, _ = fmt.Sscanf(string(body[bytes.Index(body, []byte(`"quantity"`)):]), `"quantity":%d`, &s.stock)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"ticketTypeId":"tty_1","listingId":"674e1234567890abcdef1234"}`)
	case r.URL.Path == "/api/v1/holds":
		s.sell(w, `{"id":"hld_06fvnz7c6wyr1c2k2y0gqk4w3g"}`)
	case r.URL.Path == "/api/v1/orders" && bytes.Contains(body, []byte("tty_1")):
		s.sell(w, `{}`)
	case r.URL.Path == "/api/v1/orders":
		s.accept(w, http.StatusCreated, `{"event":"order.confirmed","order":%s,"timestamp":%q}`, body, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
	case r.URL.Path == "/api/v1/checkin/scan" && bytes.Contains(body, []byte(`"code":"SD1:CODE`)) && bytes.Contains(body, []byte(`"eventId":"evn_1"`)):
		fmt.Fprint(w, `{"status":"checked_in"}`)
	case r.URL.Path == "/api/v1/messages":
		var m struct{ Data json.RawMessage }
		_ = json.Unmarshal(body, &m)
		s.accept(w, http.StatusAccepted, `{"type":"bench.sent","data":%s,"timestamp":%q}`, m.Data, time.Now().UTC().Format(time.RFC3339Nano))
	default:
		http.NotFound(w, r)
	}
}

// sell answers for one ticket, as long as there are any.
func (s *fake) sell(w http.ResponseWriter, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stock--; s.stock < 0 {
		http.Error(w, "sold out", http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, answer)
}

// serveReaders answers what needs no key: the token endpoint, those who come with a token, and whoever wants to know how long they took.
func (s *fake) serveReaders(w http.ResponseWriter, r *http.Request, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	switch {
	case r.URL.Path == "/metrics":
		const route = `{method="GET",route="GET /api/v1/events"}`
		fmt.Fprintf(w, "# HELP x\nstagedoor_credential_check_seconds_sum %g\nstagedoor_credential_check_seconds_count %d\n", float64(s.reads)*2e-5, s.reads)
		fmt.Fprintf(w, "stagedoor_http_request_seconds_sum%s %g\nstagedoor_http_request_seconds_count%s %d\n", route, float64(s.reads)*1e-4, route, s.reads)
	case r.URL.Path == "/oauth/token" && id == "oa_1" && secret == "s3cret" && body == "grant_type=client_credentials":
		s.tokens++
		fmt.Fprintf(w, `{"access_token":"sda_%04d","token_type":"Bearer"}`, s.tokens)
	case r.URL.Path == "/api/v1/events" && r.Header.Get("Authorization") >= "Bearer sda_0001" && r.Header.Get("Authorization") <= fmt.Sprintf("Bearer sda_%04d", s.tokens):
		s.reads++
		fmt.Fprint(w, `{"data":[]}`)
	case r.URL.Path == "/api/v1/tickets" && r.URL.Query().Get("eventId") == "evn_1" && r.Header.Get("X-Api-Key") == "sd_secret":
		fmt.Fprintf(w, `{"data":[{"id":"tkt_1","code":"SD1:CODE1"},{"id":"tkt_%s"}]}`, r.URL.Query().Get("offset"))
	case r.URL.Path == "/v1/pull-endpoints/1/events" && r.URL.Query().Get("limit") != "" && r.Header.Get("X-Api-Key") == "sd_secret":
		fmt.Fprint(w, `{"data":[{"id":"ev-1","received_at":"2026-01-01T00:00:00Z"}]}`)
	case r.URL.Path == "/v1/pull-endpoints/1/events/ev-1" && r.Header.Get("X-Api-Key") == "sd_secret":
		fmt.Fprint(w, `{"data":{"id":"ev-1"}}`)
	case strings.HasPrefix(r.URL.Path, "/api/v1/tickets/tkt_"):
		fmt.Fprint(w, `{"id":"tkt_2","code":"SD1:CODE2"}`)
	default:
		http.Error(w, "no token", http.StatusUnauthorized)
	}
}

// stream tells a reader of every message from now on.
func (s *fake) stream(w http.ResponseWriter, r *http.Request) {
	told := make(chan []byte, 10_000)
	s.mu.Lock()
	s.readers = append(s.readers, told)
	s.mu.Unlock()
	flush := http.NewResponseController(w)
	for {
		_ = flush.Flush()
		select {
		case body := <-told:
			fmt.Fprintf(w, "id: x\nevent: fact\ndata: %s\n\n", bytes.Replace(body, []byte(`"timestamp":`), []byte(`"at":`), 1))
		case <-r.Context().Done():
			return
		}
	}
}

func (s *fake) accept(w http.ResponseWriter, status int, envelope string, args ...any) {
	body := fmt.Appendf(nil, envelope, args...)
	s.mu.Lock()
	n := s.next
	s.next++
	_, err := fmt.Fprintf(s.log, "%s\n", body)
	for _, url := range s.endpoints() {
		s.lane(url) <- parcel{n, body}
	}
	for _, told := range s.readers {
		told <- body
	}
	s.mu.Unlock()
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	fmt.Fprint(w, `{"id":"evt_1"}`)
}

func (s *fake) lane(url string) chan parcel {
	lane := s.lanes[url]
	if lane == nil {
		lane = make(chan parcel, 100_000)
		s.lanes[url] = lane
		for range 4 {
			go s.deliver(url, lane)
		}
	}
	return lane
}

func (s *fake) deliver(url string, lane chan parcel) {
	for p := range lane {
		res, err := s.client.Post(url, "application/json", bytes.NewReader(p.body))
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		s.mu.Lock()
		fmt.Fprintf(s.done, "%d %s\n", p.n, url)
		s.mu.Unlock()
	}
}
