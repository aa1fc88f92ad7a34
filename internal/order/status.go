package order

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

// Allowed lists the statuses that an order may go to from a status, in the order of the domain's table (domain.md §4.4).
func Allowed(from Status) []Status { panic("unwritten") }

// Live tells whether an order with this status has its units.
func (s Status) Live() bool {
	switch s {
	case Provisional, Confirmed, Accepted, Issue, Fulfilled:
		return true
	}
	return false
}
