package inventory_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// of is an upload for the first places: their values, with spaces between.
func of(places ...string) (all []inventory.BarcodeUpload) {
	for i, values := range places {
		all = append(all, inventory.BarcodeUpload{Ordinal: i, Values: strings.Fields(values)})
	}
	return all
}

func (s *store) upload(l id.Listing, uploads []inventory.BarcodeUpload) (r inventory.Receipt, err error) {
	err = s.db.Write(s.t.Context(), "E", func(tx *db.Tx) (err error) {
		r, err = s.stock.ReceiveBarcodes(tx, house, l, uploads)
		return err
	})
	return r, err
}

func (s *store) mustUpload(l inventory.Listing, uploads []inventory.BarcodeUpload) inventory.Receipt {
	s.t.Helper()
	r, err := s.upload(l.ID, uploads)
	if err != nil {
		s.t.Fatalf("ReceiveBarcodes: %v", err)
	}
	return r
}

func (s *store) rule(r inventory.BarcodeRule) error {
	return s.db.Write(s.t.Context(), "E", func(tx *db.Tx) error { return s.stock.SetBarcodeRule(tx, house, "E", r) })
}

// barcodes are the sets of a listing at an instant: place, status and values.
func (s *store) barcodes(l inventory.Listing, at time.Time) (all []string) {
	s.t.Helper()
	sets, err := inventory.Barcodes(s.db.Read(s.t.Context()), keyring(s.t), house, l.No, nil, at)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, b := range sets {
		all = append(all, fmt.Sprintf("%d %s %s", b.Ordinal, b.Status, strings.Join(b.Values, " ")))
	}
	return all
}

// have expects what places have now, that the listing counts the received, and that the audit agrees.
func (s *store) have(l inventory.Listing, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.barcodes(l, time.Now().AddDate(1, 0, 0))); diff != "" {
		s.t.Errorf("barcodes of %s (-want +got):\n%s", l.Section, diff)
	}
	n := 0
	for _, w := range want {
		if strings.Contains(w, " received ") {
			n++
		}
	}
	if got := s.byID(s.t, l.ID).Barcoded; got != n {
		s.t.Errorf("%s counts %d places with barcodes, want %d", l.Section, got, n)
	}
	s.audit(s.t)
}

func (s *store) hears(want string) {
	s.t.Helper()
	if got := s.log.kinds(); got != want {
		s.t.Errorf("facts %q, want %q", got, want)
	}
}

func TestBarcodesAreSealedAndTheNewestCount(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 3, Seats: []string{"7", "8", "9"}})
		s.log.kinds()

		r := s.mustUpload(l, of("first-1 first-2", "second"))
		if r.Failed || !r.Changed || r.Listing.Version != l.Version+1 || len(r.Sets) != 2 || r.Sets[0].Seat != "7" || r.Sets[0].Row != "A" {
			t.Errorf("receipt %+v", r)
		}
		if got, want := r.Sets[1].Hashes(), []string{"16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4"}; !slices.Equal(got, want) {
			t.Errorf("hashes of %q: %v, want %v", "second", got, want)
		}
		data := s.log.facts[0].Data
		if !bytes.Contains(data, []byte(`"ordinals":[0,1]`)) || bytes.Contains(data, []byte("second")) {
			t.Errorf("the fact says %s", data)
		}
		s.hears("listing.barcodes_received")
		s.have(l, "0 received first-1 first-2", "1 received second")

		first := r.Sets[0].ReceivedAt
		if r = s.mustUpload(l, of("first-1 first-2")); r.Changed || r.Failed {
			t.Errorf("the same again: %+v", r)
		}
		s.hears("")
		s.mustUpload(l, of("other"))
		s.hears("listing.barcodes_received")
		s.have(l, "0 received other", "1 received second")
		if diff := cmp.Diff([]string{"0 received first-1 first-2", "1 received second"}, s.barcodes(l, first)); diff != "" {
			t.Errorf("at the first instant (-want +got):\n%s", diff)
		}
		if got := s.barcodes(l, first.Add(-time.Microsecond)); got != nil {
			t.Errorf("before the first: %v", got)
		}
		s.mustUpload(l, of("second", "other")) // they change places
		s.have(l, "0 received second", "1 received other")

		rows, err := db.All(d.Read(t.Context()), db.Value[[]byte], `SELECT sealed FROM barcode_sets`)
		if err != nil || len(rows) != 5 {
			t.Fatalf("%d sets, %v", len(rows), err)
		}
		for _, sealed := range rows {
			if bytes.Contains(sealed, []byte("second")) || bytes.Contains(sealed, []byte("other")) {
				t.Errorf("a value lies open in the database")
			}
		}
	})
}

func TestUploadOfAWrongFormChangesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 3})
		s.mustUpload(l, of("there"))
		s.log.kinds()
		many := make([]inventory.BarcodeUpload, inventory.MaxBarcodePlaces+1)
		for _, c := range []struct {
			uploads []inventory.BarcodeUpload
			want    string
		}{
			{nil, "/barcodes required"},
			{many, "/barcodes too_many"},
			{of("fine", ""), "/barcodes/1/values required"},
			{of("1 2 3 4 5 6 7 8 9 10 11"), "/barcodes/0/values too_many"},
			{[]inventory.BarcodeUpload{{Values: []string{""}}}, "/barcodes/0/values/0 invalid"},
			{[]inventory.BarcodeUpload{{Values: []string{"secret value"}}}, "/barcodes/0/values/0 invalid"},
			{of("secretæ"), "/barcodes/0/values/0 invalid"},
			{of("secret" + strings.Repeat("x", 195)), "/barcodes/0/values/0 invalid"},
			{of("secret", "x secret"), "/barcodes/1/values/1 repeated"},
			{[]inventory.BarcodeUpload{{Ordinal: 3, Values: []string{"a"}}, {Ordinal: -1, Values: []string{"b"}}}, "/barcodes/0/place unknown_place /barcodes/1/place unknown_place"},
			{[]inventory.BarcodeUpload{{Ordinal: 2, Values: []string{"a"}}, {Ordinal: 2, Values: []string{"b"}}}, "/barcodes/1/place repeated"},
		} {
			_, err := s.upload(l.ID, c.uploads)
			p := problem.As(err)
			if p == nil {
				t.Errorf("%s: %v", c.want, err)
				continue
			}
			var got []string
			for _, f := range p.Fields {
				got = append(got, f.Pointer+" "+f.Code)
				if strings.Contains(f.Detail, "secret") {
					t.Errorf("%s shows the value: %s", f.Pointer, f.Detail)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		}
		if _, err := s.upload("000000000000000000000000", of("a")); !problem.Is(err, "listing_not_found") {
			t.Errorf("an unknown listing: %v", err)
		}
		s.hears("")
		s.have(l, "0 received there")
	})
}

func TestWhatBreaksTheRuleOrIsAnothersFailsInOneFact(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		s.event("F")
		a, b := s.mustCreate(inventory.Input{Quantity: 3, Section: "A", Row: "1"}), s.mustCreate(inventory.Input{Quantity: 3, Section: "B", Row: "1"})
		other := s.mustCreate(inventory.Input{Event: "F", Quantity: 1, Section: "A", Row: "1"})
		s.mustUpload(a, of("x", "yy", "z"))
		for _, r := range []inventory.BarcodeRule{{Pattern: "("}, {Pattern: "a)|(?:b"}, {MinLength: 201}, {MinLength: 5, MaxLength: 4}, {Pattern: strings.Repeat("a", 201)}, {MaxLength: -1}} {
			if err := s.rule(r); problem.As(err) == nil || len(problem.As(err).Fields) == 0 {
				t.Errorf("SetBarcodeRule(%+v): %v", r, err)
			}
		}
		if err := s.rule(inventory.BarcodeRule{Pattern: "[0-9]+|n/a", MinLength: 2, MaxLength: 4}); err != nil {
			t.Fatal(err)
		}
		s.log.kinds()
		s.mustUpload(b, of("123", "1234x", "n/a"))
		s.hears("listing.barcodes_failed")
		s.have(b, "0 received 123", "1 failed_validation 1234x", "2 received n/a")
		s.have(a, "0 received x", "1 received yy", "2 received z") // from before the rule

		if r := s.mustUpload(b, of("123", "1234x")); !r.Failed || r.Changed {
			t.Errorf("the same that has failed: %+v", r)
		}
		s.hears("")
		s.mustUpload(b, of("12345", "5")) // what is replaced by what fails counts no more
		s.hears("listing.barcodes_failed")
		s.have(b, "0 failed_validation 12345", "1 failed_validation 5", "2 received n/a")

		if err := s.rule(inventory.BarcodeRule{}); err != nil {
			t.Fatal(err)
		}
		if r, err := inventory.BarcodeRuleOf(d.Read(t.Context()), house, "E"); err != nil || r != (inventory.BarcodeRule{}) {
			t.Errorf("BarcodeRuleOf: %+v, %v", r, err)
		}
		s.mustUpload(b, of("12345 yy", "5"))
		s.hears("listing.barcodes_failed")
		s.have(b, "0 failed_validation 12345 yy", "1 received 5", "2 received n/a")
		s.mustUpload(other, of("yy")) // another event's
		s.have(other, "0 received yy")
		s.mustUpload(a, []inventory.BarcodeUpload{{Ordinal: 1, Values: []string{"free"}}})
		s.mustUpload(b, of("12345 yy"))
		s.have(b, "0 received 12345 yy", "1 received 5", "2 received n/a")
	})
}

