package ticket

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// Codes are what a ticket is shown with at the door. Whoever has one can come in.
type Codes struct {
	Text  string    // the QR code's, see package ticketcode
	Until time.Time // of a rotating one: from then on it is not shown any more; else zero
	Short string    // to type: XXXX-XXXX-XXXX
}

// maxGeneration is the last that a code can say: ticketcode.AllGenerations is none.
const maxGeneration = ticketcode.AllGenerations - 1

// HasCodes tells whether a ticket is shown with codes at all: one that is reserved or void is not.
func (t Ticket) HasCodes() bool { return t.Validity == Valid || t.Validity == Blocked }

// CodesOf returns a ticket's codes at an instant. Those of its generation stay the same until a key is rotated, but for the part that rotates. It fails with
// ticket_without_code. Outside of a transaction, showing a short code for the first time writes it down in one of its own.
func (r *Roll) CodesOf(ctx context.Context, q db.Querier, t Ticket, at time.Time) (Codes, error) {
	if !t.HasCodes() {
		return Codes{}, problem.New(problem.Conflict, "ticket_without_code", "The ticket is %s; a valid one has a code.", t.Validity)
	}
	b, err := r.needCodebook(ctx, q, t.org)
	if err != nil {
		return Codes{}, err
	}
	c := Codes{}
	if c.Text, err = b.sign(t); err != nil {
		return Codes{}, fmt.Errorf("code of ticket %s: %w", t.ID, err)
	}
	if is, rotates := b.rotations[t.EventNo]; rotates {
		if c.Text, err = is.codes.Text(c.Text, at); err != nil {
			return Codes{}, fmt.Errorf("code of ticket %s: %w", t.ID, err)
		}
		step := int64(is.Step / time.Second)
		c.Until = time.Unix((at.Unix()/step+1)*step, 0).UTC()
	}
	c.Short, err = r.shortCode(ctx, q, b, t)
	return c, err
}

// sign returns the static code of a ticket.
func (b *codebook) sign(t Ticket) (string, error) {
	raw, ok := t.ID.Bytes()
	if !ok || t.Generation > maxGeneration {
		return "", errors.New("there is no code for it")
	}
	return b.signer.Sign(ticketcode.Token{
		Tag: ticketcode.EventTag(string(b.org), string(t.EventID)), Ticket: raw, Generation: uint16(t.Generation), Class: uint16(t.Class),
		ValidFrom: t.ValidFrom, ValidUntil: t.ValidUntil,
	})
}

// A ticket's short code is derived from the organisation's secret, the ticket and its generation. Two tickets may come out the same (with a million tickets, once
// in two thousand organisations): so there are many candidates in a row, and the first that nobody else had is the ticket's.
const candidates = 16

// candidate derives a ticket's n-th possible short code.
func (b *codebook) candidate(t Ticket, n int) string {
	m := hmac.New(sha256.New, b.secret)
	m.Write([]byte("short code 1\x00"))
	for _, part := range []int64{t.No, t.mark, int64(t.Generation), int64(n)} {
		m.Write(binary.BigEndian.AppendUint64(nil, uint64(part)))
	}
	return ticketcode.ShortCodeOf(binary.BigEndian.Uint64(m.Sum(nil)))
}

// lookup is what a short code is found by: a keyed hash, so that whoever reads the table has no codes.
func (b *codebook) lookup(short string) int64 {
	m := hmac.New(sha256.New, b.secret)
	m.Write([]byte("lookup 1\x00" + short))
	return int64(binary.BigEndian.Uint64(m.Sum(nil)) & math.MaxInt64)
}

// shortCode returns a ticket's short code, and has it be the ticket's before anybody sees it.
func (r *Roll) shortCode(ctx context.Context, q db.Querier, b *codebook, t Ticket) (string, error) {
	_, writing := q.(*db.Tx)
	for n := range candidates {
		short := b.candidate(t, n)
		lookup, ours, err := b.lookup(short), false, db.ErrNoRow
		if !writing {
			ours, err = owns(q, t, lookup)
		}
		if errors.Is(err, db.ErrNoRow) {
			err = r.within(ctx, q, func(tx *db.Tx) (err error) {
				ours, err = claim(tx, t, lookup)
				return err
			})
		}
		if err != nil {
			return "", fmt.Errorf("short code of ticket %s: %w", t.ID, err)
		}
		if ours {
			return short, nil
		}
	}
	return "", fmt.Errorf("short code of ticket %s: %d candidates belong to others", t.ID, candidates)
}

// claim makes a short code a ticket's unless it is another's, and tells whether it is the ticket's now.
func claim(tx *db.Tx, t Ticket, lookup int64) (bool, error) {
	n, err := tx.Exec(`INSERT INTO ticket_short_codes (org_id, lookup, ticket_no, generation) VALUES ($1, $2, $3, $4) ON CONFLICT (org_id, lookup) DO NOTHING`,
		t.org, lookup, t.No, t.Generation)
	if err != nil || n == 1 {
		return n == 1, err
	}
	return owns(tx, t, lookup)
}

// owns tells whether a short code is a ticket's; db.ErrNoRow for nobody's.
func owns(q db.Querier, t Ticket, lookup int64) (bool, error) {
	return db.One(q, func(rows db.Rows) (bool, error) {
		var no int64
		var generation int
		err := rows.Scan(&no, &generation)
		return no == t.No && generation == t.Generation, err
	}, `SELECT ticket_no, generation FROM ticket_short_codes WHERE org_id = $1 AND lookup = $2`, t.org, lookup)
}
