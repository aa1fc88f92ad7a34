package ticket

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Audit recomputes from its transfers what each ticket says of itself, and from tickets what is revoked, and returns a sentence for each thing that differs.
func Audit(q db.Querier) ([]string, error) {
	var all []string
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var made, accepted, open int
		t, err := scanWith(r, &made, &accepted, &open)
		if err != nil {
			return struct{}{}, err
		}
		say := func(format string, args ...any) {
			all = append(all, "Ticket "+string(t.ID)+" "+fmt.Sprintf(format, args...)+".")
		}
		if t.offers != made {
			say("says that it was offered %d times, and has %d transfers", t.offers, made)
		}
		if t.Generation != 1+accepted {
			say("is of generation %d after %d transfers", t.Generation, accepted)
		}
		if open > 0 && (t.Validity == Void || t.Validity == Reserved) {
			say("is %s and offered", t.Validity)
		}
		if issued := t.Version > 0; issued == (t.Validity == Reserved) && t.Validity != Void {
			say("is %s with %d facts", t.Validity, t.Version)
		}
		return struct{}{}, nil
	}, `SELECT `+columns+`, COALESCE(x.made, 0), COALESCE(x.accepted, 0), COALESCE(x.open, 0) FROM tickets t LEFT JOIN (
			SELECT ticket_no, count(*) AS made, count(CASE WHEN state = 'accepted' THEN 1 END) AS accepted, count(CASE WHEN state = 'offered' THEN 1 END) AS open
			FROM transfers GROUP BY ticket_no
		) x ON x.ticket_no = t.ticket_no
		WHERE t.offers > 0 OR x.made > 0 OR t.generation <> 1 OR (t.version = 0) <> (t.validity = 'reserved')`)
	if err != nil {
		return nil, fmt.Errorf("audit tickets: %w", err)
	}
	_, err = db.All(q, func(r db.Rows) (struct{}, error) {
		var through int
		t, err := scanWith(r, &through)
		if err == nil && through != t.through() {
			all = append(all, fmt.Sprintf("Ticket %s has codes revoked through generation %d, want %d.", t.ID, through, t.through()))
		}
		return struct{}{}, err
	}, `SELECT `+columns+`, COALESCE(v.through, 0) FROM tickets t LEFT JOIN ticket_revocations v ON v.ticket_no = t.ticket_no
		WHERE v.ticket_no IS NOT NULL OR t.generation <> 1 OR t.validity IN ('void', 'blocked')`)
	if err != nil {
		return nil, fmt.Errorf("audit revocations: %w", err)
	}
	return all, nil
}

// Versions calls f with every ticket's id and version, for whoever counts facts.
func Versions(q db.Querier, f func(ticket id.Ticket, version int64)) error {
	rows, err := q.Query(`SELECT ticket_no, mark, version FROM tickets`)
	if err != nil {
		return fmt.Errorf("versions of tickets: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var no, mark, version int64
		if err := rows.Scan(&no, &mark, &version); err != nil {
			return err
		}
		f(numbered(no, mark), version)
	}
	return rows.Err()
}
