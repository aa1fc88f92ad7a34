// Package inventory counts what is scarce. It is the only place that does: every sale and every return goes through it.
//
// A [Listing] offers units of one section and row, by number ("ordinal") and, where places are numbered, by seat. An event's pool holds
// the sums over its listings. An order takes units in its own transaction: [Stock.Pick] finds a listing that can give them and changes
// nothing, [Stock.Take] takes them, [Stock.Release] gives them back. Units are allocated by lowest free ordinal, so what was given back is
// sold first. A [Rule] says which quantities a listing sells, so that nobody is left with a single seat.
//
// A listing goes
//
//	draft → active ⇄ paused, active ⇄ sold_out (by itself), any of these → withdrawn or expired
//
// Promises: held + sold never exceed what is listed, for a listing and for an event, whatever the concurrency (CHECK constraints stand
// behind the rules); a unit and a seat have one live claim at most (primary key and unique index); [Audit] recomputes every sum from the
// claims. Facts: listing.changed when a seller changes a listing that is no draft or its status flips, not for each sale; pool.exhausted
// when an event that has sold something comes to nothing free and nothing held, and pool.reopened on the way back, on the edges only.
//
// A [TicketType] is what an organisation sells itself. It offers its units in a listing of its own, whose section is the type's name, and draws on one or
// more of the event's named pools ([Pool]): a unit of the type takes one unit of each, so Adult and Child can share a hall. What is free of a type is what
// is free in the fullest of its pools, and its listing is sold out as soon as nothing is, whoever took it. The event's sums count a type's places in
// the first of its pools.
//
// A [Hold] keeps units for somebody who has not ordered yet. It goes
//
//	active → converted | released | expired
//
// and each of these is the end. Its places are claimed from the beginning and become the order's as they are. From its end on, a hold can
// not be converted any more; its units are free for whoever needs them ([Stock.Pick] looks when there are too few), and [Stock.ExpireSome] frees
// them in any case. Facts: hold.placed, hold.released, hold.expired; what a hold is converted into, the order tells.
//
// A place can have barcodes ([BarcodeSet]), uploaded for a listing ([Stock.ReceiveBarcodes]) or for an order. They are sealed at rest, checked against the event's
// [BarcodeRule], and no value is had by two places of an event (primary key). They end with the place: when its order gives it back, when it is listed no
// more, or when it gets another name. Facts: listing.barcodes_failed, listing.barcodes_received.
//
// A pool's capacity counts what its listings list; of a withdrawn or expired listing only what it has held or sold. Units of drafts, of
// paused listings and of those that cannot be delivered are blocked.
//
// Dates take a listing off the market by themselves: from its ExpiresAt on it is expired, and from its DeliverBy on it is undeliverable as long as it is of a
// kind whose tickets are codes and not all of its places have some (Deliverability: ok ⇄ expired). Both hold from that instant on for whoever wants to buy
// ([Listing.AsOf]); that they are written down, counted in the event's pool and told may take until somebody changes the listing, or until
// [Stock.LapseSome]. Holds of such a listing stay good. Facts: listing.changed, and listing.deliverability_expired for each time that it is no longer deliverable.
//
// With an event that is deleted all that is listed for it comes to its end ([Stock.CloseEvent]).
//
// Of the listings of an organisation that are not at their end, an external id names one ([ByExternalID], a unique index).
//
// Locking: whatever changes an event's stock has locked the event first with event.Lock, so that stock has one writer at a time and what
// was read stays true. [Stock.Pick] to [Stock.Release] leave that to their caller, the others do it themselves.
package inventory

import (
	"slices"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Listing is an offer of units of one section and row.
type Listing struct {
	No         int64 // the number that other tables carry
	ID         id.Listing
	EventNo    int64
	EventID    id.Event
	ExternalID string // the seller's own name for it
	Section    string
	Row        string
	Seats      []string // labels by ordinal; nil where places are not numbered
	Total      int      // listed in all
	Held       int
	Sold       int
	Price      money.Amount  // of one unit
	Type       id.TicketType // whose units it offers; empty for none
	Least      int           // of a type: how many an order takes at least and at most; 0 for what the split rule says
	Most       int
	SplitRule  Rule
	Status     Status
	Version    int64 // 1 and growing, with every sale too
	CreatedAt  time.Time
	UpdatedAt  time.Time

	DeliveryKind   DeliveryKind
	InHandAt       time.Time      // when the seller has the tickets; zero where it is not said
	DeliverBy      time.Time      // from then on tickets that are codes are for sale only if all are there; zero for never
	ExpiresAt      time.Time      // from then on its status is expired; zero for never
	FaceValue      *money.Amount  // of one unit, in Price's currency; nil where it is not said
	Notes          []string       // for buyers
	Deliverability Deliverability // Deliverable or Undeliverable
	Barcoded       int            // how many places, sold ones too, have barcodes that count

	keyed     bool // its external id names it
	highWater int  // ordinals below are claimed, or were given back
	room      int  // of a type: what is free in all of its pools
	ceiling   int  // of a type: the capacity of its smallest pool
}

// Free is what is for sale now: nothing unless the listing is active and can be delivered.
func (l Listing) Free() int {
	if l.Status != Active || l.Deliverability == Undeliverable {
		return 0
	}
	return l.left()
}

// left is what is neither held nor sold, for sale or not.
func (l Listing) left() int {
	if l.Type != "" {
		return min(l.Total-l.Held-l.Sold, l.room)
	}
	return l.Total - l.Held - l.Sold
}

// Listed is what is listed in all: of a ticket type no more than its smallest pool has.
func (l Listing) Listed() int {
	if l.Type != "" {
		return min(l.Total, l.ceiling)
	}
	return l.Total
}

// Splits lists the quantities that can be bought now, ascending.
func (l Listing) Splits() []int {
	all := AllowedQuantities(l.SplitRule, l.Free())
	if l.Most > 0 {
		all = slices.DeleteFunc(all, func(n int) bool { return n < l.Least || n > l.Most })
	}
	return all
}

// Status is where a listing stands.
type Status string

// The statuses.
const (
	Draft     Status = "draft"
	Active    Status = "active"
	Paused    Status = "paused"
	SoldOut   Status = "sold_out" // active with nothing left; it comes and goes by itself
	Expired   Status = "expired"
	Withdrawn Status = "withdrawn"
)

// Ledger is where facts are written down.
type Ledger interface {
	Append(tx *db.Tx, facts ...*fact.Fact) error
}

// Stock changes listings and what is left of them.
type Stock struct {
	ledger Ledger
	keys   *seal.Keyring

	mu       sync.Mutex // guards expected
	expected map[expectedHold]bool
}

// New makes a stock. The keyring seals barcodes; without barcodes it may be nil.
func New(l Ledger, keys *seal.Keyring) *Stock {
	return &Stock{ledger: l, keys: keys, expected: map[expectedHold]bool{}}
}
