package stubhub

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// A seller listing is a listing. Those of ticket types are listed too and can be read; they change with their type, in /api/v1.

func (a *API) listingRoutes(mux *http.ServeMux) {
	const all, one, external = "/v2/sellerlistings", "/v2/sellerlistings/{listingId}", "/v2/externalsellerlistings/{externalId}"
	r := func(method, path string, sc scope.Scope, status int) route {
		return route{method: method, path: path, scope: sc, status: status, resource: "seller_listing", names: map[string]string{
			"/quantity": "number_of_tickets", "/totalQuantity": "number_of_tickets", "/price": "ticket_price.amount", "/currency": "ticket_price.currency_code",
			"/faceValue": "face_value.amount", "/splitRule": "split_type", "/deliveryKind": "ticket_type", "/section": "seating.section", "/row": "seating.row",
			"/seats": "seating.seat_from", "/status": "published", "/name": "event.name", "/startLocal": "event.start_date", "/venue": "venue.name",
			"/city": "venue.city", "/region": "venue.state_province", "/country": "country.code",
		}}
	}
	get(a, mux, r("GET", all, scope.EventsRead, 200), a.sellerListings)
	change(a, mux, r("POST", all, scope.EventsWrite, 201), a.requestedListing, a.makeListing)
	change(a, mux, r("POST", "/v2/events/{eventId}/sellerlistings", scope.EventsWrite, 201), a.newListing, a.makeListing)
	for _, path := range []string{one, external} {
		get(a, mux, r("GET", path, scope.EventsRead, 200), a.sellerListing)
		change(a, mux, r("PATCH", path, scope.EventsWrite, 200), a.listingChange, a.changeListing)
		change(a, mux, r("DELETE", path, scope.EventsWrite, 204), atOnce, a.deleteListing)
	}
}

type listingJSON struct {
	ID                     int64            `json:"id"`
	CreatedAt              string           `json:"created_at"`
	NumberOfTickets        int              `json:"number_of_tickets"`
	Seating                seatingDetail    `json:"seating"`
	DisplaySeating         seatingDetail    `json:"display_seating"`
	TicketPrice            *amount          `json:"ticket_price"`
	UpdatedAt              string           `json:"updated_at"`
	ExternalID             *string          `json:"external_id"`
	ExpiresAt              *string          `json:"expires_at"`
	DisplayNumberOfTickets int              `json:"display_number_of_tickets"`
	FaceValue              *amount          `json:"face_value"`
	TicketProceeds         *amount          `json:"ticket_proceeds"`
	InHandAt               *string          `json:"in_hand_at"`
	IsTicketConcierge      bool             `json:"is_ticket_concierge"`
	IsAutoPO               bool             `json:"is_auto_po"`
	Barcodes               []listingBarcode `json:"barcodes"`
	InstantDelivery        bool             `json:"instant_delivery"`
	Undeliverable          bool             `json:"undeliverable"`
	PurchasePricePerTicket *amount          `json:"purchase_price_per_ticket"` // null, like the others: what a seller paid is not kept
	TotalPurchasePrice     *amount          `json:"total_purchase_price"`
	SalesTaxPaid           *bool            `json:"sales_tax_paid"`
	Links                  links            `json:"_links"`
	Embedded               listingParts     `json:"_embedded"`
}

type seatingDetail struct {
	seatingJSON
	State *seatingState `json:"state"`
}

type seatingState struct {
	VisibleInVenueMap bool `json:"visible_in_venue_map"`
}

type listingBarcode struct {
	SeatOrdinal int      `json:"seat_ordinal"` // the place in the listing, from 1
	Seat        *string  `json:"seat"`
	Row         *string  `json:"row"`
	Status      string   `json:"status"`
	Hashes      []string `json:"barcode_values_sha256_hashed"`
}

type listingParts struct {
	Constraints       *struct{}     `json:"constraints"`
	Event             *eventPart    `json:"event"`
	ListingNotes      []listingNote `json:"listing_notes"`
	RelistTransaction *struct{}     `json:"relist_transaction"`
	SplitType         splitType     `json:"split_type"`
	TicketType        ticketType    `json:"ticket_type"`
	Venue             *venuePart    `json:"venue"`
}

type listingNote struct {
	ID    int    `json:"id"` // its place among the listing's notes, from 1
	Note  string `json:"note"`
	Type  string `json:"type"`
	Links links  `json:"_links"`
}

