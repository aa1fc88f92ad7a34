package org

import (
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Role is what a person is in an organisation. People without one are attendees.
type Role string

// The roles.
const (
	Owner  Role = "owner"  // everything, and who the owners are
	Admin  Role = "admin"  // everything but that
	Member Role = "member" // events, inventory, orders, tickets and the door; no webhooks, nothing that programs sign in with
	Staff  Role = "staff"  // the door only
)

// Roles lists the roles, the mightiest first.
func Roles() []Role { return []Role{Owner, Admin, Member, Staff} }

// Allows is what somebody with the role may do. It narrows what a token of theirs may: the two sets are intersected on each request.
func (r Role) Allows() scope.Set {
	switch r {
	case Owner, Admin:
		return scope.All()
	case Member:
		return scope.All() &^ scope.Of(scope.WebhooksManage)
	case Staff:
		return scope.Of(scope.ProfileRead, scope.ProfileWrite, scope.EventsRead, scope.CheckinRead, scope.CheckinWrite)
	default:
		return attendee
	}
}

// Administrates tells whether the role may administrate the organisation: apps, keys, members, the audit log.
func (r Role) Administrates() bool { return r == Owner || r == Admin }

// Appoint fails with owners_only (403) where somebody becomes an owner, or is one no more, and it is not an owner who says so. The role is theirs who says it; "" for a program, whose
// maker nobody knows: an admin can make a key.
func (r Role) Appoint(roles ...Role) error {
	if r == Owner || !slices.Contains(roles, Owner) {
		return nil
	}
	return problem.New(problem.Forbidden, "owners_only", "Who the owners are, only an owner can say, signed in or with a personal token; no admin and no key may.")
}

// attendee is what people without a role may do: see what is published, and see and do with what is theirs.
var attendee = scope.Of(scope.ProfileRead, scope.ProfileWrite, scope.EventsRead, scope.TicketsRead, scope.TicketsWrite, scope.CheckinRead, scope.StampsRead)
