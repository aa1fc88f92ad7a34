package native_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"image/png"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
	"github.com/stagedoorhq/stagedoor/ticketcode"
)

func purchaseOf(event, listing string, n int) map[string]any {
	return map[string]any{"eventId": event, "listingId": listing, "quantity": n, "customer": map[string]any{"phone": map[string]any{"number": "5551234567", "countryCode": "+1"}}}
}

// bought has somebody buy n tickets for themselves, and returns them as they are answered.
func (h *house) bought(token, event string, n int) []response {
	h.t.Helper()
	r := h.as(token, 201, "POST", "/api/v1/tickets", purchaseOf(event, h.listing(event, n, "75.33"), n))
	var all []response
	for _, one := range r.at("tickets").([]any) {
		raw, _ := json.Marshal(one)
		all = append(all, response{status: 201, raw: raw, body: one.(map[string]any)})
	}
	return all
}

func (h *house) publicKeys() *ticketcode.KeySet {
	h.t.Helper()
	keys, err := ticketcode.ParseKeySet(h.as("", 200, "GET", "/.well-known/stagedoor-keys.json", nil).raw)
	if err != nil {
		h.t.Fatal(err)
	}
	return keys
}

func TestTicketOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		kari := h.guest("kari@example.com")
		made := h.bought(kari, event, 2)
		if len(made) != 2 {
			t.Fatalf("%d tickets were answered, want 2", len(made))
		}
		for i, one := range made {
			one.want(t, "eventId", event, "section", "101", "row", "A", "place", i+1, "places", 2, "price", "75.33", "currency", "USD", "status", "valid",
				"generation", 1, "holder.email", "kari@example.com", "holder.name", "", "version", 1, "validFrom", nil)
			token, err := h.publicKeys().Verify(one.text("code"), time.Now())
			if err != nil || token.Ticket.String() != one.text("id") {
				t.Errorf("the code of %s verifies as %s, %v", one.text("id"), token.Ticket, err)
			}
			r := h.as(kari, 200, "GET", "/api/v1/tickets/"+one.text("id"), nil)
			if diff := cmp.Diff(one.body, r.body); diff != "" || r.header.Get("ETag") != `"1"` {
				t.Errorf("as read, ETag %s (-answered +read):\n%s", r.header.Get("ETag"), diff)
			}
			if short, err := ticketcode.ParseShortCode(one.text("shortCode")); err != nil || short != one.text("shortCode") {
				t.Errorf("shortCode: %q, %v", one.text("shortCode"), err)
			}
		}
		h.must(404, "GET", "/api/v1/tickets/tkt_00000000000000000000000000", nil).want(t, "code", "ticket_not_found")
		h.must(404, "GET", "/api/v1/tickets/x", nil).want(t, "code", "ticket_not_found")
	})
}

