package access

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"golang.org/x/time/rate"
)

// Limit is what is left of a principal's budget. The zero Limit is no limit.
type Limit struct {
	PerMinute int           // the budget
	Remaining int           // requests that would pass now
	Full      time.Duration // until the budget is whole again
}

// Header sets RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10 §3 and §4), or nothing for no limit.
func (l Limit) Header(h http.Header) {
	if l.PerMinute == 0 {
		return
	}
	h.Set("RateLimit-Policy", fmt.Sprintf(`"key";q=%d;w=60`, l.PerMinute))
	h.Set("RateLimit", fmt.Sprintf(`"key";r=%d;t=%d`, l.Remaining, seconds(l.Full)))
}

// Neighbourhood is the network that an address is of, as far as one subscriber has it, by which budgets of strangers are counted: an IPv4 address, or a /64 of IPv6,
// in which one subscriber has as many addresses as they like. It is empty for an address that is not known.
func Neighbourhood(a netip.Addr) string {
	a = a.Unmap()
	switch {
	case !a.IsValid():
		return ""
	case a.Is6():
		return netip.PrefixFrom(a, 64).Masked().String()
	}
	return a.String()
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// limiter returns the key's bucket, which outlives what is remembered of the key. The door is locked.
func (d *Door) limiter(p *Principal) *rate.Limiter {
	if p.PerMinute == 0 {
		delete(d.limits, p.Credential)
		return nil
	}
	l := d.limits[p.Credential]
	if l == nil || l.Burst() != p.PerMinute {
		l = rate.NewLimiter(rate.Limit(p.PerMinute)/60, p.PerMinute)
		d.limits[p.Credential] = l
	}
	return l
}

// Spend takes one request from the budget of a name, such as the address of somebody who has no credential yet; rate_limited (429) when there is none left.
// The name must not be a credential's public id.
func (d *Door) Spend(name string, perMinute int) error {
	d.mu.Lock()
	p := &Principal{Credential: name, PerMinute: perMinute}
	v := visitor{Principal: p, limiter: d.limiter(p)}
	d.mu.Unlock()
	_, err := v.take(d.config.Now())
	if p := problem.As(err); p != nil {
		p.Detail = fmt.Sprintf("Only %d requests a minute are taken from one network. Wait as long as Retry-After says.", perMinute)
	}
	return err
}

// forgetLimits drops the buckets that are full: a new one would be no different. The door is locked.
func (d *Door) forgetLimits() {
	now := d.config.Now()
	for key, l := range d.limits {
		if l.TokensAt(now) >= float64(l.Burst()) {
			delete(d.limits, key)
		}
	}
}

// take takes one request from the budget.
func (v *visitor) take(now time.Time) (Limit, error) {
	if v.limiter == nil {
		return Limit{}, nil
	}
	passed := v.limiter.AllowN(now, 1)
	left, perSecond := max(0, v.limiter.TokensAt(now)), float64(v.limiter.Limit())
	limit := Limit{
		PerMinute: v.PerMinute,
		Remaining: int(left),
		Full:      time.Duration((float64(v.PerMinute) - left) / perSecond * float64(time.Second)),
	}
	if passed {
		return limit, nil
	}
	wait := time.Duration((1 - left) / perSecond * float64(time.Second))
	return limit, &problem.Error{
		Kind: problem.TooMany, Code: "rate_limited", RetryAfter: max(wait, time.Second),
		Detail: fmt.Sprintf("This key may make %d requests a minute. Wait as long as Retry-After says.", v.PerMinute),
	}
}
