package event

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/eventfile"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Loaded counts what became of the rows of a file.
type Loaded struct {
	Added, Changed, Unchanged, Refused int
}

// LoadListener is told how the loading of a file goes. Each function may be nil.
type LoadListener struct {
	// Refused is told of each row that was not taken, by its line in the file. The field is as its file spells it, or empty for the
	// row as a whole.
	Refused func(row eventfile.RowError)
	// Taken is told of each other row, what became of it.
	Taken func(row eventfile.Event, what Outcome)
	// Done is told how many rows are done, good and bad.
	Done func(rows int)
}

// errDry takes back what a preview has written.
var errDry = errors.New("this was a preview")

// importBatch is how many rows are written in one transaction, so that a server beside gets its turn.
const importBatch = 200

// Loading is [Calendar.Load] or [Calendar.Preview].
type Loading = func(ctx context.Context, d *db.DB, org int64, r *eventfile.Reader, listen LoadListener) (Loaded, error)

// Load writes the events of a file into an organisation's calendar. What is the same already stays as it is, and a bad row costs only
// itself. The error is of the database or the context's; rows that are counted are in.
func (c *Calendar) Load(ctx context.Context, d *db.DB, org int64, r *eventfile.Reader, listen LoadListener) (Loaded, error) {
	return c.load(ctx, loading{c: c, d: d, org: org}, r, listen)
}

// Preview tells what [Calendar.Load] would do now, and changes nothing: each part of the file is written, and taken back.
func (c *Calendar) Preview(ctx context.Context, d *db.DB, org int64, r *eventfile.Reader, listen LoadListener) (Loaded, error) {
	return c.load(ctx, loading{c: c, d: d, org: org, dry: true}, r, listen)
}

func (c *Calendar) load(ctx context.Context, b loading, r *eventfile.Reader, listen LoadListener) (Loaded, error) {
	var sum Loaded
	done := 0
	flush := func() error {
		refused, err := b.flush(ctx, &sum, listen)
		if err != nil {
			return err
		}
		sum.Refused += len(refused)
		for _, row := range refused {
			if listen.Refused != nil {
				listen.Refused(row)
			}
		}
		if listen.Done != nil {
			listen.Done(done)
		}
		return nil
	}
	for e, err := range r.All() {
		b.add(e, err)
		if done++; done%importBatch == 0 {
			if err := flush(); err != nil {
				return sum, err
			}
		}
	}
	return sum, flush()
}

// loading collects a batch of rows.
type loading struct {
	c       *Calendar
	d       *db.DB
	org     int64
	dry     bool // nothing stays
	records []Record
	rows    []eventfile.Event // of the records
	refused []eventfile.RowError
}

func (b *loading) add(e eventfile.Event, err error) {
	var bad *eventfile.RowError
	if errors.As(err, &bad) {
		b.refused = append(b.refused, *bad)
		return
	}
	b.records = append(b.records, record(e))
	b.rows = append(b.rows, e)
}

// flush writes the batch in one transaction and returns the rows that were refused, in the file's order.
func (b *loading) flush(ctx context.Context, sum *Loaded, listen LoadListener) ([]eventfile.RowError, error) {
	var outcomes []Imported
	if len(b.records) > 0 {
		err := b.d.WriteAlone(ctx, func(tx *db.Tx) (err error) {
			if outcomes, err = b.c.Import(tx, b.org, b.records...); err == nil && b.dry {
				err = errDry
			}
			return err
		})
		if err != nil && !errors.Is(err, errDry) {
			return nil, err
		}
	}
	refused := b.refused
	for i, o := range outcomes {
		switch o.Outcome {
		case Added:
			sum.Added++
		case Changed:
			sum.Changed++
		case Unchanged:
			sum.Unchanged++
		case Refused:
			refused = append(refused, rowError(b.rows[i].Line, o.Err))
		}
		if o.Outcome != Refused && listen.Taken != nil {
			listen.Taken(b.rows[i], o.Outcome)
		}
	}
	slices.SortStableFunc(refused, func(a, b eventfile.RowError) int { return cmp.Compare(a.Line, b.Line) })
	b.records, b.rows, b.refused = nil, nil, nil
	return refused, nil
}

// rowError says of a row what the calendar said of its record.
func rowError(line int, err error) eventfile.RowError {
	p := problem.As(err)
	if p == nil || len(p.Fields) == 0 {
		return eventfile.RowError{Line: line, Detail: err.Error()}
	}
	row := eventfile.RowError{Line: line, Field: strings.TrimPrefix(p.Fields[0].Pointer, "/")}
	details := make([]string, len(p.Fields))
	for i, f := range p.Fields {
		details[i] = f.Detail
	}
	row.Detail = strings.Join(details, " ")
	return row
}

// record is a file's event as the calendar takes it. A rescheduled event takes place, on its new date.
func record(e eventfile.Event) Record {
	status := map[eventfile.Status]Status{eventfile.Postponed: Postponed, eventfile.Cancelled: Cancelled}[e.Status]
	return Record{
		ID: id.Event(e.EventID), Name: e.Name, Description: e.Description, Category: e.Category, URL: e.URL, Online: e.Online,
		StartLocal: e.StartLocal, EndLocal: e.EndLocal, Timezone: e.Timezone, AllDay: e.AllDay,
		Venue: e.Venue, City: e.City, Region: e.Region, Country: e.Country, Latitude: e.Latitude, Longitude: e.Longitude,
		Currency: money.Currency(e.Currency), Status: cmp.Or(status, Published),
	}
}
