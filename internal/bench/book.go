package bench

import (
	"sync/atomic"
	"time"
)

// book knows of every numbered message when it was sent, whether it was accepted, and at which endpoints it arrived. One book
// belongs to one receiver; publishers write one side of it and the receiver's connections the other, without locks.
type book struct {
	epoch  time.Time // all instants below are nanoseconds since then, on the monotonic clock
	next   atomic.Int64
	chunks [maxChunks]atomic.Pointer[chunk]
	record atomic.Pointer[record] // where measurements go now

	strays atomic.Int64 // arrivals that no message of ours explains
}

const (
	chunkSize = 1 << 16
	maxChunks = 256 // 16.7 million messages, more than any trial may send

	// maxEndpoints is bounded by the bits of entry.state.
	maxEndpoints = 30
	accepted     = 1 << 31
)

type chunk [chunkSize]entry

type entry struct {
	sent  atomic.Int64
	state atomic.Uint32 // bit i: arrived at endpoint i; the highest: accepted
}

// record is what one trial measures. Messages numbered from first belong to it.
type record struct {
	first   int64
	begun   int64  // nanoseconds of the book's clock
	watched uint32 // the endpoints whose arrivals are timed, as bits

	publish, arrival, fact histogram

	accepted, refused     atomic.Int64
	delivered, duplicates atomic.Int64 // at the watched endpoints
	lastArrival           atomic.Int64 // nanoseconds of the book's clock
}

func newBook() *book { return &book{epoch: time.Now()} }

// now is the book's clock, in nanoseconds.
func (b *book) now() int64 { return int64(time.Since(b.epoch)) }

// begin starts a record; arrivals of earlier messages no longer count.
func (b *book) begin(watched uint32) *record {
	r := &record{first: b.next.Load(), begun: b.now(), watched: watched}
	b.record.Store(r)
	return r
}

// take numbers a message. It reports false when the book is full.
func (b *book) take() (n int64, ok bool) {
	n = b.next.Add(1) - 1
	if n >= chunkSize*maxChunks {
		return 0, false
	}
	if c := &b.chunks[n/chunkSize]; c.Load() == nil {
		c.CompareAndSwap(nil, new(chunk))
	}
	return n, true
}

// entry is nil for a number that was never taken.
func (b *book) entry(n int64) *entry {
	if n < 0 || n >= min(b.next.Load(), chunkSize*maxChunks) {
		return nil
	}
	c := b.chunks[n/chunkSize].Load()
	if c == nil {
		return nil
	}
	return &c[n%chunkSize]
}

// sent notes the instant from which a message's times count.
func (b *book) sent(n, at int64) { b.entry(n).sent.Store(at) }

// answered notes how a publisher was answered: with a 2xx, the message must arrive.
func (b *book) answered(n, at int64, ok bool) {
	e, r := b.entry(n), b.record.Load()
	if ok {
		e.state.Or(accepted)
	}
	switch {
	case n < r.first:
	case ok:
		r.accepted.Add(1)
		r.publish.add(time.Duration(at - e.sent.Load()))
	default:
		r.refused.Add(1)
	}
}

// arrived notes that endpoint i has read message n. fact is the instant of the message's fact by the wall clock, or zero.
func (b *book) arrived(n int64, i int, at int64, fact time.Time) {
	e, r := b.entry(n), b.record.Load()
	if e == nil {
		b.strays.Add(1)
		return
	}
	bit := uint32(1) << i
	again := e.state.Or(bit)&bit != 0
	if n < r.first || r.watched&bit == 0 {
		return
	}
	if again {
		r.duplicates.Add(1)
		return
	}
	r.delivered.Add(1)
	r.lastArrival.Store(at)
	r.arrival.add(time.Duration(at - e.sent.Load()))
	if !fact.IsZero() {
		r.fact.add(b.epoch.Add(time.Duration(at)).Sub(fact))
	}
}

// missing counts what was accepted since number first and has not arrived at the endpoints given as bits.
func (b *book) missing(first int64, endpoints uint32) (n int64) {
	for i := first; i < b.next.Load(); i++ {
		e := b.entry(i)
		if e == nil {
			break
		}
		s := e.state.Load()
		if s&accepted == 0 {
			continue
		}
		for rest := endpoints &^ s; rest != 0; rest &= rest - 1 {
			n++
		}
	}
	return n
}
