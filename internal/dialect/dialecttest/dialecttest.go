// Package dialecttest is what the tests of the dialects on their way out have in common: [Cases], a fact of every kind with fixed contents, and
// [Suite], which holds a dialect to what every [delivery.Dialect] promises and compares its envelopes with golden files.
//
// A golden file is an envelope, indented for its readers. Compacted, it is the envelope byte for byte.
package dialecttest

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// The organisation and the endpoint of all cases.
const (
	Org     = 7
	Number  = 12
	Webhook = id.Webhook("wh_01jd9x2m3n4p5q6r7s8t9v0w1x")
	Secret  = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD" // a published sample, nobody's secret
	OldOne  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	Private = "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" // the bytes 0 to 31
)

// At is the instant of all facts.
func At() time.Time { return time.Date(2026, 1, 22, 12, 52, 52, 509_123_000, time.UTC) }

// Case is a fact with the name that its golden files have.
type Case struct {
	Name string
	Fact *fact.Fact
}

// Cases returns a fact of every native kind, some of them in more than one shape, and a message.
func Cases() []Case {
	var all []Case
	add := func(name string, k fact.Kind, subject string, version int64, data any) {
		b, err := json.Marshal(data)
		if err != nil {
			panic(err)
		}
		all = append(all, Case{name, &fact.Fact{
			ID: id.Fact{Day: fact.Day(At()), Seq: 41 + int64(len(all))}, Org: Org, Kind: k, Subject: subject, Version: version, At: At(), Data: b,
		}})
	}
	for _, c := range eventCases() {
		add(c.name, c.kind, string(c.data.EventID), c.data.Version, c.data)
	}
	for _, k := range []fact.Kind{fact.PoolExhausted, fact.PoolReopened} {
		data := poolData(k)
		add(string(k), k, string(data.EventID), data.Version, data)
	}
	for _, c := range orderCases() {
		add(c.name, c.kind, string(c.data.OrderID), c.data.Version, c.data)
	}
	add("endpoint.pinged", fact.EndpointPinged, string(Webhook), 3, map[string]any{
		"webhookId": Webhook, "test": true, "message": "A test delivery, asked for by the endpoint's owner.",
	})
	all[len(all)-1].Fact.Only = Number
	for _, k := range []fact.Kind{fact.EndpointFailing, fact.EndpointDisabled, fact.EndpointRecovered} {
		add(string(k), k, string(Webhook), 3, map[string]any{
			"webhookId": Webhook, "url": "https://hooks.example.com/tickets", "format": "portal", "since": "2026-01-22T12:00:00.5Z", "lastError": "HTTP status 503",
		})
	}
	listing := inventory.Snapshot{
		ListingID: "697200166edd0569d00c3973", Number: 770001, EventID: "boston-2026", Section: "Club Box 19", Row: "A", Seats: []string{"3", "4", "5"}, Total: 3,
		Price: "74.12", PriceMinor: 7412, Currency: "USD", SplitRule: inventory.Any, Status: inventory.Paused, Version: 4,
		CreatedAt: instant("2026-01-10T08:00:00Z"), UpdatedAt: fact.Instant(At()), Changes: []string{"status"},
		DeliveryKind: inventory.ByTransfer, Deliverability: inventory.Deliverable,
	}
	add("listing.changed", fact.ListingChanged, string(listing.ListingID), listing.Version, listing)
	all = append(all, Message(json.RawMessage(`{"bookingId":"b-17","note":"Rock & Roll <live> – Straße","amount":12.50}`), len(all)))
	add("access.reuse_detected", fact.AccessReuseDetected, "gnt_06fvnz7c6wyr1c2k2y0gqk4w3g", 1, map[string]any{
		"grantId": "gnt_06fvnz7c6wyr1c2k2y0gqk4w3g", "clientId": "oa_06fvnz7c6wyr1c2k2y0gqk4w3h", "reason": "refresh_token_reused",
	})
	for _, c := range ticketCases() {
		add(c.name, c.kind, string(c.data.TicketID), c.data.Version, c.data)
	}
	for _, c := range stampCases() {
		add(c.name, c.kind, string(c.data.StampID), c.data.Version, c.data)
	}
	for _, c := range []struct {
		kind   fact.Kind
		status inventory.HoldStatus
	}{{fact.HoldPlaced, inventory.HoldActive}, {fact.HoldExpired, inventory.HoldExpired}, {fact.HoldReleased, inventory.HoldReleased}} {
		data := Hold()
		data.Status = c.status
		add(string(c.kind), c.kind, string(data.HoldID), 0, data)
	}
	sale := eventCases()[0].data
	from, until := instant("2026-02-01T09:00:00Z"), instant("2026-05-01T18:00:00Z")
	sale.OnSaleAt, sale.OffSaleAt, sale.Changes = &from, &until, []string{"onSaleAt", "offSaleAt"}
	add("event.changed.sale", fact.EventChanged, string(sale.EventID), sale.Version, sale)
	for _, c := range checkinCases() {
		add(c.name, c.kind, string(c.data.CheckinID), 1, c.data)
	}
	inHand, by, until, face := instant("2026-01-20T08:00:00Z"), instant("2026-01-22T12:52:52Z"), instant("2026-01-22T23:00:00Z"), int64(6000)
	listing.Quantity, listing.Status, listing.Version, listing.Changes = 0, inventory.Active, 5, nil
	listing.DeliveryKind, listing.InHandAt, listing.DeliverBy, listing.ExpiresAt = inventory.ByBarcode, &inHand, &by, &until
	listing.Deliverability, listing.FaceMinor, listing.Notes = inventory.Undeliverable, &face, []string{"Restricted view"}
	brief := Brief()
	listing.Event = &brief
	add(string(fact.ListingDeliverabilityExpired), fact.ListingDeliverabilityExpired, string(listing.ListingID), listing.Version, listing)
	for _, c := range barcodeCases() {
		add(c.name, c.kind, string(c.data.OrderID), c.data.Version, c.data)
	}
	for _, k := range []fact.Kind{fact.ListingBarcodesFailed, fact.ListingBarcodesReceived} {
		named := listing
		named.Quantity, named.Deliverability, named.Ordinals = 3, inventory.Deliverable, []int{0, 2}
		add(string(k), k, string(named.ListingID), named.Version, named)
	}
	for _, c := range passCases() {
		add(c.name, c.kind, string(c.data.PassID), c.data.Version, c.data)
	}
	return all
}

