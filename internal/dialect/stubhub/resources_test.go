package stubhub_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/dialect/stubhub"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// trade is a desk with events, listings and sales.
type trade struct {
	*desk
	calendar *event.Calendar
	stock    *inventory.Stock
	orders   *order.Book
}

func trades(t *testing.T, f func(t *testing.T, d *trade)) {
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		w := &trade{}
		w.desk = newDesk(t, on, func(d *desk, c *stubhub.Config) {
			keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
			if err != nil {
				t.Fatal(err)
			}
			w.calendar, w.stock = event.New(d, order.Exists), inventory.New(d, keys)
			w.orders = order.New(d, w.stock, ticket.New(d, on, keys))
			c.Calendar, c.Stock, c.Book, c.Keys = w.calendar, w.stock, w.orders, keys
		})
		f(t, w)
	})
}

func (w *trade) do(f func(tx *db.Tx) error) {
	w.t.Helper()
	if err := w.db.WriteAlone(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *trade) event(name string, status event.Status, start ...string) (e event.Event) {
	w.t.Helper()
	lat, lon := 59.9, 10.7
	at := append(start, "2047-08-14T20:30:00")[0]
	w.do(func(tx *db.Tx) (err error) {
		e, err = w.calendar.Create(tx, w.org, event.Input{
			Name: name, StartLocal: at, Venue: "Pier Hall", City: "Oslo", Country: "NO", Latitude: &lat, Longitude: &lon, Status: status,
		})
		return err
	})
	return e
}

func (w *trade) listing(e event.Event, kind inventory.DeliveryKind, seats ...string) (l inventory.Listing) {
	w.t.Helper()
	w.do(func(tx *db.Tx) (err error) {
		l, err = w.stock.Create(tx, w.org, inventory.Input{Event: e.ID, Section: "B", Row: string(kind), Quantity: len(seats), Seats: seats, Price: "59.25", DeliveryKind: kind})
		return err
	})
	return l
}

func (w *trade) sale(l inventory.Listing, n int) (o order.Order) {
	w.t.Helper()
	w.do(func(tx *db.Tx) (err error) {
		o, _, err = w.orders.Place(tx, w.org, order.Input{
			Event: l.EventID, Listing: l.ID, Quantity: n, Customer: order.Customer{Email: "a@example.com", Phone: order.Phone{Number: "12345678", CountryCode: "+47"}},
		})
		return err
	})
	return o
}

func (w *trade) hold(l inventory.Listing, n int) (h inventory.Hold) {
	w.t.Helper()
	w.do(func(tx *db.Tx) (err error) {
		h, err = w.stock.Hold(tx, w.org, inventory.HoldInput{Event: l.EventID, Want: inventory.Want{Listing: l.ID, Quantity: n}})
		return err
	})
	return h
}

// walk follows every link of every answer, from one on, and returns how many it has seen. Each answers 200.
func (d *desk) walk(from string) int {
	d.t.Helper()
	seen, todo := map[string]bool{}, []string{from}
	for len(todo) > 0 && len(seen) < 1000 {
		at := todo[0]
		todo = todo[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		if !strings.HasPrefix(at, public) {
			d.t.Errorf("the link %q does not begin with %s", at, public)
			continue
		}
		a := d.call("GET", at, nil)
		if a.status != 200 && (a.status != 405 || !strings.HasSuffix(at, "/ping")) {
			d.t.Errorf("the link %s answers %d %s", at, a.status, a.raw)
			continue
		}
		var v any
		if err := json.Unmarshal(a.raw, &v); err != nil {
			d.t.Errorf("%s: %v", at, err)
		}
		todo = append(todo, hrefs(v)...)
	}
	return len(seen)
}

func hrefs(v any) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, one := range v {
			if s, ok := one.(string); ok && name == "href" {
				all = append(all, s)
			}
			all = append(all, hrefs(one)...)
		}
	case []any:
		for _, one := range v {
			all = append(all, hrefs(one)...)
		}
	}
	return all
}

