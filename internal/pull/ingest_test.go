package pull_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/provider"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

// checked is an endpoint that checks everything.
func (h *house) checked() endpoint {
	h.t.Helper()
	token, err := provider.HashToken("token-of-twenty-letters")
	if err != nil {
		h.t.Fatal(err)
	}
	return h.make(me, pull.Settings{
		Scheme: provider.Scheme{
			Token: provider.Token{Header: "X-Token", SHA256: token}, HMAC: provider.HMAC{Header: "X-Sig", Secret: "a signing secret"},
			Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
		},
		Verify: provider.Verify{Token: true, HMAC: true, Networks: true},
	})
}

func (h *house) rejections(w pull.Whose, f pull.RejectionFilter) []pull.Rejection {
	h.t.Helper()
	if err := h.depot.Flush(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	page, _, err := h.depot.Rejections(h.read(), w, f, pull.Cursor{}, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	return page
}

// Each case breaks one thing more than the next: the first that is wrong decides.
func TestChecksAreMadeInTheirOrder(t *testing.T) {
	each(t, pull.Config{MaxBody: 100}, func(t *testing.T, h *house) {
		e := h.checked()
		in := e.to(strings.Repeat("x", 101))
		in.Method, in.Secret, in.Peer = "PUT", "wrong", netip.MustParseAddr("198.51.100.1")
		step := func(reason string, status int) {
			t.Helper()
			_, err := h.send(in)
			refused(t, "what is wrong first", err, reason, status)
		}
		nowhere := in
		nowhere.Endpoint = string(id.NewPullEndpoint())
		_, err := h.send(nowhere)
		refused(t, "no POST, to nowhere", err, pull.InvalidMethod, 405)
		nowhere.Method = "POST"
		_, err = h.send(nowhere)
		refused(t, "to nowhere", err, pull.EndpointNotFound, 404)
		nowhere.Endpoint = "../x"
		_, err = h.send(nowhere)
		refused(t, "to what is no id", err, pull.EndpointNotFound, 404)

		step(pull.InvalidMethod, 405)
		in.Method = "GET"
		step(pull.InvalidMethod, 405)
		in.Method = "POST"
		h.do("pause", func(tx *db.Tx) error { _, err := h.depot.Pause(tx, me, e.ID, by); return err })
		step(pull.InvalidSecret, 401)
		in.Secret = e.secret
		step(pull.Paused, 503)
		var r *pull.Refused
		if _, err := h.send(in); !errors.As(err, &r) || r.RetryAfter != time.Minute {
			t.Errorf("paused: %+v, want to try again after a minute", r)
		}
		h.do("resume", func(tx *db.Tx) error { _, err := h.depot.Resume(tx, me, e.ID, by); return err })
		step(provider.IPNotAllowed, 403)
		in.Peer = netip.MustParseAddr("::ffff:203.0.113.9")
		step(pull.PayloadTooLarge, 413)
		in.Body = []byte("{}")
		step(provider.StaticTokenFailed, 401)
		in.Header.Set("X-Token", "token-of-twenty-letters")
		step(provider.HMACFailed, 401)
		in.Header.Set("X-Sig", sign("a signing secret", "{} "))
		step(provider.HMACFailed, 401)
		in.Header.Set("X-Sig", sign("a signing secret", "{}"))
		h.take(in)
		h.do("delete", func(tx *db.Tx) error { return h.depot.Delete(tx, me, e.ID, 0, by) })
		in.Secret = "wrong"
		step(pull.EndpointDeleted, 404)

		var reasons []string
		for _, r := range h.rejections(me, pull.RejectionFilter{Endpoint: e.ID}) {
			reasons = append(reasons, r.Reason)
			if r.Endpoint != e.ID || r.Detail == "" || r.At.IsZero() || !json.Valid([]byte(r.Headers)) || r.Peer != "198.51.100.1" && r.Peer != "203.0.113.9" {
				t.Errorf("rejection %+v", r)
			}
		}
		want := "[invalid_method invalid_method invalid_secret ip_not_allowed payload_too_large static_token_failed hmac_failed hmac_failed endpoint_deleted]"
		if got := fmt.Sprint(reasons); got != want {
			t.Errorf("rejections are %s, want %s: all but paused, and those to no endpoint are nobody's", got, want)
		}
	})
}

func TestPausedAndDeletedHoldAtOnce(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, pull.Settings{})
		first := h.take(e.to("1"))
		for range 5 {
			h.do("pause", func(tx *db.Tx) error { _, err := h.depot.Pause(tx, me, e.ID, by); return err })
			_, err := h.send(e.to("2"))
			refused(t, "right after pausing", err, pull.Paused, 503)
			if _, _, err := h.fetch(e, first); err != nil {
				t.Errorf("what a paused endpoint keeps: %v", err)
			}
			h.do("resume twice", func(tx *db.Tx) error {
				_, err := h.depot.Resume(tx, me, e.ID, by)
				_, err2 := h.depot.Resume(tx, me, e.ID, by)
				return errors.Join(err, err2)
			})
			h.take(e.to("3"))
		}
		h.do("delete", func(tx *db.Tx) error { return h.depot.Delete(tx, me, e.ID, 0, by) })
		_, err := h.send(e.to("4"))
		refused(t, "right after deleting", err, pull.EndpointDeleted, 404)
		if err := h.depot.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"pull_events", "pull_payloads", "pull_counts", "pull_keys"} {
			if n, err := db.One(h.read(), db.Value[int], `SELECT count(*) FROM `+table); n != 0 || err != nil {
				t.Errorf("%s has %d rows of a deleted endpoint (%v)", table, n, err)
			}
		}
		h.sound()
	})
}

