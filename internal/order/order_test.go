package order_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func (l *log) Append(tx *db.Tx, facts ...*fact.Fact) error {
	tx.OnCommit(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.facts = append(l.facts, facts...)
	})
	return nil
}

func TestOrderIsFoundAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 4, Seats: []string{"7", "8", "9", "10"}})
		made, err := s.place(order.Input{Listing: l.ID, Quantity: 2, Payment: order.Payment{Provider: "till", Reference: "r-1"}})
		if err != nil {
			t.Fatal(err)
		}
		want := order.Order{
			No: made.No, ID: made.ID, Number: made.Number, EventNo: l.EventNo, EventID: "E", EventName: "Harbor Jazz Night",
			EventDate: time.Date(2099, 8, 14, 18, 30, 0, 0, time.UTC), EventTimezone: "Europe/Oslo", EventVenue: "Pier Hall", EventLocation: "Oslo, NO",
			ListingNo: l.No, ListingID: l.ID, Section: "B", Row: "4", Seats: []string{"7", "8"}, Quantity: 2,
			UnitPrice: money.Amount{Minor: 7533, Currency: "EUR"}, Total: money.Amount{Minor: 15066, Currency: "EUR"},
			Captured: money.Amount{Minor: 15066, Currency: "EUR"}, Refunded: money.Amount{Currency: "EUR"},
			Payment: order.Payment{Provider: "till", Reference: "r-1"}, Status: order.Confirmed, Version: 1,
			CreatedAt: made.CreatedAt, UpdatedAt: made.CreatedAt, People: order.People{Customer: kari},
			SaleNo: made.SaleNo, Sale: inventory.Sale{
				ID: made.SaleNo, ListingNumber: l.No, ListedAt: fact.Instant(l.CreatedAt), ListedSeats: []string{"7", "10"}, Left: 2, Units: []int{0, 1},
				Event: inventory.EventBrief{
					Number: l.EventNo, Name: "Harbor Jazz Night", StartsAt: fact.Instant(time.Date(2099, 8, 14, 18, 30, 0, 0, time.UTC)),
					DateConfirmed: true, VenueID: made.Sale.Event.VenueID,
				},
			},
		}
		if made.SaleNo < 1 || made.Sale.Event.VenueID < 1 {
			t.Errorf("Place gave the sale the number %d and the venue %d", made.SaleNo, made.Sale.Event.VenueID)
		}
		if diff := cmp.Diff(want, made.Order, orders); diff != "" {
			t.Errorf("Place -want +made:\n%s", diff)
		}
		if diff := cmp.Diff(want, s.byID(t, made.ID), orders); diff != "" {
			t.Errorf("ByID -want +found:\n%s", diff)
		}
		p, err := order.PeopleOf(d.Read(t.Context()), house, made.ID)
		if err != nil || p != (order.People{Customer: kari}) {
			t.Errorf("PeopleOf = %+v, %v; want %+v", p, err, kari)
		}
		for _, o := range []id.Order{"", "order_", "order_1", "order_01", made.ID + "0", id.Order(strings.TrimPrefix(string(made.ID), "order_"))} {
			if _, err := order.ByID(d.Read(t.Context()), house, o); !problem.Is(err, "order_not_found") {
				t.Errorf("ByID(%q) = %v, want order_not_found", o, err)
			}
		}
		if _, err := order.ByID(d.Read(t.Context()), house+1, made.ID); !problem.Is(err, "order_not_found") {
			t.Errorf("another organisation's ByID = %v, want order_not_found", err)
		}
		if _, err := order.PeopleOf(d.Read(t.Context()), house+1, made.ID); !problem.Is(err, "order_not_found") {
			t.Errorf("another organisation's PeopleOf = %v, want order_not_found", err)
		}
		facts := s.log.take()
		if len(facts) != 1 || facts[0] != made.fact || facts[0].Kind != fact.OrderConfirmed || facts[0].Subject != string(made.ID) || facts[0].Version != 1 {
			t.Errorf("facts: %+v, want the order.confirmed that Place returned", facts)
		}
		s.audit(t)
	})
}

