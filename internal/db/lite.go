package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// readers is how many connections read a SQLite file at once. The driver's readers share locks, so more bring nothing.
const readers = 4

// lite is a SQLite file. Only this file and litemigrate.go know the driver.
type lite struct {
	file string
	now  func() time.Time
	dsn  string

	pool chan *liteConn // read connections, nil where one has not been opened yet

	mu     sync.Mutex // guards closed
	closed bool
}

func openLite(c Config) (*lite, error) {
	if c.File == "" {
		return nil, errors.New("no database given: set a SQLite file or a postgres:// URL")
	}
	file, err := filepath.Abs(c.File)
	if err != nil {
		return nil, err
	}
	// Locks of the open file description survive somebody else's close of the same file; POSIX locks do not. Where there are none
	// (other systems than Linux), the driver's POSIX locks serve: nothing in this program opens the file a second time.
	if _, err := sqlite.OFDLocking(true); err != nil && !errors.Is(err, sqlite.ErrOFDLockingUnavailable) && !sqlite.OFDLockingEnabled() {
		return nil, err
	}
	q := url.Values{}
	for _, p := range []string{
		"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)", "foreign_keys(ON)", "temp_store(MEMORY)",
		"journal_size_limit(67108864)", "cache_size(-32768)",
		"secure_delete(ON)", // what is erased does not stay behind in the file; the cost could not be measured
	} {
		q.Add("_pragma", p)
	}
	if c.MaxPages > 0 {
		q.Add("_pragma", "max_page_count("+strconv.Itoa(c.MaxPages)+")")
	}
	l := &lite{file: file, now: c.Now, dsn: "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + q.Encode(), pool: make(chan *liteConn, readers)}
	for range readers {
		l.pool <- nil
	}
	conn, err := l.connect()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return l, conn.Close()
}

func (l *lite) name() Engine { return SQLite }

func (l *lite) connect() (*liteConn, error) {
	connector, err := sqlite.NewConnector(l.dsn)
	if err != nil {
		return nil, err
	}
	raw, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &liteConn{raw: raw, stmts: map[string]*liteStmt{}}, nil
}

// liteConn is a raw driver connection with its prepared statements. database/sql is left out: it would prepare, check and copy again
// for every call.
type liteConn struct {
	raw   driver.Conn
	stmts map[string]*liteStmt
}

// liteStmt is a prepared statement. It may be in use by one query at a time.
type liteStmt struct {
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	close func() error
	args  []driver.NamedValue // reused
	want  int                 // how many arguments it takes
}

// maxStmts bounds the cache; all statements of this program are a few hundred constant texts.
const maxStmts = 1000

func (c *liteConn) prepare(sql string) (*liteStmt, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	if len(c.stmts) >= maxStmts {
		for text, s := range c.stmts {
			_ = s.close()
			delete(c.stmts, text)
		}
	}
	if err := single(sql); err != nil {
		return nil, fmt.Errorf("%w in %q", err, sql)
	}
	text, want := numbered(sql)
	st, err := c.raw.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, sql)
	}
	s := &liteStmt{exec: st.(driver.StmtExecContext), query: st.(driver.StmtQueryContext), close: st.Close, want: want}
	c.stmts[sql] = s
	return s, nil
}

func (c *liteConn) Close() error {
	for _, s := range c.stmts {
		_ = s.close()
	}
	c.stmts = nil
	return c.raw.Close()
}

// bind fills the statement's argument slice.
func (s *liteStmt) bind(args []any) error {
	if len(args) != s.want {
		return fmt.Errorf("%d arguments for %d parameters", len(args), s.want)
	}
	if cap(s.args) < len(args) {
		s.args = make([]driver.NamedValue, len(args))
		for i := range s.args {
			s.args[i].Ordinal = i + 1
		}
	}
	s.args = s.args[:len(args)]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return fmt.Errorf("argument $%d: %w", i+1, err)
		}
		s.args[i].Value = v
	}
	return nil
}

// background has no Done channel: the driver starts a watcher for every call whose context has one.
var background = context.Background()

func (c *liteConn) exec(sql string, args []any) (int64, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return 0, err
	}
	if err := s.bind(args); err != nil {
		return 0, fmt.Errorf("%w in %q", err, sql)
	}
	r, err := s.exec.ExecContext(background, s.args)
	if err != nil {
		return 0, fmt.Errorf("%w in %q", err, sql)
	}
	if r == nil {
		return 0, nil
	}
	return r.RowsAffected()
}

