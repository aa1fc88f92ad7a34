package ledger

import (
	"cmp"
	"strconv"
	"strings"
)

// Place is where a fact stands in the log, or a row in a [Log]. The zero Place is before the first.
type Place struct{ epoch, xid, seq int64 }

// Compare is negative when p stands before o, and positive when it stands after.
func (p Place) Compare(o Place) int {
	return cmp.Or(cmp.Compare(p.epoch, o.epoch), cmp.Compare(p.xid, o.xid), cmp.Compare(p.seq, o.seq))
}

// Before is a place between p and all that stand before it.
func (p Place) Before() Place { return Place{p.epoch, p.xid, p.seq - 1} }

// String is the place as text of a-z, 0-9 and "-", which [ParsePlace] reads.
func (p Place) String() string {
	return strconv.FormatInt(p.epoch, 36) + "-" + strconv.FormatInt(p.xid, 36) + "-" + strconv.FormatInt(p.seq, 36)
}

// ParsePlace reads a place that [Place.String] wrote. It reports false for text that no place has.
func ParsePlace(s string) (Place, bool) {
	var n [3]int64
	parts := strings.Split(s, "-")
	if len(parts) != len(n) {
		return Place{}, false
	}
	for i, part := range parts {
		v, err := strconv.ParseInt(part, 36, 64)
		if err != nil || v < 0 {
			return Place{}, false
		}
		n[i] = v
	}
	p := Place{n[0], n[1], n[2]}
	return p, p.String() == s
}
