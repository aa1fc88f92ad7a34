package pass_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func TestPassesOfTransferredAndVoidTicketsExpire(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one, other := h.ticket("E"), h.ticket("E")
		old, also, stays := h.apple(one), h.google(one), h.apple(other)
		h.put(old, "phone")
		h.transfer(one)
		young := h.apple(one)
		h.put(young, "newphone")
		h.follow()
		for _, p := range []*pass.Pass{old, also} {
			if now := h.now(p); now.Active() || now.ExpireAction != pass.Transferred {
				t.Errorf("a pass of the holder before is active %t (%s)", now.Active(), now.ExpireAction)
			}
		}
		for _, p := range []*pass.Pass{young, stays} {
			if now := h.now(p); !now.Active() {
				t.Errorf("the pass of generation %d of %s expired: %s", p.Generation, p.TicketID, now.ExpireAction)
			}
		}
		if diff := cmp.Diff([]string{"pass.created 1", "registration.added 2", "pass.expired 3 TRANSFERRED"}, h.told(old)); diff != "" {
			t.Errorf("facts about the pass of before (-want +got):\n%s", diff)
		}
		h.take(h.taken...)
		h.cancel(one)
		h.follow()
		h.take(h.taken...)
		if diff := cmp.Diff([]string{"pass.created 1", "registration.added 2", "pass.expired 3 TICKET_VOID"}, h.told(young)); diff != "" {
			t.Errorf("facts about the pass of a ticket that was cancelled (-want +got):\n%s", diff)
		}
		if got := len(h.told(old)); got != 3 {
			t.Errorf("a pass that had expired has %d facts, want 3", got)
		}
		h.audit()
	})
}

// A correction of the holder's address keeps the ticket's codes and its generation, but not the passes of whoever had the address before.
func TestPassesOfACorrectedHolderExpire(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		old := h.apple(one)
		correct := func(c ticket.HolderChange) {
			h.write(func(tx *db.Tx) error {
				_, _, err := h.roll.SetHolder(tx, h.org, one, c)
				return err
			})
		}
		correct(ticket.HolderChange{Name: set("Kari N.")})
		h.follow()
		if now := h.now(old); !now.Active() {
			t.Fatalf("another name has the pass expire: %s", now.ExpireAction)
		}
		correct(ticket.HolderChange{Email: set("ola@example.test")})
		young := h.apple(one)
		h.follow()
		h.take(h.taken...)
		if now := h.now(old); now.Active() || now.ExpireAction != pass.Transferred {
			t.Errorf("the pass of the address before is active %t (%s)", now.Active(), now.ExpireAction)
		}
		if now := h.now(young); !now.Active() {
			t.Errorf("the pass that was made for the new address expired: %s", now.ExpireAction)
		}
		h.audit()
	})
}

// changed are the serials of a device's passes that it has to fetch, and the tag to ask with the next time.
func (h *tour) changed(device string, since int64) ([]string, int64) {
	h.t.Helper()
	serials, tag, err := pass.Changed(h.q(), device, since)
	if err != nil {
		h.t.Fatal(err)
	}
	return serials, max(tag, since)
}

