package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// streamReaders is how many listen in the part stream: as many as one key may have.
const streamReaders = 100

// streams measures how soon after a fact's transaction those who listen have it. An arrival is one fact at one reader.
func (b *bench) streams(ctx context.Context) {
	b.each(ctx, b.stagedoors(), partStream, need{endpoints: 1}, func(s *subject) error {
		r, err := b.listen(ctx, s, trial{part: partStream, load: b.plan.streams})
		if r != nil {
			b.enter(r)
		}
		return err
	})
}

// listen runs a load while readers listen.
func (b *bench) listen(ctx context.Context, s *subject, t trial) (*Result, error) {
	l := &listeners{book: s.book}
	defer l.close()
	for range streamReaders {
		if err := l.open(ctx, s.server.addr, s.key); err != nil {
			return nil, err
		}
	}
	warm := t.load
	warm.length = b.plan.warm
	s.book.begin(0)
	if err := s.target().send(ctx, warm); err != nil {
		return nil, fmt.Errorf("before the trial: %w", err)
	}
	spent, rec := s.spent(), s.book.begin(0)
	refused := s.target().send(ctx, t.load)
	ended := s.book.now()
	want := rec.accepted.Load() * streamReaders
	for end := time.Now().Add(b.plan.drain); rec.delivered.Load() < want && time.Now().Before(end) && ctx.Err() == nil; {
		pause(ctx, 10*time.Millisecond)
	}
	r := s.result(rec, t, ended)
	r.Endpoints, r.Lost = streamReaders, want-r.Delivered
	r.account(s.spent().minus(spent))
	r.PeakMemory = peakMemory(s.server.cmd.Process.Pid)
	return r, errors.Join(refused, ctx.Err(), s.server.alive())
}

// listeners are connections that read streams.
type listeners struct {
	book  *book
	conns []net.Conn
	wait  sync.WaitGroup
}

// open opens a stream and has it read until close.
func (l *listeners) open(ctx context.Context, addr, key string) error {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	l.conns = append(l.conns, conn)
	_ = conn.SetDeadline(time.Now().Add(longest))
	if _, err := fmt.Fprintf(conn, "GET /api/v1/stream?attempts=false&kinds=%s HTTP/1.1\r\nHost: %s\r\nX-API-Key: %s\r\n\r\n", messageKind, addr, key); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return fmt.Errorf("GET /api/v1/stream: status %d", res.StatusCode)
	}
	l.wait.Go(func() {
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			if bytes.HasPrefix(lines.Bytes(), []byte("data: {")) {
				l.enter(lines.Bytes())
			}
		}
	})
	return nil
}

// enter counts one fact at one reader.
func (l *listeners) enter(data []byte) {
	at := l.book.now()
	n, ok := readNumber(data)
	e, rec := l.book.entry(n), l.book.record.Load()
	if !ok || e == nil || n < rec.first {
		return
	}
	rec.arrival.add(time.Duration(at - e.sent.Load()))
	if fact := instantIn(data, `"at":"`); !fact.IsZero() {
		rec.fact.add(l.book.epoch.Add(time.Duration(at)).Sub(fact))
	}
	rec.delivered.Add(1)
	for last := rec.lastArrival.Load(); at > last && !rec.lastArrival.CompareAndSwap(last, at); last = rec.lastArrival.Load() {
	}
}

func (l *listeners) close() {
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.wait.Wait()
}
