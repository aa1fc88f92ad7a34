package stubhub

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// A sale is an order, or before that a hold, which is a provisional sale. A hold that was released or has expired is a cancelled sale: it can be read, and is
// listed for who asks what has changed. Ticketholders are left out: they are personal data.

func (a *API) saleRoutes(mux *http.ServeMux) {
	const all, one = "/v2/sales", "/v2/sales/{saleId}"
	r := func(method, path string, sc scope.Scope, status int) route {
		return route{method: method, path: path, scope: sc, status: status, resource: "sale"}
	}
	get(a, mux, r("GET", all, scope.TicketsRead, 200), a.sales)
	get(a, mux, r("GET", one, scope.TicketsRead, 200), a.sale) // and recentupdates, which the mux cannot tell from an id beside other methods
	a.routes = append(a.routes, Permission{"GET", all + "/recentupdates", scope.TicketsRead})
	change(a, mux, r("PATCH", one, scope.TicketsWrite, 200), a.saleChange, a.changeSale)
	change(a, mux, r("DELETE", one, scope.TicketsWrite, 204), atOnce, a.rejectSale)
}

type saleJSON struct {
	ID                  int64         `json:"id"`
	CreatedAt           string        `json:"created_at"`
	Seating             seatingJSON   `json:"seating"`
	Proceeds            *amount       `json:"proceeds"`
	NumberOfTickets     int           `json:"number_of_tickets"`
	Status              string        `json:"status"`
	StatusDescription   string        `json:"status_description"`
	DisplayProceeds     *amount       `json:"display_proceeds"`
	ConfirmBy           *string       `json:"confirm_by"`
	ShipBy              *string       `json:"ship_by"`
	ExternalListingID   *string       `json:"external_listing_id"`
	IsLegacyStubhubSale bool          `json:"is_legacy_stubhub_order"`
	Barcodes            []saleBarcode `json:"barcodes"`
	InHandAt            *string       `json:"in_hand_at"`
	Links               links         `json:"_links"`
	Embedded            saleParts     `json:"_embedded"`
}

type seatingJSON struct {
	Section  string  `json:"section"`
	Row      *string `json:"row"`
	SeatFrom *string `json:"seat_from"`
	SeatTo   *string `json:"seat_to"`
}

func seatingOf(section, row string, seats []string) seatingJSON {
	s := seatingJSON{Section: section, Row: textOrNil(row)}
	if len(seats) > 0 {
		s.SeatFrom, s.SeatTo = &seats[0], &seats[len(seats)-1]
	}
	return s
}

type saleBarcode struct {
	SeatOrdinal int      `json:"seat_ordinal"` // the place in the sale, from 1
	Seat        *string  `json:"seat"`
	Row         *string  `json:"row"`
	Status      string   `json:"status"`
	Values      []string `json:"barcode_values"`
}

type saleParts struct {
	DeliveryMethod deliveryMethod `json:"delivery_method"`
	Event          *eventPart     `json:"event"`
	TicketType     ticketType     `json:"ticket_type"`
	Ticketholders  []any          `json:"ticketholders"` // null: personal data
	Venue          *venuePart     `json:"venue"`
}

type deliveryMethod struct {
	ID          int    `json:"id"`
	Type        int    `json:"type"` // 0 other, 1 post, 2 pickup, 3 e-ticket
	Name        string `json:"name"`
	Description string `json:"description"`
	Links       links  `json:"_links"`
}

type ticketType struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	ID    int    `json:"id"`
	Links links  `json:"_links"`
}

type deliveryWords struct {
	kind                 inventory.DeliveryKind
	id, method           int
	ticketType, what, by string
}

// kinds are the kinds of delivery in StubHub's words. Their ids are our own and stay.
var kinds = []deliveryWords{
	{inventory.ByTransfer, 1, 0, "TransferTDT", "Mobile transfer", "The tickets are transferred in the app or account of whoever issued them."},
	{inventory.ByBarcode, 2, 3, "Barcode", "Barcodes", "The seller uploads the tickets' barcodes."},
	{inventory.ByETicket, 3, 3, "ETicket", "E-tickets", "The tickets are files, whose barcodes the seller uploads."},
	{inventory.ByPaper, 4, 1, "Paper", "Paper tickets", "The tickets are sent on paper."},
	{inventory.ByPickup, 5, 2, "Pickup", "Pickup", "The tickets are fetched, or handed over at the venue."},
}