type saleView struct {
	ID     int64
	Status string
	Number int                              `json:"number_of_tickets"`
	Links  map[string]struct{ Href string } `json:"_links"`

	Proceeds struct{ Amount json.Number }
	Barcodes []struct {
		Ordinal int `json:"seat_ordinal"`
		Status  string
		Values  []string `json:"barcode_values"`
	}
	ConfirmBy *string `json:"confirm_by"`
	ShipBy    *string `json:"ship_by"`
}

type listed[T any] struct {
	Total int                              `json:"total_items"`
	Links map[string]struct{ Href string } `json:"_links"`
	In    struct {
		Items   []T
		Deleted []T `json:"deleted_items"`
	} `json:"_embedded"`
}

func (w *trade) saleAt(no int64) saleView {
	w.t.Helper()
	return read[saleView](w.desk, w.must(200, "GET", fmt.Sprintf("/v2/sales/%d", no), nil))
}

func TestSaleGoesFromConfirmationToPayment(t *testing.T) {
	trades(t, func(t *testing.T, w *trade) {
		l := w.listing(w.event("Harbor Jazz", event.Published), inventory.ByTransfer, "7", "8", "9", "10")
		o := w.sale(l, 2)
		at := fmt.Sprintf("/v2/sales/%d", o.SaleNo)
		s := w.saleAt(o.SaleNo)
		if s.Status != "ConfirmSale" || s.Number != 2 || s.Proceeds.Amount != "118.5" || s.ConfirmBy == nil || s.ShipBy == nil || *s.ShipBy != "2047-08-14T18:30:00Z" {
			t.Errorf("a new sale is %+v", s)
		}
		for _, link := range []string{"sale:confirm", "sale:reject", "sale:listing"} {
			if s.Links[link].Href == "" {
				t.Errorf("a new sale has no link %s: %v", link, s.Links)
			}
		}
		s = read[saleView](w.desk, w.must(200, "PATCH", at, map[string]any{"confirmed": true}))
		if s.Status != "TransferTDT" || s.Links["sale:confirm"].Href != "" {
			t.Errorf("a confirmed sale is %+v", s)
		}
		s = read[saleView](w.desk, w.must(200, "PATCH", at, map[string]any{"transfer_confirmation_number": "X-17", "mobile_provider": "AXS"}))
		if s.Status != "GetPaid" || s.Links["sale:reject"].Href != "" {
			t.Errorf("a transferred sale is %+v", s)
		}
		kept, err := order.ByID(w.db.Read(t.Context()), w.org, o.ID)
		if err != nil || kept.Status != order.Fulfilled || kept.People.TransferNote != "Transfer confirmation number X-17 (AXS)" {
			t.Errorf("the order is %s with the note %q, %v", kept.Status, kept.People.TransferNote, err)
		}
		w.must(200, "PATCH", at, map[string]any{"transfer_confirmation_number": "X-17", "mobile_provider": "AXS"}) // again
		if f := read[fault](w.desk, w.must(403, "PATCH", at, map[string]any{"transfer_confirmation_number": "X-18"})); f.Code != "invalid_sale_action" {
			t.Errorf("another number for a finished sale is %s", f.Code)
		}
		inHand, few := map[string]any{"in_hand_at": "2027-08-14T20:30:00Z"}, w.newKey(scope.TicketsRead, scope.TicketsWrite)
		a := w.must(403, "PATCH", at, inHand, "Authorization", "Bearer "+few)
		if f := read[fault](w.desk, a); f.Code != "insufficient_scope" || !strings.Contains(a.header.Get("WWW-Authenticate"), `scope="events:write"`) {
			t.Errorf("in_hand_at without events:write is %s", a.raw)
		}
		w.must(200, "PATCH", at, inHand)
		if f := read[fault](w.desk, w.must(403, "DELETE", at, nil)); f.Code != "invalid_sale_action" {
			t.Errorf("rejecting a finished sale is %s", f.Code)
		}
		rejected := w.sale(l, 2)
		w.must(204, "DELETE", fmt.Sprintf("/v2/sales/%d", rejected.SaleNo), nil)
		if s := w.saleAt(rejected.SaleNo); s.Status != "Cancelled" {
			t.Errorf("a rejected sale is %s", s.Status)
		}
		w.must(403, "DELETE", fmt.Sprintf("/v2/sales/%d", rejected.SaleNo), nil)
		w.must(404, "DELETE", "/v2/sales/999999", nil)
	})
}

