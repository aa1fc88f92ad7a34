package harness

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/webhook"
)

// Got is a delivery that a receiver took.
type Got struct {
	Header http.Header
	Body   []byte
	At     time.Time
	Status int   // answered
	Bad    error // why the signature did not verify
}

// Receiver is a webhook receiver in the test's own process. It verifies what it can and keeps everything.
type Receiver struct {
	URL string

	mu     sync.Mutex // guards below
	verify *webhook.Verifier
	answer func(n int, g Got) int
	got    []Got
	came   chan struct{}
}

// Receive starts a receiver. answer says the status for the n'th delivery, from 1; nil answers 200.
func Receive(t testing.TB, answer func(n int, g Got) int) *Receiver {
	t.Helper()
	r := &Receiver{answer: answer, came: make(chan struct{}, 1)}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.URL = s.URL + "/webhooks"
	return r
}

// Verify has every delivery from now on verified.
func (r *Receiver) Verify(t testing.TB, scheme webhook.Scheme, secret string) {
	t.Helper()
	v, err := webhook.NewVerifier(scheme, webhook.Key{Text: secret})
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verify = v
}

// Lenient has deliveries from now on not verified.
func (r *Receiver) Lenient() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verify = nil
}

// Pause runs f while no delivery is answered, for what the answer function reads.
func (r *Receiver) Pause(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// ServeHTTP takes a delivery.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender died: not a delivery
	}
	g := Got{Header: req.Header.Clone(), Body: body, At: time.Now(), Status: 200}
	Published().Delivery(g.Header, body) // what is wrong is kept there
	r.mu.Lock()
	if r.verify != nil {
		_, g.Bad = r.verify.Verify(g.Header, body, g.At)
	}
	if r.answer != nil {
		g.Status = r.answer(len(r.got)+1, g)
	}
	if g.Bad != nil {
		g.Status = 401
	}
	r.got = append(r.got, g)
	r.mu.Unlock()
	w.WriteHeader(g.Status)
	select {
	case r.came <- struct{}{}:
	default:
	}
}

// All returns what has come so far.
func (r *Receiver) All() []Got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Got(nil), r.got...)
}

// Await waits until enough says that what has come is enough, and returns it.
func (r *Receiver) Await(t testing.TB, within time.Duration, enough func([]Got) bool) []Got {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		all := r.All()
		if enough(all) {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v %d deliveries have come, which is not enough", within, len(all))
		}
		select {
		case <-r.came:
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Serve starts a receiver that answers as it likes, one request at a time, and returns its URL.
func Serve(t testing.TB, answer http.HandlerFunc) string {
	t.Helper()
	var mu sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		mu.Lock()
		defer mu.Unlock()
		answer(w, req)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/webhooks"
}
