package org_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestPersonIsFoundAgain(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user(" Kari.Nordmann@Example.com")
		if u.Email != "Kari.Nordmann@Example.com" || u.Name != "Kari" || !u.HasPassword || !u.VerifiedAt.IsZero() || u.Version != 1 {
			t.Errorf("Create made %+v", u)
		}
		for how, find := range map[string]func() (org.User, error){
			"id":                     func() (org.User, error) { return org.UserByID(h.q(), u.ID) },
			"number":                 func() (org.User, error) { return org.UserByNumber(h.q(), u.No) },
			"address":                func() (org.User, error) { return org.UserByEmail(h.q(), "Kari.Nordmann@Example.com") },
			"address in other cases": func() (org.User, error) { return org.UserByEmail(h.q(), " kari.nordmann@EXAMPLE.com ") },
		} {
			got, err := find()
			if diff := cmp.Diff(u, got); err != nil || diff != "" {
				t.Errorf("by %s: %v, -made +found:\n%s", how, err, diff)
			}
		}
		for _, nobody := range []string{"", "ola@example.com", "kari.nordmann@example.com\x00", "\xff@example.com"} {
			if _, err := org.UserByEmail(h.q(), nobody); !problem.Is(err, "user_not_found") {
				t.Errorf("UserByEmail(%q) = %v, want user_not_found", nobody, err)
			}
		}
		all, err := org.Users(h.q())
		if diff := cmp.Diff([]org.User{u}, all); err != nil || diff != "" {
			t.Errorf("Users: %v, -made +listed:\n%s", err, diff)
		}
	})
}

func TestAddressIsOnePersons(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var wg sync.WaitGroup
		errs := make([]error, 20)
		for i := range errs {
			wg.Go(func() {
				errs[i] = h.d.WriteAlone(h.ctx(), func(tx *db.Tx) error {
					_, err := h.Create(tx, org.UserInput{Email: []string{"kari@example.com", "KARI@example.com"}[i%2]}, audit.By{})
					return err
				})
			})
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			} else if !problem.Is(err, "email_taken") {
				t.Errorf("Create = %v, want email_taken", err)
			}
		}
		if made != 1 {
			t.Errorf("%d people were made with one address", made)
		}
	})
}

func TestWhoSignsUpMakesThemselves(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var u org.User
		h.must("Create", func(tx *db.Tx) (err error) {
			u, err = h.Create(tx, org.UserInput{Email: "kari@example.com", Verified: true}, audit.By{Address: "192.0.2.1"})
			return err
		})
		if u.HasPassword || u.VerifiedAt.IsZero() {
			t.Errorf("Create made %+v, want no password and a verified address", u)
		}
		h.wantTold(0, "user.created "+string(u.ID)+" "+string(u.ID))
	})
}

func TestPersonIsChecked(t *testing.T) {
	h, _ := still(t)
	for _, in := range []org.UserInput{
		{Email: ""},
		{Email: "kari"},
		{Email: "kari@localhost"},
		{Email: "kari@example..com"},
		{Email: "kari@example.com."},
		{Email: "kari@[192.0.2.1]"},
		{Email: "kari@ex ample.com"},
		{Email: "kari nordmann@example.com"},
		{Email: "kari@a.com, ola@b.com"},
		{Email: "kari@ola@example.com"},
		{Email: `"kari@x"@example.com`},
		{Email: "Kari <kari@example.com>"},
		{Email: "kari@example.com\r\nBcc: all@example.com"},
		{Email: "kari\x00@example.com"},
		{Email: "\xff@example.com"},
		{Email: strings.Repeat("k", 65) + "@example.com"},
		{Email: "k@" + strings.Repeat("long.", 51) + "com"},
		{Email: "kari@example.com", Name: "two\nlines"},
		{Email: "kari@example.com", Name: strings.Repeat("x", 201)},
		{Email: "kari@example.com", Name: "bad \xff text"},
	} {
		err := h.try(func(tx *db.Tx) error { _, err := h.Create(tx, in, operator); return err })
		if !problem.Is(err, "validation_failed") {
			t.Errorf("Create(%+v) = %v, want validation_failed", in, err)
		}
	}
}

func TestRenameIsOfTheVersionThatWasSeen(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		rename := func(name string, version int64) (got org.User, err error) {
			return write(t, h.d, func(tx *db.Tx) (org.User, error) { return h.Rename(tx, u.No, name, version) })
		}
		got, err := rename(" Kari Nordmann ", 1)
		if err != nil || got.Name != "Kari Nordmann" || got.Version != 2 {
			t.Fatalf("Rename = %+v, %v; want version 2", got, err)
		}
		stored, _ := org.UserByNumber(h.q(), u.No)
		if diff := cmp.Diff(got, stored); diff != "" {
			t.Errorf("-Rename +stored:\n%s", diff)
		}
		if _, err := rename("Late", 1); !problem.Is(err, "version_mismatch") {
			t.Errorf("Rename of version 1 = %v, want version_mismatch", err)
		}
		if got, err := rename("Any", 0); err != nil || got.Version != 3 {
			t.Errorf("Rename of any version = %+v, %v; want version 3", got, err)
		}
		if got, err := rename("Any", 3); err != nil || got.Version != 3 {
			t.Errorf("Rename to the same name = %+v, %v; want version 3 still", got, err)
		}
		if _, err := rename("two\nlines", 0); !problem.Is(err, "validation_failed") {
			t.Errorf("Rename to two lines = %v, want validation_failed", err)
		}
		if _, err := write(t, h.d, func(tx *db.Tx) (org.User, error) { return h.Rename(tx, u.No+1, "x", 0) }); !problem.Is(err, "user_not_found") {
			t.Errorf("Rename of nobody = %v, want user_not_found", err)
		}
	})
}

func TestAddressIsVerifiedOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		var first org.User
		for range 2 {
			h.must("Verify", func(tx *db.Tx) error { return h.Verify(tx, u.No) })
			got, err := org.UserByNumber(h.q(), u.No)
			if err != nil || got.VerifiedAt.IsZero() || got.Version != 2 {
				t.Fatalf("after Verify: %+v, %v", got, err)
			}
			if diff := cmp.Diff(first, got); !first.VerifiedAt.IsZero() && diff != "" {
				t.Errorf("verifying again changed something:\n%s", diff)
			}
			first = got
		}
	})
}
