package ticket_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func TestOrderHasATicketForEachPlace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 4, Seats: []string{"7", "8", "9", "10"}})
		o := s.buy(t, l, 2)
		facts := s.log.take()
		got := s.of(t, o.ID)
		for i, seat := range []string{"7", "8"} {
			want := ticket.Ticket{
				No: got[i].No, ID: got[i].ID, OrderID: o.ID, Place: i + 1, Places: 2, EventNo: l.EventNo, EventID: "E", Section: "B", Row: "4", Seat: seat,
				Price: money.Amount{Minor: 7533, Currency: "EUR"}, Validity: ticket.Valid, Presence: ticket.Outside, Generation: 1, Version: 1,
				CreatedAt: o.CreatedAt, UpdatedAt: o.CreatedAt, Holder: ticket.Holder{Email: kari},
			}
			if diff := cmp.Diff(want, s.byID(t, got[i].ID), cmpopts.IgnoreUnexported(ticket.Ticket{})); diff != "" {
				t.Errorf("ticket %d -want +found:\n%s", i+1, diff)
			}
			if got[i].Status() != ticket.StatusValid {
				t.Errorf("ticket %d is %s, want valid", i+1, got[i].Status())
			}
		}
		if len(facts) != 3 || facts[0].Kind != fact.OrderConfirmed {
			t.Fatalf("facts: %+v, want order.confirmed and two of tickets", facts)
		}
		for i, f := range facts[1:] {
			var snap ticket.Snapshot
			if err := json.Unmarshal(f.Data, &snap); err != nil {
				t.Fatal(err)
			}
			if f.Kind != fact.TicketIssued || f.Subject != string(got[i].ID) || f.Version != 1 || f.Org != house {
				t.Errorf("fact %d is %s of %s, version %d; want ticket.issued of %s", i+1, f.Kind, f.Subject, f.Version, got[i].ID)
			}
			if diff := cmp.Diff(got[i].Snapshot(), snap, cmp.Transformer("instant", fact.Instant.String)); diff != "" {
				t.Errorf("data of fact %d -want +got:\n%s", i+1, diff)
			}
			if strings.Contains(strings.ToLower(string(f.Data)), "kari") {
				t.Errorf("fact %d holds personal data: %s", i+1, f.Data)
			}
		}
		s.audit(t)
	})
}

// TestProvisionalOrderReservesItsTickets: orders that wait for their payment are not placed by anybody yet, so the roll is asked directly.
func TestProvisionalOrderReservesItsTickets(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		waiting := order.Order{
			No: 178290000012300042, ID: "order_178290000012300042", EventNo: 1, EventID: "E", Section: "GA", Row: "-", Quantity: 2,
			UnitPrice: money.Amount{Minor: 500, Currency: "EUR"}, Status: order.Provisional, People: order.People{Customer: order.Customer{Email: kari}},
		}
		follow := func(o order.Order) (kinds string) {
			t.Helper()
			s.write(t, func(tx *db.Tx) error {
				facts, err := s.roll.Follow(tx, house, o)
				for _, f := range facts {
					kinds += fmt.Sprintf("%s/%d ", f.Kind, f.Version)
				}
				return err
			})
			return kinds
		}
		status := func(o order.Order, want ticket.Status) {
			t.Helper()
			for _, one := range s.of(t, o.ID) {
				if one.Status() != want {
					t.Errorf("ticket %d is %s, want %s", one.Place, one.Status(), want)
				}
			}
		}
		if k := follow(waiting); k != "" {
			t.Errorf("a reservation told %s, want nothing", k)
		}
		status(waiting, ticket.StatusReserved)
		first := s.of(t, waiting.ID)[0].ID
		if _, err := s.unblock(first); !problem.Is(err, "invalid_transition") {
			t.Errorf("Unblock of a reserved ticket = %v, want invalid_transition: it waits for its order", err)
		}
		if r, err := s.hold(first, ticket.HolderChange{Name: ptr("Kari")}); err != nil || r.fact != nil {
			t.Errorf("SetHolder of a reserved ticket = %v, %v; want no fact", r.fact, err)
		}
		confirmed := waiting
		confirmed.Status, confirmed.PreviousStatus = order.Confirmed, order.Provisional
		if k := follow(confirmed); k != "ticket.issued/1 ticket.issued/1 " {
			t.Errorf("the confirmation told %q, want ticket.issued twice", k)
		}
		status(waiting, ticket.StatusValid)

		dropped := waiting
		dropped.No, dropped.ID = waiting.No+1, "order_178290000012300043"
		follow(dropped)
		dropped.Status, dropped.PreviousStatus = order.Cancelled, order.Provisional
		if k := follow(dropped); k != "" {
			t.Errorf("the end of a reservation told %s, want nothing: nobody had heard of it", k)
		}
		status(dropped, ticket.StatusVoid)
		if found, err := ticket.Audit(d.Read(t.Context())); err != nil || len(found) > 0 {
			t.Errorf("Audit = %q, %v", found, err)
		}
	})
}

