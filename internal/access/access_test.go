package access_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// book is a list of keys that counts how often it is asked.
type book struct {
	mu    sync.Mutex
	keys  map[string]*access.Principal
	asked int
	used  []string
}

func (b *book) find(_ context.Context, key string) (*access.Principal, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if p := b.keys[key]; p != nil {
		return p, nil
	}
	return nil, problem.New(problem.Unauthorized, "invalid_api_key", "The key is not valid.")
}

func (b *book) note(_ context.Context, _ int64, keys ...string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used = append(b.used, keys...)
	return nil
}

func (b *book) noted() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.used)
}

func newBook() *book {
	return &book{keys: map[string]*access.Principal{
		"sd_a": {Org: 1, Credential: "key_a", Scopes: scope.Of(scope.EventsRead), Allowed: scope.All()},
		"sd_b": {Org: 2, Credential: "key_b", Scopes: scope.Of(scope.EventsRead), Allowed: scope.All(), PerMinute: 2},
	}}
}

func request(header ...string) *http.Request {
	r, _ := http.NewRequest("GET", "http://localhost/api/v1/events?api_key=sd_a&access_token=sd_a", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func TestCredentials(t *testing.T) {
	for _, c := range []struct {
		name   string
		header []string
		code   string // of the problem; "" when let in
		kind   problem.Kind
	}{
		{"API key", []string{"X-API-Key", "sd_a"}, "", 0},
		{"bearer token", []string{"Authorization", "Bearer sd_a"}, "", 0},
		{"the scheme's case does not count", []string{"Authorization", "bearer  sd_a"}, "", 0},
		{"the same key twice", []string{"X-API-Key", "sd_a", "Authorization", "Bearer sd_a"}, "", 0},
		{"two different keys", []string{"X-API-Key", "sd_a", "Authorization", "Bearer sd_b"}, "ambiguous_credentials", problem.Invalid},
		{"two different headers", []string{"X-API-Key", "sd_a", "X-API-Key", "sd_b"}, "ambiguous_credentials", problem.Invalid},
		{"none, and a query is none", nil, "missing_api_key", problem.Unauthorized},
		{"empty", []string{"X-API-Key", ""}, "missing_api_key", problem.Unauthorized},
		{"another scheme", []string{"Authorization", "Basic c2RfYTo="}, "unsupported_scheme", problem.Unauthorized},
		{"unknown key", []string{"X-API-Key", "sd_z"}, "invalid_api_key", problem.Unauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _, err := access.New(access.Config{Find: newBook().find}).Enter(request(c.header...), access.Need{Scope: scope.EventsRead})
			if c.code == "" {
				if err != nil || p.Credential != "key_a" {
					t.Errorf("Enter with %q = %+v, %v; want key_a", c.header, p, err)
				}
				return
			}
			if got := problem.As(err); got == nil || got.Code != c.code || got.Kind != c.kind {
				t.Errorf("Enter with %q: error %v; want %s of kind %d", c.header, err, c.code, c.kind)
			}
		})
	}
}

func TestScopeIsNeeded(t *testing.T) {
	_, _, err := access.New(access.Config{Find: newBook().find}).Enter(request("X-API-Key", "sd_a"), access.Need{Scope: scope.EventsWrite})
	if p := problem.As(err); p == nil || p.Code != "insufficient_scope" || p.Kind != problem.Forbidden {
		t.Errorf("Enter for events:write with events:read only: error %v, want insufficient_scope", err)
	}
}

func TestRevokedKeyEndsWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		d := access.New(access.Config{Find: b.find})
		for range 5 {
			if _, _, err := d.Enter(request("X-API-Key", "sd_a"), access.Need{Scope: scope.EventsRead}); err != nil {
				t.Fatalf("Enter: %v", err)
			}
		}
		if b.asked != 1 {
			t.Errorf("the keys were looked up %d times for 5 requests at once, want 1", b.asked)
		}
		delete(b.keys, "sd_a")
		time.Sleep(time.Second)
		if _, _, err := d.Enter(request("X-API-Key", "sd_a"), access.Need{Scope: scope.EventsRead}); !problem.Is(err, "invalid_api_key") {
			t.Errorf("Enter a second after the key was revoked: error %v, want invalid_api_key", err)
		}
	})
}

func TestLimitOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := access.New(access.Config{Find: newBook().find})
		enter := func() (http.Header, error) {
			_, limit, err := d.Enter(request("X-API-Key", "sd_b"), access.Need{Scope: scope.EventsRead})
			h := http.Header{}
			limit.Header(h)
			return h, err
		}
		for i, want := range []string{`"key";r=1;t=30`, `"key";r=0;t=60`} {
			h, err := enter()
			if err != nil || h.Get("RateLimit") != want || h.Get("RateLimit-Policy") != `"key";q=2;w=60` {
				t.Errorf("request %d of 2 a minute: %v, %v; want RateLimit %s", i+1, h, err, want)
			}
		}
		h, err := enter()
		p := problem.As(err)
		if p == nil || p.Code != "rate_limited" || p.RetryAfter != 30*time.Second || h.Get("RateLimit") != `"key";r=0;t=60` {
			t.Errorf("request 3 of 2 a minute: %v, %v; want rate_limited for 30 s", h, err)
		}
		time.Sleep(30 * time.Second)
		if _, err := enter(); err != nil {
			t.Errorf("after the wait: %v, want to be let in", err)
		}
		if h, err := func() (http.Header, error) {
			_, limit, err := d.Enter(request("X-API-Key", "sd_a"), access.Need{Scope: scope.EventsRead})
			h := http.Header{}
			limit.Header(h)
			return h, err
		}(); err != nil || len(h) != 0 {
			t.Errorf("a key without a limit: %v, %v; want no headers", h, err)
		}
	})
}

func TestUseIsNotedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		d := access.New(access.Config{Find: b.find, Used: b.note})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); d.Run(ctx) }()
		enter := func(key string) {
			if _, _, err := d.Enter(request("X-API-Key", key), access.Need{Scope: scope.EventsRead}); err != nil {
				t.Errorf("Enter: %v", err)
			}
		}
		for range 3 {
			enter("sd_a")
		}
		time.Sleep(time.Minute + time.Millisecond)
		if want := []string{"key_a"}; !slices.Equal(b.noted(), want) {
			t.Errorf("noted after a minute: %v, want %v", b.noted(), want)
		}
		enter("sd_b")
		cancel()
		<-ended
		if want := []string{"key_a", "key_b"}; !slices.Equal(b.noted(), want) {
			t.Errorf("noted in the end: %v, want %v", b.noted(), want)
		}
	})
}

func TestFailureToLookUpIsNotRemembered(t *testing.T) {
	b := newBook()
	broken := true
	d := access.New(access.Config{Find: func(ctx context.Context, key string) (*access.Principal, error) {
		if broken {
			return nil, errors.New("the database is away")
		}
		return b.find(ctx, key)
	}})
	if _, _, err := d.Enter(request("X-API-Key", "sd_a"), access.Need{Scope: scope.EventsRead}); err == nil || problem.As(err) != nil {
		t.Errorf("Enter without a database: error %v, want an internal one", err)
	}
	broken = false
	if _, _, err := d.Enter(request("X-API-Key", "sd_a"), access.Need{Scope: scope.EventsRead}); err != nil {
		t.Errorf("Enter after that: %v", err)
	}
}

// What goes on for long is asked about again and again: that costs nothing of the budget, and ends with the credential.
func TestStillLooksWithoutTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		b.keys["sd_b"].Expires = time.Now().Add(time.Minute)
		d := access.New(access.Config{Find: b.find})
		r, need := request("X-API-Key", "sd_b"), access.Need{Scope: scope.EventsRead}
		for range 10 {
			if p, err := d.Still(r, need); err != nil || p.Credential != "key_b" {
				t.Fatalf("Still = %v, %v", p, err)
			}
		}
		if _, limit, err := d.Enter(r, need); err != nil || limit.Remaining != 1 {
			t.Errorf("after that Enter has %d left, %v; want 1 of 2", limit.Remaining, err)
		}
		if _, err := d.Still(r, access.Need{Scope: scope.TicketsRead}); !problem.Is(err, "insufficient_scope") {
			t.Errorf("Still for another scope: %v", err)
		}
		time.Sleep(time.Minute)
		if _, err := d.Still(r, need); !problem.Is(err, "invalid_token") {
			t.Errorf("Still when it has expired: %v", err)
		}
		delete(b.keys, "sd_b")
		time.Sleep(time.Second)
		if _, err := d.Still(r, need); !problem.Is(err, "invalid_api_key") {
			t.Errorf("Still when it was revoked: %v", err)
		}
	})
}

func TestNeighbourhood(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := access.Neighbourhood(netip.MustParseAddr(address)); got != want {
			t.Errorf("Neighbourhood(%s) = %s, want %s", address, got, want)
		}
	}
	if got := access.Neighbourhood(netip.Addr{}); got != "" {
		t.Errorf("Neighbourhood of no address = %q, want none", got)
	}
}
