package ticket

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
)

// Snapshot is the data of facts about tickets: all that envelopes show but the people, as of that moment.
type Snapshot struct {
	TicketID   id.Ticket         `json:"ticketId"`
	OrderID    id.Order          `json:"orderId"`
	Place      int               `json:"place"`  // 1 to Places
	Places     int               `json:"places"` // how many tickets the order has
	EventID    id.Event          `json:"eventId"`
	Section    string            `json:"section"`
	Row        string            `json:"row"`
	Seat       string            `json:"seat,omitempty"`
	PriceMinor int64             `json:"priceMinor"` // in Currency's minor units
	Currency   money.Currency    `json:"currency"`
	Status     Status            `json:"status"`
	Generation int               `json:"generation"`
	ValidFrom  *fact.Instant     `json:"validFrom,omitempty"`
	ValidUntil *fact.Instant     `json:"validUntil,omitempty"`
	Reason     Reason            `json:"reason,omitempty"`   // ticket.voided
	Changes    []string          `json:"changes,omitempty"`  // ticket.changed: what of it is another
	Transfer   *TransferSnapshot `json:"transfer,omitempty"` // of facts about a transfer
	Version    int64             `json:"version"`
	CreatedAt  fact.Instant      `json:"createdAt"`
	UpdatedAt  fact.Instant      `json:"updatedAt"`
}

// TransferSnapshot is what facts say of a transfer.
type TransferSnapshot struct {
	N         int           `json:"n"` // 1, 2, … for each ticket
	State     TransferState `json:"state"`
	ExpiresAt fact.Instant  `json:"expiresAt"`
}

// Reason says why a ticket became void.
type Reason string

// The reasons.
const (
	TicketCancelled Reason = "ticket_cancelled"
	OrderCancelled  Reason = "order_cancelled"
	OrderRefunded   Reason = "order_refunded"
)

// Snapshot returns the ticket as facts show it.
func (t Ticket) Snapshot() Snapshot {
	return Snapshot{
		TicketID: t.ID, OrderID: t.OrderID, Place: t.Place, Places: t.Places, EventID: t.EventID, Section: t.Section, Row: t.Row, Seat: t.Seat,
		PriceMinor: t.Price.Minor, Currency: t.Price.Currency, Status: t.Status(), Generation: t.Generation, ValidFrom: shown(t.ValidFrom),
		ValidUntil: shown(t.ValidUntil), Version: t.Version, CreatedAt: fact.Instant(t.CreatedAt), UpdatedAt: fact.Instant(t.UpdatedAt),
	}
}

func shown(at time.Time) *fact.Instant {
	if at.IsZero() {
		return nil
	}
	i := fact.Instant(at)
	return &i
}

// step counts a change that was made to the ticket and returns its fact. more, which may be nil, says more in it.
func (t *Ticket) step(tx *db.Tx, kind fact.Kind, more func(*Snapshot)) (*fact.Fact, error) {
	t.Version, t.UpdatedAt = t.Version+1, tx.Now()
	s := t.Snapshot()
	if more != nil {
		more(&s)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return &fact.Fact{Org: t.org, Kind: kind, Subject: string(t.ID), Version: t.Version, Data: data}, nil
}

// written writes a ticket and appends its facts.
func (r *Roll) written(tx *db.Tx, t Ticket, told ...*fact.Fact) error {
	if err := update(tx, t); err != nil {
		return err
	}
	if err := r.ledger.Append(tx, told...); err != nil {
		return fmt.Errorf("append facts of ticket %s: %w", t.ID, err)
	}
	return nil
}
