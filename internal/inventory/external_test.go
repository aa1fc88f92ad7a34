package inventory_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func (s *store) named(external string) id.Listing {
	s.t.Helper()
	l, err := inventory.ByExternalID(s.db.Read(s.t.Context()), house, external)
	if err != nil && !problem.Is(err, "listing_not_found") {
		s.t.Fatal(err)
	}
	return l.ID
}

func (s *store) replace(external string, in inventory.Input) (l inventory.Listing, created bool, err error) {
	in.Price = "10"
	if in.Section == "" {
		in.Section, in.Row = "101", "A"
	}
	err = s.db.Write(s.t.Context(), "", func(tx *db.Tx) (err error) {
		l, created, err = s.stock.Replace(tx, house, external, in)
		return err
	})
	return l, created, err
}

func TestAnExternalIDNamesOneListing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		s.event("F")
		x := s.mustCreate(inventory.Input{Quantity: 1, ExternalID: "x"})
		y := s.mustCreate(inventory.Input{Event: "F", Quantity: 1, ExternalID: "y", Status: inventory.Draft})
		s.mustCreate(inventory.Input{Quantity: 1})
		s.mustCreate(inventory.Input{Quantity: 1}) // no name is no name
		taken := func(err error) {
			t.Helper()
			if !problem.Is(err, "external_id_taken") {
				t.Errorf("a name that another has = %v, want external_id_taken", err)
			}
		}
		_, err := s.create(inventory.Input{Event: "F", Section: "1", Row: "A", Quantity: 1, Price: "1", ExternalID: "x"})
		taken(err)
		_, err = s.create(inventory.Input{Event: "E", Section: "1", Row: "A", Quantity: 1, Price: "1", ExternalID: " y "})
		taken(err)
		_, err = s.update(y.ID, inventory.Patch{ExternalID: ptr("x")})
		taken(err)
		s.mustUpdate(x.ID, inventory.Patch{ExternalID: ptr("x")})
		s.mustUpdate(x.ID, inventory.Patch{ExternalID: ptr("z")})
		s.mustUpdate(y.ID, inventory.Patch{ExternalID: ptr("x")})
		if got := [3]id.Listing{s.named("x"), s.named("y"), s.named("z")}; got != [3]id.Listing{y.ID, "", x.ID} {
			t.Errorf("x, y and z name %v", got)
		}
		s.mustUpdate(x.ID, inventory.Patch{Status: ptr(inventory.Withdrawn)})
		if got := s.byID(t, x.ID); got.ExternalID != "z" || s.named("z") != "" {
			t.Errorf("withdrawn, it has the name %q, which names %s", got.ExternalID, s.named("z"))
		}
		again := s.mustCreate(inventory.Input{Quantity: 1, ExternalID: "z"})
		if s.named("z") != again.ID {
			t.Errorf("z names %s, want %s", s.named("z"), again.ID)
		}
		if _, err := inventory.ByExternalID(d.Read(t.Context()), house+1, "z"); !problem.Is(err, "listing_not_found") {
			t.Errorf("another organisation's z = %v, want listing_not_found", err)
		}
		if got, err := inventory.ByNo(d.Read(t.Context()), house, again.No); err != nil || got.ID != again.ID {
			t.Errorf("ByNo(%d) = %s, %v", again.No, got.ID, err)
		}
		if _, err := inventory.ByNo(d.Read(t.Context()), house+1, again.No); !problem.Is(err, "listing_not_found") {
			t.Errorf("another organisation's ByNo = %v, want listing_not_found", err)
		}
		s.audit(t)
	})
}

// TestOfThoseWhoTakeANameAtOnceOneGetsIt: the listings are of different events, so no event's lock decides.
func TestOfThoseWhoTakeANameAtOnceOneGetsIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		events := []id.Event{"E1", "E2", "E3", "E4", "E5", "E6"}
		for _, e := range events {
			s.event(e)
		}
		got := make([]error, len(events))
		var wg sync.WaitGroup
		for i, e := range events {
			wg.Go(func() {
				got[i] = d.Write(t.Context(), string(e), func(tx *db.Tx) error {
					_, err := s.stock.Create(tx, house, inventory.Input{Event: e, Section: "1", Row: "A", Quantity: 1, Price: "1", ExternalID: "x"})
					return err
				})
			})
		}
		wg.Wait()
		made := 0
		for i, err := range got {
			switch {
			case err == nil:
				made++
			case !problem.Is(err, "external_id_taken"):
				t.Errorf("Create for %s = %v, want external_id_taken", events[i], err)
			}
		}
		if made != 1 {
			t.Errorf("%d got the name, want 1", made)
		}
	})
}

