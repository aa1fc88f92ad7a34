package pull

import (
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// claim gives an event the key that its sender gave it, or returns the event that has it. One that is over gives its key up. On PostgreSQL it waits for whoever is
// taking the same key.
func (d *Depot) claim(tx *db.Tx, e *Endpoint, dedup []byte, mine id.Received, at int64) (first id.Received, err error) {
	return db.One(tx, scanHolder, `INSERT INTO pull_keys (endpoint_no, dedup, org_id, seq, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (endpoint_no, dedup) DO UPDATE SET
		seq = CASE WHEN pull_keys.at <= $6 THEN excluded.seq ELSE pull_keys.seq END, at = CASE WHEN pull_keys.at <= $6 THEN excluded.at ELSE pull_keys.at END
		RETURNING seq, at`, e.No, dedup, e.Org, mine.Seq, at, d.cutoff(tx, e))
}

// scanHolder reads which event has a key.
func scanHolder(r db.Rows) (i id.Received, err error) {
	var at int64
	err = r.Scan(&i.Seq, &at)
	i.Millis = instant(at).UnixMilli()
	return i, err
}
