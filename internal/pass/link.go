package pass

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// LinkPath is what stands before a download link in its URL, behind the server's own.
const LinkPath = "/api/link/"

// Link makes a download link for a pass, 32 characters of a-z A-Z 0-9, and ends those before. It fails with pass_not_found and pass_expired (409).
func (b *Book) Link(tx *db.Tx, org int64, pass id.Pass) (string, error) {
	p, err := lock(tx, org, pass)
	if err != nil {
		return "", err
	}
	if p.over(tx.Now()) {
		return "", errExpired()
	}
	link := newToken()
	_, err = tx.Exec(`INSERT INTO pass_links (link, org_id, pass_no, made_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (pass_no) DO UPDATE SET link = excluded.link, made_at = excluded.made_at, opened_at = NULL`, linkHash(link), p.Org, p.No, tx.Micros())
	if err != nil {
		return "", fmt.Errorf("make link: %w", err)
	}
	return link, nil
}

func linkHash(link string) []byte {
	sum := sha256.Sum256([]byte(link))
	return sum[:]
}

// Linked finds the pass of a download link; link_not_found (404), and link_expired (410) once [LinkLasts] is over since [Book.Open] was called first, or the pass
// has expired.
func (b *Book) Linked(q db.Querier, link string, now time.Time) (*Pass, error) {
	type row struct {
		org, passNo int64
		opened      *int64
	}
	l, err := db.One(q, func(r db.Rows) (l row, err error) { return l, r.Scan(&l.org, &l.passNo, &l.opened) },
		`SELECT org_id, pass_no, opened_at FROM pass_links WHERE link = $1`, linkHash(link))
	if errors.Is(err, db.ErrNoRow) {
		return nil, problem.New(problem.NotFound, "link_not_found", "There is no such link; a newer one may have taken its place.")
	}
	if err != nil {
		return nil, fmt.Errorf("load link: %w", err)
	}
	if opened := maybe(l.opened); !opened.IsZero() && !now.Before(opened.Add(LinkLasts)) {
		return nil, problem.New(problem.Gone, "link_expired", "This link has ended; ask for a new one.")
	}
	p, err := one(q, `WHERE p.pass_no = $1 AND p.org_id = $2`, l.passNo, l.org)
	if err == nil && p.over(now) {
		err = problem.New(problem.Gone, "link_expired", "The pass of this link has expired.")
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Open notes that a link was used for the first time, and does what Linked does.
func (b *Book) Open(tx *db.Tx, link string) (*Pass, error) {
	p, err := b.Linked(tx, link, tx.Now())
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(`UPDATE pass_links SET opened_at = $1 WHERE link = $2 AND opened_at IS NULL`, tx.Micros(), linkHash(link)); err != nil {
		return nil, fmt.Errorf("open link: %w", err)
	}
	return p, nil
}
