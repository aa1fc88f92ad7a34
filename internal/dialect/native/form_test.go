package native_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

const kari = `{"email":"kari@example.com","phone":{"number":"5551234567","countryCode":"+47"}}`

const goodEvent = `"name":"Harbor Jazz Night","startLocal":"2037-08-14T20:30:00"`

func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	h := lite(t)
	h.must(201, "POST", "/api/v1/events", `{`+goodEvent+`,"eventId":"EV"}`)
	for _, c := range []struct {
		name, method, path, body string
		want                     []string
	}{
		{"missing fields", "POST", "/api/v1/orders", `{}`, []string{"/customer required", "/eventId required", "/listingId required", "/quantity required"}},
		{
			"unknown fields, by name", "POST", "/api/v1/events", `{` + goodEvent + `,"colour":"red","a.b":1,"c/d~e":2}`,
			[]string{"/a.b unknown_field", "/colour unknown_field", "/c~1d~0e unknown_field"},
		},
		{"names are exact", "POST", "/api/v1/events", `{` + goodEvent + `,"Timezone":"Europe/Oslo"}`, []string{"/Timezone unknown_field"}},
		{
			"unknown field inside", "POST", "/api/v1/orders",
			`{"eventId":"e","listingId":"l","quantity":1,"customer":{"email":"a@b.cc","phone":{"number":"5551234","countryCode":"+1","ext":"9"}}}`,
			[]string{"/customer/phone/ext unknown_field"},
		},
		{
			"wrong types", "POST", "/api/v1/events", `{"name":7,"startLocal":true,"online":"yes"}`,
			[]string{"/name wrong_type", "/online wrong_type", "/startLocal wrong_type"},
		},
		{"ranges", "POST", "/api/v1/orders", `{"eventId":"e","listingId":"l","quantity":21,"customer":` + kari + `}`, []string{"/quantity out_of_range"}},
		{"fraction", "POST", "/api/v1/orders", `{"eventId":"e","listingId":"l","quantity":1.5,"customer":` + kari + `}`, []string{"/quantity wrong_type"}},
		{"a number too big for anything", "POST", "/api/v1/orders", `{"eventId":"e","listingId":"l","quantity":1e999,"customer":` + kari + `}`, []string{"/quantity wrong_type"}},
		{"form and meaning of an order", "POST", "/api/v1/orders", `{"quantity":0,"seat":4,"customer":{"email":"nobody","phone":{"number":"x","countryCode":"47"},"vip":true}}`, []string{
			"/customer/email invalid", "/customer/phone/countryCode invalid", "/customer/phone/number invalid", "/customer/vip unknown_field", "/eventId required",
			"/listingId required", "/quantity out_of_range", "/seat unknown_field",
		}},
		{
			"form and meaning of an event", "POST", "/api/v1/events", `{"startLocal":"soon","timezone":"Mars/Base","colour":1}`,
			[]string{"/colour unknown_field", "/name required", "/startLocal invalid", "/timezone invalid"},
		},
		{
			"form and meaning of a listing", "POST", "/api/v1/inventory", `{"eventId":"EV","section":"A","row":"1","quantity":1,"price":true,"currency":"XXX"}`,
			[]string{"/currency invalid", "/price wrong_type"},
		},
		{
			"form and meaning of a webhook", "POST", "/api/v1/webhooks", `{"url":"ftp://example.com/","format":"portal","events":["no.such"],"colour":1}`,
			[]string{"/colour unknown_field", "/events/0 unknown_event", "/url url_scheme"},
		},
		{
			"what the trade refuses", "POST", "/api/v1/events", `{"name":" ","startLocal":"soon","timezone":"Mars/Base","currency":"XXX","country":"ZZ"}`,
			[]string{"/name required", "/country invalid", "/currency invalid", "/timezone invalid", "/startLocal invalid"},
		},
		{"an array", "POST", "/api/v1/webhooks", `{"url":"https://127.0.0.1/","format":"portal","events":["order.accepted",7]}`, []string{"/events/1 wrong_type"}},
		{
			"a webhook's address and events", "POST", "/api/v1/webhooks", `{"url":"ftp://example.com/","format":"portal","events":["no.such"]}`,
			[]string{"/url url_scheme", "/events/0 unknown_event"},
		},
		{"a name twice", "POST", "/api/v1/events", `{"name":"a","name":"b","startLocal":"x"}`, []string{"/name duplicate_name"}},
		{"a name twice inside", "POST", "/api/v1/orders", `{"customer":{"email":"a","email":"b"}}`, []string{"/customer/email duplicate_name"}},
		{"U+0000", "POST", "/api/v1/events", `{"name":"a\u0000b","startLocal":"x"}`, []string{"/name invalid_character"}},
		{
			"too deep", "POST", "/api/v1/events", `{"name":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
			[]string{"/name" + strings.Repeat("/0", 64) + " too_deep"},
		},
		{"not an object", "POST", "/api/v1/events", `[]`, []string{" wrong_type"}},
		{"no body", "POST", "/api/v1/events", ``, []string{" required"}},
		{
			"parameters", "GET", "/api/v1/events?limit=0&offset=-1&sortBy=colour&sortOrder=up&status=gone", "",
			[]string{"query:limit out_of_range", "query:offset out_of_range", "query:sortBy unknown_value", "query:sortOrder unknown_value", "query:status unknown_value"},
		},
		{"a limit is not clamped", "GET", "/api/v1/events?limit=101", "", []string{"query:limit out_of_range"}},
		{"no number", "GET", "/api/v1/events?limit=ten", "", []string{"query:limit wrong_type"}},
		{
			"inventory is of an event", "GET", "/api/v1/inventory?minPrice=cheap&quantity=21", "",
			[]string{"query:eventId required", "query:minPrice invalid_format", "query:quantity out_of_range"},
		},
		{"control characters in a query", "GET", "/api/v1/events?venue=%00", "", []string{"query:venue invalid_character"}},
		{"no UTF-8 in a query", "GET", "/api/v1/events?venue=%ff", "", []string{"query:venue invalid_character"}},
		{"a forged cursor", "GET", "/api/v1/events?cursor=AAAA", "", []string{"query:cursor invalid_cursor"}},
		{"messages", "POST", "/api/v1/messages", `{"messages":[{"event":"order.mine","data":{}},{"event":"x","data":[],"keys":1},{"data":{},"data":{}},7]}`, []string{
			"/messages/0/event reserved_event_name", "/messages/1/data wrong_type", "/messages/1/keys unknown_field", "/messages/1/event invalid_event_name",
			"/messages/2/data duplicate_name", "/messages/2/event required", "/messages/3 wrong_type",
		}},
		{"a message without anything", "POST", "/api/v1/messages", `{}`, []string{"/data required", "/event required"}},
		{"a message and a list", "POST", "/api/v1/messages", `{"event":"acme.x","data":{},"messages":[]}`, []string{"/messages ambiguous"}},
		{"no messages", "POST", "/api/v1/messages", `{"messages":[]}`, []string{"/messages wrong_length"}},
		{
			"too many messages", "POST", "/api/v1/messages", `{"messages":[` + strings.Repeat(`{"event":"acme.x","data":{}},`, 500) + `{"event":"acme.x","data":{}}]}`,
			[]string{"/messages wrong_length"},
		},
		{
			"message data too deep", "POST", "/api/v1/messages", `{"event":"acme.x","data":{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}}`,
			[]string{"/data too_deep"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var body any
			if c.method != "GET" {
				body = c.body
			}
			r := h.must(400, c.method, c.path, body)
			if diff := cmp.Diff(c.want, r.faults()); diff != "" {
				t.Errorf("%s %s %.200s: errors (-want +got):\n%s\n%s", c.method, c.path, c.body, diff, r.raw)
			}
			if r.text("requestId") == "" || r.text("requestId") != r.header.Get("X-Request-Id") || r.text("code") != "validation_failed" {
				t.Errorf("the problem lacks code or requestId: %s", r.raw)
			}
		})
	}
	for _, path := range []string{"/api/v1/events?status=all&offset=1", "/api/v1/inventory?eventId=EV", "/api/v1/webhooks", "/api/v1/orders"} {
		if r := h.must(200, "GET", path, nil); r.at("data.0") != nil {
			t.Errorf("a refused request left something: %s", r.raw)
		}
	}
}

func TestBodiesThatAreNoJSON(t *testing.T) {
	h := lite(t)
	for _, c := range []struct {
		name, body, kind string
		status           int
		code             string
	}{
		{"NaN", `{"name":NaN}`, "", 400, "invalid_json"},
		{"cut off", `{"name":"a"`, "", 400, "invalid_json"},
		{"two values", `{} {}`, "", 400, "invalid_json"},
		{"byte order mark", "\ufeff{}", "", 400, "invalid_json"},
		{"not UTF-8", "{\"name\":\"\xff\"}", "", 400, "invalid_json"},
		{"half a character", `{"name":"a\ud83cb"}`, "", 400, "invalid_json"},
		{"the other half", `{"name":"\\\udf89"}`, "", 400, "invalid_json"},
		{"two first halves", `{"name":"\ud83c\ud83c"}`, "", 400, "invalid_json"},
		{"form", "name=a", "application/x-www-form-urlencoded", 415, "unsupported_media_type"},
		{"another charset", "{}", "application/json; charset=latin1", 415, "unsupported_charset"},
		{"text", "{}", "text/plain", 415, "unsupported_media_type"},
	} {
		for _, path := range []string{"/api/v1/events", "/api/v1/messages"} {
			t.Run(c.name+path, func(t *testing.T) {
				header := []string{}
				if c.kind != "" {
					header = []string{"Content-Type", c.kind}
				}
				if r := h.call("POST", path, c.body, header...); r.status != c.status || r.text("code") != c.code {
					t.Errorf("POST %s %q as %q = %d %s, want %d %s", path, c.body, c.kind, r.status, r.raw, c.status, c.code)
				}
			})
		}
	}
	t.Run("compressed", func(t *testing.T) {
		if r := h.call("POST", "/api/v1/events", `{}`, "Content-Encoding", "gzip"); r.status != 415 {
			t.Errorf("a compressed body = %d %s, want 415", r.status, r.raw)
		}
	})
	t.Run("too large", func(t *testing.T) {
		for _, path := range []string{"/api/v1/events", "/api/v1/messages"} {
			if r := h.call("POST", path, `{"name":"`+strings.Repeat("a", 1<<20)+`"}`); r.status != 413 || r.text("code") != "body_too_large" {
				t.Errorf("POST %s with more than 1 MiB = %d %s, want 413", path, r.status, r.raw)
			}
		}
	})
	t.Run("JSON by another name", func(t *testing.T) {
		for _, kind := range []string{"application/vnd.api+json", "application/json; charset=UTF-8", ""} {
			h.must(201, "POST", "/api/v1/events", `{`+goodEvent+`}`, "Content-Type", kind)
		}
	})
}

func TestWholeNumbersMayBeWrittenInAnyWay(t *testing.T) {
	h := lite(t)
	h.must(201, "POST", "/api/v1/events", `{`+goodEvent+`,"eventId":"EV"}`)
	for _, two := range []string{"2", "2.0", "2e0", "0.2e1"} {
		h.must(201, "POST", "/api/v1/inventory", `{"eventId":"EV","section":"A","row":"`+two+`","quantity":`+two+`,"price":1}`).want(t, "totalQuantity", 2)
	}
	h.must(400, "POST", "/api/v1/webhooks", `{"url":"http://127.0.0.1:9/","events":["*"],"retry":{"delays":[1e300]}}`).want(t, "errors.0.pointer", "/retry/delays/0")
}

func TestEscapesAreRead(t *testing.T) {
	h := lite(t)
	h.must(201, "POST", "/api/v1/events", `{"name":"\ud83c\udf89 \u00e9 \\ud83c","startLocal":"2037-08-14T20:30:00"}`).want(t, "name", `🎉 é \ud83c`)
}

func TestAccess(t *testing.T) {
	h := lite(t)
	reader := h.newKey(org.KeyInput{Scopes: scope.Of(scope.EventsRead)})
	for _, c := range []struct {
		name         string
		method, path string
		header       []string
		status       int
		code         string
	}{
		{"no key", "GET", "/api/v1/events", []string{"X-API-Key", ""}, 401, "missing_api_key"},
		{"a key in the query is none", "GET", "/api/v1/events?api_key=" + h.key, []string{"X-API-Key", ""}, 401, "missing_api_key"},
		{"a wrong key", "GET", "/api/v1/events", []string{"X-API-Key", "sd_wrong"}, 401, "invalid_api_key"},
		{"two keys", "GET", "/api/v1/events", []string{"Authorization", "Bearer " + reader}, 400, "ambiguous_credentials"},
		{"bearer", "GET", "/api/v1/events", []string{"X-API-Key", "", "Authorization", "Bearer " + reader}, 200, ""},
		{"without the scope", "POST", "/api/v1/events", []string{"X-API-Key", reader}, 403, "insufficient_scope"},
		{"without the scope, by hand", "POST", "/api/v1/messages", []string{"X-API-Key", reader}, 403, "insufficient_scope"},
		{"orders need tickets", "GET", "/api/v1/orders", []string{"X-API-Key", reader}, 403, "insufficient_scope"},
		{"webhooks need their own", "GET", "/api/v1/webhooks", []string{"X-API-Key", reader}, 403, "insufficient_scope"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var body any
			if c.method == "POST" {
				body = `{}`
			}
			r := h.call(c.method, c.path, body, c.header...)
			if r.status != c.status || r.text("code") != c.code {
				t.Errorf("%s %s with %q = %d %s, want %d %s", c.method, c.path, c.header, r.status, r.raw, c.status, c.code)
			}
			if got := r.header.Get("WWW-Authenticate"); strings.HasPrefix(got, "Bearer") != (r.status != 200) { // RFC 6750 §3
				t.Errorf("%s %s = %d with WWW-Authenticate %q", c.method, c.path, r.status, got)
			}
		})
	}
	if strings.Contains(h.log.String(), h.key) || strings.Contains(h.log.String(), reader) {
		t.Error("the log has a key in it")
	}
}

func TestLimitOfAKeyIsShown(t *testing.T) {
	h := lite(t)
	key := h.newKey(org.KeyInput{PerMinute: 2})
	for range 2 {
		if r := h.must(200, "GET", "/api/v1/events", nil, "X-API-Key", key); r.header.Get("RateLimit") == "" || r.header.Get("RateLimit-Policy") != `"key";q=2;w=60` {
			t.Errorf("RateLimit headers are %v", r.header)
		}
	}
	if r := h.must(429, "GET", "/api/v1/events", nil, "X-API-Key", key); r.header.Get("Retry-After") == "" || r.header.Get("RateLimit") == "" || r.text("code") != "rate_limited" {
		t.Errorf("the third request a minute: %v %s; want Retry-After and RateLimit", r.header, r.raw)
	}
	if r := h.must(200, "GET", "/api/v1/events", nil); r.header.Get("RateLimit") != "" {
		t.Errorf("a key without a limit got RateLimit %q", r.header.Get("RateLimit"))
	}
}

// TestEveryRouteIsInTheDocument asks the server for every documented route, and for what is not documented.
func TestEveryRouteIsInTheDocument(t *testing.T) {
	h := lite(t)
	n := 0
	for path := range h.doc.document["paths"].(map[string]any) {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			req, err := http.NewRequestWithContext(t.Context(), method, h.url+strings.NewReplacer("{", "", "}", "").Replace(path), nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			_, operation := h.doc.operation(method, path) // the path may also be an example of one with names
			served := resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusBadRequest
			if path == "/api/webhook/{devId}" { // which asks for no key, but for an id that there is
				served = resp.StatusCode == http.StatusNotFound
			}
			if served != (operation != nil) {
				t.Errorf("%s %s without a key = %d; in openapi.json: %t", method, path, resp.StatusCode, operation != nil)
			}
			if served {
				n++
			}
		}
	}
	if n < 32 {
		t.Errorf("only %d routes answer", n)
	}
}
