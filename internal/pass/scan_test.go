package pass_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func (h *hall) look(data string, at time.Time) pass.Scanned {
	h.t.Helper()
	s, err := h.book.Look(h.t.Context(), h.q(), house, data, at)
	if err != nil {
		h.t.Fatalf("Look: %v", err)
	}
	return s
}

func (h *hall) scan(s pass.Scanned) (p *pass.Pass) {
	h.t.Helper()
	h.write(func(tx *db.Tx) (err error) {
		p, err = h.book.Scan(tx, house, s)
		return err
	})
	return p
}

// says fails when a barcode is not that of the pass, or says something else of it.
func (h *hall) says(data string, of *pass.Pass, said string) {
	h.t.Helper()
	if s := h.look(data, time.Now()); s.Pass.ID != of.ID || s.Said != said || s.Valid != (said == "valid") {
		h.t.Errorf("Look: pass %d, %s, valid %v; want pass %d, %s", s.Pass.No, s.Said, s.Valid, of.No, said)
	}
}

func TestBarcodeLeadsToItsPass(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		first, second := h.plain(pass.Apple), h.plain(pass.Google)
		h.says("hello", second, "valid")
		h.says("hello\r\n", second, "valid")
		if s := h.look("hello", time.Now()); s.Message != "hello" {
			t.Errorf("the barcode says %q", s.Message)
		}
		if _, err := h.expire(second, pass.UserRevoke); err != nil {
			t.Fatal(err)
		}
		h.says("hello", first, "valid")
		if _, err := h.expire(first, pass.UserRevoke); err != nil {
			t.Fatal(err)
		}
		h.says("hello", second, "expired")
		for _, data := range []string{"", "hell", "hello ", "SD1:x", "\xff"} {
			_, err := h.book.Look(t.Context(), h.q(), house, data, time.Now())
			refused(t, "Look at "+data, err, "pass_not_found", problem.NotFound)
		}
		_, err := h.book.Look(t.Context(), h.q(), 2, "hello", time.Now())
		refused(t, "Look by another organisation", err, "pass_not_found", problem.NotFound)
	})
}

func TestTicketsCodeLeadsToItsPass(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.tickets(2)
		codes, err := h.roll.CodesOf(t.Context(), h.q(), tk[0], time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.book.Look(t.Context(), h.q(), house, codes.Text, time.Now())
		refused(t, "a ticket without a pass", err, "pass_not_found", problem.NotFound)
		h.of(tk[1], pass.Apple)
		p := h.of(tk[0], pass.Apple)
		own := h.made(pass.Input{Platform: pass.Apple, Ticket: tk[0].ID, Barcode: &pass.Barcode{Message: "own"}})
		h.says(codes.Text, p, "valid")
		h.says(codes.Short, p, "valid")
		h.says("own", own, "valid")

		block := func(do func(tx *db.Tx, org int64, t ticket.Ticket) error) {
			t.Helper()
			h.write(func(tx *db.Tx) error { return do(tx, house, tk[0]) })
		}
		block(func(tx *db.Tx, org int64, t ticket.Ticket) error {
			_, _, err := h.roll.Block(tx, org, t.ID, 0)
			return err
		})
		h.says(codes.Text, p, "blocked")
		h.says("own", own, "blocked")
		block(func(tx *db.Tx, org int64, t ticket.Ticket) error {
			_, _, err := h.roll.Unblock(tx, org, t.ID, 0)
			return err
		})
		h.write(func(tx *db.Tx) error {
			_, err := h.cal.Update(tx, house, "E", event.Patch{Status: ptr(event.Cancelled)})
			return err
		})
		h.says(codes.Text, p, "cancelled")
		h.says("own", own, "cancelled")
		block(func(tx *db.Tx, org int64, t ticket.Ticket) error {
			_, _, err := h.roll.Cancel(tx, org, t.ID, 0)
			return err
		})
		h.says(codes.Text, p, "void")
		if _, err := h.expire(p, pass.TicketVoid); err != nil {
			t.Fatal(err)
		}
		h.says(codes.Text, p, "expired")
	})
}

// transfer gives a ticket to Ola.
func (h *hall) transfer(t ticket.Ticket) ticket.Ticket {
	h.t.Helper()
	h.write(func(tx *db.Tx) error {
		if _, _, err := h.roll.Offer(tx, house, t.ID, ticket.Offer{To: "ola@example.test"}); err != nil {
			return err
		}
		_, _, err := h.roll.Accept(tx, house, t.ID, "", "Ola Hansen")
		return err
	})
	now, err := ticket.ByID(h.q(), house, t.ID)
	if err != nil || now.Generation != t.Generation+1 {
		h.t.Fatalf("transferred: %+v, %v", now, err)
	}
	return now
}

