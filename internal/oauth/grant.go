package oauth

import (
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

const (
	grantColumns = `g.grant_no, g.id, g.org_id, c.id, c.name, g.user_no, g.scopes, g.version, g.created_at, g.updated_at`
	grantFrom    = ` FROM oauth_grants g JOIN oauth_clients c ON c.client_no = g.client_no`
)

func scanGrant(r db.Rows) (Grant, error) {
	var g Grant
	var scopes string
	var created, updated int64
	if err := r.Scan(&g.No, &g.ID, &g.Org, &g.ClientID, &g.ClientName, &g.UserNo, &scopes, &g.Version, &created, &updated); err != nil {
		return Grant{}, err
	}
	g.CreatedAt, g.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	var err error
	g.Scopes, err = scope.Parse(scopes)
	return g, err
}

// Grants lists the grants in an organisation, newest first.
func Grants(q db.Querier, org int64) ([]Grant, error) {
	return db.All(q, scanGrant, `SELECT `+grantColumns+grantFrom+` WHERE g.org_id = $1 AND g.revoked_at IS NULL ORDER BY g.grant_no DESC`, org)
}

// GrantsOf lists what a person has allowed, in all organisations, newest first.
func GrantsOf(q db.Querier, user int64) ([]Grant, error) {
	return db.All(q, scanGrant, `SELECT `+grantColumns+grantFrom+` WHERE g.user_no = $1 AND g.user_no <> 0 AND g.revoked_at IS NULL ORDER BY g.grant_no DESC`, user)
}

// GrantByID finds a grant in an organisation; grant_not_found.
func GrantByID(q db.Querier, org int64, gr id.Grant) (Grant, error) {
	g, err := db.One(q, scanGrant, `SELECT `+grantColumns+grantFrom+` WHERE g.org_id = $1 AND g.id = $2 AND g.revoked_at IS NULL`, org, gr)
	if errors.Is(err, db.ErrNoRow) {
		return Grant{}, problem.New(problem.NotFound, "grant_not_found", "There is no grant %.64q here.", gr)
	}
	return g, err
}

// RevokeGrant ends a grant with all its tokens and webhooks. It runs in [db.DB.Configure]. grant_not_found, also for one that has ended.
func (g *Registry) RevokeGrant(tx *db.Tx, org int64, gr id.Grant, reason string, by audit.By) error {
	found, err := GrantByID(tx, org, gr)
	if err != nil {
		return err
	}
	return g.end(tx, found, reason, by)
}

// RevokeGrantsOf ends all grants of a person in an organisation (0 for all). It runs in [db.DB.Configure].
func (g *Registry) RevokeGrantsOf(tx *db.Tx, org, user int64, reason string, by audit.By) error {
	all, err := GrantsOf(tx, user)
	if err != nil {
		return err
	}
	for _, gr := range all {
		if org != 0 && gr.Org != org {
			continue
		}
		if err := g.end(tx, gr, reason, by); err != nil {
			return err
		}
	}
	return nil
}

// end ends a grant: it, its families and its webhooks.
func (g *Registry) end(tx *db.Tx, gr Grant, reason string, by audit.By) error {
	for _, statement := range []string{
		`UPDATE oauth_grants SET revoked_at = $1, updated_at = $1 WHERE grant_no = $2`,
		`UPDATE oauth_codes SET used_at = COALESCE(used_at, $1) WHERE grant_no = $2`,
	} {
		if _, err := tx.Exec(statement, tx.Micros(), gr.No); err != nil {
			return fmt.Errorf("revoke grant: %w", err)
		}
	}
	if _, err := tx.Exec(`UPDATE oauth_families SET revoked_at = $1, reason = $2 WHERE grant_no = $3 AND revoked_at IS NULL`, tx.Micros(), reason, gr.No); err != nil {
		return fmt.Errorf("revoke grant: %w", err)
	}
	if g.Endpoints != nil {
		if err := g.Endpoints.Limit(tx, gr.Org, gr.No, 0); err != nil {
			return err
		}
	}
	return audit.Append(tx, by.Entry(gr.Org, "grant.revoked", string(gr.ID), map[string]any{"client": gr.ClientID, "reason": reason}))
}

// SignOut ends all tokens of a person's apps; what the person has allowed stays. It implements org.Apps.
func (g *Registry) SignOut(tx *db.Tx, user int64, reason string) error {
	_, err := tx.Exec(`UPDATE oauth_families SET revoked_at = $1, reason = $2 WHERE revoked_at IS NULL AND grant_no IN (
		SELECT grant_no FROM oauth_grants WHERE user_no = $3)`, tx.Micros(), reason, user)
	return err
}

// Reach says what a person may do in an organisation from now on; webhooks of the person's apps there are told of no more than that. It implements
// org.Apps.
func (g *Registry) Reach(tx *db.Tx, org, user int64, may scope.Set) error {
	if g.Endpoints == nil {
		return nil
	}
	all, err := GrantsOf(tx, user)
	if err != nil {
		return err
	}
	for _, gr := range all {
		if gr.Org != org {
			continue
		}
		sees := gr.Scopes & may
		if !sees.Has(scope.WebhooksManage) {
			sees = 0
		}
		if err := g.Endpoints.Limit(tx, org, gr.No, sees); err != nil {
			return err
		}
	}
	return nil
}

// allow makes the grant of a person to a client in an organisation, or makes the one that there is what was allowed now.
func (g *Registry) allow(tx *db.Tx, c *Client, org, user int64, scopes scope.Set, by audit.By) (Grant, error) {
	was, err := db.One(tx, scanGrant, `SELECT `+grantColumns+grantFrom+` WHERE g.client_no = $1 AND g.user_no = $2 AND g.org_id = $3 AND g.revoked_at IS NULL`,
		c.No, user, org)
	if errors.Is(err, db.ErrNoRow) {
		return g.newGrant(tx, c, org, user, scopes, by)
	}
	if err != nil || was.Scopes == scopes {
		return was, err
	}
	was.Scopes = scopes
	was.Version++
	if _, err := tx.Exec(`UPDATE oauth_grants SET scopes = $1, version = $2, updated_at = $3 WHERE grant_no = $4`,
		scopes.String(), was.Version, tx.Micros(), was.No); err != nil {
		return Grant{}, fmt.Errorf("change grant: %w", err)
	}
	return was, audit.Append(tx, by.Entry(org, "grant.changed", string(was.ID), map[string]any{"client": c.ID, "scopes": scopes.String()}))
}

func (g *Registry) newGrant(tx *db.Tx, c *Client, org, user int64, scopes scope.Set, by audit.By) (Grant, error) {
	gr := Grant{
		ID: id.NewGrant(), Org: org, ClientID: c.ID, ClientName: c.Name, UserNo: user, Scopes: scopes, Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
	}
	var err error
	gr.No, err = db.One(tx, db.Value[int64], `INSERT INTO oauth_grants (org_id, id, client_no, user_no, scopes, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, 1, $6, $6) ON CONFLICT (client_no, user_no, org_id) WHERE revoked_at IS NULL DO NOTHING RETURNING grant_no`,
		org, gr.ID, c.No, user, scopes.String(), tx.Micros())
	if errors.Is(err, db.ErrNoRow) { // another node was quicker
		return g.allow(tx, c, org, user, scopes, by)
	}
	if err != nil {
		return Grant{}, fmt.Errorf("make grant: %w", err)
	}
	return gr, audit.Append(tx, by.Entry(org, "grant.created", string(gr.ID), map[string]any{"client": c.ID, "scopes": scopes.String()}))
}
