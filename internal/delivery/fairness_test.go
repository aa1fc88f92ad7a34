package delivery_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
)

// The poller's own look through the table is put off in these tests: whatever happens in time happens because somebody was woken.
func rarelyPolls(c *delivery.Config) { c.Poll = time.Minute }

func TestOpenCircuitProbesAndThenEverythingFlows(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, rarelyPolls)
		var well atomic.Bool
		r := receive(t, func(received) int {
			if well.Load() {
				return 200
			}
			return 500
		})
		delays := slices.Repeat([]time.Duration{time.Second}, 20)
		e := h.subscribe(r.URL, endpoint.Options{Retry: &delays})
		const n = 200
		began := time.Now()
		h.publish("", slices.Collect(upTo(n))...)
		r.await(t, 8+1) // the circuit has opened, and a probe has come
		time.Sleep(time.Until(began.Add(1500 * time.Millisecond)))
		// 16 at once while the circuit was closed, those that took their places until it opened, and a probe or two.
		if got := len(r.await(t, 1)); got > 60 {
			t.Errorf("%d attempts in the time in which two probes were due", got)
		}
		well.Store(true)
		h.settled(e, "delivered", n) // one probe a second would take longer than it waits
		h.audited()
	})
}

func TestProbeThatHangsLetsNobodyElseIn(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) { rarelyPolls(c); c.CircuitMin = 1; c.Workers = 1 })
		block := make(chan struct{})
		var seen atomic.Int64
		r := receive(t, func(received) int {
			switch seen.Add(1) {
			case 1:
				return 500 // opens the circuit
			case 2:
				<-block // the probe
			}
			return 200
		})
		delays := []time.Duration{time.Second, time.Second, time.Second}
		e := h.subscribe(r.URL, endpoint.Options{Retry: &delays})
		h.publish("", 1, 2, 3, 4, 5)
		r.await(t, 2)
		time.Sleep(500 * time.Millisecond)
		if got := len(r.await(t, 2)); got != 2 {
			t.Errorf("%d attempts, want 2 while the probe hangs", got)
		}
		close(block)
		h.settled(e, "delivered", 5)
	})
}

func TestRateLimitIsKept(t *testing.T) {
	for _, c := range []struct{ limit, n int }{{1, 4}, {20, 60}} {
		t.Run(fmt.Sprintf("%d a second", c.limit), func(t *testing.T) {
			each(t, func(t *testing.T, d *db.DB) {
				h := open(t, d, rarelyPolls)
				r := receive(t, nil)
				e := h.subscribe(r.URL, endpoint.Options{RateLimit: c.limit})
				began := time.Now()
				for i := range c.n {
					h.publish("", i)
				}
				got := r.await(t, c.n)
				for i, g := range got {
					earliest := time.Duration(i) * time.Second / time.Duration(c.limit)
					if at := g.at.Sub(began); at < earliest {
						t.Errorf("attempt %d came after %v, want it not before %v", i+1, at, earliest)
					}
				}
				h.settled(e, "delivered", c.n)
				assertOnce(t, got, c.n)
			})
		})
	}
}

// hostile is a receiver that answers a connection in a bad way, and keeps it.
func hostile(t *testing.T, behave func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				behave(c)
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/hook"
}

func drip(text string) func(net.Conn) {
	return func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// The hostile list of the security checklist, line 28, as far as it takes a receiver's whole time.
func TestHostileReceiversDoNotMoveOthers(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		const deadline = time.Minute // of a hostile attempt: longer than all else takes on any machine
		h := open(t, d, func(c *delivery.Config) { c.Dialects = []delivery.Dialect{plain{timeout: deadline}} })
		flood := func(c net.Conn) {
			for {
				if _, err := c.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}
		for _, behave := range []func(net.Conn){
			func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, // reads and says nothing
			func(net.Conn) { <-t.Context().Done() },            // does not even read
			func(net.Conn) {},                                  // closes at once
			drip("H"),                                          // not HTTP, slowly
			drip("HTTP/1.1 200 OK\r\nX: y\r"),                  // a head without an end
			func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"); flood(c) },
			func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
				drip("")(c)
			},
			func(c net.Conn) { drip("HTTP/1.1 100 Continue\r\n\r\n")(c) },
		} {
			h.subscribe(hostile(t, behave), endpoint.Options{})
		}
		r := receive(t, nil)
		well := h.subscribe(r.URL, endpoint.Options{})
		const n = 100
		began := time.Now()
		for i := range n {
			h.publish("", i)
		}
		h.settled(well, "delivered", n)
		if took := time.Since(began); took > deadline {
			t.Errorf("took %v: somebody waited for the hostile", took)
		}
	})
}

// One key with many deliveries: each waits for the one before, and the way to the next does not grow with the queue.
func TestLongQueueOfOneKeyKeepsItsOrder(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := assemble(t, d, rarelyPolls)
		r := receive(t, nil)
		e := h.subscribe(r.URL, endpoint.Options{})
		const n = 1200 // more than a claim looks at
		for i := range 3 {
			h.publish("k", slices.Collect(between(i*400, (i+1)*400))...)
		}
		h.start()
		next := 0
		for _, g := range r.await(t, n) {
			if g.n != next {
				t.Fatalf("fact %d came when %d was next", g.n, next)
			}
			next++
		}
		eventually(t, "all are delivered", func() bool { return h.count("delivered") == n })
		_ = e
	})
}

func between(from, to int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := from; i < to && yield(i); i++ {
		}
	}
}

func (h *house) count(state string) int {
	h.t.Helper()
	all, err := delivery.Count(h.db.Read(h.t.Context()))
	if err != nil {
		h.t.Fatalf("Count: %v", err)
	}
	return int(all[state])
}

func TestRedeliveredGoesBeforeThoseThatWaitForIt(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		var fail atomic.Bool
		fail.Store(true)
		h := open(t, d, func(c *delivery.Config) { c.Dialects = []delivery.Dialect{plain{}} }) // no retries
		r := receive(t, func(received) int {
			if fail.Load() {
				return 500
			}
			return 200
		})
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("k", 1, 2, 3)
		h.settled(e, "failed", 3)
		fail.Store(false)
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			_, err := h.engine.Recover(tx, e, time.Now().Add(-time.Hour))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		h.settled(e, "delivered", 3)
		got := r.await(t, 6)[3:]
		for i, g := range got {
			if g.n != i+1 {
				t.Errorf("recovered in the order %d, %d, %d, want 1, 2, 3", got[0].n, got[1].n, got[2].n)
				break
			}
		}
	})
}

// BenchmarkIdleEndpoint says what an endpoint costs in memory that is known, and just after something was sent to it: then with an idle worker and both
// halves of an idle connection, the receiver being in the same process.
func BenchmarkIdleEndpoint(b *testing.B) {
	h := open(b, dbtest.Open(b, dbtest.SQLite(b)), nil)
	var n atomic.Int64
	url := sink(b, &n)
	before := heap()
	const endpoints = 2000
	h.subscribeMany(url, endpoints)
	known := heap()
	for range b.N {
		h.publish("", 1)
	}
	eventually(b, "all have arrived", func() bool { return n.Load() >= int64(b.N*endpoints) })
	eventually(b, "all are settled", func() bool { return h.count("pending") == 0 })
	b.ReportMetric(float64(known-before)/endpoints, "B/endpoint")
	b.ReportMetric(float64(heap()-known)/endpoints, "B/lane")
}
