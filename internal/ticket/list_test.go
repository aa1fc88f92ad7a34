package ticket_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// TestTransfersAreListedByPages: the newest first, each once, by state, and none of another organisation.
func TestTransfersAreListedByPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		all := s.bought(5)
		for i, one := range all {
			if _, err := s.offer(one.ID, kari, fmt.Sprintf("guest%d@example.test", i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.revoke(all[1].ID, kari); err != nil {
			t.Fatal(err)
		}
		pages := func(f ticket.TransferFilter) string {
			t.Helper()
			var to []string
			for n := 0; ; n++ {
				page, next, err := ticket.Transfers(d.Read(t.Context()), house, f)
				if err != nil || len(page) > f.Limit || n > 5 {
					t.Fatalf("Transfers(%+v) = %d, %v", f, len(page), err)
				}
				for _, x := range page {
					to = append(to, strings.TrimSuffix(strings.TrimPrefix(x.To, "guest"), "@example.test"))
				}
				if f.After = next; next == "" {
					return strings.Join(to, " ")
				}
			}
		}
		for want, f := range map[string]ticket.TransferFilter{
			"4 3 2 1 0": {Limit: 2}, "4 3 2 0": {Limit: 3, State: ticket.Offered}, "1": {Limit: 1, State: ticket.Revoked}, "": {Limit: 5, State: ticket.Accepted},
		} {
			if got := pages(f); got != want {
				t.Errorf("Transfers(%+v) are to %q, want %q", f, got, want)
			}
		}
		if page, _, err := ticket.Transfers(d.Read(t.Context()), house+1, ticket.TransferFilter{}); err != nil || len(page) != 0 {
			t.Errorf("another organisation sees %v, %v", page, err)
		}
		for _, f := range []ticket.TransferFilter{{State: "lost"}, {After: "yesterday"}} {
			if _, _, err := ticket.Transfers(d.Read(t.Context()), house, f); !problem.Is(err, "validation_failed") {
				t.Errorf("Transfers(%+v) = %v, want validation_failed", f, err)
			}
		}
	})
}

// TestTicketsAreFoundByTheirSeat: with and without row and section, at one event; without being counted where nobody asks how many there are.
func TestTicketsAreFoundByTheirSeat(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		one := s.bought(3)[1]
		s.exec(`UPDATE tickets SET section = 'Balcony', row_name = 'C', seat = '12' WHERE ticket_no = $1`, one.No)
		for seat, want := range map[string]int{"12": 1, "c 12": 1, " balcony  C 12 ": 1, "C": 0, "13": 0} {
			page, total, err := ticket.List(d.Read(t.Context()), house, ticket.Filter{Event: "E", Seat: seat, Uncounted: true})
			if err != nil || len(page) != want || total != 0 || want == 1 && page[0].ID != one.ID {
				t.Errorf("List of the seat %q = %d of %d, %v; want %d", seat, len(page), total, err, want)
			}
		}
		if _, _, err := ticket.List(d.Read(t.Context()), house, ticket.Filter{Seat: "12"}); !problem.Is(err, "validation_failed") {
			t.Errorf("List of a seat at no event = %v, want validation_failed", err)
		}
	})
}
