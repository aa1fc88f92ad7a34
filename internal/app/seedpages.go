package app

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

// PagesPlan says how much [Core.MakePages] makes.
type PagesPlan struct{ Endpoints, Deliveries, Orders, Entries int }

// PagesMade is where to look at what [Core.MakePages] has made.
type PagesMade struct {
	Org             id.Org
	Email, Password string // of its owner
	Busy, Idle      id.Webhook
	Failed          id.Delivery // of the busy one
	Event           id.Event
	Order           id.Order
}

// monthOf is how far the past goes back that MakePages makes.
const monthOf = 30 * 24 * time.Hour

// MakePages gives the only organisation of an installation that nobody serves a past of thirty days that nobody lived: endpoints, the first of which has three
// deliveries in five, and the last hundredth of which have none; deliveries, of which one in a hundred failed and two in a thousand are still tried; their facts, attempts
// and charts; orders with tickets; entries of the audit log; and an owner who can sign in. It is written in bulk, past the packages whose tables these are: the bench
// has to have a million of them within a minute.
func (c *Core) MakePages(ctx context.Context, n PagesPlan) (made PagesMade, err error) {
	orgs, err := org.All(c.DB.Read(ctx))
	if err != nil {
		return made, err
	}
	if len(orgs) != 1 {
		return made, fmt.Errorf("make pages: there are %d organisations, want one", len(orgs))
	}
	p := &past{c: c, plan: n, owner: orgs[0].No, now: time.Now()}
	made = PagesMade{Org: orgs[0].ID, Email: "owner@example.com", Password: "a long walk to the stage"}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"owner", func(ctx context.Context) error { return p.person(ctx, made.Email, made.Password) }},
		{"endpoints", p.endpoints},
		{"orders", func(ctx context.Context) error { return p.orders(ctx, &made) }},
		{"deliveries", p.deliveries},
		{"log of attempts", p.log},
		{"charts", p.charts},
		{"audit log", p.entries},
		{"cursors", p.cursors},
	} {
		if err := step.do(ctx); err != nil {
			return made, fmt.Errorf("make pages: %s: %w", step.name, err)
		}
	}
	made.Busy, made.Idle = p.hooks[0].ID, p.hooks[len(p.hooks)-1].ID
	for i := n.Deliveries - 1; i >= 0; i-- {
		if d := p.delivery(int64(i)); d.state == 2 && d.hook == 0 {
			made.Failed = d.id
			break
		}
	}
	return made, nil
}

// past is what is being made.
type past struct {
	c     *Core
	plan  PagesPlan
	owner int64
	now   time.Time
	hooks []*endpoint.Endpoint
	first int64 // the number of the first fact
}

func (p *past) person(ctx context.Context, email, password string) error {
	hash, err := p.c.People.Hash(ctx, email, password)
	if err != nil {
		return err
	}
	return p.c.DB.Configure(ctx, func(tx *db.Tx) error {
		by := audit.By{Actor: audit.Operator}
		u, err := p.c.People.Create(tx, org.UserInput{Email: email, Name: "Bench", Password: hash, Verified: true}, by)
		if err != nil {
			return err
		}
		return p.c.People.SetRole(tx, p.owner, u.No, org.Owner, by)
	})
}

const pageKind = "bench.page"

func (p *past) endpoints(ctx context.Context) error {
	had := p.c.Endpoints.Most
	p.c.Endpoints.Most = p.plan.Endpoints + 1000
	defer func() { p.c.Endpoints.Most = had }()
	const some = 500
	for len(p.hooks) < p.plan.Endpoints {
		var hooks []*endpoint.Endpoint
		err := p.c.DB.Configure(ctx, func(tx *db.Tx) error {
			hooks = hooks[:0]
			for i := range min(some, p.plan.Endpoints-len(p.hooks)) {
				n := len(p.hooks) + i
				url, err := p.c.Endpoints.OperatorURL(fmt.Sprintf("https://receiver-%d.example.com/hooks/%d", n%100, n))
				if err != nil {
					return err
				}
				e, err := p.c.Endpoints.Create(tx, p.owner, endpoint.Spec{
					URL: url, Format: "standard", Events: []string{pageKind}, Description: fmt.Sprintf("Receiver %d", n), Inactive: n%50 == 49,
				}, audit.By{Actor: audit.Operator})
				if err != nil {
					return err
				}
				hooks = append(hooks, e)
			}
			return nil
		})
		if err != nil {
			return err
		}
		p.hooks = append(p.hooks, hooks...)
	}
	for i, e := range p.hooks {
		if e.Number != p.hooks[0].Number+int64(i) {
			return fmt.Errorf("endpoint %d has the number %d, want them in a row from %d on", i, e.Number, p.hooks[0].Number)
		}
	}
	return nil
}

