package ticket_test

import (
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func (s *shop) offer(t id.Ticket, by, to string) (x ticket.Transfer, err error) {
	err = s.try(func(tx *db.Tx) (err error) {
		x, _, err = s.roll.Offer(tx, house, t, ticket.Offer{By: person.Of(by), To: to})
		return err
	})
	return x, err
}

func (s *shop) accept(t id.Ticket, by, name string) (result, error) {
	return s.do(func(tx *db.Tx) (ticket.Ticket, *fact.Fact, error) {
		return s.roll.Accept(tx, house, t, person.Of(by), name)
	})
}

func (s *shop) decline(t id.Ticket, by string) (result, error) {
	return s.do(func(tx *db.Tx) (ticket.Ticket, *fact.Fact, error) { return s.roll.Decline(tx, house, t, person.Of(by)) })
}

func (s *shop) revoke(t id.Ticket, by string) (result, error) {
	return s.do(func(tx *db.Tx) (ticket.Ticket, *fact.Fact, error) { return s.roll.Revoke(tx, house, t, person.Of(by)) })
}

func (s *shop) expire(limit int) (n int) {
	s.t.Helper()
	s.write(s.t, func(tx *db.Tx) (err error) {
		n, err = s.roll.ExpireSome(tx, limit)
		return err
	})
	return n
}

// states are how a ticket's transfers went.
func (s *shop) states(t ticket.Ticket) string {
	s.t.Helper()
	all, err := ticket.TransfersOf(s.db.Read(s.t.Context()), house, t)
	if err != nil {
		s.t.Fatal(err)
	}
	var states []string
	for _, x := range all {
		states = append(states, string(x.State))
	}
	return strings.Join(states, " ")
}

func TestTransferMakesANewGeneration(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		s.log.take()
		x, err := s.offer(one.ID, kari, " "+ola)
		if err != nil {
			t.Fatal(err)
		}
		want := ticket.Transfer{
			Ticket: one.ID, N: 1, From: strings.ToLower(kari), To: ola, State: ticket.Offered, CreatedAt: x.CreatedAt, ExpiresAt: x.CreatedAt.Add(7 * 24 * time.Hour),
		}
		if diff := cmp.Diff(want, x); diff != "" {
			t.Errorf("Offer -want +got:\n%s", diff)
		}
		r, err := s.accept(one.ID, ola, "Ola Nordmann")
		if err != nil {
			t.Fatal(err)
		}
		got := s.byID(t, one.ID)
		if got.Generation != 2 || got.Holder != (ticket.Holder{Name: "Ola Nordmann", Email: ola}) || got.Version != 3 || got.ID != one.ID || r.Generation != 2 {
			t.Errorf("after the transfer: %+v", got)
		}
		all, err := ticket.TransfersOf(d.Read(t.Context()), house, got)
		if err != nil || len(all) != 1 {
			t.Fatalf("TransfersOf = %v, %v", all, err)
		}
		want.State, want.EndedAt = ticket.Accepted, got.UpdatedAt
		if diff := cmp.Diff(want, all[0]); diff != "" {
			t.Errorf("TransfersOf -want +got:\n%s", diff)
		}
		facts := s.log.take()
		if len(facts) != 2 || facts[0].Kind != fact.TicketTransferOffered || facts[1].Kind != fact.TicketTransferred {
			t.Fatalf("facts %+v", facts)
		}
		for i, f := range facts {
			var snap ticket.Snapshot
			if err := json.Unmarshal(f.Data, &snap); err != nil || snap.Generation != i+1 || snap.Transfer.N != 1 || f.Version != int64(i+2) || strings.Contains(string(f.Data), "@") {
				t.Errorf("%s: %s, %v", f.Kind, f.Data, err)
			}
		}
		// The buyer sees it still, and has it no more.
		if _, err := s.offer(one.ID, kari, kari); !problem.Is(err, "not_holder") {
			t.Errorf("Offer by who gave it away = %v, want not_holder", err)
		}
		if _, err := s.revoke(one.ID, kari); !problem.Is(err, "not_holder") {
			t.Errorf("Revoke by who gave it away = %v, want not_holder", err)
		}
		if _, err := s.offer(one.ID, ola, kari); err != nil {
			t.Errorf("Offer by the new holder: %v", err)
		}
		s.audit(t)
	})
}

