package order_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// uploadAt is an upload for an order's places, from the first; a place with "" is left out.
func (s *shop) uploadAt(o id.Order, version int64, places ...string) (result, error) {
	var all []order.BarcodeUpload
	for i, values := range places {
		if values != "" {
			all = append(all, order.BarcodeUpload{Place: i + 1, Values: strings.Fields(values)})
		}
	}
	return s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) {
		return s.book.ReceiveBarcodes(tx, house, o, all, version)
	})
}

func (s *shop) upload(o id.Order, places ...string) result {
	s.t.Helper()
	r, err := s.uploadAt(o, 0, places...)
	if err != nil {
		s.t.Fatalf("ReceiveBarcodes(%s, %q): %v", o, places, err)
	}
	return r
}

func (s *shop) notReceived(o id.Order, note string) (result, error) {
	return s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) { return s.book.NotReceived(tx, house, o, note, 0) })
}

func (s *shop) mustSet(o id.Order, status order.Status) {
	s.t.Helper()
	if _, err := s.set(o, status); err != nil {
		s.t.Fatalf("SetStatus(%s): %v", status, err)
	}
}

// stands expects what an order is after what was done to it, and what was told of it: nothing with "".
func (s *shop) stands(r result, status order.Status, cause order.Cause, kind fact.Kind) {
	s.t.Helper()
	got := s.byID(s.t, r.ID)
	if got.Status != status || got.IssueCause != cause || got.Version != r.Version {
		s.t.Errorf("the order is %s by %q with version %d; want %s by %q, version %d", got.Status, got.IssueCause, got.Version, status, cause, r.Version)
	}
	told := fact.Kind("")
	if r.fact != nil {
		told = r.fact.Kind
		if r.fact.Version != got.Version || r.fact.Subject != string(r.ID) || !bytes.Contains(r.fact.Data, fmt.Appendf(nil, `"status":"%s"`, status)) {
			s.t.Errorf("%s of %s, version %d, says %s", told, r.fact.Subject, r.fact.Version, r.fact.Data)
		}
	}
	if told != kind {
		s.t.Errorf("the order tells of %q, want %q", told, kind)
	}
	s.audit(s.t)
}

// barcodes are those of an order: place, status and values.
func (s *shop) barcodes(o id.Order) (all []string) {
	s.t.Helper()
	q := s.db.Read(s.t.Context())
	sets, err := s.book.Barcodes(q, house, s.byID(s.t, o))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, b := range sets {
		all = append(all, fmt.Sprintf("%d %s %s", b.Place, b.Status, strings.Join(b.Values, " ")))
	}
	return all
}

func TestAnOrderGoesByItsBarcodes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 6})
		first, o := s.mustPlace(l, 1), s.mustPlace(l, 2).ID
		s.stands(s.upload(first.ID, "taken"), order.Fulfilled, "", fact.OrderFulfilled)

		r := s.upload(o, "taken", "b")
		s.stands(r, order.Issue, order.CauseBarcodes, fact.SaleBarcodesFailed)
		if r.PreviousStatus != order.Confirmed || bytes.Contains(r.fact.Data, []byte("taken")) {
			t.Errorf("the issue's fact: %s", r.fact.Data)
		}
		if got, want := s.barcodes(o), []string{"1 failed_validation taken", "2 received b"}; !slices.Equal(got, want) {
			t.Errorf("barcodes %q, want %q", got, want)
		}
		version := r.Version
		s.stands(s.upload(o, "taken", "b"), order.Issue, order.CauseBarcodes, "")
		r = s.upload(o, "taken 2")
		s.stands(r, order.Issue, order.CauseBarcodes, fact.SaleBarcodesFailed)
		if bytes.Contains(r.fact.Data, []byte("previousStatus")) || r.Version != version+1 {
			t.Errorf("a second failure is no change of status: %s", r.fact.Data)
		}
		s.stands(s.upload(o, "", "c"), order.Issue, order.CauseBarcodes, fact.SaleBarcodesReceived)

		r = s.upload(o, "a")
		s.stands(r, order.Fulfilled, "", fact.OrderFulfilled)
		if r.TransferMethod != order.DigitalDownload || r.PreviousStatus != order.Issue || r.People.TransferNote != "Transferred via digital download" {
			t.Errorf("fulfilled by %s after %s: %s", r.TransferMethod, r.PreviousStatus, r.People.TransferNote)
		}
		s.stands(s.upload(o, "a", "c"), order.Fulfilled, "", "")
		s.stands(s.upload(o, "d"), order.Fulfilled, "", fact.SaleBarcodesReceived)
		s.stands(s.upload(o, "taken"), order.Issue, order.CauseBarcodes, fact.SaleBarcodesFailed)
		s.mustSet(o, order.Confirmed) // resolved by hand
		s.stands(s.upload(o, "taken"), order.Issue, order.CauseBarcodes, fact.SaleBarcodesFailed)
	})
}

