package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

var happened = &fact.Fact{Org: org, Kind: "acme.happened"}

// wanted is how many endpoints want the fact, as of a transaction.
func (h *house) wanted(tx *db.Tx) (int, error) {
	set, err := h.subs.At(tx)
	if err != nil {
		return 0, err
	}
	return len(set.Wanting(happened)), nil
}

func (h *house) wantedNow() (n int) {
	h.t.Helper()
	if err := h.db.Write(context.Background(), "", func(tx *db.Tx) (err error) { n, err = h.wanted(tx); return err }); err != nil {
		h.t.Fatal(err)
	}
	return n
}

func TestChangeIsSeenByItsOwnTransactionAndByNobodyBeforeItsCommit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		changed := errors.New("changed my mind")
		for _, end := range []error{changed, nil} {
			err := h.configure(func(tx *db.Tx) error {
				before, err := h.wanted(tx)
				if err != nil {
					return err
				}
				if _, err := h.book.Create(tx, org, h.spec(), audit.By{}); err != nil {
					return err
				}
				after, err := h.wanted(tx)
				if err != nil {
					return err
				}
				if before != 0 || after != 1 {
					t.Errorf("wanted by %d before and %d after Create in its transaction, want 0 and 1", before, after)
				}
				if got := h.subs.Now().Wanting(happened); len(got) != 0 {
					t.Error("others see an endpoint that has not been committed")
				}
				return end
			})
			if !errors.Is(err, end) {
				t.Fatal(err)
			}
			want := 1
			if end != nil {
				want = 0
			}
			if got := h.wantedNow(); got != want {
				t.Errorf("wanted by %d after a transaction that ended with %v, want %d", got, end, want)
			}
		}
	})
}

// A change that is rolled back and another that takes its revision must not be confused.
func TestRevisionOfARolledBackChangeComesAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		e := h.create(org, h.spec())
		undo, wrong, right := errors.New("undo"), "wrong", "right"
		update := func(description *string, end error) error {
			return h.configure(func(tx *db.Tx) error {
				if _, err := h.book.Update(tx, ours, e.ID, endpoint.Change{Description: description}, 0, audit.By{}); err != nil {
					return err
				}
				if _, err := h.subs.At(tx); err != nil {
					return err
				}
				return end
			})
		}
		if err := update(&wrong, undo); !errors.Is(err, undo) {
			t.Fatal(err)
		}
		if err := update(&right, nil); err != nil {
			t.Fatal(err)
		}
		h.wantedNow()
		if got := h.subs.Now().Endpoint(e.Number).Description; got != right {
			t.Errorf("the cache has the description %q, want %q", got, right)
		}
	})
}

func TestCacheFollowsADatabaseThatWentBack(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	h.create(org, h.spec())
	h.create(org, h.spec())
	if got := h.wantedNow(); got != 2 {
		t.Fatalf("wanted by %d, want 2", got)
	}
	// As after a restore of a backup from before the second endpoint.
	if err := h.db.WriteAlone(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec("DELETE FROM endpoints WHERE endpoint_id = 2")
		if err == nil {
			_, err = tx.Exec("UPDATE configuration SET revision = revision - 1")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got := h.wantedNow(); got != 1 {
		t.Errorf("wanted by %d after going back, want 1", got)
	}
	h.create(org, h.spec())
	if got := h.wantedNow(); got != 2 {
		t.Errorf("wanted by %d after another was made, want 2", got)
	}
}

// Another process, or another node, changes who subscribes while facts are written: each fact sees what held at its place. Facts that were
// committed before the change began see the old, facts begun after it ended the new.
func TestFactsSeeTheSubscriptionsOfTheirPlace(t *testing.T) {
	test := func(t *testing.T, c db.Config) {
		writer := open(t, dbtest.Open(t, c))
		owner := open(t, dbtest.Open(t, c))
		e := owner.create(org, owner.spec())

		var mu sync.Mutex // guards truth
		truth := map[int64]bool{}
		var begun, ended atomic.Int64 // revisions: of the change that may be under way, and of the last that is done
		note := func(tx *db.Tx, on bool) {
			mu.Lock()
			defer mu.Unlock()
			truth[tx.Revision()] = on
		}
		if err := owner.configure(func(tx *db.Tx) error { note(tx, true); return nil }); err != nil {
			t.Fatal(err)
		}
		first := owner.get(e).Revision
		begun.Store(first)
		ended.Store(first)

		type seen struct {
			revision, after, before int64
			wanted                  bool
		}
		var all []seen
		done := make(chan struct{})
		var writers sync.WaitGroup
		for range 4 {
			writers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					s := seen{after: ended.Load()}
					err := writer.db.Write(context.Background(), "", func(tx *db.Tx) error {
						set, err := writer.subs.At(tx)
						if err != nil {
							return err
						}
						s.revision, s.wanted = tx.Revision(), set.Wants("broad", happened)
						return nil
					})
					s.before = begun.Load()
					if err != nil {
						t.Errorf("write: %v", err)
						return
					}
					mu.Lock()
					all = append(all, s)
					mu.Unlock()
				}
			})
		}
		for i := range 60 {
			on := i%2 == 1
			begun.Add(1)
			if err := owner.configure(func(tx *db.Tx) error {
				if _, err := owner.book.Update(tx, ours, e.ID, endpoint.Change{Active: &on}, 0, audit.By{}); err != nil {
					return err
				}
				note(tx, on)
				return nil
			}); err != nil {
				t.Errorf("change %d: %v", i, err)
			}
			ended.Add(1)
			time.Sleep(time.Millisecond)
		}
		close(done)
		writers.Wait()
		for _, s := range all {
			if s.wanted != truth[s.revision] || s.revision < s.after || s.revision > s.before {
				t.Fatalf("a fact at revision %d saw %v; that is %v there, and the revision was within %d and %d", s.revision, s.wanted, truth[s.revision], s.after, s.before)
			}
		}
		if len(all) < 60 {
			t.Logf("only %d facts were written", len(all))
		}
	}
	t.Run("sqlite", func(t *testing.T) { test(t, dbtest.SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, dbtest.PostgreSQL(t)) })
}

