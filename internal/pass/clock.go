package pass

import (
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// lease is for how long a node that tells a wallet something has the row to itself. A row that is due later than that waits to be tried again.
const lease = 30 * time.Second

// Locks are taken in one order, so that nodes do not wait for each other: first the row of a wave, then passes (those of one function by their numbers), then what is
// queued of them, and last of all, when every function of the transaction has run, the clock. What remains are functions that share a transaction and lock passes
// one after the other; where two nodes do that crosswise, one of them runs its functions again.

// theTag is the tag of this transaction, in a statement that comes after [tick].
const theTag = `(SELECT tag FROM pass_clock WHERE one = 1)`

// ticks is under what a transaction knows that it takes a tag.
type ticks struct{}

// tick has the transaction take the next tag when all of its functions have run: one for all of them. Then nobody else takes one until it ends: whoever sees a tag has
// seen all lower ones.
func tick(tx *db.Tx) error {
	if _, does := tx.Known(ticks{}); does {
		return nil
	}
	if err := tx.Last(`UPDATE pass_clock SET tag = tag + 1 WHERE one = 1`); err != nil {
		return fmt.Errorf("take the next tag: %w", err)
	}
	tx.Know(ticks{}, true)
	return nil
}

// changed tells whether devices may have another pass than it is: from the first change on, it is of a later second than it was made in.
func (p *Pass) changed() bool { return p.ModifiedAt.After(p.CreatedAt.Truncate(time.Second)) }

// touchAll has devices fetch passes anew, which are then as they are stored. The transaction has locked them.
func touchAll(tx *db.Tx, all ...*Pass) error {
	if len(all) == 0 {
		return nil
	}
	numbers := make([]int64, len(all))
	for i, p := range all {
		numbers[i] = p.No
	}
	if err := touch(tx, telling{}, numbers); err != nil {
		return err
	}
	now := tx.Now().Truncate(time.Second)
	for _, p := range all {
		if p.ModifiedAt = p.ModifiedAt.Add(time.Second); p.ModifiedAt.Before(now) {
			p.ModifiedAt = now
		}
	}
	return nil
}

// telling says how what was touched is told.
type telling struct {
	wave      bool // behind what is told of single passes; the transaction does nothing else
	classOnly bool // Google's objects stay as they are
}

// due is when a push is due that is queued now. Those of a wave are sent in turn, and what changed by itself goes before all of them.
func (h telling) due(tx *db.Tx) int64 {
	if h.wave {
		return tx.Micros()
	}
	return 0
}

// touch has devices fetch passes anew, which the transaction has locked. They get a tag and another second, and everything that has one of them is to be told: each
// device, and Google. No fact is appended, and no version changes.
func touch(tx *db.Tx, how telling, passes []int64) error {
	if len(passes) == 0 {
		return nil
	}
	if err := tick(tx); err != nil {
		return err
	}
	of, second := list(passes), tx.Now().Truncate(time.Second).UnixMicro()
	const later = `modified_at = CASE WHEN modified_at >= $1 THEN modified_at + 1000000 ELSE $1 END`
	var err error
	if how.wave {
		err = tx.Last(`UPDATE passes SET `+later+`, tag = `+theTag+` WHERE pass_no IN ints($2)`, second, of)
	} else { // a device that registers in the same transaction has to see that there was a change
		err = tx.Later(`UPDATE passes SET `+later+` WHERE pass_no IN ints($2)`, second, of)
		if err == nil {
			err = tx.Last(`UPDATE passes SET tag = `+theTag+` WHERE pass_no IN ints($1)`, of)
		}
	}
	if err != nil {
		return fmt.Errorf("touch passes: %w", err)
	}
	pushes := insertPushes + `SELECT p.org_id, p.pass_no, r.registration_no, 0, 0, 0, CAST($2 AS BIGINT), CAST($3 AS BIGINT)
		FROM passes p JOIN pass_registrations r ON r.pass_no = p.pass_no WHERE r.push_token IS NOT NULL AND p.pass_no IN ints($1) `
	if !how.classOnly {
		pushes += `UNION ALL SELECT p.org_id, p.pass_no, 0, 0, 0, 0, CAST($2 AS BIGINT), CAST($3 AS BIGINT)
			FROM passes p WHERE p.platform = 'google' AND p.pass_no IN ints($1) `
	}
	if err := tx.Later(pushes+onceMore("$4"), of, how.due(tx), tx.Micros(), tx.Now().Add(lease).UnixMicro()); err != nil {
		return fmt.Errorf("queue pushes: %w", err)
	}
	return nil
}

const insertPushes = `INSERT INTO pass_pushes (org_id, pass_no, registration_no, event_no, again, attempts, due_at, made_at) `

// onceMore leaves a row to whoever is telling it just now, who then sees that there is something new. One that waits to be tried again, which is later than the
// instant in a parameter, is due; and one that is due, which no lease is, goes where the new one would.
func onceMore(until string) string {
	return `ON CONFLICT (pass_no, registration_no, event_no) DO UPDATE SET again = pass_pushes.again + 1, attempts = 0,
		due_at = CASE WHEN pass_pushes.due_at > ` + until + `
			OR pass_pushes.due_at <= excluded.made_at AND pass_pushes.due_at > excluded.due_at THEN excluded.due_at ELSE pass_pushes.due_at END`
}

// queue has one thing told: a device (registrationNo), Google's object of a pass (both others 0), or Google's class of an event (eventNo, the others 0).
func queue(tx *db.Tx, org, passNo, registrationNo, eventNo int64) error {
	err := tx.Later(insertPushes+`VALUES ($1, $2, $3, $4, 0, 0, 0, $5) `+onceMore("$6"),
		org, passNo, registrationNo, eventNo, tx.Micros(), tx.Now().Add(lease).UnixMicro())
	if err != nil {
		return fmt.Errorf("queue a push: %w", err)
	}
	return nil
}
