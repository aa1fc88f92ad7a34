package pass

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Scanned is what a scan came to.
type Scanned struct {
	Pass    *Pass
	Message string // what the barcode says
	Valid   bool   // the pass is active, and its ticket, where it has one, valid
	Said    string // valid, or why not: expired, not_yet, too_late or not_current (see [ticket.Verdict]), or the ticket's validity or the event's status
}

// said is what is said of a pass that is good.
const said = "valid"

// newestActive puts the newest active pass first, and else the newest. It has the parameter %d, which is now.
const newestActive = ` ORDER BY CASE WHEN p.expired_at IS NULL AND (p.expires_at IS NULL OR p.expires_at > $%d) THEN 0 ELSE 1 END, p.pass_no DESC`

// showsTicket is a condition on passes p: those that show the code of a ticket ($1) of an organisation ($2). Which generations, by $3, is put in.
const showsTicket = `WHERE p.ticket_no = $1 AND p.ticket_no <> 0 AND p.org_id = $2 AND p.barcode IS NULL AND p.generation %s $3`

// Look finds the pass that a barcode is of: the newest active one, else the newest; pass_not_found. Nothing is noted.
func (b *Book) Look(ctx context.Context, q db.Querier, org int64, data string, now time.Time) (Scanned, error) {
	data = strings.TrimRight(data, "\r\n") // of scanners that send a line end behind what they read
	p, err := one(q, `WHERE p.org_id = $1 AND p.barcode_mac = $2`+fmt.Sprintf(newestActive, 3), org, b.barcodeMAC(org, data), now.UnixMicro())
	if problem.Is(err, "pass_not_found") {
		return b.lookAtTicket(ctx, q, org, data, now)
	}
	if err != nil {
		return Scanned{}, err
	}
	s := Scanned{Pass: p, Message: data}
	if p.TicketNo == 0 {
		s.judge(now, said)
		return s, nil
	}
	t, err := ticket.ByID(q, org, p.TicketID)
	if problem.Is(err, "ticket_not_found") {
		s.judge(now, string(ticket.Void))
		return s, nil
	}
	if err != nil {
		return Scanned{}, err
	}
	return s, s.judgeTicket(q, t, ticket.Genuine, now)
}

// lookAtTicket finds the pass that shows a ticket's code.
func (b *Book) lookAtTicket(ctx context.Context, q db.Querier, org int64, data string, now time.Time) (Scanned, error) {
	shown, err := b.tickets.Present(ctx, q, org, data, now)
	if err != nil {
		return Scanned{}, err
	}
	if shown.Ticket.No == 0 {
		return Scanned{}, errNotFound()
	}
	generation := `=`
	if shown.Verdict == ticket.Outdated { // of whoever had the ticket before
		generation = `<`
	}
	p, err := one(q, fmt.Sprintf(showsTicket, generation)+fmt.Sprintf(newestActive, 4),
		shown.Ticket.No, org, shown.Ticket.Generation, now.UnixMicro())
	if err != nil {
		return Scanned{}, err
	}
	s := Scanned{Pass: p, Message: data}
	return s, s.judgeTicket(q, shown.Ticket, shown.Verdict, now)
}

// judgeTicket says what a pass is worth by its ticket.
func (s *Scanned) judgeTicket(q db.Querier, t ticket.Ticket, v ticket.Verdict, now time.Time) error {
	what := string(t.Validity)
	if t.Validity == ticket.Valid {
		e, err := event.ByNo(q, s.Pass.Org, t.EventNo)
		if err != nil {
			return err
		}
		switch {
		case e.Deleted():
			what = string(event.Cancelled)
		case e.Status != event.Published:
			what = string(e.Status)
		case v != ticket.Genuine:
			what = string(v)
		}
	}
	if s.Pass.Generation != t.Generation {
		what = expired
	}
	s.judge(now, what)
	return nil
}

// expired is what is said of a pass that is over, written down or not.
const expired = "expired"

// judge says what a pass is worth, if it is not over.
func (s *Scanned) judge(now time.Time, what string) {
	s.Said = what
	if s.Pass.over(now) {
		s.Said = expired
	}
	s.Valid = s.Said == said
}

// Scan notes that a pass which [Book.Look] found was scanned, and appends pass.scanned.
func (b *Book) Scan(tx *db.Tx, org int64, s Scanned) (*Pass, error) {
	p, err := lock(tx, org, s.Pass.ID)
	if err != nil {
		return nil, err
	}
	_, err = b.addScan(tx, p, ScanRecord{At: tx.Now(), Said: s.Said})
	return p, err
}

// addScan notes a scan of a pass and appends pass.scanned; false, and nothing, for a check-in that is a scan already. The transaction has locked the pass.
func (b *Book) addScan(tx *db.Tx, p *Pass, s ScanRecord) (bool, error) {
	n, err := tx.Exec(`INSERT INTO pass_scans (org_id, pass_no, at, said, checkin_id) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		p.Org, p.No, s.At.UnixMicro(), s.Said, s.CheckinID)
	if err != nil {
		return false, fmt.Errorf("note scan of pass: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	p.Scans++
	p.Version++
	if s.At.After(p.LastScannedAt) {
		p.LastScannedAt = s.At
	}
	if err := save(tx, p); err != nil {
		return false, err
	}
	return true, b.tell(tx, fact.PassScanned, s.CheckinID, p)
}

// ScanRecord is a scan that was noted.
type ScanRecord struct {
	At        time.Time
	Said      string
	CheckinID id.Checkin // at the door; empty for the others
}

// History returns the scans of a pass within [from, to), the newest 1,000, the oldest first; zero for no bound.
func History(q db.Querier, org int64, p *Pass, from, to time.Time) ([]ScanRecord, error) {
	where, args := `pass_no = $1 AND org_id = $2`, []any{p.No, org}
	if !from.IsZero() {
		args = append(args, from.UnixMicro())
		where += fmt.Sprintf(` AND at >= $%d`, len(args))
	}
	if !to.IsZero() {
		args = append(args, to.UnixMicro())
		where += fmt.Sprintf(` AND at < $%d`, len(args))
	}
	all, err := db.All(q, func(r db.Rows) (s ScanRecord, err error) {
		var at int64
		err = r.Scan(&at, &s.Said, &s.CheckinID)
		s.At = moment(at)
		return s, err
	}, `SELECT at, said, checkin_id FROM (SELECT at, scan_no, said, checkin_id FROM pass_scans WHERE `+where+` ORDER BY at DESC, scan_no DESC LIMIT 1000) s
		ORDER BY at, scan_no`, args...)
	if err != nil {
		return nil, fmt.Errorf("scans of pass: %w", err)
	}
	return all, nil
}
