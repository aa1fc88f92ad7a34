package order_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestEveryTransitionIsInTheTable(t *testing.T) {
	all := []order.Status{order.Confirmed, order.Accepted, order.Issue, order.Fulfilled, order.Cancelled, order.Refunded}
	ways := map[order.Status][]order.Status{
		order.Confirmed: {}, order.Accepted: {order.Accepted}, order.Issue: {order.Issue}, order.Fulfilled: {order.Fulfilled},
		order.Cancelled: {order.Cancelled}, order.Refunded: {order.Cancelled, order.Refunded},
	}
	table := map[order.Status]string{
		order.Confirmed: "accepted issue fulfilled cancelled",
		order.Accepted:  "issue fulfilled cancelled",
		order.Issue:     "confirmed accepted fulfilled cancelled",
		order.Fulfilled: "issue cancelled refunded",
		order.Cancelled: "refunded",
		order.Refunded:  "",
	}
	kinds := map[order.Status]fact.Kind{
		order.Confirmed: "order.confirmed", order.Accepted: "order.accepted", order.Issue: "order.issue_raised", order.Fulfilled: "order.fulfilled",
		order.Cancelled: "order.cancelled", order.Refunded: "refund.completed",
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 100})
		go_ := func(o id.Order, to order.Status) (result, error) {
			switch to {
			case order.Issue:
				return s.issue(o, "")
			case order.Refunded:
				return s.refund(o, "")
			}
			return s.set(o, to)
		}
		for _, from := range all {
			for _, to := range all {
				o := s.mustPlace(l, 1)
				for _, step := range ways[from] {
					if _, err := go_(o.ID, step); err != nil {
						t.Fatal(err)
					}
				}
				s.log.take()
				before := s.byID(t, o.ID)
				r, err := go_(o.ID, to)
				facts := s.log.take()
				switch {
				case from == to && to == order.Refunded:
					if !problem.Is(err, "nothing_to_refund") {
						t.Errorf("refunding twice = %v, want nothing_to_refund", err)
					}
				case from == to:
					if err != nil || r.fact != nil || len(facts) != 0 || r.Version != before.Version {
						t.Errorf("%s again = %v, fact %v, version %d; want success and nothing new", to, err, r.fact, r.Version)
					}
				case strings.Contains(" "+table[from]+" ", " "+string(to)+" "):
					if err != nil || len(facts) != 1 || facts[0] != r.fact {
						t.Fatalf("%s to %s = %v with facts %v, want one", from, to, err, facts)
					}
					var snap order.Snapshot
					if err := json.Unmarshal(r.fact.Data, &snap); err != nil {
						t.Fatal(err)
					}
					if r.fact.Kind != kinds[to] || snap.Status != to || snap.PreviousStatus != from || r.PreviousStatus != from || r.Version != before.Version+1 ||
						snap.Version != r.Version || r.fact.Version != r.Version {
						t.Errorf("%s to %s appended %s with %s after %s, version %d", from, to, r.fact.Kind, snap.Status, snap.PreviousStatus, snap.Version)
					}
					if diff := cmp.Diff(r.Order, s.byID(t, o.ID), orders); diff != "" {
						t.Errorf("%s to %s -returned +kept:\n%s", from, to, diff)
					}
				default:
					want := "invalid_transition"
					if from == order.Refunded && to == order.Refunded {
						want = "nothing_to_refund"
					}
					if !problem.Is(err, want) || len(facts) != 0 {
						t.Errorf("%s to %s = %v with facts %v, want %s", from, to, err, facts, want)
					}
				}
			}
		}
		s.audit(t)
	})
}

func TestInvalidTransitionSaysWhatIsOpen(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	o := s.mustPlace(s.list(inventory.Input{Quantity: 1}), 1)
	if _, err := s.set(o.ID, order.Accepted); err != nil {
		t.Fatal(err)
	}
	_, err := s.set(o.ID, order.Confirmed)
	if want := "The order is accepted and cannot become confirmed. From there it can become issue, fulfilled, cancelled."; err == nil || err.Error() != want {
		t.Errorf("accepted to confirmed = %q, want %q", err, want)
	}
	for _, c := range []order.Change{
		{Status: order.Issue},
		{Status: order.Refunded},
		{Status: order.Provisional},
		{Status: "purchase_issues"},
		{},
		{Status: order.Fulfilled, TransferMethod: "pigeon"},
		{Status: order.Cancelled, TransferMethod: order.Email},
		{Status: order.Cancelled, TransferNote: "x"},
		{Status: order.Fulfilled, TransferNote: strings.Repeat("x", 1001)},
	} {
		if _, err := s.change(o.ID, c); !problem.Is(err, "validation_failed") {
			t.Errorf("SetStatus(%+v) = %v, want validation_failed", c, err)
		}
	}
	if _, err := s.set("order_1", order.Accepted); !problem.Is(err, "order_not_found") {
		t.Errorf("SetStatus of no order = %v, want order_not_found", err)
	}
	if _, err := s.change(o.ID, order.Change{Status: order.Fulfilled, Version: 1}); !problem.Is(err, "version_mismatch") {
		t.Errorf("SetStatus for another version = %v, want version_mismatch", err)
	}
	if _, err := s.change(o.ID, order.Change{Status: order.Fulfilled, Version: 2}); err != nil {
		t.Errorf("SetStatus for the right version = %v", err)
	}
}

