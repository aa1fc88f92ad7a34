package bench

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"
)

// trial is one load on one subject.
type trial struct {
	part, kind string
	round      int // from 1
	load       load
	watched    uint32 // the endpoints whose arrivals count; 0 for all healthy ones
}

// measure runs a trial: load that is not counted, then the load, then the wait until everything has arrived and is settled.
func (b *bench) measure(ctx context.Context, s *subject, t trial) (*Result, error) {
	if t.watched == 0 {
		t.watched = s.healthy()
	}
	to := s.target()
	s.book.begin(t.watched)
	warm := t.load
	warm.length = b.plan.warm
	if err := to.send(ctx, warm); err != nil {
		return nil, fmt.Errorf("before the trial: %w", err)
	}
	if err := b.drained(ctx, s, 0); err != nil {
		return nil, err
	}

	spent, strays := s.spent(), s.book.strays.Load()
	rec := s.book.begin(t.watched)
	refused := to.send(ctx, t.load)
	ended := s.book.now()
	if rec.accepted.Load() == 0 {
		return nil, fmt.Errorf("nothing was accepted: %w", errors.Join(refused, s.server.alive()))
	}
	if err := b.drained(ctx, s, rec.first); err != nil {
		return nil, err
	}
	pause(ctx, b.plan.settle)

	r := s.result(rec, t, ended)
	r.Strays = s.book.strays.Load() - strays
	r.account(s.spent().minus(spent))
	r.PeakMemory = peakMemory(s.server.cmd.Process.Pid)
	if refused != nil && ctx.Err() == nil {
		b.fail(r.name(), fmt.Errorf("%d of %d requests were refused, the first: %w", r.Refused, r.Refused+r.Accepted, refused))
	}
	return r, errors.Join(ctx.Err(), s.server.alive())
}

// drained waits until all that was accepted since number first has arrived. It is no error when that does not happen: what is
// missing is counted as lost. It gives up after the plan's time.
func (b *bench) drained(ctx context.Context, s *subject, first int64) error {
	for end := time.Now().Add(b.plan.drain); time.Now().Before(end); pause(ctx, 10*time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.server.alive(); err != nil {
			return err
		}
		if s.book.missing(first, s.book.record.Load().watched) == 0 {
			return nil
		}
	}
	return nil
}

// result is what a record says.
func (s *subject) result(rec *record, t trial, ended int64) *Result {
	last := rec.lastArrival.Load()
	return &Result{
		Part: t.part, Case: t.kind, Arm: s.arm, Round: max(t.round, 1),
		Load: t.load.String(), Endpoints: bits.OnesCount32(t.watched),
		Accepted: rec.accepted.Load(), Refused: rec.refused.Load(), Delivered: rec.delivered.Load(),
		Duplicates: rec.duplicates.Load(), Lost: s.book.missing(rec.first, t.watched),
		AcceptedPerSecond:  perSecond(rec.accepted.Load(), ended-rec.begun),
		DeliveredPerSecond: perSecond(rec.delivered.Load(), last-rec.begun),
		DrainSeconds:       round(max(seconds(last-ended), 0), 3),
		Publish:            rec.publish.quantiles(), SendToArrival: rec.arrival.quantiles(), FactToArrival: rec.fact.quantiles(),
	}
}

func seconds(nanos int64) float64 { return time.Duration(nanos).Seconds() }

func perSecond(n, nanos int64) float64 {
	if nanos <= 0 {
		return 0
	}
	return round(float64(n)/seconds(nanos), 1)
}

// effort is processor time.
type effort struct{ server, database, generator time.Duration }

// spent is what server, database and bench have used so far.
func (s *subject) spent() effort {
	e := effort{server: processCPU(s.server.cmd.Process.Pid), generator: ownCPU()}
	if s.arm == postgres {
		e.database = s.cluster.CPU()
	}
	return e
}

func (e effort) minus(o effort) effort {
	return effort{server: e.server - o.server, database: e.database - o.database, generator: e.generator - o.generator}
}

// account shares processor time out among the deliveries.
func (r *Result) account(e effort) {
	each := func(d time.Duration) float64 { return round(d.Seconds()*1e3/float64(max(r.Delivered, 1)), 4) }
	r.CPUMillis, r.DatabaseCPUMillis, r.GeneratorMillis = each(e.server+e.database), each(e.database), each(e.generator)
}

// name says which trial a result is of.
func (r *Result) name() string {
	name := r.Part
	if r.Case != "" {
		name += ", " + r.Case
	}
	return name + ", " + r.Arm
}
