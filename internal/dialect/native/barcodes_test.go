package native_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/org"
)

// forPlaces is an upload: the values of the first places.
func forPlaces(values ...string) map[string]any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = map[string]any{"place": i + 1, "values": []string{v}}
	}
	return map[string]any{"barcodes": all}
}

func TestBarcodesOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Harbor Jazz Night")
		listing := h.must(201, "POST", "/api/v1/inventory", map[string]any{
			"eventId": event, "section": "B", "row": "4", "seats": []string{"7", "8", "9"}, "price": "10",
		}).text("listingId")
		order := h.must(201, "POST", "/api/v1/orders", orderOf(event, listing, 2)).text("order.orderId")
		rule, ofListing, ofOrder := "/api/v1/events/"+event+"/barcode-rule", "/api/v1/inventory/"+listing+"/barcodes", "/api/v1/orders/"+order+"/barcodes"
		h.must(201, "POST", "/api/v1/webhooks", map[string]any{"url": "http://127.0.0.1:9/", "format": "portal", "events": []string{"*"}})

		h.must(200, "GET", rule, nil).want(t, "pattern", nil, "minLength", nil)
		h.must(200, "PUT", rule, `{"pattern":"[a-z]+-[0-9]+","maxLength":12}`).want(t, "pattern", "[a-z]+-[0-9]+", "maxLength", 12, "minLength", nil)
		h.must(200, "GET", rule, nil).want(t, "maxLength", 12)
		h.must(400, "PUT", rule, `{"pattern":"("}`).want(t, "errors.0.pointer", "/pattern")
		h.must(404, "PUT", "/api/v1/events/none/barcode-rule", `{}`).want(t, "code", "event_not_found")

		r := h.must(200, "PUT", ofListing, forPlaces("seat-7", "seat-8", "seat-nine"))
		r.want(t, "listingId", listing, "status", "failed_validation", "changed", true, "barcodes.0.status", "received", "barcodes.2.status", "failed_validation",
			"barcodes.2.place", 3, "barcodes.2.seat", "9", "barcodes.2.row", "4")
		if bytes.Contains(r.raw, []byte("seat-")) {
			t.Errorf("a listing's barcodes show their values: %s", r.raw)
		}
		h.must(200, "PUT", ofListing, forPlaces("seat-7")).want(t, "changed", false, "status", "received")
		page := h.must(200, "GET", ofListing+"?limit=1&offset=1", nil)
		page.want(t, "meta.pagination.total", 3, "data.0.place", 2, "data.0.hashes.0", "7b9f3a921c3d9bc1f199fd5ae09c7404693c91274ceba987e97fa3a809b7bda5")
		h.must(400, "PUT", ofListing, forPlaces("a secret value", "x")).want(t, "errors.0.pointer", "/barcodes/0/values/0", "errors.0.code", "invalid")
		h.must(400, "PUT", ofListing, `{}`).want(t, "errors.0.pointer", "/barcodes")
		h.must(400, "PUT", ofListing, `{"barcodes":[{"place":4,"values":["x-1"]}]}`).want(t, "errors.0.pointer", "/barcodes/0/place", "errors.0.code", "unknown_place")
		if r := h.must(400, "PUT", ofListing, `{"barcodes":[{"place":1,"values":["secret\u0001"]},{"place":1,"values":"secret"}]}`); bytes.Contains(r.raw, []byte("secret")) {
			t.Errorf("the problem shows the value: %s", r.raw)
		}
		h.must(404, "GET", "/api/v1/inventory/000000000000000000000000/barcodes", nil).want(t, "code", "listing_not_found")

		r = h.must(200, "PUT", ofOrder, forPlaces("bad", "seat-80"))
		r.want(t, "success", true, "order.status", "issue", "order.issueCause", "barcodes", "order.previousStatus", "confirmed", "webhook.event", "order.purchase_issues",
			"webhook.sent", true, "message", "Order "+order+": barcodes have failed validation; upload others")
		etag := r.header.Get("ETag")
		h.must(200, "PUT", ofOrder, forPlaces("bad")).want(t, "webhook.sent", false, "message", "Order "+order+" has these barcodes already")
		h.must(412, "PUT", ofOrder, forPlaces("seat-70"), "If-Match", `"1"`).want(t, "code", "version_mismatch")
		got := h.must(200, "GET", ofOrder, nil)
		got.want(t, "orderId", order, "barcodes.0.status", "failed_validation", "barcodes.0.place", 1, "barcodes.0.seat", "7", "barcodes.0.values.0", "bad", "barcodes.1.values.0", "seat-80")
		r = h.must(200, "PUT", ofOrder, forPlaces("seat-70"), "If-Match", etag)
		r.want(t, "order.status", "fulfilled", "order.issueCause", nil, "order.transferMethod", "digital_download", "webhook.event", "order.fulfilled", "webhook.sent", true)

		missed := "/api/v1/orders/" + order + "/not-received"
		h.must(200, "POST", missed, `{"note":"nothing in the mail"}`).want(t, "order.status", "issue", "order.issueCause", "not_received", "order.issueReason", "nothing in the mail",
			"webhook.event", "order.purchase_issues", "webhook.sent", true)
		h.must(200, "POST", missed, nil).want(t, "webhook.sent", false)
		h.must(200, "PUT", ofOrder, forPlaces("seat-70", "seat-80")).want(t, "order.status", "fulfilled")
		h.must(200, "PATCH", "/api/v1/orders", map[string]any{"orderId": order, "status": "cancelled"})
		h.must(409, "POST", missed, nil).want(t, "code", "invalid_transition")
		h.must(409, "PUT", ofOrder, forPlaces("seat-70")).want(t, "code", "invalid_transition")
		if diff := cmp.Diff([]any{}, h.must(200, "GET", ofOrder, nil).at("barcodes")); diff != "" {
			t.Errorf("barcodes of a cancelled order (-want +got):\n%s", diff)
		}
		h.must(200, "GET", ofListing, nil).want(t, "meta.pagination.total", 1)
	})
}

