// Package listen brings the live stream of a running server to a receiver on somebody's desk.
//
// A [Listener] reads an organisation's stream, or that of a developer endpoint, and posts each event to one URL, one after the other, as a delivery
// with the headers and the signature of its format. What a developer endpoint has taken in is passed on as it came, unless a format is asked for.
//
// # What is promised
//
// Nothing is left out. The place in the stream is kept in a [Place] after an event was posted and not before, so the next start goes on there, and
// after the hardest end at most the one event that was under way is posted again, with the same delivery id. A receiver that cannot be connected to
// is waited for. Whatever it answers is told, and the next event follows: it has seen this one. A stream that breaks is opened again where it broke,
// with growing pauses. What the server no longer has is told as a gap.
//
// What cannot get better by itself (a wrong key, a URL where no server is) ends the listener with an error.
package listen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/remote"
)

// Options say what to listen to, and where it goes.
type Options struct {
	Server    *remote.Server
	Dev       string   // the developer endpoint, DEV-…; "" for all that the organisation's facts and messages are told as
	Events    []string // names of events, as the format calls them; all when empty
	Format    string   // one of Formats; "" with Dev for as it came
	Secret    string   // that deliveries are signed with; not needed where nothing is signed
	Forward   string   // the receiver's URL
	UserAgent string   // of the deliveries
	Place     *Place   // nil to begin at now and to remember nothing behind the run
	Count     int      // end after so many events; 0 for never

	// Tell is told what happens, from the goroutine that runs the listener.
	Tell func(Report)
}

// A Report is one thing that happened to a listener.
type Report struct {
	What   What
	At     time.Time
	Event  string        // the event's name, of Posted, Waiting and Skipped
	ID     string        // the event's id, of the same
	Status int           // that the receiver answered, of Posted; 0 when it gave no answer
	Took   time.Duration // until it answered, of Posted
	Next   time.Duration // until it is tried again, of Lost
	Err    error         // why, of Posted without an answer, Waiting, Skipped and Lost
	Place  string        // behind which the stream goes on, of Connected and Gap
}

// What kind of report it is.
type What string

// The kinds of reports.
const (
	Connected What = "connected" // the stream is open
	Posted    What = "posted"    // an event was posted, and answered or not
	Waiting   What = "waiting"   // the receiver cannot be connected to; it is tried until it can
	Skipped   What = "skipped"   // an event cannot be made into a delivery
	Gap       What = "gap"       // the server no longer has some of what was asked for
	Lost      What = "lost"      // the stream has ended and will be opened again
)

// Summary counts what a listener did.
type Summary struct {
	Events  int // that were posted
	Success int // that were answered with 2xx
	Skipped int
}

// Listener is a run of [Options].
type Listener struct {
	Options
	path    string
	dresser *dresser
	post    *poster
	sum     Summary
}

// New checks the options. What is wrong with them is a [*problem.Error].
func New(o Options) (*Listener, error) {
	target, err := remote.Address(o.Forward)
	if err != nil {
		return nil, err
	}
	l := &Listener{Options: o, post: newPoster(target)}
	if o.Place == nil {
		l.Place = new(Place)
	}
	if l.dresser, err = newDresser(o.Format, o.Secret, o.UserAgent); err != nil {
		return nil, err
	}
	q := url.Values{}
	if o.Dev != "" {
		q.Set("user_id", o.Dev)
		l.path = "/api/events?" + q.Encode()
		return l, nil
	}
	if l.dresser.signer == nil {
		return nil, problem.New(problem.Invalid, "no_format", "An organisation's events need a format: %s.", strings.Join(Formats(), ", "))
	}
	q.Set("format", o.Format)
	if len(o.Events) > 0 {
		q.Set("events", strings.Join(o.Events, ","))
	}
	l.path = "/api/v1/stream?" + q.Encode()
	return l, nil
}