func delivered(k inventory.DeliveryKind) (deliveryMethod, ticketType) {
	o := kinds[max(0, slices.IndexFunc(kinds, func(one deliveryWords) bool { return one.kind == k }))]
	return deliveryMethod{ID: o.id, Type: o.method, Name: o.what, Description: o.by, Links: links{}}, ticketType{Type: o.ticketType, Name: o.what, ID: o.id, Links: links{}}
}

// sold is a sale with what its resource shows of others.
type sold struct {
	no      int64
	order   *order.Order // or else hold
	hold    *inventory.Hold
	event   event.Event
	listing inventory.Listing
}

// progress is a sale's status in StubHub's words, and what there is to do about it.
func (s sold) progress(now time.Time) (status, words string) {
	if s.order == nil {
		if s.hold.Status == inventory.HoldActive && now.Before(s.hold.ExpiresAt) {
			return "ProvisionalSale", "A buyer keeps these tickets until " + instant(s.hold.ExpiresAt) + ". There is nothing to do until the sale is made."
		}
		return "Cancelled", "The buyer did not go on; the tickets are for sale again. There is nothing to do."
	}
	kind := s.listing.DeliveryKind
	coded := kind == inventory.ByBarcode || kind == inventory.ByETicket
	switch o := s.order; {
	case o.Status == order.Provisional:
		return "ProvisionalSale", "The buyer's payment is not complete. There is nothing to do until it is."
	case o.Status == order.Confirmed:
		return "ConfirmSale", "Confirm that you will deliver these tickets, or reject the sale."
	case o.Status == order.Issue && o.IssueCause == order.CauseBarcodes:
		return "ReenterBarcodes", "Barcodes failed validation. Check them and upload them again."
	case o.Status == order.Issue && o.IssueCause == order.CauseNotReceived && !coded:
		return "TransferTDT", "The buyer did not receive the tickets. Transfer them again and send the confirmation number."
	case o.Status == order.Issue && o.IssueCause == order.CauseNotReceived:
		return "ReenterBarcodes", "The buyer did not receive the tickets. Upload their barcodes again."
	case o.Status == order.Issue:
		return "ResolveProblem", "There is a problem with this sale. Resolve it and confirm the sale, or reject it."
	case o.Status == order.Accepted && coded:
		return "UploadBarcodes", "Upload a barcode for each ticket."
	case o.Status == order.Accepted && kind == inventory.ByPaper:
		return "ShipTickets", "Send the tickets to the buyer."
	case o.Status == order.Accepted && kind == inventory.ByPickup:
		return "DropOffTickets", "Take the tickets to where the buyer fetches them."
	case o.Status == order.Accepted:
		return "TransferTDT", "Transfer the tickets to the buyer and send the confirmation number."
	case o.Status == order.Fulfilled && now.Before(s.event.EndsAt):
		return "GetPaid", "The tickets are delivered. There is nothing to do."
	case o.Status == order.Fulfilled:
		return "Complete", "The event is over and the sale is complete."
	case o.Status == order.Refunded:
		return "Cancelled", "The sale was cancelled and the buyer was refunded."
	}
	return "Cancelled", "The sale was cancelled. There is nothing to do."
}

// confirmFor is how long a seller has to confirm a sale.
const confirmFor = 48 * time.Hour

// dates are confirm_by and ship_by. Tickets are there by the listing's deliverBy, or else by the event's start; a sale is confirmed within 48 hours, and before
// that. confirm_by is there as long as there is something to confirm.
func (s sold) dates() (confirmBy, shipBy *string) {
	if s.order == nil || !s.order.Status.Live() {
		return nil, nil
	}
	ship := s.event.StartsAt
	if d := s.listing.DeliverBy; !d.IsZero() {
		ship = d
	}
	if s.order.Status == order.Confirmed {
		confirm := s.order.CreatedAt.Add(confirmFor)
		if ship.Before(confirm) {
			confirm = ship
		}
		confirmBy = instantOrNil(confirm)
	}
	return confirmBy, instantOrNil(ship)
}

