package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestAKeyIsNeeded(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		nobody := st.Client("")
		for _, header := range [][]string{nil, {"X-API-Key", "sd_wrong"}, {"Authorization", "Bearer sd_wrong"}, {"Authorization", "Basic " + o.Key}, {"X-API-Key", o.Key + "x"}} {
			for _, path := range []string{"GET /api/v1/events", "POST /api/v1/orders", "POST /api/v1/messages", "GET /api/v1/webhooks"} {
				method, path, _ := strings.Cut(path, " ")
				var b any
				if method == "POST" {
					b = `{` // access comes first
				}
				a := try(t, nobody, method, path, b, header...)
				refused(t, a, 401, "")
				if a.Header.Get("Www-Authenticate") == "" {
					t.Errorf("%s %s: 401 without WWW-Authenticate (RFC 9110 §11.6.1)", method, path)
				}
			}
		}
		nobody.Call(t, 200, "GET", "/api/v1/events", nil, "Authorization", "Bearer "+o.Key)
		nobody.Call(t, 200, "GET", "/api/v1/events", nil, "X-API-Key", o.Key)
	})
}

func TestAKeyDoesWhatItsScopesSay(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		reader := o.key(t, "--scope", "events:read")
		reader.Call(t, 200, "GET", "/api/v1/events", nil)
		refused(t, reader.Call(t, 403, "POST", "/api/v1/events", newEvent()), 403, "")
		refused(t, reader.Call(t, 403, "DELETE", "/api/v1/events/"+ev, nil), 403, "")
		a := reader.Call(t, 403, "GET", "/api/v1/webhooks", nil)
		refused(t, a, 403, "")
		if !strings.Contains(string(a.Body), "webhooks:manage") {
			t.Errorf("the refusal does not name the scope: %s", a.Body)
		}
		hooks := o.key(t, "--scope", "webhooks:manage", "--scope", "events:write")
		hooks.Call(t, 200, "GET", "/api/v1/webhooks", nil)
		hooks.Call(t, 201, "POST", "/api/v1/events", newEvent())
	})
}

func TestARevokedKeyEndsOnARunningServer(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		var k struct{ ID, Key string }
		if err := json.Unmarshal(st.Run(t, "key", "create", "--org", o.slug, "--json"), &k); err != nil {
			t.Fatal(err)
		}
		c := st.Client(k.Key)
		c.Call(t, 200, "GET", "/api/v1/events", nil)
		st.Run(t, "key", "revoke", "--org", o.slug, k.ID)
		eventually(t, func() bool { return try(t, c, "GET", "/api/v1/events", nil).Status == 401 })
	})
}

func TestAKeysRateLimitIsSaidAndHeld(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		limited := o.key(t, "--per-minute", "5")
		passed := 0
		for range 12 {
			a := try(t, limited, "GET", "/api/v1/events", nil)
			if !slices.ContainsFunc(headerNames(a), func(n string) bool { return strings.HasPrefix(n, "Ratelimit") }) {
				t.Fatalf("no RateLimit headers: %v", a.Header)
			}
			if a.Status == 200 {
				passed++
				continue
			}
			refused(t, a, 429, "")
			if n, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || n < 1 || n > 60 {
				t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
			}
		}
		if passed < 5 || passed > 7 {
			t.Errorf("%d of 12 requests passed with 5 a minute", passed)
		}
		for range 30 {
			o.Call(t, 200, "GET", "/api/v1/events", nil) // none by default
		}
	})
}

func headerNames(a harness.Answer) []string {
	var names []string
	for n := range a.Header {
		names = append(names, n)
	}
	return names
}

