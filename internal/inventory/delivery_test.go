package inventory_test

import (
	"encoding/json"
	"slices"
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
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// ahead is an instant that no test comes to.
func ahead(day int) time.Time { return time.Date(2090, 1, day, 12, 0, 0, 0, time.UTC) }

func (s *store) cover(l id.Listing, barcoded int) (out inventory.Listing) {
	s.t.Helper()
	s.write(s.t, func(tx *db.Tx) (err error) {
		out, err = s.stock.Covered(tx, house, l, barcoded)
		return err
	})
	return out
}

func (s *store) mustUpdate(l id.Listing, p inventory.Patch) inventory.Listing {
	s.t.Helper()
	out, err := s.update(l, p)
	if err != nil {
		s.t.Fatalf("Update(%+v): %v", p, err)
	}
	return out
}

// offered lists what can be bought of an event.
func (s *store) offered(e id.Event) (all []id.Listing) {
	s.t.Helper()
	_, page, _, err := inventory.List(s.db.Read(s.t.Context()), house, inventory.Filter{Event: e, Now: time.Now()})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range page {
		all = append(all, l.ID)
	}
	return all
}

// only takes the data of the only fact since it was asked last.
func (s *store) only(k fact.Kind) (data inventory.Snapshot) {
	s.t.Helper()
	if len(s.log.facts) != 1 || s.log.facts[0].Kind != k {
		s.t.Fatalf("facts: %s, want %s", s.log.kinds(), k)
	}
	if err := json.Unmarshal(s.log.facts[0].Data, &data); err != nil {
		s.t.Fatal(err)
	}
	s.log.facts = nil
	return data
}

func TestWhatIsSaidOfDeliveryIsKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		made := s.mustCreate(inventory.Input{
			Quantity: 2, DeliveryKind: inventory.ByETicket, InHandAt: ahead(1), DeliverBy: ahead(2), ExpiresAt: ahead(3), FaceValue: "60.5",
			Notes: []string{"Restricted view", " No under 18s "},
		})
		want := made
		want.FaceValue, want.Notes = &money.Amount{Minor: 6050, Currency: "EUR"}, []string{"Restricted view", "No under 18s"}
		if diff := cmp.Diff(want, s.byID(t, made.ID), listings); diff != "" {
			t.Errorf("ByID -made +found:\n%s", diff)
		}
		plain := s.mustCreate(inventory.Input{Row: "B", Section: "1", Quantity: 1})
		if plain.DeliveryKind != inventory.ByTransfer || plain.Deliverability != inventory.Deliverable || plain.Notes != nil {
			t.Errorf("without a word, Create made %+v", plain)
		}
		s.log.kinds()
		cleared := s.mustUpdate(made.ID, inventory.Patch{InHandAt: &time.Time{}, DeliverBy: &time.Time{}, ExpiresAt: &time.Time{}, FaceValue: ptr(money.Decimal("")), Notes: &[]string{}})
		if diff := cmp.Diff(cleared, s.byID(t, made.ID), listings); diff != "" || !cleared.DeliverBy.IsZero() || cleared.FaceValue != nil || cleared.Notes != nil {
			t.Errorf("cleared: %+v; ByID -is +found:\n%s", cleared, diff)
		}
		if got, want := s.only(fact.ListingChanged).Changes, []string{"inHandAt", "deliverBy", "expiresAt", "faceMinor", "notes"}; !slices.Equal(got, want) {
			t.Errorf("changes %v, want %v", got, want)
		}
		s.audit(t)
	})
}

