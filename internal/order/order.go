// Package order keeps the book of orders: who bought what, and how far each order has come.
//
// A [Book] places orders ([Book.Place]) and moves them on ([Book.SetStatus], [Book.RaiseIssue], [Book.Refund]). Which way an order may go
// is a table, [Allowed]; anything else is a conflict that names the ways that are open. Every move appends exactly one fact, and asking
// for the status that an order already has is a success that changes nothing.
//
// An order's stock is taken and given back in the order's own transaction, through package inventory: a placed order has its units, and
// an order that was cancelled or wholly refunded has none. What the event and the listing said is copied when the order is placed.
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
	UnitPrice      money.Amount
	Total          money.Amount
	Captured       money.Amount
	Refunded       money.Amount
	Payment        Payment
	Status         Status
	PreviousStatus Status         // empty when there was none
	TransferMethod TransferMethod // empty unless it has been fulfilled
	Version        int64          // 1 and growing
	CreatedAt      time.Time
	UpdatedAt      time.Time
	People         People

	units []int // the listing's ordinals
}

// People is the personal data of an order. All of it is empty once it was erased.
type People struct {
	Customer     Customer
	TransferNote string
	IssueReason  string
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

// Book changes orders.
type Book struct {
	ledger Ledger
	stock  *inventory.Stock
}

// New makes a book.
func New(l Ledger, s *inventory.Stock) *Book { return &Book{ledger: l, stock: s} }

// Input is what an order is placed with: a listing, or a section and a row, of which the cheapest listing is taken that sells the
// quantity.
type Input struct {
	Event    id.Event
	Listing  id.Listing
	Section  string // with Listing it may be left out; if given, it must be the listing's
	Row      string
	Quantity int // 1 to 20
	Customer Customer
	Payment  Payment
}

// Place places an order and returns it with its fact, order.confirmed. It fails with field errors, event_not_found, event_cancelled,
// event_not_on_sale (not published, or over), and what [inventory.Stock.Pick] fails with; then nothing was changed.
func (b *Book) Place(tx *db.Tx, org int64, in Input) (Order, *fact.Fact, error) { panic("unwritten") }

// Change asks for a new status.
type Change struct {
	Version        int64          // If-Match: the version that the change was made for; 0 for whatever there is
	Status         Status         // Confirmed, Accepted, Fulfilled or Cancelled
	TransferMethod TransferMethod // with Fulfilled; MobileTransfer when empty
	TransferNote   string         // with Fulfilled, at most 1,000 characters; "Transferred via …" when empty
}

// SetStatus moves an order on. The fact is nil when the order had that status already. It fails with field errors, order_not_found,
// version_mismatch and invalid_transition, which says what is allowed. Cancelling gives the stock back.
func (b *Book) SetStatus(tx *db.Tx, org int64, order id.Order, c Change) (Order, *fact.Fact, error) {
	panic("unwritten")
}

// Cancel is SetStatus with the status cancelled.
func (b *Book) Cancel(tx *db.Tx, org int64, order id.Order) (Order, *fact.Fact, error) {
	return b.SetStatus(tx, org, order, Change{Status: Cancelled})
}

// RaiseIssue notes that something is wrong with an order; SetStatus resolves it. The fact is nil when an issue was open already, but the
// new reason (at most 1,000 characters) is kept. version is If-Match, 0 for whatever there is.
func (b *Book) RaiseIssue(tx *db.Tx, org int64, order id.Order, reason string, version int64) (Order, *fact.Fact, error) {
	panic("unwritten")
}

// RefundInput says what to refund.
type RefundInput struct {
	Version int64         // If-Match: the version that the change was made for; 0 for whatever there is
	Amount  money.Decimal // in the order's currency; all that is left when empty
	Reason  string        // at most 1,000 characters
}

// Refund notes that money went back and appends refund.completed. Refunds add up; when all is refunded the status becomes refunded, which
// only a fulfilled or cancelled order can, and stock that the order still had goes back. It fails with field errors, order_not_found,
// version_mismatch, nothing_to_refund, refund_too_large and invalid_transition.
func (b *Book) Refund(tx *db.Tx, org int64, order id.Order, in RefundInput) (Order, *fact.Fact, error) {
	panic("unwritten")
}

// ByID finds an order; order_not_found.
func ByID(q db.Querier, org int64, order id.Order) (Order, error) { panic("unwritten") }

// Filter says which orders a list shows.
type Filter struct {
	Event  id.Event // empty for all
	Status Status   // empty for all
	Email  string   // the customer's, upper and lower case alike; empty for all
	Before id.Order // only orders older than this one; empty for all
	Limit  int      // 1 to 100; 50 when 0
	Offset int
}

// List returns a page of orders, newest first, and how many there are in all (whatever Before says). It fails with field errors, whose
// pointers name the query parameters.
func List(q db.Querier, org int64, f Filter) (page []Order, total int, err error) { panic("unwritten") }

// PeopleOf returns the personal data of an order, for whoever renders an envelope; order_not_found.
func PeopleOf(q db.Querier, org int64, order id.Order) (People, error) { panic("unwritten") }

// Exists tells whether an event has ever had an order.
func Exists(q db.Querier, org, eventNo int64) (bool, error) { panic("unwritten") }

// Audit recomputes stock and totals from the orders and returns a sentence for each thing that differs.
func Audit(q db.Querier) ([]string, error) { panic("unwritten") }