func TestFactsHoldNoPersonalData(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	l := s.list(inventory.Input{Quantity: 4})
	o := s.mustPlace(l, 1)
	for _, step := range []func() (result, error){
		func() (result, error) { return s.issue(o.ID, "Kari Nordmann did not get it") },
		func() (result, error) {
			return s.change(o.ID, order.Change{Status: order.Fulfilled, TransferNote: "sent to Kari Nordmann"})
		},
		func() (result, error) { return s.refund(o.ID, "") },
	} {
		if _, err := step(); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range s.log.take() {
		for _, secret := range []string{"ari@", "4712345678", "Nordmann", "rain"} {
			if strings.Contains(string(f.Data), secret) {
				t.Errorf("%s holds %q: %s", f.Kind, secret, f.Data)
			}
		}
	}
	p, err := order.PeopleOf(s.db.Read(t.Context()), house, o.ID)
	want := order.People{Customer: kari, TransferNote: "sent to Kari Nordmann", IssueReason: "Kari Nordmann did not get it", RefundReason: "rain"}
	if err != nil || p != want {
		t.Errorf("PeopleOf = %+v, %v; want %+v", p, err, want)
	}
}

func TestWrongOrderNamesEveryField(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	good := order.Input{Event: "E", Listing: "66aa0011223344556677889b", Quantity: 1, Customer: kari}
	for _, c := range []struct {
		change func(*order.Input)
		want   string
	}{
		{
			func(in *order.Input) { *in = order.Input{} },
			"/eventId /listingId /quantity /customer/email /customer/phone/number /customer/phone/countryCode",
		},
		{func(in *order.Input) { in.Listing, in.Section = "", "B" }, "/row"},
		{func(in *order.Input) { in.Listing, in.Row = "", "4" }, "/section"},
		{func(in *order.Input) { in.Quantity = 21 }, "/quantity"},
		{func(in *order.Input) { in.Quantity = -1 }, "/quantity"},
		{
			func(in *order.Input) { in.Customer.Phone = order.Phone{Number: "12 34 56", CountryCode: "47"} },
			"/customer/phone/number /customer/phone/countryCode",
		},
		{func(in *order.Input) { in.Customer.Phone.CountryCode = "+12345" }, "/customer/phone/countryCode"},
		{func(in *order.Input) { in.Payment.Provider = strings.Repeat("x", 101) }, "/payment/provider"},
		{func(in *order.Input) { in.Section = "a\x00b" }, "/section"},
	} {
		in := good
		c.change(&in)
		_, err := s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) { return s.book.Place(tx, house, in) })
		var got []string
		if p := problem.As(err); p != nil {
			for _, f := range p.Fields {
				got = append(got, f.Pointer)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("Place(%+v) = %v, want fields %s", in, err, c.want)
		}
	}
	for _, email := range []string{
		"", "kari", "kari@", "@example.test", "kari@example", "a b@example.test", "Kari <kari@example.test>", "kari@example..test",
		"kari@[127.0.0.1]", "kari@example.test\n", strings.Repeat("x", 65) + "@example.test", "kari@.example.test", "k@ri@example.test",
	} {
		in := good
		in.Customer.Email = email
		_, err := s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) { return s.book.Place(tx, house, in) })
		if strings.TrimSpace(email) == email && !problem.Is(err, "validation_failed") {
			t.Errorf("Place with e-mail %q = %v, want validation_failed", email, err)
		}
	}
	for _, email := range []string{"kari@example.test", "o'hara+tag@sub.example.co.uk", "kari@bücher.example"} {
		in := good
		in.Customer.Email = email
		_, err := s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) { return s.book.Place(tx, house, in) })
		if !problem.Is(err, "listing_not_found") {
			t.Errorf("Place with e-mail %q = %v, want it taken (listing_not_found)", email, err)
		}
	}
}

