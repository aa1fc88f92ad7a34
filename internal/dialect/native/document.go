package native

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/stagedoorhq/stagedoor/internal/access"
)

func (a *API) humaConfig() huma.Config {
	schemas := huma.NewMapRegistry("#/components/schemas/", schemaName)
	format := huma.Format{
		Marshal: func(w io.Writer, v any) error {
			if f, ok := v.(*failure); ok {
				_, err := w.Write(f.body)
				return err
			}
			b, err := encode(v)
			if err == nil {
				_, err = w.Write(b)
			}
			return err
		},
		Unmarshal: unmarshal,
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Stagedoor", Version: a.Version,
				Description: "Events, inventory, orders, webhooks and messages. Errors are problem details (RFC 9457) with a stable `code`. " +
					"Every POST takes an `Idempotency-Key`. A single resource has an `ETag`, and its changes take `If-Match`.",
			},
			Tags: []*huma.Tag{{Name: "Events"}, {Name: "Inventory"}, {Name: "Orders"}, {Name: "Webhooks"}, {Name: "Messages"}},
			Components: &huma.Components{
				Schemas: schemas,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"apiKey": {Type: "apiKey", In: "header", Name: "X-API-Key", Description: "An API key of an organisation, sd_…"},
					"bearer": {Type: "http", Scheme: "bearer", Description: "The same key as a bearer token."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json",
	}
}

type messageJSON struct {
	Event string         `json:"event" minLength:"3" maxLength:"128" example:"acme.invoice_paid" doc:"2 to 8 dotted segments; the first is none of our nouns."`
	Data  map[string]any `json:"data" doc:"Any JSON object, 256 KiB at most."`
	Key   *string        `json:"key,omitempty" maxLength:"255" doc:"Messages with the same key reach an ordered webhook in order."`
}

type messagesJSON struct {
	Messages []messageJSON `json:"messages" minItems:"1" maxItems:"500" nullable:"false"`
}

type publishedJSON struct {
	ID string `json:"id" example:"evt_50f60000000000002a" doc:"Of the fact; the webhook-id of the standard format."`
}

type publishedListJSON struct {
	Data []publishedJSON `json:"data" nullable:"false" doc:"In the order of the messages."`
}

// messages puts the hot route on the mux, past huma, and describes it.
func (a *API) messages(mux humago.Mux) {
	r := route{
		method: "POST", path: messagesPath, scope: access.WebhooksManage, id: "publishMessages", tag: "Messages", status: 202,
		summary: "Publish events of your own", detail: "One message, or up to 500 of them. Answered once they are on disk; webhooks subscribe by name.",
	}
	mux.HandleFunc(r.method+" "+r.path, a.publish)
	op := a.operation(r, reflect.TypeFor[struct{ Body messageJSON }](), reflect.TypeFor[none]())
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: a.either(reflect.TypeFor[messageJSON](), reflect.TypeFor[messagesJSON]())}}}
	op.Responses["202"].Content = map[string]*huma.MediaType{"application/json": {Schema: a.either(reflect.TypeFor[publishedJSON](), reflect.TypeFor[publishedListJSON]())}}
	delete(op.Responses["202"].Headers, "Location")
	a.huma.OpenAPI().AddOperation(&op)
}

// either is a schema of two shapes.
func (a *API) either(one, other reflect.Type) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{a.schemas().Schema(one, true, ""), a.schemas().Schema(other, true, "")}}
}

// describe finishes the document.
func (a *API) describe() {
	doc := a.huma.OpenAPI()
	a.describeItself(doc)
	if a.Engine != nil {
		describeWebhooks(doc, a.Engine.Dialects)
	}
	var err error
	if a.document, err = json.Marshal(doc); err != nil {
		panic(fmt.Errorf("native: the document cannot be written: %w", err))
	}
}

// describeItself says that the document is there, without a key.
func (a *API) describeItself(doc *huma.OpenAPI) {
	for i, path := range []string{"/openapi.json", "/api/v1/openapi.json"} {
		doc.AddOperation(&huma.Operation{
			Method: http.MethodGet, Path: path, OperationID: []string{"getDocument", "getDocumentOfMount"}[i], Summary: "This document",
			Responses: map[string]*huma.Response{"200": {
				Description: http.StatusText(http.StatusOK),
				Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}},
			}},
		})
	}
}
