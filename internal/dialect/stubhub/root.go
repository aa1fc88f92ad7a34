package stubhub

import (
	"context"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func (a *API) rootRoutes(mux *http.ServeMux) {
	get(a, mux, route{method: "GET", path: "/v2", scope: scope.ProfileRead, resource: "root"}, a.root)
	get(a, mux, route{method: "GET", path: "/v2/user", scope: scope.ProfileRead, resource: "user"}, a.user)
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

type userJSON struct {
	FullName     *string `json:"full_name"`
	Email        *string `json:"email"`
	PrimaryPhone *string `json:"primary_phone"` // nobody is asked for one here
	EmailOptin   bool    `json:"email_optin"`   // and no newsletter is sent
	Links        links   `json:"_links"`
}

// user is the person whose token it is; of a key or an app that acts for itself, the organisation.
func (a *API) user(ctx context.Context, c *call) (answer, error) {
	p, q := a.places, a.DB.Read(ctx)
	j := userJSON{Links: links{"self": p.user(), "user:webhooks": p.webhooks(), "user:sales": p.sales(), "user:sellerlistings": p.listings()}}
	if c.UserNo == 0 {
		o, err := org.ByNumber(q, c.Org)
		j.FullName = textOrNil(o.Name)
		return answer{body: j}, err
	}
	u, err := org.UserByNumber(q, c.UserNo)
	j.FullName, j.Email = textOrNil(u.Name), textOrNil(u.Email)
	return answer{body: j}, err
}
