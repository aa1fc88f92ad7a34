package delivery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

const kari = person.Address("kari@example.com")

// named has envelopes that show a person, as those of orders do.
func named(c *delivery.Config) {
	c.Dialects = []delivery.Dialect{plain{render: func(f *fact.Fact) ([]byte, error) {
		var b struct{ N int }
		err := json.Unmarshal(f.Data, &b)
		return fmt.Appendf(nil, `{"n":%d,"email":"kari@example.com"}`, b.N), err
	}}}
}

// happen appends facts about an order, whose data has nobody in it.
func (h *house) happen(numbers ...int) []id.Fact {
	h.t.Helper()
	var ids []id.Fact
	err := h.db.Write(context.Background(), "", func(tx *db.Tx) error {
		ids = nil
		for _, n := range numbers {
			f := &fact.Fact{Org: org, Kind: fact.OrderAccepted, Subject: "order_1", Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}
			if err := h.ledger.Append(tx, f); err != nil {
				return err
			}
			ids = append(ids, f.ID)
		}
		return nil
	})
	if err != nil {
		h.t.Fatalf("append: %v", err)
	}
	return ids
}

// erase marks facts, and waits until this node knows.
func (h *house) erase(facts ...id.Fact) {
	h.t.Helper()
	var revision int64
	err := h.db.Configure(context.Background(), func(tx *db.Tx) error {
		err := delivery.Erase(tx, org, facts)
		revision = tx.Revision()
		return err
	})
	if err != nil {
		h.t.Fatalf("Erase: %v", err)
	}
	for h.subs.Now().Revision() < revision {
		if err := h.subs.Refresh(context.Background()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// bodies are those that were kept, opened.
func (h *house) bodies() [][]byte {
	h.t.Helper()
	all, err := db.All(h.db.Read(context.Background()), func(r db.Rows) ([]byte, error) {
		var seq int64
		var variant string
		var body []byte
		if err := r.Scan(&seq, &variant, &body); err != nil {
			return nil, err
		}
		return delivery.OpenKept(h.keys, seq, variant, body)
	}, `SELECT fact_seq, variant, body FROM envelopes WHERE body IS NOT NULL`)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// kept counts what the tables have of Kari.
func (h *house) kept() (n int) {
	h.t.Helper()
	bodies := h.bodies()
	answers, err := db.All(h.db.Read(context.Background()), db.Value[[]byte], `SELECT response_body FROM attempts WHERE response_body IS NOT NULL`)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, b := range append(answers, bodies...) {
		if kari.In(b) {
			n++
		}
	}
	heads, err := db.All(h.db.Read(context.Background()), db.Value[string], `SELECT COALESCE(request_head, '') || COALESCE(response_head, '') FROM attempts`)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, b := range heads {
		if kari.In([]byte(b)) {
			n++
		}
	}
	return n
}

func TestErasedFactsAreNotSentAgainAndLaterOnesAre(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, named)
		r := receive(t, func(g received) int { return map[bool]int{true: 500, false: 200}[g.n == 1] })
		r.header.Set("Location", "/?to=kari%40example.com")
		e := h.subscribe(r.URL, endpoint.Options{})
		facts := h.happen(1, 2)
		h.settled(e, "failed", 1)
		h.settled(e, "delivered", 1)
		if n := h.kept(); n < 3 {
			t.Fatalf("%d rows have kept the address before, want an envelope and two answers", n)
		}
		h.erase(facts...)
		if n, err := delivery.EraseTraces(t.Context(), d, h.keys, org, kari, facts); n < 2 || err != nil {
			t.Errorf("EraseTraces = %d, %v; want the attempts", n, err)
		}
		if n := h.kept(); n != 0 {
			t.Errorf("%d rows have kept the address after", n)
		}
		for _, f := range facts {
			again := id.Delivery{Day: f.Day, Seq: f.Seq, Endpoint: e.Number}
			if err := d.Write(t.Context(), "", func(tx *db.Tx) error { return h.engine.Redeliver(tx, e, again) }); err != nil {
				t.Fatal(err)
			}
		}
		for _, rec := range h.settled(e, "failed", 2) {
			if a := rec.Attempts[len(rec.Attempts)-1]; a.Code != "erased" || a.RequestBody != nil {
				t.Errorf("the last attempt is %+v, want the code erased and no body", a)
			}
		}
		h.happen(3)
		if got := r.await(t, 3); len(got) != 3 || got[2].n != 3 {
			t.Errorf("%d requests, the last about %d; want a third about 3", len(got), got[len(got)-1].n)
		}
		h.settled(e, "delivered", 1)
		h.audited()
	})
}

func TestWhatIsErasedWhileItIsUnderWayOrQueuedLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) {
			named(c)
			c.Workers = 1
		})
		go1 := make(chan struct{})
		r := receive(t, func(g received) int {
			if g.n == 1 {
				<-go1
			}
			return 500
		})
		r.header.Set("Location", "/?to=kari%40example.com")
		e := h.subscribe(r.URL, endpoint.Options{})
		facts := h.happen(1, 2) // the second waits in memory for the only worker
		r.await(t, 1)
		h.erase(facts...)
		close(go1)
		for _, rec := range h.settled(e, "failed", 2) {
			if a := rec.Attempts[len(rec.Attempts)-1]; rec.ID.Seq == facts[1].Seq && a.Code != "erased" {
				t.Errorf("the attempt of what was queued is %+v, want the code erased", a)
			}
		}
		if got := r.await(t, 1); len(got) != 1 {
			t.Errorf("%d requests, want the one that was under way", len(got))
		}
		if n := h.kept(); n != 0 {
			t.Errorf("%d rows have kept the address", n)
		}
		h.audited()
	})
}

