package org_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestPasswordIsRefusedWithAReason(t *testing.T) {
	h, _ := still(t)
	h.Busy() // so what is taken would wait
	for _, c := range []struct{ password, code string }{
		{"", "too_short"},
		{"eleven char", "too_short"},
		{"åååååå", "too_short"}, // 12 bytes, 6 characters
		{strings.Repeat("long text ", 103), "too_long"},
		{"bad \xff text, long enough", "invalid"},
		{"with \x00 inside it", "invalid"},
		{"password1234", "leaked"},
		{"PassWord1234", "leaked"},
		{"qwertyuiop123", "leaked"},
		{"1q2w3e4r5t6y", "leaked"},
		{"123456789012", "leaked"},
		{"aaaaaaaaaaaaaaaa", "leaked"},
		{"ababababababab", "leaked"},
		{"abcabcabcabcabc", "leaked"},
		{"😀😀😀😀😀😀😀😀😀😀😀😀", "leaked"},
		{"Kari.Nordmann@Example.com", "leaked"},
		{"kari.nordmann", "leaked"},
		{"kari.nordmannKARI.NORDMANN", "leaked"},
	} {
		ctx, cancel := context.WithCancel(h.ctx())
		cancel()
		_, err := h.Hash(ctx, "kari.nordmann@example.com", c.password)
		p := problem.As(err)
		if p == nil || len(p.Fields) != 1 || p.Fields[0].Pointer != "/password" || p.Fields[0].Code != c.code {
			t.Errorf("Hash(%.40q) = %v, want %s about /password", c.password, err, c.code)
		}
		if p != nil && c.password != "" && strings.Contains(p.Error(), c.password) {
			t.Errorf("the refusal of %q repeats it", c.password)
		}
	}
}

func TestPasswordIsHashedWithItsCost(t *testing.T) {
	h, _ := still(t)
	var all []string
	for range 2 {
		p, err := h.Hash(h.ctx(), "kari@example.com", right)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.Stored())
	}
	const head = "$argon2id$v=19$m=65536,t=3,p=4$" // RFC 9106 §4
	if !strings.HasPrefix(all[0], head) || all[0] == all[1] {
		t.Errorf("the hashes of one password are %q; want both to begin with %s, and different salts", all, head)
	}
}

func TestPasswordIsTheSameHoweverItsLettersAreWritten(t *testing.T) {
	h, _ := still(t)
	const composed, decomposed = "r\u00f8dgr\u00f8d med fl\u00f8de \u00e5", "r\u00f8dgr\u00f8d med fl\u00f8de a\u030a"
	p, err := h.Hash(h.ctx(), "kari@example.com", decomposed)
	if err != nil {
		t.Fatal(err)
	}
	h.userWith("kari@example.com", p)
	h.signIn(in("kari@example.com", composed))
	h.signIn(in("kari@example.com", decomposed))
	if err := h.attempt(in("kari@example.com", strings.ToUpper(composed))); !problem.Is(err, "sign_in_failed") {
		t.Errorf("SignIn in upper case = %v, want sign_in_failed", err)
	}
}

func TestHashingWaitsForItsTurnAsLongAsTheCallerDoes(t *testing.T) {
	h, _ := still(t)
	h.Busy()
	ctx, cancel := context.WithCancelCause(h.ctx())
	gone := make(chan error)
	go func() {
		_, err := h.Hash(ctx, "kari@example.com", right)
		gone <- err
	}()
	cancel(nil)
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("Hash of a caller that went away = %v, want context.Canceled", err)
	}
}

func TestOldHashIsRenewedAtTheNextSignIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.userWith("kari@example.com", org.OldPassword(right))
		stored := func() string {
			s, err := db.One(h.q(), db.Value[string], `SELECT password FROM users WHERE user_no = $1`, u.No)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if err := h.attempt(in("kari@example.com", "not the password")); !problem.Is(err, "sign_in_failed") {
			t.Errorf("SignIn with another password = %v", err)
		}
		old := stored()
		h.signIn(in("kari@example.com", right))
		renewed := stored()
		if !strings.HasPrefix(old, "$argon2id$v=19$m=64,") || !strings.HasPrefix(renewed, "$argon2id$v=19$m=65536,") {
			t.Errorf("the hash was %q and is %q", old, renewed)
		}
		h.signIn(in("kari@example.com", right))
		if stored() != renewed {
			t.Error("a hash that costs what it should was renewed")
		}
	})
}