func TestDevicesAreToldOfWhatChanges(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		p, g := h.apple(one), h.google(one)
		h.put(p, "phone")
		h.event("F")
		elsewhere := h.apple(h.ticket("F"))
		h.put(elsewhere, "phone")
		h.follow()
		service, google := &apns{}, &cloud{}
		h.run(pass.SenderConfig{Pusher: service, Syncer: google})
		h.await("the queue to be empty", func() bool { return h.count(`pass_pushes`) == 0 })
		google.take()
		_, tag := h.changed("phone", 0)
		class, object := "class Harbor Hall E ", "object "+string(g.ID)
		for _, step := range []struct {
			name string
			do   func()
			told bool
			want []string // that Google is told
		}{
			{"another name", func() { h.change("E", event.Patch{Name: set("Jazz")}) }, true, []string{class + "Jazz"}},
			{"another start", func() { h.change("E", event.Patch{StartLocal: set("2099-08-15T20:30:00")}) }, true, []string{class + "Jazz", object}},
			{"another end of the sale", func() { h.change("E", event.Patch{OffSaleAt: set(time.Date(2099, 8, 1, 0, 0, 0, 0, time.UTC))}) }, false, nil},
			{"postponed", func() { h.change("E", event.Patch{Status: set(event.Postponed)}) }, true, []string{class + "Jazz", object}},
			{"another holder", func() {
				h.write(func(tx *db.Tx) error {
					_, _, err := h.roll.SetHolder(tx, h.org, one, ticket.HolderChange{Name: set("Kari")})
					return err
				})
			}, true, []string{object}},
			{"blocked", func() {
				h.write(func(tx *db.Tx) error {
					_, _, err := h.roll.Block(tx, h.org, one, 0)
					return err
				})
			}, true, []string{object}},
			{"good again", func() {
				h.write(func(tx *db.Tx) error {
					_, _, err := h.roll.Unblock(tx, h.org, one, 0)
					return err
				})
			}, true, []string{object}},
			{"cancelled", func() { h.change("E", event.Patch{Status: set(event.Cancelled)}) }, true, []string{class + "Jazz", object}},
		} {
			pushed, modified := service.of("phone"), h.now(p).ModifiedAt
			step.do()
			h.follow()
			h.await(step.name+" to be told", func() bool { return h.count(`pass_pushes`) == 0 })
			var serials, want []string
			serials, tag = h.changed("phone", tag)
			if step.told {
				pushed++
				want = []string{p.Serial}
			}
			if diff := cmp.Diff(want, serials); diff != "" {
				t.Errorf("%s: passes to fetch (-want +got):\n%s", step.name, diff)
			}
			if got := service.of("phone"); got != pushed {
				t.Errorf("%s: the phone was pushed %d times, want %d", step.name, got, pushed)
			}
			if moved := h.now(p).ModifiedAt.After(modified); moved != step.told {
				t.Errorf("%s: the pass is of another second: %t, want %t", step.name, moved, step.told)
			}
			told := map[string]bool{}
			for _, one := range google.take() {
				told[one] = true
			}
			wantTold := map[string]bool{}
			for _, one := range step.want {
				wantTold[one] = true
			}
			if diff := cmp.Diff(wantTold, told); diff != "" {
				t.Errorf("%s: Google was told (-want +got):\n%s", step.name, diff)
			}
		}
		if diff := cmp.Diff([]string{"pass.created 1", "registration.added 2"}, h.told(p)); diff != "" {
			t.Errorf("facts about a pass whose ticket and event changed (-want +got):\n%s", diff)
		}
		h.audit()
	})
}

// What has expired is not told of anything, and what nobody has a pass of costs nothing.
func TestChangesWithoutPassesAreNothing(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		h.change("E", event.Patch{Name: set("Jazz")})
		h.follow()
		p := h.apple(one)
		h.put(p, "phone")
		h.write(func(tx *db.Tx) error {
			_, err := h.book.Expire(tx, h.org, p.ID, pass.UserRevoke)
			return err
		})
		h.exec(`DELETE FROM pass_pushes`)
		h.change("E", event.Patch{Name: set("Blues")})
		h.follow()
		if waves, pushes := h.count(`pass_waves`), h.count(`pass_pushes`); waves+pushes != 0 {
			t.Errorf("there are %d waves and %d pushes, want none", waves, pushes)
		}
	})
}

// code is what a ticket's QR code says.
func (h *tour) code(t id.Ticket) string {
	h.t.Helper()
	is, err := ticket.ByID(h.q(), h.org, t)
	if err != nil {
		h.t.Fatal(err)
	}
	codes, err := h.roll.CodesOf(h.t.Context(), h.q(), is, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	return codes.Text
}

// scan presents something at the door.
func (h *tour) scan(s gate.Scan) gate.Outcome {
	h.t.Helper()
	s.By.ID = "key_1"
	if err := h.door.Look(h.t.Context(), h.q(), h.org, &s, time.Now()); err != nil {
		h.t.Fatal(err)
	}
	var o gate.Outcome
	h.write(func(tx *db.Tx) (err error) {
		o, err = h.door.Scan(tx, h.org, s)
		return err
	})
	return o
}

// scans are what was answered when a pass was scanned, and where.
func (h *tour) scans(p *pass.Pass) []pass.ScanRecord {
	h.t.Helper()
	all, err := pass.History(h.q(), h.org, p, time.Time{}, time.Time{})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func TestCheckinsWithAPassAreScans(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		installed, newest := h.apple(one), h.apple(one)
		h.put(installed, "phone")
		own := h.make(pass.Input{Platform: pass.Apple, Ticket: one, Barcode: &pass.Barcode{Message: "OWN"}})
		h.put(own, "otherphone")
		code := h.code(one)
		first := h.scan(gate.Scan{Code: code + "\n"}).Checkin
		again := h.scan(gate.Scan{Code: code}).Checkin
		h.scan(gate.Scan{Ticket: one})
		h.scan(gate.Scan{Code: "OWN"})
		h.scan(gate.Scan{Code: code, Direction: gate.Exit})
		h.follow()
		h.take(h.taken...)
		want := []pass.ScanRecord{{At: first.At, Said: "checked_in", CheckinID: first.ID}, {At: again.At, Said: "already_checked_in", CheckinID: again.ID}}
		if diff := cmp.Diff(want, h.scans(installed)); diff != "" {
			t.Errorf("scans of the pass that is on a phone (-want +got):\n%s", diff)
		}
		if now := h.now(installed); now.Scans != 2 || !now.LastScannedAt.Equal(again.At) {
			t.Errorf("the pass counts %d scans, the last at %v; want 2, at %v", now.Scans, now.LastScannedAt, again.At)
		}
		for _, p := range []*pass.Pass{newest, own} {
			if all := h.scans(p); len(all) != 0 {
				t.Errorf("another pass of the ticket was scanned: %+v", all)
			}
		}
		h.cancel(one)
		h.follow()
		late := h.scan(gate.Scan{Code: code}).Checkin
		h.follow()
		if all := h.scans(installed); len(all) != 3 || all[2].CheckinID != late.ID || all[2].Said != "cancelled" {
			t.Errorf("scans with that of the cancelled ticket's pass: %+v", all)
		}
		h.audit()
	})
}

