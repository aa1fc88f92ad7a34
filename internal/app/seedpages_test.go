package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/chart"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// The past that the bench measures beside is one that could have been: no audit finds anything in it.
func TestThePastThatIsMadeUpAgreesWithItself(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c)
		o := newOrg(t, core, "hall")
		plan := app.PagesPlan{Endpoints: 50, Deliveries: 3000, Orders: 20, Entries: 100}
		made, err := core.MakePages(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		a, err := core.Audit(t.Context())
		if err != nil || len(a.Differences) > 0 {
			t.Errorf("Audit = %v, %v", a.Differences, err)
		}
		if a.Deliveries["delivered"] != 2964 || a.Deliveries["failed"] != 30 || a.Deliveries["pending"] != 6 {
			t.Errorf("the deliveries are %v", a.Deliveries)
		}
		q := core.DB.Read(t.Context())
		busy, err := core.Endpoints.Get(q, endpoint.Whose{Org: o.No}, made.Busy)
		if err != nil {
			t.Fatal(err)
		}
		if failed, err := core.Engine.Lookup(t.Context(), busy, made.Failed); err != nil || failed.State != "failed" || len(failed.Attempts) != 3 {
			t.Errorf("the failed delivery is %+v, %v", failed, err)
		}
		behind, err := core.Charts.Behind(q, time.Now())
		if err != nil || behind != 0 {
			t.Errorf("the charts are behind by %v, %v", behind, err)
		}
		if _, _, _, err := core.People.SignIn(t.Context(), org.SignIn{Email: made.Email, Password: made.Password}); err != nil {
			t.Errorf("the owner cannot sign in: %v", err)
		}
	})
}

// planner asks the database how it goes about each query that it is handed, before it lets it do so.
type planner struct {
	db.Querier
	t     *testing.T
	plans []string
}

func (p *planner) Query(sql string, args ...any) (db.Rows, error) {
	lines, err := db.All(p.Querier, func(r db.Rows) (line string, err error) {
		var id, parent, unused int64
		return line, r.Scan(&id, &parent, &unused, &line)
	}, "EXPLAIN QUERY PLAN "+sql, args...)
	if err != nil {
		p.t.Fatalf("EXPLAIN %s: %v", sql, err)
	}
	p.plans = append(p.plans, strings.Join(lines, "\n"))
	return p.Querier.Query(sql, args...)
}

// What pages list is found by an index and comes in its order. SQLite has no statistics: it goes about a million rows as about ten.
func TestListsOfPagesGoByIndexes(t *testing.T) {
	core := open(t, app.Config{Data: t.TempDir(), Getenv: func(string) string { return "" }})
	o := newOrg(t, core, "hall").No
	made, err := core.MakePages(t.Context(), app.PagesPlan{Endpoints: 20, Deliveries: 500, Orders: 5, Entries: 50})
	if err != nil {
		t.Fatal(err)
	}
	q := &planner{Querier: core.DB.Read(t.Context()), t: t}
	now, whose := time.Now(), endpoint.Whose{Org: o}
	orders := func(f order.Filter) func() error {
		return func() error { f.Uncounted = true; _, _, err := order.List(q, o, f); return err }
	}
	tickets := func(f ticket.Filter) func() error {
		return func() error { f.Uncounted = true; _, _, err := ticket.List(q, o, f); return err }
	}
	entries := func(f audit.Filter) func() error {
		return func() error { f.Limit = 50; _, err := audit.List(q, o, f); return err }
	}
	found := func(s endpoint.Search) func() error {
		return func() error { s.Limit = 50; _, _, err := core.Endpoints.Find(q, whose, s); return err }
	}
	for name, list := range map[string]func() error{
		"orders": orders(order.Filter{}), "orders of a status": orders(order.Filter{Status: "issue"}), "orders of an event": orders(order.Filter{Event: made.Event}),
		"orders after another": orders(order.Filter{Before: made.Order}), "orders of a status and an event": orders(order.Filter{Event: made.Event, Status: "issue"}),
		"tickets": tickets(ticket.Filter{}), "blocked tickets": tickets(ticket.Filter{Status: "blocked"}), "void tickets of an event": tickets(ticket.Filter{Status: "void", Event: made.Event}),
		"tickets of an event": tickets(ticket.Filter{Event: made.Event}), "tickets of somebody": tickets(ticket.Filter{Email: "somebody-1@example.com"}),
		"entries": entries(audit.Filter{}), "entries of an action": entries(audit.Filter{Action: "person.erased"}), "entries by somebody": entries(audit.Filter{Actor: "key_7"}),
		"entries about something": entries(audit.Filter{Subject: "subject_7"}), "entries of a time": entries(audit.Filter{Since: now.Add(-48 * time.Hour), Until: now.Add(-24 * time.Hour)}),
		"endpoints": found(endpoint.Search{}), "endpoints after another": found(endpoint.Search{Before: 7}), "endpoints searched": found(endpoint.Search{Text: "x"}),
		"failing endpoints": found(endpoint.Search{Failing: true}),
		"facts":             func() error { _, _, err := ledger.List(q, o, ledger.Filter{Limit: 50}); return err },
		"events": func() error {
			_, _, err := event.List(q, o, event.Filter{Status: "all", Now: now, Uncounted: true})
			return err
		},
		"a chart":          func() error { _, err := core.Charts.Series(q, o, 0, chart.Month, now); return err },
		"a chart's totals": func() error { _, err := core.Charts.Totals(q, o, 1, chart.Day, now); return err },
		"totals of some":   func() error { _, err := core.Charts.TotalsOf(q, o, []int64{1, 2, 3}, chart.Day, now); return err },
	} {
		t.Run(name, func(t *testing.T) {
			q.plans = nil
			if err := list(); err != nil {
				t.Fatal(err)
			}
			for _, plan := range q.plans {
				for line := range strings.Lines(plan) {
					line = strings.TrimSpace(line)
					walks := strings.HasPrefix(line, "SCAN ") && !strings.HasPrefix(line, "SCAN json_each") && line != "SCAN x" // what is read before
					if walks || strings.Contains(line, "TEMP B-TREE FOR ORDER BY") {
						t.Errorf("it goes by %q:\n%s", line, plan)
					}
				}
			}
			if len(q.plans) == 0 {
				t.Error("it asked nothing")
			}
		})
	}
}
