package inbound_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/web"
	"github.com/stagedoorhq/stagedoor/webhook"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// house is a box behind a server.
type house struct {
	t   *testing.T
	db  *db.DB
	box *inbound.Box
	url string
}

var me = inbound.Whose{Org: 1, Account: "usr_a"}

func each(t *testing.T, c inbound.Config, f func(t *testing.T, h *house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
		if err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Open(t.Context(), d, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.DB, c.Keys, c.Ledger, c.Log = d, keys, l, slog.New(slog.DiscardHandler)
		c.Known = func(name string) bool { return name == "ticket.purchased" }
		h := &house{t: t, db: d, box: inbound.New(c)}
		server, err := web.New(web.Config{Log: c.Log})
		if err != nil {
			t.Fatal(err)
		}
		server.Mux().HandleFunc("POST "+inbound.DoorPath, h.box.Door(server.Problems().Write))
		s := httptest.NewServer(server.Handler())
		t.Cleanup(s.Close)
		h.url = s.URL
		f(t, h)
	})
}

func (h *house) write(fn func(tx *db.Tx) error) error {
	return h.db.Write(context.Background(), "", fn)
}

func (h *house) make(w inbound.Whose, a inbound.Answer) *inbound.Endpoint {
	h.t.Helper()
	var e *inbound.Endpoint
	if err := h.write(func(tx *db.Tx) (err error) { e, err = h.box.Create(tx, w, a, audit.By{}); return err }); err != nil {
		h.t.Fatal(err)
	}
	return e
}

// post sends a body to an endpoint. Headers come in pairs.
func (h *house) post(to id.DevEndpoint, body string, header ...string) (*http.Response, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), "POST", h.url+"/api/webhook/"+string(to), strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp, string(b)
}

func (h *house) must(status int, to id.DevEndpoint, body string, header ...string) string {
	h.t.Helper()
	resp, got := h.post(to, body, header...)
	if resp.StatusCode != status {
		h.t.Fatalf("POST %.100s to %s = %d %s, want %d", body, to, resp.StatusCode, got, status)
	}
	return got
}

// events are what an endpoint has, oldest first.
func (h *house) events(e *inbound.Endpoint) []inbound.Event {
	h.t.Helper()
	all, more, err := h.box.Events(h.db.Read(h.t.Context()), e, 0, 1000)
	if err != nil || more {
		h.t.Fatalf("events: %v, more %v", err, more)
	}
	slices.Reverse(all)
	return all
}

func TestWhatIsTakenIsKeptAsItCame(t *testing.T) {
	each(t, inbound.Config{}, func(t *testing.T, h *house) {
		e, other := h.make(me, inbound.Answer{}), h.make(me, inbound.Answer{})
		bodies := []string{
			`{"event":"ticket.purchased"}`, " {\"type\" : \"acme.é\u2028\",\n\"a\":1.50}\t", `{"event":7,"type":"x"}`, `{}`, `{"event":"a\u0000b"}`,
			`{"event":"` + strings.Repeat("ü", 100) + `"}`,
		}
		var want []string
		for _, b := range bodies {
			var answer struct{ Status, ID string }
			if err := json.Unmarshal([]byte(h.must(200, e.ID, b)), &answer); err != nil || answer.Status != "received" {
				t.Fatalf("answer %+v, %v", answer, err)
			}
			want = append(want, answer.ID)
		}
		var got, names []string
		for i, ev := range h.events(e) {
			got = append(got, ev.ID.String())
			names = append(names, fmt.Sprint(ev.Name, " ", ev.Known))
			if string(ev.Body) != bodies[i] || ev.Signature.Verdict != inbound.None || ev.Status != 200 {
				t.Errorf("event %d is %q, %+v, answered %d", i, ev.Body, ev.Signature, ev.Status)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ids that were answered, and those of events (-answered +kept):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"ticket.purchased true", "acme.é\u2028 false", "x false", " false", "a\ufffdb false", strings.Repeat("ü", 64) + "… false"}, names); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
		if n := len(h.events(other)); n != 0 {
			t.Errorf("another endpoint has %d events", n)
		}
		page, more, err := h.box.Events(h.db.Read(t.Context()), e, 0, 2)
		if err != nil || !more || len(page) != 2 || page[0].ID.String() != want[5] {
			t.Fatalf("the first page: %v, more %v, %v", page, more, err)
		}
		page, _, err = h.box.Events(h.db.Read(t.Context()), e, page[1].ID.Seq, 2)
		if err != nil || len(page) != 2 || page[0].ID.String() != want[3] {
			t.Errorf("the second page: %v, %v", page, err)
		}
	})
}

