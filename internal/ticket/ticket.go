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
// Codes ([Roll.CodesOf]) are what a ticket is shown with. The one in the QR code is signed (package [ticketcode]) with the newest [Key] of the organisation. It is
// kept nowhere: Ed25519 gives the same signature again. It says the ticket, its generation, its class, and the bounds of its validity as far as the ticket has
// some of its own. The event's times are not in it, because events are moved after codes were printed: a door knows when it is open. So codes have no end by
// themselves, and a key that was replaced counts until somebody retires it ([Roll.RetireKey]).
//
// The short one, to type, is derived from a secret of the organisation, the ticket and its generation. What it is found by, a keyed hash, is written down
// when it is first shown to somebody: one that nobody has seen cannot be typed. So an order writes nothing for its tickets' codes, which would be a random place
// in an index for each; and tickets that are older than codes need nothing.
//
// What is not good any more is in the list of revocations ([Roll.RevocationsSince]), for gates without network: all codes of a void ticket, those of earlier
// generations, and the present one while a ticket is blocked. It changes in the transaction that changes the ticket. [Roll.Present] tells at the door what a
// code is worth, by the ticket itself. An event may have its codes rotate ([Roll.Rotate]).
//
// Each step appends exactly one fact, whose subject is the ticket, and asking for what is so already is a success that changes nothing. A
// ticket's version is the number of its facts. A ticket that was never issued has none: its reservation is its order's affair.
//
// Personal data (a holder's name, addresses) is in no fact. A new ticket's holder is its order's customer.
package ticket

import (
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/seal"
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
	Class      int       // the kind of ticket by its event's numbering, for doors that admit some kinds only; 0 for the plain kind
	ValidFrom  time.Time // zero for no bound but the event's
	ValidUntil time.Time // the same
	Version    int64     // how many facts it has; 0 while it was never issued
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Holder     Holder

	org    int64
	mark   int64 // the random half of the id
	offers int   // transfers that were ever offered

	revoked int // what through was when the ticket was read
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

// Roll makes and changes tickets, and their codes. It is safe for use by many goroutines.
type Roll struct {
	ledger Ledger
	db     *db.DB        // for what is written down when it is first asked for, outside of the asker's transaction
	seals  *seal.Keyring // of what codes are made with

	mu    sync.Mutex // guards books
	books map[int64]*codebook
}

// New makes a roll.
func New(l Ledger, d *db.DB, seals *seal.Keyring) *Roll {
	return &Roll{ledger: l, db: d, seals: seals, books: map[int64]*codebook{}}
}
