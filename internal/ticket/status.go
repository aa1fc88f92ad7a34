package ticket

import (
	"slices"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Validity tells whether a ticket can admit somebody.
type Validity string

// The validities.
const (
	Reserved Validity = "reserved" // its order waits for the payment
	Valid    Validity = "valid"
	Blocked  Validity = "blocked" // for the time being
	Void     Validity = "void"    // for good
)

// Presence tells where a ticket's holder is.
type Presence string

// The presences.
const (
	Outside Presence = "outside"
	Inside  Presence = "inside"
)

// Status is what people are shown of validity and presence.
type Status string

// The statuses.
const (
	StatusReserved  Status = "reserved"
	StatusValid     Status = "valid"
	StatusCheckedIn Status = "checked_in" // valid, and inside
	StatusBlocked   Status = "blocked"
	StatusVoid      Status = "void"
)

// Status is what people are shown of the ticket.
func (t Ticket) Status() Status {
	if t.Validity == Valid && t.Presence == Inside {
		return StatusCheckedIn
	}
	return Status(t.Validity)
}

// conditions are the statuses in SQL.
var conditions = map[Status]string{
	StatusReserved:  `t.validity = 'reserved'`,
	StatusValid:     `t.validity = 'valid' AND t.presence = 'outside'`,
	StatusCheckedIn: `t.validity = 'valid' AND t.presence = 'inside'`,
	StatusBlocked:   `t.validity = 'blocked'`,
	StatusVoid:      `t.validity = 'void'`,
}

// allowed are the steps of a ticket's validity as far as somebody can ask for them; what is reserved becomes valid with its order.
var allowed = map[Validity][]Validity{
	Reserved: {Void},
	Valid:    {Blocked, Void},
	Blocked:  {Valid, Void},
	Void:     {},
}

// mayGo tells whether somebody may ask for the step; invalid_transition.
func mayGo(from, to Validity) error {
	if slices.Contains(allowed[from], to) {
		return nil
	}
	ways := make([]string, len(allowed[from]))
	for i, v := range allowed[from] {
		ways[i] = string(v)
	}
	open := "From there it can become " + strings.Join(ways, " or ") + "."
	if len(ways) == 0 {
		open = "That is final."
	}
	return problem.New(problem.Conflict, "invalid_transition", "The ticket is %s and cannot become %s. %s", from, to, open)
}
