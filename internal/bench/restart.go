package bench

import (
	"context"
	"errors"
	"time"
)

// restart kills the server under load, starts it again and waits for what it still owes. For the last moments before the kill
// the receiver is silent, so that a backlog stands on disk and attempts are under way. What arrives twice is counted; after a
// crash that is permitted.
func (b *bench) restart(ctx context.Context, s *subject) (*Result, error) {
	watched := s.healthy()
	rec := s.book.begin(watched)
	sending, stop := context.WithCancel(ctx)
	defer stop()
	l := b.plan.closedLoad()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_ = s.target().send(sending, l) // refusals at the end are what a kill looks like
	}()
	pause(ctx, l.length-b.plan.hold)
	s.receiver.silent.Store(true)
	pause(ctx, b.plan.hold)
	s.server.kill()
	stop()
	<-sent
	ended := s.book.now()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if rec.accepted.Load() == 0 {
		return nil, errors.New("nothing was accepted before the server was killed")
	}
	backlog := s.book.missing(rec.first, watched)
	s.receiver.silent.Store(false)

	begun := s.book.now()
	if err := s.startServer(ctx); err != nil {
		return nil, err
	}
	ready := s.book.now()
	if err := b.drained(ctx, s, rec.first); err != nil {
		return nil, err
	}
	r := s.result(rec, trial{part: partRestart, load: l}, ended)
	r.Refused, r.PeakMemory = 0, peakMemory(s.server.cmd.Process.Pid)
	r.Restart = &Restart{
		Backlog:             backlog,
		ReadySeconds:        round(seconds(ready-begun), 3),
		LastDeliverySeconds: round(max(time.Duration(rec.lastArrival.Load()-begun).Seconds(), 0), 3),
	}
	return r, nil
}
