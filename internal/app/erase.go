package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Erased says what an erasure has erased.
type Erased struct {
	Orders   int  // whose people were blanked
	Messages int  // own messages whose data was blanked
	Traces   int  // envelopes and attempts that had kept something, and orders in whose notes the address stood
	Answers  int  // kept answers that were forgotten
	Member   bool // a membership, tokens, grants or invitations went
	Account  bool // the account itself went
}

// any tells whether anything was there.
func (e Erased) any() bool {
	return e.Orders+e.Messages+e.Traces+e.Answers > 0 || e.Member || e.Account
}

// Erase erases a person from an organisation, or with org 0 from all of them, the account included. In one organisation the account goes too when it is
// that one's alone: nothing ties the person to another, and they are a member or have allowed an app here (or there is no other organisation). So nobody's
// account can be ended by an order in their name.
//
// It goes in steps, each in a short transaction, so that a busy server goes on, and everything by which the person is found goes last: an erasure that was
// interrupted can be repeated, and repeating one that was not is fine. It fails with last_owner, unless an operator does it.
func (c *Core) Erase(ctx context.Context, o int64, a person.Address, by audit.By) (Erased, error) {
	if a == "" {
		return Erased{}, problem.New(problem.Invalid, "invalid_email", "Give an e-mail address such as kari@example.com.")
	}
	e := erasure{Core: c, org: o, address: a, by: by}
	if err := e.look(ctx); err != nil {
		return Erased{}, err
	}
	for _, step := range []func(context.Context) error{e.facts, e.traces, e.mentions, e.answers, e.orders, e.addresses, e.person, e.late, c.DB.Scrub} {
		if err := step(ctx); err != nil {
			return e.done, fmt.Errorf("erase a person: %w", err)
		}
	}
	return e.done, nil
}

// erasure is one under way.
type erasure struct {
	*Core
	org     int64 // 0 for all
	address person.Address
	by      audit.By

	orgs    []int64
	user    org.User           // zero where there is no account
	account bool               // the account goes too
	buys    map[int64][]string // orders, by organisation
	found   []id.Fact          // facts that were marked
	marked  map[int64]bool     // the same
	began   int64              // the last fact of before
	gone    time.Time          // when the person was
	done    Erased
}

// together is how much one transaction of an erasure takes.
const together = 500

// look finds out who it is, and whether the account goes.
func (e *erasure) look(ctx context.Context) error {
	q := e.DB.Read(ctx)
	e.orgs = []int64{e.org}
	if e.org == 0 {
		all, err := org.All(q)
		if err != nil {
			return err
		}
		e.orgs = e.orgs[:0]
		for _, o := range all {
			e.orgs = append(e.orgs, o.No)
		}
	}
	u, err := org.UserByEmail(q, string(e.address))
	if problem.Is(err, "user_not_found") {
		return nil
	}
	if err != nil {
		return err
	}
	e.user = u
	if e.by.Actor == string(u.ID) {
		e.by.Address = "" // what is written down of this must not be of the person again
	}
	if e.by.Actor != audit.Operator {
		for _, o := range e.orgs {
			if err := org.CheckErasable(q, o, u.No); err != nil {
				return err
			}
		}
	}
	e.account, err = e.alone(q)
	return err
}

// alone tells whether the account is the organisation's alone.
func (e *erasure) alone(q db.Querier) (bool, error) {
	if e.org == 0 {
		return true, nil
	}
	all, err := org.All(q)
	if err != nil || len(all) == 1 {
		return err == nil, err
	}
	chose, err := e.chose(q, e.org)
	if err != nil || !chose {
		return false, err
	}
	if elsewhere, err := org.Elsewhere(q, e.org, e.user.No, e.address); err != nil || elsewhere {
		return false, err
	}
	grants, err := oauth.GrantsOf(q, e.user.No)
	if err != nil {
		return false, err
	}
	for _, g := range grants {
		if g.Org != e.org {
			return false, nil
		}
	}
	for _, o := range all {
		orders, err := order.Of(q, o.No, e.address)
		if err != nil || o.No != e.org && len(orders) > 0 {
			return false, err
		}
	}
	return true, nil
}

// chose tells whether the person has to do with an organisation by their own doing: they are a member, have allowed an app, or did something before.
func (e *erasure) chose(q db.Querier, o int64) (bool, error) {
	role, err := org.RoleOf(q, o, e.user.No)
	if err != nil || role != "" {
		return err == nil, err
	}
	credentials, err := e.credentials(q, o)
	if err != nil || len(credentials) > 0 || e.user.No == 0 {
		return len(credentials) > 0, err
	}
	did, err := audit.List(q, o, audit.Filter{Actor: string(e.user.ID), Limit: 1})
	return len(did) > 0, err
}

