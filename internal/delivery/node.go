package delivery

import (
	"context"
	"encoding/json"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// join makes this start known, and frees what earlier starts of the same installation held: they are dead, because the data folder's lock is ours.
func (e *Engine) join(ctx context.Context) error {
	return e.DB.WriteAlone(ctx, func(tx *db.Tx) error {
		e.compareClocks(tx)
		earlier, err := db.All(tx, db.Value[int64], "SELECT node FROM nodes WHERE name = $1", e.NodeName)
		if err != nil {
			return err
		}
		if err := free(tx, earlier...); err != nil {
			return err
		}
		// An ended node's rows may still be written for a moment; a month later they cannot.
		month := 30 * 24 * time.Hour
		if _, err := tx.Exec("DELETE FROM nodes WHERE name = $1 AND ended_at < $2", e.NodeName, tx.Micros()-month.Microseconds()); err != nil {
			return err
		}
		node, err := db.One(tx, db.Value[int64], "INSERT INTO nodes (name, started_at, heartbeat_at) VALUES ($1, $2, $2) RETURNING node", e.NodeName, tx.Micros())
		if err != nil {
			return err
		}
		tx.OnCommit(func() { e.node.Store(node) })
		return nil
	})
}

// free gives back the leases of nodes that are dead. It looks only at what is due later: what is due already is anybody's.
func free(tx *db.Tx, nodes ...int64) error {
	if len(nodes) == 0 {
		return nil
	}
	list, err := json.Marshal(nodes)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(pendingEndpoints+` UPDATE deliveries SET owner = 0, due = $1 WHERE state = 0 AND due > $1 AND owner IN ints($2)
		AND endpoint_id IN (SELECT endpoint_id FROM e WHERE endpoint_id IS NOT NULL)`, tx.Micros(), string(list)); err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE nodes SET ended_at = $1 WHERE ended_at IS NULL AND node IN ints($2)", tx.Micros(), string(list))
	return err
}

// beat tells other nodes that this one lives, and frees what those held that do not. One SQLite file has one node, which needs no heartbeat.
func (e *Engine) beat(ctx context.Context) {
	if e.DB.Engine() == db.SQLite {
		return
	}
	ticker := time.NewTicker(e.Beat)
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
	e.compareClocks(tx)
	node := e.node.Load()
	ended, err := db.All(tx, db.Value[*int64], "SELECT ended_at FROM nodes WHERE node = $1 /*for update*/", node)
	if err != nil {
		return err
	}
	if len(ended) == 1 && ended[0] != nil {
		// Others took this node for dead, while it could not write, and have its leases. It goes on; what it held is settled with care.
		e.doubt.Store(time.Now().Add(e.Lease).UnixNano())
		tx.OnCommit(func() { e.Log.Warn("this node was taken for dead; its deliveries went to others", "node", node) })
	}
	if _, err := tx.Exec("UPDATE nodes SET heartbeat_at = $1, ended_at = NULL WHERE node = $2", tx.Micros(), node); err != nil {
		return err
	}
	dead, err := db.All(tx, db.Value[int64], "SELECT node FROM nodes WHERE ended_at IS NULL AND heartbeat_at < $1", tx.Micros()-e.Dead.Microseconds())
	if err != nil || len(dead) == 0 {
		return err
	}
	tx.OnCommit(func() {
		e.Log.Warn("freed the deliveries of nodes that do not answer", "nodes", dead)
		e.poller.everything()
	})
	return free(tx, dead...)
}

// leave gives back what is still held and ends this start.
func (e *Engine) leave() error {
	return e.DB.WriteAlone(context.Background(), func(tx *db.Tx) error { return free(tx, e.node.Load()) })
}

// compareClocks notes how far the database's clock is from this machine's, by which timers go. Call it first in a transaction of its own.
func (e *Engine) compareClocks(tx *db.Tx) { e.skew.Store(int64(time.Until(tx.Now()))) }

// here is a stored instant by this machine's clock.
func (e *Engine) here(micros int64) time.Time {
	return time.UnixMicro(micros).Add(-time.Duration(e.skew.Load()))
}
