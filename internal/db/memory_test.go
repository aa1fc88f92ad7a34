package db_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

type counted struct{}

// counting adds one to what its transaction knows, and notes what it came to.
func counting(seen *[]int) func(tx *db.Tx) error {
	return func(tx *db.Tx) error {
		n, _ := tx.Known(counted{})
		was, _ := n.(int)
		tx.Know(counted{}, was+1)
		*seen = append(*seen, was+1)
		return nil
	}
}

func TestWhatATransactionKnowsEndsWithIt(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		var seen []int
		for i, err := range group(t, d, counting(&seen), counting(&seen), func(tx *db.Tx) error { tx.Forget(counted{}); return nil }, counting(&seen)) {
			if err != nil {
				t.Errorf("Write %d: %v", i, err)
			}
		}
		if !slices.Equal(seen, []int{1, 2, 1}) {
			t.Errorf("the functions of a group came to %v", seen)
		}
		seen = nil
		mustWrite(t, d, counting(&seen))
		if err := d.WriteAlone(t.Context(), counting(&seen)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(seen, []int{1, 1}) {
			t.Errorf("later transactions came to %v; want nothing of former ones", seen)
		}
	})
}

// A function that is undone takes with it what it had others know: nobody builds on rows that are not there.
func TestWhatIsUndoneIsNotKnown(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		type row struct{ name string }
		failed := errors.New("it did not work")
		var known bool
		errs := group(t, d,
			note("before"),
			func(tx *db.Tx) error {
				if err := note("undone")(tx); err != nil {
					return err
				}
				tx.Know(row{"undone"}, true)
				return failed
			},
			func(tx *db.Tx) error {
				_, known = tx.Known(row{"undone"})
				return note("after")(tx)
			})
		if errs[0] != nil || !errors.Is(errs[1], failed) || errs[2] != nil {
			t.Errorf("Write: %v", errs)
		}
		if known || has(t, d, "undone") || !has(t, d, "before") || !has(t, d, "after") {
			t.Errorf("what was undone is known (%t) or there (%t)", known, has(t, d, "undone"))
		}
	})
}
