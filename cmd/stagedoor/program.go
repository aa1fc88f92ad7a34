package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

// program is what commands work with.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	log            *slog.Logger
}

// json prints a command's answer as one JSON object on one line.
func (p *program) json(answer any) error {
	enc := json.NewEncoder(p.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(answer)
}

func (p *program) printf(format string, args ...any) { fmt.Fprintf(p.stdout, format, args...) }

// table prints rows in columns; the first row is the heading. No rows are said in words.
func (p *program) table(rows [][]string, none string) error {
	if len(rows) == 1 {
		p.printf("%s\n", none)
		return nil
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return w.Flush()
}

// terminal tells whether what is written to w is read by a person as it comes.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0 && f.Name() != os.DevNull
}

// moment is an instant as people read it.
func moment(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format("2006-01-02 15:04:05 MST")
}

// instant prints a time in JSON as the API does.
type instant = fact.Instant

func at(t time.Time) instant { return instant(t) }

// maybe is nil for an instant that has not come.
func maybe(t time.Time) *instant {
	if t.IsZero() {
		return nil
	}
	i := at(t)
	return &i
}

// place says where an installation's data is.
type place struct {
	Data     string `help:"Folder of the data; without it, ./stagedoor-data." default:"./stagedoor-data" placeholder:"DIR" setting:"" group:"common"`
	Database string `help:"PostgreSQL database to use instead of a SQLite file in the data folder." placeholder:"postgres://…" setting:"" group:"common"`
}

func (pl *place) config(p *program) app.Config {
	return app.Config{Data: pl.Data, Database: pl.Database, Log: p.log, Getenv: p.getenv}
}

// with opens the installation for a function.
func with(ctx context.Context, c app.Config, use func(*app.Core) error) error {
	core, err := app.Open(ctx, c)
	if err != nil {
		return err
	}
	err = use(core)
	if closing := core.Close(); err == nil {
		err = closing
	}
	return err
}

// with opens the installation, which is made if it is not there.
func (pl *place) with(ctx context.Context, p *program, use func(*app.Core) error) error {
	return with(ctx, pl.config(p), use)
}

// within opens an installation that must be there.
func (pl *place) within(ctx context.Context, p *program, use func(*app.Core) error) error {
	c := pl.config(p)
	if err := c.Exists(); err != nil {
		return err
	}
	return with(ctx, c, use)
}

// ofOrg are the flags of commands about one organisation.
type ofOrg struct {
	place
	Org string `help:"The organisation's slug." required:"" placeholder:"SLUG"`
}

// within opens an installation that must be there, and finds the organisation in it.
func (o *ofOrg) within(ctx context.Context, p *program, use func(*app.Core, org.Org) error) error {
	return o.place.within(ctx, p, func(core *app.Core) error {
		found, err := org.BySlug(core.DB.Read(ctx), o.Org)
		if err != nil {
			return err
		}
		return use(core, found)
	})
}

// count is a number with its noun.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// size is a number of bytes as people say it.
func size(bytes int64) string {
	switch {
	case bytes < 1<<10:
		return count(bytes, "byte", "bytes")
	case bytes < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	case bytes < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}