func (c *liteConn) query(ctx context.Context, sql string, args []any) (*liteRows, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	if err := s.bind(args); err != nil {
		return nil, fmt.Errorf("%w in %q", err, sql)
	}
	r, err := s.query.QueryContext(background, s.args)
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, sql)
	}
	return &liteRows{ctx: ctx, sql: sql, rows: r, row: make([]driver.Value, len(r.Columns()))}, nil
}

// liteRows reads the rows of a query. Between rows it looks whether its context has ended.
type liteRows struct {
	ctx     context.Context
	sql     string
	rows    driver.Rows
	row     []driver.Value
	err     error
	closed  bool
	onClose func()
	n       int
}

func (r *liteRows) Next() bool {
	if r.closed || r.err != nil {
		return false
	}
	if r.n++; r.n%64 == 0 {
		if r.err = r.ctx.Err(); r.err != nil {
			return false
		}
	}
	switch err := r.rows.Next(r.row); {
	case err == nil:
		return true
	case !errors.Is(err, io.EOF):
		r.err = err
	}
	r.Close()
	return false
}

func (r *liteRows) Scan(dest ...any) error {
	if len(dest) != len(r.row) {
		r.err = fmt.Errorf("scan %d columns into %d places", len(r.row), len(dest))
		return r.err
	}
	for i, d := range dest {
		if err := assign(d, r.row[i]); err != nil {
			r.err = fmt.Errorf("column %d: %w", i+1, err)
			return r.err
		}
	}
	return nil
}

func (r *liteRows) Err() error {
	if r.err == nil {
		return nil
	}
	return fmt.Errorf("%w in %q", r.err, r.sql)
}

func (r *liteRows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	if err := r.rows.Close(); err != nil && r.err == nil {
		r.err = err
	}
	if r.onClose != nil {
		r.onClose()
	}
}

func (l *lite) read(ctx context.Context, sql string, args []any) (Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var c *liteConn
	select {
	case c = <-l.pool:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	back := func() { l.pool <- c }
	if c == nil {
		var err error
		if c, err = l.openReader(); err != nil {
			l.pool <- nil
			return nil, err
		}
	}
	rows, err := c.query(ctx, sql, args)
	if err != nil {
		back()
		return nil, err
	}
	rows.onClose = back
	return rows, nil
}

func (l *lite) openReader() (*liteConn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	c, err := l.connect()
	if err != nil {
		return nil, err
	}
	if _, err := c.exec("PRAGMA query_only=1", nil); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (l *lite) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	var err error
	for range readers {
		if c := <-l.pool; c != nil { // waits for rows that are still open
			err = errors.Join(err, c.Close())
		}
	}
	for range readers {
		l.pool <- nil
	}
	return err
}

// backup uses VACUUM INTO: consistent, compact, and beside running readers and writers. The file must not exist.
func (l *lite) backup(_ context.Context, file string) error {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s exists already; choose a new file", file)
	}
	part, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part-*") // mode 0600 from the first byte; SQLite takes an empty file
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	if err := part.Close(); err != nil {
		return err
	}
	c, err := l.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.exec("VACUUM INTO $1", []any{part.Name()}); err != nil {
		return err
	}
	return os.Rename(part.Name(), file)
}

func (l *lite) check(ctx context.Context) ([]string, error) {
	var bad []string
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1"} {
		got, err := One(reader{l, ctx}, Value[string], "SELECT CAST("+pragma+" AS TEXT) FROM pragma_"+pragma)
		if err != nil {
			return nil, err
		}
		if got != want {
			bad = append(bad, fmt.Sprintf("SQLite's %s is %s and should be %s", pragma, got, want))
		}
	}
	got, err := One(reader{l, ctx}, Value[string], "SELECT quick_check FROM pragma_quick_check LIMIT 1")
	if err != nil {
		return nil, err
	}
	if got != "ok" {
		bad = append(bad, "the database file is damaged: "+got+"; restore a backup")
	}
	return bad, nil
}

// liteSession is the writer's connection.
type liteSession struct {
	c     *liteConn
	now   func() time.Time
	last  time.Time
	broke bool // a function tried to end the transaction, or the connection is in one that does not end

	counters map[string]*counter // those that this transaction has read, by name
}

// counter is what a counter comes to next, and what the database has.
type counter struct{ next, stored int64 }

func (l *lite) session(context.Context) (session, error) {
	c, err := l.connect()
	if err != nil {
		return nil, err
	}
	return &liteSession{c: c, now: l.now, counters: map[string]*counter{}}, nil
}

