package delivery_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

func (h *house) exec(sql string, args ...any) {
	h.t.Helper()
	err := h.db.Write(context.Background(), "", func(tx *db.Tx) error { _, err := tx.Exec(sql, args...); return err })
	if err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
}

// inClear has the kept body with an old text in it be one with a new text, as programs kept it that did not seal.
func (h *house) inClear(old, text string) {
	h.t.Helper()
	for _, b := range h.bodies() {
		if bytes.Contains(b, []byte(old)) {
			h.exec(`UPDATE envelopes SET variant = 'plain', body = $1 WHERE fact_seq = (SELECT MAX(fact_seq) FROM envelopes)`, bytes.ReplaceAll(b, []byte(old), []byte(text)))
			return
		}
	}
	h.t.Fatalf("no kept body has %q in it", old)
}

// secret has a credential in each envelope, and others in it every time.
func secret(c *delivery.Config) {
	dialect := changing()
	inner := dialect.render
	dialect.delays = []time.Duration{time.Hour}
	dialect.render = func(f *fact.Fact) ([]byte, error) {
		b, err := inner(f)
		return bytes.Replace(b, []byte(`{`), []byte(`{"barcode":"HARBOR-4711",`), 1), err
	}
	c.Dialects = []delivery.Dialect{dialect}
}

func TestKeptBodiesAreSealedAndSentAgainAsTheyWere(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, secret)
		r := receive(t, func(g received) int { return map[bool]int{true: 500, false: 200}[g.try == 1] })
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		first := r.await(t, 1)[0].body
		var rec delivery.Record
		eventually(t, "the first attempt is settled", func() bool {
			rec = h.settled(e, "pending", 1)[0]
			return len(rec.Attempts) == 1
		})
		raw, err := db.All(d.Read(t.Context()), db.Value[[]byte], `SELECT body FROM envelopes`)
		if err != nil || len(raw) != 1 || bytes.Contains(raw[0], []byte("HARBOR")) || bytes.Contains(raw[0], []byte("barcode")) {
			t.Errorf("kept is %q, %v; want one body that is sealed", raw, err)
		}
		if a := rec.Attempts[0]; string(a.RequestBody) != first || !a.Exact {
			t.Errorf("the log shows %s, exact %v; want %s as sent", a.RequestBody, a.Exact, first)
		}
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error { return h.engine.Redeliver(tx, e, rec.ID) }); err != nil {
			t.Fatal(err)
		}
		h.settled(e, "delivered", 1)
		if got := r.await(t, 2)[1].body; got != first {
			t.Errorf("sent again was %s, want %s", got, first)
		}
	})
}

func TestBodiesThatOlderProgramsKeptInClearAreSentAgain(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, secret)
		r := receive(t, func(g received) int { return map[bool]int{true: 500, false: 200}[g.try == 1] })
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		eventually(t, "the first attempt is settled", func() bool { return len(h.bodies()) == 1 })
		h.inClear("4711", "1174")
		rec := h.settled(e, "pending", 1)[0]
		if a := rec.Attempts[0]; !bytes.Contains(a.RequestBody, []byte("HARBOR-1174")) {
			t.Errorf("the log shows %s, want the kept body", a.RequestBody)
		}
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error { return h.engine.Redeliver(tx, e, rec.ID) }); err != nil {
			t.Fatal(err)
		}
		h.settled(e, "delivered", 1)
		if got := r.await(t, 2)[1].body; !bytes.Contains([]byte(got), []byte("HARBOR-1174")) {
			t.Errorf("sent again was %s, want the kept body", got)
		}
	})
}

// A kept body that was damaged, or moved to another fact, is never sent, and the log says that it cannot be had.
func TestAKeptBodyThatDoesNotOpenIsNotSent(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, secret)
		r := receive(t, func(received) int { return 500 })
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		eventually(t, "the first attempt is settled", func() bool { return len(h.bodies()) == 1 })
		seq := h.settled(e, "pending", 1)[0].ID.Seq
		h.exec(`UPDATE envelopes SET body = $1`, h.keys.Seal([]byte(`{}`), fmt.Sprintf("envelope %d plain", seq+1)))
		rec := h.settled(e, "pending", 1)[0]
		if a := rec.Attempts[0]; a.RequestBody != nil || a.Exact {
			t.Errorf("the log shows %s, exact %v; want nothing", a.RequestBody, a.Exact)
		}
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error { return h.engine.Redeliver(tx, e, rec.ID) }); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the second attempt is settled", func() bool {
			page, _, err := h.engine.List(t.Context(), e, delivery.Filter{Limit: 10})
			return err == nil && len(page) == 1 && len(page[0].Attempts) == 2 && page[0].Attempts[1].Code == "internal"
		})
		if got := r.await(t, 1); len(got) != 1 {
			t.Errorf("%d requests, want the first only", len(got))
		}
	})
}
