package delivery

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// outcome is what came of an item.
type outcome struct {
	*item
	state     int
	delay     time.Duration // after the settling transaction's instant
	attempted bool          // an attempt was made; item.attempt counts it

	at      time.Time // when the attempt began
	status  int
	code    string
	detail  string
	out     egress.Outcome
	env     *envelope // that was sent; nil when nothing was
	keep    []byte    // its body as it is kept; nil for not
	hash    [sha256.Size]byte
	head    func() string
	webhook id.Webhook
	event   string
}

const (
	settleAt    = 256                   // so many outcomes are written at once
	settleAfter = 10 * time.Millisecond // and fewer after so long
	settleMost  = 1024                  // in one transaction
	settleFull  = 8192                  // more than that wait: the database is slower than the endpoints
)

// settler writes outcomes, many in a transaction.
type settler struct {
	e    *Engine
	wake chan struct{}

	mu      sync.Mutex // guards below
	space   *sync.Cond
	waiting []*outcome
	flushed *sync.Cond
	writing bool
}

func newSettler(e *Engine) *settler {
	s := &settler{e: e, wake: make(chan struct{}, 1)}
	s.space, s.flushed = sync.NewCond(&s.mu), sync.NewCond(&s.mu)
	return s
}

// add hands over the outcome of an attempt. It waits when thousands are waiting.
func (s *settler) add(o *outcome) {
	s.mu.Lock()
	for len(s.waiting) >= settleFull {
		s.space.Wait()
	}
	s.put(o)
}

// hand is add without waiting, for what is not an attempt: it is called where the writer may be waited for.
func (s *settler) hand(o *outcome) {
	s.mu.Lock()
	s.put(o)
}

