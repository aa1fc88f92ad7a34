package ledger

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

// Match is a fact that has to do with a person.
type Match struct {
	ID      id.Fact
	Org     int64
	Kind    fact.Kind
	At      time.Time
	Message bool // an own message with the address in its data or key; else a fact of one of the subjects
	Data    []byte
}

// searchPage is how many facts a query of Search looks at.
const searchPage = 1000

// Search looks through the next of an organisation's facts (0 for all organisations) for those that have to do with a person: own messages that contain the address, and facts of the
// given subjects. after is 0 at first, then the last that was returned before. It reads the whole log, because nothing in it is indexed by what
// facts are about: on a large one that takes minutes, and many calls.
func Search(q db.Querier, org, after int64, a person.Address, subjects map[string]bool) (found []Match, last int64, more bool, err error) {
	rows, err := q.Query(`SELECT f.seq, f.day, f.org_id, f.kind, f.at, f.subject, f.key, p.data FROM facts f
		LEFT JOIN fact_private p ON f.private AND (f.org_id = $1 OR $1 = 0) AND p.seq = f.seq AND p.day = f.day AND p.org_id = f.org_id
		WHERE f.seq > $2 ORDER BY f.seq LIMIT $3`, org, after, searchPage)
	if err != nil {
		return nil, 0, false, fmt.Errorf("look for a person in the ledger: %w", err)
	}
	defer rows.Close()
	last = after
	n := 0
	for ; rows.Next(); n++ {
		var m Match
		var at int64
		var subject, key string
		if err := rows.Scan(&m.ID.Seq, &m.ID.Day, &m.Org, &m.Kind, &at, &subject, &key, &m.Data); err != nil {
			return nil, 0, false, err
		}
		last = m.ID.Seq
		if m.Org != org && org != 0 {
			continue
		}
		m.At = time.UnixMicro(at).UTC()
		m.Message = a.In(m.Data) || a.In([]byte(key))
		if m.Message || subjects[subject] {
			found = append(found, m)
		}
	}
	return found, last, n == searchPage, rows.Err()
}

// Last is the highest number of a fact, 0 when there is none. In [db.DB.Configure] no fact that is still to come has a lower one.
func Last(q db.Querier) (int64, error) {
	return db.One(q, db.Value[int64], `SELECT COALESCE(max(seq), 0) FROM facts`)
}

// Erase blanks the data and keys of private facts, and what followers said of facts that they put aside. The facts' places in the log stay.
func Erase(tx *db.Tx, org int64, numbers []int64) error {
	if len(numbers) == 0 {
		return nil
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		return err
	}
	for _, statement := range []string{
		`UPDATE fact_private SET data = NULL WHERE org_id = $1 AND seq IN ints($2)`,
		`UPDATE facts SET key = '' WHERE org_id = $1 AND seq IN ints($2) AND private AND key <> ''`,
		`UPDATE ledger_parked SET reason = '' WHERE org_id = $1 AND seq IN ints($2)`,
	} {
		if _, err := tx.Exec(statement, org, string(list)); err != nil {
			return fmt.Errorf("erase facts: %w", err)
		}
	}
	return nil
}