func TestWhatIsNoEventIsRefused(t *testing.T) {
	each(t, inbound.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, inbound.Answer{})
		for body, want := range map[string]int{
			``: 400, ` `: 400, `x`: 400, `[1]`: 400, `"a"`: 400, `null`: 400, `{"a":1}{}`: 400, "{\"a\":\"\xff\"}": 400, "\xef\xbb\xbf{}": 400,
			`{"a":"` + strings.Repeat("x", inbound.MaxBody-8) + `"}`: 200, `{"a":"` + strings.Repeat("x", inbound.MaxBody-7) + `"}`: 413,
		} {
			if resp, got := h.post(e.ID, body); resp.StatusCode != want {
				t.Errorf("POST %.20q… of %d bytes = %d %.200s, want %d", body, len(body), resp.StatusCode, got, want)
			}
		}
		for _, unknown := range []id.DevEndpoint{"DEV-2222", "DEV-0000", "dev-2222", "x", "DEV-22222", id.DevEndpoint(strings.ToLower(string(e.ID)))} {
			h.must(404, unknown, `{}`)
		}
		h.must(415, e.ID, `{}`, "Content-Encoding", "gzip")
		if n := len(h.events(e)); n != 1 {
			t.Errorf("%d events are kept, want the one that was taken", n)
		}
	})
}

func TestSignaturesOfEverySchemeAreChecked(t *testing.T) {
	each(t, inbound.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, inbound.Answer{})
		const body = `{"event":"ticket.purchased"}`
		signed := func(scheme webhook.Scheme, secret string, at time.Time) []string {
			s, err := webhook.NewSigner(scheme, webhook.Key{Text: secret})
			if err != nil {
				t.Fatal(err)
			}
			header := http.Header{}
			if err := s.SetHeaders(header, webhook.Message{ID: "m1", Event: "ticket.purchased", Time: at, Body: []byte(body)}); err != nil {
				t.Fatal(err)
			}
			var pairs []string
			for name, v := range header {
				pairs = append(pairs, name, v[0])
			}
			return pairs
		}
		now, stranger := time.Now(), webhook.NewSecret()
		for _, c := range []struct {
			header                  []string
			verdict, scheme, reason string
		}{
			{signed(webhook.Pullup, e.Secret, now), "verified", "pullup", ""},
			{signed(webhook.Portal, e.Secret, now), "verified", "portal", ""},
			{signed(webhook.Standard, e.Secret, now), "verified", "standard", ""},
			{[]string{"Authorization", e.Secret}, "verified", "static", ""},
			{[]string{"Authorization", "Bearer x"}, "none", "", "The request has no signature header that is known here."},
			{signed(webhook.Pullup, stranger, now), "failed", "pullup", "X-Pullup-Signature: no signature matches"},
			{signed(webhook.Standard, e.Secret, now.Add(-time.Hour)), "failed", "standard", "Webhook-Timestamp: the timestamp is too old"},
			{[]string{"X-Pullup-Signature", ""}, "failed", "pullup", "X-Pullup-Signature: the header is malformed"},
			{append(signed(webhook.Pullup, stranger, now), signed(webhook.Portal, e.Secret, now)...), "verified", "portal", ""},
		} {
			h.must(200, e.ID, body, c.header...)
			all := h.events(e)
			got := all[len(all)-1].Signature
			if got.Verdict != c.verdict || got.Scheme != c.scheme || !strings.HasPrefix(got.Reason, c.reason) || (c.reason == "") != (got.Reason == "") {
				t.Errorf("with %v the verdict is %+v, want %s %s %q", c.header, got, c.verdict, c.scheme, c.reason)
			}
		}
	})
}

