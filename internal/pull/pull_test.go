package pull_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/provider"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var (
	me    = pull.Whose{Org: 1}
	other = pull.Whose{Org: 2}
	by    = audit.By{Actor: "usr_a"}
)

// house is a depot with a clock that can be put forward.
type house struct {
	t     testing.TB
	db    *db.DB
	depot *pull.Depot
	ahead atomic.Int64 // nanoseconds
}

func open(t testing.TB, d *db.DB, c pull.Config) *house {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: d}
	c.DB, c.Keys, c.Ledger, c.Log = d, keys, l, slog.New(slog.DiscardHandler)
	c.Now = h.now
	h.depot = pull.New(c)
	return h
}

func each(t *testing.T, c pull.Config, f func(t *testing.T, h *house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, open(t, d, c)) })
}

func (h *house) now() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }

// forward puts the clock forward.
func (h *house) forward(d time.Duration) { h.ahead.Add(int64(d)) }

func (h *house) read() db.Querier { return h.db.Read(context.Background()) }

func (h *house) write(fn func(tx *db.Tx) error) error {
	return h.db.Write(context.Background(), "", fn)
}

func (h *house) do(what string, fn func(tx *db.Tx) error) {
	h.t.Helper()
	if err := h.write(fn); err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
}

// endpoint is one and the secret of its URL.
type endpoint struct {
	*pull.Endpoint
	secret string
}

func (h *house) make(w pull.Whose, s pull.Settings) endpoint {
	h.t.Helper()
	var e endpoint
	h.do("create", func(tx *db.Tx) (err error) { e.Endpoint, e.secret, err = h.depot.Create(tx, w, s, by); return err })
	return e
}

// to is a request to an endpoint. Headers come in pairs.
func (e endpoint) to(body string, header ...string) pull.Inbound {
	in := pull.Inbound{
		Endpoint: string(e.ID), Secret: e.secret, Method: "POST", Header: http.Header{}, Body: []byte(body), Peer: netip.MustParseAddr("203.0.113.7"),
		ReceivedAt: time.Now(),
	}
	for i := 0; i < len(header); i += 2 {
		in.Header.Add(header[i], header[i+1])
	}
	return in
}

func (h *house) send(in pull.Inbound) (pull.Received, error) {
	return h.depot.Receive(context.Background(), in)
}

// take sends what must be taken.
func (h *house) take(in pull.Inbound) id.Received {
	h.t.Helper()
	got, err := h.send(in)
	if err != nil {
		h.t.Fatalf("Receive: %v", err)
	}
	return got.Event
}

func (h *house) find(e endpoint, i id.Received) pull.Event {
	h.t.Helper()
	v, err := h.depot.Find(h.read(), e.Endpoint, i)
	if err != nil {
		h.t.Fatalf("Find(%s): %v", i, err)
	}
	return v
}

func (h *house) fetch(e endpoint, i id.Received) (v pull.Event, p pull.Payload, err error) {
	err = h.write(func(tx *db.Tx) (err error) { v, p, err = h.depot.Fetch(tx, e.Endpoint, i); return err })
	return v, p, err
}

func (h *house) ack(e endpoint, ids ...id.Received) (n int, err error) {
	err = h.write(func(tx *db.Tx) (err error) { n, err = h.depot.Ack(tx, e.Endpoint, ids); return err })
	return n, err
}

func (h *house) claim(e endpoint, in pull.ClaimInput) (all []pull.Claimed, err error) {
	err = h.write(func(tx *db.Tx) (err error) { all, err = h.depot.Claim(tx, e.Endpoint, in); return err })
	return all, err
}

func (h *house) remove(e endpoint, i id.Received) (r pull.Deletion, err error) {
	err = h.write(func(tx *db.Tx) (err error) { r, err = h.depot.DeleteEvent(tx, e.Endpoint, i, by); return err })
	return r, err
}

