package gate

import (
	"encoding/json"

	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Snapshot is the data of facts about check-ins, whose subject is the check-in.
type Snapshot struct {
	CheckinID id.Checkin     `json:"checkinId"`
	TicketID  id.Ticket      `json:"ticketId,omitempty"` // none where the code was of no ticket
	OrderID   id.Order       `json:"orderId,omitempty"`
	EventID   id.Event       `json:"eventId,omitempty"` // none where nobody knows which
	ListID    id.CheckinList `json:"listId,omitempty"`  // none for the event's default that has no row
	Gate      string         `json:"gate,omitempty"`    // its name
	Direction Direction      `json:"direction"`
	Mode      Mode           `json:"mode"`
	At        fact.Instant   `json:"at"` // when the code was presented
	Result    string         `json:"result"`
	Reason    string         `json:"reason,omitempty"`
	Against   *Rival         `json:"against,omitempty"` // of a conflict: what holds the entry
}

// Rival is the check-in that holds the entry which another was made on too.
type Rival struct {
	CheckinID id.Checkin   `json:"checkinId"`
	Gate      string       `json:"gate,omitempty"`
	At        fact.Instant `json:"at"`
}

// tell counts a step of the check-in and returns its fact. rival is what it is a conflict with, nil for none.
func (c *Checkin) tell(kind fact.Kind, rival *Checkin) (*fact.Fact, error) {
	c.Facts++
	s := Snapshot{
		CheckinID: c.ID, TicketID: c.TicketID, OrderID: c.OrderID, EventID: c.EventID, ListID: c.ListID, Gate: c.Gate, Direction: c.Direction, Mode: c.Mode,
		At: fact.Instant(c.At), Result: string(c.Status()), Reason: c.Reason,
	}
	if rival != nil {
		s.Against = &Rival{rival.ID, rival.Gate, fact.Instant(rival.At)}
	}
	data, err := json.Marshal(s)
	return &fact.Fact{Org: c.org, Kind: kind, Subject: string(c.ID), Version: c.Facts, Key: string(c.TicketID), Data: data}, err
}
