package native

import (
	"context"
	"net/url"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
)

type ticketTypeJSON struct {
	TicketTypeID  string   `json:"ticketTypeId"`
	EventID       string   `json:"eventId"`
	ListingID     string   `json:"listingId" doc:"By which it is in the inventory."`
	Name          string   `json:"name"`
	Class         int      `json:"class" doc:"1, 2, … of the event, and for good: check-in lists admit tickets by it, and their codes say it."`
	Price         string   `json:"price" example:"75.00" doc:"Of one ticket, a decimal."`
	Currency      string   `json:"currency" doc:"ISO 4217."`
	FaceValue     string   `json:"faceValue,omitempty" doc:"A decimal."`
	Pools         []string `json:"pools" nullable:"false" doc:"A ticket takes one place of each. The event counts the places of the first."`
	Quantity      int      `json:"quantity" doc:"What is for sale now."`
	TotalQuantity int      `json:"totalQuantity" doc:"What is listed: the limit, or what the smallest pool has if that is less."`
	MinPerOrder   int      `json:"minPerOrder"`
	MaxPerOrder   int      `json:"maxPerOrder"`
	PerCustomer   int      `json:"perCustomer,omitempty" doc:"What one customer can have; left out for no limit."`
	OnSaleAt      string   `json:"onSaleAt,omitempty" format:"date-time"`
	OffSaleAt     string   `json:"offSaleAt,omitempty" format:"date-time"`
	CodeRequired  bool     `json:"codeRequired" doc:"Whether a buyer has to know an access code."`
	Code          string   `json:"code,omitempty" doc:"The access code; only for those who belong to the organisation."`
	Status        string   `json:"status" enum:"draft,active,paused,sold_out,expired,withdrawn"`
	Version       int64    `json:"version" doc:"Grows with every change and every sale; the ETag."`
	CreatedAt     string   `json:"createdAt" format:"date-time"`
	UpdatedAt     string   `json:"updatedAt" format:"date-time"`
}

func newTicketType(c *call, t inventory.TicketType) ticketTypeJSON {
	l := t.Listing
	j := ticketTypeJSON{
		TicketTypeID: string(t.ID), EventID: string(l.EventID), ListingID: string(l.ID), Name: l.Section, Class: t.Class, Price: l.Price.String(), Currency: string(l.Price.Currency),
		Pools: t.Pools, Quantity: l.Free(), TotalQuantity: l.Listed(), MinPerOrder: l.Least, MaxPerOrder: l.Most, PerCustomer: t.PerCustomer,
		OnSaleAt: maybe(t.OnSaleAt), OffSaleAt: maybe(t.OffSaleAt), CodeRequired: t.Code != "", Status: string(l.Status), Version: l.Version,
		CreatedAt: instant(l.CreatedAt), UpdatedAt: instant(l.UpdatedAt),
	}
	if t.FaceValue != nil {
		j.FaceValue = t.FaceValue.String()
	}
	if !c.Attendee {
		j.Code = t.Code
	}
	return j
}

func showType(c *call, t inventory.TicketType) answer[ticketTypeJSON] {
	return answer[ticketTypeJSON]{body: newTicketType(c, t), version: t.Listing.Version}
}

type eventPartsInput struct {
	EventPath
	Paging
}

