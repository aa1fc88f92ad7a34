package pass

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Change is a change to a pass; nil leaves what there is.
type Change struct {
	Version    int64 // If-Match: the version that the change was made for; 0 for whatever there is
	Barcode    *Barcode
	Design     *Design             // all of it
	Redesign   func(*Design) error // or a change of what it is, under the lock of the pass
	ExternalID *string
	ExpiresAt  *time.Time // zero for no date of its own
}

// Update changes a pass, has its devices told of what they show, and appends pass.updated if there was something to change. It fails with field errors,
// pass_not_found, version_mismatch and pass_expired (409).
func (b *Book) Update(tx *db.Tx, org int64, pass id.Pass, c Change) (*Pass, error) {
	p, err := lock(tx, org, pass)
	if err != nil {
		return nil, err
	}
	if c.Version != 0 && c.Version != p.Version {
		return nil, problem.New(problem.Precondition, "version_mismatch",
			"The pass has version %d by now, not %d; read it again and repeat the change.", p.Version, c.Version)
	}
	if p.over(tx.Now()) {
		return nil, errExpired()
	}
	if c.Redesign != nil {
		d := p.Design
		d.Images = maps.Clone(d.Images)
		if err := c.Redesign(&d); err != nil {
			return nil, err
		}
		c.Design = &d
	}
	if err := c.check(tx, p); err != nil {
		return nil, err
	}
	return p, b.update(tx, p, c)
}

func errExpired() error {
	return problem.New(problem.Conflict, "pass_expired", "The pass has expired, which is for good; make a new one.")
}

// check fails with field errors.
func (c *Change) check(tx *db.Tx, p *Pass) error {
	var f problem.Fields
	if c.Barcode != nil {
		c.Barcode.check(&f, "/barcode")
	}
	if c.ExternalID != nil {
		external(&f, *c.ExternalID)
	}
	if c.ExpiresAt != nil {
		at := date(&f, *c.ExpiresAt, tx.Now())
		c.ExpiresAt = &at
	}
	if c.Design == nil {
		return f.Err()
	}
	if c.Design.check(&f, "/design"); f.Err() != nil {
		return f.Err()
	}
	return c.Design.checkImages(tx, p.Org, "/design")
}

// update makes a change that has been checked.
func (b *Book) update(tx *db.Tx, p *Pass, c Change) error {
	renamed := c.ExternalID != nil && *c.ExternalID != p.ExternalID
	if renamed {
		p.ExternalID = *c.ExternalID
	}
	shown := c.ExpiresAt != nil && !c.ExpiresAt.Equal(p.ExpiresAt)
	if shown {
		p.ExpiresAt = *c.ExpiresAt
	}
	was, err := json.Marshal(p.Design)
	if err != nil {
		return err
	}
	if c.Design != nil {
		p.Design = *c.Design
	}
	design, err := json.Marshal(p.Design)
	if err != nil {
		return err
	}
	other, err := b.updateBarcode(tx, p, c.Barcode)
	if err != nil {
		return err
	}
	if shown = shown || other || !bytes.Equal(was, design); !shown && !renamed {
		return nil
	}
	p.Version++
	p.UpdatedAt = tx.Now()
	_, err = tx.Exec(`UPDATE passes SET external_id = $1, design = $2, expires_at = $3, version = $4, updated_at = $5 WHERE pass_no = $6 AND org_id = $7`,
		p.ExternalID, string(design), micros(p.ExpiresAt), p.Version, tx.Micros(), p.No, p.Org)
	if err != nil {
		return fmt.Errorf("update pass: %w", err)
	}
	if !bytes.Equal(was, design) {
		if err := nameImages(tx, p.Org, p.No, p.Design, true); err != nil {
			return err
		}
	}
	if shown {
		if err := touchAll(tx, p); err != nil {
			return err
		}
	}
	return b.tell(tx, fact.PassUpdated, "", p)
}

// updateBarcode gives a pass another barcode, and tells whether it is another.
func (b *Book) updateBarcode(tx *db.Tx, p *Pass, c *Barcode) (bool, error) {
	if c == nil {
		return false, nil
	}
	was, err := b.ownBarcode(p)
	if err != nil {
		return false, err
	}
	now := Barcode{Format: c.Format, Message: c.Message, AltText: c.AltText}
	if now.Format == "" {
		now.Format = QR
	}
	if was == now {
		return false, nil
	}
	mac, err := b.setBarcode(p, now)
	if err != nil {
		return false, err
	}
	if err := b.sign(tx, p, now.Message); err != nil {
		return false, err
	}
	_, err = tx.Exec(`UPDATE passes SET barcode = $1, barcode_mac = $2, signature = $3, blanked = FALSE WHERE pass_no = $4 AND org_id = $5`, p.barcode, mac, p.Signature, p.No, p.Org)
	if err != nil {
		return false, fmt.Errorf("update barcode of pass: %w", err)
	}
	return true, nil
}
