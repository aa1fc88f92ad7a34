package native

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

const ticketsPath = "/api/v1/tickets"

// ticketRoutes are about tickets and what they are shown with.
func (a *API) ticketRoutes() {
	const tickets = "Tickets"
	const one = ticketsPath + "/{ticketId}"

	read(a, route{
		method: "GET", path: ticketsPath, scope: scope.TicketsRead, open: true, id: "listTickets", tag: tickets, summary: "List tickets, newest first",
		detail: "Without their codes: those are shown one by one. People without a role see the tickets that they hold.",
	}, a.listTickets)
	change(a, route{
		method: "POST", path: ticketsPath, scope: scope.TicketsWrite, open: true, id: "purchaseTickets", tag: tickets, status: 201,
		summary: "Buy tickets: an order, and its tickets with their codes, in one step",
		detail:  "By `listingId`, `ticketTypeId`, `holdId`, or `section` and `row`. Who asks as a person buys for themselves and may leave out `customer.email`.", errors: []int{404},
	}, expectHold[*purchaseInput](a), a.purchase, a.Keep.Do)
	read(a, route{
		method: "GET", path: one, scope: scope.TicketsRead, open: true, id: "getTicket", tag: tickets, summary: "Read a ticket",
		detail: "With its codes, for its holder and the organisation. Whoever bought it and gave it away sees it without.",
	}, a.readTicket)
	write(a, route{
		method: "PATCH", path: one, scope: scope.TicketsWrite, open: true, id: "changeTicket", tag: tickets, summary: "Correct who holds a ticket",
		detail: "What is left out stays, and codes stay good. Giving a ticket to somebody else is a transfer; so holders can correct their name only.", errors: []int{409},
	}, a.changeTicket)
	write(a, route{
		method: "DELETE", path: one, scope: scope.TicketsWrite, id: "deleteTicket", tag: tickets, status: 204, summary: "The same as cancelling it",
	}, a.deleteTicket)
	write(a, route{
		method: "POST", path: one + "/cancel", scope: scope.TicketsWrite, id: "cancelTicket", tag: tickets, summary: "Cancel one ticket",
		detail: "It admits nobody any more. Its place stays the order's, and no money moves: cancel or refund the order for that.",
	}, a.cancelTicket)
	write(a, route{
		method: "POST", path: one + "/block", scope: scope.TicketsWrite, id: "blockTicket", tag: tickets, summary: "Keep a ticket from admitting anybody for the time being",
	}, a.blockTicket)
	write(a, route{
		method: "POST", path: one + "/unblock", scope: scope.TicketsWrite, id: "unblockTicket", tag: tickets, summary: "Make a blocked ticket valid again",
	}, a.unblockTicket)
	read(a, route{
		method: "GET", path: one + "/verify", scope: scope.TicketsRead, open: true, id: "verifyTicket", tag: tickets, summary: "Tell whether a ticket is valid now",
		detail: "With `code`, also whether that is a current code of it. Nobody is checked in.",
	}, a.verifyTicket)
	write(a, route{
		method: "POST", path: one + "/transfer", scope: scope.TicketsWrite, open: true, id: "transferTicket", tag: tickets, summary: "Give a ticket to somebody else",
		detail: "The holder offers it to an e-mail address, and can revoke the offer; whoever it was made to accepts or declines it. Accepting makes them the holder, " +
			"with a new code; the codes before are then worthless. The organisation may take each step for either.",
	}, a.transferTicket)
	read(a, route{
		method: "GET", path: one + "/transfers", scope: scope.TicketsRead, open: true, id: "listTransfers", tag: tickets, summary: "List a ticket's transfers, oldest first",
		detail: "People without a role see those that they made or were offered.",
	}, a.listTransfers)
	a.pictureRoutes(tickets, one)
	a.codeRoutes(tickets)
}