func TestFulfilmentSaysHow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 4})
		a, b := s.mustPlace(l, 1), s.mustPlace(l, 1)
		r, err := s.set(a.ID, order.Fulfilled)
		if err != nil || r.TransferMethod != order.MobileTransfer || r.People.TransferNote != "Transferred via mobile transfer" {
			t.Errorf("fulfilled without more: %s, %q, %v; want mobile_transfer and its note", r.TransferMethod, r.People.TransferNote, err)
		}
		r, err = s.change(b.ID, order.Change{Status: order.Fulfilled, TransferMethod: order.Email, TransferNote: "PDF sent"})
		if err != nil || r.Snapshot().TransferMethod != order.Email || s.byID(t, b.ID).People.TransferNote != "PDF sent" {
			t.Errorf("fulfilled by e-mail: %+v, %v", r, err)
		}
		if r, err = s.issue(b.ID, "never came"); err != nil || r.Snapshot().TransferMethod != "" {
			t.Errorf("an issue's snapshot shows the transfer method %s, %v", r.Snapshot().TransferMethod, err)
		}
		if r, err = s.issue(b.ID, "still not there"); err != nil || r.fact != nil || s.byID(t, b.ID).People.IssueReason != "still not there" {
			t.Errorf("a second issue: fact %v, %v; want none and the new reason", r.fact, err)
		}
	})
}

func TestCancelledOrderGivesItsUnitsBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 3, Seats: []string{"1", "2", "3"}})
		a := s.mustPlace(l, 2)
		if _, err := s.set(a.ID, order.Fulfilled); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := s.set(a.ID, order.Cancelled); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.free(t, l); n != 3 {
			t.Errorf("after cancelling twice %d are free, want 3", n)
		}
		if b := s.mustPlace(l, 3); fmt.Sprint(b.Seats) != "[1 2 3]" {
			t.Errorf("the next order has seats %v, want [1 2 3]", b.Seats)
		}
		if _, err := s.refund(a.ID, ""); err != nil {
			t.Fatal(err)
		}
		if n := s.free(t, l); n != 0 {
			t.Errorf("refunding a cancelled order freed %d seats that somebody else has", n)
		}
		s.audit(t)
	})
}

func TestRefundsAddUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 9})
		o := s.mustPlace(l, 2) // 150.66
		s.log.take()
		for _, c := range []struct {
			story  string
			status order.Status // asked for before, "" for none
			amount money.Decimal
			code   string // of the problem, "" for success
			left   int64
			after  order.Status
		}{
			{"half", "", "75.33", "", 7533, order.Confirmed},
			{"too much", "", "75.34", "refund_too_large", 7533, order.Confirmed},
			{"nothing", "", "0.00", "validation_failed", 7533, order.Confirmed},
			{"no amount of euros", "", "1.005", "validation_failed", 7533, order.Confirmed},
			{"the rest of a live order", "", "", "invalid_transition", 7533, order.Confirmed},
			{"some more", "", "5", "", 7033, order.Confirmed},
			{"some of a fulfilled order", order.Fulfilled, "0.33", "", 7000, order.Fulfilled},
			{"the rest of a fulfilled order", "", "", "", 0, order.Refunded},
			{"again", "", "", "nothing_to_refund", 0, order.Refunded},
			{"again by amount", "", "1", "nothing_to_refund", 0, order.Refunded},
		} {
			if c.status != "" {
				if _, err := s.set(o.ID, c.status); err != nil {
					t.Fatal(err)
				}
				s.log.take()
			}
			before := s.byID(t, o.ID)
			_, err := s.refund(o.ID, c.amount)
			if c.code == "" && err != nil || c.code != "" && !problem.Is(err, c.code) {
				t.Errorf("Refund (%s) = %v, want %q", c.story, err, c.code)
			}
			got := s.byID(t, o.ID)
			if got.Captured.Minor-got.Refunded.Minor != c.left || got.Status != c.after {
				t.Errorf("Refund (%s) leaves %d of a %s order, want %d, %s", c.story, got.Captured.Minor-got.Refunded.Minor, got.Status, c.left, c.after)
			}
			facts := s.log.take()
			if c.code != "" {
				if len(facts) != 0 {
					t.Errorf("Refund (%s) appended %v", c.story, facts)
				}
				continue
			}
			var snap order.Snapshot
			if len(facts) != 1 || facts[0].Kind != fact.RefundCompleted || json.Unmarshal(facts[0].Data, &snap) != nil {
				t.Fatalf("Refund (%s) appended %v, want refund.completed", c.story, facts)
			}
			moved := before.Status != got.Status
			if snap.RefundMinor != got.Refunded.Minor-before.Refunded.Minor || snap.RefundedMinor != got.Refunded.Minor || (snap.PreviousStatus != "") != moved {
				t.Errorf("Refund (%s) says %+v", c.story, snap)
			}
		}
		if n := s.free(t, l); n != 9 {
			t.Errorf("after the whole refund %d are free, want 9", n)
		}
		free := s.mustPlace(s.list(inventory.Input{Quantity: 1, Price: "0", Row: "5", Section: "B"}), 1)
		if _, err := s.refund(free.ID, ""); !problem.Is(err, "nothing_to_refund") {
			t.Errorf("Refund of a free ticket = %v, want nothing_to_refund", err)
		}
		s.audit(t)
	})
}

