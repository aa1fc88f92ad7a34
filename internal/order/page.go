package order

import (
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Search says which orders a page shows, newest first. Nothing is counted.
type Search struct {
	EventNo int64     // 0 for all events
	Status  Status    // empty for all
	Text    string    // the customer's whole address, the order's number or its id, upper and lower case alike; empty for all
	From    time.Time // placed then or later; zero for no bound
	Until   time.Time // placed before; zero for no bound
	Before  int64     // only orders with a lower number: the last of the page before; 0 for the first page
	Limit   int       // 1 and more
}

// Page returns a page of orders. It reads along an index, from where the page begins.
func Page(q db.Querier, org int64, s Search) ([]Order, error) {
	conditions := []string{`o.org_id = $1`}
	args := []any{org}
	where := func(condition string, v any) {
		args = append(args, v)
		conditions = append(conditions, condition+fmt.Sprintf(` $%d`, len(args)))
	}
	if s.EventNo != 0 {
		where(`o.event_no =`, s.EventNo)
	}
	if s.Status != "" {
		where(`o.status =`, string(s.Status))
	}
	text := strings.ToLower(strings.TrimSpace(s.Text))
	if no, ok := NoOf(id.Order(text)); ok {
		where(`o.order_no =`, no)
	} else if strings.Contains(text, "@") {
		where(`p.org_id = $1 AND p.email_lower =`, text)
	} else if text != "" {
		where(`o.number =`, strings.ToUpper(text))
	}
	if !s.From.IsZero() {
		where(`o.created_at >=`, s.From.UnixMicro())
	}
	if !s.Until.IsZero() {
		where(`o.created_at <`, s.Until.UnixMicro())
	}
	if s.Before != 0 {
		where(`o.order_no <`, s.Before)
	}
	args = append(args, s.Limit)
	page, err := db.All(q, scan, fmt.Sprintf(`%sWHERE %s ORDER BY o.order_no DESC LIMIT $%d`, selectOrder, strings.Join(conditions, ` AND `), len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	return page, nil
}

// waitingAmong is how many of the newest orders Waiting looks at.
const waitingAmong = 1000

// Waiting counts the confirmed orders, which wait to be accepted, among the newest 1,000 of an organisation.
func Waiting(q db.Querier, org int64) (int, error) {
	n, err := db.One(q, db.Value[int], `SELECT count(*) FROM (SELECT status FROM orders WHERE org_id = $1 ORDER BY order_no DESC LIMIT $2) o WHERE o.status = 'confirmed'`, org, waitingAmong)
	if err != nil {
		return 0, fmt.Errorf("count orders that wait: %w", err)
	}
	return n, nil
}
