package main

import (
	"context"
	"net/netip"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/bench"
)

type benchCmd struct {
	Quick bool     `help:"Measure each case for a few seconds only; the figures are rough."`
	Only  []string `help:"Parts to measure: throughput, rates, ten, hanging, orders, hot, onsale, tokens, door, stream, ingest, kept, passes, pages, old or restart. Without any, all." placeholder:"PART"`
	Arms  []string `help:"What to measure: plain, durable, sqlite or postgres. Without any, all." placeholder:"ARM"`
	Dir   string   `help:"Folder for the data, which decides the disk that is measured; the system's temporary one without it." placeholder:"DIR"`
	Old   int      `help:"Old deliveries for the part \"old\"; 0 for 1,000,000." default:"0" placeholder:"N"`
	JSON  bool     `name:"json" help:"Answer with the figures as JSON."`
}

// Run measures.
func (c *benchCmd) Run(ctx context.Context, p *program) error {
	return bench.Command(ctx, bench.Options{
		Out: p.stdout, Progress: p.stderr, JSON: c.JSON, Quick: c.Quick, Only: c.Only, Arms: c.Arms, Dir: c.Dir, Old: c.Old,
		SeedOld: func(ctx context.Context, data, database string, n int) error {
			return c.seed(ctx, p, data, database, func(core *app.Core) error { return core.MakeHistory(ctx, n) })
		},
		SeedPull: func(ctx context.Context, data, database string, n int) error {
			return c.seed(ctx, p, data, database, func(core *app.Core) error { return core.MakeArrivals(ctx, n) })
		},
		SeedPasses: func(ctx context.Context, data, database string, n int) (event string, err error) {
			err = c.seed(ctx, p, data, database, func(core *app.Core) error {
				made, err := core.MakePasses(ctx, n)
				event = string(made)
				return err
			})
			return event, err
		},
		SeedPages: func(ctx context.Context, data, database string, n bench.Past) (made bench.Seeded, err error) {
			err = c.seed(ctx, p, data, database, func(core *app.Core) error {
				m, err := core.MakePages(ctx, app.PagesPlan(n))
				made = bench.Seeded{
					Org: string(m.Org), Email: m.Email, Password: m.Password, Busy: string(m.Busy), Idle: string(m.Idle), Failed: m.Failed.String(), Event: string(m.Event), Order: string(m.Order),
				}
				return err
			})
			return made, err
		},
	})
}

// seed opens the data of a server that is stopped.
func (c *benchCmd) seed(ctx context.Context, p *program, data, database string, do func(*app.Core) error) error {
	cfg := app.Config{Data: data, Database: database, AllowTargets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: p.log, Getenv: p.getenv}
	return with(ctx, cfg.Unhurried(), do)
}

type benchFloorCmd struct {
	Args []string `arg:"" optional:"" passthrough:""`
}

// Run is the relay.
func (c *benchFloorCmd) Run(ctx context.Context, p *program) error {
	return bench.Floor(ctx, c.Args, p.stdout)
}