func TestSaleBarcodesAreUploadedAndShown(t *testing.T) {
	trades(t, func(t *testing.T, w *trade) {
		l := w.listing(w.event("Harbor Jazz", event.Published), inventory.ByBarcode, "7", "8")
		o := w.sale(l, 2)
		at := fmt.Sprintf("/v2/sales/%d", o.SaleNo)
		// What has failed on the listing is shown, although nothing counts.
		w.do(func(tx *db.Tx) error {
			return w.stock.SetBarcodeRule(tx, w.org, l.EventID, inventory.BarcodeRule{Pattern: "[A-Z]+"})
		})
		w.must(200, "PATCH", fmt.Sprintf("/v2/sellerlistings/%d", l.No), map[string]any{"barcodes": codes("seat_ordinal", 1)})
		if s := w.saleAt(o.SaleNo); len(s.Barcodes) != 1 || s.Barcodes[0].Status != "FailedValidation" {
			t.Errorf("a sale of whose barcodes one has failed has %+v", s.Barcodes)
		}
		// All or nothing: the sale is not confirmed by a request whose barcodes are wrong.
		f := read[fault](w.desk, w.must(400, "PATCH", at, map[string]any{"confirmed": true, "barcodes": []any{
			map[string]any{"seat_ordinal": 3, "barcode_values": []string{"A"}}, map[string]any{"seat": "8", "barcode_values": []string{"a b"}},
		}}))
		if _, ok := f.Errors["sale.barcodes.0.seat_ordinal"]; !ok || len(f.Errors) != 2 {
			t.Errorf("errors %v", f.Errors)
		}
		if s := w.saleAt(o.SaleNo); s.Status != "ConfirmSale" {
			t.Errorf("after a request that failed the sale is at %s", s.Status)
		}
		s := read[saleView](w.desk, w.must(200, "PATCH", at, map[string]any{"confirmed": true, "barcodes": []any{
			map[string]any{"seat_ordinal": 1, "barcode_values": []string{"AAA"}}, map[string]any{"seat": "8", "row": "barcode", "barcode_values": []string{"BBB"}},
		}}))
		if s.Status != "GetPaid" || len(s.Barcodes) != 2 || s.Barcodes[1].Values[0] != "BBB" || s.Barcodes[1].Ordinal != 2 || s.Barcodes[0].Status != "Received" {
			t.Errorf("a sale with its barcodes is %+v", s)
		}
	})
}

func TestSalePatchNamesEveryFieldThatIsWrong(t *testing.T) {
	trades(t, func(t *testing.T, w *trade) {
		o := w.sale(w.listing(w.event("Harbor Jazz", event.Published), inventory.ByTransfer, "7", "8"), 2)
		f := read[fault](w.desk, w.must(400, "PATCH", fmt.Sprintf("/v2/sales/%d", o.SaleNo), map[string]any{
			"confirmed": false, "eticket_ids": []int{1}, "tracking_number": "1", "seating": map[string]any{"section": "X"}, "in_hand_at": "soon", "colour": 1,
			"mobile_provider": "", "transfer_confirmation_number": strings.Repeat("x", 201),
			"barcodes": []any{map[string]any{"barcode_values": []string{"A"}}, map[string]any{"seat_ordinal": 1, "barcode_values": []string{"a b"}}},
		}))
		var names []string
		for name := range f.Errors {
			names = append(names, name)
		}
		slices.Sort(names)
		want := []string{
			"sale.barcodes.0.seat_ordinal", "sale.barcodes.1.barcode_values.0", "sale.colour", "sale.confirmed", "sale.eticket_ids", "sale.in_hand_at",
			"sale.mobile_provider", "sale.seating", "sale.tracking_number", "sale.transfer_confirmation_number",
		}
		if diff := cmp.Diff(want, names); diff != "" || f.Code != "validation_failed" {
			t.Errorf("code %s, fields -want +got:\n%s", f.Code, diff)
		}
	})
}

