package pass

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Stats counts an organisation's passes and scans.
type Stats struct {
	Platforms map[Platform]Count // of both
	Scans     int64
	Recent    []*Pass // the 10 that changed last
}

// Count counts the passes of a platform.
type Count struct {
	Total      int64
	Registered int64 // on a device, or in an account's wallet, now
	Expired    int64
}

// The statements of [StatsOf].
const (
	countPasses = `SELECT platform, count(*), count(CASE WHEN opened > 0 THEN 1 END), count(expired_at) FROM passes WHERE org_id = $1 GROUP BY platform`
	countScans  = `SELECT count(*) FROM pass_scans WHERE org_id = $1`
	recent      = `WHERE p.org_id = $1 ORDER BY p.updated_at DESC, p.pass_no DESC LIMIT 10`
)

// StatsOf counts. It reads an index of the organisation's passes and one of its scans from end to end, and no rows of theirs: about a second for a million of both, during which others write.
func StatsOf(q db.Querier, org int64) (Stats, error) {
	s := Stats{Platforms: map[Platform]Count{Apple: {}, Google: {}}}
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var p Platform
		var c Count
		err := r.Scan(&p, &c.Total, &c.Registered, &c.Expired)
		s.Platforms[p] = c
		return struct{}{}, err
	}, countPasses, org)
	if err != nil {
		return Stats{}, fmt.Errorf("count passes: %w", err)
	}
	if s.Scans, err = db.One(q, db.Value[int64], countScans, org); err != nil {
		return Stats{}, fmt.Errorf("count scans of passes: %w", err)
	}
	s.Recent, err = find(q, recent, org)
	return s, err
}
