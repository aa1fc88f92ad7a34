package delivery_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func (h *house) change(e *endpoint.Endpoint, c endpoint.Change) {
	h.t.Helper()
	if err := h.db.Configure(h.t.Context(), func(tx *db.Tx) error {
		now, err := h.book.Update(tx, ours, e.ID, c, 0, audit.By{})
		if err == nil {
			*e = *now
		}
		return err
	}); err != nil {
		h.t.Fatalf("Update(%s): %v", e.ID, err)
	}
}

// A fact that many want is planned later, but for those who wanted it when it happened.
func TestWideFactIsForWhoeverWantedItAtItsPlace(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := assemble(t, d, func(c *delivery.Config) { c.WideLimit = 3 })
		r := receive(t, nil)
		var all []*endpoint.Endpoint
		for range 6 {
			all = append(all, h.subscribe(r.URL, endpoint.Options{}, "acme.happened"))
		}
		off, other := false, []string{"acme.else"}
		h.change(all[5], endpoint.Change{Active: &off})
		h.publish("", 1)
		h.change(all[0], endpoint.Change{Events: &other})
		on := true
		h.change(all[5], endpoint.Change{Active: &on})
		late := h.subscribe(r.URL, endpoint.Options{}, "acme.happened")
		if err := d.Configure(t.Context(), func(tx *db.Tx) error { return h.book.Delete(tx, ours, all[1].ID, 0, audit.By{}) }); err != nil {
			t.Fatal(err)
		}
		h.start()
		for _, e := range []*endpoint.Endpoint{all[0], all[2], all[3], all[4]} {
			h.settled(e, "delivered", 1)
		}
		h.settled(all[5], "skipped", 1)
		if page, _, err := h.engine.List(t.Context(), late, delivery.Filter{Limit: 10}); err != nil || len(page) != 0 {
			t.Errorf("who subscribed later has %v, %v; want nothing", page, err)
		}
	})
}

func TestPlanningOfAWideFactGoesOnWhereItStopped(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := assemble(t, d, func(c *delivery.Config) { c.WideLimit = 3 })
		r := receive(t, nil)
		var all []*endpoint.Endpoint
		for range 5 {
			all = append(all, h.subscribe(r.URL, endpoint.Options{}))
		}
		h.publish("", 1, 2)
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error { // as a node leaves it that dies after two endpoints of the first fact
			_, err := tx.Exec("UPDATE delivery_wide SET done = 2 WHERE fact_seq = (SELECT min(fact_seq) FROM delivery_wide)")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		h.start()
		for i, e := range all {
			want := 2
			if i < 2 {
				want = 1
			}
			h.settled(e, "delivered", want)
		}
	})
}

// A fact for few must not overtake one with the same key that is still to be planned for many.
func TestKeyHoldsBetweenFactsForManyAndForFew(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) { c.WideLimit = 3 })
		r := receive(t, nil)
		both := h.subscribe(r.URL, endpoint.Options{})
		others := receive(t, nil)
		for range 5 {
			h.subscribe(others.URL, endpoint.Options{}, "acme.wide")
		}
		const rounds = 10
		for i := range rounds {
			for k, kind := range []fact.Kind{"acme.wide", "acme.happened"} {
				f := &fact.Fact{Org: org, Kind: kind, Key: "k", Data: []byte(`{"n":` + string(rune('0'+i)) + string(rune('0'+k)) + `}`)}
				if i == 0 {
					f.Data = []byte(`{"n":` + string(rune('0'+k)) + `}`)
				}
				if err := d.Write(t.Context(), "", func(tx *db.Tx) error { return h.ledger.Append(tx, f) }); err != nil {
					t.Fatal(err)
				}
			}
		}
		h.settled(both, "delivered", 2*rounds)
		var order []int
		for _, g := range r.await(t, 2*rounds) {
			order = append(order, g.n)
		}
		if !slices.IsSorted(order) {
			t.Errorf("came in the order %v", order)
		}
	})
}

