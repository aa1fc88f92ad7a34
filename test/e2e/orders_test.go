package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestTheStateTable(t *testing.T) {
	table := map[string]string{ // what may follow, by PATCH
		"confirmed": "confirmed accepted fulfilled cancelled",
		"accepted":  "accepted fulfilled cancelled",
		"issue":     "confirmed accepted fulfilled cancelled",
		"fulfilled": "fulfilled cancelled",
		"cancelled": "cancelled",
		"refunded":  "",
	}
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "portal", nil)
		ev := o.event(t)
		l := o.listing(t, ev, "quantity", 100)
		sent := 0
		for from, follow := range table {
			for _, to := range []string{"confirmed", "accepted", "fulfilled", "cancelled"} {
				id := o.order(t, ev, "listingId", l, "quantity", 1)
				sent += 1 + o.bring(t, id, from)
				legal := slices.Contains(strings.Fields(follow), to)
				a := try(t, o.Client, "PATCH", "/api/v1/orders", body{"orderId": id, "status": to})
				switch {
				case !legal:
					refused(t, a, 409, "invalid_transition")
				case a.Status != 200:
					t.Errorf("%s → %s: %d %s", from, to, a.Status, a.Body)
				case from == to:
					expect(t, a.Body, "success", true, "order.status", to, "webhook.sent", false)
				default:
					sent++
					expect(t, a.Body, "order.status", to, "order.previousStatus", native(from), "webhook.event", "order."+to, "webhook.sent", true)
				}
				want := to
				if !legal {
					want = from
				}
				expect(t, o.Call(t, 200, "GET", "/api/v1/orders/"+id, nil).Body, "status", native(want))
			}
		}
		h.Await(t, soon, func(all []harness.Got) bool { return len(all) >= sent })
		if n := len(h.All()); n != sent {
			t.Errorf("%d webhooks came, want one for each of %d changes", n, sent)
		}
	})
}

// bring makes a confirmed order have another status and returns how many changes that took.
func (o *org) bring(t *testing.T, id, status string) int {
	t.Helper()
	switch status {
	case "confirmed":
		return 0
	case "issue":
		o.Call(t, 200, "POST", "/api/v1/orders/"+id+"/issue", nil)
		return 1
	case "refunded":
		o.move(t, 200, id, "cancelled")
		expect(t, o.Call(t, 200, "POST", "/api/v1/orders/"+id+"/refund", body{}).Body, "order.status", "refunded", "webhook.event", "order.refunded")
		return 2
	default:
		o.move(t, 200, id, status)
		return 1
	}
}

// A whole number is one however it is written, or is refused by its name.
func TestWholeNumbersMayBeWrittenInAnyWay(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		l := o.listing(t, ev)
		for _, two := range []string{"2", "2.0", "2e0", "0.2e1"} {
			a := try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "listingId", l, "quantity", json.RawMessage(two)))
			if a.Status == 201 {
				expect(t, a.Body, "order.quantity", 2)
				continue
			}
			refused(t, a, 400, "")
			if got := pointers(t, a); len(got) != 1 || got[0] != "/quantity" {
				t.Errorf("the quantity %s: faults at %v: %s", two, got, a.Body)
			}
		}
	})
}

func TestPatchSetsOnlyTheFourStatuses(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		id := o.order(t, ev, "listingId", o.listing(t, ev))
		for _, status := range []any{"issue", "purchase_issues", "refunded", "provisional", "", "Accepted", nil, 3} {
			a := try(t, o.Client, "PATCH", "/api/v1/orders", body{"orderId": id, "status": status})
			refused(t, a, 400, "")
			if got := pointers(t, a); len(got) != 1 || got[0] != "/status" {
				t.Errorf("PATCH with the status %v: faults at %v", status, got)
			}
		}
		refused(t, try(t, o.Client, "PATCH", "/api/v1/orders", body{"orderId": id, "status": "fulfilled", "transferMethod": "pigeon"}), 400, "")
		refused(t, try(t, o.Client, "PATCH", "/api/v1/orders", body{"status": "accepted"}), 400, "")
		refused(t, try(t, o.Client, "PATCH", "/api/v1/orders", body{"orderId": "order_1", "status": "accepted"}), 404, "")
		refused(t, try(t, o.Client, "PATCH", "/api/v1/orders", body{"orderId": "hello", "status": "accepted"}), 404, "")
		expect(t, o.Call(t, 200, "GET", "/api/v1/orders/"+id, nil).Body, "status", "confirmed")
	})
}

func TestFulfilmentSaysHowTheTicketsWent(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "portal", nil, "events", []string{"order.fulfilled"})
		ev := o.event(t)
		l := o.listing(t, ev)
		for i, method := range []any{absent{}, "mobile_transfer", "digital_download", "email", "pickup"} {
			id := o.order(t, ev, "listingId", l)
			o.move(t, 200, id, "fulfilled", "transferMethod", method)
			want := "mobile_transfer"
			if m, ok := method.(string); ok {
				want = m
			}
			g := h.await(t, "order.fulfilled", i+1)
			expect(t, g.Body, "order.transferMethod", want, "order.transferNote", filled)
			if i == 0 {
				expect(t, g.Body, "order.transferNote", "Transferred via mobile transfer")
			}
		}
	})
}

