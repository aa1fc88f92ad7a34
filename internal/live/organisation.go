package live

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// wish is what a reader asks for.
type wish struct {
	kinds    []string // kinds, or prefixes that end in a dot; nil for all
	format   string   // "" for facts as they are
	events   []string // names in the format's vocabulary; nil for all
	attempts bool
	from     *cursor // where to go on; nil for now
	start    bool    // from the first that there is
	asked    string  // what from was read from
}

// Organisation streams an organisation's facts and delivery attempts to who asked for them, until one of both goes. still looks whether who is still
// good. An error comes before the answer has begun.
//
// The query says which: kinds, a comma list of kinds or of prefixes such as order.*; format and events, for the envelopes of a format instead of facts;
// attempts, true or false; after, an id to go on after, or start.
func (s *Streams) Organisation(w http.ResponseWriter, r *http.Request, who *access.Principal, still func(context.Context) (*access.Principal, error)) error {
	want, err := s.wish(r)
	if err != nil {
		return err
	}
	leave, err := s.all.enter(who.Credential)
	if err != nil {
		return err
	}
	defer leave()
	reader := &stream{Streams: s, w: w, who: who, still: still}
	facts := &feed{tail: s.facts, key: who.Org}
	facts.wants = func(e *entry) bool { return want.wants(e.fact) && reader.maySee(e.fact) }
	facts.show = func(ctx context.Context, e *entry, p part) ([]byte, error) {
		if want.format == "" {
			return p.payload, nil
		}
		return s.envelope(ctx, e, want)
	}
	reader.feeds = []*feed{facts}
	var attempts *feed
	if want.attempts {
		attempts = &feed{tail: s.attempts, key: who.Org, wants: func(*entry) bool { return true }}
		attempts.show = func(_ context.Context, _ *entry, p part) ([]byte, error) {
			if !reader.owns(p.webhook) {
				return nil, nil
			}
			return p.payload, nil
		}
		reader.feeds = append(reader.feeds, attempts)
	}
	reader.id = func(b []byte, _ part) []byte {
		c := cursor{facts: facts.at, at: time.Now()}
		if attempts != nil {
			c.attempts = &attempts.at
		}
		return c.append(b)
	}
	left, err := reader.open(r.Context())
	if err != nil {
		return err
	}
	defer left()
	gap, err := s.position(r.Context(), want, facts, attempts)
	if err != nil {
		return err
	}
	defer s.Metrics.reading("organisation")()
	if err := reader.begin(reader.firstly(gap, want.asked)); err != nil {
		return nil // the reader has gone
	}
	reader.run(r.Context())
	return nil
}

// firstly is what a stream begins with: where it is, and that something is missing when it is.
func (r *stream) firstly(gap bool, asked string) []byte {
	if !gap {
		return r.place(nil)
	}
	b, _ := message("gap", gapJSON{asked, "What came after this is not kept any more. The stream goes on with the oldest that is."}) // it is text only
	if id := r.id(nil, part{}); len(id) > 0 {
		b = slices.Concat([]byte("id: "), id, []byte("\n"), b)
	}
	return b
}

// gapJSON is the data of an event that says that something is missing.
type gapJSON struct {
	After   string `json:"after"`
	Message string `json:"message"`
}

// wish reads the query.
func (s *Streams) wish(r *http.Request) (w wish, err error) {
	q := r.URL.Query()
	var faults problem.Fields
	bad := func(name, code, detail string) {
		faults = append(faults, problem.FieldError{Pointer: name, In: "query", Code: code, Detail: detail})
	}
	w.format = q.Get("format")
	d := s.Engine.Dialect(w.format)
	if w.format != "" && d == nil {
		bad("format", "unknown_format", "There is no such format. GET /openapi.json lists those of webhooks.")
	}
	if w.kinds, err = kinds(q.Get("kinds")); err != nil {
		bad("kinds", "unknown_kind", err.Error())
	}
	if text := q.Get("events"); text != "" {
		if w.events = names(text); w.format == "" {
			bad("events", "no_format", "events are names of a format's vocabulary; give a format, or kinds instead.")
		} else if d != nil {
			for _, name := range w.events {
				if name != endpoint.Wildcard && !slices.Contains(d.Events(), name) && !(d.OwnMessages() && fact.ValidName(name) && !fact.Reserved(name)) {
					bad("events", "unknown_event", "The format has no event of a name that was given; leave events out for all.")
					break
				}
			}
		}
		if slices.Contains(w.events, endpoint.Wildcard) {
			w.events = nil
		}
	}
	switch q.Get("attempts") {
	case "":
		w.attempts = w.format == ""
	case "true":
		w.attempts = true
	case "false":
	default:
		bad("attempts", "wrong_type", "Expected true or false.")
	}
	in := "query"
	if w.asked = r.Header.Get("Last-Event-ID"); w.asked != "" { // what comes back by itself goes on from there, whatever its URL says
		in = "header"
	} else {
		w.asked = q.Get("after")
	}
	switch w.asked {
	case "":
	case "start":
		w.start = true
	default:
		c, ok := parseCursor(w.asked)
		if w.from = &c; !ok {
			name := map[string]string{"query": "after", "header": "Last-Event-ID"}[in]
			faults = append(faults, problem.FieldError{Pointer: name, In: in, Code: "unknown_place", Detail: "This is no id of an event of this stream. Take the last that it sent, or start."})
		}
	}
	return w, faults.Err()
}