// credentials are the public ids of what acts for the person in an organisation.
func (e *erasure) credentials(q db.Querier, o int64) ([]string, error) {
	if e.user.No == 0 {
		return nil, nil
	}
	tokens, err := org.TokenIDs(q, o, e.user.No)
	if err != nil {
		return nil, err
	}
	grants, err := oauth.GrantIDs(q, o, e.user.No)
	var all []string
	for _, t := range tokens {
		all = append(all, string(t))
	}
	for _, g := range grants {
		all = append(all, string(g))
	}
	return all, err
}

// facts finds the facts of the person's orders, and messages with the address, and marks them: from then on none of them is sent.
func (e *erasure) facts(ctx context.Context) error {
	e.buys, e.marked = map[int64][]string{}, map[int64]bool{}
	err := e.DB.Configure(ctx, func(tx *db.Tx) (err error) {
		e.began, err = ledger.Last(tx)
		return err
	})
	if err != nil {
		return err
	}
	for _, o := range e.orgs {
		orders, err := order.Of(e.DB.Read(ctx), o, e.address)
		if err != nil {
			return err
		}
		for _, one := range orders {
			e.buys[o] = append(e.buys[o], string(one))
		}
	}
	return e.search(ctx, 0, time.Time{})
}

// search looks through the ledger after a fact. Facts of orders from until on are left alone; a zero until is none.
func (e *erasure) search(ctx context.Context, after int64, until time.Time) error {
	subjects := map[string]bool{}
	for _, orders := range e.buys {
		for _, o := range orders {
			subjects[o] = true
		}
	}
	var found []ledger.Match
	for more := true; more; {
		var some []ledger.Match
		var err error
		if some, after, more, err = ledger.Search(e.DB.Read(ctx), e.org, after, e.address, subjects); err != nil {
			return err
		}
		for _, m := range some {
			m.Data = nil
			if !e.marked[m.ID.Seq] && (m.Message || until.IsZero() || m.At.Before(until)) {
				found = append(found, m)
			}
		}
	}
	for len(found) > 0 {
		some := found[:min(len(found), together)]
		found = found[len(some):]
		if err := e.mark(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (e *erasure) mark(ctx context.Context, some []ledger.Match) error {
	facts, messages := map[int64][]id.Fact{}, map[int64][]int64{}
	for _, m := range some {
		facts[m.Org] = append(facts[m.Org], m.ID)
		e.found, e.marked[m.ID.Seq] = append(e.found, m.ID), true
		if m.Message {
			messages[m.Org] = append(messages[m.Org], m.ID.Seq)
			e.done.Messages++
		}
	}
	return e.DB.Configure(ctx, func(tx *db.Tx) error {
		for o, numbers := range messages {
			if err := ledger.Erase(tx, o, numbers); err != nil {
				return err
			}
		}
		for o, list := range facts {
			if err := delivery.Erase(tx, o, list); err != nil {
				return err
			}
		}
		return nil
	})
}

// traces blanks what deliveries have kept.
func (e *erasure) traces(ctx context.Context) error {
	n, err := delivery.EraseTraces(ctx, e.DB, e.org, e.address, e.found)
	e.done.Traces += n
	return err
}

// mentions blanks notes on orders of others in which the address stands.
func (e *erasure) mentions(ctx context.Context) error {
	for _, o := range e.orgs {
		for after, more := int64(0), true; more; more = after != 0 {
			found, next, err := order.Mentions(e.DB.Read(ctx), o, after, e.address)
			if err != nil {
				return err
			}
			if after = next; len(found) == 0 {
				continue
			}
			if err := e.DB.Write(ctx, "", func(tx *db.Tx) error { return order.EraseMentions(tx, o, found) }); err != nil {
				return err
			}
			e.done.Traces += len(found)
		}
	}
	return nil
}

// answers forgets answers that were kept for Idempotency-Keys.
func (e *erasure) answers(ctx context.Context) error {
	keep := idempotency.New(e.DB, e.Keys)
	for _, o := range e.orgs {
		credentials, err := e.credentials(e.DB.Read(ctx), o)
		if err != nil {
			return err
		}
		n, err := keep.Erase(ctx, o, e.address, credentials)
		if e.done.Answers += n; err != nil {
			return err
		}
	}
	return nil
}

// orders blanks the people of orders, but for those that the last step takes: by them the person is still found here, should this be interrupted.
func (e *erasure) orders(ctx context.Context) error {
	for _, o := range e.orgs {
		for left := len(e.buys[o]); left > together; {
			n := 0
			err := e.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
				n, err = order.Erase(tx, o, e.address, min(together, left-together))
				return err
			})
			if err != nil {
				return err
			}
			e.done.Orders += n
			if left -= n; n == 0 {
				break
			}
		}
	}
	return nil
}

// addresses blanks network addresses in the audit log.
func (e *erasure) addresses(ctx context.Context) error {
	o := e.org
	if e.account {
		o = 0
	}
	for n := together; n == together; {
		err := e.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			n, err = audit.Erase(tx, o, string(e.user.ID), together)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// person takes away all by which the person is found, and writes down that they were erased.
func (e *erasure) person(ctx context.Context) error {
	orgs, err := e.concerned(e.DB.Read(ctx))
	if err != nil {
		return err
	}
	for _, o := range orgs {
		err := e.DB.Configure(ctx, func(tx *db.Tx) error {
			if err := e.personOf(tx, o); err != nil || o != e.org {
				return err
			}
			return e.everywhere(tx) // together: what is left of an account when its last ties are gone could not be found by its id
		})
		if err != nil {
			return err
		}
	}
	if e.org != 0 {
		return nil
	}
	return e.DB.Configure(ctx, e.everywhere)
}

// concerned are the organisations that know the person.
func (e *erasure) concerned(q db.Querier) ([]int64, error) {
	links, err := org.Invitations(q, e.org, e.address)
	if err != nil {
		return nil, err
	}
	var some []int64
	for _, o := range e.orgs {
		chose, err := e.chose(q, o)
		if err != nil {
			return nil, err
		}
		invited := slices.ContainsFunc(links, func(l org.Link) bool { return l.Org == o })
		if chose || invited || len(e.buys[o]) > 0 || o == e.org {
			some = append(some, o)
		}
	}
	return some, nil
}

func (e *erasure) personOf(tx *db.Tx, o int64) error {
	done := e.done // a function that runs twice must not count twice
	for n := together; n == together; {
		var err error
		if n, err = order.Erase(tx, o, e.address, together); err != nil {
			return err
		}
		done.Orders += n
	}
	links, err := org.Invitations(tx, o, e.address)
	if err != nil {
		return err
	}
	role, err := org.RoleOf(tx, o, e.user.No)
	if err != nil {
		return err
	}
	credentials, err := e.credentials(tx, o)
	if err != nil {
		return err
	}
	member := role != "" || len(credentials)+len(links) > 0
	done.Member = done.Member || member
	if err := e.Apps.Erase(tx, o, e.user.No, e.by); err != nil {
		return err
	}
	if err := e.People.Erase(tx, o, e.user.No, e.address); err != nil {
		return err
	}
	tx.OnCommit(func() { e.done, e.gone = done, tx.Now() })
	if !member && len(e.buys[o]) == 0 && !done.any() && !e.account {
		return nil // erased before
	}
	return audit.Append(tx, e.by.Entry(o, "person.erased", string(e.user.ID), map[string]any{"account": e.account, "orders": len(e.buys[o])}))
}

// everywhere takes away what belongs to no organisation, the account where it is to go.
func (e *erasure) everywhere(tx *db.Tx) error {
	tx.OnCommit(func() { e.gone = tx.Now() })
	if err := oauth.EraseRequests(tx, e.org, e.address); err != nil {
		return err
	}
	if e.user.No == 0 {
		return e.People.ForgetFailures(tx, e.address)
	}
	if !e.account {
		return nil
	}
	if err := e.People.EraseAccount(tx, e.user); err != nil {
		return err
	}
	tx.OnCommit(func() { e.done.Account = true })
	_, err := audit.Erase(tx, 0, string(e.user.ID), together) // since the step before
	return err
}

// late takes what was appended while the steps before were going on.
func (e *erasure) late(ctx context.Context) error {
	before := len(e.found)
	if err := e.search(ctx, e.began, e.gone); err != nil {
		return err
	}
	e.found = e.found[before:]
	return e.traces(ctx)
}

// eraseFor is Erase for the API.
func (c *Core) eraseFor(ctx context.Context, o int64, a person.Address, by audit.By) error {
	_, err := c.Erase(ctx, o, a, by)
	return err
}
