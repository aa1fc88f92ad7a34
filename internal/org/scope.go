package org

// Scope is one thing that a key or token may do, as "resource:action".
type Scope string

// The scopes of the pullup specification.
const (
	ProfileRead    Scope = "profile:read"
	ProfileWrite   Scope = "profile:write"
	EventsRead     Scope = "events:read"
	EventsWrite    Scope = "events:write"
	TicketsRead    Scope = "tickets:read"
	TicketsWrite   Scope = "tickets:write"
	CheckinRead    Scope = "checkin:read"
	CheckinWrite   Scope = "checkin:write"
	StampsRead     Scope = "stamps:read"
	StampsWrite    Scope = "stamps:write"
	WebhooksManage Scope = "webhooks:manage"
)

// Scopes lists all scopes in the order of the specification.
func Scopes() []Scope {
	return []Scope{
		ProfileRead, ProfileWrite, EventsRead, EventsWrite, TicketsRead, TicketsWrite, CheckinRead, CheckinWrite,
		StampsRead, StampsWrite, WebhooksManage,
	}
}
