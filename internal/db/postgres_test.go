package db_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

func TestConfigureWaitsForTransactionsOfOtherNodes(t *testing.T) {
	d, c := onPostgres(t)
	other := dbtest.Open(t, c)
	release := occupy(t, other)
	configured := make(chan error, 1)
	go func() { configured <- d.Configure(context.Background(), note("configured")) }()
	await(t, "Configure to wait for its lock", func() bool {
		n, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
		if err != nil {
			t.Fatalf("pg_locks: %v", err)
		}
		return n == 1
	})
	select {
	case err := <-configured:
		t.Errorf("Configure did not wait for another node's transaction: %v", err)
	default:
	}
	release()
	if err := <-configured; err != nil {
		t.Errorf("Configure: %v", err)
	}
}

func TestKeysKeepGroupsOfTwoNodesFromDeadlock(t *testing.T) {
	d, c := onPostgres(t)
	other := dbtest.Open(t, c)
	names := []string{"a", "b", "c"}
	for _, name := range names {
		mustWrite(t, d, note(name))
	}
	var runs atomic.Int64
	var wg sync.WaitGroup
	for w := range 16 {
		node := []*db.DB{d, other}[w%2]
		wg.Go(func() {
			for i := range 30 {
				name := names[(w+i)%3]
				err := node.Write(context.Background(), name, func(tx *db.Tx) error {
					runs.Add(1)
					_, err := tx.Exec("UPDATE notes SET n = n + 1 WHERE name = $1", name)
					return err
				})
				if err != nil {
					t.Errorf("Write: %v", err)
				}
			}
		})
	}
	wg.Wait()
	sum, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT sum(n)::bigint FROM notes")
	if err != nil || sum != 3+16*30 {
		t.Errorf("480 functions that add 1 to a sum of 3 left %d (%v)", sum, err)
	}
	if runs.Load() != 16*30 {
		t.Errorf("480 functions ran %d times: they met deadlocks", runs.Load())
	}
}

func TestRowsAreLockedForUpdate(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		mustWrite(t, d, note("a"))
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				write := func(fn func(*db.Tx) error) error { return d.Write(context.Background(), "a", fn) }
				if i%2 == 0 {
					write = func(fn func(*db.Tx) error) error { return d.WriteAlone(context.Background(), fn) }
				}
				err := write(func(tx *db.Tx) error {
					n, err := db.One(tx, db.Value[int64], "SELECT n FROM notes WHERE name = 'a' /*for update*/")
					if err != nil {
						return err
					}
					_, err = tx.Exec("UPDATE notes SET n = $1 WHERE name = 'a'", n+1)
					return err
				})
				if err != nil {
					t.Errorf("Write: %v", err)
				}
			})
		}
		wg.Wait()
		n, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT n FROM notes WHERE name = 'a'")
		if n != 21 || err != nil {
			t.Errorf("20 functions that read a row for update and add 1 to it left %d (%v), want 21", n, err)
		}
	})
}

// Whoever looked for a row and found none, while another node put it there, finds it in a second run.
func TestWhatAnotherNodeInsertedMeanwhileIsSeen(t *testing.T) {
	d, c := onPostgres(t)
	other := dbtest.Open(t, c)
	if err := d.WriteAlone(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec("CREATE TABLE seats (seat TEXT PRIMARY KEY, who TEXT NOT NULL)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	take := func(tx *db.Tx, who string) error {
		return tx.Later("INSERT INTO seats (seat, who) VALUES ('A1', $1)", who)
	}
	runs, who := 0, ""
	err := d.Write(t.Context(), "", func(tx *db.Tx) error {
		runs++
		all, err := db.All(tx, db.Value[string], "SELECT who FROM seats")
		if err != nil {
			return err
		}
		if len(all) > 0 {
			who = all[0]
			return nil
		}
		if err := other.Write(context.Background(), "", func(tx *db.Tx) error { return take(tx, "the other") }); err != nil {
			return err
		}
		return take(tx, "this")
	})
	if err != nil || runs != 2 || who != "the other" {
		t.Errorf("Write = %v after %d runs, found %q; want the other's row in the second", err, runs, who)
	}
	// What is taken in every run is an error.
	runs = 0
	if err := d.Write(t.Context(), "", func(tx *db.Tx) error { runs++; return take(tx, "this") }); err == nil || runs != 2 {
		t.Errorf("Write = %v after %d runs, want an error after two", err, runs)
	}
}
