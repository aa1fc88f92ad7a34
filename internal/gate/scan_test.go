package gate_test

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func long(full, short int) int {
	if os.Getenv("STAGEDOOR_LONG") != "" {
		return full
	}
	return short
}

func TestTicketComesInOnceAndIsToldWhere(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.ticket()
		first := h.scan(gate.Scan{Code: code(tk), Gate: "North"})
		want(t, first, gate.CheckedIn, "")
		if !h.inside(tk) {
			t.Error("the ticket's presence is outside after it came in")
		}
		again := h.scan(gate.Scan{Code: code(tk), Gate: "South"})
		want(t, again, gate.Already, "already_inside")
		if again.First == nil || again.First.ID != first.Checkin.ID || !strings.Contains(again.Message(), "North") {
			t.Errorf("the second scan says %q of %+v, want the first entry's gate", again.Message(), again.First)
		}
		facts := h.log.take()
		if len(facts) != 2 || facts[0].Kind != "checkin.admitted" || facts[1].Kind != "checkin.denied" {
			t.Fatalf("facts: %+v, want admitted and denied", facts)
		}
		var s gate.Snapshot
		if err := json.Unmarshal(facts[0].Data, &s); err != nil {
			t.Fatal(err)
		}
		if s.TicketID != tk || s.EventID != "E" || s.Gate != "North" || s.Result != "checked_in" || facts[0].Subject != string(first.Checkin.ID) || facts[0].Version != 1 {
			t.Errorf("the fact is %+v with the data %s", facts[0], facts[0].Data)
		}
		for _, f := range facts {
			if text := strings.ToLower(string(f.Data)); strings.Contains(text, "kari") || strings.Contains(text, "code") {
				t.Errorf("a fact holds a person's data or a code: %s", f.Data)
			}
		}
		h.audit()
	})
}

func TestWhatMayNotComeIn(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		h.event("F")
		other := h.list(gate.Input{Event: "F"})
		for _, c := range []struct {
			name   string
			status gate.Status
			reason string
			shown  bool
			scan   func(tk id.Ticket) gate.Scan
		}{
			{"nobody's code", gate.Invalid, "unknown", false, func(id.Ticket) gate.Scan { return gate.Scan{Code: "CODE nothing"} }},
			{"a forged code", gate.Invalid, "bad_signature", false, func(id.Ticket) gate.Scan { return gate.Scan{Code: "FORGED x"} }},
			{"an old code", gate.Invalid, "revoked_generation", false, func(tk id.Ticket) gate.Scan { return gate.Scan{Code: "OLD " + string(tk)} }},
			{"too early", gate.NotYet, "not_yet", true, func(tk id.Ticket) gate.Scan { return gate.Scan{Code: "EARLY " + string(tk)} }},
			{"too late", gate.TooLate, "too_late", true, func(tk id.Ticket) gate.Scan { return gate.Scan{Code: "LATE " + string(tk)} }},
			{"another event", gate.WrongEvent, "wrong_event", false, func(tk id.Ticket) gate.Scan { return gate.Scan{Code: code(tk), Event: "F"} }},
			{"another event's list", gate.WrongEvent, "wrong_event", false, func(tk id.Ticket) gate.Scan { return gate.Scan{Code: code(tk), List: other.ID} }},
			{"a device of another event", gate.WrongEvent, "wrong_event", false, func(tk id.Ticket) gate.Scan {
				return gate.Scan{Code: code(tk), By: gate.By{ID: "dev_1", Bound: gate.Bound{Events: []id.Event{"F"}}}}
			}},
			{"a void ticket", gate.Cancelled, "void", true, func(tk id.Ticket) gate.Scan {
				h.write(func(tx *db.Tx) error { _, _, err := h.roll.Cancel(tx, house, tk, 0); return err })
				return gate.Scan{Code: code(tk)}
			}},
			{"a blocked ticket", gate.Blocked, "blocked", true, func(tk id.Ticket) gate.Scan {
				h.write(func(tx *db.Tx) error { _, _, err := h.roll.Block(tx, house, tk, 0); return err })
				return gate.Scan{Code: code(tk)}
			}},
			{"another section", gate.WrongList, "wrong_list", true, func(tk id.Ticket) gate.Scan {
				return gate.Scan{Code: code(tk), List: h.list(gate.Input{Rules: gate.Rules{Sections: []string{"VIP"}}}).ID}
			}},
			{"another kind", gate.WrongList, "wrong_list", true, func(tk id.Ticket) gate.Scan {
				return gate.Scan{Code: code(tk), List: h.list(gate.Input{Rules: gate.Rules{Classes: []int{7}}}).ID}
			}},
			{"another gate", gate.WrongList, "wrong_gate", true, func(tk id.Ticket) gate.Scan {
				g := h.gate("Backstage")
				return gate.Scan{Code: code(tk), Gate: "North", List: h.list(gate.Input{Rules: gate.Rules{Gates: []id.Gate{g.ID}}}).ID}
			}},
			{"a list that opens later", gate.NotYet, "list_not_open", true, func(tk id.Ticket) gate.Scan {
				return gate.Scan{Code: code(tk), List: h.list(gate.Input{OpensAt: time.Now().Add(time.Hour)}).ID}
			}},
			{"a list that has closed", gate.TooLate, "list_closed", true, func(tk id.Ticket) gate.Scan {
				return gate.Scan{Code: code(tk), List: h.list(gate.Input{ClosesAt: time.Now().Add(-time.Hour)}).ID}
			}},
		} {
			tk := h.ticket()
			s := c.scan(tk)
			h.log.take()
			o := h.scan(s)
			if o.Status != c.status || o.Reason != c.reason || (o.Ticket != nil) != c.shown {
				t.Errorf("%s: %s (%s), shown %v; want %s (%s), %v", c.name, o.Status, o.Reason, o.Ticket != nil, c.status, c.reason, c.shown)
			}
			if k := h.log.kinds(); k != "denied" || h.inside(tk) {
				t.Errorf("%s: facts %q, inside %v; want denied and outside", c.name, k, h.inside(tk))
			}
		}
		h.audit()
	})
}