// TestNamesOfBeforeStay: databases hold names that several listings have.
func TestNamesOfBeforeStay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		old := s.mustCreate(inventory.Input{Quantity: 2, ExternalID: "x"})
		s.write(t, func(tx *db.Tx) error { // as the migration leaves it
			_, err := tx.Exec(`UPDATE listings SET external_key = NULL WHERE id = $1`, old.ID)
			return err
		})
		x := s.mustCreate(inventory.Input{Quantity: 2, ExternalID: "x"})
		s.mustUpdate(old.ID, inventory.Patch{Total: ptr(3), ExternalID: ptr("x")})
		s.mustTake(old, 1)
		if s.named("x") != x.ID {
			t.Errorf("x names %s, want %s", s.named("x"), x.ID)
		}
		s.mustUpdate(old.ID, inventory.Patch{ExternalID: ptr("")})
		if _, err := s.update(old.ID, inventory.Patch{ExternalID: ptr("x")}); !problem.Is(err, "external_id_taken") {
			t.Errorf("taking the name again = %v, want external_id_taken", err)
		}
		s.audit(t)
	})
}

func TestReplaceKeepsWhatIsSold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		s.event("F")
		made, created, err := s.replace("x", inventory.Input{Event: "E", Quantity: 4, Notes: []string{"Aisle"}, DeliverBy: ahead(1)})
		if err != nil || !created || made.ExternalID != "x" {
			t.Fatalf("Replace made %+v, created %v, %v", made, created, err)
		}
		same, created, err := s.replace("x", inventory.Input{Event: "E", Quantity: 4, Notes: []string{"Aisle"}, DeliverBy: ahead(1)})
		if err != nil || created || same.Version != made.Version {
			t.Errorf("the same again: version %d, created %v, %v; want that nothing changes", same.Version, created, err)
		}
		s.mustTake(made, 3)
		got, created, err := s.replace("x", inventory.Input{Event: "E", Quantity: 2, DeliveryKind: inventory.ByPaper, Status: inventory.Paused})
		if err != nil || created || got.ID != made.ID || got.Sold != 3 || got.Total != 5 || got.Status != inventory.Paused || got.DeliveryKind != inventory.ByPaper ||
			got.Notes != nil || !got.DeliverBy.IsZero() {
			t.Errorf("Replace made %+v, created %v, %v", got, created, err)
		}
		if _, _, err = s.replace("x", inventory.Input{Event: "E", Quantity: 2, Section: "102", Row: "A"}); !problem.Is(err, "listing_has_sales") {
			t.Errorf("another section for what is sold = %v, want listing_has_sales", err)
		}
		if _, _, err = s.replace("x", inventory.Input{Event: "E", Section: "\n", Row: "A", Quantity: 2, DeliveryKind: "owl"}); pointers(err) != "/section /deliveryKind" {
			t.Errorf("nonsense = %v", err)
		}
		moved, created, err := s.replace("x", inventory.Input{Event: "F", Quantity: 2})
		if err != nil || !created || s.byID(t, made.ID).Status != inventory.Withdrawn || s.named("x") != moved.ID {
			t.Errorf("for another event: %+v, created %v, %v; the old one is %s", moved, created, err, s.byID(t, made.ID).Status)
		}
		s.pass(t, moved.ID, "created_at")
		s.mustUpdate(moved.ID, inventory.Patch{ExpiresAt: ptr(ahead(1))})
		s.pass(t, moved.ID, "expires_at")
		after, created, err := s.replace("x", inventory.Input{Event: "F", Quantity: 2})
		if err != nil || !created || after.ID == moved.ID {
			t.Errorf("after its end: %s, created %v, %v; want a new one", after.ID, created, err)
		}
		s.audit(t)
	})
}

