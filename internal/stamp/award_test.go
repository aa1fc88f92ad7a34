package stamp_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func TestAwardTwiceCountsOnce(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		one := h.earned(stamp.Rule{On: stamp.ByHand})
		first, err := h.award(one.ID, stamp.Award{Email: kari, Note: "thanks", Actor: "usr_x"})
		if err != nil || first.fact == nil || !first.Held() || first.Version != 1 {
			t.Fatalf("Award = %+v, %v", first, err)
		}
		for _, email := range []string{kari, strings.ToUpper(kari), strings.ToLower(kari)} {
			again, err := h.award(one.ID, stamp.Award{Email: email})
			if err != nil || again.fact != nil || again.ID != first.ID {
				t.Errorf("Award to %s again = %+v, %v; want the same stamp and no fact", email, again, err)
			}
		}
		h.has(kari, 1)
		if f := first.fact; f.Kind != fact.StampAwarded || f.Subject != string(first.ID) || strings.Contains(strings.ToLower(string(f.Data)), "kari") || strings.Contains(string(f.Data), "thanks") {
			t.Errorf("the fact is %s %s %s", f.Kind, f.Subject, f.Data)
		}
		awards, total, err := stamp.Awards(h.q(), one, stamp.Page{})
		if err != nil || total != 1 || awards[0].Note != "thanks" || awards[0].Actor != "usr_x" || awards[0].Person != person.Of(kari) {
			t.Errorf("Awards = %+v, %d, %v", awards, total, err)
		}
	})
}

func TestAwardsAtOnceCountOnce(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		one := h.earned(stamp.Rule{On: stamp.ByHand})
		var all sync.WaitGroup
		facts := make(chan bool, 40)
		for i := range cap(facts) {
			all.Go(func() {
				var got *fact.Fact
				var err error
				do := func(tx *db.Tx) (err error) {
					_, got, err = h.album.Award(tx, house, one.ID, stamp.Award{Email: kari})
					return err
				}
				if i%2 == 0 {
					err = h.db.Write(t.Context(), "", do)
				} else {
					err = h.db.WriteAlone(t.Context(), do)
				}
				if err != nil {
					t.Errorf("Award: %v", err)
				}
				facts <- got != nil
			})
		}
		all.Wait()
		close(facts)
		n := 0
		for told := range facts {
			if told {
				n++
			}
		}
		if diff := cmp.Diff([]string{"awarded 1"}, h.told()); n != 1 || diff != "" {
			t.Errorf("%d of 40 awards had an effect; facts (-want +got):\n%s", n, diff)
		}
		h.has(kari, 1)
	})
}

func TestWhoCanBeAwarded(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		once, every := h.earned(stamp.Rule{On: stamp.ByHand}), h.earned(stamp.Rule{On: stamp.ByCheckin})
		held, free := h.ticket("A", kari), h.ticket("A", ola)
		h.write(func(tx *db.Tx) error {
			_, err := ticket.Erase(tx, house, person.Of(ola), 10)
			return err
		})
		for name, tt := range map[string]struct {
			kind  id.StampType
			in    stamp.Award
			code  string
			wrong []string
		}{
			"nobody":                 {once.ID, stamp.Award{}, "", []string{"/email one_of"}},
			"two":                    {once.ID, stamp.Award{Email: kari, Ticket: held}, "", []string{"/email one_of"}},
			"no address":             {once.ID, stamp.Award{Email: "kari", Note: strings.Repeat("n", 1001)}, "", []string{"/note too_long", "/email invalid"}},
			"no event":               {every.ID, stamp.Award{Email: kari}, "", []string{"/eventId required"}},
			"another event":          {every.ID, stamp.Award{Ticket: held, Event: "B"}, "", []string{"/eventId another_event"}},
			"an event that is not":   {every.ID, stamp.Award{Email: kari, Event: "X"}, "event_not_found", nil},
			"a ticket that is not":   {every.ID, stamp.Award{Ticket: "tkt_x"}, "ticket_not_found", nil},
			"a ticket of nobody":     {every.ID, stamp.Award{Ticket: free}, "nobody_holds_it", nil},
			"a stamp that is not":    {"stt_x", stamp.Award{Email: kari}, "stamp_type_not_found", nil},
			"a stamp and no address": {"stt_x", stamp.Award{}, "stamp_type_not_found", nil},
		} {
			_, err := h.award(tt.kind, tt.in)
			if tt.code != "" {
				refused(t, "Award to "+name, err, tt.code)
			} else if diff := cmp.Diff(tt.wrong, faults(err)); diff != "" {
				t.Errorf("Award to %s (-want +got):\n%s", name, diff)
			}
		}
		h.has(kari, 0)
		got, err := h.award(every.ID, stamp.Award{Ticket: held})
		if err != nil || got.EventID != "A" || got.TicketID != held || got.Person != person.Of(kari) {
			t.Errorf("Award to a ticket's holder = %+v, %v", got, err)
		}
		if _, err := h.award(every.ID, stamp.Award{Email: kari, Event: "B"}); err != nil {
			t.Error(err)
		}
		if again, err := h.award(every.ID, stamp.Award{Email: kari, Event: "A"}); err != nil || again.fact != nil {
			t.Errorf("Award for A again = %+v, %v", again, err)
		}
		h.has(kari, 2)
	})
}

