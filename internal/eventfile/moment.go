package eventfile

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// moment is a start or an end as a file writes it. The zero moment is none.
type moment struct {
	wall  time.Time // the clock on the wall, kept in time.UTC so that no change of clocks touches it
	timed bool      // false: the day as a whole
	zone  string    // IANA zone of wall, if the file says
	fixed bool      // wall is that of the offset from UTC, in seconds east; Z is 0
	east  int
}

func (m moment) isZero() bool { return m.wall.IsZero() }

// day is the midnight with which m's day begins.
func (m moment) day() time.Time {
	y, mon, d := m.wall.Date()
	return time.Date(y, mon, d, 0, 0, 0, 0, time.UTC)
}

// Oldest and newest year of an event; a year outside is a slip of the hand.
const (
	firstYear = 1900
	lastYear  = 2999
)

// inYears refuses a slip of the hand.
func (m moment) inYears() error {
	if y := m.wall.Year(); y < firstYear || y > lastYear {
		return fmt.Errorf("the year %d is not one of %d to %d", y, firstYear, lastYear)
	}
	return nil
}

// parseDate reads "2026-08-14".
func parseDate(s string) (moment, error) {
	wall, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return moment{}, fmt.Errorf("%s is not a date: write it as 2026-08-14", quote(s))
	}
	m := moment{wall: wall}
	return m, m.inYears()
}

// at gives the time of day s, "20:30" or "20:30:00", on m's day.
func (m moment) at(s string) (moment, error) {
	for _, layout := range []string{"15:04", time.TimeOnly} {
		if t, err := time.Parse(layout, s); err == nil && !strings.ContainsAny(s, ".,") {
			m.wall = m.day().Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second)
			m.timed = true
			return m, nil
		}
	}
	return moment{}, fmt.Errorf("%s is not a time of day: write it as 20:30", quote(s))
}

// parseISO reads the ISO 8601 dates and times that schema.org allows: a day, a local time, a time with Z or an offset.
func parseISO(s string) (moment, error) {
	s = strings.TrimSpace(s)
	if m, err := parseDate(s); err == nil || len(s) <= len(time.DateOnly) {
		return m, err
	}
	// A comma before the fraction and a space before the time are both in use.
	norm := strings.ToUpper(strings.Replace(s, " ", "T", 1))
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if wall, err := time.Parse(layout, norm); err == nil {
			m := moment{wall: wall.Truncate(time.Second), timed: true}
			return m, m.inYears()
		}
		for _, offset := range []string{"Z07:00", "Z0700", "Z07"} {
			t, err := time.Parse(layout+offset, norm)
			if err != nil {
				continue
			}
			_, east := t.Zone()
			m := moment{timed: true, fixed: true, east: east}
			m.wall = t.UTC().Add(time.Duration(east) * time.Second).Truncate(time.Second)
			return m, m.inYears()
		}
	}
	return moment{}, fmt.Errorf("%s is not a date or time: write it as 2026-08-14, 2026-08-14T20:30 or 2026-08-14T20:30:00+02:00", quote(s))
}

// in gives the wall clock of zone at m.
func (m moment) in(zone string, z *zones) (time.Time, error) {
	var instant time.Time
	switch {
	case m.fixed:
		instant = m.wall.Add(-time.Duration(m.east) * time.Second)
	case m.zone == "" || m.zone == zone:
		return m.wall, nil
	default:
		from, err := z.load(m.zone)
		if err != nil {
			return time.Time{}, err
		}
		w := m.wall
		instant = time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, from)
	}
	to, err := z.load(zone)
	if err != nil {
		return time.Time{}, err
	}
	t := instant.In(to)
	_, east := t.Zone()
	return t.UTC().Add(time.Duration(east) * time.Second), nil
}

// zoneOf chooses the zone in which the event is kept. A zone that the file names stands. A time with an offset keeps its wall
// clock where a zone can be found that has this offset then: home itself, else one of the fixed zones. A time in UTC, which is
// how programs write an instant rather than how a venue's clock reads, is told in home.
func (m moment) zoneOf(home string, z *zones) (string, error) {
	switch {
	case m.zone != "":
		return m.zone, nil
	case !m.fixed || m.east == 0:
		return home, nil
	}
	instant := m.wall.Add(-time.Duration(m.east) * time.Second)
	for _, name := range append([]string{home}, zonesByOffset(m.east)...) {
		loc, err := z.load(name)
		if err != nil {
			continue
		}
		if _, east := instant.In(loc).Zone(); east == m.east {
			return name, nil
		}
	}
	return home, nil
}

var (
	errNoStart   = errors.New("is missing")
	errEndsFirst = errors.New("is before the start")
)

// setTimes fills the event's times from the draft's.
func (ev *Event) setTimes(d draft, w *words, z *zones) error {
	if d.start.isZero() {
		return bad(w.start, "%v", errNoStart)
	}
	home := d.zone
	if home == "" {
		home = z.home
	}
	if !d.start.timed {
		return ev.setDays(d.start, d.end, home, w)
	}

	zone, err := d.start.zoneOf(home, z)
	if err != nil {
		return bad(w.start, "%v", err)
	}
	start, err := d.start.in(zone, z)
	if err != nil {
		return bad(w.start, "%v", err)
	}
	ev.Timezone = zone
	ev.StartLocal = start.Format(Layout)

	end, err := d.endAfter(start, zone, z)
	if err != nil {
		return bad(w.end, "%v", err)
	}
	if !end.IsZero() {
		ev.EndLocal = end.Format(Layout)
	}
	return nil
}

// setDays fills the times of an event of whole days. An end with a time of day counts for its day.
func (ev *Event) setDays(start, end moment, home string, w *words) error {
	if end.isZero() {
		end = start
	}
	if end.day().Before(start.day()) {
		return bad(w.end, "%v", errEndsFirst)
	}
	ev.AllDay = true
	ev.Timezone = home
	ev.StartLocal = start.day().Format(Layout)
	ev.EndLocal = end.day().Format(Layout)
	return nil
}

// endAfter gives the wall clock of the end in zone, or zero where the file leaves it open. An end without a time of day is the
// end of that day; on the start's own day it says nothing. An end that is the start says nothing either.
func (d draft) endAfter(start time.Time, zone string, z *zones) (time.Time, error) {
	if d.end.isZero() {
		return time.Time{}, nil
	}
	if !d.end.timed {
		switch startDay := (moment{wall: start}).day(); {
		case d.end.day().Before(startDay):
			return time.Time{}, errEndsFirst
		case d.end.day().Equal(startDay):
			return time.Time{}, nil
		}
		return d.end.day().AddDate(0, 0, 1), nil
	}
	end, err := d.end.in(zone, z)
	if err != nil {
		return time.Time{}, err
	}
	switch {
	case end.Before(start):
		return time.Time{}, errEndsFirst
	case end.Equal(start):
		return time.Time{}, nil
	}
	return end, nil
}
