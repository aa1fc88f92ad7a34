package app

import (
	"github.com/stagedoorhq/stagedoor/internal/dashboard"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/guests"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/intake"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/outbound"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/reference"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/sales"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/team"
	"github.com/stagedoorhq/stagedoor/internal/dialect/hookbridge"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/web"
)

// dashboard puts the pages of organisations on a server, which the outside reaches at a URL.
func (c *Core) dashboard(server *web.Server, f faces, url string) {
	dashboard.New(server.Mux(), dashboard.Config{
		Frame: frame.Config{
			DB: c.DB, Visitors: f.pages, Streams: f.streams, PublicURL: url, ClientAddr: web.Client, RequestID: web.RequestID, Spend: f.door.Spend, Log: c.Log,
		},
		Outbound:  outbound.Config{Endpoints: c.Endpoints, Engine: c.Engine, Charts: c.Charts},
		Reference: reference.Config{Document: f.api.Document()},
		Intake: intake.Config{
			Box: c.Box, Depot: c.Pull, Policy: c.Policy, Client: c.Client,
			IngestURL: func(e id.PullEndpoint, secret string) string { return hookbridge.IngestURL(url, e, secret) },
		},
		Sales: sales.Config{Calendar: c.Events, Stock: c.Stock, Orders: c.Orders},
		Guests: guests.Config{
			Tickets: c.Tickets, Gates: c.Gates, Stamps: c.Stamps, Passes: c.Passes, Endpoints: c.Endpoints, Engine: c.Engine, Offered: f.pages.Offered,
		},
		Team: team.Config{People: c.People, Registry: c.Apps, Invited: f.pages.Invited},
	})
}
