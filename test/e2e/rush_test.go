package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// Ten thousand callers at once for a hundred seats: exactly a hundred are sold.
func TestNothingIsSoldBeyondStock(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		calls := 10_000
		if h.Database != "" && !harness.Long() {
			calls = 2_000
		}
		slug, key := h.Org(t, "Rush")
		s := h.Serve(t)
		c := s.Client(key)
		c.HTTP = &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxConnsPerHost: 200, MaxIdleConnsPerHost: 200}}
		pullup := harness.Receive(t, nil)
		h.Run(t, "endpoint", "create", "--org", slug, "--url", pullup.URL, "--format", "pullup", "--event", "event.soldout", "--allow-target", "127.0.0.0/8", "--json")
		portal := harness.Receive(t, nil)
		c.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": portal.URL, "events": []string{"order.confirmed"}, "format": "portal"})
		c.Call(t, 201, "POST", "/api/v1/events", newEvent("eventId", "RUSH"))
		for _, section := range []string{"A", "B"} { // two listings, so that the last seats are in two places
			c.Call(t, 201, "POST", "/api/v1/inventory", newListing("RUSH", "section", section, "quantity", 50))
		}
		time.Sleep(1500 * time.Millisecond) // the endpoint was made beside the server

		sold, others := rush(t, c, calls)
		if sold != 100 || len(others) != 0 {
			t.Errorf("%d of %d orders were sold, want 100; unexpected answers: %v", sold, calls, others)
		}
		expect(t, c.Call(t, 200, "GET", "/api/v1/events/RUSH", nil).Body, "numberOfSeats", 0)
		expect(t, c.Call(t, 200, "GET", "/api/v1/orders?eventId=RUSH", nil).Body, "meta.pagination.total", 100)
		portal.Await(t, time.Minute, func(all []harness.Got) bool { return len(all) >= 100 })
		pullup.Await(t, time.Minute, func(all []harness.Got) bool { return len(all) >= 1 })
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if n, m := len(pullup.All()), len(portal.All()); n != 1 || m != 100 {
			t.Errorf("event.soldout came %d times, want once; order.confirmed %d times, want 100", n, m)
		}
		expect(t, pullup.All()[0].Body, "event", "event.soldout", "data.event_id", "RUSH", "data.capacity", 100, "data.sold", 100)
		h.Run(t, "audit")
	})
}

// rush places orders for one ticket each from 200 connections and returns how many were sold, and what answers came that were neither
// that nor the refusal that was to be expected.
func rush(t *testing.T, c *harness.Client, calls int) (sold int, others map[string]int) {
	t.Helper()
	var next, ok atomic.Int64
	var mu sync.Mutex
	others = map[string]int{}
	var callers sync.WaitGroup
	for range 200 {
		callers.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(calls) {
					return
				}
				a, err := c.Do(context.Background(), "POST", "/api/v1/orders", newOrder("RUSH", "section", string('A'+rune(n%2)), "row", "A", "quantity", 1))
				var p struct{ Code string }
				_ = json.Unmarshal(a.Body, &p)
				switch {
				case err == nil && a.Status == 201:
					ok.Add(1)
				case err == nil && a.Status == 409 && p.Code == "not_enough_tickets":
				default:
					mu.Lock()
					others[http.StatusText(a.Status)+" "+p.Code]++
					if err != nil {
						others[err.Error()]++
					}
					mu.Unlock()
				}
			}
		})
	}
	callers.Wait()
	return int(ok.Load()), others
}

// An event sells out once, and again only after something came back.
func TestSoldOutIsToldOnceForEachTime(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "pullup", nil)
		ev := o.event(t)
		l := o.listing(t, ev, "quantity", 4)
		first := o.order(t, ev, "listingId", l)
		o.order(t, ev, "listingId", l)
		expect(t, h.await(t, "event.soldout", 1).Body, "data.event_id", ev, "data.capacity", 4, "data.sold", 4)
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "listingId", l)), 409, "not_enough_tickets")
		o.move(t, 200, first, "cancelled")
		o.order(t, ev, "listingId", l, "quantity", 1)
		h.await(t, "event.updated", 2) // there are tickets again
		o.order(t, ev, "listingId", l, "quantity", 1)
		h.await(t, "event.soldout", 2)
		n := 0
		for _, name := range h.quiet(t, o) {
			if name == "event.soldout" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("event.soldout came %d times, want 2", n)
		}
	})
}
