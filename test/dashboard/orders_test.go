package dashboard

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// ordered is an event with a listing, and an order for two places of it.
func ordered(t *testing.T, h *hall, email string) (event, order string) {
	t.Helper()
	var e struct{ EventID string }
	h.Call(t, 201, "POST", "/api/v1/events", map[string]any{
		"name": "Harbor Jazz Night", "startLocal": "2031-08-14T20:30:00", "timezone": "Europe/Oslo", "venue": "Pier Hall", "city": "Oslo", "country": "NO", "currency": "USD",
	}).Decode(t, &e)
	var l struct{ ListingID string }
	h.Call(t, 201, "POST", "/api/v1/inventory", map[string]any{"eventId": e.EventID, "section": "101", "row": "A", "quantity": 20, "price": "75.00"}).Decode(t, &l)
	var o struct{ Order struct{ OrderID string } }
	h.Call(t, 201, "POST", "/api/v1/orders", map[string]any{
		"eventId": e.EventID, "listingId": l.ListingID, "quantity": 2, "customer": map[string]any{"email": email, "phone": map[string]any{"number": "5551234567", "countryCode": "+47"}},
	}).Decode(t, &o)
	return e.EventID, o.Order.OrderID
}

// TestAnOrderIsAcceptedFulfilledAndRefundedByHand: each step is a button of its state, tells the portal's webhook, and stands in the order's history.
func TestAnOrderIsAcceptedFulfilledAndRefundedByHand(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		hears := harness.Receive(t, nil)
		var hook struct{ Secret string }
		h.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": hears.URL, "format": "portal", "events": []string{"*"}}).Decode(t, &hook)
		harness.Secret(hook.Secret)
		hears.Verify(t, webhook.Portal, hook.Secret)
		told := func(events ...string) {
			t.Helper()
			hears.Await(t, patience, func(all []harness.Got) bool {
				n := 0
				for _, got := range all {
					var e struct{ Event string }
					if json.Unmarshal(got.Body, &e) == nil && n < len(events) && e.Event == events[n] {
						n++
					}
				}
				return n == len(events)
			})
		}
		b := h.signIn(t)
		b.open("~/orders").sees("There is no order yet")
		_, id := ordered(t, h, "kari@example.com")
		told("order.confirmed")
		b.open("~/orders").sees("kari@example.com", "confirmed", "Harbor Jazz Night").sound("orders")
		b.open("~/orders/"+id).sees("20:30 CEST", "2 × 101").follow("Accept").sees("The order is accepted")
		told("order.confirmed", "order.accepted")
		b.fill("transferMethod", "email", "#fulfil-transferNote", "Sent to Kari").follow("Fulfil").sees("The order is fulfilled", "Sent to Kari", "order.fulfilled")
		told("order.confirmed", "order.accepted", "order.fulfilled")
		b.sound("order")
		b.fill("amount", "1000").follow("Refund").follow("Note the refund").sees("This has not been done")
		b.fill("amount", "150.00", "#refund-reason", "It rained").follow("Refund").sees("Note a refund of 150.00?").sound("sure")
		b.follow("Note the refund").sees("The refund is noted", "refunded")
		told("order.confirmed", "order.accepted", "order.fulfilled", "order.refunded")
		var o struct{ Status, RefundReason string }
		h.Call(t, 200, "GET", "/api/v1/orders/"+id, nil).Decode(t, &o)
		if o.Status != "refunded" || o.RefundReason != "It rained" {
			t.Errorf("the order is %+v", o)
		}
	})
}

// TestAPageThatIsOldChangesNothing: who decides by what has changed meanwhile is told so.
func TestAPageThatIsOldChangesNothing(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		_, id := ordered(t, h, "kari@example.com")
		b := h.signIn(t)
		b.open("~/orders/" + id).sees("Accept")
		h.Call(t, 200, "PATCH", "/api/v1/orders", map[string]any{"orderId": id, "status": "accepted"})
		b.follow("Cancel the order").follow("Cancel the order").sees("The order has changed since this page was shown")
		var o struct{ Status string }
		h.Call(t, 200, "GET", "/api/v1/orders/"+id, nil).Decode(t, &o)
		if o.Status != "accepted" {
			t.Errorf("the order is %s", o.Status)
		}
	})
}

// TestOrdersAreAFileToo: all of them, in which nothing is a formula.
func TestOrdersAreAFileToo(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		_, id := ordered(t, h, "=cmd@example.com")
		b := h.signIn(t)
		b.open("~/orders").sees("Download all as CSV")
		file := eval[string](b, `fetch(document.querySelector('a[download]').href).then((r) => r.text())`)
		lines := strings.Split(strings.TrimSpace(file), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[1], id+",") || !strings.Contains(lines[1], ",'=cmd@example.com") {
			t.Errorf("the file is\n%s", file)
		}
		r, err := http.Get(h.st.URL + "/o/" + h.id + "/orders?format=csv")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if text, _ := io.ReadAll(r.Body); bytes.Contains(text, []byte(id)) {
			t.Error("a stranger has the file")
		}
	})
}
