package live

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

// Pull streams what a pull endpoint takes, as [Streams.Organisation] does, in a form that [Config.Event] knows. It moves no event. The ids are those of the events;
// the query may say after, an id to go on after, or start. An event that was deleted or is over when its turn comes is passed over. still also returns the endpoint as
// it is now.
func (s *Streams) Pull(
	w http.ResponseWriter, r *http.Request, who *access.Principal, of *pull.Endpoint, form string,
	still func(context.Context) (*access.Principal, *pull.Endpoint, error),
) error {
	from, err := pullWish(r)
	if err != nil {
		return err
	}
	leave, err := s.enterPull(who, form)
	if err != nil {
		return err
	}
	defer leave()
	v := &visit{Streams: s, of: of, form: form}
	v.feed = &feed{tail: s.pulled, key: of.No, wants: func(*entry) bool { return true }, show: v.show, page: v.page, past: true}
	reader := &stream{Streams: s, w: w, who: who, feeds: []*feed{v.feed}}
	reader.still = func(ctx context.Context) (*access.Principal, error) {
		p, e, err := still(ctx)
		if err == nil {
			v.of = e // it may keep events for less long now
		}
		return p, err
	}
	left, err := reader.open(r.Context())
	if err != nil {
		return err
	}
	defer left()
	at, gap, err := v.position(r.Context(), from)
	if err != nil {
		return err
	}
	reader.id = func(b []byte, p part) []byte {
		if p.id != "" {
			at = p.id
		}
		return append(b, at...)
	}
	defer s.Metrics.reading("pull")()
	if err := reader.begin(reader.firstly(gap, from.asked)); err != nil {
		return nil // the reader has gone
	}
	reader.run(r.Context())
	return nil
}

// enterPull takes a place, and one among those who may have a payload in memory if the form has one.
func (s *Streams) enterPull(who *access.Principal, form string) (leave func(), err error) {
	one, err := s.all.enter(who.Credential)
	if err != nil || form == "" {
		return one, err
	}
	other, err := s.payloads.enter(who.Org)
	if err != nil {
		one()
		return nil, err
	}
	return func() { other(); one() }, nil
}

// pullFrom is where the reader of a pull endpoint wants to go on.
type pullFrom struct {
	asked string // "" for now
	id    id.Received
}

// beforeAll is the id of no event, where a stream of all there is begins.
var beforeAll id.Received

// pullWish reads where to go on. What comes back by itself goes on where it was, whatever its URL says.
func pullWish(r *http.Request) (from pullFrom, err error) {
	name, in := "Last-Event-ID", "header"
	if from.asked = r.Header.Get(name); from.asked == "" {
		name, in = "after", "query"
		from.asked = r.URL.Query().Get(name)
	}
	switch from.asked {
	case "", "start":
		return from, nil
	}
	var ok bool
	if from.id, ok = id.ParseReceived(from.asked); !ok {
		return from, problem.Fields{{Pointer: name, In: in, Code: "unknown_place", Detail: "This is no event's id. Take the last that the stream sent, or start."}}.Err()
	}
	return from, nil
}

// visit is a reader of a pull endpoint.
type visit struct {
	*Streams
	of   *pull.Endpoint // as it was when the reader's access was last looked at
	form string
	feed *feed
}

// position puts the feed where the reader wants to go on, and returns the id of the last event before that.
func (v *visit) position(ctx context.Context, from pullFrom) (at string, gap bool, err error) {
	q := v.DB.Read(ctx)
	switch {
	case from.asked == "":
		newest, place, err := v.Depot.Newest(q, v.of)
		v.feed.at.place = place
		return newest.String(), false, err
	case from.asked == "start", from.id == beforeAll:
		return beforeAll.String(), false, nil
	}
	place, found, err := v.Depot.PlaceOf(q, v.of, from.id)
	if err != nil {
		return "", false, err
	}
	if v.feed.at.place = place; found {
		return from.id.String(), false, nil
	}
	oldest, err := v.Depot.After(q, v.of, ledger.Place{}, 1)
	if len(oldest) > 0 {
		v.feed.at.place = oldest[0].Place.Before()
	}
	return beforeAll.String(), true, err
}

