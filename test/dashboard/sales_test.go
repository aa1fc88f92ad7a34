package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// zone has the browser be in a time zone.
func (b *tab) zone(name string) *tab {
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name})
		return err
	}))
	return b
}

// sell makes an event with a ticket type by the API.
func (h *hall) sell(t testing.TB, name string) (event string) {
	t.Helper()
	event = fmt.Sprintf("EV%d", serial.Add(1))
	h.Call(t, 201, "POST", "/api/v1/events", map[string]any{
		"eventId": event, "name": name, "startLocal": "2037-08-14T20:30:00", "timezone": "America/New_York", "currency": "USD", "venue": "The Hall", "city": "New York", "country": "US",
	})
	h.Call(t, 201, "POST", "/api/v1/events/"+event+"/ticket-types", map[string]any{"name": "Adult", "price": "75.00", "quantity": 100})
	return event
}

// order places an order by the API.
func (h *hall) order(t testing.TB, event, email string) (order string) {
	t.Helper()
	var types struct {
		Data []struct{ TicketTypeID string }
	}
	h.Call(t, 200, "GET", "/api/v1/events/"+event+"/ticket-types", nil).Decode(t, &types)
	var made struct{ Order struct{ OrderID string } }
	h.Call(t, 201, "POST", "/api/v1/orders", map[string]any{
		"eventId": event, "ticketTypeId": types.Data[0].TicketTypeID, "quantity": 2,
		"customer": map[string]any{"email": email, "phone": map[string]any{"number": "5551234567", "countryCode": "+1"}},
	}).Decode(t, &made)
	return made.Order.OrderID
}

// TestAnEventIsMadeAndSold: from an empty organisation to an event with a ticket type, all in the browser; times are the event's and the viewer's.
func TestAnEventIsMadeAndSold(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		b := h.signIn(t).zone("Asia/Tokyo")
		b.open("~").sees("No event lies ahead", "make an event").sound("glance-empty")
		b.open("~/events").sees("No event lies ahead").press("Make an event").fill("name", "<b>Harbour</b> Jazz", "startLocal", "2037-08-14T20:30", "timezone", "Nowhere/Zone", "venue", "The Hall", "city", "Oslo", "country", "no", "currency", "nok")
		b.press("Make the event").sees("This has not been done")
		b.until("what was typed", "document.querySelector('#event-name').value === '<b>Harbour</b> Jazz'")
		b.sound("event-form")
		b.fill("timezone", "Europe/Oslo", "status", "draft").press("Make the event").sees("The event is made", "<b>Harbour</b> Jazz", "draft", "Fri 14 Aug 2037, 20:30", "03:30 15 Aug JST for you")
		b.press("Publish").sees("The event is published").press("Inventory: ticket types, listings, pools, holds")
		b.fill("#type-name", "Adult", "#type-price", "much", "#type-quantity", "100").press("Make the ticket type").sees("This has not been done")
		b.fill("#type-name", "Adult", "#type-price", "75.00", "#type-quantity", "100").press("Make the ticket type").sees("The ticket type is made", "Adult", "100 free")
		b.fill("price", "80.00", "quantity", "90").press("Change").sees("The ticket type is changed")
		b.until("the new price", "document.querySelector('main table [name=price]').value === '80.00'")
		b.sound("inventory")
		event := eval[string](b, `location.pathname.split('/')[4]`)
		var types struct {
			Data []struct {
				Name, Price string
				Quantity    int
			}
		}
		h.Call(t, 200, "GET", "/api/v1/events/"+event+"/ticket-types", nil).Decode(t, &types)
		if len(types.Data) != 1 || types.Data[0].Name != "Adult" || types.Data[0].Price != "80.00" {
			t.Errorf("the ticket types are %+v; want Adult for 80.00", types.Data)
		}
		h.Call(t, 201, "POST", "/api/v1/holds", map[string]any{"eventId": event, "section": "Adult", "row": "GA", "quantity": 3})
		b.open("~/events/"+event+"/inventory").sees("3 held").press("Release").sees("Release this hold?").press("Release it").sees("The hold is released", "Nobody holds anything now", "0 held")
		b.open("~/events/" + event).sound("event")

		h.Call(t, 200, "PATCH", "/api/v1/events/"+event, map[string]any{"category": "music"}) // somebody else changes it meanwhile
		b.press("Postpone").sees("Postpone: ").press("Postpone it").sees("The event has changed since this page was shown")
		b.open("~/events/" + event).press("Postpone").press("Postpone it").sees("The event is postponed")
		b.press("Delete").sees("Delete <b>Harbour</b> Jazz?").press("No, go back").sees("postponed")
		b.press("Delete").press("Delete it").sees("The event is deleted").seesNot("Harbour")
		b.open("~/venues").sees("The Hall", "Oslo").sound("venues")
	})
}