// Which of a transferred ticket's passes was scanned is told by its code, whatever has become of it before the follower comes by.
func TestScanBeforeATransferIsOfThePassOfThen(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		old := h.apple(one)
		before := h.scan(gate.Scan{Code: h.code(one), Event: "F"}).Checkin
		h.transfer(one)
		young := h.apple(one)
		after := h.scan(gate.Scan{Code: h.code(one)}).Checkin
		h.follow()
		if all := h.scans(old); len(all) != 1 || all[0].CheckinID != before.ID {
			t.Errorf("scans of the pass of before: %+v, want %s", all, before.ID)
		}
		if all := h.scans(young); len(all) != 1 || all[0].CheckinID != after.ID {
			t.Errorf("scans of the pass of now: %+v, want %s", all, after.ID)
		}
	})
}

func TestRotatingCodesAreOfGooglesPass(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		h.write(func(tx *db.Tx) error { return h.roll.Rotate(tx, h.org, "E", 0) })
		one, two := h.ticket("E"), h.ticket("E")
		p := h.google(one)
		for _, of := range []id.Ticket{one, two} {
			if o := h.scan(gate.Scan{Code: h.code(of)}); o.Status != gate.CheckedIn {
				t.Fatalf("the door said %s (%s)", o.Status, o.Reason)
			}
		}
		h.follow()
		if all := h.scans(p); len(all) != 1 || all[0].Said != "checked_in" {
			t.Errorf("scans of Google's pass: %+v, want one", all)
		}
	})
}

// A holder before, whose pass has not expired yet, was not at the door with the code of the one after.
func TestRotatingCodesAreNotOfTheHolderBefore(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		h.write(func(tx *db.Tx) error { return h.roll.Rotate(tx, h.org, "E", 0) })
		one := h.ticket("E")
		old := h.google(one)
		h.transfer(one)
		if o := h.scan(gate.Scan{Code: h.code(one)}); o.Status != gate.CheckedIn {
			t.Fatalf("the door said %s (%s)", o.Status, o.Reason)
		}
		h.follow()
		if all := h.scans(old); len(all) != 0 {
			t.Errorf("scans of the pass of the holder before: %+v, want none", all)
		}
		young := h.google(one)
		if o := h.scan(gate.Scan{Code: h.code(one)}); o.Status != gate.Already {
			t.Errorf("the door said %s (%s)", o.Status, o.Reason)
		}
		h.follow()
		if all := h.scans(young); len(all) != 1 || len(h.scans(old)) != 0 {
			t.Errorf("scans of the pass of now: %+v, want one", all)
		}
	})
}

func TestFactsOfNothingArePassedOver(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		for _, k := range pass.Kinds() {
			h.take(
				&fact.Fact{Org: h.org, Kind: k, Subject: "none", Data: []byte(`{"ticketId":"tkt_06mykbdmkmkm05a4t4jdkj8zvr","checkinId":"chk_0","eventId":"X"}`)},
				&fact.Fact{Org: h.org + 1, Kind: k, Subject: "E", Data: []byte(`{"eventId":"E"}`)})
		}
		if n := h.count(`passes`); n != 0 {
			t.Errorf("there are %d passes", n)
		}
	})
}

// As the program does it: each fact has its effect once, in the transaction that moves the cursor.
func TestBookFollowsTheLedger(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		p := h.apple(one)
		stop := h.runFollower()
		defer stop()
		h.cancel(one)
		h.await("the pass to expire", func() bool { return !h.now(p).Active() })
		if got := h.now(p).ExpireAction; got != pass.TicketVoid {
			t.Errorf("it expired because of %s", got)
		}
	})
}

// runFollower has the book follow the ledger as the program does, until stop.
func (h *tour) runFollower() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- h.ledger.Follow(ctx, ledger.Follower{Name: "pass", Kinds: pass.Kinds(), Step: h.book.Follow, Log: slog.New(slog.DiscardHandler)})
	}()
	return func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("Follow: %v", err)
		}
	}
}
