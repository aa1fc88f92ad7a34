package oauth

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxLimits bounds one generation of limits; there are two.
const maxLimits = 4096

// limits are budgets by name: of a client, of a network address. Each node counts for itself.
type limits struct {
	perMinute int // 0 for no bound

	mu            sync.Mutex // guards the rest
	recent, older map[string]*rate.Limiter
}

func newLimits(perMinute int) *limits {
	return &limits{perMinute: perMinute, recent: map[string]*rate.Limiter{}, older: map[string]*rate.Limiter{}}
}

// take takes one request from a budget; with a *fault that says how long to wait when there is none left.
func (l *limits) take(now time.Time, name string) error {
	if l.perMinute <= 0 {
		return nil
	}
	b := l.of(name)
	if b.AllowN(now, 1) {
		return nil
	}
	missing := 1 - b.TokensAt(now)
	return tooMany(time.Duration(missing / float64(b.Limit()) * float64(time.Second)))
}

func (l *limits) of(name string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.recent[name]
	if b == nil {
		b = l.older[name]
	}
	if b == nil {
		b = rate.NewLimiter(rate.Limit(l.perMinute)/60, l.perMinute)
	}
	if l.recent[name] == nil {
		if len(l.recent) >= maxLimits {
			l.older, l.recent = l.recent, map[string]*rate.Limiter{}
		}
		l.recent[name] = b
	}
	return b
}
