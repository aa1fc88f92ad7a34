package pull

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Fetch hands an event out: a stored one is fetched from then on, any other stays as it is. One that was deleted gives a Gone problem with the code
// message_deleted, and an unknown one NotFound.
func (d *Depot) Fetch(tx *db.Tx, e *Endpoint, i id.Received) (Event, Payload, error) {
	v, err := d.Find(tx, e, i)
	if err != nil {
		return Event{}, Payload{}, err
	}
	if v.Status == Stored && !v.Deleted() {
		if v, err = d.find(tx, e, i, "/*for update*/"); err != nil {
			return Event{}, Payload{}, err
		}
	}
	if v.Deleted() {
		return Event{}, Payload{}, isDeleted()
	}
	if v.Status == Stored {
		before := v
		v.Status, v.FetchedAt = Fetched, d.later(tx, v)
		if err := tx.Later(`UPDATE pull_events SET state = 1, fetched_at = $1 WHERE seq = $2 AND +org_id = $3`, v.FetchedAt.UnixMicro(), v.ID.Seq, e.Org); err != nil {
			return Event{}, Payload{}, err
		}
		t := tally{}
		t.move(before, v)
		if err := d.count(tx, t); err != nil {
			return Event{}, Payload{}, err
		}
	}
	p, err := payload(tx, v)
	return v, p, err
}

// later is the present, and not before the event came.
func (d *Depot) later(q db.Querier, v Event) time.Time {
	now := d.now(q)
	if now.Before(v.ReceivedAt) {
		return v.ReceivedAt
	}
	return now
}

// MaxAck is how many events can be acknowledged at once.
const MaxAck = 1000

// Ack says that events are done, whether or not they were fetched, and ends their leases. It returns how many were not delivered before. Deleted ones are passed
// over. When one is unknown or another endpoint's, nothing is acknowledged, and the Invalid problem names it.
func (d *Depot) Ack(tx *db.Tx, e *Endpoint, ids []id.Received) (newly int, err error) {
	if len(ids) == 0 || len(ids) > MaxAck {
		return 0, problem.Field("/event_ids", "out_of_range", "Give 1 to %d ids of events.", MaxAck)
	}
	found, err := d.these(tx, e, ids)
	if err != nil {
		return 0, err
	}
	var faults problem.Fields
	for i, one := range ids {
		if _, ok := found[one]; !ok && len(faults) < 20 {
			faults.Add("/event_ids/"+strconv.Itoa(i), "unknown", "There is no event %s at this pull endpoint.", one)
		}
	}
	if err := faults.Err(); err != nil {
		return 0, err
	}
	t := tally{}
	var numbers []int64
	for _, v := range found {
		if v.Deleted() || v.Status == Delivered {
			continue
		}
		after := v
		after.Status, after.DeliveredAt = Delivered, d.later(tx, v)
		t.move(v, after)
		numbers = append(numbers, v.ID.Seq)
	}
	if len(numbers) == 0 {
		return 0, nil
	}
	if err := tx.Later(`UPDATE pull_events SET state = 2, delivered_at = CASE WHEN at > $1 THEN at ELSE $1 END, due = 0, lease = NULL WHERE +org_id = $2 AND seq IN ints($3)`,
		d.now(tx).UnixMicro(), e.Org, list(numbers)); err != nil {
		return 0, err
	}
	return len(numbers), d.count(tx, t)
}

// these returns and locks those of the events that the endpoint has.
func (d *Depot) these(tx *db.Tx, e *Endpoint, ids []id.Received) (map[id.Received]Event, error) {
	numbers := make([]int64, len(ids))
	for i, one := range ids {
		numbers[i] = one.Seq
	}
	all, err := db.All(tx, scanOne, `SELECT `+eventColumns+` FROM pull_events v WHERE +v.endpoint_no = $1 AND +v.org_id = $2 AND +v.at > $3 AND v.seq IN ints($4)
		ORDER BY v.seq /*for update*/`, e.No, e.Org, d.cutoff(tx, e), list(numbers))
	found := make(map[id.Received]Event, len(all))
	for _, v := range all {
		found[v.ID] = v
	}
	return found, err
}