// TestAnOrderIsAcceptedFulfilledAndRefunded: what is done to an order in the browser is its history, and is told to webhooks; a refund asks first.
func TestAnOrderIsAcceptedFulfilledAndRefunded(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		r := harness.Receive(t, nil)
		h.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": r.URL, "format": "standard", "events": []string{"order.accepted", "order.fulfilled", "refund.completed"}})
		event := h.sell(t, "Harbour Jazz")
		order := h.order(t, event, "buyer@example.com")
		b := h.signIn(t)
		b.open("~").sees("1 order waits to be accepted", "2 sold").sound("glance-sold")
		b.press("1 order waits to be accepted").sees("buyer@example.com", "150.00 USD").sound("orders")
		b.open("~/orders/"+order).sees("Placed and confirmed", "buyer@example.com")
		b.press("Accept").sees("The order is accepted", "Accepted")
		b.fill("transferMethod", "digital_download", "#fulfil-transferNote", "track 42").press("Fulfil").sees("The order is fulfilled", "Fulfilled by digital download", "track 42").sound("order")
		b.fill("amount", "50.00", "#refund-reason", "a rainy night").press("Refund").sees("Note a refund of 50.00?").press("No, go back").seesNot("Refunded: ")
		var o struct {
			Status         string
			RefundedAmount json.Number
		}
		h.Call(t, 200, "GET", "/api/v1/orders/"+order, nil).Decode(t, &o)
		if o.Status != "fulfilled" || o.RefundedAmount != "0" {
			t.Errorf("after a no the order is %+v; want it fulfilled and nothing refunded", o)
		}
		b.fill("amount", "50.00", "#refund-reason", "a rainy night").press("Refund").press("Note the refund").sees("The refund is noted", "Refunded: 50.00 USD", "a rainy night")
		for _, want := range []string{"order.accepted", "order.fulfilled", "refund.completed"} {
			r.Await(t, patience, func(all []harness.Got) bool {
				for _, g := range all {
					if bytes.Contains(g.Body, []byte(want)) && bytes.Contains(g.Body, []byte(order)) {
						return true
					}
				}
				return false
			})
		}
		h.Call(t, 200, "POST", "/api/v1/orders/"+order+"/issue", map[string]any{"reason": "meanwhile"})
		b.follow("Cancel the order").follow("Cancel the order").sees("The order has changed since this page was shown")
		b.open("~/orders/" + order).sees("meanwhile").follow("Cancel the order").follow("Cancel the order").sees("The order is cancelled")
		b.open("~/orders?text=nobody@example.com").sees("No order is like this")
	})
}

// TestAnEventIsCancelledWithItsOrders: both are asked for, and its orders are cancelled in the background. Who may only look is offered nothing else.
func TestAnEventIsCancelledWithItsOrders(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		event := h.sell(t, "Harbour Jazz")
		order := h.order(t, event, "buyer@example.com")
		guest := fmt.Sprintf("door%d@example.com", serial.Add(1))
		h.member(t, guest, "staff")
		k := h.signInAs(t, guest)
		k.open("~/events/"+event).seesNot("Cancel the event", "Cancel all its orders", "Delete")
		b := h.signIn(t).open("~/events/" + event)
		b.follow("Cancel the event").sees("It cannot be taken back").follow("Cancel the event")
		b.until("the event to be cancelled", "document.querySelector('h1 .badge')?.innerText === 'cancelled'")
		b.press("Cancel all its orders").sees("Cancel all orders of Harbour Jazz?").press("Cancel all orders").sees("The orders are cancelled within")
		end := time.Now().Add(patience)
		for !strings.Contains(b.open("~/orders/"+order).words(), "cancelled") {
			if time.Now().After(end) {
				t.Fatalf("the order is not cancelled: %s", b.words())
			}
		}
		b.open("~/events/" + event).sees("Its orders were cancelled: 1 of 1")
		b.open("~/events?status=cancelled").sees("Harbour Jazz").open("~/events?when=past").seesNot("Harbour Jazz")
	})
}

// TestOrdersAsCSVAreNoFormulas: the file has each row of the list, and nothing that a spreadsheet would run.
func TestOrdersAsCSVAreNoFormulas(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		event := h.sell(t, "=HYPERLINK(\"https://example.com\")")
		first, second := h.order(t, event, "a@example.com"), h.order(t, event, "b@example.com")
		b := h.signIn(t).open("~/orders")
		file := eval[string](b, `fetch(document.querySelector('a[download]').href).then((r) => r.text())`)
		if !strings.Contains(file, first) || !strings.Contains(file, second) || strings.Count(file, "\n") != 3 {
			t.Errorf("the file is\n%s\nwant a head, %s and %s", file, first, second)
		}
		if !strings.Contains(file, `"'=HYPERLINK(`) {
			t.Errorf("the file is\n%s\nwant the event's name to be text", file)
		}
		b.open("~/orders?event=" + event + "&text=a@example.com").sees("a@example.com").seesNot("b@example.com")
		b.open("~/events").sees("=HYPERLINK").sound("events")
		if file := eval[string](b, `fetch(document.querySelector('a[download]').href).then((r) => r.text())`); !strings.Contains(file, `"'=HYPERLINK(`) || !strings.Contains(file, ",4,") {
			t.Errorf("the file of events is\n%s\nwant the name as text, and 4 sold", file)
		}
	})
}

// choose gives a file to the form.
func (b *tab) choose(selector, name, text string) *tab {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.SetUploadFiles(selector, []string{file}))
	return b
}