// open tells whether a seller can still confirm or reject the sale.
func (s sold) open() (confirm, reject bool) {
	if s.order == nil {
		return false, false
	}
	switch s.order.Status {
	case order.Confirmed, order.Issue:
		return true, true
	case order.Accepted:
		return false, true
	}
	return false, false
}

func (a *API) showSale(q db.Querier, org int64, s sold, now time.Time) (saleJSON, error) {
	at := a.places.sale(s.no)
	j := saleJSON{
		ID: s.no, ExternalListingID: textOrNil(s.listing.ExternalID), InHandAt: instantOrNil(s.listing.InHandAt), Barcodes: []saleBarcode{},
		Links: links{"self": at, "sale:listing": a.places.listing(s.listing.No)},
	}
	j.Status, j.StatusDescription = s.progress(now)
	j.ConfirmBy, j.ShipBy = s.dates()
	confirm, reject := s.open()
	if confirm {
		j.Links["sale:confirm"] = at
	}
	if reject {
		j.Links["sale:reject"] = at
	}
	j.Embedded.DeliveryMethod, j.Embedded.TicketType = delivered(s.listing.DeliveryKind)
	if s.event.No != 0 {
		e := a.places.eventPart(s.event)
		j.Embedded.Event, j.Embedded.Venue = &e, a.places.venuePart(s.event.Venue)
	}
	var total money.Amount
	if h := s.hold; h != nil {
		j.CreatedAt, j.NumberOfTickets, j.Seating = instant(h.CreatedAt), h.Quantity, seatingOf(h.Section, h.Row, h.Seats)
		total = money.Amount{Minor: h.Price.Minor * int64(h.Quantity), Currency: h.Price.Currency}
	} else {
		o := s.order
		j.CreatedAt, j.NumberOfTickets, j.Seating, total = instant(o.CreatedAt), o.Quantity, seatingOf(o.Section, o.Row, o.Seats), o.Total
		if o.Status.Live() { // one query, also where the listing counts none: what failed is shown
			units := o.Units()
			sets, err := inventory.Barcodes(q, a.Keys, org, o.ListingNo, units, now)
			if err != nil {
				return j, err
			}
			for _, b := range sets {
				j.Barcodes = append(j.Barcodes, saleBarcode{slices.Index(units, b.Ordinal) + 1, textOrNil(b.Seat), textOrNil(b.Row), barcodeStatus(b.Status), b.Values})
			}
		}
	}
	j.Proceeds, j.DisplayProceeds = newAmount(total), newAmount(total)
	return j, nil
}

// barcodeStatus is the status of a set in StubHub's words.
func barcodeStatus(s inventory.BarcodeStatus) string {
	if s == inventory.BarcodesReceived {
		return "Received"
	}
	return "FailedValidation"
}

// soldOf loads sales by their numbers, in that order. What there is not is left out.
func (a *API) soldOf(q db.Querier, org int64, nos []int64, now time.Time) ([]sold, error) {
	holds, err := inventory.HoldsBySale(q, org, nos) // before orders: a hold may become one in between
	if err != nil {
		return nil, err
	}
	orders, err := order.BySales(q, org, nos)
	if err != nil {
		return nil, err
	}
	all := make([]sold, 0, len(nos))
	events, listings := make([]int64, 0, len(nos)), make([]int64, 0, len(nos))
	for _, no := range nos {
		s := sold{no: no}
		if o, ok := orders[no]; ok {
			s.order = &o
			events, listings = append(events, o.EventNo), append(listings, o.ListingNo)
		} else if h, ok := holds[no]; ok {
			s.hold = &h
			events, listings = append(events, h.EventNo), append(listings, h.ListingNo)
		} else {
			continue
		}
		all = append(all, s)
	}
	byNo, err := event.ByNos(q, org, events)
	if err != nil {
		return nil, err
	}
	offers, err := inventory.ByNos(q, org, listings, now)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].event, all[i].listing = byNo[events[i]], offers[listings[i]]
	}
	return all, nil
}

