package native

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
)

type customerJSON struct {
	Email string    `json:"email" example:"buyer@example.com"`
	Phone phoneJSON `json:"phone"`
}

type phoneJSON struct {
	Number      string `json:"number" example:"5551234567" doc:"4 to 15 digits."`
	CountryCode string `json:"countryCode" example:"+1" doc:"+ and 1 to 4 digits."`
}

type paymentJSON struct {
	Provider  string `json:"provider,omitempty" maxLength:"100"`
	Reference string `json:"reference,omitempty" maxLength:"200"`
}

type orderJSON struct {
	OrderID        string       `json:"orderId" example:"order_1769086588534"`
	OrderNumber    string       `json:"orderNumber" example:"TIC-KRLCH4H78"`
	EventID        string       `json:"eventId"`
	EventName      string       `json:"eventName"`
	EventDate      string       `json:"eventDate" format:"date-time" doc:"The instant of the start, in UTC."`
	EventTimezone  string       `json:"eventTimezone" doc:"IANA."`
	EventVenue     string       `json:"eventVenue"`
	EventLocation  string       `json:"eventLocation" doc:"City, and region or country."`
	Section        string       `json:"section"`
	Row            string       `json:"row"`
	Seats          []string     `json:"seats,omitempty" nullable:"false" doc:"Where places are numbered."`
	ListingID      string       `json:"listingId"`
	Quantity       int          `json:"quantity"`
	Status         string       `json:"status" enum:"provisional,confirmed,accepted,issue,fulfilled,cancelled,refunded"`
	PreviousStatus string       `json:"previousStatus,omitempty"`
	UnitPrice      number       `json:"unitPrice" doc:"Of one ticket, exact."`
	TotalAmount    number       `json:"totalAmount" example:"150.66" doc:"Exact, in the order's currency."`
	RefundedAmount number       `json:"refundedAmount" doc:"What was refunded so far."`
	Currency       string       `json:"currency" doc:"ISO 4217."`
	Customer       customerJSON `json:"customer"`
	Payment        *paymentJSON `json:"payment,omitempty"`
	TransferMethod string       `json:"transferMethod,omitempty" enum:"mobile_transfer,digital_download,email,pickup"`
	TransferNote   string       `json:"transferNote,omitempty"`
	IssueCause     string       `json:"issueCause,omitempty" enum:"barcodes,not_received,other" doc:"Of the open issue."`
	IssueReason    string       `json:"issueReason,omitempty"`
	RefundReason   string       `json:"refundReason,omitempty"`
	Version        int64        `json:"version" doc:"Grows with every change; the ETag."`
	CreatedAt      string       `json:"createdAt" format:"date-time"`
	UpdatedAt      string       `json:"updatedAt" format:"date-time"`
}

func newOrder(o order.Order) orderJSON {
	j := orderJSON{
		OrderID: string(o.ID), OrderNumber: string(o.Number), EventID: string(o.EventID), EventName: o.EventName, EventDate: instant(o.EventDate),
		EventTimezone: o.EventTimezone, EventVenue: o.EventVenue, EventLocation: o.EventLocation, Section: o.Section, Row: o.Row, Seats: o.Seats,
		ListingID: string(o.ListingID), Quantity: o.Quantity, Status: string(o.Status), PreviousStatus: string(o.PreviousStatus), IssueCause: string(o.IssueCause),
		UnitPrice: numberOf(o.UnitPrice), TotalAmount: numberOf(o.Total), RefundedAmount: numberOf(o.Refunded), Currency: string(o.Total.Currency),
		Customer: customerJSON{
			Email: o.People.Customer.Email,
			Phone: phoneJSON{Number: o.People.Customer.Phone.Number, CountryCode: o.People.Customer.Phone.CountryCode},
		},
		TransferMethod: string(o.TransferMethod), TransferNote: o.People.TransferNote, IssueReason: o.People.IssueReason, RefundReason: o.People.RefundReason,
		Version: o.Version, CreatedAt: instant(o.CreatedAt), UpdatedAt: instant(o.UpdatedAt),
	}
	if o.Payment != (order.Payment{}) {
		j.Payment = &paymentJSON{Provider: o.Payment.Provider, Reference: o.Payment.Reference}
	}
	return j
}

// orderDoneJSON is the portal specification's envelope of what was done to an order.
type orderDoneJSON struct {
	Success   bool            `json:"success" doc:"true."`
	Message   string          `json:"message"`
	Order     orderJSON       `json:"order"`
	Webhook   webhookSentJSON `json:"webhook"`
	Timestamp string          `json:"timestamp" format:"date-time"`
}

type webhookSentJSON struct {
	Event string `json:"event" example:"order.accepted"`
	Sent  bool   `json:"sent" doc:"The event is on disk and an active portal endpoint wants it; its delivery is not waited for."`
}