func TestHeadersAreKeptWithoutCredentials(t *testing.T) {
	each(t, inbound.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, inbound.Answer{})
		h.must(200, e.ID, `{}`, "Authorization", "Bearer zebra", "Cookie", "s=zebra", "X-Api-Key", "zebra", "X-Auth-Token", "zebra", "X-Forwarded-For", "192.0.2.7",
			"X-Shop", "7", "X-Long", strings.Repeat("x", 3000), "X-Odd", "\xff", "User-Agent", "shop/1")
		got := h.events(e)[0].Headers
		if diff := cmp.Diff(map[string]string{
			"Accept-Encoding": "gzip", "Authorization": "[hidden]", "Cookie": "[hidden]", "X-Api-Key": "[hidden]", "X-Auth-Token": "[hidden]", "X-Shop": "7",
			"X-Long": strings.Repeat("x", 2048) + "…", "X-Odd": "\ufffd", "User-Agent": "shop/1", "Content-Length": "2",
		}, got); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		var many []string
		for i := range 200 {
			many = append(many, fmt.Sprintf("X-N-%d", i), strings.Repeat("v", 200))
		}
		h.must(200, e.ID, `{}`, many...)
		if got := h.events(e)[1].Headers; len(got) > 64 {
			t.Errorf("%d headers are kept", len(got))
		}
	})
}

func TestTheAnswerCanBeChosen(t *testing.T) {
	each(t, inbound.Config{}, func(t *testing.T, h *house) {
		text := "try <again>"
		e := h.make(me, inbound.Answer{Status: 503, Body: &text})
		resp, got := h.post(e.ID, `{}`)
		if resp.StatusCode != 503 || got != text || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("the answer is %d %q as %s", resp.StatusCode, got, resp.Header.Get("Content-Type"))
		}
		if ev := h.events(e); len(ev) != 1 || ev[0].Status != 503 {
			t.Errorf("the events are %+v, want one that was answered 503", ev)
		}
		change := func(a *inbound.Answer, version int64) (got *inbound.Endpoint, err error) {
			err = h.write(func(tx *db.Tx) (err error) { got, err = h.box.Change(tx, me, e.ID, a, version); return err })
			return got, err
		}
		if _, err := change(&inbound.Answer{}, 2); !problem.Is(err, "version_mismatch") {
			t.Errorf("a change for a version that is not: %v", err)
		}
		for _, bad := range []inbound.Answer{{Status: 199}, {Status: 600}, {Delay: 31 * time.Second}, {Delay: -1}, {Body: ptr(strings.Repeat("x", 4097))}} {
			if _, err := change(&bad, 0); !problem.Is(err, "validation_failed") {
				t.Errorf("the answer %+v: %v", bad, err)
			}
		}
		for _, c := range []struct {
			a           inbound.Answer
			status      int
			body, media string
		}{
			{inbound.Answer{Status: 202, Body: ptr(`{"ok":true}`)}, 202, `{"ok":true}`, "application/json"},
			{inbound.Answer{Status: 204}, 204, "", ""},
			{inbound.Answer{Body: ptr("")}, 200, "", ""},
			{inbound.Answer{Status: 500}, 500, `{"status":"received"`, "application/json"},
		} {
			if _, err := change(&c.a, 0); err != nil {
				t.Fatal(err)
			}
			resp, got := h.post(e.ID, `{}`)
			if resp.StatusCode != c.status || !strings.HasPrefix(got, c.body) || (c.body == "") != (got == "") || resp.Header.Get("Content-Type") != c.media {
				t.Errorf("chosen %+v: %d %q as %q", c.a, resp.StatusCode, got, resp.Header.Get("Content-Type"))
			}
		}
		got2, err := change(nil, 5)
		if err != nil || got2.Version != 5 {
			t.Errorf("no change: version %d, %v; want 5", got2.Version, err)
		}
	})
}

