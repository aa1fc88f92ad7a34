package pull

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/provider"
)

// Inbound is a request to an endpoint's URL.
type Inbound struct {
	Endpoint string // as it stands in the path
	Secret   string // likewise
	Method   string
	Head     []byte      // header lines as they came, each ended by CRLF; nil where they are not known, then they are made of Header
	Header   http.Header // the same, parsed
	RawQuery string
	Body     []byte
	TooLarge bool // the body has more bytes than [Depot.MaxBody], and was not read to its end
	// Read reads the body, where it is not there yet: only once it is known that the sender has the URL's secret and may send now, so that strangers cost no
	// memory. It returns Body and TooLarge; its error is returned as it is.
	Read       func() (body []byte, tooLarge bool, err error)
	Peer       netip.Addr // the sender's
	ReceivedAt time.Time  // when the request's head was there
}

// Received is what came of a request that was taken.
type Received struct {
	Event     id.Received
	Duplicate bool             // Event is an earlier one, under the same key
	Code      int              // what to answer with
	Answer    *provider.Answer // a challenge's; then nothing was stored, and there is no Event
}

// The reasons of a [Refused], beside those of package provider, as the pull endpoints' specification calls them; the last two are ours.
const (
	EndpointNotFound = "endpoint_not_found" // 404
	EndpointDeleted  = "endpoint_deleted"   // 404
	InvalidSecret    = "invalid_secret"     // 401
	PayloadTooLarge  = "payload_too_large"  // 413
	InvalidMethod    = "invalid_method"     // 405, with Allow: POST
	Paused           = "paused"             // 503
	RateLimited      = "rate_limited"       // 429
)

// Refused is the error of a request that was not let in.
type Refused struct {
	Reason     string        // one of the constants, or of [provider.Refusal]
	Status     int           // to answer with
	Detail     string        // for the sender: what was wrong in general. What exactly is in the rejection, for the owner
	RetryAfter time.Duration // zero for none
}

// Error returns both.
func (r *Refused) Error() string { return r.Reason + ": " + r.Detail }

// pauseFor is after how long the sender to a paused endpoint may try again.
const pauseFor = time.Minute

// Receive takes a request: see the package's comment for the order of checks. Errors are a [*Refused]; a problem of the kind Insufficient (507) when the
// disk is full or the organisation's quota is used up, which both may be over later; or internal.
func (d *Depot) Receive(ctx context.Context, in Inbound) (Received, error) {
	e, err := d.addressed(ctx, in)
	if err != nil {
		return Received{}, err
	}
	if in.Method != http.MethodPost {
		return d.tried(in, e)
	}
	if err := d.entrance(in, e); err != nil {
		return Received{}, err
	}
	if err := d.admit(e.No); err != nil {
		return Received{}, err
	}
	if in.Read != nil {
		if in.Body, in.TooLarge, err = in.Read(); err != nil {
			return Received{}, err
		}
	}
	if in.TooLarge || len(in.Body) > d.config.MaxBody {
		return Received{}, d.refuse(in, e, PayloadTooLarge, http.StatusRequestEntityTooLarge, "The body is too large.", "")
	}
	if err := e.effect().Check(in.request(), d.now(nil)); err != nil {
		return Received{}, d.unproven(in, e, err)
	}
	if a, ok := e.effect().Challenge(in.Method, in.request()); ok {
		return Received{Code: a.Status, Answer: &a}, nil
	}
	return d.take(ctx, e, in)
}

