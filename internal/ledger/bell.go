package ledger

import "sync"

// Bell wakes whoever listens that there may be something new. Its zero value is ready; it is safe for use by many goroutines.
type Bell struct {
	mu        sync.Mutex // guards listeners
	listeners []chan struct{}
}

// Listen returns a channel that holds something after the bell has rung, once however often it rang, and what ends that.
func (b *Bell) Listen() (rung <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners = append(b.listeners, c)
	return c, func() { b.leave(c) }
}

func (b *Bell) leave(c chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, l := range b.listeners {
		if l == c {
			b.listeners = append(b.listeners[:i], b.listeners[i+1:]...)
			return
		}
	}
}

// Ring wakes the listeners. It never waits.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.listeners {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