// Security checklist 39: the same key a hundred times at once.
func TestSecurity39OfAHundredAtOnceOneIsStored(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, pull.Settings{DedupHeaders: []string{"X-Event-Id", "X-Part"}, ResponseCode: 299})
		second := open(t, h.db, pull.Config{}) // another node's, with counts of its own
		got := make([]pull.Received, 100)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				depot := h.depot
				if i%2 == 1 {
					depot = second.depot
				}
				var err error
				if got[i], err = depot.Receive(context.Background(), e.to(fmt.Sprint(i), "X-Event-Id", "evt_1")); err != nil {
					t.Errorf("Receive: %v", err)
				}
			})
		}
		wg.Wait()
		stored := 0
		for _, r := range got {
			if r.Event != got[0].Event || r.Code != 299 {
				t.Errorf("answered with %+v and %+v, want the same event and 299", r, got[0])
			}
			if !r.Duplicate {
				stored++
			}
		}
		if c := h.counts(e); stored != 1 || c.Total() != 1 || len(h.list(e, pull.Filter{}, 10)) != 1 {
			t.Errorf("%d were stored; counts: %+v; want one", stored, c)
		}
		h.sound()
	})
}

// Security checklist 39: present but empty is not absent; the order and the edges of values count.
func TestSecurity39KeysAreOfWhatIsPresent(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, pull.Settings{DedupHeaders: []string{"X-A", "X-B"}})
		another := h.make(me, pull.Settings{DedupHeaders: []string{"X-A", "X-B"}})
		none1, none2 := h.take(e.to("")), h.take(e.to(""))
		if none1 == none2 {
			t.Error("two requests without a key are one event")
		}
		seen := map[id.Received]string{}
		for _, headers := range [][]string{{"X-A", ""}, {"X-A", "1"}, {"X-A", "1", "X-B", ""}, {"X-B", "1"}, {"X-A", "1", "X-B", "2"}, {"X-A", "12"}, {"X-A", "2", "X-B", "1"}} {
			first, again := h.take(e.to("", headers...)), h.take(e.to("other", headers...))
			if first != again {
				t.Errorf("%q: %s and %s, want the same", headers, first, again)
			}
			if was, ok := seen[first]; ok {
				t.Errorf("%q is the same event as %s", headers, was)
			}
			seen[first] = fmt.Sprint(headers)
			if i := h.take(another.to("", headers...)); seen[i] != "" {
				t.Errorf("%q: the other endpoint answers with this one's event", headers)
			}
		}
		h.sound()
	})
}

