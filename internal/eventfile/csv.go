package eventfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// CSVHeader says, for a command's help, which columns a CSV file has.
const CSVHeader = `The first line names the columns, in any order; id, name and start_date must be there:

  id           stays the same when the file is written again; importing twice then changes nothing
  name         the event's name
  url          its page, https:// or http://
  start_date   2026-08-14
  end_date     the last day, included
  start_time   20:30; without it the event lasts whole days
  end_time     23:00; earlier than start_time and without end_date it is the next day's
  timezone     Europe/Oslo; without it --timezone counts
  venue        the house
  city         the city, or "San Jose, CA"
  region       the state or province
  country      ISO 3166-1 (NO) or a name (Norway)
  latitude     of the venue, in degrees, with longitude
  longitude    of the venue, in degrees
  online       true or false; an event with a place stays one with a place
  category     one word, such as music
  topics       several words, separated by semicolons; the first is the category if there is none
  status       scheduled, postponed, rescheduled or cancelled
  description  a text
  currency     ISO 4217, such as NOK

For example:

  id,name,url,start_date,end_date,city,country,online,topics
  evt-1,Harbour Jazz,https://harbour.example,2026-08-14,2026-08-16,Bergen,Norway,false,music;jazz

The file is UTF-8, its columns are separated by commas, and a text with a comma stands in "quotation marks".`

const (
	colID          = "id"
	colName        = "name"
	colURL         = "url"
	colStartDate   = "start_date"
	colEndDate     = "end_date"
	colStartTime   = "start_time"
	colEndTime     = "end_time"
	colTimezone    = "timezone"
	colVenue       = "venue"
	colCity        = "city"
	colRegion      = "region"
	colCountry     = "country"
	colLatitude    = "latitude"
	colLongitude   = "longitude"
	colOnline      = "online"
	colCategory    = "category"
	colTopics      = "topics"
	colStatus      = "status"
	colDescription = "description"
	colCurrency    = "currency"
)

// csvColumns gives the columns in the order of CSVHeader.
func csvColumns() []string {
	return []string{
		colID, colName, colURL, colStartDate, colEndDate, colStartTime, colEndTime, colTimezone, colVenue, colCity, colRegion,
		colCountry, colLatitude, colLongitude, colOnline, colCategory, colTopics, colStatus, colDescription, colCurrency,
	}
}

func csvWords() *words {
	return &words{
		id: colID, name: colName, url: colURL, description: colDescription, start: colStartDate, end: colEndDate, venue: colVenue,
		city: colCity, region: colRegion, country: colCountry, category: colCategory, keywords: colTopics, currency: colCurrency,
	}
}

// csvRow is one record with its place in the file.
type csvRow struct {
	at     int
	header []string
	fields []string
}

// cutCSV reads the header and cuts the records after it.
func cutCSV(data []byte) ([]row, error) {
	c := &csvCut{data: data}
	c.restart(0, 0)
	header, err := c.r.Read()
	if err != nil {
		return nil, fmt.Errorf("the header cannot be read: %w", err)
	}
	if err := checkHeader(header); err != nil {
		return nil, err
	}
	c.header = header
	c.r.FieldsPerRecord = len(header)
	for len(c.rows) <= MaxEvents && c.next() {
	}
	return c.rows, nil
}

// checkHeader brings the names to their form and refuses those that nobody would read.
func checkHeader(header []string) error {
	known := csvColumns()
	if len(header) == 1 && strings.ContainsAny(header[0], ";\t") {
		return errors.New("line 1: the columns are separated by semicolons or tabs: export the file with commas")
	}
	for i, name := range header {
		name = strings.ToLower(oneLine(name))
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("line 1: %s is not a column; the columns are %s", quote(name), strings.Join(known, ", "))
		case slices.Contains(header[:i], name):
			return fmt.Errorf("line 1: the column %s is there twice", name)
		}
		header[i] = name
	}
	for _, name := range []string{colID, colName, colStartDate} {
		if !slices.Contains(header, name) {
			return fmt.Errorf("line 1: the column %s is missing", name)
		}
	}
	return nil
}

// csvCut goes through the records of a file. After one that cannot be read it starts again on the line after the record's
// first, so that a forgotten quotation mark costs its own line and not all up to the next mark. Work stays linear: a record
// that runs on over lines ends at the next line with an odd number of marks, and the lines between have an even number, which
// do not run on.
type csvCut struct {
	data   []byte
	header []string
	rows   []row

	r     *csv.Reader
	base  int // offset in data at which r started
	lines int // lines before base
}

func (c *csvCut) restart(base, lines int) {
	c.base, c.lines = base, lines
	c.r = csv.NewReader(bytes.NewReader(c.data[base:]))
	c.r.FieldsPerRecord = len(c.header)
	c.r.TrimLeadingSpace = true
}

