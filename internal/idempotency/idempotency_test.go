package idempotency_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func ring(t *testing.T) *seal.Keyring {
	t.Helper()
	r, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// counter is an effect that can be counted: a row of settings.
func count(t *testing.T, d *db.DB) int {
	t.Helper()
	n, err := db.One(d.Read(t.Context()), db.Value[int], `SELECT count(*) FROM settings WHERE name LIKE 'effect %'`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var serial atomic.Int64

// effect writes a row and answers with what is given.
func effect(a idempotency.Answer) idempotency.Effect {
	return func(tx *db.Tx) (idempotency.Answer, error) {
		_, err := tx.Exec(`INSERT INTO settings (name, value) VALUES ('effect ' || $1, '')`, strings.Repeat("x", int(serial.Add(1))))
		return a, err
	}
}

var created = idempotency.Answer{Status: 201, Header: http.Header{"Location": {"/api/v1/orders/order_1"}, "Etag": {`"1"`}}, Body: []byte(`{"orderId":"order_1"}`)}

var request = idempotency.Request{Org: 1, Principal: "key_1", Route: "POST /api/v1/orders", Key: "k-1", Hash: idempotency.Hash([]byte("body"))}

func TestRepeatedRequestHasItsEffectOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := idempotency.New(d, ring(t))
		for name, do := range map[string]func(r idempotency.Request, e idempotency.Effect) (idempotency.Answer, bool, error){
			"Do": func(r idempotency.Request, e idempotency.Effect) (idempotency.Answer, bool, error) {
				return k.Do(t.Context(), r, "", e)
			},
			"DoConfiguring": func(r idempotency.Request, e idempotency.Effect) (idempotency.Answer, bool, error) {
				return k.DoConfiguring(t.Context(), r, e)
			},
		} {
			r := request
			r.Key = name
			before := count(t, d)
			for i := range 3 {
				a, replayed, err := do(r, effect(created))
				if err != nil || replayed != (i > 0) {
					t.Fatalf("%s, time %d: replayed %v, %v; want %v", name, i+1, replayed, err, i > 0)
				}
				if diff := cmp.Diff(created, a); diff != "" {
					t.Errorf("%s, time %d, -first +now:\n%s", name, i+1, diff)
				}
			}
			if n := count(t, d) - before; n != 1 {
				t.Errorf("%s: %d effects, want 1", name, n)
			}
		}
	})
}

func TestWhatWasAnsweredBeforeIsThereToBeAskedFor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k, now := idempotency.New(d, ring(t)), time.Now()
		for _, r := range []idempotency.Request{request, {Org: 1}, {Org: 1, Key: "\n"}} {
			if a, replayed, err := k.Kept(t.Context(), r, now); err != nil || replayed || a.Status != 0 {
				t.Errorf("Kept(%+v) before anything = %+v, %v, %v", r, a, replayed, err)
			}
		}
		if _, _, err := k.Do(t.Context(), request, "", effect(created)); err != nil {
			t.Fatal(err)
		}
		a, replayed, err := k.Kept(t.Context(), request, now)
		if diff := cmp.Diff(created, a); err != nil || !replayed || diff != "" {
			t.Errorf("Kept = %v, %v, -first +now:\n%s", replayed, err, diff)
		}
		if _, replayed, err := k.Kept(t.Context(), request, now.Add(idempotency.Lifetime+time.Minute)); err != nil || replayed {
			t.Errorf("Kept after a day = %v, %v", replayed, err)
		}
		other := request
		other.Hash = idempotency.Hash([]byte("another"))
		if _, replayed, err := k.Kept(t.Context(), other, now); replayed || !problem.Is(err, "idempotency_key_reused") {
			t.Errorf("Kept of another request = %v, %v", replayed, err)
		}
	})
}

func TestKeyBelongsToItsPlace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := idempotency.New(d, ring(t))
		places := []idempotency.Request{request, request, request, request, request}
		places[1].Org = 2
		places[2].Principal = "key_2"
		places[3].Route = "POST /api/v1/messages"
		places[4].Key = "k-2"
		for _, r := range places {
			if _, replayed, err := k.Do(t.Context(), r, "", effect(created)); err != nil || replayed {
				t.Errorf("Do(%+v) replayed %v, %v; want an effect of its own", r, replayed, err)
			}
		}
		r := request
		r.Key = ""
		for range 2 {
			if _, replayed, err := k.Do(t.Context(), r, "", effect(created)); err != nil || replayed {
				t.Errorf("Do without a key replayed %v, %v", replayed, err)
			}
		}
		if n := count(t, d); n != len(places)+2 {
			t.Errorf("%d effects, want %d", n, len(places)+2)
		}
	})
}

