package native_test

import (
	"bytes"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

func TestEventOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := h.must(201, "POST", "/api/v1/events", map[string]any{
			"eventId": "EVENT-1.a_b", "name": "Harbor Jazz Night", "startLocal": "2037-08-14T20:30:00", "timezone": "Europe/Oslo",
			"venue": "Pier Hall", "city": "Oslo", "country": "NO", "category": "Jazz", "currency": "NOK",
		})
		if got, want := r.header.Get("Location"), "/api/v1/events/EVENT-1.a_b"; got != want {
			t.Errorf("Location = %q, want %q", got, want)
		}
		r.want(t, "eventId", "EVENT-1.a_b", "date", "2037-08-14", "time", "8:30 PM", "isoDate", "2037-08-14T18:30:00.000Z", "timezone", "Europe/Oslo",
			"location", "Pier Hall", "numberOfSeats", 0, "status", "published", "version", 1, "currency", "NOK")
		h.listing("EVENT-1.a_b", 10, "75.00")

		got := h.must(200, "GET", "/api/v1/events/EVENT-1.a_b", nil)
		got.want(t, "numberOfSeats", 10)
		if got.header.Get("ETag") != `"1"` || r.header.Get("ETag") != `"1"` {
			t.Errorf("ETag = %q and %q, want \"1\"", r.header.Get("ETag"), got.header.Get("ETag"))
		}
		h.must(409, "POST", "/api/v1/events", map[string]any{"eventId": "EVENT-1.a_b", "name": "x", "startLocal": "2037-08-14T20:30:00"}).want(t, "code", "event_exists")
		h.must(404, "GET", "/api/v1/events/other", nil).want(t, "code", "event_not_found")
	})
}

func TestEventListIsPortals(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.event("B")
		h.event("A")
		h.must(201, "POST", "/api/v1/events", map[string]any{"name": "C", "startLocal": "2037-01-01T19:00:00", "venue": "Main Arena"})
		h.must(201, "POST", "/api/v1/events", map[string]any{"name": "D", "startLocal": "2037-01-01T19:00:00", "status": "draft"})

		r := h.must(200, "GET", "/api/v1/events?limit=1", nil)
		r.want(t, "data.0.name", "C", "data.0.time", "7:00 PM", "meta.pagination.total", 3, "meta.pagination.limit", 1, "meta.pagination.offset", 0,
			"meta.pagination.hasMore", true, "meta.pagination.nextOffset", 1)
		if diff := cmp.Diff(map[string]any{"venue": nil, "sortBy": "date", "sortOrder": "asc"}, r.at("meta.filters")); diff != "" {
			t.Errorf("meta.filters (-want +got):\n%s", diff)
		}
		h.must(200, "GET", "/api/v1/events?venue=main+arena", nil).want(t, "meta.pagination.total", 1, "data.0.name", "C", "meta.filters.venue", "main arena")
		h.must(200, "GET", "/api/v1/events?status=draft", nil).want(t, "meta.pagination.total", 1, "data.0.name", "D")

		var names []any
		for page, cursor := 0, ""; page < 5; page++ {
			r := h.must(200, "GET", "/api/v1/events?limit=1&sortBy=name&sortOrder=desc&cursor="+url.QueryEscape(cursor), nil)
			r.want(t, "meta.pagination.offset", page)
			names = append(names, r.at("data.0.name"))
			if r.at("meta.pagination.hasMore") == false {
				r.want(t, "meta.pagination.nextOffset", nil, "meta.pagination.nextCursor", nil)
				break
			}
			cursor = r.text("meta.pagination.nextCursor")
		}
		if diff := cmp.Diff([]any{"C", "B", "A"}, names); diff != "" {
			t.Errorf("by cursor (-want +got):\n%s", diff)
		}
		cursor := h.must(200, "GET", "/api/v1/events?limit=1", nil).text("meta.pagination.nextCursor")
		for _, other := range []string{"/api/v1/events?sortBy=name&", "/api/v1/orders?", "/api/v1/webhooks?"} {
			h.must(400, "GET", other+"cursor="+url.QueryEscape(cursor), nil).want(t, "errors.0.code", "invalid_cursor")
		}
	})
}

