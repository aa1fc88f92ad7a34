package delivery_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
)

// each of the ids once, as long as nothing is sent again.
func assertOnce(t *testing.T, got []received, want int) {
	t.Helper()
	times := map[string]int{}
	for _, g := range got {
		times[g.id]++
	}
	if len(times) != want {
		t.Errorf("%d different deliveries arrived, want %d", len(times), want)
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("delivery %s arrived %d times, want once", id, n)
		}
	}
}

func (h *house) audited() {
	h.t.Helper()
	if bad, err := delivery.Audit(h.db.Read(h.t.Context())); err != nil || len(bad) > 0 {
		h.t.Errorf("Audit: %v, %v", bad, err)
	}
}

func TestQueueThatOutlastsItsLeaseIsSentOnce(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) {
			c.Dialects = []delivery.Dialect{plain{timeout: 3 * time.Second}}
			c.Margin, c.Lease, c.Workers = 100*time.Millisecond, 4*time.Second, 2
		})
		r := receive(t, func(received) int { time.Sleep(150 * time.Millisecond); return 200 })
		e := h.subscribe(r.URL, endpoint.Options{})
		const n = 80 // six seconds' work
		h.publish("", slices.Collect(upTo(n))...)
		h.settled(e, "delivered", n)
		assertOnce(t, r.await(t, n), n)
		h.audited()
	})
}

func upTo(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// While the database takes no writes, what was delivered waits to be written down, beyond the end of its lease, and is not sent again.
func TestWhatWasSentIsNotSentAgainWhenTheDatabaseRecovers(t *testing.T) {
	alter := func(t *testing.T, d *db.DB, statements ...string) {
		if err := d.WriteAlone(t.Context(), func(tx *db.Tx) error {
			for _, s := range statements {
				if _, err := tx.Exec(s); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatalf("%s: %v", statements, err)
		}
	}
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) {
			c.Dialects = []delivery.Dialect{plain{timeout: 2 * time.Second}}
			c.Margin, c.Lease = 100*time.Millisecond, 3*time.Second
		})
		r := receive(t, nil)
		e := h.subscribe(r.URL, endpoint.Options{})
		alter(t, d, "ALTER TABLE attempts RENAME TO attempts_away", "ALTER TABLE envelopes RENAME TO envelopes_away",
			"CREATE VIEW envelopes AS SELECT DISTINCT * FROM envelopes_away") // which can be read, and not written
		h.publish("", 1, 2, 3)
		r.await(t, 3)
		time.Sleep(4 * time.Second) // the leases end
		alter(t, d, "DROP VIEW envelopes", "ALTER TABLE attempts_away RENAME TO attempts", "ALTER TABLE envelopes_away RENAME TO envelopes")
		h.settled(e, "delivered", 3)
		assertOnce(t, r.await(t, 3), 3)
		h.audited()
	})
}

func TestLeaseOfANodeThatVanishedEnds(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := assemble(t, d, nil)
		r := receive(t, nil)
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			n, err := tx.Exec("UPDATE deliveries SET owner = 12345, due = $1 WHERE state = 0", tx.Micros()+time.Second.Microseconds())
			if n != 1 {
				err = errors.Join(err, errors.New("no row to lease"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		h.start()
		got := r.await(t, 1)
		if waited := got[0].at.Sub(began); waited < 500*time.Millisecond {
			t.Errorf("sent after %v, while another held the lease for a second", waited)
		}
		h.settled(e, "delivered", 1)
	})
}

// A row that was leased once more, be it to the same node, is not settled by whoever held it before.
func TestOldLeaseChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		goOn := []chan struct{}{make(chan struct{}), make(chan struct{})}
		r := receive(t, func(g received) int {
			if g.try > 2 {
				return 200
			}
			<-goOn[g.try-1]
			return []int{500, 200}[g.try-1]
		})
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		r.await(t, 1)
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error { // somebody takes the lease away
			_, err := tx.Exec("UPDATE deliveries SET owner = 0, due = $1 WHERE state = 0", tx.Micros())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		r.await(t, 2)
		close(goOn[0]) // the old attempt fails and would have it due again
		time.Sleep(300 * time.Millisecond)
		close(goOn[1])
		h.settled(e, "delivered", 1)
		if got := len(r.await(t, 2)); got != 2 {
			t.Errorf("%d requests, want 2: the second lease's attempt succeeded", got)
		}
	})
}

