package pass

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// atOnce is how many passes one transaction changes because of something else: its locks are held for some ten milliseconds.
const atOnce = 500

// lingers is how long passes stay active when their event is over.
const lingers = 24 * time.Hour

// overAt is when an event's passes expire because it is over; the zero time while nobody knows.
func overAt(e event.Event) time.Time {
	if e.Status == event.Postponed {
		return time.Time{}
	}
	return e.EndsAt.Add(lingers)
}

// wave is a change that goes through all passes of an event, or of an organisation where eventNo is 0.
type wave struct {
	org, eventNo int64
	objects      bool // also what of an event stands in Google's objects, and not only in its class: when it is, and whether
}

// where is the condition on passes p that a wave goes through, and its parameter.
func (w wave) where() (string, int64) {
	if w.eventNo == 0 {
		return `p.expired_at IS NULL AND p.org_id = $1`, w.org
	}
	return `p.expired_at IS NULL AND p.event_no = $1 AND p.event_no <> 0`, w.eventNo
}

// The statements of a wave, about passes that [wave.where] is put in for.
const (
	lastOfWave = `SELECT max(p.pass_no) FROM passes p WHERE `
	nextOfWave = `SELECT p.pass_no FROM passes p WHERE %s AND p.pass_no > $2 AND p.pass_no <= $3 ORDER BY p.pass_no LIMIT $4`
)

// start has a wave go through the passes that there are. One of the same event that is under way begins again: where it has been, passes changed once more.
func (b *Book) start(tx *db.Tx, w wave) error {
	which, of := w.where()
	last, err := db.One(tx, db.Value[*int64], lastOfWave+which, of)
	if err != nil || last == nil {
		return err
	}
	err = tx.Later(`INSERT INTO pass_waves (org_id, event_no, after_no, upto_no, objects, at) VALUES ($1, $2, 0, $3, $4, $5)
		ON CONFLICT (org_id, event_no) DO UPDATE SET after_no = 0, upto_no = excluded.upto_no, objects = pass_waves.objects OR excluded.objects, at = excluded.at`,
		w.org, w.eventNo, *last, w.objects, tx.Micros())
	if err != nil {
		return fmt.Errorf("start a wave: %w", err)
	}
	tx.OnCommit(b.bell.Ring)
	return nil
}

// Refresh has all devices with passes of an event told, for a change that no fact tells of, such as that its codes rotate; of an organisation where the event is
// empty. It fails with event_not_found.
func (b *Book) Refresh(tx *db.Tx, org int64, e id.Event) error {
	w := wave{org: org, objects: true}
	if e == "" {
		return b.start(tx, w)
	}
	found, err := event.ByID(tx, org, e)
	if err != nil {
		return err
	}
	w.eventNo = found.No
	return b.start(tx, w)
}

// some are the next passes that a wave comes to, up to a limit; how is whether the transaction locks them.
func (w wave) some(tx *db.Tx, after, upto int64, limit int, how string) ([]int64, error) {
	which, of := w.where()
	all, err := db.All(tx, db.Value[int64], fmt.Sprintf(nextOfWave, which)+how, of, after, upto, limit)
	if err != nil {
		return nil, fmt.Errorf("passes of a wave: %w", err)
	}
	return all, nil
}

// change does to passes what a wave does. first is for what goes before all waves.
func (w wave) change(tx *db.Tx, first bool, of []int64) error {
	if len(of) == 0 {
		return nil
	}
	if err := touch(tx, telling{wave: !first, classOnly: !w.objects}, of); err != nil {
		return err
	}
	switch {
	case w.eventNo == 0:
		return w.classes(tx, of)
	case w.objects:
		return w.moveEnd(tx, of)
	}
	return nil
}

// moveEnd notes when passes are over, which are all of one event.
func (w wave) moveEnd(tx *db.Tx, of []int64) error {
	one, err := db.One(tx, db.Value[id.Event], `SELECT event_id FROM passes WHERE pass_no = $1`, of[0])
	if err != nil {
		return fmt.Errorf("event of passes: %w", err)
	}
	e, err := event.ByID(tx, w.org, one)
	if problem.Is(err, "event_not_found") {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`UPDATE passes SET over_at = $1 WHERE pass_no IN ints($2) AND org_id = $3`, micros(overAt(e)), list(of), w.org); err != nil {
		return fmt.Errorf("note the end of passes: %w", err)
	}
	return nil
}