// Security checklist 39: a key lives as long as its event.
func TestSecurity39KeysGoWithTheirEvents(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, pull.Settings{DedupHeaders: []string{"X-Id"}, RetentionDays: 1})
		first := h.take(e.to("1", "X-Id", "a"))
		h.forward(23 * time.Hour)
		if got, err := h.send(e.to("2", "X-Id", "a")); err != nil || !got.Duplicate || got.Event != first {
			t.Errorf("after 23 hours: %+v, %v; want a duplicate of %s", got, err, first)
		}
		h.forward(time.Hour)
		got, err := h.send(e.to("3", "X-Id", "a"))
		if err != nil || got.Duplicate || got.Event == first {
			t.Errorf("after 24 hours: %+v, %v; want a new event", got, err)
		}
		h.sound()
		if err := h.depot.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if again, err := h.send(e.to("4", "X-Id", "a")); err != nil || again.Event != got.Event {
			t.Errorf("after what is over was removed: %+v, %v; want %s", again, err, got.Event)
		}
		if _, err := h.remove(e, got.Event); err != nil {
			t.Fatal(err)
		}
		if again, err := h.send(e.to("5", "X-Id", "a")); err != nil || again.Duplicate || again.Event == got.Event {
			t.Errorf("after its deletion: %+v, %v; want a new event", again, err)
		}
		h.sound()
	})
}

// Security checklist 40: what was taken is on disk, and when the disk is full nothing is taken; with room again, everything works again.
func TestSecurity40AFullDiskTakesNothingAndRecovers(t *testing.T) {
	c := dbtest.SQLite(t)
	c.MaxPages = 700 // of 4 KiB, of which the schema has half
	c.Log = slog.New(slog.DiscardHandler)
	h := open(t, dbtest.Open(t, c), pull.Config{})
	e := h.make(me, pull.Settings{DedupHeaders: []string{"X-Id"}})
	body := strings.Repeat("x", 10_000)
	var kept []id.Received
	var full error
	for i := 0; full == nil && i < 1000; i++ {
		var got pull.Received
		if got, full = h.send(e.to(body, "X-Id", fmt.Sprint(i))); full == nil {
			kept = append(kept, got.Event)
		}
	}
	is(t, "with a full disk", full, problem.Insufficient, "storage_full")
	if p := problem.As(full); p != nil && p.Kind.Status() != 507 {
		t.Errorf("status %d, want 507", p.Kind.Status())
	}
	if got := h.list(e, pull.Filter{}, 1000); len(got) != len(kept) || len(kept) < 10 {
		t.Fatalf("%d events are there, %d were acknowledged", len(got), len(kept))
	}
	h.sound()
	for _, i := range kept[:10] {
		if _, err := h.remove(e, i); err != nil {
			t.Fatalf("delete with a full disk: %v", err)
		}
	}
	if err := h.depot.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		h.take(e.to(body, "X-Id", fmt.Sprint("again", i)))
	}
	h.sound()
}

