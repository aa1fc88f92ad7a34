package app

import (
	"context"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// facts finds the facts of the person's orders, stamps, of the tickets that they hold and of these tickets' passes, and messages with the address, and marks them: from then on none of them is sent.
func (e *erasure) facts(ctx context.Context) error {
	e.buys, e.holds, e.known, e.stamped, e.marked = map[int64][]string{}, map[int64][]string{}, map[int64]int{}, map[int64]int{}, map[int64]bool{}
	e.held = map[int64][]id.Ticket{}
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
		tickets, err := ticket.Of(e.DB.Read(ctx), o, e.address)
		if err != nil {
			return err
		}
		for _, one := range tickets {
			e.holds[o] = append(e.holds[o], string(one))
		}
		e.held[o] = tickets
		passes, err := pass.Of(e.DB.Read(ctx), o, tickets)
		if err != nil {
			return err
		}
		for _, one := range passes {
			e.holds[o] = append(e.holds[o], string(one))
		}
		if e.known[o], err = ticket.Known(e.DB.Read(ctx), o, e.address); err != nil {
			return err
		}
		stamps, err := stamp.Of(e.DB.Read(ctx), o, e.address)
		if err != nil {
			return err
		}
		for _, one := range stamps {
			e.holds[o] = append(e.holds[o], string(one))
		}
		if e.stamped[o], err = stamp.Known(e.DB.Read(ctx), o, e.address); err != nil {
			return err
		}
	}
	return e.search(ctx, 0, time.Time{})
}

// search looks through the ledger after a fact. Facts of orders, tickets and stamps from until on are left alone; a zero until is none.
func (e *erasure) search(ctx context.Context, after int64, until time.Time) error {
	subjects := map[string]bool{}
	for _, orders := range e.buys {
		for _, o := range orders {
			subjects[o] = true
		}
	}
	for _, held := range e.holds {
		for _, one := range held {
			subjects[one] = true
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
	n, err := delivery.EraseTraces(ctx, e.DB, e.Keys, e.org, e.address, e.found)
	e.done.Traces += n
	return err
}

// arrivals blanks what developer endpoints and pull endpoints have taken.
func (e *erasure) arrivals(ctx context.Context) error {
	n, err := inbound.EraseTraces(ctx, e.DB, e.org, e.address)
	e.done.Traces += n
	if err != nil {
		return err
	}
	n, err = pull.EraseTraces(ctx, e.DB, e.org, e.address)
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
	return e.notes(ctx)
}

// notes blanks what staff wrote at the door: about tickets that the person holds, and wherever the address stands.
func (e *erasure) notes(ctx context.Context) error {
	for _, o := range e.orgs {
		held, err := ticket.Of(e.DB.Read(ctx), o, e.address)
		if err != nil {
			return err
		}
		for ; len(held) > 0; held = held[min(together, len(held)):] {
			n := 0
			err := e.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
				n, err = gate.EraseNotesOf(tx, o, held[:min(together, len(held))])
				return err
			})
			if err != nil {
				return err
			}
			e.done.Traces += n
		}
		for after, more := id.Checkin(""), true; more; more = after != "" {
			found, next, err := gate.Mentions(e.DB.Read(ctx), o, after, e.address)
			if err != nil {
				return err
			}
			if after = next; len(found) == 0 {
				continue
			}
			if err := e.DB.Write(ctx, "", func(tx *db.Tx) error { return gate.EraseNotes(tx, o, found) }); err != nil {
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

// tickets blanks the person as a holder, but for what the last step takes, as orders does.
func (e *erasure) tickets(ctx context.Context) error {
	return e.most(ctx, e.known, func(tx *db.Tx, o int64, some int) (int, error) { return ticket.Erase(tx, o, e.address, some/3) }, &e.done.Tickets) // rows of three kinds
}

// passes blanks what passes of the person's tickets have of them. All of it goes before the tickets, by which they are found.
func (e *erasure) passes(ctx context.Context) error {
	for _, o := range e.orgs {
		for left := e.held[o]; len(left) > 0; left = left[min(together, len(left)):] {
			for n := 1; n > 0; {
				err := e.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
					n, err = e.Passes.Erase(tx, o, left[:min(together, len(left))], together/6) // rows of six kinds
					return err
				})
				if err != nil {
					return err
				}
				e.done.Passes += n
			}
		}
	}
	return nil
}

// stamps does the same with stamps and check-ins.
func (e *erasure) stamps(ctx context.Context) error {
	return e.most(ctx, e.stamped, func(tx *db.Tx, o int64, some int) (int, error) { return stamp.Erase(tx, o, e.address, some/2) }, &e.done.Stamps)
}

// most erases rows of which there are so many in each organisation, but for the last together of each.
func (e *erasure) most(ctx context.Context, there map[int64]int, erase func(tx *db.Tx, o int64, some int) (int, error), done *int) error {
	for _, o := range e.orgs {
		for left := there[o]; left > together; {
			n := 0
			err := e.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
				n, err = erase(tx, o, min(together, left-together))
				return err
			})
			if err != nil {
				return err
			}
			*done += n
			if left -= n; n == 0 {
				break
			}
		}
	}
	return nil
}

