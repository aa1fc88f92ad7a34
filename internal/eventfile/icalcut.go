package eventfile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// recurring says why an event of many dates is not taken.
const recurring = "recurring events are not supported; list each date"

// maxNested bounds how deep components may stand in each other; an alarm in an event in a calendar is three deep.
const maxNested = 16

func icalendarWords() *words {
	return &words{
		id: "UID", name: "SUMMARY", url: "URL", description: "DESCRIPTION", start: "DTSTART", end: "DTEND", venue: "LOCATION",
		city: "LOCATION", region: "LOCATION", country: "LOCATION", category: "CATEGORIES", keywords: "CATEGORIES",
	}
}

// calendar is what a VCALENDAR says for all of its events.
type calendar struct {
	zone      string               // X-WR-TIMEZONE, as written
	cancelled bool                 // METHOD:CANCEL
	zones     map[string]*timezone // VTIMEZONEs by TZID
}

// timezone is a VTIMEZONE, of which the name of a known zone and the presence of daylight saving count.
type timezone struct {
	location string // X-LIC-LOCATION
	daylight bool
}

// icalendarRow is one VEVENT: the content lines of those properties that are read.
type icalendarRow struct {
	at    int
	cal   *calendar
	lines []contentLine
}

// contentLine is a line after unfolding (RFC 5545 §3.1) with its place in the file.
type contentLine struct {
	at   int
	text string
}

// cutICalendar cuts the VEVENTs out of a file. It does so itself, because go-ical reads a calendar whole or not at all, and a
// fault must not cost more than its own event.
func cutICalendar(data []byte) ([]row, error) {
	c := &icalendarCut{}
	for at, line := range unfolded(data) {
		if err := c.line(at, line); err != nil {
			return nil, err
		}
		if len(c.rows) > MaxEvents {
			break
		}
	}
	c.endOfFile()
	return c.rows, nil
}

// unfolded yields the content lines that are not empty with the number of their first line. A line is never longer than
// maxRow and a little; what it has beyond is left out, and the event is refused for its size.
func unfolded(data []byte) func(yield func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		var line []byte
		at, n, joined := 0, 0, false
		for physical := range bytes.Lines(data) {
			n++
			physical = bytes.TrimRight(physical, "\r\n")
			if at > 0 && len(physical) > 0 && (physical[0] == ' ' || physical[0] == '\t') {
				if !joined {
					line, joined = bytes.Clone(line), true
				}
				if len(line) <= maxRow {
					line = append(line, physical[1:]...)
				}
				continue
			}
			if len(line) > 0 && !yield(at, line) {
				return
			}
			line, at, joined = physical, n, false
		}
		if len(line) > 0 {
			yield(at, line)
		}
	}
}

// icalendarCut follows BEGIN and END through a file.
type icalendarCut struct {
	rows []row
	cal  *calendar
	path []string // components that are open, outermost first

	event *icalendarRow // the VEVENT that is open
	size  int           // bytes of its lines
	zone  *timezone     // the VTIMEZONE that is open
	last  int           // line read last
}

func (c *icalendarCut) line(at int, line []byte) error {
	c.last = at
	name, value := split(line)
	if len(c.path) == 0 && (name != "BEGIN" || value != "VCALENDAR") {
		if c.cal == nil {
			return fmt.Errorf("line %d: an iCalendar file begins with BEGIN:VCALENDAR", at)
		}
		if name == "BEGIN" && value == "VEVENT" {
			c.rows = append(c.rows, &badRow{Line: at, Detail: "BEGIN:VEVENT stands outside BEGIN:VCALENDAR and END:VCALENDAR"})
		}
		return nil // a stray line between calendars
	}
	switch name {
	case "BEGIN":
		return c.begin(at, value)
	case "END":
		c.end(value)
	default:
		c.property(at, name, line)
	}
	return nil
}

