package order

import (
	"fmt"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Numbered returns the number in the id of the event's order that a text names, by its order number or its id, upper and lower case alike; none
// where it names no order.
func Numbered(q db.Querier, org, eventNo int64, text string) ([]int64, error) {
	no, _ := NoOf(id.Order(strings.ToLower(text)))
	all, err := db.All(q, db.Value[int64], `SELECT order_no FROM orders WHERE org_id = $1 AND event_no = $2 AND (number = $3 OR order_no = $4)`,
		org, eventNo, strings.ToUpper(text), no)
	if err != nil {
		return nil, fmt.Errorf("order by number: %w", err)
	}
	return all, nil
}
