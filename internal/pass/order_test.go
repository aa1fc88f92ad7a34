package pass_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// Two nodes change the same passes, one by one and as a follower and a wave do, and never wait for each other in a circle.
func TestNodesLockInOneOrder(t *testing.T) {
	c := dbtest.PostgreSQL(t)
	h, other := newTour(t, dbtest.Open(t, c)), dbtest.Open(t, c)
	one := h.ticket("E")
	all := h.crowd(one, 20)
	h.follow()
	h.write(func(tx *db.Tx) error { _, _, err := h.roll.Block(tx, h.org, one, 0); return err })
	deadlocks := func() int {
		n, err := db.One(h.q(), db.Value[int], `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	h.follow()
	facts := h.taken
	var nodes sync.WaitGroup
	try := func(d *db.DB, do func(tx *db.Tx) error) {
		if err := d.Write(t.Context(), "", do); err != nil {
			t.Error(err)
		}
	}
	nodes.Go(func() {
		for n := range 60 {
			p := all[n%len(all)]
			try(h.db, func(tx *db.Tx) error {
				_, err := h.book.Update(tx, h.org, p.ID, pass.Change{Design: &pass.Design{LogoText: fmt.Sprint(n)}})
				return err
			})
			try(h.db, func(tx *db.Tx) error { _, err := h.book.Register(tx, p.Serial, fmt.Sprint("x", n%15), "x"); return err })
		}
	})
	nodes.Go(func() {
		for range 60 {
			try(other, func(tx *db.Tx) error { return h.book.Follow(tx, facts) })
			try(other, func(tx *db.Tx) error { return h.book.Refresh(tx, h.org, "E") })
			try(other, func(tx *db.Tx) error { _, err := h.book.Carry(tx, h.org, all[0].EventNo); return err })
		}
	})
	nodes.Wait()
	if n := deadlocks(); n != 0 {
		t.Errorf("there were %d deadlocks", n)
	}
	h.audit()
}

// What changed by itself goes before a wave, for a device that the wave has come to already.
func TestChangeOvertakesWave(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		p := h.apple(h.ticket("E"))
		h.put(p, "phone")
		h.follow()
		h.write(func(tx *db.Tx) error { return h.book.Refresh(tx, h.org, "E") })
		h.write(func(tx *db.Tx) error { _, err := h.book.Carry(tx, h.org, p.EventNo); return err })
		if n := h.count(`pass_pushes WHERE due_at > 0`); n != 1 {
			t.Fatalf("the wave has queued %d pushes, want 1", n)
		}
		h.write(func(tx *db.Tx) error {
			_, err := h.book.Update(tx, h.org, p.ID, pass.Change{Redesign: func(d *pass.Design) error { d.LogoText = "new"; return nil }})
			return err
		})
		if n := h.count(`pass_pushes WHERE due_at = 0`); n != 1 || h.now(p).Design.LogoText != "new" {
			t.Errorf("%d pushes go before waves, want 1", n)
		}
	})
}

func TestPassMadeWhileItsEventMovesLearnsItsEnd(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		p := h.apple(h.ticket("E"))
		h.change("E", event.Patch{StartLocal: set("2098-08-14T20:30:00")})
		h.follow()
		over := time.Date(2098, 8, 16, 0, 30, 0, 0, time.UTC).UnixMicro() // a day after its end, which is six hours after 20:30 in Oslo
		h.exec(`UPDATE passes SET over_at = 1`)                           // as one that saw another day
		for _, f := range h.taken {
			if f.Kind == "pass.created" {
				h.take(f)
			}
		}
		if n := h.count(`passes WHERE pass_no = $1 AND over_at = $2`, p.No, over); n != 1 {
			t.Error("the pass does not know when it is over")
		}
	})
}

// A wave that cannot be carried on holds up none of the others.
func TestWaveThatFailsStopsNoOther(t *testing.T) {
	h := newTour(t, dbtest.Open(t, dbtest.PostgreSQL(t)))
	h.event("F")
	bad, good := h.apple(h.ticket("E")), h.apple(h.ticket("F"))
	h.put(good, "phone")
	h.follow()
	h.exec(`UPDATE passes SET modified_at = 9223372036854775807 WHERE pass_no = $1`, bad.No) // there is no second after that
	h.write(func(tx *db.Tx) error { return h.book.Refresh(tx, h.org, "E") })
	h.write(func(tx *db.Tx) error { return h.book.Refresh(tx, h.org, "F") })
	service := &apns{}
	h.run(pass.SenderConfig{Pusher: service})
	h.await("the other's device to be told", func() bool { return service.of("phone") == 1 })
	if n := h.count(`pass_waves`); n != 1 {
		t.Errorf("there are %d waves, want the one that fails", n)
	}
}

// What changes while a push of it fails is told at once, however long the old one would have waited.
func TestNewChangeDoesNotInheritBackoff(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		p := h.apple(h.ticket("E"))
		h.put(p, "phone")
		h.follow()
		change := func() error {
			return h.try(func(tx *db.Tx) error {
				_, err := h.book.Update(tx, h.org, p.ID, pass.Change{Redesign: func(d *pass.Design) error { d.LogoText += "x"; return nil }})
				return err
			})
		}
		var first sync.Once
		service := &apns{answer: func(context.Context, string) (r pass.Result) {
			first.Do(func() {
				r = pass.Result{Verdict: pass.Later, After: time.Hour}
				if err := change(); err != nil {
					t.Error(err)
				}
			})
			return r
		}}
		h.run(pass.SenderConfig{Pusher: service})
		if err := change(); err != nil {
			t.Fatal(err)
		}
		h.await("the new change to be told", func() bool { return h.count(`pass_pushes`) == 0 })
	})
}