func TestSaleHasItsConditions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("over", "2020-08-14T20:30:00")
		s.event("off", "2099-08-14T20:30:00")
		s.event("later", "2099-08-14T20:30:00")
		l := s.list(inventory.Input{Quantity: 4, SplitRule: inventory.AvoidOne})
		off, over, later := s.list(inventory.Input{Event: "off", Quantity: 1}), s.list(inventory.Input{Event: "over", Quantity: 1}), s.list(inventory.Input{Event: "later", Quantity: 1})
		s.write(t, func(tx *db.Tx) error {
			_, err := s.cal.Cancel(tx, house, "off")
			if err == nil {
				_, err = s.cal.Update(tx, house, "later", event.Patch{Status: ptr(event.Postponed)})
			}
			return err
		})
		for _, c := range []struct {
			in   order.Input
			code string
		}{
			{order.Input{Event: "none", Listing: l.ID, Quantity: 1}, "event_not_found"},
			{order.Input{Event: "off", Listing: off.ID, Quantity: 1}, "event_cancelled"},
			{order.Input{Event: "over", Listing: over.ID, Quantity: 1}, "event_not_on_sale"},
			{order.Input{Event: "later", Listing: later.ID, Quantity: 1}, "event_not_on_sale"},
			{order.Input{Listing: off.ID, Quantity: 1}, "listing_not_found"},
			{order.Input{Listing: "xx", Quantity: 1}, "listing_not_found"},
			{order.Input{Listing: l.ID, Quantity: 3}, "split_not_allowed"},
			{order.Input{Listing: l.ID, Quantity: 5}, "not_enough_tickets"},
			{order.Input{Section: "B", Row: "5", Quantity: 1}, "not_enough_tickets"},
			{order.Input{Listing: l.ID, Section: "C", Quantity: 1}, "validation_failed"},
		} {
			if _, err := s.place(c.in); !problem.Is(err, c.code) {
				t.Errorf("Place(%+v) = %v, want %s", c.in, err, c.code)
			}
		}
		if k := s.log.kinds(); k != "" {
			t.Errorf("refused orders appended %s", k)
		}
		if _, err := s.place(order.Input{Section: "B", Row: "4", Quantity: 2}); err != nil {
			t.Errorf("Place by section and row: %v", err)
		}
		if _, err := s.place(order.Input{Listing: l.ID, Section: "B", Row: "4", Quantity: 2}); err != nil {
			t.Errorf("Place by listing with its section and row: %v", err)
		}
		s.audit(t)
	})
}

func TestListFilters(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("F", "2099-09-01T20:00:00")
		e, f := s.list(inventory.Input{Quantity: 50}), s.list(inventory.Input{Event: "F", Quantity: 50})
		name := map[id.Order]string{}
		var all []id.Order
		for i, l := range []inventory.Listing{e, f, e, e} {
			c := kari
			if i == 2 {
				c.Email = "ola@example.test"
			}
			r, err := s.place(order.Input{Event: l.EventID, Listing: l.ID, Quantity: 1, Customer: c})
			if err != nil {
				t.Fatal(err)
			}
			name[r.ID] = fmt.Sprint(i)
			all = append(all, r.ID)
			time.Sleep(2 * time.Millisecond) // ids are sorted by the millisecond
		}
		if _, err := s.set(all[0], order.Cancelled); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			f     order.Filter
			want  string
			total int
		}{
			{order.Filter{}, "3 2 1 0", 4},
			{order.Filter{Event: "E"}, "3 2 0", 3},
			{order.Filter{Event: "nowhere"}, "", 0},
			{order.Filter{Status: order.Cancelled}, "0", 1},
			{order.Filter{Email: " KARI@example.test"}, "3 1 0", 3},
			{order.Filter{Email: "kari@example.test", Event: "E", Status: order.Confirmed}, "3", 1},
			{order.Filter{Limit: 2, Offset: 1}, "2 1", 4},
			{order.Filter{Limit: 2, Before: all[2]}, "1 0", 4},
			{order.Filter{Email: "kari@example.test", Before: all[1]}, "0", 3},
		} {
			page, total, err := order.List(d.Read(t.Context()), house, c.f)
			var got []string
			for _, o := range page {
				got = append(got, name[o.ID])
			}
			if g := strings.Join(got, " "); err != nil || g != c.want || total != c.total {
				t.Errorf("List(%+v) = %s of %d, %v; want %s of %d", c.f, g, total, err, c.want, c.total)
			}
		}
		if page, total, err := order.List(d.Read(t.Context()), house+1, order.Filter{}); len(page) != 0 || total != 0 || err != nil {
			t.Errorf("another organisation's List = %d of %d, %v", len(page), total, err)
		}
		for _, f := range []order.Filter{{Limit: 101}, {Limit: -1}, {Offset: -1}, {Status: "gone"}, {Before: "x"}, {Email: "\xff"}} {
			if _, _, err := order.List(d.Read(t.Context()), house, f); !problem.Is(err, "validation_failed") {
				t.Errorf("List(%+v) = %v, want validation_failed", f, err)
			}
		}
	})
}