func TestAnIncompleteUploadLeavesTheStatus(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 6})
		o := s.mustPlace(l, 3).ID
		s.stands(s.upload(o, "a"), order.Confirmed, "", fact.SaleBarcodesReceived)
		s.stands(s.upload(o, "a"), order.Confirmed, "", "")
		s.mustSet(o, order.Accepted)
		s.stands(s.upload(o, "", "b"), order.Accepted, "", fact.SaleBarcodesReceived)
		s.stands(s.upload(o, "", "", "c"), order.Fulfilled, "", fact.OrderFulfilled)
	})
}

// What the listing's places had counts for the order that takes them; by itself it changes no order.
func TestAnOrderTakesOverItsPlacesBarcodes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 6})
		s.write(t, func(tx *db.Tx) error {
			_, err := s.stock.ReceiveBarcodes(tx, house, l.ID, []inventory.BarcodeUpload{{Ordinal: 0, Values: []string{"a"}}, {Ordinal: 1, Values: []string{"b"}}})
			return err
		})
		r := s.mustPlace(l, 2)
		s.stands(r, order.Confirmed, "", fact.OrderConfirmed)
		if got, want := s.barcodes(r.ID), []string{"1 received a", "2 received b"}; !slices.Equal(got, want) {
			t.Errorf("barcodes %q, want %q", got, want)
		}
		s.stands(s.upload(r.ID, "a"), order.Fulfilled, "", fact.OrderFulfilled)
	})
}

func TestNotReceivedIsAnIssueUntilTransferredAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 9})
		o := s.mustPlace(l, 1).ID
		s.upload(o, "a")
		r, err := s.notReceived(o, "nothing came, says Kari")
		if err != nil {
			t.Fatal(err)
		}
		s.stands(r, order.Issue, order.CauseNotReceived, fact.TransferFailed)
		if r.People.IssueReason != "nothing came, says Kari" || bytes.Contains(r.fact.Data, []byte("Kari")) {
			t.Errorf("noted %q; the fact says %s", r.People.IssueReason, r.fact.Data)
		}
		noted := r.Version
		r, err = s.notReceived(o, "still nothing")
		if err != nil {
			t.Fatal(err)
		}
		s.stands(r, order.Issue, order.CauseNotReceived, "")
		if got := s.byID(t, o); got.People.IssueReason != "still nothing" || got.Version != noted+1 {
			t.Errorf("noted %q with version %d, want version %d", got.People.IssueReason, got.Version, noted+1)
		}
		if r, err = s.notReceived(o, "still nothing"); err != nil || r.Version != noted+1 {
			t.Errorf("the same note again: version %d, %v; want %d", r.Version, err, noted+1)
		}
		taken := s.mustPlace(l, 1).ID
		s.upload(taken, "taken")
		s.stands(s.upload(o, "taken"), order.Issue, order.CauseNotReceived, fact.SaleBarcodesFailed) // which is why it waits for tickets still
		s.stands(s.upload(o, "taken"), order.Issue, order.CauseNotReceived, "")
		s.stands(s.upload(o, "a"), order.Fulfilled, "", fact.OrderFulfilled) // transferred again

		for _, from := range []order.Status{order.Confirmed, order.Accepted} {
			other := s.mustPlace(l, 1).ID
			if from == order.Accepted {
				s.mustSet(other, order.Accepted)
			}
			if r, err = s.notReceived(other, ""); err != nil {
				t.Fatalf("from %s: %v", from, err)
			}
			s.stands(r, order.Issue, order.CauseNotReceived, fact.TransferFailed)
		}
		issue := s.mustPlace(l, 1).ID
		if _, err := s.issue(issue, "another seat"); err != nil {
			t.Fatal(err)
		}
		if got := s.byID(t, issue); got.IssueCause != order.CauseOther {
			t.Errorf("an issue that was raised has the cause %q", got.IssueCause)
		}
		for i, reason := range []string{"another seat", "another row", "another row"} {
			if r, err := s.issue(issue, reason); err != nil || r.fact != nil || r.Version != 2+int64(min(i, 1)) || s.byID(t, issue).Version != r.Version {
				t.Errorf("raised again with %q: version %d, fact %v, %v", reason, r.Version, r.fact, err)
			}
		}
		if _, err := s.notReceived(issue, ""); !problem.Is(err, "issue_open") {
			t.Errorf("with another issue: %v", err)
		}
		s.mustSet(issue, order.Cancelled)
		if _, err := s.notReceived(issue, ""); !problem.Is(err, "invalid_transition") {
			t.Errorf("of a cancelled order: %v", err)
		}
		if _, err := s.notReceived(issue, strings.Repeat("x", 1001)); problem.As(err) == nil || problem.As(err).Fields[0].Pointer != "/note" {
			t.Errorf("with a long note: %v", err)
		}
	})
}

