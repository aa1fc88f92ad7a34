// Package eventfile reads calendars of live events from the files in which organisers keep them and yields neutral records.
//
// Three forms are understood: schema.org JSON-LD (.jsonld, .json), CSV with a documented header (.csv, see [CSVHeader]) and
// iCalendar, RFC 5545 (.ics). [Open] takes a whole file in, bounded by [MaxBytes] and [MaxEvents], and cuts it into rows: a CSV
// record, a JSON-LD node, a VEVENT. [Reader.All] turns each row into an [Event] or a [*RowError].
//
//	r, err := eventfile.Open("season.csv", f, eventfile.Options{Timezone: "Europe/Oslo"})
//	// err: the file as a whole cannot be understood; nothing was read
//	for ev, err := range r.All() {
//		// err is a *RowError for a bad row; the loop goes on with the next
//	}
//
// Promises:
//
//   - The same event written in each of the three forms gives the same record, but for Line.
//   - One bad row never costs another: it is reported with its line, and the rest still comes in.
//   - Ids are stable: reading the same file again gives the same [Event.EventID], whatever was added around it.
//     Two rows of one file never share one; the later row is a bad row.
//   - Wall clock and IANA zone are the truth. A local time that a change of the clocks skips or repeats is kept as written.
//   - Text is UTF-8 without control characters; URLs are http or https; countries are ISO 3166-1 codes.
//
// What it leaves to others: it knows no database and no organisation, and it neither publishes an event nor compares it with one
// that is already kept. Recurring events are refused, because a ticket is for one date.
package eventfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// Bounds of one file. They keep a wrong or hostile file from filling memory; a season of a large house is far below them.
const (
	MaxBytes  = 64 << 20 // bytes in a file
	MaxEvents = 100_000  // rows in a file, bad ones counted
	maxRow    = 1 << 20  // bytes in one row: a CSV record, a JSON-LD node, the properties of a VEVENT
)

// Layout is the form of [Event.StartLocal] and [Event.EndLocal], for [time.Parse]: a wall clock without zone.
const Layout = "2006-01-02T15:04:05"

// Status is what the source says of an event taking place.
type Status string

// The statuses of a live event, after schema.org's EventStatusType.
const (
	Scheduled   Status = "scheduled"
	Postponed   Status = "postponed"   // to a date not yet known; StartLocal is the old one
	Rescheduled Status = "rescheduled" // to another date; StartLocal is the new one
	Cancelled   Status = "cancelled"
)

// Event is one live event as a file tells it. Fields that the file does not fill are empty.
type Event struct {
	// SourceID names the event in its source and stays the same when the file is written again: the CSV id, the JSON-LD @id
	// (else identifier, else url), the iCalendar UID. Of a UID "name@host" the host is dropped when the name alone is
	// distinctive: at least eight characters of A–Z a–z 0–9 . _ -, not all of them digits. So "conf-07bd1a7a4b@example"
	// meets the same event of a CSV file, and "17@example" cannot be mistaken for another calendar's "17".
	SourceID string

	// EventID is the id under which Stagedoor keeps the event, 1–64 characters of A–Z a–z 0–9 . _ -: SourceID itself where
	// it is of that form, else "src-" and the first 32 hex digits of its SHA-256.
	EventID string

	Name        string // one line, never empty, at most 500 characters
	URL         string // http or https
	Description string // may have several lines

	// StartLocal is the wall clock of the start in Timezone, in Layout. EndLocal is that of the end, never before the start,
	// and empty where the end is not known. An AllDay event starts at 00:00 and its EndLocal is its last day, included, at
	// 00:00: it ends when that day does.
	StartLocal string
	EndLocal   string
	AllDay     bool

	Timezone string // IANA name; the file's where it gives one, else Options.Timezone

	Venue   string // the house's name; an address that comes as one text may stand here with it
	City    string
	Region  string // as written: "CA" of "San Jose, CA"
	Country string // ISO 3166-1 alpha-2

	Latitude  *float64 // degrees, with Longitude; nil where the file does not say
	Longitude *float64

	Online bool // takes place online only: Venue, City, Region and Country are empty

	Category string   // the source's own, else the first keyword
	Keywords []string // in the source's order, without repetition; nil when there are none
	Currency string   // three letters, ISO 4217
	Status   Status

	Line int // line of the file on which the row starts, from 1
}

