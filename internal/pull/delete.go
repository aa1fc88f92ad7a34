package pull

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Outcome is what came of deleting an event.
type Outcome string

// The outcomes.
const (
	Deleted        Outcome = "deleted"
	AlreadyDeleted Outcome = "already_deleted"
	NotFound       Outcome = "not_found"
)

// Deletion is what came of deleting one event.
type Deletion struct {
	ID      id.Received
	Outcome Outcome
	At      time.Time // when it was deleted; zero where there is none
}

// Bounds of deletions.
const (
	MaxDeleteBatch = 100
	MaxDeleteAll   = 1000

	deleteAtOnce = 100 // events that a transaction of DeleteAll deletes
)

// DeleteEvent deletes an event, or returns a NotFound problem. Deleting twice is fine.
func (d *Depot) DeleteEvent(tx *db.Tx, e *Endpoint, i id.Received, by audit.By) (Deletion, error) {
	all, err := d.DeleteBatch(tx, e, []id.Received{i}, by)
	if err != nil {
		return Deletion{}, err
	}
	if all[0].Outcome == NotFound {
		return Deletion{}, noEvent()
	}
	return all[0], nil
}

// DeleteBatch deletes up to [MaxDeleteBatch] events and says what came of each, in their order.
func (d *Depot) DeleteBatch(tx *db.Tx, e *Endpoint, ids []id.Received, by audit.By) ([]Deletion, error) {
	if len(ids) == 0 || len(ids) > MaxDeleteBatch {
		return nil, problem.Field("/message_ids", "out_of_range", "Give 1 to %d ids of events.", MaxDeleteBatch)
	}
	found, err := d.these(tx, e, ids)
	if err != nil {
		return nil, err
	}
	var going []Event
	all := make([]Deletion, len(ids))
	for i, one := range ids {
		v, ok := found[one]
		switch {
		case !ok:
			all[i] = Deletion{ID: one, Outcome: NotFound}
		case v.Deleted():
			all[i] = Deletion{one, AlreadyDeleted, v.DeletedAt}
		default:
			v.DeletedAt = d.now(tx)
			going = append(going, found[one])
			found[one] = v // named twice, it is deleted already
			all[i] = Deletion{one, Deleted, v.DeletedAt}
		}
	}
	return all, d.delete(tx, e, going, by)
}

var (
	freeKey = db.NewBulk(`DELETE FROM pull_keys WHERE endpoint_no = $1 AND dedup = $2 AND seq = $3`,
		`DELETE FROM pull_keys k USING unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS u(e, d, s) WHERE k.endpoint_no = u.e AND k.dedup = u.d AND k.seq = u.s`,
		"bigint", "bytea", "bigint")
	eraseLater = db.BulkInsert("pull_erasures", "ON CONFLICT (seq) DO NOTHING", "seq bigint", "day bigint", "org_id bigint")
)

// keys are the rows of the keys that events hold.
func keys(events []Event) (rows [][]any) {
	for _, v := range events {
		if v.dedup != nil {
			rows = append(rows, []any{v.Endpoint, v.dedup, v.ID.Seq})
		}
	}
	return rows
}

// delete deletes events that are there and locked. Their payloads are out of reach with that, and are removed by the sweep: there may be much of them.
func (d *Depot) delete(tx *db.Tx, e *Endpoint, events []Event, by audit.By) error {
	if len(events) == 0 {
		return nil
	}
	now := d.now(tx)
	t := tally{}
	numbers, payloads := make([]int64, len(events)), make([][]any, len(events))
	for i, v := range events {
		after := v
		after.DeletedAt = now
		t.move(v, after)
		numbers[i], payloads[i] = v.ID.Seq, []any{v.ID.Seq, v.day, v.org}
	}
	if err := tx.Later(`UPDATE pull_events SET state = state + 3, deleted_at = $1, deleted_by = $2, due = 0, lease = NULL, dedup = NULL WHERE +org_id = $3 AND seq IN ints($4)`,
		now.UnixMicro(), by.Actor, e.Org, list(numbers)); err != nil {
		return err
	}
	if err := tx.Bulk(freeKey, keys(events)); err != nil {
		return err
	}
	if err := tx.Bulk(eraseLater, payloads); err != nil {
		return err
	}
	d.freed(tx, e.Org)
	tx.OnCommit(d.sweepSoon)
	return d.count(tx, t)
}

// DeleteAll deletes up to limit (1 to [MaxDeleteAll]) of the events that a filter lets through, oldest first, in several transactions. With an error, those that it
// returns are deleted all the same.
func (d *Depot) DeleteAll(ctx context.Context, e *Endpoint, f Filter, limit int, by audit.By) (deleted []id.Received, err error) {
	if limit < 1 || limit > MaxDeleteAll {
		return nil, problem.Field("/limit", "out_of_range", "Delete 1 to %d events at once.", MaxDeleteAll)
	}
	for more := true; more && len(deleted) < limit; {
		var some []id.Received
		err := d.config.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			some, more, err = d.deleteSome(tx, e, f, min(deleteAtOnce, limit-len(deleted)), by)
			return err
		})
		if err != nil {
			return deleted, err
		}
		deleted = append(deleted, some...)
	}
	return deleted, nil
}

// deleteSome deletes the first of what a filter lets through, and tells whether there are more.
func (d *Depot) deleteSome(tx *db.Tx, e *Endpoint, f Filter, limit int, by audit.By) (deleted []id.Received, more bool, err error) {
	page, more, err := d.Events(tx, e, f, Cursor{}, limit)
	if err != nil || len(page) == 0 {
		return nil, false, err
	}
	ids := make([]id.Received, len(page))
	for i, v := range page {
		ids[i] = v.ID
	}
	found, err := d.these(tx, e, ids)
	if err != nil {
		return nil, false, err
	}
	var going []Event
	for _, i := range ids {
		if v, ok := found[i]; ok && !v.Deleted() {
			going, deleted = append(going, v), append(deleted, i)
		}
	}
	if len(going) == 0 { // others were faster
		return nil, more, nil
	}
	if err := d.delete(tx, e, going, by); err != nil {
		return nil, false, err
	}
	return deleted, more, audit.Append(tx, by.Entry(e.Org, "pull_events.deleted", string(e.ID), map[string]any{"count": len(deleted)}))
}