// list is every id that a filter lets through, page by page.
func (h *house) list(e endpoint, f pull.Filter, limit int) (all []id.Received) {
	h.t.Helper()
	for after, more := (pull.Cursor{}), true; more; {
		var page []pull.Event
		var err error
		if page, more, err = h.depot.Events(h.read(), e.Endpoint, f, after, limit); err != nil {
			h.t.Fatalf("Events: %v", err)
		}
		if more && len(page) != limit {
			h.t.Fatalf("a page of %d events says that there are more; asked for %d", len(page), limit)
		}
		for _, v := range page {
			all = append(all, v.ID)
			after = v.Cursor()
		}
	}
	return all
}

func (h *house) counts(e endpoint) pull.Counts {
	h.t.Helper()
	c, err := h.depot.Counts(h.read(), e.Endpoint)
	if err != nil {
		h.t.Fatalf("Counts: %v", err)
	}
	return c
}

// sound fails the test when the audit finds something.
func (h *house) sound() {
	h.t.Helper()
	bad, err := pull.Audit(h.read())
	if err != nil || len(bad) > 0 {
		h.t.Errorf("Audit: %q, %v; want nothing", bad, err)
	}
}

// is fails the test unless an error is a problem with a kind and a code.
func is(t testing.TB, what string, err error, kind problem.Kind, code string) {
	t.Helper()
	p := problem.As(err)
	if p == nil || p.Kind != kind || code != "" && p.Code != code {
		t.Errorf("%s: error %v, want a problem with status %d and code %q", what, err, kind.Status(), code)
	}
}

func refused(t testing.TB, what string, err error, reason string, status int) {
	t.Helper()
	var r *pull.Refused
	if !errors.As(err, &r) || r.Reason != reason || r.Status != status {
		t.Errorf("%s: error %v, want a refusal with %s and status %d", what, err, reason, status)
	}
}

func sign(secret, body string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	return hex.EncodeToString(m.Sum(nil))
}

func TestAnEndpointIsAsItWasMadeAndChanged(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		token, err := provider.HashToken("token-of-twenty-letters")
		if err != nil {
			t.Fatal(err)
		}
		s := pull.Settings{
			Name: "Box office", Description: "what Stripe sends", RetentionDays: 3, EventType: provider.EventType{Source: "body", Path: "type"},
			Scheme: provider.Scheme{
				Token: provider.Token{Header: "X-Token", SHA256: token}, HMAC: provider.HMAC{Header: "X-Signature", Secret: "a signing secret"},
				Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
			},
			Verify: provider.Verify{Token: true, HMAC: true, Networks: true}, DedupHeaders: []string{"X-Event-Id"}, ResponseCode: 204,
		}
		e := h.make(me, s)
		got, err := h.depot.Get(h.read(), me, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s, got.Settings, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" || got.Version != 1 || !got.HasToken() || !got.HasSecret() || got.Code() != 204 {
			t.Errorf("Get gives version %d, %+v; settings differ: %s", got.Version, got, d)
		}
		change := func(ifVersion int64, f func(*pull.Settings) error) (e2 *pull.Endpoint, err error) {
			err = h.write(func(tx *db.Tx) (err error) { e2, err = h.depot.Update(tx, me, e.ID, f, ifVersion, by); return err })
			return e2, err
		}
		rename := func(s *pull.Settings) error { s.Name = "Other"; s.Scheme.HMAC.TTL = 0; return nil }
		e2, err := change(1, rename)
		if err != nil || e2.Version != 2 || e2.Name != "Other" || e2.Scheme.HMAC.Secret != "a signing secret" {
			t.Errorf("Update: %+v, %v; want version 2 with the new name and the old secret", e2, err)
		}
		if e2, err = change(0, rename); err != nil || e2.Version != 2 {
			t.Errorf("an update that changes nothing: version %d, %v; want 2", e2.Version, err)
		}
		_, err = change(1, rename)
		is(t, "Update at an old version", err, problem.Precondition, "version_mismatch")
		_, err = change(0, func(s *pull.Settings) error { s.RetentionDays = 366; s.Name = strings.Repeat("ü", 256); return nil })
		if is(t, "Update with bad settings", err, problem.Invalid, ""); problem.As(err) != nil && len(problem.As(err).Fields) != 2 {
			t.Errorf("Update with two bad settings names %+v", problem.As(err).Fields)
		}
		if got, _ := h.depot.Get(h.read(), me, e.ID); got.Version != 2 || got.RetentionDays != 3 {
			t.Errorf("after a bad update: %+v, want what was there", got)
		}
		if zero := h.make(me, pull.Settings{Name: strings.Repeat("ü", 255)}); zero.Code() != 202 || zero.Endpoint.Retention() != 30*24*time.Hour {
			t.Errorf("defaults: %d, %v; want 202 and 30 days", zero.Code(), zero.Endpoint.Retention())
		}
	})
}

