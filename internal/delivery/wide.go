package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// chores is work on many rows that is done in parts, each in a transaction of its own, so that nobody else waits for it: planning facts that
// many endpoints want, and recovering thousands of deliveries. What is left to do is in a table; any node goes on where another stopped.
type chores struct {
	e    *Engine
	come chan struct{}
}

func newChores(e *Engine) *chores { return &chores{e: e, come: make(chan struct{}, 1)} }

func (c *chores) wake() {
	select {
	case c.come <- struct{}{}:
	default:
	}
}

func (c *chores) run(ctx context.Context) {
	ticker := time.NewTicker(c.e.Poll)
	defer ticker.Stop()
	for {
		if err := c.planWide(ctx); err != nil && ctx.Err() == nil {
			c.e.Log.Error("plan deliveries to many endpoints", "err", err)
		}
		if err := c.recover(ctx); err != nil && ctx.Err() == nil {
			c.e.Log.Error("recover deliveries", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-c.come:
		}
	}
}

// part is how many rows one transaction writes.
const part = 500

// later notes a fact that too many endpoints want for its own transaction, and who they are at its place in the ledger: a negative number stands for
// an endpoint that was off.
func (c *chores) later(tx *db.Tx, f *fact.Fact, wanting []*endpoint.Endpoint) error {
	numbers := make([]int64, len(wanting))
	for i, to := range wanting {
		numbers[i] = to.Number
		if !to.Enabled() {
			numbers[i] = -to.Number
		}
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		return err
	}
	tx.OnCommit(c.wake)
	return tx.Later("INSERT INTO delivery_wide (fact_seq, day, org_id, done, endpoints) VALUES ($1, $2, $3, 0, $4)", f.ID.Seq, f.ID.Day, f.Org, string(list))
}

// wide is a fact that is planned in parts. done counts the endpoints that have their rows.
type wide struct {
	seq       int64
	done      int
	endpoints string
}

// planWide plans all facts that wait for it, in the order of their numbers. One that cannot be planned does not hold up the others.
func (c *chores) planWide(ctx context.Context) error {
	var failure error
	for after, more := int64(0), true; more && ctx.Err() == nil; {
		some, err := db.All(c.e.DB.Read(ctx), func(r db.Rows) (w wide, err error) { return w, r.Scan(&w.seq, &w.done, &w.endpoints) },
			"SELECT fact_seq, done, endpoints FROM delivery_wide WHERE fact_seq > $1 ORDER BY fact_seq LIMIT 16", after)
		if err != nil {
			return err
		}
		for _, w := range some {
			after = w.seq
			if err := c.planAll(ctx, w); err != nil {
				failure = err
			}
		}
		more = len(some) > 0
	}
	return failure
}

func (c *chores) planAll(ctx context.Context, w wide) error {
	var numbers []int64
	if err := json.Unmarshal([]byte(w.endpoints), &numbers); err != nil {
		return err
	}
	facts, err := ledger.Load(c.e.DB.Read(ctx), []int64{w.seq})
	if err != nil {
		return err
	}
	if len(facts) == 0 {
		numbers = nil // retention has taken it: nothing is left to plan
		facts = append(facts, &fact.Fact{})
	}
	s := &shared{fact: facts[0]}
	for mine := true; mine && ctx.Err() == nil; {
		if mine, err = c.planPart(ctx, s, &w, numbers); err != nil {
			return err
		}
	}
	return nil
}

// planPart plans a wide fact for the next endpoints. It reports false when there is nothing more to do here: all is planned, or another node is
// at it.
func (c *chores) planPart(ctx context.Context, s *shared, w *wide, numbers []int64) (more bool, err error) {
	todo := numbers[min(w.done, len(numbers)):]
	done := w.done + min(part, len(todo))
	err = c.e.DB.Write(ctx, "", func(tx *db.Tx) error {
		more = false
		set, err := c.e.Subscriptions.At(tx)
		if err != nil {
			return err
		}
		var n int64
		if done < len(numbers) {
			n, err = tx.Exec("UPDATE delivery_wide SET done = $1 WHERE fact_seq = $2 AND done = $3", done, w.seq, w.done)
		} else {
			n, err = tx.Exec("DELETE FROM delivery_wide WHERE fact_seq = $1 AND done = $2", w.seq, w.done)
		}
		if err != nil || n == 0 {
			return err
		}
		p := plan{e: c.e, tx: tx, now: tx.Micros()}
		for _, number := range todo[:done-w.done] {
			if to := set.Endpoint(max(number, -number)); to != nil { // deleted meanwhile: nobody waits for it
				p.add(s, to, number > 0)
			}
		}
		more = done < len(numbers)
		tx.OnCommit(func() {
			for _, it := range p.items {
				if it.item != nil {
					c.e.poller.hot(it.id.Endpoint)
				}
			}
		})
		return tx.Bulk(insertDeliveries, p.rows)
	})
	w.done = done
	return more, err
}

// recoverLater notes that an endpoint's deliveries are to be recovered.
func (c *chores) recoverLater(tx *db.Tx, to *endpoint.Endpoint, since time.Time) error {
	tx.OnCommit(c.wake)
	return tx.Later("INSERT INTO delivery_recoveries (endpoint_id, org_id, since, until, after_seq) VALUES ($1, $2, $3, $4, 0)",
		to.Number, to.Org, since.UnixMicro(), tx.Micros())
}

type recovery struct{ id, endpoint, org, since, until int64 }

// recover goes on with all recoveries that were asked for.
func (c *chores) recover(ctx context.Context) error {
	all, err := db.All(c.e.DB.Read(ctx), func(r db.Rows) (v recovery, err error) {
		return v, r.Scan(&v.id, &v.endpoint, &v.org, &v.since, &v.until)
	}, "SELECT recovery_id, endpoint_id, org_id, since, until FROM delivery_recoveries ORDER BY recovery_id")
	if err != nil {
		return err
	}
	for _, v := range all {
		for more := true; more && ctx.Err() == nil; {
			if more, err = c.recoverPart(ctx, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// recoverPart makes the next deliveries of a recovery due again. A fact's deliveries that failed since are behind it.
func (c *chores) recoverPart(ctx context.Context, v recovery) (more bool, err error) {
	err = c.e.DB.Write(ctx, "", func(tx *db.Tx) error {
		more = false
		after, err := db.One(tx, db.Value[int64], "SELECT after_seq FROM delivery_recoveries WHERE recovery_id = $1 /*for update*/", v.id)
		if errors.Is(err, db.ErrNoRow) {
			return nil // another node has done the last part
		}
		if err != nil {
			return err
		}
		seqs, err := db.All(tx, db.Value[int64], `UPDATE deliveries SET state = 0, due = $1, owner = 0, series = attempt
			WHERE endpoint_id = $2 AND org_id = $3 AND state IN (2, 3) AND fact_seq IN (SELECT fact_seq FROM deliveries
				WHERE endpoint_id = $2 AND org_id = $3 AND fact_seq > $4 AND at >= $5 AND at <= $6 AND state IN (2, 3) ORDER BY fact_seq LIMIT $7)
			RETURNING fact_seq`, tx.Micros(), v.endpoint, v.org, after, v.since, v.until, part)
		if err != nil {
			return err
		}
		if more = len(seqs) > 0; more {
			_, err = tx.Exec("UPDATE delivery_recoveries SET after_seq = $1 WHERE recovery_id = $2", slices.Max(seqs), v.id)
		} else {
			_, err = tx.Exec("DELETE FROM delivery_recoveries WHERE recovery_id = $1", v.id)
		}
		tx.OnCommit(func() { c.e.poller.hot(v.endpoint) })
		return err
	})
	return more, err
}
