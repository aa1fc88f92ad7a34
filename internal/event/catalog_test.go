package event_test

import (
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
)

func TestVenueIsWhereTheLastEventThatTellsSaysItIs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		make := func(name string, at ...float64) (e event.Event) {
			in := event.Input{Name: name, StartLocal: "2047-08-14T20:30:00", Venue: "Pier Hall", City: "Oslo"}
			if at != nil {
				in.Latitude, in.Longitude = &at[0], &at[1]
			}
			if err := d.WriteAlone(t.Context(), func(tx *db.Tx) (err error) { e, err = h.cal.Create(tx, h.org, in); return err }); err != nil {
				t.Fatal(err)
			}
			return e
		}
		first := make("First")
		if first.Venue.Latitude != nil {
			t.Errorf("a venue of which nobody has said where it is has the latitude %v", *first.Venue.Latitude)
		}
		make("Second", 59.9, 10.7)
		third := make("Third")
		if v := third.Venue; v.ID != first.Venue.ID || v.Latitude == nil || *v.Latitude != 59.9 || *v.Longitude != 10.7 {
			t.Errorf("the venue is %+v, want it at 59.9, 10.7", v)
		}
		make("Fourth", 60, 11)
		v, err := event.VenueByID(d.Read(t.Context()), h.org, first.Venue.ID)
		if err != nil || *v.Latitude != 60 || *v.Longitude != 11 {
			t.Errorf("VenueByID = %+v, %v; want it at 60, 11", v, err)
		}
		for _, bad := range []event.Input{
			{Latitude: new(float64), Venue: "X"}, {Latitude: new(float64), Longitude: new(float64)},
		} {
			bad.Name, bad.StartLocal = "Bad", "2047-08-14T20:30:00"
			if err := d.WriteAlone(t.Context(), func(tx *db.Tx) error { _, err := h.cal.Create(tx, h.org, bad); return err }); err == nil {
				t.Errorf("Create(%+v) succeeded", bad)
			}
		}
	})
}

func TestAnEventIsFoundByItsNameAndPlace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		var e event.Event
		in := event.Input{Name: "Harbor Jazz", StartLocal: "2047-08-14T20:30:00", Venue: "Pier Hall", City: "Portland", Region: "OR", Country: "US"}
		if err := d.WriteAlone(t.Context(), func(tx *db.Tx) (err error) { e, err = h.cal.Create(tx, h.org, in); return err }); err != nil {
			t.Fatal(err)
		}
		for in, found := range map[event.Venue]bool{
			{Name: " Pier Hall ", City: "Portland ", Country: "US"}: true, {Name: "Pier Hall", City: "Portland", Region: "OR", Country: "US"}: true,
			{Name: "Pier Hall", City: "Portland", Region: "ME", Country: "US"}: false, {Name: "Pier Hall", Country: "US"}: false,
		} {
			got, err := event.Named(d.Read(t.Context()), h.org, " Harbor Jazz", e.StartsAt, in)
			if (got.No == e.No) != found || (err == nil) != found {
				t.Errorf("Named in %+v = %d, %v; want it found: %t", in, got.No, err, found)
			}
		}
	})
}
