package native

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/message"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Config is what the API stands on. All of it is needed but Offline, Version, Log and Now.
type Config struct {
	DB       *db.DB
	Door     *access.Door
	Keep     *idempotency.Keep
	Problems Problems

	Calendar *event.Calendar
	Stock    *inventory.Stock
	Book     *order.Book
	Tickets  *ticket.Roll
	Gates    *gate.Door
	// CodesChanged is told, in the transaction, that codes of an event's tickets are others from now on; of all the organisation's where the event is empty. nil to tell nobody.
	CodesChanged func(tx *db.Tx, org int64, e id.Event) error
	// Offline is what a device needs to verify an event's codes without a network, for its bundle; with seeds also what codes that rotate are made from.
	// version is another whenever what it says is another. nil for nothing.
	Offline func(ctx context.Context, org int64, e id.Event, seeds bool) (codes map[string]any, version string, err error)

	Endpoints     *endpoint.Book
	Subscriptions *endpoint.Subscriptions
	Engine        *delivery.Engine
	Ledger        message.Ledger
	Stamps        *stamp.Album

	People *org.People
	Apps   *oauth.Registry

	Box     *inbound.Box
	Streams Streams
	// Erase erases a person from an organisation, in steps.
	Erase func(ctx context.Context, org int64, a person.Address, by audit.By) error
	// PublicURL is how the outside reaches the server, without a slash at its end, for links that people are sent.
	PublicURL string
	// Invited sends an invitation, of which it is given the organisation's name and the link's secret, to whoever was invited, and does not wait for it; nil
	// where nothing is sent.
	Invited func(l org.Link, organisation, secret string)
	// Offered tells somebody, by mail, that a ticket of an organisation for an event was offered to them, and does not wait for it; nil where nothing is sent.
	Offered func(x ticket.Transfer, organisation, event string)
	// ClientAddr is the network address of the client of a request, for the audit log; nil for none.
	ClientAddr func(context.Context) netip.Addr

	Version string           // of the program, for the document
	Log     *slog.Logger     // slog.Default when nil
	Now     func() time.Time // time.Now when nil
}

// API is /api/v1.
type API struct {
	Config
	huma     huma.API
	work     chan struct{} // wakes Run
	document []byte
	persons  chan struct{} // holds one place: who looks through the whole ledger for a person
	lists    chan struct{} // holds a few: lists of revocations that are being made, for anybody who asks

	permissions []Permission
}

// The collections.
const (
	eventsPath    = "/api/v1/events"
	inventoryPath = "/api/v1/inventory"
	ordersPath    = "/api/v1/orders"
	webhooksPath  = "/api/v1/webhooks"
	messagesPath  = "/api/v1/messages"
)

// New puts the routes of /api/v1 and their document on the mux.
func New(mux humago.Mux, c Config) *API {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	setHuma()
	a := &API{Config: c, work: make(chan struct{}, 1), persons: make(chan struct{}, 1), lists: make(chan struct{}, 2)}
	a.huma = humago.New(mux, a.humaConfig())
	a.routes()
	a.accountRoutes()
	a.personRoutes()
	a.stampRoutes()
	a.ticketRoutes()
	a.wellKnown(mux)
	a.saleRoutes()
	a.barcodeRoutes()
	a.devEndpointRoutes()
	a.doorRoutes()
	a.messages(mux)
	a.streams(mux)
	a.describe()
	mux.HandleFunc("GET /openapi.json", a.serveDocument)
	mux.HandleFunc("GET /api/v1/openapi.json", a.serveDocument)
	return a
}

