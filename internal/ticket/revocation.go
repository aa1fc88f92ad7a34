package ticket

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// numberedAtOnce is how many changes one transaction numbers.
const numberedAtOnce = 1000

// Revocations is a signed list of what is revoked, with what it says.
type Revocations struct {
	ticketcode.RevocationList
	Signed []byte // as gates take it, see [ticketcode.Revocations.Apply]
	More   bool   // there is more after Seq
}

// through is up to which generation a ticket's codes are revoked: all that there may ever be of one that is void, the present one while it is blocked, else
// those of former holders.
func (t Ticket) through() int {
	switch {
	case t.Version == 0: // it was never issued, so it never had a code
		return 0
	case t.Validity == Void:
		return ticketcode.AllGenerations
	case t.Validity == Blocked:
		return t.Generation
	}
	return t.Generation - 1
}

var upsertRevocations = db.BulkInsert("ticket_revocations", "ON CONFLICT (ticket_no) DO UPDATE SET through = excluded.through, pending = TRUE",
	"org_id bigint", "ticket_no bigint", "mark bigint", "through bigint", "seq bigint", "pending boolean")

// revoke writes down what of the tickets' codes is not good any more, as far as that has changed since they were read.
func revoke(tx *db.Tx, all []Ticket) error {
	var rows [][]any
	for _, t := range all {
		if through := t.through(); through != t.revoked {
			rows = append(rows, []any{t.org, t.No, t.mark, through, int64(0), true})
		}
	}
	if err := tx.Bulk(upsertRevocations, rows); err != nil {
		return fmt.Errorf("revoke codes: %w", err)
	}
	return nil
}

// RevocationsSince returns, signed now, what has changed in an organisation's revocations after a number; since 0, or after a number that was never reached,
// all that is revoked. It gives the changes that were committed until now their numbers first, outside of a transaction in some of its own.
func (r *Roll) RevocationsSince(ctx context.Context, q db.Querier, org int64, since uint64) (Revocations, error) {
	b, err := r.needCodebook(ctx, q, org)
	if err != nil {
		return Revocations{}, err
	}
	if err := r.numberRevocations(ctx, q, org); err != nil {
		return Revocations{}, fmt.Errorf("number revocations: %w", err)
	}
	head, err := db.One(q, db.Value[int64], `SELECT revoked FROM ticket_codebooks WHERE org_id = $1`, org)
	if err != nil {
		return Revocations{}, fmt.Errorf("revocations: %w", err)
	}
	if since > uint64(head) {
		since = 0 // a server that was set back; a gate that was further begins again
	}
	list := Revocations{RevocationList: ticketcode.RevocationList{Org: string(b.org), Since: since, Seq: uint64(head), Issued: time.Now()}}
	last := int64(since)
	list.Revoked, err = db.All(q, func(rows db.Rows) (ticketcode.Revocation, error) {
		var no, mark, through int64
		if err := rows.Scan(&no, &mark, &through, &last); err != nil {
			return ticketcode.Revocation{}, err
		}
		raw, _ := numbered(no, mark).Bytes()
		return ticketcode.Revocation{Ticket: raw, Through: uint16(through)}, nil
	}, `SELECT ticket_no, mark, through, seq FROM ticket_revocations WHERE org_id = $1 AND seq > $2 AND seq <= $3 AND (through > 0 OR $2 > 0) ORDER BY seq LIMIT $4`,
		org, int64(since), head, ticketcode.MaxListed)
	if err != nil {
		return Revocations{}, fmt.Errorf("list revocations: %w", err)
	}
	if len(list.Revoked) == ticketcode.MaxListed {
		list.Seq, list.More = uint64(last), last < head
	}
	if list.Signed, err = b.signer.SignRevocations(list.RevocationList); err != nil {
		return Revocations{}, fmt.Errorf("sign revocations: %w", err)
	}
	return list, nil
}

// numberRevocations gives changes their numbers, in an order in which nothing is committed later with a lower one.
func (r *Roll) numberRevocations(ctx context.Context, q db.Querier, org int64) error {
	for {
		some, err := pendingRevocations(q, org, 1)
		if err != nil || len(some) == 0 {
			return err
		}
		err = r.within(ctx, q, func(tx *db.Tx) error {
			head, err := db.One(tx, db.Value[int64], `SELECT revoked FROM ticket_codebooks WHERE org_id = $1 /*for update*/`, org)
			if err != nil {
				return err
			}
			some, err := pendingRevocations(tx, org, numberedAtOnce)
			if err != nil {
				return err
			}
			rows := make([][]any, len(some))
			for i, no := range some {
				head++
				rows[i] = []any{no, org, head}
			}
			if err := tx.Bulk(numberRevocation, rows); err != nil {
				return err
			}
			return tx.Later(`UPDATE ticket_codebooks SET revoked = $1 WHERE org_id = $2`, head, org)
		})
		if err != nil {
			return err
		}
	}
}

var numberRevocation = db.NewBulk(`UPDATE ticket_revocations SET seq = $3, pending = FALSE WHERE ticket_no = $1 AND org_id = $2`,
	`UPDATE ticket_revocations v SET seq = x.seq, pending = FALSE FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS x (ticket_no, org_id, seq)
		WHERE v.ticket_no = x.ticket_no AND v.org_id = x.org_id`, "bigint", "bigint", "bigint")

func pendingRevocations(q db.Querier, org int64, limit int) ([]int64, error) {
	return db.All(q, db.Value[int64], `SELECT ticket_no FROM ticket_revocations WHERE org_id = $1 AND pending ORDER BY ticket_no LIMIT $2`, org, limit)
}