func TestTicketsAreListedWithFilters(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := h.event("First"), h.event("Second")
		kari, ola := h.guest("kari@example.com"), h.guest("ola@example.com")
		a, b := h.bought(kari, first, 3), h.bought(ola, second, 2)
		h.must(200, "POST", "/api/v1/tickets/"+a[0].text("id")+"/cancel", nil)
		h.must(200, "POST", "/api/v1/tickets/"+b[1].text("id")+"/block", nil)
		all := []string{b[1].text("id"), b[0].text("id"), a[2].text("id"), a[1].text("id"), a[0].text("id")}
		for query, want := range map[string][]string{
			"": all, "?eventId=" + first: all[2:], "?orderId=" + b[0].text("orderId"): all[:2], "?holder=KARI@example.com": all[2:], "?status=void": all[4:],
			"?status=blocked": all[:1], "?status=valid&eventId=" + first: all[2:4], "?eventId=none": nil, "?orderId=none": nil, "?status=checked_in": nil,
		} {
			r := h.must(200, "GET", "/api/v1/tickets"+query, nil)
			if diff := cmp.Diff(want, ids(r, "id")); diff != "" {
				t.Errorf("tickets%s (-want +got):\n%s", query, diff)
			}
			r.want(t, "meta.pagination.total", len(want))
			if bytes.Contains(r.raw, []byte("SD1:")) || bytes.Contains(r.raw, []byte("shortCode")) {
				t.Errorf("tickets%s shows codes", query)
			}
		}
		var got []string
		cursor := ""
		for range all {
			r := h.must(200, "GET", "/api/v1/tickets?limit=2&cursor="+url.QueryEscape(cursor), nil)
			got = append(got, ids(r, "id")...)
			if cursor = r.text("meta.pagination.nextCursor"); cursor == "" {
				break
			}
		}
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("by cursor (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(all[3:4], ids(h.must(200, "GET", "/api/v1/tickets?limit=1&offset=3", nil), "id")); diff != "" {
			t.Errorf("by offset (-want +got):\n%s", diff)
		}
		h.must(400, "GET", "/api/v1/tickets?status=lost", nil).want(t, "errors.0.pointer", "status")
		h.must(400, "GET", "/api/v1/tickets?cursor=x", nil).want(t, "errors.0.code", "invalid_cursor")

		// People see what they hold, whatever they ask for.
		shy, _ := h.personal(h.org, h.unverified("kari@example.org"), org.TokenInput{})
		for token, want := range map[string][]string{kari: all[2:], ola: all[:2], shy: nil} {
			if diff := cmp.Diff(want, ids(h.as(token, 200, "GET", "/api/v1/tickets", nil), "id")); diff != "" {
				t.Errorf("a person's own (-want +got):\n%s", diff)
			}
		}
		h.as(kari, 200, "GET", "/api/v1/tickets?holder=ola@example.com", nil).want(t, "meta.pagination.total", 0)
		h.as(kari, 200, "GET", "/api/v1/tickets?orderId="+b[0].text("orderId"), nil).want(t, "meta.pagination.total", 0)
	})
}

func TestCodesAreForTheHolderAndTheOrganisation(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		u := h.user(h.org, "kari@example.com", "")
		kari, _ := h.personal(h.org, u, org.TokenInput{})
		ola := h.guest("ola@example.com")
		one := h.bought(kari, event, 1)[0]
		path := "/api/v1/tickets/" + one.text("id")

		a := h.app(h.org, "Wallet")
		app := a.allowed(u, scope.Of(scope.TicketsRead))
		member, _ := h.personal(h.org, h.user(h.org, "member@example.com", org.Member), org.TokenInput{Scopes: scope.Of(scope.TicketsRead)})
		key := h.newKey(org.KeyInput{Scopes: scope.Of(scope.TicketsRead)})
		for who, token := range map[string]string{"holder": kari, "their app": app, "member": member, "key": key, "the organisation's app": a.itself(scope.Of(scope.TicketsRead))} {
			r := h.as(token, 200, "GET", path, nil)
			if r.text("code") != one.text("code") || r.text("shortCode") != one.text("shortCode") {
				t.Errorf("%s sees the codes %q and %q", who, r.text("code"), r.text("shortCode"))
			}
			h.as(token, 200, "GET", path+"/qr.svg", nil)
		}
		h.as(ola, 404, "GET", path, nil)
		h.as(ola, 404, "GET", path+"/qr.png", nil)

		h.as(kari, 200, "POST", path+"/transfer", map[string]any{"email": "ola@example.com"})
		h.as(ola, 404, "GET", path, nil) // an offer shows nothing yet
		accepted := h.as(ola, 200, "POST", path+"/transfer", map[string]any{"action": "accept", "name": "Ola Nordmann"})
		accepted.want(t, "transfer.state", "accepted", "transfer.from", "kari@example.com", "ticket.generation", 2, "ticket.holder.name", "Ola Nordmann", "ticket.holder.email", "ola@example.com")
		if code := accepted.text("ticket.code"); code == "" || code == one.text("code") {
			t.Errorf("the new holder's code is %q", code)
		}
		// Who bought it sees it, and neither its codes nor whose it is.
		for _, token := range []string{kari, app} {
			h.as(token, 200, "GET", path, nil).want(t, "code", nil, "shortCode", nil, "holder", nil, "generation", 2)
			h.as(token, 403, "GET", path+"/qr.svg", nil).want(t, "code", "not_holder")
		}
		h.as(kari, 403, "PATCH", path, map[string]any{"holder": map[string]any{"name": "Kari"}}).want(t, "code", "not_holder")
	})
}