func TestPeopleComeInAgainWhereTheListSaysSo(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		l := h.list(gate.Input{Policy: gate.Reentry, Standard: true})
		tk := h.ticket()
		go1 := func(d gate.Direction) gate.Outcome { return h.scan(gate.Scan{Code: code(tk), Direction: d}) }
		want(t, go1(gate.Exit), gate.CheckedOut, "not_inside")
		want(t, go1(gate.Entry), gate.CheckedIn, "")
		want(t, go1(gate.Entry), gate.Already, "already_inside")
		want(t, go1(gate.Exit), gate.CheckedOut, "")
		if h.inside(tk) {
			t.Error("the ticket is inside after it left")
		}
		o := go1(gate.Entry)
		want(t, o, gate.CheckedIn, "")
		if o.Checkin.Entry != 2 || o.Checkin.ListID != l.ID {
			t.Errorf("entry %d on list %s, want the second on %s", o.Checkin.Entry, o.Checkin.ListID, l.ID)
		}
		if k := h.log.kinds(); k != "exited admitted denied exited readmitted" {
			t.Errorf("facts: %s", k)
		}
		h.audit()
	})
}

func TestSingleEntryListAdmitsNobodyTwice(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.ticket()
		want(t, h.scan(gate.Scan{Code: code(tk)}), gate.CheckedIn, "")
		want(t, h.scan(gate.Scan{Code: code(tk), Direction: gate.Exit}), gate.CheckedOut, "")
		want(t, h.scan(gate.Scan{Code: code(tk)}), gate.Already, "used")
		want(t, h.scan(gate.Scan{Ticket: tk, Force: true, Note: "came out to smoke"}), gate.CheckedIn, "")
		want(t, h.scan(gate.Scan{Ticket: tk, Force: true, Note: "again"}), gate.Already, "already_inside")
		if _, err := h.ask(gate.Scan{Ticket: tk, Force: true}); !problem.Is(err, "validation_failed") {
			t.Errorf("Force without a note = %v, want a field error", err)
		}
		h.audit()
	})
}

