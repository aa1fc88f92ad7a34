package native

import (
	"bytes"
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

type deviceJSON struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Gates      []string `json:"gates" nullable:"false" doc:"Ids of gates that it is bound to; empty for all."`
	Events     []string `json:"events" nullable:"false" doc:"Ids of events that it is bound to; empty for all."`
	Code       string   `json:"code,omitempty" example:"7K3QX-M40ZP" doc:"On creation only: with it the scanner is enrolled, once."`
	CodeUntil  *string  `json:"codeExpiresAt" format:"date-time" doc:"null once it was enrolled."`
	EnrolledAt *string  `json:"enrolledAt" format:"date-time" doc:"null before."`
	LastUsedAt *string  `json:"lastUsedAt" format:"date-time" doc:"A minute old at most; null when never."`
	Version    int64    `json:"version" doc:"Grows with every change; the ETag."`
	CreatedAt  string   `json:"createdAt" format:"date-time"`
	UpdatedAt  string   `json:"updatedAt" format:"date-time"`
}

func newDevice(d gate.Device) deviceJSON {
	return deviceJSON{
		ID: string(d.ID), Name: d.Name, Gates: texts(d.Gates), Events: texts(d.Events), CodeUntil: orNull(maybe(d.CodeUntil)), EnrolledAt: orNull(maybe(d.EnrolledAt)),
		LastUsedAt: orNull(maybe(d.LastUsedAt)), Version: d.Version, CreatedAt: instant(d.CreatedAt), UpdatedAt: instant(d.UpdatedAt),
	}
}

func showDevice(d gate.Device) answer[deviceJSON] {
	return answer[deviceJSON]{body: newDevice(d), version: d.Version}
}

