package event

import (
	"errors"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Venue is where an event takes place. Every field may be empty. Which venue it is, name, city, region and country say; where that is on the map
// is known of it once an event has told, and is corrected by the next that tells otherwise.
type Venue struct {
	ID        int64 // 0 when all the others are empty
	Name      string
	City      string
	Region    string
	Country   string   // ISO 3166-1 alpha-2
	Latitude  *float64 // degrees (WGS 84), -90 to 90; nil where nobody has said, and then Longitude is too
	Longitude *float64 // -180 to 180
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

// somewhere tells whether the venue is any.
func (v Venue) somewhere() bool {
	return v.Name != "" || v.City != "" || v.Region != "" || v.Country != ""
}

// isMoved tells whether the venue says where it is, and other than before.
func (v Venue) isMoved(before Venue) bool {
	if v.Latitude == nil {
		return false
	}
	return before.Latitude == nil || *v.Latitude != *before.Latitude || *v.Longitude != *before.Longitude
}

// settle finds the venue's number, or gives it one, and has its coordinates be what this event says, or else what others have said.
func (v *Venue) settle(tx *db.Tx, org int64) error {
	v.ID = 0
	if !v.somewhere() {
		return nil
	}
	find := func() (Venue, error) {
		return db.One(tx, scanVenue, selectVenue+`WHERE org_id = $1 AND name = $2 AND city = $3 AND region = $4 AND country = $5`,
			org, v.Name, v.City, v.Region, v.Country)
	}
	found, err := find()
	if errors.Is(err, db.ErrNoRow) {
		found, err = db.One(tx, scanVenue, `
			INSERT INTO venues (org_id, name, city, region, country, latitude, longitude, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT DO NOTHING RETURNING `+venueColumns,
			org, v.Name, v.City, v.Region, v.Country, v.Latitude, v.Longitude, tx.Micros())
	}
	if errors.Is(err, db.ErrNoRow) { // another node was faster
		found, err = find()
	}
	if err != nil {
		return fmt.Errorf("venue of event: %w", err)
	}
	if v.isMoved(found) {
		found.Latitude, found.Longitude = v.Latitude, v.Longitude
		if err := tx.Later(`UPDATE venues SET latitude = $1, longitude = $2, updated_at = $3 WHERE org_id = $4 AND venue_id = $5`,
			*v.Latitude, *v.Longitude, tx.Micros(), org, found.ID); err != nil {
			return fmt.Errorf("coordinates of venue: %w", err)
		}
	}
	*v = found
	return nil
}

const (
	venueColumns = `venue_id, name, city, region, country, latitude, longitude`
	selectVenue  = `SELECT ` + venueColumns + ` FROM venues `
)

func scanVenue(r db.Rows) (Venue, error) {
	var v Venue
	return v, r.Scan(&v.ID, &v.Name, &v.City, &v.Region, &v.Country, &v.Latitude, &v.Longitude)
}

// VenueByID finds a venue by its number; venue_not_found.
func VenueByID(q db.Querier, org, venue int64) (Venue, error) {
	v, err := db.One(q, scanVenue, selectVenue+`WHERE org_id = $1 AND venue_id = $2`, org, venue)
	if errors.Is(err, db.ErrNoRow) {
		return Venue{}, problem.New(problem.NotFound, "venue_not_found", "There is no such venue here.")
	}
	if err != nil {
		return Venue{}, fmt.Errorf("load venue: %w", err)
	}
	return v, nil
}
