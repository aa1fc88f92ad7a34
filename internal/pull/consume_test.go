package pull_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/provider"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

var typed = pull.Settings{EventType: provider.EventType{Source: "header", Path: "X-Type"}, DedupHeaders: []string{"X-Id"}}

func TestStatusesOnlyGoForward(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, pull.Settings{})
		i := h.take(e.to("body"))
		if p, err := h.depot.Payload(h.read(), e.Endpoint, h.find(e, i)); err != nil || string(p.Body) != "body" || h.find(e, i).Status != pull.Stored {
			t.Errorf("a preview: %q, %v, and the event is %s", p.Body, err, h.find(e, i).Status)
		}
		h.forward(time.Second)
		v, p, err := h.fetch(e, i)
		if err != nil || v.Status != pull.Fetched || string(p.Body) != "body" {
			t.Fatalf("Fetch: %+v, %q, %v", v, p.Body, err)
		}
		first := h.find(e, i)
		if d := cmp.Diff(v, first, cmp.AllowUnexported(pull.Event{})); d != "" {
			t.Errorf("Fetch and Find differ: %s", d)
		}
		h.forward(time.Second)
		if v, _, _ := h.fetch(e, i); !v.FetchedAt.Equal(first.FetchedAt) {
			t.Errorf("fetched again: %v, want the first time, %v", v.FetchedAt, first.FetchedAt)
		}
		if n, err := h.ack(e, i); n != 1 || err != nil {
			t.Errorf("Ack: %d, %v", n, err)
		}
		h.forward(time.Second)
		if v, _, err := h.fetch(e, i); err != nil || v.Status != pull.Delivered || !v.FetchedAt.Equal(first.FetchedAt) {
			t.Errorf("fetched after the ack: %+v, %v; want delivered", v, err)
		}
		if n, err := h.ack(e, i, i); n != 0 || err != nil {
			t.Errorf("Ack again: %d, %v", n, err)
		}
		timing := h.find(e, i).Timing()
		if timing.ToFetch == nil || *timing.ToFetch < time.Second || timing.ToAck == nil || *timing.ToAck < time.Second || *timing.Total != *timing.ToFetch+*timing.ToAck {
			t.Errorf("timing: %+v", timing)
		}
		skipped := h.take(e.to(""))
		if n, err := h.ack(e, skipped); n != 1 || err != nil {
			t.Errorf("Ack of what was never fetched: %d, %v", n, err)
		}
		if v, _, _ := h.fetch(e, skipped); v.Status != pull.Delivered || !v.FetchedAt.IsZero() || v.Timing().ToAck != nil || v.Timing().Total == nil {
			t.Errorf("acknowledged without a fetch, then fetched: %+v", v)
		}
		if c := h.counts(e); c != (pull.Counts{Delivered: 2}) {
			t.Errorf("counts: %+v", c)
		}
		h.sound()
	})
}

// Security checklist 42: ack is idempotent, and all or nothing.
func TestSecurity42AnAckIsAllOrNothing(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e, sibling := h.make(me, pull.Settings{}), h.make(me, pull.Settings{})
		a, b, gone, foreign := h.take(e.to("")), h.take(e.to("")), h.take(e.to("")), h.take(sibling.to(""))
		if _, err := h.remove(e, gone); err != nil {
			t.Fatal(err)
		}
		for name, bad := range map[string]id.Received{"foreign": foreign, "unknown": {Millis: a.Millis, Seq: a.Seq + 1000}, "of another instant": {Millis: a.Millis - 1, Seq: a.Seq}} {
			_, err := h.ack(e, a, bad, b)
			is(t, "Ack with one that is "+name, err, problem.Invalid, "validation_failed")
			if p := problem.As(err); p != nil && (len(p.Fields) != 1 || p.Fields[0].Pointer != "/event_ids/1") {
				t.Errorf("Ack with one that is %s names %+v, want /event_ids/1", name, p.Fields)
			}
			if c := h.counts(e); c != (pull.Counts{Stored: 2}) {
				t.Errorf("after an ack that was refused: %+v, want nothing acknowledged", c)
			}
		}
		_, err := h.ack(e)
		is(t, "Ack of none", err, problem.Invalid, "")
		_, err = h.ack(e, make([]id.Received, pull.MaxAck+1)...)
		is(t, "Ack of too many", err, problem.Invalid, "")
		if n, err := h.ack(e, a, gone, a, b); n != 2 || err != nil {
			t.Errorf("Ack of two, one of them twice, and a deleted one: %d, %v; want 2", n, err)
		}
		var wg sync.WaitGroup
		c := h.take(e.to(""))
		sum := make([]int, 20)
		for i := range sum {
			wg.Go(func() {
				var err error
				if sum[i], err = h.ack(e, a, b, c); err != nil {
					t.Errorf("Ack: %v", err)
				}
			})
		}
		wg.Wait()
		total := 0
		for _, n := range sum {
			total += n
		}
		if total != 1 {
			t.Errorf("twenty consumers acknowledged one event %d times", total)
		}
		h.sound()
	})
}

