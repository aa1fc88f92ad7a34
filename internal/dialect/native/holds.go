package native

import (
	"cmp"
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type holdJSON struct {
	ID           string   `json:"id" example:"hld_06fvnz7c6wyr1c2k2y0gqk4w3g"`
	SaleID       int64    `json:"saleId" doc:"The number by which /v2 and the format stubhub know it, and the order that it becomes."`
	EventID      string   `json:"eventId"`
	ListingID    string   `json:"listingId"`
	TicketTypeID string   `json:"ticketTypeId,omitempty"`
	Section      string   `json:"section"`
	Row          string   `json:"row"`
	Seats        []string `json:"seats,omitempty" nullable:"false" doc:"Where places are numbered."`
	Quantity     int      `json:"quantity"`
	UnitPrice    number   `json:"unitPrice" doc:"Of one ticket, exact; an order by this hold costs no more, and no less."`
	TotalAmount  number   `json:"totalAmount"`
	Currency     string   `json:"currency" doc:"ISO 4217."`
	Status       string   `json:"status" enum:"active,converted,released,expired"`
	Extended     bool     `json:"extended"`
	OrderID      string   `json:"orderId,omitempty" doc:"The order that it became."`
	CreatedAt    string   `json:"createdAt" format:"date-time"`
	ExpiresAt    string   `json:"expiresAt" format:"date-time" doc:"From then on it cannot become an order."`
	EndedAt      string   `json:"endedAt,omitempty" format:"date-time"`
}

func newHold(h inventory.Hold, now time.Time) (holdJSON, error) {
	total, err := h.Price.Times(h.Quantity)
	j := holdJSON{
		ID: string(h.ID), SaleID: h.SaleNo, EventID: string(h.EventID), ListingID: string(h.ListingID), TicketTypeID: string(h.Type), Section: h.Section, Row: h.Row, Seats: h.Seats,
		Quantity: h.Quantity, UnitPrice: numberOf(h.Price), TotalAmount: numberOf(total), Currency: string(h.Price.Currency), Status: string(h.Status),
		Extended: h.Extended, CreatedAt: instant(h.CreatedAt), ExpiresAt: instant(h.ExpiresAt), EndedAt: maybe(h.EndedAt),
	}
	if h.OrderNo != 0 {
		j.OrderID = string(order.IDOf(h.OrderNo))
	}
	if h.Status == inventory.HoldActive && !now.Before(h.ExpiresAt) { // nobody has needed its units yet
		j.Status, j.EndedAt = string(inventory.HoldExpired), instant(h.ExpiresAt)
	}
	return j, err
}

func showHold(h inventory.Hold, now time.Time) (answer[holdJSON], error) {
	j, err := newHold(h, now)
	return answer[holdJSON]{body: j}, err
}

// holder is whose a hold must be: an attendee's own; anybody's for the organisation.
func (c *call) holder() string {
	if c.Attendee {
		return c.Actor()
	}
	return ""
}

type holdInputJSON struct {
	EventID      string `json:"eventId"`
	ListingID    string `json:"listingId,omitempty"`
	TicketTypeID string `json:"ticketTypeId,omitempty"`
	Section      string `json:"section,omitempty" maxLength:"100"`
	Row          string `json:"row,omitempty" maxLength:"100"`
	Quantity     count  `json:"quantity" minimum:"1" maximum:"20"`
	AccessCode   string `json:"accessCode,omitempty" maxLength:"100" doc:"For ticket types that ask for one."`
	Seconds      count  `json:"seconds,omitempty" minimum:"1" maximum:"3600" doc:"How long it lasts; 600 when left out, and at most for people without a role in the organisation."`
}

type holdInput struct {
	Body holdInputJSON
}

func (in *holdInput) writeKey() string { return in.Body.EventID }

func (a *API) placeHold(tx *db.Tx, c *call, in *holdInput) (answer[holdJSON], error) {
	b := in.Body
	if err := c.mayHold(tx, b); err != nil {
		return answer[holdJSON]{}, err
	}
	h, err := a.Stock.Hold(tx, c.Org, inventory.HoldInput{
		Event: id.Event(b.EventID), Holder: c.Actor(), For: time.Duration(b.Seconds) * time.Second,
		Want: inventory.Want{
			Listing: id.Listing(b.ListingID), Type: id.TicketType(b.TicketTypeID), Section: b.Section, Row: b.Row, Quantity: int(b.Quantity), Code: b.AccessCode,
		},
	})
	if err != nil {
		return answer[holdJSON]{}, err
	}
	out, err := showHold(h, tx.Now())
	out.location = holdsPath + "/" + string(h.ID)
	return out, err
}

// mayHold fails for a hold that an attendee places for an event that they do not see, for longer than they may, or before their address is known to be
// theirs: they could not order with it.
func (c *call) mayHold(tx *db.Tx, b holdInputJSON) error {
	switch {
	case !c.Attendee:
		return nil
	case c.Email == "":
		return errNotVerified()
	case time.Duration(b.Seconds)*time.Second > inventory.HoldFor:
		return problem.Field("/seconds", "out_of_range", "Hold for 1 to %d seconds.", int(inventory.HoldFor.Seconds()))
	}
	_, err := c.event(tx, id.Event(b.EventID))
	return err
}

// wanting is an input that says what is bought.
type wanting interface{ wanted() *Wanted }

// expectHold reads, outside of the order's transaction, what the order's hold says for it.
func expectHold[I wanting](a *API) func(context.Context, *call, I) (none, error) {
	return func(ctx context.Context, c *call, in I) (none, error) {
		return none{}, a.fillFromHold(ctx, c, in.wanted())
	}
}

func (a *API) fillFromHold(ctx context.Context, c *call, b *Wanted) error {
	if b.HoldID == "" {
		return nil
	}
	a.Stock.Expect(c.Org, id.Hold(b.HoldID))
	if b.EventID != "" && b.Quantity != 0 {
		return nil
	}
	h, err := inventory.HoldByID(a.DB.Read(ctx), c.Org, id.Hold(b.HoldID), c.holder())
	if err != nil {
		return err
	}
	b.EventID = cmp.Or(b.EventID, string(h.EventID))
	b.Quantity = cmp.Or(b.Quantity, count(h.Quantity))
	return nil
}

// HoldPath names a hold.
type HoldPath struct {
	HoldID string `path:"holdId"`
}

func (a *API) hold(ctx context.Context, c *call, in *HoldPath) (answer[holdJSON], error) {
	h, err := inventory.HoldByID(a.DB.Read(ctx), c.Org, id.Hold(in.HoldID), c.holder())
	if err != nil {
		return answer[holdJSON]{}, err
	}
	return showHold(h, a.Now())
}

func (a *API) extendHold(tx *db.Tx, c *call, in *HoldPath) (answer[holdJSON], error) {
	h, err := a.Stock.Extend(tx, c.Org, id.Hold(in.HoldID), c.holder())
	if err != nil {
		return answer[holdJSON]{}, err
	}
	return showHold(h, tx.Now())
}

func (a *API) releaseHold(tx *db.Tx, c *call, in *HoldPath) (answer[none], error) {
	_, err := a.Stock.ReleaseHold(tx, c.Org, id.Hold(in.HoldID), c.holder())
	return answer[none]{}, err
}

type holdListInput struct {
	Paging
	EventID string `query:"eventId"`
	Status  string `query:"status" enum:"active,converted,released,expired"`
}

type holdFiltersJSON struct {
	EventID *string `json:"eventId"`
	Status  *string `json:"status"`
}

func (a *API) listHolds(ctx context.Context, c *call, in *holdListInput) (answer[list[holdJSON, holdFiltersJSON]], error) {
	var out answer[list[holdJSON, holdFiltersJSON]]
	f := inventory.HoldFilter{Event: id.Event(in.EventID), Status: inventory.HoldStatus(in.Status), Holder: c.holder(), Limit: in.Limit}
	at, err := in.place(c, "holds", f)
	if err != nil {
		return out, err
	}
	now := a.Now()
	f.Offset, f.Now = at.offset, now
	page, total, err := inventory.Holds(a.DB.Read(ctx), c.Org, f)
	if err != nil {
		return out, err
	}
	data := make([]holdJSON, len(page))
	for i, h := range page {
		if data[i], err = newHold(h, now); err != nil {
			return out, err
		}
	}
	out.body = newList(in.Paging, at, data, total, holdFiltersJSON{orNull(in.EventID), orNull(in.Status)}, "")
	return out, nil
}
