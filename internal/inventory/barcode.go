package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// The bounds of an upload of barcodes.
const (
	MaxBarcodePlaces = 1_000 // of one upload
	MaxBarcodes      = 10    // values of one place
	MaxBarcodeLength = 200   // visible ASCII characters of a value
)

// BarcodeSet is what one place got in one upload. Its values are credentials: who has one may come in.
type BarcodeSet struct {
	Ordinal    int
	Row        string // as they were when it came
	Seat       string // empty where places are not numbered
	Status     BarcodeStatus
	Values     []string // 1 to MaxBarcodes
	ReceivedAt time.Time
}

// Hashes returns the SHA-256 of each value, in lower-case hexadecimal digits.
func (b BarcodeSet) Hashes() []string {
	all := make([]string, len(b.Values))
	for i, v := range b.Values {
		sum := sha256.Sum256([]byte(v))
		all[i] = hex.EncodeToString(sum[:])
	}
	return all
}

// BarcodeStatus is what came of a set.
type BarcodeStatus string

// The statuses.
const (
	BarcodesReceived BarcodeStatus = "received"
	BarcodesFailed   BarcodeStatus = "failed_validation" // against the event's rule, or because another place has one of its values
)

// Barcodes returns the sets of a listing's places that counted at an instant, by ordinal: of some places, or of all with nil. Two sets of a place that came
// in one transaction have one instant; the newer counts.
func Barcodes(q db.Querier, keys *seal.Keyring, org, listingNo int64, ordinals []int, at time.Time) ([]BarcodeSet, error) {
	where, args := `received_at <= $3 AND (replaced_at IS NULL OR replaced_at > $3)`, []any{org, listingNo, at.UnixMicro()}
	if ordinals != nil {
		where, args = where+` AND ordinal IN ints($4)`, append(args, jsonList(ordinals))
	}
	all, err := barcodeSets(q, keys, where+` ORDER BY ordinal, set_no`, args...)
	newest := all[:0]
	for _, b := range all {
		if n := len(newest); n > 0 && newest[n-1].Ordinal == b.Ordinal {
			newest = newest[:n-1] // PostgreSQL's transactions may begin in another order than they get the event
		}
		newest = append(newest, b)
	}
	return newest, err
}

// Barcodes returns the sets of some of a listing's places that count now, by ordinal.
func (s *Stock) Barcodes(q db.Querier, org, listingNo int64, ordinals []int) ([]BarcodeSet, error) {
	return barcodeSets(q, s.keys, `replaced_at IS NULL AND ordinal IN ints($3) ORDER BY ordinal`, org, listingNo, jsonList(ordinals))
}

// BarcodePage returns a page of the sets of a listing's places that count now, by ordinal, and how many there are in all.
func (s *Stock) BarcodePage(q db.Querier, org, listingNo int64, limit, offset int) (page []BarcodeSet, total int, err error) {
	total, err = db.One(q, db.Value[int], `SELECT count(*) FROM barcode_sets WHERE org_id = $1 AND listing_no = $2 AND replaced_at IS NULL`, org, listingNo)
	if err != nil {
		return nil, 0, fmt.Errorf("count barcodes: %w", err)
	}
	page, err = barcodeSets(q, s.keys, `replaced_at IS NULL ORDER BY ordinal LIMIT $3 OFFSET $4`, org, listingNo, limit, offset)
	return page, total, err
}

// barcodeSets loads sets of a listing. The first two arguments are the organisation and the listing's number.
func barcodeSets(q db.Querier, keys *seal.Keyring, where string, args ...any) ([]BarcodeSet, error) {
	all, err := db.All(q, func(r db.Rows) (b BarcodeSet, err error) {
		var no, received int64
		var sealed []byte
		if err := r.Scan(&no, &b.Ordinal, &b.Row, &b.Seat, &b.Status, &sealed, &received); err != nil {
			return b, err
		}
		b.ReceivedAt = time.UnixMicro(received).UTC()
		plain, err := keys.Open(sealed, sealedAs(no))
		if err != nil {
			return b, err
		}
		return b, json.Unmarshal(plain, &b.Values)
	}, `SELECT set_no, ordinal, row_name, seat, status, sealed, received_at FROM barcode_sets WHERE org_id = $1 AND listing_no = $2 AND `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("load barcodes of listing %d: %w", args[1], err)
	}
	return all, nil
}

// sealedAs is what the values of a set are bound to.
func sealedAs(set int64) string { return fmt.Sprintf("barcodes %d", set) }

// digests are by what the values of an upload are recognised in their event, and in no other.
func (s *Stock) digests(eventNo int64, uploads []BarcodeUpload) map[string]string {
	all := map[string]string{}
	for _, u := range uploads {
		for _, v := range u.Values {
			all[v] = hex.EncodeToString(s.keys.MAC(fmt.Appendf(nil, "barcode %d %s", eventNo, v)))
		}
	}
	return all
}

// jsonList is a list as a statement takes it.
func jsonList[T int | int64 | string](list []T) string {
	if list == nil {
		return `[]`
	}
	b, _ := json.Marshal(list) // of numbers or text, which never fails
	return string(b)
}