// Security checklist 42: what is leased is nobody else's, and what is never acknowledged comes back.
func TestSecurity42LeasesKeepConsumersApartAndComeBack(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		second := open(t, h.db, pull.Config{})
		e := h.make(me, pull.Settings{})
		want := map[id.Received]bool{}
		for i := range 60 {
			want[h.take(e.to(fmt.Sprint(i)))] = true
		}
		var mu sync.Mutex
		got := map[id.Received]int{}
		tokens := map[string]bool{}
		var wg sync.WaitGroup
		for consumer := range 6 {
			wg.Go(func() {
				where := h
				if consumer%2 == 1 {
					where = second
				}
				for range 10 {
					all, err := where.claim(e, pull.ClaimInput{Limit: 4})
					if err != nil {
						t.Errorf("Claim: %v", err)
					}
					mu.Lock()
					for _, c := range all {
						got[c.Event.ID]++
						tokens[c.Token] = true
						if c.Status != pull.Fetched || len(c.Body) == 0 || c.LeasedUntil.IsZero() {
							t.Errorf("claimed: %+v", c)
						}
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for i := range want {
			if got[i] != 1 {
				t.Errorf("event %s was claimed %d times under one lease, want once", i, got[i])
			}
		}
		if len(tokens) != 60 {
			t.Errorf("%d leases have different tokens, want 60", len(tokens))
		}
		if all, err := h.claim(e, pull.ClaimInput{Limit: 100}); err != nil || len(all) != 0 {
			t.Errorf("with everything under a lease, a claim gives %d, %v", len(all), err)
		}
		h.forward(pull.DefaultLease + time.Second)
		all, err := h.claim(e, pull.ClaimInput{Limit: 100, Lease: pull.MaxLease})
		if err != nil || len(all) != 60 {
			t.Errorf("when all leases are over, a claim gives %d, %v; want 60", len(all), err)
		}
		if c := h.counts(e); c != (pull.Counts{Fetched: 60}) {
			t.Errorf("counts: %+v", c)
		}
		if n, err := h.ack(e, all[0].Event.ID); n != 1 || err != nil {
			t.Errorf("Ack: %d, %v", n, err)
		}
		h.forward(pull.MaxLease)
		if all, err = h.claim(e, pull.ClaimInput{Limit: 100}); err != nil || len(all) != 59 {
			t.Errorf("after an ack, %d come back, %v; want 59", len(all), err)
		}
		h.sound()
	})
}

func TestLeasesAreExtendedAndReleased(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e, sibling := h.make(me, typed), h.make(me, typed)
		h.take(e.to("1", "X-Type", "a"))
		h.take(e.to("2", "X-Type", "b"))
		extend := func(e endpoint, token string, d time.Duration) (until time.Time, err error) {
			err = h.write(func(tx *db.Tx) (err error) { until, err = h.depot.Extend(tx, e.Endpoint, token, d); return err })
			return until, err
		}
		release := func(token string) error {
			return h.write(func(tx *db.Tx) error { return h.depot.Release(tx, e.Endpoint, token) })
		}
		one := func(in pull.ClaimInput) pull.Claimed {
			t.Helper()
			all, err := h.claim(e, in)
			if err != nil || len(all) != 1 {
				t.Fatalf("Claim(%+v): %d, %v; want one", in, len(all), err)
			}
			return all[0]
		}
		b := one(pull.ClaimInput{Limit: 10, Lease: 10 * time.Second, Type: "b"})
		if b.Type != "b" || string(b.Body) != "2" {
			t.Errorf("claimed by type: %+v", b)
		}
		h.forward(8 * time.Second)
		until, err := extend(e, b.Token, 10*time.Second)
		if left := until.Sub(h.now()); err != nil || left > 10*time.Second || left < time.Second {
			t.Errorf("Extend: until %v, %v left, %v", until, left, err)
		}
		h.forward(8 * time.Second)
		if all, _ := h.claim(e, pull.ClaimInput{Limit: 10, Type: "b"}); len(all) != 0 {
			t.Errorf("an extended lease does not last: %d", len(all))
		}
		if err := release(b.Token); err != nil {
			t.Errorf("Release: %v", err)
		}
		is(t, "Release again", release(b.Token), problem.Conflict, "lease_lost")
		_, err = extend(e, b.Token, time.Second)
		is(t, "Extend after Release", err, problem.Conflict, "lease_lost")
		again := one(pull.ClaimInput{Limit: 10, Type: "b"})
		if again.Token == b.Token || again.Event.ID != b.Event.ID {
			t.Errorf("released and claimed again: %+v", again)
		}
		h.forward(2 * time.Minute)
		_, err = extend(e, again.Token, time.Second)
		is(t, "Extend of a lease that is over", err, problem.Conflict, "lease_lost")
		last := one(pull.ClaimInput{Limit: 1, Type: "b"})
		_, err = extend(sibling, last.Token, time.Second)
		is(t, "Extend at another endpoint", err, problem.Conflict, "lease_lost")
		for _, token := range []string{"", "lse_", "lse_x", last.Token[:len(last.Token)-4], last.Token + "AAAA", "LSE_" + last.Token[4:], again.Token} {
			_, err = extend(e, token, time.Second)
			is(t, fmt.Sprintf("Extend(%q)", token), err, problem.Conflict, "lease_lost")
		}
		if _, err := h.ack(e, last.Event.ID); err != nil {
			t.Fatal(err)
		}
		is(t, "Release after Ack", release(last.Token), problem.Conflict, "lease_lost")
		for _, in := range []pull.ClaimInput{{Limit: 0}, {Limit: 101}, {Limit: 1, Lease: time.Millisecond}, {Limit: 1, Lease: 13 * time.Hour}, {Limit: 1, Lease: -1}} {
			_, err := h.claim(e, in)
			is(t, fmt.Sprintf("Claim(%+v)", in), err, problem.Invalid, "")
		}
		a := one(pull.ClaimInput{Limit: 10})
		if _, err := h.remove(e, a.Event.ID); err != nil {
			t.Fatal(err)
		}
		is(t, "Release after Delete", release(a.Token), problem.Conflict, "lease_lost")
		h.sound()
	})
}

func TestAClaimHasBoundedPayloads(t *testing.T) {
	each(t, pull.Config{MaxBody: 10 << 20}, func(t *testing.T, h *house) {
		e := h.make(me, pull.Settings{})
		for range 3 {
			in := e.to("")
			in.Body = make([]byte, 5<<20)
			h.take(in)
		}
		in := e.to("")
		in.Body = make([]byte, 9<<20)
		h.take(in)
		for range 4 {
			if all, err := h.claim(e, pull.ClaimInput{Limit: 10}); err != nil || len(all) != 1 {
				t.Errorf("Claim: %d events, %v; want one, for they are large", len(all), err)
			}
		}
	})
}

func TestADeletedEventIsOutOfReachAndStaysInTheLogs(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, typed)
		i := h.take(e.to("secret", "X-Id", "1", "X-Type", "a"))
		stays := h.take(e.to("2", "X-Type", "b"))
		if _, _, err := h.fetch(e, i); err != nil {
			t.Fatal(err)
		}
		r, err := h.remove(e, i)
		if err != nil || r.Outcome != pull.Deleted || r.At.IsZero() {
			t.Fatalf("DeleteEvent: %+v, %v", r, err)
		}
		if again, err := h.remove(e, i); err != nil || again.Outcome != pull.AlreadyDeleted || !again.At.Equal(r.At) {
			t.Errorf("DeleteEvent again: %+v, %v", again, err)
		}
		_, err = h.remove(e, id.Received{Millis: 1, Seq: 1 << 40})
		is(t, "DeleteEvent of none", err, problem.NotFound, "event_not_found")
		_, _, err = h.fetch(e, i)
		is(t, "Fetch of a deleted one", err, problem.Gone, "message_deleted")
		_, err = h.depot.Payload(h.read(), e.Endpoint, h.find(e, i))
		is(t, "Payload of a deleted one", err, problem.Gone, "message_deleted")
		if v := h.find(e, i); !v.Deleted() || v.DeletedBy != "usr_a" || v.Status != pull.Fetched || v.Type != "a" {
			t.Errorf("Find of a deleted one: %+v", v)
		}
		if all := h.list(e, pull.Filter{}, 10); !slices.Equal(all, []id.Received{stays}) {
			t.Errorf("the list has %v, want %v", all, stays)
		}
		for _, f := range []pull.LogFilter{{}, {Endpoint: e.ID}, {Filter: pull.Filter{Type: "a"}}, {Endpoint: e.ID, Filter: pull.Filter{Status: []pull.Status{pull.Fetched}}}} {
			page, _, err := h.depot.Logs(h.read(), me, f, pull.Cursor{}, 10)
			if err != nil || len(page) == 0 || page[0].Event.ID != i || !page[0].Deleted() || page[0].EndpointID != e.ID {
				t.Errorf("Logs(%+v): %+v, %v; want the deleted one first", f, page, err)
			}
		}
		if got, err := h.send(e.to("again", "X-Id", "1")); err != nil || got.Duplicate || got.Event == i {
			t.Errorf("its key after its deletion: %+v, %v; want a new event", got, err)
		}
		h.sound()
		if err := h.depot.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := db.One(h.read(), db.Value[int], `SELECT count(*) FROM pull_payloads WHERE seq = $1`, i.Seq); n != 0 || err != nil {
			t.Errorf("the payload of a deleted event is still in the table after tidying (%v)", err)
		}
		h.sound()
	})
}

