package db

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"
)

// Tx is a transaction that a function runs in. It belongs to that function and ends with it.
type Tx struct {
	s       session
	instant instant
	dirty   bool    // a statement may have changed something
	bumped  bool    // it raised the configuration's revision
	failed  error   // the first statement that failed
	rows    *txRows // of the query that is being read, nil when there is none
	over    bool    // the function has returned

	memory memory // of the group's transaction, shared by its functions
	last   []late // statements that run right before the commit

	onCommit []func()
	onEnd    []func(committed bool)
}

// memory is what the functions of one transaction tell each other.
type memory map[any]any

// Know has the functions that follow in the same transaction know something, such as a row that this transaction has locked, until one of them is
// undone or the transaction ends. The key's type belongs to the caller's package. Whoever changes what is known says so with Know or [Tx.Forget]; what
// is not locked, others may change.
func (t *Tx) Know(key, value any) { t.memory[key] = value }

// Known returns what an earlier function of the same transaction, or this one, left with [Tx.Know].
func (t *Tx) Known(key any) (value any, ok bool) {
	value, ok = t.memory[key]
	return value, ok
}

// Forget ends what [Tx.Know] began.
func (t *Tx) Forget(key any) { delete(t.memory, key) }

// instant is what a session learns when it begins a transaction.
type instant struct {
	now      time.Time // UTC, whole microseconds
	revision int64     // of the configuration, see Tx.Revision
}

// session is a connection that runs one transaction at a time.
type session interface {
	begin(ctx context.Context, exclusive bool) (instant, error)
	exec(sql string, args []any) (int64, error)
	later(sql string, args []any) error
	flush() error // runs what later kept back
	query(sql string, args []any) (Rows, error)
	bulk(b *Bulk, rows [][]any) error
	numbers(n int) (first int64, err error)
	serial(sequence string) (int64, error)
	bump() (int64, error) // raises the configuration's revision
	savepoint() error
	rollbackTo() error
	releaseSavepoint() error
	commit() error
	rollback()
	// mustRetry tells whether the error is a conflict with another transaction that a second run may not meet.
	mustRetry(error) bool
	// taken tells whether the error is that of a row whose key another has. When that came about meanwhile, a second run sees who has it.
	taken(error) bool
	// usable tells whether the transaction is still open and takes statements after an error.
	usable() bool
}

// Now is the transaction's instant: SQLite's clock, or PostgreSQL's, read once when it began. UTC, whole microseconds.
func (t *Tx) Now() time.Time { return t.instant.now }

// Micros is Now in microseconds since 1970.
func (t *Tx) Micros() int64 { return t.instant.now.UnixMicro() }

// Revision numbers the configuration that every writer must know. It was read under a lock that [DB.Configure] waits for: as long as
// this transaction is open, nobody changes the configuration, so a cache that holds this revision is right.
func (t *Tx) Revision() int64 { return t.instant.revision }

// Bump raises the configuration's revision and returns the new one. It is for functions of [DB.Configure].
func (t *Tx) Bump() (int64, error) {
	if err := t.ready(); err != nil {
		return 0, err
	}
	t.dirty = true
	r, err := t.s.bump()
	if err != nil {
		return 0, t.fail(err)
	}
	t.instant.revision = r
	t.bumped = true
	return r, nil
}

// Bumped tells whether this transaction has raised the revision: what it then reads of the configuration is not yet true for others.
func (t *Tx) Bumped() bool { return t.bumped }

// Exec runs a statement and returns the number of rows that it changed: 0 for a statement that is not about rows.
func (t *Tx) Exec(sql string, args ...any) (int64, error) {
	if err := t.ready(); err != nil {
		return 0, err
	}
	n, err := t.s.exec(sql, args)
	v := verb(sql)
	counts := is(v, "INSERT", "UPDATE", "DELETE")
	if n > 0 && counts || err != nil || !counts && !readOnly(sql) {
		t.dirty = true
	}
	if !counts && !is(v, "WITH") {
		n = 0 // SQLite still counts for the statement before
	}
	return n, t.fail(err)
}

// Later runs a statement whose result nobody needs, now or with the statements that follow, in order, before the commit.
func (t *Tx) Later(sql string, args ...any) error {
	if err := t.ready(); err != nil {
		return err
	}
	t.dirty = true
	return t.fail(t.s.later(sql, args))
}

// late is a statement that [Tx.Last] was given.
type late struct {
	sql  string
	args []any
}

// Last runs a statement whose result nobody needs when all functions of the transaction have run, right before the commit, those of one function in order; not if
// the function is undone. It is for rows that every writer wants, such as a clock: a row that is locked last is held for the shortest time, and whoever holds it waits
// for nobody's. It is no place for what may be refused: where such a statement fails, the whole transaction does.
func (t *Tx) Last(sql string, args ...any) error {
	if err := t.ready(); err != nil {
		return err
	}
	t.dirty = true
	if err := allowed(sql); err != nil {
		return t.fail(err)
	}
	t.last = append(t.last, late{sql, args})
	return nil
}

// finish runs what was to be last, of a function that has succeeded.
func (t *Tx) finish() error {
	for _, l := range t.last {
		if err := t.s.later(l.sql, l.args); err != nil {
			return err
		}
	}
	return nil
}

// Query runs a query, or a statement with RETURNING. The rows must be closed before the next statement, which fails otherwise.
func (t *Tx) Query(sql string, args ...any) (Rows, error) {
	if err := t.ready(); err != nil {
		return nil, err
	}
	if !readOnly(sql) {
		t.dirty = true
	}
	rows, err := t.s.query(sql, args)
	if err != nil {
		return nil, t.fail(err)
	}
	t.rows = &txRows{Rows: rows, tx: t}
	return t.rows, nil
}