func ptr[T any](v T) *T { return &v }

// While an answer is held back its event is there, others are answered, and no more than so many are held back.
func TestAnswersThatAreHeldBackHoldUpNobody(t *testing.T) {
	each(t, inbound.Config{Delayed: 2, DelayedIn: 3}, func(t *testing.T, h *house) {
		slow, slow2, quick := h.make(me, inbound.Answer{Delay: inbound.MaxDelay}), h.make(me, inbound.Answer{Delay: inbound.MaxDelay}), h.make(me, inbound.Answer{})
		ctx, cancel := context.WithCancel(context.Background())
		var sweeping, waiting sync.WaitGroup
		sweeping.Go(func() { h.box.Run(ctx) })
		hold := func(e *inbound.Endpoint, n int) {
			for range n {
				waiting.Go(func() { h.must(200, e.ID, `{}`) })
			}
			for len(h.events(e)) < n {
				time.Sleep(time.Millisecond)
			}
		}
		hold(slow, 2)
		if resp, _ := h.post(slow.ID, `{}`); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("the third at a time = %d", resp.StatusCode)
		}
		hold(slow2, 1)
		h.must(429, slow2.ID, `{}`)
		h.must(200, quick.ID, `{}`)
		cancel() // the server stops: they are answered at once
		waiting.Wait()
		sweeping.Wait()
		if n := len(h.events(slow)); n != 2 {
			t.Errorf("the slow endpoint has %d events, want the 2 that were taken", n)
		}
	})
}

