package ticket

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// How long an offer stands.
const (
	OfferLasts = 7 * 24 * time.Hour // unless the holder says otherwise
	minOffer   = time.Minute
	maxOffer   = 90 * 24 * time.Hour
)

// TransferState is how far a transfer has come.
type TransferState string

// The states. All but the first are final.
const (
	Offered  TransferState = "offered"
	Accepted TransferState = "accepted"
	Declined TransferState = "declined"
	Revoked  TransferState = "revoked" // by the holder or the organisation, or because the ticket became void or another's
	Expired  TransferState = "expired"
)

// Transfer is an offer of a ticket, and what became of it.
type Transfer struct {
	Ticket    id.Ticket
	N         int    // 1, 2, … for each ticket
	From      string // the holder's address, in lower case; empty once erased
	To        string // empty once erased
	State     TransferState
	CreatedAt time.Time
	ExpiresAt time.Time // from then on it cannot be accepted
	EndedAt   time.Time // zero while it is open
}

// kinds are the facts of how a transfer goes.
var kinds = map[TransferState]fact.Kind{
	Offered: fact.TicketTransferOffered, Accepted: fact.TicketTransferred, Declined: fact.TicketTransferDeclined,
	Revoked: fact.TicketTransferRevoked, Expired: fact.TicketTransferExpired,
}

// Offer says to whom a ticket is offered.
type Offer struct {
	By      person.Address // who offers, by an address that they have shown to be theirs; empty for the organisation, on the holder's behalf
	Version int64          // If-Match: the ticket's version that the offer was made for; 0 for whatever there is
	To      string         // an e-mail address
	Lasts   time.Duration  // 1 minute to 90 days; OfferLasts when 0
}

func (o *Offer) check() error {
	var f problem.Fields
	if o.To = strings.TrimSpace(o.To); !org.ValidEmail(o.To) {
		f.Add("/email", "invalid", "Give an e-mail address such as kari@example.com.")
	}
	if o.Lasts == 0 {
		o.Lasts = OfferLasts
	}
	if o.Lasts < minOffer || o.Lasts > maxOffer {
		f.Add("/expiresIn", "out_of_range", "An offer stands for 1 minute to 90 days.")
	}
	return f.Err()
}

// Offer offers a ticket to an address and appends ticket.transfer_offered. The fact is nil when it is offered to that address already. It
// fails with field errors, ticket_not_found (also for somebody who neither holds the ticket nor bought it), version_mismatch, not_holder,
// ticket_not_transferable (it is not valid, or its holder is inside) and transfer_open.
func (r *Roll) Offer(tx *db.Tx, org int64, ticket id.Ticket, o Offer) (Transfer, *fact.Fact, error) {
	if err := o.check(); err != nil {
		return Transfer{}, nil, err
	}
	t, err := lock(tx, org, ticket, o.Version)
	if err == nil {
		err = t.heldBy(tx, o.By)
	}
	if err == nil {
		err = t.transferable()
	}
	if err != nil {
		return Transfer{}, nil, err
	}
	if person.Of(o.To).Is(t.Holder.Email) {
		return Transfer{}, nil, problem.Field("/email", "same", "That is the holder's own address.")
	}
	open, err := t.open(tx)
	if err != nil {
		return Transfer{}, nil, err
	}
	var told []*fact.Fact
	switch {
	case open == nil:
	case !open.stands(tx.Now()):
		state := Expired
		if tx.Now().Before(open.ExpiresAt) {
			state = Revoked // who it was offered to was erased
		}
		f, err := t.end(tx, open, state)
		if err != nil {
			return Transfer{}, nil, err
		}
		told = append(told, f)
	case person.Of(o.To).Is(open.To):
		return *open, nil, nil
	default:
		return Transfer{}, nil, problem.New(problem.Conflict, "transfer_open", "The ticket is offered to somebody else; revoke that first.")
	}
	t.offers++
	made := Transfer{
		Ticket: t.ID, N: t.offers, From: strings.ToLower(t.Holder.Email), To: o.To, State: Offered, CreatedAt: tx.Now(), ExpiresAt: tx.Now().Add(o.Lasts),
	}
	err = tx.Later(`INSERT INTO transfers (org_id, ticket_no, n, sender, recipient, recipient_lower, state, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, 'offered', $7, $8)`,
		t.org, t.No, made.N, made.From, made.To, strings.ToLower(made.To), made.CreatedAt.UnixMicro(), made.ExpiresAt.UnixMicro())
	if err != nil {
		return Transfer{}, nil, fmt.Errorf("insert transfer of ticket %s: %w", t.ID, err)
	}
	f, err := t.step(tx, kinds[Offered], made.shown)
	if err != nil {
		return Transfer{}, nil, err
	}
	return made, f, r.written(tx, t, append(told, f)...)
}

