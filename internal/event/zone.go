package event

import (
	"errors"
	"time"
)

// location loads an IANA zone. "Local" is refused: it would mean another place on another machine.
func location(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errors.New("no IANA name")
	}
	return time.LoadLocation(name)
}

// wall reads a wall clock as if it were UTC.
func wall(s string) (time.Time, error) {
	t, err := time.Parse(Layout, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04", s)
	}
	if err == nil && (t.Nanosecond() != 0 || t.Year() < 1900 || t.Year() > 9998) {
		err = errors.New("a fraction of a second, or a year that no calendar has")
	}
	return t, err
}

// instant is the moment at which clocks of the zone show w, read as [wall] does. A time that a change of the clocks skips is taken with the
// offset that held before it, so 02:30 in a gap from 02:00 to 03:00 becomes 03:30; of a time that comes twice the first is meant. Both as
// RFC 5545 §3.3.5 has it.
func instant(w time.Time, zone *time.Location) time.Time {
	// What time.Date makes of these two cases is not specified, but it is off by no more than the change itself.
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, zone)
	if begin, _ := t.ZoneBounds(); !begin.IsZero() {
		if before := at(w, begin.Add(-1)); before.Before(begin) { // holds for the first of two, and never for a time in a gap
			return before.UTC()
		}
	}
	if _, end := t.ZoneBounds(); !end.IsZero() && !shows(t, w) {
		if t.Before(end) && !at(w, t).Before(end) { // t came out before the gap
			return at(w, t).UTC()
		}
	}
	return t.UTC()
}

// at is the moment at which a clock with the offset that holds at t, in t's zone, shows w.
func at(w, t time.Time) time.Time {
	_, offset := t.Zone()
	return w.Add(-time.Duration(offset) * time.Second).In(t.Location())
}

// shows tells whether clocks of t's zone show w at t.
func shows(t, w time.Time) bool { return t.Format(Layout) == w.Format(Layout) }
