package inbound

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// DoorPath is where developer endpoints take in, as the mux has it.
const DoorPath = "/api/webhook/{devId}"

// Door is the handler of POST [DoorPath]. refuse answers a request with an error.
func (b *Box) Door(refuse func(w http.ResponseWriter, r *http.Request, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := b.serve(w, r); err != nil {
			refuse(w, r, err)
		}
	}
}

// serve takes what a request brings and answers it.
func (b *Box) serve(w http.ResponseWriter, r *http.Request) error {
	e, err := b.byID(b.config.DB.Read(r.Context()), r.PathValue("devId"))
	if err != nil {
		return err
	}
	if err := b.admit(e.No, 1); err != nil {
		return err
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return problem.New(problem.Unsupported, "unsupported_encoding", "Bodies are not decompressed here; send the JSON as it is.")
	}
	if r.ContentLength > MaxBody {
		return problem.New(problem.TooLarge, "body_too_large", "The body is larger than %d bytes; send less at once.", MaxBody)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return err
	}
	if more := len(body) / perToken; more > 0 {
		if err := b.admit(e.No, more); err != nil {
			return err
		}
	}
	release := func() {}
	if e.Answer.Delay > 0 {
		if release, err = b.hold(e.No); err != nil {
			return err
		}
	}
	defer release()
	f, err := b.take(r.Context(), e, r.Header, body)
	if err != nil {
		return err
	}
	b.wait(r, e.Answer.Delay)
	e.Answer.write(w, f)
	return nil
}

// perToken is how many bytes of a body count as one event more: whoever fills the disk is stopped sooner.
const perToken = 16 << 10

// admit takes so much from an endpoint's budget.
func (b *Box) admit(no int64, n int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	reservation := b.state(no).limiter.ReserveN(time.Now(), min(n, b.config.Burst))
	wait := reservation.Delay()
	if wait == 0 {
		return nil
	}
	reservation.Cancel()
	return tooMany(wait, "This endpoint takes %v events a second. Wait as long as Retry-After says.", b.config.PerSecond)
}

func tooMany(wait time.Duration, detail string, args ...any) error {
	p := problem.New(problem.TooMany, "rate_limited", detail, args...)
	p.RetryAfter = max(wait, time.Second)
	return p
}

// hold takes a place among the answers that are held back. They wait for nothing but the time, but each holds a connection.
func (b *Box) hold(no int64) (release func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.state(no)
	if s.delayed >= b.config.Delayed {
		return nil, tooMany(time.Second, "This endpoint is holding back %d answers, which is all that it can. Wait as long as Retry-After says.", b.config.Delayed)
	}
	select {
	case b.all <- struct{}{}:
	default:
		return nil, tooMany(time.Second, "Too many answers are being held back. Wait as long as Retry-After says.")
	}
	s.delayed++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		s.delayed--
		<-b.all
	}, nil
}

// wait holds an answer back. It ends early when nobody waits for it any more, and when the server stops.
func (b *Box) wait(r *http.Request, d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-b.closing:
	}
}

// write gives the answer.
func (a Answer) write(w http.ResponseWriter, f id.Fact) {
	body, contentType := `{"status":"received","id":"`+f.String()+"\"}\n", "application/json"
	if a.Body != nil {
		if body = *a.Body; !json.Valid([]byte(body)) {
			contentType = "text/plain; charset=utf-8"
		}
	}
	if s := a.status(); s == http.StatusNoContent || s == http.StatusNotModified || body == "" {
		w.WriteHeader(s)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(a.status())
	_, _ = io.WriteString(w, body) //nolint:gosec // JSON or plain text, and nosniff; the sender may be gone
}
