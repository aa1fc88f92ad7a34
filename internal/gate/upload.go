package gate

import (
	"cmp"
	"context"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// MaxUpload is how many scans one upload has at most.
const MaxUpload = 5000

// step is how many of them one transaction takes: people at other gates are waiting behind it.
const step = 50

// Made is a scan that a device made without a network.
type Made struct {
	Seq       int64     // the device's own number, 1 and growing; the same scan has the same one however often it is sent
	Nonce     string    // as in [Scan], where the device tried to scan online first
	Code      string    // this,
	Ticket    id.Ticket // or this
	List      id.CheckinList
	Gate      string
	Direction Direction
	ScannedAt time.Time
	Result    Status // what the device told people; "" for that it let them through
	Reason    string
}

// Upload is what a device brings.
type Upload struct {
	By     By
	Device string // whose scans they are, at most 100 characters; By.ID when empty. A device brings its own only
	Bundle string // the bundle that it decided by: see [Bundle]
	Scans  []Made
}

// Uploaded is what one scan of an upload came to.
type Uploaded struct {
	Seq     int64
	Checkin *Checkin // nil where Err is not
	Known   bool     // it was uploaded before
	Err     error    // a problem: it was not taken
}

// Upload merges what a device scanned without a network. What it let in is in: the rules are not asked again, for it has happened. Scans take their place by the
// instant at which they were made, put within the time in which their bundle was good; then by the device, and its own number. All that came through the
// door with a ticket on a list is then counted anew. So any order of uploads, each repeated as often as it likes, ends the same. What a device refused counts for
// nothing.
//
// It works in short transactions, one after the other, and can be repeated where it stopped. It returns a result for each scan. It fails with field errors.
func (d *Door) Upload(ctx context.Context, store *db.DB, org int64, u Upload) ([]Uploaded, error) {
	if err := u.check(); err != nil {
		return nil, err
	}
	w := window(u.Bundle)
	sorted := slices.Clone(u.Scans) // so that what is answered to one is not overtaken by the next
	slices.SortFunc(sorted, func(a, b Made) int { return cmp.Or(a.ScannedAt.Compare(b.ScannedAt), cmp.Compare(a.Seq, b.Seq)) })
	bySeq := make(map[int64]Uploaded, len(u.Scans))
	for rest := sorted; len(rest) > 0; {
		some := rest[:min(step, len(rest))]
		rest = rest[len(some):]
		shown := make([]ticket.Presented, len(some))
		for i, m := range some {
			if m.Code == "" {
				shown[i] = ticket.Presented{Verdict: ticket.Genuine, Ticket: ticket.Ticket{ID: m.Ticket}}
				continue
			}
			var err error
			if shown[i], err = d.codes.Present(ctx, store.Read(ctx), org, m.Code, m.ScannedAt); err != nil {
				return nil, err
			}
		}
		var done []Uploaded
		err := store.Write(ctx, "", func(tx *db.Tx) (err error) {
			done, err = d.merge(tx, org, u, w, some, shown)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, one := range done {
			bySeq[one.Seq] = one
		}
	}
	all := make([]Uploaded, len(u.Scans))
	for i, m := range u.Scans {
		all[i] = bySeq[m.Seq]
	}
	return all, nil
}

func (u *Upload) check() error {
	var f problem.Fields
	if len(u.Scans) > MaxUpload {
		f.Add("/scans", "wrong_length", "Send %d scans at most at a time.", MaxUpload)
	}
	u.Device = cmp.Or(strings.TrimSpace(u.Device), u.By.ID)
	if !line(u.Device, 100) {
		f.Add("/deviceId", "invalid", "Give a device's id or name of at most 100 characters on one line, without @.")
	}
	if strings.HasPrefix(u.By.ID, "dev_") && u.Device != u.By.ID {
		f.Add("/deviceId", "other_device", "A device uploads its own scans only.")
	}
	if _, ok := issued(u.Bundle); u.Bundle != "" && !ok {
		f.Add("/bundleId", "invalid", "Give the id of the bundle that the device decided by.")
	}
	seen := map[int64]bool{}
	for i := range u.Scans {
		m := &u.Scans[i]
		at := func(name string) string { return fmt.Sprintf("/scans/%d/%s", i, name) }
		m.Direction = cmp.Or(m.Direction, Entry)
		switch {
		case m.Seq < 1:
			f.Add(at("seq"), "out_of_range", "Number the device's scans 1, 2, ….")
		case seen[m.Seq]:
			f.Add(at("seq"), "duplicate", "Another scan of this upload has this number.")
		case (m.Code == "") == (m.Ticket == ""):
			f.Add(at("code"), "required", "Give a code, or a ticketId.")
		case m.Direction != Entry && m.Direction != Exit:
			f.Add(at("direction"), "unknown_value", "Use entry or exit.")
		case m.ScannedAt.IsZero():
			f.Add(at("scannedAt"), "required", "Say when it was scanned.")
		case len(m.Nonce) > 100 || !line(m.Nonce, 100):
			f.Add(at("nonce"), "too_long", "A nonce has at most 100 characters on one line, without @.")
		case !line(m.Gate, 100):
			f.Add(at("gate"), "invalid", "Give a gate's id or a name of at most 100 characters on one line, without @.")
		}
		seen[m.Seq] = true
	}
	return f.Err()
}

// span is the time in which a bundle was good.
type span struct{ from, until time.Time }

func (s span) clamp(t time.Time) time.Time {
	switch {
	case t.Before(s.from):
		return s.from
	case t.After(s.until):
		return s.until
	}
	return t
}

// The bundle's id says when it was made; who brings scans could claim any instant anyway. It keeps clocks that are far off from winning, by a rule that asks for
// nothing but the scan itself: so it is the same whenever the scan arrives.
const bundlePrefix = "bnd_"

// BundleLife is how long a device may decide by a bundle.
const BundleLife = 24 * time.Hour

var bundleText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

func bundleID(at time.Time) string {
	return bundlePrefix + bundleText.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(at.Unix())))
}

// issued is when a bundle was made.
func issued(bundle string) (time.Time, bool) {
	text, ok := strings.CutPrefix(bundle, bundlePrefix)
	b, err := bundleText.DecodeString(text)
	if !ok || err != nil || len(b) != 8 {
		return time.Time{}, false
	}
	sec := binary.BigEndian.Uint64(b)
	if sec > 1<<40 { // the year 36,812
		return time.Time{}, false
	}
	return time.Unix(int64(sec), 0).UTC(), true
}

// window is the time in which a bundle is good. Without a bundle it is wide enough for every clock that is not plainly wrong, and does not depend on now.
func window(bundle string) span {
	if at, ok := issued(bundle); ok {
		return span{at, at.Add(BundleLife)}
	}
	return span{time.Unix(0, 0).UTC(), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// merge takes some scans of an upload.
func (d *Door) merge(tx *db.Tx, org int64, u Upload, w span, some []Made, shown []ticket.Presented) ([]Uploaded, error) {
	ids := make([]id.Ticket, 0, len(some))
	for _, p := range shown {
		if p.Ticket.ID != "" {
			ids = append(ids, p.Ticket.ID)
		}
	}
	tickets, err := ticket.Lock(tx, org, ids...)
	if err != nil {
		return nil, err
	}
	byID := make(map[id.Ticket]*ticket.Ticket, len(tickets))
	for i := range tickets {
		byID[tickets[i].ID] = &tickets[i]
	}
	known, err := brought(tx, org, u.Device, some)
	if err != nil {
		return nil, err
	}
	s := settlement{org: org, tickets: tickets, policies: map[int64]Policy{}}
	if s.was, err = passages(tx, tickets); err != nil {
		return nil, err
	}
	m := merger{tx: tx, org: org, u: u, w: w, s: &s, lists: map[string]List{}, gates: map[string]Gate{}}
	done := make([]Uploaded, len(some))
	for i, one := range some {
		done[i] = Uploaded{Seq: one.Seq}
		t := byID[shown[i].Ticket.ID]
		if c := known.of(one); c != nil {
			if done[i].Checkin, done[i].Known = c, true; !same(c, hashOrNil(one.Code), one.Ticket) {
				done[i] = Uploaded{Seq: one.Seq, Err: problem.New(problem.Conflict, "seq_reused", "The device brought another scan with this number or nonce.")}
			}
			continue
		}
		if done[i].Checkin, done[i].Err = m.take(one, shown[i], t); problem.As(done[i].Err) == nil && done[i].Err != nil {
			return nil, done[i].Err
		}
	}
	return done, d.settle(tx, s)
}

func hashOrNil(code string) []byte {
	if code == "" {
		return nil
	}
	return hashOf(code)
}

// kept are check-ins that were there before, by number and by nonce.
type kept struct {
	seq   map[int64]*Checkin
	nonce map[string]*Checkin
}

func (k kept) of(m Made) *Checkin {
	if c := k.seq[m.Seq]; c != nil {
		return c
	}
	if m.Nonce == "" {
		return nil
	}
	return k.nonce[m.Nonce]
}

// brought finds what the device brought before, or scanned online after all.
func brought(tx *db.Tx, org int64, device string, some []Made) (kept, error) {
	k := kept{map[int64]*Checkin{}, map[string]*Checkin{}}
	var numbers []int64
	var nonces []string
	for _, m := range some {
		numbers = append(numbers, m.Seq)
		if m.Nonce != "" {
			nonces = append(nonces, m.Nonce)
		}
	}
	all, err := db.All(tx, scan, selectCheckin+`WHERE org_id = $1 AND device = $2 AND seq > 0 AND seq IN ints($3)`, org, device, jsonList(numbers))
	if err == nil && nonces != nil {
		var more []*Checkin
		more, err = db.All(tx, scan, selectCheckin+`WHERE org_id = $1 AND device = $2 AND nonce <> '' AND nonce IN texts($3)`, org, device, jsonList(nonces))
		all = append(all, more...)
	}
	if err != nil {
		return kept{}, fmt.Errorf("look for what was uploaded before: %w", err)
	}
	for _, c := range all {
		if c.Seq > 0 {
			k.seq[c.Seq] = c
		}
		if c.Nonce != "" {
			k.nonce[c.Nonce] = c
		}
	}
	return k, nil
}

// merger makes check-ins of scans.
type merger struct {
	tx    *db.Tx
	org   int64
	u     Upload
	w     span
	s     *settlement
	lists map[string]List
	gates map[string]Gate
}

// take adds a scan to what is to be settled. A scan that cannot be told is a problem, and the others go on.
func (m *merger) take(one Made, p ticket.Presented, t *ticket.Ticket) (*Checkin, error) {
	g, err := m.gate(one.Gate)
	if err != nil {
		return nil, err
	}
	c := &Checkin{
		ID: id.NewCheckin(), Direction: one.Direction, Mode: Offline, Device: m.u.Device, Seq: one.Seq, Nonce: one.Nonce, GateNo: g.No, Gate: g.Name,
		At: m.w.clamp(one.ScannedAt.UTC().Truncate(time.Microsecond)), ScannedAt: one.ScannedAt, ReceivedAt: m.tx.Now(), org: m.org, hash: hashOrNil(one.Code),
	}
	if t == nil {
		if one.Code == "" {
			return nil, problem.New(problem.NotFound, "ticket_not_found", "There is no such ticket here.")
		}
		c.result, c.Said, c.Reason = denied, Invalid, string(ticket.Unknown)
		if p.Verdict == ticket.BadSignature {
			c.Reason = string(p.Verdict)
		}
		m.s.fresh = append(m.s.fresh, c)
		return c, nil
	}
	if !m.u.By.Allows(t.EventID) {
		return nil, problem.New(problem.Forbidden, "other_event", "This device is for other events.")
	}
	l, err := m.list(one.List, *t)
	if err != nil {
		return nil, err
	}
	c.EventNo, c.EventID, c.TicketNo, c.TicketID, c.OrderID, c.ListNo, c.ListID = t.EventNo, t.EventID, t.No, t.ID, t.OrderID, l.No, l.ID
	switch one.Result {
	case "", CheckedIn, CheckedOut:
		c.Said = CheckedIn
		if one.Direction == Exit {
			c.Said = CheckedOut
		}
	default:
		c.result, c.Said, c.Reason = denied, one.Result, string(Refused)
	}
	m.s.policies[l.No] = l.Policy
	m.s.fresh = append(m.s.fresh, c)
	return c, nil
}

func (m *merger) gate(name string) (Gate, error) {
	if g, ok := m.gates[name]; ok {
		return g, nil
	}
	g, err := m.u.By.gate(m.tx, m.org, name)
	if err == nil {
		m.gates[name] = g
	}
	return g, err
}

func (m *merger) list(list id.CheckinList, t ticket.Ticket) (List, error) {
	key := string(list)
	if list == "" {
		key = "of " + string(t.EventID)
	}
	if l, ok := m.lists[key]; ok {
		return l, sameEvent(l, t)
	}
	var l List
	var err error
	if list == "" {
		l, err = standard(m.tx, m.org, t.EventNo, t.EventID)
	} else {
		l, err = ListByID(m.tx, m.org, list)
	}
	if err != nil {
		return List{}, err
	}
	m.lists[key] = l
	return l, sameEvent(l, t)
}

func sameEvent(l List, t ticket.Ticket) error {
	if l.EventNo != t.EventNo {
		return problem.New(problem.Conflict, "other_event", "The list is of another event than the ticket.")
	}
	return nil
}

// Bundle is what a device needs to decide without a network, but for the keys of codes.
type Bundle struct {
	ID       string
	Event    event.Event
	IssuedAt time.Time // on the hour, so that a device that asks again within it need not be sent the same again
	Until    time.Time // from then on the device asks for a new one before it decides
	Lists    []List
	Gates    []Gate
	Used     []Use
}

// Use is what came through the door with a ticket on a list by now.
type Use struct {
	TicketID id.Ticket
	ListID   id.CheckinList
	Entries  int
	Inside   bool
	LastAt   time.Time // the last entry
	Gate     string    // of that
}

// BundleOf gathers an event's bundle. It fails with event_not_found.
func BundleOf(q db.Querier, org int64, e id.Event, now time.Time) (Bundle, error) {
	ev, err := event.ByID(q, org, e)
	if err != nil {
		return Bundle{}, err
	}
	b := Bundle{Event: ev, IssuedAt: now.UTC().Truncate(time.Hour)}
	b.ID, b.Until = bundleID(b.IssuedAt), b.IssuedAt.Add(BundleLife)
	if b.Lists, err = Lists(q, org, e); err != nil {
		return Bundle{}, err
	}
	if b.Gates, err = Gates(q, org); err != nil {
		return Bundle{}, err
	}
	b.Used, err = db.All(q, func(r db.Rows) (Use, error) {
		var u Use
		var at int64
		err := r.Scan(&u.TicketID, &u.ListID, &u.Entries, &u.Inside, &at, &u.Gate)
		u.LastAt = moment(at)
		return u, err
	}, `SELECT ticket_id, list_id, entry_no, open, at, gate FROM checkins c WHERE event_no = $1 AND org_id = $2 AND result = 'admitted'
		AND NOT EXISTS (SELECT 1 FROM checkins n WHERE n.ticket_no = c.ticket_no AND n.list_no = c.list_no AND n.entry_no = c.entry_no + 1)
		ORDER BY ticket_no, list_no`, ev.No, org)
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return Bundle{}, fmt.Errorf("admissions of event %s: %w", e, err)
	}
	return b, nil
}
