package ethpass

import (
	"context"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// A project of ethpass's is an organisation.

func (a *API) projectRoutes(mux *http.ServeMux) {
	const project, hook, design = "/project", "/project/webhook", "/project/design"
	get(a, mux, route{method: "GET", path: project, scope: scope.TicketsRead}, a.project)
	manage := func(method string) route {
		return route{method: method, path: hook, scope: scope.WebhooksManage, names: map[string]string{"/secret": "authorization"}}
	}
	get(a, mux, manage("GET"), a.webhook)
	configure(a, mux, manage("PUT"), a.webhookInput, a.putWebhook)
	configure(a, mux, manage("DELETE"), atOnce, a.deleteWebhook)
	get(a, mux, route{method: "GET", path: design, scope: scope.TicketsRead}, a.projectDesign)
	change(a, mux, route{method: "PUT", path: design, scope: scope.TicketsWrite}, newProjectDesign, a.putProjectDesign)
}

type projectJSON struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Timezone   string    `json:"timezone"`
	KeyCreated *string   `json:"keyCreated"` // of the key that asks; null for other credentials
	Signer     string    `json:"signer"`     // whose key signs what barcodes say
	Stats      statsJSON `json:"stats"`
}

type statsJSON struct {
	Passes countJSON                   `json:"passes"`
	Scans  int64                       `json:"scans"`
	By     map[pass.Platform]countJSON `json:"platforms"`
	Recent []passJSON                  `json:"recent"` // those that changed last
}

type countJSON struct {
	Total      int64 `json:"total"`
	Registered int64 `json:"registered"`
	Expired    int64 `json:"expired"`
}

func (a *API) project(ctx context.Context, c *call) (any, error) {
	q := a.DB.Read(ctx)
	o, err := org.ByNumber(q, c.Org)
	if err != nil {
		return nil, err
	}
	j := projectJSON{Name: o.Name, Timezone: o.Timezone, ID: o.ID.UUID()}
	keys, err := org.Keys(q, c.Org)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if string(k.ID) == c.Credential {
			j.KeyCreated = textOrNil(coarse(k.CreatedAt))
		}
	}
	if j.Signer, err = a.Book.Signer(ctx); err != nil {
		return nil, err
	}
	stats, err := pass.StatsOf(q, c.Org)
	if err != nil {
		return nil, err
	}
	j.Stats = showStats(stats)
	return j, nil
}

func showStats(s pass.Stats) statsJSON {
	j := statsJSON{Scans: s.Scans, By: map[pass.Platform]countJSON{}, Recent: make([]passJSON, len(s.Recent))}
	for _, p := range []pass.Platform{pass.Apple, pass.Google} {
		n := s.Platforms[p]
		j.By[p] = countJSON(n)
		j.Passes.Total += n.Total
		j.Passes.Registered += n.Registered
		j.Passes.Expired += n.Expired
	}
	for i, p := range s.Recent {
		j.Recent[i] = showPass(p)
	}
	return j
}

func (a *API) projectDesign(ctx context.Context, c *call) (any, error) {
	return pass.ProjectDesign(a.DB.Read(ctx), c.Org)
}

// newProjectDesign reads a whole design: what is left out is as the wallets have it.
func newProjectDesign(_ context.Context, c *call) (pass.Design, error) {
	var d pass.Design
	o, err := newObject(c.body)
	if err != nil {
		return d, err
	}
	o.design(&d)
	return d, o.faults.Err()
}

func (a *API) putProjectDesign(tx *db.Tx, c *call, d pass.Design) (any, error) {
	if err := a.Book.SetProjectDesign(tx, c.Org, d); err != nil {
		return nil, err
	}
	return pass.ProjectDesign(tx, c.Org)
}