func (p *past) orders(ctx context.Context, made *PagesMade) error {
	var e event.Event
	var l inventory.Listing
	err := p.c.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
		e, err = p.c.Events.Create(tx, p.owner, event.Input{
			Name: "An Evening of Figures", StartLocal: "2030-06-14T20:00:00", Timezone: "Europe/Oslo", Venue: "Measure Hall", City: "Oslo", Country: "NO", Currency: "NOK",
		})
		if err != nil {
			return err
		}
		l, err = p.c.Stock.Create(tx, p.owner, inventory.Input{Event: e.ID, Section: "Floor", Row: "1", Quantity: p.plan.Orders + 1, Price: "75.00"})
		return err
	})
	if err != nil {
		return err
	}
	made.Event = e.ID
	var sold atomic.Int64
	sales, ctx := errgroup.WithContext(ctx)
	for range 128 {
		sales.Go(func() error {
			for no := sold.Add(1); no <= int64(p.plan.Orders); no = sold.Add(1) {
				err := p.c.DB.Write(ctx, string(e.ID), func(tx *db.Tx) error {
					o, _, err := p.c.Orders.Place(tx, p.owner, order.Input{
						Event: e.ID, Listing: l.ID, Quantity: 1,
						Customer: order.Customer{Email: fmt.Sprintf("somebody-%d@example.com", no), Phone: order.Phone{Number: "5550100", CountryCode: "+1"}},
					})
					if no == 1 {
						made.Order = o.ID
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return sales.Wait()
}

// seeded is one of the deliveries, as the SQL below has it too.
type seeded struct {
	id       id.Delivery
	hook     int
	at       int64
	state    int
	attempts int
}

// step is the time from one delivery to the next.
func (p *past) step() int64 { return monthOf.Microseconds() / int64(p.plan.Deliveries) }

// begin is when the first was.
func (p *past) begin() int64 { return p.now.Add(-monthOf).UnixMicro() }

// heard is how many endpoints besides the first have deliveries.
func (p *past) heard() int64 { return int64(max(1, p.plan.Endpoints-1-p.plan.Endpoints/100-1)) }

func (p *past) delivery(n int64) seeded {
	d := seeded{at: p.begin() + n*p.step(), state: 1, attempts: 1}
	if n%10 >= 6 {
		d.hook = int(1 + n*7919%p.heard())
	}
	switch {
	case n%200 == 5 || n%200 == 7:
		d.state, d.attempts = 2, 3
	case n%500 == 3:
		d.state = 0
	}
	d.id = id.Delivery{Day: fact.Day(time.UnixMicro(d.at)), Seq: p.first + n, Endpoint: p.hooks[d.hook].Number}
	return d
}

// took is how long an attempt of the delivery took, in microseconds.
func took(n int64) int64 { return 4000 + n*7919%97*(n*31%89)*20 }

const day = int64(24 * time.Hour / time.Microsecond)

// text puts what the delivery n is into a statement.
func (p *past) text(sql string) string {
	return strings.NewReplacer(
		"{at}", fmt.Sprintf("(%d + n * %d)", p.begin(), p.step()), "{day}", fmt.Sprintf("((%d + n * %d) / %d)", p.begin(), p.step(), day),
		"{seq}", fmt.Sprintf("(%d + n)", p.first), "{org}", fmt.Sprint(p.owner),
		"{endpoint}", fmt.Sprintf("(%d + CASE WHEN n %% 10 < 6 THEN 0 ELSE 1 + n * 7919 %% %d END)", p.hooks[0].Number, p.heard()),
		"{state}", "CASE WHEN n % 200 = 5 OR n % 200 = 7 THEN 2 WHEN n % 500 = 3 THEN 0 ELSE 1 END", "{attempts}", "CASE WHEN n % 200 = 5 OR n % 200 = 7 THEN 3 ELSE 1 END",
		"{took}", "(4000 + n * 7919 % 97 * (n * 31 % 89) * 20)",
	).Replace(sql)
}

// series is a table of the numbers from one to another, without the latter.
func (p *past) series(from, to int64) string {
	if p.c.DB.Engine() == db.PostgreSQL {
		return fmt.Sprintf("generate_series(CAST(%d AS BIGINT), %d) AS s (n)", from, to-1)
	}
	return fmt.Sprintf("(WITH RECURSIVE s (n) AS (SELECT %d UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s) s", from, to-1)
}

func (p *past) deliveries(ctx context.Context) error {
	total := int64(p.plan.Deliveries)
	if err := p.write(ctx, func(tx *db.Tx) (err error) { p.first, err = tx.Numbers(int(total)); return err }); err != nil {
		return err
	}
	epoch, epochOf := "", ""
	if p.c.DB.Engine() == db.PostgreSQL {
		epoch, epochOf = ", epoch", ", (SELECT max(epoch) FROM ledger_epochs)"
	}
	const some = 50_000
	for from := int64(0); from < total; from += some {
		numbers := p.series(from, min(from+some, total))
		texts := []string{
			`INSERT INTO facts (seq, day, org_id, kind, subject, version, at, key, only_endpoint, private, data` + epoch + `)
				SELECT {seq}, {day}, {org}, '` + pageKind + `', '', 0, {at}, '', 0, FALSE, '{"page":1,"text":"what happened, in some words"}'` + epochOf + ` FROM ` + numbers,
			`INSERT INTO deliveries (endpoint_id, fact_seq, day, org_id, at, state, due, owner, attempt, series, lane_key)
				SELECT {endpoint}, {seq}, {day}, {org}, {at}, {state}, ` + fmt.Sprint(p.now.Add(20*time.Hour).UnixMicro()) + `, 0, {attempts}, 0, 0 FROM ` + numbers + ` ORDER BY 1, 2`,
		}
		for k := 1; k <= 3; k++ {
			where := ""
			if k > 1 {
				where = " WHERE n % 200 = 5 OR n % 200 = 7"
			}
			texts = append(texts, fmt.Sprintf(`INSERT INTO attempts (endpoint_id, fact_seq, n, day, org_id, at, status, code, detail, dns, connect, tls, first_byte, total,
				body_hash, request_head, response_head, response_body)
				SELECT {endpoint}, {seq}, %d, {day}, {org}, {at} + %d, CASE WHEN n %% 200 = 5 OR n %% 200 = 7 OR n %% 500 = 3 THEN 503 ELSE 200 END, CASE WHEN n %% 200 = 5 OR n %% 200 = 7 OR n %% 500 = 3 THEN 'status' ELSE '' END,
				NULL, 100, 200, 300, {took} - 1000, {took}, CAST('01234567890123456789012345678901' AS %s),
				CASE WHEN n %% 200 = 5 OR n %% 200 = 7 OR n %% 500 = 3 THEN 'Content-Type: application/json' ELSE NULL END, 'Content-Type: text/plain', CAST('thank you' AS %s) FROM %s%s ORDER BY 1, 2`,
				k, 50_000+(k-1)*60_000_000, p.bytes(), p.bytes(), numbers, where))
		}
		err := p.write(ctx, func(tx *db.Tx) error {
			for _, sql := range texts {
				if _, err := tx.Exec(p.text(sql)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *past) bytes() string {
	if p.c.DB.Engine() == db.PostgreSQL {
		return "BYTEA"
	}
	return "BLOB"
}

func (p *past) write(ctx context.Context, do func(tx *db.Tx) error) error {
	return p.c.DB.WriteAlone(ctx, do)
}

// log writes the last week into the log of attempts.
func (p *past) log(ctx context.Context) error {
	const batch, together = 10, 10_000
	for n := int64(p.plan.Deliveries) * 23 / 30; n < int64(p.plan.Deliveries); {
		err := p.write(ctx, func(tx *db.Tx) error {
			first, err := tx.Numbers(together/batch + 1)
			if err != nil {
				return err
			}
			var rows [][]any
			for end := min(n+together, int64(p.plan.Deliveries)); n < end; {
				var b strings.Builder
				var at int64
				for to := min(n+batch, end); n < to; n++ {
					d := p.delivery(n)
					at = d.at
					for k := range d.attempts {
						state, status, code := d.state, 200, ""
						if d.state != 1 {
							status, code = 503, "status"
						}
						if k+1 < d.attempts {
							state = 0
						}
						fmt.Fprintf(&b, "%d %d %d %d %d %d %d %d %s %s %s\n", d.id.Endpoint, d.id.Seq, d.id.Day, k+1, state, status, took(n),
							d.at+50_000+int64(k)*60_000_000, p.hooks[d.hook].ID, code, pageKind)
					}
				}
				rows = append(rows, []any{first + int64(len(rows)), int64(fact.Day(time.UnixMicro(at))), p.owner, at, b.String()})
			}
			return p.c.Engine.AttemptLog().Append(tx, rows...)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// charts counts the attempts as package chart does.
func (p *past) charts(ctx context.Context) error {
	columns, sums, again := "attempts, delivered, failed, retried", "", ""
	for i := range 16 {
		low, high := int64(0), int64(1000)<<i
		if i > 0 {
			low = high / 2
		}
		if i == 15 {
			high = 1 << 60
		}
		columns += fmt.Sprintf(", l%d", i)
		sums += fmt.Sprintf(", sum(CASE WHEN a.total > %d AND a.total <= %d THEN 1 ELSE 0 END)", low, high)
	}
	for c := range strings.SplitSeq(columns, ", ") {
		again += ", sum(" + c + ")"
	}
	for _, t := range []struct {
		table string
		unit  time.Duration
		keep  time.Duration
	}{{"minutes", time.Minute, 25 * time.Hour}, {"hours", time.Hour, 31 * 24 * time.Hour}} {
		since := p.now.Add(-t.keep).Truncate(t.unit).UnixMicro()
		err := p.write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(fmt.Sprintf(`INSERT INTO chart_%s (org_id, endpoint_id, bucket, %s) SELECT a.org_id, a.endpoint_id, a.at / %d, count(*),
				sum(CASE WHEN a.n = d.attempt AND d.state = 1 THEN 1 ELSE 0 END), sum(CASE WHEN a.n = d.attempt AND d.state = 2 THEN 1 ELSE 0 END),
				sum(CASE WHEN a.n < d.attempt OR d.state = 0 THEN 1 ELSE 0 END)%s FROM attempts a JOIN deliveries d ON d.endpoint_id = a.endpoint_id AND d.fact_seq = a.fact_seq
				WHERE a.at >= %d AND a.fact_seq >= %d GROUP BY 1, 2, 3`, t.table, columns, t.unit.Microseconds(), sums, since, p.first))
			if err != nil {
				return err
			}
			_, err = tx.Exec(fmt.Sprintf(`INSERT INTO chart_%s (org_id, endpoint_id, bucket, %s) SELECT org_id, 0, bucket%s FROM chart_%s GROUP BY org_id, bucket`,
				t.table, columns, again, t.table))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *past) entries(ctx context.Context) error {
	return p.write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(fmt.Sprintf(`INSERT INTO audit_entries (org_id, at, action, actor, subject, address, detail)
			SELECT %d, %d + n * %d, CASE WHEN n %% 10000 = 5 THEN 'person.erased' WHEN n %% 3 = 0 THEN 'webhook.updated' ELSE 'delivery.redelivered' END, 'key_' || (n %% 50),
				'subject_' || (n %% 1000), '', '{}' FROM %s`, p.owner, p.begin(), monthOf.Microseconds()/int64(cmp.Or(p.plan.Entries, 1)), p.series(0, int64(p.plan.Entries))))
		return err
	})
}

// cursors have whoever follows go on behind all this, and the planner know about it.
func (p *past) cursors(ctx context.Context) error {
	counted, err := p.c.Engine.AttemptLog().Last(p.c.DB.Read(ctx))
	if err != nil {
		return err
	}
	place := "0, 0, (SELECT max(seq) FROM facts)"
	if p.c.DB.Engine() == db.PostgreSQL {
		place = "(SELECT max(epoch) FROM ledger_epochs), pg_current_xact_id()::text::bigint, (SELECT max(seq) FROM facts)"
	}
	err = p.write(ctx, func(tx *db.Tx) error {
		for _, f := range p.c.followers() {
			if _, err := tx.Exec("DELETE FROM ledger_cursors WHERE name = $1", f.Name); err != nil {
				return err
			}
			if _, err := tx.Exec("INSERT INTO ledger_cursors (name, epoch, xid, seq) SELECT $1, "+place, f.Name); err != nil {
				return err
			}
		}
		_, err := tx.Exec("UPDATE chart_cursor SET place = $1, at = $2", counted.String(), tx.Micros())
		return err
	})
	if err != nil || p.c.DB.Engine() == db.SQLite {
		return err
	}
	return p.write(ctx, func(tx *db.Tx) error { _, err := tx.Exec("ANALYZE"); return err })
}
