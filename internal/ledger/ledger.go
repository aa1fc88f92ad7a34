// Package ledger is the log of everything that happened. Whoever changes something appends a [fact.Fact] in the same transaction; everything
// else (deliveries, stamps, passes, live pages) comes from the log.
//
// There are two ways to come from it. Deliveries are planned inside [Ledger.Append], by the [Planner], in the fact's own transaction: when
// the fact is on disk, so is what has to be sent. Everything else follows: a [Follower] reads facts in the order of their places and
// moves its cursor in the transaction in which it writes, so each fact has its effect once.
//
// # Places
//
// A fact's place in the log is not its number. On PostgreSQL a transaction may commit after another that drew a higher number, and a reader
// who went by numbers would pass it over. A [Place] is (epoch, transaction id, number), and readers see only facts whose transaction is
// older than every transaction still under way. A long transaction therefore delays followers and loses nothing. The epoch grows when
// the cluster changes (restore, move), because transaction ids start anew there. On SQLite, which has one writer, the number is enough.
// Places are opaque outside this package.
package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Planner plans what has to be sent because of new facts, in their transaction.
type Planner interface {
	Plan(tx *db.Tx, facts []*fact.Fact) error
}

// Ledger is the log of one database. Its bell rings after facts were committed by this process.
type Ledger struct {
	Bell
	db      *db.DB
	planner Planner
	epoch   int64
	insert  *db.Bulk
}

// Open opens the log of a migrated database. The planner may be nil where nothing is delivered, as in tests.
func Open(ctx context.Context, d *db.DB, p Planner) (*Ledger, error) {
	l := &Ledger{db: d, planner: p}
	columns := []string{
		"seq bigint", "day bigint", "org_id bigint", "kind text", "subject text", "version bigint", "at bigint", "key text",
		"only_endpoint bigint", "private boolean", "data text",
	}
	if d.Engine() == db.PostgreSQL {
		if err := l.openEpoch(ctx); err != nil {
			return nil, fmt.Errorf("open ledger: %w", err)
		}
		columns = append(columns, "epoch bigint")
	}
	l.insert = db.BulkInsert("facts", "", columns...)
	return l, nil
}

// openEpoch finds the epoch of the cluster that the database is in now.
func (l *Ledger) openEpoch(ctx context.Context) error {
	return l.db.WriteAlone(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec("LOCK TABLE ledger_epochs IN EXCLUSIVE MODE"); err != nil {
			return err
		}
		system, err := db.One(tx, db.Value[string], "SELECT system_identifier::text FROM pg_control_system()")
		if err != nil {
			return err
		}
		type last struct {
			epoch  int64
			system string
		}
		was, err := db.One(tx, func(r db.Rows) (v last, err error) { return v, r.Scan(&v.epoch, &v.system) },
			"SELECT epoch, system_identifier FROM ledger_epochs ORDER BY epoch DESC LIMIT 1")
		if err != nil && !errors.Is(err, db.ErrNoRow) {
			return err
		}
		l.epoch = was.epoch
		if was.system == system {
			return nil
		}
		l.epoch++
		_, err = tx.Exec("INSERT INTO ledger_epochs (epoch, system_identifier) VALUES ($1, $2)", l.epoch, system)
		return err
	})
}

var insertPrivate = db.BulkInsert("fact_private", "", "seq bigint", "day bigint", "org_id bigint", "data bytea")

// Append writes facts down and has their deliveries planned, all in the caller's transaction. It fills in each fact's ID and At. A fact's
// place is after every fact that was committed before this transaction began.
func (l *Ledger) Append(tx *db.Tx, facts ...*fact.Fact) error {
	if len(facts) == 0 {
		return nil
	}
	first, err := tx.Numbers(len(facts))
	if err != nil {
		return err
	}
	day := fact.Day(tx.Now())
	rows := make([][]any, 0, len(facts))
	var private [][]any
	for i, f := range facts {
		f.ID = id.Fact{Day: day, Seq: first + int64(i)}
		f.At = tx.Now()
		var data any
		if f.Private {
			private = append(private, []any{f.ID.Seq, int64(day), f.Org, []byte(f.Data)})
		} else if f.Data != nil {
			data = string(f.Data)
		}
		row := []any{f.ID.Seq, int64(day), f.Org, string(f.Kind), f.Subject, f.Version, f.At.UnixMicro(), f.Key, f.Only, f.Private, data}
		if l.epoch != 0 {
			row = append(row, l.epoch)
		}
		rows = append(rows, row)
	}
	if err := tx.Bulk(l.insert, rows); err != nil {
		return err
	}
	if err := tx.Bulk(insertPrivate, private); err != nil {
		return err
	}
	if l.planner != nil {
		if err := l.planner.Plan(tx, facts); err != nil {
			return err
		}
	}
	tx.OnCommit(l.Ring)
	return nil
}

const factColumns = "f.seq, f.day, f.org_id, f.kind, f.subject, f.version, f.at, f.key, f.only_endpoint, f.private, f.data"

func scanFact(r db.Rows, more ...any) (*fact.Fact, error) {
	f := &fact.Fact{}
	var at int64
	var data *string
	err := r.Scan(append([]any{&f.ID.Seq, &f.ID.Day, &f.Org, &f.Kind, &f.Subject, &f.Version, &at, &f.Key, &f.Only, &f.Private, &data}, more...)...)
	f.At = time.UnixMicro(at).UTC()
	if data != nil {
		f.Data = json.RawMessage(*data)
	}
	return f, err
}

// Load returns the facts with the given numbers, those that there are, in the order of their numbers. Data of private facts is nil when it
// has been erased.
func Load(q db.Querier, numbers []int64) ([]*fact.Fact, error) {
	if len(numbers) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		return nil, err
	}
	return db.All(q, func(r db.Rows) (*fact.Fact, error) {
		var private []byte
		f, err := scanFact(r, &private)
		if f.Private && private != nil {
			f.Data = private
		}
		return f, err
	}, `SELECT `+factColumns+`, p.data FROM facts f LEFT JOIN fact_private p ON p.seq = f.seq AND p.day = f.day AND p.org_id = f.org_id
		WHERE f.seq IN ints($1) ORDER BY f.seq`, string(list))
}

// ofOrders are the kinds of facts whose subject is an order, as the index facts_of_orders has them: a query must say the same.
const ofOrders = `('order.confirmed', 'order.accepted', 'order.issue_raised', 'order.fulfilled', 'order.cancelled', 'refund.completed', 'sale.barcodes_failed', 'sale.barcodes_received', 'transfer.failed')`

// OfOrder returns the first facts of an order, the oldest first, up to limit. Private ones have no data.
func OfOrder(q db.Querier, org int64, order string, limit int) ([]*fact.Fact, error) {
	return db.All(q, func(r db.Rows) (*fact.Fact, error) { return scanFact(r) },
		`SELECT `+factColumns+` FROM facts f WHERE f.org_id = $1 AND f.subject = $2 AND f.kind IN `+ofOrders+` ORDER BY f.seq LIMIT $3`, org, order, limit)
}
