// Package outbound is the dashboard's pages about webhooks: endpoints of all formats, what was delivered to them and why not, charts, the signature debugger and the API reference.
//
// A page shows what packages endpoint, delivery and chart know, and does what the API's operations of the same name do, with the same rights. Secrets are shown when they were made,
// and never again.
package outbound

import (
	"embed"

	"github.com/stagedoorhq/stagedoor/internal/chart"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Config is what the pages stand on.
type Config struct {
	Endpoints *endpoint.Book
	Engine    *delivery.Engine
	Charts    *chart.Book
}

//go:embed pages/*.html
var files embed.FS

var pages = frame.Pages(files)

// Room has the pages.
type Room struct {
	Config
}

// New puts the pages on a frame.
func New(f *frame.Frame, c Config) {
	r := &Room{Config: c}
	manage := frame.Scope(scope.WebhooksManage)
	f.Get("/webhooks", manage, r.webhooks)
	f.Get("/webhooks/new", manage, r.newWebhook)
	f.Post("/webhooks/new", manage, r.makeWebhook)
	f.Get("/webhooks/{webhook}", manage, r.webhook)
	f.Get("/webhooks/{webhook}/edit", manage, r.editWebhook)
	f.Post("/webhooks/{webhook}/edit", manage, r.changeWebhook)
	f.Post("/webhooks/{webhook}/test", manage, r.testWebhook)
	f.Post("/webhooks/{webhook}/active", manage, r.switchWebhook)
	f.Post("/webhooks/{webhook}/rotate", manage, r.rotateSecret)
	f.Post("/webhooks/{webhook}/recover", manage, r.recoverWebhook)
	f.Post("/webhooks/{webhook}/delete", manage, r.deleteWebhook)
	f.Get("/deliveries", manage, r.deliveries)
	f.Get("/deliveries/{delivery}", manage, r.delivery)
	f.Post("/deliveries/{delivery}/redeliver", manage, r.redeliver)
	f.Get("/debugger", manage, r.debugger)
	f.Upload("/debugger", manage, maxDebug, r.debug)
	f.Get("/charts", manage, r.charts)
}