func TestKeyIsForOneRequest(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := idempotency.New(d, ring(t))
		if _, _, err := k.Do(t.Context(), request, "", effect(created)); err != nil {
			t.Fatal(err)
		}
		other := request
		other.Hash = idempotency.Hash([]byte("another body"))
		_, _, err := k.Do(t.Context(), other, "", effect(created))
		if p := problem.As(err); p == nil || p.Code != "idempotency_key_reused" || p.Kind.Status() != 422 {
			t.Errorf("Do with another body = %v, want 422 idempotency_key_reused", err)
		}
		for _, key := range []string{strings.Repeat("k", 256), "with space", "tab\t", "ümlaut", "nul\x00"} {
			r := request
			r.Key = key
			if _, _, err := k.Do(t.Context(), r, "", effect(created)); !problem.Is(err, "invalid_idempotency_key") {
				t.Errorf("Do with key %q = %v, want invalid_idempotency_key", key, err)
			}
		}
		if n := count(t, d); n != 1 {
			t.Errorf("%d effects, want 1", n)
		}
	})
}

func TestOnlySuccessIsKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := idempotency.New(d, ring(t))
		refused := problem.New(problem.Conflict, "not_enough_tickets", "Nothing is left.")
		failures := []struct {
			effect idempotency.Effect
			err    error
		}{
			{func(*db.Tx) (idempotency.Answer, error) { return idempotency.Answer{}, refused }, refused},
			{func(tx *db.Tx) (idempotency.Answer, error) {
				_, _ = effect(created)(tx)
				return created, refused
			}, refused},
			{func(*db.Tx) (idempotency.Answer, error) { return idempotency.Answer{Status: 404}, nil }, nil},
		}
		for i, f := range failures {
			if _, replayed, err := k.Do(t.Context(), request, "", f.effect); !errors.Is(err, f.err) || replayed {
				t.Errorf("failure %d: replayed %v, %v; want %v", i, replayed, err, f.err)
			}
		}
		if n := count(t, d); n != 0 {
			t.Errorf("failures left %d effects", n)
		}
		if _, replayed, err := k.Do(t.Context(), request, "", effect(created)); err != nil || replayed {
			t.Errorf("the first success: replayed %v, %v", replayed, err)
		}
	})
}

func TestTwinsGetOneEffectAndTheSameAnswer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := idempotency.New(d, ring(t))
		var first atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				a, replayed, err := k.Do(t.Context(), request, "", effect(created))
				if err != nil || !cmp.Equal(a, created) {
					t.Errorf("twin: %+v, %v", a, err)
				}
				if !replayed {
					first.Add(1)
				}
			})
		}
		wg.Wait()
		if n := count(t, d); n != 1 || first.Load() != 1 {
			t.Errorf("%d effects, %d firsts; want 1", n, first.Load())
		}
	})
}

func TestTwinsOnTwoNodesGetOneEffect(t *testing.T) {
	c := dbtest.PostgreSQL(t)
	a, b := dbtest.Open(t, c), dbtest.Open(t, c)
	nodes := []*idempotency.Keep{idempotency.New(a, ring(t)), idempotency.New(b, ring(t))}
	for i := range 20 {
		r := request
		r.Key = strings.Repeat("k", i+1)
		before := count(t, a)
		// Both are inside of their effect at once, so neither can have seen the other's answer.
		var inside sync.WaitGroup
		inside.Add(2)
		var wg sync.WaitGroup
		var first atomic.Int64
		for _, node := range nodes {
			var met sync.Once
			wg.Go(func() {
				_, replayed, err := node.Do(t.Context(), r, "", func(tx *db.Tx) (idempotency.Answer, error) {
					met.Do(func() { inside.Done(); inside.Wait() })
					return effect(created)(tx)
				})
				if err != nil {
					t.Errorf("twin: %v", err)
				}
				if !replayed {
					first.Add(1)
				}
			})
		}
		wg.Wait()
		if n := count(t, a) - before; n != 1 || first.Load() != 1 {
			t.Errorf("%d effects, %d firsts; want 1", n, first.Load())
		}
	}
}

