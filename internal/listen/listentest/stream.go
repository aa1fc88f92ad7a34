// Package listentest is a server's stream for the tests of who reads it: it keeps what was sent and goes on behind the Last-Event-ID that it is
// asked for, as a server does.
package listentest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// Key is the only credential that is taken.
const Key = "sd_listentest"

// Stream is the server. Each [Stream.Send] is the next event, with the number of events so far as its id.
type Stream struct {
	URL string

	mu      sync.Mutex // guards below
	sent    []string   // as they stand on the wire
	cut     chan struct{}
	came    *sync.Cond
	asked   []http.Request
	refusal http.HandlerFunc
}

// New starts the server.
func New(t testing.TB) *Stream {
	s := &Stream{cut: make(chan struct{})}
	s.came = sync.NewCond(&s.mu)
	srv := httptest.NewServer(s)
	t.Cleanup(func() { s.Cut(); srv.Close() })
	s.URL = srv.URL
	return s
}

// Send sends an envelope, as an organisation's stream does, and returns its id.
func (s *Stream) Send(event, body string) string {
	id := s.next()
	s.Raw("envelope", map[string]any{"id": id, "event": event, "contentType": "application/json", "body": body})
	return id
}

// SendDev sends what a developer endpoint took in, and returns its id.
func (s *Stream) SendDev(event, body string, headers map[string]string) string {
	id := s.next()
	s.Raw("", map[string]any{"id": id, "event": event, "known": true, "signature": map[string]any{"verdict": "unsigned"}, "headers": headers, "body": body})
	return id
}

func (s *Stream) next() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("evt_%026d", len(s.sent)+1)
}

// Raw sends an event of a type, with any data.
func (s *Stream) Raw(kind string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	line := ""
	if kind != "" {
		line = "event: " + kind + "\n"
	}
	s.sent = append(s.sent, fmt.Sprintf("id: %d\n%sdata: %s\n\n", len(s.sent)+1, line, text))
	s.came.Broadcast()
}

// Cut ends all connections, in the middle of an event.
func (s *Stream) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
	s.came.Broadcast()
}

// Refuse has requests from now on answered by h; nil has them served again.
func (s *Stream) Refuse(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = h
}

// Asked are the requests so far.
func (s *Stream) Asked() []http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// ServeHTTP is a connection.
func (s *Stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, *r)
	refusal, cut, at := s.refusal, s.cut, len(s.sent)
	s.mu.Unlock()
	if refusal == nil && r.Header.Get("Authorization") != "Bearer "+Key {
		refusal = Problem(401, "The API key is not valid.")
	}
	if refusal != nil {
		refusal(w, r)
		return
	}
	if after := r.Header.Get("Last-Event-ID"); after != "" {
		at, _ = strconv.Atoi(after)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_, _ = fmt.Fprint(w, ": hello\n\n")
	_ = http.NewResponseController(w).Flush()
	for ; ; at++ {
		next, ended := s.after(at, cut, r)
		_, _ = fmt.Fprint(w, next)
		_ = http.NewResponseController(w).Flush()
		if ended {
			return
		}
	}
}

// after waits for the event at an index. When the connection is to be cut, it is the beginning of one.
func (s *Stream) after(at int, cut chan struct{}, r *http.Request) (text string, ended bool) {
	defer context.AfterFunc(r.Context(), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.came.Broadcast()
	})()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		select {
		case <-cut:
			return "id: 99999\ndata: {\"id\":", true
		case <-r.Context().Done():
			return "", true
		default:
		}
		if at < len(s.sent) {
			return s.sent[at], false
		}
		s.came.Wait()
	}
}

// Problem answers with a problem; header are names and values.
func Problem(status int, detail string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "code": "refused", "detail": detail})
	}
}