func TestBatchesAndAllAreDeleted(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e, sibling := h.make(me, typed), h.make(me, typed)
		foreign := h.take(sibling.to(""))
		var all []id.Received
		for i := range 250 {
			all = append(all, h.take(e.to("", "X-Type", fmt.Sprint(i%2), "X-Id", fmt.Sprint(i))))
		}
		var got []pull.Deletion
		h.do("DeleteBatch", func(tx *db.Tx) (err error) {
			got, err = h.depot.DeleteBatch(tx, e.Endpoint, []id.Received{all[0], foreign, all[0], all[2]}, by)
			return err
		})
		var outcomes []pull.Outcome
		for _, one := range got {
			outcomes = append(outcomes, one.Outcome)
		}
		if want := []pull.Outcome{pull.Deleted, pull.NotFound, pull.AlreadyDeleted, pull.Deleted}; !slices.Equal(outcomes, want) {
			t.Errorf("DeleteBatch: %v, want %v", outcomes, want)
		}
		if h.find(sibling, foreign).Deleted() {
			t.Error("another endpoint's event was deleted")
		}
		is(t, "DeleteBatch of too many", h.write(func(tx *db.Tx) error {
			_, err := h.depot.DeleteBatch(tx, e.Endpoint, make([]id.Received, 101), by)
			return err
		}), problem.Invalid, "")
		if _, err := h.ack(e, all[1], all[3]); err != nil {
			t.Fatal(err)
		}
		deleted, err := h.depot.DeleteAll(t.Context(), e.Endpoint, pull.Filter{Status: []pull.Status{pull.Stored, pull.Fetched}, Type: "1"}, 120, by)
		if err != nil || len(deleted) != 120 || deleted[0] != all[5] {
			t.Errorf("DeleteAll by type and status: %d, %v", len(deleted), err)
		}
		rest, err := h.depot.DeleteAll(t.Context(), e.Endpoint, pull.Filter{}, 1000, by)
		if err != nil || len(rest) != 250-2-120 {
			t.Errorf("DeleteAll of the rest: %d, %v; want %d", len(rest), err, 250-2-120)
		}
		if _, err := h.depot.DeleteAll(t.Context(), e.Endpoint, pull.Filter{}, 1001, by); problem.As(err) == nil {
			t.Errorf("DeleteAll of too many: %v", err)
		}
		if c := h.counts(e); c.Total() != 0 {
			t.Errorf("counts: %+v", c)
		}
		h.sound()
		if err := h.depot.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.sound()
	})
}