func TestSentSaysWhetherAPortalEndpointWantsIt(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		l := o.listing(t, ev)
		sent := func(want bool) {
			t.Helper()
			expect(t, o.Call(t, 201, "POST", "/api/v1/orders", newOrder(ev, "listingId", l)).Body, "webhook.event", "order.confirmed", "webhook.sent", want)
		}
		sent(false)
		o.hook(t, "standard", nil)
		sent(false) // not a portal endpoint
		o.hook(t, "portal", nil, "events", []string{"order.cancelled"})
		sent(false) // does not want this one
		off := o.hook(t, "portal", nil, "active", false)
		sent(false)
		o.Call(t, 200, "PATCH", "/api/v1/webhooks/"+off.ID, body{"active": true})
		sent(true)
		o.Call(t, 204, "DELETE", "/api/v1/webhooks/"+off.ID, nil)
		sent(false)
	})
}

func TestOrdersAreListedAndFiltered(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		one, two := o.event(t), o.event(t)
		a := o.order(t, one, "listingId", o.listing(t, one))
		b := o.order(t, two, "listingId", o.listing(t, two))
		c := o.order(t, two, "section", "101", "row", "A", "customer", with(customer(), "email", "Other@Example.com"))
		o.move(t, 200, b, "accepted")
		for query, want := range map[string][]string{
			"": {a, b, c}, "?eventId=" + one: {a}, "?eventId=" + two: {b, c}, "?status=accepted": {b}, "?status=confirmed&eventId=" + two: {c},
			"?customerEmail=other@example.com": {c}, "?email=buyer@example.com": {a, b}, "?status=refunded": {},
		} {
			got := column(t, o.Call(t, 200, "GET", "/api/v1/orders"+query, nil), "data", "orderId")
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("GET /orders%s (-want +got):\n%s", query, diff)
			}
		}
		bare := o.Call(t, 200, "GET", "/api/v1/orders/"+b, nil)
		expect(t, bare.Body, "orderId", b, "orderNumber", ticNumber, "eventId", two, "status", "accepted", "previousStatus", "confirmed", "quantity", 2,
			"totalAmount", amount("150"), "currency", "USD", "customer.email", "buyer@example.com", "success", absent{})
		refused(t, try(t, o.Client, "GET", "/api/v1/orders?status=odd", nil), 400, "")
		refused(t, o.Call(t, 404, "GET", "/api/v1/orders/order_1", nil), 404, "")
	})
}

func TestFaultyOrdersAreRefusedAndChangeNothing(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev, other := o.event(t), o.event(t)
		l := o.listing(t, ev)
		phone := func(number, code any) body {
			return body{"email": "a@example.com", "phone": body{"number": number, "countryCode": code}}
		}
		for _, c := range []struct {
			pointer string
			over    []any
		}{
			{"/quantity", []any{"quantity", 0}},
			{"/quantity", []any{"quantity", 21}},
			{"/quantity", []any{"quantity", -1}},
			{"/quantity", []any{"quantity", 2.5}},
			{"/quantity", []any{"quantity", "2"}},
			{"/quantity", []any{"quantity", json.RawMessage("20.5e0")}},
			{"/quantity", []any{"quantity", json.RawMessage("1e1000")}},
			{"/quantity", []any{"quantity", absent{}}},
			{"/eventId", []any{"eventId", absent{}}},
			{"/customer", []any{"customer", absent{}}},
			{"/customer", []any{"customer", "Kari"}},
			{"/customer/email", []any{"customer", with(customer(), "email", absent{})}},
			{"/customer/email", []any{"customer", with(customer(), "email", "nobody")}},
			{"/customer/email", []any{"customer", with(customer(), "email", "a@b@c")}},
			{"/customer/phone", []any{"customer", with(customer(), "phone", absent{})}},
			{"/customer/phone/number", []any{"customer", phone("call me", "+1")}},
			{"/customer/phone/countryCode", []any{"customer", phone("5551234567", "1")}},
			{"/customer/phone/countryCode", []any{"customer", phone("5551234567", "+12345")}},
			{"/customer/nickname", []any{"customer", with(customer(), "nickname", "K")}},
			{"/status", []any{"status", "fulfilled"}},
			{"/totalAmount", []any{"totalAmount", 1}},
			{"/row", []any{"listingId", absent{}, "section", "101"}},
		} {
			b := newOrder(ev, append([]any{"listingId", l}, c.over...)...)
			a := try(t, o.Client, "POST", "/api/v1/orders", b)
			refused(t, a, 400, "")
			if got := pointers(t, a); len(got) == 0 || !strings.HasPrefix(got[0], c.pointer) {
				t.Errorf("POST /orders with %v: faults at %v, want %s", c.over, got, c.pointer)
			}
		}
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev)), 400, "") // neither listing nor place
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder("none", "listingId", l)), 404, "")
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "listingId", strings.Repeat("0", 24))), 404, "")
		if a := try(t, o.Client, "POST", "/api/v1/orders", newOrder(other, "listingId", l)); a.Status/100 != 4 {
			t.Errorf("a listing of another event was sold: %d %s", a.Status, a.Body)
		}
		small := o.listing(t, ev, "quantity", 3, "section", "small")
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "listingId", small, "quantity", 4)), 409, "not_enough_tickets")

		expect(t, o.Call(t, 200, "GET", "/api/v1/orders", nil).Body, "meta.pagination.total", 0)
		expect(t, o.Call(t, 200, "GET", "/api/v1/events/"+ev, nil).Body, "numberOfSeats", 23)
	})
}

