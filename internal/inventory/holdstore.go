package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

var insertHold = db.BulkInsert("holds", "", "hold_no bigint", "org_id bigint", "id text", "event_no bigint", "event_id text", "listing_no bigint", "listing_id text",
	"type_id text", "section text", "row_name text", "seats text", "units text", "quantity bigint", "price bigint", "currency text", "holder text", "status text",
	"extended boolean", "created_at bigint", "expires_at bigint", "sale_no bigint")

func (h *Hold) insert(tx *db.Tx, org int64) error {
	seats, err := textsColumn(h.Seats)
	if err != nil {
		return err
	}
	units, err := json.Marshal(h.units)
	if err != nil {
		return err
	}
	err = tx.Bulk(insertHold, [][]any{{
		h.No, org, h.ID, h.EventNo, h.EventID, h.ListingNo, h.ListingID, orNull(h.Type), h.Section, h.Row, seats, string(units), h.Quantity, h.Price.Minor,
		h.Price.Currency, h.Holder, h.Status, false, h.CreatedAt.UnixMicro(), h.ExpiresAt.UnixMicro(), h.SaleNo,
	}})
	if err != nil {
		return fmt.Errorf("insert hold: %w", err)
	}
	return nil
}

const selectHold = `SELECT h.hold_no, h.id, h.event_no, h.event_id, h.listing_no, h.listing_id, h.type_id, h.section, h.row_name, h.seats, h.units, h.quantity,
	h.price, h.currency, h.holder, h.status, h.extended, h.order_no, h.created_at, h.expires_at, h.ended_at, COALESCE(h.sale_no, 0) FROM holds h `

func scanHold(r db.Rows) (Hold, error) {
	var h Hold
	var ofType, seats *string
	var units string
	var created, expires int64
	var orderNo, ended *int64
	err := r.Scan(&h.No, &h.ID, &h.EventNo, &h.EventID, &h.ListingNo, &h.ListingID, &ofType, &h.Section, &h.Row, &seats, &units, &h.Quantity,
		&h.Price.Minor, &h.Price.Currency, &h.Holder, &h.Status, &h.Extended, &orderNo, &created, &expires, &ended, &h.SaleNo)
	if err != nil {
		return Hold{}, err
	}
	if ofType != nil {
		h.Type = id.TicketType(*ofType)
	}
	if orderNo != nil {
		h.OrderNo = *orderNo
	}
	h.CreatedAt, h.ExpiresAt, h.EndedAt = instant(&created), instant(&expires), instant(ended)
	if seats != nil {
		err = json.Unmarshal([]byte(*seats), &h.Seats)
	}
	if err := errors.Join(err, json.Unmarshal([]byte(units), &h.units)); err != nil {
		return Hold{}, fmt.Errorf("units of hold %s: %w", h.ID, err)
	}
	return h, nil
}

// HoldByID finds a hold; hold_not_found. holder is whose it must be, empty for anybody's.
func HoldByID(q db.Querier, org int64, hold id.Hold, holder string) (Hold, error) {
	h, err := db.One(q, scanHold, selectHold+`WHERE h.org_id = $1 AND h.id = $2`, org, hold)
	if errors.Is(err, db.ErrNoRow) || err == nil && holder != "" && h.Holder != holder {
		return Hold{}, errNoHold()
	}
	if err != nil {
		return Hold{}, fmt.Errorf("load hold: %w", err)
	}
	return h, nil
}

// HoldBySale finds the hold that is known by a sale's number, whatever became of it; hold_not_found.
func HoldBySale(q db.Querier, org, saleNo int64) (Hold, error) {
	h, err := db.One(q, scanHold, selectHold+`WHERE h.org_id = $1 AND h.sale_no = $2`, org, saleNo)
	if errors.Is(err, db.ErrNoRow) {
		return Hold{}, errNoHold()
	}
	if err != nil {
		return Hold{}, fmt.Errorf("load hold: %w", err)
	}
	return h, nil
}

// Units are the listing's ordinals that the hold keeps, or kept.
func (h Hold) Units() []int { return h.units }

func errNoHold() error {
	return problem.New(problem.NotFound, "hold_not_found", "There is no such hold here.")
}

