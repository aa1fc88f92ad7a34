package delivery_test

import (
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// seven are an engine and three endpoints that seven facts went to: one took them, one refused them for good, and one will be asked again.
type seven struct {
	*house
	well, ill, slow *endpoint.Endpoint
}

func publishSeven(t *testing.T, d *db.DB) seven {
	t.Helper()
	h := assemble(t, d, nil)
	l, err := ledger.Open(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.engine.LogTo(l)
	h.start()
	ok, bad := receive(t, nil), receive(t, func(received) int { return 503 })
	s := seven{
		h, h.subscribe(ok.URL, endpoint.Options{}), h.subscribe(bad.URL, endpoint.Options{Retry: &[]time.Duration{}}),
		h.subscribe(bad.URL, endpoint.Options{Retry: &[]time.Duration{time.Hour}}),
	}
	for n := range 7 {
		h.publish("", n)
	}
	h.settled(s.well, "delivered", 7)
	h.settled(s.ill, "failed", 7)
	eventually(t, "all were tried", func() bool {
		page, _, err := h.engine.Summaries(t.Context(), org, delivery.Which{Endpoint: s.slow.Number, State: "retrying", Limit: 10})
		return err == nil && len(page) == 7
	})
	return s
}

// all goes through the pages of a list.
func (s seven) all(o int64, w delivery.Which) (all []delivery.Summary) {
	s.t.Helper()
	for more := true; more; {
		var page []delivery.Summary
		var err error
		if page, more, err = s.engine.Summaries(s.t.Context(), o, w); err != nil {
			s.t.Fatalf("Summaries(%d, %+v): %v", o, w, err)
		}
		if len(page) > w.Limit || more && len(page) == 0 {
			s.t.Fatalf("Summaries(%d, %+v) has %d on a page, more %v", o, w, len(page), more)
		}
		if all = append(all, page...); more {
			w.Before = page[len(page)-1].ID
		}
	}
	return all
}

func TestSummariesListEachOnceNewestFirst(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		s := publishSeven(t, d)
		for _, c := range []struct {
			to    *endpoint.Endpoint // nil for all
			state string
			want  int
			is    string
		}{
			{s.well, "", 7, "delivered"},
			{s.well, "delivered", 7, "delivered"},
			{s.well, "failed", 0, ""},
			{s.well, "pending", 0, ""},
			{s.well, "skipped", 0, ""},
			{s.ill, "", 7, "failed"},
			{s.ill, "failed", 7, "failed"},
			{s.ill, "retrying", 0, ""},
			{s.slow, "", 7, "pending"},
			{s.slow, "pending", 7, "pending"},
			{s.slow, "retrying", 7, "pending"},
			{s.slow, "delivered", 0, ""},
			{nil, "failed", 7, "failed"},
			{nil, "retrying", 7, "pending"},
			{nil, "skipped", 0, ""},
		} {
			w := delivery.Which{State: c.state, Limit: 3}
			if c.to != nil {
				w.Endpoint = c.to.Number
			}
			all := s.all(org, w)
			if len(all) != c.want {
				t.Errorf("Summaries(%+v) has %d, want %d", w, len(all), c.want)
			}
			for i, one := range all {
				if i > 0 && one.ID.Seq >= all[i-1].ID.Seq {
					t.Errorf("Summaries(%+v): fact %d comes after %d", w, one.ID.Seq, all[i-1].ID.Seq)
				}
				status := map[string]int{"delivered": 200, "failed": 503, "pending": 503}[c.is]
				if one.State != c.is || one.Attempts != 1 || one.Last.Status != status || one.Last.At.IsZero() || one.Event != "acme.happened" ||
					one.Kind != "acme.happened" || one.CreatedAt.IsZero() || one.Next.IsZero() != (c.is != "pending") {
					t.Errorf("Summaries(%+v) has %+v", w, one)
				}
			}
			if others := s.all(org+1, w); len(others) != 0 {
				t.Errorf("another organisation's Summaries(%+v) has %d", w, len(others))
			}
		}
		for _, w := range []delivery.Which{{State: "delivered", Limit: 1}, {Limit: 1}, {State: "lost", Endpoint: 1, Limit: 1}} {
			if _, _, err := s.engine.Summaries(t.Context(), org, w); !problem.Is(err, "invalid_state") {
				t.Errorf("Summaries(%+v) = %v, want invalid_state", w, err)
			}
		}
		latest, err := s.engine.Latest(t.Context(), org, []int64{s.well.Number, s.ill.Number, 12345})
		if newest := s.all(org, delivery.Which{Endpoint: s.well.Number, Limit: 1})[0]; err != nil || len(latest) != 2 || latest[s.well.Number] != newest ||
			latest[s.ill.Number].State != "failed" {
			t.Errorf("Latest = %+v, %v; want %+v, and one that failed", latest, err, newest)
		}
	})
}

