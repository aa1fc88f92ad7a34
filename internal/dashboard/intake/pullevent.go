package intake

import (
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

type pullEventData struct {
	Endpoint *pull.Endpoint
	Event    pull.Event
	Headers  []line
	Body     body
	Erased   bool
}

// thePullEvent finds the endpoint and the event of the path. Looking at it moves nothing.
func (r *Room) thePullEvent(v *frame.Visit) (*pull.Endpoint, pull.Event, pull.Payload, error) {
	e, err := r.thePull(v)
	if err != nil {
		return nil, pull.Event{}, pull.Payload{}, err
	}
	i, ok := id.ParseReceived(v.R.PathValue("event"))
	if !ok {
		return nil, pull.Event{}, pull.Payload{}, problem.New(problem.NotFound, "event_not_found", "There is no such event. It may have been deleted, or its days are over.")
	}
	one, err := r.Depot.Find(v.Read(), e, i)
	if err != nil {
		return nil, pull.Event{}, pull.Payload{}, err
	}
	p, err := r.Depot.Payload(v.Read(), e, one)
	return e, one, p, err
}

func (r *Room) pullEvent(v *frame.Visit) error {
	e, one, p, err := r.thePullEvent(v)
	if err != nil {
		return err
	}
	d := pullEventData{Endpoint: e, Event: one, Body: shown(p.Body), Erased: p.Erased}
	for _, f := range p.Fields() {
		d.Headers = append(d.Headers, line(f))
	}
	return v.Show(pages, "pull-event", http.StatusOK, frame.View{Title: "An event of " + e.Name, At: "/pull", Wide: true, Data: d})
}

func (r *Room) pullEventBody(v *frame.Visit) error {
	_, one, p, err := r.thePullEvent(v)
	if err != nil {
		return err
	}
	return download(v, one.ID.String()+".body", p.Body)
}

func (r *Room) ackPullEvent(v *frame.Visit) error {
	e, one, _, err := r.thePullEvent(v)
	if err != nil {
		return err
	}
	err = v.Write(func(tx *db.Tx) error {
		_, err := r.Depot.Ack(tx, e, []id.Received{one.ID})
		return err
	})
	if err != nil {
		return err
	}
	return v.Done("/pull/"+string(e.ID)+"/events/"+one.ID.String(), "The event is acknowledged: no consumer is given it any more.")
}

func (r *Room) deletePullEvent(v *frame.Visit) error {
	e, one, _, err := r.thePullEvent(v)
	if err != nil {
		return err
	}
	sure, err := v.Sure("Delete this event?", "What it brought is out of reach at once and for good.", "Delete it", "/pull/"+string(e.ID)+"/events/"+one.ID.String())
	if !sure {
		return err
	}
	err = v.Write(func(tx *db.Tx) error {
		_, err := r.Depot.DeleteEvent(tx, e, one.ID, v.By())
		return err
	})
	if err != nil {
		return err
	}
	return v.Done("/pull/"+string(e.ID), "The event is deleted.")
}
