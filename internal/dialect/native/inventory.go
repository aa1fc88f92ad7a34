package native

import (
	"context"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
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
}

func newListing(l inventory.Listing) listingJSON {
	splits := l.Splits()
	if splits == nil {
		splits = []int{}
	}
	return listingJSON{
		ListingID: string(l.ID), EventID: string(l.EventID), Section: l.Section, Row: l.Row, Quantity: l.Free(), TotalQuantity: l.Listed(),
		Seats: l.Seats, Price: l.Price.String(), Currency: string(l.Price.Currency), SplitRule: string(l.SplitRule), Splits: splits,
		TicketTypeID: string(l.Type), ExternalID: l.ExternalID, Status: string(l.Status), Version: l.Version, CreatedAt: instant(l.CreatedAt), UpdatedAt: instant(l.UpdatedAt),
	}
}

func showListing(l inventory.Listing) answer[listingJSON] {
	return answer[listingJSON]{body: newListing(l), version: l.Version}
}

type listingListInput struct {
	Paging
	EventID   string `query:"eventId" required:"true"`
	ListingID string `query:"listingId"`
	MinPrice  string `query:"minPrice" maxLength:"30" pattern:"^[0-9]+(\\.[0-9]+)?$" patternDescription:"a decimal such as 50 or 49.90" doc:"In each listing's own currency."`
	MaxPrice  string `query:"maxPrice" maxLength:"30" pattern:"^[0-9]+(\\.[0-9]+)?$" patternDescription:"a decimal such as 50 or 49.90" doc:"In each listing's own currency."`
	Quantity  int    `query:"quantity" minimum:"1" maximum:"20" doc:"Only listings that sell that many."`
	Status    string `query:"status" enum:"active,draft,paused,sold_out,withdrawn,expired,all" doc:"active is the default."`
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
		Public: c.Attendee, Event: id.Event(in.EventID), Listing: id.Listing(in.ListingID), MinPrice: money.Decimal(in.MinPrice), MaxPrice: money.Decimal(in.MaxPrice),
		Quantity: in.Quantity, Status: in.Status, SortBy: in.SortBy, SortOrder: in.SortOrder, Limit: in.Limit,
	}
	at, err := in.place(c, "inventory", f)
	if err != nil {
		return out, err
	}
	f.Offset = at.offset
	q := a.DB.Read(ctx)
	ev, page, total, err := inventory.List(q, c.Org, f)
	if err != nil {
		return out, err
	}
	shown, err := showEvent(q, c.Org, ev, a.Now())
	if err != nil {
		return out, err
	}
	data := make([]listingJSON, len(page))
	for i, l := range page {
		data[i] = newListing(l)
	}
	l := newList(in.Paging, at, data, total, listingFiltersJSON{
		EventID: in.EventID, ListingID: orNull(in.ListingID), MinPrice: written(in.MinPrice), MaxPrice: written(in.MaxPrice),
		Quantity: orNull(in.Quantity), Status: in.Status, SortBy: in.SortBy, SortOrder: in.SortOrder,
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
	l, err := c.listing(a.DB.Read(ctx), id.Listing(in.ListingID))
	if err != nil {
		return answer[listingJSON]{}, err
	}
	return showListing(l), nil
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
	ExternalID string   `json:"externalId,omitempty" maxLength:"200"`
	Status     string   `json:"status,omitempty" enum:"active,draft,paused" doc:"active when left out."`
}

type listingInput struct {
	Body listingInputJSON
}

func (in *listingInput) writeKey() string { return in.Body.EventID }

func (a *API) createListing(tx *db.Tx, c *call, in *listingInput) (answer[listingJSON], error) {
	b := in.Body
	if b.Quantity == 0 {
		b.Quantity = count(len(b.Seats))
	}
	l, err := a.Stock.Create(tx, c.Org, inventory.Input{
		Event: id.Event(b.EventID), ExternalID: b.ExternalID, Section: b.Section, Row: b.Row, Quantity: int(b.Quantity), Seats: b.Seats,
		Price: b.Price.Decimal, Currency: money.Currency(b.Currency), SplitRule: inventory.Rule(b.SplitRule), Status: inventory.Status(b.Status),
	})
	if err != nil {
		return answer[listingJSON]{}, err
	}
	out := showListing(l)
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
	p := inventory.Patch{
		Version: version, ExternalID: b.ExternalID.to, Section: b.Section, Row: b.Row, Total: (*int)(b.TotalQuantity), Seats: b.Seats,
		Currency: (*money.Currency)(b.Currency), SplitRule: (*inventory.Rule)(b.SplitRule), Status: (*inventory.Status)(b.Status),
	}
	if b.Price != nil {
		p.Price = &b.Price.Decimal
	}
	l, err := a.Stock.Update(tx, c.Org, id.Listing(in.ListingID), p)
	if err != nil {
		return answer[listingJSON]{}, err
	}
	return showListing(l), nil
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
