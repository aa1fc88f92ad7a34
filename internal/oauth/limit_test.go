package oauth_test

import (
	"context"
	"net/netip"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/oauth"
)

// bounded opens a site that takes 5 requests a minute, at a clock and from an address that the test moves.
func bounded(t *testing.T) (p *site, now *time.Time, address *string) {
	t.Helper()
	now, address = new(time.Time), new(string)
	*now, *address = time.Now(), "192.0.2.1"
	return lite(t, func(c *oauth.Config) {
		c.PerMinute, c.Now = 5, func() time.Time { return *now }
		c.ClientAddr = func(context.Context) netip.Addr { return netip.MustParseAddr(*address) }
	}), now, address
}

func TestClientHasABudget(t *testing.T) {
	p, now, address := bounded(t)
	a, b := p.app(input()), p.app(input())
	for i := range 5 {
		*address = "192.0.2." + strconv.Itoa(i)
		a.got(a.post("/oauth/token", machine))
	}
	*address = "192.0.2.100"
	for _, path := range []string{"/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/par"} {
		r := a.post(path, machine)
		refused(t, r, 429, "temporarily_unavailable")
		if r.header.Get("Retry-After") != "12" {
			t.Errorf("%s: Retry-After is %q, want the 12 seconds of one request of 5 a minute", r, r.header.Get("Retry-After"))
		}
	}
	*address = "192.0.2.101"
	b.got(b.post("/oauth/token", machine))
	*now = now.Add(12 * time.Second)
	a.got(a.post("/oauth/token", machine))
	refused(t, a.post("/oauth/token", machine), 429, "temporarily_unavailable")
}

func TestNobodyUsesUpAnothersBudget(t *testing.T) {
	p, _, address := bounded(t)
	a := p.app(input())
	for range 5 {
		refused(t, p.post("/oauth/token", machine, "Authorization", basic(string(a.ID), "sds_wrong")), 401, "invalid_client")
	}
	refused(t, p.post("/oauth/token", machine, "Authorization", basic(string(a.ID), "sds_wrong")), 429, "temporarily_unavailable")
	*address = "192.0.2.2"
	a.got(a.post("/oauth/token", machine))
}

func TestIPv6AddressesCountByTheirNetwork(t *testing.T) {
	p, _, address := bounded(t)
	guess := func(at string) reply {
		*address = at
		return p.post("/oauth/token", machine, "Authorization", basic("oa_unknown", "x"))
	}
	for i := range 5 {
		refused(t, guess("2001:db8:1:2::"+strconv.Itoa(i)), 401, "invalid_client")
	}
	refused(t, guess("2001:db8:1:2:ffff::1"), 429, "temporarily_unavailable")
	refused(t, guess("2001:db8:1:3::1"), 401, "invalid_client")
}

func TestRequestsThatWaitForASignInAreBounded(t *testing.T) {
	p, _, _ := bounded(t)
	a := p.app(input())
	p.front.person = nil
	for range 5 {
		if r := p.post("/oauth/authorize", a.ask()); r.status != 303 {
			t.Fatalf("%s, want to be sent to sign in", r)
		}
	}
	r := p.post("/oauth/authorize", a.ask())
	if r.status != 429 || r.header.Get("Retry-After") == "" || p.count("oauth_requests") != 5 {
		t.Errorf("%s with %d requests kept, want 429 and 5", r, p.count("oauth_requests"))
	}
	if r := p.get("/oauth/authorize", a.ask()); r.status != 303 || p.count("oauth_requests") != 5 {
		t.Errorf("%s: one that has an address is not kept, and not counted", r)
	}
}

func TestWithoutABoundNothingIsRefused(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	for range 50 {
		if r := a.post("/oauth/revoke", url.Values{"token": {"x"}}); r.status != 200 {
			t.Fatalf("%s, want 200", r)
		}
	}
}