// addressed finds the endpoint that a request is for. One that is no POST is refused where there is none, whatever else is wrong.
func (d *Depot) addressed(ctx context.Context, in Inbound) (*Endpoint, error) {
	var e *Endpoint
	i, ok := id.ParsePullEndpoint(in.Endpoint)
	if ok {
		var err error
		if e, err = d.known(ctx, i); err != nil {
			return nil, err
		}
	}
	given := hash(in.Secret)
	switch {
	case in.Method != http.MethodPost && in.Method != http.MethodGet, in.Method == http.MethodGet && (e == nil || e.deleted || !equal(given, e.secret)):
		return nil, d.badMethod(in, e)
	case e == nil:
		return nil, d.refuse(in, nil, EndpointNotFound, http.StatusNotFound, "There is no such endpoint.", "")
	case e.deleted:
		return nil, d.refuse(in, e, EndpointDeleted, http.StatusNotFound, "There is no such endpoint.", "The endpoint was deleted.")
	case !equal(given, e.secret):
		return nil, d.refuse(in, e, InvalidSecret, http.StatusUnauthorized, "The URL is not right.", "The secret at the end of the URL is not the endpoint's.")
	}
	return e, nil
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

func (d *Depot) badMethod(in Inbound, e *Endpoint) error {
	return d.refuse(in, e, InvalidMethod, http.StatusMethodNotAllowed, "Send with POST.", "The method was "+clip(plain(in.Method), 16)+", not POST.")
}

// tried answers a GET: some providers try an address with one.
func (d *Depot) tried(in Inbound, e *Endpoint) (Received, error) {
	if a, ok := e.effect().Challenge(in.Method, in.request()); ok && !e.Paused && e.effect().Admits(in.Peer) {
		if err := d.admit(e.No); err != nil {
			return Received{}, err
		}
		return Received{Code: a.Status, Answer: &a}, nil
	}
	return Received{}, d.badMethod(in, e)
}

// entrance is what is checked before a body counts.
func (d *Depot) entrance(in Inbound, e *Endpoint) error {
	if e.Paused {
		return &Refused{Reason: Paused, Status: http.StatusServiceUnavailable, Detail: "The endpoint is paused. Try again later.", RetryAfter: pauseFor}
	}
	if !e.effect().Admits(in.Peer) {
		return d.refuse(in, e, provider.IPNotAllowed, http.StatusForbidden, "This address may not send here.", "The sender's address is in none of the allowed networks.")
	}
	return nil
}

// unproven refuses a request that does not prove where it comes from.
func (d *Depot) unproven(in Inbound, e *Endpoint, err error) error {
	var r *provider.Refusal
	if !errors.As(err, &r) {
		return err
	}
	switch r.Reason {
	case provider.IPNotAllowed:
		return d.refuse(in, e, r.Reason, http.StatusForbidden, "This address may not send here.", r.Detail)
	case provider.StaticTokenFailed:
		return d.refuse(in, e, r.Reason, http.StatusUnauthorized, "The token is not right.", r.Detail)
	}
	return d.refuse(in, e, r.Reason, http.StatusUnauthorized, "The signature is not right.", r.Detail)
}

func (in Inbound) request() provider.Request {
	return provider.Request{Header: in.Header, RawQuery: in.RawQuery, Body: in.Body, Peer: in.Peer}
}

// admit takes one from an endpoint's budget.
func (d *Depot) admit(no int64) error {
	if d.config.PerSecond < 0 {
		return nil
	}
	d.mu.Lock()
	l := d.limiters[no]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(d.config.PerSecond), d.config.Burst)
		d.limiters[no] = l
	}
	d.mu.Unlock()
	if l.Allow() {
		return nil
	}
	return &Refused{Reason: RateLimited, Status: http.StatusTooManyRequests, Detail: "Too many events at once. Wait as long as Retry-After says.", RetryAfter: time.Second}
}

var insertPayload = db.BulkInsert("pull_payloads", "", "seq bigint", "day bigint", "org_id bigint", "head bytea", "body bytea")

// arrival is a request that was let in.
type arrival struct {
	e                 *Endpoint
	in                Inbound
	kind, contentType string
	dedup             []byte // its sender's key; nil for none
}

// Deposit takes a request that its caller vouches for: nothing is checked but the organisation's quota. Errors are those of [Depot.Receive].
func (d *Depot) Deposit(ctx context.Context, e *Endpoint, in Inbound) (Received, error) {
	return d.take(ctx, e, in)
}

