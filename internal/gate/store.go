package gate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

const (
	columns = `id, org_id, event_no, event_id, ticket_no, ticket_id, order_id, list_no, list_id, gate_no, gate, direction, mode, device, seq, nonce, token_hash,
		at, scanned_at, received_at, said, reason, result, entry_no, open, against, told, note, facts`
	selectCheckin = `SELECT ` + columns + ` FROM checkins `
	counting      = `result IN ('admitted', 'exited', 'stray', 'conflict')` // of a ticket: what came through the door
)

func scan(r db.Rows) (*Checkin, error) {
	c := &Checkin{}
	var at, scanned, received int64
	var entry *int64
	err := r.Scan(&c.ID, &c.org, &c.EventNo, &c.EventID, &c.TicketNo, &c.TicketID, &c.OrderID, &c.ListNo, &c.ListID, &c.GateNo, &c.Gate, &c.Direction, &c.Mode,
		&c.Device, &c.Seq, &c.Nonce, &c.hash, &at, &scanned, &received, &c.Said, &c.Reason, &c.result, &entry, &c.Open, &c.Against, &c.told, &c.Note, &c.Facts)
	c.At, c.ScannedAt, c.ReceivedAt = moment(at), moment(scanned), moment(received)
	if entry != nil {
		c.Entry = int(*entry)
	}
	return c, err
}

// ByID finds a check-in; checkin_not_found.
func ByID(q db.Querier, org int64, checkin id.Checkin) (*Checkin, error) {
	c, err := db.One(q, scan, selectCheckin+`WHERE id = $1 AND org_id = $2`, checkin, org)
	if errors.Is(err, db.ErrNoRow) {
		return nil, problem.New(problem.NotFound, "checkin_not_found", "There is no such check-in here.")
	}
	if err != nil {
		return nil, fmt.Errorf("load check-in: %w", err)
	}
	return c, nil
}

