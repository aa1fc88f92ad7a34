package event

import (
	"math"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// withoutEnd is how long an event lasts that does not say.
const withoutEnd = 6 * time.Hour

// fill checks the input and puts what it says into the event: all fields but number, id, status, version and times of the row.
func (e *Event) fill(in Input) error {
	var f problem.Fields
	e.Name = line(&f, "/name", in.Name, 500)
	if e.Name == "" {
		f.Add("/name", "required", "Give the event a name.")
	}
	e.Description = prose(&f, "/description", in.Description, 50_000)
	e.Category = line(&f, "/category", in.Category, 1_000)
	e.URL, e.Online = strings.TrimSpace(in.URL), in.Online
	if e.URL != "" && !webAddress(e.URL) {
		f.Add("/url", "invalid", "Give an http or https address of at most 2,000 bytes.")
	}
	e.Venue = Venue{
		Name:    line(&f, "/venue", in.Venue, 1_000),
		City:    line(&f, "/city", in.City, 1_000),
		Region:  line(&f, "/region", in.Region, 1_000),
		Country: strings.ToUpper(strings.TrimSpace(in.Country)),
	}
	e.Venue.place(&f, in.Latitude, in.Longitude)
	if c := e.Venue.Country; c != "" && !validCountry(c) {
		f.Add("/country", "invalid", "%q is not a country; use a code of ISO 3166-1 such as NO.", clip(c))
	}
	e.Currency = in.Currency
	if !e.Currency.Valid() {
		f.Add("/currency", "invalid", "%q is not a currency; use a code of ISO 4217 such as EUR.", clip(string(e.Currency)))
	}
	e.fillTimes(&f, in)
	e.OnSaleAt, e.OffSaleAt = in.OnSaleAt.UTC().Truncate(time.Microsecond), in.OffSaleAt.UTC().Truncate(time.Microsecond)
	CheckWindow(&f, e.OnSaleAt, e.OffSaleAt)
	return f.Err()
}

// CheckWindow notes what is wrong with the instants between which something is sold; zero is no bound.
func CheckWindow(f *problem.Fields, from, until time.Time) {
	for _, bound := range []struct {
		pointer string
		at      time.Time
	}{{"/onSaleAt", from}, {"/offSaleAt", until}} {
		if !bound.at.IsZero() && (bound.at.Year() < 1970 || bound.at.Year() > 9999) {
			f.Add(bound.pointer, "out_of_range", "Give an instant from 1970 to 9999, or none.")
		}
	}
	if !until.IsZero() && !until.After(from) {
		f.Add("/offSaleAt", "before_start", "The sale ends before it begins.")
	}
}

// place puts the venue on the map, where the input says so.
func (v *Venue) place(f *problem.Fields, latitude, longitude *float64) {
	for _, d := range []struct {
		pointer string
		at      *float64
		most    float64
	}{{"/latitude", latitude, 90}, {"/longitude", longitude, 180}} {
		switch {
		case d.at == nil && (latitude != nil || longitude != nil):
			f.Add(d.pointer, "required", "Latitude and longitude go together.")
		case d.at != nil && !(math.Abs(*d.at) <= d.most):
			f.Add(d.pointer, "out_of_range", "Use degrees from %g to %g.", -d.most, d.most)
		case d.at != nil && !v.somewhere():
			f.Add(d.pointer, "not_allowed", "Coordinates are a venue's; give its name or city with them.")
		}
	}
	if latitude != nil && longitude != nil {
		v.Latitude, v.Longitude = latitude, longitude
	}
}

func (e *Event) fillTimes(f *problem.Fields, in Input) {
	e.Timezone, e.AllDay = in.Timezone, in.AllDay
	zone, err := location(in.Timezone)
	if err != nil {
		f.Add("/timezone", "invalid", "%q is not a time zone; use an IANA name such as Europe/Oslo.", clip(in.Timezone))
	}
	start, ok := e.fillWall(f, "/startLocal", in.StartLocal, &e.StartLocal)
	end, hasEnd := start, false
	if in.EndLocal == "" {
		e.EndLocal = ""
	} else if end, hasEnd = e.fillWall(f, "/endLocal", in.EndLocal, &e.EndLocal); !hasEnd {
		return
	}
	if err != nil || !ok {
		return
	}
	e.StartsAt = instant(start, zone)
	switch {
	case e.AllDay:
		e.EndsAt = instant(end.AddDate(0, 0, 1), zone)
	case hasEnd:
		e.EndsAt = instant(end, zone)
	default:
		e.EndsAt = e.StartsAt.Add(withoutEnd)
	}
	if end.Before(start) || e.EndsAt.Before(e.StartsAt) {
		f.Add("/endLocal", "before_start", "The event ends before it starts.")
	}
}

// fillWall reads a wall clock into place, in its normal form.
func (e *Event) fillWall(f *problem.Fields, pointer, s string, place *string) (time.Time, bool) {
	w, err := wall(s)
	if err != nil {
		f.Add(pointer, "invalid", "Give the local date and time without an offset, such as 2027-08-14T20:30:00.")
		return time.Time{}, false
	}
	if e.AllDay && (w.Hour() != 0 || w.Minute() != 0 || w.Second() != 0) {
		f.Add(pointer, "invalid", "An event of whole days begins at 00:00, and its end is its last day at 00:00.")
		return time.Time{}, false
	}
	*place = w.Format(Layout)
	return w, true
}

// input is the event as it could have been given.
func (e Event) input() Input {
	return Input{
		ID: e.ID, Name: e.Name, Description: e.Description, Category: e.Category, URL: e.URL, Online: e.Online,
		StartLocal: e.StartLocal, EndLocal: e.EndLocal, Timezone: e.Timezone, AllDay: e.AllDay,
		Venue: e.Venue.Name, City: e.Venue.City, Region: e.Venue.Region, Country: e.Venue.Country,
		Currency: e.Currency, OnSaleAt: e.OnSaleAt, OffSaleAt: e.OffSaleAt, Status: e.Status,
	}
}

// line checks a text that stands on one line.
func line(f *problem.Fields, pointer, s string, most int) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		f.Add(pointer, "invalid", "This text stands on one line, without control characters.")
	}
	return prose(f, pointer, s, most)
}

// prose checks a text that may have several lines.
func prose(f *problem.Fields, pointer, s string, most int) string {
	switch {
	case !utf8.ValidString(s) || strings.Contains(s, "\x00"): // PostgreSQL takes neither
		f.Add(pointer, "invalid", "This is not text in UTF-8.")
	case utf8.RuneCountInString(s) > most:
		f.Add(pointer, "too_long", "At most %d characters are taken.", most)
	}
	return strings.TrimSpace(s)
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 2_000 && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, unicode.IsControl)
}

func clip(s string) string {
	if utf8.RuneCountInString(s) > 40 {
		return string([]rune(s)[:40]) + "…"
	}
	return s
}

func validID(e id.Event) error {
	if id.ValidEvent(string(e)) {
		return nil
	}
	return problem.Field("/eventId", "invalid", "An event's id has 1 to 64 of the characters A-Z a-z 0-9 . _ -")
}