// Security checklist 42: retention holds from its instant on, for everything that reads, whenever rows are removed.
func TestSecurity42RetentionIsExactlyOnTime(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		short := pull.Settings{RetentionDays: 2, DedupHeaders: []string{"X-Id"}}
		e, longer := h.make(me, short), h.make(me, pull.Settings{RetentionDays: 3})
		i := h.take(e.to("x", "X-Id", "1"))
		kept := h.take(longer.to("y"))
		received := h.find(e, i).ReceivedAt
		stand := func(at time.Time) *pull.Depot { // a depot whose clock stands
			c := pull.Config{DB: h.db, Ledger: must(ledger.Open(t.Context(), h.db, nil)), Now: func() time.Time { return at }}
			return pull.New(c)
		}
		for _, c := range []struct {
			after time.Duration
			there bool
		}{{48*time.Hour - time.Microsecond, true}, {48 * time.Hour, false}, {48*time.Hour + time.Microsecond, false}} {
			d := stand(received.Add(c.after))
			seen := map[string]bool{}
			_, err := d.Find(h.read(), e.Endpoint, i)
			seen["Find"] = err == nil
			page, _, err := d.Events(h.read(), e.Endpoint, pull.Filter{}, pull.Cursor{}, 10)
			seen["Events"] = len(page) == 1 && err == nil
			logs, _, err := d.Logs(h.read(), me, pull.LogFilter{}, pull.Cursor{}, 10)
			seen["Logs"] = len(logs) == 2 && logs[0].Event.ID == i && err == nil
			logs, _, err = d.Logs(h.read(), me, pull.LogFilter{Endpoint: e.ID}, pull.Cursor{}, 10)
			seen["Logs of the endpoint"] = len(logs) == 1 && err == nil
			n, err := d.Counts(h.read(), e.Endpoint)
			seen["Counts"] = n.Stored == 1 && err == nil
			placed, err := d.After(h.read(), e.Endpoint, ledger.Place{}, 10)
			seen["After"] = len(placed) == 1 && err == nil
			rollback := fmt.Errorf("not now")
			err = h.write(func(tx *db.Tx) error {
				all, err := d.Claim(tx, e.Endpoint, pull.ClaimInput{Limit: 1})
				seen["Claim"] = len(all) == 1 && err == nil
				return rollback
			})
			err2 := h.write(func(tx *db.Tx) error {
				_, _, err := d.Fetch(tx, e.Endpoint, i)
				seen["Fetch"] = err == nil
				return rollback
			})
			err3 := h.write(func(tx *db.Tx) error {
				_, err := d.Ack(tx, e.Endpoint, []id.Received{i})
				seen["Ack"] = err == nil
				return rollback
			})
			if err == nil || err2 == nil || err3 == nil {
				t.Fatal(err, err2, err3)
			}
			for what, is := range seen {
				if is != c.there {
					t.Errorf("%v after it came, %s sees the event: %v, want %v", c.after, what, is, c.there)
				}
			}
		}
		d := stand(received.Add(48*time.Hour - time.Microsecond))
		if err := d.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := db.One(h.read(), db.Value[int], `SELECT count(*) FROM pull_events`); n != 2 || err != nil {
			t.Errorf("tidying a microsecond before leaves %d events (%v), want 2", n, err)
		}
		d = stand(received.Add(48 * time.Hour))
		if err := d.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		for table, want := range map[string]int{"pull_events": 1, "pull_payloads": 1, "pull_keys": 0} {
			if n, err := db.One(h.read(), db.Value[int], `SELECT count(*) FROM `+table); n != want || err != nil {
				t.Errorf("tidying in time leaves %d rows of %s (%v), want %d", n, table, err, want)
			}
		}
		h.sound()
		// Changed retention holds for what is there already.
		update := func(days int) {
			h.do("update", func(tx *db.Tx) (err error) {
				longer.Endpoint, err = h.depot.Update(tx, me, longer.ID, func(s *pull.Settings) error { s.RetentionDays = days; return nil }, 0, by)
				return err
			})
		}
		h.forward(25 * time.Hour)
		update(1)
		_, err := h.depot.Find(h.read(), longer.Endpoint, kept)
		is(t, "Find under a shorter retention", err, problem.NotFound, "event_not_found")
		update(2)
		h.find(longer, kept)
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Security checklist 42: whoever goes through a list by its cursors sees each event once, while others arrive and some change.
func TestSecurity42PagesAreStableWhileEventsArrive(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e := h.make(me, typed)
		var before []id.Received
		for i := range 40 {
			before = append(before, h.take(e.to("", "X-Type", fmt.Sprint(i%3))))
		}
		stop, done := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for n := 0; stop.Err() == nil && n < 500; n++ {
					if _, err := h.send(e.to("", "X-Type", "1")); err != nil {
						t.Errorf("Receive: %v", err)
					}
				}
			})
		}
		for _, f := range []pull.Filter{{}, {Status: []pull.Status{pull.Stored}}, {Type: "1"}} {
			var seen []id.Received
			last := pull.Cursor{}
			for pages := 0; pages < 10; pages++ {
				page, _, err := h.depot.Events(h.read(), e.Endpoint, f, last, 7)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range page {
					if v.ReceivedAt.Before(last.At) {
						t.Errorf("an event of %v comes behind one of %v", v.ReceivedAt, last.At)
					}
					seen, last = append(seen, v.ID), v.Cursor()
				}
			}
			times := map[id.Received]int{}
			for _, i := range seen {
				times[i]++
			}
			for n, i := range before {
				want := 1
				if f.Type != "" && fmt.Sprint(n%3) != f.Type {
					want = 0
				}
				if times[i] != want {
					t.Errorf("%+v: event %d was seen %d times, want %d", f, n, times[i], want)
				}
			}
		}
		done()
		wg.Wait()
		all := h.list(e, pull.Filter{}, 1000)
		h.forward(time.Second)
		// Those that are fetched while somebody goes through the stored ones leave no gap.
		var stored []id.Received
		after := pull.Cursor{}
		for more := true; more; {
			var page []pull.Event
			var err error
			if page, more, err = h.depot.Events(h.read(), e.Endpoint, pull.Filter{Status: []pull.Status{pull.Stored}}, after, 5); err != nil {
				t.Fatal(err)
			}
			for _, v := range page {
				stored, after = append(stored, v.ID), v.Cursor()
				if len(stored) < 30 {
					if _, _, err := h.fetch(e, v.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if !slices.Equal(stored, all) {
			t.Errorf("going through the stored ones while they are fetched gives %d, want all %d in order", len(stored), len(all))
		}
		var newest []id.Received
		after = pull.Cursor{}
		for more := true; more; {
			var page []pull.LogEntry
			var err error
			if page, more, err = h.depot.Logs(h.read(), me, pull.LogFilter{Newest: true}, after, 100); err != nil {
				t.Fatal(err)
			}
			for _, v := range page {
				newest, after = append(newest, v.Event.ID), v.Cursor()
			}
		}
		slices.Reverse(newest)
		if !slices.Equal(newest, all) {
			t.Errorf("the log, newest first, has %d, want all %d the other way round", len(newest), len(all))
		}
		middle := h.find(e, all[20])
		for f, want := range map[string]pull.Filter{
			"since is inclusive": {Since: middle.ReceivedAt}, "before is exclusive": {Before: middle.ReceivedAt},
		} {
			got := h.list(e, want, 1000)
			has := slices.Contains(got, middle.ID)
			if has != (f == "since is inclusive") {
				t.Errorf("%s: the event of that instant is there: %v", f, has)
			}
		}
	})
}

func TestArrivalsAreTailedByTheirPlaces(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e, sibling := h.make(me, typed), h.make(me, typed)
		first := h.take(e.to("1"))
		h.take(sibling.to("2"))
		second := h.take(e.to("3"))
		own, err := h.depot.After(h.read(), e.Endpoint, ledger.Place{}, 10)
		if err != nil || len(own) != 2 || own[0].Row.ID != first || own[1].Row.ID != second {
			t.Fatalf("After: %+v, %v", own, err)
		}
		all, err := h.depot.Arrivals(h.read(), ledger.Place{}, 10)
		if err != nil || len(all) != 3 {
			t.Fatalf("Arrivals: %d, %v; want 3", len(all), err)
		}
		place, ok, err := h.depot.PlaceOf(h.read(), e.Endpoint, first)
		if err != nil || !ok || place != own[0].Place {
			t.Errorf("PlaceOf: %v, %v, %v; want %v", place, ok, err, own[0].Place)
		}
		if rest, err := h.depot.After(h.read(), e.Endpoint, place, 10); err != nil || len(rest) != 1 || rest[0].Row.ID != second {
			t.Errorf("After the first: %+v, %v", rest, err)
		}
		if _, ok, _ := h.depot.PlaceOf(h.read(), sibling.Endpoint, first); ok {
			t.Error("PlaceOf finds another endpoint's event")
		}
	})
}
