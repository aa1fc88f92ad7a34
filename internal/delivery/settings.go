package delivery

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// settings is what follows from an endpoint's own choices, made anew when they change.
type settings struct {
	to      *endpoint.Endpoint
	dialect Dialect
	policy  Policy
	target  *egress.Target
	signer  Signer
	own     egress.Header
	limiter *rate.Limiter
	bad     error // why nothing can be sent
}

// off tells whether nothing is sent, because the endpoint is off or gone.
func (s settings) off() bool { return s.to == nil || !s.to.Enabled() }

// sendable tells whether something can be sent by these settings.
func (s settings) sendable() bool { return s.bad == nil }

// settings returns the lane's settings as of now; to is nil when the endpoint is not known here.
func (l *lane) settings() settings {
	to := l.e.Subscriptions.Now().Endpoint(l.number)
	l.mu.Lock()
	defer l.mu.Unlock()
	if to == nil {
		return settings{}
	}
	if l.set.to == nil || l.set.to.Revision != to.Revision {
		was := l.set
		l.set = l.e.prepare(to)
		if was.to != nil && was.to.URL != to.URL {
			l.e.Client.CloseKey(string(to.ID))
		}
		if was.rate() == l.set.rate() {
			l.set.limiter = was.limiter
		}
	}
	return l.set
}

func (e *Engine) prepare(to *endpoint.Endpoint) settings {
	s := settings{to: to, dialect: e.dialects[to.Format], own: to.Header()}
	if s.dialect == nil {
		s.bad = fmt.Errorf("no format %q", to.Format)
		return s
	}
	s.policy = s.dialect.Policy()
	s.target, s.bad = egress.Parse(to.URL)
	if s.bad == nil {
		s.signer, s.bad = s.dialect.Signer(to)
	}
	if n := s.rate(); n > 0 {
		s.limiter = limiter(n)
	}
	return s
}

// limiter lets through n in any second, at most, on this node. The burst makes up for the timer's coarseness where attempts are less than a
// millisecond apart.
func limiter(n int) *rate.Limiter {
	burst := max(1, n/50)
	return rate.NewLimiter(rate.Limit(n-burst+1), burst)
}

// rate is the endpoint's rate limit, 0 for none.
func (s settings) rate() int {
	if s.to == nil {
		return 0
	}
	return s.to.Options.RateLimit
}

// longestWait is about how long a worker waits for the rate limit; longer waits are spent in the table.
const longestWait = 2 * time.Second

// ready tells whether an item may be sent now, and with which settings; it waits for the rate limit. What may not is given back, and whoever
// claims it then decides what becomes of it.
func (l *lane) ready(it *item) (settings, bool) {
	defer l.begun()
	s := l.settings()
	if s.off() {
		l.e.settler.giveBack(it, 0) // the poller asks a transaction whether it is to be skipped
		return s, false
	}
	if rest := time.Until(l.restsUntil()); rest > 0 {
		l.e.settler.giveBack(it, rest)
		return s, false
	}
	if s.limiter != nil {
		if wait := l.e.pace(s.limiter); wait > 0 {
			l.e.settler.giveBack(it, wait)
			return s, false
		}
		if s = l.settings(); s.off() { // since it began to wait
			l.e.settler.giveBack(it, 0)
			return s, false
		}
	}
	if l.e.stopped.Load() || time.Until(it.until) < s.policy.timeout()+l.e.Margin {
		l.e.settler.giveBack(it, 0)
		return s, false
	}
	return s, true
}

// begun notes that an item that was taken is sent, or is not.
func (l *lane) begun() {
	l.mu.Lock()
	l.taken--
	more := l.set.limiter != nil && l.wantsMore()
	l.mu.Unlock()
	if more {
		l.e.poller.hot(l.number)
	}
}

// pace waits for the endpoint's rate limit. It does not when that would take long, or the engine stops: then it returns how long that is.
func (e *Engine) pace(limiter *rate.Limiter) (wait time.Duration) {
	r := limiter.Reserve()
	wait = r.Delay()
	if wait == 0 {
		return 0
	}
	if wait > 2*longestWait {
		r.Cancel()
		return wait
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.stopping:
	}
	return 0
}

func (s settings) mediaType(f *fact.Fact) string {
	if d, ok := s.dialect.(MediaTyper); ok {
		return d.MediaType(f)
	}
	return s.dialect.ContentType()
}

func (s settings) lasting() bool {
	d, ok := s.dialect.(Lasting)
	return ok && d.Lasting()
}

// request dresses an envelope for an attempt at the given time.
func (s settings) request(it *item, env []byte, name string, at time.Time) (*egress.Request, error) {
	var space [8]webhook.Header
	signed, err := s.signer.AppendHeaders(space[:0], webhook.Message{ID: s.dialect.MessageID(it.fact, it.id), Event: name, Time: at, Body: env})
	if err != nil {
		return nil, err
	}
	h := make(egress.Header, 0, 1+len(signed)+len(s.own))
	if t := s.mediaType(it.fact); t != "" {
		h = append(h, egress.Field{Name: "Content-Type", Value: t})
	}
	for _, f := range signed {
		h = append(h, egress.Field(f))
	}
	return &egress.Request{
		Target: s.target, Header: append(h, s.own...), Body: env, Timeout: s.policy.timeout(), PoolKey: string(s.to.ID),
	}, nil
}
