package hookbridge

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

// Base is how all paths of this vocabulary begin. Bodies below it are bounded here, and by nobody else: see web.Server.OwnBodies.
const Base = "/v1/"

const (
	ingestBase = "/v1/webhooks/receive/"
	ingestPath = ingestBase + "{id}/{secret}" // of any method: that one is wrong is told to the endpoint's owner too. The log knows to leave out what is called secret
)

// ingest takes what a sender posts to an endpoint's URL. It is what is called the most, and so does little.
func (a *API) ingest(w http.ResponseWriter, r *http.Request) {
	in := pull.Inbound{
		Endpoint: r.PathValue("id"), Secret: r.PathValue("secret"), Method: r.Method, Header: r.Header, RawQuery: r.URL.RawQuery, ReceivedAt: a.Now(),
	}
	if a.ClientAddr != nil {
		in.Peer = a.ClientAddr(r.Context())
	}
	if a.Head != nil {
		in.Head = a.Head(r)
	}
	in.Read = func() (body []byte, tooLarge bool, err error) {
		body, tooLarge, err = a.body(r)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answering)) // a slow body must not take the time of the answer; where it cannot be set there is none
		return body, tooLarge, err
	}
	got, err := a.Depot.Receive(r.Context(), in)
	if err != nil {
		a.reject(w, r, err)
		return
	}
	if got.Answer != nil {
		w.Header()["Content-Type"] = []string{got.Answer.ContentType}
		w.WriteHeader(got.Answer.Status)
		_, _ = w.Write(got.Answer.Body) // JSON or plain text, and nosniff; the sender may be gone
		return
	}
	if got.Code == http.StatusNoContent || got.Code == http.StatusResetContent { // RFC 9110 §15.3.5 and §15.3.6
		w.WriteHeader(got.Code)
		return
	}
	status := "stored"
	if got.Duplicate {
		status = "duplicate"
	}
	b := make([]byte, 0, 192)
	b = append(b, `{"data":{"event_id":"`...)
	b = append(b, got.Event.String()...)
	b = append(b, `","status":"`...)
	b = append(b, status...)
	b = append(b, `"},"meta":{`...)
	b = append(b, a.endOfMeta(r)...)
	w.Header()["Content-Type"] = ofJSON
	w.WriteHeader(got.Code)
	_, _ = w.Write(b) //nolint:gosec // JSON of ours, and nosniff; the sender may be gone
}

// answering is how long the answer may take once the body is there.
const answering = time.Minute

// ofJSON is a header's value, which nobody changes.
var ofJSON = []string{mediaType}

// readAhead is how much memory a body gets before any of it is there: whoever announces much and sends nothing has no more.
const readAhead = 64 << 10

// body reads a body of up to as many bytes as the depot takes. One that says that it is larger is not read at all, and one that is, not to its end.
func (a *API) body(r *http.Request) (body []byte, tooLarge bool, err error) {
	most := int64(a.Depot.MaxBody())
	if r.ContentLength > most {
		return nil, true, nil
	}
	if r.ContentLength >= 0 && r.ContentLength <= readAhead {
		body = make([]byte, r.ContentLength)
		if _, err = io.ReadFull(r.Body, body); err != nil {
			return nil, false, form.Broken(err)
		}
		return body, false, nil
	}
	var b bytes.Buffer
	b.Grow(int(min(readAhead, most+1)))
	if _, err = b.ReadFrom(io.LimitReader(r.Body, most+1)); err != nil {
		return nil, false, form.Broken(err)
	}
	if int64(b.Len()) > most {
		return nil, true, nil
	}
	return b.Bytes(), false, nil
}

// reject answers a request that was not taken.
func (a *API) reject(w http.ResponseWriter, r *http.Request, err error) {
	var why *pull.Refused
	if !errors.As(err, &why) {
		a.refuse(w, r, err)
		return
	}
	if why.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(why.RetryAfter.Seconds()))))
	}
	switch why.Status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusRequestEntityTooLarge:
		w.Header().Set("Connection", "close") // the rest of the body is not read
	}
	a.fail(w, r, why.Status, fault{strings.ToUpper(why.Reason), why.Detail})
}