func TestACancelledOrdersBarcodesAreNobodys(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 4})
		taken, o := s.mustPlace(l, 1).ID, s.mustPlace(l, 2).ID
		s.upload(taken, "taken")
		s.upload(o, "taken", "b")
		s.mustSet(o, order.Cancelled)
		if got := s.barcodes(o); got != nil {
			t.Errorf("a cancelled order has the barcodes %q", got)
		}
		if _, err := s.uploadAt(o, 0, "c"); !problem.Is(err, "invalid_transition") {
			t.Errorf("for a cancelled order: %v", err)
		}
		next := s.mustPlace(l, 2).ID
		if got := s.barcodes(next); got != nil {
			t.Errorf("who has the places next has the barcodes %q", got)
		}
		s.stands(s.upload(next, "b", "c"), order.Fulfilled, "", fact.OrderFulfilled)

		only := s.list(inventory.Input{Quantity: 1, Section: "C", Row: "1"}) // where nothing was ever received
		o = s.mustPlace(only, 1).ID
		s.upload(o, "taken")
		s.mustSet(o, order.Cancelled)
		if got := s.barcodes(s.mustPlace(only, 1).ID); got != nil {
			t.Errorf("who has the place next has the barcodes %q", got)
		}

		if _, err := s.refund(next, ""); err != nil {
			t.Fatal(err)
		}
		if got, err := inventory.ByID(d.Read(t.Context()), house, l.ID); err != nil || got.Barcoded != 1 {
			t.Errorf("after a refund %d places have barcodes (%v), want the one that is sold", got.Barcoded, err)
		}
		s.audit(t)
	})
}

func TestUploadsForOrdersAreGuarded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 4})
		s.mustPlace(l, 2)
		r := s.mustPlace(l, 2)
		for _, c := range []struct {
			places []order.BarcodeUpload
			want   []string
		}{
			{nil, []string{"/barcodes required"}},
			{[]order.BarcodeUpload{{Place: 0, Values: []string{"a"}}, {Place: 3, Values: []string{"b"}}}, []string{"/barcodes/0/place unknown_place", "/barcodes/1/place unknown_place"}},
			{[]order.BarcodeUpload{{Place: 1, Values: []string{"a"}}, {Place: 1, Values: []string{"a"}}}, []string{"/barcodes/1/place repeated", "/barcodes/1/values/0 repeated"}},
		} {
			_, err := s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) {
				return s.book.ReceiveBarcodes(tx, house, r.ID, c.places, 0)
			})
			var got []string
			for _, f := range problem.As(err).Fields {
				got = append(got, f.Pointer+" "+f.Code)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", c.places, diff)
			}
		}
		if _, err := s.uploadAt(r.ID, 9, "a"); !problem.Is(err, "version_mismatch") {
			t.Errorf("for another version: %v", err)
		}
		if _, err := s.uploadAt("order_1", 0, "a"); !problem.Is(err, "order_not_found") {
			t.Errorf("for no order: %v", err)
		}
		if got := s.byID(t, r.ID); got.Version != 1 || s.barcodes(r.ID) != nil {
			t.Errorf("version %d, barcodes %q", got.Version, s.barcodes(r.ID))
		}
		if _, err := s.uploadAt(r.ID, 1, "a", "b"); err != nil {
			t.Errorf("for its version: %v", err)
		}
	})
}
