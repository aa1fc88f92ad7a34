package pass

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

const (
	claimMost  = 500              // pushes that a transaction claims
	pushLasts  = 10 * time.Second // at most
	waitsFor   = 30 * time.Second // what has to wait, unless it is said for how long
	stopWithin = 10 * time.Second
	startsTill = lease - pushLasts - 5*time.Second // after its claim; what has not begun by then is anybody's again
)

// channel is a way to a wallet: which pushes are its own, how many are under way at once, and how they are sent.
type channel struct {
	name  string
	where string // of rows of pass_pushes, as their index says it
	most  int
	load  func(ctx context.Context, s *Sender, all []*push) ([]parcel, error)
}

// push is something to be told, as it was claimed.
type push struct {
	no, org, pass, registration, event, again int64
	attempts                                  int
	lease                                     int64  // until when it is ours, by the database's clock
	token                                     []byte // sealed, of a device
}

// parcel is what is told at once: usually one push, and all of a device's where it has several passes.
type parcel struct {
	pushes []*push
	tell   func(ctx context.Context) Result
}

// outcome is what came of a parcel.
type outcome struct {
	pushes []*push
	Result
}

// lane sends what a channel has, as long as it runs.
type lane struct {
	*Sender
	channel
	places   chan struct{} // one for each parcel under way
	outcomes chan outcome

	mu    sync.Mutex // guards until
	until time.Time  // nothing begins before
}

func newLane(s *Sender, c channel) *lane {
	return &lane{Sender: s, channel: c, places: make(chan struct{}, c.most), outcomes: make(chan outcome, c.most)}
}

// run sends until ctx ends. A push that hangs holds one place and nobody else.
func (l *lane) run(ctx context.Context) {
	rung, leave := l.book.bell.Listen()
	defer leave()
	sends, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var sending, settling sync.WaitGroup
	settling.Go(l.settle)
	timer := time.NewTimer(l.poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		n, err := l.turn(ctx, sends, &sending)
		if err != nil && ctx.Err() == nil {
			l.Log.Warn("claim pushes", "wallet", l.name, "err", err)
			rest(ctx, afterError)
		}
		pause, heard := l.poll, rung
		if waits := time.Until(l.waits()); waits > 0 {
			pause, heard = waits, nil
		} else if n == claimMost {
			continue // there may be more
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
		case <-heard:
		case <-timer.C:
		}
	}
	stop := time.AfterFunc(stopWithin, giveUp)
	sending.Wait()
	stop.Stop()
	close(l.outcomes)
	settling.Wait()
}

// turn claims what is due and has it begun, and returns how much that was.
func (l *lane) turn(ctx, sends context.Context, sending *sync.WaitGroup) (int, error) {
	if time.Now().Before(l.waits()) {
		return 0, nil
	}
	all, err := l.claim(ctx)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	begun := time.Now()
	parcels, err := l.load(ctx, l.Sender, all)
	if err != nil {
		l.outcomes <- outcome{all, Result{Verdict: returned}}
		return 0, err
	}
	for i, p := range parcels {
		select {
		case l.places <- struct{}{}:
		case <-ctx.Done():
			l.giveBack(parcels[i:])
			return len(all), nil
		}
		if now := time.Now(); now.Sub(begun) > startsTill || now.Before(l.waits()) {
			<-l.places
			l.giveBack(parcels[i:])
			return len(all), nil
		}
		sending.Go(func() {
			defer func() { <-l.places }()
			l.outcomes <- outcome{p.pushes, l.send(sends, p)}
		})
	}
	return len(all), nil
}

// giveBack has what was claimed and not begun be anybody's again.
func (l *lane) giveBack(parcels []parcel) {
	for _, p := range parcels {
		l.outcomes <- outcome{p.pushes, Result{Verdict: returned}}
	}
}

// send tells a wallet one thing. Where it says that nothing works, nothing is begun for a while.
func (l *lane) send(ctx context.Context, p parcel) Result {
	ctx, cancel := context.WithTimeout(ctx, pushLasts)
	defer cancel()
	r := p.tell(ctx)
	if r.Verdict == Wait {
		if r.After <= 0 {
			r.After = waitsFor
		}
		l.wait(r)
	}
	return r
}

// wait has nothing begin for as long as a result says, and says so in the log, once.
func (l *lane) wait(r Result) {
	l.mu.Lock()
	waited := time.Now().Before(l.until)
	if until := time.Now().Add(r.After); until.After(l.until) {
		l.until = until
	}
	l.mu.Unlock()
	if !waited {
		l.Log.Warn("pushes have to wait", "wallet", l.name, "for", r.After, "detail", r.Detail)
	}
}

// waits is the instant before which nothing begins.
func (l *lane) waits() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

// claim leases what is due, the first of all first.
func (l *lane) claim(ctx context.Context) ([]*push, error) {
	due, err := db.All(l.book.db.Read(ctx), db.Value[int], `SELECT 1 FROM pass_pushes WHERE `+l.where+` AND due_at <= $1 LIMIT 1`,
		time.Now().Add(time.Second).UnixMicro()) // the database's clock may be ahead of ours
	if err != nil || len(due) == 0 {
		return nil, err
	}
	var all []*push
	err = l.book.db.Write(ctx, "", func(tx *db.Tx) error {
		until := tx.Now().Add(lease).UnixMicro()
		all, err = db.All(tx, func(r db.Rows) (*push, error) {
			p := &push{lease: until}
			return p, r.Scan(&p.no, &p.org, &p.pass, &p.registration, &p.event, &p.again, &p.attempts)
		}, `WITH c AS (SELECT push_no AS no FROM pass_pushes WHERE `+l.where+` AND due_at <= $1 ORDER BY due_at, push_no LIMIT $2 /*skip locked*/)
			UPDATE pass_pushes SET due_at = $3 FROM c WHERE push_no = c.no
			RETURNING push_no, org_id, pass_no, registration_no, event_no, again, attempts`, tx.Micros(), claimMost, until)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *push) int { return cmp.Compare(a.no, b.no) })
	return all, nil
}

// numbers are numbers of pushes, as ints($1) takes them.
func numbers(all []*push, of func(*push) int64) string {
	some := make([]int64, len(all))
	for i, p := range all {
		some[i] = of(p)
	}
	return list(some)
}
