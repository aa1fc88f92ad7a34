package app

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/chart"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Audit is what an audit has found.
type Audit struct {
	Facts       int64            // how many there are
	Deliveries  map[string]int64 // how many there are, by state
	Differences []Difference     // empty when all agrees
}

// Difference is something that does not agree.
type Difference struct {
	Part string // "stock", "orders", "tickets", "door", "stamps", "passes", "deliveries", "charts", "pull endpoints" or "ledger"
	What string // a sentence
}

// Unhurried returns the configuration with no limit to how long a statement takes: an audit reads whole tables.
func (c Config) Unhurried() Config {
	u, err := url.Parse(c.Database)
	if c.Database == "" || err != nil {
		return c
	}
	q := u.Query()
	q.Set("statement_timeout", "0")
	u.RawQuery = q.Encode()
	c.Database = u.String()
	return c
}

// Audit recomputes stock, totals, tickets, stamps, deliveries and their charts from what they follow from.
//
// It reads while others write, so its queries may see different states of things. When something seems to differ, it therefore looks again
// with all writers held up, and says what differs then. Where all agrees, nobody is disturbed.
func (c *Core) Audit(ctx context.Context) (Audit, error) {
	if err := c.Subscriptions.Refresh(ctx); err != nil {
		return Audit{}, err
	}
	a, err := examine(c.DB.Read(ctx), c.Subscriptions.Now(), c.Charts)
	if err != nil || len(a.Differences) == 0 {
		return a, err
	}
	err = c.DB.Configure(ctx, func(tx *db.Tx) error {
		set, err := c.Subscriptions.At(tx)
		if err != nil {
			return err
		}
		a, err = examine(tx, set, c.Charts)
		return err
	})
	return a, err
}

func examine(q db.Querier, set *endpoint.Set, charts *chart.Book) (Audit, error) {
	var a Audit
	for _, part := range []struct {
		name  string
		audit func(db.Querier) ([]string, error)
	}{
		{"stock", inventory.Audit},
		{"orders", order.Audit},
		{"tickets", ticket.Audit},
		{"tickets", ticketsOfOrders},
		{"tickets", factsOfTickets},
		{"door", gate.Audit},
		{"door", presences},
		{"stamps", stamp.Audit},
		{"stamps", factsOfStamps},
		{"passes", pass.Audit},
		{"passes", factsOfPasses},
		{"deliveries", delivery.Audit},
		{"deliveries", strays},
		{"deliveries", func(q db.Querier) ([]string, error) { return a.unplanned(q, set) }},
		{"charts", charts.Audit},
		{"pull endpoints", pull.Audit},
		{"ledger", parked},
	} {
		found, err := part.audit(q)
		if err != nil {
			return Audit{}, fmt.Errorf("audit of %s: %w", part.name, err)
		}
		for _, what := range found {
			a.Differences = append(a.Differences, Difference{part.name, what})
		}
	}
	var err error
	a.Deliveries, err = delivery.Count(q)
	return a, err
}

// strays finds deliveries that no fact has led to.
func strays(q db.Querier) ([]string, error) {
	return counted(q, []count{
		{"deliveries are of no fact", `SELECT count(*) FROM deliveries d WHERE NOT EXISTS (
			SELECT 1 FROM facts f WHERE f.seq = d.fact_seq AND f.day = d.day AND f.org_id = d.org_id)`},
		{"deliveries go to no endpoint of their organisation", `SELECT count(*) FROM deliveries d WHERE NOT EXISTS (
			SELECT 1 FROM endpoints e WHERE e.endpoint_id = d.endpoint_id AND e.org_id = d.org_id)`},
	})
}

// count is a query for how many of something there are that should be none.
type count struct{ what, sql string }

// counted says what there is.
func counted(q db.Querier, checks []count) ([]string, error) {
	var found []string
	for _, check := range checks {
		n, err := db.One(q, db.Value[int64], check.sql)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			found = append(found, fmt.Sprintf("%d %s", n, check.what))
		}
	}
	return found, nil
}

// auditPage is how many facts are held against their deliveries at a time.
const auditPage = 20_000

// unplanned finds facts without the deliveries that they should have: one to each endpoint that wants the fact and was last changed before
// it. What an endpoint wanted before its last change is not known any more.
func (a *Audit) unplanned(q db.Querier, set *endpoint.Set) ([]string, error) {
	later, err := db.All(q, db.Value[int64], "SELECT fact_seq FROM delivery_wide") // planned apart from their transactions, not all yet
	if err != nil {
		return nil, err
	}
	missing := map[*endpoint.Endpoint][]id.Fact{}
	for after := int64(0); ; {
		page, err := factsAfter(q, after)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		a.Facts += int64(len(page))
		after = page[len(page)-1].ID.Seq
		for to, wanted := range wanting(set, page, later) {
			lacking, err := without(q, to, wanted)
			if err != nil {
				return nil, err
			}
			if len(lacking) > 0 {
				missing[to] = append(missing[to], lacking...)
			}
		}
	}
	var found []string
	for to, facts := range missing {
		found = append(found, fmt.Sprintf("%d facts that the endpoint %s wants have no delivery to it, the first being %s", len(facts), to.ID, facts[0]))
	}
	slices.Sort(found)
	return found, nil
}

func factsAfter(q db.Querier, seq int64) ([]*fact.Fact, error) {
	return db.All(q, func(r db.Rows) (*fact.Fact, error) {
		var f fact.Fact
		var at int64
		err := r.Scan(&f.ID.Seq, &f.ID.Day, &f.Org, &f.Kind, &at, &f.Only)
		f.At = time.UnixMicro(at).UTC()
		return &f, err
	}, "SELECT seq, day, org_id, kind, at, only_endpoint FROM facts WHERE seq > $1 ORDER BY seq LIMIT $2", seq, auditPage)
}

// wanting returns which of the facts must have a delivery to which endpoint, in order.
func wanting(set *endpoint.Set, facts []*fact.Fact, but []int64) map[*endpoint.Endpoint][]id.Fact {
	wanted := map[*endpoint.Endpoint][]id.Fact{}
	for _, f := range facts {
		if slices.Contains(but, f.ID.Seq) {
			continue
		}
		for _, to := range set.Wanting(f) {
			if to.UpdatedAt.Before(f.At) {
				wanted[to] = append(wanted[to], f.ID)
			}
		}
	}
	return wanted
}

// without returns those of the facts that have no delivery to an endpoint.
func without(q db.Querier, to *endpoint.Endpoint, facts []id.Fact) ([]id.Fact, error) {
	planned, err := db.All(q, db.Value[int64], "SELECT fact_seq FROM deliveries WHERE endpoint_id = $1 AND fact_seq >= $2 AND fact_seq <= $3",
		to.Number, facts[0].Seq, facts[len(facts)-1].Seq)
	if err != nil {
		return nil, err
	}
	has := make(map[int64]bool, len(planned))
	for _, seq := range planned {
		has[seq] = true
	}
	return slices.DeleteFunc(facts, func(f id.Fact) bool { return has[f.Seq] }), nil
}

func parked(q db.Querier) ([]string, error) {
	n, err := ledger.Parked(q)
	if err != nil || n == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%d facts were put aside, because what follows them failed five times; the log says why", n)}, nil
}
