// Package access is the door: it turns the credentials of a request into a [Principal], who may then do what its scopes and its person's role say,
// as often as its limit allows.
//
// A caller shows an API key in X-API-Key, or a key or token in Authorization, as Bearer (RFC 6750) or as DPoP (RFC 9449). Nowhere else: a key in a
// query would end up in logs. [Door.Enter] finds out whose it is, takes one request from its budget, and checks what the route asks for ([Need]).
//
// There are five kinds of credentials: an organisation's own API keys and its devices at the door, a person's own tokens, and the access tokens of apps,
// which act for a person (and then may do no more than that person) or for themselves. Nothing of a third party's ever administrates an organisation.
//
// Who has which key is not known here but asked of [Config].Find, and the answer is kept for half a second: so a key that was revoked, on
// whatever node, is refused within a second. That keys were used is noted once a minute. [Door.Run] does that and belongs to whoever
// owns the door.
//
// Limits are counted by each node on its own, and begin anew when it starts.
package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// Kind says what sort of credential a principal showed.
type Kind int

// The kinds of credentials.
const (
	APIKey   Kind = iota + 1 // a program of the organisation's own: sd_…
	Personal                 // a person's own token: sdp_…
	Grant                    // an app that acts for a person: an access token, sda_…
	Service                  // an app that acts for itself (client credentials): an access token, sda_…
	Device                   // a scanner at the door: sdd_…
)

// Principal is who makes a request. It is shared by requests and must not be changed.
type Principal struct {
	Org        int64
	OrgID      id.Org
	Kind       Kind
	Credential string    // the public id of what was shown: key_…, tok_…, gnt_…; budgets and idempotency keys belong to it
	Scopes     scope.Set // what the credential may do
	Allowed    scope.Set // what its person may do; all of them for a program of the organisation
	Full       bool      // made without scopes: it may do all that its person may
	Admin      bool      // it may administrate the organisation: clients, keys, members, audit. Never an app
	PerMinute  int       // requests; 0 for no limit

	User     id.User   // whose it is; "" for programs and services
	UserNo   int64     // the number of User, 0 for none
	Attendee bool      // the person has no role here: sees what is published, and what is their own
	Email    string    // of an attendee, lower case, once it was verified; "" before: then nothing is their own
	Client   id.Client // the app; "" for none
	GrantNo  int64     // what the app acts on; 0 for none
	Expires  time.Time // from then on it is not good any more; zero for never
	Resource string    // the URL that the token is good for, with all below it (RFC 8707); "" for all of this server
	Proof    string    // the thumbprint of the key that must be proven with each request (RFC 9449 §6); "" for a bearer token
	Gates    []id.Gate // that a device is bound to; empty for all
	Events   []id.Event
}

// May tells whether the principal has the scope and its person the right.
func (p *Principal) May(s scope.Scope) bool { return (p.Scopes & p.Allowed).Has(s) }

// Actor names the principal in the audit log: the person where there is one, else the credential.
func (p *Principal) Actor() string {
	if p.User != "" {
		return string(p.User)
	}
	return p.Credential
}

// Need is what a route asks for. One of Scope, Admin and Own is set.
type Need struct {
	Scope     scope.Scope
	Admin     bool // only for who may administrate the organisation
	Own       bool // only for a person with a token of their own, never an app
	Attendees bool // also for people without a role in the organisation, for what is their own
}

// Config is what a door needs.
type Config struct {
	// Find returns who has the key or token. One that nobody has, or no more, is a problem of kind Unauthorized.
	Find func(ctx context.Context, credential string) (*Principal, error)
	// Proven checks that a request proves possession of the key that its token is bound to (RFC 9449 §7); nil where no token is.
	Proven func(r *http.Request, token, thumbprint string) error
	// Used notes that credentials of an organisation have been used, by their public ids; nil to note nothing.
	Used func(ctx context.Context, org int64, credentials ...string) error
	// Checked is told how long it took to find out who a credential's holder is and what they may do; nil to tell nobody.
	Checked func(took time.Duration)
	// Log receives what Run cannot return; slog.Default when nil.
	Log *slog.Logger
	// Now is the clock, time.Now when nil.
	Now func() time.Time
}

const (
	fresh    = 500 * time.Millisecond // how old an answer of Find may be: what is revoked is refused within a second
	noteUsed = time.Minute            // how often uses are noted
	keep     = 4096                   // answers of one generation; there are two
)

// Door lets principals in. It is safe for use by many goroutines.
type Door struct {
	config Config
	asking singleflight.Group

	mu     sync.Mutex // guards the rest
	recent map[[sha256.Size]byte]*visitor
	older  map[[sha256.Size]byte]*visitor // the generation before: what nobody asked for since then is forgotten with it
	limits map[string]*rate.Limiter
	used   map[int64]map[string]bool // since they were noted last, by organisation
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
		limits: map[string]*rate.Limiter{}, used: map[int64]map[string]bool{},
	}
}

// Enter lets the request's principal in to do what the route needs. Its errors are problems: missing_api_key, ambiguous_credentials (400), what
// Find and Proven say of the credential, rate_limited (429), insufficient_scope and insufficient_role (403). The limit is set whenever the
// principal is known, also beside an error, and belongs into the answer.
func (d *Door) Enter(r *http.Request, need Need) (*Principal, Limit, error) {
	if d.config.Checked != nil {
		begun := time.Now()
		defer func() { d.config.Checked(time.Since(begun)) }()
	}
	shown, err := credential(r.Header)
	if err != nil {
		return nil, Limit{}, err
	}
	v, err := d.find(r.Context(), shown.text)
	if err != nil {
		return nil, Limit{}, err
	}
	if err := d.prove(r, shown, v.Principal); err != nil {
		return nil, Limit{}, err
	}
	limit, err := v.take(d.config.Now())
	if err != nil {
		return v.Principal, limit, err
	}
	return v.Principal, limit, v.allowed(need)
}