func TestAnEndpointTakesSoMuchAndNoMore(t *testing.T) {
	each(t, inbound.Config{PerSecond: 0.001, Burst: 3}, func(t *testing.T, h *house) {
		e, other := h.make(me, inbound.Answer{}), h.make(me, inbound.Answer{})
		for range 3 {
			h.must(200, e.ID, `{}`)
		}
		resp, _ := h.post(e.ID, `{}`)
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("the fourth = %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		h.must(200, other.ID, `{}`)
	})
}

func TestOnlyTheNewestAreKept(t *testing.T) {
	each(t, inbound.Config{Keep: 3, Sweep: time.Millisecond}, func(t *testing.T, h *house) {
		e, other, unused := h.make(me, inbound.Answer{}), h.make(me, inbound.Answer{}), h.make(me, inbound.Answer{})
		for n := range 8 {
			h.must(200, e.ID, fmt.Sprintf(`{"event":"n%d"}`, n))
		}
		h.must(200, other.ID, `{"event":"old"}`)
		h.must(200, other.ID, `{"event":"new"}`)
		err := h.write(func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE inbound_events SET at = at - 7 * 86400000000 WHERE event = 'old'`)
			_, err2 := tx.Exec(`UPDATE dev_endpoints SET used_at = used_at - CAST(90 AS BIGINT) * 86400000000 WHERE endpoint_no = $1`, unused.No)
			return errors.Join(err, err2)
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go h.box.Run(ctx)
		names := func(e *inbound.Endpoint) (all []string) {
			for _, ev := range h.events(e) {
				all = append(all, ev.Name)
			}
			return all
		}
		for {
			_, gone := h.box.Get(h.db.Read(t.Context()), me, unused.ID)
			if len(h.events(e)) == 3 && len(h.events(other)) == 1 && problem.Is(gone, "dev_endpoint_not_found") {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		if diff := cmp.Diff([]string{"n5", "n6", "n7", "new"}, append(names(e), names(other)...)); diff != "" {
			t.Errorf("what is kept (-want +got):\n%s", diff)
		}
	})
}

func TestEndpointsBelongToTheirAccount(t *testing.T) {
	each(t, inbound.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, inbound.Answer{})
		if !id.ValidDevEndpoint(string(e.ID)) || !strings.HasPrefix(e.Secret, "whsec_") {
			t.Errorf("made %s with the secret %.6s…", e.ID, e.Secret)
		}
		for _, stranger := range []inbound.Whose{{Org: 1, Account: "usr_b"}, {Org: 2, Account: "usr_a"}} {
			if _, err := h.box.Get(h.db.Read(t.Context()), stranger, e.ID); !problem.Is(err, "dev_endpoint_not_found") {
				t.Errorf("%+v gets %v", stranger, err)
			}
			err := h.write(func(tx *db.Tx) error { return h.box.Delete(tx, stranger, e.ID, 0, audit.By{}) })
			if !problem.Is(err, "dev_endpoint_not_found") {
				t.Errorf("%+v deletes: %v", stranger, err)
			}
			if all, err := h.box.List(h.db.Read(t.Context()), stranger); len(all) != 0 || err != nil {
				t.Errorf("%+v lists %v, %v", stranger, all, err)
			}
		}
		h.must(200, e.ID, `{}`)
		if err := h.write(func(tx *db.Tx) error { return h.box.Delete(tx, me, e.ID, 0, audit.By{}) }); err != nil {
			t.Fatal(err)
		}
		h.must(404, e.ID, `{}`)
		if n := len(h.events(e)); n != 0 {
			t.Errorf("%d events are left of a deleted endpoint", n)
		}
	})
}

func TestAnAccountHasFiveAtMost(t *testing.T) {
	each(t, inbound.Config{}, func(t *testing.T, h *house) {
		var mu sync.Mutex
		made, refused := map[id.DevEndpoint]bool{}, 0
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				var e *inbound.Endpoint
				err := h.db.WriteAlone(context.Background(), func(tx *db.Tx) (err error) { e, err = h.box.Create(tx, me, inbound.Answer{}, audit.By{}); return err })
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					made[e.ID] = true
				case problem.Is(err, "too_many_dev_endpoints"):
					refused++
				default:
					t.Errorf("Create: %v", err)
				}
			})
		}
		all.Wait()
		if len(made) != 5 || refused != 7 {
			t.Errorf("12 at once made %d and refused %d, want 5 and 7", len(made), refused)
		}
		h.make(inbound.Whose{Org: 1, Account: "usr_b"}, inbound.Answer{})
	})
}

func TestErasedPeopleAreInNoEvent(t *testing.T) {
	each(t, inbound.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, inbound.Answer{})
		theirs := h.make(inbound.Whose{Org: 2, Account: "key_b"}, inbound.Answer{})
		h.must(200, e.ID, `{"event":"a","to":"Kari\u0040example.com"}`)
		h.must(200, e.ID, `{"event":"b","to":"ola@example.com"}`, "X-From", "<kari@example.com>")
		h.must(200, e.ID, `{"event":"c","to":"ola@example.com"}`)
		h.must(200, theirs.ID, `{"event":"d","to":"kari@example.com"}`)
		n, err := inbound.EraseTraces(t.Context(), h.db, 1, person.Of("kari@example.com"))
		if err != nil || n != 2 {
			t.Errorf("EraseTraces = %d, %v; want 2", n, err)
		}
		all := h.events(e)
		if all[0].Body != nil || all[1].Body != nil || len(all[1].Headers) != 0 || all[2].Body == nil || h.events(theirs)[0].Body == nil {
			t.Errorf("after the erasure: %+v", all)
		}
		if err := h.write(func(tx *db.Tx) error { return inbound.EraseAccounts(tx, 1, audit.By{}, "usr_a", "key_b") }); err != nil {
			t.Fatal(err)
		}
		h.must(404, e.ID, `{}`)
		h.must(200, theirs.ID, `{}`)
	})
}

func FuzzDoor(f *testing.F) {
	for _, seed := range []string{`{"event":"a"}`, `{"type":null}`, `{"event":{"event":"x"}}`, "{\"event\":\"\\u0000\\ud800\"}", `{"EVENT":"x"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		name, err := inbound.NameOf([]byte(body))
		if err == nil && (!json.Valid([]byte(body)) || strings.ContainsRune(name, 0) || len(name) > 140) {
			t.Errorf("NameOf(%q) is %q", body, name)
		}
		if err != nil && problem.As(err) == nil {
			t.Errorf("NameOf(%q): %v is no problem", body, err)
		}
	})
}
