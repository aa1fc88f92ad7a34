package consume_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stagedoorhq/stagedoor/internal/consume"
	"github.com/stagedoorhq/stagedoor/internal/remote"
)

const (
	key      = "sd_consume"
	endpoint = "0197a1c2-5e00-7c31-9a44-1f0b6d2e77aa"
	soon     = time.Minute
)

// kept is an event of the server's.
type kept struct {
	id, kind, media string
	body            []byte
	erased          bool

	acked  bool
	token  string
	due    time.Time // until when it is leased
	claims int
	leases []int // in seconds, that extensions asked for
}

// server is a pull endpoint: leases, and what is left when they are over, as a server has them.
type server struct {
	t   *testing.T
	url string

	mu      sync.Mutex // guards below
	events  []*kept
	calls   []string                    // the last parts of the paths of all calls
	refuse  map[string]http.HandlerFunc // by the last part
	claimed []claimBody
	extend  func(e *kept, seconds int) bool // false to refuse it
}

type claimBody struct {
	Limit    int    `json:"limit"`
	Lease    int    `json:"lease_seconds"`
	Type     string `json:"event_type"`
	Encoding string `json:"encoding"`
	Wait     int    `json:"wait"`
}

func newServer(t *testing.T) *server {
	s := &server{t: t, refuse: map[string]http.HandlerFunc{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// add has the server take something in.
func (s *server) add(kind, media string, body []byte) *kept {
	e := &kept{id: uuid.Must(uuid.NewV7()).String(), kind: kind, media: media, body: body}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	return e
}

// look reads what the server knows.
func (s *server) look(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// until waits for something to be so at the server.
func (s *server) until(what string, so func() bool) {
	s.t.Helper()
	for late := time.Now().Add(soon); ; time.Sleep(2 * time.Millisecond) {
		s.mu.Lock()
		done := so()
		s.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(late) {
			s.t.Fatalf("not within %v: %s", soon, what)
		}
	}
}

func (s *server) acked() (n int) {
	for _, e := range s.events {
		if e.acked {
			n++
		}
	}
	return n
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/pull-endpoints/"+endpoint+"/")
	call := path[strings.LastIndexByte(path, '/')+1:]
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
	switch refusal := s.refuse[call]; {
	case refusal != nil:
		refusal(w, r)
	case r.Header.Get("Authorization") != "Bearer "+key:
		fault(401, "UNAUTHORIZED", "Invalid or missing API key.")(w, r)
	case !ok || r.Method != http.MethodPost:
		fault(404, "NOT_FOUND", "There is nothing at this address.")(w, r)
	default:
		s.answer(w, r, path, body)
	}
}

func (s *server) answer(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	var in struct {
		claimBody
		Token string   `json:"token"`
		IDs   []string `json:"event_ids"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		s.t.Errorf("%s: %s: %v", path, body, err)
	}
	switch path {
	case "events/claim":
		said(w, s.claim(in.claimBody))
	case "events/ack":
		for _, id := range in.IDs {
			if s.find(func(e *kept) bool { return e.id == id }) == nil {
				fault(400, "INVALID_REQUEST", "event_ids.0: There is no event "+id+" at this pull endpoint.")(w, r)
				return
			}
		}
		for _, id := range in.IDs {
			e := s.find(func(e *kept) bool { return e.id == id })
			e.acked, e.token = true, ""
		}
		said(w, map[string]int{"acknowledged": len(in.IDs)})
	case "claims/extend", "claims/release":
		e := s.find(func(e *kept) bool { return e.token == in.Token && e.due.After(time.Now()) })
		if e == nil {
			fault(409, "LEASE_LOST", "The lease is over, or the event is done. Claim again.")(w, r)
			return
		}
		e.due = time.Now().Add(time.Duration(in.Lease) * time.Second) // nothing for a release
		if path == "claims/extend" {
			e.leases = append(e.leases, in.Lease)
			if s.extend != nil && !s.extend(e, in.Lease) {
				fault(409, "LEASE_LOST", "The lease is over, or the event is done. Claim again.")(w, r)
				return
			}
		}
		said(w, nil)
	default:
		fault(404, "NOT_FOUND", "There is nothing at this address.")(w, r)
	}
}

func (s *server) find(is func(*kept) bool) *kept {
	for _, e := range s.events {
		if is(e) {
			return e
		}
	}
	return nil
}

func (s *server) claim(in claimBody) []map[string]any {
	s.claimed = append(s.claimed, in)
	list := []map[string]any{}
	for _, e := range s.events {
		if len(list) == in.Limit || e.acked || e.due.After(time.Now()) || in.Type != "" && in.Type != e.kind {
			continue
		}
		e.token, e.due = "lse_"+rand.Text(), time.Now().Add(time.Duration(in.Lease)*time.Second)
		e.claims++
		list = append(list, e.show(in.Encoding))
	}
	return list
}

func (e *kept) show(encoding string) map[string]any {
	m := map[string]any{
		"id": e.id, "event_type": e.kind, "status": "fetched", "size_bytes": len(e.body), "received_at": "2027-08-14T20:30:00.123456Z", "content_type": e.media,
		"payload": nil, "headers": nil, "claim": map[string]any{"token": e.token, "expires_at": e.due.UTC().Format(time.RFC3339Nano)},
	}
	if e.kind == "" {
		m["event_type"] = nil
	}
	switch {
	case e.erased:
		return m
	case encoding != "base64" && json.Valid(e.body):
		m["payload"], m["payload_encoding"] = json.RawMessage(e.body), "json"
	default:
		m["payload"], m["payload_encoding"] = base64.StdEncoding.EncodeToString(e.body), "base64"
	}
	m["headers"] = map[string]string{"content-type": e.media}
	m["header_lines"] = [][2]string{{"Content-Type", e.media}}
	return m
}

func said(w http.ResponseWriter, data any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(map[string]any{"data": data, "meta": map[string]string{"request_id": "req_1"}})
}

// fault answers with an error; header are names and values.
func fault(status int, code, message string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":{"code":%q,"message":%q},"meta":{"request_id":"req_1"}}`, code, message)
	}
}

// options are those of a consumer of the server's that tells the returned channel what happens.
func (s *server) options(exec string) (consume.Options, chan consume.Report) {
	s.t.Helper()
	at, err := remote.New(s.url, key, "test")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(at.Close)
	reports := make(chan consume.Report, 10_000)
	return consume.Options{Server: at, Endpoint: endpoint, Exec: exec, Tell: func(r consume.Report) { reports <- r }}, reports
}
