package order

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// RefundInput says what to refund.
type RefundInput struct {
	Version int64         // If-Match: the version that the change was made for; 0 for whatever there is
	Amount  money.Decimal // in the order's currency; all that is left when empty
	Reason  string        // at most 1,000 characters
}

// Refund notes that money went back and appends refund.completed. Refunds add up; when all is refunded the status becomes refunded, which
// only a fulfilled or cancelled order can, and stock that the order still had goes back. It fails with field errors, order_not_found,
// version_mismatch, nothing_to_refund, refund_too_large and invalid_transition.
func (b *Book) Refund(tx *db.Tx, org int64, order id.Order, in RefundInput) (Order, *fact.Fact, error) {
	var f problem.Fields
	if prose(&f, "/reason", in.Reason); f.Err() != nil {
		return Order{}, nil, f.Err()
	}
	o, ev, err := lock(tx, org, order, in.Version, true)
	if err != nil {
		return Order{}, nil, err
	}
	amount, err := o.refundable(in.Amount)
	if err != nil {
		return Order{}, nil, err
	}
	whole := o.Refunded.Minor+amount.Minor == o.Captured.Minor
	if whole {
		if err := mayGo(o.Status, Refunded); err != nil {
			return Order{}, nil, problem.New(problem.Conflict, "invalid_transition",
				"The order is %s, and only a fulfilled or cancelled order can be refunded whole; cancel it first.", o.Status)
		}
	}

	o.Refunded.Minor += amount.Minor
	o.People.RefundReason = in.Reason
	if err := o.updateNotes(tx, org); err != nil {
		return Order{}, nil, err
	}
	if err := o.insertRefund(tx, org, amount); err != nil {
		return Order{}, nil, err
	}
	snapshot := func() Snapshot { s := o.Snapshot(); s.RefundMinor = amount.Minor; return s }
	if whole {
		followed, err := b.change(tx, org, ev, &o, Refunded)
		if err != nil {
			return Order{}, nil, err
		}
		told, err := b.tell(tx, org, fact.RefundCompleted, snapshot(), followed...)
		return o, told, err
	}
	o.Version, o.UpdatedAt = o.Version+1, tx.Now()
	if err := o.update(tx, org); err != nil {
		return Order{}, nil, err
	}
	s := snapshot()
	s.PreviousStatus = "" // the status did not change
	told, err := b.tell(tx, org, fact.RefundCompleted, s)
	return o, told, err
}

// refundable reads the amount to refund, or takes all that is left.
func (o *Order) refundable(d money.Decimal) (money.Amount, error) {
	left := money.Amount{Minor: o.Captured.Minor - o.Refunded.Minor, Currency: o.Total.Currency}
	amount := left
	if d != "" {
		var err error
		if amount, err = money.Parse(string(d), left.Currency); err != nil {
			return money.Amount{}, problem.Field("/amount", "invalid", "The amount is not valid: %v.", err)
		}
		if amount.Minor == 0 {
			return money.Amount{}, problem.Field("/amount", "out_of_range", "Refund more than nothing, or leave amount out to refund all that is left.")
		}
	}
	if left.Minor == 0 {
		return money.Amount{}, problem.New(problem.Conflict, "nothing_to_refund", "Nothing is left to refund of this order.")
	}
	if amount.Minor > left.Minor {
		return money.Amount{}, problem.New(problem.Conflict, "refund_too_large", "Only %s %s are left to refund; choose an amount up to that.",
			left, left.Currency)
	}
	return amount, nil
}

func (o *Order) insertRefund(tx *db.Tx, org int64, amount money.Amount) error {
	n, err := db.One(tx, db.Value[int], `SELECT COALESCE(MAX(n), 0) + 1 FROM refunds WHERE order_no = $1`, o.No)
	if err == nil {
		err = tx.Later(`INSERT INTO refunds (order_no, n, org_id, amount, created_at) VALUES ($1, $2, $3, $4, $5)`, o.No, n, org, amount.Minor, tx.Micros())
	}
	if err != nil {
		return fmt.Errorf("refund of order %s: %w", o.ID, err)
	}
	return nil
}
