package e2e

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// box is a pull endpoint of an organisation.
type box struct {
	*org
	id, path string // the path is that of the API
	ingest   string // the URL that senders know, the secret included
}

// box makes a pull endpoint.
func (o *org) box(t *testing.T, over ...any) *box {
	t.Helper()
	a := o.Call(t, 201, "POST", "/v1/pull-endpoints", with(body{"name": "Box"}, over...))
	id := text(t, a, "data.id")
	return &box{org: o, id: id, path: "/v1/pull-endpoints/" + id, ingest: text(t, a, "data.ingest_url")}
}

// post sends what a provider would.
func (b *box) post(t *testing.T, method, query string, sent []byte, headers map[string]string) harness.Answer {
	t.Helper()
	url := b.ingest
	if query != "" {
		url += "?" + query
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		r.Header[name] = []string{value} // its case too
	}
	resp, err := b.HTTP.Do(r)
	if err != nil {
		t.Fatalf("%s to the ingest URL: %v", method, err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return harness.Answer{Status: resp.StatusCode, Header: resp.Header, Body: answer.Bytes()}
}

// take sends what is taken, and returns the event's id.
func (b *box) take(t *testing.T, sent string, headers map[string]string) string {
	t.Helper()
	a := b.post(t, "POST", "", []byte(sent), headers)
	if a.Status != 202 {
		t.Fatalf("the ingest URL answers %d %s", a.Status, a.Body)
	}
	return text(t, a, "data.event_id")
}

// rejections waits until so many refusals are written down, and returns the page.
func (b *box) rejections(t *testing.T, n int) harness.Answer {
	t.Helper()
	var page harness.Answer
	eventually(t, func() bool {
		page = b.Call(t, 200, "GET", "/v1/inbound-rejections?limit=500&pull_endpoint_id="+b.id, nil)
		return len(column(t, page, "data", "reason_code")) >= n
	})
	return page
}

//go:embed providers.mjs
var providers []byte

// sent is a request that providers.mjs has signed.
type sent struct {
	Provider, Name, Method, Query, Body string
	Headers                             map[string]string
	Want                                string // stored, duplicate, answer, or the reason of a refusal
	Type                                *string
	Answer                              json.RawMessage
}

// secretsOf are what providers' requests are signed with, each as its provider prints it.
func secretsOf() map[string]string {
	return map[string]string{
		"stripe": "whsec_5f4dcc3b5aa765d61d8327deb882cf99", "github": "It's a Secret to Everybody", "shopify": "hush-0123456789abcdef", "slack": "8f742231b10e8888abcd99yyyzzz85a5",
		"zoom": "zoom-secret-token-01234", "twitter": "consumer-secret-0123456789", "standard-webhooks": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"svix": "whsec_plJ3nmyCDGBKInavdOK15jsl4ASuQRkY", "stubhub": "Bearer desk-key-4711-0123456789",
	}
}

func requests(t *testing.T) []sent {
	t.Helper()
	node := harness.Tool(t, "node", "requests of providers were not signed")
	script := filepath.Join(t.TempDir(), "providers.mjs")
	if err := os.WriteFile(script, providers, 0o600); err != nil {
		t.Fatal(err)
	}
	given, err := json.Marshal(secretsOf())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, script)
	cmd.Env = append(os.Environ(), "GIVEN="+string(given), "NODE_OPTIONS=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []sent
	for line := range bytes.Lines(out) {
		var one sent
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("the script wrote %q", line)
		}
		all = append(all, one)
	}
	return all
}

// Security checklist, line 37: what each provider really sends is taken, and what is not from it is refused and written down. The requests are signed by Node.
func TestEachProvidersRequestsAreToldFromForgeries(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		boxes, refused, stored := map[string]*box{}, map[string]int{}, map[string]int{}
		for provider, secret := range secretsOf() {
			harness.Secret(secret)
			boxes[provider] = o.box(t, "name", provider, "provider", provider, "hmac_secret", secret, "verify_hmac", true)
		}
		for _, r := range requests(t) {
			b := boxes[r.Provider]
			a := b.post(t, r.Method, r.Query, []byte(r.Body), r.Headers)
			b.judge(t, r, a)
			switch r.Want {
			case "stored":
				stored[r.Provider]++
			case "duplicate", "answer":
			default:
				refused[r.Provider]++
			}
		}
		for provider, b := range boxes {
			expect(t, b.Call(t, 200, "GET", b.path, nil).Body, "data.counts.total", stored[provider], "data.provider", provider)
			b.masked(t, refused[provider], secretsOf()[provider])
		}
	})
}

