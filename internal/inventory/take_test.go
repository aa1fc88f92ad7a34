package inventory_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestAllowedQuantities(t *testing.T) {
	for _, c := range []struct {
		rule inventory.Rule
		free int
		want string
	}{
		{inventory.Any, 0, "[]"},
		{inventory.Any, 3, "[1 2 3]"},
		{inventory.Any, 25, "[1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20]"},
		{inventory.None, 4, "[4]"},
		{inventory.None, 21, "[]"},
		{inventory.AvoidOne, 1, "[1]"},
		{inventory.AvoidOne, 2, "[2]"},
		{inventory.AvoidOne, 5, "[1 2 3 5]"},
		{inventory.AvoidOneAndThree, 3, "[1 3]"},
		{inventory.AvoidOneAndThree, 4, "[2 4]"},
		{inventory.AvoidOneAndThree, 6, "[1 2 4 6]"},
		{inventory.Pairs, 5, "[2 4 5]"},
		{inventory.Pairs, 6, "[2 4 6]"},
		{inventory.Pairs, 1, "[1]"},
		{"nonsense", 6, "[]"},
	} {
		if got := fmt.Sprint(inventory.AllowedQuantities(c.rule, c.free)); got != c.want {
			t.Errorf("AllowedQuantities(%s, %d) = %s, want %s", c.rule, c.free, got, c.want)
		}
	}
	for _, r := range []inventory.Rule{inventory.Any, inventory.AvoidOne, inventory.AvoidOneAndThree, inventory.Pairs} {
		for free := 1; free <= 100; free++ {
			if len(inventory.AllowedQuantities(r, free)) == 0 {
				t.Errorf("with %d free, the rule %s sells nothing, so they can never be sold", free, r)
			}
		}
	}
}

func TestLowestOrdinalsAreSoldFirst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 6, Seats: []string{"1", "2", "3", "4", "5", "6"}})
		a, b := s.mustTake(l, 2), s.mustTake(l, 2)
		s.release(t, "E", a)
		_, p, err := s.take("E", inventory.Want{Listing: l.ID, Quantity: 1})
		if err != nil || fmt.Sprint(p.Ordinals, p.Seats) != "[0] [1]" {
			t.Errorf("after seats 1, 2 came back, the next order gets %v %v, %v; want [0] [1]", p.Ordinals, p.Seats, err)
		}
		_, p, err = s.take("E", inventory.Want{Listing: l.ID, Quantity: 3})
		if err != nil || fmt.Sprint(p.Ordinals, p.Seats) != "[1 4 5] [2 5 6]" {
			t.Errorf("and the one after that gets %v %v, %v; want [1 4 5] [2 5 6]", p.Ordinals, p.Seats, err)
		}
		s.audit(t)
		s.release(t, "E", b)
		s.audit(t)
	})
}

func TestRefusalsSayWhatIsLeft(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		other := s.event("F")
		l := s.mustCreate(inventory.Input{Quantity: 4, SplitRule: inventory.AvoidOne})
		paused := s.mustCreate(inventory.Input{Quantity: 4, Status: inventory.Paused, Row: "B", Section: "101"})
		for _, c := range []struct {
			event id.Event
			want  inventory.Want
			code  string
			says  string
		}{
			{"E", inventory.Want{Listing: l.ID, Quantity: 3}, "split_not_allowed", "does not sell 3 of its 4 tickets; choose 1, 2 or 4."},
			{"E", inventory.Want{Listing: l.ID, Quantity: 5}, "not_enough_tickets", "Only 4 tickets are left"},
			{"E", inventory.Want{Listing: paused.ID, Quantity: 1}, "listing_not_on_sale", "paused"},
			{"E", inventory.Want{Listing: "000000000000000000000000", Quantity: 1}, "listing_not_found", "no such listing"},
			{other.ID, inventory.Want{Listing: l.ID, Quantity: 1}, "listing_not_found", "no such listing"},
			{"E", inventory.Want{Section: "101", Row: "A", Quantity: 3}, "split_not_allowed", "choose 1, 2 or 4"},
			{"E", inventory.Want{Section: "101", Row: "A", Quantity: 9}, "not_enough_tickets", "Only 4"},
			{"E", inventory.Want{Section: "101", Row: "B", Quantity: 1}, "not_enough_tickets", "section 101, row B"},
			{"E", inventory.Want{Section: "999", Row: "B", Quantity: 1}, "not_enough_tickets", "section 999, row B"},
		} {
			_, _, err := s.take(c.event, c.want)
			if !problem.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Pick(%+v) = %v, want %s with %q", c.want, err, c.code, c.says)
			}
		}
		s.audit(t)
	})
}

