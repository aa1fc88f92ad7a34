package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Config says which database to open.
type Config struct {
	// URL is a postgres:// URL. Empty means SQLite.
	URL string
	// File is the SQLite database file; it is created when missing.
	File string
	// Now is SQLite's clock, time.Now when nil. PostgreSQL is asked for the time.
	Now func() time.Time
	// Log receives what has no caller to return to. slog.Default when nil.
	Log *slog.Logger
	// MaxConns bounds PostgreSQL's pool, 8 when 0, at least 2: the writer keeps one.
	MaxConns int
	// MaxPages bounds SQLite's file, for tests of a full disk; 0 means no bound.
	MaxPages int
}

// Engine names the database that is underneath.
type Engine string

// The engines.
const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgres"
)

// Rows are the rows of a query's answer, in the manner of database/sql. Scan takes pointers to int64, int, int32, bool, string, []byte,
// to types of these kinds, and to pointers to them for columns that may be NULL.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// Querier answers queries: a transaction, or the read side of a database.
type Querier interface {
	Query(sql string, args ...any) (Rows, error)
}

// Errors that callers test for.
var (
	// ErrNoRow is returned by One when there was none.
	ErrNoRow = errors.New("no such row")
	// ErrClosed is returned once the database has been closed.
	ErrClosed = errors.New("the database is closed")
	// ErrNewerSchema is returned by Migrate for a database that a newer program has migrated.
	ErrNewerSchema = errors.New("newer schema")
)

// DB is an open database. It is safe for use by many goroutines.
type DB struct {
	engine backend
	group  *group
	log    *slog.Logger
}

// backend is what the two engines do differently.
type backend interface {
	name() Engine
	// read runs a query outside of any transaction.
	read(ctx context.Context, sql string, args []any) (Rows, error)
	// session gives a connection for transactions, to be given back by release.
	session(ctx context.Context) (session, error)
	release(session)
	migrate(ctx context.Context, log *slog.Logger) error
	schemaVersion(ctx context.Context) (have, want int64, err error)
	backup(ctx context.Context, file string) error
	check(ctx context.Context) ([]string, error)
	scrub(ctx context.Context) error
	io.Closer
}

// Open opens a database and checks that it answers. It does not migrate: see [DB.Migrate].
func Open(ctx context.Context, c Config) (*DB, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	var b backend
	var err error
	if c.URL != "" {
		b, err = openPostgres(ctx, c)
	} else {
		b, err = openLite(c)
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	d := &DB{engine: b, log: c.Log}
	d.group = newGroup(b)
	return d, nil
}

// Engine names the database that is underneath.
func (d *DB) Engine() Engine { return d.engine.name() }

// Close ends the writer after the work that was handed in, and closes all connections. Closing twice is fine.
func (d *DB) Close() error {
	d.group.close()
	return d.engine.Close()
}

// Read returns the read side: each query sees what was committed when it began, and ends early when ctx does.
func (d *DB) Read(ctx context.Context) Querier { return reader{d.engine, ctx} }

type reader struct {
	b   backend
	ctx context.Context
}

func (r reader) Query(sql string, args ...any) (Rows, error) { return r.b.read(r.ctx, sql, args) }

// All runs a query and returns what scan makes of each row.
func All[T any](q Querier, scan func(Rows) (T, error), sql string, args ...any) ([]T, error) {
	rows, err := q.Query(sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// One runs a query and returns what scan makes of its first row, or [ErrNoRow].
func One[T any](q Querier, scan func(Rows) (T, error), sql string, args ...any) (T, error) {
	var zero T
	rows, err := q.Query(sql, args...)
	if err != nil {
		return zero, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return zero, err
		}
		return zero, ErrNoRow
	}
	v, err := scan(rows)
	if err != nil {
		return zero, err
	}
	rows.Close() // an error may come after the first row
	return v, rows.Err()
}

// Value is a scan function for queries of one column.
func Value[T any](r Rows) (T, error) {
	var v T
	err := r.Scan(&v)
	return v, err
}

// Revision returns the configuration's revision as it is now: see [Tx.Revision].
func (d *DB) Revision(ctx context.Context) (int64, error) {
	return One(d.Read(ctx), Value[int64], "SELECT revision FROM configuration")
}

// Setting returns a fact about the database itself that [SetSetting] stored, or "".
func Setting(q Querier, name string) (string, error) {
	v, err := One(q, Value[string], "SELECT value FROM settings WHERE name = $1", name)
	if errors.Is(err, ErrNoRow) {
		return "", nil
	}
	return v, err
}

// SetSetting stores a fact about the database itself unless there is one of that name, and returns what is stored then.
func SetSetting(tx *Tx, name, v string) (string, error) {
	if _, err := tx.Exec("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, v); err != nil {
		return "", err
	}
	return Setting(tx, name)
}

// Backup writes a consistent copy of a SQLite database to a new file while others read and write. It fails on PostgreSQL, whose own
// tools (pg_dump, pg_basebackup) do that.
func (d *DB) Backup(ctx context.Context, file string) error { return d.engine.backup(ctx, file) }

// Check looks over the settings that durability rests on and returns a sentence for each that is not as it should be.
func (d *DB) Check(ctx context.Context) ([]string, error) { return d.engine.check(ctx) }