// take writes an event down.
func (d *Depot) take(ctx context.Context, e *Endpoint, in Inbound) (Received, error) {
	a := arrival{e: e, in: in, contentType: clip(plain(in.Header.Get("Content-Type")), 255), dedup: provider.DedupKey(e.DedupHeaders, in.Header)}
	kind, _ := e.EventType.Of(in.Header, in.Body)
	a.kind = plain(kind)
	if a.in.Body == nil {
		a.in.Body = []byte{} // empty is not erased
	}
	settle, err := d.reserve(ctx, e.Org, int64(len(in.Body)))
	if err != nil {
		return d.orKnown(ctx, a, err) // what is there already needs no room
	}
	var got Received
	err = d.config.DB.Write(ctx, string(a.dedup), func(tx *db.Tx) (err error) {
		got, err = d.store(tx, a)
		return err
	})
	settle(err == nil && !got.Duplicate)
	switch {
	case db.Full(err):
		d.config.Log.Error("no room for an event of a pull endpoint", "err", err)
		return d.orKnown(ctx, a, noRoom("storage_full", "The server has no room left. Try again later."))
	case err != nil:
		return Received{}, err
	}
	return got, nil
}

// store writes a request down in a transaction, unless its key is taken.
func (d *Depot) store(tx *db.Tx, a arrival) (Received, error) {
	seq, err := tx.Numbers(1)
	if err != nil {
		return Received{}, err
	}
	now := d.now(tx)
	at, day, size := now.UnixMicro(), int64(fact.Day(now)), int64(len(a.in.Body))
	got := Received{Event: id.Received{Millis: now.UnixMilli(), Seq: seq}, Code: a.e.Code()}
	if a.dedup != nil {
		first, err := d.claim(tx, a.e, a.dedup, got.Event, at)
		if err != nil {
			return Received{}, err
		}
		if first != got.Event {
			return Received{Event: first, Duplicate: true, Code: a.e.Code()}, nil
		}
	}
	took := int64(0)
	if !a.in.ReceivedAt.IsZero() {
		took = max(0, now.Sub(a.in.ReceivedAt).Microseconds())
	}
	if err := d.log.Append(tx, []any{seq, day, a.e.Org, a.e.No, at, 0, a.kind, a.contentType, size, took, a.dedup, 0}); err != nil {
		return Received{}, err
	}
	if err := tx.Bulk(insertPayload, [][]any{{seq, day, a.e.Org, a.e.Scheme.Mask(a.in.head()), a.in.Body}}); err != nil {
		return Received{}, err
	}
	if err := d.hand(tx, a, got.Event); err != nil {
		return Received{}, err
	}
	tx.OnCommit(func() { d.ring(a.e.No) })
	return got, d.count(tx, one(a.e.Org, a.e.No, at, size))
}

// orKnown is the answer to a request for which there is no room: the event that has its key, or the refusal.
func (d *Depot) orKnown(ctx context.Context, a arrival, refusal error) (Received, error) {
	if a.dedup == nil || problem.As(refusal) == nil {
		return Received{}, refusal
	}
	q := d.config.DB.Read(ctx)
	first, err := db.One(q, scanHolder, `SELECT seq, at FROM pull_keys WHERE endpoint_no = $1 AND dedup = $2 AND at > $3`, a.e.No, a.dedup, d.cutoff(q, a.e))
	if err != nil {
		return Received{}, refusal
	}
	return Received{Event: first, Duplicate: true, Code: a.e.Code()}, nil
}

func noRoom(code, detail string, args ...any) error {
	p := problem.New(problem.Insufficient, code, detail, args...)
	p.RetryAfter = time.Minute
	return p
}

// head are the request's header lines.
func (in Inbound) head() []byte {
	if in.Head != nil {
		return in.Head
	}
	names := make([]string, 0, len(in.Header))
	for name := range in.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	b := &bytes.Buffer{}
	for _, name := range names {
		for _, value := range in.Header[name] {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	return append([]byte{}, b.Bytes()...)
}

// plain is text that every database can store.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// clip cuts text to n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
