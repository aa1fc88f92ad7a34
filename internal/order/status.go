package order

import (
	"slices"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Status is how far an order has come.
type Status string

// The statuses.
const (
	Provisional Status = "provisional" // waits for its payment
	Confirmed   Status = "confirmed"
	Accepted    Status = "accepted"
	Issue       Status = "issue" // portal's purchase_issues
	Fulfilled   Status = "fulfilled"
	Cancelled   Status = "cancelled"
	Refunded    Status = "refunded"
)

// TransferMethod is how the tickets reached the buyer.
type TransferMethod string

// The methods.
const (
	MobileTransfer  TransferMethod = "mobile_transfer"
	DigitalDownload TransferMethod = "digital_download"
	Email           TransferMethod = "email"
	Pickup          TransferMethod = "pickup"
)

// allowed is the domain's table of transitions, row by row. Staying is no transition.
var allowed = map[Status][]Status{
	Provisional: {Confirmed, Cancelled},
	Confirmed:   {Accepted, Issue, Fulfilled, Cancelled},
	Accepted:    {Issue, Fulfilled, Cancelled},
	Issue:       {Confirmed, Accepted, Fulfilled, Cancelled},
	Fulfilled:   {Issue, Cancelled, Refunded},
	Cancelled:   {Refunded},
	Refunded:    {},
}

// Allowed lists the statuses that an order may go to from a status, in the order of the domain's table.
func Allowed(from Status) []Status { return slices.Clone(allowed[from]) }

// kinds are the facts of the transitions, by the status that they lead to.
var kinds = map[Status]fact.Kind{
	Confirmed: fact.OrderConfirmed,
	Accepted:  fact.OrderAccepted,
	Issue:     fact.OrderIssueRaised,
	Fulfilled: fact.OrderFulfilled,
	Cancelled: fact.OrderCancelled,
	Refunded:  fact.RefundCompleted,
}

// mayGo tells whether the transition is in the table; invalid_transition.
func mayGo(from, to Status) error {
	if slices.Contains(allowed[from], to) {
		return nil
	}
	ways := make([]string, len(allowed[from]))
	for i, s := range allowed[from] {
		ways[i] = string(s)
	}
	open := "From there it can become " + strings.Join(ways, ", ") + "."
	if len(ways) == 0 {
		open = "That is final."
	}
	return problem.New(problem.Conflict, "invalid_transition", "The order is %s and cannot become %s. %s", from, to, open)
}

// Live tells whether an order with this status has its units.
func (s Status) Live() bool {
	switch s {
	case Provisional, Confirmed, Accepted, Issue, Fulfilled:
		return true
	}
	return false
}

// note is what the buyer is told when nobody wrote anything.
func (m TransferMethod) note() string {
	return "Transferred via " + strings.ReplaceAll(string(m), "_", " ")
}

func (m TransferMethod) valid() bool {
	switch m {
	case MobileTransfer, DigitalDownload, Email, Pickup:
		return true
	}
	return false
}