// class has Google told of the class of a wave's event, where a pass shows it.
func (w wave) class(tx *db.Tx) error {
	shown, err := db.One(tx, db.Value[bool], `SELECT EXISTS (SELECT 1 FROM passes WHERE event_no = $1 AND expired_at IS NULL AND platform = 'google')`, w.eventNo)
	if err != nil {
		return fmt.Errorf("passes at Google of an event: %w", err)
	}
	if !shown {
		return nil
	}
	return queue(tx, w.org, 0, 0, w.eventNo)
}

// classes has Google told of the classes of events that passes of an organisation show, each when the wave comes to the first pass of the event.
func (w wave) classes(tx *db.Tx, of []int64) error {
	_, err := tx.Exec(insertPushes+`SELECT DISTINCT p.org_id, 0, 0, p.event_no, 0, 0, CAST($2 AS BIGINT), CAST($2 AS BIGINT) FROM passes p
		WHERE p.pass_no IN ints($1) AND p.platform = 'google' AND p.event_no <> 0 AND NOT EXISTS (SELECT 1 FROM passes f
			WHERE f.event_no = p.event_no AND f.expired_at IS NULL AND f.platform = 'google' AND f.pass_no < p.pass_no) `+onceMore("$3"),
		list(of), tx.Micros(), tx.Now().Add(lease).UnixMicro())
	if err != nil {
		return fmt.Errorf("queue classes: %w", err)
	}
	return nil
}

// carryOn takes every wave that there is a step further, until there is none. One that fails does not stop the others, and is tried
// the next time. What another node is at just now is left to it.
func (s *Sender) carryOn(ctx context.Context) error {
	failed := map[wave]error{}
	for moved := true; moved && ctx.Err() == nil; {
		waves, err := db.All(s.book.db.Read(ctx), func(r db.Rows) (w wave, err error) { return w, r.Scan(&w.org, &w.eventNo) },
			`SELECT org_id, event_no FROM pass_waves ORDER BY at, event_no LIMIT 100`)
		if err != nil {
			return err
		}
		moved = false
		for _, w := range waves {
			if failed[w] != nil {
				continue
			}
			err := s.book.db.WriteAlone(ctx, func(tx *db.Tx) error {
				step, err := s.book.carry(tx, w)
				moved = moved || step
				return err
			})
			if err != nil {
				failed[w] = fmt.Errorf("wave of organisation %d, event %d: %w", w.org, w.eventNo, err)
			}
		}
	}
	return errors.Join(slices.Collect(maps.Values(failed))...)
}

// carry takes a wave a step further; false where there was none to take, or somebody else does. It waits for nobody's wave, but for those who have its passes;
// and has a transaction of its own, whose locks are not held for its neighbours.
func (b *Book) carry(tx *db.Tx, w wave) (bool, error) {
	var after, upto int64
	_, err := db.One(tx, func(r db.Rows) (struct{}, error) { return struct{}{}, r.Scan(&after, &upto, &w.objects) },
		`SELECT after_no, upto_no, objects FROM pass_waves WHERE org_id = $1 AND event_no = $2 /*skip locked*/`, w.org, w.eventNo)
	if errors.Is(err, db.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("take a wave: %w", err)
	}
	of, err := w.some(tx, after, upto, atOnce, forUpdate)
	if err != nil {
		return false, err
	}
	if err := w.change(tx, false, of); err != nil {
		return false, err
	}
	tx.OnCommit(b.bell.Ring) // for what was queued, with the last step too
	if len(of) < atOnce {
		_, err := w.end(tx)
		return true, err
	}
	return true, tx.Later(`UPDATE pass_waves SET after_no = $3 WHERE org_id = $1 AND event_no = $2`, w.org, w.eventNo, of[len(of)-1])
}

// end ends a wave, and returns what it was; the zero value where there was none.
func (w wave) end(tx *db.Tx) (wave, error) {
	was, err := db.One(tx, func(r db.Rows) (was wave, err error) { return was, r.Scan(&was.org, &was.eventNo, &was.objects) },
		`DELETE FROM pass_waves WHERE org_id = $1 AND event_no = $2 RETURNING org_id, event_no, objects`, w.org, w.eventNo)
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return wave{}, fmt.Errorf("end a wave: %w", err)
	}
	return was, nil
}