func TestChangesAreGuardedByVersion(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Harbor Jazz Night")
		listing := h.listing(event, 4, "10")
		order := h.must(201, "POST", "/api/v1/orders", orderOf(event, listing, 1)).text("order.orderId")
		hook := h.must(201, "POST", "/api/v1/webhooks", map[string]any{"url": "http://127.0.0.1:9/", "events": []string{"*"}}).text("id")
		for _, c := range []struct {
			read, method, path string
			body               any
		}{
			{"/api/v1/events/" + event, "PATCH", "/api/v1/events/" + event, map[string]any{"name": "Harbor Blues Night"}},
			{"/api/v1/inventory/" + listing, "PATCH", "/api/v1/inventory/" + listing, map[string]any{"price": 12.5}},
			{"/api/v1/orders/" + order, "PATCH", "/api/v1/orders", map[string]any{"orderId": order, "status": "accepted"}},
			{"/api/v1/webhooks/" + hook, "PATCH", "/api/v1/webhooks/" + hook, map[string]any{"description": "ours"}},
		} {
			before := h.must(200, "GET", c.read, nil).header.Get("ETag")
			for _, stale := range []string{`"99"`, `W/` + before, `abc`, `"abc"`} {
				h.must(412, c.method, c.path, c.body, "If-Match", stale).want(t, "code", "version_mismatch")
			}
			h.must(400, c.method, c.path, c.body, "If-Match", `"1", "2"`).want(t, "errors.0.pointer", "If-Match")
			changed := h.must(200, c.method, c.path, c.body, "If-Match", before)
			after := h.must(200, "GET", c.read, nil).header.Get("ETag")
			if after == before || changed.header.Get("ETag") != after {
				t.Errorf("%s %s: ETag %s before, %s in the answer, %s after; want a new one", c.method, c.path, before, changed.header.Get("ETag"), after)
			}
			h.must(412, c.method, c.path, c.body, "If-Match", before)
			h.must(200, c.method, c.path, c.body, "If-Match", "*")
		}
		h.must(412, "DELETE", "/api/v1/webhooks/"+hook, nil, "If-Match", `"1"`)
		h.must(204, "DELETE", "/api/v1/webhooks/"+hook, nil)
		h.must(404, "GET", "/api/v1/webhooks/"+hook, nil)
	})
}

func TestNullClearsAText(t *testing.T) {
	h := lite(t)
	event := h.event("Harbor Jazz Night")
	h.must(200, "PATCH", "/api/v1/events/"+event, `{"description":"All night","category":"Jazz"}`).want(t, "description", "All night", "category", "Jazz")
	h.must(200, "PATCH", "/api/v1/events/"+event, `{"description":null,"category":""}`).want(t, "description", nil, "category", nil, "name", "Harbor Jazz Night", "version", 3)
	h.must(200, "PATCH", "/api/v1/events/"+event, `{}`).want(t, "version", 3)
}

func TestDeliveryOfAListingOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Harbor Jazz Night")
		with := func(more string) string {
			return `{"eventId":"` + event + `","section":"B","row":"4","quantity":3,"price":"75",` + more + `}`
		}
		r := h.must(201, "POST", "/api/v1/inventory", with(`"externalId":"x","deliveryKind":"barcode","faceValue":60.5,"notes":["Restricted view"],
			"inHandAt":"2090-01-01T10:00:00+01:00","deliverBy":"2090-01-02T10:00:00Z","expiresAt":"2090-01-03T10:00:00Z"`))
		r.want(t, "deliveryKind", "barcode", "faceValue", "60.50", "notes.0", "Restricted view", "inHandAt", "2090-01-01T09:00:00.000Z", "deliverBy", "2090-01-02T10:00:00.000Z",
			"expiresAt", "2090-01-03T10:00:00.000Z", "deliverability", "ok", "barcoded", nil)
		listing := "/api/v1/inventory/" + r.text("listingId")
		h.must(409, "POST", "/api/v1/inventory", with(`"externalId":"x"`)).want(t, "code", "external_id_taken")
		h.must(201, "POST", "/api/v1/inventory", with(`"externalId":"y"`)).want(t, "deliveryKind", "transfer", "deliverability", "ok", "deliverBy", nil, "faceValue", nil, "notes", nil)
		h.must(200, "GET", "/api/v1/inventory?eventId="+event+"&externalId=x", nil).want(t, "meta.pagination.total", 1, "data.0.externalId", "x", "meta.filters.externalId", "x")

		h.must(400, "POST", "/api/v1/inventory", with(`"deliverBy":"2020-01-01T00:00:00Z"`)).want(t, "errors.0.pointer", "/deliverBy", "errors.0.code", "past")
		h.must(400, "POST", "/api/v1/inventory", with(`"deliverBy":"tomorrow"`)).want(t, "errors.0.pointer", "/deliverBy", "errors.0.code", "invalid")
		h.must(400, "POST", "/api/v1/inventory", with(`"deliveryKind":"owl"`)).want(t, "errors.0.pointer", "/deliveryKind")
		h.must(400, "PATCH", listing, `{"deliverBy":"2089-01-01T00:00:00Z"}`).want(t, "errors.0.pointer", "/inHandAt")
		h.must(400, "PATCH", listing, `{"faceValue":"1.005"}`).want(t, "errors.0.pointer", "/faceValue")
		h.must(200, "PATCH", listing, `{}`).want(t, "version", 1, "faceValue", "60.50")
		h.must(200, "PATCH", listing, `{"deliverBy":null,"inHandAt":null,"expiresAt":"","faceValue":null,"notes":[],"deliveryKind":"paper"}`).want(t, "version", 2, "deliveryKind", "paper",
			"deliverBy", nil, "inHandAt", nil, "expiresAt", nil, "faceValue", nil, "notes", nil, "externalId", "x")
		soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		h.must(200, "PATCH", listing, `{"deliverBy":"`+soon+`","deliveryKind":"eticket"}`).want(t, "deliverability", "at_risk", "quantity", 3)
	})
}

func TestInventoryOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Harbor Jazz Night")
		r := h.must(201, "POST", "/api/v1/inventory", `{"eventId":"`+event+`","section":"B","row":"4","quantity":3,"seats":["1","2","3"],"price":75.5,"splitRule":"avoid_one"}`)
		r.want(t, "price", "75.50", "quantity", 3, "totalQuantity", 3, "currency", "USD", "status", "active", "version", 1, "eventId", event)
		if diff := cmp.Diff([]any{1.0, 3.0}, r.at("splits")); diff != "" {
			t.Errorf("splits (-want +got):\n%s", diff)
		}
		listing := r.text("listingId")
		if got, want := r.header.Get("Location"), "/api/v1/inventory/"+listing; got != want {
			t.Errorf("Location = %q, want %q", got, want)
		}
		h.listing(event, 5, "100")
		h.must(201, "POST", "/api/v1/orders", orderOf(event, listing, 1))
		h.must(200, "GET", "/api/v1/inventory/"+listing, nil).want(t, "quantity", 2, "totalQuantity", 3)

		r = h.must(200, "GET", "/api/v1/inventory?eventId="+event+"&maxPrice=0080.00&quantity=2", nil)
		r.want(t, "meta.pagination.total", 1, "data.0.listingId", listing, "meta.event.eventId", event, "meta.event.numberOfSeats", 7,
			"meta.filters.maxPrice", 80, "meta.filters.minPrice", nil, "meta.filters.quantity", 2, "meta.filters.sortBy", "price")
		h.must(200, "GET", "/api/v1/inventory?eventId="+event, nil).want(t, "data.0.price", "75.50", "data.1.price", "100.00")
		h.must(404, "GET", "/api/v1/inventory?eventId=none", nil)
		h.must(400, "POST", "/api/v1/inventory", `{"eventId":"`+event+`","section":"B","row":"5","quantity":1,"price":"75.001"}`).want(t, "errors.0.pointer", "/price")
		h.must(400, "POST", "/api/v1/inventory", `{"eventId":"`+event+`","section":"B","row":"5","quantity":1,"price":-1}`).want(t, "errors.0.pointer", "/price")
		h.must(400, "POST", "/api/v1/inventory", `{"eventId":"`+event+`","section":"B","row":"5","quantity":1,"price":true}`).want(t, "errors.0.pointer", "/price")
		h.must(200, "PATCH", "/api/v1/inventory/"+listing, `{"totalQuantity":2,"price":"80"}`).want(t, "totalQuantity", 2, "quantity", 1, "price", "80.00", "version", 3)
		h.must(400, "PATCH", "/api/v1/inventory/"+listing, `{"quantity":2}`).want(t, "errors.0.pointer", "/quantity")
		h.must(204, "DELETE", "/api/v1/inventory/"+listing, nil)
		h.must(200, "GET", "/api/v1/inventory/"+listing, nil).want(t, "status", "withdrawn", "quantity", 0)
	})
}