func TestActivityListsEachAttemptOnce(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		s := publishSeven(t, d)
		for _, c := range []struct {
			f    delivery.ActivityFilter
			want int
		}{
			{delivery.ActivityFilter{}, 21},
			{delivery.ActivityFilter{State: "delivered"}, 7},
			{delivery.ActivityFilter{State: "failed"}, 7},
			{delivery.ActivityFilter{State: "pending"}, 7},
			{delivery.ActivityFilter{Endpoint: s.ill.Number}, 7},
			{delivery.ActivityFilter{Endpoint: s.ill.Number, State: "delivered"}, 0},
			{delivery.ActivityFilter{Event: "acme.happened", State: "failed"}, 7},
			{delivery.ActivityFilter{Event: "acme.other"}, 0},
		} {
			seen := map[string]bool{}
			f := c.f
			f.Limit = 4
			for first := true; first || f.Before != ""; first = false {
				page, next, err := s.engine.Activity(t.Context(), org, f)
				if err != nil || len(page) > f.Limit {
					t.Fatalf("Activity(%+v) = %d, %v", f, len(page), err)
				}
				for _, m := range page {
					if c.f.State != "" && m.State != c.f.State || c.f.Endpoint != 0 && m.Delivery.Endpoint != c.f.Endpoint || seen[m.Delivery.String()] {
						t.Errorf("Activity(%+v) has %+v, seen before: %v", f, m, seen[m.Delivery.String()])
					}
					seen[m.Delivery.String()] = true
				}
				f.Before = next
			}
			if len(seen) != c.want {
				t.Errorf("Activity(%+v) has %d attempts, want %d", c.f, len(seen), c.want)
			}
		}
		if page, next, err := s.engine.Activity(t.Context(), org+1, delivery.ActivityFilter{Limit: 4}); len(page) != 0 || next != "" || err != nil {
			t.Errorf("another organisation's Activity = %v, %q, %v", page, next, err)
		}
		for _, bad := range []string{"x", "1", "1-", "-1-1", "1--1"} {
			if _, _, err := s.engine.Activity(t.Context(), org, delivery.ActivityFilter{Before: bad, Limit: 1}); !problem.Is(err, "invalid_cursor") {
				t.Errorf("Activity before %q = %v, want invalid_cursor", bad, err)
			}
		}
	})
}

// A list that is asked for a time finds what is of it, and nothing else, without going through what is newer.
func TestListOfATimeHasWhatIsOfIt(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		s := publishSeven(t, d)
		all := s.all(org, delivery.Which{Endpoint: s.slow.Number, Limit: 10})
		middle := all[3].CreatedAt
		want := map[bool]int{}
		for _, one := range all {
			want[one.CreatedAt.Before(middle)]++
		}
		for _, state := range []string{"", "pending"} {
			older, _, err := s.engine.List(t.Context(), s.slow, delivery.Filter{State: state, Until: middle, Limit: 10})
			if err != nil || len(older) != want[true] {
				t.Errorf("List until the middle, %q, has %d, %v; want %d", state, len(older), err, want[true])
			}
			newer, _, err := s.engine.List(t.Context(), s.slow, delivery.Filter{State: state, Since: middle, Limit: 10})
			if err != nil || len(newer) != want[false] {
				t.Errorf("List since the middle, %q, has %d, %v; want %d", state, len(newer), err, want[false])
			}
		}
	})
}