// list is how numbers go into a query.
func list(numbers []int64) string {
	text, _ := json.Marshal(numbers) // numbers always can
	return string(text)
}

// Bounds of a claim.
const (
	MaxClaim     = 100 // events
	MinLease     = time.Second
	MaxLease     = 12 * time.Hour
	DefaultLease = time.Minute

	maxClaimBytes = 8 << 20 // of the payloads of one claim, but that there is always one
)

// ClaimInput says what a consumer wants.
type ClaimInput struct {
	Limit int           // 1 to [MaxClaim]
	Lease time.Duration // [MinLease] to [MaxLease]; 0 for [DefaultLease]
	Type  string        // "" for all
}

// Claimed is an event under a lease.
type Claimed struct {
	Event
	Payload
	Token string // for [Depot.Extend] and [Depot.Release]
}

// Claim hands out the next events that are neither delivered nor deleted nor under a lease: first those whose lease is over or that were fetched without one, then
// the stored ones, each in order. They are fetched from then on, and no other claim gets them until LeasedUntil. What the payloads of one claim have together is
// bounded, so it may give fewer than there are.
func (d *Depot) Claim(tx *db.Tx, e *Endpoint, in ClaimInput) ([]Claimed, error) {
	if in.Limit < 1 || in.Limit > MaxClaim {
		return nil, problem.Field("/limit", "out_of_range", "Claim 1 to %d events.", MaxClaim)
	}
	until, err := d.lease(tx, in.Lease)
	if err != nil {
		return nil, err
	}
	free, err := d.free(tx, e, in, " /*skip locked*/")
	if err != nil || len(free) == 0 {
		return nil, err
	}
	token := make([]byte, leaseBytes)
	_, _ = rand.Read(token)
	t := tally{}
	all := make([]Claimed, len(free))
	numbers := make([]int64, len(free))
	for i, v := range free {
		before := v
		if v.Status == Stored {
			v.Status, v.FetchedAt = Fetched, d.later(tx, v)
		}
		v.LeasedUntil = until
		t.move(before, v)
		all[i], numbers[i] = Claimed{Event: v, Token: leaseToken(v.ID.Seq, token)}, v.ID.Seq
	}
	if err := tx.Later(`UPDATE pull_events SET state = 1, fetched_at = COALESCE(fetched_at, CASE WHEN at > $1 THEN at ELSE $1 END), due = $2, lease = $3
		WHERE +org_id = $4 AND seq IN ints($5)`, d.now(tx).UnixMicro(), until.UnixMicro(), token, e.Org, list(numbers)); err != nil {
		return nil, err
	}
	if err := d.count(tx, t); err != nil {
		return nil, err
	}
	return all, fill(tx, e, all, numbers)
}

// Claimable tells whether a claim of one type of events, "" for all, would find something now. It takes nothing, and locks nothing.
func (d *Depot) Claimable(q db.Querier, e *Endpoint, kind string) (bool, error) {
	args := []any{e.No, e.Org, d.now(q).UnixMicro(), d.cutoff(q, e)}
	typed := ""
	if kind != "" {
		args = append(args, kind)
		typed = " AND v.type = $5 AND v.type <> ''"
	}
	back, err := db.One(q, db.Value[bool], `SELECT EXISTS (SELECT 1 FROM pull_events v WHERE v.endpoint_no = $1 AND +v.org_id = $2 AND v.state = 1 AND v.due <= $3
		AND +v.at > $4`+typed+`)`, args...)
	if back || err != nil {
		return back, err
	}
	stored, err := of(q, e, []int{0}, spanOf(time.Time{}, time.Time{}, d.cutoff(q, e), Cursor{}, false), kind, "", 1)
	return len(stored) > 0, err
}

// lease is until when a lease lasts.
func (d *Depot) lease(tx *db.Tx, of time.Duration) (time.Time, error) {
	if of == 0 {
		of = DefaultLease
	}
	if of < MinLease || of > MaxLease {
		return time.Time{}, problem.Field("/lease_seconds", "out_of_range", "A lease has %d to %d seconds.", MinLease/time.Second, MaxLease/time.Second)
	}
	return d.now(tx).Add(of).Truncate(time.Microsecond), nil
}

