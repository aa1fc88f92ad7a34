package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/puddle/v2"
)

// configurationLock is the advisory lock that every transaction shares and Configure takes alone.
const configurationLock = 0x73746167 // "stag"

// numbersBlock is how many numbers a transaction gets with its BEGIN, without asking again. It is the sequence's increment.
const numbersBlock = 256

// postgres is a PostgreSQL database.
type postgres struct {
	pool *pgxpool.Pool
	url  string

	texts sync.Map // SQL text -> text with locking clauses
}

func openPostgres(ctx context.Context, c Config) (*postgres, error) {
	cfg, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("the database URL is not valid; write postgres://user:password@host:5432/name")
	}
	cfg.MaxConns = int32(c.MaxConns)
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 8
	}
	cfg.MaxConns = max(cfg.MaxConns, 2)
	for name, v := range map[string]string{
		"application_name":                    "stagedoor",
		"statement_timeout":                   "30000",
		"idle_in_transaction_session_timeout": "60000",
		"timezone":                            "UTC",
	} {
		if _, set := cfg.ConnConfig.RuntimeParams[name]; !set {
			cfg.ConnConfig.RuntimeParams[name] = v
		}
	}
	cfg.ConnConfig.ConnectTimeout = 10 * time.Second
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return &postgres{pool: pool, url: c.URL}, nil
}

func (p *postgres) name() Engine { return PostgreSQL }

func (p *postgres) Close() error {
	p.pool.Close()
	return nil
}

// locks turns the comments that SQLite passes over into PostgreSQL's locking clauses.
var locks = strings.NewReplacer("/*for update*/", "FOR UPDATE", "/*skip locked*/", "FOR UPDATE SKIP LOCKED")

func (p *postgres) text(sql string) string {
	if !strings.Contains(sql, "/*") && !strings.Contains(sql, "s($") {
		return sql
	}
	if t, ok := p.texts.Load(sql); ok {
		return t.(string)
	}
	t := lists.ReplaceAllStringFunc(locks.Replace(sql), func(list string) string {
		m := lists.FindStringSubmatch(list)
		typ := map[string]string{"ints": "bigint", "texts": "text"}[m[2]]
		all := "(SELECT v::" + typ + " FROM json_array_elements_text(" + m[3] + "::json) AS v)"
		if m[1] != "" { // as an array it is looked up in an index value by value; IN would be planned as a join
			return "= ANY (ARRAY" + all + ")"
		}
		return all
	})
	p.texts.Store(sql, t)
	return t
}

func (p *postgres) read(ctx context.Context, sql string, args []any) (Rows, error) {
	if err := single(sql); err != nil {
		return nil, fmt.Errorf("%w in %q", err, sql)
	}
	rows, err := p.pool.Query(ctx, p.text(sql), args...)
	if err != nil {
		return nil, because(orClosed(err), sql)
	}
	return pgRows{rows, sql}, nil
}

// pgRows says which query an error comes from.
type pgRows struct {
	pgx.Rows
	sql string
}

func (r pgRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return because(err, r.sql)
	}
	return nil
}

func (p *postgres) session(ctx context.Context) (session, error) {
	c, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, orClosed(err)
	}
	return &pgSession{p: p, c: c}, nil
}

// because says which statement an error comes from.
func because(err error, sql string) error {
	var e *pgconn.PgError
	const notInRepertoire, untranslatable = "22021", "22P05"
	if errors.As(err, &e) && (e.Code == notInRepertoire || e.Code == untranslatable) {
		err = errText
	}
	return fmt.Errorf("%w in %q", err, sql)
}

// orClosed says ErrClosed in the pool's stead.
func orClosed(err error) error {
	if errors.Is(err, puddle.ErrClosedPool) {
		return ErrClosed
	}
	return err
}

func (p *postgres) release(s session) { s.(*pgSession).c.Release() } // the pool drops a connection that is not idle

// pgSession is a connection that runs one transaction at a time.
type pgSession struct {
	p       *postgres
	c       *pgxpool.Conn
	pending []pgLater // statements whose results nobody waits for
	broke   bool

	first, left int64 // numbers that this transaction may still give out

	serials map[string]*serials // what this connection may still give out of each sequence, in whichever transaction
}

// serials are numbers of a sequence.
type serials struct{ next, end int64 }

// serialsBlock is how many numbers of a sequence are drawn at once: its increment.
const serialsBlock = 128

// pgLater is a statement that is sent with the next one whose result somebody waits for.
type pgLater struct {
	sql  string
	args []any
	bulk *Bulk
	rows [][]any // of bulk
}

