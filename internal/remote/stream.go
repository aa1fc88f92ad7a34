package remote

import (
	"context"
	"errors"
	"io"
	"iter"
	"mime"
	"net/http"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// maxEvent bounds an event of a stream: a body has at most 256 KiB, of which each byte may take six in a JSON string.
const maxEvent = 4 << 20

// ErrSilent ends a stream from which nothing has come for too long, not even a heartbeat.
var ErrSilent = errors.New("nothing has come from it, not even a heartbeat")

// ErrEnded ends a stream that the server has ended.
var ErrEnded = errors.New("the server has ended the stream")

// Event is what came by a stream. ID is the last that the stream has named, which may be that of an earlier event, or "" while it has named none.
type Event struct {
	ID, Type, Data string
}

// Stream is an open stream of server-sent events. It is for one goroutine.
type Stream struct {
	ctx  context.Context // of the request, for why it ended
	end  context.CancelCauseFunc
	body *watched
}

// Open opens a stream, behind the event with the id after, if there is one. Close it.
func (s *Server) Open(ctx context.Context, path, after string) (*Stream, error) {
	silence := s.Silence
	if silence == 0 {
		silence = 45 * time.Second
	}
	ctx, end := context.WithCancelCause(ctx)
	st := &Stream{ctx: ctx, end: end, body: &watched{silence: silence, timer: time.AfterFunc(silence, func() { end(ErrSilent) })}}
	var err error
	st.body.in, err = s.openStream(ctx, path, after)
	st.body.timer.Stop()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		end(nil)
		return nil, err
	}
	return st, nil
}

func (s *Server) openStream(ctx context.Context, path, after string) (io.ReadCloser, error) {
	req, err := s.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Cache-Control", "no-store")
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, s.unreached(err)
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode != http.StatusOK:
		err = s.refusal(res)
	case media != "text/event-stream":
		err = problem.New(problem.NotFound, "no_stream", "What answers at %s has no stream. Is it a Stagedoor of this version?", s.base)
	default:
		return res.Body, nil
	}
	_ = res.Body.Close()
	return nil, err
}

// Events are what comes by the stream, as it comes, and at its end why it ended. An event that the end has cut off is not among them.
func (st *Stream) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for e, err := range sse.Read(st.body, &sse.ReadConfig{MaxEventSize: maxEvent}) {
			if err != nil {
				yield(Event{}, st.why(err))
				return
			}
			if !yield(Event{ID: e.LastEventID, Type: e.Type, Data: e.Data}, nil) {
				return
			}
		}
		yield(Event{}, st.why(ErrEnded))
	}
}

func (st *Stream) why(err error) error {
	if cause := context.Cause(st.ctx); cause != nil {
		return cause
	}
	return err
}

// Close ends the stream.
func (st *Stream) Close() {
	st.end(nil)
	_ = st.body.in.Close()
}

// watched is a body whose reader does not wait for ever. It is not watched while nobody reads: who takes long over an event is not the server's fault.
type watched struct {
	in      io.ReadCloser
	silence time.Duration
	timer   *time.Timer
}

// Read implements [io.Reader].
func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.silence)
	defer w.timer.Stop()
	return w.in.Read(p)
}
