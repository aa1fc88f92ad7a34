package account

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// maxBudgets bounds one generation of budgets; there are two.
const maxBudgets = 4096

// budgets are how often something may be had, by name: some at once, then one in a while. Each node counts for itself.
type budgets struct {
	burst int
	every time.Duration

	mu            sync.Mutex // guards the rest
	recent, older map[string]*rate.Limiter
}

func newBudgets(burst int, every time.Duration) *budgets {
	return &budgets{burst: burst, every: every, recent: map[string]*rate.Limiter{}, older: map[string]*rate.Limiter{}}
}

// take takes one from a budget, or says how long until there is one again.
func (b *budgets) take(now time.Time, name string) (wait time.Duration, ok bool) {
	l := b.of(name)
	if l.AllowN(now, 1) {
		return 0, true
	}
	return time.Duration((1 - l.TokensAt(now)) * float64(b.every)), false
}

func (b *budgets) of(name string) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.recent[name]
	if l == nil {
		l = b.older[name]
	}
	if l == nil {
		l = rate.NewLimiter(rate.Every(b.every), b.burst)
	}
	if b.recent[name] == nil {
		if len(b.recent) >= maxBudgets {
			b.older, b.recent = b.recent, map[string]*rate.Limiter{}
		}
		b.recent[name] = l
	}
	return l
}

// spend takes from the budget of the browser's network address (of IPv6, its /64, which is what one household gets).
func (v *visit) spend() error {
	a := v.address()
	if a.Is6() {
		a = netip.PrefixFrom(a.WithZone(""), 64).Masked().Addr()
	}
	wait, ok := v.p.clients.take(v.p.Now(), a.String())
	if ok {
		return nil
	}
	return &problem.Error{
		Kind: problem.TooMany, Code: "too_many_requests", RetryAfter: wait, Detail: "There is too much coming from your network. Wait a little, then try again.",
	}
}
