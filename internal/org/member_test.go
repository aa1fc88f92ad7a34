package org_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func TestMembersAreListedFromBothSides(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		other := create(t, h.d, org.Input{Name: "Another house"})
		kari, ola := h.user("kari@example.com"), h.user("ola@example.com")
		h.role(kari, org.Owner)
		h.role(ola, org.Staff)
		if err := h.setRole(other, kari, org.Member); err != nil {
			t.Fatal(err)
		}
		type row struct {
			Org, User string
			Role      org.Role
		}
		rows := func(list []org.Membership, err error) (out []row) {
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				if m.CreatedAt.IsZero() {
					t.Errorf("%+v has no beginning", m)
				}
				out = append(out, row{m.Org.Name, m.User.Email, m.Role})
			}
			return out
		}
		want := []row{{"House", "kari@example.com", org.Owner}, {"House", "ola@example.com", org.Staff}}
		if diff := cmp.Diff(want, rows(org.Members(h.q(), h.org.No))); diff != "" {
			t.Errorf("Members, -want +got:\n%s", diff)
		}
		want = []row{{"Another house", "kari@example.com", org.Member}, {"House", "kari@example.com", org.Owner}}
		if diff := cmp.Diff(want, rows(org.Memberships(h.q(), kari.No))); diff != "" {
			t.Errorf("Memberships, -want +got:\n%s", diff)
		}
		list, _ := org.Memberships(h.q(), ola.No)
		if diff := cmp.Diff(h.org, list[0].Org); diff != "" {
			t.Errorf("the organisation, -made +listed:\n%s", diff)
		}
		if r, err := org.RoleOf(h.q(), other.No, ola.No); r != "" || err != nil {
			t.Errorf("RoleOf an attendee = %q, %v", r, err)
		}
	})
}

// TestWhatAppsMayFollowsTheRole: also the end of a membership is a role, that of an attendee.
func TestWhatAppsMayFollowsTheRole(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss, u := h.user("boss@example.com"), h.user("kari@example.com")
		h.role(boss, org.Owner)
		h.apps.reach = nil
		for _, r := range []org.Role{org.Admin, org.Admin, org.Member, org.Staff, "", "", org.Owner} {
			h.role(u, r)
			if got, err := org.RoleOf(h.q(), h.org.No, u.No); got != r || err != nil {
				t.Errorf("RoleOf = %q, %v; want %q", got, err, r)
			}
			if who, got, err := org.Standing(h.q(), h.org.No, u.No); got != r || who.ID != u.ID || who.Email != u.Email || err != nil {
				t.Errorf("Standing = %+v, %q, %v; want %s and %q", who, got, err, u.ID, r)
			}
		}
		want := []scope.Set{org.Admin.Allows(), org.Member.Allows(), org.Staff.Allows(), org.Role("").Allows(), org.Owner.Allows()}
		if diff := cmp.Diff(want, h.apps.reach); diff != "" {
			t.Errorf("what apps were told, -want +got:\n%s", diff)
		}
		if org.Role("").Allows().Has(scope.WebhooksManage) {
			t.Error("an attendee may manage webhooks, so those of somebody who left would go on")
		}
		of := "operator " + string(u.ID)
		h.wantTold(h.org.No, "member.added operator "+string(boss.ID), "member.added "+of, "member.changed "+of, "member.changed "+of, "member.removed "+of, "member.added "+of)
	})
}

func TestRoleIsChecked(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		if err := h.setRole(h.org, u, "king"); !problem.Is(err, "validation_failed") {
			t.Errorf("SetRole(king) = %v, want validation_failed", err)
		}
		if err := h.setRole(h.org, org.User{No: u.No + 1}, org.Staff); !problem.Is(err, "user_not_found") {
			t.Errorf("SetRole of nobody = %v, want user_not_found", err)
		}
	})
}

func TestLastOwnerStays(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		other := create(t, h.d, org.Input{Name: "Other"})
		kari, ola := h.user("kari@example.com"), h.user("ola@example.com")
		h.role(kari, org.Owner)
		h.role(ola, org.Admin)
		if err := h.setRole(other, ola, org.Owner); err != nil { // another organisation's owner does not count
			t.Fatal(err)
		}
		for _, r := range []org.Role{"", org.Admin, org.Staff} {
			if err := h.setRole(h.org, kari, r); !problem.Is(err, "last_owner") {
				t.Errorf("SetRole(%q) of the last owner = %v, want last_owner", r, err)
			}
		}
		h.role(ola, org.Owner)
		h.role(kari, "")
		if err := h.setRole(h.org, ola, ""); !problem.Is(err, "last_owner") {
			t.Errorf("the end of the last owner = %v, want last_owner", err)
		}
	})
}

// TestOwnersWhoLeaveTogetherLeaveOneBehind: on two nodes, too.
func TestOwnersWhoLeaveTogetherLeaveOneBehind(t *testing.T) {
	run := func(t *testing.T, h, second *house) {
		owners := make([]org.User, 8)
		for round := range 3 {
			for i := range owners {
				if round == 0 {
					owners[i] = h.user(string(rune('a'+i)) + "@example.com")
				}
				h.role(owners[i], org.Owner)
			}
			var wg sync.WaitGroup
			for i, u := range owners {
				at := []*house{h, second}[i%2]
				wg.Go(func() {
					err := at.d.Configure(at.ctx(), func(tx *db.Tx) error { return at.SetRole(tx, h.org.No, u.No, "", operator) })
					if err != nil && !problem.Is(err, "last_owner") {
						t.Errorf("SetRole = %v", err)
					}
				})
			}
			wg.Wait()
			if left, err := org.Members(h.q(), h.org.No); err != nil || len(left) != 1 {
				t.Fatalf("round %d: %d owners are left, %v; want 1", round, len(left), err)
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
