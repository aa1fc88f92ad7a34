package oauth

import (
	"time"

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
