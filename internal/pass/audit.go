package pass

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Audit looks for what no constraint forbids, and returns a sentence for each thing that is wrong.
func Audit(q db.Querier) ([]string, error) {
	var found []string
	for _, check := range []struct{ what, sql string }{
		{"passes count other registrations than they have", `SELECT count(*) FROM passes p LEFT JOIN (
				SELECT pass_no, count(*) AS ever, count(CASE WHEN deleted_at IS NULL THEN 1 END) AS opened FROM pass_registrations GROUP BY pass_no
			) r ON r.pass_no = p.pass_no WHERE p.registered <> COALESCE(r.ever, 0) OR p.opened <> COALESCE(r.opened, 0)`},
		{"registrations were made after their pass had expired", `SELECT count(*) FROM pass_registrations r JOIN passes p ON p.pass_no = r.pass_no
			WHERE r.created_at > p.expired_at`},
		{"passes count other scans than they have", `SELECT count(*) FROM passes p LEFT JOIN (
				SELECT pass_no, count(*) AS scans, max(at) AS last FROM pass_scans GROUP BY pass_no
			) s ON s.pass_no = p.pass_no WHERE p.scans <> COALESCE(s.scans, 0) OR COALESCE(p.last_scan_at, 0) <> COALESCE(s.last, 0)`},
		{"passes or registrations have a tag that was never given", `SELECT (SELECT count(*) FROM passes WHERE tag > (SELECT tag FROM pass_clock))
			+ (SELECT count(*) FROM pass_registrations WHERE tag > (SELECT tag FROM pass_clock))`},
		{"registrations, links, scans or assets are of no pass of their organisation", `SELECT ` + strays("pass_registrations") + ` + ` + strays("pass_links") + ` + ` +
			strays("pass_scans") + ` + ` + strays("pass_assets")},
		{"pictures are kept for no active pass, or are not there", `SELECT count(*) FROM pass_pictures x WHERE x.pass_no <> 0
				AND NOT EXISTS (SELECT 1 FROM passes p WHERE p.pass_no = x.pass_no AND p.org_id = x.org_id AND p.expired_at IS NULL)
			OR NOT EXISTS (SELECT 1 FROM pass_images i WHERE i.org_id = x.org_id AND i.hash = x.hash)`},
		{"pushes are for nothing that there is", `SELECT count(*) FROM pass_pushes x WHERE CASE
			WHEN x.registration_no <> 0 THEN NOT EXISTS (SELECT 1 FROM pass_registrations r WHERE r.registration_no = x.registration_no AND r.pass_no = x.pass_no AND r.org_id = x.org_id)
			WHEN x.pass_no <> 0 THEN NOT EXISTS (SELECT 1 FROM passes p WHERE p.pass_no = x.pass_no AND p.org_id = x.org_id AND p.platform = 'google')
			ELSE NOT EXISTS (SELECT 1 FROM passes p WHERE p.event_no = x.event_no AND p.event_no <> 0 AND p.org_id = x.org_id) END`},
		{"waves go through no passes", `SELECT count(*) FROM pass_waves w WHERE CASE
			WHEN w.event_no <> 0 THEN NOT EXISTS (SELECT 1 FROM passes p WHERE p.event_no = w.event_no AND p.event_no <> 0 AND p.org_id = w.org_id)
			ELSE NOT EXISTS (SELECT 1 FROM passes p WHERE p.org_id = w.org_id) END`},
	} {
		n, err := db.One(q, db.Value[int64], check.sql)
		if err != nil {
			return nil, fmt.Errorf("audit passes: %w", err)
		}
		if n > 0 {
			found = append(found, fmt.Sprintf("%d %s", n, check.what))
		}
	}
	return found, nil
}

// strays counts the rows of a table that are of no pass of their organisation.
func strays(table string) string {
	return `(SELECT count(*) FROM ` + table + ` x WHERE NOT EXISTS (SELECT 1 FROM passes p WHERE p.pass_no = x.pass_no AND p.org_id = x.org_id))`
}

// Versions calls f with every pass's id and version, for whoever counts facts.
func Versions(q db.Querier, f func(pass id.Pass, version int64)) error {
	rows, err := q.Query(`SELECT id, version FROM passes`)
	if err != nil {
		return fmt.Errorf("versions of passes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var pass id.Pass
		var version int64
		if err := rows.Scan(&pass, &version); err != nil {
			return err
		}
		f(pass, version)
	}
	return rows.Err()
}
