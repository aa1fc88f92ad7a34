package delivery

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
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

// settings returns the lane's settings as of now; to is nil when the endpoint has been deleted.
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
		if was.limiter != nil && was.to.Options.RateLimit == to.Options.RateLimit {
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
	if n := to.Options.RateLimit; n > 0 {
		s.limiter = rate.NewLimiter(rate.Limit(n), max(1, n/10))
	}
	return s
}

const (
	leaseMargin = 5 * time.Second // what settling may take beyond an attempt
	longestWait = 2 * time.Second // a worker waits so long for the rate limit; longer waits are spent in the table
)

// attempt makes one attempt, or gives the item back when it cannot be made now.
func (e *Engine) attempt(l *lane, it *item) {
	s := l.settings()
	now := time.Now()
	switch {
	case s.to == nil || !s.to.Enabled():
		e.settler.add(&outcome{item: it, state: skipped})
		return
	case it.until.Sub(now) < s.policy.Timeout+leaseMargin:
		e.settler.giveBack(it, 0)
		return
	}
	if rest := l.resting(now); rest > 0 {
		e.settler.giveBack(it, rest)
		return
	}
	if s.limiter != nil && !e.pace(s.limiter, it) {
		return
	}
	o := &outcome{item: it, state: pending, at: time.Now()}
	env, err := e.envelope(it, s)
	switch {
	case errors.Is(err, errErased):
		o.state, o.code, o.detail = failed, "erased", "The data has been erased; it is not sent again."
	case err != nil:
		e.Log.Error("render envelope", "fact", it.fact.ID.String(), "format", s.to.Format, "err", err)
		o.code, o.detail = "internal", "The envelope could not be made."
	default:
		e.send(o, s, env)
	}
	if o.code == string(egress.CodeCancelled) {
		e.settler.giveBack(it, 0) // the engine is stopping: as if it had not been begun
		return
	}
	e.judge(l, o, s)
	e.settler.add(o)
}

// resting is how long the lane's circuit keeps attempts back.
func (l *lane) resting(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.circuit.open() {
		return 0
	}
	return l.circuit.until.Sub(now)
}

// pace waits for the endpoint's rate limit, or gives the item back when that would take long.
func (e *Engine) pace(limiter *rate.Limiter, it *item) bool {
	r := limiter.Reserve()
	wait := r.Delay()
	if wait == 0 {
		return true
	}
	if wait > longestWait || e.stopped.Load() {
		r.Cancel()
		e.settler.giveBack(it, wait)
		return false
	}
	time.Sleep(wait)
	return true
}

// errErased says that a fact's data is gone.
var errErased = errors.New("erased")

// envelope returns the bytes of a delivery: kept ones where an attempt has failed before, else made now, once for all that share them.
func (e *Engine) envelope(it *item, s settings) (*envelope, error) {
	if it.fact.Private && it.fact.Data == nil {
		return nil, errErased
	}
	v := it.envelope(s.dialect.Variant(s.to))
	v.made.Do(func() {
		if it.attempt > 0 {
			v.body, v.err = e.kept(e.DB.Read(context.Background()), it.id.Seq, v.variant)
		}
		if v.body == nil && v.err == nil {
			v.body, v.err = s.dialect.Render(context.Background(), it.fact, s.to)
		}
		v.hash = sha256.Sum256(v.body)
	})
	return v, v.err
}

// kept returns a body that was kept, or nil when there is none.
func (e *Engine) kept(q db.Querier, seq int64, variant string) ([]byte, error) {
	body, err := db.One(q, db.Value[[]byte], "SELECT body FROM envelopes WHERE fact_seq = $1 AND variant = $2", seq, variant)
	if errors.Is(err, db.ErrNoRow) {
		return nil, nil
	}
	if err == nil && body == nil {
		return nil, errErased
	}
	return body, err
}

// request dresses an envelope for an attempt at the given time.
func (s settings) request(it *item, env []byte, name string, at time.Time) (*egress.Request, error) {
	var space [8]webhook.Header
	signed, err := s.signer.AppendHeaders(space[:0], webhook.Message{ID: s.dialect.MessageID(it.fact, it.id), Event: name, Time: at, Body: env})
	if err != nil {
		return nil, err
	}
	h := make(egress.Header, 0, 1+len(signed)+len(s.own))
	h = append(h, egress.Field{Name: "Content-Type", Value: s.dialect.ContentType()})
	for _, f := range signed {
		h = append(h, egress.Field(f))
	}
	return &egress.Request{
		Target: s.target, Header: append(h, s.own...), Body: env, Timeout: s.policy.Timeout, PoolKey: string(s.to.ID),
	}, nil
}

// send makes the attempt and fills in what came of it.
func (e *Engine) send(o *outcome, s settings, env *envelope) {
	o.variant, o.body, o.hash = env.variant, env.body, env.hash
	name, _ := e.Subscriptions.Now().EventName(s.to.Format, o.fact)
	if s.bad != nil {
		o.code, o.detail = "bad_endpoint", "The endpoint's settings do not allow sending: "+s.bad.Error()
		return
	}
	r, err := s.request(o.item, env.body, name, o.at)
	if err != nil {
		o.code, o.detail = "internal", "The request could not be signed."
		e.Log.Error("sign request", "endpoint", string(s.to.ID), "err", err)
		return
	}
	out := e.Client.Do(context.Background(), r)
	o.out, o.code, o.detail, o.status = out, string(out.Code), out.Detail, out.Status
	o.head = func() string { return headText(r) }
}

