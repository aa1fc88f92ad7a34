package main

import (
	"io"
	"sync"
	"time"
)

// logBuffer writes log lines of a busy server together, at most a moment late: one system call for many requests instead of one for each.
type logBuffer struct {
	w io.Writer

	mu    sync.Mutex // guards below
	lines []byte
	timer *time.Timer // running while there are lines
}

const (
	logDelay = 50 * time.Millisecond
	logFull  = 32 << 10
)

func newLogBuffer(w io.Writer) *logBuffer { return &logBuffer{w: w} }

// Write takes a line. It fails only when the lines before could not be written, which nobody can be told of in the log.
func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) == 0 {
		if b.timer == nil {
			b.timer = time.AfterFunc(logDelay, b.flush)
		} else {
			b.timer.Reset(logDelay)
		}
	}
	b.lines = append(b.lines, line...)
	if len(b.lines) >= logFull {
		return len(line), b.write()
	}
	return len(line), nil
}

func (b *logBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.write()
}

func (b *logBuffer) write() error {
	if len(b.lines) == 0 {
		return nil
	}
	_, err := b.w.Write(b.lines)
	b.lines = b.lines[:0]
	return err
}
