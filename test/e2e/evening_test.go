package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// An evening as the pullup specification has it, from the sale to the stamp: somebody keeps two tickets and buys them, comes in by the list for their kind of
// ticket, and has a stamp for it. Each of the six events is told once for each thing that happened.
func TestAnEveningFromTheSaleToTheStamp(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "pullup", nil)
		email, guest := o.attendee(t)

		ev := o.event(t)
		types := "/api/v1/events/" + ev + "/ticket-types"
		seat := o.Call(t, 201, "POST", types, body{"name": "Seat", "price": "75.00", "quantity": 2})
		lounge := o.Call(t, 201, "POST", types, body{"name": "Lounge", "price": "150.00", "quantity": 1})
		expect(t, seat.Body, "class", 1)
		expect(t, lounge.Body, "class", 2)
		list := text(t, o.Call(t, 201, "POST", "/api/v1/checkin-lists", body{"eventId": ev, "name": "Lounge", "classes": []int{2}}), "id")
		kind := text(t, o.Call(t, 201, "POST", "/api/v1/stamps", body{"name": "Was there", "collection": "2031", "rule": body{"on": "checkin", "eventId": ev}}), "id")

		// Two seats are kept, then bought; the lounge is bought at once, and with it the event is sold out.
		held := guest.Call(t, 201, "POST", "/api/v1/holds", body{"eventId": ev, "ticketTypeId": text(t, seat, "ticketTypeId"), "quantity": 2})
		phone := body{"phone": body{"number": "5551234567", "countryCode": "+1"}}
		seats := guest.Call(t, 201, "POST", "/api/v1/tickets", body{"holdId": text(t, held, "id"), "customer": phone})
		expect(t, seats.Body, "order.quantity", 2, "tickets.#", 2, "tickets.0.section", "Seat", "tickets.0.class", 1, "tickets.0.holder.email", email)
		sofa := guest.Call(t, 201, "POST", "/api/v1/tickets", body{"eventId": ev, "ticketTypeId": text(t, lounge, "ticketTypeId"), "quantity": 1, "customer": phone})
		for n := 1; n <= 3; n++ {
			h.await(t, "ticket.purchased", n)
		}
		expect(t, h.await(t, "event.soldout", 1).Body, "data.event_id", ev, "data.capacity", 3, "data.sold", 3)

		// At the door of the lounge a seat does not count; elsewhere it does.
		seatID, code := text(t, seats, "tickets.0.id"), text(t, seats, "tickets.0.code")
		expect(t, guest.Call(t, 200, "GET", "/api/v1/tickets/"+seatID, nil).Body, "code", code, "status", "valid")
		expect(t, o.Call(t, 200, "POST", "/api/v1/checkin/scan", body{"code": code, "listId": list}).Body, "status", "wrong_list")
		expect(t, o.Call(t, 200, "POST", "/api/v1/checkin/scan", body{"code": text(t, sofa, "tickets.0.code"), "listId": list, "gate": "Lounge"}).Body, "status", "checked_in")
		expect(t, o.Call(t, 200, "POST", "/api/v1/checkin/scan", body{"code": text(t, seats, "tickets.0.shortCode")}).Body, "status", "checked_in", "ticket.id", seatID)
		expect(t, o.Call(t, 200, "POST", "/api/v1/checkin/scan", body{"code": code}).Body, "status", "already_checked_in")
		for n := 1; n <= 2; n++ {
			expect(t, h.await(t, "checkin.completed", n).Body, "data.event_id", ev)
		}

		// The stamp follows the door, once for the event.
		expect(t, h.await(t, "stamp.awarded", 1).Body, "data.stamp_type_id", kind, "data.event_id", ev)
		passport := guest.Call(t, 200, "GET", "/api/v1/passport/me", nil)
		expect(t, passport.Body, "total", 1, "stamps.0.name", "Was there", "collections.0.complete", true)
		eventually(t, func() bool {
			return number(t, guest.Call(t, 200, "GET", "/api/v1/passport/me", nil).Body, "checkins.total") == 2
		})
		guest.Call(t, 200, "GET", "/api/v1/passport/"+text(t, passport, "user"), nil)

		o.Call(t, 200, "PATCH", "/api/v1/events/"+ev, body{"description": "With an encore."})
		expect(t, h.await(t, "event.updated", 2).Body, "data.event_id", ev, "data.changes.#", 1, "data.changes.0", "description")
		o.Call(t, 200, "POST", "/api/v1/tickets/"+text(t, seats, "tickets.1.id")+"/cancel", nil)
		last := h.await(t, "ticket.cancelled", 1)
		expect(t, last.Body, "data.ticket_id", text(t, seats, "tickets.1.id"))

		told := h.quiet(t, o)
		slices.Sort(told)
		if want := []string{
			"checkin.completed", "checkin.completed", "event.soldout", "event.updated", "event.updated", "stamp.awarded", "ticket.cancelled",
			"ticket.purchased", "ticket.purchased", "ticket.purchased",
		}; !slices.Equal(told, want) { // event.updated also when it was published
			t.Errorf("told %v, want %v", told, want)
		}
		// The specification's snippet: sig === hmac("sha256", secret, body).
		mac := hmac.New(sha256.New, []byte(h.Secret))
		mac.Write(last.Body)
		if sig := last.Header.Get("x-pullup-signature"); sig != hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("x-pullup-signature is %s", sig)
		}
	})
}
