package delivery

import (
	"context"
	"errors"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// erasePage is how many attempts or envelopes are looked at together.
const erasePage = 500

// EraseTraces blanks what attempts and envelopes of an organisation (0 for all) have kept that has a person's address in it, and all that attempts of the given facts
// have kept. The keyring opens kept envelopes; one that does not open is blanked too. It returns how many attempts and envelopes it blanked. It looks through all of the organisation's, in steps.
func EraseTraces(ctx context.Context, d *db.DB, keys *seal.Keyring, org int64, a person.Address, facts []id.Fact) (n int, err error) {
	theirs := make(map[int64]bool, len(facts))
	for _, f := range facts {
		theirs[f.Seq] = true
	}
	for endpoint := int64(0); ; {
		var of int64
		endpoint, of, err = nextEndpoint(d.Read(ctx), endpoint)
		if errors.Is(err, db.ErrNoRow) {
			break
		}
		if err != nil {
			return n, err
		}
		if of != org && org != 0 {
			continue
		}
		if err := eraseKeys(ctx, d, of, endpoint, facts); err != nil {
			return n, err
		}
		some, err := eraseAttempts(ctx, d, of, endpoint, a, theirs)
		if n += some; err != nil {
			return n, err
		}
	}
	some, err := eraseEnvelopes(ctx, d, keys, org, a)
	return n + some, err
}

// nextEndpoint finds the next endpoint that has deliveries, and whose it is.
func nextEndpoint(q db.Querier, after int64) (endpoint, org int64, err error) {
	_, err = db.One(q, func(r db.Rows) (bool, error) { return true, r.Scan(&endpoint, &org) },
		`SELECT endpoint_id, org_id FROM deliveries WHERE endpoint_id > $1 ORDER BY endpoint_id LIMIT 1`, after)
	return endpoint, org, err
}

// eraseKeys takes the keys off deliveries: a key may be an address, and its hash tells whoever guesses.
func eraseKeys(ctx context.Context, d *db.DB, org, endpoint int64, facts []id.Fact) error {
	for len(facts) > 0 {
		some := facts[:min(len(facts), erasePage)]
		facts = facts[len(some):]
		seqs := make(numbers, len(some))
		for i, f := range some {
			seqs[i] = f.Seq
		}
		err := d.Write(ctx, "", func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE deliveries SET lane_key = 0 WHERE endpoint_id = $1 AND fact_seq IN ints($2) AND org_id = $3 AND lane_key <> 0`,
				endpoint, seqs.list(), org)
			return err
		})
		if err != nil {
			return fmt.Errorf("erase keys of deliveries: %w", err)
		}
	}
	return nil
}

// trace is an attempt that has kept something; hash tells whether that of its body goes too.
type trace struct {
	seq, n int64
	hash   bool
}

func eraseAttempts(ctx context.Context, d *db.DB, org, endpoint int64, a person.Address, facts map[int64]bool) (n int, err error) {
	for seq, try, more := int64(0), int64(0), true; more; {
		var found []trace
		if found, seq, try, more, err = searchAttempts(d.Read(ctx), org, endpoint, seq, try, a, facts); err != nil {
			return n, fmt.Errorf("look for a person in attempts: %w", err)
		}
		if len(found) == 0 {
			continue
		}
		err = d.Write(ctx, "", func(tx *db.Tx) error {
			for _, t := range found {
				if err := tx.Later(`UPDATE attempts SET detail = NULL, request_head = NULL, response_head = NULL, response_body = NULL,
					body_hash = CASE WHEN $1 THEN NULL ELSE body_hash END WHERE endpoint_id = $2 AND fact_seq = $3 AND n = $4 AND org_id = $5`,
					t.hash, endpoint, t.seq, t.n, org); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, fmt.Errorf("erase attempts: %w", err)
		}
		n += len(found)
	}
	return n, nil
}

func searchAttempts(q db.Querier, org, endpoint, seq, try int64, a person.Address, facts map[int64]bool) (found []trace, lastSeq, lastTry int64, more bool, err error) {
	rows, err := q.Query(`SELECT fact_seq, n, detail, request_head, response_head, response_body, body_hash FROM attempts
		WHERE endpoint_id = $1 AND org_id = $2 AND (fact_seq, n) > ($3, $4) ORDER BY fact_seq, n LIMIT $5`, endpoint, org, seq, try, erasePage)
	if err != nil {
		return nil, 0, 0, false, err
	}
	defer rows.Close()
	count := 0
	for ; rows.Next(); count++ {
		t := trace{}
		var detail, request, response *string
		var body, hash []byte
		if err := rows.Scan(&t.seq, &t.n, &detail, &request, &response, &body, &hash); err != nil {
			return nil, 0, 0, false, err
		}
		lastSeq, lastTry = t.seq, t.n
		t.hash = facts[t.seq]
		kept := detail != nil || request != nil || response != nil || body != nil || hash != nil
		if t.hash && kept || a.In([]byte(value(detail))) || a.In([]byte(value(request))) || a.In([]byte(value(response))) || a.In(body) {
			found = append(found, t)
		}
	}
	return found, lastSeq, lastTry, count == erasePage, rows.Err()
}

// place is an envelope's.
type place struct {
	seq     int64
	variant string
	org     int64
}

func eraseEnvelopes(ctx context.Context, d *db.DB, keys *seal.Keyring, org int64, a person.Address) (n int, err error) {
	for last, more := (place{}), true; more; {
		var found []place
		if found, last, more, err = searchEnvelopes(d.Read(ctx), keys, org, last, a); err != nil {
			return n, fmt.Errorf("look for a person in envelopes: %w", err)
		}
		if len(found) == 0 {
			continue
		}
		err = d.Write(ctx, "", func(tx *db.Tx) error {
			for _, p := range found {
				if err := tx.Later(`UPDATE envelopes SET body = NULL WHERE fact_seq = $1 AND variant = $2 AND org_id = $3`, p.seq, p.variant, p.org); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, fmt.Errorf("erase envelopes: %w", err)
		}
		n += len(found)
	}
	return n, nil
}

func searchEnvelopes(q db.Querier, keys *seal.Keyring, org int64, after place, a person.Address) (found []place, last place, more bool, err error) {
	rows, err := q.Query(`SELECT fact_seq, variant, org_id, CASE WHEN org_id = $1 OR $1 = 0 THEN body END FROM envelopes
		WHERE (fact_seq, variant) > ($2, $3) ORDER BY fact_seq, variant LIMIT $4`, org, after.seq, after.variant, erasePage)
	if err != nil {
		return nil, last, false, err
	}
	defer rows.Close()
	count := 0
	for ; rows.Next(); count++ {
		var body []byte
		if err := rows.Scan(&last.seq, &last.variant, &last.org, &body); err != nil {
			return nil, last, false, err
		}
		if body, err = openKept(keys, last.seq, last.variant, body); err != nil || a.In(body) {
			found = append(found, last) // of what does not open, nobody knows who is in it
		}
	}
	return found, last, count == erasePage, rows.Err()
}
