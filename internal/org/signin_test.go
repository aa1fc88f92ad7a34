package org_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// TestSignInDoesNotTellWhetherThereIsAnAccount: the same words, and the same work, which is what takes time: one hash and one entry in the log.
func TestSignInDoesNotTellWhetherThereIsAnAccount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p, err := h.Hash(h.ctx(), "", right)
		if err != nil {
			t.Fatal(err)
		}
		h.userWith("kari@example.com", p)
		h.userWith("without@example.com", org.Password{})
		h.erased("erased@example.com")
		hashes := 0
		h.Watch(func() { hashes++ })
		for _, email := range []string{"kari@example.com", "without@example.com", "erased@example.com", "nobody@example.com", "no address"} {
			for _, password := range []string{"not the password", ""} {
				hashes = 0
				before := len(h.told(0))
				_, _, cookie, err := h.SignIn(h.ctx(), in(email, password))
				if p := problem.As(err); p == nil || p.Kind != problem.Unauthorized || p.Detail != "The e-mail address or the password is not right." || cookie != "" {
					t.Errorf("SignIn(%s, %q) = %v, want sign_in_failed in the usual words", email, password, err)
				}
				if entries := len(h.told(0)) - before; hashes != 1 || entries != 1 {
					t.Errorf("SignIn(%s, %q) took %d hashes and %d entries in the log, want 1 of each", email, password, hashes, entries)
				}
			}
		}
	})
}

func TestSignInWithRubbishFailsLikeAnyOther(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.user("kari@example.com")
		for _, in := range []org.SignIn{
			{},
			in("kari@example.com\x00", right),
			in("\xff@example.com", right),
			in("kari@example.com", right+"\x00"),
			in("kari@example.com", "\xff\xfe, twelve bytes"),
			in("kari@example.com", strings.Repeat(right, 100_000)),
		} {
			if err := h.attempt(in); !problem.Is(err, "sign_in_failed") {
				t.Errorf("SignIn(%q, %.20q) = %v, want sign_in_failed", in.Email, in.Password, err)
			}
		}
	})
}

// TestFailuresMakeTheNextTryWait: five are free, then the wait is a second and doubles up to a quarter of an hour. After a day they are forgotten.
func TestFailuresMakeTheNextTryWait(t *testing.T) {
	h, clock := still(t)
	h.user("kari@example.com")
	for _, email := range []string{"kari@example.com", "nobody@example.com"} {
		n := 0
		fail := func() error { // each from another address
			n++
			return h.attempt(from(fmt.Sprintf("192.0.2.%d", n), email, "not the password"))
		}
		for i := range 5 {
			if err := fail(); !problem.Is(err, "sign_in_failed") {
				t.Fatalf("%s, try %d = %v, want sign_in_failed", email, i+1, err)
			}
		}
		for _, seconds := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
			wait := time.Duration(seconds) * time.Second
			clock.pass(time.Millisecond)
			for range 2 { // a try that is refused makes nobody wait longer
				if p := problem.As(fail()); p == nil || p.Code != "sign_in_throttled" || p.Kind != problem.TooMany || p.RetryAfter != wait-time.Millisecond {
					t.Fatalf("%s, the next try = %v; want sign_in_throttled for %v", email, p, wait)
				}
			}
			clock.pass(wait - time.Millisecond)
			if err := fail(); !problem.Is(err, "sign_in_failed") {
				t.Fatalf("%s, a try after %v = %v, want sign_in_failed", email, wait, err)
			}
		}
		clock.pass(24 * time.Hour)
		for i := range 5 {
			if err := fail(); !problem.Is(err, "sign_in_failed") {
				t.Fatalf("%s, try %d of the next day = %v, want sign_in_failed", email, i+1, err)
			}
		}
	}
}