// judge holds an answer against what should have come of a request.
func (b *box) judge(t *testing.T, r sent, a harness.Answer) {
	t.Helper()
	if got := a.Header.Get("X-Content-Type-Options"); got != "nosniff" || bytes.Contains(a.Body, []byte("<script")) {
		t.Errorf("%s, %s: the answer %s may be taken for a page", r.Provider, r.Name, a.Body)
	}
	if ct := a.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		t.Errorf("%s, %s: the answer's type is %s", r.Provider, r.Name, ct)
	}
	status := map[string]int{"stored": 202, "duplicate": 202, "answer": 200, "hmac_failed": 401, "static_token_failed": 401, "invalid_method": 405}[r.Want]
	if a.Status != status {
		t.Errorf("%s, %s: %d %s, want %s", r.Provider, r.Name, a.Status, a.Body, r.Want)
		return
	}
	switch r.Want {
	case "stored", "duplicate":
		expect(t, a.Body, "data.status", r.Want)
		e := b.Call(t, 200, "GET", b.path+"/events/"+text(t, a, "data.event_id")+"?preview=true", nil)
		if r.Type == nil {
			expect(t, e.Body, "data.event_type", nil)
		} else {
			expect(t, e.Body, "data.event_type", *r.Type)
		}
	case "answer":
		var got, want any
		_ = json.Unmarshal(r.Answer, &want)
		if err := json.Unmarshal(a.Body, &got); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s, %s: answered with %s, want %s", r.Provider, r.Name, a.Body, r.Answer)
		}
	default:
		expect(t, a.Body, "error.code", strings.ToUpper(r.Want))
	}
}

// masked checks that so many requests were written down as refused, and that nothing of the secret or of a signature is shown.
func (b *box) masked(t *testing.T, n int, secret string) {
	t.Helper()
	page := b.rejections(t, n)
	if got := column(t, page, "data", "reason_code"); len(got) != n {
		t.Errorf("%d requests were refused, and %v are written down", n, got)
	}
	var all struct {
		Data []struct {
			HeadersRedacted string `json:"headers_redacted"`
			SourceIP        string `json:"source_ip"`
			ReasonDetail    string `json:"reason_detail"`
		}
	}
	page.Decode(t, &all)
	for _, r := range all.Data {
		var headers map[string]string
		if err := json.Unmarshal([]byte(r.HeadersRedacted), &headers); err != nil || len(headers) == 0 {
			t.Errorf("headers_redacted is %q: %v", r.HeadersRedacted, err)
		}
		for name, value := range headers {
			if n := strings.ToLower(name); strings.Contains(n, "signature") || strings.Contains(n, "hmac") || n == "authorization" {
				if len(value) > 8 || strings.ContainsAny(value, "0123456789=") {
					t.Errorf("%s is shown as %q", name, value)
				}
			}
		}
		if r.SourceIP != "127.0.0.1" || r.ReasonDetail == "" {
			t.Errorf("a refusal says %+v", r)
		}
	}
	if bytes.Contains(page.Body, []byte(secret)) {
		t.Error("the secret is shown")
	}
}

// Stagedoor's own deliveries, of each format, come to a pull endpoint that knows their secret, and to no other.
func TestAPullEndpointTakesStagedoorsOwnDeliveries(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		boxes := map[string]*box{}
		for format, event := range map[string]string{
			"portal": "order.confirmed", "pullup": "ticket.purchased", "standard": "order.confirmed", "cloudevents": "order.confirmed", "stubhub": "Sales",
		} {
			b, wrong := o.box(t, "name", format), o.box(t, "provider", "stagedoor", "hmac_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "verify_hmac", true)
			events := []string{event}
			made := o.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": relay(t, b.ingest), "events": events, "format": format})
			o.Call(t, 200, "PATCH", b.path, body{"provider": "stagedoor", "hmac_secret": text(t, made, "secret"), "verify_hmac": true})
			o.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": relay(t, wrong.ingest), "events": events, "format": format, "retry": body{"delays": []int{}}})
			boxes[format], boxes["not "+format] = b, wrong
		}
		ev := o.event(t)
		o.order(t, ev, "listingId", o.listing(t, ev), "quantity", 1)
		for format, b := range boxes {
			if strings.HasPrefix(format, "not ") {
				b.rejections(t, 1)
				expect(t, b.Call(t, 200, "GET", b.path, nil).Body, "data.counts.total", 0)
				continue
			}
			eventually(t, func() bool { return len(column(t, b.Call(t, 200, "GET", b.path+"/events", nil), "data", "id")) == 1 })
		}
	})
}