func TestVerifyTellsWhetherATicketIsValid(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		kari := h.guest("kari@example.com")
		made := h.bought(kari, event, 3)
		path := func(i int) string { return "/api/v1/tickets/" + made[i].text("id") }
		verify := func(i int, code string) response {
			t.Helper()
			target := path(i) + "/verify"
			if code != "" {
				target += "?code=" + url.QueryEscape(code)
			}
			return h.must(200, "GET", target, nil)
		}
		for _, code := range []string{"", made[0].text("code"), made[0].text("shortCode"), strings.ToLower(strings.ReplaceAll(made[0].text("shortCode"), "-", ""))} {
			verify(0, code).want(t, "valid", true, "reason", nil, "status", "valid", "ticketId", made[0].text("id"), "eventId", event)
		}
		verify(0, made[1].text("code")).want(t, "valid", false, "reason", "other_ticket")
		verify(0, "hello").want(t, "valid", false, "reason", "unknown")
		h.must(200, "POST", path(1)+"/block", nil).want(t, "status", "blocked", "version", 2)
		verify(1, made[1].text("code")).want(t, "valid", false, "reason", "blocked", "status", "blocked")
		h.must(200, "POST", path(1)+"/unblock", nil).want(t, "status", "valid", "version", 3)
		verify(1, made[1].text("code")).want(t, "valid", true)
		h.must(200, "POST", path(1)+"/transfer", map[string]any{"email": "ola@example.com"})
		h.must(200, "POST", path(1)+"/transfer", map[string]any{"action": "accept"})
		verify(1, made[1].text("code")).want(t, "valid", false, "reason", "revoked_generation", "generation", 2)
		verify(1, "").want(t, "valid", true)
		h.must(204, "DELETE", path(2), nil)
		verify(2, "").want(t, "valid", false, "reason", "void", "status", "void")
		h.must(200, "PATCH", "/api/v1/events/"+event, `{"status":"cancelled"}`)
		verify(0, "").want(t, "valid", false, "reason", "event_cancelled")
		h.as(kari, 200, "GET", path(0)+"/verify", nil).want(t, "reason", "event_cancelled")
		h.as(kari, 200, "GET", path(0)+"/verify?code="+made[1].text("shortCode"), nil).want(t, "reason", "unknown") // a guess tells nothing
	})
}