// free finds the next events for a claim, and locks them if lock says so.
func (d *Depot) free(q db.Querier, e *Endpoint, in ClaimInput, lock string) ([]Event, error) {
	args := []any{e.No, e.Org, d.now(q).UnixMicro(), d.cutoff(q, e), in.Limit}
	typed := ""
	if in.Type != "" {
		args = append(args, in.Type)
		typed = " AND v.type = $6 AND v.type <> ''"
	}
	all, err := db.All(q, scanOne, `SELECT `+eventColumns+` FROM pull_events v WHERE v.endpoint_no = $1 AND +v.org_id = $2 AND v.state = 1 AND v.due <= $3 AND v.at > $4`+typed+`
		ORDER BY v.due, v.seq LIMIT $5`+lock, args...)
	if err == nil && len(all) < in.Limit {
		var more []Event
		more, err = of(q, e, []int{0}, spanOf(time.Time{}, time.Time{}, d.cutoff(q, e), Cursor{}, false), in.Type, lock, in.Limit-len(all))
		all = append(all, more...)
	}
	size := int64(0)
	for i, v := range all {
		if size += v.Size; size > maxClaimBytes && i > 0 {
			return all[:i], err
		}
	}
	return all, err
}

// fill reads the payloads of what was claimed.
func fill(tx *db.Tx, e *Endpoint, all []Claimed, numbers []int64) error {
	at := make(map[int64]int, len(all))
	for i, n := range numbers {
		at[n] = i
	}
	rows, err := tx.Query(`SELECT seq, head, body FROM pull_payloads WHERE +org_id = $1 AND seq IN ints($2)`, e.Org, list(numbers))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var p Payload
		if err := rows.Scan(&seq, &p.Head, &p.Body); err != nil {
			return err
		}
		p.Erased = p.Body == nil
		all[at[seq]].Payload = p
	}
	return rows.Err()
}

const (
	leaseBytes  = 16
	leasePrefix = "lse_"
)

// leaseToken names an event and the lease that it is under.
func leaseToken(seq int64, lease []byte) string {
	return leasePrefix + base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(seq)), lease...))
}

func parseLease(token string) (seq int64, lease []byte, ok bool) {
	text, ok := strings.CutPrefix(token, leasePrefix)
	b, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil || len(b) != 8+leaseBytes || b[0] >= 0x80 {
		return 0, nil, false
	}
	return int64(binary.BigEndian.Uint64(b)), b[8:], true
}

// Extend has a lease last for so long from now on, [MinLease] to [MaxLease] or 0 for [DefaultLease], and returns until when. A lease that is over, acknowledged or
// somebody else's by now gives a Conflict with the code lease_lost.
func (d *Depot) Extend(tx *db.Tx, e *Endpoint, token string, lease time.Duration) (until time.Time, err error) {
	if until, err = d.lease(tx, lease); err != nil {
		return time.Time{}, err
	}
	return until, d.relet(tx, e, token, `due = $1`, until.UnixMicro())
}

// Release gives an event back before its lease is over: the next claim may have it. Releasing what is lost already is a Conflict with the code lease_lost.
func (d *Depot) Release(tx *db.Tx, e *Endpoint, token string) error {
	return d.relet(tx, e, token, `due = $1, lease = NULL`, 0)
}

// relet changes the lease that a token is for, if that is still under way.
func (d *Depot) relet(tx *db.Tx, e *Endpoint, token, set string, due int64) error {
	seq, lease, ok := parseLease(token)
	if ok {
		n, err := tx.Exec(`UPDATE pull_events SET `+set+` WHERE seq = $2 AND +endpoint_no = $3 AND +org_id = $4 AND +state = 1 AND lease = $5 AND +due > $6 AND +at > $7`,
			due, seq, e.No, e.Org, lease, d.now(tx).UnixMicro(), d.cutoff(tx, e))
		if err != nil || n == 1 {
			return err
		}
	}
	return problem.New(problem.Conflict, "lease_lost", "The lease is over, or the event is done. Claim again.")
}