// begin opens the transaction, takes the configuration lock, and reads the instant, the revision and a block of numbers: four statements in
// one round trip. The revision is read by a statement after the lock, so its snapshot is not older than the lock.
func (s *pgSession) begin(ctx context.Context, exclusive bool) (instant, error) {
	s.pending, s.broke = nil, false
	lock := "SELECT pg_advisory_xact_lock_shared($1)"
	if exclusive {
		lock = "SELECT pg_advisory_xact_lock($1)"
	}
	var b pgx.Batch
	b.Queue("BEGIN")
	b.Queue(lock, int64(configurationLock))
	b.Queue(`SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, revision, nextval('numbers') FROM configuration`)
	r := s.c.SendBatch(ctx, &b)
	var micros, revision, number int64
	_, err := r.Exec()
	if err == nil {
		_, err = r.Exec()
	}
	if err == nil {
		err = r.QueryRow().Scan(&micros, &revision, &number)
	}
	if err = cmp.Or(err, r.Close()); err != nil {
		s.rollback()
		return instant{}, fmt.Errorf("begin: %w", err)
	}
	s.first, s.left = number, numbersBlock
	return instant{now: time.UnixMicro(micros).UTC(), revision: revision}, nil
}

func (s *pgSession) guard(sql string) error {
	err := allowed(sql)
	if s.broke = s.broke || errors.Is(err, errGroup); s.broke {
		return errGroup
	}
	return err
}

func (s *pgSession) exec(sql string, args []any) (int64, error) {
	if err := s.guard(sql); err != nil {
		return 0, err
	}
	var tag pgconn.CommandTag
	var err error
	if s.pending == nil {
		tag, err = s.c.Exec(background, s.p.text(sql), args...)
	} else {
		var r pgx.BatchResults
		if r, err = s.start(&pgLater{sql: sql, args: args}); err != nil {
			return 0, err
		}
		tag, err = r.Exec()
		err = cmp.Or(err, r.Close())
	}
	if err != nil {
		return 0, because(err, sql)
	}
	return tag.RowsAffected(), nil
}

func (s *pgSession) later(sql string, args []any) error {
	if err := s.guard(sql); err != nil {
		return err
	}
	s.pending = append(s.pending, pgLater{sql: sql, args: args})
	return nil
}

func (s *pgSession) flush() error {
	if s.broke {
		return errGroup
	}
	if s.pending == nil {
		return nil
	}
	return s.send()
}

// send runs all pending statements in one round trip.
func (s *pgSession) send() error {
	r, err := s.start(nil)
	if err != nil {
		return err
	}
	return r.Close()
}

// start sends all pending statements, and the query behind them if there is one, in one round trip. It returns when the pending ones have run; the
// query's rows are next in the results.
func (s *pgSession) start(query *pgLater) (pgx.BatchResults, error) {
	pending := s.pending
	s.pending = nil
	var b pgx.Batch
	for i := range pending {
		l := &pending[i]
		if l.bulk != nil {
			var err error
			if l.args, err = l.bulk.columns(l.rows); err != nil {
				return nil, because(err, l.sql)
			}
		}
		b.Queue(s.p.text(l.sql), l.args...)
	}
	if query != nil {
		b.Queue(s.p.text(query.sql), query.args...)
	}
	r := s.c.SendBatch(background, &b)
	for _, l := range pending {
		tag, err := r.Exec()
		if err != nil {
			_ = r.Close() // says the same
			return nil, because(err, l.sql)
		}
		if l.sql == "COMMIT" && tag.String() != "COMMIT" {
			_ = r.Close()
			return nil, fmt.Errorf("commit: the transaction had failed (%s)", tag)
		}
	}
	return r, nil
}

func (s *pgSession) query(sql string, args []any) (Rows, error) {
	if err := s.guard(sql); err != nil {
		return nil, err
	}
	if s.pending == nil {
		rows, err := s.c.Query(background, s.p.text(sql), args...)
		if err != nil {
			return nil, because(err, sql)
		}
		return pgRows{rows, sql}, nil
	}
	r, err := s.start(&pgLater{sql: sql, args: args})
	if err != nil {
		return nil, err
	}
	rows, err := r.Query()
	if err != nil {
		_ = r.Close() // says the same
		return nil, because(err, sql)
	}
	return &pgBatchRows{pgRows: pgRows{rows, sql}, batch: r}, nil
}

// pgBatchRows are the rows of a query that was sent with others; closing them ends the batch.
type pgBatchRows struct {
	pgRows
	batch pgx.BatchResults
}

// Next closes the rows after the last, as pgx's own do.
func (r *pgBatchRows) Next() bool {
	if r.pgRows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *pgBatchRows) Close() {
	r.pgRows.Close()
	_ = r.batch.Close() // an error of the query is in Err; another breaks the connection, which the next statement notices
}

