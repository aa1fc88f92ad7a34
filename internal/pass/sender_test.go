package pass_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// touch has every device told, as a change of the event does.
func (h *tour) touch() {
	h.t.Helper()
	h.change("E", event.Patch{Name: set(fmt.Sprint("Jazz ", time.Now().UnixNano()))})
	h.follow()
}

func TestSendersShareTheWork(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		h.crowd(h.ticket("E"), many)
		h.follow()
		service := &apns{}
		h.run(pass.SenderConfig{Pusher: service})
		h.run(pass.SenderConfig{Pusher: service})
		h.touch()
		h.await("everybody to be told", func() bool { return h.count(`pass_waves`)+h.count(`pass_pushes`) == 0 })
		if tokens, pushes := service.counts(); tokens != many || pushes != many {
			t.Errorf("two senders pushed %d devices %d times, want %d once each", tokens, pushes, many)
		}
	})
}

// A tenth of the devices hang or fail; the others are told while they do.
func TestSlowPushesHoldNobodyUp(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		const all, slow = 400, 40
		crowd := h.crowd(h.ticket("E"), all)
		bad := map[string]int{}
		for i := range slow {
			bad["d"+crowd[i*all/slow].Serial] = i
		}
		var hanging atomic.Int64
		release := make(chan struct{})
		service := &apns{answer: func(ctx context.Context, token string) pass.Result {
			i, is := bad[token]
			if !is {
				return pass.Result{}
			}
			if i%2 == 0 {
				return pass.Result{Verdict: pass.Later, After: time.Hour, Detail: "no"}
			}
			hanging.Add(1)
			defer hanging.Add(-1)
			select {
			case <-release:
			case <-ctx.Done():
			}
			return pass.Result{Verdict: pass.Later, After: time.Hour, Detail: "hung"}
		}}
		h.follow()
		h.touch()
		h.run(pass.SenderConfig{Pusher: service})
		h.await("the others to be told", func() bool { return h.count(`pass_pushes`) == slow })
		if n := hanging.Load(); n != slow/2 {
			t.Errorf("when all others were told, %d hung, want %d", n, slow/2)
		}
		close(release)
		h.await("those that hung to be put off", func() bool { return h.count(`pass_pushes WHERE attempts = 1`) == slow })
		if tokens, pushes := service.counts(); tokens != all || pushes != all {
			t.Errorf("%d devices were pushed %d times, want %d once each", tokens, pushes, all)
		}
	})
}

func TestDeviceWithSeveralPassesIsToldOnce(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		for range 4 {
			h.put(h.apple(one), "phone")
		}
		h.follow()
		h.touch()
		service := &apns{}
		h.run(pass.SenderConfig{Pusher: service})
		h.await("the phone to be told", func() bool { return h.count(`pass_pushes`) == 0 })
		if n := service.of("phone"); n != 1 {
			t.Errorf("the phone was pushed %d times, want once", n)
		}
	})
}

func TestDeviceThatIsGoneIsNoneAnyMore(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		p := h.apple(h.ticket("E"))
		h.put(p, "oldphone")
		h.put(p, "phone")
		h.follow()
		h.touch()
		service := &apns{answer: func(_ context.Context, token string) pass.Result {
			if token == "oldphone" {
				return pass.Result{Verdict: pass.Gone}
			}
			return pass.Result{}
		}}
		h.run(pass.SenderConfig{Pusher: service})
		h.await("both to be told", func() bool { return h.count(`pass_pushes`) == 0 })
		want := []string{"pass.created 1", "registration.added 2", "registration.added 3", "registration.removed 4"}
		if diff := cmp.Diff(want, h.told(p)); diff != "" {
			t.Errorf("facts (-want +got):\n%s", diff)
		}
		if serials, _ := h.changed("oldphone", 0); len(serials) != 0 {
			t.Errorf("the old phone still has passes: %v", serials)
		}
		h.audit()
	})
}

// While a push to an old token is under way, the device registers with another one: it has the pass, and is told by that.
func TestNewPushTokenOutlivesTheOld(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		p := h.apple(h.ticket("E"))
		h.put(p, "phone")
		h.follow()
		h.touch()
		service := &apns{answer: func(_ context.Context, token string) pass.Result {
			if token != "phone" {
				return pass.Result{}
			}
			err := h.db.Write(context.Background(), "", func(tx *db.Tx) error {
				_, err := h.book.Register(tx, p.Serial, "phone", "another")
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return pass.Result{Verdict: pass.Gone}
		}}
		h.run(pass.SenderConfig{Pusher: service})
		h.await("the phone to be told", func() bool { return h.count(`pass_pushes`) == 0 })
		if n := service.of("another"); n != 1 || h.now(p).Open != 1 {
			t.Errorf("the other token was pushed %d times and %d registrations are open, want 1 and 1", n, h.now(p).Open)
		}
	})
}

