// Package ticket keeps the roll of tickets: who may come in on which place of which order.
//
// A [Roll] makes one [Ticket] for each place of an order, in the order's own transaction ([Roll.Follow]): reserved while the order is
// provisional, valid from its confirmation on, void when the order was cancelled or wholly refunded. What a ticket is, are two things that
// do not depend on each other:
//
//	validity   reserved → valid ⇄ blocked, and all of them → void, which is the end
//	presence   outside ⇄ inside, by what happens at the door only
//
// [Ticket.Status] is what of it people are shown. A single ticket can be cancelled ([Roll.Cancel]): it admits nobody any more, and that is
// all. Its place stays the order's, so that it is not sold twice, and no money moves; both go back through the order.
//
// A [Transfer] gives a ticket to somebody else. Its holder offers it to an e-mail address, one offer at a time:
//
//	offered → accepted | declined | revoked | expired
//
// An acceptance names the new holder and makes a new generation, with which the codes of the old one are not good any more. The inventory
// is not touched. An offer can be accepted until its last instant and not after it, whenever its end is written down.
//
// Each step appends exactly one fact, whose subject is the ticket, and asking for what is so already is a success that changes nothing. A
// ticket's version is the number of its facts. A ticket that was never issued has none: its reservation is its order's affair.
//
// Personal data (a holder's name, addresses) is in no fact. A new ticket's holder is its order's customer.
package ticket

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
)

// Ticket is a ticket, with its holder.
type Ticket struct {
	No         int64 // the number that other tables carry
	ID         id.Ticket
	OrderID    id.Order
	Place      int // 1 to Places: which of the order's places it is
	Places     int // how many the order has
	EventNo    int64
	EventID    id.Event
	Section    string
	Row        string
	Seat       string       // empty where places are not numbered
	Price      money.Amount // of this one place
	Validity   Validity
	Presence   Presence
	Generation int       // 1 and growing; codes of earlier generations are not good any more
	ValidFrom  time.Time // zero for no bound but the event's
	ValidUntil time.Time // the same
	Version    int64     // how many facts it has; 0 while it was never issued
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Holder     Holder

	org    int64
	mark   int64 // the random half of the id
	offers int   // transfers that were ever offered
}

// Holder is whose ticket it is. All of it is empty once it was erased.
type Holder struct {
	Name  string // at most 200 characters, may be empty
	Email string
}

// Ledger is where facts are written down.
type Ledger interface {
	Append(tx *db.Tx, facts ...*fact.Fact) error
}

// Roll makes and changes tickets.
type Roll struct {
	ledger Ledger
}

// New makes a roll.
func New(l Ledger) *Roll { return &Roll{ledger: l} }
