package order

import (
	"cmp"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Change asks for a new status.
type Change struct {
	Version        int64          // If-Match: the version that the change was made for; 0 for whatever there is
	Status         Status         // Confirmed, Accepted, Fulfilled or Cancelled
	TransferMethod TransferMethod // with Fulfilled; MobileTransfer when empty
	TransferNote   string         // with Fulfilled, at most 1,000 characters; "Transferred via …" when empty
}

func (c Change) check() error {
	var f problem.Fields
	switch c.Status {
	case Confirmed, Accepted, Fulfilled, Cancelled:
	default:
		f.Add("/status", "invalid", "Use confirmed, accepted, fulfilled or cancelled. An issue is raised by POST …/issue, money goes back by POST …/refund.")
	}
	if c.TransferMethod != "" && !c.TransferMethod.valid() {
		f.Add("/transferMethod", "invalid", "Use mobile_transfer, digital_download, email or pickup.")
	}
	if c.Status != Fulfilled && c.TransferMethod != "" {
		f.Add("/transferMethod", "not_allowed", "A transfer method goes with the status fulfilled only.")
	}
	if c.Status != Fulfilled && c.TransferNote != "" {
		f.Add("/transferNote", "not_allowed", "A transfer note goes with the status fulfilled only.")
	}
	prose(&f, "/transferNote", c.TransferNote)
	return f.Err()
}

// SetStatus moves an order on. The fact is nil when the order had that status already. It fails with field errors, order_not_found,
// version_mismatch and invalid_transition, which says what is allowed. Cancelling gives the stock back.
func (b *Book) SetStatus(tx *db.Tx, org int64, order id.Order, c Change) (Order, *fact.Fact, error) {
	if err := c.check(); err != nil {
		return Order{}, nil, err
	}
	o, ev, err := lock(tx, org, order, c.Version, c.Status == Cancelled)
	if err != nil || o.Status == c.Status {
		return o, nil, err
	}
	if err := mayGo(o.Status, c.Status); err != nil {
		return Order{}, nil, err
	}
	if c.Status == Fulfilled {
		if err := o.fulfil(tx, org, cmp.Or(c.TransferMethod, MobileTransfer), c.TransferNote); err != nil {
			return Order{}, nil, err
		}
	}
	return b.move(tx, org, ev, o, c.Status)
}

// fulfil notes how the tickets reach the buyer.
func (o *Order) fulfil(tx *db.Tx, org int64, m TransferMethod, note string) error {
	o.TransferMethod = m
	o.People.TransferNote = cmp.Or(note, m.note())
	return o.updateNotes(tx, org)
}

// Cancel is SetStatus with the status cancelled.
func (b *Book) Cancel(tx *db.Tx, org int64, order id.Order) (Order, *fact.Fact, error) {
	return b.SetStatus(tx, org, order, Change{Status: Cancelled})
}

// RaiseIssue notes that something is wrong with an order; SetStatus resolves it. The fact is nil when an issue was open already, but the
// new reason (at most 1,000 characters) is kept, with a new version. version is If-Match, 0 for whatever there is.
func (b *Book) RaiseIssue(tx *db.Tx, org int64, order id.Order, reason string, version int64) (Order, *fact.Fact, error) {
	var f problem.Fields
	if prose(&f, "/reason", reason); f.Err() != nil {
		return Order{}, nil, f.Err()
	}
	o, ev, err := lock(tx, org, order, version, false)
	if err != nil {
		return Order{}, nil, err
	}
	if o.Status != Issue {
		if err := mayGo(o.Status, Issue); err != nil {
			return Order{}, nil, err
		}
	}
	if err := o.noteIssue(tx, org, reason); err != nil || o.Status == Issue {
		return o, nil, err
	}
	o.IssueCause = CauseOther
	return b.move(tx, org, ev, o, Issue)
}

// noteIssue keeps what was written about an issue. Of an order that has one already that is a change by itself; else the version comes with the new status.
func (o *Order) noteIssue(tx *db.Tx, org int64, note string) error {
	if note == o.People.IssueReason {
		return nil
	}
	o.People.IssueReason = note
	if err := o.updateNotes(tx, org); err != nil || o.Status != Issue {
		return err
	}
	o.Version, o.UpdatedAt = o.Version+1, tx.Now()
	return o.update(tx, org)
}

// lock loads an order and keeps others from changing it until the transaction ends. With stock its event is locked too, and before it, as
// when an order is placed; without, the event is zero.
func lock(tx *db.Tx, org int64, order id.Order, version int64, stock bool) (Order, event.Event, error) {
	var ev event.Event
	if stock {
		o, err := ByID(tx, org, order)
		if err != nil {
			return Order{}, ev, err
		}
		if ev, err = event.LockNo(tx, org, o.EventNo); err != nil {
			return Order{}, ev, fmt.Errorf("event of order %s: %w", order, err)
		}
	}
	o, err := load(tx, org, order, ` /*for update*/`)
	if err != nil {
		return Order{}, ev, err
	}
	if version != 0 && version != o.Version {
		return Order{}, ev, problem.New(problem.Precondition, "version_mismatch",
			"The order has version %d by now, not %d; read it again and repeat the change.", o.Version, version)
	}
	return o, ev, nil
}

// move makes a transition that is allowed, and tells of it. ev must be locked if the order loses its units by it.
func (b *Book) move(tx *db.Tx, org int64, ev event.Event, o Order, to Status) (Order, *fact.Fact, error) {
	return b.moveBy(tx, org, ev, o, to, kinds[to])
}

// moveBy is move for a transition that is told by another fact than usual.
func (b *Book) moveBy(tx *db.Tx, org int64, ev event.Event, o Order, to Status, kind fact.Kind) (Order, *fact.Fact, error) {
	followed, err := b.change(tx, org, ev, &o, to)
	if err != nil {
		return Order{}, nil, err
	}
	f, err := b.tell(tx, org, kind, o.Snapshot(), followed...)
	return o, f, err
}

// change writes the transition, has the tickets follow, and gives the units back when the order loses them by it. It returns the facts of the
// tickets.
func (b *Book) change(tx *db.Tx, org int64, ev event.Event, o *Order, to Status) ([]*fact.Fact, error) {
	gives := o.Status.Live() && !to.Live()
	o.Status, o.PreviousStatus = to, o.Status
	o.Version, o.UpdatedAt = o.Version+1, tx.Now()
	if to != Issue {
		o.IssueCause = ""
	}
	if err := o.update(tx, org); err != nil {
		return nil, err
	}
	followed, err := b.tickets.Follow(tx, org, *o)
	if err != nil || !gives {
		return followed, err
	}
	return followed, b.stock.Release(tx, org, ev, inventory.Return{Order: o.No, Listing: o.ListingNo, Ordinals: o.units})
}