func TestCopiesOfASetDoNotChange(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	var made []*endpoint.Endpoint
	for range 5 {
		made = append(made, h.create(org, h.spec()))
	}
	h.create(another, h.spec())
	h.wantedNow()
	old := h.subs.Now()
	if err := h.configure(func(tx *db.Tx) error { return h.book.Delete(tx, ours, made[2].ID, 0, audit.By{}) }); err != nil {
		t.Fatal(err)
	}
	text := "x"
	if _, err := h.update(made[0], endpoint.Change{Description: &text}, 0); err != nil {
		t.Fatal(err)
	}
	last := h.create(org, h.spec())
	h.wantedNow()
	now := h.subs.Now()
	if got := len(old.Wanting(happened)); got != 5 || old.Endpoint(made[0].Number).Description != "" || old.Endpoint(last.Number) != nil {
		t.Errorf("the old set has changed: %d endpoints", got)
	}
	var order string
	for _, e := range now.Wanting(happened) {
		order += fmt.Sprint(e.Number, " ")
	}
	if want := fmt.Sprint(made[0].Number, " ", made[1].Number, " ", made[3].Number, " ", made[4].Number, " ", last.Number, " "); order != want {
		t.Errorf("the new set has %s, want %s", order, want)
	}
}

// Names are the format's own: what it is silent about nobody gets, and "*" is all that it carries.
func TestEachFormatCarriesItsOwnNames(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	make := func(format string, events ...string) *endpoint.Endpoint {
		s := h.spec()
		s.Format, s.Events = format, events
		return h.create(org, s)
	}
	narrowAll, narrowOne := make("narrow", "*"), make("narrow", "sale.cancelled")
	broadAll, broadOwn := make("broad", "*"), make("broad", "acme.happened")
	h.wantedNow()
	set := h.subs.Now()
	for kind, want := range map[fact.Kind][]*endpoint.Endpoint{
		fact.OrderAccepted:  {narrowAll, broadAll},
		fact.OrderCancelled: {narrowAll, narrowOne},
		fact.ListingChanged: nil,
		"acme.happened":     {broadAll, broadOwn},
		"acme.other":        {broadAll},
	} {
		for range 2 { // the second time from memory
			got := set.Wanting(&fact.Fact{Org: org, Kind: kind})
			if len(got) != len(want) {
				t.Errorf("%s is wanted by %d endpoints, want %d", kind, len(got), len(want))
				continue
			}
			for i := range want {
				if got[i].ID != want[i].ID {
					t.Errorf("%s is wanted by %s, want %s", kind, got[i].ID, want[i].ID)
				}
			}
		}
	}
	for i := range 3000 { // more names than are remembered
		if got := set.Wanting(&fact.Fact{Org: org, Kind: fact.Kind(fmt.Sprintf("acme.n%d", i))}); len(got) != 1 {
			t.Fatalf("message %d is wanted by %d endpoints, want 1", i, len(got))
		}
	}
}