func (a *API) listDevices(ctx context.Context, c *call, in *pagingInput) (answer[list[deviceJSON, noFilters]], error) {
	all, err := gate.Devices(a.DB.Read(ctx), c.Org)
	if err != nil {
		return answer[list[deviceJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "devices", all, newDevice)
}

type deviceInputJSON struct {
	Name   string   `json:"name"`
	Gates  []string `json:"gates,omitempty" nullable:"false"`
	Events []string `json:"events,omitempty" nullable:"false"`
}

type deviceInput struct {
	Body deviceInputJSON
}

func eventIDs(list []string) []id.Event {
	all := make([]id.Event, len(list))
	for i, e := range list {
		all[i] = id.Event(e)
	}
	return all
}

func (a *API) createDevice(tx *db.Tx, c *call, in *deviceInput) (answer[deviceJSON], error) {
	b := in.Body
	d, code, err := gate.CreateDevice(tx, c.Org, gate.DeviceInput{Name: b.Name, Bound: gate.Bound{Gates: gateIDs(b.Gates), Events: eventIDs(b.Events)}}, c.by())
	if err != nil {
		return answer[deviceJSON]{}, err
	}
	out := showDevice(d)
	out.body.Code, out.location = code, devicesPath+"/"+string(d.ID)
	return out, nil
}

// DevicePath names a device.
type DevicePath struct {
	DeviceID string `path:"deviceId"`
}

func (a *API) device(ctx context.Context, c *call, in *DevicePath) (answer[deviceJSON], error) {
	d, err := gate.DeviceByID(a.DB.Read(ctx), c.Org, id.Device(in.DeviceID))
	if err != nil {
		return answer[deviceJSON]{}, err
	}
	return showDevice(d), nil
}

type devicePatchJSON struct {
	Name   *string   `json:"name,omitempty" nullable:"false"`
	Gates  *[]string `json:"gates,omitempty" nullable:"false"`
	Events *[]string `json:"events,omitempty" nullable:"false"`
}

type devicePatch struct {
	DevicePath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    devicePatchJSON
}

func (a *API) changeDevice(tx *db.Tx, c *call, in *devicePatch) (answer[deviceJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[deviceJSON]{}, err
	}
	b := in.Body
	d, err := gate.UpdateDevice(tx, c.Org, id.Device(in.DeviceID), version, func(to *gate.DeviceInput) {
		replace(&to.Name, b.Name)
		if b.Gates != nil {
			to.Gates = gateIDs(*b.Gates)
		}
		if b.Events != nil {
			to.Events = eventIDs(*b.Events)
		}
	})
	if err != nil {
		return answer[deviceJSON]{}, err
	}
	return showDevice(d), nil
}

func (a *API) revokeDevice(tx *db.Tx, c *call, in *DevicePath) (answer[none], error) {
	return answer[none]{}, gate.RevokeDevice(tx, c.Org, id.Device(in.DeviceID), c.by())
}

type enrolJSON struct {
	Code string `json:"code" minLength:"1" maxLength:"64" doc:"As it is shown or typed: hyphens, spaces, upper and lower case do not matter."`
	Name string `json:"name,omitempty" maxLength:"100" doc:"What the device is called from then on; left out, it stays what it was made with."`
}

type enrolInput struct {
	Body enrolJSON
}

type enrolledJSON struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Credential string   `json:"credential" example:"sdd_…" doc:"A bearer token, shown once: it is good for the door only."`
	Scopes     []string `json:"scopes" nullable:"false"`
	Gates      []string `json:"gates" nullable:"false"`
	Events     []string `json:"events" nullable:"false"`
}

// enrolments is how many codes may be tried from one network address in a minute.
const enrolments = 10

// enrolRoute is for scanners that have no credential yet, so it takes none.
func (a *API) enrolRoute(tag string) {
	const path = devicesPath + "/enroll"
	r := route{method: http.MethodPost, path: path, id: "enrollDevice", tag: tag, summary: "Enrol a scanner with its one-time code"}
	op := huma.Operation{
		Method: r.method, Path: path, OperationID: r.id, Summary: r.summary, Tags: []string{tag},
		Description: "Takes no credential. The answer has the device's, which is not shown again.",
		Responses:   a.responses(r, reflect.TypeFor[enrolInput](), reflect.TypeFor[enrolledJSON]()),
		Middlewares: huma.Middlewares{a.enterUnknown}, MaxBodyBytes: -1, BodyReadTimeout: -1,
		Security: []map[string][]string{{}},
	}
	delete(op.Responses["200"].Headers, "Idempotency-Replayed")
	huma.Register(a.huma, op, func(ctx context.Context, in *enrolInput) (*reply, error) {
		var out answer[enrolledJSON]
		err := a.DB.Write(ctx, "", func(tx *db.Tx) error {
			d, credential, err := gate.Enroll(tx, in.Body.Code, in.Body.Name)
			out.body = enrolledJSON{string(d.ID), d.Name, credential, texts(gate.DeviceScopes().List()), texts(d.Gates), texts(d.Events)}
			return err
		})
		if err != nil {
			return nil, err
		}
		made, err := encodeAnswer(http.StatusOK, out)
		return newReply(made, false), err
	})
}

// enterUnknown lets requests in whose sender shows no credential, as often as their network address may.
func (a *API) enterUnknown(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	c := &call{api: a, request: r}
	err := a.Door.Spend("address "+a.neighbourhood(r.Context()), enrolments)
	if err == nil {
		err = form.URL(r.URL)
	}
	if err == nil {
		err = form.MediaType(r.Header, r.ContentLength)
	}
	if err == nil {
		c.body, err = form.Body(r)
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	next(entered{humaContext: ctx, context: context.WithValue(r.Context(), callKey{}, c), body: bytes.NewReader(c.body)})
}

// neighbourhood is the network that a request comes from, as far as one subscriber has it; empty where that is not known.
func (a *API) neighbourhood(ctx context.Context) string {
	if a.ClientAddr == nil {
		return ""
	}
	return access.Neighbourhood(a.ClientAddr(ctx))
}