func TestCancellingAnEventsOrdersGoesOnInSteps(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("F", "2099-09-01T20:00:00")
		l, other := s.list(inventory.Input{Quantity: 20}), s.list(inventory.Input{Event: "F", Quantity: 20})
		var all []id.Order
		for range 7 {
			all = append(all, s.mustPlace(l, 2).ID)
		}
		kept := s.mustPlace(other, 1)
		if _, err := s.set(all[2], order.Cancelled); err != nil {
			t.Fatal(err)
		}
		start := func() (c order.Cancellation) {
			t.Helper()
			s.write(t, func(tx *db.Tx) (err error) { c, err = s.book.StartCancelling(tx, house, "E"); return err })
			return c
		}
		step := func() (c order.Cancellation) {
			t.Helper()
			s.write(t, func(tx *db.Tx) (err error) { c, err = s.book.CancelSome(tx, house, l.EventNo, 2); return err })
			return c
		}
		if _, err := order.CancellationOf(d.Read(t.Context()), house, "E"); !problem.Is(err, "cancellation_not_found") {
			t.Errorf("CancellationOf before = %v, want cancellation_not_found", err)
		}
		if c := start(); c.Total != 6 || c.Done != 0 || !c.FinishedAt.IsZero() {
			t.Errorf("StartCancelling = %+v, want 6 to do", c)
		}
		time.Sleep(2 * time.Millisecond) // ids are sorted by the millisecond
		late := s.mustPlace(l, 1)
		s.log.take()
		if c := step(); c.Total != 6 || c.Done != 2 {
			t.Errorf("CancelSome = %+v, want 2 of 6", c)
		}
		if c := start(); c.Done != 2 {
			t.Errorf("StartCancelling while it goes on = %+v, want 2 of 6", c)
		}
		if open, err := order.Cancellations(d.Read(t.Context())); err != nil || len(open) != 1 || open[0].EventID != "E" || open[0].Org != house {
			t.Errorf("Cancellations = %+v, %v; want that of E", open, err)
		}
		if _, err := s.set(all[6], order.Cancelled); err != nil { // somebody is faster
			t.Fatal(err)
		}
		step()
		if c := step(); c.Done != 5 || c.Total != 5 || c.FinishedAt.IsZero() {
			t.Errorf("the last CancelSome = %+v, want 5 of 5, finished", c)
		}
		if c := step(); c.Done != 5 {
			t.Errorf("CancelSome after the end = %+v, want nothing more", c)
		}
		if got := s.log.kinds(); got != strings.TrimSpace(strings.Repeat("order.cancelled ", 6)) {
			t.Errorf("facts: %s, want six order.cancelled", got)
		}
		if open, err := order.Cancellations(d.Read(t.Context())); err != nil || len(open) != 0 {
			t.Errorf("Cancellations at the end = %+v, %v; want none", open, err)
		}
		if s.byID(t, kept.ID).Status != order.Confirmed || s.byID(t, late.ID).Status != order.Confirmed {
			t.Error("orders of another event, or placed after the call, were cancelled too")
		}
		if c := start(); c.Total != 1 || c.Done != 0 {
			t.Errorf("StartCancelling once more = %+v, want the late one to do", c)
		}
		if c := step(); c.Done != 1 || c.FinishedAt.IsZero() || s.free(t, l) != 20 {
			t.Errorf("then %+v with %d free, want all free", c, s.free(t, l))
		}
		if c := start(); c.Total != 0 || c.FinishedAt.IsZero() {
			t.Errorf("StartCancelling with nothing left = %+v, want it finished", c)
		}
		s.audit(t)
	})
}
