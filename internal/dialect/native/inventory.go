package native

import (
	"context"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type listingJSON struct {
	ListingID     string   `json:"listingId" example:"674e1234567890abcdef1234"`
	EventID       string   `json:"eventId"`
	Section       string   `json:"section"`
	Row           string   `json:"row"`
	Quantity      int      `json:"quantity" doc:"What is for sale now."`
	TotalQuantity int      `json:"totalQuantity" doc:"What was listed."`
	Seats         []string `json:"seats,omitempty" nullable:"false" doc:"The labels of all seats that were listed, where places are numbered."`
	Price         string   `json:"price" example:"75.00" doc:"Of one ticket, a decimal."`
	Currency      string   `json:"currency" doc:"ISO 4217."`
	SplitRule     string   `json:"splitRule" enum:"any,none,avoid_one,avoid_one_and_three,pairs"`
	Splits        []int    `json:"splits" nullable:"false" doc:"The quantities that can be bought now."`
	TicketTypeID  string   `json:"ticketTypeId,omitempty" doc:"Whose listing it is; then the ticket type is what is changed."`
	ExternalID    string   `json:"externalId,omitempty"`
	Status        string   `json:"status" enum:"draft,active,paused,sold_out,expired,withdrawn"`
	Version       int64    `json:"version" doc:"Grows with every change and every sale; the ETag."`
	CreatedAt     string   `json:"createdAt" format:"date-time"`
	UpdatedAt     string   `json:"updatedAt" format:"date-time"`

	FaceValue      string   `json:"faceValue,omitempty" doc:"Of one ticket, a decimal."`
	DeliveryKind   string   `json:"deliveryKind" enum:"transfer,barcode,eticket,paper,pickup" doc:"How a buyer gets the tickets. Those of barcode and eticket are codes that the seller uploads."`
	InHandAt       string   `json:"inHandAt,omitempty" format:"date-time" doc:"When the seller has the tickets."`
	DeliverBy      string   `json:"deliverBy,omitempty" format:"date-time" doc:"From then on tickets that are codes are for sale only if all places have one."`
	ExpiresAt      string   `json:"expiresAt,omitempty" format:"date-time" doc:"From then on its status is expired."`
	Deliverability string   `json:"deliverability" enum:"ok,at_risk,expired" doc:"at_risk: it is less than a day to deliverBy, and codes are missing. expired: nothing is for sale until they are there, or deliverBy is later."`
	Barcoded       int      `json:"barcoded,omitempty" doc:"How many places have codes."`
	Notes          []string `json:"notes,omitempty" nullable:"false" doc:"For buyers."`
}

// newListing shows a listing as it stands at an instant.
func newListing(l inventory.Listing, now time.Time) listingJSON {
	l = l.AsOf(now)
	splits := l.Splits()
	if splits == nil {
		splits = []int{}
	}
	j := listingJSON{
		ListingID: string(l.ID), EventID: string(l.EventID), Section: l.Section, Row: l.Row, Quantity: l.Free(), TotalQuantity: l.Listed(),
		Seats: l.Seats, Price: l.Price.String(), Currency: string(l.Price.Currency), SplitRule: string(l.SplitRule), Splits: splits,
		TicketTypeID: string(l.Type), ExternalID: l.ExternalID, Status: string(l.Status), Version: l.Version, CreatedAt: instant(l.CreatedAt), UpdatedAt: instant(l.UpdatedAt),
		DeliveryKind: string(l.DeliveryKind), InHandAt: maybe(l.InHandAt), DeliverBy: maybe(l.DeliverBy), ExpiresAt: maybe(l.ExpiresAt),
		Deliverability: string(l.Outlook(now)), Barcoded: l.Barcoded, Notes: l.Notes,
	}
	if l.FaceValue != nil {
		j.FaceValue = l.FaceValue.String()
	}
	return j
}

func showListing(l inventory.Listing, now time.Time) answer[listingJSON] {
	return answer[listingJSON]{body: newListing(l, now), version: l.Version}
}

type listingListInput struct {
	Paging
	EventID   string `query:"eventId" required:"true"`
	ListingID string `query:"listingId"`
	External  string `query:"externalId" maxLength:"200" doc:"The seller's own name for it."`
	MinPrice  string `query:"minPrice" maxLength:"30" pattern:"^[0-9]+(\\.[0-9]+)?$" patternDescription:"a decimal such as 50 or 49.90" doc:"In each listing's own currency."`
	MaxPrice  string `query:"maxPrice" maxLength:"30" pattern:"^[0-9]+(\\.[0-9]+)?$" patternDescription:"a decimal such as 50 or 49.90" doc:"In each listing's own currency."`
	Quantity  int    `query:"quantity" minimum:"1" maximum:"20" doc:"Only listings that sell that many."`
	Status    string `query:"status" enum:"active,draft,paused,sold_out,withdrawn,expired,all" doc:"active is the default: what is for sale."`
	SortBy    string `query:"sortBy" enum:"price,section,row" default:"price"`
	SortOrder string `query:"sortOrder" enum:"asc,desc" default:"asc"`
}

type listingFiltersJSON struct {
	EventID   string  `json:"eventId"`
	ListingID *string `json:"listingId"`
	MinPrice  *number `json:"minPrice" nullable:"true"`
	MaxPrice  *number `json:"maxPrice" nullable:"true"`
	Quantity  *int    `json:"quantity"`
	Status    string  `json:"status,omitempty"`
	SortBy    string  `json:"sortBy"`
	SortOrder string  `json:"sortOrder"`
	External  *string `json:"externalId"`
}

// inventoryJSON is a list with its event.
type inventoryJSON struct {
	Data []listingJSON     `json:"data" nullable:"false"`
	Meta inventoryMetaJSON `json:"meta"`
}

type inventoryMetaJSON struct {
	Event      eventJSON          `json:"event"`
	Pagination paginationJSON     `json:"pagination"`
	Filters    listingFiltersJSON `json:"filters"`
}

func (a *API) listInventory(ctx context.Context, c *call, in *listingListInput) (answer[inventoryJSON], error) {
	var out answer[inventoryJSON]
	f := inventory.Filter{
		Public: c.Attendee, Event: id.Event(in.EventID), Listing: id.Listing(in.ListingID), External: in.External, MinPrice: money.Decimal(in.MinPrice), MaxPrice: money.Decimal(in.MaxPrice),
		Quantity: in.Quantity, Status: in.Status, SortBy: in.SortBy, SortOrder: in.SortOrder, Limit: in.Limit,
	}
	at, err := in.place(c, "inventory", f)
	if err != nil {
		return out, err
	}
	f.Offset, f.Now = at.offset, a.Now()
	q := a.DB.Read(ctx)
	ev, page, total, err := inventory.List(q, c.Org, f)
	if err != nil {
		return out, err
	}
	shown, err := showEvent(q, c.Org, ev, f.Now)
	if err != nil {
		return out, err
	}
	data := make([]listingJSON, len(page))
	for i, l := range page {
		data[i] = newListing(l, f.Now)
	}
	l := newList(in.Paging, at, data, total, listingFiltersJSON{
		EventID: in.EventID, ListingID: orNull(in.ListingID), MinPrice: written(in.MinPrice), MaxPrice: written(in.MaxPrice),
		Quantity: orNull(in.Quantity), Status: in.Status, SortBy: in.SortBy, SortOrder: in.SortOrder,
		External: orNull(in.External),
	}, "")
	out.body = inventoryJSON{Data: l.Data, Meta: inventoryMetaJSON{Event: shown.body, Pagination: l.Meta.Pagination, Filters: l.Meta.Filters}}
	return out, nil
}

// written is a decimal parameter as a JSON number, which has no leading zeros; nil for none.
func written(s string) *number {
	if s == "" {
		return nil
	}
	s = strings.TrimLeft(s, "0")
	if s == "" || s[0] == '.' {
		s = "0" + s
	}
	n := number(s)
	return &n
}

// ListingPath names a listing.
type ListingPath struct {
	ListingID string `path:"listingId"`
}

func (a *API) listing(ctx context.Context, c *call, in *ListingPath) (answer[listingJSON], error) {
	now := a.Now()
	l, err := c.listing(a.DB.Read(ctx), id.Listing(in.ListingID), now)
	if err != nil {
		return answer[listingJSON]{}, err
	}
	return showListing(l, now), nil
}

type listingInputJSON struct {
	EventID    string   `json:"eventId"`
	Section    string   `json:"section" minLength:"1" maxLength:"100"`
	Row        string   `json:"row" minLength:"1" maxLength:"100"`
	Quantity   count    `json:"quantity,omitempty" minimum:"1" maximum:"1000000" doc:"May be left out where seats are given."`
	Seats      []string `json:"seats,omitempty" nullable:"false" doc:"A label for each place, where places are numbered."`
	Price      decimal  `json:"price" doc:"Of one ticket: a decimal string such as \"75.00\", or a number."`
	Currency   string   `json:"currency,omitempty" doc:"ISO 4217; the event's when left out."`
	SplitRule  string   `json:"splitRule,omitempty" enum:"any,none,avoid_one,avoid_one_and_three,pairs" doc:"any when left out."`
	ExternalID string   `json:"externalId,omitempty" maxLength:"200" doc:"Your own name for it: of the listings that are not withdrawn or expired, one of each name."`
	Status     string   `json:"status,omitempty" enum:"active,draft,paused" doc:"active when left out."`

	FaceValue    *decimal `json:"faceValue,omitempty"`
	DeliveryKind string   `json:"deliveryKind,omitempty" enum:"transfer,barcode,eticket,paper,pickup" doc:"transfer when left out."`
	InHandAt     moment   `json:"inHandAt,omitempty" doc:"When you have the tickets; not after deliverBy."`
	DeliverBy    moment   `json:"deliverBy,omitempty" doc:"From then on tickets that are codes are for sale only if all places have one."`
	ExpiresAt    moment   `json:"expiresAt,omitempty" doc:"From then on its status is expired."`
	Notes        []string `json:"notes,omitempty" nullable:"false" maxItems:"20" doc:"For buyers, up to 200 characters each."`
}

// dates are the instants of a listing: nil where nothing was said, the zero time for none.
type dates struct{ inHandAt, deliverBy, expiresAt *time.Time }

func datesOf(inHandAt, deliverBy, expiresAt moment) (dates, error) {
	var f problem.Fields
	d := dates{inHandAt.time(&f, "/inHandAt"), deliverBy.time(&f, "/deliverBy"), expiresAt.time(&f, "/expiresAt")}
	return d, f.Err()
}

// optionalDecimal is an amount of a PATCH: left out, it stays; null or "" is none.
type optionalDecimal struct{ to *money.Decimal }

// UnmarshalJSON notes that the field was there.
func (o *optionalDecimal) UnmarshalJSON(b []byte) error {
	var d decimal
	err := unmarshalOrNull(b, &d)
	o.to = &d.Decimal
	return err
}

// Schema is a decimal's; null is let through for every field that is not required.
func (optionalDecimal) Schema(r huma.Registry) *huma.Schema { return decimal{}.Schema(r) }

type listingInput struct {
	Body listingInputJSON
}

func (in *listingInput) writeKey() string { return in.Body.EventID }

func (a *API) createListing(tx *db.Tx, c *call, in *listingInput) (answer[listingJSON], error) {
	b := in.Body
	if b.Quantity == 0 {
		b.Quantity = count(len(b.Seats))
	}
	d, err := datesOf(b.InHandAt, b.DeliverBy, b.ExpiresAt)
	if err != nil {
		return answer[listingJSON]{}, err
	}
	l, err := a.Stock.Create(tx, c.Org, inventory.Input{
		Event: id.Event(b.EventID), ExternalID: b.ExternalID, Section: b.Section, Row: b.Row, Quantity: int(b.Quantity), Seats: b.Seats,
		Price: b.Price.Decimal, Currency: money.Currency(b.Currency), SplitRule: inventory.Rule(b.SplitRule), Status: inventory.Status(b.Status),
		DeliveryKind: inventory.DeliveryKind(b.DeliveryKind), InHandAt: orZero(d.inHandAt), DeliverBy: orZero(d.deliverBy), ExpiresAt: orZero(d.expiresAt),
		FaceValue: orZero(b.FaceValue).Decimal, Notes: b.Notes,
	})
	if err != nil {
		return answer[listingJSON]{}, err
	}
	out := showListing(l, tx.Now())
	out.location = inventoryPath + "/" + string(l.ID)
	return out, nil
}

type listingPatchJSON struct {
	Section       *string  `json:"section,omitempty" minLength:"1" maxLength:"100" nullable:"false"`
	Row           *string  `json:"row,omitempty" minLength:"1" maxLength:"100" nullable:"false"`
	TotalQuantity *count   `json:"totalQuantity,omitempty" minimum:"1" maximum:"1000000" nullable:"false" doc:"What is listed; not below what is sold."`
	Seats         []string `json:"seats,omitempty" nullable:"false" doc:"The labels, with more behind them or fewer of them."`
	Price         *decimal `json:"price,omitempty"`
	Currency      *string  `json:"currency,omitempty" nullable:"false" doc:"Only with price."`
	SplitRule     *string  `json:"splitRule,omitempty" enum:"any,none,avoid_one,avoid_one_and_three,pairs" nullable:"false"`
	ExternalID    text     `json:"externalId,omitempty" maxLength:"200"`
	Status        *string  `json:"status,omitempty" enum:"active,paused,draft,withdrawn" nullable:"false"`

	FaceValue    optionalDecimal `json:"faceValue,omitempty" doc:"null for none."`
	DeliveryKind *string         `json:"deliveryKind,omitempty" enum:"transfer,barcode,eticket,paper,pickup" nullable:"false"`
	InHandAt     moment          `json:"inHandAt,omitempty" doc:"null for none, and so with the instants below."`
	DeliverBy    moment          `json:"deliverBy,omitempty" doc:"Later, or none, puts tickets on sale again whose codes were missing."`
	ExpiresAt    moment          `json:"expiresAt,omitempty"`
	Notes        []string        `json:"notes,omitempty" nullable:"false" maxItems:"20" doc:"All of them; an empty list for none."`
}

type listingPatch struct {
	ListingPath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    listingPatchJSON
}

func (a *API) changeListing(tx *db.Tx, c *call, in *listingPatch) (answer[listingJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[listingJSON]{}, err
	}
	b := in.Body
	d, err := datesOf(b.InHandAt, b.DeliverBy, b.ExpiresAt)
	if err != nil {
		return answer[listingJSON]{}, err
	}
	p := inventory.Patch{
		Version: version, ExternalID: b.ExternalID.to, Section: b.Section, Row: b.Row, Total: (*int)(b.TotalQuantity), Seats: b.Seats,
		Currency: (*money.Currency)(b.Currency), SplitRule: (*inventory.Rule)(b.SplitRule), Status: (*inventory.Status)(b.Status),
		DeliveryKind: (*inventory.DeliveryKind)(b.DeliveryKind), InHandAt: d.inHandAt, DeliverBy: d.deliverBy, ExpiresAt: d.expiresAt, FaceValue: b.FaceValue.to,
	}
	if b.Notes != nil {
		p.Notes = &b.Notes
	}
	if b.Price != nil {
		p.Price = &b.Price.Decimal
	}
	l, err := a.Stock.Update(tx, c.Org, id.Listing(in.ListingID), p)
	if err != nil {
		return answer[listingJSON]{}, err
	}
	return showListing(l, tx.Now()), nil
}

type listingDelete struct {
	ListingPath
	IfMatch string `header:"If-Match" doc:"The ETag of what is to be withdrawn; 412 when it has changed since."`
}

func (a *API) withdrawListing(tx *db.Tx, c *call, in *listingDelete) (answer[none], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[none]{}, err
	}
	_, err = a.Stock.Withdraw(tx, c.Org, id.Listing(in.ListingID), version)
	return answer[none]{}, err
}