func TestOrderGoesItsWay(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Harbor Jazz Night")
		listing := h.listing(event, 4, "59.25")
		created := h.must(201, "POST", "/api/v1/orders", orderOf(event, listing, 2))
		id := created.text("order.orderId")
		created.want(t, "success", true, "message", "Order "+id+" created successfully", "order.status", "confirmed", "order.previousStatus", nil,
			"order.totalAmount", 118.5, "order.currency", "USD", "order.quantity", 2, "order.customer.email", "buyer@example.com",
			"order.customer.phone.countryCode", "+1", "order.eventVenue", "Pier Hall", "order.eventDate", "2037-08-14T18:30:00.000Z",
			"webhook.event", "order.confirmed", "webhook.sent", false)
		if !bytes.Contains(created.raw, []byte(`"totalAmount":118.5,`)) {
			t.Errorf("totalAmount is not the exact number 118.5: %s", created.raw)
		}
		if got, want := created.header.Get("Location"), "/api/v1/orders/"+id; got != want {
			t.Errorf("Location = %q, want %q", got, want)
		}
		h.must(201, "POST", "/api/v1/webhooks", map[string]any{"url": "http://127.0.0.1:9/", "format": "portal", "events": []string{"order.accepted", "order.refunded"}})

		move := func(status int, to string) response {
			return h.must(status, "PATCH", "/api/v1/orders", map[string]any{"orderId": id, "status": to})
		}
		move(200, "accepted").want(t, "success", true, "message", "Order "+id+" updated to accepted successfully", "order.status", "accepted",
			"order.previousStatus", "confirmed", "webhook.event", "order.accepted", "webhook.sent", true)
		move(200, "accepted").want(t, "order.status", "accepted", "webhook.event", "order.accepted", "webhook.sent", false)
		move(409, "confirmed").want(t, "code", "invalid_transition")
		for _, forbidden := range []string{"purchase_issues", "refunded", "issue", "lost"} {
			move(400, forbidden).want(t, "errors.0.pointer", "/status")
		}
		h.must(200, "POST", "/api/v1/orders/"+id+"/issue", `{"reason":"no barcodes"}`).want(t, "order.status", "issue", "order.issueReason", "no barcodes",
			"webhook.event", "order.purchase_issues", "webhook.sent", false)
		h.must(200, "GET", "/api/v1/orders?status=purchase_issues", nil).want(t, "meta.pagination.total", 1, "data.0.orderId", id)
		h.must(200, "PATCH", "/api/v1/orders", map[string]any{"orderId": id, "status": "fulfilled", "transferMethod": "email", "transferNote": "PDF sent"}).want(t,
			"order.status", "fulfilled", "order.previousStatus", "issue", "order.transferMethod", "email", "order.transferNote", "PDF sent")
		h.must(200, "POST", "/api/v1/orders/"+id+"/refund", `{"amount":18.50,"reason":"one seat"}`).want(t, "order.status", "fulfilled", "order.refundedAmount", 18.5,
			"webhook.event", "order.refunded", "webhook.sent", true)
		h.must(200, "POST", "/api/v1/orders/"+id+"/refund", nil).want(t, "order.status", "refunded", "order.refundedAmount", 118.5, "order.previousStatus", "fulfilled")
		h.must(409, "POST", "/api/v1/orders/"+id+"/refund", nil)
		h.must(200, "GET", "/api/v1/orders/"+id, nil).want(t, "orderId", id, "status", "refunded", "version", 6)
		h.must(404, "GET", "/api/v1/orders/order_1", nil).want(t, "code", "order_not_found")
	})
}