// What changes while a device is told of a change before is told again.
func TestChangeDuringAPushIsTold(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		p := h.apple(h.ticket("E"))
		h.put(p, "phone")
		h.follow()
		h.touch()
		var first sync.Once
		service := &apns{answer: func(context.Context, string) pass.Result {
			first.Do(func() {
				err := h.db.Write(context.Background(), "", func(tx *db.Tx) error {
					_, err := h.book.Expire(tx, h.org, p.ID, pass.AdminRevoke)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
			return pass.Result{}
		}}
		h.run(pass.SenderConfig{Pusher: service}, (*pass.Sender).OnlyByBell)
		h.await("the phone to be told", func() bool { return h.count(`pass_pushes`) == 0 })
		if n := service.of("phone"); n != 2 {
			t.Errorf("the phone was pushed %d times, want twice", n)
		}
	})
}

func TestFailedPushIsTriedAgainAndGivenUp(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		h.put(h.apple(one), "flaky")
		h.put(h.apple(one), "broken")
		h.put(h.apple(one), "refused")
		h.follow()
		h.touch()
		var tries atomic.Int64
		service := &apns{answer: func(_ context.Context, token string) pass.Result {
			switch {
			case token == "refused":
				return pass.Result{Verdict: pass.Never, Detail: "bad topic"}
			case token == "broken" || tries.Add(1) == 1:
				return pass.Result{Verdict: pass.Later, Detail: "no answer"}
			}
			return pass.Result{}
		}}
		log := &lines{}
		h.run(pass.SenderConfig{Pusher: service, Log: slog.New(slog.NewTextHandler(log, nil))})
		h.await("all but one to be done with", func() bool { return h.count(`pass_pushes`) == 1 && service.of("flaky") == 2 })
		if n := service.of("refused"); n != 1 {
			t.Errorf("what is refused for good was pushed %d times, want once", n)
		}
		before := 0
		h.await("the broken one to have failed", func() bool {
			before = service.of("broken")
			return h.count(`pass_pushes WHERE attempts > 0 AND attempts < 8`) == 1
		})
		h.exec(`UPDATE pass_pushes SET attempts = 7, due_at = 1`)
		h.await("the broken one to be given up", func() bool { return h.count(`pass_pushes`) == 0 })
		if n := service.of("broken"); n < before+1 || n > before+2 {
			t.Errorf("the broken one was pushed %d times, want once more than %d", n, before)
		}
		h.await("the log", func() bool { return strings.Count(log.String(), "given up") == 2 })
		if s := log.String(); !strings.Contains(s, "bad topic") || strings.Contains(s, "broken") || strings.Contains(s, "refused") {
			t.Errorf("the log says:\n%s", s)
		}
		h.audit()
	})
}

// lines keeps what is logged.
type lines struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// When the service takes nothing, everything waits, and nothing is counted as a failure.
func TestEverythingWaitsForAServiceThatIsThrottled(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		const all = 600
		h.crowd(h.ticket("E"), all)
		h.follow()
		h.touch()
		var taken atomic.Bool
		service := &apns{answer: func(context.Context, string) pass.Result {
			if taken.Load() {
				return pass.Result{}
			}
			return pass.Result{Verdict: pass.Wait, After: 500 * time.Millisecond, Detail: "too many"}
		}}
		log := &lines{}
		h.run(pass.SenderConfig{Pusher: service, Log: slog.New(slog.NewTextHandler(log, nil))})
		h.await("the sender to wait", func() bool { return strings.Contains(log.String(), "have to wait") })
		taken.Store(true)
		h.await("all to be told", func() bool { return h.count(`pass_waves`)+h.count(`pass_pushes`) == 0 })
		if tokens, pushes := service.counts(); tokens != all || pushes > all+400 {
			t.Errorf("%d devices were pushed %d times, want %d, of which those under way when the service refused twice", tokens, pushes, all)
		}
		if s := log.String(); strings.Contains(s, "given up") {
			t.Errorf("the log says:\n%s", s)
		}
	})
}

func TestSenderStopsWhenWhatIsUnderWayHasEnded(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		h.put(h.apple(h.ticket("E")), "phone")
		h.follow()
		h.touch()
		pushing, release := make(chan struct{}), make(chan struct{})
		service := &apns{answer: func(ctx context.Context, _ string) pass.Result {
			close(pushing)
			<-release
			if ctx.Err() != nil {
				return pass.Result{Verdict: pass.Later}
			}
			return pass.Result{}
		}}
		stop := h.run(pass.SenderConfig{Pusher: service})
		<-pushing
		stopped := make(chan struct{})
		go func() {
			stop()
			close(stopped)
		}()
		select {
		case <-stopped:
			t.Error("Run came back while a push was under way")
		case <-time.After(50 * time.Millisecond):
		}
		close(release)
		<-stopped
		if n := h.count(`pass_pushes`); n != 0 {
			t.Errorf("%d pushes are left, though what was under way ended well", n)
		}
	})
}

