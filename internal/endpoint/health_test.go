package endpoint_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// An endpoint that is enabled again starts anew: known failures do not disable it at the next one.
func TestHealthBeginsAnewWhenAnEndpointIsEnabled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		e := h.create(org, h.spec())
		fail := func(patience time.Duration) (failing time.Duration) {
			t.Helper()
			if err := d.Write(t.Context(), "", func(tx *db.Tx) (err error) {
				failing, err = h.book.NoteFailure(tx, e, "HTTP status 500", patience)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return failing
		}
		fail(time.Hour)
		time.Sleep(20 * time.Millisecond)
		before := fail(time.Millisecond)
		if before < 20*time.Millisecond {
			t.Errorf("failing for %v, want 20 ms at least", before)
		}
		fail(time.Millisecond) // told once
		giveUp := func(after time.Duration) {
			t.Helper()
			if err := h.configure(func(tx *db.Tx) error { return h.book.GiveUp(tx, e.Number, after) }); err != nil {
				t.Fatal(err)
			}
		}
		if giveUp(time.Hour); !h.get(e).Enabled() {
			t.Error("given up after an hour that has not passed")
		}
		giveUp(time.Millisecond)
		giveUp(time.Millisecond) // told once
		got := h.get(e)
		if got.Enabled() || got.Disabled != endpoint.Failing || got.LastError != "HTTP status 500" || got.DisabledAt.IsZero() {
			t.Errorf("given up, it is %+v, want it disabled as failing with the last error", got)
		}
		if want := []fact.Kind{fact.EndpointFailing, fact.EndpointDisabled}; !slices.Equal(h.kinds(), want) {
			t.Errorf("told %v, want %v", h.kinds(), want)
		}
		on := true
		got, err := h.update(e, endpoint.Change{Active: &on}, 0)
		if err != nil || !got.Enabled() || !got.FailingSince.IsZero() || got.LastError != "" {
			t.Errorf("enabled again it is %+v, %v; want it well", got, err)
		}
		if again := fail(time.Hour); again >= before {
			t.Errorf("the next failure goes on for %v already", again)
		}
		if giveUp(before); !h.get(e).Enabled() {
			t.Error("the next failure disabled it")
		}
	})
}

func TestOfADeletedEndpointNothingIsNoted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		e := h.create(org, h.spec())
		if err := h.configure(func(tx *db.Tx) error { return h.book.Delete(tx, ours, e.ID, 0, audit.By{}) }); err != nil {
			t.Fatal(err)
		}
		if err := h.configure(func(tx *db.Tx) error {
			_, err := h.book.NoteFailure(tx, e, "late", 0)
			return errors.Join(err, h.book.NoteRecovery(tx, e), h.book.Disable(tx, e.Number, endpoint.Gone), h.book.GiveUp(tx, e.Number, 0))
		}); err != nil {
			t.Errorf("late notes of a deleted endpoint: %v", err)
		}
		if failing, err := h.book.Failing(d.Read(t.Context()), e.Number); err != nil || failing || len(h.kinds()) > 0 {
			t.Errorf("Failing = %v, %v, told %v; want nothing", failing, err, h.kinds())
		}
	})
}

func TestPingIsForOneEndpointAlone(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	s := h.spec()
	s.Events = []string{"acme.happened"} // not subscribed to tests
	e := h.create(org, s)
	h.create(org, h.spec())
	if err := h.configure(func(tx *db.Tx) error { _, err := h.book.Ping(tx, ours, e.ID); return err }); err != nil {
		t.Fatal(err)
	}
	if err := h.subs.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := h.told[0]
	if got := h.subs.Now().Wanting(f); len(got) != 1 || got[0].ID != e.ID || !json.Valid(f.Data) {
		t.Errorf("a ping %+v is wanted by %d endpoints, want the one", f, len(got))
	}
	off := false
	if _, err := h.update(e, endpoint.Change{Active: &off}, 0); err != nil {
		t.Fatal(err)
	}
	if err := h.configure(func(tx *db.Tx) error { _, err := h.book.Ping(tx, ours, e.ID); return err }); !problem.Is(err, "webhook_inactive") {
		t.Errorf("Ping of a paused endpoint: %v, want webhook_inactive", err)
	}
}

// One row that does not open is one endpoint's trouble.
func TestDamagedSecretStopsNobodyElse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		bad, good := h.create(org, h.spec()), h.create(org, h.spec())
		if err := h.configure(func(tx *db.Tx) error {
			_, err := tx.Exec("UPDATE endpoints SET secret = $1 WHERE endpoint_id = $2", []byte("scratched"), bad.Number)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			set, err := h.subs.At(tx)
			if err != nil {
				return err
			}
			if got := set.Wanting(&fact.Fact{Org: org, Kind: "acme.happened"}); len(got) != 2 || got[0].Secret != "" || got[1].Secret != good.Secret {
				return fmt.Errorf("the damaged one is %v, the other %v", got[0].Secret, got[1].Secret)
			}
			return nil
		}); err != nil {
			t.Errorf("At with a damaged row: %v", err)
		}
		if _, err := h.book.Get(d.Read(t.Context()), ours, bad.ID); err == nil || problem.As(err) != nil || strings.Contains(err.Error(), bad.Secret) {
			t.Errorf("Get of the damaged one: %v, want an internal error without the secret", err)
		}
	})
}
