package stamp_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func TestRulesAwardWhatTheySay(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tickets := map[id.Event]id.Ticket{"A": h.ticket("A", kari), "B": h.ticket("B", kari), "C": h.ticket("C", kari)}
		rules := []struct {
			name string
			rule stamp.Rule
			want []int // how many there are after coming in to A, A, B, C
		}{
			{"each event", stamp.Rule{On: stamp.ByCheckin}, []int{1, 1, 2, 3}},
			{"once", stamp.Rule{On: stamp.ByCheckin, Repeat: stamp.Once}, []int{1, 1, 1, 1}},
			{"at B", stamp.Rule{On: stamp.ByCheckin, Event: "B"}, []int{0, 0, 1, 1}},
			{"each at the pier", stamp.Rule{On: stamp.ByCheckin, Venue: "PIER"}, []int{1, 1, 2, 2}},
			{"three events", stamp.Rule{On: stamp.ByCount, Threshold: 3}, []int{0, 0, 0, 1}},
			{"two check-ins", stamp.Rule{On: stamp.ByCount, Threshold: 2, Counts: stamp.CountCheckins}, []int{0, 1, 1, 1}},
			{"two events at the pier", stamp.Rule{On: stamp.ByCount, Threshold: 2, Venue: "Pier"}, []int{0, 0, 1, 1}},
			{"two at A", stamp.Rule{On: stamp.ByCount, Threshold: 2, Event: "A"}, []int{0, 1, 1, 1}},
			{"two barns", stamp.Rule{On: stamp.ByCount, Threshold: 2, Venue: "Barn", Counts: stamp.CountCheckins}, []int{0, 0, 0, 0}},
			{"by hand", stamp.Rule{On: stamp.ByHand}, []int{0, 0, 0, 0}},
		}
		types := map[id.StampType]string{}
		for _, r := range rules {
			types[h.made(stamp.Input{Name: r.name, Rule: r.rule}).ID] = r.name
		}
		h.made(stamp.Input{Name: "off", Inactive: true, Rule: stamp.Rule{On: stamp.ByCheckin}})
		for i, e := range []id.Event{"A", "A", "B", "C"} {
			h.enter(tickets[e], e)
			got := map[string]int{}
			for _, s := range h.passport(kari).Stamps {
				got[types[s.Type.ID]]++
			}
			for _, r := range rules {
				if got[r.name] != r.want[i] {
					t.Errorf("after check-in %d there are %d of %q, want %d", i+1, got[r.name], r.name, r.want[i])
				}
			}
		}
		if p := h.passport(kari); p.Checkins != 4 || p.Events != 3 {
			t.Errorf("the passport counts %d check-ins to %d events, want 4 to 3", p.Checkins, p.Events)
		}
	})
}

// What is not the door's, and whose holder nobody knows, leads to nothing and holds nobody up.
func TestFactsWithoutAHolderArePassedOver(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		h.earned(stamp.Rule{On: stamp.ByCheckin})
		held := h.ticket("A", kari)
		elsewhere := door(fact.CheckinAdmitted, "chk_2", held, "A")
		elsewhere.Org = 2
		h.happen(
			door(fact.CheckinAdmitted, "chk_1", "", "A"), elsewhere, door(fact.CheckinUndone, "chk_9", held, "A"), door(fact.CheckinDenied, "chk_3", held, "A"),
			door(fact.CheckinExited, "chk_4", held, "A"), door(fact.CheckinAdmitted, "chk_5", "tkt_06mykbdmkmkm05a4t4jdkj8zvr", "A"),
		)
		h.has(kari, 0)
	})
}

func TestStampGoesToWhoHoldsTheTicketThen(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		h.earned(stamp.Rule{On: stamp.ByCheckin})
		one := h.ticket("A", kari)
		h.write(func(tx *db.Tx) error {
			_, _, err := h.roll.SetHolder(tx, house, one, ticket.HolderChange{Email: ptr(ola)})
			return err
		})
		h.enter(one, "A")
		h.has(kari, 0)
		h.has(ola, 1)
	})
}

