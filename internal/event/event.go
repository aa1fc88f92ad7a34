// Package event keeps the calendar: live events and the venues they take place in.
//
// An [Event] holds wall clock and IANA zone as the truth; the instants are derived from them. The [Calendar] changes events and appends
// the facts; [ByID], [List] and [Lock] read them. An event goes
//
//	draft → published ⇄ postponed, published → completed, published or postponed → cancelled
//
// and cancelled and completed are the end. "Past" is no state: it follows from [Event.EndsAt]. A wall clock that a change of the clocks
// skips is read with the offset before it (02:30 becomes 03:30), and of one that comes twice the first is meant.
//
// Facts begin with the publication: nothing that happens to a draft is told to anybody. From then on each change appends exactly one fact,
// and a change that changes nothing appends none. Every fact's data is a [Snapshot]: the whole public event as it was then, with the names
// of the fields that changed.
//
// What is for sale is counted by package inventory. Its promise and this package's meet in [Lock]: whoever changes an event's stock locks
// the event first, so the status that was read stays true until the transaction ends.
package event

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Event is a live event.
type Event struct {
	No            int64 // the number that other tables carry
	ID            id.Event
	Name          string
	Description   string
	Category      string
	URL           string
	Online        bool
	StartLocal    string // wall clock in Timezone, [Layout]
	EndLocal      string // the same; of an all-day event its last day at 00:00; empty when none was given
	Timezone      string // IANA
	AllDay        bool
	StartsAt      time.Time
	EndsAt        time.Time // without EndLocal six hours after the start; of an all-day event the end of its last day
	PreviousStart time.Time // before the last change of date; zero when there was none
	Venue         Venue
	Currency      money.Currency
	OnSaleAt      time.Time // from then on orders are taken; zero for from the publication on
	OffSaleAt     time.Time // and until then, excluded; zero for until the end
	Status        Status
	Version       int64 // 1 and growing
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Status is where an event stands.
type Status string

// The statuses.
const (
	Draft     Status = "draft"
	Published Status = "published"
	Postponed Status = "postponed" // to a date not yet known; StartsAt is the old one
	Cancelled Status = "cancelled"
	Completed Status = "completed"
)

// Layout is the form of wall clocks, for [time.Parse].
const Layout = "2006-01-02T15:04:05"

// OnSale tells whether orders are taken at t: see [Event.Sells].
func (e Event) OnSale(t time.Time) bool { return e.Sells(t) == nil }

// Sells tells why nothing of the event is sold at t, or nil: it fails as [Event.Takes] does, with not_on_sale_yet, which names the instant, and with
// sale_ended.
func (e Event) Sells(t time.Time) error {
	if err := e.Takes(t); err != nil {
		return err
	}
	return Window(t, e.OnSaleAt, e.OffSaleAt)
}

// Takes tells why the event takes no orders at t at all, or nil: event_cancelled, and event_not_on_sale where it is not published, or over.
func (e Event) Takes(t time.Time) error {
	switch {
	case e.Status == Published && t.Before(e.EndsAt):
		return nil
	case e.Status == Cancelled:
		return problem.New(problem.Conflict, "event_cancelled", "The event is cancelled; nothing is sold for it any more.")
	case e.Status == Published:
		return problem.New(problem.Conflict, "event_not_on_sale", "The event is over.")
	}
	return problem.New(problem.Conflict, "event_not_on_sale", "The event is %s; orders are taken while it is published.", e.Status)
}

// Window tells why nothing is sold at t of what is sold from one instant on and until another, zero for no bound: not_on_sale_yet and sale_ended.
func Window(t, from, until time.Time) error {
	switch {
	case t.Before(from):
		return problem.New(problem.Conflict, "not_on_sale_yet", "The sale begins at %s; come back then.", fact.Instant(from))
	case !until.IsZero() && !t.Before(until):
		return problem.New(problem.Conflict, "sale_ended", "The sale ended at %s.", fact.Instant(until))
	}
	return nil
}

// Ledger is where facts are written down.
type Ledger interface {
	Append(tx *db.Tx, facts ...*fact.Fact) error
}

// Calendar changes events.
type Calendar struct {
	ledger  Ledger
	ordered Ordered
	gone    Gone // nil for nothing to do
}

// Ordered tells whether an event has ever had an order.
type Ordered func(q db.Querier, org, eventNo int64) (bool, error)

// Gone does what follows when an event is deleted, in the transaction that deletes it: the event is locked, and is still there. If it fails, the event stays.
type Gone func(tx *db.Tx, org int64, e Event) error

// New makes a calendar.
func New(l Ledger, ordered Ordered) *Calendar { return &Calendar{ledger: l, ordered: ordered} }

// OnDelete says what follows when an event is deleted, such as that nothing is listed for it any more. It is called before the calendar is used, once.
func (c *Calendar) OnDelete(f Gone) { c.gone = f }

// Input is what an event is made from. Lengths are in characters.
type Input struct {
	ID          id.Event // made when empty
	Name        string   // 1 to 500, one line
	Description string   // at most 50,000
	Category    string   // at most 1,000
	URL         string   // http or https, at most 2,000 bytes
	Online      bool
	StartLocal  string // [Layout]
	EndLocal    string
	Timezone    string // IANA; the organisation's when empty
	AllDay      bool   // StartLocal and EndLocal are at 00:00, EndLocal is the last day
	Venue       string // at most 1,000, like City and Region
	City        string
	Region      string
	Country     string
	Latitude    *float64       // of the venue, in degrees, with Longitude; nil for what is known of it
	Longitude   *float64       // -180 to 180
	Currency    money.Currency // the organisation's when empty
	OnSaleAt    time.Time      // zero for no bound, like OffSaleAt, which lies behind it
	OffSaleAt   time.Time
	Status      Status // Published when empty, or Draft
}