func TestTicketsEndWithTheirOrder(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 50})
		for name, c := range map[string]struct {
			steps  []order.Status
			refund money.Decimal
			reason ticket.Reason
		}{
			"cancelled":          {steps: []order.Status{order.Cancelled}, reason: ticket.OrderCancelled},
			"cancelled late":     {steps: []order.Status{order.Accepted, order.Fulfilled, order.Cancelled}, reason: ticket.OrderCancelled},
			"refunded whole":     {steps: []order.Status{order.Fulfilled}, refund: "226", reason: ticket.OrderRefunded},
			"refunded in part":   {steps: []order.Status{order.Fulfilled}, refund: "75.33"},
			"fulfilled":          {steps: []order.Status{order.Accepted, order.Fulfilled}},
			"refunded after all": {steps: []order.Status{order.Cancelled}, refund: "226", reason: ticket.OrderCancelled},
		} {
			o := s.buy(t, l, 3)
			single := s.of(t, o.ID)[2].ID
			if _, err := s.cancel(single); err != nil { // one that is void already hears of nothing more
				t.Fatal(err)
			}
			s.log.take()
			for _, to := range c.steps {
				if err := s.move(t, o.ID, to); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if c.refund != "" {
				amount := c.refund
				if amount == "226" {
					amount = "" // all of it
				}
				if err := s.refund(o.ID, amount); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			voided := map[string]int{}
			var order_ bool // the order's own fact comes first
			for _, f := range s.log.take() {
				if f.Kind == fact.OrderCancelled || f.Kind == fact.RefundCompleted {
					order_ = true
				}
				if f.Kind != fact.TicketVoided {
					continue
				}
				voided[f.Subject]++
				var snap ticket.Snapshot
				if err := json.Unmarshal(f.Data, &snap); err != nil || snap.Reason != c.reason || snap.Status != ticket.StatusVoid || !order_ {
					t.Errorf("%s: told %s after the order's own fact: %v, %v; want the reason %s", name, f.Data, order_, err, c.reason)
				}
			}
			want, status := 0, ticket.StatusValid
			if c.reason != "" {
				want, status = 2, ticket.StatusVoid
			}
			if len(voided) != want || voided[string(single)] != 0 {
				t.Errorf("%s: told that %v are void, want %d", name, voided, want)
			}
			for _, one := range s.of(t, o.ID)[:2] {
				if one.Status() != status {
					t.Errorf("%s: ticket %d is %s, want %s", name, one.Place, one.Status(), status)
				}
			}
		}
		s.audit(t)
	})
}

// TestCancelledTicketKeepsItsPlace: it is not sold twice, and no money moves.
func TestCancelledTicketKeepsItsPlace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 3})
		o := s.buy(t, l, 2)
		one := s.of(t, o.ID)[0].ID
		s.log.take()
		r, err := s.cancel(one)
		if err != nil || r.fact == nil || r.Status() != ticket.StatusVoid || r.Version != 2 {
			t.Fatalf("Cancel = %+v, %v", r, err)
		}
		if again, err := s.cancel(one); err != nil || again.fact != nil || again.Version != 2 {
			t.Errorf("Cancel again = version %d, fact %v, %v; want a success that changes nothing", again.Version, again.fact, err)
		}
		if k := s.log.kinds(); k != "ticket.voided" {
			t.Errorf("facts %q, want ticket.voided once", k)
		}
		after, err := order.ByID(d.Read(t.Context()), house, o.ID)
		if err != nil || after.Quantity != 2 || after.Refunded.Minor != 0 || after.Version != o.Version || after.Status != order.Confirmed {
			t.Errorf("the order is %+v, %v; want it untouched", after, err)
		}
		if got, _ := inventory.ByID(d.Read(t.Context()), house, l.ID); got.Free() != 1 {
			t.Errorf("%d are free, want 1", got.Free())
		}
		for name, try := range map[string]func(id.Ticket) (result, error){"Block": s.block, "Unblock": s.unblock} {
			if _, err := try(one); !problem.Is(err, "invalid_transition") {
				t.Errorf("%s of a void ticket = %v, want invalid_transition", name, err)
			}
		}
		s.audit(t)
	})
}

func TestBlockedTicketIsFreedAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		s.log.take()
		for _, step := range []struct {
			do   func(id.Ticket) (result, error)
			want ticket.Status
			told bool
		}{
			{s.unblock, ticket.StatusValid, false},
			{s.block, ticket.StatusBlocked, true},
			{s.block, ticket.StatusBlocked, false},
			{s.unblock, ticket.StatusValid, true},
			{s.block, ticket.StatusBlocked, true},
			{s.cancel, ticket.StatusVoid, true},
		} {
			r, err := step.do(one.ID)
			if err != nil || r.Status() != step.want || (r.fact != nil) != step.told {
				t.Errorf("%s, fact %v, %v; want %s, a fact: %v", r.Status(), r.fact, err, step.want, step.told)
			}
		}
		if k := s.log.kinds(); k != "ticket.blocked ticket.unblocked ticket.blocked ticket.voided" {
			t.Errorf("facts %q", k)
		}
		s.audit(t)
	})
}

func TestPresenceIsTheDoors(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	one := s.bought(1)[0]
	s.log.take()
	if r, err := s.at(one.ID, ticket.Inside); err != nil || r.Status() != ticket.StatusCheckedIn || r.Version != 1 {
		t.Errorf("inside: %s, version %d, %v; want checked_in, version 1", r.Status(), r.Version, err)
	}
	if r, err := s.block(one.ID); err != nil || r.Status() != ticket.StatusBlocked || r.Presence != ticket.Inside {
		t.Errorf("blocked inside: %s, %s, %v", r.Status(), r.Presence, err)
	}
	if r, err := s.at(one.ID, ticket.Outside); err != nil || r.Presence != ticket.Outside {
		t.Errorf("a blocked ticket's holder goes out: %s, %v", r.Presence, err)
	}
	if _, err := s.at(one.ID, ticket.Inside); !problem.Is(err, "ticket_not_valid") {
		t.Errorf("a blocked ticket's holder comes in: %v, want ticket_not_valid", err)
	}
	if k := s.log.kinds(); k != "ticket.blocked" {
		t.Errorf("facts %q, want that of the block only", k)
	}
}

func TestHolderIsCorrected(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		s.log.take()
		r, err := s.hold(one.ID, ticket.HolderChange{Version: 1, Name: ptr("Kari Nordmann"), Email: ptr(" " + ola)})
		want := ticket.Holder{Name: "Kari Nordmann", Email: ola}
		if err != nil || r.Holder != want || s.byID(t, one.ID).Holder != want || r.Generation != 1 || r.Version != 2 {
			t.Errorf("SetHolder = %+v, %v", r, err)
		}
		for _, f := range s.log.take() {
			if f.Kind != fact.TicketChanged || !strings.Contains(string(f.Data), `"changes":["holderName","holderEmail"]`) ||
				strings.Contains(string(f.Data), "Nordmann") || strings.Contains(string(f.Data), "@") {
				t.Errorf("fact %s: %s", f.Kind, f.Data)
			}
		}
		if r, err := s.hold(one.ID, ticket.HolderChange{Name: ptr("Kari Nordmann")}); err != nil || r.fact != nil {
			t.Errorf("SetHolder again = %v, %v; want no fact", r.fact, err)
		}
		if _, err := s.hold(one.ID, ticket.HolderChange{Version: 1, Name: ptr("X")}); !problem.Is(err, "version_mismatch") {
			t.Errorf("SetHolder of version 1 = %v, want version_mismatch", err)
		}
		for _, c := range []ticket.HolderChange{{Name: ptr("kari@example.test")}, {Name: ptr("a\nb")}, {Name: ptr(strings.Repeat("x", 201))}, {Email: ptr("kari")}, {Email: ptr("")}} {
			if _, err := s.hold(one.ID, c); !problem.Is(err, "validation_failed") {
				t.Errorf("SetHolder(%+v) = %v, want validation_failed", c, err)
			}
		}
		if _, err := s.cancel(one.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.hold(one.ID, ticket.HolderChange{Name: ptr("X")}); !problem.Is(err, "invalid_transition") {
			t.Errorf("SetHolder of a void ticket = %v, want invalid_transition", err)
		}
	})
}

func TestTicketsAreFoundByWhoMaySeeThem(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		q := d.Read(t.Context())
		two := s.bought(2)
		if _, err := s.hold(two[0].ID, ticket.HolderChange{Email: ptr(ola)}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			who  string
			one  ticket.Ticket
			sees bool
		}{
			{kari, two[0], true},
			{kari, two[1], true}, // she bought both
			{ola, two[0], true},
			{ola, two[1], false},
			{"", two[0], false},
			{"eve@example.test", two[0], false},
		} {
			_, err := ticket.TheirsByID(q, house, c.one.ID, person.Of(c.who))
			if c.sees && err != nil || !c.sees && !problem.Is(err, "ticket_not_found") {
				t.Errorf("TheirsByID of place %d for %q = %v, want it there: %v", c.one.Place, c.who, err, c.sees)
			}
		}
		for _, other := range []id.Ticket{"", "tkt_", two[0].ID + "0", two[0].ID[:29] + "z", id.NewTicket([16]byte{15: 1}), id.Ticket(two[0].OrderID)} {
			if _, err := ticket.ByID(q, house, other); !problem.Is(err, "ticket_not_found") {
				t.Errorf("ByID(%q) = %v, want ticket_not_found", other, err)
			}
		}
		if _, err := ticket.ByID(q, house+1, two[0].ID); !problem.Is(err, "ticket_not_found") {
			t.Errorf("another organisation's ByID = %v, want ticket_not_found", err)
		}
	})
}