type ticketJSON struct {
	ID            string        `json:"id"`
	Code          string        `json:"code,omitempty" doc:"What the QR code has, see the guide; for the holder and the organisation, of one ticket at a time."`
	CodeExpiresAt string        `json:"codeExpiresAt,omitempty" format:"date-time" doc:"Of an event whose codes rotate: from then on show the next."`
	ShortCode     string        `json:"shortCode,omitempty" example:"7K2M-Q9XD-4TQ5" doc:"To type at the door."`
	EventID       string        `json:"eventId"`
	OrderID       string        `json:"orderId"`
	Section       string        `json:"section"`
	Row           string        `json:"row"`
	Seat          string        `json:"seat,omitempty" doc:"Where places are numbered."`
	Place         int           `json:"place" doc:"1 to places: which of its order's places it is."`
	Places        int           `json:"places"`
	Class         int           `json:"class,omitempty" doc:"Of its ticket type; left out where it has none."`
	Price         string        `json:"price" example:"75.00" doc:"Of this one ticket, a decimal."`
	Currency      string        `json:"currency" doc:"ISO 4217."`
	Status        ticket.Status `json:"status" enum:"reserved,valid,checked_in,blocked,void"`
	Generation    int           `json:"generation" doc:"Grows with every transfer; codes of earlier ones are worthless."`
	Holder        *holderJSON   `json:"holder,omitempty" doc:"For the holder and the organisation."`
	ValidFrom     string        `json:"validFrom,omitempty" format:"date-time" doc:"Left out where only the event bounds it."`
	ValidUntil    string        `json:"validUntil,omitempty" format:"date-time"`
	Version       int64         `json:"version" doc:"Grows with every change; the ETag."`
	CreatedAt     string        `json:"createdAt" format:"date-time"`
	UpdatedAt     string        `json:"updatedAt" format:"date-time"`
}

type holderJSON struct {
	Name  string `json:"name" doc:"May be empty."`
	Email string `json:"email"`
}

// showTicket shows a ticket as whoever asks may see it, without its codes.
func (c *call) showTicket(t ticket.Ticket) ticketJSON {
	j := ticketJSON{
		ID: string(t.ID), EventID: string(t.EventID), OrderID: string(t.OrderID), Section: t.Section, Row: t.Row, Seat: t.Seat, Place: t.Place, Places: t.Places, Class: t.Class,
		Price: t.Price.String(), Currency: string(t.Price.Currency), Status: t.Status(), Generation: t.Generation, ValidFrom: maybe(t.ValidFrom),
		ValidUntil: maybe(t.ValidUntil), Version: t.Version, CreatedAt: instant(t.CreatedAt), UpdatedAt: instant(t.UpdatedAt),
	}
	if c.holds(t) {
		j.Holder = &holderJSON{t.Holder.Name, t.Holder.Email}
	}
	return j
}

// showWhole shows a ticket with its codes, where whoever asks may see them.
func (a *API) showWhole(q db.Querier, c *call, t ticket.Ticket) (ticketJSON, error) {
	j := c.showTicket(t)
	if !c.holds(t) || !t.HasCodes() {
		return j, nil
	}
	codes, err := a.Tickets.CodesOf(c.request.Context(), q, t, a.Now())
	j.Code, j.CodeExpiresAt, j.ShortCode = codes.Text, maybe(codes.Until), codes.Short
	return j, err
}

// holds tells whether whoever asks is a ticket's holder, or the organisation.
func (c *call) holds(t ticket.Ticket) bool { return !c.Attendee || c.isTheirs(t.Holder.Email) }

// ticket finds a ticket that whoever asks may see.
func (c *call) ticket(q db.Querier, t string) (ticket.Ticket, error) {
	if c.Attendee {
		return ticket.TheirsByID(q, c.Org, id.Ticket(t), person.Of(c.Email))
	}
	return ticket.ByID(q, c.Org, id.Ticket(t))
}

// side is for whom somebody acts on tickets: themselves, or (an empty address) the organisation. Whose address was not shown to be theirs, has none.
func (c *call) side() (person.Address, error) {
	if c.Attendee && c.Email == "" {
		return "", problem.New(problem.NotFound, "ticket_not_found", "There is no such ticket here.")
	}
	return person.Of(c.Email), nil
}

func errNotHolder() error {
	return problem.New(problem.Forbidden, "not_holder", "The ticket has another holder, who alone sees and changes this.")
}

// ticketDone answers what was done to a ticket.
func (a *API) ticketDone(tx *db.Tx, c *call, t ticket.Ticket) (answer[ticketJSON], error) {
	j, err := a.showWhole(tx, c, t)
	return answer[ticketJSON]{body: j, version: t.Version}, err
}

// TicketPath names a ticket.
type TicketPath struct {
	TicketID string `path:"ticketId"`
}