func TestReplaceKeepsTheSeatsThatAreSold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		put := func(seats string) (inventory.Listing, error) {
			list := strings.Fields(seats)
			l, _, err := s.replace("x", inventory.Input{Event: "E", Quantity: len(list), Seats: list})
			return l, err
		}
		made, err := put("1 2 3 4")
		if err != nil {
			t.Fatal(err)
		}
		first := s.mustTake(made, 1)
		s.mustTake(made, 2)
		s.release(t, "E", first) // 1 and 4 are for sale
		for _, c := range []struct{ wanted, has, code string }{
			{"1 4", "1 2 3 4", ""},
			{"1 2 3 4", "1 2 3 4", ""}, // what is sold does not come back
			{"5 1", "1 2 3 5", ""},
			{"4 1 5", "1 2 3 4 5", ""},
			{"4", "1 2 3 4 5", "listing_has_sales"},
		} {
			l, err := put(c.wanted)
			if c.code != "" {
				if !problem.Is(err, c.code) {
					t.Errorf("Replace with %s for sale = %v, want %s", c.wanted, err, c.code)
				}
				l = s.byID(t, made.ID)
			} else if err != nil {
				t.Errorf("Replace with %s for sale: %v", c.wanted, err)
			}
			if got := strings.Join(l.Seats, " "); got != c.has || l.Sold != 2 {
				t.Errorf("Replace with %s for sale: %d sold of %s, want 2 of %s", c.wanted, l.Sold, got, c.has)
			}
		}
		s.audit(t)
	})
}

func TestListingsOfAnOrganisation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		f := s.event("F")
		a := s.mustCreate(inventory.Input{Section: "a", Row: "1", Quantity: 5, Price: "30", ExpiresAt: ahead(2)})
		b := s.mustCreate(inventory.Input{Event: "F", Section: "b", Row: "1", Quantity: 7, Price: "20"})
		s.mustCreate(inventory.Input{Section: "c", Row: "1", Quantity: 9, Price: "10", Status: inventory.Paused})
		gone := s.mustCreate(inventory.Input{Event: "F", Section: "d", Row: "1", Quantity: 1, Price: "40"})
		s.mustUpdate(gone.ID, inventory.Patch{Status: ptr(inventory.Withdrawn)})
		sold := s.mustTake(a, 1)
		s.write(t, func(tx *db.Tx) error { // long ago, but for a, which has sold something since
			_, err := tx.Exec(`UPDATE listings SET updated_at = listing_no * 1000000 WHERE listing_no <> $1`, sold.Listing)
			return err
		})
		for _, c := range []struct {
			f     inventory.OrgFilter
			want  string
			total int
		}{
			{inventory.OrgFilter{}, "a b c d", 4},
			{inventory.OrgFilter{Desc: true}, "d c b a", 4},
			{inventory.OrgFilter{Live: true, Limit: 2}, "a b", 3},
			{inventory.OrgFilter{After: a.No, Limit: 2}, "b c", 4},
			{inventory.OrgFilter{After: gone.No, Desc: true, Limit: 2}, "c b", 4},
			{inventory.OrgFilter{Offset: 3}, "d", 4},
			{inventory.OrgFilter{EventNo: f.No}, "b d", 2},
			{inventory.OrgFilter{UpdatedSince: a.UpdatedAt}, "a", 1},
			{inventory.OrgFilter{UpdatedSince: time.UnixMicro(b.No * 1_000_000)}, "a b c d", 4},
			{inventory.OrgFilter{UpdatedSince: time.UnixMicro(b.No*1_000_000 + 1)}, "a c d", 3},
			{inventory.OrgFilter{Sort: inventory.ByCreated, Desc: true}, "d c b a", 4},
			{inventory.OrgFilter{Sort: inventory.ByUpdated}, "b c d a", 4},
			{inventory.OrgFilter{Sort: inventory.ByPrice}, "c b a d", 4},
			{inventory.OrgFilter{Sort: inventory.ByAvailable}, "c d a b", 4},
			{inventory.OrgFilter{Sort: inventory.ByAvailable, Desc: true, Now: time.Now()}, "b a d c", 4},
			{inventory.OrgFilter{Live: true, Limit: 1, Now: ahead(2)}, "b", 2}, // a has expired by then, and pages are cut without it
			{inventory.OrgFilter{Live: true, Sort: inventory.ByAvailable, Desc: true, Now: ahead(2)}, "b c", 2},
			{inventory.OrgFilter{Sort: inventory.ByAvailable, Desc: true, Now: ahead(2)}, "b d c a", 4},
		} {
			page, total, err := inventory.OfOrg(d.Read(t.Context()), house, c.f)
			var got []string
			for _, l := range page {
				got = append(got, l.Section)
			}
			if g := strings.Join(got, " "); err != nil || g != c.want || total != c.total {
				t.Errorf("OfOrg(%+v) = %s of %d, %v; want %s of %d", c.f, g, total, err, c.want, c.total)
			}
		}
		for _, f := range []inventory.OrgFilter{{Sort: "colour"}, {Limit: 1002}, {Offset: -1}, {After: 1, Sort: inventory.ByPrice}} {
			if _, _, err := inventory.OfOrg(d.Read(t.Context()), house, f); !problem.Is(err, "validation_failed") {
				t.Errorf("OfOrg(%+v) = %v, want validation_failed", f, err)
			}
		}
		if page, total, err := inventory.OfOrg(d.Read(t.Context()), house+1, inventory.OrgFilter{}); len(page)+total > 0 || err != nil {
			t.Errorf("another organisation has %d listings, %v", total, err)
		}
	})
}

