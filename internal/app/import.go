package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/eventfile"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Import is what an import has done.
type Import struct {
	Added, Changed, Unchanged, Refused int
}

// ImportListener is told how an import goes. Either function may be nil.
type ImportListener struct {
	// Refused is told of each row that was not taken, by its line in the file. The field is as its file spells it, or empty for the
	// row as a whole.
	Refused func(row eventfile.RowError)
	// Done is told how many rows are done, good and bad.
	Done func(rows int)
}

// importBatch is how many rows are written in one transaction, so that a server beside gets its turn.
const importBatch = 200

// Import writes the events of a file into an organisation's calendar. What is the same already stays as it is, and a bad row costs only
// itself. The error is of the database or the context's; rows that are counted are in.
func (c *Core) Import(ctx context.Context, org int64, r *eventfile.Reader, listen ImportListener) (Import, error) {
	var sum Import
	done := 0
	b := importing{c: c, org: org}
	flush := func() error {
		refused, err := b.flush(ctx, &sum)
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

// importing collects a batch of rows.
type importing struct {
	c       *Core
	org     int64
	records []event.Record
	lines   []int // of the records
	refused []eventfile.RowError
}

func (b *importing) add(e eventfile.Event, err error) {
	var bad *eventfile.RowError
	if errors.As(err, &bad) {
		b.refused = append(b.refused, *bad)
		return
	}
	b.records = append(b.records, record(e))
	b.lines = append(b.lines, e.Line)
}

// flush writes the batch in one transaction and returns the rows that were refused, in the file's order.
func (b *importing) flush(ctx context.Context, sum *Import) ([]eventfile.RowError, error) {
	var outcomes []event.Imported
	if len(b.records) > 0 {
		err := b.c.DB.WriteAlone(ctx, func(tx *db.Tx) (err error) {
			outcomes, err = b.c.Events.Import(tx, b.org, b.records...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	refused := b.refused
	for i, o := range outcomes {
		switch o.Outcome {
		case event.Added:
			sum.Added++
		case event.Changed:
			sum.Changed++
		case event.Unchanged:
			sum.Unchanged++
		case event.Refused:
			refused = append(refused, rowError(b.lines[i], o.Err))
		}
	}
	slices.SortStableFunc(refused, func(a, b eventfile.RowError) int { return cmp.Compare(a.Line, b.Line) })
	b.records, b.lines, b.refused = nil, nil, nil
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
func record(e eventfile.Event) event.Record {
	status := map[eventfile.Status]event.Status{eventfile.Postponed: event.Postponed, eventfile.Cancelled: event.Cancelled}[e.Status]
	return event.Record{
		ID: id.Event(e.EventID), Name: e.Name, Description: e.Description, Category: e.Category, URL: e.URL, Online: e.Online,
		StartLocal: e.StartLocal, EndLocal: e.EndLocal, Timezone: e.Timezone, AllDay: e.AllDay,
		Venue: e.Venue, City: e.City, Region: e.Region, Country: e.Country, Latitude: e.Latitude, Longitude: e.Longitude,
		Currency: money.Currency(e.Currency), Status: cmp.Or(status, event.Published),
	}
}