func TestTransferGoesStepByStep(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		kari, ola, eva := h.guest("kari@example.com"), h.guest("ola@example.com"), h.guest("eva@example.com")
		shy, _ := h.personal(h.org, h.unverified("shy@example.com"), org.TokenInput{})
		path := "/api/v1/tickets/" + h.bought(kari, event, 1)[0].text("id")
		do := func(token string, status int, body map[string]any, header ...string) response {
			t.Helper()
			return h.as(token, status, "POST", path+"/transfer", body, header...)
		}
		do(kari, 400, map[string]any{"email": "nobody"}).want(t, "errors.0.pointer", "/email")
		do(kari, 400, map[string]any{}).want(t, "errors.0.pointer", "/email")
		do(kari, 400, map[string]any{"email": "ola@example.com", "expiresIn": 1}).want(t, "errors.0.pointer", "/expiresIn")
		do(kari, 400, map[string]any{"action": "steal"}).want(t, "errors.0.pointer", "/action")
		do(ola, 404, map[string]any{"email": "ola@example.com"}).want(t, "code", "ticket_not_found")
		do(shy, 404, map[string]any{"action": "accept"}).want(t, "code", "ticket_not_found")
		do(kari, 412, map[string]any{"email": "ola@example.com"}, "If-Match", `"9"`)

		r := do(kari, 200, map[string]any{"action": "offer", "email": "ola@example.com", "expiresIn": 3600}, "If-Match", `"1"`)
		r.want(t, "transfer.n", 1, "transfer.state", "offered", "transfer.to", "ola@example.com", "transfer.endedAt", nil, "ticket.version", 2, "ticket.holder.email", "kari@example.com")
		do(kari, 200, map[string]any{"email": "OLA@example.com"}).want(t, "transfer.n", 1) // the same again
		do(kari, 409, map[string]any{"email": "eva@example.com"}).want(t, "code", "transfer_open")
		do(eva, 404, map[string]any{"action": "accept"}).want(t, "code", "ticket_not_found")
		do(kari, 409, map[string]any{"action": "accept"}).want(t, "code", "transfer_not_open")
		do(ola, 200, map[string]any{"action": "decline"}).want(t, "transfer.state", "declined", "ticket", nil)
		do(kari, 200, map[string]any{"email": "eva@example.com"})
		do(kari, 200, map[string]any{"action": "revoke"}).want(t, "transfer.state", "revoked", "ticket.generation", 1)
		do(eva, 404, map[string]any{"action": "accept"})
		do(kari, 200, map[string]any{"email": "eva@example.com"})
		do(eva, 200, map[string]any{"action": "accept", "name": "Eva"}).want(t, "ticket.holder.name", "Eva")
		do(kari, 403, map[string]any{"email": "ola@example.com"}).want(t, "code", "not_holder")

		for token, want := range map[string]string{h.key: "declined revoked accepted", kari: "declined revoked accepted", ola: "declined", eva: "revoked accepted"} {
			r := h.as(token, 200, "GET", path+"/transfers", nil)
			var states []string
			for _, x := range r.at("data").([]any) {
				states = append(states, x.(map[string]any)["state"].(string))
			}
			if got := strings.Join(states, " "); got != want {
				t.Errorf("the transfers that one sees are %q, want %q", got, want)
			}
		}
		h.as(shy, 404, "GET", path+"/transfers", nil)
	})
}

func TestOffersAreMailedOnceTheyAreOnDisk(t *testing.T) {
	h := lite(t)
	var mu sync.Mutex
	var told []string
	h.api.Offered = func(x ticket.Transfer, organisation, event string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprintf("%s %s %s %s", x.To, organisation, event, x.State))
	}
	kari := h.guest("kari@example.com")
	path := "/api/v1/tickets/" + h.bought(kari, h.event("Night"), 1)[0].text("id") + "/transfer"
	for range 2 { // asked again with the same key, and then anew: one mail
		h.as(kari, 200, "POST", path, map[string]any{"email": "ola@example.com"}, "Idempotency-Key", "offer-1")
	}
	h.as(kari, 200, "POST", path, map[string]any{"email": "ola@example.com"})
	h.as(kari, 400, "POST", path, map[string]any{"email": "kari@example.com"})
	if diff := cmp.Diff([]string{"ola@example.com Harbor Jazz Night offered"}, told); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
}

func TestHoldersAreCorrected(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		kari := h.guest("kari@example.com")
		one := h.bought(kari, h.event("Night"), 1)[0]
		path := "/api/v1/tickets/" + one.text("id")
		holder := func(fields map[string]any) map[string]any { return map[string]any{"holder": fields} }
		r := h.as(kari, 200, "PATCH", path, holder(map[string]any{"name": "Kari Nordmann"}), "If-Match", `"1"`)
		r.want(t, "holder.name", "Kari Nordmann", "version", 2, "code", one.text("code"))
		if r.header.Get("ETag") != `"2"` {
			t.Errorf("ETag = %s, want \"2\"", r.header.Get("ETag"))
		}
		h.as(kari, 400, "PATCH", path, holder(map[string]any{"email": "ola@example.com"})).want(t, "errors.0.pointer", "/holder/email", "errors.0.code", "not_yours")
		h.must(412, "PATCH", path, holder(map[string]any{"name": "X"}), "If-Match", `"1"`).want(t, "code", "version_mismatch")
		h.must(400, "PATCH", path, holder(map[string]any{"name": "a@b"})).want(t, "errors.0.pointer", "/holder/name")
		h.must(400, "PATCH", path, holder(map[string]any{"email": "x"})).want(t, "errors.0.pointer", "/holder/email")
		h.must(200, "PATCH", path, holder(map[string]any{"email": "kari.nordmann@example.com"})).want(t, "holder.email", "kari.nordmann@example.com", "generation", 1)
		h.must(200, "POST", path+"/cancel", nil, "If-Match", `"3"`).want(t, "status", "void", "code", nil)
		h.must(412, "POST", path+"/cancel", nil, "If-Match", `"3"`)
		h.must(200, "POST", path+"/cancel", nil).want(t, "version", 4) // it is so already
		h.must(409, "POST", path+"/block", nil).want(t, "code", "invalid_transition")
		h.must(409, "GET", path+"/qr.svg", nil).want(t, "code", "ticket_without_code")
	})
}

