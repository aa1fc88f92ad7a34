package native

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// describeWebhooks writes the document's section of webhooks: for each format and event the request that receivers get. It is made by the
// dialects that send them, which render and sign a sample, so it shows what they do.
func describeWebhooks(doc *huma.OpenAPI, dialects []delivery.Dialect) {
	doc.Webhooks = map[string]*huma.PathItem{}
	for _, d := range dialects {
		headers := headersOf(d)
		for _, f := range samples() {
			name, ok := d.Name(f.Kind)
			if !ok || doc.Webhooks[d.Format()+":"+name] != nil {
				continue
			}
			body, err := d.Render(context.Background(), &f, &endpoint.Endpoint{Format: d.Format(), Options: endpoint.Options{Redact: true}})
			if err != nil {
				continue // it cannot be told without what only a database knows
			}
			doc.Webhooks[d.Format()+":"+name] = webhookItem(d, name, headers, body)
		}
	}
}

func webhookItem(d delivery.Dialect, name string, headers []string, body []byte) *huma.PathItem {
	var example any
	if err := json.Unmarshal(body, &example); err != nil {
		panic(err) // a dialect that renders no JSON is a mistake of ours
	}
	success := "2XX"
	if d.Policy().Only200 {
		success = "200"
	}
	op := &huma.Operation{
		OperationID: d.Format() + ":" + name, Tags: []string{"Deliveries: " + d.Format()}, Summary: name + " in the format " + d.Format(),
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			d.ContentType(): {Schema: shapeOf(example), Example: json.RawMessage(body)},
		}},
		Responses: map[string]*huma.Response{success: {Description: "Delivered. Any other answer is a failure, and the delivery is tried again."}},
	}
	for _, h := range headers {
		op.Parameters = append(op.Parameters, &huma.Param{Name: h, In: "header", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	return &huma.PathItem{Post: op}
}

// headersOf lists the headers that the dialect signs a request with.
func headersOf(d delivery.Dialect) []string {
	signer, err := d.Signer(&endpoint.Endpoint{Format: d.Format(), Secret: webhook.NewSecret()})
	if err != nil {
		return nil
	}
	lines, err := signer.AppendHeaders(nil, webhook.Message{ID: "id", Event: "order.accepted", Time: sampleTime, Body: []byte(`{}`)})
	if err != nil {
		return nil
	}
	var names []string
	for _, l := range lines {
		if !slices.Contains(names, l.Name) {
			names = append(names, l.Name)
		}
	}
	slices.Sort(names)
	return names
}

// shapeOf is a schema that says of a sample what may be relied on: the names and types of what is there. More may come.
func shapeOf(v any) *huma.Schema {
	switch v := v.(type) {
	case map[string]any:
		s := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}}
		for name, member := range v {
			s.Properties[name] = shapeOf(member)
		}
		return s
	case []any:
		s := &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{}}
		if len(v) > 0 {
			s.Items = shapeOf(v[0])
		}
		return s
	case string:
		return &huma.Schema{Type: huma.TypeString}
	case float64:
		return &huma.Schema{Type: huma.TypeNumber}
	case bool:
		return &huma.Schema{Type: huma.TypeBoolean}
	}
	return &huma.Schema{}
}

var sampleTime = time.Date(2027, 8, 1, 10, 0, 0, 123_000_000, time.UTC)

// samples are one fact of each kind.
func samples() []fact.Fact {
	e := event.Event{
		ID: "EVENT123", Name: "Harbor Jazz Night", Category: "Jazz", StartLocal: "2027-08-14T20:30:00", Timezone: "Europe/Oslo",
		StartsAt: time.Date(2027, 8, 14, 18, 30, 0, 0, time.UTC), EndsAt: time.Date(2027, 8, 15, 0, 30, 0, 0, time.UTC),
		Venue: event.Venue{ID: 1, Name: "Pier Hall", City: "Oslo", Country: "NO"}, Currency: "NOK", Status: event.Published, Version: 2,
		CreatedAt: sampleTime, UpdatedAt: sampleTime,
	}
	l := inventory.Listing{
		ID: "674e1234567890abcdef1234", EventID: e.ID, Section: "101", Row: "A", Total: 8, Price: money.Amount{Minor: 7533, Currency: "NOK"},
		SplitRule: inventory.Any, Status: inventory.Active, Version: 2, CreatedAt: sampleTime, UpdatedAt: sampleTime,
		DeliveryKind: inventory.ByBarcode, DeliverBy: sampleTime.Add(72 * time.Hour), Deliverability: inventory.Deliverable,
	}
	var all []fact.Fact
	for i, kind := range fact.Native() {
		noun, _, _ := strings.Cut(string(kind), ".")
		var data any
		switch noun {
		case "event":
			s := e.Snapshot()
			s.Changes = []string{"startLocal"}
			data = s
		case "pool":
			data = inventory.PoolSnapshot{Snapshot: e.Snapshot(), Capacity: 8, Sold: 8}
		case "listing":
			s := l.Snapshot()
			if kind != fact.ListingChanged {
				brief := inventory.BriefOf(e)
				s.Event, s.Deliverability = &brief, inventory.Undeliverable
			}
			data = s
		case "hold":
			data = sampleHold(kind, e, l)
		case "order", "refund":
			data = sampleOrder(kind, e, l)
		case "ticket":
			data = sampleTicket(kind, e, l)
		case "pass", "registration":
			data = samplePass(kind, e)
		default:
			data = map[string]string{"webhookId": "wh_06h0g0a6g5y8x76gjgwg4sss78", "since": sampleTime.Format(time.RFC3339Nano)}
		}
		b, err := json.Marshal(data)
		if err != nil {
			panic(err) // our own types
		}
		all = append(all, fact.Fact{ID: id.Fact{Day: fact.Day(sampleTime), Seq: int64(i + 1)}, Kind: kind, Subject: "EVENT123", Version: 2, At: sampleTime, Data: b})
	}
	return all
}

