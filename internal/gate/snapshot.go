package gate

import (
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Snapshot is the data of facts about check-ins, whose subject is the check-in.
type Snapshot struct {
	CheckinID id.Checkin   `json:"checkinId"`
	TicketID  id.Ticket    `json:"ticketId,omitempty"` // none where the code was of no ticket
	OrderID   id.Order     `json:"orderId,omitempty"`
	EventID   id.Event     `json:"eventId"`
	At        fact.Instant `json:"at"` // when the code was presented
	Result    string       `json:"result"`
}
