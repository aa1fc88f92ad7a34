package ledger_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

func TestListHasAnOrganisationsFactsOnceNewestFirst(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		var want, even []string
		for i := range 20 {
			kind := fact.Kind("acme.odd")
			if i%4 == 0 {
				kind = "acme.even"
			}
			appendFacts(t, d, l, &fact.Fact{Org: int64(1 + i%2), Kind: kind, Subject: fmt.Sprint(i), Private: i == 4, Data: []byte(`{"who":"somebody"}`)})
			if i%2 == 0 {
				want = append(want, fmt.Sprint(i))
			}
			if i%4 == 0 {
				even = append(even, fmt.Sprint(i))
			}
		}
		slices.Reverse(want)
		slices.Reverse(even)
		for _, c := range []struct {
			kind fact.Kind
			want []string
		}{{"", want}, {"acme.even", even}, {"acme.none", nil}} {
			for _, limit := range []int{1, 3, 10, 100} {
				var got []string
				f := ledger.Filter{Kind: c.kind, Limit: limit}
				for first := true; first || f.Before > 0; first = false {
					page, next, err := ledger.List(d.Read(t.Context()), 1, f)
					if err != nil || len(page) > limit {
						t.Fatalf("List(%+v) = %d, %v", f, len(page), err)
					}
					for _, one := range page {
						got = append(got, one.Subject)
						if one.Subject == "4" && one.Data != nil {
							t.Errorf("List shows the data of a private fact: %s", one.Data)
						}
					}
					f.Before = next
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("List by %d of %q = %v, want %v", limit, c.kind, got, c.want)
				}
			}
		}
	})
}

// Whoever has few facts among many of others sees them too, page after page.
func TestListGoesOnBehindTheFactsOfOthers(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		appendFacts(t, d, l, &fact.Fact{Org: 1, Kind: "acme.first", Subject: "first"})
		for range 5 {
			many := make([]*fact.Fact, 5000)
			for i := range many {
				many[i] = &fact.Fact{Org: 2, Kind: "acme.other"}
			}
			appendFacts(t, d, l, many...)
		}
		page, next, err := ledger.List(d.Read(t.Context()), 1, ledger.Filter{Limit: 10})
		if err != nil || len(page) != 0 || next == 0 {
			t.Fatalf("the first page = %v, %d, %v; want none, and more behind it", page, next, err)
		}
		page, next, err = ledger.List(d.Read(t.Context()), 1, ledger.Filter{Before: next, Limit: 10})
		if err != nil || len(page) != 1 || page[0].Subject != "first" || next != 0 {
			t.Errorf("the second page = %v, %d, %v; want the first fact, and the end", page, next, err)
		}
	})
}