func TestListFilters(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("F")
		first := s.buy(t, s.list(inventory.Input{Quantity: 9}), 3)
		second := s.buyFor(t, s.list(inventory.Input{Event: "F", Quantity: 9}), 2, ola)
		name := map[id.Ticket]string{}
		var all []ticket.Ticket
		for _, o := range []order.Order{first, second} {
			for _, one := range s.of(t, o.ID) {
				name[one.ID] = fmt.Sprint(len(all))
				all = append(all, one)
			}
		}
		for _, err := range []error{second2(s.block(all[0].ID)), second2(s.cancel(all[1].ID)), second2(s.at(all[3].ID, ticket.Inside))} {
			if err != nil {
				t.Fatal(err)
			}
		}
		q := d.Read(t.Context())
		for _, c := range []struct {
			f     ticket.Filter
			want  string
			total int
		}{
			{ticket.Filter{}, "4 3 2 1 0", 5},
			{ticket.Filter{Event: "E"}, "2 1 0", 3},
			{ticket.Filter{Event: "nowhere"}, "", 0},
			{ticket.Filter{Order: second.ID}, "4 3", 2},
			{ticket.Filter{Order: "order_x"}, "", 0},
			{ticket.Filter{Order: order.IDOf(1<<59 + first.No)}, "", 0},
			{ticket.Filter{Email: " OLA@example.test"}, "4 3", 2},
			{ticket.Filter{Email: kari, Event: "F"}, "", 0},
			{ticket.Filter{Status: ticket.StatusValid}, "4 2", 2},
			{ticket.Filter{Status: ticket.StatusCheckedIn}, "3", 1},
			{ticket.Filter{Status: ticket.StatusBlocked}, "0", 1},
			{ticket.Filter{Status: ticket.StatusVoid, Order: first.ID}, "1", 1},
			{ticket.Filter{Status: ticket.StatusReserved}, "", 0},
			{ticket.Filter{Limit: 2, Offset: 1}, "3 2", 5},
			{ticket.Filter{Limit: 2, Before: all[3].ID}, "2 1", 5},
		} {
			page, total, err := ticket.List(q, house, c.f)
			var got []string
			for _, one := range page {
				got = append(got, name[one.ID])
			}
			if g := strings.Join(got, " "); err != nil || g != c.want || total != c.total {
				t.Errorf("List(%+v) = %s of %d, %v; want %s of %d", c.f, g, total, err, c.want, c.total)
			}
		}
		if page, total, err := ticket.List(q, house+1, ticket.Filter{}); len(page) != 0 || total != 0 || err != nil {
			t.Errorf("another organisation's List = %d of %d, %v", len(page), total, err)
		}
		for _, f := range []ticket.Filter{{Limit: 101}, {Limit: -1}, {Offset: -1}, {Status: "gone"}, {Before: "x"}, {Email: "\xff"}} {
			if _, _, err := ticket.List(q, house, f); !problem.Is(err, "validation_failed") {
				t.Errorf("List(%+v) = %v, want validation_failed", f, err)
			}
		}
	})
}

// second2 is the second of two.
func second2[T any](_ T, err error) error { return err }

func TestAuditSaysWhatDiffers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		if _, err := s.offer(one.ID, kari, ola); err != nil {
			t.Fatal(err)
		}
		s.audit(t)
		for _, c := range []struct{ break_, mend, want string }{
			{`UPDATE tickets SET generation = 3`, `UPDATE tickets SET generation = 1`, "is of generation 3 after 0 transfers"},
			{`UPDATE tickets SET offers = 2`, `UPDATE tickets SET offers = 1`, "offered 2 times, and has 1 transfers"},
			{`UPDATE tickets SET validity = 'void'`, `UPDATE tickets SET validity = 'valid'`, "is void and offered"},
			{`UPDATE tickets SET version = 0`, `UPDATE tickets SET version = 2`, "is valid with 0 facts"},
		} {
			s.exec(c.break_)
			found, err := ticket.Audit(d.Read(t.Context()))
			if err != nil || !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("after %s: Audit = %q, %v; want a sentence with %q", c.break_, found, err, c.want)
			}
			s.exec(c.mend)
			s.audit(t)
		}
	})
}
