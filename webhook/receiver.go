package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// DefaultMaxBody is the size up to which a Receiver takes a body. Stagedoor's deliveries are smaller.
const DefaultMaxBody = 1 << 20

// A Receiver is a handler that lets only verified deliveries through. It reads the body once, up to a limit, verifies those bytes
// and hands them on. Other requests are answered with 405 (not a POST), 413 (body too large), 400 (body did not arrive whole) or
// 401 (not verified), and {"error": "…"}.
//
// How long a client may take to send its body is for the server to limit: see the timeouts of [http.Server].
type Receiver struct {
	// Verifier says what is let through; it must be set.
	Verifier *Verifier

	// Handle is called with each verified delivery; it must be set. Message.Body holds the bytes, and the request's Body gives
	// them again, so that a handler that reads the body can be used as it is. If Handle writes nothing, the answer is 200, the
	// only one that portal's deliveries count as success. Let it be quick, and expect the same delivery twice.
	Handle func(http.ResponseWriter, *http.Request, Message)

	// Refused, if set, is told of each request that was not let through, for the log. The error is an *Error if the
	// delivery could not be verified.
	Refused func(*http.Request, error)

	// MaxBody is the largest body taken, in bytes; DefaultMaxBody if it is not positive.
	MaxBody int64

	// Now is the clock; time.Now if it is nil.
	Now func() time.Time
}

// ServeHTTP implements [http.Handler].
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, status, err := rc.read(w, r)
	if err != nil {
		rc.refuse(w, r, status, err)
		return
	}
	now := time.Now
	if rc.Now != nil {
		now = rc.Now
	}
	m, err := rc.Verifier.Verify(r.Header, body, now())
	if err != nil {
		rc.refuse(w, r, http.StatusUnauthorized, err)
		return
	}
	verified := r.WithContext(r.Context())
	verified.Body = io.NopCloser(bytes.NewReader(body))
	rc.Handle(w, verified, m)
}

func (rc *Receiver) read(w http.ResponseWriter, r *http.Request) (body []byte, status int, err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, http.StatusMethodNotAllowed, errors.New("webhook: only POST is taken")
	}
	limit := rc.MaxBody
	if limit <= 0 {
		limit = DefaultMaxBody
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge, errors.New("webhook: the body is too large")
	case err != nil:
		return nil, http.StatusBadRequest, errors.New("webhook: the body did not arrive whole")
	}
	return body, http.StatusOK, nil
}

func (rc *Receiver) refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	if rc.Refused != nil {
		rc.Refused(r, err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) // a client that is gone needs no answer
}
