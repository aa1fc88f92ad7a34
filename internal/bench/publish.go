package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// publisher is one keep-alive connection to the server under test. It has one request under way at a time.
type publisher struct {
	addr  string
	req   request
	fresh func(request) // see target
	until time.Time     // when its connections give up
	conn  net.Conn
	wire  *wire
	stop  func() bool // ends the watch over the context that closes conn
}

// patience is how long after the end of its loop a publisher still waits for an answer.
const patience = 30 * time.Second

// exchange sends the request, with number n where it has a place for one, and reads the answer. After an error the next exchange dials anew. When ctx is done
// the connection is closed, and with it ends an exchange that is under way.
func (p *publisher) exchange(ctx context.Context, n int64) (code int, body []byte, err error) {
	if p.conn == nil {
		if err := p.dial(ctx); err != nil {
			return 0, nil, err
		}
	}
	if p.fresh != nil {
		p.fresh(p.req)
	} else {
		p.req.number(n)
	}
	if _, err := p.conn.Write(p.req.bytes); err != nil {
		p.close()
		return 0, nil, err
	}
	head, body, err := p.wire.next()
	if err != nil {
		p.close()
		return 0, nil, err
	}
	return status(head), body, nil
}

func (p *publisher) dial(ctx context.Context) error {
	conn, err := (&net.Dialer{Deadline: p.until}).DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(p.until); err != nil {
		_ = conn.Close()
		return err
	}
	p.conn, p.wire = conn, newWire(conn)
	p.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	return nil
}

func (p *publisher) close() {
	if p.conn != nil {
		p.stop()
		_ = p.conn.Close()
		p.conn = nil
	}
}

// target is where publishers send to, and the book they write into.
type target struct {
	addr string
	req  request
	book *book

	fresh func(request) // what is done to a request before it is sent; nil for its number to be written into it
}

// refusal keeps the first answer that was not a 2xx, or the first error, for a message that helps.
type refusal struct {
	once sync.Once
	err  error
}

func (r *refusal) note(code int, body []byte, err error) {
	r.once.Do(func() {
		if err == nil {
			err = fmt.Errorf("status %d: %.300s", code, body)
		}
		r.err = err
	})
}

// publish sends one message, counting its times from due, and reports false when the connection does not work.
func (t *target) publish(ctx context.Context, p *publisher, due int64, why *refusal) bool {
	n, ok := t.book.take()
	if !ok {
		why.note(0, nil, errors.New("the bench has no more numbers for messages"))
		return false
	}
	t.book.sent(n, due)
	code, body, err := p.exchange(ctx, n)
	good := err == nil && code/100 == 2
	t.book.answered(n, t.book.now(), good)
	if !good {
		why.note(code, body, err)
	}
	return err == nil
}

// send puts a load on the server and returns when the last answer is there. The error, if any, is the first refusal.
func (t *target) send(ctx context.Context, l load) error {
	if l.open() {
		return t.openLoop(ctx, l)
	}
	return t.closedLoop(ctx, l)
}

// closedLoop has publishers send one message after the other until ctx is done or the time is over.
func (t *target) closedLoop(ctx context.Context, l load) error {
	end := t.book.now() + int64(l.length)
	return t.publishers(ctx, l, func(ctx context.Context, p *publisher, why *refusal) {
		for ctx.Err() == nil {
			now := t.book.now()
			if now >= end {
				return
			}
			if !t.publish(ctx, p, now, why) {
				pause(ctx, 10*time.Millisecond)
			}
		}
	})
}

// openLoop sends each message at its own instant, whether or not those before it were answered. Times count from that instant.
// When all connections are busy, a message waits for one, and its wait is counted.
func (t *target) openLoop(ctx context.Context, l load) error {
	m, err := newMetronome()
	if err != nil {
		return err
	}
	defer m.close()
	count := int(l.length.Seconds() * float64(l.perSecond))
	due := make(chan int64, count) // room for all, so that the beat never waits
	var beat sync.WaitGroup
	beat.Go(func() {
		defer close(due)
		begun := t.book.now()
		for i := 0; i < count && ctx.Err() == nil; i++ {
			at := begun + int64(i)*int64(time.Second)/int64(l.perSecond)
			m.sleep(time.Duration(at - t.book.now()))
			due <- at
		}
	})
	err = t.publishers(ctx, l, func(ctx context.Context, p *publisher, why *refusal) {
		for at := range due {
			t.publish(ctx, p, at, why)
		}
	})
	beat.Wait()
	return err
}

// publishers runs one function for each connection of a load and waits for all.
func (t *target) publishers(ctx context.Context, l load, run func(context.Context, *publisher, *refusal)) error {
	var wait sync.WaitGroup
	var why refusal
	for range l.publishers {
		wait.Go(func() {
			p := &publisher{addr: t.addr, req: t.req.clone(), fresh: t.fresh, until: time.Now().Add(l.length + patience)}
			defer p.close()
			run(ctx, p, &why)
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return why.err
}

// pause waits, or returns early when ctx is done.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
