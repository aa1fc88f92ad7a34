package inventory_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func (s *store) mustHold(l inventory.Listing, n int) inventory.Hold {
	s.t.Helper()
	h, err := s.hold(inventory.HoldInput{Event: l.EventID, Want: inventory.Want{Listing: l.ID, Quantity: n}, Holder: "usr_kari"})
	if err != nil {
		s.t.Fatalf("hold %d of %s: %v", n, l.ID, err)
	}
	return h
}

// told expects the facts since it was asked last.
func (s *store) told(story, want string) {
	s.t.Helper()
	if got := s.log.kinds(); got != want {
		s.t.Errorf("%s: facts %q, want %q", story, got, want)
	}
}

func TestHoldsTakePartInSoldOut(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 2})
		s.log.kinds()
		first := s.mustTake(l, 1)
		s.told("one of two sold", "")
		last := s.mustHold(l, 1)
		s.told("the last one held is no sold out", "hold.placed listing.changed")
		if _, err := s.releaseHold(last); err != nil {
			t.Fatal(err)
		}
		s.told("its release is no reopening", "hold.released listing.changed")
		last = s.mustHold(l, 1)
		s.log.kinds()
		s.age(t, last)
		if n := s.sweep(t, e); n != 1 {
			t.Errorf("%d holds expired, want 1", n)
		}
		s.told("nor is its expiry", "hold.expired listing.changed")
		last = s.mustHold(l, 1)
		s.log.kinds()
		if _, err := s.convert(last); err != nil {
			t.Fatal(err)
		}
		s.told("its conversion sells the event out", "pool.exhausted")
		s.release(t, "E", first)
		s.told("a ticket comes back", "pool.reopened listing.changed")
		s.mustHold(l, 1)
		s.told("and is held", "hold.placed listing.changed")
		s.audit(t)
	})
}

func TestTheNextBuyerGetsWhatAHoldKeptTooLong(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 3, Seats: []string{"1", "2", "3"}})
		old, kept := s.mustHold(l, 2), s.mustHold(l, 1)
		if _, _, err := s.take("E", inventory.Want{Listing: l.ID, Quantity: 1}); !problem.Is(err, "not_enough_tickets") {
			t.Errorf("taking what is held = %v, want not_enough_tickets", err)
		}
		s.age(t, old)
		s.log.kinds()
		if _, _, err := s.take("E", inventory.Want{Listing: l.ID, Quantity: 3}); !problem.Is(err, "not_enough_tickets") {
			t.Errorf("taking more than is free or due = %v, want not_enough_tickets", err)
		}
		s.told("a refusal writes nothing", "")
		_, p, err := s.take("E", inventory.Want{Section: "101", Row: "A", Quantity: 1})
		if err != nil || fmt.Sprint(p.Seats) != "[1]" {
			t.Errorf("taking by section and row what a hold kept too long = %v, %v; want seat 1", p, err)
		}
		s.told("the hold expires in the order's transaction", "hold.expired listing.changed")
		if _, err := s.convert(old); !problem.Is(err, "hold_expired") {
			t.Errorf("converting the hold that expired = %v, want hold_expired", err)
		}
		if r, err := s.convert(kept); err != nil || fmt.Sprint(r.Ordinals) != "[2]" {
			t.Errorf("converting the other = %v, %v; want its own unit, 2", r.Ordinals, err)
		}
		s.audit(t)
	})
}