// Who has a barcode may come in: the buyer gets theirs from the organisation, not from the API.
func TestAnAttendeeSeesNoBarcodes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Harbor Jazz Night")
		listing := h.listing(event, 2, "10")
		order := h.must(201, "POST", "/api/v1/orders", orderOf(event, listing, 1)).text("order.orderId")
		h.must(200, "PUT", "/api/v1/orders/"+order+"/barcodes", forPlaces("seat-7"))
		buyer := h.guest("buyer@example.com")
		for _, path := range []string{"/api/v1/orders/" + order + "/barcodes", "/api/v1/inventory/" + listing + "/barcodes", "/api/v1/events/" + event + "/barcode-rule"} {
			h.as(buyer, 403, "GET", path, nil).want(t, "code", "insufficient_role")
		}
		token, _ := h.personal(h.org, h.user(h.org, "desk@example.com", org.Member), org.TokenInput{})
		h.as(token, 200, "GET", "/api/v1/orders/"+order+"/barcodes", nil).want(t, "barcodes.0.values.0", "seat-7")
	})
}

// A large upload is one request.
func TestAThousandPlacesAtOnce(t *testing.T) {
	h := lite(t)
	listing := h.listing(h.event("Harbor Jazz Night"), 1000, "10")
	values := make([]string, 1000)
	for i := range values {
		values[i] = fmt.Sprintf("7788%08d", i)
	}
	r := h.must(200, "PUT", "/api/v1/inventory/"+listing+"/barcodes", forPlaces(values...))
	if all, _ := r.at("barcodes").([]any); len(all) != 1000 || r.text("status") != "received" {
		t.Errorf("%d places are %s, want 1000 received", len(all), r.text("status"))
	}
}