// names are those of a comma list, without what is empty.
func names(list string) []string {
	var all []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// kinds reads a comma list of kinds and prefixes. Names that begin with one of our nouns have to be kinds of ours.
func kinds(list string) ([]string, error) {
	all := names(list)
	for i, name := range all {
		if name == endpoint.Wildcard {
			return nil, nil
		}
		prefix, wild := strings.CutSuffix(name, ".*")
		known := fact.Reserved(name) && slices.ContainsFunc(fact.Native(), func(k fact.Kind) bool {
			return string(k) == name || wild && strings.HasPrefix(string(k), prefix+".")
		})
		own := !fact.Reserved(name) && (fact.ValidName(name) || wild && fact.ValidName(prefix+".x"))
		if !known && !own {
			return nil, problem.New(problem.Invalid, "unknown_kind", "There is no kind %.100q; give kinds such as order.confirmed, order.* or names of your own messages.", name)
		}
		if wild {
			all[i] = prefix + "."
		}
	}
	return all, nil
}

// wants tells whether a fact is of the kinds that were asked for.
func (w wish) wants(f *fact.Fact) bool {
	return w.kinds == nil || slices.ContainsFunc(w.kinds, func(k string) bool {
		return k == string(f.Kind) || strings.HasSuffix(k, ".") && strings.HasPrefix(string(f.Kind), k)
	})
}

// maySee tells whether the reader may be told of a fact: an app, of what it was allowed and of what is for a webhook of its own.
func (r *stream) maySee(f *fact.Fact) bool {
	return r.who.GrantNo == 0 || (r.who.Scopes & r.who.Allowed).Sees(f.Kind) || f.Only != 0 && r.owns(f.Only)
}

// owns tells whether a webhook is one that the reader knows of: an app has its own, everybody else sees those of the organisation.
func (r *stream) owns(webhook int64) bool {
	if r.who.GrantNo == 0 {
		return true
	}
	e := r.Subscriptions.Now().Endpoint(webhook)
	return e != nil && e.Grant == r.who.GrantNo
}

// envelopeJSON is a fact in a format's envelope, as a webhook of the format would get it.
type envelopeJSON struct {
	ID          string `json:"id"`
	Event       string `json:"event"`
	ContentType string `json:"contentType"`
	Body        string `json:"body"`
}

// envelope returns a fact's envelope, which is made once for all readers of the format; nil where there is none, or none that is wanted. What is for one
// webhook alone is for no stream.
func (s *Streams) envelope(ctx context.Context, e *entry, want wish) ([]byte, error) {
	name, ok := s.Subscriptions.Now().EventName(want.format, e.fact)
	if !ok || e.fact.Only != 0 || want.events != nil && !slices.Contains(want.events, name) {
		return nil, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if b, made := e.envelopes[want.format]; made {
		return b, nil
	}
	b, err := s.render(ctx, e.fact, want.format, name)
	if err != nil {
		return nil, err
	}
	if e.envelopes == nil {
		e.envelopes = map[string][]byte{}
	}
	e.envelopes[want.format] = b
	e.size.Add(int64(len(b)))
	return b, nil
}

func (s *Streams) render(ctx context.Context, f *fact.Fact, format, name string) ([]byte, error) {
	data, err := s.data(ctx, f, true)
	if err != nil {
		return nil, err
	}
	if f.Private && data == nil {
		return nil, nil // erased
	}
	whole := *f
	whole.Data = data
	d := s.Engine.Dialect(format)
	body, err := s.Engine.Render(ctx, &endpoint.Endpoint{Org: f.Org, Format: format, Active: true}, &whole)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		s.Log.Error("render an envelope for streams", "fact", f.ID.String(), "format", format, "err", err)
		return nil, nil
	}
	return message("envelope", envelopeJSON{f.ID.String(), name, d.ContentType(), string(body)})
}

// position puts the feeds where the reader wants to go on. It reports a gap when something that comes after may not be kept any more.
func (s *Streams) position(ctx context.Context, want wish, facts, attempts *feed) (gap bool, err error) {
	now, err := facts.tail.last(ctx)
	if err != nil {
		return false, err
	}
	switch {
	case want.from != nil:
		facts.at = want.from.facts
	case !want.start:
		facts.at = mark{place: now}
	}
	gap = facts.at.clamp(now)
	if attempts == nil {
		return gap, nil
	}
	if now, err = attempts.tail.last(ctx); err != nil {
		return false, err
	}
	switch {
	case want.from != nil && want.from.attempts != nil:
		attempts.at = *want.from.attempts
		gap = attempts.at.clamp(now) || gap || time.Since(want.from.at) > delivery.AttemptsKept
	case !want.start:
		attempts.at = mark{place: now}
	}
	return gap, nil
}

// clamp takes a mark back that is beyond all there is, because the database was restored, and reports whether it was.
func (m *mark) clamp(now ledger.Place) bool {
	if m.place.Compare(now) <= 0 {
		return false
	}
	*m = mark{place: now}
	return true
}
