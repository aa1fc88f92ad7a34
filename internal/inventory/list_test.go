package inventory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestListFiltersAndSorts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		s.event("F")
		name := map[id.Listing]string{}
		for _, c := range []struct {
			name string
			in   inventory.Input
		}{
			{"a", inventory.Input{Section: "2", Row: "B", Quantity: 4, Price: "50", SplitRule: inventory.Pairs}},
			{"b", inventory.Input{Section: "1", Row: "C", Quantity: 3, Price: "75.00", SplitRule: inventory.AvoidOne}},
			{"c", inventory.Input{Section: "1", Row: "A", Quantity: 20, Price: "60", Currency: "JPY"}},
			{"d", inventory.Input{Section: "3", Row: "A", Quantity: 2, Price: "60.01", SplitRule: inventory.None}},
			{"draft", inventory.Input{Section: "3", Row: "A", Quantity: 2, Status: inventory.Draft}},
			{"paused", inventory.Input{Section: "4", Row: "A", Quantity: 2, Status: inventory.Paused}},
			{"elsewhere", inventory.Input{Event: "F", Section: "3", Row: "A", Quantity: 2}},
		} {
			name[s.mustCreate(c.in).ID] = c.name
		}
		var b id.Listing
		for l, n := range name {
			if n == "b" {
				b = l
			}
		}
		for _, c := range []struct {
			f    inventory.Filter
			want string
		}{
			{inventory.Filter{}, "c a d b"},
			{inventory.Filter{SortBy: "price", SortOrder: "desc"}, "b d a c"},
			{inventory.Filter{SortBy: "section"}, "c b a d"},
			{inventory.Filter{SortBy: "row", SortOrder: "desc"}, "b a d c"},
			{inventory.Filter{Limit: 2, Offset: 1}, "a d"},
			{inventory.Filter{Listing: b}, "b"},
			{inventory.Filter{MinPrice: "60"}, "c d b"},
			{inventory.Filter{MinPrice: "50.00", MaxPrice: "60"}, "c a"},
			{inventory.Filter{MaxPrice: "0"}, ""},
			{inventory.Filter{Quantity: 2}, "c a d"},
			{inventory.Filter{Quantity: 3}, "c b"},
			{inventory.Filter{Quantity: 20}, "c"},
			{inventory.Filter{Status: "draft"}, "draft"},
			{inventory.Filter{Status: "paused", MaxPrice: "75"}, "paused"},
			{inventory.Filter{Status: "all", Quantity: 2, SortBy: "section"}, "c a d"},
		} {
			c.f.Event = "E"
			_, page, total, err := inventory.List(d.Read(t.Context()), house, c.f)
			var got []string
			for _, l := range page {
				got = append(got, name[l.ID])
			}
			if g := strings.Join(got, " "); err != nil || g != c.want || total != len(got) && c.f.Limit == 0 {
				t.Errorf("List(%+v) = %s of %d, %v; want %s", c.f, g, total, err, c.want)
			}
		}
		for _, f := range []inventory.Filter{
			{},
			{Event: "E", Quantity: 21},
			{Event: "E", Quantity: -1},
			{Event: "E", MinPrice: "x"},
			{Event: "E", MaxPrice: "1.005"},
			{Event: "E", Limit: 101},
			{Event: "E", Offset: -1},
			{Event: "E", SortBy: "name"},
			{Event: "E", SortOrder: "up"},
			{Event: "E", Status: "gone"},
		} {
			if _, _, _, err := inventory.List(d.Read(t.Context()), house, f); !problem.Is(err, "validation_failed") {
				t.Errorf("List(%+v) = %v, want validation_failed", f, err)
			}
		}
		if _, _, _, err := inventory.List(d.Read(t.Context()), house, inventory.Filter{Event: "X"}); !problem.Is(err, "event_not_found") {
			t.Errorf("List of no event = %v, want event_not_found", err)
		}
	})
}

// TestQuantityFilterSellsWhatItShows compares the filter's SQL with AllowedQuantities.
func TestQuantityFilterSellsWhatItShows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		for _, r := range []inventory.Rule{inventory.Any, inventory.None, inventory.AvoidOne, inventory.AvoidOneAndThree, inventory.Pairs} {
			for _, n := range []int{1, 2, 3, 4, 5, 7, 20} {
				s.mustCreate(inventory.Input{Quantity: n, SplitRule: r})
			}
		}
		for n := 1; n <= 20; n++ {
			_, page, _, err := inventory.List(d.Read(t.Context()), house, inventory.Filter{Event: "E", Quantity: n, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			_, all, _, _ := inventory.List(d.Read(t.Context()), house, inventory.Filter{Event: "E", Limit: 100})
			want := 0
			for _, l := range all {
				for _, q := range l.Splits() {
					if q == n {
						want++
					}
				}
			}
			if len(page) != want {
				t.Errorf("List with quantity %d shows %d listings, of which %d sell that many", n, len(page), want)
			}
		}
	})
}

