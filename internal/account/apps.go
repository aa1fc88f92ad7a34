package account

import (
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type appsBody struct{ Grants []grantRow }

type grantRow struct {
	ID               id.Grant
	Name, Org, Since string
	Scopes           []scope.Scope
}

// apps lists what the person has allowed.
func (p *Pages) apps(v *visit) error {
	q := p.DB.Read(v.r.Context())
	grants, err := oauth.GrantsOf(q, v.user.No)
	if err != nil {
		return err
	}
	var b appsBody
	for _, g := range grants {
		o, err := org.ByNumber(q, g.Org)
		if err != nil {
			return err
		}
		b.Grants = append(b.Grants, grantRow{g.ID, g.ClientName, o.Name, day(g.CreatedAt), g.Scopes.List()})
	}
	return v.show(http.StatusOK, "apps", sheet{Title: "Apps with access", Wide: true, At: "apps", Said: said[v.r.URL.Query().Get("done")], Body: b})
}

// removeApp withdraws what an app was allowed: its tokens and webhooks end with it.
func (p *Pages) removeApp(v *visit) error {
	err := p.DB.Configure(v.r.Context(), func(tx *db.Tx) error {
		grants, err := oauth.GrantsOf(tx, v.user.No)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if g.ID == id.Grant(v.r.PathValue("id")) {
				return p.Registry.RevokeGrant(tx, g.Org, g.ID, "withdrawn_by_person", v.by())
			}
		}
		return problem.New(problem.NotFound, "grant_not_found", "There is no such app, or its access has ended already.")
	})
	if err != nil {
		return err
	}
	return v.done("/account/apps", "removed")
}
