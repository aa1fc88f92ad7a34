package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"go.uber.org/goleak"
)

// effects makes a table in which steps leave a row for each fact, numbered in the order in which they came.
func effects(t testing.TB, d *db.DB) {
	t.Helper()
	err := d.Write(context.Background(), "", func(tx *db.Tx) error {
		_, err := tx.Exec("CREATE TABLE effects (n BIGINT NOT NULL, follower TEXT NOT NULL, subject TEXT NOT NULL)")
		return err
	})
	if err != nil {
		t.Fatalf("make table of effects: %v", err)
	}
}

// leave is a step that leaves an effect for each fact.
func leave(name string) ledger.Step {
	return func(tx *db.Tx, facts []*fact.Fact) error {
		for _, f := range facts {
			_, err := tx.Exec("INSERT INTO effects (n, follower, subject) SELECT count(*) + 1, $1, $2 FROM effects", name, f.Subject)
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// left are the subjects of a follower's effects in their order.
func left(t testing.TB, d *db.DB, name string) []string {
	t.Helper()
	all, err := db.All(d.Read(context.Background()), db.Value[string], "SELECT subject FROM effects WHERE follower = $1 ORDER BY n", name)
	if err != nil {
		t.Fatalf("read effects: %v", err)
	}
	return all
}

// follow starts a follower; stop ends it and waits for it.
func follow(t testing.TB, l *ledger.Ledger, f ledger.Follower) (stop func()) {
	t.Helper()
	f.Log = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Follow(ctx, f) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Follow %q: %v, want nil when its context ends", f.Name, err)
			}
		case <-time.After(patience):
			t.Errorf("Follow %q did not end in %v", f.Name, patience)
		}
	})
	t.Cleanup(stop)
	return stop
}

// await waits until cond holds.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

