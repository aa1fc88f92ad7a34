package pull_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

func TestTheAuditFindsWhatWasPlanted(t *testing.T) {
	for name, sql := range map[string]string{
		"an event moved on without its count": `UPDATE pull_events SET state = 1, fetched_at = at WHERE state = 0`,
		"a count":                             `UPDATE pull_counts SET stored = stored + 1`,
		"counts gone":                         `DELETE FROM pull_counts WHERE NOT past`,
		"a payload gone":                      `DELETE FROM pull_payloads`,
		"a payload cut":                       `UPDATE pull_payloads SET body = head`,
		"an event gone":                       `DELETE FROM pull_events WHERE state = 0`,
		"an erasure forgotten":                `DELETE FROM pull_erasures`,
		"a key gone":                          `DELETE FROM pull_keys`,
		"a key of another event":              `UPDATE pull_keys SET seq = seq + 1`,
		"a delivery without an instant":       `UPDATE pull_events SET delivered_at = NULL WHERE state = 2`,
		"a lease on what is stored":           `UPDATE pull_events SET due = 5 WHERE state = 0`,
		"an endpoint gone":                    `DELETE FROM pull_endpoints`,
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, dbtest.Open(t, dbtest.SQLite(t)), pull.Config{})
			e := h.make(me, typed)
			deleted, delivered := h.take(e.to("1")), h.take(e.to("2"))
			h.take(e.to("3", "X-Id", "k"))
			if _, err := h.remove(e, deleted); err != nil {
				t.Fatal(err)
			}
			if _, err := h.ack(e, delivered); err != nil {
				t.Fatal(err)
			}
			h.sound()
			h.do("plant", func(tx *db.Tx) error { _, err := tx.Exec(sql); return err })
			if bad, err := pull.Audit(h.read()); err != nil || len(bad) == 0 {
				t.Errorf("Audit: %q, %v; want a sentence", bad, err)
			}
		})
	}
}

func TestErasedPeopleAreInNoTable(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		const who = "ada@example.com"
		settings := typed
		settings.Description = "ask ada@example.com"
		e, stranger := h.make(me, settings), h.make(other, settings)
		in := e.to("{}")
		in.Head = []byte("X-From: Ada@example.com\r\n")
		theirs := []id.Received{
			h.take(e.to(`{"mail":"ada@example.com"}`)), h.take(in), h.take(e.to("x", "X-Type", who)), h.take(e.to(`{"mail":"\u0061da%40example.com"}`)),
		}
		plain := h.take(e.to(`{"mail":"bada@example.com"}`))
		foreign := h.take(stranger.to(who))
		bad := e.to("", "User-Agent", "mail "+who)
		bad.Secret = "x"
		_, _ = h.send(bad)
		h.rejections(me, pull.RejectionFilter{})
		for range 25 { // more than one page
			h.take(e.to("nothing"))
		}
		late := h.take(e.to(who))
		n, err := pull.EraseTraces(t.Context(), h.db, 1, person.Of(who))
		if err != nil || n != len(theirs)+2 {
			t.Errorf("EraseTraces: %d, %v; want %d events and a rejection", n, err, len(theirs)+1)
		}
		for _, i := range append(theirs, late) {
			v, p, err := h.fetch(e, i)
			if err != nil || !p.Erased || p.Body != nil || p.Head != nil || v.Type != "" {
				t.Errorf("an erased event: %+v, %+v, %v", v, p, err)
			}
		}
		if _, p, err := h.fetch(e, plain); err != nil || p.Erased || !strings.Contains(string(p.Body), "bada@") {
			t.Errorf("an event of somebody else: %+v, %v", p, err)
		}
		if _, p, _ := h.fetch(stranger, foreign); p.Erased {
			t.Error("another organisation's event was erased")
		}
		if r := h.rejections(me, pull.RejectionFilter{}); len(r) != 1 || strings.Contains(r[0].Headers, who) {
			t.Errorf("rejections: %+v", r)
		}
		if got, err := h.depot.Get(h.read(), me, e.ID); err != nil || got.Description != "" {
			t.Errorf("the endpoint's description is %q, %v", got.Description, err)
		}
		if found, _, _, err := pull.Mentions(h.read(), 1, 0, person.Of(who)); err != nil || len(found) != 0 {
			t.Errorf("Mentions after erasing: %d, %v", len(found), err)
		}
		if n, err = pull.EraseTraces(t.Context(), h.db, 0, person.Of(who)); err != nil || n != 1 {
			t.Errorf("EraseTraces of all organisations: %d, %v; want 1", n, err)
		}
		h.sound()
	})
}

