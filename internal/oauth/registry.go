package oauth

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// AuthMethod is how a client shows who it is at the token endpoint (RFC 8414 §2, token_endpoint_auth_methods_supported).
type AuthMethod string

// The methods.
const (
	Public      AuthMethod = "none" // it has no secret: PKCE has to do
	SecretBasic AuthMethod = "client_secret_basic"
	SecretPost  AuthMethod = "client_secret_post"
	PrivateKey  AuthMethod = "private_key_jwt" // RFC 7523
)

// GrantType is a way to a token.
type GrantType string

// The grant types.
const (
	AuthorizationCode GrantType = "authorization_code"
	RefreshToken      GrantType = "refresh_token"
	ClientCredentials GrantType = "client_credentials"
	DeviceCode        GrantType = "urn:ietf:params:oauth:grant-type:device_code"
)

// Client is an app.
type Client struct {
	No          int64
	Org         int64 // whose app it is
	ID          id.Client
	Name        string
	AuthMethod  AuthMethod
	Redirects   []string
	Scopes      scope.Set // the most that it may ask for
	GrantTypes  []GrantType
	JWKS        string // of PrivateKey: a JSON Web Key Set (RFC 7517)
	RequirePAR  bool   // it must push its requests (RFC 9126 §6)
	RequireDPoP bool   // its tokens are bound to keys (RFC 9449 §5.2)
	Secrets     []Secret
	Version     int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Secret is what is known of a client's secret, without the secret.
type Secret struct {
	N         int64
	CreatedAt time.Time
	ExpiresAt time.Time // of the one before, after a rotation; zero for never
}

// ClientInput is what an app is made from, or changed to. Problems are about its fields: /name, /redirectUris/0, /scopes/0, /grantTypes/0,
// /authMethod, /jwks.
type ClientInput struct {
	Name        string      // 1 to 100 characters on one line
	AuthMethod  AuthMethod  // SecretBasic when empty
	Redirects   []string    // at most 20; absolute, without fragment; https, http on a loopback address, or a private scheme with a dot (RFC 8252 §7.1)
	Scopes      scope.Set   // at least one
	GrantTypes  []GrantType // AuthorizationCode and RefreshToken when empty
	JWKS        string
	RequirePAR  bool
	RequireDPoP bool
}

// Grant is what a person has allowed an app in an organisation.
type Grant struct {
	No         int64
	ID         id.Grant
	Org        int64
	ClientID   id.Client
	ClientName string
	UserNo     int64 // 0 for what an app does for itself
	Scopes     scope.Set
	Version    int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Endpoints are the webhooks of apps, which go with the grants that they were made on. The app wires package endpoint's book to it.
type Endpoints interface {
	// Limit says what the endpoints of a grant may be told of from now on; 0 ends them. It runs in [db.DB.Configure].
	Limit(tx *db.Tx, org, grant int64, sees scope.Set) error
}

// Ledger is the log of facts.
type Ledger interface {
	Append(tx *db.Tx, facts ...*fact.Fact) error
}

// Registry keeps clients, grants and tokens. It is safe for use by many goroutines.
type Registry struct {
	Keys      *seal.Keyring
	Endpoints Endpoints // nil where there are none
	Ledger    Ledger    // hears of access.reuse_detected
}

// CreateClient makes an app. The secret is "" for methods that have none; nobody can be shown it again.
func (g *Registry) CreateClient(tx *db.Tx, org int64, in ClientInput, by audit.By) (c Client, secret string, err error) {
	panic("not built yet")
}

// UpdateClient changes an app to what the input says. version is the one that the caller saw, 0 for any; version_mismatch (412), client_not_found.
// The method can change only between those with a secret. Tokens and grants keep scopes that the client has no more until they are refreshed.
func (g *Registry) UpdateClient(tx *db.Tx, org int64, c id.Client, in ClientInput, version int64, by audit.By) (Client, error) {
	panic("not built yet")
}

// DeleteClient ends an app with all its grants, tokens and webhooks. It runs in [db.DB.Configure].
func (g *Registry) DeleteClient(tx *db.Tx, org int64, c id.Client, version int64, by audit.By) error {
	panic("not built yet")
}

// RotateSecret gives a client a new secret; the one before is good for the overlap, 0 to 7 days, and any older one ends now. no_secret (409) for a
// client whose method has none.
func (g *Registry) RotateSecret(tx *db.Tx, org int64, c id.Client, overlap time.Duration, by audit.By) (Client, string, error) {
	panic("not built yet")
}

// Clients lists an organisation's apps, oldest first.
func Clients(q db.Querier, org int64) ([]Client, error) { panic("not built yet") }

// ClientByID finds an organisation's app; client_not_found. With org 0, any organisation's.
func ClientByID(q db.Querier, org int64, c id.Client) (Client, error) { panic("not built yet") }

// Grants lists the grants in an organisation, newest first.
func Grants(q db.Querier, org int64) ([]Grant, error) { panic("not built yet") }

// GrantsOf lists what a person has allowed, in all organisations, newest first.
func GrantsOf(q db.Querier, user int64) ([]Grant, error) { panic("not built yet") }

// GrantByID finds a grant in an organisation; grant_not_found.
func GrantByID(q db.Querier, org int64, gr id.Grant) (Grant, error) { panic("not built yet") }

// RevokeGrant ends a grant with all its tokens and webhooks. It runs in [db.DB.Configure]. Ending it twice is fine; grant_not_found.
func (g *Registry) RevokeGrant(tx *db.Tx, org int64, gr id.Grant, reason string, by audit.By) error {
	panic("not built yet")
}

// SignOut ends all tokens of a person's apps; what the person has allowed stays. It implements org.Apps.
func (g *Registry) SignOut(tx *db.Tx, user int64, reason string) error { panic("not built yet") }

// Reach says what a person may do in an organisation from now on; webhooks of the person's apps there are told of no more than that. It implements
// org.Apps.
func (g *Registry) Reach(tx *db.Tx, org, user int64, may scope.Set) error { panic("not built yet") }

// TokenPrefix is how access tokens begin.
const TokenPrefix = "sda_"

// Bearer is whose an access token is.
type Bearer struct {
	Org        int64
	GrantNo    int64
	Grant      id.Grant
	Client     id.Client
	UserNo     int64 // 0 for an app itself
	Scopes     scope.Set
	Thumbprint string // of the key that it is bound to; "" for none
	Resource   string // what it is for (RFC 8707); "" for all of this server
	Expires    time.Time
}

// Authenticate finds out whose access token is presented: one look-up by its hash. It fails with invalid_token for one that is unknown, expired or
// revoked, as its family, its grant or its client may be.
func Authenticate(q db.Querier, presented string, now time.Time) (Bearer, error) {
	panic("not built yet")
}