func TestFollowerTakesEveryFactOnceInOrder(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		effects(t, d)
		var want []string
		add := func(n int) {
			var facts []*fact.Fact
			for range n {
				want = append(want, fmt.Sprint(len(want)))
				facts = append(facts, happened(want[len(want)-1]))
			}
			appendFacts(t, d, l, facts...)
		}
		add(30) // before it was started
		stop := follow(t, l, ledger.Follower{Name: "f", Step: leave("f"), Batch: 7})
		for range 20 {
			add(3)
		}
		await(t, "the follower", func() bool { return len(left(t, d, "f")) >= len(want) })
		stop()
		add(10) // while it was stopped
		stop = follow(t, l, ledger.Follower{Name: "f", Step: leave("f")})
		follow(t, l, ledger.Follower{Name: "later", Step: leave("later")})
		await(t, "both followers", func() bool { return len(left(t, d, "f")) >= len(want) && len(left(t, d, "later")) >= len(want) })
		stop()
		for _, name := range []string{"f", "later"} {
			if diff := cmp.Diff(want, left(t, d, name)); diff != "" {
				t.Errorf("effects of %q (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestFollowerDoesNotWaitForItsPoll(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		seen := make(chan string, 1)
		step := func(tx *db.Tx, facts []*fact.Fact) error {
			tx.OnCommit(func() { seen <- facts[len(facts)-1].Subject })
			return nil
		}
		follow(t, l, ledger.Follower{Name: "f", Step: step})
		late := time.After(patience)
		for i := range 100 { // with a second of delay each it would take 100 s
			appendFacts(t, d, l, happened(fmt.Sprint(i)))
			select {
			case got := <-seen:
				if got != fmt.Sprint(i) {
					t.Fatalf("fact %d was followed by %s", i, got)
				}
			case <-late:
				t.Fatalf("100 facts, one after another, were not seen in %v; it came to %d", patience, i)
			}
		}
	})
}

func TestFactsHiddenByAShortTransactionDoNotWaitForThePollEither(t *testing.T) {
	c := dbtest.PostgreSQL(t)
	d, other := dbtest.Open(t, c), dbtest.Open(t, c)
	l, theirs := open(t, d, nil), open(t, other, nil)
	seen := make(chan int, 10)
	step := func(tx *db.Tx, facts []*fact.Fact) error {
		tx.OnCommit(func() { seen <- len(facts) })
		return nil
	}
	follow(t, l, ledger.Follower{Name: "f", Step: step})
	late := time.After(patience)
	for i := range 40 {
		a := begin(other, theirs, "elsewhere")
		a.write()
		appendFacts(t, d, l, happened("here")) // wakes the follower, who may not see it yet
		a.commit(t)                            // wakes nobody here
		for n := 0; n < 2; {
			select {
			case k := <-seen:
				n += k
			case <-late:
				t.Fatalf("40 facts that were hidden for a moment were not seen in %v; it came to %d", patience, i)
			}
		}
	}
}

func TestTwoNodesOfOneFollowerHaveEachEffectOnce(t *testing.T) {
	configs := map[string]func(testing.TB) db.Config{"sqlite": dbtest.SQLite, "postgres": dbtest.PostgreSQL}
	for engine, config := range configs {
		t.Run(engine, func(t *testing.T) {
			c := config(t)
			nodes := []*db.DB{dbtest.Open(t, c), dbtest.Open(t, c)}
			effects(t, nodes[0])
			var ledgers []*ledger.Ledger
			var taken [2]int
			for i, d := range nodes {
				l := open(t, d, nil)
				ledgers = append(ledgers, l)
				step := func(tx *db.Tx, facts []*fact.Fact) error {
					tx.OnCommit(func() { taken[i] += len(facts) })
					return leave("f")(tx, facts)
				}
				defer follow(t, l, ledger.Follower{Name: "f", Step: step, Batch: 3})()
			}
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Go(func() {
					for i := range 40 {
						appendFacts(t, nodes[w%2], ledgers[w%2], happened(fmt.Sprint(w, ".", i)))
					}
				})
			}
			wg.Wait()
			await(t, "the followers", func() bool { return len(left(t, nodes[0], "f")) >= 160 })
			got := left(t, nodes[1], "f")
			want, _ := subjects(t, nodes[1], ledgers[1], ledger.Place{}, 1000)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("effects of both nodes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFollowersUnderLoadMissNothing(t *testing.T) {
	configs := map[string]func(testing.TB) db.Config{"sqlite": dbtest.SQLite, "postgres": dbtest.PostgreSQL}
	for engine, config := range configs {
		t.Run(engine, func(t *testing.T) {
			c := config(t)
			nodes := []*db.DB{dbtest.Open(t, c), dbtest.Open(t, c)}
			ledgers := []*ledger.Ledger{open(t, nodes[0], nil), open(t, nodes[1], nil)}
			var followed []string // the follower's alone
			seen := make(chan int, 1000)
			step := func(tx *db.Tx, facts []*fact.Fact) error {
				tx.OnCommit(func() {
					for _, f := range facts {
						followed = append(followed, f.Subject)
					}
					seen <- len(facts)
				})
				return nil
			}
			stop := follow(t, ledgers[0], ledger.Follower{Name: "f", Step: step, Batch: 16})
			refused := errors.New("refused")
			var mu sync.Mutex
			acknowledged := map[string]bool{}
			var wg sync.WaitGroup
			for w := range 8 {
				wg.Go(func() {
					chance := rand.New(rand.NewPCG(7, uint64(w)))
					for i := range 25 {
						var facts []*fact.Fact
						for k := range 1 + chance.IntN(4) {
							facts = append(facts, happened(fmt.Sprintf("%d.%d.%d", w, i, k)))
						}
						fail := chance.IntN(5) == 0
						fn := func(tx *db.Tx) error {
							if err := ledgers[w%2].Append(tx, facts...); err != nil {
								return err
							}
							if fail {
								return refused
							}
							return nil
						}
						d := nodes[w%2]
						var err error
						if chance.IntN(3) == 0 {
							err = d.WriteAlone(context.Background(), fn)
						} else {
							err = d.Write(context.Background(), "", fn)
						}
						if fail != errors.Is(err, refused) || !fail && err != nil {
							t.Errorf("append: %v; it was to be refused: %v", err, fail)
						}
						if err == nil {
							mu.Lock()
							for _, f := range facts {
								acknowledged[f.Subject] = true
							}
							mu.Unlock()
						}
					}
				})
			}
			wg.Wait()
			late := time.After(patience)
			for n := 0; n < len(acknowledged); {
				select {
				case k := <-seen:
					n += k
				case <-late:
					t.Fatalf("%d facts were acknowledged and %d followed in %v", len(acknowledged), n, patience)
				}
			}
			stop()
			want, _ := subjects(t, nodes[0], ledgers[0], ledger.Place{}, 10_000)
			if diff := cmp.Diff(want, followed); diff != "" {
				t.Errorf("followed facts in the order of their places (-want +got):\n%.2000s", diff)
			}
			for _, name := range followed {
				if !acknowledged[name] {
					t.Errorf("fact %s was followed and never acknowledged", name)
				}
				delete(acknowledged, name)
			}
			if len(acknowledged) != 0 {
				t.Errorf("acknowledged and not followed, or followed twice: %v", acknowledged)
			}
		})
	}
}

func TestPoisonFactIsParkedAndTheCursorGoesOn(t *testing.T) {
	poisons := map[string]ledger.Step{
		"that returns an error": func(*db.Tx, []*fact.Fact) error { return errors.New("poison in the cup") },
		"that panics":           func(*db.Tx, []*fact.Fact) error { panic("poison in the cup") },
		"whose SQL fails": func(tx *db.Tx, _ []*fact.Fact) error {
			_, err := tx.Exec("INSERT INTO poison_in_the_cup (n) VALUES (1)")
			return err
		},
		"whose last statement fails": func(tx *db.Tx, _ []*fact.Fact) error {
			return tx.Later("INSERT INTO settings (name, value) VALUES ('taken', 'poison in the cup')")
		},
	}
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		effects(t, d)
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			_, err := tx.Exec("INSERT INTO settings (name, value) VALUES ('taken', '')")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var parked int64
		var want []string
		for name, poison := range poisons {
			t.Run(name, func(t *testing.T) {
				var facts []*fact.Fact
				for i := range 40 {
					f := happened(fmt.Sprint(name, " ", i))
					facts = append(facts, f)
					if i == 20 {
						f.Subject = "poison"
					} else {
						want = append(want, f.Subject)
					}
				}
				alone := 0
				alarm := make(chan *fact.Fact, 10)
				step := func(tx *db.Tx, facts []*fact.Fact) error {
					if err := leave("f")(tx, facts); err != nil {
						return err
					}
					for _, f := range facts {
						if f.Subject == "poison" {
							if len(facts) == 1 {
								alone++
							}
							return poison(tx, facts)
						}
					}
					return nil
				}
				appendFacts(t, d, l, facts...)
				stop := follow(t, l, ledger.Follower{Name: "f", Step: step, Alarm: func(f *fact.Fact, reason error) {
					if reason == nil {
						t.Error("the alarm has no reason")
					}
					n, err := ledger.Parked(d.Read(context.Background()))
					if n != parked+1 || err != nil {
						t.Errorf("when the alarm rings %d facts are parked (%v), want %d", n, err, parked+1)
					}
					alarm <- f
				}})
				await(t, "the facts behind the poison", func() bool { return len(left(t, d, "f")) >= len(want) })
				stop()
				parked++
				select {
				case f := <-alarm:
					if f.Subject != "poison" {
						t.Errorf("the alarm rang for %q", f.Subject)
					}
				default:
					t.Error("no alarm rang")
				}
				if len(alarm) != 0 {
					t.Errorf("the alarm rang %d times more", len(alarm))
				}
				if alone < 5 {
					t.Errorf("the poison fact was tried %d times on its own, want 5", alone)
				}
				if diff := cmp.Diff(want, left(t, d, "f")); diff != "" {
					t.Errorf("effects (-want +got):\n%s", diff)
				}
				reason, err := db.One(d.Read(t.Context()), db.Value[string],
					"SELECT reason FROM ledger_parked WHERE follower = 'f' AND seq = $1 AND org_id = 1", facts[20].ID.Seq)
				if err != nil || reason == "" {
					t.Errorf("reason of the parked fact: %q, %v", reason, err)
				}
			})
		}
	})
}

func TestPassingTroubleParksNothing(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		effects(t, d)
		failures := 0
		step := func(tx *db.Tx, facts []*fact.Fact) error {
			if err := leave("f")(tx, facts); err != nil {
				return err
			}
			if failures++; failures <= 4 {
				return errors.New("not now")
			}
			return nil
		}
		appendFacts(t, d, l, happened("a"))
		defer follow(t, l, ledger.Follower{Name: "f", Step: step, Alarm: func(f *fact.Fact, _ error) { t.Errorf("%q was parked", f.Subject) }})()
		await(t, "the fact", func() bool { return len(left(t, d, "f")) > 0 })
		if n, err := ledger.Parked(d.Read(t.Context())); n != 0 || err != nil {
			t.Errorf("%d facts are parked (%v), want none", n, err)
		}
		if failures != 5 {
			t.Errorf("the step ran %d times, want 5", failures)
		}
	})
}

