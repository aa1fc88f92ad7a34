package hookbridge

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// A payload's exact bytes are beside HookBridge's specification, whose answers are JSON. They are a stranger's, and may be meant for a browser: so a browser is
// told to keep them, to make nothing of them, and not to guess what they are.

func (a *API) payloadRoutes(mux *http.ServeMux) {
	rt, need := route{"GET", oneEvent + "/payload", 200}, access.Need{Scope: scope.WebhooksManage}
	a.routes = append(a.routes, Permission{rt.method, rt.path, need.Scope})
	mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) {
		c, err := a.enter(w, r, rt, need)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		e, p, err := a.payload(c)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		handOut(w, e, p)
	})
}

// payload finds the payload of the event that the path names, and leaves the event as it is.
func (a *API) payload(c *call) (pull.Event, pull.Payload, error) {
	ctx := c.request.Context()
	i, err := a.eventID(ctx, c)
	if err != nil {
		return pull.Event{}, pull.Payload{}, err
	}
	q := a.DB.Read(ctx)
	at, err := a.find(q, c)
	if err != nil {
		return pull.Event{}, pull.Payload{}, err
	}
	e, err := a.Depot.Find(q, at, i)
	if err != nil {
		return e, pull.Payload{}, err
	}
	p, err := a.Depot.Payload(q, at, e)
	if err == nil && p.Erased {
		err = problem.New(problem.Gone, "payload_erased", "The payload was erased, because a person was in it.")
	}
	return e, p, err
}

// handOut answers with a payload.
func handOut(w http.ResponseWriter, e pull.Event, p pull.Payload) {
	media, suffix := harmless(e.ContentType)
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", `attachment; filename="`+e.ID.String()+suffix+`"`)
	h.Set("Content-Length", strconv.Itoa(len(p.Body)))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(p.Body) // the client may be gone
}

// unknown is the media type of bytes of which nothing is said (RFC 2046 §4.5.1).
const unknown = "application/octet-stream"

// harmless is the sender's media type if nobody runs what is in it, and else that of unknown bytes; and how names of such files end. Of its parameters, only a
// character set that means what it says is left.
func harmless(sent string) (media, suffix string) {
	media, params, err := mime.ParseMediaType(sent)
	if err != nil {
		return unknown, ".bin"
	}
	switch {
	case media == "application/json", strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"):
		suffix = ".json"
	case media == "text/plain":
		suffix = ".txt"
	case media == "application/x-www-form-urlencoded":
		suffix = ".bin"
	default:
		return unknown, ".bin"
	}
	kept := map[string]string{}
	if set := strings.ToLower(params["charset"]); slices.Contains([]string{"utf-8", "us-ascii", "iso-8859-1"}, set) {
		kept["charset"] = set
	}
	return mime.FormatMediaType(media, kept), suffix
}