func TestSectionAndRowTakeTheCheapestThatSellsTheNumber(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		cheap := s.mustCreate(inventory.Input{Quantity: 3, Price: "10", SplitRule: inventory.None})
		middle := s.mustCreate(inventory.Input{Quantity: 2, Price: "20"})
		dear := s.mustCreate(inventory.Input{Quantity: 9, Price: "30"})
		s.mustCreate(inventory.Input{Quantity: 9, Price: "1", Status: inventory.Draft})
		s.mustCreate(inventory.Input{Quantity: 9, Price: "1", Currency: "JPY"}) // of another currency only when nothing else fits
		for _, c := range []struct {
			n    int
			want id.Listing
		}{{3, cheap.ID}, {2, middle.ID}, {2, dear.ID}} {
			_, p, err := s.take("E", inventory.Want{Section: "101", Row: "A", Quantity: c.n})
			if err != nil || p.Listing.ID != c.want {
				t.Errorf("Pick of %d = %v, %v; want %s", c.n, p, err, c.want)
			}
		}
	})
}

func TestEdgesOfThePoolAreToldOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		a := s.mustCreate(inventory.Input{Quantity: 2})
		b := s.mustCreate(inventory.Input{Quantity: 1, Status: inventory.Paused})
		s.log.kinds()
		expect := func(story, want string) {
			t.Helper()
			if got := s.log.kinds(); got != want {
				t.Errorf("%s: facts %q, want %q", story, got, want)
			}
		}
		one := s.mustTake(a, 1)
		expect("one of two sold", "")
		two := s.mustTake(a, 1)
		if len(s.log.facts) != 2 {
			t.Fatalf("the last ticket appended %s, want two facts", s.log.kinds())
		}
		var sold inventory.PoolSnapshot
		if err := json.Unmarshal(s.log.facts[0].Data, &sold); err != nil {
			t.Fatal(err)
		}
		if sold.EventID != "E" || sold.Name != "Harbor Jazz" || sold.Capacity != 3 || sold.Sold != 2 || s.log.facts[0].Subject != "E" {
			t.Errorf("pool.exhausted of %s says %+v, want E, capacity 3, sold 2", s.log.facts[0].Subject, sold)
		}
		expect("the last one sold", "pool.exhausted listing.changed")
		if _, err := s.update(b.ID, inventory.Patch{Status: ptr(inventory.Active)}); err != nil {
			t.Fatal(err)
		}
		expect("another listing becomes active", "pool.reopened listing.changed")
		if _, err := s.update(b.ID, inventory.Patch{Status: ptr(inventory.Withdrawn)}); err != nil {
			t.Fatal(err)
		}
		expect("and is withdrawn", "pool.exhausted listing.changed")
		s.release(t, "E", one)
		expect("a ticket comes back", "pool.reopened listing.changed")
		s.release(t, "E", two)
		expect("another comes back", "")
		if n := s.free(t, e); n != 2 {
			t.Errorf("Free = %d, want 2", n)
		}
		s.mustTake(a, 2)
		s.log.kinds()
		s.write(t, func(tx *db.Tx) error { _, err := s.cal.Cancel(tx, house, "E"); return err })
		s.log.kinds()
		s.release(t, "E", inventory.Return{Order: s.next, Listing: a.No, Ordinals: []int{0, 1}})
		expect("tickets of a cancelled event come back", "listing.changed")
		s.audit(t)
	})
}

func TestFreeTakesManyEvents(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		var nos []int64
		for i := range 12 {
			e := s.event(id.Event(fmt.Sprintf("E%d", i)))
			nos = append(nos, e.No)
			if i%2 == 0 {
				s.mustCreate(inventory.Input{Event: e.ID, Quantity: i + 1})
			}
		}
		free, err := inventory.Free(d.Read(t.Context()), house, nos...)
		if err != nil || len(free) != 6 || free[nos[10]] != 11 {
			t.Errorf("Free of 12 events, 6 of them with stock = %v, %v", free, err)
		}
		if free, err := inventory.Free(d.Read(t.Context()), house); err != nil || len(free) != 0 {
			t.Errorf("Free of nothing = %v, %v", free, err)
		}
	})
}

func TestAuditSaysWhatDiffers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 4, Seats: []string{"1", "2", "3", "4"}})
		s.mustTake(l, 2)
		s.audit(t)
		for _, c := range []struct{ break_, mend, want string }{
			{`UPDATE listings SET sold = 1, version = 9`, `UPDATE listings SET sold = 2`, "has 2 claims"},
			{`UPDATE pools SET sold = 1`, `UPDATE pools SET sold = 2`, "add up to"},
			{`UPDATE pools SET exhausted = TRUE`, `UPDATE pools SET exhausted = FALSE`, "exhausted true"},
			{`UPDATE claims SET seat = '9' WHERE ordinal = 1`, `UPDATE claims SET seat = '2' WHERE ordinal = 1`, "claims seat 9"},
			{`UPDATE claims SET org_id = 2 WHERE ordinal = 1`, `UPDATE claims SET org_id = 1 WHERE ordinal = 1`, "claims unit 1"},
			{`UPDATE listings SET high_water = 3`, `UPDATE listings SET high_water = 2`, "3 ever claimed"},
		} {
			s.write(t, func(tx *db.Tx) error { _, err := tx.Exec(c.break_); return err })
			found, err := inventory.Audit(d.Read(t.Context()))
			if err != nil || !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("after %s: Audit = %q, %v; want a sentence with %q", c.break_, found, err, c.want)
			}
			s.write(t, func(tx *db.Tx) error { _, err := tx.Exec(c.mend); return err })
			s.audit(t)
		}
	})
}
