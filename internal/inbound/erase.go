package inbound

import (
	"context"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

const erasePage = 20 // events that are looked at together: each may be large

// EraseTraces blanks what events of an organisation (0 for all) have that has a person's address in it, and returns how many. It looks through all of them, in steps.
func EraseTraces(ctx context.Context, d *db.DB, org int64, a person.Address) (n int, err error) {
	for last, more := int64(0), true; more; {
		var found []Event
		if found, last, more, err = Mentions(d.Read(ctx), org, last, a); err != nil {
			return n, fmt.Errorf("look for a person in events of developer endpoints: %w", err)
		}
		if len(found) == 0 {
			continue
		}
		err = d.Write(ctx, "", func(tx *db.Tx) error {
			for _, one := range found {
				if err := tx.Later(`UPDATE inbound_events SET body = NULL, headers = '{}', event = '' WHERE seq = $1`, one.ID.Seq); err != nil {
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

// Mentions looks at the next of an organisation's events (0 for all organisations) after a number, and returns those that have a person's address in them, the
// number of the last that it looked at, and whether there are more.
func Mentions(q db.Querier, org, after int64, a person.Address) (found []Event, last int64, more bool, err error) {
	all, err := db.All(q, func(r db.Rows) (Event, error) { return scanEvent(r) },
		`SELECT `+eventColumns+` FROM inbound_events WHERE seq > $1 AND (org_id = $2 OR $2 = 0) ORDER BY seq LIMIT $3`, after, org, erasePage)
	for _, e := range all {
		last = e.ID.Seq
		headers := false
		for _, v := range e.Headers {
			headers = headers || a.In([]byte(v))
		}
		if headers || a.In([]byte(e.Name)) || a.In(e.Body) {
			found = append(found, e)
		}
	}
	return found, last, len(all) == erasePage, err
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
