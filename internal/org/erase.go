package org

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// CheckErasable refuses to erase the last owner of an organisation: last_owner (409).
func CheckErasable(q db.Querier, org, user int64) error {
	role, err := RoleOf(q, org, user)
	if err != nil || role != Owner {
		return err
	}
	owners, err := db.One(q, db.Value[int], `SELECT count(*) FROM members WHERE org_id = $1 AND role = 'owner'`, org)
	if err == nil && owners == 1 {
		err = problem.New(problem.Conflict, "last_owner", "This is the last owner of the organisation. Make somebody else an owner first.")
	}
	return err
}

// Elsewhere tells whether a person with an account is known to another organisation than this one: as a member, by a personal token, or by an invitation.
func Elsewhere(q db.Querier, org, user int64, a person.Address) (bool, error) {
	n, err := db.One(q, db.Value[int], `SELECT (SELECT count(*) FROM members WHERE user_no = $1 AND org_id <> $2)
		+ (SELECT count(*) FROM personal_tokens WHERE user_no = $1 AND org_id <> $2 AND revoked_at IS NULL)`, user, org)
	if err != nil || n > 0 {
		return n > 0, err
	}
	links, err := linksTo(q, a)
	for _, l := range links {
		if l.Kind == Invitation && l.Org != org {
			return true, err
		}
	}
	return false, err
}

// linksTo lists the links that were sent to an address, used ones too: as many as were made in the last seven days have to be looked at.
func linksTo(q db.Querier, a person.Address) ([]Link, error) {
	rows, err := q.Query(`SELECT ` + linkColumns + ` FROM links WHERE email IS NOT NULL ORDER BY link_no`)
	if err != nil {
		return nil, fmt.Errorf("links to a person: %w", err)
	}
	defer rows.Close()
	var theirs []Link
	for rows.Next() {
		l, err := scanLink(rows)
		if err != nil {
			return nil, err
		}
		if a.Is(l.Email) {
			theirs = append(theirs, l)
		}
	}
	return theirs, rows.Err()
}

// Invitations lists the invitations of an organisation (0 for all) that were sent to an address and are not swept yet, oldest first.
func Invitations(q db.Querier, org int64, a person.Address) ([]Link, error) {
	all, err := linksTo(q, a)
	var theirs []Link
	for _, l := range all {
		if l.Kind == Invitation && (l.Org == org || org == 0) {
			theirs = append(theirs, l)
		}
	}
	return theirs, err
}

// TokenIDs lists the ids of a person's tokens in an organisation, revoked ones too.
func TokenIDs(q db.Querier, org, user int64) ([]id.Token, error) {
	return db.All(q, db.Value[id.Token], `SELECT id FROM personal_tokens WHERE user_no = $1 AND org_id = $2 ORDER BY token_no`, user, org)
}

// Erase deletes what an organisation keeps of a person: the membership, their personal tokens there, and invitations to their address. user is 0 for somebody
// without an account. The account stays: see [People.EraseAccount].
func (p *People) Erase(tx *db.Tx, org, user int64, a person.Address) error {
	links, err := Invitations(tx, org, a)
	if err != nil {
		return err
	}
	for _, l := range links {
		if err := tx.Later(`DELETE FROM links WHERE link_no = $1`, l.No); err != nil {
			return err
		}
	}
	if user == 0 {
		return nil
	}
	for _, statement := range []string{
		`DELETE FROM personal_tokens WHERE org_id = $1 AND user_no = $2`,
		`DELETE FROM members WHERE org_id = $1 AND user_no = $2`,
	} {
		if _, err := tx.Exec(statement, org, user); err != nil {
			return fmt.Errorf("erase member: %w", err)
		}
	}
	return nil
}

// EraseAccount empties an account for good: nothing of the person is left but the number that other tables carry, and the id. Sessions, links and failures
// to sign in go with it. The address may be used for a new account after that.
func (p *People) EraseAccount(tx *db.Tx, u User) error {
	a := person.Of(u.Email)
	links, err := linksTo(tx, a)
	if err != nil {
		return err
	}
	for _, l := range links {
		if err := tx.Later(`DELETE FROM links WHERE link_no = $1`, l.No); err != nil {
			return err
		}
	}
	for _, statement := range []string{
		`DELETE FROM links WHERE user_no = $1`,
		`DELETE FROM sessions WHERE user_no = $1`,
		`DELETE FROM personal_tokens WHERE user_no = $1`,
		`DELETE FROM members WHERE user_no = $1`,
	} {
		if _, err := tx.Exec(statement, u.No); err != nil {
			return fmt.Errorf("erase account: %w", err)
		}
	}
	if err := p.ForgetFailures(tx, a); err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE users SET email = NULL, email_lower = NULL, name = '', password = '', verified_at = NULL, version = version + 1, updated_at = $1, erased_at = $1
		WHERE user_no = $2 AND erased_at IS NULL`, tx.Micros(), u.No)
	if err != nil {
		return fmt.Errorf("erase account: %w", err)
	}
	return nil
}

// ForgetFailures forgets that somebody failed to sign in with an address.
func (p *People) ForgetFailures(tx *db.Tx, a person.Address) error {
	return tx.Later(`DELETE FROM sign_in_failures WHERE name = $1`, p.accountName(string(a)))
}
