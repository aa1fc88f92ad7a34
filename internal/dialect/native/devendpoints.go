package native

import (
	"context"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

const (
	devEndpointsPath = "/api/v1/dev-endpoints"
	devReceivePath   = "/api/webhook"
)

// devEndpointRoutes are the routes about developer endpoints. What they take in and how it is read stands in streams.go.
func (a *API) devEndpointRoutes() {
	const tag = "Development"
	read(a, route{
		method: "GET", path: devEndpointsPath, scope: scope.WebhooksManage, id: "listDevEndpoints", tag: tag, summary: "List one's developer endpoints, oldest first",
	}, a.listDevEndpoints)
	write(a, route{
		method: "POST", path: devEndpointsPath, scope: scope.WebhooksManage, id: "createDevEndpoint", tag: tag, status: 201, summary: "Make a developer endpoint",
		detail: "It takes anything that is sent to its `url`, for you to see. It belongs to whose credential makes it: a person, a key, or what a person has allowed an app; each can " +
			"have five. The answer has the secret that signatures are checked with; it is not shown again.",
	}, a.createDevEndpoint)
	read(a, route{
		method: "GET", path: devEndpointsPath + "/{id}", scope: scope.WebhooksManage, id: "getDevEndpoint", tag: tag, summary: "Read a developer endpoint",
	}, a.devEndpoint)
	write(a, route{
		method: "PATCH", path: devEndpointsPath + "/{id}", scope: scope.WebhooksManage, id: "changeDevEndpoint", tag: tag, summary: "Choose what senders are answered",
		detail: "So that a sender's retries can be tried.",
	}, a.changeDevEndpoint)
	write(a, route{
		method: "DELETE", path: devEndpointsPath + "/{id}", scope: scope.WebhooksManage, id: "deleteDevEndpoint", tag: tag, status: 204,
		summary: "Delete a developer endpoint, with what it has taken",
	}, a.deleteDevEndpoint)
}

type devAnswerJSON struct {
	Status  int     `json:"status"`
	Body    *string `json:"body" doc:"null for the usual, which has the event's id."`
	DelayMs int64   `json:"delayMs" doc:"For how long the answer is held back."`
}

type devEndpointJSON struct {
	ID        string        `json:"id" example:"DEV-A3K9"`
	URL       string        `json:"url" doc:"Where to send to. Whoever knows it may."`
	Secret    string        `json:"secret,omitempty" doc:"On creation only."`
	Answer    devAnswerJSON `json:"answer" doc:"What senders are answered."`
	Version   int64         `json:"version" doc:"Grows with every change; the ETag."`
	CreatedAt string        `json:"createdAt" format:"date-time"`
	UpdatedAt string        `json:"updatedAt" format:"date-time"`
}

func (a *API) showDevEndpoint(e *inbound.Endpoint) answer[devEndpointJSON] {
	j := devEndpointJSON{
		ID: string(e.ID), URL: a.PublicURL + devReceivePath + "/" + string(e.ID), Version: e.Version, CreatedAt: instant(e.CreatedAt), UpdatedAt: instant(e.UpdatedAt),
		Answer: devAnswerJSON{Status: e.Answer.Status, Body: e.Answer.Body, DelayMs: e.Answer.Delay.Milliseconds()},
	}
	if j.Answer.Status == 0 {
		j.Answer.Status = 200
	}
	return answer[devEndpointJSON]{body: j, version: e.Version}
}

// accountOf says which developer endpoints are a principal's: a person's own whichever of their tokens they come with; a key's, and an app's, nobody else's.
func accountOf(p *access.Principal) inbound.Whose {
	w := inbound.Whose{Org: p.Org, Account: p.Credential}
	if p.Kind == access.Personal {
		w.Account = string(p.User)
	}
	return w
}

func (a *API) listDevEndpoints(ctx context.Context, c *call, in *pagingInput) (answer[list[devEndpointJSON, noFilters]], error) {
	all, err := a.Box.List(a.DB.Read(ctx), accountOf(c.Principal))
	if err != nil {
		return answer[list[devEndpointJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "dev-endpoints", all, func(e *inbound.Endpoint) devEndpointJSON { return a.showDevEndpoint(e).body })
}

// DevEndpointPath names a developer endpoint.
type DevEndpointPath struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) devEndpoint(ctx context.Context, c *call, in *DevEndpointPath) (answer[devEndpointJSON], error) {
	e, err := a.Box.Get(a.DB.Read(ctx), accountOf(c.Principal), id.DevEndpoint(in.ID))
	if err != nil {
		return answer[devEndpointJSON]{}, err
	}
	return a.showDevEndpoint(e), nil
}

type devAnswerInputJSON struct {
	Status  *count  `json:"status,omitempty" minimum:"200" maximum:"599" nullable:"false" doc:"200 when left out."`
	Body    *string `json:"body,omitempty" nullable:"true" doc:"4 KiB at most; the usual, which has the event's id, when null or left out."`
	DelayMs count   `json:"delayMs,omitempty" minimum:"0" maximum:"30000" doc:"For how long the answer is held back."`
}

// chosen is the answer; nil is the usual.
func (j *devAnswerInputJSON) chosen() inbound.Answer {
	if j == nil {
		return inbound.Answer{}
	}
	a := inbound.Answer{Body: j.Body, Delay: time.Duration(min(max(j.DelayMs, -1), 1<<30)) * time.Millisecond}
	if j.Status != nil {
		a.Status = int(*j.Status)
	}
	return a
}

type devEndpointInputJSON struct {
	Answer *devAnswerInputJSON `json:"answer,omitempty" doc:"What senders are answered; the usual when left out."`
}

type devEndpointInput struct {
	Body *devEndpointInputJSON
}

func (a *API) createDevEndpoint(tx *db.Tx, c *call, in *devEndpointInput) (answer[devEndpointJSON], error) {
	var chosen inbound.Answer
	if in.Body != nil {
		chosen = in.Body.Answer.chosen()
	}
	e, err := a.Box.Create(tx, accountOf(c.Principal), chosen, c.by())
	if err != nil {
		return answer[devEndpointJSON]{}, err
	}
	out := a.showDevEndpoint(e)
	out.body.Secret, out.location = e.Secret, devEndpointsPath+"/"+string(e.ID)
	return out, nil
}

type devEndpointPatchJSON struct {
	Answer optionalAnswer `json:"answer,omitempty" doc:"All of it: what is left out is as usual. null for the usual answer."`
}

// optionalAnswer is the answer of a PATCH: left out, it stays; null is the usual.
type optionalAnswer struct {
	given bool
	to    *devAnswerInputJSON
}

// UnmarshalJSON notes that the field was there.
func (o *optionalAnswer) UnmarshalJSON(b []byte) error {
	o.given = true
	return unmarshal(b, &o.to)
}

// Schema is an answer's, or null.
func (optionalAnswer) Schema(r huma.Registry) *huma.Schema {
	s := huma.SchemaFromType(r, reflect.TypeFor[devAnswerInputJSON]())
	s.Nullable = true
	return s
}

type devEndpointPatch struct {
	DevEndpointPath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    devEndpointPatchJSON
}

func (a *API) changeDevEndpoint(tx *db.Tx, c *call, in *devEndpointPatch) (answer[devEndpointJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[devEndpointJSON]{}, err
	}
	var to *inbound.Answer
	if in.Body.Answer.given {
		chosen := in.Body.Answer.to.chosen()
		to = &chosen
	}
	e, err := a.Box.Change(tx, accountOf(c.Principal), id.DevEndpoint(in.ID), to, version)
	if err != nil {
		return answer[devEndpointJSON]{}, err
	}
	return a.showDevEndpoint(e), nil
}

type devEndpointDelete struct {
	DevEndpointPath
	IfMatch string `header:"If-Match" doc:"The ETag of what is to be deleted; 412 when it has changed since."`
}

func (a *API) deleteDevEndpoint(tx *db.Tx, c *call, in *devEndpointDelete) (answer[none], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[none]{}, err
	}
	return answer[none]{}, a.Box.Delete(tx, accountOf(c.Principal), id.DevEndpoint(in.ID), version, c.by())
}
