package live

import (
	"context"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// Inbound streams what a developer endpoint takes, as [Streams.Organisation] does. The ids are those of the events. The query may say after, an id to go on
// after, or start.
func (s *Streams) Inbound(
	w http.ResponseWriter, r *http.Request, who *access.Principal, of *inbound.Endpoint, still func(context.Context) (*access.Principal, error),
) error {
	leave, err := s.all.enter(who.Credential)
	if err != nil {
		return err
	}
	defer leave()
	f := &feed{tail: s.events, key: of.No, wants: func(*entry) bool { return true }}
	f.show = func(_ context.Context, _ *entry, p part) ([]byte, error) { return p.payload, nil }
	reader := &stream{Streams: s, w: w, who: who, still: still, feeds: []*feed{f}}
	left, err := reader.open(r.Context())
	if err != nil {
		return err
	}
	defer left()
	asked := r.Header.Get("Last-Event-ID")
	if asked == "" {
		asked = r.URL.Query().Get("after")
	}
	at, gap, err := s.eventPosition(r.Context(), of, asked, f)
	if err != nil {
		return err
	}
	reader.id = func(b []byte, p part) []byte {
		if p.id != "" {
			at = p.id
		}
		return append(b, at...)
	}
	defer s.Metrics.reading("endpoint")()
	if err := reader.begin(reader.firstly(gap, asked)); err != nil {
		return nil // the reader has gone
	}
	reader.run(r.Context())
	return nil
}

// eventPosition puts the feed where the reader wants to go on, and returns the id of the last event before that.
func (s *Streams) eventPosition(ctx context.Context, of *inbound.Endpoint, asked string, f *feed) (at string, gap bool, err error) {
	q := s.DB.Read(ctx)
	start := id.Fact{}.String()
	switch asked {
	case "start":
		return start, false, nil
	case "":
		newest, place, err := s.Box.Newest(q, of)
		f.at.place = place
		return newest.String(), false, err
	}
	place, found, err := s.Box.PlaceOf(q, of, asked)
	if err != nil {
		return "", false, err
	}
	if f.at.place = place; found {
		return asked, false, nil
	}
	oldest, err := s.Box.After(q, of.No, ledger.Place{}, 1) // memory may have what is not kept any more, and the reader has seen
	if len(oldest) > 0 {
		f.at.place = oldest[0].Place.Before()
	}
	return start, true, err
}