// relay starts a server that hands on what comes to a URL, because Stagedoor does not deliver to itself, and returns its own.
func relay(t *testing.T, to string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		on, err := http.NewRequestWithContext(r.Context(), r.Method, to, r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		on.Header, on.ContentLength = r.Header.Clone(), r.ContentLength
		resp, err := http.DefaultClient.Do(on)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// A team gives the URL to a provider, fetches what came, acknowledges it, and deletes it.
func TestAnEventIsFetchedAcknowledgedAndDeleted(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		b := o.box(t, "event_type_source", "body", "event_type_path", "$.type", "idempotency_header_names", []string{"X-Event-ID"})
		id := b.take(t, `{"type":"order.paid","total":118.50}`, map[string]string{"Content-Type": "application/json", "X-Event-ID": "evt_1"})
		expect(t, b.Call(t, 200, "GET", b.path+"/events?event_type=order.paid", nil).Body, "data.0.id", id, "data.0.status", "stored", "meta.next_cursor", "")
		fetched := b.Call(t, 200, "GET", b.path+"/events/"+id, nil)
		expect(t, fetched.Body, "data.status", "fetched", "data.payload.total", raw("118.50"))
		expect(t, b.Call(t, 200, "POST", b.path+"/events/ack", body{"event_ids": []string{id}}).Body, "data.acknowledged", 1)
		expect(t, b.Call(t, 200, "GET", b.path, nil).Body, "data.counts.delivered", 1, "data.counts.total", 1)
		expect(t, b.Call(t, 200, "DELETE", b.path+"/events/"+id, nil).Body, "data.already_deleted", false)
		expect(t, b.Call(t, 410, "GET", b.path+"/events/"+id, nil).Body, "error.code", "MESSAGE_DELETED")
		expect(t, b.Call(t, 200, "GET", "/v1/pull-logs?pull_endpoint_id="+b.id, nil).Body, "data.0.event_id", id, "data.0.status", "delivered", "data.0.deleted_at", filled)
		if again := b.take(t, `{"type":"order.paid"}`, map[string]string{"X-Event-ID": "evt_1"}); again == id {
			t.Error("the key of a deleted event is not free")
		}
	})
}

// Security checklist, line 42: consumers that share an endpoint never hold the same event, and what is not acknowledged comes again.
func TestTwoConsumersShareAnEndpoint(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := open(t, st).box(t)
		want := map[string]bool{}
		for i := range 60 {
			want[b.take(t, fmt.Sprint(i), nil)] = true
		}
		claim := func(i int) any { return body{"limit": 7, "lease_seconds": 3600} }
		seen := map[string]bool{}
		for _, a := range together(t, b.Client, 8, "POST", b.path+"/events/claim", claim) {
			if a.Status != 200 {
				t.Fatalf("claim = %d %s", a.Status, a.Body)
			}
			for _, id := range column(t, a, "data", "id") {
				if seen[id] || !want[id] {
					t.Errorf("%s was handed out twice, or never came", id)
				}
				seen[id] = true
			}
		}
		if len(seen) != 56 {
			t.Errorf("eight claims of seven have %d events", len(seen))
		}
		ids := column(t, b.Call(t, 200, "POST", b.path+"/events/claim", body{"limit": 100, "lease_seconds": 1}), "data", "id")
		if len(ids) != 4 {
			t.Fatalf("%d events were left, want 4", len(ids))
		}
		ack := body{"event_ids": ids[:2]}
		for _, want := range []int{2, 0} {
			expect(t, b.Call(t, 200, "POST", b.path+"/events/ack", ack).Body, "data.acknowledged", want)
		}
		back := map[string]bool{}
		eventually(t, func() bool { // the lease of a second ends
			for _, id := range column(t, b.Call(t, 200, "POST", b.path+"/events/claim", body{"limit": 100, "lease_seconds": 3600}), "data", "id") {
				back[id] = true
			}
			return len(back) >= 2
		})
		if len(back) != 2 || !back[ids[2]] || !back[ids[3]] {
			t.Errorf("%v came again, want %v", back, ids[2:])
		}
		expect(t, b.Call(t, 200, "GET", b.path, nil).Body, "data.counts.fetched", 58, "data.counts.delivered", 2, "data.counts.stored", 0)
	})
}

// An organisation, and an app, know of their own endpoints only; and who may not manage webhooks has none.
func TestPullEndpointsAreTheirOwners(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o, other := open(t, st), open(t, st)
		b := o.box(t)
		id := b.take(t, "{}", nil)
		for _, path := range []string{b.path, b.path + "/events", b.path + "/events/" + id, b.path + "/events/" + id + "?preview=true"} {
			expect(t, other.Call(t, 404, "GET", path, nil).Body, "error.code", "NOT_FOUND")
		}
		expect(t, other.Call(t, 200, "GET", "/v1/pull-endpoints", nil).Body, "data.#", 0)
		reader := o.key(t, "--scope", "events:read")
		for _, path := range []string{"/v1/pull-endpoints", b.path, "/v1/pull-logs", "/v1/inbound-rejections"} {
			expect(t, reader.Call(t, 403, "GET", path, nil).Body, "error.code", filled, "meta.request_id", filled)
		}
	})
}