// Message returns the case of an organisation's own message.
func Message(data json.RawMessage, n int) Case {
	return Case{"message", &fact.Fact{
		ID: id.Fact{Day: fact.Day(At()), Seq: 41 + int64(n)}, Org: Org, Kind: "acme.booking-made", At: At(), Key: "b-17", Data: data, Private: true,
	}}
}

// Hold is the data of facts about a hold.
func Hold() inventory.HoldSnapshot {
	return inventory.HoldSnapshot{
		HoldID: "hld_06fvnz7c6wyr1c2k2y0gqk4w3g", EventID: "boston-2026", EventName: Brief().Name, EventDate: Brief().StartsAt, ListingID: "697200166edd0569d00c3973", Section: "Club Box 19", Row: "A", Seats: []string{"3", "4"},
		Quantity: 2, PriceMinor: 7412, Currency: "USD", CreatedAt: instant("2026-01-22T12:42:52Z"), ExpiresAt: instant("2026-01-22T12:52:52Z"), Sale: Sale(),
	}
}

// Brief is what facts about listings and sales say of their event.
func Brief() inventory.EventBrief {
	ends := instant("2026-01-23T03:00:00Z")
	return inventory.EventBrief{
		Number: 9, Name: "Bruins & Friends", StartsAt: instant("2026-01-23T00:00:00Z"), EndsAt: &ends, DateConfirmed: true, VenueID: 5,
	}
}

// Sale is the seller's view of [Order] and [Hold].
func Sale() inventory.Sale {
	s := inventory.Sale{
		ID: 90211, Event: Brief(), ListingNumber: 770001, ListedAt: instant("2026-01-10T08:00:00Z"), ListedSeats: []string{"3", "5"}, Left: 1, Units: []int{0, 1},
	}
	onSale := instant("2026-01-12T09:00:00Z")
	s.Event.OnSaleAt = &onSale
	return s
}

type eventCase struct {
	name string
	kind fact.Kind
	data event.Snapshot
}

