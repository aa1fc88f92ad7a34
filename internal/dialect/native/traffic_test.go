package native_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// receiver is a webhook receiver that notes what it gets and answers what it is told to.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex // guards the rest
	status int
	got    []string // bodies
	heads  []http.Header
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: 200}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got, r.heads = append(r.got, string(b)), append(r.heads, req.Header)
		w.WriteHeader(r.status)
		fmt.Fprint(w, "thanks")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

func TestWebhookOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := h.must(201, "POST", "/api/v1/webhooks", `{"url":"http://127.0.0.1:9/hooks","events":["*"]}`)
		r.want(t, "format", "pullup", "active", true, "status", "active", "url", "http://127.0.0.1:9/hooks", "version", 1, "redact", false, "rateLimit", 0, "retry", nil)
		id, secret := r.text("id"), r.text("secret")
		if !strings.HasPrefix(secret, "whsec_") || r.header.Get("Location") != "/api/v1/webhooks/"+id || r.text("createdAt") == "" {
			t.Errorf("POST /webhooks: Location %q, %s; want a secret whsec_…, Location and createdAt", r.header.Get("Location"), r.raw)
		}
		h.must(200, "GET", "/api/v1/webhooks/"+id, nil).want(t, "secret", nil, "id", id)
		h.must(200, "GET", "/api/v1/webhooks", nil).want(t, "meta.pagination.total", 1, "data.0.id", id, "data.0.secret", nil)

		r = h.must(200, "POST", "/api/v1/webhooks/"+id+"/rotate-secret", nil)
		if r.text("secret") == secret || r.text("secret") == "" || r.text("previousSecretUntil") == "" {
			t.Errorf("rotate-secret: %s; want another secret and how long the old one lives", r.raw)
		}
		r = h.must(200, "POST", "/api/v1/webhooks/"+id+"/rotate-secret", `{"overlapSeconds":0}`)
		r.want(t, "previousSecretUntil", nil)
		h.must(400, "POST", "/api/v1/webhooks/"+id+"/rotate-secret", `{"overlapSeconds":604801}`).want(t, "errors.0.pointer", "/overlapSeconds")

		r = h.must(200, "PATCH", "/api/v1/webhooks/"+id, `{"active":false,"retry":{"delays":[1,5]},"headers":{"X-Shop":"7"},"description":"ours","ordered":true,"rateLimit":5,"redact":true}`)
		r.want(t, "active", false, "status", "paused", "description", "ours", "ordered", true, "rateLimit", 5, "redact", true, "headers.X-Shop", "7")
		if diff := cmp.Diff([]any{1.0, 5.0}, r.at("retry.delays")); diff != "" {
			t.Errorf("retry.delays (-want +got):\n%s", diff)
		}
		h.must(200, "PATCH", "/api/v1/webhooks/"+id, `{"retry":null}`).want(t, "retry", nil)
		h.must(400, "PATCH", "/api/v1/webhooks/"+id, `{"retry":{"delays":[0],"jitter":1}}`).want(t, "errors.0.pointer", "/retry/jitter")
		h.must(400, "PATCH", "/api/v1/webhooks/"+id, `{"retry":{"delays":[0]}}`).want(t, "errors.0.pointer", "/retry/delays/0")
		h.must(400, "POST", "/api/v1/webhooks", `{"url":"https://10.0.0.1/","events":["*"]}`).want(t, "errors.0.pointer", "/url")
		h.must(409, "POST", "/api/v1/webhooks/"+id+"/test", nil).want(t, "code", "webhook_inactive")

		r = h.must(201, "POST", "/api/v1/webhooks", `{"url":"http://127.0.0.1:9/","format":"standard","signature":"v1a","events":["order.accepted"]}`)
		if !strings.HasPrefix(r.text("publicKey"), "whpk_") || strings.Contains(string(r.raw), "whsk_") {
			t.Errorf("a webhook that signs with a key pair: %s; want the public key and not the private one", r.raw)
		}
	})
}

