package delivery

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

const (
	beatEvery = 2 * time.Second
	deadAfter = 10 * time.Second // without a heartbeat
)

// join makes this start known, and frees what earlier starts of the same installation held: they are dead, because the data folder's lock is ours.
func (e *Engine) join(ctx context.Context) error {
	return e.DB.WriteAlone(ctx, func(tx *db.Tx) error {
		earlier, err := db.All(tx, db.Value[int64], "SELECT node FROM nodes WHERE name = $1 AND ended_at IS NULL", e.NodeName)
		if err != nil {
			return err
		}
		for _, node := range earlier {
			if err := free(tx, node); err != nil {
				return err
			}
		}
		node, err := db.One(tx, db.Value[int64], "INSERT INTO nodes (name, started_at, heartbeat_at) VALUES ($1, $2, $2) RETURNING node", e.NodeName, tx.Micros())
		if err != nil {
			return err
		}
		tx.OnCommit(func() { e.node.Store(node) })
		return nil
	})
}

// free gives back the leases of a node that is dead.
func free(tx *db.Tx, node int64) error {
	if _, err := tx.Exec("UPDATE deliveries SET owner = 0, due = $1 WHERE state = 0 AND owner = $2", tx.Micros(), node); err != nil {
		return err
	}
	_, err := tx.Exec("UPDATE nodes SET ended_at = $1 WHERE node = $2", tx.Micros(), node)
	return err
}

// beat tells other nodes that this one lives, and frees what those held that do not. One SQLite file has one node, which needs no heartbeat.
func (e *Engine) beat(ctx context.Context) {
	if e.DB.Engine() == db.SQLite {
		return
	}
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := e.DB.WriteAlone(ctx, e.beatOnce); err != nil && ctx.Err() == nil {
			e.Log.Warn("heartbeat", "err", err)
		}
	}
}

func (e *Engine) beatOnce(tx *db.Tx) error {
	if _, err := tx.Exec("UPDATE nodes SET heartbeat_at = $1 WHERE node = $2", tx.Micros(), e.node.Load()); err != nil {
		return err
	}
	dead, err := db.All(tx, db.Value[int64], "SELECT node FROM nodes WHERE ended_at IS NULL AND heartbeat_at < $1",
		tx.Micros()-deadAfter.Microseconds())
	if err != nil {
		return err
	}
	for _, node := range dead {
		if err := free(tx, node); err != nil {
			return err
		}
		e.Log.Warn("freed the deliveries of a node that does not answer", "node", node)
	}
	if len(dead) > 0 {
		tx.OnCommit(e.poller.wake)
	}
	return nil
}

// leave gives back what is still held and ends this start.
func (e *Engine) leave() error {
	return e.DB.WriteAlone(context.Background(), func(tx *db.Tx) error { return free(tx, e.node.Load()) })
}
