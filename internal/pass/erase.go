package pass

import (
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Who a person is, passes do not know: theirs are those of the tickets that they hold.

// theirs is a condition on passes p: those of tickets ($1, as ticketList makes it) of an organisation ($2).
const theirs = `p.ticket_no IN ints($1) AND p.ticket_no <> 0 AND p.org_id = $2`

// personal tells of a pass p whether there is something to blank, spoken whether its barcode is its own and says what it was given, and named the same of a registration r: an account at Google has no name of its own here.
const (
	personal = `(p.owner <> '' OR p.nfts NOT IN ('[]', 'null') OR p.design <> '{}' OR p.external_id <> '')`
	spoken   = `(p.barcode IS NOT NULL AND NOT p.blanked)`
	named    = `(r.device IS NOT NULL AND p.platform <> 'google')`
)

func ticketList(tickets []id.Ticket) string {
	numbers := make([]int64, 0, len(tickets))
	for _, t := range tickets {
		if no, ok := ticket.NoOf(t); ok {
			numbers = append(numbers, no)
		}
	}
	return list(numbers)
}

// Of lists the passes of tickets, the oldest first.
func Of(q db.Querier, org int64, tickets []id.Ticket) ([]id.Pass, error) {
	all, err := db.All(q, db.Value[id.Pass], `SELECT p.id FROM passes p WHERE `+theirs+` ORDER BY p.pass_no`, ticketList(tickets), org)
	if err != nil {
		return nil, fmt.Errorf("passes of a person: %w", err)
	}
	return all, nil
}

// Known counts what [Erase] has to blank and remove for tickets.
func Known(q db.Querier, org int64, tickets []id.Ticket) (int, error) {
	n, err := db.One(q, db.Value[int], `SELECT (SELECT count(*) FROM passes p WHERE `+theirs+` AND `+personal+`)
		+ (SELECT count(*) FROM passes p WHERE `+theirs+` AND `+spoken+`)
		+ (SELECT count(*) FROM pass_assets a JOIN passes p ON p.pass_no = a.pass_no WHERE `+theirs+`)
		+ (SELECT count(*) FROM pass_pictures i JOIN passes p ON p.pass_no = i.pass_no WHERE `+theirs+`)
		+ (SELECT count(*) FROM pass_registrations r JOIN passes p ON p.pass_no = r.pass_no WHERE `+theirs+` AND `+named+`)
		+ (SELECT count(*) FROM pass_links l JOIN passes p ON p.pass_no = l.pass_no WHERE `+theirs+`)`, ticketList(tickets), org)
	if err != nil {
		return 0, fmt.Errorf("passes of a person: %w", err)
	}
	return n, nil
}

// Erase blanks owner, assets and design, with its pictures, and the names that the organisation gave, of up to limit passes of tickets whose holder is erased, and ends as many registrations, whose devices are forgotten, and
// download links; what barcodes of their own say is made up. It returns how many rows that were; there is nothing left when that is 0. Passes stay as they are otherwise, and so do their versions: no fact tells
// of it. Google, which has a copy, is told; so the tickets' holders are to be erased before this is committed.
func (b *Book) Erase(tx *db.Tx, org int64, tickets []id.Ticket, limit int) (int, error) {
	of := ticketList(tickets)
	// As everybody who changes a pass or its registrations; whoever registers a device just now is waited for.
	if _, err := db.All(tx, db.Value[int64], `SELECT p.pass_no FROM passes p WHERE `+theirs+` ORDER BY p.pass_no`+forUpdate, of, org); err != nil {
		return 0, fmt.Errorf("lock the passes of a person: %w", err)
	}
	total := 0
	for _, statement := range []string{
		`UPDATE passes SET owner = '', external_id = '', nfts = '[]', design = '{}', checked_at = NULL
			WHERE pass_no IN (SELECT p.pass_no FROM passes p WHERE ` + theirs + ` AND ` + personal + ` ORDER BY p.pass_no LIMIT $3)`,
		`DELETE FROM pass_assets WHERE (pass_no, contract, token_id) IN (SELECT a.pass_no, a.contract, a.token_id FROM pass_assets a JOIN passes p ON p.pass_no = a.pass_no
			WHERE ` + theirs + ` LIMIT $3)`,
		`DELETE FROM pass_pictures WHERE (org_id, hash, pass_no) IN (SELECT i.org_id, i.hash, i.pass_no FROM pass_pictures i JOIN passes p ON p.pass_no = i.pass_no
			WHERE ` + theirs + ` LIMIT $3)`,
		`DELETE FROM pass_links WHERE link IN (SELECT l.link FROM pass_links l JOIN passes p ON p.pass_no = l.pass_no WHERE ` + theirs + ` LIMIT $3)`,
	} {
		n, err := tx.Exec(statement, of, org, limit)
		if err != nil {
			return 0, fmt.Errorf("erase a person from passes: %w", err)
		}
		total += int(n)
	}
	blanked, err := b.blank(tx, org, of, limit)
	if err != nil {
		return 0, fmt.Errorf("erase a person from barcodes: %w", err)
	}
	total += blanked
	n, err := forget(tx, org, of, limit)
	if err != nil {
		return 0, fmt.Errorf("erase a person's devices: %w", err)
	}
	_, err = tx.Exec(insertPushes+`SELECT p.org_id, p.pass_no, 0, 0, 0, 0, 0, CAST($3 AS BIGINT) FROM passes p WHERE `+theirs+` AND p.platform = 'google' `+onceMore("$4"),
		of, org, tx.Micros(), tx.Now().Add(lease).UnixMicro())
	if err != nil {
		return 0, fmt.Errorf("have a person erased at Google: %w", err)
	}
	return total + n, nil
}

// dropClosed drops what was to be told to devices that have some passes no more.
const dropClosed = `DELETE FROM pass_pushes WHERE pass_no IN ints($1) AND registration_no IN (
	SELECT r.registration_no FROM pass_registrations r WHERE r.pass_no IN ints($1) AND r.deleted_at IS NOT NULL)`

// blank gives up to limit passes of tickets that have a barcode of their own another, which says nothing.
func (b *Book) blank(tx *db.Tx, org int64, tickets string, limit int) (int, error) {
	all, err := find(tx, `WHERE `+theirs+` AND `+spoken+` ORDER BY p.pass_no LIMIT $3`+forUpdate, tickets, org, limit)
	if err != nil {
		return 0, err
	}
	for _, p := range all {
		now := Barcode{Message: rand.Text()}
		mac, err := b.setBarcode(p, now)
		if err != nil {
			return 0, err
		}
		if err := b.sign(tx, p, now.Message); err != nil {
			return 0, err
		}
		err = tx.Later(`UPDATE passes SET barcode = $1, barcode_mac = $2, signature = $3, blanked = TRUE WHERE pass_no = $4 AND org_id = $5`, p.barcode, mac, p.Signature, p.No, p.Org)
		if err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// forget ends registrations of tickets' passes and forgets their devices.
func forget(tx *db.Tx, org int64, tickets string, limit int) (int, error) {
	passes, err := db.All(tx, db.Value[int64], `UPDATE pass_registrations SET device = NULL, push_token = NULL, deleted_at = COALESCE(deleted_at, $4)
		WHERE registration_no IN (SELECT r.registration_no FROM pass_registrations r JOIN passes p ON p.pass_no = r.pass_no
			WHERE `+theirs+` AND `+named+` ORDER BY r.registration_no LIMIT $3)
		RETURNING pass_no`, tickets, org, limit, tx.Micros())
	if err != nil || len(passes) == 0 {
		return 0, err
	}
	some, err := json.Marshal(passes)
	if err != nil {
		return 0, err
	}
	err = tx.Later(`UPDATE passes SET opened = (SELECT count(*) FROM pass_registrations r WHERE r.pass_no = passes.pass_no AND r.deleted_at IS NULL)
		WHERE pass_no IN ints($1)`, string(some))
	if err != nil {
		return 0, err
	}
	return len(passes), tx.Later(dropClosed, string(some))
}
