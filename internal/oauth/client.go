package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/proof"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

const maxRedirects = 20

func (in *ClientInput) check() error {
	var f problem.Fields
	if in.AuthMethod == "" {
		in.AuthMethod = SecretBasic
	}
	if len(in.GrantTypes) == 0 {
		in.GrantTypes = []GrantType{AuthorizationCode, RefreshToken}
	}
	in.Name = strings.TrimSpace(in.Name)
	if n := utf8.RuneCountInString(in.Name); n < 1 || n > 100 || !utf8.ValidString(in.Name) || strings.ContainsFunc(in.Name, unicode.IsControl) {
		f.Add("/name", "invalid", "Give the app a name of 1 to 100 characters on one line.")
	}
	if in.Scopes == 0 {
		f.Add("/scopes", "required", "Say what the app may ask for: at least one scope.")
	}
	in.checkMethod(&f)
	in.checkRedirects(&f)
	return f.Err()
}

func (in *ClientInput) checkMethod(f *problem.Fields) {
	if !slices.Contains(methods, in.AuthMethod) {
		f.Add("/authMethod", "unknown_value", "The methods are %s.", joined(methods))
	}
	for i, g := range in.GrantTypes {
		switch {
		case !slices.Contains(grantTypes, g):
			f.Add(fmt.Sprintf("/grantTypes/%d", i), "unknown_value", "The grant types are %s.", joined(grantTypes))
		case g == ClientCredentials && in.AuthMethod == Public:
			f.Add(fmt.Sprintf("/grantTypes/%d", i), "not_supported", "An app without a secret cannot act for itself.") // RFC 6749 §4.4
		}
	}
	switch {
	case in.AuthMethod == PrivateKey && in.JWKS == "":
		f.Add("/jwks", "required", "private_key_jwt needs the app's public keys, as a JSON Web Key Set.")
	case in.AuthMethod != PrivateKey && in.JWKS != "":
		f.Add("/jwks", "not_supported", "Keys are for private_key_jwt only; leave them out.")
	case in.JWKS != "":
		if err := proof.CheckJWKS(in.JWKS); err != nil {
			f.Add("/jwks", "invalid", "These are no public keys that can be used: %s.", err)
		}
	}
}

func (in *ClientInput) checkRedirects(f *problem.Fields) {
	code := slices.Contains(in.GrantTypes, AuthorizationCode)
	switch {
	case code && len(in.Redirects) == 0:
		f.Add("/redirectUris", "required", "The authorization code needs at least one redirect URI.")
	case len(in.Redirects) > maxRedirects:
		f.Add("/redirectUris", "too_many", "An app has at most %d redirect URIs.", maxRedirects)
		return
	}
	for i, uri := range in.Redirects {
		if fault := redirectFault(uri); fault != "" {
			f.Add(fmt.Sprintf("/redirectUris/%d", i), "invalid_redirect_uri", "%s", fault)
		}
	}
}

func joined[T ~string](list []T) string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

