package live

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// feed is a log as a reader follows it.
type feed struct {
	tail *tail
	key  int64
	at   mark
	// show returns what the reader gets to see of a part of an entry; nil for nothing. wants is asked before that, so that what nobody wants is not made.
	wants func(e *entry) bool
	show  func(ctx context.Context, e *entry, p part) ([]byte, error)
	// page returns what comes after a place, as the tail's does; nil for that.
	page func(ctx context.Context, after ledger.Place) (entries []*entry, last ledger.Place, more bool, err error)
	past bool // what came before the reader did is read from the database, though the topic may have it: it may have been deleted

	topic *topic
}

// stream is one reader.
type stream struct {
	*Streams
	w       http.ResponseWriter
	conn    *http.ResponseController
	feeds   []*feed
	who     *access.Principal
	still   func(context.Context) (*access.Principal, error) // looks whether who is still good
	id      func(b []byte, p part) []byte                    // appends the id of what was just sent
	buf     []byte
	last    time.Time // of a write
	doubts  int       // looks in a row that failed
	ticking *time.Ticker
}

// open joins the topics of the feeds.
func (r *stream) open(ctx context.Context) (close func(), err error) {
	var leave []func()
	close = func() {
		for _, f := range leave {
			f()
		}
	}
	for _, f := range r.feeds {
		topic, left, err := f.tail.join(ctx, f.key)
		if err != nil {
			close()
			return nil, err
		}
		f.topic, leave = topic, append(leave, left)
	}
	return close, nil
}

// begin writes the head, and what the stream begins with.
func (r *stream) begin(first []byte) error {
	r.conn = http.NewResponseController(r.w)
	_ = r.conn.SetReadDeadline(time.Time{}) // nothing is read any more, but the end of the connection
	h := r.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	r.w.WriteHeader(http.StatusOK)
	r.buf = append(r.buf, "retry: 1000\n"...)
	r.buf = append(r.buf, first...)
	return r.flush()
}

// Why a stream ends, as metrics count it and as its last comment says it.
const (
	byeStop       = "the server stops; come again with the last id"
	byeCredential = "the credential is not good any more"
	byeFailed     = "the stream cannot be read; come again with the last id"
)

// run writes until the reader goes, or has to.
func (r *stream) run(ctx context.Context) {
	r.ticking = time.NewTicker(min(r.Recheck, r.Heartbeat))
	defer r.ticking.Stop()
	for {
		some, changed, err := r.turn(ctx)
		if err == nil && len(r.buf) > 0 {
			err = r.flush()
		}
		if err == nil {
			err = r.pause(ctx, some, changed)
		}
		if err == nil {
			continue
		}
		var b bye
		switch {
		case errors.As(err, &b):
			r.end(string(b))
		case errors.Is(err, errSlow):
			r.Metrics.ended.WithLabelValues("slow").Inc()
		case errors.Is(err, errGone), ctx.Err() != nil:
		case errors.Is(err, errClosing):
			r.end(byeStop)
		default:
			r.Log.Warn("a stream ends", "err", err)
			r.end(byeFailed)
		}
		return
	}
}

// bye ends a stream with a reason that is told.
type bye string

// Error is the reason.
func (b bye) Error() string { return string(b) }

var (
	errSlow = errors.New("the reader does not read")
	errGone = errors.New("the reader has gone")
)

// end says why the stream ends. The event has no data, so that a program that knows nothing of it has nothing to take for an event.
func (r *stream) end(why string) {
	r.Metrics.ended.WithLabelValues(map[string]string{byeStop: "stop", byeCredential: "credential", byeFailed: "failed"}[why]).Inc()
	r.buf = append(append(append(r.buf[:0], ": "...), why...), "\nevent: bye\ndata:\n\n"...)
	_ = r.flush() // the reader may be gone
}

// turn writes what there is of each feed now. some tells whether there may be more at once; else changed tells when.
func (r *stream) turn(ctx context.Context) (some bool, changed [2]<-chan struct{}, err error) {
	for i, f := range r.feeds {
		entries, to, more, err := f.next(ctx)
		if err != nil {
			return false, changed, err
		}
		for _, e := range entries {
			if err := r.entry(ctx, f, e); err != nil {
				return false, changed, err
			}
			if err := r.attend(ctx); err != nil {
				return false, changed, err
			}
		}
		if to != nil {
			f.at = mark{place: *to}
		}
		some = some || len(entries) > 0 || to != nil
		changed[i] = more
	}
	return some, changed, nil
}

