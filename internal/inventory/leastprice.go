package inventory

import (
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/money"
)

// LeastPrices returns the least price of a unit that is for sale at an instant of each event, by the event's number; of an event that sells nothing then, none.
// Prices of different currencies are not compared: that in which most listings are counts.
func LeastPrices(q db.Querier, org int64, eventNos []int64, now time.Time) (map[int64]money.Amount, error) {
	least := make(map[int64]money.Amount, len(eventNos))
	if len(eventNos) == 0 {
		return least, nil
	}
	most := make(map[int64]int, len(eventNos))
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var event int64
		var a money.Amount
		var n int
		err := r.Scan(&event, &a.Currency, &a.Minor, &n)
		if n > most[event] {
			least[event], most[event] = a, n
		}
		return struct{}{}, err
	}, `SELECT l.event_no, l.currency, MIN(l.price), count(*) FROM listings l WHERE l.org_id = $1 AND l.event_no IN ints($2) AND l.status = 'active'
			AND l.deliverability = 'ok' AND (l.due_at IS NULL OR l.due_at > $3)
		GROUP BY l.event_no, l.currency ORDER BY l.event_no, l.currency`, org, jsonList(eventNos), now.UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("least prices of events: %w", err)
	}
	return least, nil
}