// UserAgent is what deliveries say they come from. The client that sends them is made with it.
const UserAgent = "Stagedoor-Webhooks/1"

// headText is a request's head as it is kept: its header, with what the client writes. What an owner put into Authorization is theirs and is not
// kept.
func headText(r *egress.Request) string {
	var b strings.Builder
	if u, err := url.Parse(r.Target.String()); err == nil {
		b.WriteString("Host: " + u.Host + "\n")
	}
	b.WriteString("User-Agent: " + UserAgent + "\n")
	h := append(r.Header[:len(r.Header):len(r.Header)], egress.Field{Name: "Content-Length", Value: strconv.Itoa(len(r.Body))})
	for _, f := range h {
		v := f.Value
		if strings.EqualFold(f.Name, "Authorization") {
			v = "[not kept]"
		}
		b.WriteString(f.Name + ": " + v + "\n")
	}
	return b.String()
}

// judge says what an attempt means for the delivery, the lane and the endpoint.
func (e *Engine) judge(l *lane, o *outcome, s settings) {
	now := time.Now()
	o.attempted = true
	o.attempt++
	ok := o.code == "" && s.policy.success(o.status)
	asked, _ := egress.RetryAfter(o.out.Header, now)
	e.Metrics.attempt(s.to.Format, ok, o.out.Timing.Total)
	if ok {
		o.state = delivered
	} else if o.state == pending {
		o.delay, o.again = backoff(s.policy.delays(s.to), o.id, o.attempt, o.attempt-o.series, asked)
		if o.status == 410 || strings.EqualFold(o.out.Header.Get("Webhook-Delivery"), "abort-message") {
			o.again = false
		}
		if !o.again {
			o.state = failed
		}
	}
	rested := l.note(ok, now, o.slows(asked))
	if rested > 0 {
		for _, it := range l.drain() {
			e.settler.giveBack(it, rested)
		}
		e.poller.at(now.Add(rested))
	}
	e.noteHealth(l, o, s, ok, now)
}

// slows is how long the receiver asked everybody to wait, with a status that says so.
func (o *outcome) slows(asked time.Duration) time.Duration {
	switch o.status {
	case 429, 502, 503, 504:
		return asked
	}
	return 0
}

// note takes a result into the circuit and returns how long the lane rests from now on.
func (l *lane) note(ok bool, now time.Time, asked time.Duration) (rest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok {
		l.circuit.succeed()
		return 0
	}
	l.circuit.fail(now, l.e.CircuitMin, asked)
	if !l.circuit.open() {
		return 0
	}
	return l.circuit.until.Sub(now)
}

// noteEvery is how often an endpoint's failing is written down.
const noteEvery = time.Minute

// noteHealth keeps the book's knowledge of an endpoint: failing since when, recovered, or to be disabled.
func (e *Engine) noteHealth(l *lane, o *outcome, s settings, ok bool, now time.Time) {
	l.mu.Lock()
	if !l.health.known {
		l.health.known, l.health.since = true, s.to.FailingSince
	}
	was := l.health
	if ok {
		l.health.since, l.health.noted = time.Time{}, time.Time{}
	} else if was.since.IsZero() {
		l.health.since = now
	}
	since := l.health.since
	due := !ok && now.Sub(l.health.noted) >= min(noteEvery, e.Patience/2)
	if due {
		l.health.noted = now
	}
	l.mu.Unlock()
	switch {
	case !ok && (o.status == 410 || now.Sub(since) >= e.GiveUp):
		why := endpoint.Failing
		if o.status == 410 {
			why = endpoint.Gone
		}
		e.inBackground("disable endpoint", func(ctx context.Context) error {
			return e.DB.Configure(ctx, func(tx *db.Tx) error { return e.Endpoints.Disable(tx, s.to.Number, why) })
		})
	case due:
		reason := o.reason()
		e.inBackground("note failing endpoint", func(ctx context.Context) error {
			return e.DB.Write(ctx, "", func(tx *db.Tx) error {
				_, err := e.Endpoints.NoteFailure(tx, s.to, reason, e.Patience)
				return err
			})
		})
	case ok && !was.since.IsZero():
		e.inBackground("note recovered endpoint", func(ctx context.Context) error {
			return e.DB.Write(ctx, "", func(tx *db.Tx) error { return e.Endpoints.NoteRecovery(tx, s.to) })
		})
	}
}

// reason says in words why an attempt failed.
func (o *outcome) reason() string {
	if o.code != "" {
		return o.code + ": " + o.detail
	}
	return fmt.Sprintf("HTTP status %d", o.status)
}

// inBackground runs a small write that no delivery waits for, as one of the engine's workers.
func (e *Engine) inBackground(what string, f func(context.Context) error) {
	e.work.Go(func() {
		if err := f(context.Background()); err != nil && !errors.Is(err, db.ErrClosed) {
			e.Log.Error(what, "err", err)
		}
	})
}