// TestAnImportIsPreviewed: the preview says what would be, with rows and reasons, and changes nothing; what is imported is the file that was previewed.
func TestAnImportIsPreviewed(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		b := h.signIn(t).open("~/imports").sound("imports")
		season := "id,name,start_date,start_time,timezone,city\nevt-1,Harbour Jazz,2037-08-14,20:30,Europe/Oslo,Bergen\nevt-2,Bad Day,2037-02-31,,,\nevt-3,Late Show,2037-09-01,22:00,,Oslo\n"
		b.choose("#import-file", "season.csv", season).fill("timezone", "Europe/Oslo").press("Show what it would do")
		b.sees("What the import would do", "Nothing has been changed yet", "Harbour Jazz", "Late Show", "start_date").sound("preview")
		events := func() (n int) {
			var all struct{ Data []struct{ EventID string } }
			h.Call(t, 200, "GET", "/api/v1/events?status=all", nil).Decode(t, &all)
			return len(all.Data)
		}
		if n := events(); n != 0 {
			t.Fatalf("after the preview there are %d events; want none", n)
		}
		b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('main [name=hash]').value = '00'`))
		b.press("Import this file").sees("This is not the file of the preview")
		if n := events(); n != 0 {
			t.Fatalf("after another file there are %d events; want none", n)
		}
		b.open("~/imports").choose("#import-file", "season.csv", season).fill("timezone", "Europe/Oslo").press("Show what it would do")
		b.press("Import this file").sees("What the import has done")
		if n := events(); n != 2 {
			t.Errorf("after the import there are %d events; want 2", n)
		}
		ics := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:matinee-2037@example.com\r\nDTSTART;TZID=Europe/Oslo:20370920T140000\r\nSUMMARY:Matinee\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
		b.open("~/imports").choose("#import-file", "more.ics", ics).press("Show what it would do").sees("Matinee").press("Import this file").sees("What the import has done")
		b.open("~/events").sees("Matinee", "Harbour Jazz", "Late Show")
	})
}

// TestPlacesAreListedChangedAndClosed: a listing made in the browser, with another price and another number of places, paused, closed, and in the file of the event's inventory.
func TestPlacesAreListedChangedAndClosed(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		var e struct{ EventID string }
		h.Call(t, 201, "POST", "/api/v1/events", map[string]any{
			"name": "Harbor Jazz Night", "startLocal": "2031-08-14T20:30:00", "timezone": "Europe/Oslo", "venue": "Pier Hall", "city": "Oslo", "country": "NO", "currency": "USD",
		}).Decode(t, &e)
		b := h.signIn(t)
		b.open("~/events/"+e.EventID+"/inventory").fill("#listing-section", "=101", "#listing-row", "A", "#listing-quantity", "none", "#listing-price", "75.00").follow("List them").sees("This has not been done")
		b.fill("#listing-quantity", "20").follow("List them").sees("20 free")
		b.fill("price", "80.00", "quantity", "18").follow("Change").sees("18 free")
		listing := func() (l struct {
			ListingID, Status, Price string
			Quantity                 int
		},
		) {
			var all struct {
				Data []struct {
					ListingID, Status, Price string
					Quantity                 int
				}
			}
			h.Call(t, 200, "GET", "/api/v1/inventory?status=all&eventId="+e.EventID, nil).Decode(t, &all)
			if len(all.Data) != 1 {
				t.Fatalf("the API has %d listings, want one", len(all.Data))
			}
			return all.Data[0]
		}
		if l := listing(); l.Price != "80.00" || l.Status != "active" {
			t.Errorf("the listing is %+v", l)
		}
		b.follow("Pause").sees("paused")
		file := eval[string](b, `fetch(document.querySelector('a[download]').href).then((r) => r.text())`)
		if !strings.Contains(file, listing().ListingID+",,'=101,A,paused,0,0,0,18,80.00,USD,") {
			t.Errorf("the file is\n%s", file)
		}
		b.follow("Close").follow("Close it")
		if l := listing(); l.Status != "withdrawn" {
			t.Errorf("the listing is %+v", l)
		}
	})
}

// TestPoolsHaveAnyName: also one that would lead elsewhere in an address.
func TestPoolsHaveAnyName(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		var e struct{ EventID string }
		h.Call(t, 201, "POST", "/api/v1/events", map[string]any{
			"name": "Harbor Jazz Night", "startLocal": "2031-08-14T20:30:00", "timezone": "Europe/Oslo", "venue": "Pier Hall", "city": "Oslo", "country": "NO", "currency": "USD",
		}).Decode(t, &e)
		h.Call(t, 201, "POST", "/api/v1/events/"+e.EventID+"/pools", map[string]any{"name": "Floor / east? 100 %", "capacity": 50})
		b := h.signIn(t)
		b.open("~/events/"+e.EventID+"/inventory").sees("Floor / east? 100 %").fill("capacity", "60").follow("Change").sees("is changed")
		b.until("the new capacity", "document.querySelector('main table [name=capacity]').value === '60'")
		b.follow("Delete").sees("Floor / east? 100 %")
	})
}
