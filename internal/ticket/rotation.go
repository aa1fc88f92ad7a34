package ticket

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// DefaultStep is how long a rotating code is shown, unless its event says otherwise.
const DefaultStep = 30 * time.Second

// Rotation is how an event's codes rotate. Whoever has the seed can make the passwords of all its tickets, though no tickets: it is for the event's own devices.
type Rotation struct {
	Seed      []byte // 32 bytes
	Step      time.Duration
	Algorithm ticketcode.Algorithm

	codes *ticketcode.Rotation
}

func newRotation(seed []byte, step time.Duration) (Rotation, error) {
	codes, err := ticketcode.NewRotation(seed, step, ticketcode.SHA1) // which every wallet knows
	return Rotation{seed, step, ticketcode.SHA1, codes}, err
}

func sealedSeed(org, eventNo int64) string { return fmt.Sprintf("ticket rotation %d %d", org, eventNo) }

// Rotate has the codes of an event change each step, 15 to 30 whole seconds, DefaultStep when 0; its static ones are then no codes. The seed stays when only
// the step is another. It fails with event_not_found and field errors.
func (r *Roll) Rotate(tx *db.Tx, org int64, e id.Event, step time.Duration) error {
	if step == 0 {
		step = DefaultStep
	}
	ev, err := event.ByID(tx, org, e)
	if err != nil {
		return err
	}
	seed := make([]byte, 32)
	_, _ = rand.Read(seed)
	if _, err := newRotation(seed, step); err != nil {
		return problem.Field("/stepSeconds", "out_of_range", "A code rotates every 15 to 30 seconds.")
	}
	if err := r.lockCodebook(tx, org); err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO ticket_rotations (org_id, event_no, step, seed) VALUES ($1, $2, $3, $4) ON CONFLICT (event_no) DO UPDATE SET step = excluded.step`,
		org, ev.No, int64(step/time.Second), r.seals.Seal(seed, sealedSeed(org, ev.No)))
	if err != nil {
		return fmt.Errorf("have codes rotate: %w", err)
	}
	return nil
}

// StopRotating has the static codes of an event be its codes again, and forgets its seed. It fails with event_not_found.
func (r *Roll) StopRotating(tx *db.Tx, org int64, e id.Event) error {
	ev, err := event.ByID(tx, org, e)
	if err != nil {
		return err
	}
	if err := r.lockCodebook(tx, org); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM ticket_rotations WHERE org_id = $1 AND event_no = $2`, org, ev.No); err != nil {
		return fmt.Errorf("have codes rotate no more: %w", err)
	}
	return nil
}

// StepOf returns how long an event's codes are shown; 0 where they do not rotate.
func StepOf(q db.Querier, org, eventNo int64) (time.Duration, error) {
	step, err := db.One(q, db.Value[int64], `SELECT step FROM ticket_rotations WHERE org_id = $1 AND event_no = $2`, org, eventNo)
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return 0, fmt.Errorf("rotation of codes: %w", err)
	}
	return time.Duration(step) * time.Second, nil
}

// RotationOf returns how an event's codes rotate, a second old at most; false where they do not.
func (r *Roll) RotationOf(q db.Querier, org, eventNo int64) (Rotation, bool, error) {
	b, err := r.codebook(q, org)
	if err != nil || b == nil {
		return Rotation{}, false, err
	}
	is, rotates := b.rotations[eventNo]
	return is, rotates, nil
}

func (r *Roll) readRotations(q db.Querier, org int64, into map[int64]Rotation) error {
	_, err := db.All(q, func(rows db.Rows) (struct{}, error) {
		var no, step int64
		var sealed []byte
		if err := rows.Scan(&no, &step, &sealed); err != nil {
			return struct{}{}, err
		}
		seed, err := r.seals.Open(sealed, sealedSeed(org, no))
		if err == nil {
			into[no], err = newRotation(seed, time.Duration(step)*time.Second)
		}
		return struct{}{}, err
	}, `SELECT event_no, step, seed FROM ticket_rotations WHERE org_id = $1`, org)
	if err != nil {
		return fmt.Errorf("rotations of codes: %w", err)
	}
	return nil
}
