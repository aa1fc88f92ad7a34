package ledger_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// long is a transaction that appends a fact and stays open until it is ended.
type long struct {
	append, end chan struct{}
	done        chan error
}

// begin begins a long transaction, which has drawn its numbers when begin returns. It appends when append is closed.
func begin(d *db.DB, l *ledger.Ledger, name string) *long {
	x := &long{make(chan struct{}), make(chan struct{}), make(chan error, 1)}
	begun := make(chan struct{})
	go func() {
		x.done <- d.WriteAlone(context.Background(), func(tx *db.Tx) error {
			close(begun)
			<-x.append
			if err := l.Append(tx, happened(name)); err != nil {
				return err
			}
			if _, err := db.One(tx, db.Value[int64], "SELECT count(*) FROM facts"); err != nil { // the row is really written now
				return err
			}
			x.append <- struct{}{}
			<-x.end
			return nil
		})
	}()
	<-begun
	return x
}

func (x *long) write() {
	x.append <- struct{}{}
	<-x.append
}

func (x *long) commit(t testing.TB) {
	t.Helper()
	close(x.end)
	if err := <-x.done; err != nil {
		t.Fatalf("the long transaction: %v", err)
	}
}

func TestTransactionsThatCommitOutOfOrderLoseNoFact(t *testing.T) {
	c := dbtest.PostgreSQL(t)
	d, other := dbtest.Open(t, c), dbtest.Open(t, c)
	l, theirs := open(t, d, nil), open(t, other, nil)

	t.Run("the first wrote before the second", func(t *testing.T) {
		_, start := subjects(t, d, l, ledger.Place{}, 100)
		a := begin(d, l, "a")
		a.write()
		b := happened("b")
		appendFacts(t, other, theirs, b)
		names, p := subjects(t, d, l, start, 10)
		wantSubjects(t, "while a is under way nothing may be seen", names)
		a.commit(t)
		names, p = subjects(t, d, l, p, 10)
		wantSubjects(t, "after a has been committed", names, "a", "b")
		names, _ = subjects(t, d, l, p, 10)
		wantSubjects(t, "after both", names)
	})

	t.Run("the first drew its number before the second and wrote after it", func(t *testing.T) {
		_, start := subjects(t, d, l, ledger.Place{}, 100)
		a := begin(d, l, "a")
		b := happened("b")
		appendFacts(t, other, theirs, b)
		names, p := subjects(t, d, l, start, 10)
		wantSubjects(t, "a has not written and hides nothing", names, "b")
		a.write()
		names, p = subjects(t, d, l, p, 10)
		wantSubjects(t, "a has not been committed", names)
		a.commit(t)
		entries, err := l.After(d.Read(t.Context()), p, 10)
		if err != nil || len(entries) != 1 || entries[0].Fact.Subject != "a" {
			t.Fatalf("after a has been committed: %v, %v; want a", entries, err)
		}
		if entries[0].Fact.ID.Seq >= b.ID.Seq {
			t.Errorf("a has number %d and b %d: the case did not happen", entries[0].Fact.ID.Seq, b.ID.Seq)
		}
		names, _ = subjects(t, d, l, start, 10)
		wantSubjects(t, "from the start", names, "b", "a")
	})
}

func TestLongTransactionElsewhereOnlyDelays(t *testing.T) {
	c := dbtest.PostgreSQL(t)
	d := dbtest.Open(t, c)
	l := open(t, d, nil)
	appendFacts(t, d, l, happened("before"))

	// Transaction ids are the whole cluster's: not even the database is ours.
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, pgtest.Shared(t).URL("postgres"))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "BEGIN; SELECT pg_current_xact_id()"); err != nil {
		t.Fatalf("begin elsewhere: %v", err)
	}

	hidden := happened("hidden")
	appendFacts(t, d, l, hidden)
	names, _ := subjects(t, d, l, ledger.Place{}, 10)
	wantSubjects(t, "with a long transaction elsewhere", names, "before")
	now := hidden.At.Add(90 * time.Second)
	if lag, err := l.Lag(ctx, now); lag != 90*time.Second || err != nil {
		t.Errorf("Lag 90 s after the first fact that is hidden: %v, %v", lag, err)
	}
	if loaded, err := ledger.Load(d.Read(ctx), []int64{hidden.ID.Seq}); len(loaded) != 1 || err != nil {
		t.Errorf("Load of a fact that followers may not see yet: %v, %v", loaded, err)
	}

	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		t.Fatalf("end the transaction elsewhere: %v", err)
	}
	names, _ = subjects(t, d, l, ledger.Place{}, 10)
	wantSubjects(t, "after the long transaction", names, "before", "hidden")
	if lag, err := l.Lag(ctx, now); lag != 0 || err != nil {
		t.Errorf("Lag after the long transaction: %v, %v", lag, err)
	}
}

