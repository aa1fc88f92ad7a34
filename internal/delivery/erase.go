package delivery

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// A fact whose people were erased has a mark among the envelopes: one without a body and of no variant. Its deliveries end with the code "erased", pending
// ones and those that are asked for again alike: what was sent cannot be sent once more, and an envelope without the people would be another one under the
// same id. Facts that come after the erasure have no mark, and are sent without the people.
//
// Marks are read when rows are claimed. What a node holds in memory by then carries the configuration's revision that it was taken at; because the mark
// raises the revision, a node that knows of a newer one looks for the mark before it sends, and before it writes down what came of it.
const erasedVariant = ""

// Erase marks facts of an organisation as erased and blanks their envelopes. It runs in [db.DB.Configure], so that no transaction is under way that could
// keep an envelope meanwhile; nodes hear of it within [Config.Poll]. See [EraseTraces] for what attempts have kept.
func Erase(tx *db.Tx, org int64, facts []id.Fact) error {
	if len(facts) == 0 {
		return nil
	}
	numbers := make([]int64, len(facts))
	marks := make([][]any, len(facts))
	for i, f := range facts {
		numbers[i] = f.Seq
		marks[i] = []any{f.Seq, erasedVariant, int64(f.Day), org, []byte(nil)}
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`UPDATE envelopes SET body = NULL WHERE fact_seq IN ints($1) AND org_id = $2`, string(list), org); err != nil {
		return fmt.Errorf("erase envelopes: %w", err)
	}
	if err := tx.Bulk(insertEnvelopes, marks); err != nil {
		return fmt.Errorf("mark erased facts: %w", err)
	}
	_, err = tx.Bump()
	return err
}

// erased returns those of the facts that have a mark.
func erased(q db.Querier, numbers []int64) (map[int64]bool, error) {
	if len(numbers) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		return nil, err
	}
	found, err := db.All(q, db.Value[int64], `SELECT fact_seq FROM envelopes WHERE fact_seq IN ints($1) AND variant = $2`, string(list), erasedVariant)
	if err != nil {
		return nil, fmt.Errorf("look for erased facts: %w", err)
	}
	marked := make(map[int64]bool, len(found))
	for _, seq := range found {
		marked[seq] = true
	}
	return marked, nil
}

// isErased tells whether the data of an item's fact is gone.
func (e *Engine) isErased(it *item) (bool, error) {
	if it.erased || it.fact.Private && it.fact.Data == nil {
		return true, nil
	}
	if it.revision >= e.Subscriptions.Now().Revision() {
		return false, nil
	}
	marked, err := erased(e.DB.Read(context.Background()), []int64{it.id.Seq})
	return marked[it.id.Seq], err
}

// forget takes out of outcomes what may not be kept, because their facts were erased while they were under way.
func forget(tx *db.Tx, batch []*outcome) error {
	var doubtful numbers
	for _, o := range batch {
		if o.attempted && o.revision < tx.Revision() {
			doubtful = doubtful.with(o.id.Seq)
		}
	}
	marked, err := erased(tx, doubtful)
	if err != nil || len(marked) == 0 {
		return err
	}
	for _, o := range batch {
		if marked[o.id.Seq] {
			o.bare()
			o.env, o.keep = nil, nil
		}
	}
	return nil
}