func TestEndpointsOfOthersAreNotThere(t *testing.T) {
	each(t, pull.Config{MaxEndpoints: 3}, func(t *testing.T, h *house) {
		app := pull.Whose{Org: 1, Grant: 9}
		mine, theirs, apps := h.make(me, pull.Settings{}), h.make(other, pull.Settings{}), h.make(app, pull.Settings{})
		for _, c := range []struct {
			who  pull.Whose
			what endpoint
			sees bool
		}{
			{me, mine, true}, {me, theirs, false}, {me, apps, true}, {other, mine, false}, {app, mine, false}, {app, apps, true}, {pull.Whose{Org: 2, Grant: 9}, apps, false},
		} {
			_, err := h.depot.Get(h.read(), c.who, c.what.ID)
			if (err == nil) != c.sees {
				t.Errorf("Get(%+v, endpoint of %+v): %v", c.who, c.what.Whose, err)
			}
			all, _, err := h.depot.List(h.read(), c.who, 0, 10)
			listed := false
			for _, e := range all {
				listed = listed || e.ID == c.what.ID
			}
			if err != nil || listed != c.sees {
				t.Errorf("List(%+v) has the endpoint of %+v: %v, %v", c.who, c.what.Whose, listed, err)
			}
			if !c.sees {
				for name, change := range map[string]func(tx *db.Tx) error{
					"Update": func(tx *db.Tx) error {
						_, err := h.depot.Update(tx, c.who, c.what.ID, func(*pull.Settings) error { return nil }, 0, by)
						return err
					},
					"Pause":  func(tx *db.Tx) error { _, err := h.depot.Pause(tx, c.who, c.what.ID, by); return err },
					"Delete": func(tx *db.Tx) error { return h.depot.Delete(tx, c.who, c.what.ID, 0, by) },
				} {
					is(t, name+" of another's", h.write(change), problem.NotFound, "pull_endpoint_not_found")
				}
			}
		}
		h.make(me, pull.Settings{})
		is(t, "one endpoint too many", h.write(func(tx *db.Tx) error { _, _, err := h.depot.Create(tx, me, pull.Settings{}, by); return err }), problem.Conflict, "too_many_pull_endpoints")
		page, more, err := h.depot.List(h.read(), me, 0, 2)
		if err != nil || len(page) != 2 || !more || page[0].ID != mine.ID {
			t.Errorf("List of three by two: %d, %v, %v", len(page), more, err)
		}
		if page, more, err = h.depot.List(h.read(), me, page[1].No, 2); err != nil || len(page) != 1 || more {
			t.Errorf("List behind the second of three: %d, %v, %v", len(page), more, err)
		}
		h.take(apps.to("{}"))
		h.do("end the grant", func(tx *db.Tx) error { return h.depot.EndGrant(tx, 1, 9, audit.By{}) })
		if _, err := h.depot.Get(h.read(), me, apps.ID); err == nil {
			t.Error("an app's endpoint is there after its grant has ended")
		}
		_, err = h.send(apps.to("{}"))
		refused(t, "to an endpoint whose grant has ended", err, pull.EndpointDeleted, 404)
	})
}