func TestPeopleBuyForThemselves(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		listing := h.listing(event, 10, "10")
		shy, _ := h.personal(h.org, h.unverified("shy@example.com"), org.TokenInput{})
		boss, _ := h.personal(h.org, h.user(h.org, "boss@example.com", org.Owner), org.TokenInput{})
		with := func(email string) map[string]any {
			p := purchaseOf(event, listing, 1)
			p["customer"].(map[string]any)["email"] = email
			return p
		}
		h.as(shy, 403, "POST", "/api/v1/tickets", purchaseOf(event, listing, 1)).want(t, "code", "email_not_verified")
		kari := h.guest("kari@example.com")
		h.as(kari, 400, "POST", "/api/v1/tickets", with("ola@example.com")).want(t, "errors.0.pointer", "/customer/email")
		h.must(400, "POST", "/api/v1/tickets", purchaseOf(event, listing, 1)).want(t, "errors.0.pointer", "/customer/email") // whose key is nobody's
		h.must(201, "POST", "/api/v1/tickets", with("ola@example.com")).want(t, "tickets.0.holder.email", "ola@example.com", "order.quantity", 1, "order.status", "confirmed")
		r := h.as(boss, 201, "POST", "/api/v1/tickets", map[string]any{"eventId": event, "section": "101", "row": "A", "quantity": 2, "customer": purchaseOf(event, "", 1)["customer"]})
		r.want(t, "tickets.1.holder.email", "boss@example.com", "order.customer.email", "boss@example.com", "tickets.1.place", 2)
		h.must(200, "GET", r.header.Get("Location"), nil).want(t, "orderId", r.text("order.orderId"))

		first := h.as(kari, 201, "POST", "/api/v1/tickets", purchaseOf(event, listing, 2), "Idempotency-Key", "mine")
		again := h.as(kari, 201, "POST", "/api/v1/tickets", purchaseOf(event, listing, 2), "Idempotency-Key", "mine")
		if !bytes.Equal(first.raw, again.raw) || again.header.Get("Idempotency-Replayed") != "true" {
			t.Error("a repeated purchase is not answered as the first was")
		}
		h.must(200, "GET", "/api/v1/inventory/"+listing, nil).want(t, "quantity", 5)
		h.as(kari, 409, "POST", "/api/v1/tickets", purchaseOf(event, listing, 6)).want(t, "code", "not_enough_tickets")
		h.as(kari, 404, "POST", "/api/v1/tickets", purchaseOf("none", listing, 1))
		r = h.as(kari, 400, "POST", "/api/v1/tickets", map[string]any{"eventId": event, "listingId": listing, "quantity": 0, "seat": 4, "customer": map[string]any{"phone": map[string]any{"number": "x", "countryCode": "+1"}}})
		if diff := cmp.Diff([]string{"/customer/phone/number invalid", "/quantity out_of_range", "/seat unknown_field"}, r.faults()); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	})
}

