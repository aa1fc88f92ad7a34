package order_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
)

func TestPagesOfOrdersHaveWhatIsLookedFor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 10})
		first, second := s.mustPlace(l, 1), s.mustPlace(l, 2)
		third, err := s.place(order.Input{Listing: l.ID, Quantity: 1, Customer: order.Customer{Email: "ola@example.test", Phone: kari.Phone}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) {
			return s.book.SetStatus(tx, house, first.ID, order.Change{Status: order.Accepted})
		}); err != nil {
			t.Fatal(err)
		}
		q := d.Read(t.Context())
		for _, c := range []struct {
			story string
			s     order.Search
			want  []result
		}{
			{"all", order.Search{}, []result{third, second, first}},
			{"of the event", order.Search{EventNo: first.EventNo}, []result{third, second, first}},
			{"of another event", order.Search{EventNo: first.EventNo + 1}, nil},
			{"accepted", order.Search{Status: order.Accepted}, []result{first}},
			{"by the address", order.Search{Text: "KARI@example.test"}, []result{second, first}},
			{"by the number", order.Search{Text: strings.ToLower(string(second.Number))}, []result{second}},
			{"by the id", order.Search{Text: string(third.ID)}, []result{third}},
			{"by what is none", order.Search{Text: "nothing"}, nil},
			{"of tomorrow", order.Search{From: third.CreatedAt.Add(time.Hour)}, nil},
			{"of yesterday", order.Search{Until: first.CreatedAt}, nil},
			{"of today", order.Search{From: first.CreatedAt, Until: third.CreatedAt.Add(time.Second)}, []result{third, second, first}},
		} {
			var got, want []string
			for c.s.Limit = 1; ; {
				page, err := order.Page(q, house, c.s)
				if err != nil {
					t.Fatalf("%s: %v", c.story, err)
				}
				if len(page) == 0 {
					break
				}
				got, c.s.Before = append(got, string(page[0].ID)), page[0].No
			}
			for _, r := range c.want {
				want = append(want, string(r.ID))
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%s: pages of 1 have %v; want %v", c.story, got, want)
			}
		}
		if n, err := order.Waiting(q, house); err != nil || n != 2 {
			t.Errorf("Waiting = %d, %v; want 2", n, err)
		}
		if n, err := order.Waiting(q, house+1); err != nil || n != 0 {
			t.Errorf("Waiting of another organisation = %d, %v; want 0", n, err)
		}
		sums, err := inventory.Sums(q, house, first.EventNo, first.EventNo+1)
		if want := (inventory.Sum{Capacity: 10, Sold: 4}); err != nil || len(sums) != 1 || sums[first.EventNo] != want || want.Free() != 6 {
			t.Errorf("Sums = %+v, %v; want %+v for the event alone", sums, err, want)
		}
	})
}
