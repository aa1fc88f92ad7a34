package ethpass

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// query reads parameters and notes what is wrong with them. What nobody reads is ignored, and one without a value is as if it were not there.
type query struct {
	values url.Values
	faults problem.Fields
}

func (q *query) fault(name, detail string, args ...any) {
	q.faults.Add(name, "invalid", detail, args...)
	q.faults[len(q.faults)-1].In = "query"
}

func (q *query) text(name string) string { return q.values.Get(name) }

// one reads one of some words.
func (q *query) one(name string, words ...string) string {
	s := q.text(name)
	if s != "" && !slices.Contains(words, s) {
		q.fault(name, "Use one of %s.", strings.Join(words, ", "))
		return ""
	}
	return s
}

// flag reads a yes or no; nil where nothing is said.
func (q *query) flag(name string) *bool {
	yes := false
	switch q.text(name) {
	case "":
		return nil
	case "1", "true":
		yes = true
	case "0", "false":
	default:
		q.fault(name, "Use 0 or 1.")
	}
	return &yes
}

// isSet is flag, where nothing is no.
func (q *query) isSet(name string) bool {
	yes := q.flag(name)
	return yes != nil && *yes
}

func (q *query) address(name string) string {
	s := q.text(name)
	if s == "" {
		return ""
	}
	a, err := evm.ParseAddress(s)
	if err != nil {
		q.fault(name, "%s", addressWanted)
		return ""
	}
	return a.String()
}

func (q *query) decimal(name string, digits int) string {
	s := q.text(name)
	if s != "" && !isDecimal(s, digits) {
		q.fault(name, "Use a whole number of at most %d digits.", digits)
		return ""
	}
	return s
}

// number reads a whole number between bounds.
func (q *query) number(name string, usual, least, most int) int {
	s := q.text(name)
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		q.fault(name, "Use a whole number from %d to %d.", least, most)
		return usual
	}
	return n
}

func (q *query) instant(name string) time.Time {
	s := q.text(name)
	if s == "" {
		return time.Time{}
	}
	t, ok := parseInstant(s)
	if !ok {
		q.fault(name, "%s A + in a query is written %%2B.", instantWanted)
	}
	return t
}

const (
	usualLimit = 50
	maxLimit   = 1000
	maxOffset  = 1_000_000
)

// filter reads which passes a list is to show.
func (q *query) filter() (pass.Filter, error) {
	f := pass.Filter{
		Owner: q.address("ownerAddress"), Contract: q.address("contractAddress"), TokenID: q.decimal("tokenId", tokenDigits),
		Chain: q.text("chain"), Network: q.decimal("network", networkDigits), ExternalID: q.text("externalId"), Ticket: id.Ticket(q.text("ticketId")),
		Platform: pass.Platform(q.one("platform", string(pass.Apple), string(pass.Google))), Expired: q.flag("expired"),
		CreatedFrom: q.instant("createdAtStart"), CreatedTo: q.instant("createdAtEnd"),
		ScannedFrom: q.instant("lastScannedAtStart"), ScannedTo: q.instant("lastScannedAtEnd"),
		Sort: q.one("sort", "id", "ownerAddress", "createdAt", "lastScannedAt", "expiredAt"), Ascending: q.isSet("asc"), Offset: q.number("offset", 0, 0, maxOffset),
	}
	if f.Limit = q.number("limit", usualLimit, 1, 1<<31-1); f.Limit > maxLimit {
		f.Limit = maxLimit
	}
	return f, q.faults.Err()
}