// Run listens until the context ends, which is no error, or Count events were posted, or it is no use to go on.
func (l *Listener) Run(ctx context.Context) (Summary, error) {
	for failures := 0; ; failures++ {
		began, before := time.Now(), l.sum
		err := unless(ctx, l.follow(ctx))
		switch {
		case err == nil:
			return l.sum, nil
		case remote.Final(err), errors.Is(err, errPlace):
			return l.sum, err
		case l.sum != before || time.Since(began) > remote.MaxPause:
			failures = 0
		}
		next := remote.Pause(failures)
		if p := problem.As(err); p != nil {
			next = max(next, p.RetryAfter)
		}
		l.tell(Report{What: Lost, Err: err, Next: next})
		if !remote.Sleep(ctx, next) {
			return l.sum, nil
		}
	}
}

// unless is the error, unless the context has ended, which explains it.
func unless(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

func (l *Listener) tell(r Report) {
	r.At = time.Now()
	if l.Tell != nil {
		l.Tell(r)
	}
}

func (l *Listener) done() bool { return l.Count > 0 && l.sum.Events >= l.Count }

// follow reads one connection's stream to its end, which is an error, or until Count events were posted.
func (l *Listener) follow(ctx context.Context) error {
	stream, err := l.Server.Open(ctx, l.path, l.Place.After())
	if err != nil {
		return err
	}
	defer stream.Close()
	l.tell(Report{What: Connected, Place: l.Place.After()})
	for e, err := range stream.Events() {
		if err != nil {
			return err
		}
		if err := l.handle(ctx, e); err != nil || l.done() {
			return err
		}
	}
	return nil
}

// item is an event as either stream shows it.
type item struct {
	ID          string            `json:"id"`
	Event       string            `json:"event"`
	ContentType string            `json:"contentType"` // of an organisation's
	Headers     map[string]string `json:"headers"`     // of a developer endpoint's
	Body        string            `json:"body"`
}

// handle does with an event of the stream what there is to do, and then remembers its place. It fails when it was interrupted before, or the place
// cannot be kept.
func (l *Listener) handle(ctx context.Context, e remote.Event) error {
	switch {
	case e.Type == "bye":
		return remote.ErrEnded
	case e.Data == "": // says where the stream is, and nothing else
	case e.Type == "envelope", e.Type == "", e.Type == "message", e.Type == "received": // the last three of a developer endpoint
		if err := l.forward(ctx, e); err != nil {
			return err
		}
	case e.Type == "gap":
		var said struct{ After, Message string }
		_ = json.Unmarshal([]byte(e.Data), &said) // what is not understood is a gap all the same
		l.tell(Report{What: Gap, Place: said.After, Err: errors.New(said.Message)})
	}
	if err := l.Place.Move(e.ID); err != nil {
		return fmt.Errorf("%w: %w", errPlace, err)
	}
	return nil
}

// errPlace ends a listener that cannot remember where it is: it would post the same again and again.
var errPlace = errors.New("the place in the stream cannot be kept")

// forward posts an event, unless it is not wanted or cannot be made into a delivery. It fails only when it was interrupted before the event was posted.
func (l *Listener) forward(ctx context.Context, e remote.Event) error {
	var it item
	if err := json.Unmarshal([]byte(e.Data), &it); err != nil {
		l.skip(it, fmt.Errorf("the server's event is not understood: %w", err))
		return nil
	}
	if l.Dev != "" && len(l.Events) > 0 && !slices.Contains(l.Events, it.Event) {
		return nil // the other stream is asked for what is wanted
	}
	for tries := 0; ; tries++ {
		header, err := l.dresser.dress(&it, time.Now())
		if err != nil {
			l.skip(it, err)
			return nil
		}
		a := l.post.post(ctx, header, it.Body)
		if a.posted {
			l.sum.Events++
			if a.status/100 == 2 {
				l.sum.Success++
			}
			l.tell(Report{What: Posted, Event: it.Event, ID: it.ID, Status: a.status, Took: a.took, Err: a.err})
			return nil
		}
		if tries == 0 && ctx.Err() == nil {
			l.tell(Report{What: Waiting, Event: it.Event, ID: it.ID, Err: a.err})
		}
		if !remote.Sleep(ctx, min(remote.Pause(tries), 5*time.Second)) {
			return ctx.Err()
		}
	}
}

func (l *Listener) skip(it item, err error) {
	l.sum.Skipped++
	l.tell(Report{What: Skipped, Event: it.Event, ID: it.ID, Err: err})
}