func eventCases() []eventCase {
	published := event.Snapshot{
		EventID: "boston-2026", Name: "Bruins & Friends", Description: "Ice hockey, \"live\".", Category: "sports", URL: "https://example.com/e?a=1&b=2",
		StartLocal: "2026-01-22T19:00:00", EndLocal: "2026-01-22T22:00:00", Timezone: "America/New_York",
		StartsAt: instant("2026-01-23T00:00:00Z"), EndsAt: instant("2026-01-23T03:00:00Z"),
		VenueID: 5, Venue: "TD Garden", City: "Boston", Region: "MA", Country: "US", Currency: "USD", Status: event.Published, Version: 1,
		CreatedAt: instant("2026-01-10T08:00:00Z"), UpdatedAt: instant("2026-01-10T08:00:00Z"),
	}
	next := func(version int64, status event.Status, changes ...string) event.Snapshot {
		s := published
		s.Version, s.Status, s.Changes, s.UpdatedAt = version, status, changes, fact.Instant(At())
		return s
	}
	bare := event.Snapshot{
		EventID: "evn_01jd9x2m3n4p5q6r7s8t9v0w1x", Name: "Whole days", Online: true, StartLocal: "2026-05-01T00:00:00", Timezone: "Europe/Oslo", AllDay: true,
		StartsAt: instant("2026-04-30T22:00:00Z"), EndsAt: instant("2026-05-01T22:00:00Z"), Currency: "NOK", Status: event.Published, Version: 1,
		CreatedAt: fact.Instant(At()), UpdatedAt: fact.Instant(At()),
	}
	moved := next(3, event.Published, "startLocal", "endLocal")
	moved.StartLocal, moved.EndLocal = "2026-01-24T19:00:00", "2026-01-24T22:00:00"
	moved.StartsAt, moved.EndsAt = instant("2026-01-25T00:00:00Z"), instant("2026-01-25T03:00:00Z")
	before := instant("2026-01-23T00:00:00Z")
	moved.PreviousStart = &before
	return []eventCase{
		{"event.published", fact.EventPublished, published},
		{"event.published.bare", fact.EventPublished, bare},
		{"event.changed", fact.EventChanged, next(2, event.Published, "name", "allDay", "venue")},
		{"event.rescheduled", fact.EventRescheduled, moved},
		{"event.postponed", fact.EventPostponed, next(4, event.Postponed, "status")},
		{"event.cancelled", fact.EventCancelled, next(5, event.Cancelled, "status")},
		{"event.deleted", fact.EventDeleted, next(6, event.Published)},
	}
}

func poolData(k fact.Kind) inventory.PoolSnapshot {
	p := inventory.PoolSnapshot{Snapshot: eventCases()[0].data, Capacity: 150, Sold: 150}
	if k == fact.PoolReopened {
		p.Changes, p.Sold, p.Free = []string{"numberOfSeats"}, 148, 2
	}
	return p
}

type orderCase struct {
	name string
	kind fact.Kind
	data order.Snapshot
}

func orderCases() []orderCase {
	at := func(version int64, previous, status order.Status) order.Snapshot {
		s := Order()
		s.Version, s.PreviousStatus, s.Status = version, previous, status
		return s
	}
	placed := at(1, "", order.Confirmed)
	placed.UpdatedAt = placed.CreatedAt
	fulfilled := at(3, order.Accepted, order.Fulfilled)
	fulfilled.TransferMethod = order.MobileTransfer
	refund := func(s order.Snapshot, now, all int64) order.Snapshot {
		s.RefundMinor, s.RefundedMinor = now, all
		return s
	}
	issue := at(4, order.Accepted, order.Issue)
	issue.IssueCause = order.CauseOther
	yen := at(6, order.Cancelled, order.Refunded)
	yen.Currency, yen.UnitMinor, yen.TotalMinor, yen.Seats = "JPY", 7000, 14000, nil
	return []orderCase{
		{"order.confirmed", fact.OrderConfirmed, placed},
		{"order.confirmed.again", fact.OrderConfirmed, at(5, order.Issue, order.Confirmed)},
		{"order.accepted", fact.OrderAccepted, at(2, order.Confirmed, order.Accepted)},
		{"order.issue_raised", fact.OrderIssueRaised, issue},
		{"order.fulfilled", fact.OrderFulfilled, fulfilled},
		{"order.cancelled", fact.OrderCancelled, at(5, order.Issue, order.Cancelled)},
		{"refund.completed", fact.RefundCompleted, refund(yen, 4000, 14000)},
		{"refund.completed.partial", fact.RefundCompleted, refund(at(7, "", order.Fulfilled), 1050, 1050)},
	}
}