func sampleOrder(kind fact.Kind, e event.Event, l inventory.Listing) order.Snapshot {
	o := order.Order{
		ID: "order_1769086588534", Number: "TIC-KRLCH4H78", EventID: e.ID, EventName: e.Name, EventDate: e.StartsAt, EventTimezone: e.Timezone,
		EventVenue: e.Venue.Name, EventLocation: "Oslo, NO", ListingID: l.ID, Section: l.Section, Row: l.Row, Quantity: 2,
		UnitPrice: l.Price, Total: money.Amount{Minor: 15066, Currency: "NOK"}, Captured: money.Amount{Minor: 15066, Currency: "NOK"},
		Refunded: money.Amount{Currency: "NOK"}, Version: 2, CreatedAt: sampleTime, UpdatedAt: sampleTime, PreviousStatus: order.Confirmed, Sale: inventory.SaleOf(sampleSale, e, l, []int{6, 7}),
	}
	for status, k := range kinds {
		if k == kind {
			o.Status = status
		}
	}
	if kind == fact.OrderFulfilled {
		o.TransferMethod = order.MobileTransfer
	}
	if kind == fact.RefundCompleted {
		o.Refunded = o.Total
	}
	s := o.Snapshot()
	if kind == fact.RefundCompleted {
		s.RefundMinor = o.Total.Minor
	}
	return s
}

// sampleSale is the number of the sale that the samples are of.
const sampleSale = 90211

func sampleHold(kind fact.Kind, e event.Event, l inventory.Listing) inventory.HoldSnapshot {
	h := inventory.Hold{
		ID: "hld_06fvnz7c6wyr1c2k2y0gqk4w3g", EventID: l.EventID, ListingID: l.ID, Section: l.Section, Row: l.Row, Quantity: 2, Price: l.Price,
		SaleNo: sampleSale, Status: inventory.HoldActive, CreatedAt: sampleTime, ExpiresAt: sampleTime.Add(inventory.HoldFor),
	}
	switch kind {
	case fact.HoldReleased:
		h.Status = inventory.HoldReleased
	case fact.HoldExpired:
		h.Status = inventory.HoldExpired
	}
	return h.Snapshot(e, l)
}

func sampleTicket(kind fact.Kind, e event.Event, l inventory.Listing) ticket.Snapshot {
	t := ticket.Ticket{
		ID: "tkt_06mykbdmkmkm05a4t4jdkj8zvr", OrderID: "order_1769086588534", Place: 1, Places: 2, EventID: e.ID, Section: l.Section, Row: l.Row, Seat: "7",
		Price: l.Price, Validity: ticket.Valid, Presence: ticket.Outside, Generation: 1, Version: 2, CreatedAt: sampleTime, UpdatedAt: sampleTime,
	}
	transfers := map[fact.Kind]ticket.TransferState{
		fact.TicketTransferOffered: ticket.Offered, fact.TicketTransferred: ticket.Accepted, fact.TicketTransferDeclined: ticket.Declined,
		fact.TicketTransferRevoked: ticket.Revoked, fact.TicketTransferExpired: ticket.Expired,
	}
	switch kind {
	case fact.TicketVoided:
		t.Validity = ticket.Void
	case fact.TicketBlocked:
		t.Validity = ticket.Blocked
	case fact.TicketTransferred:
		t.Generation = 2
	}
	s := t.Snapshot()
	if state, ok := transfers[kind]; ok {
		s.Transfer = &ticket.TransferSnapshot{N: 1, State: state, ExpiresAt: fact.Instant(sampleTime.Add(ticket.OfferLasts))}
	}
	switch kind {
	case fact.TicketVoided:
		s.Reason = ticket.OrderCancelled
	case fact.TicketChanged:
		s.Changes = []string{"holderName"}
	}
	return s
}

func samplePass(kind fact.Kind, e event.Event) pass.Snapshot {
	p := pass.Pass{
		ID: "6b1c6f0e-9d5a-4a57-8a2d-0f6a2f1f4d11", Platform: pass.Apple, TicketID: "tkt_06mykbdmkmkm05a4t4jdkj8zvr", EventID: e.ID, Signature: make([]byte, 65),
		Registrations: []pass.Registration{{ID: "0c7f5f4e-1f51-4d0f-9a77-9a5c1c1b6f02", CreatedAt: sampleTime}}, Version: 2, CreatedAt: sampleTime,
	}
	switch kind {
	case fact.PassCreated:
		p.Registrations = nil
	case fact.PassScanned:
		p.LastScannedAt = sampleTime
	case fact.PassExpired:
		p.ExpiredAt, p.ExpireAction = sampleTime, pass.AdminRevoke
	case fact.RegistrationRemoved:
		p.Registrations[0].DeletedAt = sampleTime
	}
	return p.Snapshot()
}