// Accept gives a ticket to whom it was offered, under the name (at most 200 characters, may be empty) that they give, with a new generation,
// and appends ticket.transferred. by is an address that whoever accepts has shown to be theirs, which must be that of the offer; the
// organisation (an empty one) accepts on their behalf. It fails with field errors, ticket_not_found (also for somebody who has nothing to
// do with it), transfer_not_open and ticket_not_transferable.
func (r *Roll) Accept(tx *db.Tx, org int64, ticket id.Ticket, by person.Address, name string) (Ticket, *fact.Fact, error) {
	var bad problem.Fields
	if checkName(&bad, "/name", name); bad.Err() != nil {
		return Ticket{}, nil, bad.Err()
	}
	t, open, err := offered(tx, org, ticket, by)
	if err == nil {
		err = t.transferable()
	}
	if err != nil {
		return Ticket{}, nil, err
	}
	t.Holder = Holder{Name: name, Email: open.To}
	t.Generation++
	f, err := t.end(tx, open, Accepted)
	if err != nil {
		return Ticket{}, nil, err
	}
	return t, f, r.written(tx, t, f)
}

// Decline refuses an offer and appends ticket.transfer_declined. by is as in Accept. It fails with ticket_not_found and transfer_not_open.
func (r *Roll) Decline(tx *db.Tx, org int64, ticket id.Ticket, by person.Address) (Ticket, *fact.Fact, error) {
	t, open, err := offered(tx, org, ticket, by)
	if err != nil {
		return Ticket{}, nil, err
	}
	f, err := t.end(tx, open, Declined)
	if err != nil {
		return Ticket{}, nil, err
	}
	return t, f, r.written(tx, t, f)
}

// Revoke takes an offer back and appends ticket.transfer_revoked. by is the holder's address, or empty for the organisation. It fails with
// ticket_not_found, not_holder and transfer_not_open.
func (r *Roll) Revoke(tx *db.Tx, org int64, ticket id.Ticket, by person.Address) (Ticket, *fact.Fact, error) {
	t, err := lock(tx, org, ticket, 0)
	if err == nil {
		err = t.heldBy(tx, by)
	}
	if err != nil {
		return Ticket{}, nil, err
	}
	open, err := t.open(tx)
	if err != nil {
		return Ticket{}, nil, err
	}
	if open == nil || !tx.Now().Before(open.ExpiresAt) {
		return Ticket{}, nil, errNotOpen()
	}
	f, err := t.end(tx, open, Revoked)
	if err != nil {
		return Ticket{}, nil, err
	}
	return t, f, r.written(tx, t, f)
}

// ExpireSome writes down that up to limit offers of any organisation have come to their end, the oldest first, and appends
// ticket.transfer_expired for each. It returns how many there were.
func (r *Roll) ExpireSome(tx *db.Tx, limit int) (int, error) {
	type pair struct {
		t    Ticket
		open Transfer
	}
	all, err := db.All(tx, func(rows db.Rows) (p pair, err error) {
		var read transferRow
		p.t, err = scanWith(rows, read.places()...)
		p.open = read.transfer(p.t.ID)
		return p, err
	}, `SELECT `+columns+`, `+transferColumns+` FROM tickets t JOIN transfers x ON x.ticket_no = t.ticket_no
		WHERE x.state = 'offered' AND x.expires_at <= $1 ORDER BY x.expires_at LIMIT $2 /*for update*/`, tx.Micros(), limit)
	if err != nil {
		return 0, fmt.Errorf("load offers that have expired: %w", err)
	}
	tickets, told := make([]Ticket, len(all)), make([]*fact.Fact, len(all))
	for i, p := range all {
		if told[i], err = p.t.end(tx, &p.open, Expired); err != nil {
			return 0, err
		}
		tickets[i] = p.t
	}
	if err := update(tx, tickets...); err != nil {
		return 0, err
	}
	if err := r.ledger.Append(tx, told...); err != nil {
		return 0, fmt.Errorf("append facts of offers that have expired: %w", err)
	}
	return len(all), nil
}

// heldBy fails for somebody who is neither the organisation (an empty address) nor the holder.
func (t Ticket) heldBy(q db.Querier, who person.Address) error {
	if who == "" || who.Is(t.Holder.Email) {
		return nil
	}
	if err := t.visible(q, who); err != nil {
		return err
	}
	return problem.New(problem.Forbidden, "not_holder", "The ticket has another holder by now, whose it is to give away.")
}

