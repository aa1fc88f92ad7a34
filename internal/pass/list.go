package pass

import (
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Filter says which passes a list shows.
type Filter struct {
	Owner, Contract            string // addresses, in any spelling; Contract is among the pass's assets
	TokenID                    string // of an asset, and with Contract of one of that contract
	Chain, Network, ExternalID string
	Ticket                     id.Ticket
	EventNo                    int64 // of whose tickets they are; 0 for all
	Before                     int64 // only passes with a lower number, which were made before; 0 for all
	Platform                   Platform
	Expired                    *bool
	CreatedFrom, CreatedTo     time.Time // zero for no bound; the second is excluded
	ScannedFrom, ScannedTo     time.Time
	Sort                       string // id, ownerAddress, createdAt, lastScannedAt or expiredAt; createdAt when empty
	Ascending                  bool
	Limit                      int // 1 to 1,000; 50 when 0
	Offset                     int
}

// orders are the columns of [Filter.Sort]. Passes are numbered as they are made.
var orders = map[string]string{
	"": `p.pass_no`, "createdAt": `p.pass_no`, "id": `p.id`, "ownerAddress": `p.owner`, "lastScannedAt": `p.last_scan_at`, "expiredAt": `p.expired_at`,
}

// order is how the list is sorted. The newest and the last scanned or expired first is what is asked for, and goes by an index; the other way round, and by id, the
// organisation's passes are sorted.
func (f *Filter) order() string {
	by, direction := orders[f.Sort], `DESC`
	if f.Ascending {
		direction = `ASC`
	}
	switch {
	case by == `p.pass_no`:
		return ` ORDER BY p.pass_no ` + direction
	case f.Sort != "lastScannedAt" && f.Sort != "expiredAt": // all have one
	case f.Ascending:
		direction += ` NULLS LAST`
	default:
		by = `COALESCE(` + by + `, 0)`
	}
	return fmt.Sprintf(` ORDER BY %s %s, p.pass_no %.4s`, by, direction, direction)
}

// check fails with field errors, whose pointers name the query parameters.
func (f *Filter) check() error {
	var all problem.Fields
	add := func(name, detail string) {
		all = append(all, problem.FieldError{Pointer: name, In: "query", Code: "invalid", Detail: detail})
	}
	if _, ok := orders[f.Sort]; !ok {
		add("sort", "Use id, ownerAddress, createdAt, lastScannedAt or expiredAt.")
	}
	if f.Limit == 0 {
		f.Limit = 50
	}
	if f.Limit < 1 || f.Limit > 1000 {
		add("limit", "Use 1 to 1000.")
	}
	if f.Offset < 0 {
		add("offset", "Use 0 or more.")
	}
	return all.Err()
}

// Find returns a page of passes. Those that have no value to sort by come last. It fails with field errors, whose pointers name the query parameters.
func Find(q db.Querier, org int64, f Filter) ([]*Pass, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	text, args, some := f.text(org)
	if !some {
		return nil, nil
	}
	return find(q, text, args...)
}

// text is what follows on FROM passes p, and its parameters; some is false where no pass can fulfil the filter.
func (f *Filter) text(org int64) (text string, args []any, some bool) {
	where, args, some := f.where(org)
	if !some {
		return "", nil, false
	}
	return fmt.Sprintf(`WHERE %s%s LIMIT $%d OFFSET $%d`, where, f.order(), len(args)+1, len(args)+2), append(args, f.Limit, f.Offset), true
}

// where is the filter as a condition; some is false where no pass can fulfil it.
func (f *Filter) where(org int64) (where string, args []any, some bool) {
	all, args := []string{`p.org_id = $1`}, []any{org}
	and := func(condition string, value any) {
		args = append(args, value)
		all = append(all, fmt.Sprintf(condition, len(args)))
	}
	for _, text := range []*string{&f.Owner, &f.Contract} {
		if *text == "" {
			continue
		}
		a, err := evm.ParseAddress(*text)
		if err != nil {
			return "", nil, false // nobody is called so
		}
		*text = a.String()
	}
	if f.Owner != "" {
		and(`p.owner = $%d`, f.Owner)
	}
	if f.Ticket != "" {
		no, ok := ticket.NoOf(f.Ticket)
		if !ok {
			return "", nil, false
		}
		and(`p.ticket_no <> 0 AND p.ticket_no = $%d`, no)
		and(`p.ticket_id = $%d`, string(f.Ticket))
	}
	if f.EventNo != 0 {
		and(`p.event_no <> 0 AND p.event_no = $%d`, f.EventNo)
	}
	if f.Before != 0 {
		and(`p.pass_no < $%d`, f.Before)
	}
	if f.Contract != "" || f.TokenID != "" {
		all = append(all, f.holds(&args))
	}
	for _, one := range []struct{ condition, value string }{
		{`p.chain = $%d`, f.Chain},
		{`p.network = $%d`, f.Network},
		{`p.external_id <> '' AND p.external_id = $%d`, f.ExternalID},
		{`p.platform = $%d`, string(f.Platform)},
	} {
		if one.value != "" {
			and(one.condition, one.value)
		}
	}
	for _, one := range []struct {
		condition string
		at        time.Time
	}{
		{`p.created_at >= $%d`, f.CreatedFrom}, {`p.created_at < $%d`, f.CreatedTo}, {`p.last_scan_at >= $%d`, f.ScannedFrom}, {`p.last_scan_at < $%d`, f.ScannedTo},
	} {
		if !one.at.IsZero() {
			and(one.condition, one.at.UnixMicro())
		}
	}
	if f.Expired != nil && *f.Expired {
		all = append(all, `p.expired_at IS NOT NULL`)
	} else if f.Expired != nil {
		all = append(all, `p.expired_at IS NULL`)
	}
	return strings.Join(all, ` AND `), args, true
}

// holds is the condition that one of the pass's assets is of a contract, and a token.
func (f *Filter) holds(args *[]any) string {
	inner := `a.org_id = $1`
	for _, one := range []struct{ column, value string }{{`a.contract`, f.Contract}, {`a.token_id`, f.TokenID}} {
		if one.value != "" {
			*args = append(*args, one.value)
			inner += fmt.Sprintf(` AND %s = $%d`, one.column, len(*args))
		}
	}
	return `p.pass_no IN (SELECT a.pass_no FROM pass_assets a WHERE ` + inner + `)`
}