func TestUndoneCheckinsTakeStampsAwayOnlyWhereTheRuleSaysSo(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		h.made(stamp.Input{Name: "kept", Rule: stamp.Rule{On: stamp.ByCheckin}})
		h.made(stamp.Input{Name: "taken", Rule: stamp.Rule{On: stamp.ByCheckin, RevokeOnUndo: true}})
		h.made(stamp.Input{Name: "two", Rule: stamp.Rule{On: stamp.ByCount, Threshold: 2, RevokeOnUndo: true}})
		byHand := h.made(stamp.Input{Name: "given", Rule: stamp.Rule{On: stamp.ByCheckin, Repeat: stamp.Once, Event: "C", RevokeOnUndo: true}})
		if _, err := h.award(byHand.ID, stamp.Award{Email: kari}); err != nil {
			t.Fatal(err)
		}
		see := func(what string, want ...string) {
			t.Helper()
			got := map[string]int{}
			for _, s := range h.passport(kari).Stamps {
				got[s.Type.Name+string(s.EventID)]++
			}
			expected := map[string]int{"given": 1}
			for _, w := range want {
				expected[w]++
			}
			if diff := cmp.Diff(expected, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		a, a2, b, c := h.ticket("A", kari), h.ticket("A", kari), h.ticket("B", kari), h.ticket("C", kari)
		first, second := h.enter(a, "A"), h.enter(a2, "A")
		atB, atC := h.enter(b, "B"), h.enter(c, "C")
		see("before", "keptA", "keptB", "keptC", "takenA", "takenB", "takenC", "twoB")
		h.undo(first)
		see("one of two tickets undone", "keptA", "keptB", "keptC", "takenA", "takenB", "takenC", "twoB")
		h.undo(second)
		h.undo(second)
		see("both undone", "keptA", "keptB", "keptC", "takenB", "takenC", "twoB")
		h.undo(atB)
		h.undo(atC)
		see("all undone", "keptA", "keptB", "keptC")
		h.enter(a, "A")
		see("came in again", "keptA", "keptB", "keptC", "takenA")
		if p := h.passport(kari); p.Checkins != 1 || p.Events != 1 {
			t.Errorf("the passport counts %d check-ins to %d events, want 1 to 1", p.Checkins, p.Events)
		}
		audit(t, h)
	})
}

// audit fails when anything does not agree.
func audit(t *testing.T, h *hall) {
	t.Helper()
	found, err := stamp.Audit(h.q())
	if err != nil || len(found) > 0 {
		t.Errorf("Audit: %q, %v", found, err)
	}
}

// Two followers race, are interrupted, and are set back to the beginning: each fact has effect once.
func TestEachFactHasEffectOnce(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		n := 40
		if os.Getenv("STAGEDOOR_LONG") == "1" {
			n = 1_000
		}
		h.earned(stamp.Rule{On: stamp.ByCheckin, RevokeOnUndo: true})
		// Reached by the last check-in of each, which is undone, and kept.
		counted := h.made(stamp.Input{Name: "many", Rule: stamp.Rule{On: stamp.ByCount, Threshold: n/10 + 1, Counts: stamp.CountCheckins}})
		var tickets []id.Ticket
		for i := range 5 {
			tickets = append(tickets, h.ticket("A", fmt.Sprintf("guest%d@example.test", i)))
		}
		other, err := ledger.Open(t.Context(), h.db, nil)
		if err != nil {
			t.Fatal(err)
		}
		twin := stamp.New(other)
		follow := func() (stop func()) {
			one, two := h.follow(h.ledger, h.album.Follow), h.follow(other, twin.Follow)
			return func() { one(); two() }
		}
		stop := follow()
		for i := range n {
			c := id.NewCheckin()
			facts := []*fact.Fact{door(fact.CheckinAdmitted, c, tickets[i%5], "A")}
			if i%10 >= 5 { // the second time of each, which changes nothing: the first stands
				facts = append(facts, door(fact.CheckinUndone, c, "", ""), door(fact.CheckinUndone, c, "", ""))
			}
			h.write(func(tx *db.Tx) error { return h.ledger.Append(tx, facts...) })
			if i == n/2 {
				stop()
				stop = follow()
			}
		}
		caughtUp := func() bool {
			lag, err := h.ledger.Behind(t.Context(), ledger.Follower{Name: "stamp", Kinds: stamp.Kinds()}, time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			return lag == 0
		}
		h.await("the followers", caughtUp)
		stop()
		check := func(when string) {
			t.Helper()
			_, many, err := stamp.Awards(h.q(), counted, stamp.Page{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				p := h.passport(fmt.Sprintf("guest%d@example.test", i))
				if want := n / 10; p.Checkins != want || p.Events != 1 {
					t.Errorf("%s, guest %d came in %d times, want %d", when, i, p.Checkins, want)
				}
			}
			if told := h.told(); many != 5 || len(told) != 10 {
				t.Errorf("%s, %d have the stamp for many, and there are the facts %q; want 5 and 10", when, many, told)
			}
			if parked, err := ledger.Parked(h.q()); err != nil || parked != 0 {
				t.Errorf("%d facts were put aside, %v", parked, err)
			}
		}
		check("at the end")
		h.write(func(tx *db.Tx) error { // as after a restore of the cursors' table
			_, err := tx.Exec("DELETE FROM ledger_cursors")
			return err
		})
		stop = follow()
		h.await("the followers again", caughtUp)
		stop()
		check("after all of it again")
		audit(t, h)
	})
}

