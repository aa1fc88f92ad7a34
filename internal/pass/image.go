package pass

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// MaxImages is how many pictures an organisation has at most.
const MaxImages = 10_000

// A picture that no active pass and no project's design names goes once it is older than unnamed. Whoever brings or names one makes it new again, so that it is not
// swept while they do; that is written down when it is older than renewed, and not each time.
const (
	unnamed = 24 * time.Hour
	renewed = 12 * time.Hour
)

// PutImage stores a picture, which has been checked and turned into PNG, and returns the name by which a [Design] uses it. It fails with too_many_images (409).
func (b *Book) PutImage(tx *db.Tx, org int64, png []byte) (hash string, err error) {
	sum := sha256.Sum256(png)
	hash = hex.EncodeToString(sum[:])
	n, err := tx.Exec(`INSERT INTO pass_images (org_id, hash, type, at, body) VALUES ($1, $2, 'image/png', $3, $4)
		ON CONFLICT (org_id, hash) DO UPDATE SET at = excluded.at WHERE pass_images.at <= $5`, org, hash, tx.Micros(), png, tx.Now().Add(-renewed).UnixMicro())
	if err != nil {
		return "", fmt.Errorf("store picture: %w", err)
	}
	if n == 0 {
		return hash, nil
	}
	all, err := db.One(tx, db.Value[int], `SELECT count(*) FROM pass_images WHERE org_id = $1`, org)
	if err != nil {
		return "", fmt.Errorf("count pictures: %w", err)
	}
	if all > MaxImages {
		return "", problem.New(problem.Conflict, "too_many_images", "There are %d pictures already, which is the most. Use one of them, or have passes that use others expire: "+
			"a picture that no active pass and no design of yours names is removed after a day.", MaxImages)
	}
	return hash, nil
}

// hasImage tells whether an organisation has a picture, which stays at least until the transaction has ended.
func hasImage(tx *db.Tx, org int64, hash string) (bool, error) {
	_, err := tx.Exec(`UPDATE pass_images SET at = $1 WHERE org_id = $2 AND hash = $3 AND at <= $4`, tx.Micros(), org, hash, tx.Now().Add(-renewed).UnixMicro())
	if err != nil {
		return false, err
	}
	return db.One(tx, db.Value[bool], `SELECT EXISTS (SELECT 1 FROM pass_images WHERE org_id = $1 AND hash = $2)`, org, hash)
}

// nameImages writes down which pictures the design of a pass names, or that of the organisation, whose number is 0. named tells whether there may be some from before.
func nameImages(tx *db.Tx, org, passNo int64, d Design, named bool) error {
	if named {
		if _, err := tx.Exec(`DELETE FROM pass_pictures WHERE pass_no = $1 AND org_id = $2`, passNo, org); err != nil {
			return fmt.Errorf("forget pictures of pass: %w", err)
		}
	}
	for _, hash := range d.Images {
		if err := tx.Later(`INSERT INTO pass_pictures (org_id, hash, pass_no) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, org, hash, passNo); err != nil {
			return fmt.Errorf("note picture of pass: %w", err)
		}
	}
	return nil
}

// sweepImages removes pictures that nothing names. Those that somebody names meanwhile are new again, which the outer condition sees.
const sweepImages = `DELETE FROM pass_images WHERE at <= $1 AND (org_id, hash) IN (SELECT i.org_id, i.hash FROM pass_images i
	WHERE i.at <= $1 AND NOT EXISTS (SELECT 1 FROM pass_pictures p WHERE p.org_id = i.org_id AND p.hash = i.hash) ORDER BY i.at LIMIT $2)`

// ImageByHash returns a picture for anybody who knows its hash; image_not_found.
func ImageByHash(q db.Querier, hash string) (png []byte, err error) {
	png, err = db.One(q, db.Value[[]byte], `SELECT body FROM pass_images WHERE hash = $1 LIMIT 1`, hash)
	if errors.Is(err, db.ErrNoRow) {
		return nil, problem.New(problem.NotFound, "image_not_found", "There is no such picture.")
	}
	if err != nil {
		return nil, fmt.Errorf("load picture: %w", err)
	}
	return png, nil
}
