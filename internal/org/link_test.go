package org_test

import (
	"crypto/sha256"
	"slices"
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

type madeLink struct {
	org.Link
	secret string
}

// link makes a link of a kind, which has to succeed. An invitation is for ola@example.com.
func (h *house) link(kind org.LinkKind, u org.User) (l madeLink) {
	h.t.Helper()
	h.must("make "+string(kind), func(tx *db.Tx) (err error) {
		if kind == org.Invitation {
			l.Link, l.secret, err = h.Invite(tx, h.org.No, " Ola@example.com", org.Admin, operator)
		} else {
			l.Link, l.secret, err = h.NewLink(tx, kind, u)
		}
		return err
	})
	return l
}

func (h *house) use(kind org.LinkKind, secret string) (l org.Link, err error) {
	err = h.try(func(tx *db.Tx) (err error) {
		l, err = h.UseLink(tx, kind, secret, audit.By{})
		return err
	})
	return l, err
}

var kinds = map[org.LinkKind]time.Duration{org.Invitation: 7 * 24 * time.Hour, org.Reset: time.Hour, org.Verification: 2 * 24 * time.Hour}

func TestLinkIsGoodOnceForItsKindAndTime(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		for kind, life := range kinds {
			l := h.link(kind, u)
			want := org.Link{No: l.No, ID: l.ID, Kind: kind, Org: 0, UserNo: u.No, Email: "kari@example.com", CreatedAt: l.CreatedAt, ExpiresAt: l.CreatedAt.Add(life)}
			if kind == org.Invitation {
				want.Org, want.UserNo, want.Email, want.Role = h.org.No, 0, "Ola@example.com", org.Admin
			}
			if diff := cmp.Diff(want, l.Link); diff != "" {
				t.Errorf("a new %s, -want +got:\n%s", kind, diff)
			}
			stored, err := db.One(h.q(), db.Value[[]byte], `SELECT hash FROM links WHERE id = $1`, l.ID)
			if sum := sha256.Sum256([]byte(l.secret)); err != nil || len(l.secret) < 52 || !slices.Equal(stored, sum[:]) {
				t.Errorf("what is stored of a secret of %d characters is %x, %v; want its SHA-256", len(l.secret), stored, err)
			}
			for other := range kinds {
				got, err := org.LinkOf(h.q(), other, l.secret, l.CreatedAt.Add(life-time.Second))
				if other == kind && (err != nil || got.ID != l.ID) || other != kind && !problem.Is(err, "link_invalid") {
					t.Errorf("LinkOf(%s) of a %s = %+v, %v", other, kind, got, err)
				}
				if other == kind {
					continue
				}
				if _, err := h.use(other, l.secret); !problem.Is(err, "link_invalid") {
					t.Errorf("UseLink(%s) of a %s = %v, want link_invalid", other, kind, err)
				}
			}
			if _, err := org.LinkOf(h.q(), kind, l.secret, l.ExpiresAt); !problem.Is(err, "link_invalid") {
				t.Errorf("LinkOf at the end = %v, want link_invalid", err)
			}
			if got, err := h.use(kind, l.secret); err != nil || got.ID != l.ID || got.Email != l.Email || got.Role != l.Role {
				t.Errorf("UseLink = %+v, %v; want %+v", got, err, l.Link)
			}
			if _, err := h.use(kind, l.secret); !problem.Is(err, "link_invalid") {
				t.Errorf("UseLink again = %v, want link_invalid", err)
			}
			if _, err := org.LinkOf(h.q(), kind, l.secret, l.CreatedAt); !problem.Is(err, "link_invalid") {
				t.Errorf("LinkOf of a used link = %v, want link_invalid", err)
			}
		}
		for _, wrong := range []string{"", "made up", "\x00\xff"} {
			if _, err := h.use(org.Reset, wrong); !problem.Is(err, "link_invalid") {
				t.Errorf("UseLink(%q) = %v, want link_invalid", wrong, err)
			}
		}
	})
}

func TestLinkThatIsTooOldCannotBeUsed(t *testing.T) {
	h, clock := still(t)
	u := h.user("kari@example.com")
	for kind, life := range kinds {
		early, late := h.link(kind, u), h.link(org.Invitation, u)
		if kind != org.Invitation {
			late = h.link(kind, h.user(string(kind)+"@example.com"))
		}
		clock.pass(life - time.Microsecond)
		if _, err := h.use(kind, early.secret); err != nil {
			t.Errorf("UseLink of a %s just before its end: %v", kind, err)
		}
		clock.pass(time.Microsecond)
		if _, err := h.use(kind, late.secret); !problem.Is(err, "link_invalid") {
			t.Errorf("UseLink of a %s at its end = %v, want link_invalid", kind, err)
		}
	}
}

