package delivery_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/webhook"
)

func TestEachFactReachesEachSubscriber(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		a, b := receive(t, nil), receive(t, nil)
		ea, eb := h.subscribe(a.URL, endpoint.Options{}), h.subscribe(b.URL, endpoint.Options{}, "acme.happened")
		var writers sync.WaitGroup
		for w := range 10 {
			writers.Go(func() {
				for i := range 30 {
					h.publish("", w*100+i)
				}
			})
		}
		writers.Wait()
		for r, e := range map[*receiver]*endpoint.Endpoint{a: ea, b: eb} {
			seen := map[int]bool{}
			for _, g := range r.await(t, 300) {
				seen[g.n] = true
			}
			if len(seen) != 300 {
				t.Errorf("endpoint %s got %d different facts, want 300", e.ID, len(seen))
			}
			h.settled(e, "delivered", 300)
		}
		if bad, err := delivery.Audit(d.Read(t.Context())); err != nil || len(bad) > 0 {
			t.Errorf("Audit: %v, %v", bad, err)
		}
	})
}

func TestNothingIsSentForWhatDidNotCommit(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, nil)
		h.subscribe(r.URL, endpoint.Options{})
		err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			if err := h.ledger.Append(tx, &fact.Fact{Org: org, Kind: "acme.happened", Data: json.RawMessage(`{"n":1}`)}); err != nil {
				return err
			}
			return fmt.Errorf("changed my mind")
		})
		if err == nil {
			t.Fatal("Write succeeded, want the function's error")
		}
		h.publish("", 2)
		for _, g := range r.await(t, 1) {
			if g.n == 1 {
				t.Error("a fact was sent that did not commit")
			}
		}
	})
}

func TestRetriesKeepIDAndBytesAndSignAnew(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, func(g received) int {
			if g.try <= 2 {
				return 503
			}
			return 200
		})
		delays := []time.Duration{2 * time.Second, time.Second}
		e := h.subscribe(r.URL, endpoint.Options{Retry: &delays})
		h.publish("", 1)
		got := r.await(t, 3)
		for _, g := range got[1:] {
			if g.id != got[0].id || g.body != got[0].body {
				t.Errorf("attempt %d has id %s and body %q, the first had %s and %q", g.try, g.id, g.body, got[0].id, got[0].body)
			}
		}
		if a, b := got[0].header.Get("X-Webhook-Timestamp"), got[1].header.Get("X-Webhook-Timestamp"); a == b {
			t.Errorf("timestamp of the second attempt is %s, as of the first", b)
		}
		rec := h.settled(e, "delivered", 1)[0]
		if len(rec.Attempts) != 3 || rec.Attempts[0].Status != 503 || rec.Attempts[2].Status != 200 || !rec.Attempts[0].Exact || !rec.Attempts[2].Exact {
			t.Errorf("log has %+v, want 503, 503, 200 with the bytes as sent", rec.Attempts)
		}
		v, err := webhook.NewVerifier(webhook.Portal, webhook.Key{Text: e.Secret})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range got {
			if _, err := v.Verify(g.header, []byte(g.body), g.at); err != nil {
				t.Errorf("attempt %d: %v", g.try, err)
			}
		}
	})
}

func TestDeliveryFailsAfterItsRetriesAndCanBeRedelivered(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		fail := true
		var mu sync.Mutex
		r := receive(t, func(received) int {
			mu.Lock()
			defer mu.Unlock()
			if fail {
				return 500
			}
			return 204
		})
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		r.await(t, 3)
		rec := h.settled(e, "failed", 1)[0]
		mu.Lock()
		fail = false
		mu.Unlock()
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error { return h.engine.Redeliver(tx, e, rec.ID) }); err != nil {
			t.Fatalf("Redeliver: %v", err)
		}
		again := h.settled(e, "delivered", 1)[0]
		if again.ID != rec.ID || len(again.Attempts) != 4 {
			t.Errorf("redelivered as %s with %d attempts, want %s with 4", again.ID, len(again.Attempts), rec.ID)
		}
	})
}

func TestSubscriptionHoldsFromItsPlaceOn(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, nil)
		h.publish("", 1)
		h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 2)
		got := r.await(t, 1)
		if len(got) != 1 || got[0].n != 2 {
			t.Errorf("got %+v, want only fact 2", got)
		}
	})
}

func TestKeysAreDeliveredInOrder(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, func(g received) int {
			if g.n%7 == 3 && g.try == 1 {
				return 500
			}
			return 200
		})
		e := h.subscribe(r.URL, endpoint.Options{})
		const n = 40
		for i := range n / 4 {
			h.publish("k", 4*i, 4*i+1)
			h.publish("k", 4*i+2)
			h.publish("k", 4*i+3)
		}
		h.settled(e, "delivered", n)
		next := 0
		for _, g := range r.await(t, n) {
			if g.n != next {
				t.Fatalf("fact %d came when %d was next", g.n, next)
			}
			if !(g.n%7 == 3 && g.try == 1) {
				next++
			}
		}
	})
}