func TestRecoveryOfThousandsComesInParts(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, nil)
		e := h.subscribe(r.URL, endpoint.Options{})
		off, on := false, true
		h.change(e, endpoint.Change{Active: &off})
		h.publish("", 0)
		time.Sleep(5 * time.Millisecond)
		since := time.Now()
		if d.Engine() == db.PostgreSQL {
			since = since.Add(-time.Millisecond) // the clocks are the same machine's
		}
		const n = 1200 // three parts of 500, the last not full
		for i := range n / 300 {
			h.publish("", slices.Collect(between(1+i*300, 1+(i+1)*300))...)
		}
		h.change(e, endpoint.Change{Active: &on})
		var recovered int
		if err := d.Write(t.Context(), "", func(tx *db.Tx) (err error) {
			recovered, err = h.engine.Recover(tx, e, since)
			return err
		}); err != nil || recovered != n {
			t.Fatalf("Recover = %d, %v; want %d", recovered, err, n)
		}
		eventually(t, "all are delivered", func() bool { return h.count("delivered") == n })
		if got := h.count("skipped"); got != 1 {
			t.Errorf("%d deliveries are skipped, want the 1 from before", got)
		}
		assertOnce(t, r.await(t, n), n)
		eventually(t, "nothing is left to recover", func() bool {
			left, err := db.One(d.Read(t.Context()), db.Value[int], "SELECT count(*) FROM delivery_recoveries")
			return err == nil && left == 0
		})
	})
}

func TestDeletedEndpointGetsNothingMore(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, func(received) int { return 500 })
		delays := []time.Duration{time.Second}
		e := h.subscribe(r.URL, endpoint.Options{Retry: &delays})
		h.publish("", 1, 2, 3)
		r.await(t, 3)
		if err := d.Configure(t.Context(), func(tx *db.Tx) error { return h.book.Delete(tx, ours, e.ID, 0, audit.By{}) }); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the retries are skipped", func() bool { return h.count("skipped") == 3 })
		if got := r.await(t, 3); len(got) != 3 {
			t.Errorf("%d requests, want 3", len(got))
		}
	})
}

// An app whose grant has ended is told nothing more within a second, whichever node sends: also of what was waiting in memory for the rate limit, and
// though nothing else happens that would have a node look at the configuration. (Checklist oauth, 95.)
func TestNothingIsSentASecondAfterTheGrantEnded(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) { c.Poll = 0 }) // as it is by default
		r := receive(t, nil)
		e := h.app(r.URL, endpoint.Options{RateLimit: 10}, scope.All())
		h.publish("", slices.Collect(between(0, 100))...) // ten seconds' worth
		r.await(t, 3)
		elsewhere := assemble(t, d, nil)
		if err := d.Configure(t.Context(), func(tx *db.Tx) error { return elsewhere.book.Limit(tx, org, e.Grant, 0) }); err != nil {
			t.Fatal(err)
		}
		ended := time.Now()
		eventually(t, "what was to be sent is skipped", func() bool { return h.count("pending") == 0 })
		got := r.await(t, 3)
		if late := got[len(got)-1].at.Sub(ended); late > time.Second {
			t.Errorf("the last of %d deliveries came %v after the grant had ended, want none later than a second", len(got), late)
		}
		if len(got)+h.count("skipped") < 100 {
			t.Errorf("%d deliveries came and %d are skipped, of 100", len(got), h.count("skipped"))
		}
	})
}

// What an app was to be told before its grant was made narrower is not sent after that.
func TestRetryOfWhatAnAppMayNotSeeAnyMoreIsSkipped(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, func(received) int { return 500 })
		delays := []time.Duration{time.Second, time.Second}
		e := h.app(r.URL, endpoint.Options{Retry: &delays}, scope.All())
		h.publish("", 1, 2, 3)
		r.await(t, 3)
		if err := d.Configure(t.Context(), func(tx *db.Tx) error { return h.book.Limit(tx, org, e.Grant, scope.Of(scope.EventsRead)) }); err != nil {
			t.Fatal(err)
		}
		h.settled(e, "skipped", 3)
		if got := r.await(t, 3); len(got) != 3 {
			t.Errorf("%d requests, want 3", len(got))
		}
	})
}

// app makes an endpoint of an app.
func (h *house) app(url string, o endpoint.Options, sees scope.Set) (e *endpoint.Endpoint) {
	h.t.Helper()
	checked, err := h.book.CheckURL(h.t.Context(), url)
	if err == nil {
		err = h.db.Configure(h.t.Context(), func(tx *db.Tx) (err error) {
			s := endpoint.Spec{URL: checked, Format: "plain", Events: []string{"*"}, Options: o, Grant: 5, Sees: sees}
			e, err = h.book.Create(tx, org, s, audit.By{})
			return err
		})
	}
	if err != nil {
		h.t.Fatalf("Create endpoint of an app: %v", err)
	}
	return e
}