func TestErasedFactsOfManyEndpointsAreNotSent(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := assemble(t, d, func(c *delivery.Config) {
			named(c)
			c.WideLimit = 2
		})
		r := receive(t, nil)
		h.subscribeMany(r.URL, 4)
		h.erase(h.happen(1)...) // it is not planned yet: nobody runs the engine
		h.start()
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
			counts, err := delivery.Count(d.Read(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			if counts["failed"] == 4 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("deliveries are %v, want 4 failed", counts)
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.got) != 0 {
			t.Errorf("%d requests, want none", len(r.got))
		}
	})
}

func TestTracesOfOthersStay(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) {
			c.Dialects = []delivery.Dialect{plain{}}
		})
		r := receive(t, func(received) int { return 500 })
		e := h.subscribe(r.URL, endpoint.Options{})
		err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			var all error
			for _, to := range []string{`kari@example.com`, `kari@example.com.au`, `KARI\u0040EXAMPLE.COM`, `ola@example.com`} {
				all = errors.Join(all, h.ledger.Append(tx, &fact.Fact{
					Org: org, Kind: "acme.sent", Private: true, Data: json.RawMessage(`{"to":"` + to + `"}`), Key: to,
				}))
			}
			return all
		})
		if err != nil {
			t.Fatal(err)
		}
		h.settled(e, "failed", 4)
		h.inClear("ola@example.com", "lars@example.com")
		if n, err := delivery.EraseTraces(t.Context(), d, h.keys, org+1, kari, nil); n != 0 || err != nil {
			t.Errorf("EraseTraces of another organisation = %d, %v", n, err)
		}
		if n, err := delivery.EraseTraces(t.Context(), d, h.keys, 0, kari, nil); n != 2 || err != nil {
			t.Errorf("EraseTraces = %d, %v; want the two envelopes with the address", n, err)
		}
		left, err := db.One(d.Read(t.Context()), db.Value[int], `SELECT count(*) FROM envelopes WHERE body IS NOT NULL`)
		if err != nil || left != 2 {
			t.Errorf("%d envelopes are left, %v; want those of others", left, err)
		}
		if n, err := delivery.EraseTraces(t.Context(), d, h.keys, org, "lars@example.com", nil); n != 1 || err != nil {
			t.Errorf("EraseTraces of a body in clear = %d, %v; want 1", n, err)
		}
		h.exec(`UPDATE envelopes SET fact_seq = fact_seq + 1000 WHERE body IS NOT NULL`)
		if n, err := delivery.EraseTraces(t.Context(), d, h.keys, org, "lars@example.com", nil); n != 1 || err != nil {
			t.Errorf("EraseTraces of a body that does not open = %d, %v; want it blanked", n, err)
		}
	})
}