func TestOfAnyWhoUseALinkOneGetsIt(t *testing.T) {
	run := func(t *testing.T, h, second *house) {
		u := h.user("kari@example.com")
		for round := range 5 {
			l := h.link(org.Reset, u)
			errs := make([]error, 20)
			var wg sync.WaitGroup
			for i := range errs {
				at := []*house{h, second}[i%2]
				wg.Go(func() { _, errs[i] = at.use(org.Reset, l.secret) })
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if !problem.Is(err, "link_invalid") {
					t.Errorf("UseLink = %v, want link_invalid", err)
				}
			}
			if won != 1 {
				t.Errorf("round %d: %d used the link, want 1", round, won)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		h, _ := still(t)
		run(t, h, h)
	})
	t.Run("postgres on two nodes", func(t *testing.T) {
		config := dbtest.PostgreSQL(t)
		run(t, newHouse(t, dbtest.Open(t, config)), node(t, dbtest.Open(t, config)))
	})
}

func TestNewLinkVoidsThoseBefore(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u, other := h.user("kari@example.com"), h.user("ola@example.com")
		old, others, verification := h.link(org.Reset, u), h.link(org.Reset, other), h.link(org.Verification, u)
		h.link(org.Reset, u)
		if _, err := h.use(org.Reset, old.secret); !problem.Is(err, "link_invalid") {
			t.Errorf("the link before = %v, want link_invalid", err)
		}
		for kind, l := range map[org.LinkKind]madeLink{org.Reset: others, org.Verification: verification} {
			if _, err := h.use(kind, l.secret); err != nil {
				t.Errorf("a %s of %s: %v", kind, l.Email, err)
			}
		}
	})
}

func TestInvitationsAreListedAndTakenBack(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		used, open, back := h.link(org.Invitation, u), h.link(org.Invitation, u), h.link(org.Invitation, u)
		reset := h.link(org.Reset, u)
		if _, err := h.use(org.Invitation, used.secret); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			h.must("RevokeLink", func(tx *db.Tx) error { return h.RevokeLink(tx, h.org.No, back.ID, operator) })
		}
		h.must("RevokeLink of a used one", func(tx *db.Tx) error { return h.RevokeLink(tx, h.org.No, used.ID, operator) })
		list, err := org.Links(h.q(), h.org.No, h.now(t))
		if diff := cmp.Diff([]org.Link{open.Link}, list); err != nil || diff != "" {
			t.Errorf("Links: %v, -want +got:\n%s", err, diff)
		}
		if list, err := org.Links(h.q(), h.org.No, open.ExpiresAt); err != nil || len(list) != 0 {
			t.Errorf("Links after their end = %v, %v; want none", list, err)
		}
		if _, err := h.use(org.Invitation, back.secret); !problem.Is(err, "link_invalid") {
			t.Errorf("UseLink of an invitation that was taken back = %v, want link_invalid", err)
		}
		for o, id := range map[int64]madeLink{h.org.No + 1: open, h.org.No: reset} {
			if err := h.try(func(tx *db.Tx) error { return h.RevokeLink(tx, o, id.ID, operator) }); !problem.Is(err, "link_not_found") {
				t.Errorf("RevokeLink(%d, %s) = %v, want link_not_found", o, id.Kind, err)
			}
		}
		h.wantTold(h.org.No, "invitation.created operator "+string(used.ID), "invitation.created operator "+string(open.ID), "invitation.created operator "+string(back.ID),
			"invitation.used  "+string(used.ID), "invitation.revoked operator "+string(back.ID))
	})
}

func TestResetIsToldAsThePersonsOwn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		h.role(u, org.Owner)
		l := h.link(org.Reset, u)
		if _, err := h.use(org.Reset, l.secret); err != nil {
			t.Fatal(err)
		}
		h.wantTold(h.org.No, "member.added operator "+string(u.ID), "password.reset "+string(u.ID)+" "+string(u.ID))
	})
}

func TestInvitationIsChecked(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		h.role(u, org.Staff)
		for _, c := range []struct {
			email string
			role  org.Role
			code  string
		}{
			{"not an address", org.Staff, "validation_failed"},
			{"ola@example.com", "king", "validation_failed"},
			{"ola@example.com", "", "validation_failed"},
			{"KARI@example.com", org.Admin, "already_member"},
		} {
			err := h.try(func(tx *db.Tx) error { _, _, err := h.Invite(tx, h.org.No, c.email, c.role, operator); return err })
			if !problem.Is(err, c.code) {
				t.Errorf("Invite(%s, %q) = %v, want %s", c.email, c.role, err, c.code)
			}
		}
	})
}