func TestMetricsAreOfWhatCame(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		e, sibling, stranger := h.make(me, pull.Settings{RetentionDays: 1}), h.make(me, pull.Settings{}), h.make(other, pull.Settings{})
		step := func(in pull.Window, only *pull.Endpoint) (m pull.Metrics, sum pull.Counts, steps int) {
			t.Helper()
			m, err := h.depot.Metrics(h.read(), me, in, only)
			if err != nil {
				t.Fatal(err)
			}
			series, err := h.depot.Series(h.read(), me, in, only)
			if err != nil {
				t.Fatal(err)
			}
			for i, b := range series {
				sum.Stored, sum.Fetched, sum.Delivered = sum.Stored+b.Stored, sum.Fetched+b.Fetched, sum.Delivered+b.Delivered
				if i > 0 && !b.Start.After(series[i-1].Start) {
					t.Errorf("step %d of %s begins at %v, after %v", i, in, b.Start, series[i-1].Start)
				}
			}
			if sum != m.Counts {
				t.Errorf("%s: the metrics are %+v and the series comes to %+v", in, m.Counts, sum)
			}
			return m, sum, len(series)
		}
		a, b, c := h.take(e.to("1")), h.take(e.to("2")), h.take(e.to("3"))
		h.take(sibling.to("4"))
		h.take(stranger.to("5"))
		h.forward(10 * time.Second)
		for _, i := range []id.Received{a, b} {
			if _, _, err := h.fetch(e, i); err != nil {
				t.Fatal(err)
			}
		}
		h.forward(20 * time.Second)
		if _, err := h.ack(e, a); err != nil {
			t.Fatal(err)
		}
		if _, err := h.remove(e, c); err != nil {
			t.Fatal(err)
		}
		m, _, steps := step(pull.Hour, e.Endpoint)
		if m.Counts != (pull.Counts{Stored: 1, Fetched: 1, Delivered: 1}) || steps != 60 || m.Wait.Round(5*time.Second) != 10*time.Second || m.Latency.Round(5*time.Second) != 30*time.Second {
			t.Errorf("metrics of an endpoint: %+v in %d steps", m, steps)
		}
		if m, _, _ := step(pull.Hour, nil); m.Total() != 4 {
			t.Errorf("metrics of all endpoints: %+v, want 4", m)
		}
		for in, want := range map[pull.Window]int{pull.Day: 96, pull.Week: 168, pull.Month: 30} {
			if m, _, steps := step(in, nil); m.Total() != 4 || steps != want {
				t.Errorf("metrics of %s: %+v in %d steps", in, m, steps)
			}
		}
		// What is over still counts in metrics, and folding changes no sum.
		h.forward(26 * time.Hour)
		h.take(sibling.to("6"))
		before, _, _ := step(pull.Week, nil)
		counts := h.counts(sibling)
		for range 2 {
			if err := h.depot.Tidy(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := h.depot.Fold(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.sound()
		}
		if after, _, _ := step(pull.Week, nil); after != before || before.Total() != 5 {
			t.Errorf("metrics before folding %+v, after %+v", before, after)
		}
		if got := h.counts(sibling); got != counts || h.counts(e).Total() != 0 {
			t.Errorf("counts after folding: %+v and %+v, want %+v and none", got, h.counts(e), counts)
		}
		if m, _, _ := step(pull.Hour, nil); m.Total() != 1 {
			t.Errorf("metrics of the hour: %+v", m)
		}
		h.forward(32 * 24 * time.Hour)
		if err := h.depot.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := h.depot.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := db.One(h.read(), db.Value[int], `SELECT count(*) FROM pull_counts WHERE org_id = 1`); err != nil || n != 0 {
			t.Errorf("%d counts are left of events of last month (%v)", n, err)
		}
		_, err := h.depot.Metrics(h.read(), me, "2h", nil)
		is(t, "metrics of an unknown window", err, problem.Invalid, "")
	})
}

func TestManyCountsAreFoldedIntoFew(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)), pull.Config{})
	e := h.make(me, pull.Settings{})
	h.do("plant", func(tx *db.Tx) error {
		minute := time.Minute.Microseconds()
		start := h.now().Add(-72*time.Hour).UnixMicro() / minute * minute
		for i := range int64(3000) {
			if err := tx.Later(`INSERT INTO pull_counts (endpoint_no, bucket, past, shard, org_id, stored, fetched, delivered, bytes, waits, wait, life)
				VALUES ($1, $2, FALSE, $3, 1, 1, 0, 0, 0, 0, 0, 0)`, e.No, start+i/2*minute, i%2+1); err != nil {
				return err
			}
		}
		return nil
	})
	if err := h.depot.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	n, err := db.One(h.read(), db.Value[int], `SELECT count(*) FROM pull_counts`)
	if err != nil || n > 27 || h.counts(e).Stored != 3000 {
		t.Errorf("25 hours are in %d counts that come to %d (%v), want 26 that come to 3000", n, h.counts(e).Stored, err)
	}
}

