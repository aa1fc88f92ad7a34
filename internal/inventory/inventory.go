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
// claims. Facts: listing.changed when a seller changes a listing or its status flips, not for each sale; pool.exhausted when an event
// comes to nothing free and nothing held, and pool.reopened on the way back, on the edges only.
//
// Locking: whoever calls a function that changes stock first locks the event with [event.Lock]; so one event's stock has one writer.
package inventory

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
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
	Price      money.Amount // of one unit
	SplitRule  Rule
	Status     Status
	Version    int64 // 1 and growing; sales do not raise it
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Free is what is for sale now: nothing unless the listing is active.
func (l Listing) Free() int { panic("unwritten") }

// Splits lists the quantities that can be bought now, ascending.
func (l Listing) Splits() []int { panic("unwritten") }

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
}

// New makes a stock.
func New(l Ledger) *Stock { return &Stock{ledger: l} }

// Input is what a listing is made from.
type Input struct {
	Event      id.Event
	ExternalID string // at most 200 characters
	Section    string // 1 to 100 characters, like Row
	Row        string
	Quantity   int      // 1 to 1,000,000; at most 1,000 with seats, at most 20 with split rule none
	Seats      []string // as many different labels as Quantity, 1 to 50 characters each; nil where places are not numbered
	Price      money.Decimal
	Currency   money.Currency // the event's when empty
	SplitRule  Rule           // Any when empty
	Status     Status         // Active when empty, Draft or Paused
}

// Create makes a listing. It fails with event_not_found, event_cancelled (also for a completed event), seat_taken when another listing of
// the event offers or has sold one of the seats, and field errors.
func (s *Stock) Create(tx *db.Tx, org int64, in Input) (Listing, error) { panic("unwritten") }

// Patch is a change to a listing: what is nil stays.
type Patch struct {
	Version    int64 // If-Match: the version that the change was made for; 0 for whatever there is
	ExternalID *string
	Section    *string // section and row stay once something is sold
	Row        *string
	Total      *int     // totalQuantity; not below held + sold
	Seats      []string // the old labels with more behind them, or fewer of them; with Total left out they set it
	Price      *money.Decimal
	Currency   *money.Currency // needs Price with it
	SplitRule  *Rule
	Status     *Status // Active, Paused, Draft (a draft only) or Withdrawn
}

// Update changes a listing. It fails with listing_not_found, version_mismatch, invalid_transition, listing_below_sold when Total would
// fall below what is held and sold, seat_taken, seats_fixed, listing_held, and field errors.
func (s *Stock) Update(tx *db.Tx, org int64, listing id.Listing, p Patch) (Listing, error) {
	panic("unwritten")
}

// Withdraw takes a listing off the market for good; what it sold stays sold. It fails with listing_not_found, version_mismatch, and
// listing_held while units are held. Withdrawing twice is fine. version is If-Match, 0 for whatever there is.
func (s *Stock) Withdraw(tx *db.Tx, org int64, listing id.Listing, version int64) (Listing, error) {
	panic("unwritten")
}

// ByID finds a listing; listing_not_found.
func ByID(q db.Querier, org int64, listing id.Listing) (Listing, error) { panic("unwritten") }

// Filter says which listings of an event a list shows.
type Filter struct {
	Event     id.Event      // required
	Listing   id.Listing    // empty for all
	MinPrice  money.Decimal // empty for none; in each listing's own currency
	MaxPrice  money.Decimal
	Quantity  int    // 1 to 20: only listings that sell that many; 0 for all
	Status    string // "active" (or empty), "draft", "paused", "sold_out", "withdrawn", "expired", "all"
	SortBy    string // "price" (or empty), "section", "row"
	SortOrder string // "asc" (or empty), "desc"
	Limit     int    // 1 to 100; 50 when 0
	Offset    int
}

// List returns the event, a page of its listings, and how many there are in all. It fails with event_not_found and with field errors,
// whose pointers name the query parameters.
func List(q db.Querier, org int64, f Filter) (ev event.Event, page []Listing, total int, err error) {
	panic("unwritten")
}

// Free returns how many units of each event are for sale now, by the event's number. Events without stock are left out.
func Free(q db.Querier, org int64, eventNos ...int64) (map[int64]int, error) { panic("unwritten") }

// Audit recomputes stock from the claims and returns a sentence for each thing that differs.
func Audit(q db.Querier) ([]string, error) { panic("unwritten") }

// Sold returns how many units each listing says are sold, by the listing's number, for audits of others.
func Sold(q db.Querier) (map[int64]int, error) { panic("unwritten") }