// routes are all routes but messages, which goes past huma; see messages.go.
func (a *API) routes() {
	const events, inventory, orders, webhooks = "Events", "Inventory", "Orders", "Webhooks"

	read(a, route{
		method: "GET", path: eventsPath, scope: scope.EventsRead, open: true, id: "listEvents", tag: events, summary: "List events",
	}, a.listEvents)
	write(a, route{
		method: "POST", path: eventsPath, scope: scope.EventsWrite, id: "createEvent", tag: events, status: 201, summary: "Create an event",
	}, a.createEvent)
	read(a, route{
		method: "GET", path: eventsPath + "/{eventId}", scope: scope.EventsRead, open: true, id: "getEvent", tag: events, summary: "Read an event",
	}, a.event)
	write(a, route{
		method: "PATCH", path: eventsPath + "/{eventId}", scope: scope.EventsWrite, id: "changeEvent", tag: events, summary: "Change an event",
		detail: "What is left out stays. The status `cancelled` stops the sale; see cancelEventOrders for its orders.", errors: []int{409},
	}, a.changeEvent)
	write(a, route{
		method: "DELETE", path: eventsPath + "/{eventId}", scope: scope.EventsWrite, id: "deleteEvent", tag: events, status: 204,
		summary: "Delete an event that never had an order", errors: []int{409},
	}, a.deleteEvent)
	write(a, route{
		method: "POST", path: eventsPath + "/{eventId}/cancel-orders", scope: scope.TicketsWrite, id: "cancelEventOrders", tag: events, status: 202,
		summary: "Cancel all orders of an event", detail: "They are cancelled in the background. Asking again while it goes on changes nothing.",
	}, a.cancelOrders)
	read(a, route{
		method: "GET", path: eventsPath + "/{eventId}/cancel-orders", scope: scope.TicketsRead, id: "getEventCancellation", tag: events,
		summary: "See how far the cancelling of an event's orders is",
	}, a.cancellation)

	read(a, route{
		method: "GET", path: inventoryPath, scope: scope.EventsRead, open: true, id: "listInventory", tag: inventory, summary: "List an event's inventory", errors: []int{404},
	}, a.listInventory)
	write(a, route{
		method: "POST", path: inventoryPath, scope: scope.EventsWrite, id: "createListing", tag: inventory, status: 201, summary: "Create a listing", errors: []int{404},
	}, a.createListing)
	read(a, route{
		method: "GET", path: inventoryPath + "/{listingId}", scope: scope.EventsRead, open: true, id: "getListing", tag: inventory, summary: "Read a listing",
	}, a.listing)
	write(a, route{
		method: "PATCH", path: inventoryPath + "/{listingId}", scope: scope.EventsWrite, id: "changeListing", tag: inventory, summary: "Change a listing",
		detail: "What is left out stays. `totalQuantity` is what is listed in all, sold or not.", errors: []int{409},
	}, a.changeListing)
	write(a, route{
		method: "DELETE", path: inventoryPath + "/{listingId}", scope: scope.EventsWrite, id: "withdrawListing", tag: inventory, status: 204,
		summary: "Withdraw a listing", detail: "What it sold stays sold.", errors: []int{409},
	}, a.withdrawListing)

	read(a, route{
		method: "GET", path: ordersPath, scope: scope.TicketsRead, open: true, id: "listOrders", tag: orders, summary: "List orders, newest first",
	}, a.listOrders)
	change(a, route{
		method: "POST", path: ordersPath, scope: scope.TicketsWrite, open: true, id: "createOrder", tag: orders, status: 201, summary: "Place an order",
		detail: "By `listingId` (recommended), `ticketTypeId`, `holdId`, or by `section` and `row`. The stock is taken in the same transaction.", errors: []int{404},
	}, expectHold[*orderInput](a), a.placeOrder, a.Keep.Do)
	write(a, route{
		method: "PATCH", path: ordersPath, scope: scope.TicketsWrite, id: "updateOrderStatus", tag: orders, summary: "Move an order on",
		detail: "Typically confirmed → accepted → fulfilled; cancelled at any stage. The status that it has already is a success without a webhook.",
		errors: []int{404, 409},
	}, a.changeOrder)
	read(a, route{
		method: "GET", path: ordersPath + "/{orderId}", scope: scope.TicketsRead, open: true, id: "getOrder", tag: orders, summary: "Read an order",
	}, a.order)
	write(a, route{
		method: "POST", path: ordersPath + "/{orderId}/refund", scope: scope.TicketsWrite, id: "refundOrder", tag: orders, summary: "Note a refund",
		detail: "Refunds add up; when all is refunded the status becomes `refunded`. No money is moved.",
	}, a.refundOrder)
	write(a, route{
		method: "POST", path: ordersPath + "/{orderId}/issue", scope: scope.TicketsWrite, id: "raiseOrderIssue", tag: orders, summary: "Raise an issue",
		detail: "Any status that the order may go to resolves it.",
	}, a.raiseIssue)

	read(a, route{
		method: "GET", path: webhooksPath, scope: scope.WebhooksManage, id: "listWebhooks", tag: webhooks, summary: "List webhooks, oldest first",
	}, a.listWebhooks)
	configure(a, route{
		method: "POST", path: webhooksPath, scope: scope.WebhooksManage, id: "createWebhook", tag: webhooks, status: 201, summary: "Create a webhook",
		detail: "The answer has the secret that deliveries are signed with; it is not shown again.",
	}, a.checkNew, a.createWebhook)
	read(a, route{
		method: "GET", path: webhooksPath + "/{id}", scope: scope.WebhooksManage, id: "getWebhook", tag: webhooks, summary: "Read a webhook",
	}, a.webhook)
	configure(a, route{
		method: "PATCH", path: webhooksPath + "/{id}", scope: scope.WebhooksManage, id: "changeWebhook", tag: webhooks, summary: "Change a webhook",
		detail: "What is left out stays. The change holds for what happens from then on.", errors: []int{409},
	}, a.checkChange, a.changeWebhook)
	configure(a, route{
		method: "DELETE", path: webhooksPath + "/{id}", scope: scope.WebhooksManage, id: "deleteWebhook", tag: webhooks, status: 204, summary: "Delete a webhook",
	}, atOnce, a.deleteWebhook)
	write(a, route{
		method: "POST", path: webhooksPath + "/{id}/test", scope: scope.WebhooksManage, id: "testWebhook", tag: webhooks, status: 202, summary: "Send a test event",
	}, a.testWebhook)
	configure(a, route{
		method: "POST", path: webhooksPath + "/{id}/rotate-secret", scope: scope.WebhooksManage, id: "rotateWebhookSecret", tag: webhooks,
		summary: "Replace the secret", detail: "The old one is used beside the new one for the overlap, or instead of it in the formats stubhub and ethpass, whose new one is given as secret.",
	}, atOnce, a.rotateSecret)
	read(a, route{
		method: "GET", path: webhooksPath + "/{id}/deliveries", scope: scope.WebhooksManage, id: "listDeliveries", tag: webhooks,
		summary: "List a webhook's deliveries with their attempts, newest first",
	}, a.listDeliveries)
	read(a, route{
		method: "GET", path: webhooksPath + "/{id}/deliveries/{deliveryId}", scope: scope.WebhooksManage, id: "getDelivery", tag: webhooks, summary: "Read a delivery",
	}, a.delivery)
	write(a, route{
		method: "POST", path: webhooksPath + "/{id}/deliveries/{deliveryId}/redeliver", scope: scope.WebhooksManage, id: "redeliver", tag: webhooks, status: 202,
		summary: "Deliver again", detail: "Whatever came of it; it keeps its id and its bytes.",
	}, a.redeliver)
	write(a, route{
		method: "POST", path: webhooksPath + "/{id}/recover", scope: scope.WebhooksManage, id: "recoverWebhook", tag: webhooks, status: 202,
		summary: "Deliver again all that failed or was skipped since an instant",
	}, a.recover)
}

// Permission says what a route asks of who uses it: a scope, or one of the others instead.
type Permission struct {
	Method, Path string // the path as the mux has it, with {names}
	Scope        scope.Scope
	Admin        bool // for who may administrate the organisation, with a credential of their own; never for an app
	Own          bool // for a person, with a personal token
	Attendees    bool // also for people without a role in the organisation, for what is public and what is theirs
}

// Permissions lists the routes of /api/v1 in the order in which they are registered. The documents themselves are for everybody and not among them.
func (a *API) Permissions() []Permission { return slices.Clone(a.permissions) }

// Document is the OpenAPI document of all routes, as GET /openapi.json answers. It must not be changed.
func (a *API) Document() []byte { return a.document }

func (a *API) serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Type"] = applicationJSON
	_, _ = w.Write(a.document)
}
