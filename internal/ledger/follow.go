package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// Entry is a fact and its place.
type Entry struct {
	Place Place
	Fact  *fact.Fact
}

// After returns up to limit facts that stand after the place, in order. A fact appears only when no fact can come before it any more.
// Data of private facts is not read.
func (l *Ledger) After(q db.Querier, p Place, limit int) ([]Entry, error) {
	if l.epoch == 0 {
		return db.All(q, func(r db.Rows) (Entry, error) {
			f, err := scanFact(r)
			return Entry{Place{seq: f.ID.Seq}, f}, err
		}, `SELECT `+factColumns+` FROM facts f WHERE f.seq > $1 ORDER BY f.seq LIMIT $2`, p.seq, limit)
	}
	return db.All(q, func(r db.Rows) (Entry, error) {
		var e Entry
		var err error
		e.Fact, err = scanFact(r, &e.Place.epoch, &e.Place.xid)
		e.Place.seq = e.Fact.ID.Seq
		return e, err
	}, `SELECT `+factColumns+`, f.epoch, f.xid FROM facts f
		WHERE (f.epoch, f.xid, f.seq) > ($1, $2, $3)
		  AND (f.epoch, f.xid) < ($4, pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
		ORDER BY f.epoch, f.xid, f.seq LIMIT $5`, p.epoch, p.xid, p.seq, l.epoch, limit)
}

// Lag is how long the oldest fact has been waiting that followers may not see yet, because a transaction that is still under way could
// come before it. It is 0 on SQLite.
func (l *Ledger) Lag(ctx context.Context, now time.Time) (time.Duration, error) {
	if l.epoch == 0 {
		return 0, nil
	}
	at, err := db.One(l.db.Read(ctx), db.Value[*int64], `SELECT min(at) FROM facts WHERE epoch = $1
		AND xid >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint`, l.epoch)
	if err != nil || at == nil {
		return 0, err
	}
	return max(0, now.Sub(time.UnixMicro(*at))), nil
}

// Behind is how long the oldest fact has been waiting that a follower has not taken; 0 when there is none.
func (l *Ledger) Behind(ctx context.Context, f Follower, now time.Time) (time.Duration, error) {
	p, err := l.cursor(ctx, f.Name)
	if err != nil {
		return 0, err
	}
	where, args := `f.seq > $1`, []any{p.seq}
	if l.epoch != 0 {
		where, args = `(f.epoch, f.xid, f.seq) > ($1, $2, $3)`, []any{p.epoch, p.xid, p.seq}
	}
	if f.Kinds != nil {
		kinds, err := json.Marshal(f.Kinds)
		if err != nil {
			return 0, err
		}
		args = append(args, string(kinds))
		where += fmt.Sprintf(` AND f.kind IN texts($%d)`, len(args))
	}
	at, err := db.One(l.db.Read(ctx), db.Value[*int64], `SELECT min(f.at) FROM facts f WHERE `+where, args...)
	if err != nil || at == nil {
		return 0, err
	}
	return max(0, now.Sub(time.UnixMicro(*at))), nil
}

// cursor is the place of the last fact that a follower has taken.
func (l *Ledger) cursor(ctx context.Context, follower string) (Place, error) {
	p, err := db.One(l.db.Read(ctx), func(rows db.Rows) (p Place, err error) { return p, rows.Scan(&p.epoch, &p.xid, &p.seq) },
		"SELECT epoch, xid, seq FROM ledger_cursors WHERE name = $1", follower)
	if errors.Is(err, db.ErrNoRow) {
		return Place{}, nil
	}
	return p, err
}

// Step does a follower's work for facts in the transaction in which its cursor moves.
type Step func(tx *db.Tx, facts []*fact.Fact) error

// Follower takes every fact once, in the order of places, under a durable name. Several nodes may run the same follower: whoever gets there
// first moves the cursor.
type Follower struct {
	Name string
	Step Step
	// Kinds are those that the step is given; all when nil. The cursor then does not move for the others alone, but at every few thousand, so that
	// they cost no transactions.
	Kinds []fact.Kind
	// Batch is how many facts a transaction takes at most; 256 when 0.
	Batch int
	// Alarm is told when a fact was parked, after that is on disk. It may be nil.
	Alarm func(f *fact.Fact, reason error)
	Log   *slog.Logger
}

// takes tells whether the step is given a fact.
func (f Follower) takes(e Entry) bool { return f.Kinds == nil || slices.Contains(f.Kinds, e.Fact.Kind) }

const (
	pollEvery  = time.Second
	pollSoon   = 5 * time.Millisecond // after a wake-up on PostgreSQL, then twice that, and so on up to pollEvery
	maxTries   = 5
	firstPause = 50 * time.Millisecond
	maxPassed  = 4096 // facts of other kinds for which the cursor stays where it is
)

// errMoved says that another node has moved the cursor.
var errMoved = errors.New("the cursor has moved")