func (t Ticket) transferable() error {
	switch {
	case t.Validity != Valid:
		return problem.New(problem.Conflict, "ticket_not_transferable", "The ticket is %s; a valid one can be given to somebody else.", t.Validity)
	case t.Presence == Inside:
		return problem.New(problem.Conflict, "ticket_not_transferable", "Its holder is inside; afterwards the ticket can be given to somebody else.")
	case t.Generation >= maxGeneration:
		return problem.New(problem.Conflict, "ticket_not_transferable", "The ticket was given on so often that there is no code left for another holder.")
	}
	return nil
}

// offered locks a ticket with the offer that stands, for somebody whom it was made to.
func offered(tx *db.Tx, org int64, ticket id.Ticket, by person.Address) (Ticket, *Transfer, error) {
	t, err := lock(tx, org, ticket, 0)
	if err != nil {
		return Ticket{}, nil, err
	}
	open, err := t.open(tx)
	if err != nil {
		return Ticket{}, nil, err
	}
	if by != "" && (open == nil || !by.Is(open.To)) {
		if err := t.visible(tx, by); err != nil {
			return Ticket{}, nil, err
		}
		return Ticket{}, nil, errNotOpen()
	}
	if open == nil || !open.stands(tx.Now()) {
		return Ticket{}, nil, errNotOpen()
	}
	return t, open, nil
}

// Standing is a ticket that was offered to somebody.
type Standing struct {
	Org      int64
	Ticket   Ticket
	Transfer Transfer
}

// OfferedTo finds an offer that stands at an instant, of whatever organisation's ticket, for the person to whom it was made, by an address that they have shown
// to be theirs; transfer_not_open for everybody else and everything else.
func OfferedTo(q db.Querier, ticket id.Ticket, who person.Address, at time.Time) (Standing, error) {
	no, mark, ok := number(ticket)
	if !ok || who == "" {
		return Standing{}, errNotOpen()
	}
	o, err := db.One(q, func(rows db.Rows) (o Standing, err error) {
		var read transferRow
		o.Ticket, err = scanWith(rows, read.places()...)
		o.Org, o.Transfer = o.Ticket.org, read.transfer(o.Ticket.ID)
		return o, err
	}, `SELECT `+columns+`, `+transferColumns+` FROM tickets t JOIN transfers x ON x.ticket_no = t.ticket_no
		WHERE t.ticket_no = $1 AND t.mark = $2 AND x.state = 'offered' AND x.recipient_lower = $3`, no, mark, string(who))
	if errors.Is(err, db.ErrNoRow) || err == nil && !o.Transfer.stands(at) {
		return Standing{}, errNotOpen()
	}
	if err != nil {
		return Standing{}, fmt.Errorf("load what was offered: %w", err)
	}
	return o, nil
}

func errNotOpen() error {
	return problem.New(problem.Conflict, "transfer_not_open", "Nothing is offered of this ticket, or not any more, or to somebody else.")
}

// stands tells whether an open offer can be accepted: it has not come to its end, and whoever it was made to was not erased.
func (x Transfer) stands(now time.Time) bool { return x.To != "" && now.Before(x.ExpiresAt) }

// shown puts the transfer into a fact.
func (x Transfer) shown(s *Snapshot) {
	s.Transfer = &TransferSnapshot{N: x.N, State: x.State, ExpiresAt: fact.Instant(x.ExpiresAt)}
}

// withdraw revokes what is offered of a ticket, if anything is. What has come to its end is expired.
func (t *Ticket) withdraw(tx *db.Tx) ([]*fact.Fact, error) {
	open, err := t.open(tx)
	if err != nil || open == nil {
		return nil, err
	}
	state := Revoked
	if !tx.Now().Before(open.ExpiresAt) {
		state = Expired
	}
	f, err := t.end(tx, open, state)
	return []*fact.Fact{f}, err
}

// end ends an open transfer and returns the fact. The ticket is written by the caller.
func (t *Ticket) end(tx *db.Tx, open *Transfer, state TransferState) (*fact.Fact, error) {
	open.State, open.EndedAt = state, tx.Now()
	err := tx.Later(`UPDATE transfers SET state = $1, ended_at = $2 WHERE ticket_no = $3 AND n = $4 AND org_id = $5`,
		state, open.EndedAt.UnixMicro(), t.No, open.N, t.org)
	if err != nil {
		return nil, fmt.Errorf("end transfer of ticket %s: %w", t.ID, err)
	}
	return t.step(tx, kinds[state], open.shown)
}

const transferColumns = `x.n, x.sender, x.recipient, x.state, x.created_at, x.expires_at, x.ended_at`

// transferRow is where the columns of a transfer are read to.
type transferRow struct {
	Transfer
	created, expires int64
	ended            *int64
}

func (r *transferRow) places() []any {
	return []any{&r.N, &r.From, &r.To, &r.State, &r.created, &r.expires, &r.ended}
}

