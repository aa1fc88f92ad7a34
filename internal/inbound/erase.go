package inbound

import (
	"context"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

const erasePage = 100 // events that are looked at together: each may be large

// EraseTraces blanks what events of an organisation (0 for all) have that has a person's address in it, and returns how many. It looks through all of them, in steps.
func EraseTraces(ctx context.Context, d *db.DB, org int64, a person.Address) (n int, err error) {
	for last, more := int64(0), true; more; {
		var found []int64
		if found, last, more, err = search(d.Read(ctx), org, last, a); err != nil {
			return n, fmt.Errorf("look for a person in events of developer endpoints: %w", err)
		}
		if len(found) == 0 {
			continue
		}
		err = d.Write(ctx, "", func(tx *db.Tx) error {
			for _, seq := range found {
				if err := tx.Later(`UPDATE inbound_events SET body = NULL, headers = '{}', event = '' WHERE seq = $1`, seq); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, fmt.Errorf("erase events of developer endpoints: %w", err)
		}
		n += len(found)
	}
	return n, nil
}

func search(q db.Querier, org, after int64, a person.Address) (found []int64, last int64, more bool, err error) {
	rows, err := q.Query(`SELECT seq, event, headers, body FROM inbound_events WHERE seq > $1 AND (org_id = $2 OR $2 = 0) ORDER BY seq LIMIT $3`, after, org, erasePage)
	if err != nil {
		return nil, 0, false, err
	}
	defer rows.Close()
	count := 0
	for ; rows.Next(); count++ {
		var event, headers string
		var body []byte
		if err := rows.Scan(&last, &event, &headers, &body); err != nil {
			return nil, 0, false, err
		}
		if a.In([]byte(event)) || a.In([]byte(headers)) || a.In(body) {
			found = append(found, last)
		}
	}
	return found, last, count == erasePage, rows.Err()
}

// EraseAccounts ends the endpoints of accounts of an organisation (0 for all), with all that they have taken.
func EraseAccounts(tx *db.Tx, org int64, by audit.By, accounts ...string) error {
	for _, account := range accounts {
		all, err := db.All(tx, scanOwned, `SELECT org_id, endpoint_no, id FROM dev_endpoints WHERE account = $1 AND (org_id = $2 OR $2 = 0)`, account, org)
		if err != nil {
			return err
		}
		for _, o := range all {
			if err := remove(tx, o.org, o.no, o.id, by, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
