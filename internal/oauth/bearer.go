package oauth

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// How credentials begin, beside the secrets of clients.
const (
	TokenPrefix   = "sda_" // access tokens
	refreshPrefix = "sdr_"
	codePrefix    = "sdc_"
	devicePrefix  = "sdd_"
)

func hash(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

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
	Created    time.Time
	Expires    time.Time
}

// Authenticate finds out whose access token is presented: one look-up by its hash. It fails with invalid_token for one that is unknown, expired or
// revoked, as its family, its grant or its client may be.
func Authenticate(q db.Querier, presented string, now time.Time) (Bearer, error) {
	b, err := db.One(q, scanBearer, `SELECT `+bearerColumns+` FROM oauth_access_tokens t JOIN oauth_families f ON f.family_no = t.family_no
		JOIN oauth_grants g ON g.grant_no = f.grant_no JOIN oauth_clients c ON c.client_no = g.client_no
		WHERE t.hash = $1 AND t.expires_at > $2 AND t.revoked_at IS NULL AND f.revoked_at IS NULL AND g.revoked_at IS NULL AND c.deleted_at IS NULL`,
		hash(presented), now.UnixMicro())
	if errors.Is(err, db.ErrNoRow) {
		return Bearer{}, &problem.Error{
			Kind: problem.Unauthorized, Code: "invalid_token", Challenge: `error="invalid_token"`,
			Detail: "The access token is not valid, or not any more. Get a new one with the refresh token, or ask the person again.",
		}
	}
	return b, err
}

const bearerColumns = `f.org_id, g.grant_no, g.id, c.id, g.user_no, t.scopes, g.scopes, t.thumbprint, t.resource, t.created_at, t.expires_at`

func scanBearer(r db.Rows) (Bearer, error) {
	var b Bearer
	var scopes, granted string
	var created, expires int64
	if err := r.Scan(&b.Org, &b.GrantNo, &b.Grant, &b.Client, &b.UserNo, &scopes, &granted, &b.Thumbprint, &b.Resource, &created, &expires); err != nil {
		return Bearer{}, err
	}
	b.Created, b.Expires = time.UnixMicro(created).UTC(), time.UnixMicro(expires).UTC()
	given, err := scope.Parse(scopes)
	if err != nil {
		return Bearer{}, err
	}
	allowed, err := scope.Parse(granted)
	b.Scopes = given & allowed // what the person has taken back since then is gone at once
	return b, err
}
