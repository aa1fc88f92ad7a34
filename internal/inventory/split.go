package inventory

import (
	"fmt"
	"strings"
)

// Rule says into which quantities a listing may be split.
type Rule string

// The rules. "Left" is what would remain for sale.
const (
	Any              Rule = "any"
	None             Rule = "none"                // all that is left, or nothing
	AvoidOne         Rule = "avoid_one"           // never leaves 1
	AvoidOneAndThree Rule = "avoid_one_and_three" // never leaves 1 or 3
	Pairs            Rule = "pairs"               // even numbers, or all that is left
)

// MaxPerOrder is how many units one order can have.
const MaxPerOrder = 20

// AllowedQuantities lists the quantities that can be bought of a listing with free units left, ascending, none above [MaxPerOrder].
func AllowedQuantities(r Rule, free int) []int {
	var all []int
	for n := 1; n <= min(free, MaxPerOrder); n++ {
		if r.allows(n, free) {
			all = append(all, n)
		}
	}
	return all
}

// allows tells whether n of free units may be bought.
func (r Rule) allows(n, free int) bool {
	if n < 1 || n > min(free, MaxPerOrder) {
		return false
	}
	left := free - n
	switch r {
	case Any:
		return true
	case None:
		return left == 0
	case AvoidOne:
		return left != 1
	case AvoidOneAndThree:
		return left != 1 && left != 3
	case Pairs:
		return n%2 == 0 || left == 0
	}
	return false
}

// leftSQL is left for a listing l.
const leftSQL = `(CASE WHEN l.type_id IS NULL OR l.quantity - l.held - l.sold < ` + roomSQL + ` THEN l.quantity - l.held - l.sold ELSE ` + roomSQL + ` END)`

// allowsSQL is allows for a listing l that is active and for the parameter that is put in for %s.
const allowsSQL = `(` + leftSQL + ` >= %[1]s AND (l.most IS NULL OR %[1]s BETWEEN l.least AND l.most) AND CASE l.split_rule
	WHEN 'any' THEN TRUE
	WHEN 'none' THEN l.quantity - l.held - l.sold = %[1]s
	WHEN 'avoid_one' THEN l.quantity - l.held - l.sold - %[1]s <> 1
	WHEN 'avoid_one_and_three' THEN l.quantity - l.held - l.sold - %[1]s NOT IN (1, 3)
	WHEN 'pairs' THEN %[1]s %% 2 = 0 OR l.quantity - l.held - l.sold = %[1]s
	END)`

func (r Rule) valid() bool {
	switch r {
	case Any, None, AvoidOne, AvoidOneAndThree, Pairs:
		return true
	}
	return false
}

// sentence says which quantities can be bought: "1, 2 or 4".
func sentence(quantities []int) string {
	if len(quantities) == 0 {
		return "no number"
	}
	words := make([]string, len(quantities))
	for i, n := range quantities {
		words[i] = fmt.Sprint(n)
	}
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