// Bulk runs a statement once for each row, as [Tx.Later] would. The rows must not be changed until the transaction ends.
func (t *Tx) Bulk(b *Bulk, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if err := t.ready(); err != nil {
		return err
	}
	t.dirty = true
	return t.fail(t.s.bulk(b, rows))
}

// Numbers returns the first of n consecutive numbers that nobody else has or will have. A transaction that begins after another was
// committed gets higher ones. Gaps are normal.
func (t *Tx) Numbers(n int) (first int64, err error) {
	if err := t.ready(); err != nil {
		return 0, err
	}
	t.dirty = true
	first, err = t.s.numbers(n)
	return first, t.fail(err)
}

// Serial returns a number of a sequence of small numbers, which begin with 1 and fit 31 bits: nobody else has it or will have it. There may be gaps, and several
// nodes give out theirs side by side. It fails when the sequence is used up.
func (t *Tx) Serial(sequence string) (int64, error) {
	if err := t.ready(); err != nil {
		return 0, err
	}
	t.dirty = true
	n, err := t.s.serial(sequence)
	if err == nil && n > math.MaxInt32 {
		err = fmt.Errorf("the sequence %s is used up: its numbers have 31 bits", sequence)
	}
	return n, t.fail(err)
}

// OnCommit has f run after the transaction is on disk, before the caller is answered. It must not wait for anything.
func (t *Tx) OnCommit(f func()) { t.onCommit = append(t.onCommit, f) }

// OnEnd has f run when the transaction has ended, whichever way; a function that is run again has its OnEnd functions called with false
// first.
func (t *Tx) OnEnd(f func(committed bool)) { t.onEnd = append(t.onEnd, f) }

// Errors of functions that go about their transaction in a wrong way.
var (
	errOver     = errors.New("the transaction is over")
	errRowsOpen = errors.New("a statement while the rows of a query are still open; close them first")
)

// ready tells whether the transaction takes a statement. After one has failed it takes no more: PostgreSQL would refuse them, and on SQLite
// a failure may have ended the transaction, so that they would be written on their own.
func (t *Tx) ready() error {
	switch {
	case t.over:
		return errOver
	case t.failed != nil:
		return t.failed
	case t.rows != nil:
		return t.fail(errRowsOpen)
	}
	return nil
}

func (t *Tx) fail(err error) error {
	if err != nil && t.failed == nil {
		t.failed = err
	}
	return err
}

// call runs fn and makes sure that a failed statement or a panic ends as an error, and that no rows stay open.
func (t *Tx) call(fn func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.dirty = true
			err = t.fail(fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack()))
		}
		if t.rows != nil {
			t.rows.Close()
		}
		t.over = true
		switch {
		case err == nil:
			err = t.failed
		case t.failed != nil && !errors.Is(err, t.failed):
			err = fmt.Errorf("%w (%w)", err, t.failed) // whether to run again is seen from what the statement said
		}
	}()
	return fn(t)
}

func (t *Tx) ended(committed bool) {
	if committed {
		for _, f := range t.onCommit {
			f()
		}
	}
	for _, f := range t.onEnd {
		f(committed)
	}
}

// txRows are the rows of a transaction's query. It notes an error that comes while reading.
type txRows struct {
	Rows
	tx *Tx
}

func (r *txRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *txRows) Err() error { return r.tx.fail(r.Rows.Err()) }

func (r *txRows) Close() {
	r.Rows.Close()
	_ = r.Err()
	if r.tx.rows == r {
		r.tx.rows = nil
	}
}

// WriteAlone runs fn in a transaction of its own. On SQLite that is the group's transaction with nobody else in it.
func (d *DB) WriteAlone(ctx context.Context, fn func(*Tx) error) error {
	return d.alone(ctx, false, fn)
}

// Configure runs fn in a transaction of its own that no other transaction of any node overlaps. Functions that change what every
// writer must know go through it and call [Tx.Bump].
func (d *DB) Configure(ctx context.Context, fn func(*Tx) error) error {
	return d.alone(ctx, true, fn)
}

func (d *DB) alone(ctx context.Context, exclusive bool, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.Engine() == SQLite {
		return d.group.do(ctx, &job{fn: fn, alone: true, exclusive: exclusive})
	}
	s, err := d.engine.session(ctx)
	if err != nil {
		return err
	}
	defer d.engine.release(s)
	return runAlone(ctx, s, exclusive, fn)
}

const maxRetries = 8

// runAlone runs fn in a transaction of its own, again after a conflict.
func runAlone(ctx context.Context, s session, exclusive bool, fn func(*Tx) error) error {
	for try := 1; ; try++ {
		err := once(ctx, s, exclusive, fn)
		if err == nil || !s.mustRetry(err) || try == maxRetries {
			return err
		}
		if !pause(ctx, try) {
			return errors.Join(err, ctx.Err())
		}
	}
}

func once(ctx context.Context, s session, exclusive bool, fn func(*Tx) error) error {
	at, err := s.begin(context.WithoutCancel(ctx), exclusive)
	if err != nil {
		return err
	}
	t := &Tx{s: s, instant: at, memory: memory{}}
	if err = t.call(fn); err == nil {
		err = t.finish()
	}
	if err == nil {
		err = s.commit()
	} else {
		s.rollback()
	}
	t.ended(err == nil)
	return err
}

// pause waits a little longer after every conflict. It reports false when ctx ended first.
func pause(ctx context.Context, try int) bool {
	timer := time.NewTimer(time.Duration(try*try) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
