package oauth

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

// GrantIDs lists the ids of what a person has allowed in an organisation, of what has ended too.
func GrantIDs(q db.Querier, org, user int64) ([]id.Grant, error) {
	return db.All(q, db.Value[id.Grant], `SELECT id FROM oauth_grants WHERE user_no = $1 AND user_no <> 0 AND org_id = $2 ORDER BY grant_no`, user, org)
}

// Erase ends what a person has allowed apps in an organisation, with the apps' webhooks, and then deletes it, with all codes, devices and tokens that came of
// it. It runs in [db.DB.Configure].
func (g *Registry) Erase(tx *db.Tx, org, user int64, by audit.By) error {
	if user == 0 {
		return nil // what apps do for themselves
	}
	if err := g.RevokeGrantsOf(tx, org, user, "person_erased", by); err != nil {
		return err
	}
	const grants = `SELECT grant_no FROM oauth_grants WHERE user_no = $1 AND org_id = $2`
	const families = `SELECT family_no FROM oauth_families WHERE grant_no IN (` + grants + `)`
	for _, statement := range []string{
		`DELETE FROM oauth_access_tokens WHERE family_no IN (` + families + `)`,
		`DELETE FROM oauth_refresh_tokens WHERE family_no IN (` + families + `)`,
		`DELETE FROM oauth_families WHERE grant_no IN (` + grants + `)`,
		`DELETE FROM oauth_codes WHERE grant_no IN (` + grants + `)`,
		`DELETE FROM oauth_devices WHERE grant_no IN (` + grants + `)`,
		`DELETE FROM oauth_grants WHERE user_no = $1 AND org_id = $2`,
	} {
		if _, err := tx.Exec(statement, user, org); err != nil {
			return fmt.Errorf("erase grants: %w", err)
		}
	}
	return nil
}

// EraseRequests deletes requests of an organisation's apps (0 for all) that wait and have the address in them, in a state for instance. They are few: none
// lives longer than minutes.
func EraseRequests(tx *db.Tx, org int64, a person.Address) error {
	type waiting struct {
		hash       []byte
		parameters string
	}
	all, err := db.All(tx, func(r db.Rows) (w waiting, err error) { return w, r.Scan(&w.hash, &w.parameters) },
		`SELECT hash, parameters FROM oauth_requests WHERE org_id = $1 OR $1 = 0`, org)
	if err != nil {
		return fmt.Errorf("look for a person in requests: %w", err)
	}
	for _, w := range all {
		if !a.In([]byte(w.parameters)) {
			continue
		}
		if err := tx.Later(`DELETE FROM oauth_requests WHERE hash = $1`, w.hash); err != nil {
			return fmt.Errorf("erase requests: %w", err)
		}
	}
	return nil
}