// Still looks again at who has the credential of a request that [Door.Enter] has let in, for an answer that goes on for long: whether it is still good, and for
// what the route needs. It takes nothing from the budget and asks for no new proof, which the client could not send.
func (d *Door) Still(r *http.Request, need Need) (*Principal, error) {
	shown, err := credential(r.Header)
	if err != nil {
		return nil, err
	}
	v, err := d.find(r.Context(), shown.text)
	if err != nil {
		return nil, err
	}
	if v.over(d.config.Now()) {
		return nil, expired()
	}
	return v.Principal, v.allowed(need)
}

// over tells whether the credential has come to its end.
func (p *Principal) over(now time.Time) bool { return !p.Expires.IsZero() && !now.Before(p.Expires) }

func expired() error {
	return Invalid("The access token has expired. Get a new one with the refresh token.")
}

// prove makes sure that a token is good still, and shown as it has to be: one that is bound to a key with a proof (RFC 9449 §7.2), and only that.
func (d *Door) prove(r *http.Request, shown shown, p *Principal) error {
	switch {
	case p.over(d.config.Now()):
		return expired()
	case !p.meantFor(r.URL.Path):
		return Invalid("This token is not meant for this part of the server. Ask for one whose resource has it.")
	case p.Proof == "" && !shown.proof:
		return nil
	case p.Proof == "":
		return Invalid("This token is not bound to a key. Send it as a bearer token.")
	case !shown.proof || d.config.Proven == nil:
		return Invalid("This token is bound to a key. Send it as \"Authorization: DPoP …\" with a proof in the header DPoP.")
	}
	return d.config.Proven(r, shown.text, p.Proof)
}

// meantFor tells whether the token's resource has the path (RFC 8707 §2). Tokens are given out only for resources of this server.
func (p *Principal) meantFor(path string) bool {
	if p.Resource == "" {
		return true
	}
	u, err := url.Parse(p.Resource)
	if err != nil {
		return false
	}
	root := strings.TrimSuffix(u.Path, "/")
	return path == root || strings.HasPrefix(path, root+"/")
}

// Invalid is a credential that is not good, or no more.
func Invalid(detail string) error {
	return &problem.Error{Kind: problem.Unauthorized, Code: "invalid_token", Detail: detail, Challenge: `error="invalid_token"`}
}

// allowed checks what a route needs.
func (p *Principal) allowed(need Need) error {
	switch {
	case need.Admin && !p.Admin:
		return problem.New(problem.Forbidden, "administration_only",
			"Only owners and admins of the organisation may do that, with a key or token of their own that may do everything; no app may.")
	case need.Own && p.Kind != Personal:
		return problem.New(problem.Forbidden, "person_only", "Only a person can do that, with a personal token; no key and no app may.")
	case need.Admin, need.Own:
		return nil
	case !p.Scopes.Has(need.Scope):
		return &problem.Error{
			Kind: problem.Forbidden, Code: "insufficient_scope",
			Detail:    fmt.Sprintf("This key may not do that: it lacks the scope %s. Use a key that has it.", need.Scope),
			Challenge: fmt.Sprintf(`error="insufficient_scope", scope="%s"`, need.Scope), // RFC 6750 §3.1
		}
	case !p.Allowed.Has(need.Scope), p.Attendee && !need.Attendees:
		return problem.New(problem.Forbidden, "insufficient_role", "The person whose token this is may not do that in this organisation.")
	}
	return nil
}

// shown is a credential as a request shows it.
type shown struct {
	text  string
	proof bool // as DPoP
}

// credential returns the key or token that the request shows.
func credential(h http.Header) (shown, error) {
	var all []shown
	for _, key := range h.Values("X-Api-Key") {
		all = append(all, shown{text: key})
	}
	for _, a := range h.Values("Authorization") {
		scheme, token, _ := strings.Cut(a, " ")
		proof := strings.EqualFold(scheme, "DPoP")
		if !proof && !strings.EqualFold(scheme, "Bearer") {
			return shown{}, problem.New(problem.Unauthorized, "unsupported_scheme",
				"Only the schemes Bearer and DPoP are understood in Authorization. Send the API key or token as a bearer token, or a key in X-API-Key.")
		}
		all = append(all, shown{strings.TrimSpace(token), proof})
	}
	if len(all) == 0 || all[0].text == "" {
		return shown{}, problem.New(problem.Unauthorized, "missing_api_key",
			"Send an API key in the header X-API-Key, or a key or token as a bearer token in Authorization.")
	}
	if len(h.Values("Authorization")) > 1 || slices.ContainsFunc(all, func(s shown) bool { return s.text != all[0].text }) {
		return shown{}, &problem.Error{ // RFC 6750 §3.1
			Kind: problem.Invalid, Code: "ambiguous_credentials", Detail: "The request shows two credentials. Send one of them.",
			Challenge: `error="invalid_request"`,
		}
	}
	return all[0], nil
}

// find returns who has the credential, from memory if that is recent.
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
		keys = map[string]bool{}
		d.used[p.Org] = keys
	}
	if !keys[p.Credential] {
		keys[p.Credential] = true
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
	d.used = map[int64]map[string]bool{}
	d.forgetLimits()
	d.mu.Unlock()
	if d.config.Used == nil {
		return
	}
	for org, set := range used {
		keys := make([]string, 0, len(set))
		for k := range set {
			keys = append(keys, k)
		}
		if err := d.config.Used(ctx, org, keys...); err != nil {
			d.config.Log.Warn("the last use of credentials could not be noted", "error", err)
		}
	}
}