var (
	insertSets = db.BulkInsert("barcode_sets", "", "set_no bigint", "org_id bigint", "event_no bigint", "listing_no bigint", "ordinal bigint", "row_name text",
		"seat text", "status text", "n bigint", "sealed bytea", "received_at bigint")
	insertValues = db.BulkInsert("barcode_values", "", "event_no bigint", "digest text", "org_id bigint", "listing_no bigint", "ordinal bigint", "set_no bigint")
)

// writeSets writes sets that have come for a listing's places, with the digests of their values, and ends those before them.
func (s *Stock) writeSets(tx *db.Tx, org int64, l Listing, fresh []BarcodeSet, digests map[string]string) error {
	no, err := tx.Numbers(len(fresh))
	if err != nil {
		return fmt.Errorf("number barcodes: %w", err)
	}
	ordinals := make([]int, len(fresh))
	sets := make([][]any, len(fresh))
	var values [][]any
	for i, b := range fresh {
		set := no + int64(i)
		plain, err := json.Marshal(b.Values)
		if err != nil {
			return err
		}
		ordinals[i] = b.Ordinal
		sets[i] = []any{
			set, org, l.EventNo, l.No, b.Ordinal, b.Row, b.Seat, string(b.Status), len(b.Values), s.keys.Seal(plain, sealedAs(set)), tx.Micros(),
		}
		if b.Status != BarcodesReceived {
			continue
		}
		for _, v := range b.Values {
			values = append(values, []any{l.EventNo, digests[v], org, l.No, b.Ordinal, set})
		}
	}
	list := jsonList(ordinals)
	err = tx.Later(`UPDATE barcode_sets SET replaced_at = $1 WHERE org_id = $2 AND listing_no = $3 AND ordinal IN ints($4) AND replaced_at IS NULL`,
		tx.Micros(), org, l.No, list)
	if err == nil {
		err = dropValues(tx, org, l.No, list)
	}
	if err == nil {
		err = tx.Bulk(insertSets, sets)
	}
	if err == nil {
		err = tx.Bulk(insertValues, values)
	}
	if err != nil {
		return fmt.Errorf("write barcodes of listing %s: %w", l.ID, err)
	}
	return nil
}

func dropValues(tx *db.Tx, org, listingNo int64, ordinals string) error {
	return tx.Later(`DELETE FROM barcode_values WHERE org_id = $1 AND listing_no = $2 AND ordinal IN ints($3)`, org, listingNo, ordinals)
}

// endBarcodes has the sets of some of a listing's places count no more: which, the condition says, whose arguments begin with $4. It returns the listing after that,
// and false when there was nothing to count. The event must be locked by this transaction.
func (s *Stock) endBarcodes(tx *db.Tx, org int64, ev event.Event, listingNo int64, which string, args ...any) (Listing, bool, error) {
	var received []int
	_, err := db.All(tx, func(r db.Rows) (struct{}, error) {
		var ordinal int
		var status BarcodeStatus
		err := r.Scan(&ordinal, &status)
		if status == BarcodesReceived {
			received = append(received, ordinal)
		}
		return struct{}{}, err
	}, `UPDATE barcode_sets SET replaced_at = $1 WHERE org_id = $2 AND listing_no = $3 AND replaced_at IS NULL AND (`+which+`) RETURNING ordinal, status`,
		append([]any{tx.Micros(), org, listingNo}, args...)...)
	if err == nil && len(received) > 0 {
		err = dropValues(tx, org, listingNo, jsonList(received))
	}
	if err != nil {
		return Listing{}, false, fmt.Errorf("end barcodes of listing %d: %w", listingNo, err)
	}
	if len(received) == 0 {
		return Listing{}, false, nil
	}
	p, err := byNo(tx, org, listingNo)
	if err != nil {
		return Listing{}, false, err
	}
	l := p.Listing // what its dates make of it now, whoever looks sees, and the sweep writes down
	l.Barcoded -= len(received)
	l, err = s.put(tx, org, ev, p.Listing, l)
	return l, true, err
}

// keepBarcodes has the barcodes of those places end that a changed listing does not have any more, has by another name, or cannot sell any more.
func (s *Stock) keepBarcodes(tx *db.Tx, org int64, ev event.Event, before, l Listing) (Listing, error) {
	var renamed []int
	for o := range max(len(before.Seats), len(l.Seats)) {
		if before.seat(o) != l.seat(o) {
			renamed = append(renamed, o)
		}
	}
	const unclaimed = `NOT EXISTS (SELECT 1 FROM claims c WHERE c.listing_no = barcode_sets.listing_no AND c.ordinal = barcode_sets.ordinal)`
	which, args := unclaimed, []any{}
	switch {
	case l.Section != before.Section || l.Row != before.Row: // nothing is sold
	case finished(l.Status) && !finished(before.Status):
	case l.Total < before.Total || renamed != nil:
		which, args = unclaimed+` AND (ordinal >= $4 OR ordinal IN ints($5))`, []any{l.Total, jsonList(renamed)}
	default:
		return l, nil
	}
	after, ended, err := s.endBarcodes(tx, org, ev, l.No, which, args...)
	if err != nil || !ended {
		return l, err
	}
	return after, nil
}
