package audit_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func write(t *testing.T, d *db.DB, fn func(tx *db.Tx) error) {
	t.Helper()
	if err := d.Write(t.Context(), "", fn); err != nil {
		t.Fatal(err)
	}
}

// subjects are the subjects of the entries that a filter finds, in their order.
func subjects(t *testing.T, d *db.DB, org int64, f audit.Filter) (all []string) {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = 100
	}
	found, err := audit.List(d.Read(t.Context()), org, f)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		all = append(all, e.Subject)
	}
	return all
}

func TestAnEntryIsThereExactlyWhenWhatItTellsOfIs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		failed := errors.New("it did not come to be")
		by := audit.By{Actor: "usr_1", Address: "192.0.2.7"}
		err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			if err := audit.Append(tx, by.Entry(1, "key.created", "key_lost", nil)); err != nil {
				return err
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Fatal(err)
		}
		var at time.Time
		write(t, d, func(tx *db.Tx) error {
			at = tx.Now()
			return audit.Append(tx, by.Entry(1, "key.created", "key_1", map[string]any{"scopes": "events:read", "n": 2.0}), audit.Entry{Org: 1, Action: "sign_in.failed"})
		})
		got, err := audit.List(d.Read(t.Context()), 1, audit.Filter{Limit: 10})
		if err != nil || len(got) != 2 || got[0].No <= got[1].No {
			t.Fatalf("List = %+v, %v", got, err)
		}
		want := audit.Entry{
			No: got[1].No, Org: 1, At: at.UTC().Truncate(time.Microsecond), Action: "key.created", Actor: "usr_1", Subject: "key_1", Address: "192.0.2.7",
			Detail: map[string]any{"scopes": "events:read", "n": 2.0},
		}
		if diff := cmp.Diff(want, got[1]); diff != "" {
			t.Errorf("the entry differs, -want +got:\n%s", diff)
		}
	})
}

func TestEntriesAreFoundByWhoAndWhatAndWhen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var at [3]time.Time
		for i := range at {
			write(t, d, func(tx *db.Tx) error {
				at[i] = tx.Now()
				return audit.Append(tx,
					audit.Entry{Org: 1, Action: "key.created", Actor: fmt.Sprintf("usr_%d", i%2), Subject: fmt.Sprintf("key_%d", i)},
					audit.Entry{Org: 1, Action: "key.revoked", Actor: audit.Operator, Subject: fmt.Sprintf("old_%d", i)},
					audit.Entry{Org: 2, Action: "key.created", Actor: "usr_0", Subject: "theirs"})
			})
			time.Sleep(time.Millisecond)
		}
		for name, c := range map[string]struct {
			filter audit.Filter
			want   []string
		}{
			"all, newest first":   {audit.Filter{}, []string{"old_2", "key_2", "old_1", "key_1", "old_0", "key_0"}},
			"the first two":       {audit.Filter{Limit: 2}, []string{"old_2", "key_2"}},
			"what was done":       {audit.Filter{Action: "key.created"}, []string{"key_2", "key_1", "key_0"}},
			"who did it":          {audit.Filter{Actor: "usr_0"}, []string{"key_2", "key_0"}},
			"what it was done to": {audit.Filter{Subject: "old_1"}, []string{"old_1"}},
			"since":               {audit.Filter{Since: at[1]}, []string{"old_2", "key_2", "old_1", "key_1"}},
			"until":               {audit.Filter{Until: at[1]}, []string{"old_0", "key_0"}},
			"all at once":         {audit.Filter{Action: "key.created", Actor: "usr_0", Since: at[1], Until: at[2].Add(time.Second)}, []string{"key_2"}},
			"nothing":             {audit.Filter{Action: "key"}, nil},
		} {
			if diff := cmp.Diff(c.want, subjects(t, d, 1, c.filter)); diff != "" {
				t.Errorf("%s, -want +got:\n%s", name, diff)
			}
		}
		page, err := audit.List(d.Read(t.Context()), 1, audit.Filter{Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"key_1", "old_0", "key_0"}, subjects(t, d, 1, audit.Filter{Before: page[2].No})); diff != "" {
			t.Errorf("the next page, -want +got:\n%s", diff)
		}
	})
}

// Of who is erased, the log keeps what they did and loses from where.
func TestErasedPeopleLoseTheirAddresses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) error {
			return audit.Append(tx,
				audit.Entry{Org: 1, Action: "key.created", Actor: "usr_1", Subject: "key_1", Address: "192.0.2.1"},
				audit.Entry{Org: 1, Action: "sign_in.failed", Subject: "usr_1", Address: "192.0.2.2"},
				audit.Entry{Org: 1, Action: "member.changed", Actor: "usr_2", Subject: "usr_1", Address: "192.0.2.3"},
				audit.Entry{Org: 2, Action: "key.created", Actor: "usr_1", Subject: "key_2", Address: "192.0.2.4"})
		})
		erase := func(org int64, person string, limit int) (n int) {
			write(t, d, func(tx *db.Tx) (err error) {
				n, err = audit.Erase(tx, org, person, limit)
				return err
			})
			return n
		}
		if n := erase(1, "", 10); n != 0 {
			t.Errorf("of nobody, %d entries were erased", n)
		}
		if a, b, c := erase(1, "usr_1", 1), erase(1, "usr_1", 10), erase(1, "usr_1", 10); a != 1 || b != 1 || c != 0 {
			t.Errorf("erased %d, %d and %d; want one, the other and none", a, b, c)
		}
		about, err := audit.About(d.Read(t.Context()), 1, "usr_1", 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range about {
			got = append(got, e.Action+" "+e.Address)
		}
		if diff := cmp.Diff([]string{"member.changed 192.0.2.3", "sign_in.failed ", "key.created "}, got); diff != "" {
			t.Errorf("what is known about them, -want +got:\n%s", diff)
		}
		if n := erase(0, "usr_1", 10); n != 1 {
			t.Errorf("everywhere, %d entries were erased, want that of the other organisation", n)
		}
	})
}