// barcodeCases are the facts about orders that barcodes and transfers lead to.
func barcodeCases() []orderCase {
	at := func(version int64, previous, status order.Status, cause order.Cause) order.Snapshot {
		s := Order()
		s.Version, s.PreviousStatus, s.Status, s.IssueCause = version, previous, status, cause
		return s
	}
	return []orderCase{
		{"sale.barcodes_failed", fact.SaleBarcodesFailed, at(2, order.Confirmed, order.Issue, order.CauseBarcodes)},
		{"sale.barcodes_failed.again", fact.SaleBarcodesFailed, at(3, "", order.Issue, order.CauseBarcodes)},
		{"sale.barcodes_received", fact.SaleBarcodesReceived, at(2, "", order.Confirmed, "")},
		{"transfer.failed", fact.TransferFailed, at(4, order.Fulfilled, order.Issue, order.CauseNotReceived)},
	}
}

type ticketCase struct {
	name string
	kind fact.Kind
	data ticket.Snapshot
}

func ticketCases() []ticketCase {
	at := func(version int64, status ticket.Status) ticket.Snapshot {
		s := Ticket()
		s.Version, s.Status = version, status
		if version > 1 {
			s.UpdatedAt = fact.Instant(At())
		}
		return s
	}
	offer := func(version int64, state ticket.TransferState) ticket.Snapshot {
		s := at(version, ticket.StatusValid)
		s.Transfer = &ticket.TransferSnapshot{N: 1, State: state, ExpiresAt: instant("2026-01-29T12:52:52.509Z")}
		return s
	}
	moved := offer(3, ticket.Accepted)
	moved.Generation = 2
	voided := at(2, ticket.StatusVoid)
	voided.Reason = ticket.OrderCancelled
	changed := at(2, ticket.StatusValid)
	changed.Changes = []string{"holderName", "holderEmail"}
	bounded := at(1, ticket.StatusValid)
	from, until := instant("2026-01-22T23:00:00Z"), instant("2026-01-23T04:00:00Z")
	bounded.ValidFrom, bounded.ValidUntil = &from, &until
	bounded.Seat, bounded.Currency, bounded.PriceMinor = "", "JPY", 7000
	return []ticketCase{
		{"ticket.issued", fact.TicketIssued, at(1, ticket.StatusValid)},
		{"ticket.issued.bounded", fact.TicketIssued, bounded},
		{"ticket.voided", fact.TicketVoided, voided},
		{"ticket.transferred", fact.TicketTransferred, moved},
		{"ticket.transfer_offered", fact.TicketTransferOffered, offer(2, ticket.Offered)},
		{"ticket.transfer_declined", fact.TicketTransferDeclined, offer(3, ticket.Declined)},
		{"ticket.transfer_revoked", fact.TicketTransferRevoked, offer(3, ticket.Revoked)},
		{"ticket.transfer_expired", fact.TicketTransferExpired, offer(3, ticket.Expired)},
		{"ticket.blocked", fact.TicketBlocked, at(2, ticket.StatusBlocked)},
		{"ticket.unblocked", fact.TicketUnblocked, at(3, ticket.StatusValid)},
		{"ticket.changed", fact.TicketChanged, changed},
	}
}

type stampCase struct {
	name string
	kind fact.Kind
	data stamp.Snapshot
}

func stampCases() []stampCase {
	earned := stamp.Snapshot{
		StampID: "stp_06mykbdmkmkm05a4t4jdkj8zvr", StampTypeID: "stt_06mykbdmkmkm05a4t4jdkj8zvs", Name: "First night & <more>", Collection: "Season 2026",
		EventID: Order().EventID, TicketID: Ticket().TicketID, CheckinID: "chk_06mykbdmkmkm05a4t4jdkj8zvt", AwardedAt: fact.Instant(At()),
		Reason: stamp.ByCheckin, Version: 1,
	}
	byHand := stamp.Snapshot{
		StampID: earned.StampID, StampTypeID: earned.StampTypeID, Name: "Volunteer", AwardedAt: fact.Instant(At()), Reason: stamp.ByHand, Version: 3,
	}
	revoked, at := earned, fact.Instant(At())
	revoked.AwardedAt, revoked.RevokedAt, revoked.Reason, revoked.Version = instant("2026-01-22T12:40:00Z"), &at, stamp.Undone, 2
	return []stampCase{
		{"stamp.awarded", fact.StampAwarded, earned},
		{"stamp.awarded.by-hand", fact.StampAwarded, byHand},
		{"stamp.revoked", fact.StampRevoked, revoked},
	}
}