func TestSellerListingIsMadeReplacedChangedAndDeleted(t *testing.T) {
	trades(t, func(t *testing.T, w *trade) {
		e := w.event("Harbor Jazz", event.Published)
		body := map[string]any{
			"seating": map[string]any{"section": "A", "row": "1", "seat_from": "3", "seat_to": "6"}, "ticket_type": "Barcode", "split_type": "Pairs",
			"number_of_tickets": 4, "ticket_price": map[string]any{"amount": 40.5, "currency_code": "USD"}, "external_id": "pos-1", "notes": "Aisle, Restricted view",
		}
		type view struct {
			ID    int64
			Count int                          `json:"number_of_tickets"`
			Price struct{ Amount json.Number } `json:"ticket_price"`
			Links map[string]any               `json:"_links"`
			Codes []map[string]any             `json:"barcodes"`
			In    struct {
				Split struct{ Type string } `json:"split_type"`
				Event struct{ ID int64 }
			} `json:"_embedded"`
		}
		made := w.must(201, "POST", fmt.Sprintf("/v2/events/%d/sellerlistings", e.No), body)
		v := read[view](w.desk, made)
		if v.Count != 4 || v.Price.Amount != "40.5" || v.In.Split.Type != "Pairs" || v.In.Event.ID != e.No || made.header.Get("Location") == "" {
			t.Errorf("made %s", made.raw)
		}
		body["ticket_price"] = map[string]any{"amount": 41, "currency_code": "USD"}
		again := read[view](w.desk, w.must(201, "POST", fmt.Sprintf("/v2/events/%d/sellerlistings", e.No), body))
		if again.ID != v.ID || again.Price.Amount != "41" {
			t.Errorf("the same external id made %+v", again)
		}
		v = read[view](w.desk, w.must(200, "PATCH", "/v2/externalsellerlistings/pos-1", map[string]any{"published": false, "barcodes": []any{
			map[string]any{"seat_ordinal": 1, "barcode_values": []string{"ZZZ1"}},
		}}))
		if v.Count != 0 || v.Links["sellerlisting:publish"] == nil || len(v.Codes) != 1 || v.Codes[0]["barcode_values"] != nil {
			t.Errorf("a paused listing is %+v", v)
		}
		w.must(204, "DELETE", fmt.Sprintf("/v2/sellerlistings/%d", v.ID), nil)
		w.must(404, "GET", "/v2/externalsellerlistings/pos-1", nil)
		w.must(200, "GET", fmt.Sprintf("/v2/sellerlistings/%d", v.ID), nil)
		for query, n := range map[string]int{"": 0, "?updated_since=2020-01-01T00:00:00Z": 1} {
			if p := read[listed[view]](w.desk, w.must(200, "GET", "/v2/sellerlistings"+query, nil)); p.Total != n || len(p.In.Items) != n {
				t.Errorf("/v2/sellerlistings%s has %d of %d, want %d", query, len(p.In.Items), p.Total, n)
			}
		}

		f := read[fault](w.desk, w.must(400, "POST", fmt.Sprintf("/v2/events/%d/sellerlistings", e.No), map[string]any{
			"seating": map[string]any{"section": "A", "row": "1", "seat_from": "C", "seat_to": "F"}, "split_type": "Triples", "ticket_price": map[string]any{"amount": "x"},
			"face_value": map[string]any{"amount": "x", "currency_code": "nope"}, "external_id": strings.Repeat("x", 201), "notes": strings.Repeat("x", 201),
			"barcodes": []any{map[string]any{"seat": "C", "barcode_values": []string{"a b"}}},
		}))
		names := []string{
			"ticket_type", "number_of_tickets", "split_type", "seating.seat_to", "ticket_price.amount", "ticket_price.currency_code", "face_value.amount",
			"face_value.currency_code", "external_id", "notes.0", "barcodes.0.barcode_values.0",
		}
		if len(f.Errors) != len(names) {
			t.Errorf("more is said than is wrong: %v", f.Errors)
		}
		for _, name := range names {
			if f.Errors["seller_listing."+name] == nil {
				t.Errorf("nothing is said of %s: %v", name, f.Errors)
			}
		}
		begun := w.event("Begun", event.Published, "2001-01-01T20:30:00")
		body["seating"] = map[string]any{"section": "C"}
		a := w.must(403, "POST", fmt.Sprintf("/v2/events/%d/sellerlistings", begun.No), body)
		if f := read[fault](w.desk, a); f.Code != "invalid_seller_listing_action" || f.Message == nil || !strings.Contains(*f.Message, "begun") {
			t.Errorf("a listing for an event that has begun is %s", a.raw)
		}
		delete(body, "external_id")
		body["seating"] = map[string]any{"section": "B"}
		body["event"] = map[string]any{"name": "Harbor Jazz", "start_date": e.StartsAt.Format(time.RFC3339)}
		body["venue"] = map[string]any{"name": "Pier Hall", "city": "Oslo"}
		body["country"] = map[string]any{"code": "NO"}
		made = w.must(201, "POST", "/v2/sellerlistings", body)
		if v := read[view](w.desk, made); v.In.Event.ID != e.No || !strings.Contains(string(made.raw), `"row":"GA"`) {
			t.Errorf("a listing without a row for an event that is known is %s", made.raw)
		}
		body["event"] = map[string]any{"name": "Another", "start_date": e.StartsAt.Format(time.RFC3339)}
		v = read[view](w.desk, w.must(201, "POST", "/v2/sellerlistings", body))
		if got := w.must(200, "GET", fmt.Sprintf("/catalog/events/%d", v.In.Event.ID), nil); !strings.Contains(string(got.raw), `"status":"Draft"`) {
			t.Errorf("the event that was asked for is %s", got.raw)
		}
		for _, sort := range []string{"id", "-resource_version", "price"} {
			pages, at := 0, "/v2/sellerlistings?page_size=1&sort="+sort
			for ; at != "" && pages < 5; pages++ {
				at = read[listed[view]](w.desk, w.must(200, "GET", at, nil)).Links["next"].Href
			}
			if pages != 2 {
				t.Errorf("two listings by %s fill %d pages of one", sort, pages)
			}
		}
	})
}

