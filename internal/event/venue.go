package event

import (
	"errors"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Venue is where an event takes place. Every field may be empty.
type Venue struct {
	ID      int64 // 0 when all the others are empty
	Name    string
	City    string
	Region  string
	Country string // ISO 3166-1 alpha-2
}

// Location returns "city, region or country": the region where there is one, else the country; either part alone where the other is not
// known.
func (v Venue) Location() string {
	wider := v.Region
	if wider == "" {
		wider = v.Country
	}
	if v.City == "" || wider == "" {
		return v.City + wider
	}
	return v.City + ", " + wider
}

func (v Venue) orNull() *int64 {
	if v.ID == 0 {
		return nil
	}
	return &v.ID
}

// settle finds the venue's number, or gives it one.
func (v *Venue) settle(tx *db.Tx, org int64) error {
	v.ID = 0
	if *v == (Venue{}) {
		return nil
	}
	find := func() (int64, error) {
		return db.One(tx, db.Value[int64], `SELECT venue_id FROM venues WHERE org_id = $1 AND name = $2 AND city = $3 AND region = $4 AND country = $5`,
			org, v.Name, v.City, v.Region, v.Country)
	}
	no, err := find()
	if errors.Is(err, db.ErrNoRow) {
		no, err = db.One(tx, db.Value[int64], `
			INSERT INTO venues (org_id, name, city, region, country) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING venue_id`,
			org, v.Name, v.City, v.Region, v.Country)
	}
	if errors.Is(err, db.ErrNoRow) { // another node was faster
		no, err = find()
	}
	if err != nil {
		return fmt.Errorf("venue of event: %w", err)
	}
	v.ID = no
	return nil
}