func TestRightPasswordWaitsTooAndThenForgetsTheFailures(t *testing.T) {
	h, clock := still(t)
	h.user("kari@example.com")
	other := "198.51.100.7"
	for round := range 2 {
		for range 5 {
			if err := h.attempt(in("kari@example.com", "not the password")); !problem.Is(err, "sign_in_failed") {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if err := h.attempt(from(other, "KARI@example.com ", right)); !problem.Is(err, "sign_in_throttled") {
			t.Fatalf("the right password, too early = %v; want sign_in_throttled, from wherever it comes", err)
		}
		clock.pass(time.Second)
		h.signIn(from(other, "kari@example.com", right))
	}
}

func TestFailuresOfAnAddressMakeItWait(t *testing.T) {
	for _, c := range []struct{ name, one, same, other string }{
		{"IPv4", "192.0.2.%d", "::ffff:192.0.2.0", "198.51.100.1"},
		{"IPv6 by its /64", "2001:db8::%d", "2001:db8::ffff:0:0:1", "2001:db8:0:1::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, clock := still(t)
			h.user("kari@example.com")
			for i := range 20 {
				email := fmt.Sprintf("somebody%d@example.com", i)
				h.user(email)
				address := strings.ReplaceAll(c.one, "%d", "0")
				if strings.Contains(c.one, ":") {
					address = fmt.Sprintf(c.one, i+1)
				}
				if err := h.attempt(from(address, email, "not the password")); !problem.Is(err, "sign_in_failed") {
					t.Fatalf("try %d from %s = %v, want sign_in_failed", i+1, address, err)
				}
			}
			if p := problem.As(h.attempt(from(c.same, "kari@example.com", right))); p == nil || p.Code != "sign_in_throttled" || p.RetryAfter != time.Second {
				t.Errorf("SignIn from %s = %v, want sign_in_throttled for a second", c.same, p)
			}
			h.signIn(from(c.other, "kari@example.com", right))
			clock.pass(time.Second)
			h.signIn(from(c.same, "kari@example.com", right))
			// What was right is taken back, and no more than that: the next failure makes it two seconds.
			if err := h.attempt(from(c.same, "nobody@example.com", "not the password")); !problem.Is(err, "sign_in_failed") {
				t.Errorf("SignIn from %s = %v, want sign_in_failed", c.same, err)
			}
			if p := problem.As(h.attempt(from(c.same, "kari@example.com", right))); p == nil || p.RetryAfter != 2*time.Second {
				t.Errorf("SignIn from %s after 21 failures = %v, want a wait of two seconds", c.same, p)
			}
		})
	}
}

// TestSignInsThatSucceedAreNotCounted: a company whose people all come from one address gets in.
func TestSignInsThatSucceedAreNotCounted(t *testing.T) {
	h, _ := still(t)
	p, err := h.Hash(h.ctx(), "", right)
	if err != nil {
		t.Fatal(err)
	}
	h.userWith("kari@example.com", p)
	for range 22 {
		h.signIn(in("kari@example.com", right))
	}
	if n, err := db.One(h.q(), db.Value[int64], `SELECT sum(failures) FROM sign_in_failures`); err != nil || n != 0 {
		t.Errorf("%d failures are counted, %v; want none", n, err)
	}
}

func TestSignInWithoutAnAddressCountsForTheAccountOnly(t *testing.T) {
	h, _ := still(t)
	for i := range 22 {
		email := fmt.Sprintf("somebody%d@example.com", i)
		h.user(email)
		in := in(email, "not the password")
		in.Address = netip.Addr{}
		if err := h.attempt(in); !problem.Is(err, "sign_in_failed") {
			t.Fatalf("try %d = %v, want sign_in_failed", i+1, err)
		}
	}
}

// TestParallelTriesDoNotAllGetThrough: whoever sends a hundred at the same time gets no more looked at than whoever sends them one after the other.
func TestParallelTriesDoNotAllGetThrough(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		h, _ := still(t)
		h.user("kari@example.com")
		account := func(int) org.SignIn { return from("192.0.2.1", "kari@example.com", "not the password") }
		if looked, _ := h.storm(t, account, h); looked != 5 {
			t.Errorf("%d of 100 tries for one account were looked at, want 5", looked)
		}
		for i := range 100 {
			h.user(fmt.Sprintf("somebody%d@example.com", i))
		}
		address := func(i int) org.SignIn {
			return from("192.0.2.2", fmt.Sprintf("somebody%d@example.com", i), "not the password")
		}
		if looked, _ := h.storm(t, address, h); looked != 20 {
			t.Errorf("%d of 100 tries from one address were looked at, want 20", looked)
		}
	})
	t.Run("postgres on two nodes", func(t *testing.T) {
		config := dbtest.PostgreSQL(t)
		h := newHouse(t, dbtest.Open(t, config))
		second := node(t, dbtest.Open(t, config))
		h.user("kari@example.com")
		account := func(i int) org.SignIn {
			return from(fmt.Sprintf("192.0.2.%d", i+1), "kari@example.com", "not the password")
		}
		looked, took := h.storm(t, account, h, second)
		// The database's clock goes on, so a slow machine may get one more after a second, another after two more, …
		may := 5
		for wait := time.Second; took >= wait; wait *= 2 {
			may++
			took -= wait
		}
		if looked < 5 || looked > may {
			t.Errorf("%d of 100 tries on two nodes were looked at, want 5 to %d", looked, may)
		}
	})
}

