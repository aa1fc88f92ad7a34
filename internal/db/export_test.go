package db

import (
	"context"
	"database/sql"
	"errors"

	"github.com/pressly/goose/v3"
)

// Waiting is how many functions have been handed to the writer and not been taken by it: tests need it to know that a group is complete.
func (d *DB) Waiting() int { return len(d.group.jobs) }

// MigrateTo brings the schema to a version, as an older program left it.
func (d *DB) MigrateTo(ctx context.Context, version int64) error {
	p, pool, err := d.engine.(interface {
		provider() (*goose.Provider, *sql.DB, error)
	}).provider()
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return errors.Join(err, pool.Close())
}
