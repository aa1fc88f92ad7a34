package org_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// house is an organisation's people on a database.
type house struct {
	*org.People
	t    *testing.T
	d    *db.DB
	apps *apps
	org  org.Org
}

// each runs a test on both databases.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, newHouse(t, d)) })
}

func newHouse(t *testing.T, d *db.DB) *house {
	t.Helper()
	h := node(t, d)
	h.org = create(t, d, org.Input{Name: "House"})
	return h
}

// node is another node of the same installation, on a database handle of its own.
func node(t *testing.T, d *db.DB) *house {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	a := &apps{}
	return &house{People: org.NewPeople(org.PeopleConfig{DB: d, Keys: keys, Apps: a}), t: t, d: d, apps: a}
}

// clock is a clock that stands still until it is moved.
type clock struct{ micros atomic.Int64 }

func (c *clock) Now() time.Time             { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) pass(d time.Duration)       { c.micros.Add(d.Microseconds()) }
func newClock(start time.Time) (c *clock)   { c = &clock{}; c.micros.Store(start.UnixMicro()); return c }
func (h *house) now(t *testing.T) time.Time { t.Helper(); return instant(t, h.d) }
func instant(t *testing.T, d *db.DB) (n time.Time) {
	t.Helper()
	n, err := write(t, d, func(tx *db.Tx) (time.Time, error) { return tx.Now(), nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// still is a house on a SQLite file whose clock stands still until it is moved.
func still(t *testing.T) (*house, *clock) {
	t.Helper()
	c := newClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	config := dbtest.SQLite(t)
	config.Now = c.Now
	return newHouse(t, dbtest.Open(t, config)), c
}

// apps notes what it is told.
type apps struct {
	mu        sync.Mutex // guards both
	signedOut []string
	reach     []scope.Set
}

func (a *apps) SignOut(_ *db.Tx, _ int64, reason string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.signedOut = append(a.signedOut, reason)
	return nil
}

func (a *apps) Reach(_ *db.Tx, _, _ int64, may scope.Set) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reach = append(a.reach, may)
	return nil
}

const right = "correct horse battery"

// must runs fn in a transaction, which has to succeed.
func (h *house) must(what string, fn func(tx *db.Tx) error) {
	h.t.Helper()
	if err := h.d.Write(h.t.Context(), "", fn); err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
}

// try runs fn in a transaction and returns what came of it.
func (h *house) try(fn func(tx *db.Tx) error) error { return h.d.Write(h.t.Context(), "", fn) }

// user makes a person with the password right.
func (h *house) user(email string) org.User {
	h.t.Helper()
	return h.userWith(email, org.OldPassword(right)) // quick to make
}

func (h *house) userWith(email string, p org.Password) (u org.User) {
	h.t.Helper()
	h.must("Create "+email, func(tx *db.Tx) (err error) {
		u, err = h.Create(tx, org.UserInput{Email: email, Name: "Kari", Password: p}, operator)
		return err
	})
	return u
}

// role sets a person's role in the house, which has to succeed.
func (h *house) role(u org.User, r org.Role) {
	h.t.Helper()
	if err := h.setRole(h.org, u, r); err != nil {
		h.t.Fatalf("SetRole(%s, %q): %v", u.Email, r, err)
	}
}

func (h *house) setRole(o org.Org, u org.User, r org.Role) error {
	return h.d.Configure(h.t.Context(), func(tx *db.Tx) error { return h.SetRole(tx, o.No, u.No, r, operator) })
}

// in is a sign-in from the usual address.
func in(email, password string) org.SignIn {
	return org.SignIn{Email: email, Password: password, Address: netip.MustParseAddr("192.0.2.1"), Agent: "Test/1"}
}

// from is a sign-in from another address.
func from(address, email, password string) org.SignIn {
	s := in(email, password)
	s.Address = netip.MustParseAddr(address)
	return s
}

// signIn signs in, which has to succeed.
func (h *house) signIn(in org.SignIn) (org.Session, string) {
	h.t.Helper()
	_, s, cookie, err := h.SignIn(h.t.Context(), in)
	if err != nil {
		h.t.Fatalf("SignIn(%s): %v", in.Email, err)
	}
	return s, cookie
}

// attempt signs in and returns only whether that failed.
func (h *house) attempt(in org.SignIn) error {
	_, _, _, err := h.SignIn(h.t.Context(), in)
	return err
}

func (h *house) ctx() context.Context { return h.t.Context() }
func (h *house) q() db.Querier        { return h.d.Read(h.t.Context()) }

// told is what the audit log of an organisation says, the oldest first: "action actor subject".
func (h *house) told(o int64) []string {
	h.t.Helper()
	list, err := audit.List(h.q(), o, audit.Filter{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	slices.Reverse(list)
	lines := make([]string, len(list))
	for i, e := range list {
		lines[i] = strings.TrimRight(e.Action+" "+e.Actor+" "+e.Subject, " ")
	}
	return lines
}

// wantTold compares what the audit log of an organisation says.
func (h *house) wantTold(o int64, want ...string) {
	h.t.Helper()
	if diff := cmp.Diff(want, h.told(o)); diff != "" {
		h.t.Errorf("the audit log of organisation %d, -want +got:\n%s", o, diff)
	}
}

func TestAuditLogHoldsNoNamesAndSecrets(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		h.role(u, org.Owner)
		var secrets []string
		_, cookie := h.signIn(in("kari@example.com", right))
		secrets = append(secrets, cookie, "kari@example.com", right, "Kari")
		if err := h.attempt(in("kari@example.com", "not the password")); err == nil {
			t.Fatal("a wrong password was taken")
		}
		h.must("all that makes secrets", func(tx *db.Tx) error {
			_, invitation, err := h.Invite(tx, h.org.No, "ola@example.com", org.Admin, operator)
			secrets = append(secrets, invitation, "ola@example.com")
			if err != nil {
				return err
			}
			_, reset, err := h.NewLink(tx, org.Reset, u)
			secrets = append(secrets, reset)
			if err != nil {
				return err
			}
			if _, err := h.UseLink(tx, org.Reset, reset, operator); err != nil {
				return err
			}
			_, token, err := org.CreateToken(tx, h.org.No, u.No, org.TokenInput{Name: "mine"}, operator)
			secrets = append(secrets, token)
			if err != nil {
				return err
			}
			_, key, err := org.CreateKey(tx, h.org.No, org.KeyInput{}, operator)
			secrets = append(secrets, key)
			return err
		})
		for _, o := range []int64{0, h.org.No} {
			list, err := audit.List(h.q(), o, audit.Filter{Limit: 1000})
			text, _ := json.Marshal(list)
			if err != nil || len(list) == 0 {
				t.Fatalf("List(%d) = %d entries, %v", o, len(list), err)
			}
			for _, s := range secrets {
				if bytes.Contains(text, []byte(s)) {
					t.Errorf("the audit log of organisation %d holds %q", o, s)
				}
			}
		}
	})
}

func TestWhatIsToldOfAPersonIsToldToEachOfTheirOrganisations(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		other := create(t, h.d, org.Input{Name: "Other"})
		u := h.user("kari@example.com")
		h.wantTold(0, "user.created operator "+string(u.ID))
		h.role(u, org.Owner)
		if err := h.setRole(other, u, org.Staff); err != nil {
			t.Fatal(err)
		}
		_, cookie := h.signIn(in("kari@example.com", right))
		_, s, err := h.SessionOf(h.ctx(), cookie, h.now(t))
		if err != nil {
			t.Fatal(err)
		}
		h.must("SignOut", func(tx *db.Tx) error { return h.SignOut(tx, u.No, s.ID, 0, audit.By{Actor: string(u.ID)}) })
		me := string(u.ID) + " " + string(u.ID)
		for _, o := range []org.Org{h.org, other} {
			h.wantTold(o.No, "member.added operator "+string(u.ID), "session.started "+me, "session.ended "+me)
		}
	})
}