func TestWhatIsNotThereIsSaidAsAProblem(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		refused(t, try(t, o.Client, "GET", "/api/v1/nothing", nil), 404, "")
		refused(t, try(t, o.Client, "GET", "/api/v1/events/a/b/c", nil), 404, "")
		for path, allowed := range map[string][]string{"/api/v1/events": {"GET", "POST"}, "/api/v1/orders": {"GET", "POST", "PATCH"}, "/api/v1/messages": {"POST"}} {
			a := try(t, o.Client, "PUT", path, `{}`)
			refused(t, a, 405, "")
			for _, m := range allowed {
				if !strings.Contains(a.Header.Get("Allow"), m) {
					t.Errorf("PUT %s: Allow is %q, want %s in it", path, a.Header.Get("Allow"), m)
				}
			}
		}
		for _, path := range []string{"/api/v1/events", "/api/v1/inventory", "/api/v1/orders", "/api/v1/webhooks", "/api/v1/messages"} {
			refused(t, try(t, o.Client, "POST", path, `name=x`, "Content-Type", "application/x-www-form-urlencoded"), 415, "")
			refused(t, try(t, o.Client, "POST", path, `{}`, "Content-Type", "text/plain"), 415, "")
			refused(t, try(t, o.Client, "POST", path, `{"name":"`+strings.Repeat("x", 1<<20)+`"}`), 413, "")
		}
		big := bytes.Repeat([]byte(" "), 1<<20+1)
		refused(t, try(t, o.Client, "PATCH", "/api/v1/orders", big), 413, "")
		o.Call(t, 201, "POST", "/api/v1/events", newEvent(), "Content-Type", "application/json; charset=utf-8")
	})
}

// Whatever is wrong in the input is a 4xx with the reason, never a 500, and changes nothing.
func TestNoInputMakesA500(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		l := o.listing(t, ev)
		order := o.order(t, ev, "listingId", l)
		hook := o.hook(t, "portal", nil)
		texts := map[string]string{
			"empty": "", "half": `{"name":`, "array": `[]`, "text": `"x"`, "null": `null`, "number": `1`, "two": `{} {}`, "trailing": `{}x`, "BOM": "\ufeff{}",
			"NaN": `{"quantity":NaN}`, "Infinity": `{"quantity":Infinity}`, "comment": `{/**/}`, "single quotes": `{'name':'x'}`, "trailing comma": `{"name":"x",}`,
			"duplicate": `{"name":"a","name":"b"}`, "nested duplicate": `{"customer":{"email":"a","email":"b"}}`, "invalid UTF-8": "{\"name\":\"\xff\xfe\"}",
			"NUL": `{"name":"a\u0000b"}`, "raw control": "{\"name\":\"a\x01b\"}", "huge number": `{"quantity":1e400}`,
			"many digits": `{"quantity":` + strings.Repeat("9", 5000) + `}`, "deep": strings.Repeat(`{"a":`, 20000) + `1` + strings.Repeat(`}`, 20000),
			"deep list": strings.Repeat(`[`, 100000) + strings.Repeat(`]`, 100000), "proto": `{"__proto__":{"a":1}}`,
		}
		routes := []string{
			"POST /api/v1/events", "PATCH /api/v1/events/" + ev, "POST /api/v1/inventory", "PATCH /api/v1/inventory/" + l, "POST /api/v1/orders", "PATCH /api/v1/orders",
			"POST /api/v1/orders/" + order + "/refund", "POST /api/v1/webhooks", "PATCH /api/v1/webhooks/" + hook.ID, "POST /api/v1/messages",
			"POST /api/v1/webhooks/" + hook.ID + "/recover",
		}
		for what, b := range texts {
			for _, route := range routes {
				method, path, _ := strings.Cut(route, " ")
				a := try(t, o.Client, method, path, b)
				if what == "empty" && strings.HasSuffix(path, "/refund") && a.Status == 409 {
					continue // a body may be left out
				}
				if a.Status/100 != 4 || a.Status == 413 || a.Status == 409 {
					t.Errorf("%s with %s: %d, want 400: %.500s", route, what, a.Status, a.Body)
				}
			}
		}
		for _, path := range []string{
			"/api/v1/events/%00", "/api/v1/events/%ff", "/api/v1/events/" + strings.Repeat("x", 5000), "/api/v1/events/..%2f..%2fetc", "/api/v1/inventory/%00", "/api/v1/inventory/zz",
			"/api/v1/orders/%00", "/api/v1/orders/order_99999999999999999999999", "/api/v1/webhooks/%00", "/api/v1/webhooks/wh_1", "/api/v1/events?venue=%00", "/api/v1/events?venue=%ff%fe",
			"/api/v1/orders?email=%00", "/api/v1/orders?eventId=%ff", "/api/v1/inventory?eventId=%00", "/api/v1/inventory?eventId=" + ev + "&listingId=%00",
			"/api/v1/events?limit=1&limit=2", "/api/v1/events?%zz", "/api/v1/events?limit=1;offset=2", "/api/v1/webhooks/" + hook.ID + "/deliveries?cursor=%00", "/api/v1/webhooks/" + hook.ID + "/deliveries?since=yesterday",
		} {
			a := try(t, o.Client, "GET", path, nil)
			if a.Status/100 != 4 && a.Status != 200 {
				t.Errorf("GET %s = %d", path, a.Status)
			}
		}
		for _, header := range [][]string{{"If-Match", `"x`}, {"Idempotency-Key", strings.Repeat("k", 5000)}, {"Idempotency-Key", "a\tb"}, {"X-Request-Id", strings.Repeat("r", 5000)}} {
			a := try(t, o.Client, "POST", "/api/v1/events", `{}`, header...)
			if a.Status/100 != 4 {
				t.Errorf("POST /events with %.50v = %d", header, a.Status)
			}
		}
		expect(t, o.Call(t, 200, "GET", "/api/v1/events?status=all", nil).Body, "meta.pagination.total", 1)
		expect(t, o.Call(t, 200, "GET", "/api/v1/orders", nil).Body, "meta.pagination.total", 1)
		expect(t, o.Call(t, 200, "GET", "/api/v1/orders/"+order, nil).Body, "status", "confirmed")
	})
}

