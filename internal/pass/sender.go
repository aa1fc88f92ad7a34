package pass

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/event"
)

// Verdict is what came of telling a wallet something.
type Verdict int

// The verdicts.
const (
	Sent  Verdict = iota // it was taken
	Gone                 // the device has the pass no more, or never had it: the registration ends
	Later                // it failed; it is tried again
	Wait                 // nothing will work for a while (throttled, or our certificate is refused): everything waits
	Never                // it cannot be sent, and is given up

	returned // it was not begun, and is anybody's again
)

// Result is a verdict and what goes with it.
type Result struct {
	Verdict Verdict
	After   time.Duration // of Later and Wait: not before; 0 for as usual
	Detail  string        // for the log; no secret
}

// Pusher tells a device that there is something new about its passes. It comes back when ctx ends, and is safe for use by many goroutines.
type Pusher interface {
	Push(ctx context.Context, token string) Result
}

// Syncer keeps what Google has of passes up to date. It comes back when ctx ends, and is safe for use by many goroutines.
type Syncer interface {
	Object(ctx context.Context, f Face) Result
	Class(ctx context.Context, org string, e event.Event) Result
}

// Chain tells who holds what on a chain. It is safe for use by many goroutines.
type Chain interface {
	// Holds tells whether an address holds an asset; known is false where nobody can be asked.
	Holds(ctx context.Context, network, owner string, n NFT) (holds, known bool, err error)
}

// SenderConfig is what a sender needs. Pusher, Syncer and Chain may be nil: then what is theirs to do waits, and is forgotten after a day.
type SenderConfig struct {
	Pusher  Pusher
	Syncer  Syncer
	Chain   Chain
	Recheck time.Duration // how often assets are asked about; 1 hour when 0
	BaseURL string
	Log     *slog.Logger // slog.Default when nil
}

// Sender tells Apple and Google what has changed, carries on waves, expires passes whose time has come, and forgets the devices of those that have long expired. Several nodes may run one each: a row is one's at a
// time, and what a node leaves behind when it dies is the others' after half a minute.
type Sender struct {
	SenderConfig
	book *Book
	poll time.Duration // how often to look for what other nodes have queued, and for what is due by the clock; what this one queues rings the bell
}

// NewSender makes a sender.
func NewSender(b *Book, c SenderConfig) *Sender {
	if c.Recheck <= 0 {
		c.Recheck = time.Hour
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Sender{c, b, time.Second}
}

const (
	checkEvery = time.Minute
	sweepEvery = 10 * time.Minute
	afterError = time.Second
)

// Run works until ctx ends. Then it begins nothing more, lets what is under way come to its end, for ten seconds at most, and writes down what came of it.
func (s *Sender) Run(ctx context.Context) {
	var parts sync.WaitGroup
	if s.Pusher != nil {
		parts.Go(func() { newLane(s, appleLane).run(ctx) })
	}
	if s.Syncer != nil {
		parts.Go(func() { newLane(s, googleLane).run(ctx) })
	}
	rung, leave := s.book.bell.Listen()
	defer leave()
	parts.Go(func() { s.repeat(ctx, s.poll, rung, "carry waves on", s.carryOn) })
	parts.Go(func() { s.repeat(ctx, s.poll, nil, "expire passes", s.expire) })
	if s.Chain != nil {
		parts.Go(func() { s.repeat(ctx, min(checkEvery, s.Recheck), nil, "ask who holds assets", s.recheck) })
	}
	parts.Go(func() { s.repeat(ctx, sweepEvery, nil, "sweep what passes have left", s.sweep) })
	parts.Go(func() { s.repeat(ctx, sweepEvery, nil, "forget devices", s.forget) })
	parts.Wait()
}

// repeat does something now, every so often, and when a bell has rung, which may be nil, until ctx ends. What fails is logged and done the next time.
func (s *Sender) repeat(ctx context.Context, every time.Duration, rung <-chan struct{}, what string, do func(context.Context) error) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn(what, "err", err)
			rest(ctx, afterError)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-rung:
		}
	}
}

// rest waits, unless ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