// storm has a hundred sign-ins fail at the same time and returns how many passwords were looked at.
func (h *house) storm(t *testing.T, in func(i int) org.SignIn, nodes ...*house) (looked int, took time.Duration) {
	t.Helper()
	begin := time.Now()
	errs := make([]error, 100)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = nodes[i%len(nodes)].attempt(in(i)) })
	}
	wg.Wait()
	for _, err := range errs {
		switch {
		case problem.Is(err, "sign_in_failed"):
			looked++
		case !problem.Is(err, "sign_in_throttled"):
			t.Errorf("SignIn = %v, want sign_in_failed or sign_in_throttled", err)
		}
	}
	return looked, time.Since(begin)
}

// TestNameIsNotInTheTableOfFailures: the table names neither accounts nor addresses.
func TestNameIsNotInTheTableOfFailures(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		_ = h.attempt(in("kari@example.com", "not the password"))
		names, err := db.All(h.q(), db.Value[[]byte], `SELECT name FROM sign_in_failures`)
		if err != nil || len(names) != 2 {
			t.Fatalf("%d names, %v; want one of the account and one of the address", len(names), err)
		}
		for _, n := range names {
			if len(n) != 32 {
				t.Errorf("a name is %q, want a MAC", n)
			}
		}
	})
}

func TestPasswordThatWasChangedMeanwhileIsNotTaken(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		h.Watch(func() {
			h.must("SetPassword", func(tx *db.Tx) error {
				return h.SetPassword(tx, u.No, org.OldPassword("another password"), 0, operator)
			})
		})
		if err := h.attempt(in("kari@example.com", right)); !problem.Is(err, "sign_in_failed") {
			t.Errorf("SignIn while the password is changed = %v, want sign_in_failed", err)
		}
		if list, err := org.Sessions(h.q(), u.No, h.now(t)); err != nil || len(list) != 0 {
			t.Errorf("Sessions = %v, %v; want none", list, err)
		}
	})
}

func TestSignInIsToldToTheLog(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		h.role(u, org.Owner)
		if err := h.attempt(in("kari@example.com", "not the password")); err == nil {
			t.Fatal("a wrong password was taken")
		}
		h.signIn(in("kari@example.com", right))
		list, err := audit.List(h.q(), h.org.No, audit.Filter{Limit: 2})
		if err != nil || len(list) != 2 {
			t.Fatalf("List = %v, %v", list, err)
		}
		type entry struct{ Action, Actor, Subject, Address string }
		var got []entry
		for _, e := range list {
			got = append(got, entry{e.Action, e.Actor, e.Subject, e.Address})
		}
		want := []entry{{"session.started", string(u.ID), string(u.ID), "192.0.2.1"}, {"sign_in.failed", "", string(u.ID), "192.0.2.1"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the newest entries, -want +got:\n%s", diff)
		}
	})
}

func TestKnowingAPasswordCountsAsSigningInDoes(t *testing.T) {
	h, clock := still(t)
	h.user("kari@example.com")
	for i := range 5 {
		if ok, err := h.Knows(h.ctx(), in("kari@example.com", "not the password")); ok || err != nil {
			t.Fatalf("Knows with another password, try %d = %v, %v; want false", i+1, ok, err)
		}
	}
	if ok, err := h.Knows(h.ctx(), in("kari@example.com", right)); ok || !problem.Is(err, "sign_in_throttled") {
		t.Errorf("Knows too early = %v, %v; want sign_in_throttled", ok, err)
	}
	clock.pass(time.Second)
	if ok, err := h.Knows(h.ctx(), in("kari@example.com", right)); !ok || err != nil {
		t.Errorf("Knows with the password = %v, %v; want true", ok, err)
	}
	if list, err := db.One(h.q(), db.Value[int64], `SELECT count(*) FROM sessions`); err != nil || list != 0 {
		t.Errorf("%d sessions, %v; want none", list, err)
	}
}
