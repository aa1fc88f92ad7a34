package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/eventfile"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

type importCmd struct {
	File     string `arg:"" name:"file" help:"The calendar: .jsonld, .json, .csv or .ics."`
	Timezone string `help:"Time zone of events whose file names none; without it, the organisation's." placeholder:"Europe/Oslo"`
	JSON     bool   `name:"json" help:"Answer {\"added\", \"changed\", \"unchanged\", \"refused\"}."`
	ofOrg
}

// Help implements [kong.HelpProvider].
func (importCmd) Help() string {
	return `Importing a file twice changes nothing. A row that cannot be taken is reported with its line, and the others come in; the exit status is then 1.

A CSV file looks like this. ` + eventfile.CSVHeader
}

// Run imports the file.
func (c *importCmd) Run(ctx context.Context, p *program) error {
	if _, err := time.LoadLocation(c.Timezone); err != nil || c.Timezone == "Local" {
		return misuse("%q is not a time zone; use an IANA name such as Europe/Oslo", c.Timezone)
	}
	var sum app.Import
	err := c.within(ctx, p, func(core *app.Core, o org.Org) error {
		r, err := c.open(o)
		if err != nil {
			return err
		}
		bar := progress{p: p, of: r.Len(), shown: terminal(p.stderr)}
		sum, err = core.Import(ctx, o.No, r, app.ImportListener{
			Refused: func(row eventfile.RowError) {
				bar.clear()
				fmt.Fprintf(p.stderr, "%s:%d: %s\n", c.File, row.Line, what(row))
			},
			Done: bar.done,
		})
		bar.clear()
		return err
	})
	if err != nil {
		return err
	}
	return c.answer(p, sum)
}

func (c *importCmd) open(o org.Org) (*eventfile.Reader, error) {
	f, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := eventfile.Open(c.File, f, eventfile.Options{Timezone: cmp.Or(c.Timezone, o.Timezone)})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File, err)
	}
	return r, nil
}

func (c *importCmd) answer(p *program, sum app.Import) error {
	if c.JSON {
		err := p.json(struct {
			Added     int `json:"added"`
			Changed   int `json:"changed"`
			Unchanged int `json:"unchanged"`
			Refused   int `json:"refused"`
		}{sum.Added, sum.Changed, sum.Unchanged, sum.Refused})
		if err != nil {
			return err
		}
	} else {
		p.printf("%d added, %d changed, %d unchanged, %d refused.\n", sum.Added, sum.Changed, sum.Unchanged, sum.Refused)
	}
	if sum.Refused > 0 {
		return fmt.Errorf("%s; put them right in the file and import it again", count(int64(sum.Refused), "row was refused", "rows were refused"))
	}
	return nil
}

func what(row eventfile.RowError) string {
	if row.Field == "" {
		return row.Detail
	}
	return row.Field + ": " + row.Detail
}

// progress is a line on a terminal that says how far an import is.
type progress struct {
	p     *program
	of    int
	shown bool
}

func (b *progress) done(rows int) {
	if b.shown {
		fmt.Fprintf(b.p.stderr, "\r\x1b[Kimported %d of %d", rows, b.of)
	}
}

func (b *progress) clear() {
	if b.shown {
		fmt.Fprint(b.p.stderr, "\r\x1b[K")
	}
}
