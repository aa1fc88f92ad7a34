package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

// Options say what [Command] measures. The zero value measures everything with the running binary and prints to nothing.
type Options struct {
	// Out takes the report. Progress takes a line for each trial as it ends; nil is silence.
	Out, Progress io.Writer

	// JSON prints the report as JSON instead of tables.
	JSON bool

	// Quick measures each case for a few seconds only: some three minutes altogether instead of twenty-five. Its
	// figures are rough.
	Quick bool

	// Only and Arms select parts (throughput, rates, ten, hanging, orders, hot, onsale, tokens, door, stream, ingest, kept, passes, pages, old, restart) and arms (plain, durable, sqlite, postgres).
	// Empty means all.
	Only, Arms []string

	// Dir is where data goes, of all arms alike, so it decides which disk is measured. Empty is the system's temporary directory.
	// PostgreSQL's own user must be able to reach it.
	Dir string

	// Binary is the program that is measured. Empty is the running one.
	Binary string

	// Old is how many old deliveries the part "old" puts into the tables; 0 is 1,000,000, or 50,000 with Quick.
	Old int

	// SeedOld puts n old deliveries, made and delivered long ago, with their facts and attempts, into the data of a server
	// that is stopped, for the organisation and the endpoint that are there. database is empty on SQLite. Where SeedOld is nil the
	// part "old" is skipped.
	SeedOld func(ctx context.Context, dataDir, database string, n int) error

	// SeedPull puts n events, all of them stored, into the pull endpoint of a server that is stopped. Where it is nil the part "kept" is skipped.
	SeedPull func(ctx context.Context, dataDir, database string, n int) error

	// SeedPasses puts an event, n tickets for it, and for each a pass on a device of its own into the data of a server that is stopped, and returns the event's id. Where it
	// is nil the part "passes" is skipped.
	SeedPasses func(ctx context.Context, dataDir, database string, n int) (event string, err error)

	// SeedPages puts a past of thirty days into the data of a server that is stopped, for the organisation that is there. Where it is nil the part "pages" is skipped.
	SeedPages func(ctx context.Context, dataDir, database string, n Past) (Seeded, error)

	plan *plan // of tests, which have no time
}

// longest bounds a whole run.
const longest = 45 * time.Minute

// Command measures and prints a report. What cannot be measured is left out, and the report says why. The error, after the report,
// says that a part failed or that Stagedoor lost something it had accepted; aims that were missed are no error, they are in
// the report. When ctx is done, what was measured until then is printed.
func Command(ctx context.Context, o Options) error {
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	b.runParts(ctx)
	b.report.finish()
	if err := b.print(); err != nil {
		return err
	}
	return errors.Join(ctx.Err(), b.report.verdict())
}

// bench is one run.
type bench struct {
	Options
	plan        plan
	parts, arms []string
	binary      string
	cluster     *pgtest.Cluster // nil where there is none
	databases   int             // made in it so far
	report      Report
}

func newBench(o Options) (*bench, error) {
	b := &bench{Options: o, plan: fullPlan(), binary: o.Binary, report: Report{Started: time.Now().UTC(), Quick: o.Quick}}
	if o.Quick {
		b.plan = quickPlan()
	}
	if o.plan != nil {
		b.plan = *o.plan
	}
	if o.Old > 0 {
		b.plan.old = o.Old
	}
	if b.Progress == nil {
		b.Progress = io.Discard
	}
	if b.Out == nil {
		b.Out = io.Discard
	}
	var err error
	if b.parts, err = selected("part", o.Only, allParts()); err != nil {
		return nil, err
	}
	if b.arms, err = selected("arm", o.Arms, allArms()); err != nil {
		return nil, err
	}
	if b.binary == "" {
		if b.binary, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// prepare looks at the machine and starts PostgreSQL where it can be had.
func (b *bench) prepare(ctx context.Context) (err error) {
	if b.report.Machine, err = machine(b.Dir); err != nil {
		return err
	}
	if !slices.Contains(b.arms, postgres) {
		return nil
	}
	if why := pgtest.Unavailable(); why != "" {
		b.skip("PostgreSQL: %s", why)
		b.arms = slices.DeleteFunc(b.arms, func(arm string) bool { return arm == postgres })
		return nil
	}
	b.progress("starting PostgreSQL")
	if b.cluster, err = pgtest.Start(pgtest.Options{Dir: b.Dir, Fsync: true}); err != nil {
		return err
	}
	return ctx.Err()
}

func (b *bench) close() {
	if b.cluster != nil {
		b.cluster.Stop()
	}
}

func (b *bench) progress(format string, args ...any) {
	_, _ = fmt.Fprintf(b.Progress, format+"\n", args...) // a progress line that cannot be written is no reason to stop
}

func (b *bench) skip(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	b.report.Skipped = append(b.report.Skipped, line)
	b.progress("skipped: %s", line)
}

func (b *bench) fail(what string, err error) {
	b.report.Failures = append(b.report.Failures, fmt.Sprintf("%s: %v", what, err))
	b.progress("FAILED %s: %v", what, err)
}

// enter puts a result into the report.
func (b *bench) enter(r *Result) {
	b.report.Results = append(b.report.Results, r)
	line := r.name()
	if r.Case != r.Load {
		line += ", " + r.Load
	}
	line += fmt.Sprintf(": %.0f accepted/s, %.0f delivered/s", r.AcceptedPerSecond, r.DeliveredPerSecond)
	if q := r.SendToArrival; q != nil {
		line += fmt.Sprintf(", send-to-arrival p50 %.2f p99 %.2f ms", q.P50, q.P99)
	}
	if r.Restart != nil {
		line += fmt.Sprintf(", last delivery %.2f s after the restart", r.Restart.LastDeliverySeconds)
	}
	b.progress("%s", line)
}

func (b *bench) print() error {
	if !b.JSON {
		return b.report.write(b.Out)
	}
	e := json.NewEncoder(b.Out)
	e.SetIndent("", "  ")
	return e.Encode(b.report)
}

// finish computes what follows from the results.
func (r *Report) finish() {
	r.Seconds = math.Round(time.Since(r.Started).Seconds())
	r.ratios()
	r.Aims = aims(r)
}

// verdict is an error where a part failed or Stagedoor lost something.
func (r *Report) verdict() error {
	var errs []error
	if n := len(r.Failures); n > 0 {
		errs = append(errs, fmt.Errorf("%d measurements failed, the first: %s", n, r.Failures[0]))
	}
	for _, x := range r.Results {
		if x.Lost > 0 && (x.Arm == sqlite || x.Arm == postgres) {
			errs = append(errs, fmt.Errorf("%s: %d deliveries of accepted messages were lost", x.name(), x.Lost))
		}
	}
	return errors.Join(errs...)
}
