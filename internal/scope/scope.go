// Package scope holds what a credential may do: the eleven scopes of the pullup specification, sets of them, the names by which StubHub's clients
// ask for them, and which facts each lets somebody see.
//
// A [Scope] is "resource:action". A [Set] is what a key, a token or a role has; sets are small values that are intersected on every request, for
// what may be done is what the credential's scopes and its person's role both allow. Scopes do not imply one another: events:write lets nobody read.
//
// Administration (clients, keys, members, the audit log) is no scope on purpose: no third party can be given it.
package scope

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// Scope is one thing that may be done, as "resource:action".
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

// all are the scopes in the order of the specification; a set has a bit for each, in this order.
var all = []Scope{
	ProfileRead, ProfileWrite, EventsRead, EventsWrite, TicketsRead, TicketsWrite, CheckinRead, CheckinWrite, StampsRead, StampsWrite, WebhooksManage,
}

// words say to a person what a scope allows.
var words = map[Scope]string{
	ProfileRead:    "See your name and e-mail address",
	ProfileWrite:   "Change your name",
	EventsRead:     "See events, venues and what is for sale",
	EventsWrite:    "Create, change and delete events and what is for sale",
	TicketsRead:    "See orders, tickets and wallet passes",
	TicketsWrite:   "Buy, transfer, refund and cancel orders and tickets",
	CheckinRead:    "See who has been admitted",
	CheckinWrite:   "Admit people at the door",
	StampsRead:     "See stamps and collections",
	StampsWrite:    "Award stamps",
	WebhooksManage: "Be told of what happens (webhooks and streams), and send messages",
}

// aliases are StubHub's names for what is ours by another name (contracts §5.2).
var aliases = map[string]Scope{
	"read:webhooks":         WebhooksManage,
	"write:webhooks":        WebhooksManage,
	"read:events":           EventsRead,
	"read:venues":           EventsRead,
	"read:categories":       EventsRead,
	"write:requestedevents": EventsWrite,
	"read:sellerlistings":   EventsRead,
	"write:sellerlistings":  EventsWrite,
	"read:sales":            TicketsRead,
	"write:sales":           TicketsWrite,
	"read:payment":          TicketsRead,
	"read:user":             ProfileRead,
	"write:user":            ProfileWrite,
}

// Aliases returns StubHub's names and what they stand for.
func Aliases() map[string]Scope {
	m := make(map[string]Scope, len(aliases))
	for name, s := range aliases {
		m[name] = s
	}
	return m
}

// Words say to a person what the scope allows, without a full stop.
func (s Scope) Words() string { return words[s] }

// Set is a set of scopes.
type Set uint32

// Of makes a set. What is no scope is passed over.
func Of(scopes ...Scope) Set {
	var set Set
	for _, s := range scopes {
		if i := slices.Index(all, s); i >= 0 {
			set |= 1 << i
		}
	}
	return set
}

// All is every scope.
func All() Set { return 1<<len(all) - 1 }

// Has tells whether the scope is in the set.
func (s Set) Has(one Scope) bool { return s&Of(one) != 0 }

// Covers tells whether all of the other set is in this one.
func (s Set) Covers(other Set) bool { return other&^s == 0 }

// List returns the scopes in the order of the specification.
func (s Set) List() []Scope {
	list := []Scope{}
	for i, one := range all {
		if s&(1<<i) != 0 {
			list = append(list, one)
		}
	}
	return list
}

// String is the set as OAuth writes it (RFC 6749 §3.3): names with a space between them, in the order of the specification.
func (s Set) String() string {
	names := make([]string, 0, len(all))
	for _, one := range s.List() {
		names = append(names, string(one))
	}
	return strings.Join(names, " ")
}

// Parse reads a scope parameter (RFC 6749 §3.3), in our names or StubHub's: names with one space between them. It fails with the first that is
// neither. An empty text is the empty set.
func Parse(text string) (Set, error) {
	var set Set
	if text == "" {
		return 0, nil
	}
	for name := range strings.SplitSeq(text, " ") {
		one, ok := Named(name)
		if !ok {
			return 0, fmt.Errorf("%.64q is not a scope; the scopes are %s", name, All())
		}
		set |= Of(one)
	}
	return set, nil
}

// Named returns the scope of a name, ours or StubHub's.
func Named(name string) (Scope, bool) {
	if s, ok := aliases[name]; ok {
		return s, true
	}
	return Scope(name), slices.Contains(all, Scope(name))
}

// seen says which scope lets somebody see facts about a noun. What is not here is for the organisation's own eyes only.
var seen = map[string]Scope{
	"event": EventsRead, "pool": EventsRead, "listing": EventsRead, "inventory": EventsRead, "venue": EventsRead, "waitinglist": EventsRead,
	"order": TicketsRead, "refund": TicketsRead, "ticket": TicketsRead, "transfer": TicketsRead, "hold": TicketsRead, "sale": TicketsRead,
	"pass": TicketsRead, "registration": TicketsRead, "payment": TicketsRead,
	"checkin": CheckinRead, "scan": CheckinRead, "gate": CheckinRead, "device": CheckinRead,
	"stamp": StampsRead, "passport": StampsRead,
}

// Sees tells whether somebody with these scopes may be told of a fact of the kind. An organisation's own messages need webhooks:manage.
func (s Set) Sees(k fact.Kind) bool {
	if !fact.Reserved(string(k)) {
		return s.Has(WebhooksManage)
	}
	noun, _, _ := strings.Cut(string(k), ".")
	need, ok := seen[noun]
	return ok && s.Has(need)
}
