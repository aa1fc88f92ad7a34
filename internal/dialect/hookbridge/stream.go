package hookbridge

import (
	"bytes"
	"context"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// The stream is beside HookBridge's specification: who listens hears of each event as it comes.

// Streams writes what a pull endpoint takes as it comes, in a form that [Event] knows, until the reader goes or still says that they may not read on. Errors come before
// the answer has begun.
type Streams interface {
	Pull(w http.ResponseWriter, r *http.Request, who *access.Principal, of *pull.Endpoint, form string,
		still func(context.Context) (*access.Principal, *pull.Endpoint, error)) error
}

// The forms of an event in a stream.
const (
	formListed  = ""        // as lists have it
	formPayload = "payload" // as it is when it is fetched, with its payload
	formBase64  = "base64"  // the same, with the payload in base64 whatever it is
)

// Event writes an endpoint's event in a form of streams, as JSON on one line. p is nil where the form has no payload.
func Event(form string, of *pull.Endpoint, e pull.Event, p *pull.Payload) ([]byte, error) {
	var b bytes.Buffer
	var err error
	if p == nil {
		err = write(&b, showEvent(e))
	} else {
		err = write(&b, showFull(e, *p, form == formBase64))
	}
	return b.Bytes(), err
}

const eventStream = "text/event-stream"

func (a *API) streamRoute(mux *http.ServeMux) {
	rt, need := route{"GET", allEvents + "/stream", 200}, access.Need{Scope: scope.WebhooksManage}
	a.routes = append(a.routes, Permission{rt.method, rt.path, need.Scope})
	mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) {
		c, err := a.enter(w, r, rt, need)
		if err == nil {
			err = a.stream(w, r, c, need)
		}
		if err != nil {
			a.refuse(w, r, err)
		}
	})
}

func (a *API) stream(w http.ResponseWriter, r *http.Request, c *call, need access.Need) error {
	q := c.query()
	form, raw := formListed, q.one("encoding", "", "json", "base64") == "base64"
	switch {
	case !q.flag("payload"):
	case raw:
		form = formBase64
	default:
		form = formPayload
	}
	if err := q.faults.Err(); err != nil {
		return err
	}
	e, err := a.find(a.DB.Read(r.Context()), c)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", eventStream)
		return nil
	}
	return a.Streams.Pull(w, r, c.Principal, e, form, func(ctx context.Context) (*access.Principal, *pull.Endpoint, error) {
		p, err := a.Door.Still(r.WithContext(ctx), need)
		if err != nil {
			return nil, nil, err
		}
		e, err := a.find(a.DB.Read(ctx), c) // it may have been deleted
		return p, e, err
	})
}
