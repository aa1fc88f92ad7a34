package published

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
)

// Record is what a run has seen of StubHub's vocabulary. It is safe for concurrent use. With no documents it sees nothing.
type Record struct {
	docs *Documents // nil where there are none

	mu     sync.Mutex // guards below
	seen   map[string]int
	topics map[string]int // deliveries
	faults []string
}

// NewRecord returns a record that holds all it is shown against the documents, and why it does not, if it does not.
func NewRecord() (*Record, error) {
	docs, err := Read()
	return &Record{docs: docs, seen: map[string]int{}, topics: map[string]int{}}, err
}

// Exchange notes a request and its answer, and returns what is wrong. What is neither in /v2 nor in /catalog is passed over.
func (r *Record) Exchange(req *http.Request, sent []byte, status int, header http.Header, body []byte) []string {
	if r.docs == nil || !Covers(req.URL.Path) || req.Method == http.MethodHead {
		return nil
	}
	op, wrong := r.docs.Exchange(req, sent, status, header, body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if op != "" && status < 400 {
		r.seen[op]++
	}
	r.note(wrong)
	return wrong
}

// Delivery notes a delivery, and returns what is wrong. What has no VGG-Topic is passed over.
func (r *Record) Delivery(header http.Header, body []byte) []string {
	if r.docs == nil || header.Get("VGG-Topic") == "" {
		return nil
	}
	topic, wrong := r.docs.Delivery(header, body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.topics[topic]++
	r.note(wrong)
	return wrong
}

func (r *Record) note(wrong []string) {
	for _, w := range wrong {
		if !slices.Contains(r.faults, w) {
			r.faults = append(r.faults, w)
		}
	}
}

// Faults says, once each, what was not as published.
func (r *Record) Faults() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.faults)
}

// Seen says how often each operation was answered with success, and how often each topic was delivered.
func (r *Record) Seen() (operations, topics map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.seen), maps.Clone(r.topics)
}

// Unseen are the operations and topics that we have and that nothing was seen of; none without documents.
func (r *Record) Unseen() []string {
	if r.docs == nil {
		return nil
	}
	operations, topics := r.Seen()
	var none []string
	for _, op := range Served() {
		if operations[op] == 0 {
			none = append(none, op)
		}
	}
	for _, topic := range r.docs.Topics() {
		if topics[topic] == 0 {
			none = append(none, "the topic "+topic)
		}
	}
	return none
}

// Served are the published operations that we have.
func Served() []string { return slices.Clone(served) }

var served = []string{
	"DELETE /v2/externalsellerlistings/{externalId}",
	"DELETE /v2/sales/{saleId}",
	"DELETE /v2/sellerlistings/{listingId}",
	"DELETE /v2/webhooks/{webhookId}",
	"GET /catalog/events",
	"GET /catalog/events/{eventId}",
	"GET /catalog/venues",
	"GET /catalog/venues/{venueId}",
	"GET /v2/externalsellerlistings/{externallistingId}",
	"GET /v2/sales",
	"GET /v2/sales/recentupdates",
	"GET /v2/sales/{saleId}",
	"GET /v2/sellerlistings",
	"GET /v2/sellerlistings/{listingId}",
	"GET /v2/user",
	"GET /v2/webhooks",
	"GET /v2/webhooks/{webhookId}",
	"PATCH /v2/externalsellerlistings/{externalId}",
	"PATCH /v2/sales/{saleId}",
	"PATCH /v2/sellerlistings/{listingId}",
	"PATCH /v2/webhooks/{webhookId}",
	"POST /v2/events/{eventId}/sellerlistings",
	"POST /v2/sellerlistings",
	"POST /v2/webhooks",
	"POST /v2/webhooks/{webhookId}/ping",
}

// Transport notes every exchange that goes through it.
func (r *Record) Transport(next http.RoundTripper) http.RoundTripper { return transport{r, next} }

type transport struct {
	record *Record
	next   http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.record.docs == nil || !Covers(req.URL.Path) {
		return t.next.RoundTrip(req)
	}
	var sent []byte
	if req.Body != nil {
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close() // it is read
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it is read, or broken
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	t.record.Exchange(req, sent, resp.StatusCode, resp.Header, body)
	return resp, nil
}

// Complaints are the faults and, of a whole run, what was never seen.
func (r *Record) Complaints(whole bool) []string {
	said := r.Faults()
	if whole {
		for _, u := range r.Unseen() {
			said = append(said, "published, and never exercised: "+u)
		}
	}
	return said
}

// Watch has the tests of a package run with [http.DefaultTransport] recorded, for clients without a transport of their own. What was not as published is printed
// and fails them. It goes into a TestMain: os.Exit(published.Watch(m).Run()).
func Watch(m interface{ Run() int }) interface{ Run() int } { return watched{m} }

type watched struct{ tests interface{ Run() int } }

// Run runs the tests and returns the exit status.
func (w watched) Run() int {
	record, err := NewRecord()
	if err != nil {
		fmt.Println("---", err) //nolint:forbidigo // there is no test to say it
		if !errors.Is(err, ErrAbsent) {
			return 1
		}
	}
	http.DefaultTransport = record.Transport(http.DefaultTransport)
	code := w.tests.Run()
	for _, c := range record.Complaints(false) {
		fmt.Println("---", c) //nolint:forbidigo // there is no test to say it
		code = 1
	}
	return code
}