func TestOrdersAreFound(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Harbor Jazz Night")
		listing := h.listing(event, 10, "10")
		var ids []string
		for range 3 {
			ids = append(ids, h.must(201, "POST", "/api/v1/orders", orderOf(event, listing, 1)).text("order.orderId"))
		}
		bySection := orderOf(event, "", 1)
		delete(bySection, "listingId")
		bySection["section"], bySection["row"] = "101", "A"
		bySection["customer"].(map[string]any)["email"] = "Other@Example.com"
		other := h.must(201, "POST", "/api/v1/orders", bySection).text("order.orderId")

		h.must(200, "GET", "/api/v1/orders?email=other%40example.com", nil).want(t, "meta.pagination.total", 1, "data.0.orderId", other, "meta.filters.email", "other@example.com")
		h.must(200, "GET", "/api/v1/orders?customerEmail=other%40example.com&eventId="+event, nil).want(t, "meta.pagination.total", 1)
		h.must(200, "GET", "/api/v1/orders?eventId=none", nil).want(t, "meta.pagination.total", 0)
		first := h.must(200, "GET", "/api/v1/orders?limit=2&status=confirmed", nil)
		first.want(t, "data.0.orderId", other, "data.1.orderId", ids[2], "meta.pagination.total", 4, "meta.pagination.nextOffset", 2)
		h.must(201, "POST", "/api/v1/orders", orderOf(event, listing, 1)) // comes in between
		second := h.must(200, "GET", "/api/v1/orders?limit=2&status=confirmed&cursor="+url.QueryEscape(first.text("meta.pagination.nextCursor")), nil)
		second.want(t, "data.0.orderId", ids[1], "data.1.orderId", ids[0])

		h.must(409, "POST", "/api/v1/orders", orderOf(event, listing, 20)).want(t, "code", "not_enough_tickets")
		h.must(404, "POST", "/api/v1/orders", orderOf("none", listing, 1)).want(t, "code", "event_not_found")
	})
}

func TestOrganisationsDoNotSeeEachOther(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Harbor Jazz Night")
		listing := h.listing(event, 4, "10")
		order := h.must(201, "POST", "/api/v1/orders", orderOf(event, listing, 1)).text("order.orderId")
		hook := h.must(201, "POST", "/api/v1/webhooks", map[string]any{"url": "http://127.0.0.1:9/", "events": []string{"*"}}).text("id")
		delivery := h.must(202, "POST", "/api/v1/webhooks/"+hook+"/test", nil).text("id")
		_, stranger := h.newOrg("Others")
		for _, c := range []struct {
			method, path string
			body         any
		}{
			{"GET", "/api/v1/events/" + event, nil},
			{"PATCH", "/api/v1/events/" + event, map[string]any{"name": "x"}},
			{"DELETE", "/api/v1/events/" + event, nil},
			{"POST", "/api/v1/events/" + event + "/cancel-orders", nil},
			{"GET", "/api/v1/events/" + event + "/cancel-orders", nil},
			{"GET", "/api/v1/inventory?eventId=" + event, nil},
			{"POST", "/api/v1/inventory", map[string]any{"eventId": event, "section": "1", "row": "1", "quantity": 1, "price": "1"}},
			{"GET", "/api/v1/inventory/" + listing, nil},
			{"PATCH", "/api/v1/inventory/" + listing, map[string]any{"price": "1"}},
			{"DELETE", "/api/v1/inventory/" + listing, nil},
			{"POST", "/api/v1/orders", orderOf(event, listing, 1)},
			{"PATCH", "/api/v1/orders", map[string]any{"orderId": order, "status": "accepted"}},
			{"GET", "/api/v1/orders/" + order, nil},
			{"POST", "/api/v1/orders/" + order + "/refund", nil},
			{"POST", "/api/v1/orders/" + order + "/issue", nil},
			{"GET", "/api/v1/webhooks/" + hook, nil},
			{"PATCH", "/api/v1/webhooks/" + hook, map[string]any{"active": false}},
			{"DELETE", "/api/v1/webhooks/" + hook, nil},
			{"POST", "/api/v1/webhooks/" + hook + "/test", nil},
			{"POST", "/api/v1/webhooks/" + hook + "/rotate-secret", nil},
			{"POST", "/api/v1/webhooks/" + hook + "/recover", map[string]any{"since": "2020-01-01T00:00:00Z"}},
			{"GET", "/api/v1/webhooks/" + hook + "/deliveries", nil},
			{"GET", "/api/v1/webhooks/" + hook + "/deliveries/" + delivery, nil},
			{"POST", "/api/v1/webhooks/" + hook + "/deliveries/" + delivery + "/redeliver", nil},
		} {
			h.must(404, c.method, c.path, c.body, "X-API-Key", stranger)
		}
		for _, path := range []string{"/api/v1/events?status=all", "/api/v1/orders", "/api/v1/webhooks"} {
			h.must(200, "GET", path, nil, "X-API-Key", stranger).want(t, "meta.pagination.total", 0)
		}
	})
}

