package endpoint_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
)

func TestFindSearchesNewestFirst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		var all []*endpoint.Endpoint
		for i, path := range []string{"Orders", "orders/b", "100%25", "under_score", "tickets", "stamps"} {
			url, err := h.book.OperatorURL("https://example.com/" + path)
			if err != nil {
				t.Fatal(err)
			}
			format := narrow.Format()
			if i == 4 {
				format = broad.Format()
			}
			err = d.Configure(t.Context(), func(tx *db.Tx) error {
				e, err := h.book.Create(tx, int64(1+i/5), endpoint.Spec{
					URL: url, Format: format, Events: []string{"*"}, Description: fmt.Sprintf("Number %d", i), Inactive: i == 1,
				}, audit.By{})
				all = append(all, e)
				if err == nil && i == 2 {
					_, err = h.book.NoteFailure(tx, e, "it is ill", time.Hour)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			s    endpoint.Search
			want []int
		}{
			{endpoint.Search{}, []int{4, 3, 2, 1, 0}},
			{endpoint.Search{Text: "ORDERS"}, []int{1, 0}},
			{endpoint.Search{Text: "number 3"}, []int{3}},
			{endpoint.Search{Text: "100%25"}, []int{2}},
			{endpoint.Search{Text: "%"}, []int{2}},
			{endpoint.Search{Text: "r_s"}, []int{3}},
			{endpoint.Search{Text: `\`}, nil},
			{endpoint.Search{Text: "stamps"}, nil},
			{endpoint.Search{Disabled: true}, []int{1}},
			{endpoint.Search{Failing: true}, []int{2}},
			{endpoint.Search{Failing: true, Disabled: true}, nil},
			{endpoint.Search{Text: "orders", Disabled: true}, []int{1}},
			{endpoint.Search{Format: narrow.Format()}, []int{3, 2, 1, 0}},
			{endpoint.Search{Format: broad.Format()}, []int{4}},
			{endpoint.Search{Format: narrow.Format(), Text: "orders"}, []int{1, 0}},
			{endpoint.Search{Format: "another"}, nil},
		} {
			var want, got []int64
			for _, i := range c.want {
				want = append(want, all[i].Number)
			}
			s := c.s
			s.Limit = 2
			for more := true; more; {
				var page []*endpoint.Endpoint
				var err error
				if page, more, err = h.book.Find(d.Read(t.Context()), endpoint.Whose{Org: 1}, s); err != nil || len(page) > s.Limit {
					t.Fatalf("Find(%+v) = %d, %v", s, len(page), err)
				}
				for _, e := range page {
					got = append(got, e.Number)
					s.Before = e.Number
					if (e.Number == all[2].Number) != (e.LastError == "it is ill") {
						t.Errorf("Find(%+v): %s has the last error %q", s, e.URL, e.LastError)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("Find(%+v) = %v, want %v", c.s, got, want)
			}
		}
		if n, err := h.book.Count(d.Read(t.Context()), endpoint.Whose{Org: 1}); err != nil || n != (endpoint.Tally{All: 5, Disabled: 1, Failing: 1}) {
			t.Errorf("Count = %+v, %v", n, err)
		}
		if n, err := h.book.Count(d.Read(t.Context()), endpoint.Whose{Org: 3}); err != nil || n != (endpoint.Tally{}) {
			t.Errorf("Count of nobody's = %+v, %v", n, err)
		}
	})
}
