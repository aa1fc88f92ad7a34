package bench

import (
	"bytes"
	"io"
	"time"
)

// Hasty makes every measurement as short as can be: the tests look at what is counted, not at how fast it was.
func (o Options) Hasty() Options {
	o.plan = &plan{
		publishers: 4, rounds: 2, warm: 20 * time.Millisecond, closed: 150 * time.Millisecond,
		rates:   []load{openLoad(50, 200*time.Millisecond), openLoad(1000, 100*time.Millisecond)},
		hanging: openLoad(100, 200*time.Millisecond), reading: openLoad(100, 200*time.Millisecond), streams: openLoad(50, 200*time.Millisecond), tokens: 5,
		stock: 5, door: doorLoad(10, 200*time.Millisecond), curve: []int{3, 9, 2}, hurry: 20, crowd: 4,
		ingest: openLoad(100, 200*time.Millisecond), fewKept: 3, kept: 9, past: Past{Endpoints: 9, Deliveries: 9}, asked: 3, old: 7, hold: 50 * time.Millisecond, settle: time.Millisecond, drain: time.Minute,
	}
	return o
}

// Endless makes a run that only its context ends.
func (o Options) Endless() Options {
	o = o.Hasty()
	o.plan.closed = time.Hour
	return o
}

// Histogram and its functions are the package's own, for their tests.
type Histogram = histogram

func (h *Histogram) Add(d time.Duration)                  { h.add(d) }
func (h *Histogram) Quantile(q float64) time.Duration     { return h.quantile(q) }
func ReadMessage(b []byte) (head, body []byte, err error) { return newWire(bytes.NewReader(b)).next() }

// ReadDelivery finds what the receiver looks for in a request's head and body.
func ReadDelivery(head, body []byte) (endpoint int, n int64, at time.Time, ok bool) {
	endpoint, ok1 := readEndpoint(head)
	n, ok2 := readNumber(body)
	return endpoint, n, readInstant(body), ok1 && ok2
}

// Print computes ratios and aims anew and prints the report as tables.
func (r *Report) Print(w io.Writer) error {
	r.ratios()
	r.Aims = aims(r)
	return r.write(w)
}