// next takes one record, or reports the end.
func (c *csvCut) next() bool {
	start := c.base + int(c.r.InputOffset())
	fields, err := c.r.Read()
	if errors.Is(err, io.EOF) {
		return false
	}
	end := c.base + int(c.r.InputOffset())

	var parse *csv.ParseError
	if errors.As(err, &parse) {
		line := c.lines + parse.StartLine
		c.rows = append(c.rows, &badRow{Line: line, Detail: c.sentence(parse, fields)})
		start += leadingBlankLines(c.data[start:end])
		if i := bytes.IndexByte(c.data[start:end], '\n'); i >= 0 && start+i+1 < end {
			c.restart(start+i+1, line)
		}
		return true
	}

	first, _ := c.r.FieldPos(0)
	line := c.lines + first
	if end-start > maxRow {
		c.rows = append(c.rows, &badRow{Line: line, Detail: fmt.Sprintf("the row is larger than %d KiB", maxRow>>10)})
		return true
	}
	c.rows = append(c.rows, &csvRow{at: line, header: c.header, fields: fields})
	return true
}

// sentence says what is wrong with a record that cannot be read.
func (c *csvCut) sentence(err *csv.ParseError, fields []string) string {
	if errors.Is(err.Err, csv.ErrFieldCount) {
		return fmt.Sprintf("has %d columns, the header has %d", len(fields), len(c.header))
	}
	return `a quotation mark is missing or too many: a text with a comma or a mark stands in "…", a mark inside is written twice`
}

// leadingBlankLines counts the bytes of the blank lines with which data begins; the csv package skips them too.
func leadingBlankLines(data []byte) int {
	rest := data
	for {
		next, ok := bytes.CutPrefix(rest, []byte("\n"))
		if !ok {
			next, ok = bytes.CutPrefix(rest, []byte("\r\n"))
		}
		if !ok {
			return len(data) - len(rest)
		}
		rest = next
	}
}

func (r *csvRow) line() int { return r.at }

// field gives the text of a column, empty where the file does not have it.
func (r *csvRow) field(column string) string {
	if i := slices.Index(r.header, column); i >= 0 {
		return strings.TrimSpace(r.fields[i])
	}
	return ""
}

func (r *csvRow) event(z *zones) (Event, error) {
	for i, f := range r.fields {
		if !utf8.ValidString(f) {
			return Event{}, bad(r.header[i], "is not UTF-8: save the file as UTF-8")
		}
	}
	d := draft{
		id:          r.field(colID),
		name:        r.field(colName),
		url:         r.field(colURL),
		description: r.field(colDescription),
		place:       place{r.field(colVenue), r.field(colCity), r.field(colRegion), r.field(colCountry)},
		at:          parsePoint(r.field(colLatitude), r.field(colLongitude)),
		category:    r.field(colCategory),
		keywords:    strings.Split(r.field(colTopics), ";"),
		currency:    r.field(colCurrency),
	}
	if err := r.times(&d, z); err != nil {
		return Event{}, err
	}
	var err error
	for _, column := range []string{colLatitude, colLongitude} {
		if r.field(column) != "" && d.at.latitude == nil {
			return Event{}, bad(column, "is not a place on the map: give degrees such as 59.91 and 10.73 in latitude and longitude, or leave both empty")
		}
	}
	if d.online, err = yesOrNo(r.field(colOnline)); err != nil {
		return Event{}, bad(colOnline, "%v", err)
	}
	if d.status, err = csvStatus(r.field(colStatus)); err != nil {
		return Event{}, bad(colStatus, "%v", err)
	}
	return d.event(csvWords(), z)
}

// times reads the five columns of date, time and zone.
func (r *csvRow) times(d *draft, z *zones) (err error) {
	if zone := r.field(colTimezone); zone != "" {
		if d.zone, err = z.find(zone); err != nil {
			return bad(colTimezone, "%v", err)
		}
	}
	startDate, startTime := r.field(colStartDate), r.field(colStartTime)
	endDate, endTime := r.field(colEndDate), r.field(colEndTime)
	if startDate == "" {
		return bad(colStartDate, "is missing")
	}
	if endTime != "" && startTime == "" {
		return bad(colEndTime, "is there without start_time")
	}

	if d.start, err = parseDate(startDate); err != nil {
		return bad(colStartDate, "%v", err)
	}
	d.end = moment{}
	if endDate != "" {
		if d.end, err = parseDate(endDate); err != nil {
			return bad(colEndDate, "%v", err)
		}
	}
	if startTime == "" {
		return nil
	}
	day := d.start
	if d.start, err = d.start.at(startTime); err != nil {
		return bad(colStartTime, "%v", err)
	}
	if endTime == "" {
		return nil
	}
	if endDate != "" {
		day = d.end
	}
	if d.end, err = day.at(endTime); err != nil {
		return bad(colEndTime, "%v", err)
	}
	if endDate == "" && d.end.wall.Before(d.start.wall) {
		d.end.wall = d.end.wall.AddDate(0, 0, 1)
	}
	return nil
}

func yesOrNo(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "yes", "1":
		return true, nil
	case "false", "no", "0", "":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither true nor false", quote(s))
}

func csvStatus(s string) (Status, error) {
	switch status := Status(strings.ToLower(s)); status {
	case "":
		return Scheduled, nil
	case Scheduled, Postponed, Rescheduled, Cancelled:
		return status, nil
	case "canceled":
		return Cancelled, nil
	}
	return "", fmt.Errorf("%s is not one of scheduled, postponed, rescheduled, cancelled", quote(s))
}