// Follow runs the follower until ctx ends. A fact whose step fails five times on its own is parked in a table, and the cursor goes on.
func (l *Ledger) Follow(ctx context.Context, f Follower) error {
	if f.Batch == 0 {
		f.Batch = 256
	}
	if f.Log == nil {
		f.Log = slog.Default()
	}
	wake, leave := l.Listen()
	defer leave()
	r := &run{l: l, f: f}
	for poll := pollEvery; ctx.Err() == nil; {
		again, err := r.turn(ctx)
		switch {
		case err != nil:
			if ctx.Err() == nil {
				f.Log.Warn("follower failed", "follower", f.Name, "tries", r.tries, "err", err)
				sleep(ctx, nil, firstPause<<min(r.failures, 6))
			}
			r.failures++
		case again:
			r.failures = 0
		default:
			r.failures = 0
			// A fact that was announced may still be hidden by a transaction elsewhere, whose end is not announced.
			if sleep(ctx, wake, poll) && l.epoch != 0 {
				poll = pollSoon
			} else {
				poll = min(2*poll, pollEvery)
			}
		}
	}
	return nil
}

// run is a follower under way.
type run struct {
	l        *Ledger
	f        Follower
	single   int // how many facts are still to be taken one by one, because a batch of them failed
	tries    int // failures of the fact at the head, taken alone
	failures int // turns in a row that failed

	// Where the next facts are read while the cursor stays where it is, and how many were passed over.
	stays, passed Place
	over          int
}

// turn reads what comes next and takes one step. It reports whether there may be more. After a batch has failed its facts are taken
// one by one, so that the bad one is found and the others are done.
func (r *run) turn(ctx context.Context) (again bool, err error) {
	at, err := r.l.cursor(ctx, r.f.Name)
	if err != nil {
		return false, err
	}
	limit := r.f.Batch
	if r.single > 0 {
		limit = 1
	}
	from := at
	if r.over > 0 && at == r.stays {
		from = r.passed
	} else {
		r.over = 0
	}
	entries, err := r.l.After(r.l.db.Read(ctx), from, limit)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	if r.over+len(entries) <= maxPassed && !slices.ContainsFunc(entries, r.f.takes) {
		r.stays, r.passed, r.over = at, entries[len(entries)-1].Place, r.over+len(entries)
		r.past(len(entries))
		return len(entries) == limit, nil
	}
	ran, err := r.step(ctx, at, entries)
	switch {
	case err == nil:
		r.past(len(entries))
		return true, nil
	case errors.Is(err, errMoved):
		r.past(r.single) // whoever moved it knows which of them are bad
		return true, nil
	case !ran:
		return false, err // the database's fault, not the facts'
	case len(entries) > 1:
		r.f.Log.Debug("follower takes facts one by one", "follower", r.f.Name, "facts", len(entries), "err", err)
		r.single = len(entries)
		return true, nil
	}
	if r.tries++; r.tries < maxTries {
		return false, err
	}
	return true, r.park(ctx, at, entries[0], err)
}

// past notes that the cursor has moved past n facts.
func (r *run) past(n int) {
	r.tries = 0
	r.single = max(0, r.single-n)
}

// step takes the follower's step and reports whether it was begun.
func (r *run) step(ctx context.Context, from Place, entries []Entry) (ran bool, err error) {
	var facts []*fact.Fact
	for _, e := range entries {
		if r.f.takes(e) {
			facts = append(facts, e.Fact)
		}
	}
	err = r.l.db.Write(ctx, "", func(tx *db.Tx) error {
		ran = false
		if err := r.move(tx, from, entries[len(entries)-1].Place); err != nil {
			return err
		}
		ran = true
		if len(facts) == 0 {
			return nil
		}
		return r.f.Step(tx, facts)
	})
	return ran, err
}

// move sets the cursor if it is still where it was.
func (r *run) move(tx *db.Tx, from, to Place) error {
	n, err := tx.Exec(`INSERT INTO ledger_cursors (name, epoch, xid, seq) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, xid = excluded.xid, seq = excluded.seq
		WHERE ledger_cursors.epoch = $5 AND ledger_cursors.xid = $6 AND ledger_cursors.seq = $7`,
		r.f.Name, to.epoch, to.xid, to.seq, from.epoch, from.xid, from.seq)
	if err != nil {
		return err
	}
	if n == 0 {
		return errMoved
	}
	return nil
}

// park puts a fact aside and moves on.
func (r *run) park(ctx context.Context, from Place, e Entry, reason error) error {
	err := r.l.db.Write(ctx, "", func(tx *db.Tx) error {
		if err := r.move(tx, from, e.Place); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO ledger_parked (follower, seq, day, org_id, reason, parked_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (follower, seq) DO NOTHING`, r.f.Name, e.Fact.ID.Seq, e.Fact.ID.Day, e.Fact.Org, reason.Error(), tx.Micros())
		return err
	})
	if errors.Is(err, errMoved) {
		r.past(r.single)
		return nil
	}
	if err != nil {
		return fmt.Errorf("park fact %s: %w", e.Fact.ID, err)
	}
	r.past(1)
	r.f.Log.Error("fact parked", "follower", r.f.Name, "fact", e.Fact.ID.String(), "err", reason)
	if r.f.Alarm != nil {
		r.f.Alarm(e.Fact, reason)
	}
	return nil
}

// Parked counts the facts that followers have put aside.
func Parked(q db.Querier) (int64, error) {
	return db.One(q, db.Value[int64], "SELECT count(*) FROM ledger_parked")
}

// sleep waits for d, or until it is woken, which it reports, or ctx ends.
func sleep(ctx context.Context, wake <-chan struct{}, d time.Duration) (woken bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
		return true
	case <-t.C:
	}
	return false
}