func TestFollowerLeavesNoGoroutineBehind(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		effects(t, d)
		before := goleak.IgnoreCurrent()
		stop := follow(t, l, ledger.Follower{Name: "f", Step: leave("f")})
		appendFacts(t, d, l, happened("a"))
		await(t, "the fact", func() bool { return len(left(t, d, "f")) == 1 })
		stop()
		goleak.VerifyNone(t, before)
	})
}

func TestCancelledFollowerDoesNothing(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		appendFacts(t, d, l, happened("a"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := l.Follow(ctx, ledger.Follower{Name: "f", Step: func(*db.Tx, []*fact.Fact) error {
			t.Error("a step was taken for a context that had ended")
			return nil
		}})
		if err != nil {
			t.Errorf("Follow: %v", err)
		}
	})
}

// Facts of other kinds cost no transactions, and are not looked at again for ever.
func TestFollowerIsGivenItsKindsOnly(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		effects(t, d)
		mine := func(subject string) *fact.Fact {
			f := happened(subject)
			f.Kind = fact.CheckinAdmitted
			return f
		}
		f := ledger.Follower{Name: "f", Step: leave("f"), Kinds: []fact.Kind{fact.CheckinAdmitted}, Batch: 7}
		behind := func() bool {
			lag, err := l.Behind(t.Context(), f, time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			return lag > 0
		}
		others := func(n int) {
			var facts []*fact.Fact
			for range n {
				facts = append(facts, happened("x"))
			}
			appendFacts(t, d, l, facts...)
		}
		cursors := func() int {
			n, err := db.One(d.Read(t.Context()), db.Value[int], "SELECT count(*) FROM ledger_cursors WHERE name = 'f'")
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		others(30)
		if behind() {
			t.Error("it is behind with nothing of its kinds")
		}
		stop := follow(t, l, f)
		others(10)
		stop()
		if n := cursors(); n != 0 {
			t.Error("the cursor moved for other kinds alone")
		}
		appendFacts(t, d, l, mine("1"))
		if !behind() {
			t.Error("it is not behind")
		}
		others(3)
		appendFacts(t, d, l, mine("2"))
		stop = follow(t, l, f)
		await(t, "the follower", func() bool { return !behind() })
		stop()
		if diff := cmp.Diff([]string{"1", "2"}, left(t, d, "f")); diff != "" {
			t.Errorf("effects (-want +got):\n%s", diff)
		}
		before, err := l.After(d.Read(t.Context()), ledger.Place{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			others(1_000)
		}
		stop = follow(t, l, ledger.Follower{Name: "f", Step: leave("f"), Kinds: f.Kinds})
		await(t, "the cursor", func() bool {
			n, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT seq FROM ledger_cursors WHERE name = 'f'")
			return err == nil && n > before[len(before)-1].Fact.ID.Seq
		})
		stop()
	})
}