func (a *API) listTypes(ctx context.Context, c *call, in *eventPartsInput) (answer[list[ticketTypeJSON, noFilters]], error) {
	all, err := inventory.Types(a.DB.Read(ctx), c.Org, id.Event(in.EventID), c.Attendee)
	if err != nil {
		return answer[list[ticketTypeJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "ticket types of "+in.EventID, all, func(t inventory.TicketType) ticketTypeJSON { return newTicketType(c, t) })
}

// TypePath names a ticket type.
type TypePath struct {
	TicketTypeID string `path:"ticketTypeId"`
}

func (a *API) ticketType(ctx context.Context, c *call, in *TypePath) (answer[ticketTypeJSON], error) {
	t, err := inventory.TypeByID(a.DB.Read(ctx), c.Org, id.TicketType(in.TicketTypeID), c.Attendee)
	if err != nil {
		return answer[ticketTypeJSON]{}, err
	}
	return showType(c, t), nil
}

type ticketTypeInputJSON struct {
	Name        string   `json:"name" minLength:"1" maxLength:"100"`
	Price       decimal  `json:"price" doc:"Of one ticket: a decimal string such as \"75.00\", or a number."`
	Currency    string   `json:"currency,omitempty" doc:"ISO 4217; the event's when left out."`
	FaceValue   *decimal `json:"faceValue,omitempty"`
	Pools       []string `json:"pools,omitempty" nullable:"false" maxItems:"10" doc:"Names of pools of the event. A pool of its own, of its name and with quantity places, when left out."`
	Quantity    count    `json:"quantity,omitempty" minimum:"1" maximum:"1000000" doc:"How many are sold at most; what the pools have when left out."`
	MinPerOrder count    `json:"minPerOrder,omitempty" minimum:"1" maximum:"20" doc:"1 when left out."`
	MaxPerOrder count    `json:"maxPerOrder,omitempty" minimum:"1" maximum:"20" doc:"20 when left out."`
	PerCustomer count    `json:"perCustomer,omitempty" minimum:"0" maximum:"1000000" doc:"How many one customer, by the e-mail address, can have; no limit when left out."`
	OnSaleAt    moment   `json:"onSaleAt,omitempty" doc:"From then on it is sold; as the event when left out."`
	OffSaleAt   moment   `json:"offSaleAt,omitempty" doc:"Until then it is sold; as the event when left out."`
	Code        string   `json:"code,omitempty" maxLength:"100" doc:"What a buyer has to send as accessCode."`
	Status      string   `json:"status,omitempty" enum:"active,draft,paused" doc:"active when left out."`
}

type ticketTypeInput struct {
	EventPath
	Body ticketTypeInputJSON
}

func (a *API) createType(tx *db.Tx, c *call, in *ticketTypeInput) (answer[ticketTypeJSON], error) {
	b := in.Body
	from, until, err := windowOf(b.OnSaleAt, b.OffSaleAt)
	if err != nil {
		return answer[ticketTypeJSON]{}, err
	}
	t, err := a.Stock.CreateType(tx, c.Org, inventory.TypeInput{
		Event: id.Event(in.EventID), Name: b.Name, Price: b.Price.Decimal, Currency: money.Currency(b.Currency), FaceValue: orZero(b.FaceValue).Decimal,
		Pools: b.Pools, Quantity: int(b.Quantity), MinPerOrder: int(b.MinPerOrder), MaxPerOrder: int(b.MaxPerOrder), PerCustomer: int(b.PerCustomer),
		OnSaleAt: orZero(from), OffSaleAt: orZero(until), Code: b.Code, Status: inventory.Status(b.Status),
	})
	if err != nil {
		return answer[ticketTypeJSON]{}, err
	}
	out := showType(c, t)
	out.location = typesPath + "/" + string(t.ID)
	return out, nil
}

type ticketTypePatchJSON struct {
	Name        *string  `json:"name,omitempty" minLength:"1" maxLength:"100" nullable:"false"`
	Price       *decimal `json:"price,omitempty" doc:"Of what is ordered from now on; a hold keeps its own."`
	FaceValue   *decimal `json:"faceValue,omitempty"`
	Quantity    *count   `json:"quantity,omitempty" minimum:"0" maximum:"1000000" nullable:"false" doc:"0 for no limit but the pools'; not below what is sold."`
	MinPerOrder *count   `json:"minPerOrder,omitempty" minimum:"1" maximum:"20" nullable:"false"`
	MaxPerOrder *count   `json:"maxPerOrder,omitempty" minimum:"1" maximum:"20" nullable:"false"`
	PerCustomer *count   `json:"perCustomer,omitempty" minimum:"0" maximum:"1000000" nullable:"false" doc:"0 for no limit."`
	OnSaleAt    moment   `json:"onSaleAt,omitempty"`
	OffSaleAt   moment   `json:"offSaleAt,omitempty"`
	Code        text     `json:"code,omitempty" maxLength:"100"`
	Status      *string  `json:"status,omitempty" enum:"active,paused,draft,withdrawn" nullable:"false"`
}

type ticketTypePatch struct {
	TypePath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    ticketTypePatchJSON
}

func (a *API) changeType(tx *db.Tx, c *call, in *ticketTypePatch) (answer[ticketTypeJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[ticketTypeJSON]{}, err
	}
	b := in.Body
	from, until, err := windowOf(b.OnSaleAt, b.OffSaleAt)
	if err != nil {
		return answer[ticketTypeJSON]{}, err
	}
	p := inventory.TypePatch{
		Version: version, Name: b.Name, Quantity: (*int)(b.Quantity), MinPerOrder: (*int)(b.MinPerOrder), MaxPerOrder: (*int)(b.MaxPerOrder),
		PerCustomer: (*int)(b.PerCustomer), OnSaleAt: from, OffSaleAt: until, Code: b.Code.to, Status: (*inventory.Status)(b.Status),
	}
	if b.Price != nil {
		p.Price = &b.Price.Decimal
	}
	if b.FaceValue != nil {
		p.FaceValue = &b.FaceValue.Decimal
	}
	t, err := a.Stock.UpdateType(tx, c.Org, id.TicketType(in.TicketTypeID), p)
	if err != nil {
		return answer[ticketTypeJSON]{}, err
	}
	return showType(c, t), nil
}

type ticketTypeDelete struct {
	TypePath
	IfMatch string `header:"If-Match" doc:"The ETag of what is to be withdrawn; 412 when it has changed since."`
}

func (a *API) withdrawType(tx *db.Tx, c *call, in *ticketTypeDelete) (answer[none], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[none]{}, err
	}
	return answer[none]{}, a.Stock.WithdrawType(tx, c.Org, id.TicketType(in.TicketTypeID), version)
}

type poolJSON struct {
	Name      string `json:"name"`
	EventID   string `json:"eventId"`
	Capacity  int    `json:"capacity"`
	Held      int    `json:"held"`
	Sold      int    `json:"sold"`
	Blocked   int    `json:"blocked" doc:"Kept back by the organisation."`
	Free      int    `json:"free"`
	Version   int64  `json:"version" doc:"Grows with every change, not with sales; the ETag."`
	CreatedAt string `json:"createdAt" format:"date-time"`
	UpdatedAt string `json:"updatedAt" format:"date-time"`
}

func newPool(event string, p inventory.Pool) poolJSON {
	return poolJSON{
		Name: p.Name, EventID: event, Capacity: p.Capacity, Held: p.Held, Sold: p.Sold, Blocked: p.Blocked, Free: p.Free(), Version: p.Version,
		CreatedAt: instant(p.CreatedAt), UpdatedAt: instant(p.UpdatedAt),
	}
}

func showPool(event string, p inventory.Pool) answer[poolJSON] {
	return answer[poolJSON]{body: newPool(event, p), version: p.Version}
}

func (a *API) listPools(ctx context.Context, c *call, in *eventPartsInput) (answer[list[poolJSON, noFilters]], error) {
	all, err := inventory.Pools(a.DB.Read(ctx), c.Org, id.Event(in.EventID))
	if err != nil {
		return answer[list[poolJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "pools of "+in.EventID, all, func(p inventory.Pool) poolJSON { return newPool(in.EventID, p) })
}

// PoolPath names a pool of an event.
type PoolPath struct {
	EventPath
	Pool string `path:"pool" doc:"Its name."`
}

func (a *API) pool(ctx context.Context, c *call, in *PoolPath) (answer[poolJSON], error) {
	p, err := inventory.PoolNamed(a.DB.Read(ctx), c.Org, id.Event(in.EventID), in.Pool)
	if err != nil {
		return answer[poolJSON]{}, err
	}
	return showPool(in.EventID, p), nil
}

type poolInputJSON struct {
	Name     string `json:"name" minLength:"1" maxLength:"100"`
	Capacity count  `json:"capacity" minimum:"0" maximum:"1000000"`
	Blocked  count  `json:"blocked,omitempty" minimum:"0" maximum:"1000000" doc:"Of the capacity, kept back."`
}

type poolInput struct {
	EventPath
	Body poolInputJSON
}

func (a *API) createPool(tx *db.Tx, c *call, in *poolInput) (answer[poolJSON], error) {
	p, err := a.Stock.CreatePool(tx, c.Org, id.Event(in.EventID), inventory.PoolInput{
		Name: in.Body.Name, Capacity: int(in.Body.Capacity), Blocked: int(in.Body.Blocked),
	})
	if err != nil {
		return answer[poolJSON]{}, err
	}
	out := showPool(in.EventID, p)
	out.location = eventsPath + "/" + in.EventID + "/pools/" + url.PathEscape(p.Name)
	return out, nil
}

type poolPatchJSON struct {
	Capacity *count `json:"capacity,omitempty" minimum:"0" maximum:"1000000" nullable:"false" doc:"Not below what is held, sold and blocked."`
	Blocked  *count `json:"blocked,omitempty" minimum:"0" maximum:"1000000" nullable:"false"`
}

type poolPatch struct {
	PoolPath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    poolPatchJSON
}

func (a *API) changePool(tx *db.Tx, c *call, in *poolPatch) (answer[poolJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[poolJSON]{}, err
	}
	p, err := a.Stock.UpdatePool(tx, c.Org, id.Event(in.EventID), in.Pool, inventory.PoolPatch{
		Version: version, Capacity: (*int)(in.Body.Capacity), Blocked: (*int)(in.Body.Blocked),
	})
	if err != nil {
		return answer[poolJSON]{}, err
	}
	return showPool(in.EventID, p), nil
}

type poolDelete struct {
	PoolPath
	IfMatch string `header:"If-Match" doc:"The ETag of what is to be deleted; 412 when it has changed since."`
}

func (a *API) deletePool(tx *db.Tx, c *call, in *poolDelete) (answer[none], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[none]{}, err
	}
	return answer[none]{}, a.Stock.DeletePool(tx, c.Org, id.Event(in.EventID), in.Pool, version)
}