func TestTheRequestIDIsInTheAnswerAndInTheLog(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		a := o.Call(t, 404, "GET", "/api/v1/events/none", nil)
		id := a.Header.Get("X-Request-Id")
		expect(t, a.Body, "requestId", id)
		if len(id) < 8 {
			t.Fatalf("X-Request-Id is %q", id)
		}
		eventually(t, func() bool { return st.LogOf(id) != "" })
		if got := o.Call(t, 200, "GET", "/api/v1/events", nil).Header.Get("X-Request-Id"); got == "" || got == id {
			t.Errorf("X-Request-Id of the next answer is %q", got)
		}
		if strings.Contains(st.Log(), o.Key) {
			t.Error("the key stands in the log")
		}
	})
}

func TestChangesMayAskForTheVersion(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		l := o.listing(t, ev)
		order := o.order(t, ev, "listingId", l)
		hook := o.hook(t, "portal", nil)
		for path, change := range map[string]body{
			"/api/v1/events/" + ev: {"category": "jazz"}, "/api/v1/inventory/" + l: {"price": "80"}, "/api/v1/webhooks/" + hook.ID: {"description": "x"},
		} {
			before := o.Call(t, 200, "GET", path, nil)
			tag := before.Header.Get("ETag")
			if tag == "" {
				t.Errorf("GET %s has no ETag", path)
				continue
			}
			after := o.Call(t, 200, "PATCH", path, change, "If-Match", tag)
			if now := after.Header.Get("ETag"); now == tag || number(t, after.Body, "version") <= number(t, before.Body, "version") {
				t.Errorf("PATCH %s: ETag %s → %s, version %v → %v", path, tag, now, at(t, before.Body, "version"), at(t, after.Body, "version"))
			}
			refused(t, o.Call(t, 412, "PATCH", path, change, "If-Match", tag), 412, "")
			refused(t, o.Call(t, 412, "DELETE", path, nil, "If-Match", tag), 412, "")
			o.Call(t, 200, "PATCH", path, change, "If-Match", "*")
			if got := o.Call(t, 200, "GET", path, nil).Header.Get("ETag"); got == "" {
				t.Errorf("GET %s has no ETag", path)
			}
		}
		tag := o.Call(t, 200, "GET", "/api/v1/orders/"+order, nil).Header.Get("ETag")
		o.Call(t, 200, "PATCH", "/api/v1/orders", body{"orderId": order, "status": "accepted"}, "If-Match", tag)
		refused(t, o.Call(t, 412, "PATCH", "/api/v1/orders", body{"orderId": order, "status": "fulfilled"}, "If-Match", tag), 412, "")
		expect(t, o.Call(t, 200, "GET", "/api/v1/orders/"+order, nil).Body, "status", "accepted", "version", 2)
	})
}