func TestWhatWasTakenAwayByHandComesBackByHandOnly(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		h.earned(stamp.Rule{On: stamp.ByCheckin, RevokeOnUndo: true})
		held := h.ticket("A", kari)
		h.enter(held, "A")
		one := h.has(kari, 1)[0]
		for i := range 2 {
			r, err := h.revoke(one.ID)
			if err != nil || (r.fact == nil) != (i > 0) || r.Held() {
				t.Errorf("Revoke = %+v, %v", r, err)
			}
		}
		h.enter(held, "A")
		h.has(kari, 0)
		if r, err := h.award(one.Type.ID, stamp.Award{Ticket: held}); err != nil || r.fact == nil || r.ID != one.ID || r.Version != 3 {
			t.Errorf("Award after Revoke = %+v, %v; want the same stamp, version 3", r, err)
		}
		h.has(kari, 1)
		if diff := cmp.Diff([]string{"awarded 1", "revoked 2", "awarded 3"}, h.told()); diff != "" {
			t.Errorf("facts (-want +got):\n%s", diff)
		}
		_, err := h.revoke("stp_x")
		refused(t, "Revoke of nothing", err, "stamp_not_found")
		_, err = h.revoke(id.Stamp("stp_\x00"))
		if problem.As(err) == nil {
			t.Errorf("Revoke of garbage: %v, want a problem", err)
		}
	})
}

// A stamp taken away by an undone check-in, and then by hand, stays away.
func TestByHandIsForGood(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		h.earned(stamp.Rule{On: stamp.ByCheckin, RevokeOnUndo: true})
		held := h.ticket("A", kari)
		c := h.enter(held, "A")
		one := h.has(kari, 1)[0]
		h.undo(c)
		if r, err := h.revoke(one.ID); err != nil || r.fact != nil {
			t.Errorf("Revoke of what was undone = %+v, %v; want no fact", r, err)
		}
		h.enter(held, "A")
		h.has(kari, 0)
	})
}

func TestOtherOrganisationsHaveNoneOfIt(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		one := h.earned(stamp.Rule{On: stamp.ByHand})
		given, err := h.award(one.ID, stamp.Award{Email: kari})
		if err != nil {
			t.Fatal(err)
		}
		const other = 2
		_, err = stamp.TypeByID(h.q(), other, one.ID)
		refused(t, "TypeByID elsewhere", err, "stamp_type_not_found")
		for what, do := range map[string]func(tx *db.Tx) error{
			"stamp_type_not_found": func(tx *db.Tx) error { return h.album.Delete(tx, other, one.ID, 0) },
			"stamp_not_found":      func(tx *db.Tx) error { _, _, err := h.album.Revoke(tx, other, given.ID); return err },
		} {
			refused(t, "elsewhere", h.try(do), what)
		}
		p, err := stamp.PassportOf(h.q(), other, person.Of(kari), stamp.Page{})
		if err != nil || p.Total != 0 || len(p.Collections) != 0 {
			t.Errorf("PassportOf elsewhere = %+v, %v", p, err)
		}
		h.has(kari, 1)
	})
}