func codes(values ...any) []any {
	var all []any
	for i := 0; i < len(values); i += 2 {
		all = append(all, map[string]any{values[i].(string): values[i+1], "barcode_values": []string{fmt.Sprintf("%s-%v", values[i], values[i+1])}})
	}
	return all
}

func TestListingThatIsReplacedKeepsTheBarcodesOfWhatIsSold(t *testing.T) {
	trades(t, func(t *testing.T, w *trade) {
		e := w.event("Harbor Jazz", event.Published)
		at := fmt.Sprintf("/v2/events/%d/sellerlistings", e.No)
		body := map[string]any{
			"seating": map[string]any{"section": "A", "row": "1", "seat_from": "1", "seat_to": "4"}, "ticket_type": "Barcode", "split_type": "Any",
			"number_of_tickets": 4, "ticket_price": map[string]any{"amount": 40, "currency_code": "USD"}, "external_id": "pos-1",
			"barcodes": codes("seat_ordinal", 1, "seat_ordinal", 2),
		}
		w.must(201, "POST", at, body)
		l, err := inventory.ByExternalID(w.db.Read(t.Context()), w.org, "pos-1")
		if err != nil {
			t.Fatal(err)
		}
		o := w.sale(l, 2)
		before := w.saleAt(o.SaleNo).Barcodes
		body["seating"] = map[string]any{"section": "A", "row": "1", "seat_from": "3", "seat_to": "4"}
		body["number_of_tickets"], body["barcodes"] = 2, []any{codes("seat", "3")[0], map[string]any{"seat_ordinal": 2, "barcode_values": []string{"NEW"}}}
		w.must(201, "POST", at, body)
		if diff := cmp.Diff(before, w.saleAt(o.SaleNo).Barcodes); diff != "" || len(before) != 2 {
			t.Errorf("the barcodes of what is sold changed, -before +after:\n%s", diff)
		}
		if l, err = inventory.ByExternalID(w.db.Read(t.Context()), w.org, "pos-1"); err != nil || l.Barcoded != 4 {
			t.Errorf("%d places have barcodes, %v; want 4", l.Barcoded, err)
		}
		body["barcodes"] = []any{
			codes("seat", "1")[0], codes("seat_ordinal", 3)[0], map[string]any{"seat_ordinal": 1, "seat": "4", "barcode_values": []string{"X"}},
		}
		f := read[fault](w.desk, w.must(400, "POST", at, body))
		for _, name := range []string{"0.seat", "1.seat_ordinal", "2.seat"} {
			if f.Errors["seller_listing.barcodes."+name] == nil || len(f.Errors) != 3 {
				t.Errorf("nothing is said of %s: %v", name, f.Errors)
			}
		}

		body["seating"], body["external_id"], body["barcodes"] = map[string]any{"section": "B", "row": "1"}, "pos-2", codes("seat_ordinal", 1)
		w.must(201, "POST", at, body)
		if l, err = inventory.ByExternalID(w.db.Read(t.Context()), w.org, "pos-2"); err != nil {
			t.Fatal(err)
		}
		w.sale(l, 1)
		if f := read[fault](w.desk, w.must(403, "POST", at, body)); f.Code != "invalid_seller_listing_action" {
			t.Errorf("barcodes for places without numbers, of which one is sold, are %s", f.Code)
		}
	})
}

