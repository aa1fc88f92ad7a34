package app

import "github.com/stagedoorhq/stagedoor/internal/db"

// presences holds the tickets' presences against who came through the door, and check-ins against their facts.
func presences(q db.Querier) ([]string, error) {
	return counted(q, []count{
		{"tickets are inside without an open admission", `SELECT count(*) FROM tickets t WHERE t.presence = 'inside' AND NOT EXISTS (
			SELECT 1 FROM checkins c WHERE c.ticket_no = t.ticket_no AND c.open)`},
		{"tickets are outside with an open admission", `SELECT count(*) FROM checkins c JOIN tickets t ON t.ticket_no = c.ticket_no AND t.org_id = c.org_id
			WHERE c.open AND t.presence <> 'inside'`},
		{"admissions are of no ticket", `SELECT count(*) FROM checkins c WHERE c.entry_no IS NOT NULL AND NOT EXISTS (
			SELECT 1 FROM tickets t WHERE t.ticket_no = c.ticket_no AND t.org_id = c.org_id)`},
		{"check-ins have another number of facts than they say", `SELECT count(*) FROM checkins c LEFT JOIN (
				SELECT org_id, subject, count(*) AS n FROM facts WHERE kind IN ('checkin.admitted', 'checkin.readmitted', 'checkin.denied', 'checkin.exited',
					'checkin.conflict_offline', 'checkin.undone') GROUP BY org_id, subject
			) f ON f.subject = c.id AND f.org_id = c.org_id WHERE COALESCE(f.n, 0) <> c.facts`},
	})
}