func TestRunWritesRefusalsDownAndTidies(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)), pull.Config{})
	e := h.make(me, pull.Settings{})
	i := h.take(e.to("secret"))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { h.depot.Run(ctx) })
	if _, err := h.remove(e, i); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(60 * time.Second); ; {
		n, err := db.One(h.read(), db.Value[int], `SELECT count(*) FROM pull_payloads`)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a deleted payload is not removed, though the depot runs")
		}
		time.Sleep(time.Millisecond)
	}
	bad := e.to("")
	bad.Secret = "x"
	_, _ = h.send(bad)
	stop()
	wg.Wait()
	if n, err := db.One(h.read(), db.Value[int], `SELECT count(*) FROM pull_rejections`); n != 1 || err != nil {
		t.Errorf("%d rejections are on disk after the depot has stopped (%v), want 1", n, err)
	}
}

// model is what an endpoint should be, in a few words.
type model struct {
	status  map[id.Received]pull.Status
	deleted map[id.Received]bool
	leased  map[id.Received]time.Time
	tokens  map[id.Received]string
	keys    map[string]id.Received
	order   []id.Received
}

func (m *model) draw(t *rapid.T) id.Received {
	if len(m.order) == 0 {
		return id.Received{Millis: 1, Seq: 1 << 50}
	}
	return rapid.SampledFrom(m.order).Draw(t, "event")
}

func (m *model) counts() (c pull.Counts) {
	for i, s := range m.status {
		switch {
		case m.deleted[i]:
		case s == pull.Stored:
			c.Stored++
		case s == pull.Fetched:
			c.Fetched++
		default:
			c.Delivered++
		}
	}
	return c
}

func TestADepotIsAsItsModel(t *testing.T) {
	each(t, pull.Config{}, func(t *testing.T, h *house) {
		rapid.Check(t, func(t *rapid.T) {
			e := h.make(pull.Whose{Org: rand.Int64N(1 << 40)}, typed)
			m := &model{map[id.Received]pull.Status{}, map[id.Received]bool{}, map[id.Received]time.Time{}, map[id.Received]string{}, map[string]id.Received{}, nil}
			t.Repeat(map[string]func(*rapid.T){
				"receive": func(t *rapid.T) {
					key := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "key")
					var header []string
					if key != "" {
						header = []string{"X-Id", key}
					}
					got, err := h.send(e.to("x", header...))
					if first, ok := m.keys[key]; err != nil || ok != got.Duplicate || ok && got.Event != first {
						t.Fatalf("Receive under %q: %+v, %v; want %v (%v)", key, got, err, first, ok)
					}
					if got.Duplicate {
						return
					}
					if key != "" {
						m.keys[key] = got.Event
					}
					m.status[got.Event] = pull.Stored
					m.order = append(m.order, got.Event)
				},
				"fetch": func(t *rapid.T) {
					i := m.draw(t)
					v, _, err := h.fetch(e, i)
					want, ok := m.status[i]
					if ok = ok && !m.deleted[i]; ok != (err == nil) {
						t.Fatalf("Fetch: %v, want it to work: %v", err, ok)
					}
					if ok && want == pull.Stored {
						want = pull.Fetched
						m.status[i] = want
					}
					if ok && v.Status != want {
						t.Fatalf("Fetch gives %s, want %s", v.Status, want)
					}
				},
				"ack": func(t *rapid.T) {
					if len(m.order) == 0 {
						return
					}
					ids := rapid.SliceOfN(rapid.SampledFrom(m.order), 1, 5).Draw(t, "events")
					want := 0
					for _, i := range ids {
						if !m.deleted[i] && m.status[i] != pull.Delivered {
							m.status[i] = pull.Delivered
							delete(m.leased, i)
							want++
						}
					}
					if n, err := h.ack(e, ids...); n != want || err != nil {
						t.Fatalf("Ack: %d, %v; want %d", n, err, want)
					}
				},
				"delete": func(t *rapid.T) {
					i := m.draw(t)
					r, err := h.remove(e, i)
					_, ok := m.status[i]
					if ok != (err == nil) || ok && (r.Outcome == pull.AlreadyDeleted) != m.deleted[i] {
						t.Fatalf("Delete: %+v, %v", r, err)
					}
					if ok {
						m.deleted[i] = true
						delete(m.leased, i)
						for k, of := range m.keys {
							if of == i {
								delete(m.keys, k)
							}
						}
					}
				},
				"claim": func(t *rapid.T) {
					limit := rapid.IntRange(1, 5).Draw(t, "limit")
					free := 0
					now := h.now()
					for i, s := range m.status {
						if s != pull.Delivered && !m.deleted[i] && !m.leased[i].After(now) {
							free++
						}
					}
					all, err := h.claim(e, pull.ClaimInput{Limit: limit, Lease: time.Hour})
					if err != nil || len(all) != min(limit, free) {
						t.Fatalf("Claim of %d: %d, %v; %d are free", limit, len(all), err, free)
					}
					for _, c := range all {
						i := c.Event.ID
						if m.leased[i].After(now) || m.status[i] == pull.Delivered || m.deleted[i] {
							t.Fatalf("Claim gives %+v, which is not free", c)
						}
						m.status[i], m.leased[i], m.tokens[i] = pull.Fetched, c.LeasedUntil, c.Token
					}
				},
				"release": func(t *rapid.T) {
					i := m.draw(t)
					err := h.write(func(tx *db.Tx) error { return h.depot.Release(tx, e.Endpoint, m.tokens[i]) })
					if held := m.leased[i].After(h.now()); held != (err == nil) {
						t.Fatalf("Release: %v, and it is held: %v", err, held)
					}
					delete(m.leased, i)
				},
				"wait": func(*rapid.T) { h.forward(40 * time.Minute) },
				"fold": func(t *rapid.T) {
					if rapid.IntRange(0, 5).Draw(t, "now and then") == 0 {
						if err := h.depot.Fold(context.Background()); err != nil {
							t.Fatal(err)
						}
					}
				},
				"": func(t *rapid.T) {
					if c, err := h.depot.Counts(h.read(), e.Endpoint); err != nil || c != m.counts() {
						t.Fatalf("Counts: %+v, %v; want %+v", c, err, m.counts())
					}
					var want []id.Received
					for _, i := range m.order {
						if !m.deleted[i] {
							want = append(want, i)
						}
					}
					page, _, err := h.depot.Events(h.read(), e.Endpoint, pull.Filter{}, pull.Cursor{}, 1000)
					var got []id.Received
					for _, v := range page {
						got = append(got, v.ID)
						if v.Status != m.status[v.ID] {
							t.Fatalf("%s is %s, want %s", v.ID, v.Status, m.status[v.ID])
						}
					}
					if err != nil || !slices.Equal(got, want) {
						t.Fatalf("Events: %v, %v; want %v", got, err, want)
					}
				},
			})
			if bad, err := pull.Audit(h.read()); err != nil || len(bad) > 0 {
				t.Fatalf("Audit: %q, %v", bad, err)
			}
		})
	})
}

