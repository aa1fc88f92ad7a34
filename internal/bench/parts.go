package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// runParts measures part after part. A failure is noted and the run goes on.
func (b *bench) runParts(ctx context.Context) {
	parts := map[string]func(context.Context){
		partThroughput: b.throughput, partRates: b.fixedRates, partTen: b.tenEndpoints, partHanging: b.hanging,
		partOrders: b.orders, partHot: b.hot, partOnSale: b.onSale, partTokens: b.tokens, partDoor: b.door, partStream: b.streams, partIngest: b.ingest, partKept: b.kept, partPasses: b.passes, partPages: b.pages, partOld: b.oldDeliveries, partRestart: b.restarts,
	}
	for _, name := range b.parts {
		if ctx.Err() != nil {
			return
		}
		parts[name](ctx)
	}
}

// each runs something on a fresh subject of each arm in turn.
func (b *bench) each(ctx context.Context, arms []string, what string, n need, do func(*subject) error) {
	for _, arm := range arms {
		if ctx.Err() != nil {
			return
		}
		if err := b.once(ctx, arm, n, do); err != nil && ctx.Err() == nil {
			b.fail(what+", "+arm, err)
		}
	}
}

func (b *bench) once(ctx context.Context, arm string, n need, do func(*subject) error) error {
	s, err := b.start(ctx, arm, n)
	if err != nil {
		return err
	}
	defer s.close()
	return do(s)
}

// trial measures and enters the result.
func (b *bench) trial(ctx context.Context, s *subject, t trial) error {
	r, err := b.measure(ctx, s, t)
	if r != nil {
		b.enter(r)
	}
	return err
}

// stagedoors are the arms that are Stagedoor itself.
func (b *bench) stagedoors() []string {
	return slices.DeleteFunc(slices.Clone(b.arms), func(arm string) bool { return arm == plain || arm == durable })
}

func (b *bench) throughput(ctx context.Context) {
	for round := range b.plan.rounds {
		b.each(ctx, b.arms, partThroughput, need{endpoints: 1}, func(s *subject) error {
			return b.trial(ctx, s, trial{part: partThroughput, round: round + 1, load: b.plan.closedLoad()})
		})
	}
}

func (b *bench) fixedRates(ctx context.Context) {
	b.each(ctx, b.arms, partRates, need{endpoints: 1}, func(s *subject) error {
		for _, l := range b.plan.rates {
			if err := b.trial(ctx, s, trial{part: partRates, kind: l.String(), load: l}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) tenEndpoints(ctx context.Context) {
	b.each(ctx, b.arms, partTen, need{endpoints: 10}, func(s *subject) error {
		return b.trial(ctx, s, trial{part: partTen, load: b.plan.closedLoad()})
	})
}

// The cases of the part hanging.
const (
	allWell          = "ten answer"
	oneHangs         = "one of ten hangs"
	oneHangsOneFails = "one hangs, one fails"
)

// hanging compares the same eight endpoints in all three cases.
func (b *bench) hanging(ctx context.Context) {
	const others = 1<<8 - 1
	for _, c := range []struct {
		kind string
		sick map[int]behaviour
	}{
		{allWell, nil},
		{oneHangs, map[int]behaviour{9: hangs}},
		{oneHangsOneFails, map[int]behaviour{9: hangs, 8: fails}},
	} {
		b.each(ctx, b.stagedoors(), partHanging, need{endpoints: 10, sick: c.sick}, func(s *subject) error {
			return b.trial(ctx, s, trial{part: partHanging, kind: c.kind, load: b.plan.hanging, watched: others})
		})
	}
}

func (b *bench) orders(ctx context.Context) {
	b.each(ctx, b.stagedoors(), partOrders, need{endpoints: 1, orders: true}, func(s *subject) error {
		return b.trial(ctx, s, trial{part: partOrders, load: b.plan.closedLoad()})
	})
}

// The cases of the part old.
const (
	fewOld  = "fresh tables"
	manyOld = "many old deliveries"
)

// oldDeliveries compares one server with itself, before and after its tables were filled.
func (b *bench) oldDeliveries(ctx context.Context) {
	if b.SeedOld == nil {
		b.skip("old deliveries: this build has no way to make them")
		return
	}
	b.each(ctx, b.stagedoors(), partOld, need{endpoints: 1}, func(s *subject) error {
		if err := b.trial(ctx, s, trial{part: partOld, kind: fewOld, load: b.plan.closedLoad()}); err != nil {
			return err
		}
		s.server.end()
		begun := time.Now()
		if err := b.SeedOld(ctx, s.dataDir(), s.databaseURL(), b.plan.old); err != nil {
			return fmt.Errorf("make %d old deliveries: %w", b.plan.old, err)
		}
		b.progress("made %d old deliveries in %v", b.plan.old, time.Since(begun).Round(time.Second))
		if err := s.startServer(ctx); err != nil {
			return err
		}
		return b.trial(ctx, s, trial{part: partOld, kind: manyOld, load: b.plan.closedLoad()})
	})
}

func (b *bench) restarts(ctx context.Context) {
	b.each(ctx, b.stagedoors(), partRestart, need{endpoints: 1}, func(s *subject) error {
		r, err := b.restart(ctx, s)
		if r != nil {
			b.enter(r)
		}
		return err
	})
}