func TestWrongDeliveryNamesEveryField(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	s.event("E")
	yesterday := time.Now().AddDate(0, 0, -1)
	for _, c := range []struct {
		in   inventory.Input
		want string
	}{
		{inventory.Input{DeliveryKind: "pigeon"}, "/deliveryKind"},
		{inventory.Input{InHandAt: yesterday, DeliverBy: yesterday, ExpiresAt: yesterday}, "/deliverBy /expiresAt"},
		{inventory.Input{InHandAt: ahead(2), DeliverBy: ahead(1)}, "/inHandAt"},
		{inventory.Input{ExpiresAt: ahead(1).AddDate(9000, 0, 0)}, "/expiresAt"},
		{inventory.Input{FaceValue: "1.005"}, "/faceValue"},
		{inventory.Input{Notes: make([]string, 21)}, "/notes"},
		{inventory.Input{Notes: []string{"fine", "", strings.Repeat("é", 201), "two\nlines"}}, "/notes/1 /notes/2 /notes/3"},
	} {
		c.in.Event, c.in.Section, c.in.Row, c.in.Quantity, c.in.Price = "E", "1", "A", 2, "10"
		_, err := s.create(c.in)
		if got := pointers(err); got != c.want {
			t.Errorf("Create(%+v) = %v, wrong %s; want %s", c.in, err, got, c.want)
		}
	}
	l := s.mustCreate(inventory.Input{Quantity: 2, InHandAt: ahead(1), DeliverBy: ahead(2), FaceValue: "5"})
	for _, c := range []struct {
		p    inventory.Patch
		want string
	}{
		{inventory.Patch{DeliverBy: ptr(ahead(1).Add(-time.Second))}, "/inHandAt"},
		{inventory.Patch{DeliverBy: &yesterday, InHandAt: &time.Time{}}, "/deliverBy"},
		{inventory.Patch{Price: ptr(money.Decimal("5")), Currency: ptr(money.Currency("NOK"))}, "/faceValue"},
	} {
		_, err := s.update(l.ID, c.p)
		if got := pointers(err); got != c.want {
			t.Errorf("Update(%+v) = %v, wrong %s; want %s", c.p, err, got, c.want)
		}
	}
	s.pass(t, l.ID, "in_hand_at")
	s.mustUpdate(l.ID, inventory.Patch{Price: ptr(money.Decimal("6"))}) // what came to pass is no mistake
}

func pointers(err error) string {
	var got []string
	if p := problem.As(err); p != nil {
		for _, f := range p.Fields {
			got = append(got, f.Pointer)
		}
	}
	return strings.Join(got, " ")
}