func (a *API) readTicket(ctx context.Context, c *call, in *TicketPath) (answer[ticketJSON], error) {
	q := a.DB.Read(ctx)
	t, err := c.ticket(q, in.TicketID)
	if err != nil {
		return answer[ticketJSON]{}, err
	}
	j, err := a.showWhole(q, c, t)
	return answer[ticketJSON]{body: j, version: t.Version}, err
}

type ticketListInput struct {
	Paging
	EventID string `query:"eventId"`
	OrderID string `query:"orderId"`
	Holder  string `query:"holder" doc:"The holder's e-mail address; upper and lower case are alike."`
	Status  string `query:"status" enum:"reserved,valid,checked_in,blocked,void"`
}

type ticketFiltersJSON struct {
	EventID *string `json:"eventId"`
	OrderID *string `json:"orderId"`
	Holder  *string `json:"holder"`
	Status  *string `json:"status"`
}

func (a *API) listTickets(ctx context.Context, c *call, in *ticketListInput) (answer[list[ticketJSON, ticketFiltersJSON]], error) {
	var out answer[list[ticketJSON, ticketFiltersJSON]]
	f := ticket.Filter{Event: id.Event(in.EventID), Order: id.Order(in.OrderID), Email: in.Holder, Status: ticket.Status(in.Status), Limit: in.Limit}
	at, err := in.place(c, "tickets", f)
	if err != nil {
		return out, err
	}
	f.Before = id.Ticket(at.after)
	if f.Before == "" {
		f.Offset = at.offset
	}
	page, total, err := c.ticketsOf(a.DB.Read(ctx), f)
	if err != nil {
		return out, err
	}
	data, last := make([]ticketJSON, len(page)), ""
	for i, t := range page {
		data[i], last = c.showTicket(t), string(t.ID)
	}
	out.body = newList(in.Paging, at, data, total, ticketFiltersJSON{orNull(in.EventID), orNull(in.OrderID), orNull(in.Holder), orNull(in.Status)}, last)
	return out, nil
}

// ticketsOf lists what of the tickets whoever asks may see: attendees, those that they hold.
func (c *call) ticketsOf(q db.Querier, f ticket.Filter) ([]ticket.Ticket, int, error) {
	if c.Attendee {
		if c.Email == "" || f.Email != "" && !c.isTheirs(f.Email) {
			return nil, 0, nil
		}
		f.Email = c.Email
	}
	return ticket.List(q, c.Org, f)
}

type buyerJSON struct {
	Email string    `json:"email,omitempty" example:"buyer@example.com" doc:"Who asks as a person may leave out their own."`
	Phone phoneJSON `json:"phone"`
}

type purchaseInputJSON struct {
	Wanted
	Customer buyerJSON    `json:"customer"`
	Payment  *paymentJSON `json:"payment,omitempty" doc:"Whose payment the order stands on; no money is moved."`
}

type purchaseInput struct {
	Body purchaseInputJSON
}

func (in *purchaseInput) wanted() *Wanted { return &in.Body.Wanted }

func (in *purchaseInput) writeKey() string { return in.Body.EventID }

// purchaseJSON is an order with its tickets.
type purchaseJSON struct {
	Order   orderJSON    `json:"order"`
	Tickets []ticketJSON `json:"tickets" nullable:"false" doc:"With their codes; by place."`
}

func (a *API) purchase(tx *db.Tx, c *call, in *purchaseInput, _ none) (answer[purchaseJSON], error) {
	b := in.Body
	email, err := c.buyer(tx, b.Customer.Email)
	if err != nil {
		return answer[purchaseJSON]{}, err
	}
	o, _, err := a.place(tx, c, orderInputJSON{Wanted: b.Wanted, Customer: customerJSON{email, b.Customer.Phone}, Payment: b.Payment})
	if err != nil {
		return answer[purchaseJSON]{}, err
	}
	out := answer[purchaseJSON]{body: purchaseJSON{Order: newOrder(o), Tickets: make([]ticketJSON, o.Quantity)}, version: o.Version, location: ordersPath + "/" + string(o.ID)}
	made, _, err := ticket.List(tx, c.Org, ticket.Filter{Order: o.ID})
	for i := 0; err == nil && i < len(made); i++ {
		out.body.Tickets[made[i].Place-1], err = a.showWhole(tx, c, made[i])
	}
	return out, err
}