func (r *transferRow) transfer(of id.Ticket) Transfer {
	x := r.Transfer
	x.Ticket, x.CreatedAt, x.ExpiresAt, x.EndedAt = of, moment(r.created), moment(r.expires), maybe(r.ended)
	return x
}

// open returns the offer that is open, nil when there is none. The ticket must be locked.
func (t Ticket) open(q db.Querier) (*Transfer, error) {
	if t.offers == 0 {
		return nil, nil //nolint:nilnil // nothing is offered
	}
	x, err := db.One(q, func(rows db.Rows) (Transfer, error) {
		var read transferRow
		err := rows.Scan(read.places()...)
		return read.transfer(t.ID), err
	}, `SELECT `+transferColumns+` FROM transfers x WHERE x.ticket_no = $1 AND x.org_id = $2 AND x.state = 'offered'`, t.No, t.org)
	if errors.Is(err, db.ErrNoRow) {
		return nil, nil //nolint:nilnil // nothing is offered
	}
	if err != nil {
		return nil, fmt.Errorf("load transfer of ticket %s: %w", t.ID, err)
	}
	return &x, nil
}

// TransfersOf lists what was offered of a ticket, the oldest first.
func TransfersOf(q db.Querier, org int64, t Ticket) ([]Transfer, error) {
	return transfers(q, `WHERE x.org_id = $1 AND x.ticket_no = $2 ORDER BY x.n`, org, t.No)
}

// TransfersWith lists up to limit transfers that a person made or was offered, by ticket, the newest first.
func TransfersWith(q db.Querier, org int64, who person.Address, limit int) ([]Transfer, error) {
	if who == "" {
		return nil, nil
	}
	return transfers(q, `WHERE x.org_id = $1 AND (x.recipient_lower = $2 OR x.sender = $2) ORDER BY x.ticket_no DESC, x.n DESC LIMIT $3`, org, string(who), limit)
}

func transfers(q db.Querier, where string, args ...any) ([]Transfer, error) {
	all, err := db.All(q, func(rows db.Rows) (Transfer, error) {
		var read transferRow
		var no, mark int64
		err := rows.Scan(append(read.places(), &no, &mark)...)
		return read.transfer(numbered(no, mark)), err
	}, `SELECT `+transferColumns+`, t.ticket_no, t.mark FROM transfers x JOIN tickets t ON t.ticket_no = x.ticket_no `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list transfers: %w", err)
	}
	return all, nil
}

// TransferFilter says which transfers a list shows.
type TransferFilter struct {
	State TransferState // empty for all
	After string        // where the page before ended; empty to begin
	Limit int           // 1 to 100; 50 when 0
}

// Transfers returns a page of an organisation's transfers, the newest first, and where the next begins; "" on the last. It fails with field errors, whose pointers name the query
// parameters.
func Transfers(q db.Querier, org int64, f TransferFilter) (page []Transfer, next string, err error) {
	if f.Limit < 1 || f.Limit > 100 {
		f.Limit = 50
	}
	if _, known := kinds[f.State]; f.State != "" && !known {
		return nil, "", problem.Fields{{Pointer: "state", In: "query", Code: "invalid", Detail: "Use offered, accepted, declined, revoked or expired."}}.Err()
	}
	where, args, err := f.where(org)
	if err != nil {
		return nil, "", err
	}
	args = append(args, f.Limit+1)
	page, err = transfers(q, fmt.Sprintf(where+` ORDER BY x.created_at DESC, x.ticket_no DESC, x.n DESC LIMIT $%d`, len(args)), args...)
	if err != nil || len(page) <= f.Limit {
		return page, "", err
	}
	page = page[:f.Limit]
	last := page[len(page)-1]
	no, _, _ := number(last.Ticket)
	return page, fmt.Sprintf("%d.%d.%d", last.CreatedAt.UnixMicro(), no, last.N), nil
}

func (f TransferFilter) where(org int64) (string, []any, error) {
	where, args := `WHERE x.org_id = $1`, []any{org}
	if f.State != "" {
		where, args = where+` AND x.state = $2`, append(args, string(f.State))
	}
	if f.After == "" {
		return where, args, nil
	}
	var at, no, n int64
	if _, err := fmt.Sscanf(f.After, "%d.%d.%d", &at, &no, &n); err != nil {
		return "", nil, problem.Fields{{Pointer: "after", In: "query", Code: "invalid", Detail: "This cursor did not come from here."}}.Err()
	}
	where += fmt.Sprintf(` AND (x.created_at, x.ticket_no, x.n) < ($%d, $%d, $%d)`, len(args)+1, len(args)+2, len(args)+3)
	return where, append(args, at, no, n), nil
}
