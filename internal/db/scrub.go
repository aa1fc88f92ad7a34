package db

import "context"

// Scrub has what was deleted and overwritten before leave the disk, as far as that is the program's business. A SQLite file is overwritten as rows are (see
// secure_delete in lite.go), but its write-ahead log still has what pages looked like: Scrub writes it back and empties it, unless a reader is in the way
// for long, after which the next checkpoint does. PostgreSQL keeps old versions of rows until its autovacuum comes by, and its log until that is archived or
// recycled, which are the operator's; there, Scrub does nothing.
func (d *DB) Scrub(ctx context.Context) error { return d.engine.scrub(ctx) }

func (*postgres) scrub(context.Context) error { return nil }

func (l *lite) scrub(context.Context) error {
	c, err := l.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.exec("PRAGMA busy_timeout = 1000", nil); err != nil {
		return err
	}
	_, err = c.exec("PRAGMA wal_checkpoint(TRUNCATE)", nil)
	return err
}
