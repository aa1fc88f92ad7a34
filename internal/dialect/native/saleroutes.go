package native

import "github.com/stagedoorhq/stagedoor/internal/scope"

// The collections of what an organisation sells itself.
const (
	typesPath = "/api/v1/ticket-types"
	holdsPath = "/api/v1/holds"
)

// saleRoutes are the routes about ticket types, their pools, and holds.
func (a *API) saleRoutes() {
	const types, holds = "Ticket types", "Holds"

	read(a, route{
		method: "GET", path: eventsPath + "/{eventId}/ticket-types", scope: scope.EventsRead, open: true, id: "listTicketTypes", tag: types,
		summary: "List an event's ticket types, oldest first",
	}, a.listTypes)
	write(a, route{
		method: "POST", path: eventsPath + "/{eventId}/ticket-types", scope: scope.EventsWrite, id: "createTicketType", tag: types, status: 201,
		summary: "Create a ticket type", detail: "It draws on pools of the event that exist, or on one of its own. It is in the inventory too, as a listing whose section is its name.",
	}, a.createType)
	read(a, route{
		method: "GET", path: typesPath + "/{ticketTypeId}", scope: scope.EventsRead, open: true, id: "getTicketType", tag: types, summary: "Read a ticket type",
	}, a.ticketType)
	write(a, route{
		method: "PATCH", path: typesPath + "/{ticketTypeId}", scope: scope.EventsWrite, id: "changeTicketType", tag: types, summary: "Change a ticket type",
		detail: "What is left out stays.", errors: []int{409},
	}, a.changeType)
	write(a, route{
		method: "DELETE", path: typesPath + "/{ticketTypeId}", scope: scope.EventsWrite, id: "withdrawTicketType", tag: types, status: 204,
		summary: "Withdraw a ticket type", detail: "What it sold stays sold.", errors: []int{409},
	}, a.withdrawType)
	read(a, route{
		method: "GET", path: eventsPath + "/{eventId}/pools", scope: scope.EventsRead, id: "listPools", tag: types, summary: "List an event's pools, oldest first",
	}, a.listPools)
	write(a, route{
		method: "POST", path: eventsPath + "/{eventId}/pools", scope: scope.EventsWrite, id: "createPool", tag: types, status: 201, summary: "Create a pool",
		detail: "Ticket types that draw on it share its capacity.",
	}, a.createPool)
	read(a, route{
		method: "GET", path: eventsPath + "/{eventId}/pools/{pool}", scope: scope.EventsRead, id: "getPool", tag: types, summary: "Read a pool",
	}, a.pool)
	write(a, route{
		method: "PATCH", path: eventsPath + "/{eventId}/pools/{pool}", scope: scope.EventsWrite, id: "changePool", tag: types, summary: "Change a pool",
		detail: "What is left out stays.", errors: []int{409},
	}, a.changePool)
	write(a, route{
		method: "DELETE", path: eventsPath + "/{eventId}/pools/{pool}", scope: scope.EventsWrite, id: "deletePool", tag: types, status: 204,
		summary: "Delete a pool that no ticket type draws on", errors: []int{409},
	}, a.deletePool)

	read(a, route{
		method: "GET", path: holdsPath, scope: scope.TicketsRead, open: true, id: "listHolds", tag: holds, summary: "List holds, newest first",
	}, a.listHolds)
	write(a, route{
		method: "POST", path: holdsPath, scope: scope.TicketsWrite, open: true, id: "createHold", tag: holds, status: 201, summary: "Keep tickets for a while",
		detail: "By `listingId`, `ticketTypeId`, or `section` and `row`. Order with its `holdId` before it expires.", errors: []int{404},
	}, a.placeHold)
	read(a, route{
		method: "GET", path: holdsPath + "/{holdId}", scope: scope.TicketsRead, open: true, id: "getHold", tag: holds, summary: "Read a hold",
	}, a.hold)
	write(a, route{
		method: "POST", path: holdsPath + "/{holdId}/extend", scope: scope.TicketsWrite, open: true, id: "extendHold", tag: holds, summary: "Extend a hold, once at most",
		detail: "It lasts as long again as it was placed for, from now on.",
	}, a.extendHold)
	write(a, route{
		method: "DELETE", path: holdsPath + "/{holdId}", scope: scope.TicketsWrite, open: true, id: "releaseHold", tag: holds, status: 204, summary: "Release a hold",
		detail: "Releasing one that has ended changes nothing.", errors: []int{409},
	}, a.releaseHold)
}