func TestLimitsOfAList(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		for name, c := range map[string]struct {
			rules  gate.Rules
			gates  [3]string
			second string // why the second entry is refused, "" when it is not
			third  string
		}{
			"a day":  {gate.Rules{PerDay: 2}, [3]string{"A", "A", "A"}, "", "per_day"},
			"a gate": {gate.Rules{PerGate: 1}, [3]string{"A", "B", "A"}, "", "per_gate"},
			"a time": {gate.Rules{MinMinutes: 5}, [3]string{"A", "A", "A"}, "too_soon", "too_soon"},
		} {
			l := h.list(gate.Input{Policy: gate.Reentry, Rules: c.rules})
			tk := h.ticket()
			for i, reason := range []string{"", c.second, c.third} {
				o := h.scan(gate.Scan{Code: code(tk), List: l.ID, Gate: c.gates[i]})
				if reason == "" {
					want(t, o, gate.CheckedIn, "")
					h.scan(gate.Scan{Code: code(tk), List: l.ID, Direction: gate.Exit})
				} else if o.Status != gate.Limit || o.Reason != reason {
					t.Errorf("%s: entry %d is %s (%s), want limit (%s)", name, i+1, o.Status, o.Reason, reason)
				}
			}
		}
		h.audit()
	})
}

func TestRepeatedNonceHasOneEffect(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk, other := h.ticket(), h.ticket()
		a := h.scan(gate.Scan{Code: code(tk), Nonce: "n1"})
		b := h.scan(gate.Scan{Code: code(tk), Nonce: "n1"})
		if b.Status != gate.CheckedIn || b.Checkin.ID != a.Checkin.ID || b.Ticket == nil {
			t.Errorf("the repeated scan is %s of %s, want checked_in of %s", b.Status, b.Checkin.ID, a.Checkin.ID)
		}
		want(t, h.scan(gate.Scan{Code: code(tk), Nonce: "n2"}), gate.Already, "already_inside")
		again := h.scan(gate.Scan{Code: code(tk), Nonce: "n2"})
		if want(t, again, gate.Already, "already_inside"); again.First == nil || again.First.ID != a.Checkin.ID {
			t.Errorf("the repeated refusal names %+v", again.First)
		}
		if _, err := h.ask(gate.Scan{Code: code(other), Nonce: "n1"}); !problem.Is(err, "nonce_reused") {
			t.Errorf("another code with the same nonce = %v, want nonce_reused", err)
		}
		want(t, h.scan(gate.Scan{Code: code(other), Nonce: "n1", By: gate.By{ID: "key_2"}}), gate.CheckedIn, "")
		if k := h.log.kinds(); k != "admitted denied admitted" {
			t.Errorf("facts: %s", k)
		}
	})
}

func TestUndoneEntryIsAsIfItHadNotBeen(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.ticket()
		o := h.scan(gate.Scan{Code: code(tk)})
		undo := func(c id.Checkin) error {
			return h.try(func(tx *db.Tx) error { return h.door.Undo(tx, house, c) })
		}
		for range 2 {
			if err := undo(o.Checkin.ID); err != nil {
				t.Fatal(err)
			}
		}
		if h.inside(tk) {
			t.Error("the ticket is inside after its entry was undone")
		}
		want(t, h.scan(gate.Scan{Code: code(tk)}), gate.CheckedIn, "")
		if k := h.log.kinds(); k != "admitted undone admitted" {
			t.Errorf("facts: %s", k)
		}
		no := h.scan(gate.Scan{Code: code(tk)})
		if err := undo(no.Checkin.ID); !problem.Is(err, "nothing_to_undo") {
			t.Errorf("Undo of a refusal = %v, want nothing_to_undo", err)
		}
		h.audit()
	})
}

func TestTenScannersAdmitACodeOnce(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		rounds := long(1000, 50)
		for _, tk := range h.buy("E", "B", rounds) {
			var all sync.WaitGroup
			var got [10]gate.Outcome
			start := make(chan struct{})
			for i := range got {
				all.Go(func() {
					<-start
					var err error
					if got[i], err = h.ask(gate.Scan{Code: code(tk), By: gate.By{ID: "dev_" + string(rune('a'+i))}}); err != nil {
						t.Error(err)
					}
				})
			}
			close(start)
			all.Wait()
			in := 0
			for _, o := range got {
				switch o.Status {
				case gate.CheckedIn:
					in++
				case gate.Already:
				default:
					t.Errorf("a scanner was told %s", o.Status)
				}
			}
			if in != 1 {
				t.Fatalf("%d of ten scanners admitted the ticket, want one", in)
			}
		}
		if n := strings.Count(" "+h.log.kinds()+" ", " admitted"); n != rounds {
			t.Errorf("%d facts checkin.admitted, want %d", n, rounds)
		}
		h.audit()
	})
}