type checkinCase struct {
	name string
	kind fact.Kind
	data gate.Snapshot
}

func checkinCases() []checkinCase {
	in := gate.Snapshot{
		CheckinID: "chk_06mykbe0e5x1v9k3m7n2p4q8rs", TicketID: Ticket().TicketID, OrderID: Order().OrderID, EventID: Order().EventID, Gate: "North & East",
		Direction: gate.Entry, Mode: gate.Online, At: fact.Instant(At()), Result: string(gate.CheckedIn),
	}
	with := func(change func(*gate.Snapshot)) gate.Snapshot {
		s := in
		change(&s)
		return s
	}
	return []checkinCase{
		{"checkin.admitted", fact.CheckinAdmitted, in},
		{"checkin.admitted.bare", fact.CheckinAdmitted, with(func(s *gate.Snapshot) { s.Gate = "" })},
		{"checkin.readmitted", fact.CheckinReadmitted, with(func(s *gate.Snapshot) { s.ListID = "lst_06mykbe0e5x1v9k3m7n2p4q8rs" })},
		{"checkin.denied", fact.CheckinDenied, with(func(s *gate.Snapshot) { s.Result, s.Reason = string(gate.Already), "already_inside" })},
		{"checkin.denied.unknown", fact.CheckinDenied, with(func(s *gate.Snapshot) {
			s.TicketID, s.OrderID, s.EventID, s.Result, s.Reason = "", "", "", string(gate.Invalid), "unknown"
		})},
		{"checkin.exited", fact.CheckinExited, with(func(s *gate.Snapshot) { s.Direction, s.Result = gate.Exit, string(gate.CheckedOut) })},
		{"checkin.conflict_offline", fact.CheckinConflicted, with(func(s *gate.Snapshot) {
			s.Mode, s.Result = gate.Offline, string(gate.Conflict)
			s.Against = &gate.Rival{CheckinID: "chk_06mykbd8e5x1v9k3m7n2p4q8rs", Gate: "South", At: instant("2026-01-22T12:41:07Z")}
		})},
		{"checkin.undone", fact.CheckinUndone, with(func(s *gate.Snapshot) { s.Result = string(gate.Undone) })},
	}
}

type passCase struct {
	name string
	kind fact.Kind
	data pass.Snapshot
}

// passCases are about the pass of the ethpass specification's sample, and one of a ticket.
func passCases() []passCase {
	at := func(s string) *pass.Instant {
		var i pass.Instant
		if err := i.UnmarshalText([]byte(s)); err != nil {
			panic(err)
		}
		return &i
	}
	of := func(version int64, change func(*pass.Snapshot)) pass.Snapshot {
		s := pass.Snapshot{
			PassID: "2f8210ee-4f02-4966-9529-745d80116718", Platform: pass.Google, Chain: "evm", Network: "1", CreatedAt: *at("2022-10-27T21:57:38.520137Z"),
			BarcodeSignature: "0x02c954980025cfc61a0f78b938173c0eda776103c896f44fc5ba5941933dd9c96891e0fef78f1aecf0eb09ec34d0bd74f2f1627329d6afa88dfadeac8ae049871c",
			Registrations:    []pass.RegistrationSnapshot{}, Version: version,
		}
		change(&s)
		return s
	}
	installed := func(s *pass.Snapshot) {
		s.Registrations = []pass.RegistrationSnapshot{{ID: "07a39167-6484-4ce8-b485-84eb41a5cd5b", CreatedAt: *at("2022-10-27T21:56:30.026695Z")}}
	}
	used := func(s *pass.Snapshot) {
		installed(s)
		s.LastScannedAt = at("2022-10-27T21:58:01.822Z")
	}
	return []passCase{
		{"pass.created", fact.PassCreated, of(1, func(*pass.Snapshot) {})},
		{"pass.created.ticket", fact.PassCreated, of(1, func(s *pass.Snapshot) {
			s.PassID, s.Platform, s.Chain, s.Network = "6b1c6f0e-9d5a-4a57-8a2d-0f6a2f1f4d11", pass.Apple, "", ""
			s.TicketID, s.EventID = Ticket().TicketID, Ticket().EventID
		})},
		{"pass.updated", fact.PassUpdated, of(2, installed)},
		{"pass.scanned", fact.PassScanned, of(3, used)},
		{"pass.scanned.door", fact.PassScanned, of(3, func(s *pass.Snapshot) { used(s); s.CheckinID = "chk_06mykbe0e5x1v9k3m7n2p4q8rs" })},
		{"pass.expired", fact.PassExpired, of(4, func(s *pass.Snapshot) {
			used(s)
			s.ExpiredAt, s.ExpireAction = at("2022-10-27T21:58:03.158Z"), pass.UserRevoke
		})},
		{"registration.added", fact.RegistrationAdded, of(2, installed)},
		{"registration.removed", fact.RegistrationRemoved, of(3, func(s *pass.Snapshot) {
			installed(s)
			s.Registrations[0].DeletedAt = at("2022-10-27T21:57:59.004871Z")
		})},
	}
}