// soldBy finds the sale that the path names; not_found.
func (a *API) soldBy(q db.Querier, c *call, now time.Time) (sold, error) {
	no, err := c.id("saleId")
	if err != nil {
		return sold{}, err
	}
	all, err := a.soldOf(q, c.Org, []int64{no}, now)
	if err == nil && len(all) == 0 {
		err = problem.New(problem.NotFound, codeNotFound, "There is no such sale here.")
	}
	if err != nil {
		return sold{}, err
	}
	return all[0], nil
}

func (a *API) sale(ctx context.Context, c *call) (answer, error) {
	if c.request.PathValue("saleId") == "recentupdates" { // the mux does not tell it from an id where both have other methods
		return a.recentSales(ctx, c)
	}
	q, now := a.DB.Read(ctx), a.Now()
	s, err := a.soldBy(q, c, now)
	if err != nil {
		return answer{}, err
	}
	j, err := a.showSale(q, c.Org, s, now)
	return answer{body: j}, err
}

var saleSorts = map[string]inventory.SaleSort{
	"id": inventory.SaleByNumber, "resource_version": inventory.SaleByUpdate, "created_at": inventory.SaleByCreation, "payment_amount": inventory.SaleByAmount,
	"quantity": inventory.SaleByQuantity, "event_date": inventory.SaleByEvent, "inhand_at": inventory.SaleByListing,
}

func (a *API) sales(ctx context.Context, c *call) (answer, error) {
	return a.listSales(ctx, c, time.Time{}, "id", "resource_version", "created_at", "event_date", "inhand_at", "payment_amount", "quantity")
}

// recentSales lists what has changed since updated_since, or within a day, the first change first.
func (a *API) recentSales(ctx context.Context, c *call) (answer, error) {
	return a.listSales(ctx, c, a.Now().Add(-24*time.Hour), "resource_version")
}

func (a *API) listSales(ctx context.Context, c *call, since time.Time, sorts ...string) (answer, error) {
	p, err := c.paging(sorts...)
	if err != nil {
		return answer{}, err
	}
	in := query{values: c.request.URL.Query()}
	f := inventory.SaleFilter{UpdatedSince: since, Sort: saleSorts[p.sort], Desc: p.desc}
	if at := in.instant("updated_since"); !at.IsZero() {
		f.UpdatedSince = at
	}
	if err := in.faults.Err(); err != nil {
		return answer{}, err
	}
	q, now := a.DB.Read(ctx), a.Now()
	keyed := p.sort == "id" || p.sort == "resource_version"
	skip := p.offset()
	if p.cursor != nil {
		if !keyed {
			return answer{}, badCursor()
		}
		at, no, err := p.mark()
		if err != nil {
			return answer{}, err
		}
		f.After, skip = &inventory.SaleKey{Key: at.UnixMicro(), No: no}, 0
	}
	if skip > 0 { // a page far behind the end loads nothing
		first := f
		first.Limit = 1
		_, total, err := a.saleKeys(q, c.Org, first, now)
		if err != nil {
			return answer{}, err
		}
		if skip >= total {
			return answer{body: newCollection[saleJSON](a, c.request, p, nil, total, "")}, nil
		}
	}
	if f.Sort != inventory.SaleByEvent && f.Sort != inventory.SaleByListing {
		f.Limit = skip + p.size + 1
	}
	keys, total, err := a.saleKeys(q, c.Org, f, now)
	if err != nil {
		return answer{}, err
	}
	keys = keys[min(skip, len(keys)):]
	next := ""
	if len(keys) > p.size {
		keys = keys[:p.size]
		if last := keys[p.size-1]; keyed {
			next = p.next(time.UnixMicro(last.Key), last.No)
		} else {
			next = byNumber
		}
	}
	nos := make([]int64, len(keys))
	for i, k := range keys {
		nos[i] = k.No
	}
	all, err := a.soldOf(q, c.Org, nos, now)
	if err != nil {
		return answer{}, err
	}
	items := make([]saleJSON, len(all))
	for i, s := range all {
		if items[i], err = a.showSale(q, c.Org, s, now); err != nil {
			return answer{}, err
		}
	}
	return answer{body: newCollection(a, c.request, p, items, total, next)}, nil
}

