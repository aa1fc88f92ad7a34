package oauth

import (
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// secretPrefix is how client secrets begin.
const secretPrefix = "sds_"

// MaxOverlap is the longest that the secret before a rotation stays good.
const MaxOverlap = 7 * 24 * time.Hour

func (g *Registry) secretHash(c id.Client, secret string) []byte {
	return g.Keys.MAC([]byte("client secret " + string(c) + " " + secret))
}

func (g *Registry) addSecret(tx *db.Tx, c *Client) (secret string, err error) {
	secret = id.Secret(secretPrefix)
	n := int64(1)
	for _, s := range c.Secrets {
		n = max(n, s.N+1)
	}
	_, err = tx.Exec(`INSERT INTO oauth_secrets (client_no, n, org_id, hash, created_at) VALUES ($1, $2, $3, $4, $5)`,
		c.No, n, c.Org, g.secretHash(c.ID, secret), tx.Micros())
	if err != nil {
		return "", fmt.Errorf("make client secret: %w", err)
	}
	c.Secrets = append(c.Secrets, Secret{N: n, CreatedAt: tx.Now()})
	return secret, nil
}

func (c *Client) readSecrets(q db.Querier) (err error) {
	c.Secrets, err = db.All(q, func(r db.Rows) (s Secret, err error) {
		var created int64
		var expires *int64
		err = r.Scan(&s.N, &created, &expires)
		s.CreatedAt, s.ExpiresAt = time.UnixMicro(created).UTC(), moment(expires)
		return s, err
	}, `SELECT n, created_at, expires_at FROM oauth_secrets WHERE client_no = $1 ORDER BY n`, c.No)
	return err
}

func moment(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return time.UnixMicro(*micros).UTC()
}

// RotateSecret gives a client a new secret; the one before is good for the overlap, 0 to [MaxOverlap], and any older one ends now. no_secret (409) for
// a client whose method has none.
func (g *Registry) RotateSecret(tx *db.Tx, org int64, c id.Client, overlap time.Duration, by audit.By) (Client, string, error) {
	found, err := ClientByID(tx, org, c)
	if err != nil {
		return Client{}, "", err
	}
	if !found.hasSecret() {
		return Client{}, "", problem.New(problem.Conflict, "no_secret", "This app has no secret; its method is %s.", found.AuthMethod)
	}
	if overlap < 0 || overlap > MaxOverlap {
		return Client{}, "", problem.Field("/overlapSeconds", "out_of_range", "An overlap has 0 to %d seconds.", MaxOverlap/time.Second)
	}
	newest := int64(0)
	for _, s := range found.Secrets {
		newest = max(newest, s.N)
	}
	if _, err := tx.Exec(`DELETE FROM oauth_secrets WHERE client_no = $1 AND (n < $2 OR $3)`, found.No, newest, overlap == 0); err != nil {
		return Client{}, "", err
	}
	if _, err := tx.Exec(`UPDATE oauth_secrets SET expires_at = $1 WHERE client_no = $2`, tx.Now().Add(overlap).UnixMicro(), found.No); err != nil {
		return Client{}, "", err
	}
	secret, err := g.addSecret(tx, &found) // its number goes on from those before
	if err != nil {
		return Client{}, "", err
	}
	if err := found.readSecrets(tx); err != nil {
		return Client{}, "", err
	}
	return found, secret, audit.Append(tx, by.Entry(org, "client.secret_rotated", string(c), nil))
}

// knows tells whether a secret is one of the client's that are good now. All are compared, whichever is right, in constant time.
func (g *Registry) knows(q db.Querier, c *Client, secret string, now time.Time) (bool, error) {
	kept, err := db.All(q, db.Value[[]byte], `SELECT hash FROM oauth_secrets WHERE client_no = $1 AND (expires_at IS NULL OR expires_at > $2)`, c.No, now.UnixMicro())
	if err != nil {
		return false, err
	}
	shown, good := g.secretHash(c.ID, secret), 0
	for _, k := range kept {
		good |= subtle.ConstantTimeCompare(shown, k)
	}
	return good == 1, nil
}