// What a node had claimed when it died is told by another when the lease is over.
func TestLeaseOfADeadNodeEnds(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		h.put(h.apple(h.ticket("E")), "phone")
		h.follow()
		h.touch()
		h.exec(`UPDATE pass_pushes SET due_at = $1`, time.Now().Add(30*time.Second).UnixMicro())
		service := &apns{}
		h.run(pass.SenderConfig{Pusher: service})
		h.touch() // something new does not break a lease
		if n := service.of("phone"); n != 0 {
			t.Errorf("what is another's was pushed %d times", n)
		}
		h.exec(`UPDATE pass_pushes SET due_at = $1`, time.Now().UnixMicro())
		h.await("the phone to be told", func() bool { return h.count(`pass_pushes`) == 0 })
	})
}

// What this process queues is told at once, and not when the sender looks for it: this one does not look.
func TestWhatIsQueuedIsToldAtOnce(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		all := h.crowd(h.ticket("E"), pass.AtOnce+1)
		p := all[0]
		service := &apns{}
		h.run(pass.SenderConfig{Pusher: service}, (*pass.Sender).OnlyByBell)
		pushed := 0
		for _, step := range []struct {
			name string
			do   func(tx *db.Tx) error
		}{
			{"a change of the pass", func(tx *db.Tx) error {
				_, err := h.book.Update(tx, h.org, p.ID, pass.Change{Design: &pass.Design{LogoText: "Jazz"}})
				return err
			}},
			{"another device", func(tx *db.Tx) error {
				_, err := h.book.Register(tx, p.Serial, "phone", "phone")
				return err
			}},
			{"a design", func(tx *db.Tx) error { return h.book.SetProjectDesign(tx, h.org, pass.Design{LogoText: "Harbor"}) }},
			{"a change of the event", func(tx *db.Tx) error {
				_, err := h.cal.Update(tx, h.org, "E", event.Patch{Name: set("Jazz")})
				return err
			}},
			{"an end", func(tx *db.Tx) error {
				_, err := h.book.Expire(tx, h.org, p.ID, pass.UserRevoke)
				return err
			}},
		} {
			h.write(step.do)
			h.follow()
			h.await(step.name+" to be told", func() bool {
				_, now := service.counts()
				return now > pushed && h.count(`pass_waves`)+h.count(`pass_pushes`) == 0
			})
			_, pushed = service.counts()
		}
		if n := service.of("d" + p.Serial); n != 4 {
			t.Errorf("the first device was told %d times, want 4", n)
		}
		if n := service.of("phone"); n != 4 {
			t.Errorf("the other device was told %d times, want 4", n)
		}
	})
}

func TestPassesExpireByDateAndWhenTheirEventIsOver(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		h.event("F")
		one := h.ticket("E")
		dated := h.make(pass.Input{Platform: pass.Apple, Ticket: h.ticket("F"), ExpiresAt: time.Now().Add(300 * time.Millisecond)})
		over, owned := h.apple(one), h.make(pass.Input{Platform: pass.Apple, Barcode: &pass.Barcode{Message: "OWN"}})
		h.put(over, "phone")
		h.follow()
		h.run(pass.SenderConfig{})
		h.await("the date to come", func() bool { return !h.now(dated).Active() })
		h.change("E", event.Patch{StartLocal: set("2020-08-14T20:30:00"), Status: set(event.Postponed)})
		h.follow()
		if n := h.count(`passes WHERE over_at IS NOT NULL AND expired_at IS NULL`); n != 0 {
			t.Errorf("%d passes of a postponed event know when it is over", n)
		}
		h.change("E", event.Patch{Status: set(event.Published)})
		h.follow()
		h.await("the event to be over", func() bool { return !h.now(over).Active() })
		if a, b := h.now(dated).ExpireAction, h.now(over).ExpireAction; a != pass.ExpirationDate || b != pass.EventEnded {
			t.Errorf("the passes expired because of %s and %s", a, b)
		}
		if !h.now(owned).Active() {
			t.Error("the pass without a ticket expired")
		}
		if n := h.count(`pass_pushes`); n != 1 {
			t.Errorf("%d pushes wait for somebody to send them, want 1", n)
		}
		h.audit()
	})
}

// An event that was moved a moment ago is not over, though its passes do not know yet.
func TestMovedEventIsNotOver(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		p := h.apple(h.ticket("E"))
		h.follow()
		h.exec(`UPDATE passes SET over_at = 1`)
		h.run(pass.SenderConfig{})
		h.await("the end to be moved", func() bool { return h.count(`passes WHERE over_at > 1`) == 1 })
		if !h.now(p).Active() {
			t.Error("the pass expired")
		}
	})
}

