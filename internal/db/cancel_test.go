package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

func TestCallerThatGoesAwayBeforeItsTurnHasNoEffect(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		release := occupy(t, d)
		ctx, cancel := context.WithCancel(context.Background())
		gone, stayed := make(chan error, 1), make(chan error, 1)
		go func() {
			gone <- d.Write(ctx, "", func(tx *db.Tx) error {
				t.Error("the function of a caller that had gone away was run")
				return note("gone")(tx)
			})
		}()
		go func() { stayed <- d.Write(context.Background(), "", note("stayed")) }()
		await(t, "both to be handed in", func() bool { return d.Waiting() == 2 })
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("Write of a caller that went away: %v, want context.Canceled", err)
		}
		release()
		if err := <-stayed; err != nil {
			t.Errorf("Write of a caller that stayed: %v", err)
		}
		if has(t, d, "gone") || !has(t, d, "stayed") {
			t.Error("the notes do not agree with what the callers were told")
		}
	})
}

func TestContextThatHasEndedRunsNothing(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ran := func(*db.Tx) error { t.Error("a function was run for a context that had ended"); return nil }
		for range 100 { // it must not be a matter of luck
			_, read := d.Read(ctx).Query("SELECT 1")
			for call, err := range map[string]error{
				"Write":      d.Write(ctx, "", ran),
				"WriteAlone": d.WriteAlone(ctx, ran),
				"Configure":  d.Configure(ctx, ran),
				"Read":       read,
			} {
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("%s with a context that has ended: %v, want context.Canceled", call, err)
				}
			}
		}
	})
}

func TestCallerThatGoesAwayDuringItsTurnGetsTheTrueResult(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ways := map[string]func(context.Context, func(*db.Tx) error) error{
			"Write":      func(ctx context.Context, fn func(*db.Tx) error) error { return d.Write(ctx, "", fn) },
			"WriteAlone": d.WriteAlone,
			"Configure":  d.Configure,
		}
		for name, write := range ways {
			for _, want := range []error{nil, errRefused} {
				ctx, cancel := context.WithCancel(context.Background())
				err := write(ctx, func(tx *db.Tx) error {
					cancel()
					if err := note(name)(tx); err != nil {
						return err
					}
					return want
				})
				if !errors.Is(err, want) {
					t.Errorf("%s whose caller goes away while it runs: %v, want %v", name, err, want)
				}
				if there := has(t, d, name); there != (want == nil) {
					t.Errorf("%s answered %v and the note is there: %v", name, err, there)
				}
				empty(t, d)
			}
		}
	})
}

func TestReadEndsWithItsContext(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := db.All(d.Read(ctx), db.Value[int64], `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000000) SELECT i FROM n`)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a long read whose context ended: %v, want context.Canceled", err)
		}
		if n := count(t, d); n != 0 {
			t.Errorf("count after that: %d", n)
		}
	})
}
