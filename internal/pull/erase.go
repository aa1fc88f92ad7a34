package pull

import (
	"context"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

const erasePage = 20 // events that are looked at together: each may be large

// EraseTraces blanks what the pull endpoints of an organisation (0 for all) have kept that has a person's address in it, and returns of how many requests. It looks
// through all of them, in steps. What owners wrote about their endpoints is blanked too, where it has the address.
func EraseTraces(ctx context.Context, d *db.DB, org int64, a person.Address) (n int, err error) {
	for last, more := int64(0), true; more; {
		var found []Mention
		if found, last, more, err = Mentions(d.Read(ctx), org, last, a); err != nil {
			return n, fmt.Errorf("look for a person in events of pull endpoints: %w", err)
		}
		if len(found) == 0 {
			continue
		}
		numbers := make([]int64, len(found))
		for i, one := range found {
			numbers[i] = one.ID.Seq
		}
		if err := blank(ctx, d, numbers, `UPDATE pull_payloads SET head = NULL, body = NULL WHERE seq IN ints($1)`,
			`UPDATE pull_events SET type = '', content_type = '' WHERE seq IN ints($1)`); err != nil {
			return n, err
		}
		n += len(found)
	}
	refused, err := eraseRefused(ctx, d, org, a)
	if err != nil {
		return n, err
	}
	return n + refused, eraseNotes(ctx, d, org, a)
}

// blank runs statements about rows with numbers.
func blank(ctx context.Context, d *db.DB, numbers []int64, statements ...string) error {
	if len(numbers) == 0 {
		return nil
	}
	err := d.Write(ctx, "", func(tx *db.Tx) error {
		for _, sql := range statements {
			if err := tx.Later(sql, list(numbers)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("erase a person from pull endpoints: %w", err)
	}
	return nil
}

// Mention is an event with a person's address in it.
type Mention struct {
	Event
	Payload
}

// Mentions looks at the next of an organisation's events (0 for all organisations) after a number, and returns those that have a person's address in them, the
// number of the last that it looked at, and whether there are more.
func Mentions(q db.Querier, org, after int64, a person.Address) (found []Mention, last int64, more bool, err error) {
	all, err := db.All(q, func(r db.Rows) (m Mention, err error) {
		m.Event, err = scanEvent(r, &m.Head, &m.Body)
		return m, err
	}, `SELECT `+eventColumns+`, p.head, p.body FROM pull_events v LEFT JOIN pull_payloads p ON p.seq = v.seq AND p.org_id = v.org_id
		WHERE v.seq > $1 AND (v.org_id = $2 OR $2 = 0) ORDER BY v.seq LIMIT $3`, after, org, erasePage)
	for _, m := range all {
		last = m.ID.Seq
		if a.In(m.Head) || a.In(m.Body) || a.In([]byte(m.Type)) || a.In([]byte(m.ContentType)) {
			found = append(found, m)
		}
	}
	return found, last, len(all) == erasePage, err
}

// noted is what somebody wrote beside something with a number.
type noted struct {
	no   int64
	text string
}

func scanNoted(r db.Rows) (n noted, err error) { return n, r.Scan(&n.no, &n.text) }

// mentioning are the numbers of those that have the address.
func mentioning(all []noted, a person.Address) (numbers []int64, last int64) {
	for _, one := range all {
		if last = one.no; a.In([]byte(one.text)) {
			numbers = append(numbers, one.no)
		}
	}
	return numbers, last
}

const notesPage = 500

func eraseRefused(ctx context.Context, d *db.DB, org int64, a person.Address) (n int, err error) {
	for last, more := int64(0), true; more; {
		all, err := db.All(d.Read(ctx), scanNoted, `SELECT seq, detail || ' ' || headers FROM pull_rejections WHERE seq > $1 AND (org_id = $2 OR $2 = 0) ORDER BY seq LIMIT $3`,
			last, org, notesPage)
		if err != nil {
			return n, err
		}
		var numbers []int64
		numbers, last = mentioning(all, a)
		if err := blank(ctx, d, numbers, `UPDATE pull_rejections SET detail = '', headers = '{}' WHERE seq IN ints($1)`); err != nil {
			return n, err
		}
		n, more = n+len(numbers), len(all) == notesPage
	}
	return n, nil
}

// eraseNotes blanks names and descriptions. Nodes may remember them for half a second.
func eraseNotes(ctx context.Context, d *db.DB, org int64, a person.Address) error {
	for last, more := int64(0), true; more; {
		all, err := db.All(d.Read(ctx), scanNoted, `SELECT endpoint_no, name || ' ' || description FROM pull_endpoints WHERE endpoint_no > $1 AND (org_id = $2 OR $2 = 0)
			ORDER BY endpoint_no LIMIT $3`, last, org, notesPage)
		if err != nil {
			return err
		}
		var numbers []int64
		numbers, last = mentioning(all, a)
		if err := blank(ctx, d, numbers, `UPDATE pull_endpoints SET name = '', description = '' WHERE endpoint_no IN ints($1)`); err != nil {
			return err
		}
		more = len(all) == notesPage
	}
	return nil
}