func TestAnIdempotencyKeyMakesOneEffect(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		l := o.listing(t, ev)
		b := newOrder(ev, "listingId", l)
		first := o.Call(t, 201, "POST", "/api/v1/orders", b, "Idempotency-Key", "k-1")
		again := o.Call(t, 201, "POST", "/api/v1/orders", b, "Idempotency-Key", "k-1")
		if !bytes.Equal(first.Body, again.Body) || first.Header.Get("Location") != again.Header.Get("Location") {
			t.Errorf("the same request was answered\n%s, then\n%s", first.Body, again.Body)
		}
		refused(t, o.Call(t, 422, "POST", "/api/v1/orders", newOrder(ev, "listingId", l, "quantity", 3), "Idempotency-Key", "k-1"), 422, "")
		o.Call(t, 201, "POST", "/api/v1/orders", b, "Idempotency-Key", "k-2")
		o.key(t).Call(t, 201, "POST", "/api/v1/orders", b, "Idempotency-Key", "k-1") // another principal
		expect(t, o.Call(t, 200, "GET", "/api/v1/orders", nil).Body, "meta.pagination.total", 3)

		// Only answers of success are kept.
		late := newEvent("eventId", "late")
		refused(t, o.Call(t, 404, "POST", "/api/v1/inventory", newListing("late"), "Idempotency-Key", "k-3"), 404, "")
		o.Call(t, 201, "POST", "/api/v1/events", late, "Idempotency-Key", "k-3") // another route
		o.Call(t, 201, "POST", "/api/v1/inventory", newListing("late"), "Idempotency-Key", "k-3")

		m := body{"event": "acme.once", "data": body{}}
		one, two := o.Call(t, 202, "POST", "/api/v1/messages", m, "Idempotency-Key", "m"), o.Call(t, 202, "POST", "/api/v1/messages", m, "Idempotency-Key", "m")
		if !bytes.Equal(one.Body, two.Body) {
			t.Errorf("the same message was answered %s, then %s", one.Body, two.Body)
		}
		w := body{"url": "http://127.0.0.1:9/x", "events": []string{"*"}}
		one, two = o.Call(t, 201, "POST", "/api/v1/webhooks", w, "Idempotency-Key", "w"), o.Call(t, 201, "POST", "/api/v1/webhooks", w, "Idempotency-Key", "w")
		if !bytes.Equal(one.Body, two.Body) {
			t.Error("the same webhook was made twice")
		}
	})
}

func TestParallelTwinsMakeOneOrder(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		b := newOrder(ev, "listingId", o.listing(t, ev))
		var twins sync.WaitGroup
		answers := make([]harness.Answer, 100)
		for i := range answers {
			twins.Go(func() {
				answers[i], _ = o.Do(t.Context(), "POST", "/api/v1/orders", b, "Idempotency-Key", "twin")
			})
		}
		twins.Wait()
		made := map[string]int{}
		for _, a := range answers {
			switch a.Status {
			case 201:
				made[string(a.Body)]++
			case 409: // a twin that waited in vain
			default:
				t.Errorf("a twin was answered %d %s", a.Status, a.Body)
			}
		}
		if len(made) != 1 {
			t.Errorf("the twins got %d different answers: %v", len(made), made)
		}
		expect(t, o.Call(t, 200, "GET", "/api/v1/orders", nil).Body, "meta.pagination.total", 1)
	})
}