func TestDeliveryLog(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.run()
		rec := newReceiver(t)
		hook := h.must(201, "POST", "/api/v1/webhooks", map[string]any{"url": rec.URL, "format": "portal", "events": []string{"*"}, "retry": map[string]any{"delays": []int{}}}).text("id")
		path := "/api/v1/webhooks/" + hook + "/deliveries"
		event := h.event("Harbor Jazz Night")
		order := h.must(201, "POST", "/api/v1/orders", orderOf(event, h.listing(event, 4, "10"), 1))
		order.want(t, "webhook.sent", true)
		eventually(t, func() bool { return h.must(200, "GET", path+"?state=delivered", nil).at("data.0.attempts.0") != nil })

		r := h.must(200, "GET", path, nil)
		r.want(t, "data.0.event", "order.confirmed", "data.0.state", "delivered", "data.0.nextAttemptAt", nil, "data.0.attempts.0.number", 1,
			"data.0.attempts.0.status", 200, "data.0.attempts.0.error", nil, "data.0.attempts.0.response.body", "thanks",
			"data.0.attempts.0.request.headers.X-Webhook-Event", "order.confirmed", "data.0.attempts.0.request.exact", true,
			"data.0.attempts.0.request.body", rec.got[0], "data.0.attempts.0.request.headers.X-Webhook-Delivery", r.at("data.0.id"),
			"meta.pagination.hasMore", false)
		one := h.must(200, "GET", path+"/"+r.text("data.0.id"), nil)
		if diff := cmp.Diff(r.at("data.0"), any(one.body)); diff != "" {
			t.Errorf("the delivery in the list and by itself (-list +single):\n%s", diff)
		}

		rec.answers(500)
		h.must(200, "PATCH", "/api/v1/orders", map[string]any{"orderId": order.text("order.orderId"), "status": "accepted"})
		eventually(t, func() bool { return h.must(200, "GET", path+"?state=failed", nil).at("data.0") != nil })
		failed := h.must(200, "GET", path+"?event=order.accepted", nil).text("data.0.id")
		first := h.must(200, "GET", path+"?limit=1", nil)
		first.want(t, "data.0.id", failed, "meta.pagination.hasMore", true)
		h.must(200, "GET", path+"?limit=1&cursor="+url.QueryEscape(first.text("meta.pagination.nextCursor")), nil).want(t, "data.0.event", "order.confirmed", "meta.pagination.hasMore", false)
		h.must(200, "GET", path+"?since=2099-01-01T00:00:00Z", nil).want(t, "data.0", nil, "meta.filters.since", "2099-01-01T00:00:00.000Z")
		h.must(400, "GET", path+"?state=lost", nil).want(t, "errors.0.pointer", "state")
		h.must(400, "GET", path+"?since=yesterday", nil).want(t, "errors.0.pointer", "since")

		rec.answers(200)
		r = h.must(202, "POST", path+"/"+failed+"/redeliver", nil)
		r.want(t, "id", failed, "state", "pending")
		if got := r.header.Get("Location"); got != path+"/"+failed {
			t.Errorf("Location = %q, want %q", got, path+"/"+failed)
		}
		eventually(t, func() bool { return h.must(200, "GET", path+"/"+failed, nil).text("state") == "delivered" })
		h.must(202, "POST", "/api/v1/webhooks/"+hook+"/recover", `{"since":"2020-01-01T00:00:00Z"}`).want(t, "recovered", 0)
		for _, unknown := range []string{"x", "00000000-0000-8000-8000-000000000000"} {
			h.must(404, "GET", path+"/"+unknown, nil).want(t, "code", "delivery_not_found")
		}

		r = h.must(202, "POST", "/api/v1/webhooks/"+hook+"/test", nil)
		eventually(t, func() bool { return h.must(200, "GET", r.header.Get("Location"), nil).text("state") == "delivered" })
	})
}

func TestRecoverSendsWhatFailed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.run()
		rec := newReceiver(t)
		rec.answers(500)
		hook := h.must(201, "POST", "/api/v1/webhooks", map[string]any{"url": rec.URL, "format": "standard", "events": []string{"acme.paid"}, "retry": map[string]any{"delays": []int{}}}).text("id")
		path := "/api/v1/webhooks/" + hook
		h.must(202, "POST", "/api/v1/messages", `{"messages":[{"event":"acme.paid","data":{"n":1}},{"event":"acme.paid","data":{"n":2}},{"event":"acme.other","data":{}}]}`)
		eventually(t, func() bool { return h.must(200, "GET", path+"/deliveries?state=failed", nil).at("data.1") != nil })
		rec.answers(204)
		h.must(202, "POST", path+"/recover", map[string]any{"since": time.Now().Add(-time.Hour).UTC()}).want(t, "recovered", 2)
		eventually(t, func() bool { return h.must(200, "GET", path+"/deliveries?state=delivered", nil).at("data.1") != nil })
		h.must(400, "POST", path+"/recover", `{"since":"today"}`).want(t, "errors.0.pointer", "/since")
	})
}

func TestMessagesBecomeFacts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.run()
		rec := newReceiver(t)
		h.must(201, "POST", "/api/v1/webhooks", map[string]any{"url": rec.URL, "format": "standard", "events": []string{"*"}})
		r := h.must(202, "POST", "/api/v1/messages", "\n{ \"key\" : \"k\\u00e9y\" , \"data\":{\"a\":[1.50,{\"b\":\"}\\\"\"}],\"é\":null} ,\"event\":\"acme.invoice_paid\"}\t")
		if _, ok := id.ParseFact(r.text("id")); !ok || len(r.body) != 1 {
			t.Errorf("POST /messages = %s, want the fact's id alone", r.raw)
		}
		eventually(t, func() bool { return rec.count() == 1 })
		var envelope struct {
			Type string
			Data json.RawMessage
		}
		if err := json.Unmarshal([]byte(rec.got[0]), &envelope); err != nil {
			t.Fatal(err)
		}
		if want := `{"a":[1.50,{"b":"}\""}],"é":null}`; envelope.Type != "acme.invoice_paid" || string(envelope.Data) != want {
			t.Errorf("the receiver got %s; want the data as it was sent, %s", rec.got[0], want)
		}
		if got := rec.heads[0].Get("Webhook-Id"); got != r.text("id") {
			t.Errorf("webhook-id = %q, want the answer's id %q", got, r.text("id"))
		}

		many := strings.Repeat(`{"event":"acme.x","data":{}},`, 499) + `{"event":"acme.x","data":{},"key":null}`
		r = h.must(202, "POST", "/api/v1/messages", `{"messages":[`+many+`]}`)
		seen := map[any]bool{}
		for _, v := range r.at("data").([]any) {
			seen[v.(map[string]any)["id"]] = true
		}
		if len(seen) != 500 {
			t.Errorf("500 messages got %d different ids", len(seen))
		}
		r = h.must(400, "POST", "/api/v1/messages", `{"event":"acme.x","data":{"a":"`+strings.Repeat("x", 256<<10)+`"}}`)
		r.want(t, "errors.0.pointer", "/data", "errors.0.code", "too_large")
	})
}
