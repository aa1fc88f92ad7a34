package intake

import (
	"net/http"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/webhook"
)

type requestData struct {
	Endpoint *inbound.Endpoint
	Request  inbound.Event
	Headers  []line
	Body     body
	Curl     string
	Verdict  webhook.Explanation // of a signature that does not hold
	Target   string              // where it is replayed to, as it was typed
	Replayed *egress.Outcome
	Answer   body // to the replay
}

// its finds the endpoint and the request of the path.
func (r *Room) its(v *frame.Visit) (*inbound.Endpoint, inbound.Event, error) {
	gone := problem.New(problem.NotFound, "event_not_found", "This request is not kept any more: an endpoint keeps its newest thousand, for a week.")
	e, err := r.ours(v)
	if err != nil {
		return nil, inbound.Event{}, err
	}
	f, ok := id.ParseFact(v.R.PathValue("event"))
	if !ok {
		return nil, inbound.Event{}, gone
	}
	some, _, err := r.Box.Events(v.Read(), e, f.Seq+1, 1)
	if err == nil && (len(some) == 0 || some[0].ID != f) {
		err = gone
	}
	if err != nil {
		return nil, inbound.Event{}, err
	}
	return e, some[0], nil
}

func (r *Room) request(v *frame.Visit) error {
	e, one, err := r.its(v)
	if err != nil {
		return err
	}
	return showRequest(v, http.StatusOK, requestData{Endpoint: e, Request: one}, nil)
}

func showRequest(v *frame.Visit, status int, d requestData, wrong page.Complaints) error {
	d.Headers, d.Body = lines(d.Request.Headers), shown(d.Request.Body)
	d.Curl = curl(v.PublicURL+strings.Replace(inbound.DoorPath, "{devId}", string(d.Endpoint.ID), 1), d.Headers, d.Body)
	if d.Request.Signature.Verdict == inbound.Failed {
		h := http.Header{}
		for name, value := range d.Request.Headers {
			h.Set(name, value)
		}
		d.Verdict = webhook.Explain(webhook.Scheme(d.Request.Signature.Scheme), webhook.Received{Header: h, Body: d.Request.Body, At: d.Request.At}, webhook.Key{},
			webhook.Candidate{Name: "the endpoint's secret", Key: webhook.Key{Text: d.Endpoint.Secret}})
	}
	return v.Show(pages, "request", status, frame.View{Title: "A request to " + string(d.Endpoint.ID), At: "/inspector", Wide: true, Complaints: wrong, Data: d})
}

func (r *Room) requestBody(v *frame.Visit) error {
	_, one, err := r.its(v)
	if err != nil {
		return err
	}
	return download(v, one.ID.String()+".body", one.Body)
}

// replay sends a request's bytes and headers to an address that the viewer gives, through the guard around all that goes out.
func (r *Room) replay(v *frame.Visit) error {
	if err := v.Spend("replay", 30); err != nil {
		return err
	}
	e, one, err := r.its(v)
	if err != nil {
		return err
	}
	d := requestData{Endpoint: e, Request: one, Target: v.Value("url")}
	to, err := r.Policy.CheckURL(v.R.Context(), d.Target)
	if err != nil {
		return showRequest(v, http.StatusBadRequest, d, page.Complaints{{Field: "replay-url", Text: err.Error()}})
	}
	err = v.Write(func(tx *db.Tx) error {
		return audit.Append(tx, v.By().Entry(v.Org.No, "dev_endpoint.replayed", string(e.ID), map[string]any{"event": one.ID.String()}))
	})
	if err != nil {
		return err
	}
	out := r.Client.Do(v.R.Context(), &egress.Request{Target: to, Header: again(one), Body: one.Body, PoolKey: "replay " + string(e.ID)})
	d.Replayed, d.Answer = &out, shown(out.Body)
	return showRequest(v, http.StatusOK, d, nil)
}

// again are a request's headers as they are sent once more. What was not kept, and what is about the connection, is left out.
func again(e inbound.Event) (h egress.Header) {
	for _, l := range lines(e.Headers) {
		if !framing(l.Name) && !strings.EqualFold(l.Name, "Authorization") && !strings.EqualFold(l.Name, "Cookie") && plain(l.Value) {
			h = append(h, egress.Field{Name: l.Name, Value: l.Value})
		}
	}
	return h
}

// plain tells whether a value is printable ASCII, as headers are that we send.
func plain(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f }) < 0
}