func TestStopEndsHangingAttempts(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		const deadline = time.Minute // of the attempt
		h := open(t, d, func(c *delivery.Config) {
			c.Grace, c.Dialects = 200*time.Millisecond, []delivery.Dialect{plain{timeout: deadline}}
		})
		block := make(chan struct{})
		defer close(block)
		r := receive(t, func(g received) int {
			if g.try == 1 {
				<-block
			}
			return 200
		})
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		r.await(t, 1)
		began := time.Now()
		if err := h.stop(); err != nil {
			t.Fatalf("stop: %v", err)
		}
		if took := time.Since(began); took > deadline {
			t.Errorf("stopping took %v with a grace of 200 ms", took)
		}
		next := open(t, d, nil)
		if rec := next.settled(e, "delivered", 1)[0]; len(rec.Attempts) != 1 {
			t.Errorf("attempts are %+v, want one: that which was ended counts as not made", rec.Attempts)
		}
	})
}

// node opens another connection to a PostgreSQL database, as another node would.
func node(t *testing.T, c db.Config, name string, change func(*delivery.Config)) *house {
	t.Helper()
	return assemble(t, dbtest.Open(t, c), func(c *delivery.Config) {
		c.NodeName, c.Beat, c.Dead = name, 100*time.Millisecond, time.Second
		if change != nil {
			change(c)
		}
	})
}

func TestNodesShareTheWorkAndSendNothingTwice(t *testing.T) {
	t.Parallel()
	c := dbtest.PostgreSQL(t)
	a, b := node(t, c, "a", nil), node(t, c, "b", nil)
	r := receive(t, func(g received) int {
		if g.n%10 == 3 && g.try == 1 {
			return 500
		}
		return 200
	})
	e := a.subscribe(r.URL, endpoint.Options{})
	a.start()
	b.start()
	for i := range 50 {
		a.publish("", 4*i, 4*i+1)
		b.publish("", 4*i+2, 4*i+3)
	}
	a.settled(e, "delivered", 200)
	times := map[string]int{}
	for _, g := range r.await(t, 220) {
		times[g.id]++
		if want := 1; g.n%10 == 3 {
			want = 2
			if times[g.id] > want {
				t.Errorf("fact %d arrived %d times, want %d", g.n, times[g.id], want)
			}
		} else if times[g.id] > want {
			t.Errorf("fact %d arrived %d times, want %d", g.n, times[g.id], want)
		}
	}
	a.audited()
}

func TestWorkOfADeadNodeIsTakenOver(t *testing.T) {
	t.Parallel()
	c := dbtest.PostgreSQL(t)
	block := make(chan struct{})
	r := receive(t, func(g received) int {
		if g.try == 1 {
			<-block
		}
		return 200
	})
	t.Cleanup(func() { close(block) })
	dies := node(t, c, "dies", nil)
	e := dies.subscribe(r.URL, endpoint.Options{})
	dies.start()
	dies.publish("", 1, 2)
	r.await(t, 2)
	if err := dies.db.Close(); err != nil { // it can say nothing any more
		t.Fatal(err)
	}
	dies.dead = true
	lives := node(t, c, "lives", nil)
	lives.start()
	lives.settled(e, "delivered", 2) // long before the leases of 90 s end
}

func TestNodeThatWasTakenForDeadIsSeenAgain(t *testing.T) {
	t.Parallel()
	c := dbtest.PostgreSQL(t)
	h := node(t, c, "stalled", nil)
	r := receive(t, nil)
	e := h.subscribe(r.URL, endpoint.Options{})
	h.start()
	h.publish("", 1)
	h.settled(e, "delivered", 1)
	ended := func() int {
		n, err := db.One(h.db.Read(t.Context()), db.Value[int], "SELECT count(*) FROM nodes WHERE name = 'stalled' AND ended_at IS NOT NULL")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := h.db.WriteAlone(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec("UPDATE nodes SET ended_at = $1", tx.Micros())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node counts as alive again", func() bool { return ended() == 0 })
	h.publish("", 2)
	h.settled(e, "delivered", 2)
	h.audited()
}

// eventually waits for something to become true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited two minutes and it is not so: %s", what)
		}
	}
}