func TestDefaultListIsNotChangedUnderPeople(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		h.scan(gate.Scan{Code: code(h.ticket())})
		make := func(in gate.Input) error {
			return h.try(func(tx *db.Tx) error { _, err := gate.CreateList(tx, house, in); return err })
		}
		if err := make(gate.Input{Event: "E", Name: "Main", Standard: true}); !problem.Is(err, "list_in_use") {
			t.Errorf("a default after people came in = %v, want list_in_use", err)
		}
		h.event("F")
		l := h.list(gate.Input{Event: "F", Standard: true})
		if err := make(gate.Input{Event: "F", Name: "Main", Standard: true}); !problem.Is(err, "default_exists") {
			t.Errorf("a second default = %v, want default_exists", err)
		}
		h.scan(gate.Scan{Code: code(h.buy("F", "B", 1)[0])})
		err := h.try(func(tx *db.Tx) error {
			_, err := gate.UpdateList(tx, house, l.ID, gate.ListChange{Apply: func(in *gate.Input) { in.Policy = gate.Reentry }})
			return err
		})
		if !problem.Is(err, "list_in_use") {
			t.Errorf("another policy after people came in = %v, want list_in_use", err)
		}
		if err := h.try(func(tx *db.Tx) error { return gate.DeleteList(tx, house, l.ID, 0) }); !problem.Is(err, "list_in_use") {
			t.Errorf("the end of a list that people came in by = %v, want list_in_use", err)
		}
	})
}

func TestStaffFindTickets(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		all := h.buy("E", "B", 2)
		name := "Åse Berg_100%"
		h.write(func(tx *db.Tx) error {
			_, _, err := h.roll.SetHolder(tx, house, all[0], ticket.HolderChange{Name: &name})
			return err
		})
		one, err := ticket.ByID(h.db.Read(t.Context()), house, all[0])
		if err != nil {
			t.Fatal(err)
		}
		for text, n := range map[string]int{"berg_1": 1, "BERG": 1, "kari@": 2, "%": 1, "nobody": 0, string(one.OrderID): 2} {
			found, err := ticket.Search(h.db.Read(t.Context()), house, one.EventNo, text, 10)
			if err != nil || len(found) != n {
				t.Errorf("Search(%q) finds %d tickets (%v), want %d", text, len(found), err, n)
			}
		}
	})
}

func TestTwoNodesAdmitACodeOnce(t *testing.T) {
	c := dbtest.PostgreSQL(t)
	one := open(t, dbtest.Open(t, c))
	other, err := db.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	two := *one
	two.db = other
	for _, tk := range one.buy("E", "B", long(200, 20)) {
		var all sync.WaitGroup
		var got [8]gate.Outcome
		for i := range got {
			node := one
			if i%2 == 1 {
				node = &two
			}
			all.Go(func() {
				var err error
				if got[i], err = node.ask(gate.Scan{Code: code(tk), By: gate.By{ID: "dev_" + string(rune('a'+i))}}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		in := 0
		for _, o := range got {
			if o.Status == gate.CheckedIn {
				in++
			}
		}
		if in != 1 {
			t.Fatalf("two nodes admitted the ticket %d times, want once", in)
		}
	}
	one.audit()
}

func TestCheckinKnowsWhichCodeWasPresented(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		one, other := h.ticket(), h.ticket()
		coded := h.scan(gate.Scan{Code: code(one)}).Checkin
		ended := h.scan(gate.Scan{Code: code(one) + "\r\n"}).Checkin
		byHand := h.scan(gate.Scan{Ticket: other}).Checkin
		for _, c := range []*gate.Checkin{coded, ended, byHand} {
			c, err := gate.ByID(h.db.Read(t.Context()), house, c.ID) // as whoever follows the ledger finds it
			if err != nil {
				t.Fatal(err)
			}
			if want := c.ID != byHand.ID; c.Coded() != want || c.Presented(code(one)) != want {
				t.Errorf("check-in %s: coded %v, presented %v; want %v both", c.ID, c.Coded(), c.Presented(code(one)), want)
			}
			if c.Presented(code(other)) || c.Presented("") {
				t.Errorf("check-in %s was presented by another code, or none", c.ID)
			}
		}
	})
}