func TestQRCodesArePictures(t *testing.T) {
	h := lite(t)
	kari := h.guest("kari@example.com")
	path := "/api/v1/tickets/" + h.bought(kari, h.event("Night"), 1)[0].text("id")
	for _, size := range []int{100, 400, 2000} {
		r := h.as(kari, 200, "GET", fmt.Sprintf("%s/qr.png?size=%d", path, size), nil)
		if r.header.Get("Content-Type") != "image/png" || r.header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("qr.png has the headers %v", r.header)
		}
		m, err := png.Decode(bytes.NewReader(r.raw))
		if err != nil || m.Bounds().Dx() != size || m.Bounds().Dy() != size {
			t.Fatalf("qr.png?size=%d: %v, %v", size, m.Bounds(), err)
		}
		// Version 6 has 41 modules on each side, and 4 stay white around them; the finder in the corner has 7 dark ones.
		pixel := size / 49
		margin := (size - 41*pixel) / 2
		dark := func(x, y int) bool { r, _, _, _ := m.At(x, y).RGBA(); return r == 0 }
		for x := range size {
			if inside := x >= margin && x < margin+7*pixel; x < margin+8*pixel && dark(x, margin) != inside {
				t.Fatalf("qr.png?size=%d: the pixel %d of the first row is dark: %v", size, x, !inside)
			}
		}
	}
	r := h.as(kari, 200, "GET", path+"/qr.svg?size=300", nil)
	var drawn struct {
		Width   int    `xml:"width,attr"`
		ViewBox string `xml:"viewBox,attr"`
	}
	if err := xml.Unmarshal(r.raw, &drawn); err != nil || drawn.Width != 300 || drawn.ViewBox != "0 0 49 49" || r.header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("qr.svg: %+v, %v, %v", drawn, err, r.header)
	}
	for _, size := range []string{"99", "2001", "x"} {
		h.as(kari, 400, "GET", path+"/qr.png?size="+size, nil).want(t, "errors.0.pointer", "size")
	}
}

func TestCodesOfAnEventRotate(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		kari := h.guest("kari@example.com")
		one := h.bought(kari, event, 1)[0]
		path := "/api/v1/events/" + event + "/ticket-codes"
		h.must(200, "GET", path, nil).want(t, "rotatingCodes", false, "stepSeconds", nil)
		h.must(400, "PATCH", path, `{"rotatingCodes":true,"stepSeconds":31}`).want(t, "errors.0.pointer", "/stepSeconds")
		h.must(400, "PATCH", path, `{"rotatingCodes":false,"stepSeconds":15}`).want(t, "errors.0.pointer", "/stepSeconds")
		h.must(404, "PATCH", "/api/v1/events/none/ticket-codes", `{"rotatingCodes":true}`).want(t, "code", "event_not_found")
		h.must(200, "PATCH", path, `{"rotatingCodes":true}`).want(t, "rotatingCodes", true, "stepSeconds", 30)
		r := h.as(kari, 200, "GET", "/api/v1/tickets/"+one.text("id"), nil)
		if len(r.text("code")) != ticketcode.RotatingLen || r.text("codeExpiresAt") == "" || r.text("shortCode") != one.text("shortCode") {
			t.Errorf("of an event whose codes rotate: %s", r.raw)
		}
		h.as(kari, 200, "GET", "/api/v1/tickets/"+one.text("id")+"/qr.png", nil)
		verify := "/api/v1/tickets/" + one.text("id") + "/verify?code="
		h.must(200, "GET", verify+url.QueryEscape(r.text("code")), nil).want(t, "valid", true)
		h.must(200, "GET", verify+url.QueryEscape(one.text("code")), nil).want(t, "valid", false, "reason", "not_current")
		h.must(200, "PATCH", path, `{"rotatingCodes":false}`).want(t, "rotatingCodes", false)
		h.as(kari, 200, "GET", "/api/v1/tickets/"+one.text("id"), nil).want(t, "code", one.text("code"), "codeExpiresAt", nil)
	})
}

