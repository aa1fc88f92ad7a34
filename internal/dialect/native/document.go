package native

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stagedoorhq/stagedoor/internal/scope"
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
				Description: "Events, inventory, orders, tickets, webhooks and messages. Errors are problem details (RFC 9457) with a stable `code`. " +
					"Every POST takes an `Idempotency-Key`. A single resource has an `ETag`, and its changes take `If-Match`.",
			},
			Tags: []*huma.Tag{{Name: "Events"}, {Name: "Inventory"}, {Name: "Orders"}, {Name: "Tickets"}, {Name: "Door"}, {Name: "Stamps"}, {Name: "Webhooks"}, {Name: "Messages"}, {Name: "Development"}, {Name: "Apps"}, {Name: "People"}},
			Components: &huma.Components{
				Schemas: schemas,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"apiKey": {Type: "apiKey", In: "header", Name: "X-API-Key", Description: "An API key of an organisation, sd_…"},
					"bearer": {
						Type: "http", Scheme: "bearer", Description: "An API key, a personal token (sdp_…), or an app's access token (sda_…); the latter as DPoP where it is bound to a key.",
					},
					"oauth2": {Type: "oauth2", Description: "What a person has allowed an app. PKCE with S256 is needed.", Flows: flows()},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json",
	}
}

// flows are the ways to an access token that OpenAPI has words for. There is also the device code: see /.well-known/oauth-authorization-server.
func flows() *huma.OAuthFlows {
	scopes := map[string]string{}
	for _, s := range scope.All().List() {
		scopes[string(s)] = s.Words()
	}
	return &huma.OAuthFlows{
		AuthorizationCode: &huma.OAuthFlow{AuthorizationURL: "/oauth/authorize", TokenURL: "/oauth/token", RefreshURL: "/oauth/token", Scopes: scopes},
		ClientCredentials: &huma.OAuthFlow{TokenURL: "/oauth/token", Scopes: scopes},
	}
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