func TestBarcodesEndWithTheirPlace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 4, Seats: []string{"1", "2", "3", "4"}})
		s.mustUpload(l, of("a", "b", "c", "d"))
		sold := s.mustTake(l, 2)
		s.have(l, "0 received a", "1 received b", "2 received c", "3 received d")
		s.release(t, "E", sold)
		s.have(l, "2 received c", "3 received d") // a buyer has seen the others

		s.mustUpload(l, of("a", "b"))
		h, err := s.hold(inventory.HoldInput{Event: "E", Want: inventory.Want{Listing: l.ID, Quantity: 2}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.releaseHold(h); err != nil {
			t.Fatal(err)
		}
		s.have(l, "0 received a", "1 received b", "2 received c", "3 received d") // nobody has

		if _, err := s.update(l.ID, inventory.Patch{Seats: []string{"1", "20", "3"}}); err != nil {
			t.Fatal(err)
		}
		s.have(l, "0 received a", "2 received c")
		sold = s.mustTake(l, 1)
		if _, err := s.update(l.ID, inventory.Patch{Status: ptr(inventory.Withdrawn)}); err != nil {
			t.Fatal(err)
		}
		s.have(l, "0 received a") // is sold
		if _, err := s.upload(l.ID, of("e")); !problem.Is(err, "invalid_transition") {
			t.Errorf("for a withdrawn listing: %v", err)
		}
		again := s.mustCreate(inventory.Input{Quantity: 2, Section: "102", Row: "A"})
		s.mustUpload(again, of("b", "c"))
		s.have(again, "0 received b", "1 received c")
		s.release(t, "E", sold)
		s.have(l)
	})
}

func TestBarcodesOfATicketType(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		var tt inventory.TicketType
		s.write(t, func(tx *db.Tx) (err error) {
			tt, err = s.stock.CreateType(tx, house, inventory.TypeInput{Event: "E", Name: "Adult", Price: "10", Quantity: 5})
			return err
		})
		l := tt.Listing
		s.mustUpload(l, of("a", "b", "c"))
		sold := s.mustTake(l, 2)
		s.have(l, "0 received a", "1 received b", "2 received c")
		s.release(t, "E", sold)
		s.have(l, "2 received c")
		s.write(t, func(tx *db.Tx) error { return s.stock.WithdrawType(tx, house, tt.ID, 0) })
		s.have(l)
	})
}

// TestAValueUploadedTwiceAtOnceIsReceivedOnce: two listings want the same values at the same instant.
func TestAValueUploadedTwiceAtOnceIsReceivedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const values, each = 10, 8
		s := open(t, d)
		s.event("E")
		var all []inventory.Listing
		for i := range 2 {
			all = append(all, s.mustCreate(inventory.Input{Quantity: values * each, Section: fmt.Sprint(i), Row: "A"}))
		}
		s.log.kinds()
		var received [values]atomic.Int64
		var wg sync.WaitGroup
		for i := range 2 * values * each {
			l, n := all[i%2], i/2
			wg.Go(func() {
				r, err := s.upload(l.ID, []inventory.BarcodeUpload{{Ordinal: n, Values: []string{fmt.Sprintf("value-%d", n%values)}}})
				if err != nil {
					t.Errorf("ReceiveBarcodes: %v", err)
				} else if !r.Failed {
					received[n%values].Add(1)
				}
			})
		}
		wg.Wait()
		for v := range received {
			if n := received[v].Load(); n != 1 {
				t.Errorf("value %d was received %d times", v, n)
			}
		}
		kinds := strings.Fields(s.log.kinds())
		failed := len(slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return k != "listing.barcodes_failed" }))
		if len(kinds) != 2*values*each || failed != 2*values*each-values {
			t.Errorf("%d facts, %d of them of failures; want %d and %d", len(kinds), failed, 2*values*each, 2*values*each-values)
		}
		s.audit(t)
	})
}