func TestQuotasHoldAndAreFreed(t *testing.T) {
	for name, c := range map[string]pull.Config{"events": {MaxEvents: 5}, "bytes": {MaxBytes: 50}} {
		t.Run(name, func(t *testing.T) {
			each(t, c, func(t *testing.T, h *house) {
				e, sibling, stranger := h.make(me, pull.Settings{DedupHeaders: []string{"X-Id"}}), h.make(me, pull.Settings{}), h.make(other, pull.Settings{})
				var all []id.Received
				for i := range 5 {
					all = append(all, h.take(e.to("0123456789", "X-Id", fmt.Sprint(i))))
				}
				_, err := h.send(e.to("0123456789"))
				is(t, "one too many", err, problem.Insufficient, "quota_exceeded")
				_, err = h.send(sibling.to("0123456789"))
				is(t, "one too many at another endpoint", err, problem.Insufficient, "quota_exceeded")
				h.take(stranger.to("0123456789"))
				if got, err := h.send(e.to("0123456789", "X-Id", "0")); err != nil || !got.Duplicate || got.Event != all[0] {
					t.Errorf("a duplicate without room: %+v, %v; want the event that is there", got, err)
				}
				if _, err := h.remove(e, all[0]); err != nil {
					t.Fatal(err)
				}
				h.take(sibling.to("0123456789"))
				_, err = h.send(e.to("0123456789"))
				is(t, "one too many again", err, problem.Insufficient, "quota_exceeded")
				h.do("delete an endpoint", func(tx *db.Tx) error { return h.depot.Delete(tx, me, sibling.ID, 0, by) })
				if err := h.depot.Tidy(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.take(e.to("0123456789"))
				h.sound()
			})
		})
	}
}

func TestARushIsRefusedAndNotKept(t *testing.T) {
	each(t, pull.Config{PerSecond: 1e-9, Burst: 3}, func(t *testing.T, h *house) {
		e, calm := h.make(me, pull.Settings{}), h.make(me, pull.Settings{})
		for range 3 {
			h.take(e.to(""))
		}
		_, err := h.send(e.to(""))
		refused(t, "beyond the burst", err, pull.RateLimited, 429)
		h.take(calm.to(""))
		in := calm.to("")
		in.Secret = "wrong"
		for range 5 {
			_, err := h.send(in)
			refused(t, "a stranger", err, pull.InvalidSecret, 401)
		}
		h.take(calm.to("")) // strangers use nothing up
		if got := h.rejections(me, pull.RejectionFilter{Endpoint: e.ID}); len(got) != 0 {
			t.Errorf("%d rejections of a rush, want none", len(got))
		}
	})
}

func TestRefusalsAreMaskedAndBounded(t *testing.T) {
	each(t, pull.Config{RefusalsOf: 10, Refusals: 15}, func(t *testing.T, h *house) {
		e, sibling, stranger := h.checked(), h.checked(), h.make(other, pull.Settings{})
		in := e.to("{}", "Authorization", "Bearer s3cret", "X-Token", "s3cret-token-value-x", "Cookie", "s3cret", "Content-Type", "text/x\x00\xff", "X-S3cret-Less", "s3cret")
		in.RawQuery = "token=s3cret"
		for range 40 {
			_, err := h.send(in)
			refused(t, "with a wrong token", err, provider.StaticTokenFailed, 401)
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the refusal tells the sender's secret: %v", err)
			}
		}
		all := h.rejections(me, pull.RejectionFilter{})
		if len(all) != 10 {
			t.Errorf("%d refusals of an endpoint were kept, want 10 an hour", len(all))
		}
		for _, r := range all {
			if text := r.Headers + r.Detail + r.Reason; strings.Contains(text, "s3cret") || !strings.Contains(r.Headers, "Authorization") {
				t.Errorf("a rejection is not masked: %s", text)
			}
		}
		in.Endpoint, in.Secret = string(sibling.ID), sibling.secret
		for range 40 {
			_, _ = h.send(in)
		}
		if n := len(h.rejections(me, pull.RejectionFilter{})); n != 15 {
			t.Errorf("%d refusals of an organisation were kept, want 15 an hour", n)
		}
		if n := len(h.rejections(other, pull.RejectionFilter{})); n != 0 {
			t.Errorf("another organisation sees %d rejections", n)
		}
		_, _, err := h.depot.Rejections(h.read(), other, pull.RejectionFilter{Endpoint: e.ID}, pull.Cursor{}, 10)
		is(t, "rejections of another's endpoint", err, problem.NotFound, "pull_endpoint_not_found")
		bad := stranger.to("")
		bad.Secret = "x"
		_, _ = h.send(bad)
		if n := len(h.rejections(other, pull.RejectionFilter{})); n != 1 {
			t.Errorf("another organisation sees %d rejections of its own, want 1", n)
		}
		h.forward(time.Hour)
		_, _ = h.send(in)
		if n := len(h.rejections(me, pull.RejectionFilter{})); n != 16 {
			t.Errorf("%d refusals in the second hour, want one more", n)
		}
		page, more, err := h.depot.Rejections(h.read(), me, pull.RejectionFilter{Newest: true}, pull.Cursor{}, 3)
		if err != nil || len(page) != 3 || !more || page[0].Endpoint != sibling.ID {
			t.Fatalf("the newest three: %+v, %v, %v", page, more, err)
		}
		next, _, err := h.depot.Rejections(h.read(), me, pull.RejectionFilter{Newest: true}, page[2].Cursor(), 100)
		if err != nil || len(next) != 13 {
			t.Errorf("behind the newest three: %d, %v; want 13", len(next), err)
		}
		h.forward(30*24*time.Hour - time.Hour - time.Minute)
		if n := len(h.rejections(me, pull.RejectionFilter{})); n != 16 {
			t.Errorf("%d rejections are there a minute before thirty days, want 16", n)
		}
		h.forward(2 * time.Hour)
		if n := len(h.rejections(me, pull.RejectionFilter{})); n != 0 {
			t.Errorf("%d rejections are there after thirty days", n)
		}
		if err := h.depot.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := db.One(h.read(), db.Value[int], `SELECT count(*) FROM pull_rejections`); n != 0 || err != nil {
			t.Errorf("%d rejections are in the table after thirty days (%v)", n, err)
		}
	})
}

