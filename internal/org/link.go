package org

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// LinkKind says what a one-time link is for.
type LinkKind string

// The kinds of links.
const (
	Invitation   LinkKind = "invitation"   // to become a member; seven days
	Reset        LinkKind = "reset"        // to set a new password; one hour
	Verification LinkKind = "verification" // to show that an address is one's own; two days
)

// Life is how long a link of the kind can be used.
func (k LinkKind) Life() time.Duration {
	switch k {
	case Invitation:
		return 7 * 24 * time.Hour
	case Verification:
		return 2 * 24 * time.Hour
	default:
		return time.Hour
	}
}

// URL is the address of a link of the kind, as it is sent or printed.
func (k LinkKind) URL(publicURL, secret string) string {
	path := map[LinkKind]string{Invitation: "/invitation/", Reset: "/reset/", Verification: "/verify/"}[k]
	return publicURL + path + secret
}

// Link is a one-time link, without its secret.
type Link struct {
	No        int64
	ID        id.Link
	Kind      LinkKind
	Org       int64 // of an invitation
	UserNo    int64 // of the others
	Email     string
	Role      Role // of an invitation
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Invite makes an invitation. The secret is the last part of the link's path: see package account. Who is a member already is not invited, for an
// invitation says what they become: already_member (409).
func (p *People) Invite(tx *db.Tx, org int64, email string, role Role, by audit.By) (Link, string, error) {
	var f problem.Fields
	if email = strings.TrimSpace(email); !ValidEmail(email) {
		f.Add("/email", "invalid", "Give an e-mail address such as kari@example.com.")
	}
	if !slices.Contains(Roles(), role) {
		f.Add("/role", "unknown_role", "%q is no role; the roles are owner, admin, member and staff.", role)
	}
	if err := f.Err(); err != nil {
		return Link{}, "", err
	}
	if err := notYet(tx, org, email); err != nil {
		return Link{}, "", err
	}
	l, secret, err := newLink(tx, Link{Kind: Invitation, Org: org, Email: email, Role: role})
	if err != nil {
		return Link{}, "", err
	}
	return l, secret, audit.Append(tx, by.Entry(org, "invitation.created", string(l.ID), map[string]any{"role": role}))
}

// notYet fails for an address of a member.
func notYet(tx *db.Tx, org int64, email string) error {
	u, err := UserByEmail(tx, email)
	if problem.Is(err, "user_not_found") {
		return nil
	}
	if err != nil {
		return err
	}
	role, err := RoleOf(tx, org, u.No)
	if err == nil && role != "" {
		err = problem.New(problem.Conflict, "already_member", "This person is a member already. Change their role instead.")
	}
	return err
}

// NewLink makes a reset or a verification for a person. Those of its kind before it are void.
func (p *People) NewLink(tx *db.Tx, kind LinkKind, u User) (Link, string, error) {
	if err := voidLinks(tx, u.No, kind); err != nil {
		return Link{}, "", err
	}
	return newLink(tx, Link{Kind: kind, UserNo: u.No, Email: u.Email})
}

func newLink(tx *db.Tx, l Link) (Link, string, error) {
	l.ID, l.CreatedAt, l.ExpiresAt = id.NewLink(), tx.Now(), tx.Now().Add(l.Kind.Life())
	secret := id.Secret("")
	var err error
	l.No, err = db.One(tx, db.Value[int64], `INSERT INTO links (id, hash, kind, org_id, user_no, email, role, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING link_no`,
		l.ID, hash(secret), l.Kind, l.Org, l.UserNo, l.Email, l.Role, tx.Micros(), l.ExpiresAt.UnixMicro())
	if err != nil {
		return Link{}, "", fmt.Errorf("make link: %w", err)
	}
	return l, secret, nil
}

func voidLinks(tx *db.Tx, user int64, kind LinkKind) error {
	_, err := tx.Exec(`UPDATE links SET used_at = $1 WHERE user_no = $2 AND kind = $3 AND used_at IS NULL`, tx.Micros(), user, kind)
	return err
}

const linkColumns = `link_no, id, kind, org_id, user_no, email, role, created_at, expires_at`

func scanLink(r db.Rows) (Link, error) {
	var l Link
	var email *string
	var created, expires int64
	err := r.Scan(&l.No, &l.ID, &l.Kind, &l.Org, &l.UserNo, &email, &l.Role, &created, &expires)
	if email != nil {
		l.Email = *email
	}
	l.CreatedAt, l.ExpiresAt = time.UnixMicro(created).UTC(), time.UnixMicro(expires).UTC()
	return l, err
}

func linkInvalid() error {
	return problem.New(problem.NotFound, "link_invalid", "This link was used already, is too old, or was replaced by a newer one. Ask for a new one.")
}

// LinkOf finds a link that can still be used, without using it; link_invalid (404) for one that is unknown, used or too old.
func LinkOf(q db.Querier, kind LinkKind, secret string, now time.Time) (Link, error) {
	l, err := db.One(q, scanLink, `SELECT `+linkColumns+` FROM links WHERE hash = $1 AND kind = $2 AND used_at IS NULL AND expires_at > $3`,
		hash(secret), kind, now.UnixMicro())
	if errors.Is(err, db.ErrNoRow) {
		return Link{}, linkInvalid()
	}
	return l, err
}

// UseLink uses a link: one conditional UPDATE, so of any who try only one gets it. link_invalid. by may lack an actor for a reset: then it is the person
// whose link it is.
func (p *People) UseLink(tx *db.Tx, kind LinkKind, secret string, by audit.By) (Link, error) {
	l, err := db.One(tx, scanLink, `UPDATE links SET used_at = $1 WHERE hash = $2 AND kind = $3 AND used_at IS NULL AND expires_at > $1 RETURNING `+linkColumns,
		tx.Micros(), hash(secret), kind)
	if errors.Is(err, db.ErrNoRow) {
		return Link{}, linkInvalid()
	}
	if err != nil {
		return Link{}, fmt.Errorf("use link: %w", err)
	}
	switch kind {
	case Invitation:
		return l, audit.Append(tx, by.Entry(l.Org, "invitation.used", string(l.ID), map[string]any{"role": l.Role}))
	case Reset:
		return l, p.recordReset(tx, l, by)
	}
	return l, nil
}

func (p *People) recordReset(tx *db.Tx, l Link, by audit.By) error {
	u, err := living(tx, l.UserNo)
	if err != nil {
		return err
	}
	if by.Actor == "" {
		by.Actor = string(u.ID)
	}
	return p.record(tx, u, "password.reset", by, map[string]any{"link": l.ID})
}

// Links lists an organisation's invitations that can still be used, oldest first.
func Links(q db.Querier, org int64, now time.Time) ([]Link, error) {
	return db.All(q, scanLink, `SELECT `+linkColumns+` FROM links WHERE org_id = $1 AND kind = 'invitation' AND used_at IS NULL AND expires_at > $2
		ORDER BY link_no`, org, now.UnixMicro())
}

// RevokeLink takes an invitation back; link_not_found. Twice is fine, and so is one that was used: what came of it stays.
func (p *People) RevokeLink(tx *db.Tx, org int64, l id.Link, by audit.By) error {
	n, err := tx.Exec(`UPDATE links SET used_at = $1 WHERE org_id = $2 AND id = $3 AND kind = 'invitation' AND used_at IS NULL`, tx.Micros(), org, l)
	if err != nil {
		return fmt.Errorf("revoke link: %w", err)
	}
	if n > 0 {
		return audit.Append(tx, by.Entry(org, "invitation.revoked", string(l), nil))
	}
	known, err := db.One(tx, db.Value[int], `SELECT count(*) FROM links WHERE org_id = $1 AND id = $2 AND kind = 'invitation'`, org, l)
	if err == nil && known == 0 {
		err = problem.New(problem.NotFound, "link_not_found", "There is no invitation %.64q here.", l)
	}
	return err
}
