package inventory

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
func AllowedQuantities(r Rule, free int) []int { panic("unwritten") }
