package web

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// idle keeps the number of connections that wait for a request within bounds: when there are too many, the one that has waited longest is
// closed. So a stranger who opens connections and keeps quiet only pushes out his own.
type idle struct {
	limit int

	mu      sync.Mutex // guards the rest
	waiting *list.List // of net.Conn, the longest waiting in front
	place   map[net.Conn]*list.Element
}

func newIdle(limit int) *idle {
	return &idle{limit: limit, waiting: list.New(), place: map[net.Conn]*list.Element{}}
}

// note is the server's ConnState hook.
func (i *idle) note(c net.Conn, state http.ConnState) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if e, ok := i.place[c]; ok {
		i.waiting.Remove(e)
		delete(i.place, c)
	}
	if state != http.StateNew && state != http.StateIdle {
		return
	}
	i.place[c] = i.waiting.PushBack(c)
	if i.waiting.Len() > i.limit {
		oldest := i.waiting.Front()
		conn := i.waiting.Remove(oldest).(net.Conn)
		delete(i.place, conn)
		_ = conn.Close() // nobody is there to be told; the server notices
	}
}
