package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Exists returns an error that says what to do where there is no installation yet. [Open] would make one.
func (c Config) Exists() error {
	if c.Database != "" {
		return nil
	}
	_, err := os.Stat(filepath.Join(c.Data, databaseFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no Stagedoor in the data folder %s; name its folder with --data, or make one with: stagedoor org create NAME", c.Data)
	}
	return err
}

// Migrate brings the schema up to date and does nothing else. It returns the version that the schema had and the one that it has; they
// are the same when there was nothing to do.
func Migrate(ctx context.Context, c Config) (from, to int64, err error) {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return 0, 0, fmt.Errorf("data folder: %w", err)
	}
	err = c.withDatabase(ctx, func(d *db.DB) error {
		if from, to, err = d.SchemaVersion(ctx); err != nil {
			return err
		}
		return d.Migrate(ctx)
	})
	return from, to, err
}

// withDatabase opens the database alone, as it is.
func (c Config) withDatabase(ctx context.Context, use func(*db.DB) error) error {
	d, err := db.Open(ctx, db.Config{URL: c.Database, File: filepath.Join(c.Data, databaseFile), Log: c.Log})
	if err != nil {
		return err
	}
	return errors.Join(use(d), d.Close())
}
