package inventory_test

import (
	"strings"
	"testing"

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