// From DeliverBy on nothing is sold, swept or not; it is told once for each time; holds of before become orders.
func TestTicketsWithoutCodesLeaveTheInventoryAtTheirDeadline(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 4, DeliveryKind: inventory.ByBarcode, DeliverBy: ahead(1)})
		h, err := s.hold(inventory.HoldInput{Event: "E", Want: inventory.Want{Listing: l.ID, Quantity: 1}, Holder: "usr_1"})
		if err != nil {
			t.Fatal(err)
		}
		s.cover(l.ID, 3)
		s.pass(t, l.ID, "deliver_by")
		s.log.kinds()

		refused := func(story string) {
			t.Helper()
			for _, w := range []inventory.Want{{Listing: l.ID, Quantity: 1}, {Section: "101", Row: "A", Quantity: 1}} {
				if _, _, err := s.take("E", w); !problem.Is(err, "listing_not_on_sale") && !(w.Listing == "" && problem.Is(err, "not_enough_tickets")) {
					t.Errorf("%s, taking of %+v = %v, want that it is not on sale", story, w, err)
				}
			}
			if got := s.offered("E"); len(got) > 0 {
				t.Errorf("%s, the inventory has %v", story, got)
			}
			for _, f := range []inventory.Filter{{Status: "all"}, {Status: "all", Quantity: 1}, {Status: "all", Public: true}, {Status: "paused"}} {
				f.Event, f.Now = "E", time.Now()
				_, page, total, err := inventory.List(d.Read(t.Context()), house, f)
				if want := f.Quantity == 0 && !f.Public && f.Status == "all"; err != nil || (len(page) == 1) != want || total != len(page) {
					t.Errorf("%s, List(%+v) = %d of %d, %v; want it %v", story, f, len(page), total, err, want)
				} else if want && page[0].Deliverability != inventory.Undeliverable {
					t.Errorf("%s, a list shows it as %s", story, page[0].Deliverability)
				}
			}
			if _, err := inventory.PublicByID(d.Read(t.Context()), house, l.ID, time.Now()); !problem.Is(err, "listing_not_found") {
				t.Errorf("%s, the public finds it: %v", story, err)
			}
		}
		refused("before the sweep")
		if n := s.lapse(t, e); n != 1 {
			t.Errorf("%d listings lapsed, want 1", n)
		}
		told := s.only(fact.ListingDeliverabilityExpired)
		if told.Deliverability != inventory.Undeliverable || told.Quantity != 0 || told.Event == nil || told.Event.Number != e.No || told.Version != l.Version+3 {
			t.Errorf("told %+v of event %+v", told, told.Event)
		}
		refused("after the sweep")
		if n, free := s.lapse(t, e), s.free(t, e); n != 0 || free != 0 || len(s.log.facts) > 0 {
			t.Errorf("a second sweep had %d to do and told %s; %d are free", n, s.log.kinds(), free)
		}
		s.audit(t)

		r, err := s.convert(h)
		if err != nil {
			t.Errorf("converting a hold of before the deadline: %v", err)
		}
		if k := s.log.kinds(); k != "pool.exhausted" { // sold, and nothing is free or held
			t.Errorf("facts: %s, want pool.exhausted", k)
		}
		if got := s.cover(l.ID, 4); got.Deliverability != inventory.Deliverable || got.Free() != 3 {
			t.Errorf("with codes for all, %s with %d for sale", got.Deliverability, got.Free())
		}
		if k := s.log.kinds(); k != "pool.reopened listing.changed" {
			t.Errorf("facts: %s, want that it is back", k)
		}
		s.audit(t)
		s.release(t, "E", r)
		if got := s.cover(l.ID, 2); got.Deliverability != inventory.Undeliverable { // a cancelled order's codes have been seen
			t.Errorf("with codes for 2 of 4 again: %s", got.Deliverability)
		}
		s.log.kinds()
		later := s.mustUpdate(l.ID, inventory.Patch{DeliverBy: ptr(ahead(3))})
		if got := s.only(fact.ListingChanged).Changes; later.Free() != 4 || !slices.Equal(got, []string{"quantity", "deliverBy", "deliverability"}) {
			t.Errorf("with a later deadline, %d are for sale, and changes are %v", later.Free(), got)
		}
		s.audit(t)
	})
}

// A change finds what is overdue first, so that it is told however late the sweep is, and once.
func TestAChangeOfWhatIsOverdueTellsThatFirst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 2, DeliveryKind: inventory.ByBarcode, DeliverBy: ahead(1)})
		s.pass(t, l.ID, "deliver_by")
		s.log.kinds()
		if _, err := s.update(l.ID, inventory.Patch{Version: l.Version, DeliverBy: ptr(ahead(2))}); !problem.Is(err, "version_mismatch") {
			t.Errorf("a change of what was on sale = %v, want version_mismatch", err)
		}
		s.mustUpdate(l.ID, inventory.Patch{DeliverBy: ptr(ahead(2))})
		if k := s.log.kinds(); k != "listing.deliverability_expired listing.changed" {
			t.Errorf("facts: %s", k)
		}
		s.cover(l.ID, 2)
		s.pass(t, l.ID, "deliver_by")
		if grown := s.mustUpdate(l.ID, inventory.Patch{Total: ptr(3)}); grown.Deliverability != inventory.Undeliverable {
			t.Errorf("with a place more than there are codes, it is %s", grown.Deliverability)
		}
		if k := s.log.kinds(); k != "listing.changed listing.deliverability_expired" {
			t.Errorf("facts: %s", k)
		}
		if paper := s.mustUpdate(l.ID, inventory.Patch{DeliveryKind: ptr(inventory.ByPaper)}); paper.Free() != 3 {
			t.Errorf("as paper, %d are for sale, want 3", paper.Free())
		}
		s.audit(t)
	})
}

