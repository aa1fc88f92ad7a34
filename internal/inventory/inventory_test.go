package inventory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestListingIsFoundAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		made := s.mustCreate(inventory.Input{
			Section: " Balcony ", Row: "A", Quantity: 3, Seats: []string{"7", "8", "9"}, Price: "75.5",
			ExternalID: "x-1", SplitRule: inventory.AvoidOne,
		})
		if made.Section != "Balcony" || made.Price.Minor != 7550 || made.Price.Currency != "EUR" || made.Status != inventory.Active || made.Version != 1 {
			t.Errorf("Create made %+v", made)
		}
		if diff := cmp.Diff([]int{1, 3}, made.Splits()); diff != "" {
			t.Errorf("Splits -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(made, s.byID(t, made.ID), listings); diff != "" {
			t.Errorf("ByID -made +found:\n%s", diff)
		}
		if !id.ValidListing(string(made.ID)) {
			t.Errorf("the id %s is not of 24 hexadecimal digits", made.ID)
		}
		if _, err := inventory.ByID(d.Read(t.Context()), house+1, made.ID); !problem.Is(err, "listing_not_found") {
			t.Errorf("another organisation's ByID = %v, want listing_not_found", err)
		}
		if n := s.free(t, e); n != 3 {
			t.Errorf("Free = %d, want 3", n)
		}
		if k := s.log.kinds(); k != "listing.changed" {
			t.Errorf("facts: %s, want listing.changed", k)
		}
		s.audit(t)
	})
}

func TestWrongListingNamesEveryField(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	s.event("E")
	for _, c := range []struct {
		in   inventory.Input
		want string
	}{
		{inventory.Input{}, "/eventId"},
		{
			inventory.Input{Event: "E", Price: "1.005", SplitRule: "odd", Status: "sold_out", ExternalID: strings.Repeat("x", 201)},
			"/price /externalId /section /row /quantity /splitRule /status",
		},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 1_000_001, Price: "-1"}, "/price /quantity"},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 2, Price: "1", Currency: "XXX"}, "/currency"},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 2, Price: "99999999999999"}, "/price"},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 3, Seats: []string{"1", "1", ""}, Price: "1"}, "/seats/1 /seats/2"},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 2, Seats: []string{"1"}, Price: "1"}, "/seats"},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 21, SplitRule: inventory.None, Price: "1"}, "/splitRule"},
		{inventory.Input{Event: "E", Section: "A", Row: "1\x00", Quantity: 1, Price: "1e3"}, "/price /row"},
	} {
		_, err := s.create(c.in)
		var got []string
		if p := problem.As(err); p != nil {
			for _, f := range p.Fields {
				got = append(got, f.Pointer)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("Create(%+v) = %v, want fields %s", c.in, err, c.want)
		}
	}
	if _, err := s.create(inventory.Input{Event: "elsewhere", Section: "A", Row: "1", Quantity: 1, Price: "1"}); !problem.Is(err, "event_not_found") {
		t.Errorf("Create for no event = %v, want event_not_found", err)
	}
	s.write(t, func(tx *db.Tx) error { _, err := s.cal.Cancel(tx, house, "E"); return err })
	if _, err := s.create(inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 1, Price: "1"}); !problem.Is(err, "event_cancelled") {
		t.Errorf("Create for a cancelled event = %v, want event_cancelled", err)
	}
}

