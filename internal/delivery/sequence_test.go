package delivery_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// sequenced is a dialect to which all facts belong together whose data names the same sale.
type sequenced struct{ plain }

func (sequenced) Sequence(f *fact.Fact) string {
	var data struct{ Sale string }
	_ = json.Unmarshal(f.Data, &data)
	return data.Sale
}

// sell appends facts about subjects of their own, numbered from 0, one for each sale that is named.
func (h *house) sell(sales ...string) {
	h.t.Helper()
	for n, sale := range sales {
		f := &fact.Fact{Org: org, Kind: fact.OrderAccepted, Subject: fmt.Sprint("subject", n), Data: json.RawMessage(fmt.Sprintf(`{"n":%d,"sale":%q}`, n, sale))}
		if err := h.db.Write(h.t.Context(), "", func(tx *db.Tx) error { return h.ledger.Append(tx, f) }); err != nil {
			h.t.Fatal(err)
		}
	}
}

// TestDialectSaysWhatBelongsTogether: an ordered endpoint gets what is of one sequence in order, whatever its subjects, and what is of another meanwhile.
func TestDialectSaysWhatBelongsTogether(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) { c.Dialects = []delivery.Dialect{sequenced{c.Dialects[0].(plain)}} })
		other := make(chan struct{})
		r := receive(t, func(g received) int {
			switch {
			case g.n == 2:
				close(other)
			case g.n == 0 && g.try == 1:
				<-other // or this would wait for ever
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		})
		e := h.subscribe(r.URL, endpoint.Options{Ordered: true})
		h.sell("hers", "hers", "his", "hers")
		h.settled(e, "delivered", 4)
		var hers []int
		for _, g := range r.await(t, 5) {
			if g.n != 2 {
				hers = append(hers, g.n)
			}
		}
		if want := []int{0, 0, 1, 3}; !slices.Equal(hers, want) {
			t.Errorf("what belongs together came as %d, want %d", hers, want)
		}
	})
}

// TestSubjectsBelongTogetherWhereNobodySaysMore: without an opinion of the dialect, subjects do not wait for each other.
func TestSubjectsBelongTogetherWhereNobodySaysMore(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		second := make(chan struct{})
		r := receive(t, func(g received) int {
			if g.n == 1 {
				close(second)
			} else {
				<-second // or this would wait for ever
			}
			return http.StatusOK
		})
		e := h.subscribe(r.URL, endpoint.Options{Ordered: true})
		h.sell("hers", "hers")
		h.settled(e, "delivered", 2)
	})
}
