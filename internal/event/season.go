package event

import (
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Season says which of an organisation's events a page shows, drafts among them, in the order in which they end. Nothing is counted.
type Season struct {
	Status     Status    // empty for all
	Text       string    // part of the name, upper and lower case of A-Z alike; empty for all
	From       time.Time // only those that end then or later; zero for no bound
	Until      time.Time // only those that begin before; zero for no bound
	Descending bool
	After      *Ending // the last of the page before; nil for the first page
	Limit      int     // 1 and more
}

// Ending is a place in a season.
type Ending struct {
	EndsAt time.Time
	No     int64
}

// Page returns a page of a season. It reads along an index, from where the page begins.
func Page(q db.Querier, org int64, s Season) ([]Event, error) {
	args := []any{org}
	where := `e.org_id = $1 AND e.status <> 'deleted'`
	add := func(condition string, v any) {
		args = append(args, v)
		where += fmt.Sprintf(" AND "+condition, len(args))
	}
	if s.Status != "" {
		add(`e.status = $%d`, string(s.Status))
	}
	if s.Text != "" {
		add(`lower(e.name) LIKE $%d ESCAPE '!'`, "%"+strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(s.Text))+"%")
	}
	if !s.From.IsZero() {
		add(`e.ends_at >= $%d`, s.From.UnixMicro())
	}
	if !s.Until.IsZero() {
		add(`e.starts_at < $%d`, s.Until.UnixMicro())
	}
	beyond, order := ">", "ASC"
	if s.Descending {
		beyond, order = "<", "DESC"
	}
	if s.After != nil {
		args = append(args, s.After.EndsAt.UnixMicro(), s.After.No)
		where += fmt.Sprintf(` AND (e.ends_at, e.event_no) %s ($%d, $%d)`, beyond, len(args)-1, len(args))
	}
	args = append(args, s.Limit)
	page, err := db.All(q, scan, fmt.Sprintf(`SELECT %s FROM events e LEFT JOIN venues v ON v.venue_id = e.venue_id WHERE %s ORDER BY e.ends_at %s, e.event_no %s LIMIT $%d`,
		columns, where, order, order, len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("list a season: %w", err)
	}
	return page, nil
}