// Another organisation's key sees nothing and changes nothing.
func TestOrganisationsAreApart(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		mine, theirs := open(t, st), open(t, st)
		hook := mine.hook(t, "standard", nil)
		ev := mine.event(t, "eventId", "SHARED-NAME")
		l := mine.listing(t, ev)
		order := mine.order(t, ev, "listingId", l)
		hook.await(t, "order.confirmed", 1)
		delivery := column(t, mine.Call(t, 200, "GET", "/api/v1/webhooks/"+hook.ID+"/deliveries", nil), "data", "id")[0]
		for _, c := range []struct {
			route string
			body  any
		}{
			{"GET /api/v1/events/" + ev, nil},
			{"PATCH /api/v1/events/" + ev, body{"name": "Theirs"}},
			{"DELETE /api/v1/events/" + ev, nil},
			{"POST /api/v1/events/" + ev + "/cancel-orders", nil},
			{"GET /api/v1/events/" + ev + "/cancel-orders", nil},
			{"GET /api/v1/inventory?eventId=" + ev, nil},
			{"POST /api/v1/inventory", newListing(ev)},
			{"GET /api/v1/inventory/" + l, nil},
			{"PATCH /api/v1/inventory/" + l, body{"price": "1"}},
			{"DELETE /api/v1/inventory/" + l, nil},
			{"POST /api/v1/orders", newOrder(ev, "listingId", l)},
			{"GET /api/v1/orders/" + order, nil},
			{"PATCH /api/v1/orders", body{"orderId": order, "status": "cancelled"}},
			{"POST /api/v1/orders/" + order + "/refund", body{}},
			{"POST /api/v1/orders/" + order + "/issue", body{}},
			{"POST /api/v1/orders/" + order + "/not-received", body{}},
			{"PUT /api/v1/orders/" + order + "/barcodes", barcodes("a")},
			{"GET /api/v1/orders/" + order + "/barcodes", nil},
			{"PUT /api/v1/inventory/" + l + "/barcodes", barcodes("a")},
			{"GET /api/v1/inventory/" + l + "/barcodes", nil},
			{"PUT /api/v1/events/" + ev + "/barcode-rule", body{}},
			{"GET /api/v1/events/" + ev + "/barcode-rule", nil},
			{"GET /api/v1/webhooks/" + hook.ID, nil},
			{"PATCH /api/v1/webhooks/" + hook.ID, body{"active": false}},
			{"DELETE /api/v1/webhooks/" + hook.ID, nil},
			{"POST /api/v1/webhooks/" + hook.ID + "/test", nil},
			{"POST /api/v1/webhooks/" + hook.ID + "/rotate-secret", nil},
			{"GET /api/v1/webhooks/" + hook.ID + "/deliveries", nil},
			{"POST /api/v1/webhooks/" + hook.ID + "/deliveries/" + delivery + "/redeliver", nil},
			{"POST /api/v1/webhooks/" + hook.ID + "/recover", body{"since": "2020-01-01T00:00:00Z"}},
		} {
			method, path, _ := strings.Cut(c.route, " ")
			a := try(t, theirs.Client, method, path, c.body)
			if a.Status != 404 {
				t.Errorf("%s of another organisation = %d %s", c.route, a.Status, a.Body)
			}
		}
		for _, path := range []string{"/api/v1/events?status=all", "/api/v1/orders", "/api/v1/webhooks"} {
			if got := column(t, theirs.Call(t, 200, "GET", path, nil), "data", "status"); len(got) != 0 {
				t.Errorf("GET %s shows %d of another organisation", path, len(got))
			}
		}
		theirs.event(t, "eventId", "SHARED-NAME") // the same id is free for each organisation
		expect(t, theirs.Call(t, 200, "GET", "/api/v1/events/"+ev, nil).Body, "numberOfSeats", 0)
		other := theirs.hook(t, "portal", nil)
		refused(t, try(t, theirs.Client, "POST", "/api/v1/webhooks/"+other.ID+"/deliveries/"+delivery+"/redeliver", nil), 404, "")
		expect(t, mine.Call(t, 200, "GET", "/api/v1/orders/"+order, nil).Body, "status", "confirmed", "version", 1)
		expect(t, mine.Call(t, 200, "GET", "/api/v1/webhooks/"+hook.ID, nil).Body, "active", true)
	})
}