// TestTwoNodesReceiveAValueOnce: two programs on one database.
func TestTwoNodesReceiveAValueOnce(t *testing.T) {
	c := dbtest.PostgreSQL(t)
	a := open(t, dbtest.Open(t, c))
	b := open(t, dbtest.Open(t, c))
	a.event("E")
	const n = 60
	l, m := a.mustCreate(inventory.Input{Quantity: n, Section: "A", Row: "A"}), a.mustCreate(inventory.Input{Quantity: n, Section: "B", Row: "A"})
	var received atomic.Int64
	var wg sync.WaitGroup
	for i := range 2 * n {
		s, listing := a, l
		if i%2 == 1 {
			s, listing = b, m
		}
		wg.Go(func() {
			r, err := s.upload(listing.ID, []inventory.BarcodeUpload{{Ordinal: i / 2, Values: []string{fmt.Sprint("value-", i/2)}}})
			if err != nil {
				t.Errorf("ReceiveBarcodes: %v", err)
			} else if !r.Failed {
				received.Add(1)
			}
		})
	}
	wg.Wait()
	if received.Load() != n {
		t.Errorf("%d of %d values were received, each once wanted", received.Load(), n)
	}
	a.audit(t)
}

// An audit finds digests that are missing, and counts that are wrong.
func TestAuditFindsBarcodesThatDoNotAgree(t *testing.T) {
	for _, broken := range []string{
		`DELETE FROM barcode_values WHERE ordinal = 1`,
		`UPDATE barcode_values SET set_no = set_no + 1000`,
		`UPDATE listings SET barcoded = 1`,
		`UPDATE barcode_sets SET replaced_at = received_at WHERE ordinal = 0`,
	} {
		dbtest.Each(t, func(t *testing.T, d *db.DB) {
			s := open(t, d)
			s.event("E")
			s.mustUpload(s.mustCreate(inventory.Input{Quantity: 2}), of("a", "b"))
			s.audit(t)
			undo := errors.New("undo")
			err := d.Write(t.Context(), "", func(tx *db.Tx) error {
				if _, err := tx.Exec(broken); err != nil {
					return err
				}
				found, err := inventory.Audit(tx)
				if err == nil && len(found) == 0 {
					t.Errorf("%s: the audit finds nothing", broken)
				}
				return errors.Join(err, undo)
			})
			if !errors.Is(err, undo) {
				t.Fatal(err)
			}
		})
	}
}

// What has failed ends as what was received does, also where nothing was ever received: who has the place next does not have it.
func TestFailedBarcodesEndWithTheirPlace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		if err := s.rule(inventory.BarcodeRule{Pattern: "[0-9]+"}); err != nil {
			t.Fatal(err)
		}
		l := s.mustCreate(inventory.Input{Quantity: 3, Seats: []string{"7", "8", "9"}, ExpiresAt: ahead(1)})
		if r := s.mustUpload(l, of("a", "b", "c")); !r.Failed || r.Listing.Barcoded != 0 {
			t.Fatalf("receipt %+v, want that all failed", r)
		}
		r := s.mustTake(l, 1)
		s.have(l, "0 failed_validation a", "1 failed_validation b", "2 failed_validation c")
		s.release(t, "E", r)
		s.have(l, "1 failed_validation b", "2 failed_validation c")
		s.mustUpdate(l.ID, inventory.Patch{Seats: []string{"7", "8b", "9"}})
		s.have(l, "2 failed_validation c")
		s.mustUpdate(l.ID, inventory.Patch{Total: ptr(2)})
		s.have(l)

		s.mustUpload(l, of("d", "e"))
		h, err := s.hold(inventory.HoldInput{Event: "E", Want: inventory.Want{Listing: l.ID, Quantity: 1}})
		if err != nil {
			t.Fatal(err)
		}
		s.pass(t, l.ID, "expires_at")
		s.lapse(t, e)
		s.have(l, "0 failed_validation d") // until the hold has ended, which may become an order
		if _, err := s.releaseHold(h); err != nil {
			t.Fatal(err)
		}
		s.have(l)
	})
}