// Ticket is the first ticket of [Order], as it was issued.
func Ticket() ticket.Snapshot {
	return ticket.Snapshot{
		TicketID: "tkt_06mykbdmkmkm05a4t4jdkj8zvr", OrderID: Order().OrderID, Place: 1, Places: 2, EventID: Order().EventID, Section: "Club Box 19", Row: "A",
		Seat: "3", PriceMinor: 7412, Currency: "USD", Status: ticket.StatusValid, Generation: 1, Version: 1,
		CreatedAt: instant("2026-01-22T12:49:50.22Z"), UpdatedAt: instant("2026-01-22T12:49:50.22Z"),
	}
}

// Order is the order of the portal specification's samples, as it is when it was accepted.
func Order() order.Snapshot {
	return order.Snapshot{
		OrderID: "order_1769086190205", OrderNumber: "TIC-KRLCH4H78", EventID: "4546456", EventName: "Boston Bruins Vs Vegas Golden Knights Boston",
		EventDate: instant("2026-01-22T10:00:00Z"), EventTimezone: "America/New_York", EventVenue: "TD Garden", EventLocation: "Boston, MA",
		ListingID: "697200166edd0569d00c3973", Section: "Club Box 19", Row: "A", Seats: []string{"3", "4"}, Quantity: 2,
		UnitMinor: 7412, TotalMinor: 14824, Currency: "USD", Status: order.Accepted, PreviousStatus: order.Confirmed, Version: 2,
		CreatedAt: instant("2026-01-22T12:49:50.22Z"), UpdatedAt: instant("2026-01-22T12:52:52.509Z"), Sale: Sale(),
	}
}

// Buyer is the person of the portal specification's samples.
func Buyer() order.People {
	return order.People{
		Customer:     order.Customer{Email: "buyer@example.com", Phone: order.Phone{Number: "5551234567", CountryCode: "+1"}},
		TransferNote: "Transferred via mobile transfer",
		IssueReason:  "the issue's reason",
		RefundReason: "the refund's reason",
	}
}

// People looks up the personal data of an order.
type People = func(ctx context.Context, org int64, order id.Order) (order.People, error)

// Known finds the buyer of every order.
func Known(context.Context, int64, id.Order) (order.People, error) { return Buyer(), nil }

// Erased finds that the person was erased.
func Erased(context.Context, int64, id.Order) (order.People, error) { return order.People{}, nil }

// Endpoint returns an endpoint of the format.
func Endpoint(format string, redact bool) *endpoint.Endpoint {
	return &endpoint.Endpoint{
		Number: Number, Org: Org, ID: Webhook, URL: "https://hooks.example.com/tickets", Format: format, Events: []string{endpoint.Wildcard}, Active: true,
		Options: endpoint.Options{Redact: redact}, Secret: Secret,
	}
}

func instant(s string) fact.Instant {
	var i fact.Instant
	if err := i.UnmarshalText([]byte(strings.TrimSpace(s))); err != nil {
		panic(err)
	}
	return i
}