// CreateClient makes an app. The secret is "" for methods that have none; nobody can be shown it again.
func (g *Registry) CreateClient(tx *db.Tx, org int64, in ClientInput, by audit.By) (c Client, secret string, err error) {
	if err := in.check(); err != nil {
		return Client{}, "", err
	}
	c = Client{Org: org, ID: id.NewClient(), Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	c.take(in)
	c.No, err = db.One(tx, db.Value[int64], `INSERT INTO oauth_clients (org_id, id, name, auth_method, redirects, scopes, grant_types, jwks, require_par,
		require_dpop, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $11) RETURNING client_no`,
		org, c.ID, c.Name, c.AuthMethod, encoded(c.Redirects), c.Scopes.String(), encoded(c.GrantTypes), c.JWKS, c.RequirePAR, c.RequireDPoP, tx.Micros())
	if err != nil {
		return Client{}, "", fmt.Errorf("create client: %w", err)
	}
	if c.hasSecret() {
		if secret, err = g.addSecret(tx, &c); err != nil {
			return Client{}, "", err
		}
	}
	return c, secret, audit.Append(tx, by.Entry(org, "client.created", string(c.ID), map[string]any{"scopes": c.Scopes.String()}))
}

func (c *Client) take(in ClientInput) {
	c.Name, c.AuthMethod, c.Redirects, c.Scopes, c.GrantTypes = in.Name, in.AuthMethod, in.Redirects, in.Scopes, in.GrantTypes
	c.JWKS, c.RequirePAR, c.RequireDPoP = in.JWKS, in.RequirePAR, in.RequireDPoP
}

// Input is what the client is made of, to change some of it.
func (c *Client) Input() ClientInput {
	return ClientInput{
		Name: c.Name, AuthMethod: c.AuthMethod, Redirects: c.Redirects, Scopes: c.Scopes, GrantTypes: c.GrantTypes, JWKS: c.JWKS,
		RequirePAR: c.RequirePAR, RequireDPoP: c.RequireDPoP,
	}
}

func (c *Client) hasSecret() bool { return c.AuthMethod == SecretBasic || c.AuthMethod == SecretPost }

// may tells whether the client is registered for a grant type.
func (c *Client) may(g GrantType) bool { return slices.Contains(c.GrantTypes, g) }

func encoded[T ~string](list []T) string {
	b, err := json.Marshal(append([]T{}, list...))
	if err != nil {
		panic(err) // a list of texts
	}
	return string(b)
}

const clientColumns = `c.client_no, c.org_id, c.id, c.name, c.auth_method, c.redirects, c.scopes, c.grant_types, c.jwks, c.require_par, c.require_dpop,
	c.version, c.created_at, c.updated_at`

func scanClient(r db.Rows) (Client, error) {
	var c Client
	var redirects, scopes, grants string
	var created, updated int64
	err := r.Scan(&c.No, &c.Org, &c.ID, &c.Name, &c.AuthMethod, &redirects, &scopes, &grants, &c.JWKS, &c.RequirePAR, &c.RequireDPoP, &c.Version, &created, &updated)
	if err != nil {
		return Client{}, err
	}
	c.CreatedAt, c.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	c.Scopes, err = scope.Parse(scopes)
	return c, errors.Join(err, json.Unmarshal([]byte(redirects), &c.Redirects), json.Unmarshal([]byte(grants), &c.GrantTypes))
}

// Clients lists an organisation's apps, oldest first.
func Clients(q db.Querier, org int64) ([]Client, error) {
	all, err := db.All(q, scanClient, `SELECT `+clientColumns+` FROM oauth_clients c WHERE c.org_id = $1 AND c.deleted_at IS NULL ORDER BY c.client_no`, org)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := all[i].readSecrets(q); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// ClientByID finds an organisation's app; client_not_found. With org 0, any organisation's.
func ClientByID(q db.Querier, org int64, c id.Client) (Client, error) {
	found, err := clientNamed(q, org, c)
	if err != nil {
		return Client{}, err
	}
	return found, found.readSecrets(q)
}

// clientNamed is ClientByID without what is known of the secrets.
func clientNamed(q db.Querier, org int64, c id.Client) (Client, error) {
	found, err := db.One(q, scanClient, `SELECT `+clientColumns+` FROM oauth_clients c WHERE c.id = $1 AND (c.org_id = $2 OR $2 = 0) AND c.deleted_at IS NULL`, c, org)
	if errors.Is(err, db.ErrNoRow) {
		return Client{}, problem.New(problem.NotFound, "client_not_found", "There is no app %.64q here.", c)
	}
	return found, err
}

// UpdateClient changes an app to what the input says. version is the one that the caller saw, 0 for any; version_mismatch (412), client_not_found.
// The method can change only between those with a secret. Tokens that it has keep scopes that it may not ask for any more until they are refreshed.
func (g *Registry) UpdateClient(tx *db.Tx, org int64, c id.Client, in ClientInput, version int64, by audit.By) (Client, error) {
	was, err := clientAt(tx, org, c, version)
	if err != nil {
		return Client{}, err
	}
	if err := in.check(); err != nil {
		return Client{}, err
	}
	now := was
	now.take(in)
	if now.AuthMethod != was.AuthMethod && !(now.hasSecret() && was.hasSecret()) {
		return Client{}, problem.Field("/authMethod", "not_changeable", "This would need other credentials; make a new app.")
	}
	if same(was, now) {
		return was, nil // the version grows with changes only
	}
	now.UpdatedAt = tx.Now()
	now.Version++
	n, err := tx.Exec(`UPDATE oauth_clients SET name = $1, auth_method = $2, redirects = $3, scopes = $4, grant_types = $5, jwks = $6, require_par = $7,
		require_dpop = $8, version = $9, updated_at = $10 WHERE client_no = $11 AND version = $12 AND deleted_at IS NULL`,
		now.Name, now.AuthMethod, encoded(now.Redirects), now.Scopes.String(), encoded(now.GrantTypes), now.JWKS, now.RequirePAR, now.RequireDPoP,
		now.Version, tx.Micros(), now.No, was.Version)
	if err != nil {
		return Client{}, fmt.Errorf("change client: %w", err)
	}
	if n == 0 { // another node was quicker
		return Client{}, problem.New(problem.Precondition, "version_mismatch", "The app was changed at this moment; read it again and repeat.")
	}
	return now, audit.Append(tx, by.Entry(org, "client.changed", string(c), map[string]any{"scopes": now.Scopes.String()}))
}

func same(a, b Client) bool {
	return a.Name == b.Name && a.AuthMethod == b.AuthMethod && slices.Equal(a.Redirects, b.Redirects) && a.Scopes == b.Scopes &&
		slices.Equal(a.GrantTypes, b.GrantTypes) && a.JWKS == b.JWKS && a.RequirePAR == b.RequirePAR && a.RequireDPoP == b.RequireDPoP
}

func clientAt(q db.Querier, org int64, c id.Client, version int64) (Client, error) {
	found, err := ClientByID(q, org, c)
	if err == nil && version != 0 && version != found.Version {
		err = problem.New(problem.Precondition, "version_mismatch", "The app is at version %d; read it again and repeat.", found.Version)
	}
	return found, err
}

// DeleteClient ends an app with all its grants, tokens and webhooks. It runs in [db.DB.Configure].
func (g *Registry) DeleteClient(tx *db.Tx, org int64, c id.Client, version int64, by audit.By) error {
	found, err := clientAt(tx, org, c, version)
	if err != nil {
		return err
	}
	live, err := db.All(tx, scanGrant, `SELECT `+grantColumns+grantFrom+` WHERE g.client_no = $1 AND g.revoked_at IS NULL ORDER BY g.grant_no`, found.No)
	if err != nil {
		return err
	}
	for _, gr := range live {
		if err := g.end(tx, gr, "client_deleted", by); err != nil {
			return err
		}
	}
	for _, statement := range []string{
		`UPDATE oauth_clients SET deleted_at = $1, jwks = '' WHERE client_no = $2`,
		`UPDATE oauth_requests SET used_at = COALESCE(used_at, $1) WHERE client_no = $2`,
		`UPDATE oauth_codes SET used_at = COALESCE(used_at, $1) WHERE client_no = $2`,
	} {
		if _, err := tx.Exec(statement, tx.Micros(), found.No); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(`DELETE FROM oauth_secrets WHERE client_no = $1`, found.No); err != nil {
		return err
	}
	return audit.Append(tx, by.Entry(org, "client.deleted", string(c), nil))
}