func TestLagIsNothingOnSQLite(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	l := open(t, d, nil)
	appendFacts(t, d, l, happened("a"))
	if lag, err := l.Lag(t.Context(), time.Now().Add(time.Hour)); lag != 0 || err != nil {
		t.Errorf("Lag: %v, %v; want 0", lag, err)
	}
}

// In another cluster transaction ids start anew. A restore is simulated: the facts get higher ids than this cluster has come to, and
// the name of the cluster they are of is another.
func TestRestoreIntoAnotherClusterKeepsOrderAndLosesNothing(t *testing.T) {
	d := dbtest.Open(t, dbtest.PostgreSQL(t))
	l := open(t, d, nil)
	var want []string
	add := func(from, to int) {
		for i := from; i < to; i++ {
			want = append(want, fmt.Sprint(i))
			appendFacts(t, d, l, happened(fmt.Sprint(i)))
		}
	}
	add(0, 10)
	got, p := subjects(t, d, l, ledger.Place{}, 4)
	for restore := range 3 {
		err := d.WriteAlone(t.Context(), func(tx *db.Tx) error {
			if _, err := tx.Exec("UPDATE facts SET xid = xid + $1", int64(1)<<40); err != nil {
				return err
			}
			_, err := tx.Exec("UPDATE ledger_epochs SET system_identifier = $1", fmt.Sprint("another ", restore))
			return err
		})
		if err != nil {
			t.Fatalf("simulate a restore: %v", err)
		}
		// The follower's place was restored with the facts.
		p = ledger.Moved(p, 1<<40)
		l = open(t, d, nil)
		if again := open(t, d, nil); ledger.Epoch(again) != ledger.Epoch(l) {
			t.Errorf("opened twice in one cluster, the epochs are %d and %d", ledger.Epoch(l), ledger.Epoch(again))
		}
		add(10+restore*10, 20+restore*10)
		var names []string
		names, p = subjects(t, d, l, p, 7)
		got = append(got, names...)
	}
	for {
		names, last := subjects(t, d, l, p, 7)
		if len(names) == 0 {
			break
		}
		got, p = append(got, names...), last
	}
	wantSubjects(t, "facts of four clusters", got, want...)
	if lag, err := l.Lag(t.Context(), time.Now()); lag != 0 || err != nil {
		t.Errorf("Lag: %v, %v", lag, err)
	}
}

func TestLedgerNeedsNoSuperuser(t *testing.T) {
	c := dbtest.PostgreSQL(t)
	dbtest.Open(t, c)
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, c.URL)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(ctx) })
	for _, sql := range []string{
		"DROP ROLE IF EXISTS plain_ledger", "CREATE ROLE plain_ledger LOGIN",
		"GRANT ALL ON ALL TABLES IN SCHEMA public TO plain_ledger", "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO plain_ledger",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	t.Cleanup(func() {
		_, _ = conn.Exec(ctx, "DROP OWNED BY plain_ledger")
		_, _ = conn.Exec(ctx, "DROP ROLE plain_ledger")
	})
	c.URL = userOf(t, c.URL, "plain_ledger")
	d, err := db.Open(ctx, c)
	if err != nil {
		t.Fatalf("Open as a plain role: %v", err)
	}
	t.Cleanup(func() { _ = d.Close() })
	l := open(t, d, nil)
	appendFacts(t, d, l, &fact.Fact{Org: 1, Kind: fact.OrderAccepted, Subject: "plain"})
	names, _ := subjects(t, d, l, ledger.Place{}, 10)
	wantSubjects(t, "as a plain role", names, "plain")
}

func userOf(t testing.TB, address, user string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(user)
	return u.String()
}
