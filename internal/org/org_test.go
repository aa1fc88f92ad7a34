package org_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// operator is who does things at the command line.
var operator = audit.By{Actor: audit.Operator}

func TestMain(m *testing.M) { dbtest.Main(m) }

// write runs fn in a transaction of its own and returns what it returned.
func write[T any](t *testing.T, d *db.DB, fn func(tx *db.Tx) (T, error)) (T, error) {
	t.Helper()
	var out T
	err := d.Write(t.Context(), "", func(tx *db.Tx) error {
		var err error
		out, err = fn(tx)
		return err
	})
	return out, err
}

func create(t *testing.T, d *db.DB, in org.Input) org.Org {
	t.Helper()
	o, err := write(t, d, func(tx *db.Tx) (org.Org, error) { return org.Create(tx, in) })
	if err != nil {
		t.Fatalf("Create(%+v): %v", in, err)
	}
	return o
}

func TestOrganisationIsFoundAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		made := create(t, d, org.Input{Name: " Bühne & Köln ", Currency: "EUR", Timezone: "Europe/Berlin"})
		if made.Slug != "buhne-and-koln" || made.Name != "Bühne & Köln" || !strings.HasPrefix(string(made.ID), "org_") {
			t.Errorf("Create made %+v, want slug buhne-and-koln, a trimmed name and an org_ id", made)
		}
		q := d.Read(t.Context())
		bySlug, err := org.BySlug(q, made.Slug)
		if diff := cmp.Diff(made, bySlug); err != nil || diff != "" {
			t.Errorf("BySlug(%q): %v, -made +found:\n%s", made.Slug, err, diff)
		}
		byNo, err := org.ByNumber(q, made.No)
		if diff := cmp.Diff(made, byNo); err != nil || diff != "" {
			t.Errorf("ByNumber(%d): %v, -made +found:\n%s", made.No, err, diff)
		}
		if _, err := org.BySlug(q, "elsewhere"); !problem.Is(err, "org_not_found") {
			t.Errorf("BySlug(elsewhere) = %v, want org_not_found", err)
		}
		if _, err := org.ByNumber(q, made.No+1); !problem.Is(err, "org_not_found") {
			t.Errorf("ByNumber of nobody = %v, want org_not_found", err)
		}
	})
}

func TestSlugsAreUnique(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, c := range []struct{ name, want string }{
			{"Harbor Jazz", "harbor-jazz"},
			{"Harbor Jazz", "harbor-jazz-2"},
			{"harbor  jazz!", "harbor-jazz-3"},
			{"Harbor Jazz 2", "harbor-jazz-2-2"},
			{"東京", "org"},
			{"大阪", "org-2"},
			{strings.Repeat("long ", 39), "long-long-long-long-long-long-long-long-long-long-long-l"},
		} {
			if o := create(t, d, org.Input{Name: c.name}); o.Slug != c.want || o.Currency != "USD" || o.Timezone != "UTC" {
				t.Errorf("Create(%q) has slug %q, currency %s, zone %s; want %q, USD, UTC", c.name, o.Slug, o.Currency, o.Timezone, c.want)
			}
		}
		in := org.Input{Name: "Another", Slug: "harbor-jazz"}
		if _, err := write(t, d, func(tx *db.Tx) (org.Org, error) { return org.Create(tx, in) }); !problem.Is(err, "slug_taken") {
			t.Errorf("Create with a slug that is taken = %v, want slug_taken", err)
		}
		if all, err := org.All(d.Read(t.Context())); err != nil || len(all) != 7 {
			t.Errorf("All = %d organisations, %v; want 7", len(all), err)
		}
	})
}

func TestOrganisationIsChecked(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	for _, in := range []org.Input{
		{Name: ""},
		{Name: "   "},
		{Name: strings.Repeat("x", 201)},
		{Name: "two\nlines"},
		{Name: "bad \xff text"},
		{Name: "A", Slug: "Upper"},
		{Name: "A", Slug: "-a"},
		{Name: "A", Slug: strings.Repeat("a", 65)},
		{Name: "A", Currency: "euro"},
		{Name: "A", Timezone: "Mars/Olympus"},
		{Name: "A", Timezone: "Local"},
	} {
		if _, err := write(t, d, func(tx *db.Tx) (org.Org, error) { return org.Create(tx, in) }); !problem.Is(err, "validation_failed") {
			t.Errorf("Create(%+v) = %v, want validation_failed", in, err)
		}
	}
}