func TestListingsExpire(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 2, Seats: []string{"1", "2"}, ExternalID: "x", ExpiresAt: ahead(1)})
		draft := s.mustCreate(inventory.Input{Section: "9", Row: "B", Quantity: 2, ExpiresAt: ahead(1), Status: inventory.Draft})
		s.mustTake(l, 1)
		s.pass(t, l.ID, "expires_at")
		s.write(t, func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE listings SET expires_at = created_at WHERE id = $1`, draft.ID)
			return err
		})
		s.log.kinds()
		if got := s.offered("E"); len(got) > 0 {
			t.Errorf("before the sweep, the inventory has %v", got)
		}
		if _, _, err := s.take("E", inventory.Want{Listing: l.ID, Quantity: 1}); !problem.Is(err, "listing_not_on_sale") {
			t.Errorf("taking of what has expired = %v, want listing_not_on_sale", err)
		}
		if _, err := s.update(l.ID, inventory.Patch{ExpiresAt: ptr(ahead(2))}); !problem.Is(err, "invalid_transition") {
			t.Errorf("a later end for what has expired = %v, want invalid_transition", err)
		}
		// Its seat and its name are free before the sweep.
		again := s.mustCreate(inventory.Input{Quantity: 1, Seats: []string{"2"}, ExternalID: "x"})
		s.log.kinds()
		if n := s.lapse(t, e); n != 1 {
			t.Errorf("%d listings lapsed, want 1, and not the draft", n)
		}
		if told := s.only(fact.ListingChanged); told.Status != inventory.Expired || !slices.Equal(told.Changes, []string{"quantity", "status"}) || told.Event != nil {
			t.Errorf("told %+v", told)
		}
		if got, err := inventory.ByExternalID(d.Read(t.Context()), house, "x"); err != nil || got.ID != again.ID {
			t.Errorf("x names %s, %v; want %s", got.ID, err, again.ID)
		}
		if _, err := s.update(draft.ID, inventory.Patch{Status: ptr(inventory.Active)}); pointers(err) != "/expiresAt" {
			t.Errorf("publishing a draft after its end = %v, want a word about expiresAt", err)
		}
		s.mustUpdate(draft.ID, inventory.Patch{Status: ptr(inventory.Withdrawn)})
		if n := s.free(t, e); n != 1 {
			t.Errorf("%d are free, want 1", n)
		}
		s.audit(t)
	})
}

func TestTheSweepFindsEventsOfAllOrganisations(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		for range 3 {
			l := s.mustCreate(inventory.Input{Quantity: 1, ExpiresAt: ahead(1)})
			s.pass(t, l.ID, "expires_at")
		}
		s.mustCreate(inventory.Input{Quantity: 1, ExpiresAt: ahead(1)})
		due := func() []inventory.Expiring {
			t.Helper()
			all, err := inventory.Overdue(d.Read(t.Context()), time.Now().Add(time.Minute), 10)
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		if diff := cmp.Diff([]inventory.Expiring{{Org: house, EventNo: e.No, EventID: "E"}}, due()); diff != "" {
			t.Errorf("Overdue -want +got:\n%s", diff)
		}
		s.lapse(t, e)
		if got := due(); len(got) > 0 {
			t.Errorf("after the sweep, Overdue = %v", got)
		}
	})
}

func TestOutlookIsAtRiskOnTheLastDay(t *testing.T) {
	by := time.Date(2027, 8, 14, 18, 0, 0, 0, time.UTC)
	l := inventory.Listing{Status: inventory.Active, Total: 2, Barcoded: 1, DeliveryKind: inventory.ByBarcode, DeliverBy: by, Deliverability: inventory.Deliverable}
	covered, paper := l, l
	covered.Barcoded, paper.DeliveryKind = 2, inventory.ByPaper
	for _, c := range []struct {
		l    inventory.Listing
		at   time.Time
		want inventory.Deliverability
	}{
		{l, by.Add(-24 * time.Hour), inventory.Deliverable},
		{l, by.Add(-24*time.Hour + 1), inventory.AtRisk},
		{l, by.Add(-1), inventory.AtRisk},
		{l, by, inventory.Undeliverable},
		{covered, by.Add(-1), inventory.Deliverable},
		{covered, by, inventory.Deliverable},
		{paper, by, inventory.Deliverable},
	} {
		if got := c.l.Outlook(c.at); got != c.want {
			t.Errorf("Outlook of %s with %d of 2 at %v = %s, want %s", c.l.DeliveryKind, c.l.Barcoded, c.at, got, c.want)
		}
	}
}