func TestEveryLinkAnswers(t *testing.T) {
	trades(t, func(t *testing.T, w *trade) {
		e := w.event("Harbor Jazz", event.Published)
		w.event("Draft", event.Draft)
		l := w.listing(e, inventory.ByTransfer, "1", "2", "3", "4", "5", "6")
		h := w.hold(l, 2)
		released := w.hold(l, 2)
		w.do(func(tx *db.Tx) error { _, err := w.stock.ReleaseHold(tx, w.org, released.ID, ""); return err })
		w.sale(l, 2)
		if s := w.saleAt(h.SaleNo); s.Status != "ProvisionalSale" || s.Links["sale:confirm"].Href != "" {
			t.Errorf("a hold is %+v", s)
		}
		if s := w.saleAt(released.SaleNo); s.Status != "Cancelled" {
			t.Errorf("a released hold is %+v", s)
		}
		w.must(403, "DELETE", fmt.Sprintf("/v2/sales/%d", h.SaleNo), nil)
		w.must(403, "PATCH", fmt.Sprintf("/v2/sales/%d", h.SaleNo), map[string]any{"confirmed": true})
		if n := w.walk(public + "/v2"); n < 12 {
			t.Errorf("there are %d links, which is too few", n)
		}
		for _, path := range []string{
			"/v2/sales?updated_since=2020-01-01T00:00:00Z&page_size=1", "/v2/sales?sort=-event_date&page_size=1", "/v2/sales/recentupdates?page_size=1",
			"/v2/sellerlistings?page_size=1&sort=resource_version", "/catalog/events?page_size=1&sort=-resource_version", "/catalog/venues?page_size=1",
		} {
			w.walk(public + path)
		}
	})
}