// All that is wrong is said at once.
func TestAllFaultsAreSaidAtOnce(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		a := try(t, o.Client, "POST", "/api/v1/orders", body{
			"quantity": 0, "seat": 4, "customer": body{"email": "nobody", "phone": body{"number": "x", "countryCode": "47"}, "vip": true},
		})
		refused(t, a, 400, "")
		got := pointers(t, a)
		for _, want := range []string{"/eventId", "/quantity", "/seat", "/customer/email", "/customer/phone/number", "/customer/phone/countryCode", "/customer/vip"} {
			if !slices.Contains(got, want) {
				t.Errorf("%s is not among the faults %v", want, got)
			}
		}
		if !strings.Contains(string(a.Body), `seat`) {
			t.Errorf("the unknown field is not named: %s", a.Body)
		}
	})
}

func TestTotalsAreExact(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		for i, c := range []struct {
			price            string // JSON
			currency         string
			quantity         int
			shown, total     string
			half, refundLeft string // of the total
		}{
			{`"75.00"`, "USD", 2, "75.00", "150", "75", "75"},
			{`75`, "USD", 2, "75.00", "150", "0.01", "149.99"},
			{`75.5`, "USD", 1, "75.50", "75.5", "0.5", "75"},
			{`0.1`, "USD", 3, "0.10", "0.3", "0.2", "0.1"},
			{`1.1`, "EUR", 3, "1.10", "3.3", "1.1", "2.2"},
			{`"19.99"`, "EUR", 7, "19.99", "139.93", "19.99", "119.94"},
			{`1e2`, "USD", 2, "100.00", "200", "100", "100"},
			{`1500`, "JPY", 2, "1500", "3000", "1", "2999"},
			{`"1.005"`, "KWD", 3, "1.005", "3.015", "0.001", "3.014"},
			{`999999.99`, "USD", 20, "999999.99", "19999999.8", "0.01", "19999999.79"},
		} {
			b := fmt.Sprintf(`{"eventId":%q,"section":"%d","row":"A","quantity":20,"price":%s,"currency":%q}`, ev, i, c.price, c.currency)
			a := try(t, o.Client, "POST", "/api/v1/inventory", b)
			if a.Status == 400 && strings.Contains(c.price, "e") {
				continue // an exponent may be refused
			}
			if a.Status != 201 {
				t.Errorf("POST /inventory %s = %d %s", b, a.Status, a.Body)
				continue
			}
			expect(t, a.Body, "price", c.shown, "currency", c.currency)
			made := o.Call(t, 201, "POST", "/api/v1/orders", newOrder(ev, "section", fmt.Sprint(i), "row", "A", "quantity", c.quantity))
			expect(t, made.Body, "order.totalAmount", amount(c.total), "order.currency", c.currency)
			id := text(t, made, "order.orderId")
			o.move(t, 200, id, "fulfilled")
			refund := fmt.Sprintf(`{"amount":%s}`, c.half) // a number here, a string below
			expect(t, o.Call(t, 200, "POST", "/api/v1/orders/"+id+"/refund", refund).Body, "order.status", "fulfilled", "order.refundedAmount", amount(c.half))
			refused(t, try(t, o.Client, "POST", "/api/v1/orders/"+id+"/refund", body{"amount": c.total}), 409, "")
			expect(t, o.Call(t, 200, "POST", "/api/v1/orders/"+id+"/refund", body{"amount": c.refundLeft}).Body, "order.status", "refunded", "order.refundedAmount", amount(c.total))
		}
	})
}

func TestRefundsAreRefusedWhereNothingIsToRefund(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		l := o.listing(t, ev)
		id := o.order(t, ev, "listingId", l)
		refused(t, try(t, o.Client, "POST", "/api/v1/orders/"+id+"/refund", body{}), 409, "invalid_transition")
		o.move(t, 200, id, "cancelled")
		for _, wrong := range []string{`{"amount":0}`, `{"amount":"-1"}`, `{"amount":"1.005"}`, `{"amount":"all"}`, `{"sum":1}`} {
			refused(t, try(t, o.Client, "POST", "/api/v1/orders/"+id+"/refund", wrong), 400, "")
		}
		o.Call(t, 200, "POST", "/api/v1/orders/"+id+"/refund", body{})
		refused(t, try(t, o.Client, "POST", "/api/v1/orders/order_1/refund", body{}), 404, "")
		refused(t, try(t, o.Client, "POST", "/api/v1/orders/order_1/issue", body{}), 404, "")
	})
}