func TestAuditSaysWhatDiffers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		o := s.mustPlace(s.list(inventory.Input{Quantity: 9, Seats: []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}}), 2)
		if _, err := s.refund(o.ID, "1"); err != nil {
			t.Fatal(err)
		}
		s.audit(t)
		for _, c := range []struct{ break_, mend, want string }{
			{`UPDATE orders SET units = '[1]'`, `UPDATE orders SET units = '[0,1]'`, "has 1 units"},
			{`UPDATE orders SET seats = '["1"]'`, `UPDATE orders SET seats = '["1","2"]'`, "has 1 seats"},
			{`UPDATE orders SET refunded = 101`, `UPDATE orders SET refunded = 100`, "refunds add up to 100"},
			{`UPDATE orders SET status = 'refunded'`, `UPDATE orders SET status = 'confirmed'`, "is refunded with 100"},
			{`UPDATE orders SET previous_status = 'accepted'`, `UPDATE orders SET previous_status = ''`, "the table does not allow"},
			{
				`UPDATE orders SET status = 'cancelled', previous_status = 'confirmed'`, `UPDATE orders SET status = 'confirmed', previous_status = ''`,
				"2 more are sold than its orders have",
			},
			{`UPDATE order_people SET order_no = order_no + 1`, `UPDATE order_people SET order_no = order_no - 1`, "personal data"},
		} {
			s.write(t, func(tx *db.Tx) error { _, err := tx.Exec(c.break_); return err })
			found, err := order.Audit(d.Read(t.Context()))
			if err != nil || !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("after %s: Audit = %q, %v; want a sentence with %q", c.break_, found, err, c.want)
			}
			s.write(t, func(tx *db.Tx) error { _, err := tx.Exec(c.mend); return err })
			s.audit(t)
		}
	})
}

// TestSnapshotIsAContract: subscribers read this.
func TestSnapshotIsAContract(t *testing.T) {
	o := order.Order{
		ID: "order_178290000012300042", Number: "TIC-KRLCH4H78", EventID: "EV-7001", EventName: "Harbor Jazz Night",
		EventDate: time.Date(2027, 8, 14, 18, 30, 0, 0, time.UTC), EventTimezone: "Europe/Oslo", EventVenue: "Pier Hall", EventLocation: "Oslo, NO",
		ListingID: "66aa0011223344556677889b", Section: "B", Row: "4", Seats: []string{"7", "8"}, Quantity: 2,
		UnitPrice: money.Amount{Minor: 7533, Currency: "EUR"}, Total: money.Amount{Minor: 15066, Currency: "EUR"},
		Status: order.Fulfilled, PreviousStatus: order.Accepted, TransferMethod: order.Email, Version: 3,
		CreatedAt: time.Date(2027, 7, 1, 10, 0, 0, 123_456_000, time.UTC), UpdatedAt: time.Date(2027, 7, 2, 8, 15, 0, 0, time.UTC),
		People: order.People{Customer: kari},
	}
	got, err := json.MarshalIndent(o.Snapshot(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", "snapshot.json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s -want +got (rewrite with -update):\n%s", file, diff)
	}
}

// TestAHoldAndItsOrderAreOneSale: whoever was told of the provisional sale knows the order by the same number.
func TestAHoldAndItsOrderAreOneSale(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 4})
		var h inventory.Hold
		s.write(t, func(tx *db.Tx) (err error) {
			h, err = s.stock.Hold(tx, house, inventory.HoldInput{Event: l.EventID, Want: inventory.Want{Listing: l.ID, Quantity: 2}, Holder: "usr_1"})
			return err
		})
		if got, err := inventory.HoldBySale(d.Read(t.Context()), house, h.SaleNo); err != nil || got.ID != h.ID || h.SaleNo < 1 {
			t.Fatalf("HoldBySale(%d) = %s, %v; want %s", h.SaleNo, got.ID, err, h.ID)
		}
		if _, err := order.BySale(d.Read(t.Context()), house, h.SaleNo); !problem.Is(err, "order_not_found") {
			t.Errorf("BySale of a hold: %v, want order_not_found", err)
		}
		made, err := s.place(order.Input{Hold: h.ID, Quantity: 2})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := order.BySale(d.Read(t.Context()), house, h.SaleNo); err != nil || got.ID != made.ID || made.SaleNo != h.SaleNo {
			t.Errorf("BySale(%d) = %s, %v; want %s, which has the number %d", h.SaleNo, got.ID, err, made.ID, made.SaleNo)
		}
		next, err := s.place(order.Input{Listing: l.ID, Quantity: 1})
		if err != nil || next.SaleNo == made.SaleNo || next.SaleNo < 1 {
			t.Errorf("the next order has the sale number %d, %v; want another than %d", next.SaleNo, err, made.SaleNo)
		}
	})
}