// saleKeys are those of orders and holds together, in order, as many as the filter wants or more.
func (a *API) saleKeys(q db.Querier, org int64, f inventory.SaleFilter, now time.Time) ([]inventory.SaleKey, int, error) {
	holds, total, err := inventory.HoldKeys(q, org, f)
	if err != nil {
		return nil, 0, err
	}
	keys, orders, err := order.SaleKeys(q, org, f)
	if err != nil {
		return nil, 0, err
	}
	ordered := make(map[int64]bool, len(keys))
	for _, k := range keys {
		ordered[k.No] = true
	}
	total += orders
	for _, k := range holds {
		if ordered[k.No] { // the hold became an order just now
			total--
			continue
		}
		keys = append(keys, k)
	}
	if err := a.dated(q, org, f.Sort, keys, now); err != nil {
		return nil, 0, err
	}
	slices.SortFunc(keys, func(x, y inventory.SaleKey) int {
		n := cmp.Or(cmp.Compare(x.Key, y.Key), cmp.Compare(x.No, y.No))
		if f.Desc {
			return -n
		}
		return n
	})
	return keys, total, nil
}

// dated puts the date of the event, or that from which a seller has the tickets, in place of the number that a key has; what has none is last.
func (a *API) dated(q db.Querier, org int64, sort inventory.SaleSort, keys []inventory.SaleKey, now time.Time) error {
	var nos []int64
	for _, k := range keys {
		nos = append(nos, k.Key)
	}
	slices.Sort(nos)
	nos = slices.Compact(nos)
	dates := make(map[int64]time.Time, len(nos))
	switch sort {
	case inventory.SaleByEvent:
		all, err := event.ByNos(q, org, nos)
		if err != nil {
			return err
		}
		for no, e := range all {
			dates[no] = e.StartsAt
		}
	case inventory.SaleByListing:
		all, err := inventory.ByNos(q, org, nos, now)
		if err != nil {
			return err
		}
		for no, l := range all {
			dates[no] = l.InHandAt
		}
	default:
		return nil
	}
	for i := range keys {
		if at := dates[keys[i].Key]; at.IsZero() {
			keys[i].Key = math.MaxInt64
		} else {
			keys[i].Key = at.UnixMicro()
		}
	}
	return nil
}

// saleInput is what a PATCH says, checked as far as that goes without the sale; nil for what it does not say.
type saleInput struct {
	confirmed bool
	inHandAt  *time.Time
	transfer  string // the note of a transfer; "" for none
	barcodes  []placeCodes
}

// placeCodes are the barcodes of one place.
type placeCodes struct {
	ordinal   *int
	row, seat *string
	values    []string
}

// placeCodes reads barcodes; nil where there are none.
func (o *object) placeCodes(name string) []placeCodes {
	var all []placeCodes
	list := o.objects(name)
	whole := !o.faulty(name)
	for _, b := range list {
		one := placeCodes{ordinal: b.integer("seat_ordinal"), row: b.text("row"), seat: b.text("seat")}
		b.take("status")
		if values := b.texts("barcode_values"); values != nil {
			one.values = *values
		}
		if one.ordinal == nil && one.seat == nil {
			b.fault("seat_ordinal", "required", "Say which place the barcodes are for, by seat_ordinal (1, 2, …) or by its seat.")
		}
		b.done()
		all = append(all, one)
	}
	if !whole { // what is left would count wrongly
		return nil
	}
	return all
}