func TestSalesAreListedOnceEachInEveryOrder(t *testing.T) {
	trades(t, func(t *testing.T, w *trade) {
		l := w.listing(w.event("Harbor Jazz", event.Published), inventory.ByTransfer, "1", "2", "3", "4", "5", "6", "7", "8")
		for range 5 {
			w.sale(l, 1)
		}
		w.hold(l, 1)
		for _, sort := range []string{"id", "resource_version", "created_at", "event_date", "inhand_at", "payment_amount", "quantity"} {
			for _, sign := range []string{"", "-"} {
				seen := map[int64]int{}
				at := "/v2/sales?page_size=2&sort=" + sign + sort
				for range 10 {
					p := read[listed[saleView]](w.desk, w.must(200, "GET", at, nil))
					if p.Total != 6 {
						t.Errorf("%s: total_items %d, want 6", at, p.Total)
					}
					for _, s := range p.In.Items {
						seen[s.ID]++
					}
					if at = p.Links["next"].Href; at == "" {
						break
					}
				}
				for no, n := range seen {
					if n != 1 {
						t.Errorf("sorted by %s%s, sale %d is listed %d times", sign, sort, no, n)
					}
				}
				if len(seen) != 6 {
					t.Errorf("sorted by %s%s there are %d sales, want 6", sign, sort, len(seen))
				}
			}
		}
		for _, query := range []string{"page=4&page_size=2", "page=2000000000&page_size=1000", "page=4&page_size=2&sort=event_date"} {
			if p := read[listed[saleView]](w.desk, w.must(200, "GET", "/v2/sales?"+query, nil)); p.Total != 6 || len(p.In.Items) != 0 || p.Links["next"].Href != "" {
				t.Errorf("/v2/sales?%s has %d of %d: %v", query, len(p.In.Items), p.Total, p.Links)
			}
		}
		w.must(400, "GET", "/v2/sales?sort=colour&page=0&updated_since=now", nil)
	})
}

func TestCatalogIsFilteredByPlaceAndTellsOfWhatIsDeleted(t *testing.T) {
	trades(t, func(t *testing.T, w *trade) {
		e := w.event("Harbor Jazz", event.Published)
		gone := w.event("Gone", event.Published)
		w.do(func(tx *db.Tx) error { return w.calendar.Delete(tx, w.org, gone.ID, 0) })
		w.listing(e, inventory.ByTransfer, "1")
		type view struct {
			ID     int64
			Status string
			Min    struct{ Display string } `json:"min_ticket_price"`
		}
		for query, n := range map[string]int{
			"": 1, "?country_code=no": 1, "?country_code=SE": 0, "?latitude=59.91&longitude=10.7&max_distance_in_meters=2000": 1,
			"?latitude=59.91&longitude=10.7&max_distance_in_meters=500": 0, "?genre_id=3": 0, "?updated_since=2020-01-01T00:00:00Z": 1,
			"?updated_since=2040-01-01T00:00:00Z": 0, "?min_resource_version=1": 1, "?exclude_parking_passes=true": 1,
		} {
			p := read[listed[view]](w.desk, w.must(200, "GET", "/catalog/events"+query, nil))
			if p.Total != n || len(p.In.Items) != n {
				t.Errorf("/catalog/events%s has %d of %d, want %d", query, len(p.In.Items), p.Total, n)
			}
			if n == 1 && (p.In.Items[0].Min.Display != "$59.25" || p.In.Items[0].Status != "Normal") {
				t.Errorf("/catalog/events%s: %+v", query, p.In.Items[0])
			}
			if strings.Contains(query, "2020") && (len(p.In.Deleted) != 1 || p.In.Deleted[0].Status != "Deleted") {
				t.Errorf("/catalog/events%s: deleted %+v", query, p.In.Deleted)
			}
		}
		f := read[fault](w.desk, w.must(400, "GET", "/catalog/events?latitude=91&genre_id=x&min_resource_version=-1&exclude_parking_passes=maybe", nil))
		for _, name := range []string{"latitude", "longitude", "max_distance_in_meters", "genre_id", "min_resource_version", "exclude_parking_passes"} {
			if f.Errors[name] == nil {
				t.Errorf("nothing is said of %s: %v", name, f.Errors)
			}
		}
		w.must(400, "GET", "/catalog/events?country_code=XX", nil)
		w.must(404, "GET", "/catalog/venues/999", nil)
		w.must(403, "GET", "/catalog/events", nil, "Authorization", "Bearer "+visitor)
	})
}
