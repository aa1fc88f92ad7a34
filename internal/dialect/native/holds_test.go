package native_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/org"
)

func TestAHoldIsItsHoldersAndTheOrganisations(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		listing := h.listing(event, 20, "10")
		kari, ola := h.guest("kari@example.com"), h.guest("ola@example.com")
		member, _ := h.personal(h.org, h.user(h.org, "member@example.com", org.Member), org.TokenInput{})
		in := map[string]any{"eventId": event, "listingId": listing, "quantity": 2}
		held := h.as(kari, 201, "POST", "/api/v1/holds", in)
		path := held.header.Get("Location")
		h.as(ola, 404, "GET", path, nil).want(t, "code", "hold_not_found")
		h.as(ola, 404, "DELETE", path, nil)
		h.as(ola, 404, "POST", path+"/extend", nil)
		order := map[string]any{"holdId": held.text("id"), "customer": orderOf(event, listing, 1)["customer"]}
		order["customer"].(map[string]any)["email"] = "ola@example.com"
		h.as(ola, 404, "POST", "/api/v1/orders", order).want(t, "code", "hold_not_found")
		if diff := cmp.Diff([]string{held.text("id")}, ids(h.as(kari, 200, "GET", "/api/v1/holds", nil), "id")); diff != "" {
			t.Errorf("Kari's holds (-want +got):\n%s", diff)
		}
		h.as(ola, 200, "GET", "/api/v1/holds", nil).want(t, "meta.pagination.total", 0)
		h.as(member, 200, "GET", path, nil).want(t, "status", "active")
		h.must(200, "POST", path+"/extend", nil).want(t, "extended", true)

		h.as(kari, 400, "POST", "/api/v1/holds", map[string]any{"eventId": event, "listingId": listing, "quantity": 2, "seconds": 601}).want(t, "errors.0.pointer", "/seconds")
		h.must(201, "POST", "/api/v1/holds", map[string]any{"eventId": event, "listingId": listing, "quantity": 2, "seconds": 3600})
		hidden := h.must(201, "POST", "/api/v1/events", `{"name":"Hidden","startLocal":"2037-08-14T20:30:00","status":"draft"}`).text("eventId")
		h.as(kari, 404, "POST", "/api/v1/holds", map[string]any{"eventId": hidden, "listingId": listing, "quantity": 2}).want(t, "code", "event_not_found")

		order["customer"].(map[string]any)["email"] = "kari@example.com"
		h.as(kari, 201, "POST", "/api/v1/orders", order).want(t, "order.quantity", 2)
		h.as(kari, 409, "POST", "/api/v1/orders", order).want(t, "code", "hold_converted")
		h.as(kari, 204, "DELETE", h.as(kari, 201, "POST", "/api/v1/holds", in).header.Get("Location"), nil)
		h.must(409, "DELETE", "/api/v1/events/"+event, nil).want(t, "code", "event_has_orders")
	})
}

func TestAHoldIsPlacedOnceWithOneKey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		in := map[string]any{"eventId": event, "listingId": h.listing(event, 20, "10"), "quantity": 2}
		first := h.must(201, "POST", "/api/v1/holds", in, "Idempotency-Key", "k1")
		again := h.must(201, "POST", "/api/v1/holds", in, "Idempotency-Key", "k1")
		if first.text("id") != again.text("id") {
			t.Errorf("the same key placed %s and %s", first.text("id"), again.text("id"))
		}
		h.must(200, "GET", "/api/v1/holds", nil).want(t, "meta.pagination.total", 1)
	})
}

func TestAttendeesSeeTicketTypesWithoutTheirCodes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		types := "/api/v1/events/" + h.event("Night") + "/ticket-types"
		shown := h.must(201, "POST", types, map[string]any{"name": "Friends", "price": "10", "quantity": 5, "code": "sesame"}).header.Get("Location")
		hidden := h.must(201, "POST", types, map[string]any{"name": "Later", "price": "10", "quantity": 5, "status": "draft"}).header.Get("Location")
		kari := h.guest("kari@example.com")
		h.as(kari, 200, "GET", types, nil).want(t, "meta.pagination.total", 1, "data.0.codeRequired", true, "data.0.code", nil)
		h.as(kari, 200, "GET", shown, nil).want(t, "code", nil, "quantity", 5)
		h.as(kari, 404, "GET", hidden, nil).want(t, "code", "ticket_type_not_found")
		h.must(200, "GET", shown, nil).want(t, "code", "sesame")
		h.must(200, "GET", types, nil).want(t, "meta.pagination.total", 2)
		h.must(412, "PATCH", shown, map[string]any{"price": "11"}, "If-Match", `"9"`)
		h.must(200, "PATCH", shown, map[string]any{"code": nil, "price": "11"}, "If-Match", `"1"`).want(t, "codeRequired", false, "price", "11.00")
	})
}
