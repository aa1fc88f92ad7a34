package pass

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const (
	endAtOnce  = 100 // passes that a transaction expires, each with a fact
	askAtOnce  = 100 // passes whose assets are asked about, before what came of it is written down
	asksAtOnce = 8   // of them at the same moment
	askLasts   = 10 * time.Second
	askAgain   = 5 * time.Minute // where nobody could say, though somebody should
	doubtLasts = time.Minute     // from one no to the next, which counts
	doubted    = 1000            // passes of which that is awaited at the same time
	forgotten  = 24 * time.Hour  // what nobody is there to tell

	imagesAtOnce = 20 // pictures that a transaction removes, each of up to some MB
)

// expire expires passes whose own date has come, and those whose event is over.
func (s *Sender) expire(ctx context.Context) error {
	return errors.Join(
		s.each(ctx, `expires_at`, func(tx *db.Tx, due []*Pass) error { return s.book.expire(tx, ExpirationDate, due...) }),
		s.each(ctx, `over_at`, s.book.endOf),
	)
}

// each does something with the active passes whose instant in a column has come, until there is none.
func (s *Sender) each(ctx context.Context, column string, do func(tx *db.Tx, due []*Pass) error) error {
	for n := endAtOnce; n == endAtOnce && ctx.Err() == nil; {
		where := `WHERE p.expired_at IS NULL AND p.` + column + ` IS NOT NULL AND p.` + column + ` <= $1 `
		due, err := db.All(s.book.db.Read(ctx), db.Value[int], `SELECT 1 FROM passes p `+where+`LIMIT 1`, time.Now().UnixMicro())
		if err != nil || len(due) == 0 {
			return err
		}
		err = s.book.db.Write(ctx, "", func(tx *db.Tx) error {
			all, err := find(tx, where+`ORDER BY p.`+column+`, p.pass_no LIMIT $2 /*skip locked*/`, tx.Micros(), endAtOnce)
			if err != nil {
				return err
			}
			n = len(all)
			return do(tx, all)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// endOf expires passes whose event is over, and notes for others, whose event was moved a moment ago, when that will be.
func (b *Book) endOf(tx *db.Tx, due []*Pass) error {
	type key struct {
		org int64
		id  id.Event
	}
	ends := map[key]time.Time{}
	var over []*Pass
	for _, p := range due {
		k := key{p.Org, p.EventID}
		end, known := ends[k]
		if !known {
			e, err := event.ByID(tx, p.Org, p.EventID)
			switch {
			case problem.Is(err, "event_not_found"):
				end = p.overAt
			case err != nil:
				return err
			default:
				end = overAt(e)
			}
			ends[k] = end
		}
		if end.IsZero() || end.After(tx.Now()) {
			if err := tx.Later(`UPDATE passes SET over_at = $1 WHERE pass_no = $2 AND org_id = $3`, micros(end), p.No, p.Org); err != nil {
				return err
			}
			continue
		}
		over = append(over, p)
	}
	return b.expire(tx, EventEnded, over...)
}

// recheck asks whether owners still hold what their passes are for, and expires the passes of those who do not. It asks outside of transactions: a chain takes
// its time.
//
// There is no way back from an expiry, and a node can be behind the chain, or follow a branch of it that is given up. So a no counts when it was said twice, a
// minute apart, or sooner where owners are asked for more often. The doubt is kept in memory alone: if this node ends meanwhile, or the second answer is a yes,
// the pass stays as it was and is asked about the next time.
func (s *Sender) recheck(ctx context.Context) error {
	var doubts []*Pass
	for n := askAtOnce; n == askAtOnce && len(doubts) < doubted && ctx.Err() == nil; {
		all, err := s.unchecked(ctx)
		if err != nil {
			return err
		}
		n = len(all)
		lost, err := s.ask(ctx, all)
		if err != nil {
			return err
		}
		doubts = append(doubts, lost...)
	}
	if len(doubts) == 0 {
		return nil
	}
	rest(ctx, min(doubtLasts, s.Recheck))
	lost, err := s.ask(ctx, doubts) // nobody answers any more once ctx has ended
	if err != nil {
		return err
	}
	return s.lose(ctx, lost)
}

// unchecked takes passes whose assets were not asked about for long; the others leave them alone until they are again.
func (s *Sender) unchecked(ctx context.Context) (all []*Pass, err error) {
	where := `WHERE p.expired_at IS NULL AND p.checked_at IS NOT NULL AND p.checked_at <= $1 `
	due, err := db.All(s.book.db.Read(ctx), db.Value[int], `SELECT 1 FROM passes p `+where+`LIMIT 1`, time.Now().Add(-s.Recheck).UnixMicro())
	if err != nil || len(due) == 0 {
		return nil, err
	}
	err = s.book.db.Write(ctx, "", func(tx *db.Tx) error {
		all, err = find(tx, where+`ORDER BY p.checked_at, p.pass_no LIMIT $2 /*skip locked*/`, tx.Now().Add(-s.Recheck).UnixMicro(), askAtOnce)
		if err != nil {
			return err
		}
		return setChecked(tx, tx.Now(), all)
	})
	return all, err
}

func setChecked(tx *db.Tx, at time.Time, all []*Pass) error {
	numbers := make([]int64, len(all))
	for i, p := range all {
		numbers[i], p.checked = p.No, at
	}
	if err := tx.Later(`UPDATE passes SET checked_at = $1 WHERE pass_no IN ints($2) AND checked_at IS NOT NULL AND expired_at IS NULL`, at.UnixMicro(), list(numbers)); err != nil {
		return fmt.Errorf("note when assets were asked about: %w", err)
	}
	return nil
}

// answer is what a chain says about a pass.
type answer struct {
	lost bool // the owner does not hold all of it
	err  error
}

// ask asks about passes, some at once, and returns those whose owners do not hold all of their assets. Where nobody could say, it is soon asked again.
func (s *Sender) ask(ctx context.Context, all []*Pass) (lost []*Pass, err error) {
	answers := make([]answer, len(all))
	places := make(chan struct{}, asksAtOnce)
	var asking sync.WaitGroup
	for i, p := range all {
		places <- struct{}{}
		asking.Go(func() {
			defer func() { <-places }()
			answers[i] = s.askOne(ctx, p)
		})
	}
	asking.Wait()
	var failed []*Pass
	var first error
	for i, a := range answers {
		switch {
		case a.lost:
			lost = append(lost, all[i])
		case a.err != nil:
			if failed = append(failed, all[i]); first == nil {
				first = a.err
			}
		}
	}
	return lost, s.unsaid(ctx, failed, first)
}

// askOne asks about each of a pass's assets, until one is known to be somebody else's.
func (s *Sender) askOne(ctx context.Context, p *Pass) (a answer) {
	if p.Owner == "" {
		return a
	}
	ctx, cancel := context.WithTimeout(ctx, askLasts)
	defer cancel()
	missing, err := Missing(ctx, s.Chain, p.Network, p.Owner, p.NFTs)
	return answer{missing >= 0, err}
}

// unsaid has passes asked about again soon, because nobody could say.
func (s *Sender) unsaid(ctx context.Context, failed []*Pass, first error) error {
	if len(failed) == 0 {
		return nil
	}
	if ctx.Err() == nil {
		s.Log.Warn("ask who holds assets", "passes", len(failed), "first", first)
	}
	return s.book.db.Write(context.WithoutCancel(ctx), "", func(tx *db.Tx) error {
		return setChecked(tx, tx.Now().Add(min(askAgain, s.Recheck)-s.Recheck), failed)
	})
}

// lose expires passes whose owners do not hold their assets any more.
func (s *Sender) lose(ctx context.Context, lost []*Pass) error {
	slices.SortFunc(lost, func(a, b *Pass) int { return cmp.Compare(a.No, b.No) }) // the order in which passes are locked
	for some := range slices.Chunk(lost, endAtOnce) {
		err := s.book.db.Write(context.WithoutCancel(ctx), "", func(tx *db.Tx) error {
			for _, p := range some {
				now, err := lockNo(tx, p.Org, p.No)
				if err != nil {
					return err
				}
				if now.Owner != p.Owner { // erased meanwhile
					continue
				}
				if err := s.book.expire(tx, OwnershipTransfer, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep forgets what counts once and has had its time, what nobody was there to tell, and pictures that nothing names.
func (s *Sender) sweep(ctx context.Context) error {
	errs := []error{s.sweepOut(ctx, 0, atOnce, `DELETE FROM pass_once WHERE (org_id, what, hash) IN (SELECT org_id, what, hash FROM pass_once WHERE until <= $1 ORDER BY until LIMIT $2)`)}
	for channel, there := range map[*channel]bool{&appleLane: s.Pusher != nil, &googleLane: s.Syncer != nil} {
		if !there {
			errs = append(errs, s.sweepOut(ctx, forgotten, atOnce, channel.sweep()))
		}
	}
	return errors.Join(append(errs, s.sweepOut(ctx, unnamed, imagesAtOnce, sweepImages))...)
}

// sweepOut removes what has some age, so much in each transaction, until there is no more of it.
func (s *Sender) sweepOut(ctx context.Context, age time.Duration, most int64, statement string) error {
	for n := most; n == most && ctx.Err() == nil; {
		err := s.book.db.Write(ctx, "", func(tx *db.Tx) (err error) {
			n, err = tx.Exec(statement, tx.Now().Add(-age).UnixMicro(), most)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep is the statement that forgets what a channel was to tell before $1; $2 is how much at once.
func (c *channel) sweep() string {
	return `DELETE FROM pass_pushes WHERE push_no IN (SELECT push_no FROM pass_pushes WHERE ` + c.where + ` AND made_at <= $1 LIMIT $2)`
}
