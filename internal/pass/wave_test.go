package pass_test

import (
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const many = 1_300

func TestWaveComesToEveryPassOnce(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		all := h.crowd(h.ticket("E"), many)
		h.follow()
		h.change("E", event.Patch{Name: set("Jazz")})
		h.follow()
		if waves, pushes := h.count(`pass_waves`), h.count(`pass_pushes`); waves != 1 || pushes != 0 {
			t.Fatalf("after the follower's step there are %d waves and %d pushes, want 1 and none", waves, pushes)
		}
		service := &apns{}
		h.run(pass.SenderConfig{Pusher: service})
		h.await("everybody to be told", func() bool { return h.count(`pass_waves`)+h.count(`pass_pushes`) == 0 })
		if tokens, pushes := service.counts(); tokens != many || pushes != many {
			t.Errorf("%d devices were pushed %d times, want %d once each", tokens, pushes, many)
		}
		for _, p := range []*pass.Pass{all[0], all[many/2], all[many-1]} {
			if serials, _ := h.changed("d"+p.Serial, 0); len(serials) != 1 {
				t.Errorf("a device finds %d passes that have changed, want 1", len(serials))
			}
		}
		if n := h.count(`facts WHERE kind LIKE 'pass.%'`); n != many {
			t.Errorf("there are %d facts about passes, want %d: a changed event is none of a pass's", n, many)
		}
		h.audit()
	})
}

// touched counts the passes that have changed since they were made, and how often all of them did.
func (h *tour) touched() (passes, tags int) {
	h.t.Helper()
	tags, err := db.One(h.q(), db.Value[int], `SELECT tag FROM pass_clock`)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.count(`passes WHERE tag > 0`), tags
}

func TestWaveThatIsOvertakenBeginsAgain(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		all := h.crowd(h.ticket("E"), many)
		carry := func() (moved bool) {
			h.write(func(tx *db.Tx) (err error) {
				moved, err = h.book.Carry(tx, h.org, all[0].EventNo)
				return err
			})
			return moved
		}
		h.follow()
		h.change("E", event.Patch{StartLocal: set("2099-08-15T20:30:00")})
		h.follow()
		carry()
		if n, _ := h.touched(); n != pass.AtOnce {
			t.Fatalf("a step came to %d passes, want %d", n, pass.AtOnce)
		}
		h.change("E", event.Patch{Name: set("Jazz")})
		h.follow()
		steps := 0
		for carry() {
			steps++
		}
		if n, tags := h.touched(); n != many || steps != 3 || tags != 4 {
			t.Errorf("%d steps after the second change all came to %d passes with %d tags, want 3, %d and 4", steps, n, tags, many)
		}
		if n := h.count(`passes WHERE over_at > $1`, all[0].CreatedAt.UnixMicro()); n != many {
			t.Errorf("%d passes know when their event is over, want %d", n, many)
		}
		if n := h.count(`pass_pushes WHERE again = 1`); n != pass.AtOnce {
			t.Errorf("%d pushes say that there is something new again, want those of the first step, %d", n, pass.AtOnce)
		}
	})
}

// A pass that was made when the wave had begun shows the event as it is.
func TestWaveLeavesLaterPassesAlone(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		all := h.crowd(one, pass.AtOnce+1)
		h.follow()
		h.change("E", event.Patch{Name: set("Jazz")})
		h.follow()
		later := h.apple(one)
		h.write(func(tx *db.Tx) error {
			_, err := h.book.Expire(tx, h.org, all[0].ID, pass.UserRevoke)
			return err
		})
		h.run(pass.SenderConfig{})
		h.await("the wave to end", func() bool { return h.count(`pass_waves`) == 0 })
		if n := h.count(`passes WHERE tag > 0`); n != pass.AtOnce+1 || !h.now(later).ModifiedAt.Equal(later.ModifiedAt) {
			t.Errorf("%d passes have changed, want %d", n, pass.AtOnce+1)
		}
	})
}

func TestDesignOfTheProjectIsAWave(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		g, p := h.google(one), h.make(pass.Input{Platform: pass.Apple, Barcode: &pass.Barcode{Message: "OWN"}})
		h.google(one)
		h.put(p, "phone")
		h.follow()
		h.write(func(tx *db.Tx) error { return h.book.SetProjectDesign(tx, h.org, pass.Design{LogoText: "Harbor"}) })
		service, google := &apns{}, &cloud{}
		h.run(pass.SenderConfig{Pusher: service, Syncer: google})
		h.await("everybody to be told", func() bool { return h.count(`pass_waves`)+h.count(`pass_pushes`) == 0 })
		if got := service.of("phone"); got != 1 {
			t.Errorf("the phone was pushed %d times, want once", got)
		}
		told := map[string]int{}
		for _, one := range google.take() {
			told[one]++
		}
		if len(told) != 3 || told["class Harbor Hall E Harbor Jazz Night"] != 1 || told["object "+string(g.ID)] != 1 {
			t.Errorf("Google was told %v", told)
		}
	})
}

func TestRefreshTellsEveryDevice(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		h.event("F")
		for device, e := range map[string]id.Event{"one": "E", "other": "F"} {
			h.put(h.apple(h.ticket(e)), device)
		}
		service := &apns{}
		h.run(pass.SenderConfig{Pusher: service})
		for i, e := range []id.Event{"E", ""} {
			h.write(func(tx *db.Tx) error { return h.book.Refresh(tx, h.org, e) })
			h.await("devices to be told", func() bool { return h.count(`pass_waves`)+h.count(`pass_pushes`) == 0 })
			if one, other := service.of("one"), service.of("other"); one != i+1 || other != i {
				t.Errorf("the devices were told %d and %d times, want %d and %d", one, other, i+1, i)
			}
		}
		if err := h.try(func(tx *db.Tx) error { return h.book.Refresh(tx, h.org, "G") }); !problem.Is(err, "event_not_found") {
			t.Errorf("Refresh of no event: %v", err)
		}
	})
}

// The sender is woken for what the last step of a wave has queued, as for all before.
func TestLastStepOfAWaveRings(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		p := h.apple(h.ticket("E"))
		h.put(p, "phone")
		h.follow()
		h.write(func(tx *db.Tx) error { return h.book.Refresh(tx, h.org, "E") })
		rung, leave := h.book.Bell().Listen()
		defer leave()
		h.write(func(tx *db.Tx) error { _, err := h.book.Carry(tx, h.org, p.EventNo); return err })
		select {
		case <-rung:
		default:
			t.Error("nobody is woken")
		}
		if n := h.count(`pass_waves`); n != 0 {
			t.Errorf("%d waves are under way, want none", n)
		}
	})
}