// Security checklist 44: endpoint ids and secrets of at least 128 bits. Secrets are not in the database.
func TestSecurity44SecretsAreLongAndNotInTheDatabase(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		token, err := provider.HashToken("token-of-twenty-letters")
		if err != nil {
			t.Fatal(err)
		}
		e := h.make(me, pull.Settings{
			Scheme: provider.Scheme{Token: provider.Token{Header: "X-Token", SHA256: token}, HMAC: provider.HMAC{Header: "X-Sig", Secret: "sealed-hmac-secret"}},
			Verify: provider.Verify{Token: true, HMAC: true},
		})
		if rest, ok := strings.CutPrefix(e.secret, "sdi_"); !ok || len(rest) < 26 {
			t.Errorf("the secret is %q, want sdi_ and at least 26 characters of base32 (130 bits)", e.secret)
		}
		if _, ok := id.ParsePullEndpoint(string(e.ID)); !ok || len(e.ID) != 36 {
			t.Errorf("the id is %q, want a UUID", e.ID)
		}
		row, err := db.One(h.read(), func(r db.Rows) ([][]byte, error) {
			b := make([][]byte, 6)
			return b, r.Scan(&b[0], &b[1], &b[2], &b[3], &b[4], &b[5])
		}, `SELECT secret, token, hmac, settings, name, description FROM pull_endpoints WHERE endpoint_no = $1`, e.No)
		if err != nil {
			t.Fatal(err)
		}
		all := bytes.Join(row, nil)
		for _, secret := range []string{e.secret, e.secret[4:], "token-of-twenty-letters", "sealed-hmac-secret"} {
			if bytes.Contains(all, []byte(secret)) {
				t.Errorf("the endpoint's row has the secret %q in clear", secret)
			}
		}
		if shown := fmt.Sprintf("%v %+v", e.Settings, e.Endpoint); strings.Contains(shown, "sealed-hmac-secret") {
			t.Errorf("a formatted endpoint shows its secret: %s", shown)
		}
		for _, wrong := range []string{"", "x", e.secret + "0", e.secret[:len(e.secret)-1], strings.ToUpper(e.secret)} {
			in := e.to("{}", "X-Token", "token-of-twenty-letters", "X-Sig", sign("sealed-hmac-secret", "{}"))
			in.Secret = wrong
			_, err := h.send(in)
			refused(t, fmt.Sprintf("with the secret %q", wrong), err, pull.InvalidSecret, 401)
		}
		h.do("delete", func(tx *db.Tx) error { return h.depot.Delete(tx, me, e.ID, 0, by) })
		left, err := db.One(h.read(), db.Value[int], `SELECT count(*) FROM pull_endpoints WHERE secret IS NOT NULL OR token IS NOT NULL OR hmac IS NOT NULL`)
		if err != nil || left != 0 {
			t.Errorf("after deletion %d endpoints still have secrets (%v)", left, err)
		}
	})
}