func TestPausedAndDraftUnitsAreBlocked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 5, Status: inventory.Draft})
		if k := s.log.kinds(); k != "" {
			t.Errorf("a draft appended %s", k)
		}
		want := func(story string, free int, status inventory.Status) {
			t.Helper()
			got := s.byID(t, l.ID)
			if n := s.free(t, e); n != free || got.Free() != free || got.Status != status {
				t.Errorf("%s: the event has %d free, the listing %d and is %s; want %d, %s", story, n, got.Free(), got.Status, free, status)
			}
			s.audit(t)
		}
		change := func(p inventory.Patch) {
			t.Helper()
			if _, err := s.update(l.ID, p); err != nil {
				t.Fatalf("Update(%+v): %v", p, err)
			}
		}
		want("draft", 0, inventory.Draft)
		change(inventory.Patch{Status: ptr(inventory.Active)})
		want("active", 5, inventory.Active)
		bought := s.mustTake(l, 2)
		change(inventory.Patch{Status: ptr(inventory.Paused)})
		want("paused", 0, inventory.Paused)
		s.release(t, "E", bought)
		want("given back while paused", 0, inventory.Paused)
		change(inventory.Patch{Status: ptr(inventory.Active)})
		want("active again", 5, inventory.Active)
		bought = s.mustTake(l, 5)
		want("sold out", 0, inventory.SoldOut)
		change(inventory.Patch{Status: ptr(inventory.Active)})
		want("active when sold out is what it is", 0, inventory.SoldOut)
		change(inventory.Patch{Total: ptr(6)})
		want("one more listed", 1, inventory.Active)
		change(inventory.Patch{Total: ptr(5)})
		want("and taken off", 0, inventory.SoldOut)
		change(inventory.Patch{Status: ptr(inventory.Withdrawn)})
		want("withdrawn", 0, inventory.Withdrawn)
		s.release(t, "E", bought)
		want("given back after that", 0, inventory.Withdrawn)
	})
}

func TestChangesKeepWhatIsSold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		seated := s.mustCreate(inventory.Input{Quantity: 4, Seats: []string{"1", "2", "3", "4"}})
		loose := s.mustCreate(inventory.Input{Quantity: 4, Row: "G", Section: "GA"})
		other := s.mustCreate(inventory.Input{Quantity: 1, Seats: []string{"9"}})
		first, second := s.mustTake(seated, 1), s.mustTake(seated, 1)
		s.mustTake(loose, 3)
		for _, c := range []struct {
			listing id.Listing
			patch   inventory.Patch
			code    string
		}{
			{loose.ID, inventory.Patch{Total: ptr(2)}, "listing_below_sold"},
			{loose.ID, inventory.Patch{Section: ptr("elsewhere")}, "listing_has_sales"},
			{loose.ID, inventory.Patch{Seats: []string{"1", "2", "3", "4"}}, "listing_has_sales"},
			{loose.ID, inventory.Patch{Status: ptr(inventory.Draft)}, "invalid_transition"},
			{loose.ID, inventory.Patch{Status: ptr(inventory.Expired)}, "validation_failed"},
			{loose.ID, inventory.Patch{Version: 1, Total: ptr(5)}, "version_mismatch"},
			{loose.ID, inventory.Patch{Currency: ptr(money.Currency("USD"))}, "validation_failed"},
			{seated.ID, inventory.Patch{Total: ptr(1)}, "listing_below_sold"},
			{seated.ID, inventory.Patch{Total: ptr(5)}, "validation_failed"}, // which seat?
			{seated.ID, inventory.Patch{Seats: []string{"2", "1", "3", "4"}}, "listing_has_sales"},
			{seated.ID, inventory.Patch{Seats: []string{}}, "listing_has_sales"},
			{seated.ID, inventory.Patch{Seats: []string{"1", "2", "3", "4", "9"}}, "seat_taken"},
			{other.ID, inventory.Patch{Seats: []string{"2"}}, "seat_taken"},
			{"000000000000000000000000", inventory.Patch{}, "listing_not_found"},
		} {
			if _, err := s.update(c.listing, c.patch); !problem.Is(err, c.code) {
				t.Errorf("Update(%+v) = %v, want %s", c.patch, err, c.code)
			}
		}
		s.audit(t)

		got, err := s.update(seated.ID, inventory.Patch{Seats: []string{"1", "2", "3", "4", "5"}, Price: ptr(money.Decimal("80")), Currency: ptr(money.Currency("USD"))})
		if err != nil || got.Total != 5 || got.Free() != 3 || got.Price != (money.Amount{Minor: 8000, Currency: "USD"}) {
			t.Errorf("a seat more: %+v, %v; want 5 in all, 3 free, 80.00 USD", got, err)
		}
		s.release(t, "E", first) // seat 1 is free and seat 2 is sold
		if _, err := s.update(seated.ID, inventory.Patch{Total: ptr(1)}); !problem.Is(err, "listing_has_sales") {
			t.Errorf("dropping a seat that is sold = %v, want listing_has_sales", err)
		}
		if got, err = s.update(seated.ID, inventory.Patch{Total: ptr(2)}); err != nil || fmt.Sprint(got.Seats) != "[1 2]" || got.Free() != 1 {
			t.Errorf("dropping free seats: %+v, %v; want seats [1 2], 1 free", got, err)
		}
		s.audit(t)
		s.release(t, "E", second)
		if got, err = s.update(seated.ID, inventory.Patch{Seats: []string{}, Total: ptr(7)}); err != nil || got.Seats != nil || got.Free() != 7 {
			t.Errorf("numbers given up when nothing is sold: %+v, %v; want 7 free", got, err)
		}
		before := s.byID(t, loose.ID)
		s.log.kinds()
		if got, err = s.update(loose.ID, inventory.Patch{Price: ptr(money.Decimal("75.0")), Status: ptr(inventory.Active)}); err != nil || got.Version != before.Version {
			t.Errorf("a change that changes nothing: version %d, %v; want %d", got.Version, err, before.Version)
		}
		if k := s.log.kinds(); k != "" {
			t.Errorf("a change that changes nothing appended %s", k)
		}
		for range 2 {
			s.write(t, func(tx *db.Tx) error { _, err := s.stock.Withdraw(tx, house, loose.ID, 0); return err })
		}
		if _, err := s.update(loose.ID, inventory.Patch{Price: ptr(money.Decimal("1"))}); !problem.Is(err, "invalid_transition") {
			t.Errorf("a change to a withdrawn listing = %v, want invalid_transition", err)
		}
		s.audit(t)
	})
}

func TestSeatIsOfferedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		s.event("F")
		l := s.mustCreate(inventory.Input{Quantity: 2, Seats: []string{"1", "2"}})
		in := inventory.Input{Event: "E", Section: "101", Row: "A", Quantity: 2, Seats: []string{"2", "3"}, Price: "1"}
		if _, err := s.create(in); !problem.Is(err, "seat_taken") || !strings.Contains(err.Error(), "seat 2.") {
			t.Errorf("Create with a seat that another listing offers = %v, want seat_taken of seat 2", err)
		}
		in.Event = "F"
		s.mustCreate(in)
		in.Event, in.Row = "E", "B"
		s.mustCreate(in)
		in.Row = "A"
		s.mustTake(l, 1)
		if _, err := s.update(l.ID, inventory.Patch{Status: ptr(inventory.Withdrawn)}); err != nil {
			t.Fatal(err)
		}
		s.mustCreate(in) // seat 2 is free again, seat 1 is sold
		in.Seats = []string{"1", "4"}
		if _, err := s.create(in); !problem.Is(err, "seat_taken") {
			t.Errorf("Create with a seat that is sold = %v, want seat_taken", err)
		}
		s.audit(t)
	})
}

// TestSnapshotIsAContract: subscribers read this.
func TestSnapshotIsAContract(t *testing.T) {
	l := inventory.Listing{
		ID: "66aa0011223344556677889b", EventID: "EV-7001", ExternalID: "x-1", Section: "B", Row: "4", Seats: []string{"7", "8", "9"}, Total: 3, Sold: 1,
		Price: money.Amount{Minor: 7550, Currency: "EUR"}, SplitRule: inventory.AvoidOne, Status: inventory.Active, Version: 4,
		CreatedAt: time.Date(2027, 1, 1, 10, 0, 0, 123_456_000, time.UTC), UpdatedAt: time.Date(2027, 1, 2, 10, 0, 0, 0, time.UTC),
		DeliveryKind: inventory.ByETicket, InHandAt: time.Date(2027, 8, 10, 10, 0, 0, 0, time.UTC), DeliverBy: time.Date(2027, 8, 12, 10, 0, 0, 0, time.UTC),
		ExpiresAt: time.Date(2027, 8, 14, 10, 0, 0, 0, time.UTC), FaceValue: &money.Amount{Minor: 6000, Currency: "EUR"}, Notes: []string{"Restricted view"},
		Deliverability: inventory.Deliverable,
	}
	snapshot := l.Snapshot()
	snapshot.Changes = []string{"price"}
	golden(t, "listing.json", snapshot)
	e := event.Event{
		ID: "EV-7001", Name: "Harbor Jazz Night", StartLocal: "2027-08-14T20:30:00", Timezone: "Europe/Oslo", Currency: "EUR",
		Status: event.Published, Version: 2,
	}
	golden(t, "pool.json", inventory.PoolSnapshot{Snapshot: e.Snapshot(), Capacity: 96, Sold: 96})
}