func TestRepeatedPostHasOneEffect(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Harbor Jazz Night")
		listing := h.listing(event, 10, "10")
		order := h.must(201, "POST", "/api/v1/orders", orderOf(event, listing, 1)).text("order.orderId")
		hook := h.must(201, "POST", "/api/v1/webhooks", map[string]any{"url": "http://127.0.0.1:9/", "events": []string{"*"}}).text("id")
		for _, c := range []struct {
			path        string
			body, other any
		}{
			{"/api/v1/events", map[string]any{"name": "A", "startLocal": "2037-08-14T20:30:00"}, map[string]any{"name": "B", "startLocal": "2037-08-14T20:30:00"}},
			{"/api/v1/inventory", map[string]any{"eventId": event, "section": "C", "row": "1", "quantity": 1, "price": "1"}, map[string]any{"eventId": event, "section": "C", "row": "1", "quantity": 1, "price": "2"}},
			{"/api/v1/orders", orderOf(event, listing, 1), orderOf(event, listing, 2)},
			{"/api/v1/orders/" + order + "/issue", map[string]any{"reason": "a"}, map[string]any{"reason": "b"}},
			{"/api/v1/webhooks", map[string]any{"url": "http://127.0.0.1:9/", "events": []string{"*"}}, map[string]any{"url": "http://127.0.0.1:8/", "events": []string{"*"}}},
			{"/api/v1/webhooks/" + hook + "/rotate-secret", map[string]any{"overlapSeconds": 5}, map[string]any{"overlapSeconds": 6}},
			{"/api/v1/webhooks/" + hook + "/test", nil, nil},
			{"/api/v1/messages", map[string]any{"event": "acme.paid", "data": map[string]any{}}, map[string]any{"event": "acme.paid", "data": map[string]any{"a": 1}}},
		} {
			first := h.call("POST", c.path, c.body, "Idempotency-Key", "k1")
			if first.status/100 != 2 {
				t.Fatalf("POST %s = %d %s", c.path, first.status, first.raw)
			}
			again := h.must(first.status, "POST", c.path, c.body, "Idempotency-Key", "k1")
			if !bytes.Equal(first.raw, again.raw) || first.header.Get("Location") != again.header.Get("Location") || first.header.Get("ETag") != again.header.Get("ETag") {
				t.Errorf("POST %s twice with one key:\n%s %v\n%s %v", c.path, first.raw, first.header, again.raw, again.header)
			}
			if first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("POST %s: Idempotency-Replayed = %q, then %q; want it on the second", c.path, first.header.Get("Idempotency-Replayed"), again.header.Get("Idempotency-Replayed"))
			}
			if c.other != nil {
				h.must(422, "POST", c.path, c.other, "Idempotency-Key", "k1").want(t, "code", "idempotency_key_reused")
			}
			if fresh := h.call("POST", c.path, c.body, "Idempotency-Key", "k2"); fresh.header.Get("Idempotency-Replayed") != "" {
				t.Errorf("POST %s with another key was a replay", c.path)
			}
			second := h.newKey(org.KeyInput{})
			if fresh := h.call("POST", c.path, c.body, "Idempotency-Key", "k1", "X-API-Key", second); fresh.header.Get("Idempotency-Replayed") != "" {
				t.Errorf("POST %s with another API key was a replay", c.path)
			}
		}
		h.must(400, "POST", "/api/v1/orders", orderOf(event, listing, 1), "Idempotency-Key", "ä").want(t, "code", "invalid_idempotency_key")
		// What failed has changed nothing and may be tried again.
		h.must(409, "POST", "/api/v1/orders", orderOf(event, listing, 20), "Idempotency-Key", "k3")
		h.must(409, "POST", "/api/v1/orders", orderOf(event, listing, 20), "Idempotency-Key", "k3")
	})
}