// uploadsOf checks codes for so many places, whose seats are nil where they are not numbered.
func uploadsOf(codes []placeCodes, seats []string, places int) ([]inventory.BarcodeUpload, error) {
	var f problem.Fields
	uploads, bad := make([]inventory.BarcodeUpload, len(codes)), map[string]bool{}
	for i, b := range codes {
		u := inventory.BarcodeUpload{Values: b.values}
		at, seat := "/barcodes/"+strconv.Itoa(i), -1
		if b.seat != nil {
			seat = slices.Index(seats, strings.TrimSpace(*b.seat))
		}
		switch {
		case b.ordinal == nil && seat < 0:
			f.Add(at+"/seat", "unknown_place", "There is no such seat here.")
			u.Ordinal = -1 - i // none, and that of no other
			bad[at+"/place"] = true
		case b.ordinal == nil:
			u.Ordinal = seat
		default:
			u.Ordinal = *b.ordinal - 1
			if b.seat != nil && seats != nil && seat != u.Ordinal {
				f.Add(at+"/seat", "mismatch", "This seat is not the one of that seat_ordinal; give one of the two.")
			}
		}
		uploads[i] = u
	}
	err := inventory.CheckBarcodes(uploads, places)
	if p := problem.As(err); p != nil {
		for _, one := range p.Fields {
			if !bad[one.Pointer] {
				f = append(f, one)
			}
		}
	} else if err != nil {
		return nil, err
	}
	return uploads, barcodeNames(f.Err())
}

// codesAlone checks codes whose places cannot be told yet.
func codesAlone(codes []placeCodes) error {
	if codes == nil {
		return nil
	}
	alone := make([]placeCodes, len(codes))
	for i, b := range codes {
		at := i + 1
		alone[i] = placeCodes{ordinal: &at, values: b.values}
	}
	_, err := uploadsOf(alone, nil, len(alone))
	return err
}

// barcodeNames gives the pointers of an upload's problems StubHub's names.
func barcodeNames(err error) error {
	p := problem.As(err)
	if p == nil {
		return err
	}
	named := *p
	named.Fields = slices.Clone(p.Fields)
	for i, f := range named.Fields {
		named.Fields[i].Pointer = strings.Replace(strings.Replace(f.Pointer, "/place", "/seat_ordinal", 1), "/values", "/barcode_values", 1)
	}
	return &named
}

// not refuses a field that StubHub has and that nothing here could be done with.
func (o *object) not(detail string, names ...string) {
	for _, name := range names {
		if raw := o.take(name); raw != nil && string(raw) != "false" && string(raw) != "[]" {
			o.fault(name, "not_supported", "%s", detail)
		}
	}
}

func (a *API) saleChange(_ context.Context, c *call) (in saleInput, key string, err error) {
	o, err := c.object()
	if err != nil {
		return in, "", err
	}
	if confirmed := o.flag("confirmed"); confirmed != nil {
		if in.confirmed = *confirmed; !in.confirmed {
			o.fault("confirmed", "invalid", "Only true has a meaning here; reject the sale with DELETE.")
		}
	}
	number, provider := o.text("transfer_confirmation_number"), o.text("mobile_provider")
	if number != nil && (!line(*number) || len(*number) > 200) {
		o.fault("transfer_confirmation_number", "invalid", "Give 1 to 200 characters on one line.")
	}
	switch {
	case provider != nil && (!line(*provider) || len(*provider) > 100):
		o.fault("mobile_provider", "invalid", "Give 1 to 100 characters on one line.")
	case provider != nil && number == nil && !o.faulty("transfer_confirmation_number"):
		o.fault("mobile_provider", "not_allowed", "A mobile_provider goes with a transfer_confirmation_number.")
	case number != nil:
		in.transfer = "Transfer confirmation number " + *number
		if provider != nil {
			in.transfer += " (" + *provider + ")"
		}
	}
	in.inHandAt, in.barcodes = o.instant("in_hand_at"), o.placeCodes("barcodes")
	if in.inHandAt != nil && !c.May(scope.EventsWrite) {
		return in, "", &problem.Error{
			Kind: problem.Forbidden, Code: codeScope, Detail: "in_hand_at changes the listing, which needs " + string(scope.EventsWrite) + " too; leave it out, or ask for that scope.",
			Challenge: `error="insufficient_scope", scope="` + string(scope.EventsWrite) + `"`, // RFC 6750 §3.1
		}
	}
	o.not("E-tickets are not kept here; upload their barcodes instead.", "eticket_ids", "eticket_urls", "eticket_type", "change_paper_ticket_to_eticket")
	o.not("Shipments are not kept here; move the order on through /api/v1/orders.", "tracking_number", "confirm_same_day_shipment")
	o.not("What is sold keeps its seats; reject the sale if they are wrong.", "seating")
	if len(*o.faults) > 0 {
		if err := o.note(codesAlone(in.barcodes)); err != nil {
			return in, "", err
		}
	}
	return in, "", o.err()
}

