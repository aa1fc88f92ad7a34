package delivery

import "time"

// circuit keeps an endpoint that fails again and again from being sent everything that is due. Open, it lets one probe through, then rests,
// longer after each that fails. It is guarded by its lane's mutex.
type circuit struct {
	failures int       // in a row
	until    time.Time // no probe before; zero while closed
	opened   time.Time // when until was set
}

const (
	firstRest = time.Second
	maxRest   = 30 * time.Second
)

func (c *circuit) open() bool { return !c.until.IsZero() }

// succeed closes the circuit and tells whether it was open.
func (c *circuit) succeed() (wasOpen bool) {
	wasOpen = c.open()
	*c = circuit{}
	return wasOpen
}

// fail notes the failure of an attempt that began at an instant. The circuit opens with the threshold'th in a row, or at once when the receiver
// asked for a rest. What began before it opened says nothing new, however many attempts were under way.
func (c *circuit) fail(began, now time.Time, threshold int, asked time.Duration) {
	rest := min(asked, maxRest)
	if !c.open() || !began.Before(c.opened) {
		c.failures++
		if over := c.failures - threshold; over >= 0 {
			rest = max(rest, min(firstRest<<min(over, 5), maxRest))
		}
	}
	if until := now.Add(rest); rest > 0 && until.After(c.until) {
		c.until, c.opened = until, now
	}
}

// health remembers what of an endpoint's health was last written down. It is guarded by its lane's mutex.
type health struct {
	failing bool      // the last attempt that was noted failed
	noted   time.Time // when the book was last told, or asked
	failed  time.Time // when it was last told that failures began
	gone    time.Time // when it was last told that the endpoint is gone
	notes   []func()  // what is still to be told, in order; the first is being told
}