// Security checklist, line 39: of a hundred posts at once under one key, one is stored, and all hear of it.
func TestOneOfManyPostsUnderAKeyIsStored(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := open(t, st).box(t, "idempotency_header_names", []string{"X-Id"}, "ingest_response_code", 200)
		sender := &harness.Client{URL: b.ingest, HTTP: b.HTTP, Header: http.Header{"X-Id": {"same"}}}
		statuses, ids := map[string]int{}, map[string]bool{}
		for _, a := range together(t, sender, 100, "POST", "", func(int) any { return "{}" }) {
			if a.Status != 200 {
				t.Fatalf("a post = %d %s", a.Status, a.Body)
			}
			statuses[text(t, a, "data.status")]++
			ids[text(t, a, "data.event_id")] = true
		}
		if len(ids) != 1 || statuses["stored"] != 1 || statuses["duplicate"] != 99 {
			t.Errorf("%d ids, %v", len(ids), statuses)
		}
		empty, err := sender.Do(context.Background(), "POST", "", "{}", "X-Id", "")
		if err != nil || empty.Status != 200 || ids[text(t, empty, "data.event_id")] {
			t.Errorf("a post without the header = %d %s, %v", empty.Status, empty.Body, err)
		}
	})
}

// Who waits for an event hears of it when it comes, and has one answer.
func TestAListWaitsForTheNextEvent(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := open(t, st).box(t)
		heard := make(chan harness.Answer, 1)
		go func() {
			for { // however late the event comes
				a, err := b.Do(context.Background(), "GET", b.path+"/events?wait=30", nil)
				if err != nil || a.Status != 200 || !bytes.Contains(a.Body, []byte(`"data":[]`)) {
					heard <- a
					return
				}
			}
		}()
		id := b.take(t, "{}", nil)
		expect(t, (<-heard).Body, "data.#", 1, "data.0.id", id, "data.0.status", "stored")
	})
}

// Two nodes on one PostgreSQL database are one: a key is taken once, what is paused at one is paused at both, and both count the same.
func TestTwoNodesTakeForOnePullEndpoint(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		if h.Database == "" {
			t.Skip("SQLite has one node")
		}
		_, key := h.Org(t, "Nodes")
		sealed, err := os.ReadFile(filepath.Join(h.Data, "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		second := h.Beside(filepath.Join(t.TempDir(), "second"), h.Database)
		second.Env = []string{"STAGEDOOR_MASTER_KEY=" + strings.TrimSpace(string(sealed))}
		near := (&org{Client: h.Serve(t).Client(key)}).box(t, "idempotency_header_names", []string{"X-Id"})
		there := &org{Client: second.Serve(t).Client(key)}
		far := &box{org: there, id: near.id, path: near.path, ingest: strings.Replace(near.ingest, near.URL, there.URL, 1)}

		ids, statuses := map[string]bool{}, map[string]int{}
		var senders sync.WaitGroup
		answers := make(chan harness.Answer, 60)
		for i := range cap(answers) {
			senders.Go(func() {
				to := []*box{near, far}[i%2]
				c := &harness.Client{URL: to.ingest, HTTP: to.HTTP}
				a, err := c.Do(context.Background(), "POST", "", "{}", "X-Id", "same")
				if err != nil {
					t.Error(err)
				}
				answers <- a
			})
		}
		senders.Wait()
		close(answers)
		for a := range answers {
			ids[text(t, a, "data.event_id")] = true
			statuses[text(t, a, "data.status")]++
		}
		if len(ids) != 1 || statuses["stored"] != 1 {
			t.Errorf("two nodes gave %d ids, %v", len(ids), statuses)
		}
		for _, b := range []*box{near, far} {
			expect(t, b.Call(t, 200, "GET", b.path, nil).Body, "data.counts.stored", 1, "data.counts.total", 1)
		}
		far.Call(t, 200, "POST", far.path+"/pause", nil)
		if a := far.post(t, "POST", "", []byte("{}"), nil); a.Status != 503 {
			t.Errorf("where it was paused, a post is answered %d", a.Status)
		}
		eventually(t, func() bool { return near.post(t, "POST", "", []byte("{}"), nil).Status == 503 })
		near.Call(t, 200, "DELETE", near.path, nil)
		eventually(t, func() bool { return far.post(t, "POST", "", []byte("{}"), nil).Status == 404 })
	})
}