func TestManyEventsCostNoMore(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)), pull.Config{})
	for what, c := range map[string]struct{ sql, index string }{
		"a list": {`SELECT seq FROM pull_events v WHERE v.endpoint_no = 1 AND +v.org_id = 1 AND v.state = 0 AND (v.at, v.seq) > (1, 1) AND (v.at, v.seq) < (9, 9) ORDER BY v.at, v.seq LIMIT 5`, "pull_events_of "},
		"a list by type": {`SELECT seq FROM pull_events v WHERE v.endpoint_no = 1 AND +v.org_id = 1 AND v.state = 0 AND v.type = 'a' AND v.type <> '' AND (v.at, v.seq) > (1, 1)
				AND (v.at, v.seq) < (9, 9) ORDER BY v.at, v.seq LIMIT 5`, "pull_events_by_type "},
		"a claim":                         {`SELECT seq FROM pull_events v WHERE v.endpoint_no = 1 AND +v.org_id = 1 AND v.state = 1 AND v.due <= 5 AND v.at > 1 ORDER BY v.due, v.seq LIMIT 5`, "pull_events_due "},
		"whether a claim finds something": {`SELECT 1 FROM pull_events v WHERE v.endpoint_no = 1 AND +v.org_id = 1 AND v.state = 1 AND v.due <= 5 AND +v.at > 1`, "pull_events_due "},
		"a stream that goes on":           {`SELECT seq FROM pull_events WHERE endpoint_no = 1 AND +state < 3 AND +at > 1 AND seq > 5 ORDER BY seq LIMIT 5`, "pull_events_tail "},
		"a stream that begins":            {`SELECT seq FROM pull_events WHERE endpoint_no = 1 ORDER BY seq DESC LIMIT 1`, "pull_events_tail "},
	} {
		plan, err := db.All(h.read(), func(r db.Rows) (string, error) {
			var a, b, c int
			var text string
			return text, r.Scan(&a, &b, &c, &text)
		}, "EXPLAIN QUERY PLAN "+c.sql)
		if text := strings.Join(plan, "; "); err != nil || !strings.Contains(text+" ", c.index) || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s is planned as %q, %v; want the index %s and no sorting", what, text, err, c.index)
		}
	}
}
