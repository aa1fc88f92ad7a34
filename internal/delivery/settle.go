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
)

// outcome is what came of an item.
type outcome struct {
	*item
	state     int
	again     bool          // it is due again
	delay     time.Duration // after the settling transaction's instant
	attempted bool          // an attempt was made; item.attempt counts it

	at      time.Time // when the attempt began
	status  int
	code    string
	detail  string
	out     egress.Outcome
	variant string
	body    []byte
	hash    [sha256.Size]byte
	head    func() string
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
	since   time.Time // when the first of waiting came
	flushed *sync.Cond
	writing bool
}

func newSettler(e *Engine) *settler {
	s := &settler{e: e, wake: make(chan struct{}, 1)}
	s.space, s.flushed = sync.NewCond(&s.mu), sync.NewCond(&s.mu)
	return s
}

// add hands an outcome over. It waits only when thousands are waiting.
func (s *settler) add(o *outcome) {
	s.mu.Lock()
	for len(s.waiting) >= settleFull {
		s.space.Wait()
	}
	s.waiting = append(s.waiting, o)
	n := len(s.waiting)
	start := !s.writing
	if start {
		s.writing = true
	}
	s.mu.Unlock()
	if start {
		go s.write()
	} else if n == settleAt {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// giveBack makes an item due again without an attempt.
func (s *settler) giveBack(it *item, delay time.Duration) {
	s.add(&outcome{item: it, state: pending, again: true, delay: delay})
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

// settle writes a batch; when that fails again and again, each outcome by itself, so that one that cannot be stored does not hold up the others.
func (s *settler) settle(batch []*outcome) {
	var err error
	for try := range 5 {
		if err = s.e.DB.Write(context.Background(), "", func(tx *db.Tx) error { return s.e.settle(tx, batch) }); err == nil {
			return
		}
		if errors.Is(err, db.ErrClosed) {
			return // their leases end; the next start takes them up
		}
		if len(batch) > 1 && try == 2 {
			break
		}
		time.Sleep(20 * time.Millisecond << try)
	}
	s.e.Log.Error("settle deliveries", "count", len(batch), "err", err)
	if len(batch) == 1 {
		s.e.Metrics.lost.Inc()
		return
	}
	for i := range batch {
		s.settle(batch[i : i+1])
	}
}

var updateDelivery = db.NewBulk(
	`UPDATE deliveries SET state = $1, due = $2, owner = 0, attempt = $3
	WHERE endpoint_id = $4 AND fact_seq = $5 AND day = $6 AND org_id = $7 AND state = 0 AND owner = $8 AND attempt = $9`,
	`UPDATE deliveries d SET state = u.state, due = u.due, owner = 0, attempt = u.attempt
	FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
		AS u (state, due, attempt, endpoint_id, fact_seq, day, org_id, owner, was)
	WHERE d.endpoint_id = u.endpoint_id AND d.fact_seq = u.fact_seq AND d.day = u.day AND d.org_id = u.org_id
		AND d.state = 0 AND d.owner = u.owner AND d.attempt = u.was`,
	"bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint")

var insertAttempts = db.BulkInsert("attempts", "ON CONFLICT DO NOTHING", "endpoint_id bigint", "fact_seq bigint", "n bigint", "day bigint", "org_id bigint",
	"at bigint", "status bigint", "code text", "detail text", "dns bigint", "connect bigint", "tls bigint", "first_byte bigint", "total bigint",
	"body_hash bytea", "request_head text", "response_head text", "response_body bytea")

var insertEnvelopes = db.BulkInsert("envelopes", "ON CONFLICT DO NOTHING", "fact_seq bigint", "variant text", "day bigint", "org_id bigint", "body bytea")

// settle writes a batch of outcomes in a transaction.
func (e *Engine) settle(tx *db.Tx, batch []*outcome) error {
	node, now := e.node.Load(), tx.Micros()
	updates := make([][]any, 0, len(batch))
	attempts := make([][]any, 0, len(batch))
	var envelopes [][]any
	for _, o := range batch {
		was := o.attempt
		if o.attempted {
			was--
			attempts = append(attempts, o.row())
			if o.state != delivered && o.body != nil {
				envelopes = append(envelopes, []any{o.id.Seq, o.variant, int64(o.id.Day), o.org, o.body})
			}
		}
		updates = append(updates, []any{int64(o.state), now + o.delay.Microseconds(), int64(o.attempt), o.id.Endpoint, o.id.Seq, int64(o.id.Day),
			o.org, node, int64(was)})
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
	tx.OnCommit(func() { e.settled(batch) })
	return nil
}

// settled does what follows once outcomes are on disk.
func (e *Engine) settled(batch []*outcome) {
	now := time.Now()
	for _, o := range batch {
		if o.state == pending {
			e.poller.at(now.Add(o.delay))
		}
		if o.key != 0 && o.state != pending {
			e.poller.hot(o.id.Endpoint) // the next with the same key may go
		}
		if o.state != pending {
			e.Metrics.settled(o.state)
		}
	}
}

// row is the attempt as it is stored. Everything that a stranger wrote is made fit for a text column.
func (o *outcome) row() []any {
	var detail, requestHead, responseHead any
	if o.detail != "" {
		detail = text(o.detail)
	}
	if o.state != delivered && o.head != nil {
		requestHead = text(o.head())
	}
	if len(o.out.Header) > 0 {
		var b strings.Builder
		for _, f := range o.out.Header {
			b.WriteString(f.Name + ": " + f.Value + "\n")
		}
		responseHead = text(b.String())
	}
	var hash, body any
	if o.body != nil {
		hash = o.hash[:]
	}
	if len(o.out.Body) > 0 {
		body = o.out.Body
	}
	t := o.out.Timing
	return []any{o.id.Endpoint, o.id.Seq, int64(o.attempt), int64(o.id.Day), o.org, o.at.UnixMicro(), int64(o.status), o.code, detail,
		t.DNS.Microseconds(), t.Connect.Microseconds(), t.TLS.Microseconds(), t.FirstByte.Microseconds(), t.Total.Microseconds(),
		hash, requestHead, responseHead, body}
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