func TestAHoldIsExtendedOnceAndEndsOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 9})
		extend := func(h inventory.Hold, holder string) (out inventory.Hold, err error) {
			err = d.Write(t.Context(), "", func(tx *db.Tx) (err error) {
				out, err = s.stock.Extend(tx, house, h.ID, holder)
				return err
			})
			return out, err
		}
		h := s.mustHold(l, 2)
		if got := h.ExpiresAt.Sub(h.CreatedAt); got != 10*time.Minute {
			t.Errorf("a hold lasts %v, want 10 minutes", got)
		}
		if _, err := extend(h, "usr_ola"); !problem.Is(err, "hold_not_found") {
			t.Errorf("extending the hold of another = %v, want hold_not_found", err)
		}
		longer, err := extend(h, "usr_kari")
		if err != nil || !longer.Extended || longer.ExpiresAt.Before(h.ExpiresAt) {
			t.Errorf("Extend = %+v, %v", longer, err)
		}
		if _, err := extend(h, ""); !problem.Is(err, "hold_already_extended") {
			t.Errorf("extending again = %v, want hold_already_extended", err)
		}
		if _, err := s.convert(h); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"convert": second(s.convert(h)), "release": second(s.releaseHold(h)), "extend": second(extend(h, "")),
		} {
			if !problem.Is(err, "hold_converted") {
				t.Errorf("%s of a converted hold = %v, want hold_converted", what, err)
			}
		}
		gone := s.mustHold(l, 1)
		if _, err := s.releaseHold(gone); err != nil {
			t.Fatal(err)
		}
		if _, err := s.convert(gone); !problem.Is(err, "hold_released") {
			t.Errorf("converting a released hold = %v, want hold_released", err)
		}
		stale := s.mustHold(l, 1)
		s.age(t, stale)
		if _, err := extend(stale, ""); !problem.Is(err, "hold_expired") {
			t.Errorf("extending a hold whose time is up = %v, want hold_expired", err)
		}
		s.audit(t)
	})
}

func second[T any](_ T, err error) error { return err }

func TestAHoldKeepsItsPrice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 9, Price: "75.00"})
		h := s.mustHold(l, 2)
		if _, err := s.update(l.ID, inventory.Patch{Price: ptr(money.Decimal("80.00"))}); err != nil {
			t.Fatal(err)
		}
		s.write(t, func(tx *db.Tx) error {
			ev, err := event.Lock(tx, house, "E")
			if err != nil {
				return err
			}
			p, err := s.stock.PickHeld(tx, house, ev, h.ID, "usr_kari")
			if err == nil && p.Price().String() != "75.00" {
				t.Errorf("held units cost %s, want 75.00", p.Price())
			}
			return err
		})
	})
}

func TestWhatHoldsKeepTooLongDoesNotHoldUpAWithdrawal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 3})
		h := s.mustHold(l, 2)
		withdraw := inventory.Patch{Status: ptr(inventory.Withdrawn)}
		if _, err := s.update(l.ID, withdraw); !problem.Is(err, "listing_held") {
			t.Errorf("withdrawing what is held = %v, want listing_held", err)
		}
		s.age(t, h)
		if got, err := s.update(l.ID, withdraw); err != nil || got.Held != 0 {
			t.Errorf("withdrawing after its time = %+v, %v", got, err)
		}
		s.audit(t)
	})
}

func TestWhatIsForSaleIsCountedWhenTheChangeIsMade(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 5})
		s.mustTake(l, 1)
		old, _ := s.mustHold(l, 2), s.mustHold(l, 1)
		s.age(t, old)
		if got := s.mustUpdate(l.ID, inventory.Patch{Free: ptr(7)}); got.Total != 9 || got.Free() != 7 {
			t.Errorf("a listing of which one is sold and one held, and 7 are for sale, has %d, of which %d are free", got.Total, got.Free())
		}
		s.audit(t)
	})
}

func TestHoldsAreRefusedWithWhatIsWrong(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 3})
		good := inventory.Want{Listing: l.ID, Quantity: 1}
		for name, in := range map[string]inventory.HoldInput{
			"/eventId":      {Want: good},
			"/listingId":    {Event: "E", Want: inventory.Want{Quantity: 1, Section: "101"}},
			"/ticketTypeId": {Event: "E", Want: inventory.Want{Quantity: 1, Listing: l.ID, Type: "tty_x"}},
			"/section":      {Event: "E", Want: inventory.Want{Listing: l.ID, Section: "102", Quantity: 1}},
			"/row":          {Event: "E", Want: inventory.Want{Listing: l.ID, Row: "B", Quantity: 1}},
			"/quantity":     {Event: "E", Want: inventory.Want{Listing: l.ID, Quantity: 21}},
			"/seconds":      {Event: "E", Want: good, For: 2 * time.Hour},
		} {
			_, err := s.hold(in)
			if p := problem.As(err); p == nil || len(p.Fields) != 1 || p.Fields[0].Pointer != name {
				t.Errorf("Hold(%+v) = %v, want a fault at %s", in, err, name)
			}
		}
		s.audit(t)
	})
}