func TestHundredIdenticalPostsMakeOneOrder(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Harbor Jazz Night")
		listing := h.listing(event, 200, "10")
		ids := make([]string, 100)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				ids[i] = h.call("POST", "/api/v1/orders", orderOf(event, listing, 1), "Idempotency-Key", "one").text("order.orderId")
			})
		}
		all.Wait()
		for i, id := range ids {
			if id != ids[0] || id == "" {
				t.Errorf("answer %d has the order %q, the first %q", i, id, ids[0])
			}
		}
		h.must(200, "GET", "/api/v1/orders", nil).want(t, "meta.pagination.total", 1)
		h.must(200, "GET", "/api/v1/events/"+event, nil).want(t, "numberOfSeats", 199)
	})
}

func TestCancellingAllOrdersGoesOnInTheBackground(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Harbor Jazz Night")
		listing := h.listing(event, 100, "10")
		for range 3 {
			h.must(201, "POST", "/api/v1/orders", orderOf(event, listing, 1))
		}
		path := "/api/v1/events/" + event + "/cancel-orders"
		h.must(404, "GET", path, nil)
		r := h.must(202, "POST", path, nil) // nobody works yet: the process ends here, as it were
		r.want(t, "state", "running", "total", 3, "done", 0, "eventId", event)
		if got := r.header.Get("Location"); got != path {
			t.Errorf("Location = %q, want %q", got, path)
		}
		h.must(202, "POST", path, nil).want(t, "state", "running", "total", 3)
		h.must(200, "GET", path, nil).want(t, "state", "running")
		h.run() // and begins again
		eventually(t, func() bool { return h.must(200, "GET", path, nil).text("state") == "done" })
		h.must(200, "GET", path, nil).want(t, "total", 3, "done", 3)
		h.must(200, "GET", "/api/v1/orders?status=cancelled", nil).want(t, "meta.pagination.total", 3)
		h.must(200, "GET", "/api/v1/events/"+event, nil).want(t, "numberOfSeats", 100)
	})
}

// eventually waits until f says yes. The bound is there so that a broken program ends; it says nothing about speed.
func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if f() {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it did not happen within a minute")
		}
	}
}

func TestPastAndCancelledEventsSellNothing(t *testing.T) {
	h := lite(t)
	event := h.event("Harbor Jazz Night")
	listing := h.listing(event, 4, "10")
	h.must(200, "PATCH", "/api/v1/events/"+event, `{"status":"cancelled"}`).want(t, "status", "cancelled", "numberOfSeats", 0)
	h.must(409, "POST", "/api/v1/orders", orderOf(event, listing, 1))
	h.must(200, "GET", "/api/v1/events", nil).want(t, "meta.pagination.total", 0)
	h.must(200, "GET", "/api/v1/events?status=cancelled", nil).want(t, "meta.pagination.total", 1)
	h.must(201, "POST", "/api/v1/events", fmt.Sprintf(`{"eventId":"over","name":"Over","startLocal":"%s","allDay":true}`, time.Now().AddDate(-1, 0, 0).Format("2006-01-02T00:00:00"))).
		want(t, "allDay", true, "time", "12:00 AM")
	h.must(200, "GET", "/api/v1/events?status=past", nil).want(t, "meta.pagination.total", 1, "data.0.eventId", "over")
	h.must(204, "DELETE", "/api/v1/events/over", nil)
	h.must(404, "GET", "/api/v1/events/over", nil)
}