// kinds are the facts that orders come to their statuses with.
var kinds = map[order.Status]fact.Kind{
	order.Confirmed: fact.OrderConfirmed, order.Accepted: fact.OrderAccepted, order.Issue: fact.OrderIssueRaised,
	order.Fulfilled: fact.OrderFulfilled, order.Cancelled: fact.OrderCancelled, order.Refunded: fact.RefundCompleted,
}

// orderDone answers what was done to an order. f is the fact that was appended, nil when nothing had to be done.
func (a *API) orderDone(tx *db.Tx, c *call, o order.Order, f *fact.Fact, message string) (answer[orderDoneJSON], error) {
	out := answer[orderDoneJSON]{version: o.Version, body: orderDoneJSON{
		Success: true, Message: fmt.Sprintf(message, o.ID), Order: newOrder(o), Timestamp: instant(tx.Now()),
	}}
	set, err := a.Subscriptions.At(tx)
	if err != nil {
		return out, err
	}
	told := f
	if told == nil {
		told = &fact.Fact{Kind: kinds[o.Status]}
	}
	w := &out.body.Webhook
	w.Event, _ = set.EventName("portal", told)
	w.Sent = f != nil && set.Wants("portal", f)
	return out, nil
}

// Wanted says what is bought.
type Wanted struct {
	EventID      string `json:"eventId,omitempty" doc:"May be left out with a holdId, as may quantity."`
	HoldID       string `json:"holdId,omitempty" doc:"A hold that becomes the order, with its places and its price."`
	ListingID    string `json:"listingId,omitempty" doc:"Recommended. Else section and row: the cheapest listing there that sells the quantity."`
	TicketTypeID string `json:"ticketTypeId,omitempty" doc:"Instead of a listing."`
	Section      string `json:"section,omitempty"`
	Row          string `json:"row,omitempty"`
	Quantity     count  `json:"quantity,omitempty" minimum:"1" maximum:"20"`
	AccessCode   string `json:"accessCode,omitempty" doc:"For ticket types that ask for one."`
}

type orderInputJSON struct {
	Wanted
	Customer customerJSON `json:"customer"`
	Payment  *paymentJSON `json:"payment,omitempty" doc:"Whose payment the order stands on; no money is moved."`
}

type orderInput struct {
	Body orderInputJSON
}

func (in *orderInput) wanted() *Wanted { return &in.Body.Wanted }

func (in *orderInput) writeKey() string { return in.Body.EventID }

func (a *API) placeOrder(tx *db.Tx, c *call, in *orderInput, _ none) (answer[orderDoneJSON], error) {
	o, f, err := a.place(tx, c, in.Body)
	if err != nil {
		return answer[orderDoneJSON]{}, err
	}
	out, err := a.orderDone(tx, c, o, f, "Order %s created successfully")
	out.location = ordersPath + "/" + string(o.ID)
	return out, err
}

type orderPatchJSON struct {
	OrderID        string `json:"orderId"`
	Status         string `json:"status" enum:"confirmed,accepted,fulfilled,cancelled"`
	TransferMethod string `json:"transferMethod,omitempty" enum:"mobile_transfer,digital_download,email,pickup" doc:"With fulfilled; mobile_transfer when left out."`
	TransferNote   string `json:"transferNote,omitempty" maxLength:"1000" doc:"With fulfilled."`
}

type orderPatch struct {
	IfMatch string `header:"If-Match" doc:"The order's ETag that the change is made for; 412 when it has changed since."`
	Body    orderPatchJSON
}

func (a *API) changeOrder(tx *db.Tx, c *call, in *orderPatch) (answer[orderDoneJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[orderDoneJSON]{}, err
	}
	b := in.Body
	o, f, err := a.Book.SetStatus(tx, c.Org, id.Order(b.OrderID), order.Change{
		Version: version, Status: order.Status(b.Status), TransferMethod: order.TransferMethod(b.TransferMethod), TransferNote: b.TransferNote,
	})
	if err != nil {
		return answer[orderDoneJSON]{}, err
	}
	if f == nil {
		return a.orderDone(tx, c, o, nil, "Order %s was "+string(o.Status)+" already")
	}
	return a.orderDone(tx, c, o, f, "Order %s updated to "+string(o.Status)+" successfully")
}

// OrderPath names an order.
type OrderPath struct {
	OrderID string `path:"orderId"`
}

func (a *API) order(ctx context.Context, c *call, in *OrderPath) (answer[orderJSON], error) {
	o, err := order.ByID(a.DB.Read(ctx), c.Org, id.Order(in.OrderID))
	if err == nil {
		err = c.mayRead(o)
	}
	if err != nil {
		return answer[orderJSON]{}, err
	}
	return answer[orderJSON]{body: newOrder(o), version: o.Version}, nil
}

type orderListInput struct {
	Paging
	EventID       string `query:"eventId"`
	Status        string `query:"status" enum:"provisional,confirmed,accepted,issue,purchase_issues,fulfilled,cancelled,refunded" doc:"purchase_issues is issue by its name in the portal format."`
	Email         string `query:"email" doc:"The customer's e-mail address; upper and lower case are alike."`
	CustomerEmail string `query:"customerEmail" doc:"The same as email."`
}