func (l *lite) release(s session) { _ = s.(*liteSession).c.Close() }

func (s *liteSession) begin(context.Context, bool) (instant, error) {
	s.broke = false
	clear(s.counters)
	if _, err := s.c.exec("BEGIN IMMEDIATE", nil); err != nil {
		s.broke = !s.mustRetry(err)
		return instant{}, fmt.Errorf("begin: %w", err)
	}
	rows, err := s.c.query(background, "SELECT revision FROM configuration", nil)
	var revision int64
	if err == nil {
		if rows.Next() {
			err = rows.Scan(&revision)
		}
		rows.Close()
		err = errors.Join(err, rows.Err())
	}
	if err != nil {
		s.rollback()
		return instant{}, err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	if now.Before(s.last) {
		now = s.last // a clock that was set back does not let facts go backwards
	}
	s.last = now
	return instant{now: now, revision: revision}, nil
}

func (s *liteSession) exec(sql string, args []any) (int64, error) {
	if err := s.guard(sql); err != nil {
		return 0, err
	}
	return s.c.exec(sql, args)
}

// guard refuses what would end the transaction under its neighbours, and everything after that.
func (s *liteSession) guard(sql string) error {
	err := allowed(sql)
	if s.broke = s.broke || errors.Is(err, errGroup); s.broke {
		return errGroup
	}
	return err
}

func (s *liteSession) later(sql string, args []any) error {
	_, err := s.exec(sql, args)
	return err
}

func (s *liteSession) flush() error { return nil }

func (s *liteSession) query(sql string, args []any) (Rows, error) {
	if err := s.guard(sql); err != nil {
		return nil, err
	}
	return s.c.query(background, sql, args)
}

func (s *liteSession) bulk(b *Bulk, rows [][]any) error {
	for _, row := range rows {
		if _, err := s.exec(b.one, row); err != nil {
			return err
		}
	}
	return nil
}

func (s *liteSession) numbers(n int) (int64, error) { return s.count("number", n) }

func (s *liteSession) serial(sequence string) (int64, error) { return s.count(sequence, 1) }

// count returns the first of the next n numbers of a counter.
func (s *liteSession) count(name string, n int) (int64, error) {
	c := s.counters[name]
	if c == nil {
		rows, err := s.c.query(background, "SELECT value FROM counters WHERE name = $1", []any{name})
		if err != nil {
			return 0, err
		}
		c = &counter{}
		if rows.Next() {
			err = rows.Scan(&c.next)
		} else {
			err = fmt.Errorf("there is no counter %q", name)
		}
		rows.Close()
		if err = errors.Join(rows.Err(), err); err != nil {
			return 0, err
		}
		c.stored = c.next
		s.counters[name] = c
	}
	first := c.next
	c.next += int64(n)
	return first, nil
}

func (s *liteSession) bump() (int64, error) {
	rows, err := s.c.query(background, "UPDATE configuration SET revision = revision + 1 RETURNING revision", nil)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var r int64
	if !rows.Next() {
		return 0, errors.Join(ErrNoRow, rows.Err())
	}
	err = rows.Scan(&r)
	return r, err
}

func (s *liteSession) savepoint() error {
	_, err := s.c.exec("SAVEPOINT job", nil)
	return err
}

func (s *liteSession) rollbackTo() error {
	if s.broke {
		return errGroup
	}
	_, err := s.c.exec("ROLLBACK TO job", nil)
	return err
}

func (s *liteSession) releaseSavepoint() error {
	_, err := s.c.exec("RELEASE job", nil)
	return err
}

func (s *liteSession) commit() error {
	if s.broke {
		s.rollback()
		return errGroup
	}
	for name, c := range s.counters {
		if c.next == c.stored {
			continue
		}
		if _, err := s.c.exec("UPDATE counters SET value = $1 WHERE name = $2", []any{c.next, name}); err != nil {
			s.rollback()
			return err
		}
	}
	_, err := s.c.exec("COMMIT", nil)
	if err != nil {
		s.rollback()
	}
	return err
}

func (s *liteSession) rollback() { _, _ = s.c.exec("ROLLBACK", nil) } // fails when the engine has done it already

func (s *liteSession) mustRetry(err error) bool {
	var e *sqlite.Error
	const busy, locked = 5, 6
	return errors.As(err, &e) && (e.Code()&0xff == busy || e.Code()&0xff == locked)
}

func (s *liteSession) taken(error) bool { return false } // nobody else writes meanwhile

func (s *liteSession) usable() bool { return !s.broke }