type splitType struct {
	Type        string `json:"type"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Links       links  `json:"_links"`
}

var splits = []struct {
	rule              inventory.Rule
	word, name, words string
}{
	{inventory.Any, "Any", "Any", "The tickets are sold in any number."},
	{inventory.None, "None", "None", "The tickets are sold all together."},
	{inventory.AvoidOne, "AvoidOne", "Avoid one", "No single ticket is left."},
	{inventory.AvoidOneAndThree, "AvoidOneAndThree", "Avoid one and three", "Neither one nor three tickets are left."},
	{inventory.Pairs, "Pairs", "Pairs", "The tickets are sold in pairs."},
}

func (a *API) showListing(q db.Querier, org int64, l inventory.Listing, ev event.Event, now time.Time) (listingJSON, error) {
	l = l.AsOf(now)
	at := a.places.listing(l.No)
	seating := seatingDetail{seatingOf(l.Section, l.Row, l.Seats), &seatingState{VisibleInVenueMap: false}}
	j := listingJSON{
		ID: l.No, CreatedAt: instant(l.CreatedAt), NumberOfTickets: l.Free(), Seating: seating, DisplaySeating: seating, TicketPrice: newAmount(l.Price),
		UpdatedAt: instant(l.UpdatedAt), ExternalID: textOrNil(l.ExternalID), ExpiresAt: instantOrNil(l.ExpiresAt), DisplayNumberOfTickets: l.Free(),
		TicketProceeds: newAmount(l.Price), InHandAt: instantOrNil(l.InHandAt), Barcodes: []listingBarcode{},
		InstantDelivery: l.Total > 0 && l.Barcoded >= l.Total, Undeliverable: l.Deliverability == inventory.Undeliverable,
		Links: links{"self": at}, Embedded: listingParts{ListingNotes: []listingNote{}},
	}
	if l.FaceValue != nil {
		j.FaceValue = newAmount(*l.FaceValue)
	}
	for i, n := range l.Notes {
		j.Embedded.ListingNotes = append(j.Embedded.ListingNotes, listingNote{i + 1, n, "Information", links{}})
	}
	for _, s := range splits {
		if s.rule == l.SplitRule {
			j.Embedded.SplitType = splitType{s.word, s.name, s.words, links{}}
		}
	}
	_, j.Embedded.TicketType = delivered(l.DeliveryKind)
	if ev.No != 0 {
		e := a.places.eventPart(ev)
		j.Embedded.Event, j.Embedded.Venue = &e, a.places.venuePart(ev.Venue)
	}
	a.listingLinks(j.Links, at, l)
	sets, err := inventory.Barcodes(q, a.Keys, org, l.No, nil, now)
	for _, b := range sets {
		j.Barcodes = append(j.Barcodes, listingBarcode{b.Ordinal + 1, textOrNil(b.Seat), textOrNil(b.Row), barcodeStatus(b.Status), b.Hashes()})
	}
	return j, err
}

// listingLinks are there for what can be done with the listing as it stands.
func (a *API) listingLinks(to links, at link, l inventory.Listing) {
	if l.Type != "" || l.Status == inventory.Withdrawn || l.Status == inventory.Expired {
		return
	}
	names := []string{"updateticketprice", "updatefacevalue", "updateinhandat", "updatenotes", "updatenumberoftickets", "updatesplittype", "updatetickettype"}
	if l.Held+l.Sold == 0 {
		names = append(names, "updateseating")
	}
	if l.Held == 0 {
		names = append(names, "delete")
	}
	if l.Status == inventory.Draft || l.Status == inventory.Paused {
		names = append(names, "publish")
	} else {
		names = append(names, "unpublish")
	}
	for _, name := range names {
		to["sellerlisting:"+name] = at
	}
}

// offer finds the listing that the path names, by its number or the seller's own name; not_found.
func (a *API) offer(q db.Querier, c *call) (l inventory.Listing, err error) {
	if external := c.request.PathValue("externalId"); external != "" {
		l, err = inventory.ByExternalID(q, c.Org, external)
	} else {
		no, bad := c.id("listingId")
		if bad != nil {
			return l, bad
		}
		l, err = inventory.ByNo(q, c.Org, no)
	}
	return l, err
}

func (a *API) listingAnswer(q db.Querier, org int64, l inventory.Listing, now time.Time) (answer, error) {
	ev, err := event.ByNo(q, org, l.EventNo)
	if err != nil {
		return answer{}, err
	}
	j, err := a.showListing(q, org, l, ev, now)
	return answer{body: j, location: a.places.listing(l.No).Href}, err
}

func (a *API) sellerListing(ctx context.Context, c *call) (answer, error) {
	q := a.DB.Read(ctx)
	l, err := a.offer(q, c)
	if err != nil {
		return answer{}, err
	}
	out, err := a.listingAnswer(q, c.Org, l, a.Now())
	out.location = ""
	return out, err
}

var listingSorts = map[string]inventory.Sort{
	"id": inventory.ByNumber, "resource_version": inventory.ByUpdated, "created_at": inventory.ByCreated, "available_tickets": inventory.ByAvailable, "price": inventory.ByPrice,
}

func (a *API) sellerListings(ctx context.Context, c *call) (answer, error) {
	p, err := c.paging("id", "resource_version", "created_at", "available_tickets", "price")
	if err != nil {
		return answer{}, err
	}
	in := query{values: c.request.URL.Query()}
	now := a.Now()
	f := inventory.OrgFilter{
		EventNo: int64(in.number("event_id", 0)), UpdatedSince: in.instant("updated_since"), Live: in.values.Get("updated_since") == "", Now: now, Sort: listingSorts[p.sort], Desc: p.desc,
		Limit: p.size + 1, Offset: p.offset(),
	}
	if in.values.Get("requested_event_id") != "" {
		in.fault("requested_event_id", "A requested event is an event here from the beginning; use event_id.")
	}
	if err := in.faults.Err(); err != nil {
		return answer{}, err
	}
	if p.cursor != nil {
		at, no, err := p.mark()
		if err != nil || p.sort != "id" && p.sort != "resource_version" {
			return answer{}, badCursor()
		}
		f.After, f.AfterUpdate, f.Offset = no, at, 0
	}
	q := a.DB.Read(ctx)
	page, total, err := inventory.OfOrg(q, c.Org, f)
	if err != nil {
		return answer{}, err
	}
	next := ""
	if n := p.size; len(page) > n {
		page = page[:n]
		next = byNumber
		if p.sort == "id" || p.sort == "resource_version" {
			next = p.next(page[n-1].UpdatedAt, page[n-1].No)
		}
	}
	nos := make([]int64, len(page))
	for i, l := range page {
		nos[i] = l.EventNo
	}
	events, err := event.ByNos(q, c.Org, nos)
	if err != nil {
		return answer{}, err
	}
	items := make([]listingJSON, len(page))
	for i, l := range page {
		if items[i], err = a.showListing(q, c.Org, l, events[l.EventNo], now); err != nil {
			return answer{}, err
		}
	}
	return answer{body: newCollection(a, c.request, p, items, total, next)}, nil
}

// listingInput is what a body says of a listing; nil for what it does not say.
type listingInput struct {
	eventNo   int64        // of the path
	requested *event.Input // the event that the body describes
	in        inventory.Input
	p         inventory.Patch
	face      money.Currency // of the face value
	barcodes  []placeCodes
}

// listingInput reads what POST and PATCH have in common. A new listing needs some of it.
func (o *object) listingInput(isNew bool) (in listingInput) {
	if isNew {
		o.require("seating", "Say where the places are.")
		o.require("ticket_type", "Say how the buyer gets the tickets.")
		o.require("split_type", "Say how the tickets may be split.")
		o.require("number_of_tickets", "Say how many tickets there are.")
		if !o.has("ticket_price") && !o.has("ticket_proceeds") {
			o.fault("ticket_price", "required", "Say what a ticket costs.")
		}
	}
	count := o.integer("number_of_tickets")
	// StubHub counts what is for sale.
	in.p.Free = count
	if p, proceeds := o.money("ticket_price"), o.money("ticket_proceeds"); p != nil || proceeds != nil { // there are no fees between the two
		if p != nil && proceeds != nil && *p != *proceeds {
			o.fault("ticket_proceeds", "mismatch", "What the seller receives is the ticket_price here; give one of the two.")
		}
		if p == nil {
			p = proceeds
		}
		in.p.Price, in.p.Currency = &p.Amount, &p.Currency
	}
	if face := o.money("face_value"); face != nil {
		in.p.FaceValue, in.face = &face.Amount, face.Currency
		if in.p.Currency != nil && face.Currency != *in.p.Currency {
			o.fault("face_value", "mismatch", "A face value is in the currency of the ticket_price.")
		}
	}
	o.seating(&in.p, count)
	if s := o.text("split_type"); s != nil {
		for _, split := range splits {
			if split.word == *s {
				in.p.SplitRule = &split.rule
			}
		}
		if in.p.SplitRule == nil {
			o.fault("split_type", "invalid", "Use Any, None, AvoidOne, AvoidOneAndThree or Pairs.")
		}
	}
	if s := o.text("ticket_type"); s != nil {
		for _, k := range kinds {
			if k.ticketType == *s {
				in.p.DeliveryKind = &k.kind
			}
		}
		if in.p.DeliveryKind == nil {
			o.fault("ticket_type", "invalid", "Use TransferTDT, Barcode, ETicket, Paper or Pickup.")
		}
	}
	in.p.InHandAt, in.p.ExternalID = o.instant("in_hand_at"), o.text("external_id")
	if s := o.text("notes"); s != nil {
		notes := []string{}
		for one := range strings.SplitSeq(*s, ",") {
			if one = strings.TrimSpace(one); one != "" {
				notes = append(notes, one)
			}
		}
		in.p.Notes = &notes
	}
	if published := o.flag("published"); published != nil {
		to := inventory.Active
		if !*published {
			to = inventory.Paused
		}
		in.p.Status = &to
	}
	o.flag("instant_delivery") // it follows from the barcodes
	in.barcodes = o.placeCodes("barcodes")
	if n := o.integer("display_number_of_tickets"); n != nil && count != nil && *n != *count {
		o.fault("display_number_of_tickets", "not_supported", "All tickets of a listing are shown to buyers; leave it out.")
	}
	o.not("This is not kept here; leave it out.", "ticket_location_address_id", "listing_note_ids", "lms_optin", "eticket_ids", "relist_transaction_id",
		"external_event_information", "purchase_price_per_ticket", "total_purchase_price", "sales_tax_paid", "is_ticket_concierge", "is_auto_po")
	return in
}

// seating reads where the places are. seat_from and seat_to are numbers, of which every one between is a seat, or the one seat that there is. A row
// that is not said is GA.
func (o *object) seating(p *inventory.Patch, count *int) {
	s := o.object("seating")
	if s == nil {
		return
	}
	section, row, from, to := s.text("section"), s.text("row"), s.text("seat_from"), s.text("seat_to")
	s.flag("hide_seat_details")
	if section == nil {
		s.fault("section", "required", "Say which section.")
	}
	if row == nil {
		unnumbered := "GA"
		row = &unnumbered
	}
	p.Section, p.Row, p.Seats = section, row, []string{}
	s.done()
	if from == nil && to == nil {
		return
	}
	if from == nil {
		from = to
	}
	if to == nil {
		to = from
	}
	if *from == *to {
		p.Seats = []string{strings.TrimSpace(*from)}
	} else {
		first, errFirst := strconv.Atoi(*from)
		last, errLast := strconv.Atoi(*to)
		const most = 1000
		if errFirst != nil || errLast != nil || first < 0 || last < first || last-first >= most {
			s.fault("seat_to", "invalid", "Seats are numbers that count up, such as 7 to 10, at most %d of them; list seats with other names one by one.", most)
			return
		}
		for n := first; n <= last; n++ {
			p.Seats = append(p.Seats, strconv.Itoa(n))
		}
	}
	if count != nil && *count != len(p.Seats) {
		o.fault("number_of_tickets", "mismatch", "The seats %s to %s are %d, not %d.", *from, *to, len(p.Seats), *count)
	}
}

// input is the patch as a new listing.
func (in *listingInput) input() {
	p := in.p
	v := &in.in
	v.Section, v.Row, v.Seats = or(p.Section), or(p.Row), p.Seats
	v.Quantity, v.Price, v.Currency, v.SplitRule = or(p.Free), or(p.Price), or(p.Currency), or(p.SplitRule)
	v.DeliveryKind, v.InHandAt, v.FaceValue, v.Notes, v.Status, v.ExternalID = or(p.DeliveryKind), or(p.InHandAt), or(p.FaceValue), or(p.Notes), or(p.Status), or(p.ExternalID)
}

// checked is all that is wrong with the body.
func (a *API) checked(o *object, in *listingInput, isNew bool) error {
	in.input()
	if err := in.check(o, isNew, a.Now()); err != nil {
		return err
	}
	return o.err()
}

// check notes what the trade would refuse of the input whatever event or listing it is for. What the body does not say, or says wrongly, it does not judge.
func (in *listingInput) check(o *object, isNew bool, now time.Time) error {
	v := in.in
	v.Section, v.Row, v.Quantity = cmp.Or(v.Section, "-"), cmp.Or(v.Row, "-"), max(v.Quantity, 1)
	if in.p.Section != nil {
		v.Section = *in.p.Section
	}
	if in.p.Row != nil {
		v.Row = *in.p.Row
	}
	if isNew && in.p.Free != nil {
		v.Quantity = *in.p.Free
	}
	if len(v.Seats) > 0 {
		v.Quantity = len(v.Seats)
	}
	if in.p.Price == nil {
		v.Price, v.Currency = "1", cmp.Or(in.face, "EUR")
	}
	if err := o.note(v.Check(now)); err != nil {
		return err
	}
	switch {
	case in.barcodes == nil || o.faulty("barcodes"):
		return nil
	case isNew && in.p.Free != nil && !o.faulty("seating"):
		_, err := uploadsOf(in.barcodes, v.Seats, v.Quantity)
		return o.note(err)
	case len(*o.faults) > 0: // or else its places are told with them
		return o.note(codesAlone(in.barcodes))
	}
	return nil
}

func or[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (a *API) newListing(_ context.Context, c *call) (in listingInput, key string, err error) {
	no, err := c.int32("eventId")
	if err != nil {
		return in, "", err
	}
	o, err := c.object()
	if err != nil {
		return in, "", err
	}
	in = o.listingInput(true)
	in.eventNo = no
	return in, "", a.checked(o, &in, true)
}

func (a *API) requestedListing(_ context.Context, c *call) (in listingInput, key string, err error) {
	o, err := c.object()
	if err != nil {
		return in, "", err
	}
	o.require("event", "Say which event the tickets are for.")
	o.require("venue", "Say where the event takes place.")
	o.require("country", "Say in which country the event takes place.")
	in = o.listingInput(true)
	in.requested = &event.Input{Status: event.Draft, Timezone: "Etc/UTC"}
	r := in.requested
	if e := o.object("event"); e != nil {
		name, start := e.text("name"), e.instant("start_date")
		e.flag("date_confirmed")
		r.Description = or(e.text("note"))
		if name == nil {
			e.fault("name", "required", "Name the event.")
		}
		if start == nil && !e.faulty("start_date") {
			e.fault("start_date", "required", "Say when it begins.")
		}
		r.Name, r.StartLocal = or(name), or(start).Format(event.Layout)
		e.done()
	}
	if v := o.object("venue"); v != nil {
		r.Venue, r.City, r.Region = or(v.text("name")), or(v.text("city")), or(v.text("state_province"))
		if r.Venue == "" {
			v.fault("name", "required", "Name the venue.")
		}
		if r.City == "" {
			v.fault("city", "required", "Name the city.")
		}
		v.done()
	}
	if n := o.object("country"); n != nil {
		r.Country = strings.ToUpper(or(n.text("code")))
		if !event.KnownCountry(r.Country) {
			n.fault("code", "invalid", "Use a code of ISO 3166-1 such as NO.")
		}
		n.done()
	}
	return in, "", a.checked(o, &in, true)
}

// faulty tells whether something was noted of a member, or of what is in it.
func (o *object) faulty(name string) bool {
	for _, f := range *o.faults {
		if f.Pointer == o.at+"/"+name || strings.HasPrefix(f.Pointer, o.at+"/"+name+"/") {
			return true
		}
	}
	return false
}

// eventFor finds the event of a new listing, or makes a draft of it, which is sold once somebody publishes it.
func (a *API) eventFor(tx *db.Tx, org int64, in listingInput) (event.Event, error) {
	if in.requested == nil {
		return event.ByNo(tx, org, in.eventNo)
	}
	r := *in.requested
	start, err := time.Parse(event.Layout, r.StartLocal)
	if err != nil {
		return event.Event{}, err
	}
	ev, err := event.Named(tx, org, r.Name, start, event.Venue{Name: r.Venue, City: r.City, Region: r.Region, Country: r.Country})
	if problem.Is(err, "event_not_found") {
		r.Currency = in.in.Currency
		return a.Calendar.Create(tx, org, r)
	}
	return ev, err
}

func (a *API) makeListing(tx *db.Tx, c *call, in listingInput) (answer, error) {
	ev, err := a.eventFor(tx, c.Org, in)
	if err != nil {
		return answer{}, err
	}
	if ev.Deleted() {
		return answer{}, problem.New(problem.NotFound, codeNotFound, "There is no such event here.")
	}
	if !tx.Now().Before(ev.StartsAt) {
		return answer{}, problem.New(problem.Forbidden, codeListingAction, "The event has begun; nothing can be listed for it any more.")
	}
	in.in.Event, in.in.DeliverBy = ev.ID, ev.StartsAt
	var l inventory.Listing
	if in.in.ExternalID != "" {
		l, _, err = a.Stock.Replace(tx, c.Org, in.in.ExternalID, in.in)
	} else {
		l, err = a.Stock.Create(tx, c.Org, in.in)
	}
	if err == nil {
		l, err = a.newCodes(tx, c.Org, l, in)
	}
	if err != nil {
		return answer{}, forbidden(codeListingAction, err)
	}
	return a.listingAnswer(tx, c.Org, l, tx.Now())
}

// newCodes uploads the barcodes of a POST. Its places are those that it lists, and a listing that it has replaced may have others before them.
func (a *API) newCodes(tx *db.Tx, org int64, l inventory.Listing, in listingInput) (inventory.Listing, error) {
	if in.barcodes == nil {
		return l, nil
	}
	if l.Seats == nil && l.Held+l.Sold > 0 {
		return l, problem.New(problem.Forbidden, codeListingAction,
			"Tickets of this listing are held or sold and its places are not numbered: upload barcodes with PATCH, and those of what is sold with its sale.")
	}
	uploads, err := uploadsOf(in.barcodes, in.in.Seats, in.in.Quantity)
	if err != nil {
		return l, err
	}
	if l.Seats != nil {
		for i, u := range uploads {
			uploads[i].Ordinal = slices.Index(l.Seats, in.in.Seats[u.Ordinal])
		}
	}
	return a.upload(tx, org, l, uploads)
}

// codes uploads barcodes for a listing as it is; nil for none.
func (a *API) codes(tx *db.Tx, org int64, l inventory.Listing, codes []placeCodes) (inventory.Listing, error) {
	if codes == nil {
		return l, nil
	}
	uploads, err := uploadsOf(codes, l.Seats, l.Total)
	if err != nil {
		return l, err
	}
	return a.upload(tx, org, l, uploads)
}

func (a *API) upload(tx *db.Tx, org int64, l inventory.Listing, uploads []inventory.BarcodeUpload) (inventory.Listing, error) {
	r, err := a.Stock.ReceiveBarcodes(tx, org, l.ID, uploads)
	return r.Listing, barcodeNames(err)
}

func (a *API) listingChange(_ context.Context, c *call) (in listingInput, key string, err error) {
	o, err := c.object()
	if err != nil {
		return in, "", err
	}
	in = o.listingInput(false)
	return in, "", a.checked(o, &in, false)
}

func (a *API) changeListing(tx *db.Tx, c *call, in listingInput) (answer, error) {
	l, err := a.offer(tx, c)
	if err != nil {
		return answer{}, err
	}
	if in.p.Free != nil && len(in.p.Seats) > 0 && l.Held+l.Sold > 0 {
		return answer{}, problem.New(problem.Forbidden, codeListingAction, "Tickets of this listing are held or sold: its seats stay.")
	}
	if in.p.FaceValue != nil && in.p.Currency == nil && in.face != l.Price.Currency {
		return answer{}, problem.Field("/faceValue", "mismatch", "The listing is in %s; so is its face value.", l.Price.Currency)
	}
	if l, err = a.Stock.Update(tx, c.Org, l.ID, in.p); err == nil {
		l, err = a.codes(tx, c.Org, l, in.barcodes)
	}
	if err != nil {
		return answer{}, forbidden(codeListingAction, err)
	}
	out, err := a.listingAnswer(tx, c.Org, l, tx.Now())
	out.location = ""
	return out, err
}

func (a *API) deleteListing(tx *db.Tx, c *call, _ none) (answer, error) {
	l, err := a.offer(tx, c)
	if err != nil {
		return answer{}, err
	}
	_, err = a.Stock.Withdraw(tx, c.Org, l.ID, 0)
	return answer{}, forbidden(codeListingAction, err)
}
