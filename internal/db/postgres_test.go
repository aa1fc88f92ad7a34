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