func TestTicketKeysAreRotatedByWhoAdministrates(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		kari := h.guest("kari@example.com")
		one := h.bought(kari, h.event("Night"), 1)[0]
		first := h.must(200, "GET", "/api/v1/ticket-keys", nil)
		first.want(t, "meta.pagination.total", 1, "data.0.id", 1, "data.0.signs", true, "data.0.retiresAt", nil)
		made := h.must(201, "POST", "/api/v1/ticket-keys/rotate", nil)
		made.want(t, "id", 2, "signs", true)
		all := h.must(200, "GET", "/api/v1/ticket-keys", nil)
		all.want(t, "meta.pagination.total", 2, "data.0.publicKey", made.text("publicKey"), "data.1.publicKey", first.text("data.0.publicKey"), "data.1.signs", false)
		if bytes.Contains(all.raw, []byte("private")) {
			t.Errorf("the list shows %s", all.raw)
		}
		retire := "/api/v1/ticket-keys/" + first.text("data.0.publicKey") + "/retire"
		h.must(200, "POST", retire, `{"at":"2099-01-01T00:00:00Z"}`).want(t, "retiresAt", "2099-01-01T00:00:00.000Z")
		keys := h.publicKeys()
		if _, err := keys.Verify(one.text("code"), time.Now()); err != nil || len(keys.Keys()) != 2 {
			t.Errorf("the old code: %v by %d keys; want it good", err, len(keys.Keys()))
		}
		h.must(409, "POST", "/api/v1/ticket-keys/"+made.text("publicKey")+"/retire", nil).want(t, "code", "key_signs")
		h.must(404, "POST", "/api/v1/ticket-keys/x/retire", nil).want(t, "code", "ticket_key_not_found")
		h.must(404, "POST", "/api/v1/ticket-keys/%20/retire", nil).want(t, "code", "ticket_key_not_found")
		h.must(200, "POST", retire, nil)
		if _, err := h.publicKeys().Verify(one.text("code"), time.Now().Add(time.Second)); err == nil {
			t.Error("the old code is good after its key was retired")
		}
		h.must(201, "POST", "/api/v1/ticket-keys/rotate", `{"retireOthersAt":"2099-01-01T00:00:00Z"}`).want(t, "id", 3)
		h.must(200, "GET", "/api/v1/ticket-keys", nil).want(t, "data.1.retiresAt", "2099-01-01T00:00:00.000Z", "data.0.retiresAt", nil)
	})
}

func TestPublicDocumentsAreForEverybody(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		kari := h.guest("kari@example.com")
		made := h.bought(kari, h.event("Night"), 2)
		keys := h.publicKeys() // of the only organisation
		here := "?org=" + keys.Org()
		if again := h.as("", 200, "GET", "/.well-known/stagedoor-keys.json"+here, nil); again.header.Get("Cache-Control") != "public, max-age=5" || again.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("headers: %v", again.header)
		}
		gate := ticketcode.NewRevocations(keys.Org())
		hear := func() response {
			t.Helper()
			r := h.as("", 200, "GET", fmt.Sprintf("/.well-known/stagedoor-revocations.json%s&since=%d", here, gate.Seq()), nil)
			var body struct{ List []byte }
			if err := json.Unmarshal(r.raw, &body); err != nil {
				t.Fatal(err)
			}
			if err := gate.Apply(keys, body.List, time.Now()); err != nil {
				t.Fatalf("Apply: %v", err)
			}
			return r
		}
		hear().want(t, "since", 0, "seq", 0, "count", 0, "more", false)
		h.must(204, "DELETE", "/api/v1/tickets/"+made[0].text("id"), nil)
		hear().want(t, "since", 0, "seq", 1, "count", 1)
		h.must(200, "POST", "/api/v1/tickets/"+made[1].text("id")+"/block", nil)
		hear().want(t, "since", 1, "seq", 2, "count", 1, "org", keys.Org())
		for _, one := range made {
			if token, err := keys.Verify(one.text("code"), time.Now()); err != nil || !gate.Revoked(token) {
				t.Errorf("the code of %s is revoked: %v, %v", one.text("id"), gate.Revoked(token), err)
			}
		}
		h.as("", 400, "GET", "/.well-known/stagedoor-revocations.json?since=-1", nil).want(t, "errors.0.pointer", "since")
		h.as("", 404, "GET", "/.well-known/stagedoor-keys.json?org=org_none", nil).want(t, "code", "org_not_found")
		h.newOrg("Elsewhere")
		for _, path := range []string{"/.well-known/stagedoor-keys.json", "/.well-known/stagedoor-revocations.json"} {
			h.as("", 400, "GET", path, nil).want(t, "errors.0.pointer", "org", "errors.0.code", "required")
			h.as("", 200, "GET", path+here, nil)
		}
	})
}
