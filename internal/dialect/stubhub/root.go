package stubhub

import (
	"context"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func (a *API) rootRoutes(mux *http.ServeMux) {
	get(a, mux, route{method: "GET", path: "/v2", scope: scope.ProfileRead, resource: "root"}, a.root)
}

type rootJSON struct {
	Links links `json:"_links"`
}

// root is where a client that follows links begins.
func (a *API) root(context.Context, *call) (answer, error) {
	p := a.places
	return answer{body: rootJSON{Links: links{
		"self": p.root(), "viagogo:user": p.user(), "viagogo:webhooks": p.webhooks(), "viagogo:sales": p.sales(), "viagogo:sellerlistings": p.listings(),
		"viagogo:events": p.events(), "viagogo:venues": p.venues(),
	}}}, nil
}
