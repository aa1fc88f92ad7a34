package pass

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

const (
	settleMost  = 500 // parcels that a transaction writes down
	settleAfter = 20 * time.Millisecond
	settleTries = 4
)

// backoff is how long a push that failed waits, by how often it has; once more, and it is given up.
var backoff = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour}

// settle writes down what comes of parcels, many in a transaction, until the channel is closed.
func (l *lane) settle() {
	var batch []outcome
	timer := time.NewTimer(settleAfter)
	defer timer.Stop()
	for {
		select {
		case o, open := <-l.outcomes:
			if !open {
				l.write(batch)
				return
			}
			if batch = append(batch, o); len(batch) == 1 {
				timer.Reset(settleAfter)
			}
			if len(batch) < settleMost {
				continue
			}
		case <-timer.C:
		}
		l.write(batch)
		batch = nil
	}
}

// write tries a few times. What cannot be written is told again when its lease is over, which does no harm.
func (l *lane) write(batch []outcome) {
	if len(batch) == 0 {
		return
	}
	for try := range settleTries {
		var w settlement
		err := l.book.db.Write(context.Background(), "", func(tx *db.Tx) (err error) {
			tx.OnCommit(l.book.bell.Ring) // what was queued anew while it was told, and what was given back, is due at once
			w, err = l.settled(tx, batch)
			return err
		})
		if err == nil {
			w.report(l)
			return
		}
		if errors.Is(err, db.ErrClosed) || try == settleTries-1 {
			l.Log.Error("settle pushes", "wallet", l.name, "count", len(batch), "err", err)
			return
		}
		time.Sleep(100 * time.Millisecond << try)
	}
}

// settlement is what a batch of outcomes changes.
type settlement struct {
	done   [][]any // told, or given up, unless there is something new to tell: push_no, again, lease
	later  [][]any // push_no, lease, attempts, due_at, again
	ended  int     // registrations
	failed int
	given  int    // up
	why    string // the first that was given up
	how    string // the first that failed
}

var (
	dropPushes = db.NewBulk(`DELETE FROM pass_pushes WHERE push_no = $1 AND again = $2`,
		`DELETE FROM pass_pushes p USING unnest($1::bigint[], $2::bigint[]) AS x (no, again) WHERE p.push_no = x.no AND p.again = x.again`, "bigint", "bigint")
	// What was queued anew while it was told is told again. Where the lease was lost, that is another's affair.
	tellAgain = db.NewBulk(`UPDATE pass_pushes SET due_at = 0, attempts = 0 WHERE push_no = $1 AND again <> $2 AND due_at = $3`,
		`UPDATE pass_pushes p SET due_at = 0, attempts = 0 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS x (no, again, lease)
			WHERE p.push_no = x.no AND p.again <> x.again AND p.due_at = x.lease`, "bigint", "bigint", "bigint")
	// So is what failed, and without having to wait for it.
	putOff = db.NewBulk(`UPDATE pass_pushes SET attempts = CASE WHEN again = $5 THEN $3 ELSE 0 END, due_at = CASE WHEN again = $5 THEN $4 ELSE 0 END
			WHERE push_no = $1 AND due_at = $2`,
		`UPDATE pass_pushes p SET attempts = CASE WHEN p.again = x.again THEN x.attempts ELSE 0 END, due_at = CASE WHEN p.again = x.again THEN x.due ELSE 0 END
			FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS x (no, lease, attempts, due, again)
			WHERE p.push_no = x.no AND p.due_at = x.lease`, "bigint", "bigint", "bigint", "bigint", "bigint")
)

// settled writes down what came of parcels.
func (l *lane) settled(tx *db.Tx, batch []outcome) (w settlement, err error) {
	if err := lockAll(tx, passesGone(batch)); err != nil {
		return w, err
	}
	for _, o := range batch {
		for _, p := range o.pushes {
			if err := w.add(tx, l.book, p, o.Result); err != nil {
				return w, err
			}
		}
	}
	byNumber := func(a, b []any) int { return cmp.Compare(a[0].(int64), b[0].(int64)) }
	slices.SortFunc(w.done, byNumber)
	slices.SortFunc(w.later, byNumber)
	drops := make([][]any, len(w.done))
	for i, row := range w.done {
		drops[i] = row[:2]
	}
	if err := tx.Bulk(dropPushes, drops); err != nil {
		return w, err
	}
	if err := tx.Bulk(tellAgain, w.done); err != nil {
		return w, err
	}
	return w, tx.Bulk(putOff, w.later)
}

// passesGone are the passes that devices are said to have no more.
func passesGone(batch []outcome) (passes []int64) {
	for _, o := range batch {
		for _, p := range o.pushes {
			if o.Verdict == Gone && p.registration != 0 {
				passes = append(passes, p.pass)
			}
		}
	}
	return passes
}

// add notes what came of a push.
func (w *settlement) add(tx *db.Tx, b *Book, p *push, r Result) error {
	later := func(attempts int, after time.Duration) {
		w.later = append(w.later, []any{p.no, p.lease, int64(attempts), tx.Now().Add(after).UnixMicro(), p.again})
	}
	verdict := r.Verdict
	if verdict == Gone {
		var err error
		if verdict, err = b.gone(tx, p); err != nil {
			return err
		}
	}
	switch verdict {
	case Gone:
		w.ended++
	case Later:
		if w.failed++; w.how == "" {
			w.how = r.Detail
		}
		if p.attempts < len(backoff) {
			later(p.attempts+1, max(r.After, backoff[p.attempts]))
			return nil
		}
		w.giveUp(p, r)
	case Wait:
		later(p.attempts, r.After)
	case returned:
		w.later = append(w.later, []any{p.no, p.lease, int64(p.attempts), int64(0), p.again})
	case Never:
		w.giveUp(p, r)
	case Sent:
		w.done = append(w.done, []any{p.no, p.again, p.lease})
	}
	return nil
}

func (w *settlement) giveUp(p *push, r Result) {
	w.done = append(w.done, []any{p.no, p.again, p.lease})
	if r.Detail == "" { // there is nothing left to tell it to
		return
	}
	if w.given++; w.why == "" {
		w.why = r.Detail
	}
}

// report says in the log what went wrong, in one line for many.
func (w *settlement) report(l *lane) {
	if w.given > 0 {
		l.Log.Warn("pushes were given up", "wallet", l.name, "count", w.given, "first", w.why)
	}
	if w.failed > 0 {
		l.Log.Debug("pushes failed", "wallet", l.name, "count", w.failed, "first", w.how)
	}
	if w.ended > 0 {
		l.Log.Debug("devices have passes no more", "wallet", l.name, "count", w.ended)
	}
}