// orders blanks the people of orders, but for those that the last step takes: by them the person is still found here, should this be interrupted.
func (e *erasure) orders(ctx context.Context) error {
	bought := map[int64]int{}
	for o, orders := range e.buys {
		bought[o] = len(orders)
	}
	return e.most(ctx, bought, func(tx *db.Tx, o int64, some int) (int, error) { return order.Erase(tx, o, e.address, some) }, &e.done.Orders)
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
		if chose || invited || len(e.buys[o])+e.known[o]+e.stamped[o] > 0 || o == e.org {
			some = append(some, o)
		}
	}
	return some, nil
}

func (e *erasure) personOf(tx *db.Tx, o int64) error {
	done := e.done                          // a function that runs twice must not count twice
	more, err := order.Of(tx, o, e.address) // also those that were placed meanwhile
	if err != nil {
		return err
	}
	for n := together; n == together; {
		if n, err = order.Erase(tx, o, e.address, together); err != nil {
			return err
		}
		done.Orders += n
	}
	held, err := ticket.Of(tx, o, e.address)
	if err != nil {
		return err
	}
	for n := 1; n > 0; {
		if n, err = ticket.Erase(tx, o, e.address, together); err != nil {
			return err
		}
		done.Tickets += n
	}
	passes, n, err := e.erasePasses(tx, o, slices.Concat(held, e.held[o]))
	if err != nil {
		return err
	}
	done.Passes += n
	stamps, err := stamp.Of(tx, o, e.address)
	if err != nil {
		return err
	}
	for n := 1; n > 0; {
		if n, err = stamp.Erase(tx, o, e.address, together); err != nil {
			return err
		}
		done.Stamps += n
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
	if err := eraseHolder(tx, o, e.user.ID); err != nil {
		return err
	}
	if err := e.Apps.Erase(tx, o, e.user.No, e.by); err != nil {
		return err
	}
	if e.user.No != 0 {
		if err := inbound.EraseAccounts(tx, o, e.by, append(credentials, string(e.user.ID))...); err != nil {
			return err
		}
	}
	if err := e.People.Erase(tx, o, e.user.No, e.address); err != nil {
		return err
	}
	tx.OnCommit(func() {
		e.done, e.gone = done, tx.Now()
		for _, one := range more {
			e.buys[o] = append(e.buys[o], string(one))
		}
		for _, one := range held {
			e.holds[o] = append(e.holds[o], string(one))
		}
		for _, one := range passes {
			e.holds[o] = append(e.holds[o], string(one))
		}
		for _, one := range stamps {
			e.holds[o] = append(e.holds[o], string(one))
		}
	})
	if !member && len(e.buys[o])+len(more) == 0 && !done.any() && !e.account {
		return nil // erased before
	}
	return audit.Append(tx, e.by.Entry(o, "person.erased", string(e.user.ID), map[string]any{"account": e.account, "orders": len(e.buys[o])}))
}

// erasePasses blanks what has come to passes of tickets since, and has Google told once more, now that the tickets have no holder. It returns the passes.
func (e *erasure) erasePasses(tx *db.Tx, o int64, tickets []id.Ticket) (passes []id.Pass, done int, err error) {
	for n := 1; n > 0; done += n {
		if n, err = e.Passes.Erase(tx, o, tickets, together); err != nil {
			return nil, 0, err
		}
	}
	passes, err = pass.Of(tx, o, tickets)
	return passes, done, err
}

// eraseHolder blanks whose holds they were. What of them is active expires.
func eraseHolder(tx *db.Tx, o int64, user id.User) error {
	if user == "" {
		return nil
	}
	for n := together; n == together; {
		var err error
		if n, err = inventory.EraseHolder(tx, o, string(user), together); err != nil {
			return err
		}
	}
	return nil
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
