package inventory

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// BarcodeRule says what an event's barcodes look like. The zero value takes any.
type BarcodeRule struct {
	Pattern   string // a regular expression (RE2) for the whole value, at most 200 characters; empty for any
	MinLength int    // in characters, 0 to MaxBarcodeLength
	MaxLength int    // the same; 0 for no bound of its own
}

const maxPattern = 200

func (r BarcodeRule) check() error {
	var f problem.Fields
	_, err := BarcodeRule{Pattern: r.Pattern[:min(len(r.Pattern), maxPattern)]}.compile()
	if err != nil || len(r.Pattern) > maxPattern || strings.ContainsFunc(r.Pattern, func(c rune) bool { return c < ' ' || c > '~' }) {
		f.Add("/pattern", "invalid", "Give a regular expression as RE2 has them, of at most %d ASCII characters, such as [0-9]{12}.", maxPattern)
	}
	if r.MinLength < 0 || r.MinLength > MaxBarcodeLength {
		f.Add("/minLength", "out_of_range", "Use 0 to %d.", MaxBarcodeLength)
	}
	switch {
	case r.MaxLength < 0 || r.MaxLength > MaxBarcodeLength:
		f.Add("/maxLength", "out_of_range", "Use 0 to %d; 0 is no bound.", MaxBarcodeLength)
	case r.MaxLength > 0 && r.MaxLength < r.MinLength:
		f.Add("/maxLength", "out_of_range", "Use minLength or more; 0 is no bound.")
	}
	return f.Err()
}

// compile returns what tells whether a value fits.
func (r BarcodeRule) compile() (func(value string) bool, error) {
	if _, err := regexp.Compile(r.Pattern); err != nil { // by itself: what is put around it must not complete it
		return nil, err
	}
	whole, err := regexp.Compile(`\A(?:` + r.Pattern + `)\z`)
	if err != nil {
		return nil, err
	}
	return func(v string) bool {
		return len(v) >= r.MinLength && (r.MaxLength == 0 || len(v) <= r.MaxLength) && (r.Pattern == "" || whole.MatchString(v))
	}, nil
}

// SetBarcodeRule says what an event's barcodes have to look like from now on; what was uploaded before keeps its status. It fails with event_not_found and field
// errors.
func (s *Stock) SetBarcodeRule(tx *db.Tx, org int64, e id.Event, r BarcodeRule) error {
	if err := r.check(); err != nil {
		return err
	}
	ev, err := event.Lock(tx, org, e)
	if err != nil {
		return err
	}
	if r == (BarcodeRule{}) {
		err = tx.Later(`DELETE FROM barcode_rules WHERE event_no = $1 AND org_id = $2`, ev.No, org)
	} else {
		err = tx.Later(`INSERT INTO barcode_rules (event_no, org_id, pattern, min_length, max_length, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (event_no) DO UPDATE SET pattern = excluded.pattern, min_length = excluded.min_length, max_length = excluded.max_length,
				updated_at = excluded.updated_at`, ev.No, org, r.Pattern, r.MinLength, r.MaxLength, tx.Micros())
	}
	if err != nil {
		return fmt.Errorf("write barcode rule of event %s: %w", e, err)
	}
	return nil
}

// BarcodeRuleOf returns what an event's barcodes have to look like; event_not_found.
func BarcodeRuleOf(q db.Querier, org int64, e id.Event) (BarcodeRule, error) {
	ev, err := event.ByID(q, org, e)
	if err != nil {
		return BarcodeRule{}, err
	}
	return ruleOf(q, org, ev.No)
}

func ruleOf(q db.Querier, org, eventNo int64) (BarcodeRule, error) {
	r, err := db.One(q, func(r db.Rows) (b BarcodeRule, err error) { return b, r.Scan(&b.Pattern, &b.MinLength, &b.MaxLength) },
		`SELECT pattern, min_length, max_length FROM barcode_rules WHERE event_no = $1 AND org_id = $2`, eventNo, org)
	if errors.Is(err, db.ErrNoRow) {
		return BarcodeRule{}, nil
	}
	if err != nil {
		return BarcodeRule{}, fmt.Errorf("load barcode rule: %w", err)
	}
	return r, nil
}