type orderFiltersJSON struct {
	EventID *string `json:"eventId"`
	Status  *string `json:"status"`
	Email   *string `json:"email"`
}

func (a *API) listOrders(ctx context.Context, c *call, in *orderListInput) (answer[list[orderJSON, orderFiltersJSON]], error) {
	var out answer[list[orderJSON, orderFiltersJSON]]
	f := order.Filter{Event: id.Event(in.EventID), Status: order.Status(in.Status), Email: in.Email, Limit: in.Limit}
	if f.Email == "" {
		f.Email = in.CustomerEmail
	}
	if f.Status == "purchase_issues" {
		f.Status = order.Issue
	}
	at, err := in.place(c, "orders", f)
	if err != nil {
		return out, err
	}
	f.Before = id.Order(at.after)
	if f.Before == "" {
		f.Offset = at.offset
	}
	page, total, err := c.ordersOf(a.DB.Read(ctx), f)
	if err != nil {
		return out, err
	}
	data, last := make([]orderJSON, len(page)), ""
	for i, o := range page {
		data[i], last = newOrder(o), string(o.ID)
	}
	out.body = newList(in.Paging, at, data, total, orderFiltersJSON{orNull(in.EventID), orNull(string(f.Status)), orNull(f.Email)}, last)
	return out, nil
}

type refundJSON struct {
	Amount *decimal `json:"amount,omitempty" doc:"In the order's currency; all that is left when left out."`
	Reason string   `json:"reason,omitempty" maxLength:"1000"`
}

type refundInput struct {
	OrderPath
	IfMatch string `header:"If-Match" doc:"The order's ETag; 412 when it has changed since."`
	Body    *refundJSON
}

func (a *API) refundOrder(tx *db.Tx, c *call, in *refundInput) (answer[orderDoneJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[orderDoneJSON]{}, err
	}
	r := order.RefundInput{Version: version}
	if in.Body != nil {
		r.Reason = in.Body.Reason
		if in.Body.Amount != nil {
			r.Amount = in.Body.Amount.Decimal
		}
	}
	o, f, err := a.Book.Refund(tx, c.Org, id.Order(in.OrderID), r)
	if err != nil {
		return answer[orderDoneJSON]{}, err
	}
	return a.orderDone(tx, c, o, f, "Order %s: "+o.Refunded.String()+" "+
		string(o.Total.Currency)+" refunded so far")
}

type issueJSON struct {
	Reason string `json:"reason,omitempty" maxLength:"1000" doc:"What is wrong."`
}

type issueInput struct {
	OrderPath
	IfMatch string `header:"If-Match" doc:"The order's ETag; 412 when it has changed since."`
	Body    *issueJSON
}

func (a *API) raiseIssue(tx *db.Tx, c *call, in *issueInput) (answer[orderDoneJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[orderDoneJSON]{}, err
	}
	reason := ""
	if in.Body != nil {
		reason = in.Body.Reason
	}
	o, f, err := a.Book.RaiseIssue(tx, c.Org, id.Order(in.OrderID), reason, version)
	if err != nil {
		return answer[orderDoneJSON]{}, err
	}
	return a.orderDone(tx, c, o, f, "Order %s has an open issue")
}

type cancellationJSON struct {
	EventID    string `json:"eventId"`
	State      string `json:"state" enum:"running,done"`
	Total      int    `json:"total" doc:"Orders that were live when it began."`
	Done       int    `json:"done" doc:"Orders that are cancelled by now."`
	StartedAt  string `json:"startedAt" format:"date-time"`
	FinishedAt string `json:"finishedAt,omitempty" format:"date-time"`
}

func newCancellation(c order.Cancellation) cancellationJSON {
	j := cancellationJSON{EventID: string(c.EventID), State: "running", Total: c.Total, Done: c.Done, StartedAt: instant(c.StartedAt)}
	if !c.FinishedAt.Equal(time.Time{}) {
		j.State, j.FinishedAt = "done", instant(c.FinishedAt)
	}
	return j
}

func (in *EventPath) writeKey() string { return in.EventID }

func (a *API) cancelOrders(tx *db.Tx, c *call, in *EventPath) (answer[cancellationJSON], error) {
	started, err := a.Book.StartCancelling(tx, c.Org, id.Event(in.EventID))
	if err != nil {
		return answer[cancellationJSON]{}, err
	}
	tx.OnCommit(a.wake)
	return answer[cancellationJSON]{body: newCancellation(started), location: eventsPath + "/" + in.EventID + "/cancel-orders"}, nil
}

func (a *API) cancellation(ctx context.Context, c *call, in *EventPath) (answer[cancellationJSON], error) {
	going, err := order.CancellationOf(a.DB.Read(ctx), c.Org, id.Event(in.EventID))
	if err != nil {
		return answer[cancellationJSON]{}, err
	}
	return answer[cancellationJSON]{body: newCancellation(going)}, nil
}
