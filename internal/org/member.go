package org

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Membership is what a person is in an organisation.
type Membership struct {
	Org       Org
	User      User
	Role      Role
	CreatedAt time.Time
}

// RoleOf returns what a person is in an organisation; "" for an attendee.
func RoleOf(q db.Querier, org, user int64) (Role, error) {
	r, err := db.One(q, db.Value[Role], `SELECT role FROM members WHERE org_id = $1 AND user_no = $2`, org, user)
	if errors.Is(err, db.ErrNoRow) {
		return "", nil
	}
	return r, err
}

// Allowed returns what a person may do in an organisation.
func Allowed(q db.Querier, org, user int64) (scope.Set, error) {
	r, err := RoleOf(q, org, user)
	return r.Allows(), err
}

// Standing returns a person and what they are in an organisation, "" for an attendee, in one look; user_not_found.
func Standing(q db.Querier, org, user int64) (u User, r Role, err error) {
	u, err = db.One(q, func(rows db.Rows) (u User, err error) { return u, scanUserAnd(rows, &u, &r) },
		`SELECT `+userColumns+`, COALESCE(m.role, '') FROM users u LEFT JOIN members m ON m.org_id = $1 AND m.user_no = u.user_no WHERE u.user_no = $2`, org, user)
	if errors.Is(err, db.ErrNoRow) {
		return User{}, "", nobodyThere()
	}
	return u, r, err
}

// Members lists an organisation's members, the oldest first.
func Members(q db.Querier, org int64) ([]Membership, error) {
	o, err := ByNumber(q, org)
	if err != nil {
		return nil, err
	}
	return db.All(q, func(r db.Rows) (Membership, error) {
		m := Membership{Org: o}
		var at int64
		err := scanUserAnd(r, &m.User, &m.Role, &at)
		m.CreatedAt = time.UnixMicro(at).UTC()
		return m, err
	}, `SELECT `+userColumns+`, m.role, m.created_at FROM members m JOIN users u ON u.user_no = m.user_no WHERE m.org_id = $1 ORDER BY m.created_at, m.user_no`, org)
}

// Memberships lists what a person is, by the organisations' names.
func Memberships(q db.Querier, user int64) ([]Membership, error) {
	u, err := UserByNumber(q, user)
	if err != nil {
		return nil, err
	}
	return db.All(q, func(r db.Rows) (Membership, error) {
		m := Membership{User: u}
		var made, at int64
		err := r.Scan(&m.Org.No, &m.Org.ID, &m.Org.Slug, &m.Org.Name, &m.Org.Currency, &m.Org.Timezone, &made, &m.Role, &at)
		m.Org.CreatedAt, m.CreatedAt = time.UnixMicro(made).UTC(), time.UnixMicro(at).UTC()
		return m, err
	}, `SELECT o.org_id, o.id, o.slug, o.name, o.currency, o.timezone, o.created_at, m.role, m.created_at
		FROM members m JOIN orgs o ON o.org_id = m.org_id WHERE m.user_no = $1 ORDER BY o.name, o.org_id`, user)
}

// SetRole makes a person a member, changes the role, or with "" ends the membership: then the person is an attendee like any other, and so are
// their tokens and their apps, which [Apps].Reach is told as it is told of any role. It runs in [db.DB.Configure], because webhooks of apps follow it. Nobody can take the last owner away: last_owner (409). The role that it is already is fine.
func (p *People) SetRole(tx *db.Tx, org, user int64, role Role, by audit.By) error {
	if role != "" && !slices.Contains(Roles(), role) {
		return problem.Field("/role", "unknown_role", "%q is no role; the roles are owner, admin, member and staff.", role)
	}
	u, err := UserByNumber(tx, user)
	if err == nil && role != "" {
		u, err = living(tx, user)
	}
	if err != nil {
		return err
	}
	was, err := RoleOf(tx, org, user)
	if err != nil || was == role {
		return err
	}
	if was == Owner {
		owners, err := db.One(tx, db.Value[int], `SELECT count(*) FROM members WHERE org_id = $1 AND role = 'owner'`, org)
		if err != nil {
			return err
		}
		if owners == 1 {
			return problem.New(problem.Conflict, "last_owner", "This is the last owner of the organisation. Make somebody else an owner first.")
		}
	}
	action := "member.changed"
	switch {
	case role == "":
		action = "member.removed"
		_, err = tx.Exec(`DELETE FROM members WHERE org_id = $1 AND user_no = $2`, org, user)
	case was == "":
		action = "member.added"
		_, err = tx.Exec(`INSERT INTO members (org_id, user_no, role, created_at) VALUES ($1, $2, $3, $4)`, org, user, role, tx.Micros())
	default:
		_, err = tx.Exec(`UPDATE members SET role = $1 WHERE org_id = $2 AND user_no = $3`, role, org, user)
	}
	if err != nil {
		return fmt.Errorf("set role: %w", err)
	}
	if p.Apps != nil {
		if err := p.Apps.Reach(tx, org, user, role.Allows()); err != nil {
			return err
		}
	}
	return audit.Append(tx, by.Entry(org, action, string(u.ID), map[string]any{"role": role, "was": was}))
}