func TestOneOfManyAcceptances(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		if _, err := s.offer(one.ID, "", ola); err != nil {
			t.Fatal(err)
		}
		s.log.take()
		var won, lost atomic.Int64
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				by := ola
				if i%2 == 0 {
					by = "" // the organisation, for them
				}
				_, err := s.accept(one.ID, by, "Ola")
				switch {
				case err == nil:
					won.Add(1)
				case problem.Is(err, "transfer_not_open"):
					lost.Add(1)
				default:
					t.Errorf("Accept: %v", err)
				}
			})
		}
		wg.Wait()
		if got := s.byID(t, one.ID); won.Load() != 1 || lost.Load() != 49 || got.Generation != 2 || got.Version != 3 {
			t.Errorf("%d accepted, %d could not, generation %d, version %d; want 1, 49, 2, 3", won.Load(), lost.Load(), got.Generation, got.Version)
		}
		if k := s.log.kinds(); k != "ticket.transferred" {
			t.Errorf("facts %q, want ticket.transferred once", k)
		}
		s.audit(t)
	})
}

// TestTwoNodesTransferOnce: offers, acceptances, revocations and cancellations of the same tickets from two programs.
func TestTwoNodesTransferOnce(t *testing.T) {
	c := dbtest.PostgreSQL(t)
	a := open(t, dbtest.Open(t, c))
	b := &shop{t: t, db: dbtest.Open(t, c), log: a.log, cal: a.cal, stock: a.stock, book: a.book, roll: a.roll}
	all := a.bought(4)
	for _, one := range all {
		if _, err := a.offer(one.ID, "", ola); err != nil {
			t.Fatal(err)
		}
	}
	a.log.take()
	var wg sync.WaitGroup
	for i := range 64 {
		s := []*shop{a, b}[i%2]
		one := all[i/2%4]
		wg.Go(func() {
			var err error
			switch i / 8 % 4 {
			case 0:
				_, err = s.accept(one.ID, ola, "")
			case 1:
				_, err = s.revoke(one.ID, "")
			case 2:
				_, err = s.decline(one.ID, ola)
			case 3:
				if one.Place == 4 {
					err = s.move(t, one.OrderID, order.Cancelled)
				}
			}
			if err != nil && !problem.Is(err, "transfer_not_open") && !problem.Is(err, "ticket_not_transferable") && !problem.Is(err, "ticket_not_found") {
				t.Errorf("step %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	ends, voids := map[string]int{}, 0
	for _, f := range a.log.take() {
		switch f.Kind {
		case fact.TicketTransferred, fact.TicketTransferRevoked, fact.TicketTransferDeclined:
			ends[f.Subject]++
		case fact.TicketVoided:
			voids++
		}
	}
	for _, one := range all {
		if ends[string(one.ID)] != 1 {
			t.Errorf("the transfer of ticket %d ended %d times", one.Place, ends[string(one.ID)])
		}
	}
	if voids != 4 {
		t.Errorf("%d tickets were told to be void, want 4", voids)
	}
	a.audit(t)
}

func TestOfferEndsInOneWay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(1)[0]
		s.log.take()
		offer := func() {
			t.Helper()
			if _, err := s.offer(one.ID, kari, ola); err != nil {
				t.Fatal(err)
			}
		}
		closed := func(after string) {
			t.Helper()
			for name, err := range map[string]error{
				"Accept": second2(s.accept(one.ID, "", "")), "Decline": second2(s.decline(one.ID, "")), "Revoke": second2(s.revoke(one.ID, "")),
			} {
				if !problem.Is(err, "transfer_not_open") {
					t.Errorf("%s after it was %s = %v, want transfer_not_open", name, after, err)
				}
			}
		}
		closed("never offered")
		offer()
		if _, err := s.decline(one.ID, ola); err != nil {
			t.Errorf("Decline: %v", err)
		}
		closed("declined")
		offer()
		if _, err := s.revoke(one.ID, kari); err != nil {
			t.Errorf("Revoke: %v", err)
		}
		closed("revoked")
		offer()
		s.exec(`UPDATE transfers SET expires_at = 1 WHERE state = 'offered'`)
		closed("expired, which nobody has written down")
		if n := s.expire(10); n != 1 {
			t.Errorf("ExpireSome = %d, want 1", n)
		}
		if n := s.expire(10); n != 0 {
			t.Errorf("ExpireSome again = %d, want 0", n)
		}
		closed("expired")
		offer()
		s.exec(`UPDATE transfers SET expires_at = 1 WHERE state = 'offered'`)
		offer() // the one before is written down as expired
		if _, err := s.hold(one.ID, ticket.HolderChange{Email: ptr("karin@example.test")}); err != nil {
			t.Errorf("SetHolder: %v", err)
		}
		closed("offered by who holds it no more")
		if _, err := s.offer(one.ID, "", ola); err != nil {
			t.Fatal(err)
		}
		if err := s.move(t, one.OrderID, order.Cancelled); err != nil {
			t.Fatal(err)
		}
		closed("void")
		const states = "declined revoked expired expired revoked revoked"
		if got := s.states(one); got != states {
			t.Errorf("transfers went %s, want %s", got, states)
		}
		const o, p = "ticket.transfer_offered ", "ticket.transfer_"
		want := o + p + "declined " + o + p + "revoked " + o + p + "expired " + o + p + "expired " + o + p + "revoked ticket.changed " + o +
			"order.cancelled " + p + "revoked ticket.voided"
		if got := s.log.kinds(); got != want {
			t.Errorf("facts\n%s, want\n%s", got, want)
		}
		if got := s.byID(t, one.ID); got.Generation != 1 {
			t.Errorf("generation %d, want 1: it was never accepted", got.Generation)
		}
		s.audit(t)
	})
}

func TestOfferHasItsConditions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		all := s.bought(4)
		open, blocked, void, inside := all[0], all[1], all[2], all[3]
		for _, err := range []error{
			second2(s.offer(open.ID, kari, ola)), second2(s.block(blocked.ID)), second2(s.cancel(void.ID)), second2(s.at(inside.ID, ticket.Inside)),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		s.log.take()
		for _, c := range []struct {
			ticket id.Ticket
			in     ticket.Offer
			code   string
		}{
			{open.ID, ticket.Offer{To: "ola"}, "validation_failed"},
			{open.ID, ticket.Offer{To: ola, Lasts: time.Second}, "validation_failed"},
			{open.ID, ticket.Offer{To: ola, Lasts: 91 * 24 * time.Hour}, "validation_failed"},
			{open.ID, ticket.Offer{To: strings.ToUpper(kari)}, "validation_failed"},
			{open.ID, ticket.Offer{To: "eve@example.test"}, "transfer_open"},
			{open.ID, ticket.Offer{To: ola, Version: 1}, "version_mismatch"},
			{open.ID, ticket.Offer{To: ola, By: person.Of("eve@example.test")}, "ticket_not_found"},
			{open.ID, ticket.Offer{To: ola, By: person.Of(ola)}, "ticket_not_found"},
			{blocked.ID, ticket.Offer{To: ola}, "ticket_not_transferable"},
			{void.ID, ticket.Offer{To: ola}, "ticket_not_transferable"},
			{inside.ID, ticket.Offer{To: ola}, "ticket_not_transferable"},
			{"tkt_x", ticket.Offer{To: ola}, "ticket_not_found"},
		} {
			err := s.try(func(tx *db.Tx) error { return second3(s.roll.Offer(tx, house, c.ticket, c.in)) })
			if !problem.Is(err, c.code) {
				t.Errorf("Offer(%+v) = %v, want %s", c.in, err, c.code)
			}
		}
		if x, err := s.offer(open.ID, kari, strings.ToUpper(ola)); err != nil || x.N != 1 || x.To != ola {
			t.Errorf("Offer again = %+v, %v; want the one that there is", x, err)
		}
		for name, err := range map[string]error{
			"Accept":  second2(s.accept(open.ID, "eve@example.test", "")),
			"Decline": second2(s.decline(open.ID, "eve@example.test")),
			"Revoke":  second2(s.revoke(open.ID, "eve@example.test")),
		} {
			if !problem.Is(err, "ticket_not_found") {
				t.Errorf("%s by somebody else = %v, want ticket_not_found", name, err)
			}
		}
		if _, err := s.accept(open.ID, kari, ""); !problem.Is(err, "transfer_not_open") {
			t.Errorf("Accept by the holder = %v, want transfer_not_open", err)
		}
		if _, err := s.accept(open.ID, ola, "ola@example.test"); !problem.Is(err, "validation_failed") {
			t.Errorf("Accept with an address as name = %v, want validation_failed", err)
		}
		if _, err := s.block(open.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.accept(open.ID, ola, ""); !problem.Is(err, "ticket_not_transferable") {
			t.Errorf("Accept of a blocked ticket = %v, want ticket_not_transferable", err)
		}
		if k := s.log.kinds(); k != "ticket.blocked" {
			t.Errorf("what was refused told %s", k)
		}
		if got := s.states(open); got != "offered" {
			t.Errorf("the offer is %s, want it open", got)
		}
	})
}

// second3 is the error of three.
func second3[T, U any](_ T, _ U, err error) error { return err }

func TestErasedPeopleHoldNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		all := s.bought(3)
		for _, err := range []error{
			second2(s.hold(all[0].ID, ticket.HolderChange{Name: ptr("Kari Nordmann")})),
			second2(s.offer(all[0].ID, kari, ola)), second2(s.offer(all[1].ID, kari, ola)), second2(s.accept(all[1].ID, ola, "Ola")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		q := d.Read(t.Context())
		known := func(who string, want int) {
			t.Helper()
			if n, err := ticket.Known(q, house, person.Of(who)); err != nil || n != want {
				t.Errorf("Known(%s) = %d, %v; want %d", who, n, err, want)
			}
		}
		known(kari, 4)
		known(ola, 3)
		if x, err := ticket.TransfersWith(q, house, person.Of(ola), 10); err != nil || len(x) != 2 || x[0].Ticket != all[1].ID {
			t.Errorf("TransfersWith = %+v, %v; want two, the later ticket's first", x, err)
		}
		erase := func(who string) (total int) {
			t.Helper()
			for n := 1; n > 0; total += n {
				s.write(t, func(tx *db.Tx) (err error) {
					n, err = ticket.Erase(tx, house, person.Of(who), 1)
					return err
				})
			}
			return total
		}
		if n := erase(strings.ToUpper(ola)); n != 3 {
			t.Errorf("Erase = %d, want a holder and two recipients", n)
		}
		known(ola, 0)
		known(kari, 4)
		if held, err := ticket.Of(q, house, person.Of(kari)); err != nil || len(held) != 2 || held[0] != all[0].ID || held[1] != all[2].ID {
			t.Errorf("Of = %v, %v; want the first and the third", held, err)
		}
		// The offer to somebody who was erased stands in nobody's way.
		if _, err := s.accept(all[0].ID, "", ""); !problem.Is(err, "transfer_not_open") {
			t.Errorf("Accept for somebody who was erased = %v, want transfer_not_open", err)
		}
		if _, err := s.offer(all[0].ID, kari, "eve@example.test"); err != nil {
			t.Errorf("Offer to somebody else: %v", err)
		}
		if got := s.states(all[0]); got != "revoked offered" {
			t.Errorf("transfers are %s, want revoked offered", got)
		}
		erase(kari)
		known(kari, 0)
		if got := s.byID(t, all[0].ID); got.Holder != (ticket.Holder{}) || got.Status() != ticket.StatusValid {
			t.Errorf("after the erasure: %+v", got)
		}
		if err := s.try(func(tx *db.Tx) error { return second2(ticket.Erase(tx, house, "", 10)) }); err != nil {
			t.Errorf("Erase of nobody: %v", err)
		}
		s.audit(t)
	})
}