func TestDamagedHashIsAnError(t *testing.T) {
	h, _ := still(t)
	u := h.user("kari@example.com")
	h.must("damage", func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE users SET password = '$argon2id$v=19$m=4194304,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA' WHERE user_no = $1`, u.No)
		return err
	})
	if err := h.attempt(in("kari@example.com", right)); err == nil || problem.As(err) != nil || !strings.Contains(err.Error(), string(u.ID)) {
		t.Errorf("SignIn with a hash that would take 4 GiB = %v, want an internal error that names %s", err, u.ID)
	}
}

func TestListOfLeakedPasswordsIsInOrder(t *testing.T) {
	list := org.Leaked()
	if len(list) < 3000 || !slices.IsSorted(list) {
		t.Errorf("the list has %d passwords, sorted: %v", len(list), slices.IsSorted(list))
	}
	for i, p := range list {
		if utf8.RuneCountInString(p) < org.MinPassword || p != strings.ToLower(p) || p != strings.TrimSpace(p) || i > 0 && p == list[i-1] {
			t.Errorf("line %d: %q is too short to be asked for, not in lower case, or there twice", i+1, p)
		}
	}
}

func TestNewPasswordEndsWhatTheOldOneBegan(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		s1, c1 := h.signIn(in("kari@example.com", right))
		_, c2 := h.signIn(in("kari@example.com", right))
		var reset string
		h.must("NewLink", func(tx *db.Tx) (err error) {
			_, reset, err = h.NewLink(tx, org.Reset, u)
			return err
		})
		for range 5 {
			_ = h.attempt(in("kari@example.com", "not the password"))
		}
		h.must("SetPassword", func(tx *db.Tx) error {
			return h.SetPassword(tx, u.No, org.OldPassword("another password"), s1.No, audit.By{Actor: string(u.ID)})
		})

		if _, _, err := h.SessionOf(h.ctx(), c1, h.now(t)); err != nil {
			t.Errorf("the session that was to be kept: %v", err)
		}
		if _, _, err := h.SessionOf(h.ctx(), c2, h.now(t)); !problem.Is(err, "no_session") {
			t.Errorf("another session = %v, want no_session", err)
		}
		if _, err := org.LinkOf(h.q(), org.Reset, reset, h.now(t)); !problem.Is(err, "link_invalid") {
			t.Errorf("a reset link from before = %v, want link_invalid", err)
		}
		if want := []string{"password_changed"}; !slices.Equal(h.apps.signedOut, want) {
			t.Errorf("apps were signed out for %q, want %q", h.apps.signedOut, want)
		}
		if err := h.attempt(in("kari@example.com", right)); !problem.Is(err, "sign_in_failed") {
			t.Errorf("SignIn with the old password = %v; want sign_in_failed, the failures of before being forgotten", err)
		}
		h.signIn(in("kari@example.com", "another password"))
		if told := h.told(0); !slices.Contains(told, "password.changed "+string(u.ID)+" "+string(u.ID)) {
			t.Errorf("the audit log says nothing of a password that was changed: %q", told)
		}
	})
}

func TestErasedPersonGetsNoPassword(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.erased("kari@example.com")
		err := h.try(func(tx *db.Tx) error { return h.SetPassword(tx, u.No, org.OldPassword(right), 0, operator) })
		if !problem.Is(err, "user_not_found") {
			t.Errorf("SetPassword of somebody erased = %v, want user_not_found", err)
		}
		err = h.try(func(tx *db.Tx) error { _, _, err := h.StartSession(tx, u.No, in("", "")); return err })
		if !problem.Is(err, "user_not_found") {
			t.Errorf("StartSession of somebody erased = %v, want user_not_found", err)
		}
		if err := h.setRole(h.org, u, org.Staff); !problem.Is(err, "user_not_found") {
			t.Errorf("SetRole of somebody erased = %v, want user_not_found", err)
		}
		if got, err := org.UserByID(h.q(), u.ID); err != nil || got.Email != "" || got.ErasedAt.IsZero() {
			t.Errorf("UserByID of somebody erased = %+v, %v; want who is no more", got, err)
		}
	})
}

// erased makes somebody and empties their account.
func (h *house) erased(email string) org.User {
	h.t.Helper()
	u := h.user(email)
	h.must("erase", func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE users SET email = NULL, email_lower = NULL, name = '', password = '', erased_at = $1 WHERE user_no = $2`, tx.Micros(), u.No)
		return err
	})
	return u
}

func FuzzStoredHash(f *testing.F) {
	f.Add(org.OldPassword(right).Stored())
	for _, s := range []string{
		"", "$", "$$$$$", "$argon2id$v=19$m=65536,t=3,p=4$$",
		"$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=65536,t=3,p=4,x=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=+65536,t=03,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2i$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=16$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=8,t=1,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=65536,t=3,p=256$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAB",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		again, err := org.ReadHash(s)
		if err == nil && again != s {
			t.Errorf("%q is taken for %q", s, again)
		}
	})
}

func FuzzEmail(f *testing.F) {
	for _, s := range []string{
		"kari@example.com", "k@a.b", "", "@", "a@b", `"a b"@c.de`, "a@b.c\n", "a@[1.2.3.4]", "<a@b.c>", "a@b.c (x)", "jalapeño@exämple.com", "a@b@c.d", "a\u2028@b.c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !org.ValidEmail(s) {
			return
		}
		if strings.Count(s, "@") != 1 || len(s) > 254 || !utf8.ValidString(s) || strings.ContainsAny(s, " \t\r\n\x00<>\"(),;:\\[]") {
			t.Errorf("%q is taken for an address", s)
		}
		local, domain, _ := strings.Cut(s, "@")
		if local == "" || !strings.Contains(domain, ".") {
			t.Errorf("%q is taken for an address", s)
		}
	})
}