func TestFactsOfHoldsSayWhatIsKeptAndNotForWhom(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 3, Seats: []string{"1", "2", "3"}})
		s.log.kinds()
		h := s.mustHold(l, 2)
		f := s.log.facts[0]
		var got inventory.HoldSnapshot
		if err := json.Unmarshal(f.Data, &got); err != nil {
			t.Fatal(err)
		}
		if f.Subject != string(h.ID) || got.HoldID != h.ID || got.EventID != "E" || got.ListingID != l.ID || got.Quantity != 2 || fmt.Sprint(got.Seats) != "[1 2]" ||
			got.PriceMinor != 7500 || got.Status != inventory.HoldActive {
			t.Errorf("hold.placed of %s says %+v", f.Subject, got)
		}
		if strings.Contains(string(f.Data), "kari") {
			t.Errorf("hold.placed says whose it is: %s", f.Data)
		}
	})
}

func TestAuditSaysWhatDiffersOfHolds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 4})
		s.mustHold(l, 2)
		s.audit(t)
		for _, c := range []struct{ break_, mend, want string }{
			{`UPDATE holds SET quantity = 1`, `UPDATE holds SET quantity = 2`, "active holds add up to 1"},
			{`UPDATE claims SET order_no = 7`, `UPDATE claims SET order_no = (SELECT -hold_no FROM holds)`, "has 0 claims and should have 2"},
			{`UPDATE claims SET order_no = order_no - 1`, `UPDATE claims SET order_no = order_no + 1`, "has 2 claims and should have 0"},
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

func TestAHoldForgetsWhoseItWas(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		h := s.mustHold(s.mustCreate(inventory.Input{Quantity: 2}), 1)
		s.write(t, func(tx *db.Tx) error {
			if n, err := inventory.EraseHolder(tx, house, "usr_kari", 10); err != nil || n != 1 {
				t.Errorf("EraseHolder = %d, %v; want 1", n, err)
			}
			return nil
		})
		if _, err := inventory.HoldByID(d.Read(t.Context()), house, h.ID, "usr_kari"); !problem.Is(err, "hold_not_found") {
			t.Errorf("the hold of who was erased = %v, want hold_not_found", err)
		}
		if got, err := inventory.HoldByID(d.Read(t.Context()), house, h.ID, ""); err != nil || got.Holder != "" || got.Status != inventory.HoldActive {
			t.Errorf("the organisation sees %+v, %v; want an active hold of nobody", got, err)
		}
		if _, err := s.convert(h); err != nil {
			t.Errorf("convert: %v", err)
		}
		s.audit(t)
	})
}

// TestExpectedHoldsAreLookedUpTogether converts one of three holds that are expected, and then, in another transaction as under load, the next: whoever is the
// first in a transaction looks up all that still wait, for those behind it.
func TestExpectedHoldsAreLookedUpTogether(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 3})
		holds := []inventory.Hold{s.mustHold(l, 1), s.mustHold(l, 1), s.mustHold(l, 1)}
		for _, h := range holds {
			s.stock.Expect(house, h.ID)
		}
		for i, h := range holds {
			s.write(t, func(tx *db.Tx) error {
				ev, err := event.Lock(tx, house, h.EventID)
				if err != nil {
					return err
				}
				if _, err := s.stock.PickHeld(tx, house, ev, h.ID, ""); err != nil {
					return err
				}
				for k, other := range holds {
					if got, want := inventory.KnowsHold(tx, house, other.ID), k >= i; got != want {
						t.Errorf("in the transaction of hold %d, hold %d is known: %v, want %v", i, k, got, want)
					}
				}
				return nil
			})
		}
	})
}