func TestWhatWasTakenIsKept(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, pull.Settings{EventType: provider.EventType{Source: "body", Path: "type"}})
		rung, end := h.depot.Listen(e.No)
		defer end()
		got, err := h.send(e.to(`{"type":"order.paid"}`, "Content-Type", "application/json"))
		if err != nil || got.Duplicate || got.Code != 202 || got.Answer != nil {
			t.Fatalf("Receive: %+v, %v", got, err)
		}
		select {
		case <-rung:
		default:
			t.Error("the endpoint's bell did not ring before the sender was answered")
		}
		v := h.find(e, got.Event)
		if v.Type != "order.paid" || v.ContentType != "application/json" || v.Status != pull.Stored || v.Size != 21 || v.Took < 0 || v.Deleted() ||
			!v.FetchedAt.IsZero() || v.ID.String() != got.Event.String() {
			t.Errorf("Find: %+v", v)
		}
		if parsed, ok := id.ParseReceived(got.Event.String()); !ok || parsed != got.Event {
			t.Errorf("ParseReceived(%s): %+v, %v", got.Event, parsed, ok)
		}
		if c := h.counts(e); c != (pull.Counts{Stored: 1}) {
			t.Errorf("counts: %+v", c)
		}
		for name, i := range map[string]id.Received{
			"another number": {Millis: got.Event.Millis, Seq: got.Event.Seq + 1}, "another instant": {Millis: got.Event.Millis + 1, Seq: got.Event.Seq},
		} {
			_, err := h.depot.Find(h.read(), e.Endpoint, i)
			is(t, "Find with "+name, err, problem.NotFound, "event_not_found")
		}
		_, err = h.depot.Find(h.read(), h.make(me, pull.Settings{}).Endpoint, got.Event)
		is(t, "Find at another endpoint", err, problem.NotFound, "event_not_found")
		h.sound()
	})
}

// Security checklist 35: duplicate headers, the case of names and raw bytes are kept exactly.
func TestSecurity35BytesAndHeadAreKeptExactly(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, pull.Settings{})
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		head := "x-lower: 1\r\nX-UPPER: 2\r\nX-Twice: a\r\nX-Twice:  b \r\nEmpty:\r\nX-Bytes: \xff\x00\xfe\r\n"
		for name, body := range map[string][]byte{
			"nothing": nil, "empty": {}, "every byte": every, "a zero": {0}, "lines": []byte("a\r\nb\n\r"), "not UTF-8": {0xff, 0xc0, 0x80}, "1 MiB": bytes.Repeat([]byte{0, 255, 13, 10}, 256<<10),
		} {
			in := e.to("")
			in.Body, in.Head = body, []byte(head)
			_, p, err := h.fetch(e, h.take(in))
			if err != nil || !bytes.Equal(p.Body, body) || string(p.Head) != head || p.Erased || p.Body == nil {
				t.Errorf("%s: %d bytes came back of %d, equal: %v; the head is %q; %v", name, len(p.Body), len(body), bytes.Equal(p.Body, body), p.Head, err)
			}
		}
		in := e.to("{}", "X-B", "2", "X-A", "1", "X-B", "3")
		_, p, err := h.fetch(e, h.take(in))
		want := []pull.Field{{"X-A", "1"}, {"X-B", "2"}, {"X-B", "3"}}
		if d := cmp.Diff(want, p.Fields()); d != "" || err != nil {
			t.Errorf("a head that is made of parsed headers: %v, %s", err, d)
		}
		in.Head = []byte(head)
		_, p, _ = h.fetch(e, h.take(in))
		want = []pull.Field{{"x-lower", "1"}, {"X-UPPER", "2"}, {"X-Twice", "a"}, {"X-Twice", "b"}, {"Empty", ""}, {"X-Bytes", "\xff\x00\xfe"}}
		if d := cmp.Diff(want, p.Fields()); d != "" {
			t.Errorf("Fields: %s", d)
		}
		h.sound()
	})
}

// Security checklist 34: a body over the limit is refused, whether or not it was read to its end.
func TestSecurity34BodiesOverTheLimitAreRefused(t *testing.T) {
	each(t, pull.Config{MaxBody: 100}, func(t *testing.T, h *house) {
		e := h.make(me, pull.Settings{})
		h.take(e.to(strings.Repeat("x", 100)))
		_, err := h.send(e.to(strings.Repeat("x", 101)))
		refused(t, "one byte too many", err, pull.PayloadTooLarge, 413)
		in := e.to("")
		in.TooLarge = true
		_, err = h.send(in)
		refused(t, "not read to its end", err, pull.PayloadTooLarge, 413)
		if c := h.counts(e); c.Total() != 1 {
			t.Errorf("counts: %+v, want one", c)
		}
	})
}
