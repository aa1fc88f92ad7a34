package native_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

// as is must with another credential.
func (h *house) as(token string, status int, method, path string, body any, header ...string) response {
	h.t.Helper()
	return h.must(status, method, path, body, append([]string{"X-API-Key", "", "Authorization", "Bearer " + token}, header...)...)
}

// guest is an attendee's token.
func (h *house) guest(email string) string {
	h.t.Helper()
	token, _ := h.personal(h.org, h.user(h.org, email, ""), org.TokenInput{})
	return token
}

func ids(r response, name string) (all []string) {
	list, _ := r.at("data").([]any)
	for _, one := range list {
		all = append(all, one.(map[string]any)[name].(string))
	}
	return all
}

func TestAttendeeSeesWhatIsPublicAndNotEvenTheNumberOfTheRest(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		guest := h.guest("guest@example.com")
		shown, cancelled := h.event("Shown"), h.event("Cancelled")
		h.must(200, "PATCH", "/api/v1/events/"+cancelled, `{"status":"cancelled"}`)
		hidden := h.must(201, "POST", "/api/v1/events", `{"name":"Hidden","startLocal":"2037-08-14T20:30:00","status":"draft"}`).text("eventId")
		listed := map[string]string{}
		for _, status := range []string{"active", "paused", "draft", "withdrawn"} {
			made := map[string]any{"eventId": shown, "section": "1", "row": status, "quantity": 2, "price": "10", "status": status}
			if status == "withdrawn" {
				made["status"] = "active"
			}
			l := h.must(201, "POST", "/api/v1/inventory", made).text("listingId")
			if status == "withdrawn" {
				h.must(204, "DELETE", "/api/v1/inventory/"+l, nil)
			}
			listed[status] = l
		}
		sold := h.listing(shown, 1, "5")
		h.must(201, "POST", "/api/v1/orders", orderOf(shown, sold, 1))
		listed["sold_out"] = sold
		ofHidden := h.listing(hidden, 2, "10")

		for query, want := range map[string][]string{
			"": {shown}, "?status=draft": nil, "?status=all": {shown, cancelled}, "?status=cancelled": {cancelled}, "?sortBy=lastUpdated&status=draft": nil,
		} {
			r := h.as(guest, 200, "GET", "/api/v1/events"+query, nil)
			if diff := cmp.Diff(want, ids(r, "eventId")); diff != "" {
				t.Errorf("events%s (-want +got):\n%s", query, diff)
			}
			r.want(t, "meta.pagination.total", len(want))
		}
		h.must(200, "GET", "/api/v1/events?status=all", nil).want(t, "meta.pagination.total", 3)
		h.as(guest, 200, "GET", "/api/v1/events/"+cancelled, nil)
		h.as(guest, 404, "GET", "/api/v1/events/"+hidden, nil).want(t, "code", "event_not_found")
		h.as(guest, 404, "GET", "/api/v1/inventory?eventId="+hidden, nil).want(t, "code", "event_not_found")
		h.as(guest, 404, "GET", "/api/v1/inventory/"+ofHidden, nil).want(t, "code", "listing_not_found")

		for query, want := range map[string]int{"": 1, "&status=all": 2, "&status=sold_out": 1, "&status=draft": 0, "&status=paused": 0, "&status=withdrawn": 0, "&listingId=" + listed["paused"] + "&status=all": 0} {
			h.as(guest, 200, "GET", "/api/v1/inventory?eventId="+shown+query, nil).want(t, "meta.pagination.total", want)
		}
		for status, l := range listed {
			want := 404
			if status == "active" || status == "sold_out" {
				want = 200
			}
			h.as(guest, want, "GET", "/api/v1/inventory/"+l, nil)
			h.must(200, "GET", "/api/v1/inventory/"+l, nil)
		}

		member, _ := h.personal(h.org, h.user(h.org, "member@example.com", org.Member), org.TokenInput{})
		h.as(member, 200, "GET", "/api/v1/events/"+hidden, nil) // who belongs to the organisation sees it all
	})
}