func TestHealthAndMetricsNeedNoKey(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "portal", nil)
		ev := o.event(t)
		o.order(t, ev, "listingId", o.listing(t, ev))
		h.await(t, "order.confirmed", 1)
		c := st.Client("")
		for _, path := range []string{"/healthz", "/readyz"} {
			c.Call(t, 200, "GET", path, nil)
			if a := c.Call(t, 200, "HEAD", path, nil); len(a.Body) > 0 {
				t.Errorf("HEAD %s has a body", path)
			}
		}
		m := c.Call(t, 200, "GET", "/metrics", nil)
		if !strings.HasPrefix(m.Header.Get("Content-Type"), "text/plain") || !strings.Contains(string(m.Body), "\nstagedoor_") {
			t.Errorf("/metrics: %s\n%.500s", m.Header.Get("Content-Type"), m.Body)
		}
	})
}

// What the issue lists is in the document, in OpenAPI 3.1, with the webhooks.
func TestTheDocumentKnowsEveryRoute(t *testing.T) {
	want := []string{
		"GET /api/v1/events", "POST /api/v1/events", "GET /api/v1/events/{eventId}", "PATCH /api/v1/events/{eventId}", "DELETE /api/v1/events/{eventId}",
		"POST /api/v1/events/{eventId}/cancel-orders",
		"GET /api/v1/inventory", "POST /api/v1/inventory", "GET /api/v1/inventory/{listingId}", "PATCH /api/v1/inventory/{listingId}", "DELETE /api/v1/inventory/{listingId}",
		"GET /api/v1/orders", "POST /api/v1/orders", "PATCH /api/v1/orders", "GET /api/v1/orders/{orderId}", "POST /api/v1/orders/{orderId}/refund", "POST /api/v1/orders/{orderId}/issue",
		"GET /api/v1/webhooks", "POST /api/v1/webhooks", "GET /api/v1/webhooks/{id}", "PATCH /api/v1/webhooks/{id}", "DELETE /api/v1/webhooks/{id}",
		"POST /api/v1/webhooks/{id}/test", "POST /api/v1/webhooks/{id}/rotate-secret", "GET /api/v1/webhooks/{id}/deliveries",
		"POST /api/v1/webhooks/{id}/deliveries/{deliveryId}/redeliver", "POST /api/v1/webhooks/{id}/recover", "POST /api/v1/messages",
	}
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		ops := st.Contract.Operations()
		for _, op := range want {
			if !slices.Contains(ops, op) {
				t.Errorf("the document has no %s", op)
			}
		}
		if v, _ := st.Contract.Doc["openapi"].(string); !strings.HasPrefix(v, "3.1") {
			t.Errorf("the document is OpenAPI %q", v)
		}
		webhooks, _ := st.Contract.Doc["webhooks"].(map[string]any)
		for _, event := range []string{"confirmed", "accepted", "purchase_issues", "fulfilled", "cancelled", "refunded"} {
			if webhooks["portal:order."+event] == nil {
				t.Errorf("the document's webhooks have no portal:order.%s", event)
			}
		}
		for _, path := range []string{"/openapi.json", "/api/v1/openapi.json"} {
			a := st.Client("").Call(t, 200, "GET", path, nil)
			if ct := a.Header.Get("Content-Type"); !strings.Contains(ct, "json") {
				t.Errorf("GET %s: Content-Type is %q", path, ct)
			}
		}
	})
}

// Security checklist, line 34: a client that sends its header or body slowly does not keep a connection.
func TestSlowClientsAreLetGo(t *testing.T) {
	if !harness.Long() {
		t.Skip("takes half a minute; STAGEDOOR_LONG=1 runs it")
	}
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		began := time.Now()
		r, w := io.Pipe()
		defer w.Close()
		req, err := http.NewRequestWithContext(t.Context(), "POST", st.URL+"/api/v1/events", r)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-API-Key", open(t, st).Key)
		go fmt.Fprint(w, `{"name":`)
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode/100 != 4 {
				t.Errorf("half a body was answered with %d", resp.StatusCode)
			}
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("half a body kept the connection for %v", took)
		}
	})
}
