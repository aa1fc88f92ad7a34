package pull

import (
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// checks count what must not be. Each is one query with one number; $1 is the present.
var checks = []struct{ wrong, sql string }{
	{"events of pull endpoints that there are not", `SELECT count(*) FROM pull_events v WHERE NOT EXISTS
		(SELECT 1 FROM pull_endpoints e WHERE e.endpoint_no = v.endpoint_no AND e.org_id = v.org_id)`},
	{"events of pull endpoints without a payload", `SELECT count(*) FROM pull_events v WHERE v.state < 3 AND NOT EXISTS
		(SELECT 1 FROM pull_payloads p WHERE p.seq = v.seq AND p.day = v.day AND p.org_id = v.org_id)`},
	{"payloads of pull endpoints without an event, or of a deleted one that nobody will remove", `SELECT count(*) FROM pull_payloads p WHERE NOT EXISTS
		(SELECT 1 FROM pull_events v WHERE v.seq = p.seq AND v.state < 3) AND NOT EXISTS (SELECT 1 FROM pull_erasures x WHERE x.seq = p.seq)`},
	{"payloads of pull endpoints that are not as large as their events say", `SELECT count(*) FROM pull_payloads p JOIN pull_events v ON v.seq = p.seq
		WHERE p.body IS NOT NULL AND length(p.body) <> v.size`},
	{"events of pull endpoints whose instants do not fit their status", `SELECT count(*) FROM pull_events WHERE state IN (0, 3) AND (fetched_at IS NOT NULL OR delivered_at IS NOT NULL)
		OR state IN (1, 4) AND (fetched_at IS NULL OR delivered_at IS NOT NULL) OR state IN (2, 5) AND delivered_at IS NULL`},
	{"leases of events that are not fetched", `SELECT count(*) FROM pull_events WHERE state <> 1 AND (lease IS NOT NULL OR due <> 0)`},
	{"keys of senders that no event holds", `SELECT count(*) FROM pull_keys k WHERE NOT EXISTS
		(SELECT 1 FROM pull_events v WHERE v.seq = k.seq AND v.endpoint_no = k.endpoint_no AND v.dedup = k.dedup AND v.at = k.at AND v.state < 3)`},
	// An event that is over may have given its key up to a younger one.
	{"events of pull endpoints whose sender's key another has, or none", `SELECT count(*) FROM pull_events v JOIN pull_endpoints e ON e.endpoint_no = v.endpoint_no
		WHERE v.dedup IS NOT NULL AND v.at > $1 - e.retention AND e.deleted_at IS NULL AND NOT EXISTS
		(SELECT 1 FROM pull_keys k WHERE k.endpoint_no = v.endpoint_no AND k.dedup = v.dedup AND k.at >= v.at)`},
}

// Audit returns a sentence for each thing that does not fit together. It looks through all of the events.
func Audit(q db.Querier) ([]string, error) {
	var bad []string
	for _, c := range checks {
		var args []any
		if strings.Contains(c.sql, "$1") {
			args = append(args, time.Now().UnixMicro())
		}
		n, err := db.One(q, db.Value[int64], c.sql, args...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.wrong, err)
		}
		if n > 0 {
			bad = append(bad, fmt.Sprintf("%d %s", n, c.wrong))
		}
	}
	wrong, err := miscounted(q)
	return append(bad, wrong...), err
}

// miscounted compares the counts of each endpoint with its events.
func miscounted(q db.Querier) (bad []string, err error) {
	counted, err := weights(q, `SELECT c.endpoint_no, `+sums("stored", "fetched", "delivered", "bytes", "waits", "wait", "life")+
		` FROM pull_counts c WHERE NOT c.past GROUP BY c.endpoint_no`)
	if err != nil {
		return nil, err
	}
	const is = `CAST(COALESCE(sum(CASE WHEN %s THEN %s ELSE 0 END), 0) AS BIGINT)`
	there, err := weights(q, `SELECT v.endpoint_no, `+
		fmt.Sprintf(is, "v.state = 0", "1")+", "+fmt.Sprintf(is, "v.state = 1", "1")+", "+fmt.Sprintf(is, "v.state = 2", "1")+", "+
		`CAST(COALESCE(sum(v.size), 0) AS BIGINT), count(v.fetched_at), `+
		fmt.Sprintf(is, "v.fetched_at IS NOT NULL", "(v.fetched_at - v.at) / 1000")+", "+fmt.Sprintf(is, "v.state = 2", "(v.delivered_at - v.at) / 1000")+
		` FROM pull_events v WHERE v.state < 3 GROUP BY v.endpoint_no`)
	if err != nil {
		return nil, err
	}
	for no, w := range counted {
		if w != there[no] {
			bad = append(bad, fmt.Sprintf("pull endpoint number %d counts %+v and has %+v", no, w, there[no]))
		}
		delete(there, no)
	}
	for no, w := range there {
		bad = append(bad, fmt.Sprintf("pull endpoint number %d counts nothing and has %+v", no, w))
	}
	return bad, nil
}

// weights reads what endpoints come to.
func weights(q db.Querier, sql string) (map[int64]weight, error) {
	all := map[int64]weight{}
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var no int64
		var w weight
		err := r.Scan(&no, &w.stored, &w.fetched, &w.delivered, &w.bytes, &w.waits, &w.wait, &w.life)
		all[no] = w
		return struct{}{}, err
	}, sql)
	return all, err
}