func TestAttendeeSeesTheirOwnOrdersAndNoOthers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		listing := h.listing(event, 20, "10")
		placed := map[string][]string{}
		for _, email := range []string{"Kari@Example.com", "ola@example.com", "kari@example.com", "kari@example.com.evil.example", "KARI@EXAMPLE.COM"} {
			o := orderOf(event, listing, 1)
			o["customer"].(map[string]any)["email"] = email
			who := strings.ToLower(email)
			placed[who] = append([]string{h.must(201, "POST", "/api/v1/orders", o).text("order.orderId")}, placed[who]...)
		}
		kari := h.guest("kari@Example.com")
		shy, _ := h.personal(h.org, h.unverified("ola@example.com"), org.TokenInput{})
		for token, want := range map[string][]string{kari: placed["kari@example.com"], shy: nil} {
			for _, query := range []string{"", "?eventId=" + event, "?status=confirmed", "?email=KARI@example.com"} {
				r := h.as(token, 200, "GET", "/api/v1/orders"+query, nil)
				if diff := cmp.Diff(want, ids(r, "orderId")); diff != "" {
					t.Errorf("orders%s (-want +got):\n%s", query, diff)
				}
				r.want(t, "meta.pagination.total", len(want))
			}
			h.as(token, 200, "GET", "/api/v1/orders?email=ola@example.com", nil).want(t, "meta.pagination.total", 0, "meta.filters.email", "ola@example.com")
			for who, all := range placed {
				for _, o := range all {
					status := 404
					if token == kari && who == "kari@example.com" {
						status = 200
					}
					if r := h.as(token, status, "GET", "/api/v1/orders/"+o, nil); status == 404 {
						r.want(t, "code", "order_not_found")
					}
				}
			}
		}
		first := h.as(kari, 200, "GET", "/api/v1/orders?limit=2", nil)
		first.want(t, "meta.pagination.total", 3, "meta.pagination.hasMore", true)
		h.as(kari, 200, "GET", "/api/v1/orders?limit=2&cursor="+first.text("meta.pagination.nextCursor"), nil).want(t, "data.0.orderId", placed["kari@example.com"][2], "meta.pagination.hasMore", false)
		for _, path := range []string{"/refund", "/issue"} {
			h.as(kari, 403, "POST", "/api/v1/orders/"+placed["kari@example.com"][0]+path, nil).want(t, "code", "insufficient_role")
		}
		h.as(kari, 403, "PATCH", "/api/v1/orders", map[string]any{"orderId": placed["kari@example.com"][0], "status": "cancelled"}).want(t, "code", "insufficient_role")
	})
}

func TestAttendeeOrdersInTheirOwnName(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		listing := h.listing(event, 20, "10")
		order := func(event, email string) map[string]any {
			o := orderOf(event, listing, 1)
			o["customer"].(map[string]any)["email"] = email
			return o
		}
		kari := h.guest("kari@example.com")
		shy, _ := h.personal(h.org, h.unverified("ola@example.com"), org.TokenInput{})
		h.as(shy, 403, "POST", "/api/v1/orders", order(event, "ola@example.com")).want(t, "code", "email_not_verified")
		h.as(kari, 400, "POST", "/api/v1/orders", order(event, "ola@example.com")).want(t, "errors.0.pointer", "/customer/email", "errors.0.code", "not_yours")
		hidden := h.must(201, "POST", "/api/v1/events", `{"name":"Hidden","startLocal":"2037-08-14T20:30:00","status":"draft"}`).text("eventId")
		h.as(kari, 404, "POST", "/api/v1/orders", order(hidden, "kari@example.com")).want(t, "code", "event_not_found")
		h.must(409, "POST", "/api/v1/orders", order(hidden, "kari@example.com")) // who may know of it hears why

		r := h.as(kari, 201, "POST", "/api/v1/orders", order(event, " Kari@example.com"))
		h.as(kari, 200, "GET", r.header.Get("Location"), nil).want(t, "status", "confirmed")
		h.must(200, "GET", "/api/v1/inventory/"+listing, nil).want(t, "quantity", 19)
		h.must(200, "GET", "/api/v1/orders", nil).want(t, "meta.pagination.total", 1)
	})
}

// An address is one's own from the moment that it was verified, not before.
func TestOrdersAppearWhenTheAddressIsVerified(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		h.must(201, "POST", "/api/v1/orders", orderOf(event, h.listing(event, 2, "10"), 1))
		u := h.unverified("buyer@example.com")
		before, _ := h.personal(h.org, u, org.TokenInput{})
		h.as(before, 200, "GET", "/api/v1/orders", nil).want(t, "meta.pagination.total", 0)
		h.as(before, 200, "GET", "/api/v1/profile", nil).want(t, "emailVerified", false, "role", nil)
		h.alone("verify", func(tx *db.Tx) error { return h.people.Verify(tx, u.No) })
		after, _ := h.personal(h.org, u, org.TokenInput{}) // one that nobody remembers
		h.as(after, 200, "GET", "/api/v1/orders", nil).want(t, "meta.pagination.total", 1)
		h.as(after, 200, "GET", "/api/v1/profile", nil).want(t, "emailVerified", true)
	})
}