func TestTransferredTicketsPassShowsNothingOfTheNewHolder(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.tickets(1)[0]
		before, err := h.roll.CodesOf(t.Context(), h.q(), tk, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		old := h.of(tk, pass.Apple)
		tk = h.transfer(tk)
		f := h.face(old) // though nobody has written down yet that it expired
		if !f.Void || f.Barcode.Message != "" || f.Ticket.Holder != "" || f.Ticket.Order != "" {
			t.Errorf("the former holder's pass shows %+v and the ticket %+v, void %v", f.Barcode, f.Ticket, f.Void)
		}
		h.says(before.Text, old, "expired")
		now := h.of(tk, pass.Apple)
		after, err := h.roll.CodesOf(t.Context(), h.q(), tk, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		h.says(after.Text, now, "valid")
		h.says(before.Text, old, "expired")
		if f := h.face(now); f.Void || f.Barcode.Message != after.Text || f.Ticket.Holder != "Ola Hansen" {
			t.Errorf("the holder's pass shows %+v and the ticket %+v, void %v", f.Barcode, f.Ticket, f.Void)
		}
	})
}

func TestRotatingCodesLeadToTheirPass(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		tk := h.tickets(1)[0]
		apple := h.of(tk, pass.Apple)
		static := h.face(apple).Barcode.Message
		h.write(func(tx *db.Tx) error { return h.roll.Rotate(tx, house, "E", 0) })
		google := h.of(tk, pass.Google)
		at := time.Now()
		codes, err := h.roll.CodesOf(t.Context(), h.q(), tk, at)
		if err != nil {
			t.Fatal(err)
		}
		if s := h.look(codes.Text, at); s.Pass.ID != google.ID || !s.Valid {
			t.Errorf("a current code: pass %d, %s", s.Pass.No, s.Said)
		}
		if s := h.look(static, at); s.Said != "not_current" {
			t.Errorf("a picture of the code: %s, want not_current", s.Said)
		}
		if f := h.face(apple); f.Void || f.Barcode.Message != "" {
			t.Errorf("Apple's pass, which cannot show what changes, shows %+v, void %v", f.Barcode, f.Void)
		}
	})
}

func TestScansAreNotedAndTold(t *testing.T) {
	h := clocked(t)
	p := h.plain(pass.Apple)
	begun := h.now()
	for range 3 {
		h.clock(time.Minute)
		h.scan(h.look("hello", h.now()))
	}
	if _, err := h.expire(p, pass.UserRevoke); err != nil {
		t.Fatal(err)
	}
	h.clock(time.Minute)
	last := h.scan(h.look("hello", h.now()))
	if last.Scans != 4 || !last.LastScannedAt.Equal(begun.Add(4*time.Minute)) || last.Active() {
		t.Errorf("after four scans: %+v", last)
	}
	h.tells(p, "pass.created 1, pass.scanned 2, pass.scanned 3, pass.scanned 4, pass.expired 5, pass.scanned 6")
	var s pass.Snapshot
	facts := h.log.of(p)
	if err := json.Unmarshal(facts[len(facts)-1].Data, &s); err != nil || s.LastScannedAt == nil || !time.Time(*s.LastScannedAt).Equal(last.LastScannedAt) || s.CheckinID != "" {
		t.Errorf("the last fact says %s", facts[len(facts)-1].Data)
	}
	for _, c := range []struct {
		from, to time.Time
		want     []int
	}{
		{time.Time{}, time.Time{}, []int{1, 2, 3, 4}},
		{begun.Add(2 * time.Minute), time.Time{}, []int{2, 3, 4}},
		{time.Time{}, begun.Add(2 * time.Minute), []int{1}},
		{begun.Add(2 * time.Minute), begun.Add(4 * time.Minute), []int{2, 3}},
	} {
		all, err := pass.History(h.q(), house, p, c.from, c.to)
		if err != nil || len(all) != len(c.want) {
			t.Fatalf("History from %v to %v: %+v, %v; want %v", c.from, c.to, all, err, c.want)
		}
		for i, one := range all {
			said := "valid"
			if c.want[i] == 4 {
				said = "expired"
			}
			if !one.At.Equal(begun.Add(time.Duration(c.want[i])*time.Minute)) || one.Said != said || one.CheckinID != "" {
				t.Errorf("scan %d is %+v, want %s", c.want[i], one, said)
			}
		}
	}
	if all, err := pass.History(h.q(), 2, p, time.Time{}, time.Time{}); err != nil || len(all) != 0 {
		t.Errorf("another organisation sees %d scans, %v", len(all), err)
	}
}