// cannot is what is impossible with the sale as it stands.
func cannot(detail string, args ...any) error {
	return problem.New(problem.Forbidden, codeSaleAction, detail, args...)
}

// forbidden makes of a conflict what StubHub calls it.
func forbidden(code string, err error) error {
	if p := problem.As(err); p != nil && p.Kind == problem.Conflict {
		return problem.New(problem.Forbidden, code, "%s", p.Detail)
	}
	return err
}

func (a *API) changeSale(tx *db.Tx, c *call, in saleInput) (answer, error) {
	s, err := a.soldBy(tx, c, tx.Now())
	if err != nil {
		return answer{}, err
	}
	if s.order == nil || s.order.Status == order.Provisional {
		return answer{}, cannot("The sale is not made yet, or was never made: nothing can be done with it.")
	}
	if err := a.moveSale(tx, c.Org, s, in); err != nil {
		return answer{}, forbidden(codeSaleAction, err)
	}
	if s, err = a.soldBy(tx, c, tx.Now()); err != nil {
		return answer{}, err
	}
	j, err := a.showSale(tx, c.Org, s, tx.Now())
	return answer{body: j}, err
}

// moveSale does all that the input says.
func (a *API) moveSale(tx *db.Tx, org int64, s sold, in saleInput) error {
	o := *s.order
	if !o.Status.Live() {
		return cannot("The sale is cancelled; nothing can be changed any more.")
	}
	var err error
	if in.confirmed && o.Status != order.Fulfilled {
		if o, _, err = a.Book.SetStatus(tx, org, o.ID, order.Change{Status: order.Accepted}); err != nil {
			return err
		}
	}
	if in.inHandAt != nil {
		if _, err := a.Stock.Update(tx, org, o.ListingID, inventory.Patch{InHandAt: in.inHandAt}); err != nil {
			return err
		}
	}
	if in.barcodes != nil {
		places, bad := uploadsOf(in.barcodes, o.Seats, o.Quantity)
		if bad != nil {
			return bad
		}
		uploads := make([]order.BarcodeUpload, len(places))
		for i, u := range places {
			uploads[i] = order.BarcodeUpload{Place: u.Ordinal + 1, Values: u.Values}
		}
		if o, _, err = a.Book.ReceiveBarcodes(tx, org, o.ID, uploads, 0); err != nil {
			return barcodeNames(err)
		}
	}
	if in.transfer != "" {
		if o.Status == order.Fulfilled && o.People.TransferNote != in.transfer {
			return cannot("The tickets of this sale are delivered, by its barcodes or another transfer: a transfer_confirmation_number cannot be kept any more; leave it out.")
		}
		_, _, err = a.Book.SetStatus(tx, org, o.ID, order.Change{Status: order.Fulfilled, TransferMethod: order.MobileTransfer, TransferNote: in.transfer})
	}
	return err
}

func (a *API) rejectSale(tx *db.Tx, c *call, _ none) (answer, error) {
	s, err := a.soldBy(tx, c, tx.Now())
	if err != nil {
		return answer{}, err
	}
	if _, may := s.open(); !may {
		status, _ := s.progress(tx.Now())
		return answer{}, cannot("The sale is at %s and cannot be rejected; only what is confirmed and not delivered can.", status)
	}
	_, _, err = a.Book.Cancel(tx, c.Org, s.order.ID)
	return answer{}, forbidden(codeSaleAction, err)
}

// byNumber is in place of a cursor where the next page goes by its number alone.
const byNumber = "-"
