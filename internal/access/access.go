// Package access is the door: it turns the credentials of a request into a [Principal], who may then do what its scopes say, as often as
// its limit allows.
//
// A caller shows an API key in X-API-Key, or the same key as a bearer token in Authorization (RFC 6750). Nowhere else: a key in a query
// would end up in logs. [Door.Enter] finds out whose key it is, takes one request from the key's budget, and checks the scope that the route
// asks for.
//
// Who has which key is not known here but asked of [Config].Find, and the answer is kept for a second: so a key that was revoked, on
// whatever node, is good for a second more at most. That keys were used is noted once a minute. [Door.Run] does that and belongs to whoever
// owns the door.
//
// Limits are counted by each node on its own, and begin anew when it starts.
package access

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// Scope is one thing that a principal may do, as "resource:action".
type Scope string

// The scopes that routes ask for.
const (
	EventsRead     Scope = "events:read"
	EventsWrite    Scope = "events:write"
	TicketsRead    Scope = "tickets:read"
	TicketsWrite   Scope = "tickets:write"
	WebhooksManage Scope = "webhooks:manage"
)

// Principal is who makes a request. It is shared by requests and must not be changed.
type Principal struct {
	Org       int64
	OrgID     id.Org
	Key       id.Key
	Scopes    []Scope
	PerMinute int // requests; 0 for no limit
}

// May tells whether the principal has the scope.
func (p *Principal) May(s Scope) bool { return slices.Contains(p.Scopes, s) }

// Config is what a door needs.
type Config struct {
	// Find returns who has the key. A key that nobody has, or no more, is a problem of kind Unauthorized.
	Find func(ctx context.Context, key string) (*Principal, error)
	// Used notes that keys of an organisation have been used; nil to note nothing.
	Used func(ctx context.Context, org int64, keys ...id.Key) error
	// Log receives what Run cannot return; slog.Default when nil.
	Log *slog.Logger
	// Now is the clock, time.Now when nil.
	Now func() time.Time
}

const (
	fresh    = time.Second // how old an answer of Find may be
	noteUsed = time.Minute // how often uses are noted
	keep     = 4096        // answers of one generation; there are two
)

// Door lets principals in. It is safe for use by many goroutines.
type Door struct {
	config Config
	asking singleflight.Group

	mu     sync.Mutex // guards the rest
	recent map[[sha256.Size]byte]*visitor
	older  map[[sha256.Size]byte]*visitor // the generation before: what nobody asked for since then is forgotten with it
	limits map[id.Key]*rate.Limiter
	used   map[int64]map[id.Key]bool // since they were noted last, by organisation
}

// visitor is an answer of Find.
type visitor struct {
	*Principal
	limiter *rate.Limiter // nil for no limit
	at      time.Time
}

// New makes a door.
func New(c Config) *Door {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Door{
		config: c,
		recent: map[[sha256.Size]byte]*visitor{}, older: map[[sha256.Size]byte]*visitor{},
		limits: map[id.Key]*rate.Limiter{}, used: map[int64]map[id.Key]bool{},
	}
}

// Enter lets the request's principal in to do what needs the scope. Its errors are problems: missing_api_key, ambiguous_credentials (400),
// what Find says of the key, rate_limited (429) and insufficient_scope (403). The limit is set whenever the principal is known, also beside
// an error, and belongs into the answer.
func (d *Door) Enter(r *http.Request, need Scope) (*Principal, Limit, error) {
	key, err := credential(r.Header)
	if err != nil {
		return nil, Limit{}, err
	}
	v, err := d.find(r.Context(), key)
	if err != nil {
		return nil, Limit{}, err
	}
	limit, err := v.take(d.config.Now())
	if err != nil {
		return v.Principal, limit, err
	}
	if !v.May(need) {
		return v.Principal, limit, problem.New(problem.Forbidden, "insufficient_scope",
			"This key may not do that: it lacks the scope %s. Use a key that has it.", need)
	}
	return v.Principal, limit, nil
}

// credential returns the key that the request shows.
func credential(h http.Header) (string, error) {
	var shown []string
	shown = append(shown, h.Values("X-Api-Key")...)
	for _, a := range h.Values("Authorization") {
		scheme, token, _ := strings.Cut(a, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", problem.New(problem.Unauthorized, "unsupported_scheme",
				"Only the scheme Bearer is understood in Authorization. Send the API key as a bearer token, or in X-API-Key.")
		}
		shown = append(shown, strings.TrimSpace(token))
	}
	if len(shown) == 0 || shown[0] == "" {
		return "", problem.New(problem.Unauthorized, "missing_api_key",
			"Send an API key in the header X-API-Key, or as a bearer token in Authorization.")
	}
	if slices.ContainsFunc(shown, func(s string) bool { return s != shown[0] }) {
		return "", problem.New(problem.Invalid, "ambiguous_credentials", "The request shows two different keys. Send one of them.") // RFC 6750 §3.1
	}
	return shown[0], nil
}

// find returns who has the key, from memory if that is recent.
func (d *Door) find(ctx context.Context, key string) (*visitor, error) {
	hash := sha256.Sum256([]byte(key))
	now := d.config.Now()
	d.mu.Lock()
	v := d.recent[hash]
	if v == nil {
		v = d.older[hash]
	}
	if v != nil && now.Sub(v.at) < fresh {
		d.note(v.Principal)
		d.mu.Unlock()
		return v, nil
	}
	d.mu.Unlock()

	asked, err, _ := d.asking.Do(string(hash[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // others wait for the answer too
		defer cancel()
		return d.config.Find(ctx, key)
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		delete(d.recent, hash)
		delete(d.older, hash)
		return nil, err
	}
	p := asked.(*Principal)
	v = &visitor{Principal: p, limiter: d.limiter(p), at: now}
	d.remember(hash, v)
	d.note(p)
	return v, nil
}

func (d *Door) remember(hash [sha256.Size]byte, v *visitor) {
	if len(d.recent) >= keep {
		d.older, d.recent = d.recent, map[[sha256.Size]byte]*visitor{}
	}
	d.recent[hash] = v
}

func (d *Door) note(p *Principal) {
	keys := d.used[p.Org]
	if keys == nil {
		keys = map[id.Key]bool{}
		d.used[p.Org] = keys
	}
	if !keys[p.Key] {
		keys[p.Key] = true
	}
}

// Run notes the use of keys once a minute, and a last time when ctx ends.
func (d *Door) Run(ctx context.Context) {
	tick := time.NewTicker(noteUsed)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.noteUsed(ctx)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			d.noteUsed(ctx)
			return
		}
	}
}

func (d *Door) noteUsed(ctx context.Context) {
	d.mu.Lock()
	used := d.used
	d.used = map[int64]map[id.Key]bool{}
	d.forgetLimits()
	d.mu.Unlock()
	if d.config.Used == nil {
		return
	}
	for org, set := range used {
		keys := make([]id.Key, 0, len(set))
		for k := range set {
			keys = append(keys, k)
		}
		if err := d.config.Used(ctx, org, keys...); err != nil {
			d.config.Log.Warn("the last use of API keys could not be noted", "error", err)
		}
	}
}
