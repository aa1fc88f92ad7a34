// Package order keeps the book of orders: who bought what, and how far each order has come.
//
// A [Book] places orders ([Book.Place]) and moves them on ([Book.SetStatus], [Book.RaiseIssue], [Book.NotReceived], [Book.ReceiveBarcodes],
// [Book.Refund]). Which way an order may go is a table, [Allowed]; anything else is a conflict that names the ways that are open. Every move appends
// exactly one fact, and asking for the status that an order already has is a success that changes nothing.
//
// An order's stock is taken and given back in the order's own transaction, through package inventory: a placed order has its units, and
// an order that was cancelled or wholly refunded has none. What the event and the listing said is copied when the order is placed.
//
// An order's tickets follow it in the same transaction, through [Tickets]: package ticket makes and voids them.
//
// Personal data (e-mail, phone, notes) is kept in a table of its own and never enters a fact: whoever renders an envelope asks [People].
// Stagedoor moves no money; an order keeps what was captured and refunded and whose payment it was.
package order

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
)

// Order is an order, with the people in it.
type Order struct {
	No             int64
	ID             id.Order
	Number         id.OrderNumber
	EventNo        int64
	EventID        id.Event
	EventName      string
	EventDate      time.Time // the true instant, UTC
	EventTimezone  string
	EventVenue     string
	EventLocation  string // "city, region or country"
	ListingNo      int64
	ListingID      id.Listing
	Section        string
	Row            string
	Seats          []string // nil where places are not numbered
	Quantity       int
	Class          int // of the ticket type that it was placed for, for its tickets; 0 for none, and once it is placed
	UnitPrice      money.Amount
	Total          money.Amount
	Captured       money.Amount
	Refunded       money.Amount
	Payment        Payment
	Status         Status
	PreviousStatus Status         // empty when there was none
	IssueCause     Cause          // of the open issue; empty without one
	TransferMethod TransferMethod // of the last fulfilment; empty before
	SaleNo         int64          // the number by which partners know it; of a hold that it was, the same
	Sale           inventory.Sale // the seller's view, as it was when the order was placed
	Version        int64          // 1 and growing
	CreatedAt      time.Time
	UpdatedAt      time.Time
	People         People

	units []int // the listing's ordinals that it has, or had
}

// People is the personal data of an order. All of it is empty once it was erased.
type People struct {
	Customer     Customer
	TransferNote string
	IssueReason  string // or what was noted when the buyer did not receive the tickets
	RefundReason string // of the last refund
}

// Customer is who bought.
type Customer struct {
	Email string
	Phone Phone
}

// Phone is a telephone number.
type Phone struct {
	Number      string // 4 to 15 digits
	CountryCode string // + and 1 to 4 digits
}

// Payment says whose payment an order stands on. Both may be empty.
type Payment struct {
	Provider  string // at most 100 characters
	Reference string // at most 200 characters
}

// Ledger is where facts are written down.
type Ledger interface {
	Append(tx *db.Tx, facts ...*fact.Fact) error
}

// Tickets are the tickets of orders. Follow is called in the transaction that placed an order (PreviousStatus is empty then) or changed its
// status, after that, and has the tickets follow. It returns their facts, which the book appends after the order's own.
type Tickets interface {
	Follow(tx *db.Tx, org int64, o Order) ([]*fact.Fact, error)
}

// Book changes orders.
type Book struct {
	ledger  Ledger
	stock   *inventory.Stock
	tickets Tickets
}

// New makes a book.
func New(l Ledger, s *inventory.Stock, t Tickets) *Book {
	return &Book{ledger: l, stock: s, tickets: t}
}