// lockHold loads a hold and keeps it as it is until the transaction ends: whoever changes holds has locked the event.
func lockHold(tx *db.Tx, org int64, hold id.Hold, holder string) (event.Event, Hold, error) {
	h, err := HoldByID(tx, org, hold, holder)
	if err != nil {
		return event.Event{}, Hold{}, err
	}
	ev, err := event.LockNo(tx, org, h.EventNo)
	if err != nil {
		return event.Event{}, Hold{}, err
	}
	h, err = HoldByID(tx, org, hold, holder)
	return ev, h, err
}

var endHold = db.NewBulk(`UPDATE holds SET status = $1, ended_at = $2, order_no = $3 WHERE org_id = $4 AND hold_no = $5`,
	`UPDATE holds h SET status = x.status, ended_at = x.ended_at, order_no = x.order_no
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS x (status, ended_at, order_no, org_id, hold_no)

		WHERE h.org_id = x.org_id AND h.hold_no = x.hold_no`, "text", "bigint", "bigint", "bigint", "bigint")

func (h *Hold) finish(tx *db.Tx, org int64, to HoldStatus) error {
	h.Status, h.EndedAt = to, tx.Now()
	tx.Forget(knownHold{org, h.ID})
	if err := tx.Bulk(endHold, [][]any{{string(to), tx.Micros(), orNull(h.OrderNo), org, h.No}}); err != nil {
		return fmt.Errorf("end hold %s: %w", h.ID, err)
	}
	return nil
}

// Holding tells whether an event has active holds.
func Holding(q db.Querier, org, eventNo int64) (bool, error) {
	_, err := db.One(q, db.Value[int64], `SELECT hold_no FROM holds WHERE org_id = $1 AND event_no = $2 AND status = 'active' LIMIT 1`, org, eventNo)
	if errors.Is(err, db.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for holds: %w", err)
	}
	return true, nil
}

// EraseHolder blanks a person as the holder of up to limit holds and returns how many there were.
func EraseHolder(tx *db.Tx, org int64, holder string, limit int) (int, error) {
	n, err := tx.Exec(`UPDATE holds SET holder = '' WHERE hold_no IN (SELECT hold_no FROM holds WHERE org_id = $1 AND holder = $2 LIMIT $3)`, org, holder, limit)
	if err != nil {
		return 0, fmt.Errorf("erase a person from holds: %w", err)
	}
	return int(n), nil
}

// HoldFilter says which holds a list shows.
type HoldFilter struct {
	Event  id.Event   // empty for all
	Status HoldStatus // empty for all; as of Now
	Holder string     // whose; empty for anybody's
	Now    time.Time
	Limit  int // 50 when 0
	Offset int
}

// Holds returns a page of holds, newest first, and how many there are in all.
func Holds(q db.Querier, org int64, f HoldFilter) (page []Hold, total int, err error) {
	if f.Limit == 0 {
		f.Limit = 50
	}
	where, args := `WHERE h.org_id = $1`, []any{org}
	and := func(condition string, v any) {
		args = append(args, v)
		where += fmt.Sprintf(` AND `+condition, len(args))
	}
	if f.Event != "" {
		and(`h.event_id = $%d`, f.Event)
	}
	if f.Holder != "" {
		and(`h.holder = $%d`, f.Holder)
	}
	switch f.Status {
	case "":
	case HoldActive:
		and(`h.status = 'active' AND h.expires_at > $%d`, f.Now.UnixMicro())
	case HoldExpired:
		and(`(h.status = 'expired' OR h.status = 'active' AND h.expires_at <= $%d)`, f.Now.UnixMicro())
	default:
		and(`h.status = $%d`, f.Status)
	}
	if total, err = db.One(q, db.Value[int], `SELECT count(*) FROM holds h `+where, args...); err != nil {
		return nil, 0, fmt.Errorf("count holds: %w", err)
	}
	page, err = db.All(q, scanHold, fmt.Sprintf(selectHold+where+` ORDER BY h.created_at DESC, h.hold_no DESC LIMIT $%d OFFSET $%d`, len(args)+1, len(args)+2),
		append(args, f.Limit, f.Offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list holds: %w", err)
	}
	return page, total, nil
}
