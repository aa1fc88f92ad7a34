package gate

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Direction is which way somebody goes.
type Direction string

// The directions.
const (
	Entry Direction = "entry"
	Exit  Direction = "exit"
)

// Mode is how it was decided.
type Mode string

// The modes.
const (
	Online  Mode = "online"
	Offline Mode = "offline" // by a device without a network
	Forced  Mode = "forced"  // by staff, against the rules
)

// Status is what people are told of a check-in.
type Status string

// The statuses.
const (
	CheckedIn  Status = "checked_in"
	CheckedOut Status = "checked_out"
	Already    Status = "already_checked_in"
	Invalid    Status = "invalid" // no code of ours, or not any more
	WrongEvent Status = "wrong_event"
	WrongList  Status = "wrong_list" // another kind of ticket, or another gate
	Cancelled  Status = "cancelled"
	Blocked    Status = "blocked"
	Unpaid     Status = "unpaid"
	NotYet     Status = "not_yet"
	TooLate    Status = "too_late"
	Limit      Status = "limit"    // often enough for now
	Refused    Status = "refused"  // by a device without a network, for reasons of its own
	Conflict   Status = "conflict" // an entry that another holds
	Undone     Status = "undone"
)

// Statuses lists them all.
func Statuses() []Status {
	return []Status{CheckedIn, CheckedOut, Already, Invalid, WrongEvent, WrongList, Cancelled, Blocked, Unpaid, NotYet, TooLate, Limit, Refused, Conflict, Undone}
}

// result is what a check-in counts for.
type result string

const (
	admitted result = "admitted"
	exited   result = "exited"
	stray    result = "stray" // out, without having been in
	conflict result = "conflict"
	denied   result = "denied"
	undone   result = "undone"
)

// Checkin is what one presented code came to.
type Checkin struct {
	ID         id.Checkin
	EventNo    int64    // 0 where nobody knows
	EventID    id.Event //
	TicketNo   int64    // 0 where the code was of no ticket
	TicketID   id.Ticket
	OrderID    id.Order
	ListNo     int64 // 0 for the event's default that has no row
	ListID     id.CheckinList
	GateNo     int64  // 0 for a gate without a row
	Gate       string // its name, may be empty
	Direction  Direction
	Mode       Mode
	Device     string // the id of the scanner or another credential
	Seq        int64  // the device's own number, 0 where it was online
	Nonce      string
	At         time.Time // its place among the check-ins of its ticket
	ScannedAt  time.Time // as the device says
	ReceivedAt time.Time
	Said       Status // what was answered; what it counts for now is Status
	Reason     string // why
	Entry      int    // 1, 2, … of the ticket's entries on the list; 0 where it holds none
	Open       bool   // nobody has left on it yet
	Against    id.Checkin
	Note       string // of staff; empty once erased
	Facts      int64

	org    int64
	result result
	hash   []byte
	told   bool // its fact was the one checkin.admitted
}

// Status is what the check-in counts for now.
func (c *Checkin) Status() Status {
	switch c.result {
	case admitted:
		return CheckedIn
	case exited, stray:
		return CheckedOut
	case conflict:
		return Conflict
	case undone:
		return Undone
	}
	return c.Said
}

// before is the order of check-ins. It is total and does not depend on when they arrived.
func before(a, b *Checkin) int {
	if n := a.At.Compare(b.At); n != 0 {
		return n
	}
	if n := strings.Compare(a.Device, b.Device); n != 0 {
		return n
	}
	if a.Seq != b.Seq {
		if a.Seq < b.Seq {
			return -1
		}
		return 1
	}
	return strings.Compare(string(a.ID), string(b.ID))
}

// count works out what all that came through the door with one ticket on one list counts for, and sorts it.
func count(policy Policy, all []*Checkin) {
	slices.SortFunc(all, before)
	var last *Checkin // the last that was admitted
	n := 0
	for _, c := range all {
		c.Entry, c.Open, c.Against = 0, false, ""
		inside := last != nil && last.Open
		switch {
		case c.Direction == Exit && inside:
			last.Open, c.result = false, exited
		case c.Direction == Exit:
			c.result = stray
		case inside, last != nil && policy == Single && c.Mode != Forced:
			c.result, c.Against = conflict, last.ID
		default:
			n++
			last, c.result, c.Entry, c.Open = c, admitted, n, true
		}
	}
}

// Coded tells whether a code was presented, and not what staff did by hand.
func (c *Checkin) Coded() bool { return c.hash != nil }

// Presented tells whether it was this code, perhaps with the line end that scanners send behind what they read.
func (c *Checkin) Presented(code string) bool {
	return c.Coded() && slices.ContainsFunc([]string{"", "\r\n", "\n", "\r"}, func(end string) bool { return bytes.Equal(c.hash, hashOf(code+end)) })
}