func TestTwinDoesNotWaitForever(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	k := idempotency.New(d, ring(t))
	k.SetPatience(20 * time.Millisecond)
	entered, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _, err := k.Do(t.Context(), request, "", func(tx *db.Tx) (idempotency.Answer, error) {
			close(entered)
			<-leave
			return created, nil
		})
		if err != nil {
			t.Errorf("the first: %v", err)
		}
	})
	<-entered
	_, _, err := k.Do(t.Context(), request, "", effect(created))
	if p := problem.As(err); p == nil || p.Code != "request_in_progress" || p.Kind.Status() != 409 {
		t.Errorf("a twin of a slow request = %v, want 409 request_in_progress", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := k.Do(gone, request, "", effect(created)); !errors.Is(err, context.Canceled) && !problem.Is(err, "request_in_progress") {
		t.Errorf("a twin whose caller went away = %v", err)
	}
	close(leave)
	wg.Wait()
	if _, replayed, err := k.Do(t.Context(), request, "", effect(created)); err != nil || !replayed {
		t.Errorf("after it was done: replayed %v, %v; want its answer", replayed, err)
	}
}

func TestAnswersAreForgottenAfterADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := idempotency.New(d, ring(t))
		do := func(key string) bool {
			t.Helper()
			r := request
			r.Key = key
			_, replayed, err := k.Do(t.Context(), r, "", effect(created))
			if err != nil {
				t.Fatal(err)
			}
			return replayed
		}
		age := func(by time.Duration) {
			t.Helper()
			err := d.Write(t.Context(), "", func(tx *db.Tx) error {
				_, err := tx.Exec(`UPDATE idempotency SET created_at = created_at - $1`, by.Microseconds())
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		do("a")
		age(23 * time.Hour)
		do("b")
		if n, err := k.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("Sweep after 23 hours = %d, %v; want 0", n, err)
		}
		if !do("a") {
			t.Error("after 23 hours the answer was gone")
		}
		age(time.Hour)
		if do("a") {
			t.Error("after 24 hours the answer was given again")
		}
		if !do("a") || !do("b") {
			t.Error("the new answers were not kept")
		}
		age(24 * time.Hour)
		if n, err := k.Sweep(t.Context()); n != 2 || err != nil {
			t.Errorf("Sweep after a day = %d, %v; want 2", n, err)
		}
	})
}

func TestSweepTakesManySteps(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			rows := make([][]any, 2500)
			for i := range rows {
				rows[i] = []any{int64(1), "p", "r", strings.Repeat("k", i), []byte{1}, int64(201), "", "", []byte{1}, int64(i)}
			}
			return tx.Bulk(db.BulkInsert("idempotency", "", "org_id bigint", "principal text", "route text", "key text", "request_hash bytea",
				"status bigint", "location text", "etag text", "answer bytea", "created_at bigint"), rows)
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := idempotency.New(d, ring(t)).Sweep(t.Context()); n != 2500 || err != nil {
			t.Errorf("Sweep = %d, %v; want 2500", n, err)
		}
	})
}

func TestKeptAnswersAreSealed(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	k := idempotency.New(d, ring(t))
	secret := created
	secret.Body = []byte(`{"email":"kari@example.test"}`)
	if _, _, err := k.Do(t.Context(), request, "", effect(secret)); err != nil {
		t.Fatal(err)
	}
	kept, err := db.One(d.Read(t.Context()), db.Value[[]byte], `SELECT answer FROM idempotency`)
	if err != nil || strings.Contains(string(kept), "kari") {
		t.Errorf("the kept answer is readable: %q, %v", kept, err)
	}
	// Moved to another key it does not open.
	if err := d.Write(t.Context(), "", func(tx *db.Tx) error { _, err := tx.Exec(`UPDATE idempotency SET key = 'k-2'`); return err }); err != nil {
		t.Fatal(err)
	}
	r := request
	r.Key = "k-2"
	if a, _, err := k.Do(t.Context(), r, "", effect(created)); err == nil || problem.As(err) != nil {
		t.Errorf("a moved answer gave %q, %v; want an internal error", a.Body, err)
	}
}

func TestHashTellsWhereAPartEnds(t *testing.T) {
	if cmp.Equal(idempotency.Hash([]byte("ab"), []byte("c")), idempotency.Hash([]byte("a"), []byte("bc"))) {
		t.Error(`Hash("ab", "c") and Hash("a", "bc") are the same`)
	}
}
