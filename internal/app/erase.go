package app

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Erased says what an erasure has erased.
type Erased struct {
	Orders   int  // whose people were blanked
	Tickets  int  // of which they were the holder, or which they offered or were offered
	Passes   int  // rows of passes of their tickets that had something of them
	Stamps   int  // stamps that were theirs, and check-ins by which they earn them
	Messages int  // own messages whose data was blanked
	Traces   int  // envelopes, attempts and arrivals that had kept something, and orders in whose notes the address stood
	Answers  int  // kept answers that were forgotten
	Member   bool // a membership, tokens, grants or invitations went
	Account  bool // the account itself went
}

// any tells whether anything was there.
func (e Erased) any() bool {
	return e.Orders+e.Tickets+e.Passes+e.Stamps+e.Messages+e.Traces+e.Answers > 0 || e.Member || e.Account
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
	for _, step := range []func(context.Context) error{e.facts, e.traces, e.arrivals, e.mentions, e.answers, e.stamps, e.passes, e.tickets, e.orders, e.addresses, e.person, e.late, c.DB.Scrub} {
		if err := step(ctx); err != nil {
			return e.done, fmt.Errorf("erase a person: %w", err)
		}
	}
	return e.done, nil
}

// eraseFor is Erase for the API.
func (c *Core) eraseFor(ctx context.Context, o int64, a person.Address, by audit.By) error {
	_, err := c.Erase(ctx, o, a, by)
	return err
}

// erasure is one under way.
type erasure struct {
	*Core
	org     int64 // 0 for all
	address person.Address
	by      audit.By

	orgs    []int64
	user    org.User              // zero where there is no account
	account bool                  // the account goes too
	buys    map[int64][]string    // orders, by organisation
	holds   map[int64][]string    // tickets, passes of them, and stamps, by organisation
	held    map[int64][]id.Ticket // the tickets among them
	known   map[int64]int         // how many tickets and transfers have their address, by organisation
	stamped map[int64]int         // how many stamps and check-ins have their address, by organisation
	found   []id.Fact             // facts that were marked
	marked  map[int64]bool        // the same
	began   int64                 // the last fact of before
	gone    time.Time             // when the person was
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
		tickets, err := ticket.Known(q, o.No, e.address)
		if err != nil || o.No != e.org && tickets > 0 {
			return false, err
		}
		stamps, err := stamp.Known(q, o.No, e.address)
		if err != nil || o.No != e.org && stamps > 0 {
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