// split gives the property's name and, for BEGIN and END, the component's, both in capitals.
func split(line []byte) (name, component string) {
	i := bytes.IndexAny(line, ":;")
	if i < 0 || i > 64 {
		return "", ""
	}
	name = strings.ToUpper(string(line[:i]))
	if name == "BEGIN" || name == "END" {
		component = strings.ToUpper(string(bytes.TrimSpace(line[i+1:])))
	}
	return name, component
}

func (c *icalendarCut) begin(at int, component string) error {
	switch component {
	case "VCALENDAR":
		c.refuseOpenEvent()
		c.path = c.path[:0]
		c.cal = &calendar{zones: make(map[string]*timezone)}
	case "VEVENT":
		c.refuseOpenEvent()
		c.path = c.path[:1]
		c.event, c.size = &icalendarRow{at: at, cal: c.cal}, 0
	case "VTIMEZONE":
		c.zone = &timezone{}
	case "DAYLIGHT":
		if c.zone != nil {
			c.zone.daylight = true
		}
	}
	if len(c.path) >= maxNested {
		return fmt.Errorf("line %d: components are nested more than %d deep", at, maxNested)
	}
	c.path = append(c.path, component)
	return nil
}

// end closes component and all that is open in it. An END without its BEGIN is passed over.
func (c *icalendarCut) end(component string) {
	i := slices.Index(c.path, component)
	if i < 0 {
		return
	}
	c.path = c.path[:i]
	if component == "VEVENT" && c.event != nil {
		c.take()
	}
	if component == "VCALENDAR" {
		c.refuseOpenEvent()
	}
	if !slices.Contains(c.path, "VTIMEZONE") {
		c.zone = nil
	}
}

func (c *icalendarCut) take() {
	if c.size > maxRow {
		c.rows = append(c.rows, &badRow{Line: c.event.at, Detail: fmt.Sprintf("the event is larger than %d KiB", maxRow>>10)})
	} else {
		c.rows = append(c.rows, c.event)
	}
	c.event = nil
}

// refuseOpenEvent reports the event, if any, that has no end.
func (c *icalendarCut) refuseOpenEvent() {
	if c.event != nil {
		c.rows = append(c.rows, &badRow{Line: c.event.at, Detail: "BEGIN:VEVENT has no END:VEVENT"})
		c.event = nil
	}
}

// endOfFile reports a calendar without end: it was cut off, and nobody can know what is missing.
func (c *icalendarCut) endOfFile() {
	if len(c.rows) > MaxEvents {
		return
	}
	switch {
	case c.event != nil:
		c.refuseOpenEvent()
	case len(c.path) > 0:
		c.rows = append(c.rows, &badRow{Line: c.last, Detail: "END:VCALENDAR is missing: the file was cut off, events may be missing"})
	}
}

// readProperties are the properties of a VEVENT that are read. A fault in another is nobody's business.
func readProperties() []string {
	return []string{
		"UID", "SUMMARY", "DESCRIPTION", "URL", "LOCATION", "CONFERENCE", "CATEGORIES", "STATUS", "DTSTART", "DTEND", "DURATION",
		"RRULE", "RDATE", "EXRULE", "RECURRENCE-ID",
	}
}

func (c *icalendarCut) property(at int, name string, line []byte) {
	switch c.path[len(c.path)-1] {
	case "VEVENT":
		if c.event == nil {
			return
		}
		c.size += len(line)
		// A line without a name may be one of ours, broken.
		if c.size <= maxRow && (name == "" || slices.Contains(readProperties(), name)) {
			c.event.lines = append(c.event.lines, contentLine{at: at, text: string(line)})
		}
	case "VCALENDAR":
		switch name {
		case "X-WR-TIMEZONE":
			c.cal.zone = valueOf(line)
		case "METHOD":
			c.cal.cancelled = strings.EqualFold(valueOf(line), "CANCEL")
		}
	case "VTIMEZONE":
		switch name {
		case "TZID":
			c.cal.zones[valueOf(line)] = c.zone
		case "X-LIC-LOCATION":
			c.zone.location = valueOf(line)
		}
	}
}

func valueOf(line []byte) string {
	_, value, _ := bytes.Cut(line, []byte(":"))
	return oneLine(string(value))
}