// A status is what it is at the instant of asking, whatever has been written down, and pages are cut by it.
func TestListsGoByTheStatusAtTheInstantOfAsking(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		until := func(section string, status inventory.Status) inventory.Listing {
			return s.mustCreate(inventory.Input{Section: section, Row: "1", Quantity: 1, Status: status, ExpiresAt: ahead(1)})
		}
		until("a", inventory.Active)
		until("b", inventory.Paused)
		until("c", inventory.Draft)
		s.mustTake(until("d", inventory.Active), 1)
		s.mustUpdate(until("e", inventory.Active).ID, inventory.Patch{Status: ptr(inventory.Withdrawn)})
		for _, name := range []string{"f", "g"} {
			s.mustCreate(inventory.Input{Section: name, Row: "1", Quantity: 1, Status: inventory.Paused})
		}
		lists := func(story string, now time.Time, want map[string]string) {
			t.Helper()
			for status, want := range want {
				_, page, total, err := inventory.List(d.Read(t.Context()), house, inventory.Filter{Event: "E", Status: status, Now: now, SortBy: "section", Limit: 2})
				var got []string
				for _, l := range page {
					got = append(got, l.Section)
					if string(l.Status) != status {
						t.Errorf("%s, %s is %s in the list of %s", story, l.Section, l.Status, status)
					}
				}
				if g := fmt.Sprint(strings.Join(got, ""), " ", total); g != want || err != nil {
					t.Errorf("%s, the first two of %s are %s, %v; want %s", story, status, g, err, want)
				}
			}
		}
		lists("before", time.Now(), map[string]string{"active": "a 1", "paused": "bf 3", "draft": "c 1", "sold_out": "d 1", "withdrawn": "e 1", "expired": " 0"})
		after := map[string]string{"active": " 0", "paused": "fg 2", "draft": "c 1", "sold_out": " 0", "withdrawn": "e 1", "expired": "ab 3"}
		lists("after", ahead(1), after)
		for _, l := range []string{"a", "b", "d"} {
			s.write(t, func(tx *db.Tx) error {
				_, err := tx.Exec(`UPDATE listings SET expires_at = created_at, due_at = created_at WHERE section = $1`, l)
				return err
			})
		}
		if n := s.lapse(t, e); n != 3 {
			t.Errorf("%d listings have expired, want 3", n)
		}
		lists("when it is written down", time.Now(), after)
	})
}

func TestLeastPricesAreOfWhatCanBeBought(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		least := func(now time.Time) string {
			t.Helper()
			all, err := inventory.LeastPrices(d.Read(t.Context()), house, []int64{e.No}, now)
			if err != nil {
				t.Fatal(err)
			}
			if a, ok := all[e.No]; ok {
				return a.String()
			}
			return "none"
		}
		soon := s.mustCreate(inventory.Input{Section: "a", Row: "1", Quantity: 1, Price: "10", ExpiresAt: ahead(1)})
		s.mustCreate(inventory.Input{Section: "b", Row: "1", Quantity: 1, Price: "20", DeliveryKind: inventory.ByBarcode, DeliverBy: ahead(2)})
		s.mustCreate(inventory.Input{Section: "c", Row: "1", Quantity: 1, Price: "30", ExpiresAt: ahead(3)})
		for _, c := range []struct {
			now  time.Time
			want string
		}{{time.Now(), "10.00"}, {ahead(1), "20.00"}, {ahead(2), "30.00"}, {ahead(3), "none"}} {
			if got := least(c.now); got != c.want {
				t.Errorf("at %v the least price is %s, want %s", c.now, got, c.want)
			}
		}
		s.mustUpdate(soon.ID, inventory.Patch{DeliveryKind: ptr(inventory.ByBarcode), DeliverBy: ptr(ahead(1))})
		s.pass(t, soon.ID, "deliver_by")
		s.lapse(t, e) // which writes down that it cannot be delivered; it expires later
		if got := least(time.Now()); got != "20.00" {
			t.Errorf("beside what cannot be delivered the least price is %s, want 20.00", got)
		}
	})
}