// RowError says why one row of a file was not taken. The rows after it are.
type RowError struct {
	Line   int    // line of the file, from 1
	Field  string // column, JSON-LD property or iCalendar property, as its form spells it; empty for the row as a whole
	Detail string // what is wrong and, where it is not plain, what to write instead
}

// Error gives "line 12: start_date: …".
func (e *RowError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Detail)
	}
	return fmt.Sprintf("line %d: %s: %s", e.Line, e.Field, e.Detail)
}

// bad makes a RowError whose line is filled in by the reader.
func bad(field, format string, args ...any) *RowError {
	return &RowError{Field: field, Detail: fmt.Sprintf(format, args...)}
}

// Options say what a file cannot say of itself.
type Options struct {
	// Timezone is the IANA zone of events whose file names none. Empty means UTC.
	Timezone string
}

// Reader holds one file, cut into rows. It is not changed by reading and may be read again.
type Reader struct {
	zone string
	rows []row
}

// row is one event to be of a file. Line is where it starts; event understands it.
type row interface {
	line() int
	event(*zones) (Event, error)
}

// Open reads the whole of src and cuts it into rows. The form follows from name's extension; where that says nothing, from the
// content. An error means that the file as a whole cannot be understood or is out of bounds; its text is a sentence for the
// person who chose the file, with the line where there is one, and does not repeat name.
func Open(name string, src io.Reader, opts Options) (*Reader, error) {
	zone := opts.Timezone
	if zone == "" {
		zone = time.UTC.String()
	}
	if _, err := newZones(zone).load(zone); err != nil {
		return nil, fmt.Errorf("default time zone: %w", err)
	}

	data, err := io.ReadAll(io.LimitReader(src, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("the file is larger than %d MiB: split it", MaxBytes>>20)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))

	cut, err := formOf(name, data)
	if err != nil {
		return nil, err
	}
	rows, err := cut(data)
	if err != nil {
		return nil, err
	}
	if len(rows) > MaxEvents {
		return nil, fmt.Errorf("the file has more than %d events: split it", MaxEvents)
	}
	return &Reader{zone: zone, rows: rows}, nil
}

// Len is the number of rows, good and bad, that All will yield.
func (r *Reader) Len() int { return len(r.rows) }

// All yields every row in the file's order: an Event and nil, or a zero Event and a [*RowError].
func (r *Reader) All() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		zones := newZones(r.zone)
		seen := make(map[string]int, len(r.rows))
		for _, row := range r.rows {
			if !yield(read(row, zones, seen)) {
				return
			}
		}
	}
}

// read understands one row and refuses an id that an earlier row has, whose line seen remembers.
func read(row row, zones *zones, seen map[string]int) (Event, error) {
	ev, err := row.event(zones)
	if err == nil {
		if first, twice := seen[ev.EventID]; twice {
			err = bad("", "has the same id as line %d: %s", first, quote(ev.SourceID))
		}
	}
	if err != nil {
		return Event{}, atLine(err, row.line())
	}
	ev.Line = row.line()
	seen[ev.EventID] = ev.Line
	return ev, nil
}

// atLine makes err the RowError that it is, on line where it does not know better.
func atLine(err error, line int) *RowError {
	e, ok := errors.AsType[*RowError](err)
	if !ok {
		e = bad("", "%v", err)
	}
	if e.Line == 0 {
		e.Line = line
	}
	return e
}

// badRow is a row of which only the fault is known.
type badRow RowError

func (b *badRow) line() int                   { return b.Line }
func (b *badRow) event(*zones) (Event, error) { e := RowError(*b); return Event{}, &e }