type madeKey struct {
	org.Key
	secret string
}

func createKey(t *testing.T, d *db.DB, o int64, in org.KeyInput) madeKey {
	t.Helper()
	k, err := write(t, d, func(tx *db.Tx) (madeKey, error) {
		k, secret, err := org.CreateKey(tx, o, in, operator)
		return madeKey{k, secret}, err
	})
	if err != nil {
		t.Fatalf("CreateKey(%+v): %v", in, err)
	}
	return k
}

func TestKeyAuthenticatesUntilItIsRevoked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := create(t, d, org.Input{Name: "House"})
		other := create(t, d, org.Input{Name: "Other"})
		k := createKey(t, d, o.No, org.KeyInput{Name: "till", Scopes: scope.Of(scope.TicketsRead, scope.EventsRead), PerMinute: 60})
		q := d.Read(t.Context())

		got, whose, err := org.Authenticate(q, k.secret)
		want := org.Key{ID: k.ID, Scopes: scope.Of(scope.EventsRead, scope.TicketsRead), PerMinute: 60}
		if diff := cmp.Diff(want, got); err != nil || diff != "" || whose.No != o.No || whose.ID != o.ID {
			t.Fatalf("Authenticate: %v, of %+v, -want +got:\n%s", err, whose, diff)
		}
		for _, wrong := range []string{"", "sd_", k.secret + "0", k.secret[:len(k.secret)-1], strings.ToUpper(k.secret), string(k.ID)} {
			if _, _, err := org.Authenticate(q, wrong); !problem.Is(err, "invalid_api_key") {
				t.Errorf("Authenticate(%q) = %v, want invalid_api_key", wrong, err)
			}
		}

		revoke := func(o int64, key id.Key) error {
			return d.Write(t.Context(), "", func(tx *db.Tx) error { return org.RevokeKey(tx, o, key, operator) })
		}
		if err := revoke(other.No, k.ID); !problem.Is(err, "key_not_found") {
			t.Errorf("another organisation's RevokeKey = %v, want key_not_found", err)
		}
		for range 2 {
			if err := revoke(o.No, k.ID); err != nil {
				t.Errorf("RevokeKey = %v", err)
			}
		}
		if _, _, err := org.Authenticate(q, k.secret); !problem.Is(err, "invalid_api_key") {
			t.Errorf("Authenticate with a revoked key = %v, want invalid_api_key", err)
		}
	})
}

func TestKeysAreListedWithoutSecrets(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := create(t, d, org.Input{Name: "House"})
		a := createKey(t, d, o.No, org.KeyInput{})
		b := createKey(t, d, o.No, org.KeyInput{Name: "b", Scopes: scope.Of(scope.WebhooksManage)})
		err := d.Write(t.Context(), "", func(tx *db.Tx) error { return org.Used(tx, o.No, a.ID, b.ID) })
		if err != nil {
			t.Fatal(err)
		}
		keys, err := org.Keys(d.Read(t.Context()), o.No)
		if err != nil || len(keys) != 2 {
			t.Fatalf("Keys = %v, %v; want 2", keys, err)
		}
		for i, k := range keys {
			if k.LastUsedAt.IsZero() {
				t.Errorf("key %d was used and says never", i)
			}
			keys[i].LastUsedAt = time.Time{}
		}
		if diff := cmp.Diff([]org.Key{a.Key, b.Key}, keys); diff != "" {
			t.Errorf("Keys -made +listed:\n%s", diff)
		}
		if len(a.Scopes.List()) != 11 || !a.Full {
			t.Errorf("a key without scopes has %v, full %v; want all eleven, and administration", a.Scopes, a.Full)
		}
		if !strings.HasPrefix(a.secret, "sd_") || len(a.secret) < 50 {
			t.Errorf("the key %q has not the form sd_ and 52 characters", a.secret)
		}
	})
}

func TestKeyInputIsChecked(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	for _, in := range []org.KeyInput{{PerMinute: -1}, {Name: strings.Repeat("x", 201)}} {
		_, err := write(t, d, func(tx *db.Tx) (org.Key, error) {
			k, _, err := org.CreateKey(tx, 1, in, operator)
			return k, err
		})
		if !problem.Is(err, "validation_failed") {
			t.Errorf("CreateKey(%+v) = %v, want validation_failed", in, err)
		}
	}
}
