package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Backup says what a backup consists of.
type Backup struct {
	File  string // the copy of the database
	Bytes int64
	// MasterKey is the file of the master key, or the name of the environment variable that holds it. Without the key, what is sealed in
	// the copy is lost, so it must be kept too, and not beside the copy.
	MasterKey string
}

// WriteBackup copies a SQLite database to a new file while others read and write it. It does not migrate, so that one can be made before
// a newer program is started. PostgreSQL has tools of its own, and the error says so.
func WriteBackup(ctx context.Context, c Config, file string) (Backup, error) {
	if err := c.withDatabase(ctx, func(d *db.DB) error { return d.Backup(ctx, file) }); err != nil {
		return Backup{}, err
	}
	if err := syncFile(file); err != nil {
		return Backup{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return Backup{}, err
	}
	return Backup{File: file, Bytes: info.Size(), MasterKey: c.masterKey()}, nil
}

// masterKey says where the master key is.
func (c Config) masterKey() string {
	getenv := c.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	if getenv(seal.EnvVar) != "" {
		return seal.EnvVar
	}
	file := filepath.Join(c.Data, keyFile)
	if abs, err := filepath.Abs(file); err == nil {
		return abs
	}
	return file
}

// syncFile has a file and its name on disk when it returns.
func syncFile(file string) error {
	for _, name := range []string{file, filepath.Dir(file)} {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("write the backup to disk: %w", err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("write the backup to disk: %w", err)
		}
	}
	return nil
}
