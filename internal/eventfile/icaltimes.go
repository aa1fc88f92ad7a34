package eventfile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// times reads DTSTART, and DTEND or DURATION.
func (r *icalendarRow) times(d *draft, props ical.Props, z *zones) (err error) {
	if name := r.cal.zone; name != "" {
		d.zone, _ = z.find(name) // one that is no zone says nothing
	}
	start := props.Get("DTSTART")
	if start == nil {
		return bad("DTSTART", "is missing")
	}
	if d.start, err = r.moment(start, z); err != nil {
		return bad("DTSTART", "%v", err)
	}

	if end := props.Get("DTEND"); end != nil {
		if d.end, err = r.moment(end, z); err != nil {
			return bad("DTEND", "%v", err)
		}
		// RFC 5545 §3.6.1: DTEND is the first day after. Some write the only day itself.
		if !d.end.timed && d.end.wall.After(d.start.day()) {
			d.end.wall = d.end.wall.AddDate(0, 0, -1)
		}
		return nil
	}
	if p := props.Get("DURATION"); p != nil {
		if err := d.endAfterDuration(p.Value, z); err != nil {
			return bad("DURATION", "%v", err)
		}
	}
	return nil
}

// moment reads a DATE or DATE-TIME (RFC 5545 §3.3.4, §3.3.5) as wall clock. A DATE is told by its length too, since many
// programs forget VALUE=DATE.
func (r *icalendarRow) moment(p *ical.Prop, z *zones) (m moment, err error) {
	value := strings.TrimSpace(p.Value)
	plain := ical.NewProp(p.Name)
	plain.Value = strings.ToUpper(value)
	m.timed = len(value) != len("20260814")
	if !m.timed {
		plain.SetValueType(ical.ValueDate)
	}
	// TZID is kept from go-ical: it would move a wall clock that a change of clocks skips.
	if m.wall, err = plain.DateTime(time.UTC); err != nil {
		return moment{}, fmt.Errorf("%s is not a date or time: write it as 20260814, 20260814T203000 or 20260814T203000Z", quote(value))
	}
	if err := m.inYears(); err != nil {
		return moment{}, err
	}
	if !m.timed {
		return m, nil
	}
	if strings.HasSuffix(plain.Value, "Z") {
		m.fixed = true
		return m, nil
	}
	if tzid := p.Params.Get("TZID"); tzid != "" {
		m.zone, err = r.zone(oneLine(tzid), z)
	}
	return m, err
}

// zone gives the IANA zone of a TZID. A name that the IANA knows is believed, but for GMT and UTC where the file's own VTIMEZONE
// has daylight saving: some programs write London's time so, an hour off all summer.
func (r *icalendarRow) zone(tzid string, z *zones) (string, error) {
	own := r.cal.zones[tzid]
	name, err := z.find(tzid)
	if err == nil {
		if own == nil || !own.daylight || !alwaysUTC(name) {
			return name, nil
		}
		err = fmt.Errorf("the zone %s has daylight saving in this file: name the IANA zone that is meant, such as Europe/London", quote(tzid))
	}
	if own != nil && own.location != "" {
		if name, err := z.find(own.location); err == nil {
			return name, nil
		}
	}
	return "", err
}

func alwaysUTC(zone string) bool {
	switch strings.ToUpper(strings.TrimPrefix(zone, "Etc/")) {
	case "GMT", "UTC", "GMT0", "GMT+0", "GMT-0", "UCT", "ZULU", "GREENWICH", "UNIVERSAL":
		return true
	}
	return false
}

// durationForm is RFC 5545 §3.3.6, with few enough digits that no sum overflows.
var durationForm = regexp.MustCompile(`^\+?P(?:(\d{1,3})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?$`)

// endAfterDuration sets the end by the start and a DURATION. Days and weeks are days of the calendar, hours are of the clock
// (§3.3.6): after a night in which clocks change the two differ.
func (d *draft) endAfterDuration(value string, z *zones) error {
	parts := durationForm.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(value)))
	if parts == nil || strings.HasSuffix(parts[0], "P") || strings.HasSuffix(parts[0], "T") {
		return fmt.Errorf("%s is not a duration: write it as PT2H30M or P3D", quote(value))
	}
	n := make([]int, len(parts))
	for i, digits := range parts[1:] {
		n[i+1], _ = strconv.Atoi(digits) // digits only, or none
	}
	days := 7*n[1] + n[2]
	clock := time.Duration(n[3])*time.Hour + time.Duration(n[4])*time.Minute + time.Duration(n[5])*time.Second

	d.end = d.start
	if !d.start.timed {
		days += int(clock / (24 * time.Hour))
		d.end.wall = d.start.wall.AddDate(0, 0, max(days, 1)-1)
		return nil
	}
	d.end.wall = d.start.wall.AddDate(0, 0, days)
	if d.start.fixed {
		d.end.wall = d.end.wall.Add(clock)
		return nil
	}
	return d.addClock(clock, z)
}

// addClock moves a local end by hours of the clock.
func (d *draft) addClock(clock time.Duration, z *zones) error {
	if clock == 0 {
		return nil // a wall clock that a change of clocks skips stays as it is
	}
	zone := d.end.zone
	if zone == "" {
		zone = d.zone
	}
	if zone == "" {
		zone = z.home
	}
	loc, err := z.load(zone)
	if err != nil {
		return err
	}
	w := d.end.wall
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, loc).Add(clock)
	d.end.wall = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	return nil
}