// next returns the feed's next entries. When they are of the past, to is where the reader is after them; else changed tells when there are more.
func (f *feed) next(ctx context.Context) (entries []*entry, to *ledger.Place, changed <-chan struct{}, err error) {
	entries, floor, behind, changed := f.topic.after(f.at)
	if !behind && !f.past {
		return entries, nil, changed, nil
	}
	if f.past {
		floor = f.topic.newest()
	}
	page := f.page
	if page == nil {
		page = func(ctx context.Context, after ledger.Place) ([]*entry, ledger.Place, bool, error) {
			return f.tail.page(ctx, f.key, after)
		}
	}
	entries, last, more, err := page(ctx, f.at.from())
	if err != nil {
		return nil, nil, nil, err
	}
	f.past = more
	if !more && last.Compare(floor) < 0 {
		last = floor // everything up to there could be seen, and there is no more
	}
	return entries, &last, nil, nil
}

// entry writes the parts of an entry that the reader has not had, as far as it wants them.
func (r *stream) entry(ctx context.Context, f *feed, e *entry) error {
	skip := 0
	if f.at.part > 0 && f.at.place == e.place {
		skip = f.at.part
	}
	if !f.wants(e) {
		f.at = mark{place: e.place}
		return nil
	}
	loading, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	parts, err := e.load(loading)
	if err != nil {
		return err
	}
	for i := skip; i < len(parts); i++ {
		if f.at = (mark{place: e.place, part: i + 1}); i == len(parts)-1 {
			f.at.part = 0
		}
		payload, err := f.show(loading, e, parts[i])
		if err != nil {
			return err
		}
		if payload == nil {
			continue
		}
		r.buf = append(r.buf, "id: "...)
		r.buf = append(r.id(r.buf, parts[i]), '\n')
		r.buf = append(r.buf, payload...)
		if len(r.buf) > flushAt {
			if err := r.flush(); err != nil {
				return err
			}
		}
	}
	f.at = mark{place: e.place}
	return nil
}

const (
	flushAt = 32 << 10 // bytes that are written at once, and an event more
	keepBuf = 64 << 10 // of a reader that waits
)

// flush writes what is in the buffer.
func (r *stream) flush() error {
	r.last = time.Now()
	_ = r.conn.SetWriteDeadline(r.last.Add(r.Patience)) // not supported without a connection, where nobody is slow either
	_, err := r.w.Write(r.buf)
	if err == nil {
		err = r.conn.Flush()
	}
	if r.buf = r.buf[:0]; cap(r.buf) > keepBuf {
		r.buf = nil
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	case err != nil:
		return errGone
	}
	return nil
}

// pause waits until there may be more. Meanwhile, and between, it sees to it that the reader may still read and that the connection is not silent.
func (r *stream) pause(ctx context.Context, some bool, changed [2]<-chan struct{}) error {
	var now chan struct{}
	if some {
		now = make(chan struct{})
		close(now)
		if err := r.attend(ctx); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.closing:
		return errClosing
	case <-r.ticking.C:
		return r.tick(ctx)
	case <-now:
	case <-changed[0]:
	case <-changed[1]:
	}
	return nil
}

// attend sees to what comes first: that the stream ends, and whether it may go on. A page of large events can take a slow reader minutes.
func (r *stream) attend(ctx context.Context) error {
	select {
	case <-r.closing:
		return errClosing
	case <-r.ticking.C:
		return r.tick(ctx)
	default:
		return nil
	}
}

const mostDoubts = 5

// tick looks whether the credential is still good, and writes something when nothing was written for long.
func (r *stream) tick(ctx context.Context) error {
	who, err := r.still(ctx)
	switch {
	case problem.As(err) != nil:
		return bye(byeCredential)
	case err != nil:
		if r.doubts++; r.doubts > mostDoubts {
			return err
		}
	default:
		r.who, r.doubts = who, 0
	}
	if time.Since(r.last) < r.Heartbeat-r.Recheck/2 { // rather a little early than a little late
		return nil
	}
	r.buf = append(r.buf, ": heartbeat\n"...)
	r.buf = r.place(r.buf)
	return r.flush()
}

// place appends an event without data, which only says where the reader is.
func (r *stream) place(b []byte) []byte {
	n := len(b)
	b = append(b, "id: "...)
	before := len(b)
	if b = r.id(b, part{}); len(b) == before {
		return append(b[:n], '\n')
	}
	return append(b, '\n', '\n')
}
