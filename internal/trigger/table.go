package trigger

import (
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The formats.
var (
	native = []string{"cloudevents", "standard"}
	portal = []string{"portal"}
	pullup = []string{"pullup"}
	orders = []string{"cloudevents", "portal", "standard"} // by the same name in all three
)

// The steps that events share.
var (
	aListing = step{set: "listing", path: "/api/v1/inventory", id: "listingId", body: object{
		"eventId": "{event}", "section": "Trigger", "row": "A", "quantity": 4, "price": "25.00",
	}}
	oneSeat = step{set: "listing", path: "/api/v1/inventory", id: "listingId", body: object{
		"eventId": "{event}", "section": "Trigger", "row": "A", "quantity": 1, "price": "25.00",
	}}
	anOrder = step{set: "order", path: "/api/v1/orders", id: "order.orderId", body: object{
		"eventId": "{event}", "listingId": "{listing}", "quantity": 1,
		"customer": object{"email": "trigger@example.com", "phone": object{"number": "5550100", "countryCode": "+1"}},
	}}
)

// The steps of tickets that were sold, of holds and of stamps.
var (
	itsTicket = step{made: "ticket", method: http.MethodGet, path: "/api/v1/tickets?orderId={order}", id: "data.0.id"}
	itsCode   = step{made: "ticket", method: http.MethodGet, path: "/api/v1/tickets/{ticket}", keep: map[string]string{"code": "code"}}
	aScan     = scan("scan", "checked_in")
	anOffer   = ticketStep("transfer", object{"email": "trigger.friend@example.com"})
	aStamp    = step{set: "stamp", path: "/api/v1/stamps", id: "id", body: object{
		"name": "Trigger Stamp {nonce}", "collection": "Trigger", "rule": object{"on": "manual"},
	}}
	aHold     = step{set: "hold", path: "/api/v1/holds", id: "id", body: object{"eventId": "{event}", "listingId": "{listing}", "quantity": 1}}
	briefHold = step{set: "hold", path: "/api/v1/holds", id: "id", body: object{"eventId": "{event}", "listingId": "{listing}", "quantity": 1, "seconds": 1}}
	reentry   = step{set: "list", path: "/api/v1/checkin-lists", id: "id", body: object{
		"eventId": "{event}", "name": "Trigger Door", "default": true, "policy": "reentry",
	}}
	anAward = step{set: "award", path: "/api/v1/stamps/{stamp}/award", id: "id", body: object{"email": "trigger@example.com"}}
)

// ticketStep does something with the ticket.
func ticketStep(what string, body object) step {
	st := step{made: what, path: "/api/v1/tickets/{ticket}/" + what, body: body}
	if body != nil {
		st.set = what
	}
	return st
}

// scan scans the ticket's code at the door.
func scan(set, want string) step {
	return step{
		set: set, path: "/api/v1/checkin/scan", body: object{"code": "{code}", "eventId": "{event}"}, id: "checkin.id", want: map[string]string{"status": want},
	}
}

// scanOut scans it on the way out.
func scanOut() step {
	st := scan("exit", "checked_out")
	st.body["direction"] = "exit"
	return st
}

// upload brings two scans of the ticket, made by two gates that had no network.
func upload() step {
	first := time.Now().UTC().Add(-2 * time.Minute)
	made := func(seq int, gate string, at time.Time) object {
		return object{"seq": seq, "code": "{code}", "gate": gate, "scannedAt": at.Format(time.RFC3339)}
	}
	return step{set: "upload", path: "/api/v1/checkin/upload", body: object{
		"deviceId": "Trigger {nonce}", "scans": []any{made(1, "North", first), made(2, "South", first.Add(time.Minute))},
	}, id: "data.1.checkinId", want: map[string]string{"data.1.status": "conflict"}}
}

// answered is what becomes of an offer.
func answered(action string) step {
	return step{made: action, path: "/api/v1/tickets/{ticket}/transfer", body: object{"action": action}}
}

// anEvent makes a live event a month from now, which is in the future whenever it is looked at.
func anEvent(over object) step {
	start := time.Now().UTC().AddDate(0, 1, 0)
	body := object{
		"name": "Trigger Night {nonce}", "startLocal": start.Format("2006-01-02") + "T20:00:00", "timezone": "UTC", "venue": "Trigger Hall", "currency": "USD",
	}
	for name, v := range over {
		body[name] = v
	}
	return step{set: "event", path: "/api/v1/events", id: "eventId", body: body}
}

// patch changes the event.
func patch(body object) step {
	return step{set: "change", method: http.MethodPatch, path: "/api/v1/events/{event}", body: body}
}

// with is a step whose body has another value for a field.
func with(st step, field string, v any) step {
	st.body = maps.Clone(st.body)
	st.body[field] = v
	return st
}

// move gives the order a status.
func move(status string) step {
	return step{set: "change", method: http.MethodPatch, path: "/api/v1/orders", body: object{"orderId": "{order}", "status": status}}
}

// barcodes uploads one for the first place of what is at a path.
func barcodes(path, value string) step {
	return step{set: "barcodes", method: http.MethodPut, path: path + "/barcodes", body: object{"barcodes": []any{object{"place": 1, "values": []any{value}}}}}
}

// after adds steps to steps, without touching them.
func after(steps []step, more ...step) []step { return append(slices.Clip(steps), more...) }

// Table has every event that can be made to happen.
func Table() []Event {
	live := []step{anEvent(nil)}
	listed := after(live, aListing)
	sold := after(listed, anOrder)
	soldOut := after(live, oneSeat, anOrder)
	delivered := after(sold, move("fulfilled"))
	changed := after(live, patch(object{"description": "Doors open at seven."}))
	issue := after(sold, step{set: "issue", path: "/api/v1/orders/{order}/issue", body: object{"reason": "The barcodes do not scan."}})
	refund := after(delivered, step{set: "refund", path: "/api/v1/orders/{order}/refund", body: object{"reason": "Trigger"}})
	cancelled := after(sold, move("cancelled"))
	held := after(sold, itsTicket)
	voided := after(held, ticketStep("cancel", nil))
	offered := after(held, anOffer)
	awarded := []step{aStamp, anAward}
	scanned := after(held, itsCode, aScan)
	rule := step{set: "rule", method: http.MethodPut, path: "/api/v1/events/{event}/barcode-rule", body: object{"minLength": 8}}
	ofOrder, ofListing := "/api/v1/orders/{order}", "/api/v1/inventory/{listing}"
	pair := after(listed, with(anOrder, "quantity", 2))
	later := time.Now().UTC().AddDate(0, 2, 0).Format("2006-01-02") + "T20:00:00"

	return []Event{
		{"ticket.purchased", pullup, "a ticket is sold", sold},
		{"ticket.cancelled", pullup, "a ticket is sold and cancelled", voided},
		{"event.updated", pullup, "an event gets a description", changed},
		{"event.soldout", pullup, "the only seat of an event is sold", soldOut},
		{"checkin.completed", pullup, "a ticket is sold and scanned at the door", scanned},
		{"stamp.awarded", []string{"cloudevents", "pullup", "standard"}, "a stamp is awarded by hand", awarded},

		{"order.confirmed", orders, "an order is placed", sold},
		{"order.accepted", orders, "an order is placed and accepted", after(sold, move("accepted"))},
		{"order.purchase_issues", portal, "an order is placed and has an issue", issue},
		{"order.fulfilled", orders, "an order is placed and fulfilled", delivered},
		{"order.cancelled", orders, "an order is placed and cancelled", cancelled},
		{"order.refunded", portal, "an order is fulfilled and refunded", refund},

		{"event.published", native, "an event is published", live},
		{"event.changed", native, "an event gets a description", changed},
		{"event.rescheduled", native, "an event moves to another day", after(live, patch(object{"startLocal": later}))},
		{"event.postponed", native, "an event is postponed", after(live, patch(object{"status": "postponed"}))},
		{"event.cancelled", native, "an event is cancelled", after(live, patch(object{"status": "cancelled"}))},
		{"event.deleted", native, "an event is deleted", after(live, step{made: "deletion", method: http.MethodDelete, path: "/api/v1/events/{event}"})},
		{"listing.changed", native, "a listing gets another price", after(listed,
			step{set: "change", method: http.MethodPatch, path: "/api/v1/inventory/{listing}", body: object{"price": "30.00"}})},
		{"pool.exhausted", native, "the only seat of an event is sold", soldOut},
		{"pool.reopened", native, "the only seat of an event is sold and comes back", after(soldOut, move("cancelled"))},
		{"hold.placed", native, "a place is held", after(listed, aHold)},
		{"hold.released", native, "a place is held and given back", after(listed, aHold,
			step{made: "release", method: http.MethodDelete, path: "/api/v1/holds/{hold}"})},
		{"hold.expired", native, "a place is held for a second, and its time runs out", after(listed, briefHold)},
		{"order.issue_raised", native, "an order is placed and has an issue", issue},
		{"sale.barcodes_failed", native, "a barcode of an order is too short for its event's rule", after(sold, rule, barcodes(ofOrder, "{nonce}"))},
		{"sale.barcodes_received", native, "the first of an order's two barcodes comes in", after(pair, barcodes(ofOrder, "Trigger-{nonce}"))},
		{"transfer.failed", native, "the buyer of an order did not receive the tickets", after(delivered,
			step{set: "transfer", path: ofOrder + "/not-received", body: object{"note": "Trigger"}})},
		{"listing.barcodes_failed", native, "a barcode of a listing is too short for its event's rule", after(listed, rule, barcodes(ofListing, "{nonce}"))},
		{"listing.barcodes_received", native, "a barcode of a listing comes in", after(listed, barcodes(ofListing, "Trigger-{nonce}"))},
		{"refund.completed", native, "an order is fulfilled and refunded", refund},
		{"ticket.issued", native, "a ticket is sold", sold},
		{"ticket.voided", native, "a ticket is sold and cancelled", voided},
		{"ticket.transfer_offered", native, "a ticket is offered to somebody else", offered},
		{"ticket.transferred", native, "a ticket is offered to somebody else, who accepts it", after(offered, answered("accept"))},
		{"ticket.transfer_declined", native, "a ticket is offered to somebody else, who declines it", after(offered, answered("decline"))},
		{"ticket.transfer_revoked", native, "a ticket is offered to somebody else, and the offer revoked", after(offered, answered("revoke"))},
		{"ticket.blocked", native, "a ticket is sold and blocked", after(held, ticketStep("block", nil))},
		{"ticket.unblocked", native, "a ticket is blocked and unblocked", after(held, ticketStep("block", nil), ticketStep("unblock", nil))},
		{"ticket.changed", native, "a ticket gets another name on it", after(held,
			step{set: "change", method: http.MethodPatch, path: "/api/v1/tickets/{ticket}", body: object{"holder": object{"name": "Trigger Guest"}}})},
		{"checkin.admitted", native, "a ticket is sold and scanned at the door", scanned},
		{"checkin.denied", native, "a ticket is scanned twice", after(scanned, scan("again", "already_checked_in"))},
		{"checkin.exited", native, "a ticket is scanned on the way in, and on the way out", after(scanned, scanOut())},
		{"checkin.readmitted", native, "somebody comes in, leaves, and comes in again", after(held, itsCode, reentry, aScan, scanOut(), scan("again", "checked_in"))},
		{"checkin.conflict_offline", native, "two gates without a network have scanned the same ticket", after(held, itsCode, upload())},
		{"checkin.undone", native, "a ticket is scanned and the check-in undone", after(scanned,
			step{made: "undo", method: http.MethodDelete, path: "/api/v1/checkin/{scan}"})},
		{"stamp.revoked", native, "a stamp is awarded and taken away", after(awarded,
			step{made: "revocation", method: http.MethodDelete, path: "/api/v1/stamps/awarded/{award}"})},
	}
}

// nonce tells what was made now from what was made before.
func nonce() string { return strings.ToLower(rand.Text()[:6]) }
