package delivery

import "time"

// circuit keeps an endpoint that fails again and again from being sent everything that is due. Open, it lets one probe through, then rests,
// longer after each that fails. It is guarded by its lane's mutex.
type circuit struct {
	failures int       // in a row
	until    time.Time // no probe before; zero while closed
}

const (
	firstRest = time.Second
	maxRest   = 30 * time.Second
)

func (c *circuit) open() bool { return !c.until.IsZero() }

// succeed closes the circuit.
func (c *circuit) succeed() { *c = circuit{} }

// fail notes a failure. The circuit opens with the threshold'th in a row, or at once when the receiver asked for a rest.
func (c *circuit) fail(now time.Time, threshold int, asked time.Duration) {
	c.failures++
	rest := min(asked, maxRest)
	if over := c.failures - threshold; over >= 0 {
		rest = max(rest, min(firstRest<<min(over, 5), maxRest))
	}
	if rest > 0 {
		c.until = now.Add(rest)
	}
}

// health remembers since when an endpoint has given nothing but failures. It is guarded by its lane's mutex.
type health struct {
	known bool      // since was read from what the book knows
	since time.Time // of the first failure after a success; zero while it is well
	noted time.Time // when that was last written down
}