func (s *store) deleteEvent(e id.Event) error {
	return s.db.Write(s.t.Context(), "", func(tx *db.Tx) error { return s.cal.Delete(tx, house, e, 0) })
}

// With its event, a listing gives its external id back, its dates have no effect any more, and its barcodes may be had by others.
func TestADeletedEventClosesItsListings(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		plain := s.mustCreate(inventory.Input{Quantity: 2, ExternalID: "x", DeliveryKind: inventory.ByBarcode, DeliverBy: ahead(1), ExpiresAt: ahead(2)})
		late := s.mustCreate(inventory.Input{Quantity: 1, Section: "102", Row: "A", ExternalID: "y", ExpiresAt: ahead(2)})
		draft := s.mustCreate(inventory.Input{Quantity: 1, Section: "103", Row: "A", Status: inventory.Draft, ExpiresAt: ahead(2)})
		s.mustUpload(plain, of("one", "two"))
		var adult inventory.TicketType
		s.write(t, func(tx *db.Tx) (err error) {
			adult, err = s.stock.CreateType(tx, house, inventory.TypeInput{Event: "E", Name: "Adult", Price: "10", Quantity: 5})
			return err
		})
		h, err := s.hold(inventory.HoldInput{Event: "E", Want: inventory.Want{Listing: plain.ID, Quantity: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.deleteEvent("E"); !problem.Is(err, "event_has_orders") {
			t.Fatalf("Delete while something is held = %v, want event_has_orders", err)
		}
		if _, err := s.releaseHold(h); err != nil {
			t.Fatal(err)
		}
		s.pass(t, late.ID, "expires_at")
		s.log.kinds()
		if err := s.deleteEvent("E"); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		s.hears("listing.changed listing.changed listing.changed listing.changed event.deleted")
		for l, want := range map[id.Listing]inventory.Status{
			plain.ID: inventory.Withdrawn, late.ID: inventory.Expired, draft.ID: inventory.Withdrawn, adult.Listing.ID: inventory.Withdrawn,
		} {
			if got := s.byID(t, l); got.Status != want || got.Barcoded != 0 {
				t.Errorf("%s is %s with %d barcodes, want %s with none", got.Section, got.Status, got.Barcoded, want)
			}
		}
		if due, err := inventory.Overdue(d.Read(t.Context()), ahead(30), 100); len(due) != 0 || err != nil {
			t.Errorf("Overdue = %v, %v; want nothing of a deleted event", due, err)
		}
		if free := s.free(t, e); free != 0 {
			t.Errorf("%d units of the deleted event are for sale", free)
		}
		s.audit(t)
		s.event("E")
		for _, name := range []string{"x", "y"} {
			if _, created, err := s.replace(name, inventory.Input{Event: "E", Section: name, Row: "A", Quantity: 1}); !created || err != nil {
				t.Errorf("the external id %s again: made %v, %v", name, created, err)
			}
		}
	})
}

// What a listing says already may have passed; only what is new must lie ahead.
func TestReplacingAListingWithWhatItSaysChangesNothingWhenItsDateHasPassed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		in := inventory.Input{Event: "E", Quantity: 2, DeliveryKind: inventory.ByBarcode, DeliverBy: ahead(1)}
		l, _, err := s.replace("x", in)
		if err != nil {
			t.Fatal(err)
		}
		s.pass(t, l.ID, "deliver_by")
		in.DeliverBy = s.byID(t, l.ID).DeliverBy
		again, created, err := s.replace("x", in)
		if err != nil || created || again.ID != l.ID || again.Deliverability != inventory.Undeliverable {
			t.Errorf("Replace = %s %s, made %v, %v; want the listing that cannot be delivered", again.ID, again.Deliverability, created, err)
		}
		if same, _, err := s.replace("x", in); err != nil || same.Version != again.Version {
			t.Errorf("Replace once more = version %d, %v; want %d", same.Version, err, again.Version)
		}
		in.DeliverBy = in.DeliverBy.Add(-time.Second)
		if _, _, err := s.replace("x", in); pointers(err) != "/deliverBy" {
			t.Errorf("Replace with another date that has passed = %v, want that it is refused", err)
		}
		s.audit(t)
	})
}