const pullPage = 64 // events of a pull endpoint that are read at once, without payloads

// page reads the past, without what is deleted or over by now.
func (v *visit) page(ctx context.Context, after ledger.Place) ([]*entry, ledger.Place, bool, error) {
	q, done, err := v.read(ctx)
	if err != nil {
		return nil, after, false, err
	}
	defer done()
	found, err := v.Depot.After(q, v.of, after, pullPage)
	return v.pullEntries(found), lastOf(found, after), len(found) == pullPage, err
}

// show returns an event in the reader's form.
func (v *visit) show(ctx context.Context, e *entry, p part) ([]byte, error) {
	if v.form == "" {
		return p.payload, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.forms[v.form]
	if time.Since(before.at) < formFresh {
		return before.payload, nil
	}
	made := form{at: time.Now()}
	var err error
	if made.payload, err = v.whole(ctx, e.event); err != nil {
		return nil, err
	}
	if len(made.payload) <= formKept {
		if e.forms == nil {
			e.forms = map[string]form{}
		}
		e.forms[v.form] = made
		e.size.Add(int64(len(made.payload) - len(before.payload)))
	}
	return made.payload, nil
}

// form is a pull endpoint's event with its payload, as it was read at an instant. It has no payload where the event had gone.
type form struct {
	payload []byte
	at      time.Time
}

const (
	formFresh = time.Second // for how long what was read for one reader is shown to others
	formKept  = 16 << 10    // bytes of what is kept for others; larger ones are read by each
)

// whole reads an event with its payload; nil when it was deleted or is over.
func (v *visit) whole(ctx context.Context, i id.Received) ([]byte, error) {
	q, done, err := v.read(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	e, err := v.Depot.Find(q, v.of, i)
	if err != nil {
		return nil, unlessGone(err)
	}
	p, err := v.Depot.Payload(q, v.of, e)
	if err != nil {
		return nil, unlessGone(err)
	}
	return v.pullMessage(v.form, v.of, e, &p)
}

// unlessGone passes over that something is not there any more.
func unlessGone(err error) error {
	if p := problem.As(err); p != nil && (p.Kind == problem.NotFound || p.Kind == problem.Gone) {
		return nil
	}
	return err
}

// pullMessage is an event of the stream, without its id.
func (s *Streams) pullMessage(form string, of *pull.Endpoint, e pull.Event, p *pull.Payload) ([]byte, error) {
	data, err := s.Event(form, of, e, p)
	if err != nil {
		return nil, err
	}
	data = bytes.TrimSuffix(data, []byte("\n"))
	if bytes.ContainsAny(data, "\r\n") {
		return nil, errors.New("an event's JSON is on more than one line")
	}
	return append(append([]byte("data: "), data...), "\n\n"...), nil
}

type pullSource struct{ *Streams }

func (s pullSource) last(ctx context.Context) (ledger.Place, error) {
	return s.Depot.Log().Last(s.DB.Read(ctx))
}

func (s pullSource) listen() (<-chan struct{}, func()) { return s.Depot.Log().Listen() }

// next reads events without their payloads: perhaps nobody wants them.
func (s pullSource) next(ctx context.Context, after ledger.Place) ([]*entry, bool, error) {
	found, err := s.Depot.Arrivals(s.DB.Read(ctx), after, atOnce)
	return s.pullEntries(found), len(found) == atOnce, err
}

// page is each reader's own: it has to know how long the endpoint keeps events.
func (s pullSource) page(context.Context, int64, ledger.Place) ([]*entry, ledger.Place, bool, error) {
	return nil, ledger.Place{}, false, errors.New("the past of a pull endpoint is read by its readers")
}

func (s *Streams) pullEntries(found []ledger.Placed[pull.Event]) []*entry {
	all := make([]*entry, len(found))
	for i, one := range found {
		e := one.Row
		all[i] = &entry{place: one.Place, topic: e.Endpoint, at: e.ReceivedAt, event: e.ID, make: func(context.Context) ([]part, error) {
			if e.Deleted() {
				return nil, nil // before anybody saw it
			}
			payload, err := s.pullMessage("", nil, e, nil)
			return []part{{id: e.ID.String(), payload: payload}}, err
		}}
	}
	return all
}