// put is called with the mutex held, which it releases. What others with the same key wait for is written without delay.
func (s *settler) put(o *outcome) {
	s.waiting = append(s.waiting, o)
	n := len(s.waiting)
	start := !s.writing
	s.writing = true
	s.mu.Unlock()
	if start {
		go s.write()
	}
	if n == settleAt || o.ends() {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// ends tells whether others that wait for this one may go when it is written.
func (o *outcome) ends() bool { return o.state != pending && o.key != 0 && o.lane.hasBlocked() }

// giveBack makes an item due again without an attempt. It does not wait.
func (s *settler) giveBack(it *item, delay time.Duration) {
	s.hand(&outcome{item: it, state: pending, delay: delay})
}

// write writes until nothing is waiting.
func (s *settler) write() {
	timer := time.NewTimer(settleAfter)
	defer timer.Stop()
	for {
		select {
		case <-s.wake:
		case <-timer.C:
		}
		s.mu.Lock()
		n := min(len(s.waiting), settleMost)
		batch := s.waiting[:n:n]
		s.waiting = append([]*outcome(nil), s.waiting[n:]...)
		if n == 0 {
			s.writing = false
			s.flushed.Broadcast()
			s.mu.Unlock()
			return
		}
		more := len(s.waiting) >= settleAt
		s.space.Broadcast()
		s.mu.Unlock()
		s.settle(batch)
		wait := settleAfter
		if more {
			wait = 0
		}
		timer.Reset(wait)
	}
}

// flush waits until everything that was handed over has been written.
func (s *settler) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing {
		s.flushed.Wait()
	}
}

const (
	settleTries  = 5           // before it is looked into why
	longestPause = time.Second // between tries
)

// settle writes a batch. While the database takes no writes it tries again and again: what has been sent must not be sent once more for want of
// a row. Only an outcome that cannot be written while others can is given up.
func (s *settler) settle(batch []*outcome) {
	began := time.Now()
	for try := 0; len(batch) > 0; try++ {
		err := s.writeBatch(batch)
		if err == nil || errors.Is(err, db.ErrClosed) { // closed: the leases end, and the next start takes them up
			return
		}
		if try == settleTries {
			s.e.Log.Error("settle deliveries", "count", len(batch), "err", err)
		}
		if s.e.stopped.Load() && time.Since(began) >= s.e.Grace {
			s.e.Metrics.lost.Add(float64(len(batch)))
			return
		}
		if try >= settleTries && s.takesWrites() {
			batch = s.apart(batch)
		}
		time.Sleep(min(20*time.Millisecond<<min(try, 10), longestPause))
	}
}

func (s *settler) writeBatch(batch []*outcome) error {
	return s.e.DB.Write(context.Background(), "", func(tx *db.Tx) error { return s.e.settle(tx, batch) })
}

// apart writes each outcome by itself, without what strangers wrote when that is what cannot be stored, and returns those that are left when the
// database stops taking writes.
func (s *settler) apart(batch []*outcome) (left []*outcome) {
	for i, o := range batch {
		err := s.writeBatch(batch[i : i+1])
		if err != nil && s.takesWrites() {
			o.bare()
			err = s.writeBatch(batch[i : i+1])
		}
		if err == nil {
			continue
		}
		if !s.takesWrites() {
			return batch[i:]
		}
		s.e.Log.Error("an outcome cannot be written", "delivery", o.id.String(), "err", err)
		s.e.Metrics.lost.Inc()
	}
	return nil
}

// takesWrites tells whether the database has room for a large row. It leaves nothing behind.
func (s *settler) takesWrites() bool {
	undo := errors.New("undo")
	err := s.e.DB.WriteAlone(context.Background(), func(tx *db.Tx) error {
		if _, err := tx.Exec("INSERT INTO envelopes (fact_seq, variant, day, org_id, body) VALUES (-1, 'room?', 0, 0, $1)", make([]byte, 1<<20)); err != nil {
			return err
		}
		return undo
	})
	return errors.Is(err, undo)
}

// bare leaves out what strangers wrote.
func (o *outcome) bare() {
	o.out, o.head, o.detail = egress.Outcome{}, nil, ""
}

// Rows are found by the primary key, whatever a planner's statistics say: a thousand may have been leased at the same instant, and a million may be
// pending since they were gathered. state and due are written so that their index does not fit.
const updateOne = `UPDATE deliveries SET state = $1, due = $2, owner = 0, attempt = $3
	WHERE endpoint_id = $4 AND fact_seq = $5 AND day = $6 AND org_id = $7 AND state = 0 AND owner = $8 AND attempt = $9 AND due - $10 = 0`

const updateMany = `UPDATE deliveries d SET state = u.state, due = u.due, owner = 0, attempt = u.attempt
	FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
		AS u (state, due, attempt, endpoint_id, fact_seq, day, org_id, owner, was, lease)
	WHERE d.endpoint_id = u.endpoint_id AND d.fact_seq = u.fact_seq AND d.day = u.day AND d.org_id = u.org_id
		AND d.state + 0 = 0 AND d.owner = u.owner AND d.attempt = u.was AND d.due - u.lease = 0`

var updateDelivery = db.NewBulk(updateOne, updateMany,
	"bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint")

var insertAttempts = db.BulkInsert("attempts", "ON CONFLICT DO NOTHING", "endpoint_id bigint", "fact_seq bigint", "n bigint", "day bigint", "org_id bigint",
	"at bigint", "status bigint", "code text", "detail text", "dns bigint", "connect bigint", "tls bigint", "first_byte bigint", "total bigint",
	"body_hash bytea", "request_head text", "response_head text", "response_body bytea")

var insertEnvelopes = db.BulkInsert("envelopes", "ON CONFLICT DO NOTHING", "fact_seq bigint", "variant text", "day bigint", "org_id bigint", "body bytea")

// settle writes a batch of outcomes in a transaction. While a lease lasts nobody else can have touched its row, so that all go in with three
// statements; where it may have been lost, the attempt counts only if the row was still ours.
func (e *Engine) settle(tx *db.Tx, batch []*outcome) error {
	if err := forget(tx, batch); err != nil {
		return err
	}
	now := time.Now()
	if doubt := time.Unix(0, e.doubt.Load()); doubt.After(now) {
		now = doubt
	}
	updates := make([][]any, 0, len(batch))
	attempts := make([][]any, 0, len(batch))
	var envelopes [][]any
	var made []*outcome
	for _, o := range batch {
		update := e.update(tx, o)
		if now.Before(o.until) {
			updates = append(updates, update)
		} else if n, err := tx.Exec(updateOne, update...); err != nil {
			return err
		} else if n == 0 {
			continue
		}
		if o.attempted {
			attempts, made = append(attempts, e.row(o)), append(made, o)
			if o.keep != nil {
				envelopes = append(envelopes, []any{o.id.Seq, sealedVariant + o.env.variant, int64(o.id.Day), o.org, o.keep})
			}
		}
	}
	if err := tx.Bulk(updateDelivery, updates); err != nil {
		return err
	}
	if err := tx.Bulk(insertAttempts, attempts); err != nil {
		return err
	}
	if err := tx.Bulk(insertEnvelopes, envelopes); err != nil {
		return err
	}
	if err := e.logAttempts(tx, made); err != nil {
		return err
	}
	tx.OnCommit(func() { e.settled(batch) })
	return nil
}

// update is what becomes of the row, and which lease of it this is.
func (e *Engine) update(tx *db.Tx, o *outcome) []any {
	was := o.attempt
	if o.attempted {
		was--
	}
	return []any{
		int64(o.state), tx.Micros() + o.delay.Microseconds(), int64(o.attempt), o.id.Endpoint, o.id.Seq, int64(o.id.Day), o.org,
		e.node.Load(), int64(was), o.lease,
	}
}

// settled does what follows once outcomes are on disk.
func (e *Engine) settled(batch []*outcome) {
	now := time.Now()
	for _, o := range batch {
		if o.state == pending {
			e.poller.at(o.id.Endpoint, now.Add(o.delay))
			continue
		}
		e.Metrics.settled(o.state, 1)
		if o.ends() {
			e.poller.next(queue{o.id.Endpoint, o.key})
		}
	}
}

// row is the attempt as it is stored. Everything that a stranger wrote is made fit for a text column.
func (e *Engine) row(o *outcome) []any {
	var detail, requestHead, responseHead any
	if o.detail != "" {
		detail = text(o.detail)
	}
	if o.state != delivered && o.head != nil {
		requestHead = text(o.head())
	}
	shown := o.out.Public || !e.PublicAnswersOnly
	if shown && len(o.out.Header) > 0 {
		var b strings.Builder
		for _, f := range o.out.Header {
			b.WriteString(f.Name + ": " + f.Value + "\n")
		}
		responseHead = text(b.String())
	}
	var hash, body any
	if o.env != nil {
		hash = o.hash[:]
	}
	if shown && len(o.out.Body) > 0 {
		body = o.out.Body
	}
	t := o.out.Timing
	return []any{
		o.id.Endpoint, o.id.Seq, int64(o.attempt), int64(o.id.Day), o.org, o.at.UnixMicro(), int64(o.status), o.code, detail,
		t.DNS.Microseconds(), t.Connect.Microseconds(), t.TLS.Microseconds(), t.FirstByte.Microseconds(), t.Total.Microseconds(),
		hash, requestHead, responseHead, body,
	}
}

// text is fit for a text column of either engine: valid UTF-8 without NUL.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// String names a delivery's state as the API shows it.
func stateName(state int) string {
	switch state {
	case pending:
		return "pending"
	case delivered:
		return "delivered"
	case failed:
		return "failed"
	case skipped:
		return "skipped"
	}
	return fmt.Sprintf("state %d", state)
}