const wallet1, wallet2, wallet3 = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"

// chain answers by owner.
type chain struct {
	mu    sync.Mutex // guards below
	asked map[string]int
	holds map[string]bool
}

func (c *chain) Holds(_ context.Context, network, owner string, n pass.NFT) (holds, known bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked == nil {
		c.asked = map[string]int{}
	}
	c.asked[owner]++
	switch owner {
	case wallet2:
		return false, false, nil
	case wallet3:
		return false, false, errors.New("no answer from the node")
	}
	return c.holds[n.TokenID], true, nil
}

func (c *chain) of(owner string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[owner]
}

func TestPassExpiresWhenItsOwnerHoldsTheAssetNoMore(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		owned := func(owner string, tokens ...string) *pass.Pass {
			in := pass.Input{Platform: pass.Apple, Owner: owner, Chain: "evm", Network: "1", Barcode: &pass.Barcode{Message: owner + fmt.Sprint(tokens)}}
			for _, token := range tokens {
				in.NFTs = append(in.NFTs, pass.NFT{Contract: wallet3, Interface: "0x80ac58cd", TokenID: token})
			}
			return h.make(in)
		}
		keeps, sold, unknown, silent, none := owned(wallet1, "1"), owned(wallet1, "1", "2"), owned(wallet2, "2"), owned(wallet3, "2"), owned(wallet1)
		c := &chain{holds: map[string]bool{"1": true}}
		log := &lines{}
		h.run(pass.SenderConfig{Chain: c, Recheck: 100 * time.Millisecond, Log: slog.New(slog.NewTextHandler(log, nil))})
		h.await("the asset to be missed", func() bool { return !h.now(sold).Active() })
		h.await("everybody to be asked twice", func() bool { return c.of(wallet1) > 3 && c.of(wallet2) > 1 && c.of(wallet3) > 1 })
		if got := h.now(sold).ExpireAction; got != pass.OwnershipTransfer {
			t.Errorf("it expired because of %s", got)
		}
		for _, p := range []*pass.Pass{keeps, unknown, silent, none} {
			if now := h.now(p); !now.Active() {
				t.Errorf("the pass of %s with %d assets expired because of %s", now.Owner, len(now.NFTs), now.ExpireAction)
			}
		}
		if s := log.String(); !strings.Contains(s, "no answer from the node") || strings.Contains(s, wallet3) {
			t.Errorf("the log says:\n%s", s)
		}
		h.audit()
	})
}

// wavering says no every other time, and yes in between.
type wavering struct {
	mu    sync.Mutex // guards below
	asked int
}

func (w *wavering) Holds(context.Context, string, string, pass.NFT) (holds, known bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return w.asked%2 == 0, true, nil
}

func (w *wavering) times() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// A node can be behind its chain for a moment, and no pass comes back.
func TestOneNoIsNotTheEndOfAPass(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		p := h.make(pass.Input{
			Platform: pass.Apple, Owner: wallet1, Chain: "evm", Network: "1", Barcode: &pass.Barcode{Message: "x"}, NFTs: []pass.NFT{{Contract: wallet3, Interface: "0x80ac58cd", TokenID: "1"}},
		})
		c := &wavering{}
		h.run(pass.SenderConfig{Chain: c, Recheck: 50 * time.Millisecond})
		h.await("it to be asked about often", func() bool { return c.times() > 5 })
		if now := h.now(p); !now.Active() {
			t.Errorf("the pass expired because of %s, though its owner holds the asset", now.ExpireAction)
		}
		h.audit()
	})
}

func TestWhatNobodyIsThereToTellIsForgotten(t *testing.T) {
	eachTour(t, func(t *testing.T, h *tour) {
		one := h.ticket("E")
		h.put(h.apple(one), "phone")
		h.google(one)
		h.follow()
		h.touch()
		h.write(func(tx *db.Tx) error {
			for i := range 3 {
				if err := h.book.Use(tx, h.org, pass.Once{What: "proof", Value: []byte{byte(i)}, Until: tx.Now().Add(time.Duration(i-1) * time.Hour)}); err != nil {
					return err
				}
			}
			return nil
		})
		h.exec(`UPDATE pass_pushes SET made_at = made_at - 90000000000 WHERE registration_no = 0`)
		h.run(pass.SenderConfig{})
		h.await("old things to be forgotten", func() bool { return h.count(`pass_once`) == 1 && h.count(`pass_pushes`) == 1 })
		if n := h.count(`pass_pushes WHERE registration_no <> 0`); n != 1 {
			t.Error("what is not old was forgotten too")
		}
	})
}