// buyer is the address that somebody buys with: the one given, else their own.
func (c *call) buyer(q db.Querier, given string) (string, error) {
	if given != "" || c.UserNo == 0 {
		return given, nil
	}
	if c.Attendee {
		return c.Email, nil
	}
	u, err := org.UserByNumber(q, c.UserNo)
	return u.Email, err
}

type ticketPatchJSON struct {
	Holder holderPatchJSON `json:"holder"`
}

type holderPatchJSON struct {
	Name  *string `json:"name,omitempty" maxLength:"200" nullable:"false" doc:"On one line, without @."`
	Email *string `json:"email,omitempty" nullable:"false" doc:"For the organisation, to correct a mistake. What was offered is then revoked."`
}

type ticketPatch struct {
	TicketPath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    ticketPatchJSON
}

func (a *API) changeTicket(tx *db.Tx, c *call, in *ticketPatch) (answer[ticketJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[ticketJSON]{}, err
	}
	t, err := c.ticket(tx, in.TicketID)
	switch {
	case err != nil:
		return answer[ticketJSON]{}, err
	case !c.holds(t):
		return answer[ticketJSON]{}, errNotHolder()
	case c.Attendee && in.Body.Holder.Email != nil && !c.isTheirs(*in.Body.Holder.Email):
		return answer[ticketJSON]{}, problem.Field("/holder/email", "not_yours", "To give the ticket to somebody else, offer it to them: POST %s/%s/transfer.", ticketsPath, t.ID)
	}
	t, _, err = a.Tickets.SetHolder(tx, c.Org, t.ID, ticket.HolderChange{Version: version, Name: in.Body.Holder.Name, Email: in.Body.Holder.Email})
	if err != nil {
		return answer[ticketJSON]{}, err
	}
	return a.ticketDone(tx, c, t)
}

// ticketStep is a request to change a ticket that says nothing but which.
type ticketStep struct {
	TicketPath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
}

// step takes one of the steps that the organisation takes with tickets.
func (a *API) step(
	tx *db.Tx, c *call, in *ticketStep, do func(tx *db.Tx, org int64, t id.Ticket, version int64) (ticket.Ticket, *fact.Fact, error),
) (answer[ticketJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[ticketJSON]{}, err
	}
	t, _, err := do(tx, c.Org, id.Ticket(in.TicketID), version)
	if err != nil {
		return answer[ticketJSON]{}, err
	}
	return a.ticketDone(tx, c, t)
}

func (a *API) cancelTicket(tx *db.Tx, c *call, in *ticketStep) (answer[ticketJSON], error) {
	return a.step(tx, c, in, a.Tickets.Cancel)
}

func (a *API) blockTicket(tx *db.Tx, c *call, in *ticketStep) (answer[ticketJSON], error) {
	return a.step(tx, c, in, a.Tickets.Block)
}

func (a *API) unblockTicket(tx *db.Tx, c *call, in *ticketStep) (answer[ticketJSON], error) {
	return a.step(tx, c, in, a.Tickets.Unblock)
}

func (a *API) deleteTicket(tx *db.Tx, c *call, in *ticketStep) (answer[none], error) {
	_, err := a.step(tx, c, in, a.Tickets.Cancel)
	return answer[none]{}, err
}

// place places an order for whoever asks.
func (a *API) place(tx *db.Tx, c *call, b orderInputJSON) (order.Order, *fact.Fact, error) {
	if err := c.mayOrder(tx, id.Event(b.EventID), b.Customer.Email); err != nil {
		return order.Order{}, nil, err
	}
	input := order.Input{
		Event: id.Event(b.EventID), Hold: id.Hold(b.HoldID), Listing: id.Listing(b.ListingID), Type: id.TicketType(b.TicketTypeID), Section: b.Section, Row: b.Row,
		Quantity: int(b.Quantity), AccessCode: b.AccessCode, Holder: c.holder(),
		Customer: order.Customer{Email: b.Customer.Email, Phone: order.Phone{Number: b.Customer.Phone.Number, CountryCode: b.Customer.Phone.CountryCode}},
	}
	if b.Payment != nil {
		input.Payment = order.Payment{Provider: b.Payment.Provider, Reference: b.Payment.Reference}
	}
	return a.Book.Place(tx, c.Org, input)
}
