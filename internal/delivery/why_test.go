package delivery_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
)

func TestWhyReadsTheReasonFromTheLog(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, func(received) int { return 302 })
		r.header.Set("Location", "https://new.example/in?token=x")
		e := h.subscribe(r.URL, endpoint.Options{Retry: &[]time.Duration{}})
		h.publish("", 1)
		why := h.engine.Why(e, h.settled(e, "failed", 1)[0])
		if why.Name != "redirected" || !strings.HasSuffix(why.Remedy, "https://new.example.") {
			t.Errorf("Why of a redirect: got %+v, want the new origin named", why)
		}
	})
}

func TestWhyKnowsThatAReceiverRests(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, func(received) int { return 503 })
		r.header.Set("Retry-After", "30") // opens the circuit at once
		e := h.subscribe(r.URL, endpoint.Options{Retry: &[]time.Duration{}})
		h.publish("", 1)
		h.settled(e, "failed", 1)
		why := delivery.Reason{}
		for deadline, n := time.Now().Add(90*time.Second), 2; why.Name != "resting"; n++ { // more than once only where a probe is let through just then
			if time.Now().After(deadline) {
				t.Fatalf("Why of what waits for a failing receiver: got %+v, want resting", why)
			}
			h.publish("", n)
			page, _, err := h.engine.List(context.Background(), e, delivery.Filter{Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			why = h.engine.Why(e, page[0])
		}
		if by := time.Until(h.engine.Rests(e.Number)); by > time.Minute { // it may have been let through just then
			t.Errorf("Rests of what waits for a failing receiver: got %v from now, want half a minute at most", by)
		}
		if h.engine.Rests(e.Number).IsZero() {
			t.Error("Rests of what waits for a failing receiver: got none")
		}
		if until := h.engine.Rests(e.Number + 1); !until.IsZero() {
			t.Errorf("Rests of an endpoint that nobody knows: got %v, want none", until)
		}
	})
}
