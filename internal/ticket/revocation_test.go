package ticket_test

import (
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// gate is what a gate without network has.
type gate struct {
	s     *shop
	roll  *ticket.Roll
	knows *ticketcode.Revocations
}

func (s *shop) gate(r *ticket.Roll) *gate {
	return &gate{s, r, ticketcode.NewRevocations(string(s.org))}
}

// hears takes in what was revoked since it asked last, and returns how many tickets that were.
func (g *gate) hears() (n int) {
	g.s.t.Helper()
	for {
		l, err := g.roll.RevocationsSince(g.s.t.Context(), g.s.db.Read(g.s.t.Context()), house, g.knows.Seq())
		if err != nil {
			g.s.t.Fatalf("RevocationsSince: %v", err)
		}
		if err := g.knows.Apply(g.s.keySet(g.roll), l.Signed, time.Now()); err != nil {
			g.s.t.Fatalf("Apply of the list after %d: %v", g.knows.Seq(), err)
		}
		n += len(l.Revoked)
		if !l.More {
			return n
		}
	}
}

func (g *gate) revoked(t ticket.Ticket, generation int) bool {
	raw, _ := t.ID.Bytes()
	return g.knows.Revoked(ticketcode.Token{Ticket: raw, Generation: uint16(generation)})
}

func TestGatesHearWhatIsRevoked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		all := s.bought(4)
		early, late := s.gate(s.roll), s.gate(s.node())
		if n := early.hears(); n != 0 || early.knows.Seq() != 0 {
			t.Errorf("before anything is revoked a gate hears of %d", n)
		}
		given, cancelled, blocked, kept := all[0], all[1], all[2], all[3]
		second(t)(s.offer(given.ID, kari, ola))
		second(t)(s.accept(given.ID, ola, ""))
		second(t)(s.cancel(cancelled.ID))
		second(t)(s.block(blocked.ID))
		second(t)(s.hold(kept.ID, ticket.HolderChange{Name: ptr("Kari")})) // which revokes nothing
		if n := early.hears(); n != 3 {
			t.Errorf("a gate hears of %d tickets, want 3", n)
		}
		if n := early.hears(); n != 0 {
			t.Errorf("a gate hears of %d tickets again", n)
		}
		check := func(g *gate) {
			t.Helper()
			for _, c := range []struct {
				ticket.Ticket
				generation int
				want       bool
			}{{given, 1, true}, {given, 2, false}, {cancelled, 1, true}, {cancelled, 2, true}, {blocked, 1, true}, {blocked, 2, false}, {kept, 1, false}} {
				if got := g.revoked(c.Ticket, c.generation); got != c.want {
					t.Errorf("generation %d of place %d is revoked: %v, want %v", c.generation, c.Place, got, c.want)
				}
			}
		}
		check(early)
		late.hears()
		check(late)

		second(t)(s.unblock(blocked.ID))
		if n := early.hears(); n != 1 || early.revoked(blocked, 1) {
			t.Errorf("a block was lifted: the gate hears of %d tickets, and the code is revoked: %v", n, early.revoked(blocked, 1))
		}
		if fresh := s.gate(s.roll); fresh.hears() != 2 || fresh.knows.Seq() != early.knows.Seq() {
			t.Errorf("a new gate is at %d, want %d", fresh.knows.Seq(), early.knows.Seq())
		}
		if err := s.move(t, given.OrderID, order.Cancelled); err != nil {
			t.Fatal(err)
		}
		if early.hears(); !early.revoked(kept, 1) || !early.revoked(given, 2) {
			t.Error("the order was cancelled, and a gate does not hear of all its tickets")
		}
		l, err := s.roll.RevocationsSince(t.Context(), d.Read(t.Context()), house, 1_000_000)
		if err != nil || l.Since != 0 || l.Seq != early.knows.Seq() {
			t.Errorf("after a number that was never reached: %d to %d, %v; want a whole list", l.Since, l.Seq, err)
		}
		s.audit(t)
		s.exec(`UPDATE ticket_revocations SET through = 0 WHERE ticket_no = $1`, kept.No)
		if found, err := ticket.Audit(d.Read(t.Context())); err != nil || len(found) != 1 {
			t.Errorf("Audit of a void ticket that is not revoked: %q, %v", found, err)
		}
	})
}

// second returns what fails the test when a step failed.
func second(t *testing.T) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestGatesMissNothingWhileTicketsChange: gates on two nodes ask all the time while many tickets are changed at once.
func TestGatesMissNothingWhileTicketsChange(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 40})
		var all []ticket.Ticket
		for range 4 {
			all = append(all, s.of(t, s.buy(t, l, 10).ID)...)
		}
		var changing, asking sync.WaitGroup
		done := make(chan struct{})
		gates := []*gate{s.gate(s.roll), s.gate(s.node())}
		for _, g := range gates {
			asking.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						g.hears()
					}
				}
			})
		}
		for w := range 4 {
			changing.Go(func() {
				random := rand.New(rand.NewPCG(7, uint64(w)))
				for _, one := range all[w*10 : w*10+10] {
					steps := []func(){
						func() { _, _ = s.block(one.ID) },
						func() { _, _ = s.unblock(one.ID) },
						func() { _, _ = s.offer(one.ID, "", ola); _, _ = s.accept(one.ID, "", "") },
						func() { _, _ = s.offer(one.ID, "", kari); _, _ = s.accept(one.ID, "", "") },
						func() { _, _ = s.cancel(one.ID) },
					}
					for range 4 {
						steps[random.IntN(len(steps))]()
					}
				}
			})
		}
		changing.Wait()
		close(done)
		asking.Wait()
		for i, g := range gates {
			g.hears()
			for _, one := range all {
				now := s.byID(t, one.ID)
				for generation := 1; generation <= now.Generation; generation++ {
					want := generation < now.Generation || now.Validity != ticket.Valid
					if got := g.revoked(one, generation); got != want {
						t.Errorf("gate %d: generation %d of a ticket that is %s in generation %d is revoked: %v", i, generation, now.Validity, now.Generation, got)
					}
				}
			}
		}
		s.audit(t)
	})
}

// TestTicketsThatAreOlderThanRevocationsAreInThem runs the last statement of the migration that made the list.
func TestTicketsThatAreOlderThanRevocationsAreInThem(t *testing.T) {
	migration, err := os.ReadFile("../db/migrations/0015_ticket.sql")
	if err != nil {
		t.Fatal(err)
	}
	begin := strings.Index(string(migration), "INSERT INTO ticket_revocations")
	if begin < 0 {
		t.Fatal("the migration fills no list")
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		all := s.bought(4)
		second(t)(s.cancel(all[0].ID))
		second(t)(s.block(all[1].ID))
		second(t)(s.offer(all[2].ID, kari, ola))
		second(t)(s.accept(all[2].ID, ola, ""))
		s.exec(`DELETE FROM ticket_revocations`)
		s.exec(strings.TrimSuffix(strings.TrimSpace(string(migration[begin:])), ";"))
		s.audit(t)
		if g := s.gate(s.roll); g.hears() != 3 || !g.revoked(all[0], 9) || !g.revoked(all[1], 1) || !g.revoked(all[2], 1) || g.revoked(all[3], 1) {
			t.Errorf("a gate knows of %d tickets: %+v", g.knows.Len(), all)
		}
	})
}