func TestGoneDisablesAndWhatWasSkippedCanBeRecovered(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		gone := true
		var mu sync.Mutex
		r := receive(t, func(received) int {
			mu.Lock()
			defer mu.Unlock()
			if gone {
				return 410
			}
			return 200
		})
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		h.settled(e, "failed", 1)
		for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			now, err := h.book.Get(d.Read(t.Context()), ours, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if now.Disabled == endpoint.Gone {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the endpoint is %+v, want it disabled as gone", now)
			}
		}
		h.publish("", 2, 3)
		mu.Lock()
		gone = false
		mu.Unlock()
		h.settled(e, "skipped", 3) // with the fact that tells of the disabling
		on := true
		err := d.Configure(t.Context(), func(tx *db.Tx) (err error) {
			e, err = h.book.Update(tx, ours, e.ID, endpoint.Change{Active: &on}, 0, audit.By{})
			return err
		})
		if err != nil {
			t.Fatalf("enable: %v", err)
		}
		var n int
		if err := d.Write(t.Context(), "", func(tx *db.Tx) (err error) {
			n, err = h.engine.Recover(tx, e, time.Now().Add(-time.Hour))
			return err
		}); err != nil || n != 4 {
			t.Fatalf("Recover = %d, %v; want 4 (one failed, three skipped)", n, err)
		}
		h.settled(e, "delivered", 4)
	})
}

func TestRestartedNodeGoesOnWithItsOwnLeases(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		patient := func(c *delivery.Config) { c.Dialects = []delivery.Dialect{plain{timeout: 30 * time.Second}} }
		block := make(chan struct{})
		unblock := sync.OnceFunc(func() { close(block) })
		defer unblock()
		var restarted atomic.Bool
		r := receive(t, func(received) int {
			if !restarted.Load() {
				<-block // the first process dies while this attempt is under way
			}
			return 200
		})
		first := assemble(t, d, patient)
		dead, kill := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { _ = first.engine.Run(dead); close(ended) }()
		t.Cleanup(func() { kill(); <-ended })
		e := first.subscribe(r.URL, endpoint.Options{})
		eventually(t, "the first process sends", func() bool {
			first.publish("", 1)
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.got) > 0
		})
		restarted.Store(true)
		second := open(t, d, patient)
		// Before the first attempt's deadline, and long before its lease's end:
		eventually(t, "all are delivered", func() bool { return second.count("pending") == 0 })
		for _, rec := range second.settled(e, "delivered", second.count("delivered")) {
			if len(rec.Attempts) != 1 {
				t.Errorf("%d attempts of %s count, want 1", len(rec.Attempts), rec.ID)
			}
		}
		unblock()
	})
}

func TestManyEndpointsArePlannedApart(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) { c.WideLimit = 3 })
		r := receive(t, nil)
		for range 8 {
			h.subscribe(r.URL, endpoint.Options{})
		}
		h.publish("", 1, 2)
		ids := map[string]bool{}
		for _, g := range r.await(t, 16) {
			ids[g.id] = true
		}
		if len(ids) != 16 {
			t.Errorf("%d different deliveries, want 16", len(ids))
		}
	})
}

func TestHangingEndpointTakesNoWorkerFromAnother(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		block := make(chan struct{})
		hanging := receive(t, func(received) int { <-block; return 200 })
		well := receive(t, nil)
		h.subscribe(hanging.URL, endpoint.Options{})
		e := h.subscribe(well.URL, endpoint.Options{})
		for i := range 100 {
			h.publish("", i)
		}
		well.await(t, 100)
		h.settled(e, "delivered", 100)
		close(block)
	})
}

func TestRetryAfterIsAMinimum(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, func(g received) int {
			if g.try == 1 {
				return 429
			}
			return 200
		})
		r.header.Set("Retry-After", "2")
		h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		got := r.await(t, 2)
		if gap := got[1].at.Sub(got[0].at); gap < 2*time.Second {
			t.Errorf("the second attempt came %v after the first, want 2 s at least", gap)
		}
	})
}

func TestStoppingLosesNothing(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		r := receive(t, nil)
		h := open(t, d, nil)
		e := h.subscribe(r.URL, endpoint.Options{})
		for i := range 200 {
			h.publish("", i)
		}
		if err := h.stop(); err != nil {
			t.Fatalf("stop: %v", err)
		}
		for i := range 50 {
			h.publish("", 200+i) // as a command beside the server would
		}
		next := open(t, d, nil)
		next.settled(e, "delivered", 250)
	})
}