// rivals loads the check-ins that others are a conflict with, by id.
func rivals(q db.Querier, org int64, of ...*Checkin) (map[id.Checkin]*Checkin, error) {
	ids := []id.Checkin{}
	for _, c := range of {
		if c.Against != "" {
			ids = append(ids, c.Against)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	all, err := db.All(q, scan, selectCheckin+`WHERE id IN texts($1) AND org_id = $2`, jsonList(ids), org)
	if err != nil {
		return nil, fmt.Errorf("load check-ins: %w", err)
	}
	found := make(map[id.Checkin]*Checkin, len(all))
	for _, c := range all {
		found[c.ID] = c
	}
	return found, nil
}

// passages loads what came through the door with tickets, which the transaction has locked.
func passages(tx *db.Tx, tickets []ticket.Ticket) ([]*Checkin, error) {
	numbers := make([]int64, len(tickets))
	for i, t := range tickets {
		numbers[i] = t.No
	}
	if len(numbers) == 0 {
		return nil, nil
	}
	var all []*Checkin
	var err error
	if len(numbers) == 1 { // the usual case, without a list to take apart
		all, err = db.All(tx, scan, selectCheckin+`WHERE ticket_no = $1 AND `+counting, numbers[0])
	} else {
		all, err = db.All(tx, scan, selectCheckin+`WHERE ticket_no IN ints($1) AND `+counting, jsonList(numbers))
	}
	if err != nil {
		return nil, fmt.Errorf("load check-ins of tickets: %w", err)
	}
	return all, nil
}

var (
	insertCheckins = db.BulkInsert("checkins", "", "id text", "org_id bigint", "event_no bigint", "event_id text", "ticket_no bigint", "ticket_id text",
		"order_id text", "list_no bigint", "list_id text", "gate_no bigint", "gate text", "direction text", "mode text", "device text", "seq bigint", "nonce text",
		"token_hash bytea", "at bigint", "scanned_at bigint", "received_at bigint", "said text", "reason text", "result text", "entry_no bigint", "open boolean",
		"against text", "told boolean", "note text", "facts bigint")
	// clear makes room in the unique indexes for what is written after it.
	clearCheckins = db.NewBulk(`UPDATE checkins SET result = 'conflict', entry_no = NULL, open = FALSE, told = FALSE WHERE id = $1 AND org_id = $2`,
		`UPDATE checkins c SET result = 'conflict', entry_no = NULL, open = FALSE, told = FALSE FROM unnest($1::text[], $2::bigint[]) AS x (id, org_id)
			WHERE c.id = x.id AND c.org_id = x.org_id`, "text", "bigint")
	updateCheckins = db.NewBulk(`UPDATE checkins SET result = $3, entry_no = $4, open = $5, against = $6, told = $7, facts = $8 WHERE id = $1 AND org_id = $2`,
		`UPDATE checkins c SET result = x.result, entry_no = x.entry_no, open = x.open, against = x.against, told = x.told, facts = x.facts
			FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::boolean[], $6::text[], $7::boolean[], $8::bigint[])
				AS x (id, org_id, result, entry_no, open, against, told, facts)
			WHERE c.id = x.id AND c.org_id = x.org_id`, "text", "bigint", "text", "bigint", "boolean", "text", "boolean", "bigint")
)

func (c *Checkin) entry() any {
	if c.Entry == 0 {
		return nil
	}
	return int64(c.Entry)
}

func insert(tx *db.Tx, all []*Checkin) error {
	rows := make([][]any, len(all))
	for i, c := range all {
		var hash any
		if c.hash != nil {
			hash = c.hash
		}
		rows[i] = []any{
			string(c.ID), c.org, c.EventNo, string(c.EventID), c.TicketNo, string(c.TicketID), string(c.OrderID), c.ListNo, string(c.ListID), c.GateNo, c.Gate,
			string(c.Direction), string(c.Mode), c.Device, c.Seq, c.Nonce, hash, c.At.UnixMicro(), c.ScannedAt.UnixMicro(), c.ReceivedAt.UnixMicro(), string(c.Said),
			c.Reason, string(c.result), c.entry(), c.Open, string(c.Against), c.told, c.Note, c.Facts,
		}
	}
	if err := tx.Bulk(insertCheckins, rows); err != nil {
		return fmt.Errorf("insert check-ins: %w", err)
	}
	return nil
}

// update writes what can change of check-ins.
func update(tx *db.Tx, all []*Checkin) error {
	if len(all) == 0 {
		return nil
	}
	clears, rows := make([][]any, len(all)), make([][]any, len(all))
	for i, c := range all {
		clears[i] = []any{string(c.ID), c.org}
		rows[i] = []any{string(c.ID), c.org, string(c.result), c.entry(), c.Open, string(c.Against), c.told, c.Facts}
	}
	err := tx.Bulk(clearCheckins, clears)
	if err == nil {
		err = tx.Bulk(updateCheckins, rows)
	}
	if err != nil {
		return fmt.Errorf("update check-ins: %w", err)
	}
	return nil
}

// group is all that came through the door with one ticket on one list.
type group struct{ ticketNo, listNo int64 }

// settlement is what a transaction changes of check-ins.
type settlement struct {
	org      int64
	tickets  []ticket.Ticket // locked
	was      []*Checkin      // what came through the door with them
	policies map[int64]Policy
	fresh    []*Checkin // to be added; those that are denied count for nothing
	undo     *Checkin   // one of was, to be taken away; nil for none
}

// settle works out what all check-ins of the tickets count for now, and writes it down with its facts.
func (d *Door) settle(tx *db.Tx, s settlement) error {
	groups := map[group][]*Checkin{}
	touched := map[group]bool{}
	old := make(map[*Checkin]Checkin, len(s.was))
	for _, c := range s.was {
		old[c] = *c
		if c != s.undo {
			groups[group{c.TicketNo, c.ListNo}] = append(groups[group{c.TicketNo, c.ListNo}], c)
		}
	}
	var order []group // that of what is new, so that facts come in an order
	touch := func(g group) {
		if !touched[g] {
			touched[g] = true
			order = append(order, g)
		}
	}
	for _, c := range s.fresh {
		if c.result != denied {
			g := group{c.TicketNo, c.ListNo}
			groups[g] = append(groups[g], c)
			touch(g)
		}
	}
	var facts []*fact.Fact
	var changed []*Checkin
	if u := s.undo; u != nil {
		u.result, u.Entry, u.Open, u.Against = undone, 0, false, ""
		f, err := u.tell(fact.CheckinUndone, nil)
		if err != nil {
			return err
		}
		changed, facts = append(changed, u), append(facts, f)
		touch(group{u.TicketNo, u.ListNo})
	}
	for _, g := range order {
		all := groups[g]
		count(s.policies[g.listNo], all)
		told, others, err := s.told(g, all, old)
		if err != nil {
			return err
		}
		facts, changed = append(facts, told...), append(changed, others...)
	}
	for _, c := range s.fresh {
		if c.result == denied {
			f, err := c.tell(fact.CheckinDenied, nil)
			if err != nil {
				return err
			}
			facts = append(facts, f)
		}
	}
	if err := update(tx, changed); err != nil {
		return err
	}
	if err := insert(tx, s.fresh); err != nil {
		return err
	}
	if err := s.move(tx, groups); err != nil {
		return err
	}
	if err := d.ledger.Append(tx, facts...); err != nil {
		return fmt.Errorf("append facts of check-ins: %w", err)
	}
	return nil
}

// told returns the facts about a group that was counted anew, and those of it that were there before and are another now.
func (s *settlement) told(g group, all []*Checkin, old map[*Checkin]Checkin) (facts []*fact.Fact, changed []*Checkin, err error) {
	byID := make(map[id.Checkin]*Checkin, len(all))
	announced := false
	for _, c := range all {
		byID[c.ID] = c
		announced = announced || c.told
	}
	if u := s.undo; u != nil && u.told && (group{u.TicketNo, u.ListNo}) == g {
		u.told = false
		if i := slices.IndexFunc(all, func(c *Checkin) bool { return c.result == admitted }); i >= 0 { // its entry is another's now, and was told
			all[i].told, announced = true, true
		}
	}
	for _, c := range all {
		was, known := old[c]
		if known && was.result == c.result && was.Against == c.Against {
			if was.Entry != c.Entry || was.Open != c.Open || was.told != c.told {
				changed = append(changed, c)
			}
			continue
		}
		kind := fact.CheckinExited
		switch c.result {
		case conflict:
			kind = fact.CheckinConflicted
		case admitted:
			if kind = fact.CheckinReadmitted; !announced {
				kind, c.told, announced = fact.CheckinAdmitted, true, true
			}
		}
		if known && (was.result == exited || was.result == stray) && c.Direction == Exit {
			// Which entry somebody left on is another now; that they left is not.
			changed = append(changed, c)
			continue
		}
		f, err := c.tell(kind, byID[c.Against])
		if err != nil {
			return nil, nil, err
		}
		facts = append(facts, f)
		if known {
			changed = append(changed, c)
		}
	}
	return facts, changed, nil
}

// move notes where the tickets' holders are now.
func (s *settlement) move(tx *db.Tx, groups map[group][]*Checkin) error {
	inside := map[int64]bool{}
	for g, all := range groups {
		for _, c := range all {
			if c.Open {
				inside[g.ticketNo] = true
			}
		}
	}
	var in, out []ticket.Ticket
	for _, t := range s.tickets {
		switch {
		case inside[t.No] && t.Presence != ticket.Inside:
			in = append(in, t)
		case !inside[t.No] && t.Presence != ticket.Outside:
			out = append(out, t)
		}
	}
	if err := ticket.Move(tx, ticket.Inside, in...); err != nil {
		return err
	}
	return ticket.Move(tx, ticket.Outside, out...)
}

// replayed finds the check-in that the same request made before; nil where there is none. It fails with nonce_reused for another request.
func replayed(q db.Querier, org int64, device, nonce string, hash []byte, t id.Ticket) (*Checkin, error) {
	if nonce == "" {
		return nil, nil
	}
	c, err := db.One(q, scan, selectCheckin+`WHERE org_id = $1 AND device = $2 AND nonce = $3 AND nonce <> ''`, org, device, nonce)
	if errors.Is(err, db.ErrNoRow) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for a nonce: %w", err)
	}
	if same(c, hash, t) {
		return c, nil
	}
	return nil, problem.New(problem.Mismatch, "nonce_reused", "This nonce came with another code before; use a new one for each scan.")
}

// same tells whether a check-in was made by the same code or ticket.
func same(c *Checkin, hash []byte, t id.Ticket) bool {
	if hash != nil && c.hash != nil {
		return string(hash) == string(c.hash)
	}
	return c.TicketID == t
}
