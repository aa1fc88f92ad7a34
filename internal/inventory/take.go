package inventory

import (
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Want says what an order wants: a listing, or the cheapest one of a section and row.
type Want struct {
	Listing  id.Listing // empty when section and row say it
	Section  string
	Row      string
	Quantity int // 1 to MaxPerOrder
}

// Pick is a choice of units that nobody else can take as long as the event is locked.
type Pick struct {
	Listing  Listing // before the units are taken
	Ordinals []int   // ascending, one for each unit
	Seats    []string
	state    state
}

// state is what Take needs to know besides.
type state struct{}

// Pick chooses units and changes nothing, so failing costs nothing. The event must be locked by this transaction. It fails with
// listing_not_found, listing_not_on_sale, not_enough_tickets and split_not_allowed, which names the quantities that are allowed.
func (s *Stock) Pick(tx *db.Tx, org int64, ev event.Event, w Want) (*Pick, error) { panic("unwritten") }

// Take sells the picked units to an order. Between Pick and Take nothing else may change the event's stock.
func (s *Stock) Take(tx *db.Tx, org int64, ev event.Event, p *Pick, orderNo int64) error {
	panic("unwritten")
}

// Return is what an order gives back.
type Return struct {
	Order    int64
	Listing  int64 // its number
	Ordinals []int
}

// Release gives an order's units back. The event must be locked by this transaction.
func (s *Stock) Release(tx *db.Tx, org int64, ev event.Event, r Return) error { panic("unwritten") }