func TestErasedPeopleAreInNoStamp(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		one := h.earned(stamp.Rule{On: stamp.ByCheckin, Repeat: stamp.Once})
		note := h.earned(stamp.Rule{On: stamp.ByHand})
		for _, email := range []string{kari, ola} {
			held := h.ticket("A", email)
			c := h.enter(held, "A")
			h.enter(held, "A")
			if _, err := h.award(note.ID, stamp.Award{Email: email, Note: "for " + email}); err != nil {
				t.Fatal(err)
			}
			who := person.Of(email)
			known, err := stamp.Known(h.q(), house, who)
			theirs, err2 := stamp.Of(h.q(), house, who)
			visits, err3 := stamp.Visits(h.q(), house, who, 10)
			if err != nil || err2 != nil || err3 != nil || known != 4 || len(theirs) != 2 || len(visits) != 2 {
				t.Errorf("of %s, %d rows, %d stamps and %d check-ins are known, %v %v %v; want 4, 2, 2", email, known, len(theirs), len(visits), err, err2, err3)
			}
			total := 0
			for n := 1; n > 0; total += n {
				h.write(func(tx *db.Tx) (err error) {
					if _, err := ticket.Erase(tx, house, who, 10); err != nil {
						return err
					}
					n, err = stamp.Erase(tx, house, who, 1)
					return err
				})
			}
			if total != 4 {
				t.Errorf("Erase blanked %d rows, want 4", total)
			}
			h.has(email, 0)
			if known, err := stamp.Known(h.q(), house, who); err != nil || known != 0 {
				t.Errorf("%d rows are known still, %v", known, err)
			}
			h.undo(c)
			h.enter(held, "A") // the ticket is nobody's
			left, err := db.One(h.q(), db.Value[int], `SELECT (SELECT count(*) FROM stamps WHERE person <> '' OR note <> '') + (SELECT count(*) FROM stamp_visits)`)
			if err != nil || left != 0 {
				t.Errorf("%d rows are left, %v", left, err)
			}
		}
		for _, kind := range []stamp.Type{one, note} { // they stay, of nobody
			if all, total, err := stamp.Awards(h.q(), kind, stamp.Page{}); err != nil || total != 2 || all[0].Person != "" {
				t.Errorf("Awards = %+v, %d, %v", all, total, err)
			}
		}
		if n, err := h.revoke(h.mustAny(one)); err != nil || n.fact == nil {
			t.Errorf("Revoke of nobody's stamp = %+v, %v", n, err)
		}
		audit(t, h)
	})
}

func (h *hall) mustAny(t stamp.Type) id.Stamp {
	h.t.Helper()
	all, _, err := stamp.Awards(h.q(), t, stamp.Page{})
	if err != nil || len(all) == 0 {
		h.t.Fatalf("Awards: %d, %v", len(all), err)
	}
	return all[0].ID
}