// Challenges are answered only where the provider is configured, and after its signature was found right; nothing is stored.
func TestChallengesAreAnsweredAndNotStored(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		twitter := h.make(me, pull.Settings{Scheme: provider.Scheme{Provider: "twitter", HMAC: provider.HMAC{Secret: "consumer-secret"}}, Verify: provider.Verify{HMAC: true}})
		in := twitter.to("")
		in.Method, in.RawQuery = "GET", "crc_token=abc"
		got, err := h.send(in)
		if err != nil || got.Answer == nil || got.Answer.Status != 200 || got.Code != 200 || !strings.Contains(string(got.Answer.Body), "response_token") {
			t.Errorf("Twitter's check: %+v, %v", got, err)
		}
		in.Secret = "wrong"
		_, err = h.send(in)
		refused(t, "Twitter's check with a wrong secret", err, pull.InvalidMethod, 405)
		plain := h.make(me, pull.Settings{})
		in.Endpoint, in.Secret = string(plain.ID), plain.secret
		_, err = h.send(in)
		refused(t, "Twitter's check where it is not configured", err, pull.InvalidMethod, 405)

		zoom := h.make(me, pull.Settings{Scheme: provider.Scheme{Provider: "zoom", HMAC: provider.HMAC{Secret: "zoom-secret"}}, Verify: provider.Verify{HMAC: true}})
		body, at := `{"event":"endpoint.url_validation","payload":{"plainToken":"q"}}`, fmt.Sprint(time.Now().Unix())
		signed := zoom.to(body, "X-Zm-Request-Timestamp", at, "X-Zm-Signature", "v0="+sign("zoom-secret", "v0:"+at+":"+body))
		if got, err := h.send(signed); err != nil || got.Answer == nil || !strings.Contains(string(got.Answer.Body), "encryptedToken") {
			t.Errorf("Zoom's check: %+v, %v", got, err)
		}
		_, err = h.send(zoom.to(body))
		refused(t, "Zoom's check without a signature", err, provider.HMACFailed, 401)
		if c := h.counts(zoom); c.Total() != 0 {
			t.Errorf("challenges were stored: %+v", c)
		}
		h.take(plain.to(body)) // an event like any other
	})
}

// TestATokenIsNotKeptWithItsEvent: it is stored as a hash, and what else came stays as it was.
func TestATokenIsNotKeptWithItsEvent(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		const value = "a token of 24 characters"
		sum, err := provider.HashToken(value)
		if err != nil {
			t.Fatal(err)
		}
		e := h.make(me, pull.Settings{
			Scheme: provider.Scheme{Token: provider.Token{Header: "X-Token", SHA256: sum}}, Verify: provider.Verify{Token: true},
		})
		in := e.to(`{}`, "X-Token", value)
		in.Head = []byte("Host: x\r\nx-token: " + value + "\r\nX-B:  1\r\n")
		_, p, err := h.fetch(e, h.take(in))
		if want := "Host: x\r\nx-token: ***\r\nX-B:  1\r\n"; err != nil || string(p.Head) != want {
			t.Errorf("Fetch has the head %q, %v; want %q", p.Head, err, want)
		}
	})
}