func TestPassportSaysHowCompleteACollectionIs(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		var types []stamp.Type
		for i, in := range []stamp.Input{
			{Collection: "season"}, {Collection: "season"}, {Collection: "Art", Inactive: true}, {Collection: ""}, {Collection: "Barns"},
		} {
			in.Name, in.Rule = fmt.Sprint(i), stamp.Rule{On: stamp.ByHand}
			types = append(types, h.made(in))
		}
		give := func(i int) {
			if _, err := h.award(types[i].ID, stamp.Award{Email: kari}); err != nil {
				t.Fatal(err)
			}
		}
		see := func() (all []string) {
			for _, c := range h.passport(kari).Collections {
				n := 0
				for _, e := range c.Types {
					if e.Has {
						n++
					}
				}
				all = append(all, fmt.Sprintf("%s %d/%d", c.Name, n, len(c.Types)))
			}
			return all
		}
		give(0)
		give(3)
		if diff := cmp.Diff([]string{"Barns 0/1", "season 1/2"}, see()); diff != "" {
			t.Errorf("collections (-want +got):\n%s", diff)
		}
		give(1)
		give(2)
		if diff := cmp.Diff([]string{"Art 1/1", "Barns 0/1", "season 2/2"}, see()); diff != "" {
			t.Errorf("collections (-want +got):\n%s", diff)
		}
		for public, want := range map[bool]int{true: 2, false: 3} {
			if all, err := stamp.Collections(h.q(), house, public); err != nil || len(all) != want {
				t.Errorf("Collections(public %v) = %+v, %v; want %d", public, all, err, want)
			}
		}
		if p, err := stamp.PassportOf(h.q(), house, "", stamp.Page{}); err != nil || p.Total != 0 || len(p.Collections) != 2 {
			t.Errorf("PassportOf nobody = %+v, %v", p, err)
		}
	})
}

var errFull = errors.New("the disk is full")

// broken is a ledger that does not take facts.
type broken struct{}

func (broken) Append(*db.Tx, ...*fact.Fact) error { return errFull }

func TestAStampWithoutItsFactIsNotThere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		one := h.earned(stamp.Rule{On: stamp.ByCheckin})
		held := h.ticket("A", kari)
		album := stamp.New(broken{})
		for what, do := range map[string]func(tx *db.Tx) error{
			"Award": func(tx *db.Tx) error {
				_, _, err := album.Award(tx, house, one.ID, stamp.Award{Ticket: held})
				return err
			},
			"Follow": func(tx *db.Tx) error {
				return album.Follow(tx, []*fact.Fact{door(fact.CheckinAdmitted, "chk_1", held, "A")})
			},
		} {
			if err := h.try(do); !errors.Is(err, errFull) {
				t.Errorf("%s without a ledger: %v, want its error", what, err)
			}
		}
		h.has(kari, 0)
		if p := h.passport(kari); p.Checkins != 0 {
			t.Errorf("%d check-ins are counted", p.Checkins)
		}
	})
}

// TestStampsThatAreHeldAreListedByPages: each once, without those that were taken away.
func TestStampsThatAreHeldAreListedByPages(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		one, other := h.earned(stamp.Rule{On: stamp.ByHand}), h.earned(stamp.Rule{On: stamp.ByHand})
		var gone id.Stamp
		for i := range 5 {
			s, err := h.award(one.ID, stamp.Award{Email: fmt.Sprintf("guest%d@example.test", i)})
			if err != nil {
				t.Fatal(err)
			}
			if i == 2 {
				gone = s.ID
			}
		}
		if _, err := h.award(other.ID, stamp.Award{Email: kari}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.revoke(gone); err != nil {
			t.Fatal(err)
		}
		var who []string
		for before := int64(0); ; {
			page, err := stamp.Given(h.q(), one, before, 3)
			if err != nil || len(who) > 5 {
				t.Fatalf("Given = %d, %v", len(page), err)
			}
			for _, s := range page {
				who, before = append(who, string(s.Person)), s.No
			}
			if len(page) < 3 {
				break
			}
		}
		if want := []string{"guest4@example.test", "guest3@example.test", "guest1@example.test", "guest0@example.test"}; !slices.Equal(who, want) {
			t.Errorf("Given to %v, want %v", who, want)
		}
	})
}