// bulk adds rows to those that are pending for the same statement, so that a group's rows for a table go in with one statement. Rows of
// different bulk statements may change places; a single statement keeps its place among them.
func (s *pgSession) bulk(b *Bulk, rows [][]any) error {
	if s.broke {
		return errGroup
	}
	for i := len(s.pending) - 1; i >= 0 && s.pending[i].bulk != nil; i-- {
		if s.pending[i].bulk == b {
			s.pending[i].rows = append(s.pending[i].rows, rows...)
			return nil
		}
	}
	s.pending = append(s.pending, pgLater{sql: b.many, bulk: b, rows: rows[:len(rows):len(rows)]})
	return nil
}

func (s *pgSession) numbers(n int) (int64, error) {
	if int64(n) > s.left {
		if err := s.flush(); err != nil {
			return 0, err
		}
		if err := s.draw(int64(n)); err != nil {
			return 0, err
		}
	}
	first := s.first
	s.first += int64(n)
	s.left -= int64(n)
	return first, nil
}

func (s *pgSession) serial(sequence string) (int64, error) {
	have := s.serials[sequence]
	if have == nil {
		have = &serials{}
		if s.serials == nil {
			s.serials = map[string]*serials{}
		}
		s.serials[sequence] = have
	}
	if have.next == have.end {
		if err := s.flush(); err != nil {
			return 0, err
		}
		first, err := One(sessionQuerier{s}, Value[int64], "SELECT nextval($1::text::regclass)", "serial_"+sequence)
		if err != nil {
			return 0, err
		}
		have.next, have.end = first, first+serialsBlock
	}
	have.next++
	return have.next - 1, nil
}

// draw takes blocks from the sequence until n consecutive numbers are at hand. Blocks that one statement takes follow upon each other, but
// for the rare moment when somebody else's comes between: then it goes on from there.
func (s *pgSession) draw(n int64) error {
	for tries := 0; s.left < n; tries++ {
		if tries == 100 {
			return fmt.Errorf("could not get %d consecutive numbers", n)
		}
		blocks, err := All(sessionQuerier{s}, Value[int64], "SELECT nextval('numbers') FROM generate_series(1, $1)", (n+numbersBlock-1)/numbersBlock)
		if err != nil {
			return err
		}
		for _, block := range blocks {
			if block != s.first+s.left {
				s.first, s.left = block, 0
			}
			s.left += numbersBlock
			if s.left >= n {
				break // what is drawn beyond is a gap
			}
		}
	}
	return nil
}

type sessionQuerier struct{ s session }

func (q sessionQuerier) Query(sql string, args ...any) (Rows, error) { return q.s.query(sql, args) }

func (s *pgSession) bump() (int64, error) {
	if err := s.flush(); err != nil {
		return 0, err
	}
	var r int64
	err := s.c.QueryRow(background, "UPDATE configuration SET revision = revision + 1 RETURNING revision").Scan(&r)
	return r, err
}

func (s *pgSession) run(sql string) error {
	if err := s.flush(); err != nil {
		return err
	}
	_, err := s.c.Exec(background, sql)
	return err
}

func (s *pgSession) savepoint() error        { return s.run("SAVEPOINT job") }
func (s *pgSession) releaseSavepoint() error { return s.run("RELEASE SAVEPOINT job") }

func (s *pgSession) rollbackTo() error {
	s.pending = nil
	return s.run("ROLLBACK TO SAVEPOINT job")
}

func (s *pgSession) commit() error {
	if s.broke {
		s.rollback()
		return errGroup
	}
	s.pending = append(s.pending, pgLater{sql: "COMMIT"})
	err := s.send()
	if err != nil {
		s.rollback()
	}
	return err
}

func (s *pgSession) rollback() {
	s.pending = nil
	if !s.c.Conn().IsClosed() && s.c.Conn().PgConn().TxStatus() != 'I' {
		_, _ = s.c.Exec(background, "ROLLBACK") // when this fails, the connection is gone and the server rolls back
	}
}

// mustRetry: serialization failure and deadlock.
func (s *pgSession) mustRetry(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}

func (s *pgSession) taken(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "23505"
}

func (s *pgSession) usable() bool { return !s.broke && !s.c.Conn().IsClosed() }

func (p *postgres) backup(context.Context, string) error {
	return errors.New("backup copies a SQLite file; back PostgreSQL up with pg_dump or pg_basebackup, and the master key beside it")
}

func (p *postgres) check(ctx context.Context) ([]string, error) {
	var bad []string
	for setting, want := range map[string]string{"fsync": "on", "synchronous_commit": "on|remote_apply|remote_write", "full_page_writes": "on"} {
		got, err := One(reader{p, ctx}, Value[string], "SELECT current_setting($1)", setting)
		if err != nil {
			return nil, err
		}
		if !regexp.MustCompile("^(" + want + ")$").MatchString(got) {
			bad = append(bad, fmt.Sprintf("PostgreSQL's %s is %s; with that, what was acknowledged can be lost in a crash; set it to on", setting, got))
		}
	}
	return bad, nil
}
